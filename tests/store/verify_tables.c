#include "tests/store/verify.h"

#include "base/status.h"
#include "tests/store/shelf.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX   512
#define VALUE_MAX 512
#define HEX_MAX   64 /* octets of a key that are told */

/* ---- a table as it should be, built in memory ---- */

struct row {
    size_t key_len, value_len;
    char key[KEY_MAX], value[VALUE_MAX];
};

static int rows_order(const void *a, const void *b)
{
    const struct row *one = a, *other = b;
    size_t len = one->key_len < other->key_len ? one->key_len : other->key_len;
    int order = memcmp(one->key, other->key, len);
    if (order)
        return order;
    return one->key_len < other->key_len ? -1 : one->key_len > other->key_len;
}

static void row_add(struct row *row, const void *bytes, size_t len)
{
    memcpy(row->key + row->key_len, bytes, len);
    row->key_len += len;
}

static void row_add_number(struct row *row, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        row->key[row->key_len++] = (char)(number >> shift);
}

static void row_add_hash(struct row *row, const char *text)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
    row_add(row, digest, 16);
}

struct derived {
    struct shelf owners, links, guests, domain_numbers, deadlines, port_addresses, owed;
    struct store_reader *reader;
};

static void derived_init(struct derived *derived)
{
    shelf_init(&derived->owners, sizeof(struct row), rows_order);
    shelf_init(&derived->links, sizeof(struct row), rows_order);
    shelf_init(&derived->guests, sizeof(struct row), rows_order);
    shelf_init(&derived->domain_numbers, sizeof(struct row), rows_order);
    shelf_init(&derived->deadlines, sizeof(struct row), rows_order);
    shelf_init(&derived->port_addresses, sizeof(struct row), rows_order);
    shelf_init(&derived->owed, sizeof(struct row), rows_order);
}

static void derived_done(struct derived *derived)
{
    shelf_done(&derived->owners);
    shelf_done(&derived->links);
    shelf_done(&derived->guests);
    shelf_done(&derived->domain_numbers);
    shelf_done(&derived->deadlines);
    shelf_done(&derived->port_addresses);
    shelf_done(&derived->owed);
}

/* ---- what each record demands ---- */

static void link_derive(struct derived *derived, const struct store_address *target,
                        const char *from)
{
    char text[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
    struct row row = {.key_len = 0};
    snprintf(text, sizeof(text), "%s@%s", target->user, target->domain);
    row_add_hash(&row, text);
    row_add_hash(&row, from);
    row.value_len = strlen(from);
    memcpy(row.value, from, row.value_len);
    shelf_put(&derived->links, &row);
}

static bool record_is_guest(const struct store_record *record)
{
    return record->state == STORE_ADDRESS_PORTED_IN || record->state == STORE_ADDRESS_PREPARED;
}

static void guest_derive(struct derived *derived, const char *hosting, const struct row *name)
{
    struct row row = {.key_len = 0};
    row_add_hash(&row, hosting);
    row_add(&row, name->key, name->key_len);
    row.value_len = strlen(hosting);
    memcpy(row.value, hosting, row.value_len);
    shelf_put(&derived->guests, &row);
}

static void deadline_derive(struct derived *derived, uint64_t time_ms, char kind, const char *key,
                            size_t len)
{
    struct row row = {.key_len = 0};
    row_add_number(&row, time_ms);
    row_add(&row, &kind, 1);
    row_add(&row, key, len);
    shelf_put(&derived->deadlines, &row);
}

static bool address_derive(const struct store_record *record, void *arg)
{
    struct derived *derived = arg;
    struct row name = {.key_len = 0}, row = {.key_len = 0};
    row_add(&name, record->address.domain, strlen(record->address.domain) + 1);
    row_add(&name, record->address.user, strlen(record->address.user));
    if (record->owner[0]) {
        row_add(&row, record->owner, strlen(record->owner) + 1);
        row_add(&row, name.key, name.key_len);
        shelf_put(&derived->owners, &row);
    }
    if (record->state == STORE_ADDRESS_ALIAS) {
        char text[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
        snprintf(text, sizeof(text), "%s@%s", record->address.user, record->address.domain);
        link_derive(derived, &record->target, text);
    }
    if (record_is_guest(record))
        guest_derive(derived, record->hosting, &name);
    if (record->until_ms)
        deadline_derive(derived, record->until_ms, 'a', name.key, name.key_len);
    return true;
}

static void domain_number_derive(struct derived *derived, const char *domain, const char *digits)
{
    struct row row = {.key_len = 0};
    row_add(&row, domain, strlen(domain) + 1);
    row_add(&row, digits, strlen(digits));
    shelf_put(&derived->domain_numbers, &row);
}

static bool number_derive(const struct store_number *number, void *arg)
{
    char text[STORE_NUMBER_MAX + 2];
    struct derived *derived = arg;
    struct store_record record;
    snprintf(text, sizeof(text), "+%s", number->digits);
    link_derive(derived, &number->address, text);
    domain_number_derive(derived, number->address.domain, number->digits);
    if (store_address_get(derived->reader, &number->address, &record) == 0 &&
        record_is_guest(&record))
        domain_number_derive(derived, record.hosting, number->digits);
    return true;
}

static bool token_derive(const struct store_token *token, void *arg)
{
    if (token->until_ms)
        deadline_derive(arg, token->until_ms, 't', token->id, strlen(token->id));
    return true;
}

static bool port_derive(const struct store_port *port, void *arg)
{
    struct derived *derived = arg;
    struct row name = {.key_len = 0}, row = {.key_len = 0};
    char role = (char)port->role;
    row_add(&name, &role, 1);
    row_add(&name, port->id, strlen(port->id));
    row_add(&row, port->address.domain, strlen(port->address.domain) + 1);
    row_add(&row, port->address.user, strlen(port->address.user) + 1);
    row_add(&row, name.key, name.key_len);
    shelf_put(&derived->port_addresses, &row);
    if (port->owed)
        shelf_put(&derived->owed, &name);
    if (store_port_due_ms(port))
        deadline_derive(derived, store_port_due_ms(port), 'p', name.key, name.key_len);
    return true;
}

/* ---- side by side ---- */

struct compare {
    const char *name;
    const struct shelf *shelf;
    size_t next;
};

static int compare_row(struct slice key, struct slice value, void *arg)
{
    struct compare *compare = arg;
    const struct row *row =
        compare->next < compare->shelf->count ? shelf_at(compare->shelf, compare->next) : NULL;
    compare->next++;
    if (row && slice_eq(key, slice_make(row->key, row->key_len)) &&
        slice_eq(value, slice_make(row->value, row->value_len)))
        return 0;
    char hex[2 * HEX_MAX + 1] = "";
    for (size_t i = 0; i < key.len && i < HEX_MAX; i++)
        snprintf(hex + 2 * i, 3, "%02x", (uint8_t)key.p[i]);
    verify_fail("row %zu of %s, key %s", compare->next, compare->name, hex);
    return STATUS_CORRUPT;
}

static bool index_verify(const struct store_txn *txn, enum store_table table, const char *name,
                         const struct shelf *expected)
{
    struct compare compare = {.name = name, .shelf = expected};
    int ret = store_scan(txn, table, SLICE(""), compare_row, &compare);
    if (ret)
        return verify_fail("the table of %s: %s", name, status_text(ret));
    return compare.next == expected->count ||
           verify_fail("the table of %s lacks %zu rows", name, expected->count - compare.next);
}

static bool indexes_verify(struct store_reader *reader)
{
    struct derived derived = {.reader = reader};
    derived_init(&derived);
    int ret = store_address_list(reader, NULL, NULL, SIZE_MAX, address_derive, &derived);
    if (ret == 0)
        ret = store_number_list(reader, NULL, SIZE_MAX, number_derive, &derived);
    if (ret == 0)
        ret = store_token_list(reader, NULL, SIZE_MAX, token_derive, &derived);
    if (ret == 0)
        ret = store_port_list(reader, NULL, SIZE_MAX, port_derive, &derived);
    bool is_good = ret == 0 || verify_fail("a record: %s", status_text(ret));
    is_good = is_good && index_verify(&reader->txn, TABLE_OWNERS, "owners", &derived.owners) &&
              index_verify(&reader->txn, TABLE_LINKS, "links", &derived.links) &&
              index_verify(&reader->txn, TABLE_DOMAIN_NUMBERS, "numbers of domains",
                           &derived.domain_numbers) &&
              index_verify(&reader->txn, TABLE_GUESTS, "guests", &derived.guests) &&
              index_verify(&reader->txn, TABLE_DEADLINES, "deadlines", &derived.deadlines) &&
              index_verify(&reader->txn, TABLE_PORT_ADDRESSES, "ports of addresses",
                           &derived.port_addresses) &&
              index_verify(&reader->txn, TABLE_PORTS_OWED, "owed", &derived.owed);
    derived_done(&derived);
    return is_good;
}

/* ---- verdicts, journal, log, cursors ---- */

static int age_visit(struct slice key, struct slice value, void *arg)
{
    struct store_txn *txn = arg;
    struct slice verdict;
    return key.len == 8 + 32 && value.len == 0
               ? store_get(txn, TABLE_VERDICTS, slice_skip(key, 8), &verdict)
               : STATUS_CORRUPT;
}

/* Each age has its verdict; as there are as many of both, each verdict has its age. */
static bool verdicts_verify(struct store_txn *txn)
{
    uint64_t verdicts = 0, ages = 0;
    if (store_scan(txn, TABLE_VERDICT_AGES, SLICE(""), age_visit, txn) ||
        store_count(txn, TABLE_VERDICTS, &verdicts) ||
        store_count(txn, TABLE_VERDICT_AGES, &ages) || verdicts != ages)
        return verify_fail("%llu verdicts, %llu ages", (unsigned long long)verdicts,
                           (unsigned long long)ages);
    return true;
}

struct sequence_walk {
    uint64_t first, last;
    bool has_bad_cursor;
};

/* Numbers without gaps; first stays 0 where there are none. */
static int sequence_visit(struct slice key, struct slice value, void *arg)
{
    struct sequence_walk *walk = arg;
    uint64_t number = 0;
    (void)value;
    for (size_t i = 0; i < key.len; i++)
        number = number << 8 | (uint8_t)key.p[i];
    if (key.len != 8 || (walk->first && number != walk->last + 1))
        return STATUS_CORRUPT;
    if (walk->first == 0)
        walk->first = number;
    walk->last = number;
    return 0;
}

static bool cursor_verify(const struct store_cursor *cursor, void *arg)
{
    struct sequence_walk *journal = arg;
    if (cursor->sequence > journal->last)
        verify_fail("cursor %s is ahead of the journal", cursor->name);
    else if (cursor->sequence + 1 < journal->first && !cursor->lost)
        verify_fail("cursor %s is lost and does not know", cursor->name);
    else
        return true;
    journal->has_bad_cursor = true;
    return false;
}

static bool history_verify(struct store_reader *reader)
{
    struct sequence_walk journal = {0}, log = {0};
    struct store_position position;
    int ret = store_position_get(&reader->txn, &position);
    if (ret == 0)
        ret = store_scan(&reader->txn, TABLE_JOURNAL, SLICE(""), sequence_visit, &journal);
    if (ret == 0)
        ret = store_scan(&reader->txn, TABLE_LOG, SLICE(""), sequence_visit, &log);
    if (ret)
        return verify_fail("a gap in journal or log: %s", status_text(ret));
    if (journal.first == 0)
        journal = (struct sequence_walk){.first = position.sequence + 1, .last = position.sequence};
    if (journal.last != position.sequence || (log.first && log.last != position.index))
        return verify_fail("the position is %llu, %llu; the journal ends at %llu, the log at %llu",
                           (unsigned long long)position.sequence,
                           (unsigned long long)position.index, (unsigned long long)journal.last,
                           (unsigned long long)log.last);
    ret = store_cursor_list(reader, cursor_verify, &journal);
    return (ret == 0 && !journal.has_bad_cursor) || verify_fail("cursors: %s", status_text(ret));
}

bool verify_tables(const struct store *store)
{
    struct store_reader *reader;
    if (store_reader_alloc((struct store *)store, &reader))
        return verify_fail("no reader");
    bool is_good = store_reader_begin(reader) == 0 && indexes_verify(reader) &&
                   verdicts_verify(&reader->txn) && history_verify(reader);
    store_reader_free(reader);
    return is_good;
}

/* ---- replicas ---- */

static bool table_is_local(enum store_table table)
{
    return table == TABLE_META || table == TABLE_LOG || table == TABLE_CURSORS ||
           table == TABLE_USAGE;
}

static bool rows_same(MDB_cursor *one, MDB_cursor *other, enum store_table table)
{
    MDB_val keys[2], values[2];
    int rc = MDB_SUCCESS;
    for (size_t row = 0; rc == MDB_SUCCESS; row++) {
        rc = mdb_cursor_get(one, &keys[0], &values[0], MDB_NEXT);
        int rc_other = mdb_cursor_get(other, &keys[1], &values[1], MDB_NEXT);
        if (rc != rc_other)
            return verify_fail("table %d has more rows in one replica, from %zu on", table, row);
        if (rc == MDB_SUCCESS &&
            (keys[0].mv_size != keys[1].mv_size || values[0].mv_size != values[1].mv_size ||
             memcmp(keys[0].mv_data, keys[1].mv_data, keys[0].mv_size) != 0 ||
             memcmp(values[0].mv_data, values[1].mv_data, values[0].mv_size) != 0))
            return verify_fail("row %zu of table %d differs between replicas", row, table);
    }
    return rc == MDB_NOTFOUND || verify_fail("table %d: %s", table, mdb_strerror(rc));
}

static bool table_same(const struct store_txn *one, const struct store_txn *other,
                       enum store_table table)
{
    MDB_cursor *cursors[2];
    if (mdb_cursor_open(one->txn, one->store->tables[table], &cursors[0]) ||
        mdb_cursor_open(other->txn, other->store->tables[table], &cursors[1]))
        return verify_fail("no cursor");
    bool is_same = rows_same(cursors[0], cursors[1], table);
    mdb_cursor_close(cursors[0]);
    mdb_cursor_close(cursors[1]);
    return is_same;
}

bool verify_replicas(const struct store *one, const struct store *other)
{
    struct store_txn a, b;
    if (store_txn_begin(one, MDB_RDONLY, &a) || store_txn_begin(other, MDB_RDONLY, &b))
        return verify_fail("no snapshot");
    bool is_same = true;
    for (int table = 0; is_same && table < TABLE_COUNT; table++)
        is_same =
            table_is_local((enum store_table)table) || table_same(&a, &b, (enum store_table)table);
    store_txn_abort(&a);
    store_txn_abort(&b);
    return is_same;
}
