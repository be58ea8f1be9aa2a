/* Receipt keys: made, published, rotated, and found in what others publish. */
#include "tests/api/receipt_world.h"

#include "base/status.h"
#include "tests/test.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_key_is_made_once_and_for_nobody_else(void **state)
{
    const struct receipt_world *world = *state;
    struct receipt_keys *again;
    struct stat stat_of;
    uint8_t key[RECEIPT_KEY_LEN], later[RECEIPT_KEY_LEN];
    char path[512], why[RECEIPT_WHY_MAX];
    assert_int_equal(receipt_key_get(world->keys, "opn.example", key), 0);
    receipt_file_name(world, "opn.example.pem", path);
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
    const struct receipt_world *world = *state;
    struct store_port port = receipt_port_of(STORE_PORT_COMMITTED);
    struct receipt receipt;
    uint8_t key[RECEIPT_KEY_LEN];
    char old[RECEIPT_MAX], jws[RECEIPT_MAX], why[RECEIPT_WHY_MAX], from[512], to[512];
    char text[RECEIPT_TXT_MAX];
    EVP_PKEY *next = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_int_equal(receipt_make(world->keys, &port, 1790000000000, old), 0);
    receipt_key_write(world, "opb.example+next.pem", next);
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

    receipt_file_name(world, "opb.example.pem", from);
    receipt_file_name(world, "opb.example+2026.pem", to);
    assert_int_equal(rename(from, to), 0);
    receipt_file_name(world, "opb.example+next.pem", to);
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
static const char *kid_of(const struct receipt_world *world, char kid[RECEIPT_KID_LEN + 1])
{
    struct store_port port = receipt_port_of(STORE_PORT_COMMITTED);
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
    const struct receipt_world *world = *state;
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
    receipt_file_name(world, name, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(receipt_keys_reload(world->keys, why), 0);
    assert_string_not_equal(kid_of(world, kid), world->kid);
}

static void rotation_takes_the_key_that_was_published_beforehand(void **state)
{
    const struct receipt_world *world = *state;
    uint8_t wanted[RECEIPT_KEY_LEN], key[RECEIPT_KEY_LEN];
    size_t len = sizeof(wanted);
    char why[RECEIPT_WHY_MAX], path[512];
    EVP_PKEY *next = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY_get_raw_public_key(next, wanted, &len);
    receipt_key_write(world, "opb.example+next.pem", next);
    EVP_PKEY_free(next);
    assert_int_equal(receipt_key_rotate(world->keys, "opb.example", why), 0);
    assert_int_equal(receipt_key_get(world->keys, "opb.example", key), 0);
    assert_memory_equal(key, wanted, sizeof(key));
    receipt_file_name(world, "opb.example+next.pem", path);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* Nothing is refused later: the present key is where it was, and the folder is read anew. */
static void expect_unrotated(const struct receipt_world *world, const char *words)
{
    uint8_t key[RECEIPT_KEY_LEN];
    char why[RECEIPT_WHY_MAX] = "", next[512];
    struct receipt_keys *again;
    assert_int_equal(receipt_key_rotate(world->keys, "opb.example", why), STATUS_MALFORMED);
    if (!strstr(why, words))
        fail_msg("\"%s\", not \"%s\"", why, words);
    receipt_file_name(world, "opb.example+next.pem", next);
    assert_int_equal(unlink(next), 0);
    assert_int_equal(receipt_keys_open(world->dir, &again, why), 0);
    assert_int_equal(receipt_key_get(again, "opb.example", key), 0);
    assert_memory_equal(key, world->key, sizeof(key));
    assert_false(receipt_key_txt("opb.example", 1, why, sizeof(why), again));
    receipt_keys_close(again);
}

static void a_next_key_that_cannot_sign_changes_nothing(void **state)
{
    const struct receipt_world *world = *state;
    char path[512];
    EVP_PKEY *next = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    receipt_file_name(world, "opb.example+next.pem", path);
    FILE *file = fopen(path, "w");
    assert_int_equal(PEM_write_PUBKEY(file, next), 1);
    fclose(file);
    EVP_PKEY_free(next);
    expect_unrotated(world, "opb.example+next.pem: is no private key in PEM");

    EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    receipt_key_write(world, "opb.example+next.pem", curve);
    EVP_PKEY_free(curve);
    expect_unrotated(world, "opb.example+next.pem: is not of Ed25519");
}

static void a_folder_that_cannot_be_read_stays_as_it_is(void **state)
{
    const struct receipt_world *world = *state;
    char why[RECEIPT_WHY_MAX], stray[512], next[512];
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    receipt_key_write(world, "opb.example+next.pem", pkey);
    EVP_PKEY_free(pkey);
    receipt_file_name(world, "opq.example.pem", stray);
    FILE *file = fopen(stray, "w");
    fputs("no key\n", file);
    fclose(file);
    assert_int_equal(receipt_key_rotate(world->keys, "opb.example", why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "opq.example.pem"));
    receipt_file_name(world, "opb.example+next.pem", next);
    assert_int_equal(access(next, F_OK), 0);
}

static void a_file_that_is_no_such_key_leaves_everything_as_it_was(void **state)
{
    const struct receipt_world *world = *state;
    uint8_t key[RECEIPT_KEY_LEN];
    char why[RECEIPT_WHY_MAX], path[512];
    EVP_PKEY *curve = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    receipt_key_write(world, "opq.example.pem", curve);
    EVP_PKEY_free(curve);
    assert_int_equal(receipt_keys_reload(world->keys, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "opq.example.pem: is not of Ed25519"));
    assert_int_equal(receipt_key_get(world->keys, "opb.example", key), 0);
    assert_memory_equal(key, world->key, sizeof(key));
    receipt_file_name(world, "opq.example.pem", path);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECEIPT_WORLD_TEST(a_key_is_made_once_and_for_nobody_else),
        RECEIPT_WORLD_TEST(a_rotated_key_still_verifies_old_receipts),
        RECEIPT_WORLD_TEST(a_port_keeps_the_key_it_began_with),
        RECEIPT_WORLD_TEST(rotation_takes_the_key_that_was_published_beforehand),
        RECEIPT_WORLD_TEST(a_next_key_that_cannot_sign_changes_nothing),
        RECEIPT_WORLD_TEST(a_folder_that_cannot_be_read_stays_as_it_is),
        RECEIPT_WORLD_TEST(a_file_that_is_no_such_key_leaves_everything_as_it_was),
        cmocka_unit_test(keys_of_others_are_looked_at_closely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
