#include "peering/probe.h"

#include "base/status.h"
#include "base/waiting.h"
#include "peering/sip/sip.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX  65536
#define HEADERS_MAX 64
#define REQUEST_MAX 2048
#define BRANCH_MAX  32
#define CALL_ID_MAX 320

static void fail(struct probe_result *result, enum probe_stage stage, const char *why)
{
    result->stage = stage;
    snprintf(result->why, sizeof(result->why), "%s", why);
    result->timed_out = strcmp(why, status_text(-ETIMEDOUT)) == 0;
}

/* ---- TLS ---- */

/* What OpenSSL needs before it goes on. Returns 0 to try again, or why there is no going on. */
static const char *tls_wait(SSL *ssl, int got, int64_t until_ms)
{
    struct waiting waiting = {.until_ms = until_ms, .cancel_fd = -1};
    int error = SSL_get_error(ssl, got), status;
    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        status = waiting_ready(&waiting, SSL_get_fd(ssl),
                               error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
        return status ? status_text(status) : NULL;
    case SSL_ERROR_ZERO_RETURN:
        return "the far side closed the connection";
    case SSL_ERROR_SSL: {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        return reason ? reason : "a TLS error";
    }
    default:
        return "the connection broke";
    }
}

static const char *handshake(SSL *ssl, int64_t until_ms)
{
    const char *why = NULL;
    while (!why) {
        ERR_clear_error();
        int got = SSL_connect(ssl);
        if (got == 1)
            return NULL;
        why = tls_wait(ssl, got, until_ms);
    }
    return why;
}

/* ---- the certificate ---- */

static void tlsa_judge(const struct probe_conf *conf, const SSL *ssl, struct probe_result *result)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    for (size_t i = 0; leaf && i < conf->tlsa_count; i++) {
        const struct tls_tlsa *tlsa = &conf->tlsa[i];
        bool fits =
            tls_dane_fits(tlsa, leaf, SSL_get_peer_cert_chain(ssl), conf->far_domain, time(NULL));
        result->tlsa_matches = result->tlsa_matches || fits;
        result->tlsa_lasts = result->tlsa_lasts || (fits && tls_dane_lasts(tlsa));
    }
}

static void certificate_look(const struct probe_conf *conf, X509 *leaf, struct probe_result *result)
{
    char identities[TLS_MAX_IDENTITIES][256];
    struct tm parts;
    size_t count = tls_identities(leaf, identities);
    for (size_t i = 0; i < count; i++)
        result->names_domain = result->names_domain || strcmp(identities[i], conf->far_domain) == 0;
    tls_key_hash(leaf, result->key_hash); /* without it no key is told */
    if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &parts) == 1)
        result->expires_s = timegm(&parts);
}

static void judge(const struct probe_conf *conf, const SSL *ssl, struct probe_result *result)
{
    char peer[NETADDR_TEXT_MAX];
    struct tls_verdict verdict;
    netaddr_format(&conf->target, peer);
    result->stage = PROBE_JUDGED;
    result->anchored = tls_judge(ssl, conf->far_domain, peer, &verdict) == 0;
    if (!result->anchored)
        snprintf(result->verdict, sizeof(result->verdict), "%s", verdict.why);
    if (SSL_get0_peer_certificate(ssl))
        certificate_look(conf, SSL_get0_peer_certificate(ssl), result);
    tlsa_judge(conf, ssl, result);
    ERR_clear_error();
}

/* ---- OPTIONS ---- */

/* What was sent, and what its answer must repeat (RFC 3261 sections 17.1.3 and 8.2.6.2). */
struct request {
    char text[REQUEST_MAX];
    int len;
    char branch[BRANCH_MAX];
    char call_id[CALL_ID_MAX];
};

static bool request_make(const struct probe_conf *conf, int fd, struct request *request)
{
    struct netaddr local;
    socklen_t len = sizeof(local);
    char host[NETADDR_TEXT_MAX];
    unsigned char random[8];
    unsigned long long token;
    memset(&local, 0, sizeof(local));
    if (getsockname(fd, &local.sa, &len) || RAND_bytes(random, sizeof(random)) != 1)
        return false;
    memcpy(&token, random, sizeof(token));
    snprintf(request->branch, sizeof(request->branch), "z9hG4bK%016llx", token);
    snprintf(request->call_id, sizeof(request->call_id), "%016llx@%s", token, conf->our_domain);
    request->len =
        snprintf(request->text, sizeof(request->text),
                 "OPTIONS sip:%s SIP/2.0\r\n"
                 "Via: SIP/2.0/TLS %s;branch=%s\r\n"
                 "Max-Forwards: 0\r\n"
                 "From: <sip:%s>;tag=%016llx\r\n"
                 "To: <sip:%s>\r\n"
                 "Call-ID: %s\r\n"
                 "CSeq: 1 OPTIONS\r\n"
                 "Accept: application/sdp\r\n"
                 "Content-Length: 0\r\n\r\n",
                 conf->far_domain, netaddr_format(&local, host), request->branch, conf->our_domain,
                 token ^ 0x5a5a5a5aU, conf->far_domain, request->call_id);
    return request->len > 0 && request->len < REQUEST_MAX;
}

static const char *request_send(SSL *ssl, const char *request, int len, int64_t until_ms)
{
    const char *why = NULL;
    for (int sent = 0; sent < len && !why;) {
        ERR_clear_error();
        int got = SSL_write(ssl, request + sent, len - sent);
        if (got > 0)
            sent += got;
        else
            why = tls_wait(ssl, got, until_ms);
    }
    return why;
}

/* Another server's answers, or those of somebody who answers whatever comes, are none. */
static bool is_answer_to(const struct sip_msg *msg, const struct request *request)
{
    return !msg->is_request && msg->status >= 200 && msg->cseq == 1 &&
           msg->cseq_method == SIP_OPTIONS && slice_eq(msg->call_id, slice_of(request->call_id)) &&
           slice_eq(msg->via.branch, slice_of(request->branch));
}

/* A final response ends the wait. What is neither response nor keep-alive is skipped. Returns
 * whether it is there; *used: bytes done with. */
static bool answer_take(struct slice bytes, const struct request *request, size_t *used,
                        struct probe_result *result, const char **why)
{
    static const char no_sip[] = "it answers something that is not SIP";
    struct sip_header headers[HEADERS_MAX];
    struct sip_msg msg;
    struct sip_fault fault;
    size_t scanned = 0;
    struct sip_frame frame = sip_frame(bytes, &scanned);
    *used = 0;
    if (frame.kind == SIP_FRAME_BAD || frame.kind == SIP_FRAME_TOO_LONG)
        *why = no_sip;
    if (frame.kind == SIP_FRAME_PING)
        *used = frame.skip;
    if (frame.kind != SIP_FRAME_MESSAGE)
        return false;
    *used = frame.skip + frame.len;
    struct slice message = slice_make(bytes.p + frame.skip, frame.len);
    if (sip_msg_parse(message, true, headers, HEADERS_MAX, &msg, &fault)) {
        *why = no_sip;
        return false;
    }
    if (!is_answer_to(&msg, request))
        return false;
    result->answer = msg.status;
    snprintf(result->reason, sizeof(result->reason), "%.*s", SLICE_ARG(msg.reason));
    return true;
}

static const char *answer_wait(SSL *ssl, const struct request *request, int64_t until_ms,
                               struct probe_result *result)
{
    static const char too_long[] = "its answer is too long";
    char bytes[ANSWER_MAX];
    size_t have = 0, used;
    const char *why = NULL;
    while (!why) {
        if (have == sizeof(bytes))
            return too_long;
        ERR_clear_error();
        int got = SSL_read(ssl, bytes + have, (int)(sizeof(bytes) - have));
        if (got <= 0) {
            why = tls_wait(ssl, got, until_ms);
            continue;
        }
        have += (size_t)got;
        do {
            if (answer_take(slice_make(bytes, have), request, &used, result, &why))
                return NULL;
            memmove(bytes, bytes + used, have - used);
            have -= used;
        } while (used > 0 && have > 0 && !why);
        if (waiting_now_ms() >= until_ms)
            why = status_text(-ETIMEDOUT);
    }
    return why;
}

static void options_ask(const struct probe_conf *conf, SSL *ssl, struct probe_result *result)
{
    struct request request;
    const char *why = request_make(conf, SSL_get_fd(ssl), &request)
                          ? request_send(ssl, request.text, request.len, conf->answer_until_ms)
                          : "the request could not be made";
    if (!why)
        why = answer_wait(ssl, &request, conf->answer_until_ms, result);
    if (why)
        fail(result, PROBE_OPTIONS, why);
    else
        result->stage = PROBE_ANSWERED;
}

/* ---- the whole ---- */

static void talk(const struct probe_conf *conf, int fd, struct probe_result *result)
{
    SSL *ssl = tls_connect(conf->tls, conf->our_domain, conf->far_domain);
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        fail(result, PROBE_HANDSHAKE, "out of memory");
        return;
    }
    const char *why = handshake(ssl, conf->connect_until_ms);
    if (why) {
        fail(result, PROBE_HANDSHAKE, why);
    } else {
        judge(conf, ssl, result);
        if (*conf->our_domain)
            options_ask(conf, ssl, result);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    ERR_clear_error();
}

void probe_run(const struct probe_conf *conf, struct probe_result *result)
{
    memset(result, 0, sizeof(*result));
    struct waiting waiting = {.until_ms = conf->connect_until_ms, .cancel_fd = -1};
    int fd = waiting_connect(&waiting, &conf->target, SOCK_STREAM);
    if (fd < 0) {
        bool no_route = fd == -ENETUNREACH || fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT;
        fail(result, no_route ? PROBE_NO_ROUTE : PROBE_CONNECT, status_text(fd));
        return;
    }
    talk(conf, fd, result);
    close(fd);
}
