#include "tools/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct client {
    CURL *curl;
    const char *socket;
};

/* What has arrived of an answer. */
struct inflow {
    char *bytes;
    size_t len;
    char etag[64];
};

struct client *client_open(const char *socket)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    client->socket = socket;
    client->curl = curl_easy_init();
    return client->curl ? client : client_close(client);
}

struct client *client_close(struct client *client)
{
    if (client)
        curl_easy_cleanup(client->curl);
    free(client);
    return NULL;
}

static size_t body_take(char *bytes, size_t size, size_t count, void *arg)
{
    struct inflow *in = arg;
    size_t len = size * count;
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

static size_t header_take(char *bytes, size_t size, size_t count, void *arg)
{
    static const char name[] = "ETag:";
    struct inflow *in = arg;
    size_t len = size * count, skip = sizeof(name) - 1;
    if (len <= skip || strncasecmp(bytes, name, skip) != 0)
        return len;
    while (skip < len && bytes[skip] == ' ')
        skip++;
    size_t end = len;
    while (end > skip && (bytes[end - 1] == '\r' || bytes[end - 1] == '\n'))
        end--;
    if (end - skip < sizeof(in->etag)) {
        memcpy(in->etag, bytes + skip, end - skip);
        in->etag[end - skip] = '\0';
    }
    return len;
}

static int header_add(struct curl_slist **headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*headers, line);
    if (!longer)
        return -ENOMEM;
    *headers = longer;
    return 0;
}

static int headers_make(const struct client_request *request, struct curl_slist **headers)
{
    char line[128];
    if (request->body && header_add(headers, "Content-Type: application/json"))
        return -ENOMEM;
    if (!request->if_match)
        return 0;
    snprintf(line, sizeof(line), "If-Match: %s", request->if_match);
    return header_add(headers, line);
}

static int unreachable(const struct client *client, char why[CLIENT_MAX_WHY], const char *reason)
{
    snprintf(why, CLIENT_MAX_WHY,
             "no junctord answers at %s (%s); start it with \"junctord -c FILE\", or name its API "
             "socket with --socket PATH or JUNCTOR_SOCKET",
             client->socket, reason);
    return -ECONNREFUSED;
}

static int transfer(struct client *client, const struct client_request *request,
                    struct curl_slist *headers, const char *body, struct inflow *in)
{
    CURL *curl = client->curl;
    char url[8192];
    if ((size_t)snprintf(url, sizeof(url), "http://junctord%s", request->path) >= sizeof(url))
        return CURLE_URL_MALFORMAT;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, CLIENT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, in);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, in);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    return (int)curl_easy_perform(curl);
}

static int answer_decode(const struct client *client, const struct inflow *in,
                         struct client_answer *answer, char why[CLIENT_MAX_WHY])
{
    struct client_answer result = {.json = NULL};
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &result.status);
    snprintf(result.etag, sizeof(result.etag), "%s", in->etag);
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

static int call_run(struct client *client, const struct client_request *request,
                    struct curl_slist *headers, struct client_answer *answer,
                    char why[CLIENT_MAX_WHY])
{
    struct inflow in = {.len = 0};
    char *body = request->body ? json_dumps(request->body, JSON_COMPACT) : NULL;
    int status = -ENOMEM;
    if (!request->body || body) {
        int code = transfer(client, request, headers, body, &in);
        long error = 0;
        curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &error);
        if (code == CURLE_OK)
            status = answer_decode(client, &in, answer, why);
        else if (code == CURLE_COULDNT_CONNECT && error)
            status = unreachable(client, why, strerror((int)error));
        else
            status = unreachable(client, why, curl_easy_strerror((CURLcode)code));
    }
    free(body);
    free(in.bytes);
    return status;
}

int client_call(struct client *client, const struct client_request *request,
                struct client_answer *answer, char why[CLIENT_MAX_WHY])
{
    struct curl_slist *headers = NULL;
    snprintf(why, CLIENT_MAX_WHY, "out of memory");
    int status = headers_make(request, &headers);
    if (!status)
        status = call_run(client, request, headers, answer, why);
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
