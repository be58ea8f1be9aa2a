/* Bulk load: a new data file, built where nobody sees it and without flushes, takes the place of
 * the old one when it is whole.
 *
 *   data.mdb --compact copy--> data.mdb.new --addresses, indexes, one journal entry--> data.mdb
 *
 * Addresses that come in order are put behind each other, which fills every page; so are the
 * owners' keys, which are collected and sorted first. This is half of the work and needs no answer,
 * so a second thread does it (the lane). Whoever asks what is there already waits for it first. */
#include "store/bulk.h"

#include "base/hex.h"
#include "base/status.h"
#include "store/alone.h"
#include "store/apply.h"
#include "store/fault.h"
#include "store/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* After an address that had to be asked for, so many are put without the lane: input in which such
 * addresses are frequent would else wait for the other thread all the time. */
#define DIRECT_RECORDS 1024

struct store_bulk {
    char path[PATH_MAX]; /* of the store's folder */
    char actor[STORE_ACTOR_MAX + 1];
    struct store_alone alone;
    struct store_file made; /* the new data file */
    struct bulk_file file;  /* the lane's, unless it is settled */
    struct store_lane *lane;
    unsigned direct; /* addresses to be put without it */
    int failed;      /* what makes going on senseless */

    struct store_position position; /* as it will be */
    uint64_t domain_count;
    struct table_key last;             /* the highest address */
    char domain[STORE_DOMAIN_MAX + 1]; /* of ours, last asked for; "": none */
};

/* ---- begin ---- */

/* Makes an empty store where there is none, and brings an old one up to date. */
static int store_prepare(const struct store_conf *conf, struct store_fault *fault)
{
    struct store *store;
    int ret = store_open(conf, STORE_WRITER, &store, fault);
    if (ret == 0)
        store_close(store);
    return ret;
}

static int source_check_empty(struct store *source, const char *path, struct store_fault *fault)
{
    struct store_txn txn;
    uint64_t count = 0;
    int ret = store_schema_open(source, NULL, fault);
    if (ret)
        return ret;
    ret = store_txn_begin(source, MDB_RDONLY, &txn);
    if (ret == 0) {
        ret = store_count(&txn, TABLE_ADDRESSES, &count);
        store_txn_abort(&txn);
    }
    if (ret)
        return store_fault_set(fault, ret, "cannot read the store %.100s: %s", path,
                               status_text(ret));
    if (count)
        return store_fault_set(fault, -EEXIST,
                               "the store %.100s has %llu addresses; a bulk load needs one that "
                               "has none",
                               path, (unsigned long long)count);
    return 0;
}

/* The new file begins as what the old one is. */
static int source_copy(struct store_bulk *bulk, const char *name, struct store_fault *fault)
{
    struct store source;
    int ret = store_copy_open(&source, name, MDB_RDONLY, 0, fault);
    if (ret)
        return ret;
    ret = source_check_empty(&source, bulk->path, fault);
    if (ret == 0)
        ret = store_file_begin_alone(&bulk->made, name, fault);
    if (ret == 0) {
        ret = store_copy_write(source.env, bulk->made.fd);
        if (ret)
            store_fault_set(fault, ret, "cannot write %.100s: %s", bulk->made.temp,
                            status_text(ret));
    }
    store_copy_close(&source);
    return ret;
}

static int bulk_prepare(struct store_bulk *bulk, const char *actor, uint64_t time_ms)
{
    int ret = bulk_file_begin(&bulk->file);
    if (ret == 0)
        ret = store_position_get(&bulk->file.txn, &bulk->position);
    if (ret == 0)
        ret = store_lane_start(&bulk->lane, bulk_file_append, &bulk->file);
    if (ret)
        return ret;
    bulk->position.sequence++;
    if (time_ms > bulk->position.time_ms)
        bulk->position.time_ms = time_ms;
    return slice_to_cstr(slice_of(actor), bulk->actor, sizeof(bulk->actor)) ? -EINVAL : 0;
}

static int bulk_open(struct store_bulk *bulk, const struct store_conf *conf, const char *actor,
                     uint64_t time_ms, struct store_fault *fault)
{
    char name[PATH_MAX];
    int ret = store_file_path(name, conf->path, "data.mdb", fault);
    if (ret == 0)
        ret = store_prepare(conf, fault);
    if (ret == 0)
        ret = store_alone_begin(&bulk->alone, conf->path, fault);
    if (ret == 0)
        ret = source_copy(bulk, name, fault);
    if (ret == 0)
        ret = store_copy_open(&bulk->file.store, bulk->made.temp, MDB_NOSYNC, store_map_size(conf),
                              fault);
    if (ret == 0)
        ret = store_schema_open(&bulk->file.store, NULL, fault);
    if (ret)
        return ret;
    ret = bulk_prepare(bulk, actor, time_ms);
    return ret ? store_fault_set(fault, ret, "cannot begin a bulk load: %s", status_text(ret)) : 0;
}

int store_bulk_begin(const struct store_conf *conf, const char *actor, uint64_t time_ms,
                     struct store_bulk **bulk, struct store_fault *fault)
{
    struct store_bulk *load = calloc(1, sizeof(*load));
    if (!load)
        return store_fault_set(fault, -ENOMEM, "no memory for a bulk load");
    load->alone = (struct store_alone){.writer_fd = -1, .lock_fd = -1};
    load->made.fd = -1;
    if (slice_to_cstr(slice_of(conf->path), load->path, sizeof(load->path)))
        load->path[0] = '\0'; /* too long, as will be told */
    int ret = bulk_open(load, conf, actor, time_ms, fault);
    if (ret) {
        store_bulk_abort(load);
        return ret;
    }
    *bulk = load;
    return 0;
}

/* ---- what is loaded ---- */

/* A failure that is no answer to the record is the load's end. */
static int bulk_answer(struct store_bulk *bulk, int ret)
{
    bool is_answer = ret == 0 || ret == STATUS_EXISTS || ret == STATUS_MALFORMED ||
                     ret == STATUS_NOTFOUND || ret == STATUS_INUSE;
    if (!is_answer)
        bulk->failed = ret;
    return ret;
}

static int domain_load(struct store_bulk *bulk, const struct store_domain *domain)
{
    struct store_domain made = *domain;
    char buffer[STORE_ANY_SIZE_MAX];
    struct store_pack pack;
    int ret = store_domain_check(domain);
    if (ret == 0)
        ret = store_lane_settle(bulk->lane);
    if (ret == 0)
        ret = store_domain_check_new(&bulk->file.txn, domain->name);
    if (ret)
        return ret;
    made.version = bulk->position.sequence;
    made.created_ms = bulk->position.time_ms;
    ret = store_domain_write(&bulk->file.txn, &made);
    if (ret)
        return ret;
    bulk->domain_count++;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_any_pack(&pack, STORE_KIND_DOMAIN, &made, true);
    return bulk_file_digest(&bulk->file, slice_make(buffer, pack.len));
}

int store_bulk_domain(struct store_bulk *bulk, const struct store_domain *domain)
{
    return bulk->failed ? bulk->failed : bulk_answer(bulk, domain_load(bulk, domain));
}

/* Most addresses are hosted at their own domain, and follow one of the same. */
static bool record_is_plain(const struct store_bulk *bulk, const struct store_record *record)
{
    return record->state == STORE_ADDRESS_HOSTED &&
           strcmp(record->address.domain, bulk->domain) == 0 &&
           strcmp(record->hosting, bulk->domain) == 0;
}

/* For a record that is not plain; the lane is settled. */
static int record_judge(struct store_bulk *bulk, const struct store_record *record)
{
    int ret = store_record_check_home(&bulk->file.txn, record);
    if (ret == 0 && record->state == STORE_ADDRESS_HOSTED)
        memcpy(bulk->domain, record->hosting, sizeof(bulk->domain));
    return ret;
}

/* Links, guests and deadlines are few: they are put as they come. */
static int record_index(struct store_bulk *bulk, const struct store_record *record)
{
    struct store_record rest = *record;
    rest.owner[0] = '\0';
    return store_record_index(&bulk->file.txn, &rest);
}

/* Puts an address by the lane where it needs no answer, which is known when it comes in order. */
static int record_put(struct store_bulk *bulk, const struct bulk_address *address, bool is_plain)
{
    bool is_ordered = store_key_compare(address->key, table_key_bytes(&bulk->last)) > 0;
    if (is_ordered) {
        memcpy(bulk->last.p, address->key.p, address->key.len);
        bulk->last.len = address->key.len;
    }
    if (!is_plain || !is_ordered)
        bulk->direct = DIRECT_RECORDS;
    if (bulk->direct) {
        bulk->direct--;
        int ret = store_lane_settle(bulk->lane);
        return ret ? ret : bulk_file_insert(&bulk->file, address, is_ordered);
    }
    bulk_frame_write(address, store_lane_room(bulk->lane, bulk_frame_len(address)));
    return 0;
}

static int record_write(struct store_bulk *bulk, const struct store_record *record, bool is_plain)
{
    char buffer[STORE_ANY_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    int ret = table_key_address(&key, &record->address);
    if (ret)
        return ret;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_record_pack_new(&pack, record, bulk->position.sequence, bulk->position.time_ms);
    struct bulk_address address = {.key = table_key_bytes(&key),
                                   .value = slice_make(buffer, pack.len),
                                   .owner = slice_of(record->owner)};
    return record_put(bulk, &address, is_plain);
}

static int address_load(struct store_bulk *bulk, const struct store_record *record)
{
    bool is_plain = record_is_plain(bulk, record);
    if (is_plain) {
        int ret = store_record_check_rest(record);
        return ret ? ret : record_write(bulk, record, is_plain);
    }
    int ret = store_record_check(record);
    if (ret == 0)
        ret = store_lane_settle(bulk->lane);
    if (ret == 0)
        ret = record_judge(bulk, record);
    if (ret == 0)
        ret = record_write(bulk, record, is_plain);
    return ret ? ret : record_index(bulk, record);
}

int store_bulk_address(struct store_bulk *bulk, const struct store_record *record)
{
    return bulk->failed ? bulk->failed : bulk_answer(bulk, address_load(bulk, record));
}

/* ---- end ---- */

struct alias_visit {
    const struct store_txn *txn;
    struct store_fault *fault;
};

/* Every alias has a link, whose value is the alias as text; a number's begins with '+'. */
static int alias_visit(struct slice key, struct slice value, void *arg)
{
    const struct alias_visit *visit = arg;
    struct store_address address;
    struct store_record record;
    (void)key;
    if (value.len && value.p[0] == '+' && slice_find(value, '@') == value.len)
        return 0;
    int ret = store_address_parse(value, &address, NULL);
    if (ret == 0)
        ret = store_record_read(visit->txn, &address, &record);
    if (ret)
        return STATUS_CORRUPT;
    ret = store_alias_check(visit->txn, &record);
    if (ret == 0)
        return 0;
    return store_fault_set(visit->fault, ret, "the alias %.80s leads to %.40s@%.40s, %s",
                           record.display, record.target.user, record.target.domain,
                           ret == STATUS_LOOP ? "and from there back or too far on"
                                              : "which is not in the directory");
}

static int digest_end(EVP_MD_CTX *digest, char hex[2 * STORE_HASH_LEN + 1])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (!EVP_DigestFinal_ex(digest, hash, NULL))
        return STATUS_CRYPTO;
    hex_encode(hash, STORE_HASH_LEN, hex);
    return 0;
}

static int journal_write(struct store_bulk *bulk)
{
    char hex[2 * STORE_HASH_LEN + 1], text[STORE_JOURNAL_TEXT_MAX + 1];
    struct store_change change = {.sequence = bulk->position.sequence,
                                  .time_ms = bulk->position.time_ms,
                                  .actor = bulk->actor,
                                  .op = STORE_BULK_LOAD,
                                  .kind = STORE_KIND_STORE,
                                  .text = text};
    int ret = digest_end(bulk->file.digest, hex);
    if (ret)
        return ret;
    snprintf(text, sizeof(text), "%llu addresses and %llu domains loaded, SHA-256 %s",
             (unsigned long long)bulk->file.addresses, (unsigned long long)bulk->domain_count, hex);
    ret = store_journal_append(&bulk->file.txn, &change);
    return ret ? ret : store_position_put(&bulk->file.txn, &bulk->position);
}

static int aliases_check(struct store_bulk *bulk, struct store_fault *fault)
{
    struct alias_visit visit = {.txn = &bulk->file.txn, .fault = fault};
    return store_scan(&bulk->file.txn, TABLE_LINKS, SLICE(""), alias_visit, &visit);
}

static int bulk_complete(struct store_bulk *bulk, struct store_fault *fault)
{
    int ret = bulk->failed;
    if (ret == 0)
        ret = store_lane_settle(bulk->lane);
    if (ret == 0)
        ret = bulk_file_owners(&bulk->file);
    if (ret == 0)
        ret = journal_write(bulk);
    if (ret == 0) {
        ret = aliases_check(bulk, fault);
        if (ret == STATUS_LOOP || ret == STATUS_NOTFOUND)
            return ret; /* told */
    }
    if (ret == 0)
        ret = bulk_file_commit(&bulk->file);
    return ret ? store_fault_set(fault, ret, "the bulk load failed, nothing was changed: %s",
                                 status_text(ret))
               : 0;
}

int store_bulk_commit(struct store_bulk *bulk, struct store_fault *fault)
{
    int ret = bulk_complete(bulk, fault);
    if (ret == 0) {
        store_copy_close(&bulk->file.store);
        ret = store_file_commit(&bulk->made, true, fault);
        /* -EIO: in place, for what it is worth */
        store_alone_end(&bulk->alone, bulk->path, ret == 0 || ret == -EIO);
    }
    store_bulk_abort(bulk);
    return ret;
}

void store_bulk_abort(struct store_bulk *bulk)
{
    if (!bulk)
        return;
    bulk->lane = store_lane_stop(bulk->lane);
    bulk_file_done(&bulk->file);
    store_file_abort(&bulk->made);
    store_alone_end(&bulk->alone, bulk->path, false);
    free(bulk);
}
