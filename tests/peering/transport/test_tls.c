/* Certificates: which identities they carry, what is believed, and the sentences of refusals. */
#include "tests/test.h"

#include "base/status.h"
#include "peering/transport/tls.h"
#include "tests/peering/transport/certs.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- identities (RFC 5922 section 7.1) ---- */

static void identities_are_those_of_rfc5922(void **state)
{
    static const struct {
        const char *alt, *expected; /* joined with commas */
    } table[] = {
        {NULL, ""},
        {"URI:sip:opa.example", "opa.example"},
        {"URI:sip:OPA.Example", "opa.example"},
        {"URI:SIP:opa.example", "opa.example"},
        {"URI:sip:opa.example:5061", "opa.example"},
        {"URI:sip:opa.example;transport=tls", "opa.example"},
        {"URI:sip:a.example,URI:sip:b.example", "a.example,b.example"},
        {"URI:sip:a.example,URI:sip:A.EXAMPLE", "a.example"},
        {"DNS:opa.example", "opa.example"},
        {"DNS:a.example,DNS:b.example", "a.example,b.example"},
        /* a URI makes DNS names count for nothing, in either order */
        {"URI:sip:opa.example,DNS:opb.example", "opa.example"},
        {"DNS:opb.example,URI:sip:opa.example", "opa.example"},
        /* not SIP domain identities, so DNS names count beside them */
        {"URI:sips:opa.example", ""},
        {"URI:https://opa.example", ""},
        {"URI:sip:alice@opa.example", ""},
        {"URI:sip:mallory.example:x@opa.example", ""},
        {"URI:sip:mallory.example;x@opa.example", ""},
        {"URI:sip:alice@opa.example,DNS:opb.example", "opb.example"},
        {"URI:https://www.example/,DNS:opb.example", "opb.example"},
        {"DNS:*.opa.example", ""},
        {"DNS:*.opa.example,DNS:opa.example", "opa.example"},
        {"URI:sip:*.opa.example", ""},
        {"URI:sip:192.0.2.1", ""},
        {"DNS:192.0.2.1", ""},
        {"IP:192.0.2.1", ""},
        {"email:alice@opa.example", ""},
        {"DNS:opa..example", ""},
        {"DNS:.opa.example", ""},
        {"DNS:opa.example.", ""},
        {"DNS:opa example", ""},
        {"URI:sip:", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char identities[TLS_MAX_IDENTITIES][256], joined[1024] = "";
        struct cert cert =
            cert_make(&(struct cert_spec){.cn = "cn.example", .alt = table[i].alt}, NULL);
        size_t count = tls_identities(cert.x509, identities);

        for (size_t j = 0; j < count; j++) {
            size_t used = strlen(joined);

            snprintf(joined + used, sizeof(joined) - used, "%s%s", j ? "," : "", identities[j]);
        }
        assert_string_equal(joined, table[i].expected);
        cert_free(&cert);
    }
}

static void identities_are_bounded(void **state)
{
    char identities[TLS_MAX_IDENTITIES][256], alt[2048] = "DNS:first.example";
    struct cert cert;

    (void)state;
    for (int i = 0; i < 40; i++)
        snprintf(alt + strlen(alt), sizeof(alt) - strlen(alt), ",DNS:d%d.example", i);
    cert = cert_make(&(struct cert_spec){.cn = "x", .alt = alt}, NULL);
    assert_int_equal(tls_identities(cert.x509, identities), TLS_MAX_IDENTITIES);
    assert_string_equal(identities[0], "first.example");
    assert_string_equal(identities[TLS_MAX_IDENTITIES - 1], "d14.example");
    cert_free(&cert);
}

/* ---- the verdict ---- */

#define NAMES_HINT "(RFC 5922: a URI:sip:DOMAIN or a DNS name, no wildcard)"
#define USAGE_HINT                                                                                 \
    "(extendedKeyUsage); it needs serverAuth, clientAuth or id-kp-sipDomain (RFC 5924), or no "    \
    "extendedKeyUsage at all"

enum issuer { BY_ANCHOR, BY_STRANGER, BY_ITSELF };

static const struct verdict_row {
    const char *name;
    struct cert_spec spec;
    enum issuer issuer;
    const char *far_domain;
    const char *why; /* NULL: believed; %s: the certificate's end, or its begin if that is ahead */
} verdict_table[] = {
    {"good", {.cn = "x", .alt = "URI:sip:opb.example"}, BY_ANCHOR, "opb.example", NULL},
    {"good, accepted", {.cn = "x", .alt = "URI:sip:opb.example"}, BY_ANCHOR, NULL, NULL},
    {"DNS only", {.cn = "x", .alt = "DNS:opb.example"}, BY_ANCHOR, "opb.example", NULL},
    {"serverAuth only",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "serverAuth"},
     BY_ANCHOR,
     NULL,
     NULL},
    {"clientAuth only",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "clientAuth"},
     BY_ANCHOR,
     "opb.example",
     NULL},
    {"id-kp-sipDomain only",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "1.3.6.1.5.5.7.3.20"},
     BY_ANCHOR,
     "opb.example",
     NULL},
    {"any usage",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "anyExtendedKeyUsage"},
     BY_ANCHOR,
     "opb.example",
     NULL},
    {"one fit usage of two, critical",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "critical,codeSigning,serverAuth"},
     BY_ANCHOR,
     "opb.example",
     NULL},
    {"codeSigning only",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "codeSigning"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate is meant for Code Signing only " USAGE_HINT},
    {"an extension that cannot be read",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "DER:0500"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate has an extension that cannot be read; it must be issued anew"},
    {"a weak key",
     {.cn = "x", .alt = "DNS:opb.example", .curve = "P-192"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate is too weak: the key or the signature of CN=x; needed are RSA from 2048 "
     "bits on or elliptic curves from 224 on, signed with SHA-256 or better; it must be issued "
     "anew"},
    {"expired",
     {.cn = "x", .alt = "DNS:opb.example", .begin_s = -9 * CERT_DAY_S, .end_s = -CERT_DAY_S},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate expired at %s; it must be renewed"},
    {"not yet valid",
     {.cn = "x", .alt = "DNS:opb.example", .begin_s = CERT_DAY_S, .end_s = 9 * CERT_DAY_S},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate is not valid before %s; wait until then, or correct the clock that is "
     "wrong"},
    {"unknown CA",
     {.cn = "x", .alt = "DNS:opb.example"},
     BY_STRANGER,
     "opb.example",
     "peer: certificate was issued by CN=Strange CA, which is no trust anchor here; add that CA to "
     "our trust anchors, or the far side uses a certificate of a CA known here and sends its "
     "intermediate certificates too"},
    {"self-signed",
     {.cn = "opb.example", .alt = "DNS:opb.example"},
     BY_ITSELF,
     "opb.example",
     "peer: certificate is self-signed (CN=opb.example) and no trust anchor here; the far side needs "
     "one of a CA known here, or add this one to our trust anchors"},
    {"no names at all, not even the CN counts",
     {.cn = "opb.example"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate names no SIP domain, it has no subjectAltName " NAMES_HINT
     "; add URI:sip:opb.example to its subjectAltName"},
    {"no names, accepted",
     {.cn = "opb.example"},
     BY_ANCHOR,
     NULL,
     "peer: certificate of CN=opb.example names no SIP domain, it has no subjectAltName " NAMES_HINT
     "; add URI:sip:ITS.DOMAIN to its subjectAltName"},
    {"only an e-mail address",
     {.cn = "x", .alt = "email:root@opb.example"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate names no SIP domain, it has no DNS or URI name " NAMES_HINT
     "; add URI:sip:opb.example to its subjectAltName"},
    {"expired, accepted",
     {.cn = "x", .alt = "DNS:opb.example", .begin_s = -9 * CERT_DAY_S, .end_s = -CERT_DAY_S},
     BY_ANCHOR,
     NULL,
     "peer: certificate of opb.example expired at %s; it must be renewed"},
    {"expired, accepted, of several domains",
     {.cn = "x",
      .alt = "URI:sip:opb.example,URI:sip:opc.example",
      .begin_s = -9 * CERT_DAY_S,
      .end_s = -CERT_DAY_S},
     BY_ANCHOR,
     NULL,
     "peer: certificate of opb.example, opc.example expired at %s; it must be renewed"},
    {"not yet valid, accepted",
     {.cn = "x", .alt = "DNS:opb.example", .begin_s = CERT_DAY_S, .end_s = 9 * CERT_DAY_S},
     BY_ANCHOR,
     NULL,
     "peer: certificate of opb.example is not valid before %s; wait until then, or correct the "
     "clock that is wrong"},
    {"unknown CA, accepted",
     {.cn = "x", .alt = "DNS:opb.example"},
     BY_STRANGER,
     NULL,
     "peer: certificate of opb.example was issued by CN=Strange CA, which is no trust anchor here; "
     "add that CA to our trust anchors, or the far side uses a certificate of a CA known here and "
     "sends its intermediate certificates too"},
    {"self-signed, accepted, no SIP domain",
     {.cn = "bob", .alt = "email:bob@opb.example"},
     BY_ITSELF,
     NULL,
     "peer: certificate of CN=bob is self-signed (CN=bob) and no trust anchor here; the far side "
     "needs one of a CA known here, or add this one to our trust anchors"},
    {"codeSigning only, accepted",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "codeSigning"},
     BY_ANCHOR,
     NULL,
     "peer: certificate of opb.example is meant for Code Signing only " USAGE_HINT},
    {"an extension that cannot be read, accepted",
     {.cn = "x", .alt = "DNS:opb.example", .usage = "DER:0500"},
     BY_ANCHOR,
     NULL,
     "peer: certificate of opb.example has an extension that cannot be read; it must be issued "
     "anew"},
    {"wildcard",
     {.cn = "x", .alt = "DNS:*.opb.example"},
     BY_ANCHOR,
     "sip.opb.example",
     "peer: certificate names no SIP domain, it has DNS:*.opb.example " NAMES_HINT
     "; add URI:sip:sip.opb.example to its subjectAltName"},
    {"URI with a user",
     {.cn = "x", .alt = "URI:sip:bob@opb.example"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate names no SIP domain, it has URI:sip:bob@opb.example " NAMES_HINT
     "; add URI:sip:opb.example to its subjectAltName"},
    {"wrong domain",
     {.cn = "x", .alt = "DNS:sip.opb.example"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate names sip.opb.example, but the SIP domain opb.example is required (RFC "
     "5922); add URI:sip:opb.example to its subjectAltName"},
    {"URI of another domain beside a fitting DNS name",
     {.cn = "x", .alt = "URI:sip:opc.example,URI:sip:opd.example,DNS:opb.example"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate names opc.example, opd.example, but the SIP domain opb.example is required "
     "(RFC 5922); add URI:sip:opb.example to its subjectAltName"},
    {"a CA's own",
     {.cn = "x", .alt = "DNS:opb.example", .constraints = "critical,CA:TRUE"},
     BY_ANCHOR,
     "opb.example",
     "peer: certificate is a CA's own (basicConstraints CA:TRUE); the SIP service needs one of its "
     "own, issued with CA:FALSE"},
};

struct judges {
    struct cert anchor, stranger;
    X509_STORE *store;
};

static int setup_judges(void **state)
{
    struct judges *judges = calloc(1, sizeof(*judges));

    judges->anchor = cert_make_ca("Test CA");
    judges->stranger = cert_make_ca("Strange CA");
    judges->store = X509_STORE_new();
    X509_STORE_add_cert(judges->store, judges->anchor.x509);
    *state = judges;
    return 0;
}

static int teardown_judges(void **state)
{
    struct judges *judges = *state;

    cert_free(&judges->anchor);
    cert_free(&judges->stranger);
    X509_STORE_free(judges->store);
    free(judges);
    return 0;
}

static void expect_why(const struct verdict_row *row, const X509 *x509, const char *why)
{
    char when[64] = "", expected[TLS_MAX_VERDICT];
    struct tm tm;

    assert_int_equal(ASN1_TIME_to_tm(row->spec.begin_s > 0 ? X509_get0_notBefore(x509)
                                                           : X509_get0_notAfter(x509),
                                     &tm),
                     1);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(expected, sizeof(expected), row->why, when);
    assert_string_equal(why, expected);
}

static void a_certificate_is_judged(void **state)
{
    struct judges *judges = *state;
    const struct cert *issuers[] = {&judges->anchor, &judges->stranger, NULL};

    for (size_t i = 0; i < COUNT_OF(verdict_table); i++) {
        const struct verdict_row *row = &verdict_table[i];
        struct cert cert = cert_make(&row->spec, issuers[row->issuer]);
        struct tls_verdict verdict;
        int status = tls_judge_chain(judges->store, cert.x509, NULL, time(NULL), row->far_domain,
                                     "peer", &verdict);

        assert_int_equal(status, row->why ? STATUS_UNPROVEN : 0);
        if (row->why) {
            expect_why(row, cert.x509, verdict.why);
            assert_int_equal(verdict.identity_count, 0);
        } else {
            assert_int_equal(verdict.identity_count, 1);
            assert_string_equal(verdict.identities[0], "opb.example");
        }
        cert_free(&cert);
    }
}

static void no_certificate_is_refused(void **state)
{
    struct judges *judges = *state;
    struct tls_verdict verdict;

    assert_int_equal(
        tls_judge_chain(judges->store, NULL, NULL, time(NULL), NULL, "127.0.0.1:4711", &verdict),
        STATUS_UNPROVEN);
    assert_string_equal(verdict.why,
                        "127.0.0.1:4711: sent no certificate; it must show the certificate of its "
                        "SIP domain also when it connects as a client (mutual TLS)");
}

static int judge_with(struct judges *judges, const struct cert *leaf, const struct cert *between,
                      struct tls_verdict *verdict)
{
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    int status;

    if (between)
        sk_X509_push(untrusted, between->x509);
    status = tls_judge_chain(judges->store, leaf->x509, untrusted, time(NULL), "opb.example",
                             "peer", verdict);
    sk_X509_free(untrusted);
    return status;
}

static void a_chain_may_have_intermediates_that_are_cas(void **state)
{
    struct judges *judges = *state;
    struct cert ca = cert_make(&(struct cert_spec){.cn = "Sub CA",
                                                   .constraints = "critical,CA:TRUE",
                                                   .usage = "serverAuth"},
                               &judges->anchor);
    struct cert plain =
        cert_make(&(struct cert_spec){.cn = "Not a CA", .alt = "DNS:opc.example"}, &judges->anchor);
    struct cert old = cert_make(&(struct cert_spec){.cn = "Old CA",
                                                    .constraints = "critical,CA:TRUE",
                                                    .begin_s = -9 * CERT_DAY_S,
                                                    .end_s = -CERT_DAY_S},
                                &judges->anchor);
    const struct cert_spec leaf_spec = {.cn = "x", .alt = "DNS:opb.example"};
    struct cert by_ca = cert_make(&leaf_spec, &ca), by_plain = cert_make(&leaf_spec, &plain),
                by_old = cert_make(&leaf_spec, &old);
    struct tls_verdict verdict;

    assert_int_equal(judge_with(judges, &by_ca, &ca, &verdict), 0);
    assert_int_equal(judge_with(judges, &by_ca, NULL, &verdict), STATUS_UNPROVEN);
    assert_non_null(strstr(verdict.why, "issued by CN=Sub CA, which is no trust anchor here"));
    assert_int_equal(judge_with(judges, &by_plain, &plain, &verdict), STATUS_UNPROVEN);
    assert_string_equal(verdict.why, "peer: certificate was issued by CN=Not a CA, which is not a "
                                     "CA; it must be issued by one");
    assert_int_equal(judge_with(judges, &by_old, &old, &verdict), STATUS_UNPROVEN);
    assert_non_null(strstr(verdict.why, "peer: certificate was issued by CN=Old CA, whose "
                                        "certificate expired at "));
    cert_free(&ca);
    cert_free(&plain);
    cert_free(&old);
    cert_free(&by_ca);
    cert_free(&by_plain);
    cert_free(&by_old);
}

static void an_intermediate_can_be_the_anchor(void **state)
{
    struct judges *judges = *state;
    struct cert ca = cert_make(
        &(struct cert_spec){.cn = "Sub CA", .constraints = "critical,CA:TRUE"}, &judges->stranger);
    struct cert leaf = cert_make(&(struct cert_spec){.cn = "x", .alt = "DNS:opb.example"}, &ca);
    struct tls_verdict verdict;

    assert_int_equal(judge_with(judges, &leaf, &ca, &verdict), STATUS_UNPROVEN);
    X509_STORE_add_cert(judges->store, ca.x509);
    assert_int_equal(judge_with(judges, &leaf, NULL, &verdict), 0);
    cert_free(&ca);
    cert_free(&leaf);
}

static void validity_is_judged_at_the_time_given(void **state)
{
    struct judges *judges = *state;
    struct cert leaf =
        cert_make(&(struct cert_spec){.cn = "x", .alt = "DNS:opb.example"}, &judges->anchor);
    time_t now = time(NULL);
    const struct {
        time_t when;
        int status;
    } table[] = {
        {now, 0},
        {now + 29 * CERT_DAY_S, 0},
        {now + 31 * CERT_DAY_S, STATUS_UNPROVEN},
        {now - 2 * CERT_DAY_S, STATUS_UNPROVEN},
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct tls_verdict verdict;

        assert_int_equal(tls_judge_chain(judges->store, leaf.x509, NULL, table[i].when,
                                         "opb.example", "peer", &verdict),
                         table[i].status);
    }
    cert_free(&leaf);
}

static void hostile_names_stay_printable_and_bounded(void **state)
{
    struct judges *judges = *state;
    char cn[65], alt[3000] = "URI:sip:a@b", claims[3000] = "URI:sip:first.example";
    struct cert ca, cert;
    struct tls_verdict verdict;

    memset(cn, '\001', sizeof(cn) - 1);
    cn[1] = '\n';
    cn[sizeof(cn) - 1] = '\0';
    for (int i = 0; i < 100; i++)
        snprintf(alt + strlen(alt), sizeof(alt) - strlen(alt), ",URI:sip:user@opb.example");
    for (int i = 0; i < 10; i++)
        snprintf(claims + strlen(claims), sizeof(claims) - strlen(claims), ",URI:sip:%0200d.x", i);
    ca = cert_make_ca(cn);
    cert = cert_make(&(struct cert_spec){.cn = cn + 1, .alt = alt}, &ca); /* not self-issued */
    for (int accepted = 0; accepted < 2; accepted++) {
        assert_int_equal(tls_judge_chain(judges->store, cert.x509, NULL, time(NULL),
                                         accepted ? NULL : "opb.example", "peer", &verdict),
                         STATUS_UNPROVEN);
        for (const char *p = verdict.why; *p; p++)
            assert_in_range(*p, ' ', '~');
        assert_non_null(strstr(verdict.why, "sends its intermediate certificates too"));
    }
    cert_free(&cert);
    cert = cert_make(&(struct cert_spec){.cn = cn, .alt = alt}, &judges->anchor);
    assert_int_equal(judge_with(judges, &cert, NULL, &verdict), STATUS_UNPROVEN);
    assert_non_null(strstr(verdict.why, "..."));
    assert_non_null(strstr(verdict.why, "add URI:sip:opb.example to its subjectAltName"));
    cert_free(&cert);
    cert = cert_make(&(struct cert_spec){.cn = cn + 1, .alt = claims}, &ca);
    assert_int_equal(
        tls_judge_chain(judges->store, cert.x509, NULL, time(NULL), NULL, "peer", &verdict),
        STATUS_UNPROVEN);
    assert_non_null(strstr(verdict.why, "peer: certificate of first.example, 00000"));
    assert_non_null(strstr(verdict.why, "... was issued by "));
    assert_non_null(strstr(verdict.why, "sends its intermediate certificates too"));
    cert_free(&cert);
    cert_free(&ca);
}

/* ---- loading ---- */

struct files {
    char dir[64], chain[96], key[96], anchors[96];
    struct cert ca;
};

static int setup_files(void **state)
{
    struct files *files = calloc(1, sizeof(*files));

    test_folder_make(files->dir, sizeof(files->dir));
    snprintf(files->chain, sizeof(files->chain), "%s/chain.pem", files->dir);
    snprintf(files->key, sizeof(files->key), "%s/key.pem", files->dir);
    snprintf(files->anchors, sizeof(files->anchors), "%s/anchors.pem", files->dir);
    files->ca = cert_make_ca("Test CA");
    cert_write(&files->ca, NULL, files->anchors, NULL);
    *state = files;
    return 0;
}

static int teardown_files(void **state)
{
    struct files *files = *state;

    unlink(files->chain);
    unlink(files->key);
    unlink(files->anchors);
    rmdir(files->dir);
    cert_free(&files->ca);
    free(files);
    return 0;
}

static int load(const struct files *files, const char *domain, struct tls_context **context,
                char *why)
{
    struct tls_certificate_conf certificate = {domain, files->chain, files->key, NULL};
    struct tls_conf conf = {
        .certificates = &certificate, .certificate_count = 1, .anchors_file = files->anchors};

    why[0] = '\0';
    return tls_context_load(&conf, context, why);
}

static void write_leaf(const struct files *files, const struct cert_spec *spec)
{
    struct cert cert = cert_make(spec, &files->ca);

    cert_write(&cert, &files->ca, files->chain, files->key);
    cert_free(&cert);
}

static void a_context_knows_its_domains(void **state)
{
    struct files *files = *state;
    struct tls_context *context = NULL;
    char why[TLS_MAX_WHY];

    write_leaf(files, &(struct cert_spec){.cn = "x", .alt = "URI:sip:opa.example"});
    assert_int_equal(load(files, "opa.example", &context, why), 0);
    assert_true(tls_context_has_domain(context, "opa.example"));
    assert_false(tls_context_has_domain(context, "opb.example"));
    assert_null(tls_connect(context, "opb.example", "opa.example"));
    assert_null(tls_context_unref(tls_context_ref(context)));
    assert_true(tls_context_has_domain(context, "opa.example"));
    assert_null(tls_context_unref(context));
}

/* OpenSSL asks for a certificate by name on both sides, and ours are for both of these domains. */
static void who_calls_a_domain_of_ours_shows_his_own_certificate(void **state)
{
    struct files *files = *state;
    struct tls_certificate_conf both[] = {{"opa.example", files->chain, files->key, NULL},
                                          {"opb.example", files->chain, files->key, NULL}};
    struct tls_conf conf = {.certificates = both, .certificate_count = 2};
    struct tls_context *context = NULL;
    BIO *near = NULL, *far = NULL;
    char why[TLS_MAX_WHY];

    write_leaf(files,
               &(struct cert_spec){.cn = "x", .alt = "URI:sip:opa.example,URI:sip:opb.example"});
    assert_int_equal(tls_context_load(&conf, &context, why), 0);
    SSL *client = tls_connect(context, "opa.example", "opb.example");
    SSL *server = tls_accept(context, true);
    assert_int_equal(BIO_new_bio_pair(&near, 0, &far, 0), 1);
    SSL_set_bio(client, near, near);
    SSL_set_bio(server, far, far);
    for (int i = 0; i < 10; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));
    assert_string_equal(tls_our_domain(client), "opa.example");
    assert_string_equal(tls_our_domain(server), "opb.example");
    SSL_free(client);
    SSL_free(server);
    tls_context_unref(context);
}

static void a_context_without_certificates_accepts_nothing(void **state)
{
    struct tls_context *context = NULL;
    char why[TLS_MAX_WHY];
    SSL *ssl;

    (void)state;
    assert_int_equal(tls_context_load(&(struct tls_conf){.certificates = NULL}, &context, why), 0);
    assert_null(tls_accept(context, true));
    ssl = tls_connect(context, "", "opa.example");
    assert_non_null(ssl);
    assert_string_equal(tls_our_domain(ssl), "");
    SSL_free(ssl);
    tls_context_unref(context);
}

static void assert_refused(const struct files *files, int status, const char *format, ...)
{
    struct tls_context *untouched = (struct tls_context *)files, *context = untouched;
    char why[TLS_MAX_WHY], expected[TLS_MAX_WHY];
    va_list args;

    va_start(args, format);
    vsnprintf(expected, sizeof(expected), format, args);
    va_end(args);
    assert_int_equal(load(files, "opa.example", &context, why), status);
    assert_ptr_equal(context, untouched);
    if (!strstr(why, expected))
        fail_msg("\"%s\" lacks \"%s\"", why, expected);
}

static void truncate_file(const char *name, const char *content)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void unusable_files_are_named_with_a_remedy(void **state)
{
    struct files *files = *state;
    const struct cert_spec good = {.cn = "x", .alt = "DNS:opa.example"};
    struct cert other;

    assert_refused(files, -ENOENT, "%s: cannot be read: No such file or directory", files->chain);

    write_leaf(files, &(struct cert_spec){.cn = "opa.example", .alt = "DNS:*.opa.example"});
    assert_refused(files, STATUS_MALFORMED,
                   "%s: the certificate does not prove the SIP domain opa.example, it has "
                   "DNS:*.opa.example (RFC 5922); add URI:sip:opa.example to its subjectAltName",
                   files->chain);

    write_leaf(files, &(struct cert_spec){
                          .cn = "x", .alt = "DNS:opa.example", .begin_s = -2000, .end_s = -1000});
    assert_refused(files, STATUS_MALFORMED, "%s: the certificate of opa.example expired at 20",
                   files->chain);

    write_leaf(files, &good);
    other = cert_make(&good, &files->ca);
    cert_write(&other, NULL, files->anchors, files->key); /* a key that is not the chain's */
    assert_refused(files, STATUS_MALFORMED,
                   "%s: the private key does not belong to the certificate in %s", files->key,
                   files->chain);
    cert_free(&other);

    truncate_file(files->key, "nothing\n");
    assert_refused(files, STATUS_MALFORMED, "%s: no private key could be read: ", files->key);

    write_leaf(files, &good);
    truncate_file(files->chain, "nothing\n");
    assert_refused(files, STATUS_MALFORMED, "%s: no certificate could be read: ", files->chain);

    truncate_file(files->anchors, "nothing\n");
    assert_refused(files, STATUS_MALFORMED, "%s: no trust anchors could be read: ", files->anchors);
}

static void a_key_with_a_passphrase_is_refused_without_asking(void **state)
{
    struct files *files = *state;
    struct cert cert = cert_make(&(struct cert_spec){.cn = "x", .alt = "DNS:opa.example"}, NULL);
    BIO *bio;

    cert_write(&cert, NULL, files->chain, NULL);
    bio = BIO_new_file(files->key, "w");
    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_PrivateKey(bio, cert.key, EVP_aes_256_cbc(),
                                              (const unsigned char *)"secret", 6, NULL, NULL),
                     1);
    BIO_free(bio);
    assert_refused(files, STATUS_MALFORMED, "expected PEM without passphrase");
    cert_free(&cert);
}

/* SHA-256 of what the key itself says its SubjectPublicKeyInfo is. */
static void expected_hash(EVP_PKEY *key, uint8_t hash[TLS_KEY_HASH_LEN])
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    assert_int_equal(EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
}

static void the_hash_of_a_key_is_that_of_tlsa_3_1_1(void **state)
{
    struct files *files = *state;
    struct cert cert =
        cert_make(&(struct cert_spec){.cn = "x", .alt = "DNS:opa.example"}, &files->ca);
    uint8_t expected[TLS_KEY_HASH_LEN], hash[TLS_KEY_HASH_LEN] = {0};
    char why[TLS_MAX_WHY];
    FILE *file;

    expected_hash(cert.key, expected);
    cert_write(&cert, &files->ca, files->chain, files->key);
    assert_int_equal(tls_chain_key_hash(files->chain, hash, why), 0);
    assert_memory_equal(hash, expected, sizeof(hash));
    memset(hash, 0, sizeof(hash));
    assert_int_equal(tls_next_key_hash(files->key, hash, why), 0);
    assert_memory_equal(hash, expected, sizeof(hash));

    file = fopen(files->key, "w"); /* the public key alone */
    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, cert.key), 1);
    fclose(file);
    memset(hash, 0, sizeof(hash));
    assert_int_equal(tls_next_key_hash(files->key, hash, why), 0);
    assert_memory_equal(hash, expected, sizeof(hash));
    cert_free(&cert);
}

static void a_file_without_key_has_no_hash(void **state)
{
    struct files *files = *state;
    uint8_t hash[TLS_KEY_HASH_LEN];
    char why[TLS_MAX_WHY];

    write_leaf(files, &(struct cert_spec){.cn = "x", .alt = "DNS:opa.example"});
    assert_int_equal(tls_chain_key_hash(files->key, hash, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "no certificate could be read"));
    assert_int_equal(tls_next_key_hash(files->chain, hash, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "no key could be read"));
    assert_int_equal(tls_chain_key_hash("/no/such/file", hash, why), -ENOENT);
    assert_int_equal(tls_next_key_hash("/no/such/file", hash, why), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_are_those_of_rfc5922),
        cmocka_unit_test(identities_are_bounded),
        cmocka_unit_test_setup_teardown(a_certificate_is_judged, setup_judges, teardown_judges),
        cmocka_unit_test_setup_teardown(no_certificate_is_refused, setup_judges, teardown_judges),
        cmocka_unit_test_setup_teardown(a_chain_may_have_intermediates_that_are_cas, setup_judges,
                                        teardown_judges),
        cmocka_unit_test_setup_teardown(an_intermediate_can_be_the_anchor, setup_judges,
                                        teardown_judges),
        cmocka_unit_test_setup_teardown(validity_is_judged_at_the_time_given, setup_judges,
                                        teardown_judges),
        cmocka_unit_test_setup_teardown(hostile_names_stay_printable_and_bounded, setup_judges,
                                        teardown_judges),
        cmocka_unit_test_setup_teardown(a_context_knows_its_domains, setup_files, teardown_files),
        cmocka_unit_test_setup_teardown(who_calls_a_domain_of_ours_shows_his_own_certificate,
                                        setup_files, teardown_files),
        cmocka_unit_test(a_context_without_certificates_accepts_nothing),
        cmocka_unit_test_setup_teardown(unusable_files_are_named_with_a_remedy, setup_files,
                                        teardown_files),
        cmocka_unit_test_setup_teardown(a_key_with_a_passphrase_is_refused_without_asking,
                                        setup_files, teardown_files),
        cmocka_unit_test_setup_teardown(the_hash_of_a_key_is_that_of_tlsa_3_1_1, setup_files,
                                        teardown_files),
        cmocka_unit_test_setup_teardown(a_file_without_key_has_no_hash, setup_files,
                                        teardown_files),
    };

    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
