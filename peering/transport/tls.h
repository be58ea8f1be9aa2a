/* Certificates: which one we show, and what the far side's proves (RFC 5922, RFC 5923).
 *
 * A struct tls_context holds the certificates of our hosted domains and the trust anchors. It is
 * immutable once loaded and reference counted across threads: a reload makes a new one, the
 * workers take it for new connections, and live connections keep theirs. Session tickets are off.
 *
 * The handshake's verify callback lets every chain pass; tls_judge verifies and decides afterwards,
 * for servers and clients alike: the chain must end at a trust anchor for any purpose, the leaf
 * must not lack the usages that make sense (serverAuth, clientAuth, id-kp-sipDomain, any, or no
 * extended key usage at all; public CAs issue no clientAuth since 2026), and the identities are
 * those of RFC 5922 section 7.1. */
#ifndef JUNCTOR_PEERING_TRANSPORT_TLS_H
#define JUNCTOR_PEERING_TRANSPORT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <openssl/ssl.h>

#define TLS_MAX_IDENTITIES 16  /* SIP domains read from one certificate */
#define TLS_MAX_DOMAINS    256 /* certificates of one edge */
#define TLS_MAX_CRLS       16  /* files of revocation lists */
#define TLS_MAX_WHY        400
#define TLS_MAX_VERDICT    640 /* bytes of the sentence of a refusal, with the names in it */
#define TLS_KEY_HASH_LEN   32  /* SHA-256 */

struct tls_certificate_conf {
    const char *domain;        /* canonical hosted domain */
    const char *chain_file;    /* PEM: leaf first */
    const char *key_file;      /* PEM */
    const char *next_key_file; /* PEM: the key that will be served after this one; NULL: not known.
                                  Only published (tls_next_key_hash), not loaded */
};

struct tls_conf {
    const struct tls_certificate_conf *certificates;
    size_t certificate_count;
    const char
        *anchors_file; /* PEM bundle of trust anchors; NULL or "": none, nobody is believed */
    const char *core_anchors_file; /* PEM bundle: who may prove our own cores; NULL or "": cores are
                                      not asked for a certificate, and proven to us by the others */
    const char *const *crl_files;  /* PEM or DER: what the issuers of both have revoked */
    size_t crl_count;
};

struct tls_context;

/* Loads all files. Refuses a key that does not fit its certificate, an expired or unreadable file,
 * a certificate that does not prove its domain; `why` (TLS_MAX_WHY bytes) then names file, reason
 * and remedy. Returns 0, STATUS_MALFORMED, -errno. The result has one reference. */
int tls_context_load(const struct tls_conf *conf, struct tls_context **context, char *why);
struct tls_context *tls_context_ref(struct tls_context *context);   /* any thread */
struct tls_context *tls_context_unref(struct tls_context *context); /* any thread; returns NULL */
/* A sentence about what was loaded but is out of date (a revocation list), or "". */
const char *tls_context_doubt(const struct tls_context *context);
bool tls_context_has_domain(const struct tls_context *context, const char *domain);

/* SHA-256 of the SubjectPublicKeyInfo, as TLSA 3 1 1 has it (RFC 6698): of the first certificate in
 * a PEM file, and of a key in one, which may be a private key without passphrase or a public key.
 * `why` (TLS_MAX_WHY bytes) names file and reason. Return 0, STATUS_MALFORMED, -errno. */
int tls_chain_key_hash(const char *chain_file, uint8_t hash[TLS_KEY_HASH_LEN], char *why);
int tls_next_key_hash(const char *key_file, uint8_t hash[TLS_KEY_HASH_LEN], char *why);

/* The same of a certificate. Returns 0 or STATUS_MALFORMED. */
int tls_key_hash(const X509 *certificate, uint8_t hash[TLS_KEY_HASH_LEN]);

/* A TLS object for an accepted connection (SNI picks the certificate; without or with an unknown
 * name the first one is shown). `want_client` asks for a client certificate. NULL without memory or
 * certificates. The caller keeps a reference to the context as long as the object lives. */
SSL *tls_accept(struct tls_context *context, bool want_client);
/* For an outgoing one: shows our_domain's certificate ("": none), sends SNI `far_domain`. NULL
 * where our_domain has no certificate, and without memory. The reference as for tls_accept. */
SSL *tls_connect(struct tls_context *context, const char *our_domain, const char *far_domain);
/* The domain whose certificate this handshake showed, "" if none. */
const char *tls_our_domain(const SSL *ssl);

/* The SIP domains a certificate names: those of its `URI:sip:domain` entries (no user part), else
 * its DNS names (never wildcards), lower case. Returns how many were stored. Pure. */
size_t tls_identities(const X509 *certificate, char identities[TLS_MAX_IDENTITIES][256]);

struct tls_verdict {
    char identities[TLS_MAX_IDENTITIES][256]; /* proven SIP domains */
    size_t identity_count;
    char why[TLS_MAX_VERDICT]; /* when refused */
    bool is_final; /* then: nothing else may prove it either (revoked, or no certificate at all) */
};

/* Judges a finished handshake. `far_domain`: what must be proven, or NULL for an accepted
 * connection (any SIP domain). `peer` names the far side in sentences (its domain, or IP:port); for
 * an accepted connection they add whom the certificate claims to be, unproven as it is: "192.0.2.1:
 * 40000: certificate of opa.example expired at ...", or its subject where it names no SIP domain.
 * Returns 0, or STATUS_UNPROVEN with verdict->why saying exactly what is wrong and what would mend
 * it: no certificate, expired (since when), not yet valid, unknown issuer (which), wrong usage,
 * does not name the domain (which names it has), names no SIP domain at all. */
int tls_judge(const SSL *ssl, const char *far_domain, const char *peer,
              struct tls_verdict *verdict);

/* The same with the trust anchors of another context than the connection's own, a newer one. */
int tls_judge_by(const struct tls_context *context, const SSL *ssl, const char *far_domain,
                 const char *peer, struct tls_verdict *verdict);

/* The same for a chain that came by other means; reads the clock. `leaf` may be NULL: none was
 * sent.
 */
int tls_judge_sent(const struct tls_context *context, X509 *leaf, STACK_OF(X509) * chain,
                   const char *far_domain, const char *peer, struct tls_verdict *verdict);

/* For a client of another library that makes its SSL objects from `ctx`: shows our_domain's
 * certificate, speaks as tls_connect does. Who the server is the caller judges, in a verify
 * callback of its own. Returns 0, STATUS_NOTFOUND (no certificate for our_domain) or -ENOMEM. */
int tls_client_prepare(const struct tls_context *context, const char *our_domain, SSL_CTX *ctx);

/* Are cores that connect to us asked for a certificate? */
bool tls_context_asks_cores(const struct tls_context *context);
/* The same for a connection with one of our own cores, by the anchors for cores where there are
 * some. On an accepted one where there are none, nothing is proven. */
int tls_judge_core(const struct tls_context *context, const SSL *ssl, const char *far_domain,
                   const char *peer, struct tls_verdict *verdict);

/* How a peer with our trust anchors would judge the certificate that we show for `domain`, one of
 * those loaded. Reads the clock; else as tls_judge_chain. */
int tls_judge_own(const struct tls_context *context, const char *domain,
                  struct tls_verdict *verdict);

/* The same for a chain that did not come from an SSL object, and for tests: `leaf` may be NULL (no
 * certificate was sent), `untrusted` are the other certificates sent. Any thread; reads no clock.
 */
int tls_judge_chain(X509_STORE *anchors, X509 *leaf, STACK_OF(X509) * untrusted, time_t now,
                    const char *far_domain, const char *peer, struct tls_verdict *verdict);

#endif
