/* Asking another operator: libcurl, with our certificate, and the far side judged inside of the
 * handshake. Each question has a connection of its own, to one address after the other. */
#include "api/federation_internal.h"
#include "api/internal.h"

#include "base/buf.h"
#include "base/status.h"
#include "peering/judge_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN (256 + 8 + NETADDR_TEXT_MAX)
#define URL_MAX      (FEDERATION_MAX_PATH + 300)

/* One question on its way. */
struct asking {
    struct federation *federation;
    const char *to_domain, *method, *path;
    char *text; /* the body; NULL: none */
    struct tls_context *context;
    uint64_t until_ms;
    struct federation_answer *answer;
    char name[NAME_MAX_LEN]; /* of the address that is tried, in sentences */
    struct judge_client client;
    bool prepared;
    int prepare_status;
    struct buf body;
    bool over; /* the answer's bound */
};

static int fail(struct federation_answer *answer, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct federation_answer *answer, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(answer->why, sizeof(answer->why), format, args);
    va_end(args);
    return status;
}

/* ---- what libcurl calls ---- */

static CURLcode context_prepare(CURL *curl, void *ssl_ctx, void *arg)
{
    struct asking *asking = arg;
    (void)curl;
    asking->prepared = true;
    asking->prepare_status = judge_client_prepare(&asking->client, ssl_ctx);
    return asking->prepare_status ? CURLE_SSL_CERTPROBLEM : CURLE_OK;
}

static size_t body_take(char *data, size_t size, size_t count, void *arg)
{
    struct asking *asking = arg;
    asking->over = buf_append(&asking->body, slice_make(data, size * count)) != 0;
    return asking->over ? 0 : size * count;
}

static int progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                    curl_off_t upload)
{
    const struct asking *asking = arg;
    (void)total, (void)now, (void)upload_total, (void)upload;
    return atomic_load(&asking->federation->closing);
}

/* ---- one address ---- */

static uint64_t left_ms(const struct asking *asking)
{
    uint64_t now_ms = api_monotonic_ms();
    return asking->until_ms > now_ms ? asking->until_ms - now_ms : 0;
}

static void where_set(CURL *curl, struct asking *asking, struct curl_slist *connect_to,
                      uint16_t port)
{
    char url[URL_MAX];
    snprintf(url, sizeof(url), "https://%s:%u%s", asking->to_domain, port, asking->path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms(asking));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)FEDERATION_CONNECT_MS);
}

/* Names and anchors are the judge's matter: libcurl has neither. */
static void trust_set(CURL *curl, struct asking *asking)
{
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, context_prepare);
    curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, asking);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

static void what_set(CURL *curl, struct asking *asking, struct curl_slist *headers)
{
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, asking->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (asking->text) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(asking->text));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, asking->text);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, asking);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, asking);
}

/* What became of it, as a status and a sentence. */
static int failure_take(struct asking *asking, CURLcode code)
{
    struct federation_answer *answer = asking->answer;
    if (atomic_load(&asking->federation->closing))
        return fail(answer, STATUS_CLOSED, "%s: this daemon is ending", asking->name);
    if (asking->prepared && asking->prepare_status)
        return fail(answer, asking->prepare_status, "%s: our certificate cannot be used: %s",
                    asking->name, status_text(asking->prepare_status));
    if (asking->client.status < 0)
        return fail(answer, asking->client.status, "%s", asking->client.verdict.why);
    if (asking->over)
        return fail(answer, -EPROTO, "%s: the answer has more than %d bytes", asking->name,
                    FEDERATION_MAX_BODY);
    int status = code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT
                 : code == CURLE_COULDNT_CONNECT  ? -ECONNREFUSED
                 : code == CURLE_OUT_OF_MEMORY    ? -ENOMEM
                                                  : -EPROTO;
    return fail(answer, status, "%s: %s", asking->name, curl_easy_strerror(code));
}

static int answer_take(struct asking *asking, CURL *curl)
{
    struct slice bytes = buf_bytes(&asking->body);
    json_error_t error;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    asking->answer->status = (unsigned)status;
    if (bytes.len == 0)
        return 0;
    asking->answer->body = json_loadb(bytes.p, bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(asking->answer->body))
        return 0;
    federation_answer_done(asking->answer);
    return fail(asking->answer, -EPROTO, "%s: answered %ld with a body that is no JSON object",
                asking->name, status);
}

static int perform(struct asking *asking, CURL *curl, struct curl_slist *connect_to,
                   struct curl_slist *headers, uint16_t port)
{
    where_set(curl, asking, connect_to, port);
    trust_set(curl, asking);
    what_set(curl, asking, headers);
    CURLcode code = curl_easy_perform(curl);
    return code == CURLE_OK ? answer_take(asking, curl) : failure_take(asking, code);
}

static int hop_ask(struct asking *asking, const struct federation_hop *hop)
{
    char addr[NETADDR_TEXT_MAX], to[NETADDR_TEXT_MAX + 2];
    netaddr_format(&hop->addr, addr);
    snprintf(to, sizeof(to), "::%s", addr);
    snprintf(asking->name, sizeof(asking->name), "%s at %s", asking->to_domain, addr);
    asking->client.status = 1;
    asking->prepared = asking->over = false;
    buf_init(&asking->body, FEDERATION_MAX_BODY);
    CURL *curl = curl_easy_init();
    struct curl_slist *connect_to = curl_slist_append(NULL, to);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    int status = curl && connect_to && headers
                     ? perform(asking, curl, connect_to, headers, netaddr_port(&hop->addr))
                     : fail(asking->answer, -ENOMEM, "%s: out of memory", asking->name);
    curl_easy_cleanup(curl);
    curl_slist_free_all(connect_to);
    curl_slist_free_all(headers);
    buf_done(&asking->body);
    return status;
}

/* ---- all of them ---- */

/* Whoever was reached and is not believed, or answered nonsense, is no reason to leave out the
 * next: the domain has several servers. */
static int hops_ask(struct asking *asking, const struct federation_hop *hops, size_t count)
{
    int status = STATUS_NOHOP;
    for (size_t i = 0; status && i < count; i++) {
        if (i > 0 && left_ms(asking) == 0)
            break;
        status = hop_ask(asking, &hops[i]);
        if (status == STATUS_CLOSED || status == -ENOMEM)
            break;
    }
    return status;
}

static int asking_run(struct asking *asking)
{
    struct federation_hop hops[FEDERATION_MAX_HOPS];
    size_t count = 0;
    int status =
        federation_find(asking->federation, asking->to_domain, hops, &count, asking->answer->why);
    if (status)
        return status;
    asking->until_ms = api_monotonic_ms() + FEDERATION_ASK_MS;
    return hops_ask(asking, hops, count);
}

int federation_ask(struct federation *federation, const char *from_domain, const char *to_domain,
                   const char *method, const char *path, const json_t *body,
                   struct federation_answer *answer)
{
    struct asking asking = {.federation = federation,
                            .to_domain = to_domain,
                            .method = method,
                            .path = path,
                            .answer = answer,
                            .context = federation_context(federation),
                            .text = body ? json_dumps(body, JSON_COMPACT) : NULL};
    int status = -ENOMEM;
    *answer = (struct federation_answer){.status = 0};
    asking.client = (struct judge_client){.judge = federation->judge,
                                          .context = asking.context,
                                          .our_domain = from_domain,
                                          .far_domain = to_domain,
                                          .peer = asking.name};
    if (atomic_load(&federation->closing))
        status = fail(answer, STATUS_CLOSED, "%s: this daemon is ending", to_domain);
    else if (strlen(path) >= FEDERATION_MAX_PATH)
        status = fail(answer, -EINVAL, "%s: the path is too long", to_domain);
    else if (!tls_context_has_domain(asking.context, from_domain))
        status = fail(answer, STATUS_NOTFOUND,
                      "there is no certificate for %s here, so nobody can be asked in its name",
                      from_domain);
    else if (body && !asking.text)
        fail(answer, status, "%s: out of memory", to_domain);
    else
        status = asking_run(&asking);
    if (asking.text) /* it may have a code in it */
        explicit_bzero(asking.text, strlen(asking.text));
    free(asking.text);
    tls_context_unref(asking.context);
    return status;
}
