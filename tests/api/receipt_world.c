#include "tests/api/receipt_world.h"

#include "tests/test.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

void receipt_file_name(const struct receipt_world *world, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", world->dir, name);
}

void receipt_key_write(const struct receipt_world *world, const char *name, EVP_PKEY *pkey)
{
    char path[512];
    receipt_file_name(world, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

int receipt_world_open(void **state)
{
    struct receipt_world *world = calloc(1, sizeof(*world));
    char why[RECEIPT_WHY_MAX], thumbprint[RECEIPT_HASH_LEN + 1];
    size_t len = sizeof(world->key);
    test_folder_make(world->dir, sizeof(world->dir));
    world->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    receipt_key_write(world, "opb.example.pem", world->pkey);
    assert_int_equal(receipt_keys_open(world->dir, &world->keys, why), 0);
    assert_int_equal(EVP_PKEY_get_raw_public_key(world->pkey, world->key, &len), 1);
    assert_int_equal(receipt_thumbprint(world->key, thumbprint), 0);
    snprintf(world->kid, sizeof(world->kid), "%.*s", RECEIPT_KID_LEN, thumbprint);
    *state = world;
    return 0;
}

int receipt_world_close(void **state)
{
    struct receipt_world *world = *state;
    receipt_keys_close(world->keys);
    EVP_PKEY_free(world->pkey);
    free(world);
    return 0;
}

struct store_port receipt_port_of(enum store_port_state state)
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
