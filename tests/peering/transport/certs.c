#include "tests/peering/transport/certs.h"
#include "tests/test.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdio.h>

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    if (!value)
        return;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

struct cert cert_make(const struct cert_spec *spec, const struct cert *issuer)
{
    struct cert cert = {.x509 = X509_new(), .key = EVP_EC_gen(spec->curve ? spec->curve : "P-256")};
    bool dated = spec->begin_s != 0 || spec->end_s != 0;
    X509_NAME *name;
    uint64_t serial = 0;

    assert_non_null(cert.x509);
    assert_non_null(cert.key);
    RAND_bytes((unsigned char *)&serial, 7);
    X509_set_version(cert.x509, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert.x509), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert.x509), dated ? spec->begin_s : -CERT_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(cert.x509), dated ? spec->end_s : 30 * CERT_DAY_S);
    X509_set_pubkey(cert.x509, cert.key);
    name = X509_get_subject_name(cert.x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)spec->cn, -1, -1,
                               0);
    X509_set_issuer_name(cert.x509, issuer ? X509_get_subject_name(issuer->x509) : name);
    add_extension(cert.x509, issuer ? issuer->x509 : cert.x509, NID_basic_constraints,
                  spec->constraints ? spec->constraints : "critical,CA:FALSE");
    add_extension(cert.x509, cert.x509, NID_subject_alt_name, spec->alt);
    add_extension(cert.x509, cert.x509, NID_ext_key_usage, spec->usage);
    assert_true(X509_sign(cert.x509, issuer ? issuer->key : cert.key, EVP_sha256()) > 0);
    return cert;
}

struct cert cert_make_ca(const char *cn)
{
    return cert_make(&(struct cert_spec){.cn = cn, .constraints = "critical,CA:TRUE"}, NULL);
}

void cert_free(struct cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (struct cert){NULL, NULL};
}

void cert_write(const struct cert *cert, const struct cert *chain, const char *cert_file,
                const char *key_file)
{
    FILE *file = fopen(cert_file, "w");

    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, cert->x509), 1);
    if (chain)
        assert_int_equal(PEM_write_X509(file, chain->x509), 1);
    fclose(file);
    if (!key_file)
        return;
    file = fopen(key_file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

X509_CRL *crl_make(const struct cert *issuer, const struct cert *signer, const struct cert *revoked,
                   int days)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *begin = X509_gmtime_adj(NULL, -9 * CERT_DAY_S);
    ASN1_TIME *end = X509_gmtime_adj(NULL, days * CERT_DAY_S);

    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509));
    X509_CRL_set1_lastUpdate(crl, begin);
    X509_CRL_set1_nextUpdate(crl, end);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();

        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509));
        X509_REVOKED_set_revocationDate(entry, begin);
        assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
    }
    assert_true(X509_CRL_sign(crl, signer->key, EVP_sha256()) > 0);
    ASN1_TIME_free(begin);
    ASN1_TIME_free(end);
    return crl;
}

void crl_write(X509_CRL *crl, bool der, const char *file)
{
    FILE *out = fopen(file, "a");

    assert_non_null(out);
    assert_int_equal(der ? i2d_X509_CRL_fp(out, crl) : PEM_write_X509_CRL(out, crl), 1);
    assert_int_equal(fclose(out), 0);
    X509_CRL_free(crl);
}
