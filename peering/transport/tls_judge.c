/* Who is the far side? The chain, the usage and the SIP domain of its certificate, and for every
 * refusal a sentence that says what is wrong and what would mend it. */
#include "peering/transport/tls.h"
#include "peering/transport/tls_crl.h"
#include "peering/transport/tls_internal.h"

#include "base/status.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SECURITY_LEVEL 2 /* OpenSSL's: 112 bits, that is RSA from 2048 bits on, no SHA-1 */
#define NAME_TEXT      160
#define CLAIM_TEXT     100
#define SUBJECT_TEXT   (300 + CLAIM_TEXT) /* the name of a connection, and what is below */

static int refuse(struct tls_verdict *verdict, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `subject` begins the sentence: "PEER: certificate", "PEER: certificate of opa.example". */
static int refuse(struct tls_verdict *verdict, const char *subject, const char *format, ...)
{
    int len = snprintf(verdict->why, sizeof(verdict->why), "%s ", subject);
    va_list args;

    verdict->identity_count = 0;
    if (len < 0 || (size_t)len >= sizeof(verdict->why))
        return STATUS_UNPROVEN;
    va_start(args, format);
    vsnprintf(verdict->why + len, sizeof(verdict->why) - (size_t)len, format, args);
    va_end(args);
    return STATUS_UNPROVEN;
}

static int refuse_date(struct tls_verdict *verdict, const char *subject, const X509 *certificate,
                       int depth, bool expired)
{
    char when[TLS_TIME_TEXT], name[NAME_TEXT], issuer[NAME_TEXT + 48] = "";

    if (depth > 0)
        snprintf(issuer, sizeof(issuer), "was issued by %s, whose certificate ",
                 tls_name_text(X509_get_subject_name(certificate), name, sizeof(name)));
    if (expired)
        return refuse(verdict, subject, "%sexpired at %s; it must be renewed", issuer,
                      tls_time_text(X509_get0_notAfter(certificate), when));
    return refuse(verdict, subject,
                  "%sis not valid before %s; wait until then, or correct the clock that is wrong",
                  issuer, tls_time_text(X509_get0_notBefore(certificate), when));
}

static int refuse_issuer(struct tls_verdict *verdict, const char *subject, const X509 *certificate)
{
    char issuer[NAME_TEXT];

    return refuse(verdict, subject,
                  "was issued by %s, which is no trust anchor here; add that CA to our "
                  "trust anchors, or the far side uses a certificate of a CA known here and sends "
                  "its intermediate certificates too",
                  tls_name_text(X509_get_issuer_name(certificate), issuer, sizeof(issuer)));
}

static int refuse_revoked(struct tls_verdict *verdict, const char *subject, X509_STORE_CTX *store,
                          X509 *certificate, int depth)
{
    char when[TLS_TIME_TEXT], name[NAME_TEXT];

    verdict->is_final = true;
    tls_crl_date_text(store, certificate, when);
    if (depth == 0)
        return refuse(verdict, subject,
                      "was revoked by its issuer at %s, as our revocation list has it; the far "
                      "side needs a new certificate, with a new key",
                      when);
    return refuse(verdict, subject,
                  "was issued by %s, whose certificate was revoked at %s, as our revocation list "
                  "has it; the far side needs a certificate of another issuer",
                  tls_name_text(X509_get_subject_name(certificate), name, sizeof(name)), when);
}

/* The sentence for what OpenSSL's chain verification found. */
static int refuse_chain(struct tls_verdict *verdict, const char *subject, X509_STORE_CTX *store)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int depth = X509_STORE_CTX_get_error_depth(store);
    int error = X509_STORE_CTX_get_error(store);
    char name[NAME_TEXT] = "";

    if (!certificate)
        certificate = X509_STORE_CTX_get0_cert(store);
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return refuse_date(verdict, subject, certificate, depth,
                           error == X509_V_ERR_CERT_HAS_EXPIRED);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return refuse_issuer(verdict, subject, certificate);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return refuse(verdict, subject,
                      "is self-signed (%s) and no trust anchor here; the far side needs one of a "
                      "CA known here, or add this one to our trust anchors",
                      tls_name_text(X509_get_subject_name(certificate), name, sizeof(name)));
    case X509_V_ERR_CERT_REVOKED:
        return refuse_revoked(verdict, subject, store, certificate, depth);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return refuse(verdict, subject,
                      "is too weak: the key or the signature of %s; needed are RSA from 2048 bits "
                      "on or elliptic curves from 224 on, signed with SHA-256 or better; it must "
                      "be issued anew",
                      tls_name_text(X509_get_subject_name(certificate), name, sizeof(name)));
    case X509_V_ERR_INVALID_CA:
        return refuse(verdict, subject,
                      "was issued by %s, which is not a CA; it must be issued by one",
                      tls_name_text(X509_get_subject_name(certificate), name, sizeof(name)));
    default:
        return refuse(verdict, subject,
                      "is not accepted: %s (OpenSSL, about %s); the far side must have its "
                      "certificate issued anew, or send the right ones of its issuers with it",
                      X509_verify_cert_error_string(error),
                      tls_name_text(X509_get_subject_name(certificate), name, sizeof(name)));
    }
}

/* Verifies up to an anchor for any purpose: what a CA may certify is judged by the leaf's usages
 * and names below, since public CAs issue no clientAuth any more. */
static int judge_chain(X509_STORE *anchors, X509 *leaf, STACK_OF(X509) * untrusted, time_t now,
                       const char *subject, struct tls_verdict *verdict)
{
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    int result = STATUS_UNPROVEN;

    if (!store || X509_STORE_CTX_init(store, anchors, leaf, untrusted) != 1) {
        refuse(verdict, subject, "could not be checked: out of memory");
        goto out;
    }
    param = X509_STORE_CTX_get0_param(store);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(param, now);
    X509_STORE_CTX_set_verify_cb(store, tls_crl_verify);
    result = X509_verify_cert(store) == 1 ? 0 : refuse_chain(verdict, subject, store);
out:
    X509_STORE_CTX_free(store);
    ERR_clear_error();
    return result;
}

/* serverAuth, clientAuth, id-kp-sipDomain (RFC 5924) or any. */
static bool is_usage_fit(const ASN1_OBJECT *usage)
{
    char oid[32] = "";

    switch (OBJ_obj2nid(usage)) {
    case NID_server_auth:
    case NID_client_auth:
    case NID_anyExtendedKeyUsage:
        return true;
    default:
        OBJ_obj2txt(oid, sizeof(oid), usage, 1);
        return strcmp(oid, "1.3.6.1.5.5.7.3.20") == 0;
    }
}

bool tls_usage_fits(X509 *leaf, char *why, size_t size)
{
    EXTENDED_KEY_USAGE *usages;
    char name[NAME_TEXT] = "nothing";
    bool fits = false;

    if (X509_check_ca(leaf) == 1) {
        snprintf(why, size,
                 "is a CA's own (basicConstraints CA:TRUE); the SIP service needs one of its own, "
                 "issued with CA:FALSE");
        return false;
    }
    if (!(X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE))
        return true; /* no such extension: usable for everything */
    usages = X509_get_ext_d2i(leaf, NID_ext_key_usage, NULL, NULL);
    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
        fits = fits || is_usage_fit(sk_ASN1_OBJECT_value(usages, i));
    if (sk_ASN1_OBJECT_num(usages) > 0)
        OBJ_obj2txt(name, sizeof(name), sk_ASN1_OBJECT_value(usages, 0), 0);
    EXTENDED_KEY_USAGE_free(usages);
    ERR_clear_error();
    if (!fits)
        snprintf(why, size,
                 "is meant for %s only (extendedKeyUsage); it needs serverAuth, clientAuth or "
                 "id-kp-sipDomain (RFC 5924), or no extendedKeyUsage at all",
                 name);
    return fits;
}

static int judge_usage(X509 *leaf, const char *subject, struct tls_verdict *verdict)
{
    char why[TLS_USAGE_TEXT];

    if (tls_usage_fits(leaf, why, sizeof(why)))
        return 0;
    return refuse(verdict, subject, "%s", why);
}

/* "a, b, c" of the names found. */
static void join_identities(const struct tls_verdict *verdict, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < verdict->identity_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                                 verdict->identities[i]);
    if (used >= size)
        memcpy(text + size - 4, "...", 4);
}

static int judge_identity(const X509 *leaf, const char *far_domain, const char *subject,
                          struct tls_verdict *verdict)
{
    char names[NAME_TEXT];

    verdict->identity_count = tls_identities(leaf, verdict->identities);
    if (verdict->identity_count == 0)
        return refuse(verdict, subject,
                      "names no SIP domain, it has %s (RFC 5922: a URI:sip:DOMAIN or a "
                      "DNS name, no wildcard); add URI:sip:%s to its subjectAltName",
                      tls_alt_names_text(leaf, names, sizeof(names)),
                      far_domain ? far_domain : "ITS.DOMAIN");
    if (!far_domain)
        return 0;
    for (size_t i = 0; i < verdict->identity_count; i++) {
        if (strcmp(verdict->identities[i], far_domain) == 0)
            return 0;
    }
    join_identities(verdict, names, sizeof(names));
    return refuse(verdict, subject,
                  "names %s, but the SIP domain %s is required (RFC 5922); add "
                  "URI:sip:%s to its subjectAltName",
                  names, far_domain, far_domain);
}

/* Whom an unwanted caller claims to be is all that tells it from others, so the sentence says it,
 * though nothing of it is proven: its SIP domains, else its subject. Whom we called is in `peer`.
 */
static void subject_text(X509 *leaf, const char *far_domain, const char *peer,
                         struct tls_verdict *scratch, char text[SUBJECT_TEXT])
{
    char claim[CLAIM_TEXT];

    if (far_domain) {
        snprintf(text, SUBJECT_TEXT, "%s: certificate", peer);
        return;
    }
    scratch->identity_count = tls_identities(leaf, scratch->identities);
    if (scratch->identity_count > 0)
        join_identities(scratch, claim, sizeof(claim));
    else
        tls_name_text(X509_get_subject_name(leaf), claim, sizeof(claim));
    scratch->identity_count = 0;
    snprintf(text, SUBJECT_TEXT, "%s: certificate of %s", peer, claim);
}

int tls_judge_chain(X509_STORE *anchors, X509 *leaf, STACK_OF(X509) * untrusted, time_t now,
                    const char *far_domain, const char *peer, struct tls_verdict *verdict)
{
    char subject[SUBJECT_TEXT];
    int result;

    verdict->identity_count = 0;
    verdict->why[0] = '\0';
    verdict->is_final = !leaf;
    snprintf(subject, sizeof(subject), "%s:", peer);
    if (!leaf)
        return refuse(verdict, subject,
                      "sent no certificate; it must show the certificate of its SIP domain also "
                      "when it connects as a client (mutual TLS)");
    subject_text(leaf, far_domain, peer, verdict, subject);
    /* OpenSSL finds no issuer for such a certificate, which would blame the CA. */
    if (X509_get_extension_flags(leaf) & EXFLAG_INVALID)
        return refuse(verdict, subject,
                      "has an extension that cannot be read; it must be issued anew");
    result = judge_chain(anchors, leaf, untrusted, now, subject, verdict);
    if (result == 0)
        result = judge_usage(leaf, subject, verdict);
    if (result == 0)
        result = judge_identity(leaf, far_domain, subject, verdict);
    return result;
}

int tls_judge(const SSL *ssl, const char *far_domain, const char *peer, struct tls_verdict *verdict)
{
    X509_STORE *anchors = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));

    return tls_judge_chain(anchors, SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl),
                           time(NULL), far_domain, peer, verdict);
}
