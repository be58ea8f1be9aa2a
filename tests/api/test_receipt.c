/* Receipts of ports: what is made is believed, and nothing else. */
#include "api/receipt.h"

#include "base/status.h"
#include "tests/test.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"port-receipt\"}"
#define PAYLOAD                                                                                      \
    "{\"kid\":\"%s\",\"port\":\"00112233445566778899aabbccddeeff\",\"address\":\"bob@opb.example\"," \
    "\"losing\":\"opb.example\",\"gaining\":\"opc.example\",\"authority\":\"opb.example\","          \
    "\"kind\":\"code\",\"decision\":\"committed\",\"reason\":null,"                                  \
    "\"time\":\"2026-11-25T12:00:00Z\",\"commit_order\":7%s}"

/* A directory of keys, and one key whose private half the test knows. */
struct world {
    char dir[256];
    struct receipt_keys *keys;
    EVP_PKEY *pkey;
    uint8_t key[RECEIPT_KEY_LEN];
    char kid[RECEIPT_KID_LEN + 1];
};

static void file_name(const struct world *world, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", world->dir, name);
}

static void key_write(const struct world *world, const char *name, EVP_PKEY *pkey)
{
    char path[512];
    file_name(world, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char why[RECEIPT_WHY_MAX], thumbprint[RECEIPT_HASH_LEN + 1];
    size_t len = sizeof(world->key);
    test_folder_make(world->dir, sizeof(world->dir));
    world->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    key_write(world, "opb.example.pem", world->pkey);
    assert_int_equal(receipt_keys_open(world->dir, &world->keys, why), 0);
    assert_int_equal(EVP_PKEY_get_raw_public_key(world->pkey, world->key, &len), 1);
    assert_int_equal(receipt_thumbprint(world->key, thumbprint), 0);
    snprintf(world->kid, sizeof(world->kid), "%.*s", RECEIPT_KID_LEN, thumbprint);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    receipt_keys_close(world->keys);
    EVP_PKEY_free(world->pkey);
    free(world);
    return 0;
}

static struct store_port port_of(enum store_port_state state)
{
    struct store_port port = {.role = STORE_PORT_AUTHORITY,
                              .id = "00112233445566778899aabbccddeeff",
                              .kind = STORE_PORT_CODE,
                              .state = state,
                              .address = {.user = "bob", .domain = "opb.example"},
                              .gaining = "opc.example",
                              .losing = "opb.example",
                              .commit_order = 7};
    return port;
}

/* HEADER.PAYLOAD.SIGNATURE of these bytes, signed with the world's key. */
static const char *forge(const struct world *world, const char *header, const char *payload,
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

static const char *header_of(const struct world *world, char header[256])
{
    snprintf(header, 256, HEADER, world->kid);
    return header;
}

static const char *payload_of(const struct world *world, const char *more,
                              char payload[RECEIPT_MAX])
{
    snprintf(payload, RECEIPT_MAX, PAYLOAD, world->kid, more);
    return payload;
}

static void expect_refused(const struct world *world, const char *jws, int status,
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
    const struct world *world = *state;
    struct store_port port = port_of(STORE_PORT_COMMITTED);
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
    const struct world *world = *state;
    struct store_port port = port_of(STORE_PORT_REJECTED);
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
    const struct world *world = *state;
    struct store_port port = port_of(STORE_PORT_PENDING);
    char jws[RECEIPT_MAX];
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), STATUS_STATE);
}

static void the_longest_names_fit(void **state)
{
    const struct world *world = *state;
    struct store_port port = port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    memset(port.address.user, 'u', STORE_USER_MAX);
    for (size_t i = 0; i < STORE_DOMAIN_MAX; i++)
        port.gaining[i] = port.losing[i] = i % 32 == 31 ? '.' : 'd';
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_int_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), 0);
    assert_string_equal(receipt.gaining, port.gaining);
}

static void a_thumbprint_is_that_of_the_rfc(void **state)
{
    uint8_t key[RECEIPT_KEY_LEN]; /* RFC 8037 appendix A.2 and A.3 */
    char thumbprint[RECEIPT_HASH_LEN + 1];
    (void)state;
    assert_int_equal(
        base64_decode(SLICE("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), key, sizeof(key)),
        RECEIPT_KEY_LEN);
    assert_int_equal(receipt_thumbprint(key, thumbprint), 0);
    assert_string_equal(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/* ---- what is not ---- */

static void the_forger_of_these_tests_is_able(void **state)
{
    const struct world *world = *state;
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    struct receipt receipt;
    forge(world, header_of(world, header), payload_of(world, "", payload), jws);
    assert_int_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), 0);
}

static void every_changed_character_is_noticed(void **state)
{
    const struct world *world = *state;
    struct store_port port = port_of(STORE_PORT_COMMITTED);
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
    const struct world *world = *state;
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
    const struct world *world = *state;
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
    const struct world *world = *state;
    char header[256], payload[RECEIPT_MAX], jws[2 * RECEIPT_MAX];
    forge(world, header_of(world, header), payload_of(world, "", payload), jws);
    strrchr(jws, '.')[1] = '\0';
    expect_refused(world, jws, STATUS_MALFORMED, "its signature is not of 64 octets");
}

static void another_form_is_refused(void **state)
{
    const struct world *world = *state;
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
static void expect_member_refused(const struct world *world, const char *from, const char *to,
                                  const char *words)
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
    const struct world *world = *state;
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
    const struct world *world = *state;
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
    const struct world *world = *state;
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
    const struct world *world = *state;
    struct store_port port = port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    uint8_t other[RECEIPT_KEY_LEN];
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_int_equal(receipt_key_get(world->keys, "opx.example", other), 0);
    assert_int_equal(receipt_verify(slice_of(jws), other, &receipt, why), STATUS_UNPROVEN);
    assert_non_null(strstr(why, "it names key"));
    /* A signature of another one's, under this key's name. */
    struct world liar = *world;
    char header[256], payload[RECEIPT_MAX], forged[2 * RECEIPT_MAX];
    liar.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    forge(&liar, header_of(world, header), payload_of(world, "", payload), forged);
    EVP_PKEY_free(liar.pkey);
    expect_refused(world, forged, STATUS_UNPROVEN, "its signature does not fit");
}

/* ---- keys ---- */

static void a_key_is_made_once_and_for_nobody_else(void **state)
{
    const struct world *world = *state;
    struct receipt_keys *again;
    struct stat stat_of;
    uint8_t key[RECEIPT_KEY_LEN], later[RECEIPT_KEY_LEN];
    char path[512], why[RECEIPT_WHY_MAX];
    assert_int_equal(receipt_key_get(world->keys, "opn.example", key), 0);
    file_name(world, "opn.example.pem", path);
    assert_int_equal(stat(path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
    assert_int_equal(receipt_keys_open(world->dir, &again, why), 0);
    assert_int_equal(receipt_key_get(again, "opn.example", later), 0);
    receipt_keys_close(again);
    assert_memory_equal(key, later, sizeof(key));
    assert_memory_not_equal(key, world->key, sizeof(key));
}

static void a_rotated_key_still_verifies_old_receipts(void **state)
{
    const struct world *world = *state;
    struct store_port port = port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    uint8_t key[RECEIPT_KEY_LEN];
    char old[RECEIPT_MAX], jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX], from[512], to[512];
    char text[RECEIPT_TXT_MAX];
    EVP_PKEY *next = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, old), 0);
    key_write(world, "opb.example+next.pem", next);
    EVP_PKEY_free(next);
    assert_int_equal(receipt_keys_reload(world->keys, why), 0);
    /* Published, and not signed with yet. */
    assert_true(receipt_key_txt("opb.example", 0, text, sizeof(text), world->keys));
    assert_non_null(strstr(text, world->kid));
    assert_true(receipt_key_txt("opb.example", 1, text, sizeof(text), world->keys));
    assert_null(strstr(text, world->kid));
    assert_false(receipt_key_txt("opb.example", 2, text, sizeof(text), world->keys));
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_string_equal(jws, old);

    file_name(world, "opb.example.pem", from);
    file_name(world, "opb.example+2026.pem", to);
    assert_int_equal(rename(from, to), 0);
    file_name(world, "opb.example+next.pem", to);
    assert_int_equal(rename(to, from), 0);
    assert_int_equal(receipt_keys_reload(world->keys, why), 0);
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_int_equal(receipt_verify(slice_of(jws), world->key, &receipt, why), STATUS_UNPROVEN);
    json_t *jwks = receipt_keys_encode(world->keys);
    assert_int_equal(receipt_read(slice_of(old), &receipt, why), 0);
    assert_int_equal(receipt_jwks_find(jwks, "opb.example", receipt.kid, key, why), 0);
    assert_int_equal(receipt_verify(slice_of(old), key, &receipt, why), 0);
    assert_int_equal(receipt_jwks_find(jwks, "opb.example", NULL, key, why), 0);
    assert_int_equal(receipt_verify(slice_of(jws), key, &receipt, why), 0);
    json_decref(jwks);
}

/* What a port that began with the world's key is certified with. */
static const char *kid_of(const struct world *world, char kid[RECEIPT_KID_LEN + 1])
{
    struct store_port port = port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    char jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX];
    memcpy(port.key_seen, world->key, sizeof(port.key_seen));
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, jws), 0);
    assert_int_equal(receipt_read(slice_of(jws), &receipt, why), 0);
    memcpy(kid, receipt.kid, sizeof(receipt.kid));
    return kid;
}

static void a_port_keeps_the_key_it_began_with(void **state)
{
    const struct world *world = *state;
    uint8_t key[RECEIPT_KEY_LEN];
    char why[RECEIPT_WHY_MAX], kid[RECEIPT_KID_LEN + 1], name[64], path[512];
    assert_int_equal(receipt_key_rotate(world->keys, "opb.example", why), 0);
    assert_int_equal(receipt_key_get(world->keys, "opb.example", key), 0);
    assert_memory_not_equal(key, world->key, sizeof(key));
    assert_string_equal(kid_of(world, kid), world->kid);
    assert_int_equal(receipt_key_rotate(world->keys, "opb.example", why), 0);
    assert_string_equal(kid_of(world, kid), world->kid);

    /* Who takes its private half away has all that comes signed with the present one. */
    snprintf(name, sizeof(name), "opb.example+%s.pem", world->kid);
    file_name(world, name, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(receipt_keys_reload(world->keys, why), 0);
    assert_string_not_equal(kid_of(world, kid), world->kid);
}

static void rotation_takes_the_key_that_was_published_beforehand(void **state)
{
    const struct world *world = *state;
    uint8_t wanted[RECEIPT_KEY_LEN], key[RECEIPT_KEY_LEN];
    size_t len = sizeof(wanted);
    char why[RECEIPT_WHY_MAX], path[512];
    EVP_PKEY *next = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY_get_raw_public_key(next, wanted, &len);
    key_write(world, "opb.example+next.pem", next);
    EVP_PKEY_free(next);
    assert_int_equal(receipt_key_rotate(world->keys, "opb.example", why), 0);
    assert_int_equal(receipt_key_get(world->keys, "opb.example", key), 0);
    assert_memory_equal(key, wanted, sizeof(key));
    file_name(world, "opb.example+next.pem", path);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_file_that_is_no_such_key_leaves_everything_as_it_was(void **state)
{
    const struct world *world = *state;
    uint8_t key[RECEIPT_KEY_LEN];
    char why[RECEIPT_WHY_MAX], path[512];
    EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    key_write(world, "opq.example.pem", curve);
    EVP_PKEY_free(curve);
    assert_int_equal(receipt_keys_reload(world->keys, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "opq.example.pem: is not of Ed25519"));
    assert_int_equal(receipt_key_get(world->keys, "opb.example", key), 0);
    assert_memory_equal(key, world->key, sizeof(key));
    file_name(world, "opq.example.pem", path);
    FILE *file = fopen(path, "w");
    fputs("no key\n", file);
    fclose(file);
    assert_int_equal(receipt_keys_reload(world->keys, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "is no private key in PEM"));
}

static void keys_of_others_are_looked_at_closely(void **state)
{
    (void)state;
    static const struct {
        const char *jwks;
        int status;
    } table[] = {
        {"{}", STATUS_MALFORMED},
        {"{\"keys\":{}}", STATUS_MALFORMED},
        {"{\"keys\":[]}", STATUS_NOTFOUND},
        {"{\"keys\":[1, null, \"x\", {\"domain\": 1}]}", STATUS_NOTFOUND},
        {"{\"keys\":[{\"domain\":\"opb.example\",\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
         STATUS_MALFORMED},
        {"{\"keys\":[{\"domain\":\"opb.example\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}]}",
         STATUS_MALFORMED},
        {"{\"keys\":[{\"domain\":\"opx.example\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
         "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
         STATUS_NOTFOUND},
    };
    uint8_t key[RECEIPT_KEY_LEN];
    char why[RECEIPT_WHY_MAX];
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        json_t *jwks = json_loads(table[i].jwks, 0, NULL);
        assert_non_null(jwks);
        assert_int_equal(receipt_jwks_find(jwks, "opb.example", NULL, key, why), table[i].status);
        json_decref(jwks);
    }
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(what_is_made_is_believed_with_its_key),
        WORLD_TEST(a_rejection_keeps_its_reason),
        WORLD_TEST(what_is_not_decided_has_no_receipt),
        WORLD_TEST(the_longest_names_fit),
        cmocka_unit_test(a_thumbprint_is_that_of_the_rfc),
        WORLD_TEST(the_forger_of_these_tests_is_able),
        WORLD_TEST(every_changed_character_is_noticed),
        WORLD_TEST(other_algorithms_are_refused),
        WORLD_TEST(a_public_key_is_no_secret),
        WORLD_TEST(a_missing_signature_is_refused),
        WORLD_TEST(another_form_is_refused),
        WORLD_TEST(members_that_say_nothing_are_refused),
        WORLD_TEST(other_texts_of_the_same_bytes_are_refused),
        WORLD_TEST(what_is_huge_or_deep_is_refused),
        WORLD_TEST(another_key_does_not_fit),
        WORLD_TEST(a_key_is_made_once_and_for_nobody_else),
        WORLD_TEST(a_rotated_key_still_verifies_old_receipts),
        WORLD_TEST(a_port_keeps_the_key_it_began_with),
        WORLD_TEST(rotation_takes_the_key_that_was_published_beforehand),
        WORLD_TEST(a_file_that_is_no_such_key_leaves_everything_as_it_was),
        cmocka_unit_test(keys_of_others_are_looked_at_closely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
