/* Revocation lists: what a CA has taken back. */
#include "peering/transport/tls_crl.h"

#include "peering/transport/tls_internal.h"

#include "base/status.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <stdio.h>

#define ERROR_TEXT 160
#define NAME_TEXT  120

/* ---- loading ---- */

/* The next list of the file: PEM, or as CAs publish them DER. */
static X509_CRL *crl_read(BIO *bio, bool is_first)
{
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, tls_no_passphrase, NULL);

    if (!crl && is_first && BIO_reset(bio) == 0)
        crl = d2i_X509_CRL_bio(bio, NULL);
    return crl;
}

/* What the anchors of a store say of a list. */
enum crl_fit {
    CRL_UNKNOWN, /* its issuer is none of them: it may be one of those between */
    CRL_SIGNED,
    CRL_FORGED /* one has the issuer's name, and did not sign it */
};

static enum crl_fit crl_fit(X509_STORE *anchors, X509_CRL *crl)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(anchors);
    enum crl_fit fit = CRL_UNKNOWN;

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *anchor = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

        if (!anchor || X509_NAME_cmp(X509_get_subject_name(anchor), X509_CRL_get_issuer(crl)) != 0)
            continue;
        if (X509_CRL_verify(crl, X509_get0_pubkey(anchor)) == 1)
            return CRL_SIGNED;
        fit = CRL_FORGED;
    }
    return fit;
}

/* A forged list would be found out only when a peer of that issuer comes, who would be refused. One
 * that is signed by the anchor of that name in another store is meant for that one. */
static bool is_genuine(const struct tls_crl_stores *stores, X509_CRL *crl)
{
    bool forged = false;

    for (size_t i = 0; i < stores->count; i++) {
        enum crl_fit fit = crl_fit(stores->anchors[i], crl);

        if (fit == CRL_SIGNED)
            return true;
        forged = forged || fit == CRL_FORGED;
    }
    return !forged;
}

static void note_expired(const char *file, const X509_CRL *crl, char *doubt)
{
    const ASN1_TIME *until = X509_CRL_get0_nextUpdate(crl);
    char name[NAME_TEXT], when[TLS_TIME_TEXT];

    if (doubt[0] || !until || X509_cmp_current_time(until) > 0)
        return;
    snprintf(doubt, TLS_MAX_WHY,
             "%s: the revocation list of %s was to be replaced by %s: what it revokes stays "
             "refused, what was revoked since is not known here; fetch the new one",
             file, tls_name_text(X509_CRL_get_issuer(crl), name, sizeof(name)),
             tls_time_text(until, when));
}

static int crl_add(const struct tls_crl_stores *stores, const char *file, X509_CRL *crl,
                   char *doubt, char *why)
{
    char name[NAME_TEXT];

    tls_name_text(X509_CRL_get_issuer(crl), name, sizeof(name));
    if (!is_genuine(stores, crl))
        return tls_explain(why, STATUS_MALFORMED,
                           "%s: the revocation list of %s is not signed by the trust anchor of "
                           "that name",
                           file, name);
    note_expired(file, crl, doubt);
    for (size_t i = 0; i < stores->count; i++)
        if (crl_fit(stores->anchors[i], crl) != CRL_FORGED &&
            X509_STORE_add_crl(stores->anchors[i], crl) != 1)
            return tls_explain(why, -ENOMEM, "out of memory");
    return 0;
}

static int file_load(const struct tls_crl_stores *stores, const char *file, char *doubt, char *why)
{
    char error[ERROR_TEXT];
    size_t count = 0;
    X509_CRL *crl;
    BIO *bio;
    int status = tls_check_readable(file, why);

    if (status < 0)
        return status;
    bio = BIO_new_file(file, "rb");
    while (bio && status == 0 && (crl = crl_read(bio, count == 0))) {
        status = crl_add(stores, file, crl, doubt, why);
        X509_CRL_free(crl);
        count++;
    }
    BIO_free(bio);
    if (status == 0 && count == 0)
        return tls_explain(why, STATUS_MALFORMED,
                           "%s: no revocation list could be read: %s; expected CRLs in PEM, or one "
                           "in DER",
                           file, tls_error_text(error, sizeof(error)));
    ERR_clear_error();
    return status;
}

int tls_crls_load(const struct tls_crl_stores *stores, const char *const *files, size_t count,
                  char *doubt, char *why)
{
    doubt[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int status = file_load(stores, files[i], doubt, why);

        if (status < 0)
            return status;
    }
    for (size_t i = 0; i < stores->count && count > 0; i++)
        X509_STORE_set_flags(stores->anchors[i], X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

/* ---- judging ---- */

/* The anchor itself is believed; who would have issued it need not be known. */
static bool is_anchor(X509_STORE_CTX *store)
{
    return X509_STORE_CTX_get_error_depth(store) + 1 ==
           sk_X509_num(X509_STORE_CTX_get0_chain(store));
}

int tls_crl_verify(int ok, X509_STORE_CTX *store)
{
    if (ok)
        return ok;
    switch (X509_STORE_CTX_get_error(store)) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:   /* most CAs have none here */
    case X509_V_ERR_DIFFERENT_CRL_SCOPE: /* there is one, not for this certificate */
    case X509_V_ERR_CRL_HAS_EXPIRED:     /* told at load; what it revokes counts */
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return 1;
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        return is_anchor(store);
    default:
        return 0;
    }
}

const char *tls_crl_date_text(X509_STORE_CTX *store, X509 *certificate, char text[TLS_TIME_TEXT])
{
    STACK_OF(X509_CRL) *crls = X509_STORE_CTX_get1_crls(store, X509_get_issuer_name(certificate));
    X509_REVOKED *entry = NULL;

    for (int i = 0; i < sk_X509_CRL_num(crls) && !entry; i++)
        if (X509_CRL_get0_by_cert(sk_X509_CRL_value(crls, i), &entry, certificate) != 1)
            entry = NULL;
    if (entry)
        tls_time_text(X509_REVOKED_get0_revocationDate(entry), text);
    else
        snprintf(text, TLS_TIME_TEXT, "an unknown date");
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return text;
}
