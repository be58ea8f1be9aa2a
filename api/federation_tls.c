/* libmicrohttpd's TLS is GnuTLS. It asks for a client certificate only where it has a list of CAs,
 * which self-signed clients (DANE) are in none of; so each session is told to ask, without a list,
 * and what comes is judged by the code that judges SIP peers, not by GnuTLS. */
#include "api/federation_internal.h"

#include "base/status.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHAIN_MAX 8 /* certificates of ours in one file */

struct served {
    char domain[256];
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
};

struct federation_certs {
    atomic_uint refs;
    size_t count;
    struct served served[];
};

/* ---- our certificates ---- */

static int explain(char *why, const char *file, int error)
{
    snprintf(why, FEDERATION_MAX_WHY, "federation: %s: %s", file, gnutls_strerror(error));
    return error == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : STATUS_MALFORMED;
}

static int served_load(struct served *served, const struct tls_certificate_conf *conf, char *why)
{
    gnutls_datum_t chain = {NULL, 0}, key = {NULL, 0};
    unsigned count = CHAIN_MAX;
    snprintf(served->domain, sizeof(served->domain), "%s", conf->domain);
    int error = gnutls_load_file(conf->chain_file, &chain);
    if (!error)
        error = gnutls_pcert_list_import_x509_raw(served->chain, &count, &chain,
                                                  GNUTLS_X509_FMT_PEM, 0);
    if (!error)
        served->count = count;
    int status = error ? explain(why, conf->chain_file, error) : 0;
    if (!error)
        error = gnutls_load_file(conf->key_file, &key);
    if (!error)
        error = gnutls_privkey_init(&served->key);
    if (!error)
        error = gnutls_privkey_import_x509_raw(served->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (error && !status)
        status = explain(why, conf->key_file, error);
    gnutls_free(chain.data);
    if (key.data)
        explicit_bzero(key.data, key.size);
    gnutls_free(key.data);
    return status;
}

int federation_certs_load(const struct tls_conf *conf, struct federation_certs **certs, char *why)
{
    struct federation_certs *made =
        calloc(1, sizeof(*made) + conf->certificate_count * sizeof(made->served[0]));
    int status = 0;
    if (!made) {
        snprintf(why, FEDERATION_MAX_WHY, "federation: out of memory");
        return -ENOMEM;
    }
    atomic_init(&made->refs, 1);
    for (size_t i = 0; !status && i < conf->certificate_count; i++) {
        made->count++;
        status = served_load(&made->served[i], &conf->certificates[i], why);
    }
    if (!status && made->count == 0) {
        snprintf(why, FEDERATION_MAX_WHY, "federation: there is no certificate");
        status = STATUS_NOTFOUND;
    }
    if (status)
        federation_certs_unref(made);
    else
        *certs = made;
    return status;
}

struct federation_certs *federation_certs_ref(struct federation_certs *certs)
{
    atomic_fetch_add(&certs->refs, 1);
    return certs;
}

struct federation_certs *federation_certs_unref(struct federation_certs *certs)
{
    if (!certs || atomic_fetch_sub(&certs->refs, 1) > 1)
        return NULL;
    for (size_t i = 0; i < certs->count; i++) {
        for (unsigned k = 0; k < certs->served[i].count; k++)
            gnutls_pcert_deinit(&certs->served[i].chain[k]);
        if (certs->served[i].key)
            gnutls_privkey_deinit(certs->served[i].key);
    }
    free(certs);
    return NULL;
}

/* ---- a session ---- */

const char *federation_tls_priorities(void)
{
    return "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%NO_TICKETS";
}

void federation_session_begin(void *tls, struct federation_session *session)
{
    gnutls_session_set_ptr(tls, session);
    gnutls_certificate_server_set_request(tls, GNUTLS_CERT_REQUEST);
    gnutls_certificate_send_x509_rdn_sequence(tls, 1); /* 1: the list of CAs is not sent */
}

void federation_session_refuse(void *tls)
{
    gnutls_session_set_ptr(tls, NULL); /* libmicrohttpd's own pointer was there */
}

/* The first one for names that are none of ours, as on SIP listeners. */
static struct served *served_choose(struct federation_certs *certs, gnutls_session_t tls)
{
    char name[256];
    size_t len = sizeof(name);
    unsigned type;
    if (gnutls_server_name_get(tls, name, &len, &type, 0) != GNUTLS_E_SUCCESS ||
        type != GNUTLS_NAME_DNS)
        return &certs->served[0];
    for (size_t i = 0; i < certs->count; i++)
        if (strcasecmp(certs->served[i].domain, name) == 0)
            return &certs->served[i];
    return &certs->served[0];
}

/* gnutls_certificate_retrieve_function2: what it gives stays ours. */
static int cert_pick(gnutls_session_t tls, const gnutls_datum_t *issuers, int issuer_count,
                     const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                     gnutls_pcert_st **chain, unsigned *count, gnutls_privkey_t *key)
{
    struct federation_session *session = gnutls_session_get_ptr(tls);
    (void)issuers, (void)issuer_count, (void)algorithms, (void)algorithm_count;
    if (!session)
        return -1;
    struct served *served = served_choose(session->certs, tls);
    session->served = served->domain;
    *chain = served->chain;
    *count = served->count;
    *key = served->key;
    return 0;
}

void *federation_cert_callback(void)
{
    return (void *)cert_pick;
}

size_t federation_session_chain(void *tls,
                                struct judge_certificate chain[JUDGE_MAX_CERTIFICATES + 1])
{
    unsigned count = 0;
    const gnutls_datum_t *sent = gnutls_certificate_get_peers(tls, &count);
    if (!sent)
        return 0;
    if (count > JUDGE_MAX_CERTIFICATES + 1)
        count = JUDGE_MAX_CERTIFICATES + 1;
    for (unsigned i = 0; i < count; i++)
        chain[i] = (struct judge_certificate){sent[i].data, sent[i].size};
    return count;
}
