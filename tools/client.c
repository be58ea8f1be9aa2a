#include "tools/client.h"

#include "base/hex.h"
#include "base/slice.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define CONNECT_TIMEOUT_S 10L
#define NONCE_LEN         16 /* octets: no two runs draw the same */

struct client {
    CURL *curl;
    struct client_place place;
    char bearer[32 + CLIENT_TOKEN_LEN]; /* the header; "" at the socket */
    char nonce[2 * NONCE_LEN + 1];
    unsigned keys; /* made so far */
    char error[CURL_ERROR_SIZE];
};

/* What has arrived of an answer, or of a stream. */
struct inflow {
    struct client *client;
    char *bytes;
    size_t len;
    char etag[64];
    char retry_after[16];
    char dry_run[8];
    client_bytes_h *each; /* NULL: the bytes are collected */
    void *arg;
    bool ended;      /* `each` said so */
    time_t heard_at; /* monotonic: when the last bytes came */
};

static time_t monotonic_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static int token_load(struct client *client, char why[CLIENT_MAX_WHY])
{
    char token[CLIENT_TOKEN_LEN + 1];
    int status = client_server_check(client->place.server, why);
    if (status)
        return status;
    if (!client->place.token_file) {
        snprintf(
            why, CLIENT_MAX_WHY,
            "%.400s asks for a token: name the file that holds yours with --token-file FILE or "
            "JUNCTOR_TOKEN_FILE",
            client->place.server);
        return -EINVAL;
    }
    status = client_token_read(client->place.token_file, token, why);
    if (!status)
        snprintf(client->bearer, sizeof(client->bearer), "Authorization: Bearer %s", token);
    explicit_bzero(token, sizeof(token));
    return status;
}

static int nonce_draw(struct client *client)
{
    unsigned char bytes[NONCE_LEN];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return -errno;
    hex_encode(bytes, sizeof(bytes), client->nonce);
    return 0;
}

int client_open(const struct client_place *place, struct client **client, char why[CLIENT_MAX_WHY])
{
    struct client *made = calloc(1, sizeof(*made));
    snprintf(why, CLIENT_MAX_WHY, "out of memory");
    if (!made)
        return -ENOMEM;
    made->place = *place;
    made->curl = curl_easy_init();
    int status = made->curl && !nonce_draw(made) ? 0 : -ENOMEM;
    if (!status && place->server)
        status = token_load(made, why);
    if (status)
        client_close(made);
    else
        *client = made;
    return status;
}

struct client *client_close(struct client *client)
{
    if (!client)
        return NULL;
    curl_easy_cleanup(client->curl);
    explicit_bzero(client->bearer, sizeof(client->bearer));
    free(client);
    return NULL;
}

void client_key_make(struct client *client, char key[CLIENT_MAX_KEY])
{
    snprintf(key, CLIENT_MAX_KEY, "%s-%u", client->nonce, ++client->keys);
}

/* ---- what comes in ---- */

static size_t body_take(char *bytes, size_t size, size_t count, void *arg)
{
    struct inflow *in = arg;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(in->client->curl, CURLINFO_RESPONSE_CODE, &status);
    in->heard_at = monotonic_s();
    if (in->each && status == 200) {
        in->ended = !in->each(bytes, len, in->arg);
        return in->ended ? 0 : len;
    }
    if (in->len + len > CLIENT_MAX_ANSWER)
        return 0;
    char *grown = realloc(in->bytes, in->len + len + 1);
    if (!grown)
        return 0;
    in->bytes = grown;
    memcpy(in->bytes + in->len, bytes, len);
    in->len += len;
    return len;
}

/* Takes the header's value where the line has that name and the value fits. */
static void header_value(struct slice line, const char *name, char *out, size_t size)
{
    struct slice before = slice_of(name);
    if (slice_starts_with_nocase(line, before))
        (void)slice_to_cstr(slice_trim(slice_skip(line, before.len)), out, size);
}

static size_t header_take(char *bytes, size_t size, size_t count, void *arg)
{
    struct inflow *in = arg;
    struct slice line = slice_make(bytes, size * count);
    header_value(line, "ETag:", in->etag, sizeof(in->etag));
    header_value(line, "Retry-After:", in->retry_after, sizeof(in->retry_after));
    header_value(line, "Dry-Run:", in->dry_run, sizeof(in->dry_run));
    return line.len;
}

/* ---- what goes out ---- */

static int header_add(struct curl_slist **headers, const char *name, const char *value)
{
    char line[256];
    if ((size_t)snprintf(line, sizeof(line), "%s%s", name, value) >= sizeof(line))
        return -ENOMEM;
    struct curl_slist *longer = curl_slist_append(*headers, line);
    if (!longer)
        return -ENOMEM;
    *headers = longer;
    return 0;
}

static int headers_make(struct client *client, const struct client_request *request,
                        struct curl_slist **headers)
{
    char key[CLIENT_MAX_KEY];
    int status = header_add(headers, "Accept: ", "application/json");
    if (!status && *client->bearer)
        status = header_add(headers, client->bearer, "");
    if (!status && request->body)
        status = header_add(headers, "Content-Type: ", "application/json");
    if (!status && request->if_match)
        status = header_add(headers, "If-Match: ", request->if_match);
    if (status || strcmp(request->method, "POST") != 0)
        return status;
    if (!request->key)
        client_key_make(client, key);
    return header_add(headers, "Idempotency-Key: ", request->key ? request->key : key);
}

static void place_set(struct client *client)
{
    CURL *curl = client->curl;
    if (!client->place.server) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->place.socket);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
        return;
    }
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    if (client->place.ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->place.ca_file);
}

/* A fixed place is asked directly: proxies of the environment are not for it. */
static int options_set(struct client *client, const char *path, struct curl_slist *headers,
                       struct inflow *in)
{
    CURL *curl = client->curl;
    const char *server = client->place.server ? client->place.server : "http://junctord";
    size_t len = strlen(server);
    char url[8192];
    if (server[len - 1] == '/')
        len--;
    if ((size_t)snprintf(url, sizeof(url), "%.*s%s", (int)len, server, path) >= sizeof(url))
        return CURLE_URL_MALFORMAT;
    curl_easy_reset(curl);
    place_set(client);
    *client->error = '\0';
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, in);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, in);
    return CURLE_OK;
}

/* Did the connection end before the answer was there? */
static bool answer_is_lost(int code)
{
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_PARTIAL_FILE;
}

static bool may_repeat(const struct client_request *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "POST") == 0;
}

static int transfer(struct client *client, const struct client_request *request,
                    struct curl_slist *headers, struct inflow *in)
{
    char *path = NULL;
    const char *mark = strchr(request->path, '?') ? "&" : "?";
    if (asprintf(&path, "%s%s%s", request->path, request->dry_run ? mark : "",
                 request->dry_run ? "dry_run=true" : "") < 0)
        return CURLE_OUT_OF_MEMORY;
    int code = options_set(client, path, headers, in);
    free(path);
    if (code)
        return code;
    long timeout_s = request->timeout_s ? request->timeout_s : CLIENT_TIMEOUT_S;
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, timeout_s);
    /* libcurl sends anew what it lost on a connection that it had before, whatever it is */
    curl_easy_setopt(client->curl, CURLOPT_FRESH_CONNECT, may_repeat(request) ? 0L : 1L);
    if (request->body)
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, request->body);
    return (int)curl_easy_perform(client->curl);
}

/* ---- what becomes of it ---- */

static int unreachable(const struct client *client, char why[CLIENT_MAX_WHY], const char *reason)
{
    if (client->place.server)
        snprintf(why, CLIENT_MAX_WHY, "no junctord answers at %.400s (%s)", client->place.server,
                 reason);
    else
        snprintf(why, CLIENT_MAX_WHY,
                 "no junctord answers at %.400s (%s); start it with \"junctord -c FILE\", or name "
                 "its API socket with --socket PATH or JUNCTOR_SOCKET",
                 client->place.socket, reason);
    return -ECONNREFUSED;
}

static int transfer_failed(const struct client *client, int code, char why[CLIENT_MAX_WHY])
{
    long error = 0;
    char reason[CURL_ERROR_SIZE + 128];
    const char *text = *client->error ? client->error : curl_easy_strerror((CURLcode)code);
    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &error);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        snprintf(reason, sizeof(reason), "%s; --ca FILE names the certificates it must come from",
                 text);
    else if (code == CURLE_SSL_CACERT_BADFILE)
        snprintf(reason, sizeof(reason), "the certificates of --ca cannot be read");
    else
        snprintf(reason, sizeof(reason), "%s",
                 code == CURLE_COULDNT_CONNECT && error ? strerror((int)error) : text);
    return unreachable(client, why, reason);
}

static int answer_decode(const struct client *client, const struct inflow *in,
                         struct client_answer *answer, char why[CLIENT_MAX_WHY])
{
    struct client_answer result = {.json = NULL};
    uint64_t seconds;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &result.status);
    snprintf(result.etag, sizeof(result.etag), "%s", in->etag);
    result.dry_run = strcmp(in->dry_run, "true") == 0;
    if (slice_to_u64(slice_of(in->retry_after), UINT32_MAX, &seconds) == 0)
        result.retry_after_s = (long)seconds;
    if (in->len) {
        result.json = json_loadb(in->bytes, in->len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(result.json)) {
            json_decref(result.json);
            return unreachable(client, why, "what answers there does not speak its language");
        }
    }
    *answer = result;
    return 0;
}

/* Sends a request, once more where that is safe. Returns a code of libcurl. */
static int transfer_safely(struct client *client, const struct client_request *request,
                           struct curl_slist *headers, struct inflow *in)
{
    int code = transfer(client, request, headers, in);
    if (!answer_is_lost(code) || !may_repeat(request))
        return code;
    free(in->bytes);
    *in = (struct inflow){.client = client};
    return transfer(client, request, headers, in);
}

static int outcome_unknown(const struct client_request *request, char why[CLIENT_MAX_WHY])
{
    snprintf(why, CLIENT_MAX_WHY,
             "the connection ended before the answer came: whether %s %.400s was done is not known",
             request->method, request->path);
    return -ECONNREFUSED;
}

int client_call(struct client *client, const struct client_request *request,
                struct client_answer *answer, char why[CLIENT_MAX_WHY])
{
    struct curl_slist *headers = NULL;
    struct inflow in = {.client = client};
    snprintf(why, CLIENT_MAX_WHY, "out of memory");
    int status = headers_make(client, request, &headers);
    if (!status) {
        int code = transfer_safely(client, request, headers, &in);
        if (code == CURLE_OK)
            status = answer_decode(client, &in, answer, why);
        else if (answer_is_lost(code) && !may_repeat(request))
            status = outcome_unknown(request, why);
        else
            status = transfer_failed(client, code, why);
    }
    free(in.bytes);
    curl_slist_free_all(headers);
    return status;
}

/* ---- streams ---- */

/* libcurl's own limit counts bytes per second, of which a quiet stream has less than one. */
static int silence_check(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                         curl_off_t up)
{
    const struct inflow *in = arg;
    (void)down_all, (void)down, (void)up_all, (void)up;
    return monotonic_s() - in->heard_at > CLIENT_SILENCE_S;
}

static int follow(struct client *client, const char *path, struct curl_slist *headers,
                  struct inflow *in, struct client_answer *answer, char why[CLIENT_MAX_WHY])
{
    long status = 0;
    int code = options_set(client, path, headers, in);
    if (!code) {
        in->heard_at = monotonic_s();
        curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, silence_check);
        curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, in);
        code = (int)curl_easy_perform(client->curl);
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    }
    if (in->ended)
        return 0;
    if (status == 200) {
        transfer_failed(client, code, why);
        return -ECONNRESET;
    }
    return code ? transfer_failed(client, code, why) : answer_decode(client, in, answer, why);
}

int client_follow(struct client *client, const char *path, const char *last_id,
                  client_bytes_h *each, void *arg, struct client_answer *answer,
                  char why[CLIENT_MAX_WHY])
{
    struct curl_slist *headers = NULL;
    struct inflow in = {.client = client, .each = each, .arg = arg};
    snprintf(why, CLIENT_MAX_WHY, "out of memory");
    *answer = (struct client_answer){.json = NULL};
    int status = header_add(&headers, "Accept: ", "text/event-stream");
    if (!status && *client->bearer)
        status = header_add(&headers, client->bearer, "");
    if (!status && last_id)
        status = header_add(&headers, "Last-Event-ID: ", last_id);
    if (!status)
        status = follow(client, path, headers, &in, answer, why);
    free(in.bytes);
    curl_slist_free_all(headers);
    return status;
}

char *client_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    char *copy = escaped ? strdup(escaped) : NULL;
    curl_free(escaped);
    return copy;
}
