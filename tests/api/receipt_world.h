/* A folder of receipt keys, for tests. */
#ifndef JUNCTOR_TESTS_API_RECEIPT_WORLD_H
#define JUNCTOR_TESTS_API_RECEIPT_WORLD_H

#include "api/receipt.h"

#include <openssl/evp.h>

/* A directory of keys, and one key whose private half the test knows. */
struct receipt_world {
    char dir[256];
    struct receipt_keys *keys;
    EVP_PKEY *pkey;
    uint8_t key[RECEIPT_KEY_LEN];
    char kid[RECEIPT_KID_LEN + 1];
};

/* Set-up and tear-down of cmocka: *state is the world, with the key in opb.example.pem. */
int receipt_world_open(void **state);
int receipt_world_close(void **state);

#define RECEIPT_WORLD_TEST(name)                                                                   \
    cmocka_unit_test_setup_teardown(name, receipt_world_open, receipt_world_close)

/* The path of a file in the folder. */
void receipt_file_name(const struct receipt_world *world, const char *name, char path[512]);
/* Writes a private key there. */
void receipt_key_write(const struct receipt_world *world, const char *name, EVP_PKEY *pkey);

/* The authority's side of a port of bob@opb.example. */
struct store_port receipt_port_of(enum store_port_state state);

#endif
