/* From schema 1 to 2. A copy of the file is kept beside; then one transaction writes every record
 * anew, read from a snapshot of what was there before it. */
#include "base/status.h"
#include "store/fault.h"
#include "store/file.h"
#include "store/internal.h"
#include "store/table_key.h"

#include <errno.h>
#include <stdio.h>

#define OLD_SCHEMA 1
#define OLD_FORM   1 /* of every record then */
#define COPY_NAME  "data.mdb.schema-1"
/* Holds the texts that the journal then kept. */
#define OLD_TEXT_MAX 3072

struct migration {
    const struct store_txn *from;
    const struct store_txn *to; /* NULL: only looks whether everything can be read */
    struct store_position position;
};

/* ---- the old forms: strings had two octets of length ---- */

static void old_string(struct store_unpack *unpack, char *dest, size_t size)
{
    size_t len = store_unpack_u16(unpack);
    if (unpack->failed || len >= size || len > unpack->left.len ||
        slice_to_cstr(slice_make(unpack->left.p, len), dest, size)) {
        unpack->failed = true;
        return;
    }
    unpack->left = slice_skip(unpack->left, len);
}

static int old_domain(struct slice key, struct slice value, struct store_domain *domain)
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, OLD_FORM);
    domain->version = store_unpack_u64(&unpack);
    unsigned unknown = store_unpack_u8(&unpack);
    domain->core_count = store_unpack_u8(&unpack);
    if (unknown > STORE_UNKNOWN_CORE || domain->core_count > STORE_CORES_MAX)
        return STATUS_CORRUPT;
    domain->unknown = (enum store_unknown_policy)unknown;
    for (unsigned i = 0; i < domain->core_count; i++) {
        old_string(&unpack, domain->cores[i].host, sizeof(domain->cores[i].host));
        domain->cores[i].port = store_unpack_u16(&unpack);
        domain->cores[i].transport = store_unpack_u8(&unpack);
    }
    int ret = store_unpack_done(&unpack);
    return ret ? ret : table_key_to_domain(key, domain->name);
}

/* Two states there were; an address ported in was a hosted one at a domain that is not its own. */
static int old_state(unsigned state, struct store_record *record)
{
    if (record->hosting[0] == '\0')
        memcpy(record->hosting, record->address.domain, sizeof(record->hosting));
    bool is_home = strcmp(record->hosting, record->address.domain) == 0;
    if (state == 0)
        record->state = is_home ? STORE_ADDRESS_HOSTED : STORE_ADDRESS_PORTED_IN;
    else if (state == 1)
        record->state = STORE_ADDRESS_PORTED_OUT;
    else
        return STATUS_CORRUPT;
    return 0;
}

static int old_record(struct slice key, struct slice value, struct store_record *record)
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, OLD_FORM);
    unsigned state = store_unpack_u8(&unpack);
    old_string(&unpack, record->hosting, sizeof(record->hosting));
    record->version = store_unpack_u64(&unpack);
    record->created_ms = store_unpack_u64(&unpack);
    old_string(&unpack, record->display, sizeof(record->display));
    int ret = store_unpack_done(&unpack);
    if (ret == 0)
        ret = table_key_to_address(key, &record->address);
    return ret ? ret : old_state(state, record);
}

/* What the journal kept of each change, by the numbers of the operations then. */
static const struct {
    enum store_op op;
    enum store_kind kind;
} old_ops[] = {
    {STORE_DOMAIN_ADD, STORE_KIND_DOMAIN},       {STORE_DOMAIN_PUT, STORE_KIND_DOMAIN},
    {STORE_DOMAIN_DEL, STORE_KIND_DOMAIN},       {STORE_ADDRESS_ADD, STORE_KIND_ADDRESS},
    {STORE_ADDRESS_RELEASE, STORE_KIND_ADDRESS}, {STORE_KEY_ADD, STORE_KIND_KEY},
};

struct old_entry {
    struct store_change change;
    char actor[STORE_ACTOR_MAX + 1];
    char text[STORE_JOURNAL_TEXT_MAX + 1];
};

static int old_entry(struct slice key, struct slice value, struct old_entry *entry)
{
    char values[OLD_TEXT_MAX];
    struct store_unpack unpack;
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, OLD_FORM);
    entry->change.time_ms = store_unpack_u64(&unpack);
    unsigned op = store_unpack_u8(&unpack);
    old_string(&unpack, entry->actor, sizeof(entry->actor));
    old_string(&unpack, entry->text, sizeof(entry->text));
    old_string(&unpack, values, sizeof(values)); /* before */
    old_string(&unpack, values, sizeof(values)); /* after */
    int ret = store_unpack_done(&unpack);
    if (ret || op >= sizeof(old_ops) / sizeof(old_ops[0]))
        return STATUS_CORRUPT;
    entry->change.op = old_ops[op].op;
    entry->change.kind = old_ops[op].kind;
    entry->change.actor = entry->actor;
    entry->change.text = entry->text;
    return table_key_to_u64(key, &entry->change.sequence);
}

static int old_position(const struct store_txn *txn, struct store_position *position)
{
    struct store_unpack unpack;
    struct slice value;
    *position = (struct store_position){0};
    int ret = store_get(txn, TABLE_META, SLICE("position"), &value);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    store_unpack_init(&unpack, value);
    position->sequence = store_unpack_u64(&unpack);
    position->time_ms = store_unpack_u64(&unpack);
    return store_unpack_done(&unpack);
}

/* ---- one record after the other ---- */

/* A domain did not say since when it is there: its last change is the nearest that is known. */
static int domain_date(const struct migration *migration, struct store_domain *domain)
{
    struct old_entry entry = {.text = ""};
    struct table_key key;
    struct slice value;
    table_key_u64(&key, domain->version);
    int ret = store_get(migration->from, TABLE_JOURNAL, table_key_bytes(&key), &value);
    if (ret == 0)
        ret = old_entry(table_key_bytes(&key), value, &entry);
    domain->created_ms = ret ? migration->position.time_ms : entry.change.time_ms;
    return ret == STATUS_NOTFOUND ? 0 : ret;
}

static int domain_visit(struct slice key, struct slice value, void *arg)
{
    const struct migration *migration = arg;
    struct store_domain domain = {.quarantine_days = STORE_QUARANTINE_DAYS};
    int ret = old_domain(key, value, &domain);
    if (ret == 0)
        ret = domain_date(migration, &domain);
    return ret || !migration->to ? ret : store_domain_write(migration->to, &domain);
}

static int record_visit(struct slice key, struct slice value, void *arg)
{
    const struct migration *migration = arg;
    struct store_record record = {.locked = false};
    int ret = old_record(key, value, &record);
    if (ret || !migration->to)
        return ret;
    ret = store_record_write(migration->to, &record);
    return ret ? ret : store_record_index(migration->to, &record);
}

/* The values were texts for people; what they told cannot be told in records. */
static int entry_visit(struct slice key, struct slice value, void *arg)
{
    const struct migration *migration = arg;
    struct old_entry entry = {.text = ""};
    uint32_t erased = 0;
    int ret = old_entry(key, value, &entry);
    if (ret || !migration->to)
        return ret;
    ret = store_journal_append(migration->to, &entry.change);
    return ret ? ret : store_journal_erase(migration->to, entry.change.sequence, 1, &erased);
}

static const struct {
    enum store_table table;
    const char *name;
    store_scan_h *visit; /* NULL: what is there is dropped */
} steps[] = {
    {TABLE_DOMAINS, "domains", domain_visit}, {TABLE_ADDRESSES, "addresses", record_visit},
    {TABLE_JOURNAL, "journal", entry_visit},  {TABLE_GUESTS, "guests", NULL}, /* listed anew */
    {TABLE_VERDICTS, "verdicts", NULL},       {TABLE_VERDICT_AGES, "verdict_ages", NULL},
};
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))

static int records_visit(struct migration *migration, struct store_fault *fault)
{
    int ret = old_position(migration->from, &migration->position);
    if (ret)
        return store_fault_set(fault, ret, "the store's position cannot be read: %s",
                               status_text(ret));
    for (size_t i = 0; i < STEP_COUNT; i++) {
        if (!steps[i].visit)
            continue;
        ret = store_scan(migration->from, steps[i].table, SLICE(""), steps[i].visit, migration);
        if (ret)
            return store_fault_set(fault, ret, "a record of the old table of %s: %s", steps[i].name,
                                   status_text(ret));
    }
    return 0;
}

/* The handles of the old tables (that of meta data is there), which outlive the transaction that
 * asks for them. */
static int old_tables_open(struct store *store)
{
    struct store_txn txn;
    int ret = store_txn_begin(store, MDB_RDONLY, &txn);
    if (ret)
        return ret;
    for (size_t i = 0; ret == 0 && i < STEP_COUNT; i++)
        ret = store_status_of(
            mdb_dbi_open(txn.txn, steps[i].name, 0, &store->tables[steps[i].table]));
    if (ret == 0)
        return store_txn_commit(&txn);
    store_txn_abort(&txn);
    return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
}

int store_migrate_check(struct store *store, uint32_t from, struct store_fault *fault)
{
    struct store_txn txn;
    if (from != OLD_SCHEMA)
        return store_fault_set(fault, STATUS_SCHEMA, "nobody knows schema version %u",
                               (unsigned)from);
    int ret = old_tables_open(store);
    if (ret == 0)
        ret = store_txn_begin(store, MDB_RDONLY, &txn);
    if (ret)
        return store_fault_set(fault, ret, "the store lacks one of its tables: it is damaged");
    struct migration migration = {.from = &txn};
    ret = records_visit(&migration, fault);
    store_txn_abort(&txn);
    return ret;
}

/* ---- the copy ---- */

static int position_read(struct store *store, struct store_position *position)
{
    struct store_txn txn;
    int ret = store_txn_begin(store, MDB_RDONLY, &txn);
    if (ret)
        return ret;
    ret = old_position(&txn, position);
    store_txn_abort(&txn);
    return ret;
}

/* Is the file a copy of this very store, whole? */
static bool copy_is_there(const char *file, const struct store_position *position)
{
    struct store copy;
    struct store_position copied;
    uint32_t schema;
    if (store_copy_open(&copy, file, MDB_RDONLY, 0, NULL))
        return false;
    int ret = store_schema_read(&copy, &schema, NULL);
    if (ret == 0)
        ret = position_read(&copy, &copied);
    bool is_same = ret == 0 && schema == OLD_SCHEMA && copied.sequence == position->sequence &&
                   copied.time_ms == position->time_ms &&
                   store_migrate_check(&copy, schema, NULL) == 0;
    store_copy_close(&copy);
    return is_same;
}

static int copy_make(struct store *store, const char *name, struct store_fault *fault)
{
    struct store_file file;
    int ret = store_file_begin_alone(&file, name, fault);
    if (ret)
        return ret;
    ret = store_copy_write(store->env, file.fd);
    if (ret == 0)
        return store_file_commit(&file, true, fault);
    store_file_abort(&file);
    return store_fault_set(fault, ret, "cannot write %.120s: %s", name, status_text(ret));
}

static int copy_keep(struct store *store, const struct store_conf *conf, struct store_fault *fault)
{
    char name[PATH_MAX];
    struct store_position position;
    int ret = store_file_path(name, conf->path, COPY_NAME, fault);
    if (ret)
        return ret;
    ret = position_read(store, &position);
    if (ret)
        return store_fault_set(fault, ret, "the store's position cannot be read: %s",
                               status_text(ret));
    return copy_is_there(name, &position) ? 0 : copy_make(store, name, fault);
}

/* ---- the transaction ---- */

static int tables_empty(const struct store_txn *to)
{
    int ret = 0;
    for (size_t i = 0; ret == 0 && i < STEP_COUNT; i++)
        ret = store_status_of(mdb_drop(to->txn, to->store->tables[steps[i].table], 0));
    return ret;
}

/* `migration` has both transactions. */
static int records_move(struct store *store, struct migration *migration, struct store_fault *fault)
{
    int ret = tables_empty(migration->to);
    if (ret == 0)
        ret = store_tables_open(store, migration->to->txn, MDB_CREATE);
    if (ret)
        return store_fault_set(fault, ret, "cannot make the new tables: %s", status_text(ret));
    ret = records_visit(migration, fault);
    if (ret)
        return ret;
    ret = store_position_put(migration->to, &migration->position);
    if (ret == 0)
        ret = store_schema_put(migration->to, STORE_SCHEMA_VERSION);
    return ret ? store_fault_set(fault, ret, "cannot write the new position: %s", status_text(ret))
               : 0;
}

static int migrate(struct store *store, struct store_fault *fault)
{
    struct store_txn from, to;
    int ret = store_txn_begin(store, MDB_RDONLY, &from);
    if (ret)
        return store_fault_set(fault, ret, "cannot read the store: %s", status_text(ret));
    ret = store_txn_begin(store, 0, &to);
    if (ret) {
        store_txn_abort(&from);
        return store_fault_set(fault, ret, "cannot write the store: %s", status_text(ret));
    }
    struct migration migration = {.from = &from, .to = &to};
    ret = records_move(store, &migration, fault);
    store_txn_abort(&from);
    if (ret) {
        store_txn_abort(&to);
        return ret;
    }
    ret = store_txn_commit(&to);
    return ret ? store_fault_set(fault, ret, "cannot write the store: %s", status_text(ret)) : 0;
}

int store_migrate(struct store *store, const struct store_conf *conf, uint32_t from,
                  struct store_fault *fault)
{
    if (from != OLD_SCHEMA)
        return store_fault_set(fault, STATUS_SCHEMA,
                               "the store has schema version %u, which this program cannot bring "
                               "up to date",
                               (unsigned)from);
    int ret = old_tables_open(store);
    if (ret)
        return store_fault_set(fault, ret, "the store lacks one of its tables: it is damaged");
    ret = copy_keep(store, conf, fault);
    if (ret == 0)
        ret = migrate(store, fault);
    if (ret == STATUS_FULL)
        store_fault_set(fault, ret,
                        "the store's limit (%zu MiB) leaves no room to bring it to schema version "
                        "%d: nothing was changed; raise the limit and start again",
                        store_map_size(conf) >> 20, STORE_SCHEMA_VERSION);
    return ret;
}
