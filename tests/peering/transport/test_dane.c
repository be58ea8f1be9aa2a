/* TLSA records and the certificates that they vouch for (RFC 6698, RFC 7671). */
#include "tests/test.h"

#include "peering/transport/tls_dane.h"
#include "tests/peering/transport/certs.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* A leaf, whose issuer is an intermediate of a root; and a stranger of the same root. */
struct family {
    struct cert root, between, leaf, other;
    STACK_OF(X509) * chain; /* as a far side sends it: with the leaf */
    unsigned char *der, digest[EVP_MAX_MD_SIZE];
};

static int set_up(void **state)
{
    struct family *family = calloc(1, sizeof(*family));

    assert_non_null(family);
    family->root = cert_make_ca("root");
    family->between = cert_make(
        &(struct cert_spec){.cn = "between", .constraints = "critical,CA:TRUE"}, &family->root);
    family->leaf = cert_make(&(struct cert_spec){.cn = "leaf", .alt = "URI:sip:opb.example"},
                             &family->between);
    family->other =
        cert_make(&(struct cert_spec){.cn = "other", .alt = "URI:sip:opb.example"}, &family->root);
    family->chain = sk_X509_new_null();
    sk_X509_push(family->chain, family->leaf.x509);
    sk_X509_push(family->chain, family->between.x509);
    sk_X509_push(family->chain, family->root.x509);
    *state = family;
    return 0;
}

static int tear_down(void **state)
{
    struct family *family = *state;

    sk_X509_free(family->chain);
    cert_free(&family->root);
    cert_free(&family->between);
    cert_free(&family->leaf);
    cert_free(&family->other);
    OPENSSL_free(family->der);
    free(family);
    return 0;
}

/* The record of a certificate; valid until the next call. */
static struct tls_tlsa tlsa_of(struct family *family, X509 *x509, unsigned usage, unsigned selector,
                               unsigned matching)
{
    struct tls_tlsa tlsa = {
        .usage = (uint8_t)usage, .selector = (uint8_t)selector, .matching = (uint8_t)matching};
    unsigned len = 0;
    int der_len;

    OPENSSL_free(family->der);
    family->der = NULL;
    der_len = selector == 0 ? i2d_X509(x509, &family->der)
                            : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &family->der);
    assert_true(der_len > 0);
    if (matching == 0) {
        tlsa.data = family->der;
        tlsa.len = (size_t)der_len;
        return tlsa;
    }
    assert_int_equal(EVP_Digest(family->der, (size_t)der_len, family->digest, &len,
                                matching == 1 ? EVP_sha256() : EVP_sha512(), NULL),
                     1);
    tlsa.data = family->digest;
    tlsa.len = len;
    return tlsa;
}

static bool fits(const struct family *family, const struct tls_tlsa *tlsa, const char *domain)
{
    return tls_dane_fits(tlsa, family->leaf.x509, family->chain, domain, time(NULL));
}

static void each_selector_and_matching_type_of_usage_3_vouches_for_its_leaf(void **state)
{
    struct family *family = *state;

    for (unsigned selector = 0; selector <= 1; selector++)
        for (unsigned matching = 0; matching <= 2; matching++) {
            struct tls_tlsa tlsa = tlsa_of(family, family->leaf.x509, 3, selector, matching);

            assert_true(fits(family, &tlsa, "opb.example"));
            assert_int_equal(tls_dane_lasts(&tlsa), selector == 1);
            tlsa.len--;
            assert_false(fits(family, &tlsa, "opb.example"));
            tlsa = tlsa_of(family, family->other.x509, 3, selector, matching);
            assert_false(fits(family, &tlsa, "opb.example"));
        }
}

/* RFC 7671 section 5.1: the record is all that counts. */
static void usage_3_needs_neither_name_nor_date_nor_issuer(void **state)
{
    struct family *family = *state;
    struct cert old = cert_make(
        &(struct cert_spec){
            .cn = "old", .usage = "codeSigning", .begin_s = -9 * CERT_DAY_S, .end_s = -CERT_DAY_S},
        NULL);
    struct tls_tlsa tlsa = tlsa_of(family, old.x509, 3, 1, 1);

    assert_true(tls_dane_fits(&tlsa, old.x509, NULL, "opb.example", time(NULL)));
    cert_free(&old);
}

static void usage_2_vouches_for_what_its_certificate_issued(void **state)
{
    struct family *family = *state;
    X509 *issuers[] = {family->between.x509, family->root.x509};

    for (size_t i = 0; i < COUNT_OF(issuers); i++)
        for (unsigned selector = 0; selector <= 1; selector++) {
            struct tls_tlsa tlsa = tlsa_of(family, issuers[i], 2, selector, 1);

            assert_true(fits(family, &tlsa, "opb.example"));
            assert_true(tls_dane_lasts(&tlsa));
            assert_false(fits(family, &tlsa, "opa.example"));
            assert_false(tls_dane_fits(&tlsa, family->leaf.x509, family->chain, "opb.example",
                                       time(NULL) + 40 * CERT_DAY_S));
        }
}

static void usage_2_needs_its_certificate_in_the_chain_that_came(void **state)
{
    struct family *family = *state;
    struct tls_tlsa tlsa = tlsa_of(family, family->root.x509, 2, 1, 1);

    assert_int_equal(sk_X509_num(family->chain), 3);
    sk_X509_pop(family->chain);
    assert_false(fits(family, &tlsa, "opb.example"));
    tlsa = tlsa_of(family, family->leaf.x509, 2, 1, 1); /* it issued nothing */
    assert_false(fits(family, &tlsa, "opb.example"));
    assert_false(tls_dane_fits(&tlsa, family->leaf.x509, NULL, "opb.example", time(NULL)));
}

/* A CA that the chain names and that did not sign it. */
static void usage_2_is_no_proof_for_a_chain_that_does_not_hold(void **state)
{
    struct family *family = *state;
    struct cert forged = cert_make_ca("between");
    struct tls_tlsa tlsa = tlsa_of(family, forged.x509, 2, 0, 1);

    sk_X509_push(family->chain, forged.x509);
    assert_false(fits(family, &tlsa, "opb.example"));
    cert_free(&forged);
}

static void other_numbers_vouch_for_nobody(void **state)
{
    struct family *family = *state;
    static const unsigned usages[] = {0, 1, 4, 255};
    struct tls_tlsa tlsa;

    for (size_t i = 0; i < COUNT_OF(usages); i++) {
        tlsa = tlsa_of(family, family->leaf.x509, usages[i], 1, 1);
        assert_false(fits(family, &tlsa, "opb.example"));
    }
    tlsa = tlsa_of(family, family->leaf.x509, 3, 1, 1);
    tlsa.selector = 2;
    assert_false(fits(family, &tlsa, "opb.example"));
    tlsa.selector = 1;
    tlsa.matching = 3;
    assert_false(fits(family, &tlsa, "opb.example"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_selector_and_matching_type_of_usage_3_vouches_for_its_leaf),
        TEST(usage_3_needs_neither_name_nor_date_nor_issuer),
        TEST(usage_2_vouches_for_what_its_certificate_issued),
        TEST(usage_2_needs_its_certificate_in_the_chain_that_came),
        TEST(usage_2_is_no_proof_for_a_chain_that_does_not_hold),
        TEST(other_numbers_vouch_for_nobody),
    };

    return cmocka_run_group_tests_name("dane", tests, NULL, NULL);
}
