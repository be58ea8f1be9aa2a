/* Our certificates and trust anchors, one SSL_CTX per hosted domain. */
#include "peering/transport/tls.h"
#include "peering/transport/tls_crl.h"
#include "peering/transport/tls_internal.h"

#include "base/status.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ERROR_TEXT 160

struct served {
    char domain[256];
    SSL_CTX *ctx;
};

struct tls_context {
    atomic_uint refs;
    X509_STORE *anchors;
    X509_STORE *core_anchors; /* NULL: none are configured */
    SSL_CTX *bare; /* shows no certificate: for outgoing connections without a domain of ours */
    struct served *served;
    size_t count;
    char doubt[TLS_MAX_WHY];
};

int tls_explain(char *why, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, TLS_MAX_WHY, format, args);
    va_end(args);
    ERR_clear_error();
    return status;
}

int tls_check_readable(const char *file, char *why)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    int error = errno;

    if (fd < 0)
        return tls_explain(why, -error, "%s: cannot be read: %s", file, strerror(error));
    close(fd);
    return 0;
}

/* During the handshake every chain passes: tls_judge verifies it afterwards, once, and decides. The
 * recorded result says "not verified", so whoever would ask OpenSSL instead gets a no. */
static int record_only(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 1;
}

static struct served *served_find(const struct tls_context *context, const char *domain)
{
    for (size_t i = 0; i < context->count; i++) {
        if (strcasecmp(context->served[i].domain, domain) == 0)
            return &context->served[i];
    }
    return NULL;
}

/* OpenSSL calls this on the side of the client, too, with the name that it has sent. Who calls a
 * domain that has a certificate here still shows his own. */
static int choose_by_sni(SSL *ssl, int *alert, void *arg)
{
    const struct tls_context *context = arg;
    const char *name =
        SSL_is_server(ssl) ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : NULL;
    const struct served *served = name ? served_find(context, name) : NULL;

    (void)alert;
    if (!served)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_set_SSL_CTX(ssl, served->ctx) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* No session can be resumed: each connection proves both ends anew (design section 6). */
static void ctx_restrict(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

static SSL_CTX *ctx_new(struct tls_context *context, const char *domain)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());

    if (!ctx)
        return NULL;
    ctx_restrict(ctx);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set1_cert_store(ctx, context->anchors);
    SSL_CTX_set_cert_verify_callback(ctx, record_only, NULL);
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_by_sni);
    SSL_CTX_set_tlsext_servername_arg(ctx, context);
    SSL_CTX_set_app_data(ctx, (void *)domain);
    return ctx;
}

/* *anchors stays empty where no file is named. */
static int anchors_load(X509_STORE **anchors, const char *file, char *why)
{
    char error[ERROR_TEXT];
    int status;

    *anchors = X509_STORE_new();
    if (!*anchors)
        return tls_explain(why, -ENOMEM, "out of memory");
    if (!file || !file[0])
        return 0;
    status = tls_check_readable(file, why);
    if (status < 0)
        return status;
    if (X509_STORE_load_file(*anchors, file) != 1)
        return tls_explain(why, STATUS_MALFORMED,
                           "%s: no trust anchors could be read: %s; expected a bundle of CA "
                           "certificates in PEM",
                           file, tls_error_text(error, sizeof(error)));
    return 0;
}

/* What every peer would refuse is refused here. */
static int check_certificate(const struct tls_certificate_conf *conf, X509 *leaf, char *why)
{
    char text[ERROR_TEXT], when[TLS_TIME_TEXT], usage[TLS_USAGE_TEXT];

    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
        return tls_explain(
            why, STATUS_MALFORMED, "%s: the certificate of %s expired at %s; it must be renewed",
            conf->chain_file, conf->domain, tls_time_text(X509_get0_notAfter(leaf), when));
    if (!tls_names_domain(leaf, conf->domain))
        return tls_explain(why, STATUS_MALFORMED,
                           "%s: the certificate does not prove the SIP domain %s, it has %s (RFC "
                           "5922); add URI:sip:%s to its subjectAltName",
                           conf->chain_file, conf->domain,
                           tls_alt_names_text(leaf, text, sizeof(text)), conf->domain);
    if (!tls_usage_fits(leaf, usage, sizeof(usage)))
        return tls_explain(why, STATUS_MALFORMED, "%s: the certificate of %s %s", conf->chain_file,
                           conf->domain, usage);
    return 0;
}

int tls_no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int key_load(const struct tls_certificate_conf *conf, SSL_CTX *ctx, const X509 *leaf,
                    char *why)
{
    BIO *bio = BIO_new_file(conf->key_file, "r");
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, NULL) : NULL;
    char error[ERROR_TEXT];
    int status = 0;

    BIO_free(bio);
    if (!key)
        return tls_explain(why, STATUS_MALFORMED,
                           "%s: no private key could be read: %s; expected PEM without passphrase",
                           conf->key_file, tls_error_text(error, sizeof(error)));
    if (X509_check_private_key(leaf, key) != 1)
        status = tls_explain(why, STATUS_MALFORMED,
                             "%s: the private key does not belong to the certificate in %s",
                             conf->key_file, conf->chain_file);
    else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
        status = tls_explain(why, STATUS_MALFORMED, "%s: the private key cannot be used: %s",
                             conf->key_file, tls_error_text(error, sizeof(error)));
    EVP_PKEY_free(key);
    return status;
}

static int served_load(struct tls_context *context, const struct tls_certificate_conf *conf,
                       char *why)
{
    struct served *served = &context->served[context->count];
    char error[ERROR_TEXT];
    X509 *leaf;
    int status;

    if (snprintf(served->domain, sizeof(served->domain), "%s", conf->domain) >=
        (int)sizeof(served->domain))
        return tls_explain(why, -EINVAL, "%s: the domain is too long", conf->domain);
    status = tls_check_readable(conf->chain_file, why);
    if (status == 0)
        status = tls_check_readable(conf->key_file, why);
    if (status < 0)
        return status;
    served->ctx = ctx_new(context, served->domain);
    if (!served->ctx)
        return tls_explain(why, -ENOMEM, "out of memory");
    context->count++;
    if (SSL_CTX_use_certificate_chain_file(served->ctx, conf->chain_file) != 1)
        return tls_explain(why, STATUS_MALFORMED,
                           "%s: no certificate could be read: %s; expected PEM, the domain's own "
                           "certificate first, then those of its issuers",
                           conf->chain_file, tls_error_text(error, sizeof(error)));
    leaf = SSL_CTX_get0_certificate(served->ctx);
    status = check_certificate(conf, leaf, why);
    return status < 0 ? status : key_load(conf, served->ctx, leaf, why);
}

static int crls_load(struct tls_context *context, const struct tls_conf *conf, char *why)
{
    const struct tls_crl_stores stores = {{context->anchors, context->core_anchors},
                                          context->core_anchors ? 2 : 1};

    return tls_crls_load(&stores, conf->crl_files, conf->crl_count, context->doubt, why);
}

static int context_fill(struct tls_context *context, const struct tls_conf *conf, char *why)
{
    int status = anchors_load(&context->anchors, conf->anchors_file, why);

    if (status == 0 && conf->core_anchors_file && conf->core_anchors_file[0])
        status = anchors_load(&context->core_anchors, conf->core_anchors_file, why);
    if (status == 0)
        status = crls_load(context, conf, why);
    if (status < 0)
        return status;
    context->bare = ctx_new(context, "");
    context->served = calloc(conf->certificate_count + 1, sizeof(*context->served));
    if (!context->bare || !context->served)
        return tls_explain(why, -ENOMEM, "out of memory");
    for (size_t i = 0; i < conf->certificate_count; i++) {
        status = served_load(context, &conf->certificates[i], why);
        if (status < 0)
            return status;
    }
    return 0;
}

int tls_context_load(const struct tls_conf *conf, struct tls_context **context, char *why)
{
    struct tls_context *made;
    int status;

    if (conf->certificate_count > TLS_MAX_DOMAINS)
        return tls_explain(why, STATUS_LIMIT, "more than %d certificates", TLS_MAX_DOMAINS);
    made = calloc(1, sizeof(*made));
    if (!made)
        return tls_explain(why, -ENOMEM, "out of memory");
    atomic_init(&made->refs, 1);
    status = context_fill(made, conf, why);
    if (status < 0) {
        tls_context_unref(made);
        return status;
    }
    *context = made;
    return 0;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add(&context->refs, 1);
    return context;
}

struct tls_context *tls_context_unref(struct tls_context *context)
{
    if (!context || atomic_fetch_sub(&context->refs, 1) > 1)
        return NULL;
    for (size_t i = 0; i < context->count; i++)
        SSL_CTX_free(context->served[i].ctx);
    free(context->served);
    SSL_CTX_free(context->bare);
    X509_STORE_free(context->anchors);
    X509_STORE_free(context->core_anchors);
    free(context);
    return NULL;
}

const char *tls_context_doubt(const struct tls_context *context)
{
    return context->doubt;
}

bool tls_context_has_domain(const struct tls_context *context, const char *domain)
{
    return served_find(context, domain) != NULL;
}

bool tls_context_asks_cores(const struct tls_context *context)
{
    return context->core_anchors != NULL;
}

int tls_judge_core(const struct tls_context *context, const SSL *ssl, const char *far_domain,
                   const char *peer, struct tls_verdict *verdict)
{
    X509_STORE *anchors = context->core_anchors;

    if (!anchors && far_domain)
        anchors = context->anchors;
    if (!anchors) {
        verdict->identity_count = 0;
        verdict->why[0] = '\0';
        return 0;
    }
    return tls_judge_chain(anchors, SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl),
                           time(NULL), far_domain, peer, verdict);
}

int tls_judge_own(const struct tls_context *context, const char *domain,
                  struct tls_verdict *verdict)
{
    const struct served *served = served_find(context, domain);
    STACK_OF(X509) *chain = NULL;

    if (served)
        SSL_CTX_get0_chain_certs(served->ctx, &chain);
    return tls_judge_chain(context->anchors, served ? SSL_CTX_get0_certificate(served->ctx) : NULL,
                           chain, time(NULL), domain, domain, verdict);
}

int tls_judge_sent(const struct tls_context *context, X509 *leaf, STACK_OF(X509) * chain,
                   const char *far_domain, const char *peer, struct tls_verdict *verdict)
{
    return tls_judge_chain(context->anchors, leaf, chain, time(NULL), far_domain, peer, verdict);
}

int tls_judge_by(const struct tls_context *context, const SSL *ssl, const char *far_domain,
                 const char *peer, struct tls_verdict *verdict)
{
    return tls_judge_sent(context, SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl),
                          far_domain, peer, verdict);
}

SSL *tls_accept(struct tls_context *context, bool want_client)
{
    SSL *ssl = context->count > 0 ? SSL_new(context->served[0].ctx) : NULL;

    if (!ssl) {
        ERR_clear_error();
        return NULL;
    }
    SSL_set_verify(ssl, want_client ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    SSL_set_accept_state(ssl);
    return ssl;
}

SSL *tls_connect(struct tls_context *context, const char *our_domain, const char *far_domain)
{
    const struct served *served = served_find(context, our_domain);
    SSL *ssl;

    if (!served && our_domain[0])
        return NULL;
    ssl = SSL_new(served ? served->ctx : context->bare);
    if (!ssl || SSL_set_tlsext_host_name(ssl, far_domain) != 1) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_connect_state(ssl);
    return ssl;
}

const char *tls_our_domain(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

int tls_client_prepare(const struct tls_context *context, const char *our_domain, SSL_CTX *ctx)
{
    const struct served *served = served_find(context, our_domain);
    STACK_OF(X509) *chain = NULL;

    if (!served)
        return STATUS_NOTFOUND;
    ctx_restrict(ctx);
    SSL_CTX_get0_chain_certs(served->ctx, &chain);
    if (SSL_CTX_use_cert_and_key(ctx, SSL_CTX_get0_certificate(served->ctx),
                                 SSL_CTX_get0_privatekey(served->ctx), chain, 1) == 1)
        return 0;
    ERR_clear_error();
    return -ENOMEM;
}
