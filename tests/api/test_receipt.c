/* Receipts of ports: what is made is believed, and nothing else. */
#include "api/receipt_internal.h"

#include "base/status.h"
#include "tests/api/receipt_world.h"
#include "tests/test.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"port-receipt\"}"
#define PAYLOAD                                                                                      \
    "{\"kid\":\"%s\",\"port\":\"00112233445566778899aabbccddeeff\",\"address\":\"bob@opb.example\"," \
    "\"losing\":\"opb.example\",\"gaining\":\"opc.example\",\"authority\":\"opb.example\","          \
    "\"kind\":\"code\",\"decision\":\"committed\",\"reason\":null,"                                  \
    "\"time\":\"2026-11-25T12:00:00Z\",\"commit_order\":7%s}"

/* HEADER.PAYLOAD.SIGNATURE of these bytes, signed with the world's key. */
static const char *forge(const struct receipt_world *world, const char *header, const char *payload,
                         char jws[2 * RECEIPT_MAX])
{
    uint8_t signature[64];
    size_t signature_len = sizeof(signature);
    size_t len = base64_encode(header, strlen(header), jws);
    jws[len++] = '.';
    len += base64_encode(payload, strlen(payload), jws + len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, world->pkey), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &signature_len, (const uint8_t *)jws, len), 1);
    EVP_MD_CTX_free(ctx);
    jws[len++] = '.';
    base64_encode(signature, signature_len, jws + len);
    return jws;
}

static const char *header_of(const struct receipt_world *world, char header[256])
{
    snprintf(header, 256, HEADER, world->kid);
    return header;
}

static const char *payload_of(const struct receipt_world *world, const char *more,
                              char payload[RECEIPT_MAX])
{
    snprintf(payload, RECEIPT_MAX, PAYLOAD, world->kid, more);
    return payload;
}

static void expect_refused(const struct receipt_world *world, const char *jws, int status,
                           const char *words)
{
    struct receipt receipt;
    char why[RECEIPT_WHY_MAX] = "";
    int is = receipt_verify(slice_of(jws), world->key, &receipt, why);
    if (is != status || !strstr(why, words))
        fail_msg("%d, \"%s\", not %d with \"%s\": %s", is, why, status, words, jws);
}

/* ---- what is good ---- */

static void what_is_made_is_believed_with_its_key(void **state)
{
    const struct receipt_world *world = *state;
    struct store_port port = receipt_port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    assert_int_equal(receipt_make(world->keys, &port, 1790000000123, jws), 0);
    assert_int_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), 0);
    assert_string_equal(receipt.kid, world->kid);
    assert_string_equal(receipt.port, port.id);
    assert_string_equal(receipt.address.user, "bob");
    assert_string_equal(receipt.losing, "opb.example");
    assert_string_equal(receipt.gaining, "opc.example");
    assert_string_equal(receipt.authority, "opb.example");
    assert_int_equal(receipt.kind, STORE_PORT_CODE);
    assert_int_equal(receipt.decision, STORE_PORT_COMMITTED);
    assert_int_equal(receipt.reason, STORE_PORT_NO_REASON);
    assert_int_equal(receipt.time_ms, 1790000000123);
    assert_int_equal(receipt.commit_order, 7);
}

static void a_rejection_keeps_its_reason(void **state)
{
    const struct receipt_world *world = *state;
    struct store_port port = receipt_port_of(STORE_PORT_REJECTED);
    struct receipt receipt;
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    port.reason = STORE_PORT_FRAUD;
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_int_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), 0);
    assert_int_equal(receipt.decision, STORE_PORT_REJECTED);
    assert_int_equal(receipt.reason, STORE_PORT_FRAUD);
}

static void what_is_not_decided_has_no_receipt(void **state)
{
    const struct receipt_world *world = *state;
    struct store_port port = receipt_port_of(STORE_PORT_PENDING);
    char jws[RECEIPT_MAX];
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), STATUS_STATE);
}

static void the_longest_names_fit(void **state)
{
    const struct receipt_world *world = *state;
    struct store_port port = receipt_port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    memset(port.address.user, 'u', STORE_USER_MAX);
    for (size_t i = 0; i < STORE_DOMAIN_MAX; i++)
        port.gaining[i] = port.losing[i] = i % 32 == 31 ? '.' : 'd';
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_int_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), 0);
    assert_string_equal(receipt.gaining, port.gaining);
}

/* The public key of RFC 8037 appendix A.2. */
static void rfc_key_get(uint8_t key[RECEIPT_KEY_LEN])
{
    struct slice x = SLICE("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_int_equal(base64_decode(x, key, RECEIPT_KEY_LEN), RECEIPT_KEY_LEN);
}

static void a_thumbprint_is_that_of_the_rfc(void **state)
{
    uint8_t key[RECEIPT_KEY_LEN];
    char thumbprint[RECEIPT_HASH_LEN + 1]; /* RFC 8037 appendix A.3 */
    (void)state;
    rfc_key_get(key);
    assert_int_equal(receipt_thumbprint(key, thumbprint), 0);
    assert_string_equal(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

static void the_signature_of_the_rfc_is_believed(void **state)
{
    char jws[] = "eyJhbGciOiJFZERTQSJ9." /* RFC 8037 appendix A.4 */
                 "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_Mu"
                 "M0KAg";
    uint8_t key[RECEIPT_KEY_LEN];
    char why[RECEIPT_WHY_MAX];
    (void)state;
    rfc_key_get(key);
    assert_int_equal(receipt_signature_verify(slice_of(jws), key, why), 0);
    jws[22]++; /* of the payload */
    assert_int_equal(receipt_signature_verify(slice_of(jws), key, why), STATUS_UNPROVEN);
}

/* ---- what is not ---- */

static void the_forger_of_these_tests_is_able(void **state)
{
    const struct receipt_world *world = *state;
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    struct receipt receipt;
    forge(world, header_of(world, header), payload_of(world, "", payload), jws);
    assert_int_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), 0);
}

static void every_changed_character_is_noticed(void **state)
{
    const struct receipt_world *world = *state;
    struct store_port port = receipt_port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    for (size_t i = 0; jws[i]; i++) {
        char was = jws[i];
        jws[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), 0);
        jws[i] = was;
    }
}

static void other_algorithms_are_refused(void **state)
{
    const struct receipt_world *world = *state;
    static const char *const algs[] = {"none", "HS256", "ES256", "Ed448", "eddsa", ""};
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX];
    payload_of(world, "", payload);
    for (size_t i = 0; i < COUNT_OF(algs); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"port-receipt\"}",
                 algs[i], world->kid);
        forge(world, header, payload, jws);
        expect_refused(world, jws, STATUS_MALFORMED, "only EdDSA is believed");
    }
}

/* The public key as the secret of an HMAC: what a verifier that believes `alg` falls for. */
static void a_public_key_is_no_secret(void **state)
{
    const struct receipt_world *world = *state;
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX];
    uint8_t mac[64] = {0};
    unsigned mac_len = 0;
    snprintf(header, sizeof(header), "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"port-receipt\"}",
             world->kid);
    forge(world, header, payload_of(world, "", payload), jws);
    char *end = strrchr(jws, '.');
    HMAC(EVP_sha256(), world->key, sizeof(world->key), (const uint8_t *)jws, (size_t)(end - jws),
         mac, &mac_len);
    base64_encode(mac, mac_len, end + 1);
    expect_refused(world, jws, STATUS_MALFORMED, "only EdDSA is believed");
    end[1] = '\0'; /* and no signature at all */
    expect_refused(world, jws, STATUS_MALFORMED, "only EdDSA is believed");
}

static void a_missing_signature_is_refused(void **state)
{
    const struct receipt_world *world = *state;
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX];
    forge(world, header_of(world, header), payload_of(world, "", payload), jws);
    strrchr(jws, '.')[1] = '\0';
    expect_refused(world, jws, STATUS_MALFORMED, "its signature is not of 64 octets");
}

static void another_form_is_refused(void **state)
{
    const struct receipt_world *world = *state;
    static const struct {
        const char *more, *words;
    } table[] = {
        {",\"port\":\"ffeeddccbbaa99887766554433221100\"", "duplicate object key"},
        {",\"decision\":\"rejected\"", "duplicate object key"},
        {",\"note\":\"x\"", "note"},
        {"} {", "end of file expected"},
    };
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX];
    header_of(world, header);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        forge(world, header, payload_of(world, table[i].more, payload), jws);
        expect_refused(world, jws, STATUS_MALFORMED, table[i].words);
    }
    snprintf(header, sizeof(header),
             "{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"port-receipt\"}",
             world->kid);
    forge(world, header, payload_of(world, "", payload), jws);
    expect_refused(world, jws, STATUS_MALFORMED, "duplicate object key");
    snprintf(header, sizeof(header),
             "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"port-receipt\",\"crit\":[]}", world->kid);
    forge(world, header, payload_of(world, "", payload), jws);
    expect_refused(world, jws, STATUS_MALFORMED, "crit");
    snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
             world->kid);
    forge(world, header, payload_of(world, "", payload), jws);
    expect_refused(world, jws, STATUS_MALFORMED, "typ");
}

/* Replaces `from` in the good payload. */
static void expect_member_refused(const struct receipt_world *world, const char *from,
                                  const char *to, const char *words)
{
    char header[256], payload[RECEIPT_MAX], changed[RECEIPT_MAX], jws[2 * RECEIPT_MAX];
    payload_of(world, "", payload);
    const char *at = strstr(payload, from);
    assert_non_null(at);
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - payload), payload, to,
             at + strlen(from));
    forge(world, header_of(world, header), changed, jws);
    expect_refused(world, jws, STATUS_MALFORMED, words);
}

static void members_that_say_nothing_are_refused(void **state)
{
    const struct receipt_world *world = *state;
    expect_member_refused(world, "\"bob@opb.example\"", "\"Bob@opb.example\"", "address");
    expect_member_refused(world, "\"bob@opb.example\"", "\"bob@opx.example\"",
                          "the authority is not the domain of the address");
    expect_member_refused(world, "\"00112233445566778899aabbccddeeff\"", "\"0011\"", "port");
    expect_member_refused(world, "\"gaining\":\"opc.example\"", "\"gaining\":\"OPC.example\"",
                          "gaining");
    expect_member_refused(world, "\"code\"", "\"gift\"", "kind");
    expect_member_refused(world, "\"committed\"", "\"pending\"", "decision");
    expect_member_refused(world, "\"reason\":null", "\"reason\":\"whim\"", "reason");
    expect_member_refused(world, "2026-11-25T12:00:00Z", "yesterday", "time");
    expect_member_refused(world, ":7", ":-7", "commit_order");
    expect_member_refused(world, ":7", ":7.5", "commit_order");
    expect_member_refused(world, "\"reason\":null,", "", "reason");
    expect_member_refused(world, "{\"kid\":\"", "{\"kid\":\"x", "different keys");
}

static void other_texts_of_the_same_bytes_are_refused(void **state)
{
    const struct receipt_world *world = *state;
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX], longer[3 * RECEIPT_MAX];
    forge(world, header_of(world, header), payload_of(world, "", payload), jws);
    snprintf(longer, sizeof(longer), "%s=", jws);
    expect_refused(world, longer, STATUS_MALFORMED, "its signature is not");
    const char *dot = strchr(jws, '.');
    snprintf(longer, sizeof(longer), "%.*s=%s", (int)(dot - jws), jws, dot);
    expect_refused(world, longer, STATUS_MALFORMED, "without padding");
    snprintf(longer, sizeof(longer), "%s.", jws);
    expect_refused(world, longer, STATUS_MALFORMED, "three parts");
    expect_refused(world, "", STATUS_MALFORMED, "three parts");
    expect_refused(world, "..", STATUS_MALFORMED, "header");
}

static void what_is_huge_or_deep_is_refused(void **state)
{
    const struct receipt_world *world = *state;
    static char huge[1 << 20], deep[1001];
    char header[256], jws[2 * RECEIPT_MAX];
    memset(huge, 'A', sizeof(huge) - 1);
    expect_refused(world, huge, STATUS_MALFORMED, "more than 2047 characters");
    memset(deep, '[', sizeof(deep) - 1);
    forge(world, header_of(world, header), deep, jws);
    expect_refused(world, jws, STATUS_MALFORMED, "payload");
}

static void another_key_does_not_fit(void **state)
{
    const struct receipt_world *world = *state;
    struct store_port port = receipt_port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    uint8_t other[RECEIPT_KEY_LEN];
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_int_equal(receipt_key_get(world->keys, "opx.example", other), 0);
    assert_int_equal(receipt_verify(slice_of(jws), other, &receipt, why), STATUS_UNPROVEN);
    assert_non_null(strstr(why, "it names key"));
    /* A signature of another one's, under this key's name. */
    struct receipt_world liar = *world;
    char header[256], payload[RECEIPT_MAX], forged[2 * RECEIPT_MAX];
    liar.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    forge(&liar, header_of(world, header), payload_of(world, "", payload), forged);
    EVP_PKEY_free(liar.pkey);
    expect_refused(world, forged, STATUS_UNPROVEN, "its signature does not fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECEIPT_WORLD_TEST(what_is_made_is_believed_with_its_key),
        RECEIPT_WORLD_TEST(a_rejection_keeps_its_reason),
        RECEIPT_WORLD_TEST(what_is_not_decided_has_no_receipt),
        RECEIPT_WORLD_TEST(the_longest_names_fit),
        cmocka_unit_test(a_thumbprint_is_that_of_the_rfc),
        cmocka_unit_test(the_signature_of_the_rfc_is_believed),
        RECEIPT_WORLD_TEST(the_forger_of_these_tests_is_able),
        RECEIPT_WORLD_TEST(every_changed_character_is_noticed),
        RECEIPT_WORLD_TEST(other_algorithms_are_refused),
        RECEIPT_WORLD_TEST(a_public_key_is_no_secret),
        RECEIPT_WORLD_TEST(a_missing_signature_is_refused),
        RECEIPT_WORLD_TEST(another_form_is_refused),
        RECEIPT_WORLD_TEST(members_that_say_nothing_are_refused),
        RECEIPT_WORLD_TEST(other_texts_of_the_same_bytes_are_refused),
        RECEIPT_WORLD_TEST(what_is_huge_or_deep_is_refused),
        RECEIPT_WORLD_TEST(another_key_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
