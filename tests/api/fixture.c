#include "tests/api/fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A port that takes questions and never answers them. */
static void silent_open(struct fixture *fixture)
{
    struct netaddr *addr = &fixture->resolver.upstreams[0].addr;
    assert_int_equal(netaddr_parse(addr, SLICE("127.0.0.1:0"), 0), 0);
    fixture->silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fixture->silent >= 0);
    assert_int_equal(bind(fixture->silent, &addr->sa, netaddr_len(addr)), 0);
    socklen_t len = sizeof(*addr);
    assert_int_equal(getsockname(fixture->silent, &addr->sa, &len), 0);
}

void fixture_start(struct fixture *fixture, const struct api_parts *parts)
{
    struct api_conf conf = {.socket = fixture->socket, .group = (gid_t)-1};
    char why[API_MAX_WHY] = "";
    int status = api_start(&conf, parts, &fixture->api, why);
    if (status)
        fail_msg("api_start: %s", why);
}

int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    test_folder_make(fixture->folder, sizeof(fixture->folder));
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    snprintf(fixture->socket, sizeof(fixture->socket), "%s/api.sock", fixture->folder);
    char path[96];
    snprintf(path, sizeof(path), "%s/store", fixture->folder);
    struct store_conf conf = {.path = path, .map_size = 16 << 20};
    struct store_fault fault;
    assert_int_equal(store_open(&conf, STORE_WRITER, &fixture->store, &fault), 0);
    fixture->resolver = (struct resolver_conf){
        .upstream_count = 1, .attempt_timeout_ms = 50, .lookup_timeout_ms = 100};
    silent_open(fixture);
    fixture_start(fixture,
                  &(struct api_parts){.store = fixture->store, .resolver = &fixture->resolver});
    *state = fixture;
    return 0;
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    api_stop(fixture->api);
    store_close(fixture->store);
    close(fixture->silent);
    nftw(fixture->folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

/* ---- HTTP ---- */

struct inflow {
    char bytes[1 << 20];
    size_t len;
    struct response *response;
};

static size_t body_take(char *bytes, size_t size, size_t count, void *arg)
{
    struct inflow *in = arg;
    size_t len = size * count;
    if (in->len + len > sizeof(in->bytes))
        return 0;
    memcpy(in->bytes + in->len, bytes, len);
    in->len += len;
    return len;
}

static size_t header_take(char *bytes, size_t size, size_t count, void *arg)
{
    struct response *response = ((struct inflow *)arg)->response;
    const struct {
        const char *name;
        char *out;
        size_t size;
    } table[] = {
        {"ETag:", response->etag, sizeof(response->etag)},
        {"Location:", response->location, sizeof(response->location)},
        {"Allow:", response->allow, sizeof(response->allow)},
        {"Content-Type:", response->type, sizeof(response->type)},
        {"Retry-After:", response->retry, sizeof(response->retry)},
    };
    struct slice line = slice_make(bytes, size * count);
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (slice_starts_with_nocase(line, slice_of(table[i].name)))
            slice_to_cstr(slice_trim(slice_skip(line, strlen(table[i].name))), table[i].out,
                          table[i].size);
    return line.len;
}

static struct curl_slist *headers_make(const struct request *request)
{
    char line[512];
    snprintf(line, sizeof(line), "Content-Type: %s",
             request->type ? request->type : "application/json");
    struct curl_slist *list = request->body ? curl_slist_append(NULL, line) : NULL;
    for (const char *p = request->headers; p && *p;) {
        size_t len = strcspn(p, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)len, p);
        list = curl_slist_append(list, line);
        p += len + (p[len] == '\n');
    }
    return list;
}

static void inflow_decode(struct inflow *in)
{
    if (in->len == 0)
        return;
    in->response->json = json_loadb(in->bytes, in->len, 0, NULL);
    if (!in->response->json)
        fail_msg("the answer is no JSON: %.*s", (int)in->len, in->bytes);
}

void http(const struct fixture *fixture, const struct request *request, struct response *response)
{
    char url[4096];
    snprintf(url, sizeof(url), "http://junctor%s", request->path);
    *response = (struct response){.status = 0};
    struct inflow *in = calloc(1, sizeof(*in));
    CURL *curl = curl_easy_init();
    assert_true(in && curl);
    in->response = response;
    struct curl_slist *headers = headers_make(request);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, fixture->socket);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(request->method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, in);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, in);
    if (request->body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK)
        fail_msg("%s %s: %s", request->method, request->path, curl_easy_strerror(code));
    inflow_decode(in);
    free(in);
}

void response_done(struct response *response)
{
    json_decref(response->json);
    response->json = NULL;
}

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

void expect_status(const struct fixture *fixture, const struct request *request, long status)
{
    struct response response;
    http(fixture, request, &response);
    if (response.status != status)
        fail_msg("%s %s: status %ld instead of %ld: %s", request->method, request->path,
                 response.status, status, text_of(response.json, "detail"));
    response_done(&response);
}

void expect_problem(const struct fixture *fixture, const struct request *request, long status,
                    const char *type, const char *field, const char *detail)
{
    struct response response;
    char urn[128];
    snprintf(urn, sizeof(urn), "urn:junctor:problem:%s", type);
    http(fixture, request, &response);
    assert_int_equal(response.status, status);
    assert_string_equal(response.type, "application/problem+json");
    assert_string_equal(text_of(response.json, "type"), urn);
    assert_int_equal(json_integer_value(json_object_get(response.json, "status")), status);
    assert_string_equal(text_of(response.json, "field"), field);
    assert_true(*text_of(response.json, "title") != '\0');
    if (!strstr(text_of(response.json, "detail"), detail))
        fail_msg("%s: no \"%s\" in \"%s\"", request->path, detail,
                 text_of(response.json, "detail"));
    response_done(&response);
}

json_int_t last_sequence(const struct fixture *fixture)
{
    struct response response;
    http(fixture, &(struct request){.method = "GET", .path = "/v1/status"}, &response);
    assert_int_equal(response.status, 200);
    const json_t *store = json_object_get(response.json, "store");
    json_int_t sequence = json_integer_value(json_object_get(store, "last_sequence"));
    response_done(&response);
    return sequence;
}
