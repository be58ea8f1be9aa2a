/* A store of schema 1, written octet by octet as the program of that time did. */
#ifndef JUNCTOR_TESTS_STORE_OLD_STORE_H
#define JUNCTOR_TESTS_STORE_OLD_STORE_H

#include <lmdb.h>
#include <stdint.h>

struct old_store {
    MDB_env *env;
    MDB_txn *txn;
    uint64_t sequence;
};

/* Creates data.mdb in the folder, with all tables of schema 1, empty. */
void old_store_begin(struct old_store *old, const char *path);
/* Writes position and schema, and closes. */
void old_store_end(struct old_store *old, uint64_t time_ms);

/* Records as commands left them, each with its journal entry; time is 1000 times the sequence. */
void old_domain_add(struct old_store *old, const char *name, const char *core);
/* state 0: hosted, 1: ported out; hosting "": the address's own domain. */
void old_address_add(struct old_store *old, const char *user, const char *domain, uint8_t state,
                     const char *hosting, const char *display);
/* An address that came and went: two journal entries. */
void old_address_passed(struct old_store *old, const char *user, const char *domain);
void old_key_add(struct old_store *old, uint32_t id, uint8_t octet, uint64_t retired_ms);
void old_verdict_add(struct old_store *old);
/* What was counted of the addresses of foreign domains. */
void old_guests_put(struct old_store *old, const char *hosting, uint64_t count);
void old_raw_put(struct old_store *old, const char *table, const void *key, size_t key_len,
                 const void *value, size_t value_len);

#endif
