#include "tests/api/fixture.h"

#include "api/internal.h"
#include "tests/peering/transport/certs.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
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

void fixture_restart(struct fixture *fixture, const struct api_conf *conf)
{
    struct api_parts parts = {.store = fixture->store, .resolver = &fixture->resolver};
    char why[API_MAX_WHY] = "";
    api_stop(fixture->api);
    fixture->api = NULL;
    if (api_start(conf, &parts, &fixture->api, why))
        fail_msg("api_start: %s", why);
    api_bound(fixture->api, &fixture->https, &fixture->health);
}

struct api_conf fixture_conf_https(const struct fixture *fixture)
{
    struct api_conf conf = {.socket = fixture->socket,
                            .group = (gid_t)-1,
                            .certificate = fixture->certificate,
                            .key = fixture->key};
    assert_int_equal(netaddr_parse(&conf.listen, SLICE("127.0.0.1:0"), 0), 0);
    conf.health = conf.listen;
    return conf;
}

void fixture_pair_write(const char *certificate, const char *key)
{
    const struct cert_spec spec = {.cn = "api", .alt = "IP:127.0.0.1", .constraints = "CA:TRUE"};
    struct cert cert = cert_make(&spec, NULL);
    cert_write(&cert, NULL, certificate, key);
    cert_free(&cert);
}

int fixture_setup_https(void **state)
{
    fixture_setup(state);
    struct fixture *fixture = *state;
    snprintf(fixture->certificate, sizeof(fixture->certificate), "%s/api.pem", fixture->folder);
    snprintf(fixture->key, sizeof(fixture->key), "%s/api.key", fixture->folder);
    fixture_pair_write(fixture->certificate, fixture->key);
    struct api_conf conf = fixture_conf_https(fixture);
    fixture_restart(fixture, &conf);
    return 0;
}

/* ---- tokens ---- */

static void submit(const struct fixture *fixture, const struct store_command *command)
{
    struct store_verdict verdict;
    assert_int_equal(store_submit(fixture->store, command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

const char *token_add(const struct fixture *fixture, const char *id, enum store_scope scope,
                      const char *who, uint64_t until_ms)
{
    static char text[API_TOKEN_LEN + 1];
    struct store_command command = {
        .op = STORE_TOKEN_ADD, .actor = "test", .time_ms = api_now_ms()};
    struct store_token *token = &command.token;
    snprintf(text, sizeof(text), "jct_%s_%s-0123456789_0123456789_0123456789", id, id);
    text[API_TOKEN_LEN - 1] = 'x';
    assert_int_equal(strlen(text), API_TOKEN_LEN);
    assert_int_equal(api_token_hash(slice_of(text), token->hash), 0);
    snprintf(token->id, sizeof(token->id), "%s", id);
    token->scope = scope;
    token->until_ms = until_ms;
    if (scope == STORE_SCOPE_USER)
        snprintf(token->owner, sizeof(token->owner), "%s", who);
    if (scope == STORE_SCOPE_OPERATOR)
        snprintf(token->domains[token->domain_count++], STORE_DOMAIN_MAX + 1, "%s", who);
    submit(fixture, &command);
    return text;
}

void token_remove(const struct fixture *fixture, const char *id)
{
    struct store_command command = {.op = STORE_TOKEN_DEL,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = api_now_ms()};
    snprintf(command.token.id, sizeof(command.token.id), "%s", id);
    submit(fixture, &command);
}

/* ---- the fixture ---- */

int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    test_folder_make(fixture->folder, sizeof(fixture->folder));
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    snprintf(fixture->socket, sizeof(fixture->socket), "%s/api.sock", fixture->folder);
    char path[96];
    snprintf(path, sizeof(path), "%s/store", fixture->folder);
    struct store_conf conf = {.path = path, .map_size = (size_t)256 << 20};
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
        {"WWW-Authenticate:", response->auth, sizeof(response->auth)},
        {"Dry-Run:", response->dry_run, sizeof(response->dry_run)},
        {"Connection:", response->connection, sizeof(response->connection)},
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
    snprintf(line, sizeof(line), "Authorization: Bearer %s", request->token ? request->token : "");
    if (request->token)
        list = curl_slist_append(list, line);
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

/* Where to, and as whom. */
static void target_set(CURL *curl, const struct fixture *fixture, const struct request *request)
{
    char url[16384], text[NETADDR_TEXT_MAX] = "junctor";
    if (request->via == VIA_HTTPS)
        netaddr_format(&fixture->https, text);
    if (request->via == VIA_HEALTH)
        netaddr_format(&fixture->health, text);
    snprintf(url, sizeof(url), "%s://%s%s", request->via == VIA_HTTPS ? "https" : "http", text,
             request->path);
    if (request->via == VIA_SOCKET)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, fixture->socket);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_INTERFACE, request->source);
    curl_easy_setopt(curl, CURLOPT_CAINFO, fixture->certificate);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

static CURLcode perform(CURL *curl, const struct request *request, struct inflow *in)
{
    struct curl_slist *headers = headers_make(request);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(request->method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, in);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, in);
    if (request->body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &in->response->status);
    curl_slist_free_all(headers);
    return code;
}

CURLcode http_try(const struct fixture *fixture, const struct request *request,
                  struct response *response)
{
    *response = (struct response){.status = 0};
    struct inflow *in = calloc(1, sizeof(*in));
    CURL *curl = request->keep ? request->keep : curl_easy_init();
    assert_true(in && curl);
    in->response = response;
    curl_easy_reset(curl); /* its connection stays */
    target_set(curl, fixture, request);
    CURLcode code = perform(curl, request, in);
    if (!request->keep)
        curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        inflow_decode(in);
    free(in);
    return code;
}

void http(const struct fixture *fixture, const struct request *request, struct response *response)
{
    CURLcode code = http_try(fixture, request, response);
    if (code != CURLE_OK)
        fail_msg("%s %s: %s", request->method, request->path, curl_easy_strerror(code));
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

/* ---- bytes ---- */

static int socket_connect(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
    return fd;
}

int raw_connect(const struct fixture *fixture, enum via via, const char *source)
{
    if (via == VIA_SOCKET)
        return socket_connect(fixture->socket);
    const struct netaddr *to = via == VIA_HTTPS ? &fixture->https : &fixture->health;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (source) {
        struct netaddr from;
        assert_int_equal(netaddr_parse(&from, slice_of(source), 0), 0);
        assert_int_equal(bind(fd, &from.sa, netaddr_len(&from)), 0);
    }
    assert_int_equal(connect(fd, &to->sa, netaddr_len(to)), 0);
    return fd;
}

void raw_send(int fd, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

size_t raw_drain(int fd, char *text, size_t size)
{
    size_t len = 0;
    char rest[4096];
    for (ssize_t got; (got = recv(fd, rest, sizeof(rest), 0)) > 0; len += (size_t)got)
        for (ssize_t i = 0; i < got && len + (size_t)i + 1 < size; i++)
            text[len + (size_t)i] = rest[i];
    text[len < size ? len : size - 1] = '\0';
    return len;
}
