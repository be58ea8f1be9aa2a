#include "tests/store/old_store.h"

#include "tests/test.h"

#include <string.h>

#define MAP_SIZE ((size_t)64 << 20)

/* ---- octets ---- */

struct octets {
    uint8_t p[4096];
    size_t len;
};

static void add_integer(struct octets *octets, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        octets->p[octets->len++] = (uint8_t)(value >> (8 * (count - 1 - i)));
}

static void add_bytes(struct octets *octets, const void *bytes, size_t len)
{
    memcpy(octets->p + octets->len, bytes, len);
    octets->len += len;
}

/* Two octets of length in front. */
static void add_string(struct octets *octets, const char *string)
{
    add_integer(octets, strlen(string), 2);
    add_bytes(octets, string, strlen(string));
}

static void put(struct old_store *old, const char *table, const struct octets *key,
                const struct octets *value)
{
    old_raw_put(old, table, key->p, key->len, value->p, value->len);
}

void old_raw_put(struct old_store *old, const char *table, const void *key, size_t key_len,
                 const void *value, size_t value_len)
{
    MDB_val k = {key_len, (void *)key}, v = {value_len, (void *)value};
    MDB_dbi dbi;
    assert_int_equal(mdb_dbi_open(old->txn, table, 0, &dbi), 0);
    assert_int_equal(mdb_put(old->txn, dbi, &k, &v, 0), 0);
}

/* ---- begin and end ---- */

void old_store_begin(struct old_store *old, const char *path)
{
    static const char *const tables[] = {"meta",    "domains",  "addresses",    "guests",
                                         "journal", "verdicts", "verdict_ages", "token_keys"};
    MDB_dbi dbi;
    *old = (struct old_store){.sequence = 0};
    assert_int_equal(mdb_env_create(&old->env), 0);
    assert_int_equal(mdb_env_set_maxdbs(old->env, COUNT_OF(tables)), 0);
    assert_int_equal(mdb_env_set_mapsize(old->env, MAP_SIZE), 0);
    assert_int_equal(mdb_env_open(old->env, path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(old->env, NULL, 0, &old->txn), 0);
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        assert_int_equal(mdb_dbi_open(old->txn, tables[i], MDB_CREATE, &dbi), 0);
}

void old_store_end(struct old_store *old, uint64_t time_ms)
{
    struct octets schema = {.len = 0}, position = {.len = 0};
    add_integer(&schema, 1, 4);
    add_integer(&position, old->sequence, 8);
    add_integer(&position, time_ms, 8);
    old_raw_put(old, "meta", "schema", 6, schema.p, schema.len);
    old_raw_put(old, "meta", "position", 8, position.p, position.len);
    assert_int_equal(mdb_txn_commit(old->txn), 0);
    mdb_env_close(old->env);
}

/* ---- records ---- */

/* By the numbers of the operations of that time. */
enum { DOMAIN_ADD, DOMAIN_PUT, DOMAIN_DEL, ADDRESS_ADD, ADDRESS_DEL, KEY_ADD };

static void journal_add(struct old_store *old, uint8_t op, const char *key, const char *before,
                        const char *after)
{
    struct octets name = {.len = 0}, entry = {.len = 0};
    old->sequence++;
    add_integer(&name, old->sequence, 8);
    add_integer(&entry, 1, 1);
    add_integer(&entry, old->sequence * 1000, 8);
    add_integer(&entry, op, 1);
    add_string(&entry, "admin");
    add_string(&entry, key);
    add_string(&entry, before);
    add_string(&entry, after);
    put(old, "journal", &name, &entry);
}

void old_domain_add(struct old_store *old, const char *name, const char *core)
{
    struct octets record = {.len = 0};
    journal_add(old, DOMAIN_ADD, name, "", "unknown=core core=192.0.2.1:5060;transport=1");
    add_integer(&record, 1, 1);
    add_integer(&record, old->sequence, 8);
    add_integer(&record, 1, 1); /* ask the core */
    add_integer(&record, 1, 1); /* one next hop */
    add_string(&record, core);
    add_integer(&record, 5060, 2);
    add_integer(&record, 1, 1);
    old_raw_put(old, "domains", name, strlen(name), record.p, record.len);
}

static void address_key(struct octets *key, const char *user, const char *domain)
{
    add_bytes(key, domain, strlen(domain) + 1);
    add_bytes(key, user, strlen(user));
}

void old_address_add(struct old_store *old, const char *user, const char *domain, uint8_t state,
                     const char *hosting, const char *display)
{
    char name[400];
    struct octets key = {.len = 0}, record = {.len = 0};
    snprintf(name, sizeof(name), "%s@%s", user, domain);
    journal_add(old, ADDRESS_ADD, name, "", "state=hosted hosting=opa.example display=secret");
    address_key(&key, user, domain);
    add_integer(&record, 1, 1);
    add_integer(&record, state, 1);
    add_string(&record, hosting);
    add_integer(&record, old->sequence, 8);
    add_integer(&record, old->sequence * 1000, 8);
    add_string(&record, display);
    put(old, "addresses", &key, &record);
}

void old_address_passed(struct old_store *old, const char *user, const char *domain)
{
    char name[400];
    snprintf(name, sizeof(name), "%s@%s", user, domain);
    journal_add(old, ADDRESS_ADD, name, "", "state=hosted");
    journal_add(old, ADDRESS_DEL, name, "state=hosted", "");
}

void old_key_add(struct old_store *old, uint32_t id, uint8_t octet, uint64_t retired_ms)
{
    struct octets key = {.len = 0}, record = {.len = 0};
    uint8_t secret[32];
    char name[32];
    memset(secret, octet, sizeof(secret));
    snprintf(name, sizeof(name), "token key %u", (unsigned)id);
    journal_add(old, KEY_ADD, name, "", "");
    add_integer(&key, id, 4);
    add_integer(&record, 1, 1);
    add_bytes(&record, secret, sizeof(secret));
    add_integer(&record, old->sequence * 1000, 8);
    add_integer(&record, retired_ms, 8);
    put(old, "token_keys", &key, &record);
}

void old_verdict_add(struct old_store *old)
{
    struct octets id = {.len = 0}, age = {.len = 0}, verdict = {.len = 0};
    uint8_t octets[32];
    memset(octets, 5, sizeof(octets));
    add_bytes(&id, octets, sizeof(octets));
    add_integer(&age, 1000, 8);
    add_bytes(&age, octets, sizeof(octets));
    add_integer(&verdict, 1, 1);
    add_integer(&verdict, 0, 4);
    add_integer(&verdict, 1, 8);
    put(old, "verdicts", &id, &verdict);
    old_raw_put(old, "verdict_ages", age.p, age.len, "", 0);
}

void old_guests_put(struct old_store *old, const char *hosting, uint64_t count)
{
    struct octets value = {.len = 0};
    add_integer(&value, count, 8);
    old_raw_put(old, "guests", hosting, strlen(hosting), value.p, value.len);
}
