/* Addresses: allocating, changing, importing. */
#include "store/apply.h"

#include "base/status.h"

/* ---- who may serve it ---- */

/* 0 with the answer, or a store status. */
static int domain_is_ours(const struct store_txn *txn, const char *name, bool *is_ours)
{
    int ret = store_domain_exists(txn, name);
    *is_ours = ret == 0;
    return ret == STATUS_NOTFOUND ? 0 : ret;
}

int store_record_check_home(const struct store_txn *txn, const struct store_record *record)
{
    bool is_home = strcmp(record->hosting, record->address.domain) == 0;
    bool own, host;
    int ret = domain_is_ours(txn, record->address.domain, &own);
    if (ret == 0)
        ret = domain_is_ours(txn, record->hosting, &host);
    if (ret)
        return ret;
    switch (record->state) {
    case STORE_ADDRESS_HOSTED:
    case STORE_ADDRESS_ALIAS:
        if (!is_home)
            return STATUS_MALFORMED;
        return own ? 0 : STATUS_NOTFOUND;
    case STORE_ADDRESS_PORTED_OUT:
        if (is_home) /* the host may be ours: another operator's, who is not told of to this one */
            return STATUS_MALFORMED;
        return own ? 0 : STATUS_NOTFOUND;
    case STORE_ADDRESS_PORTED_IN:
    case STORE_ADDRESS_PREPARED:
        if (own || is_home)
            return STATUS_MALFORMED;
        return host ? 0 : STATUS_NOTFOUND;
    case STORE_ADDRESS_MOVED:
        return own || host ? STATUS_MALFORMED : 0;
    case STORE_ADDRESS_TOMBSTONE:
    case STORE_ADDRESS_STATE_COUNT:
        break;
    }
    return STATUS_MALFORMED;
}

/* ---- aliases ---- */

/* Follows aliases from `target`, at most `hops` - 1 of them: they must end, and not at or by way of
 * `from`. */
static int alias_check_end(const struct store_txn *txn, const struct store_address *from,
                           struct store_address target, unsigned hops)
{
    for (unsigned hop = 0; hop < hops; hop++) {
        struct store_host host;
        if (strcmp(target.user, from->user) == 0 && strcmp(target.domain, from->domain) == 0)
            return STATUS_LOOP;
        int ret = store_record_host(txn, &target, &host);
        if (ret)
            return ret == STATUS_NOTFOUND ? 0 : ret;
        if (host.state != STORE_ADDRESS_ALIAS)
            return 0;
        target = host.target;
    }
    return STATUS_LOOP;
}

int store_alias_check(const struct store_txn *txn, const struct store_record *record)
{
    struct store_host host;
    if (record->state != STORE_ADDRESS_ALIAS)
        return 0;
    int loop = alias_check_end(txn, &record->address, record->target, STORE_ALIAS_HOPS);
    if (loop)
        return loop;
    int ret = store_domain_exists(txn, record->target.domain);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret; /* foreign: its authority's business */
    ret = store_record_host(txn, &record->target, &host);
    if (ret)
        return ret;
    return host.state == STORE_ADDRESS_TOMBSTONE ? STATUS_NOTFOUND : 0;
}

/* The same of one that is not in the directory yet, or leads elsewhere there: the aliases that lead
 * to it must not become too long a chain. */
static int alias_check_new(const struct store_txn *txn, const struct store_record *record)
{
    unsigned behind;
    if (record->state != STORE_ADDRESS_ALIAS)
        return 0;
    int ret = store_alias_check(txn, record);
    if (ret == 0)
        ret = store_links_depth(txn, &record->address, &behind);
    if (ret == 0)
        ret = alias_check_end(txn, &record->address, record->target, STORE_ALIAS_HOPS - behind);
    return ret == STATUS_LIMIT ? STATUS_LOOP : ret;
}

static bool leads_as_before(const struct store_record *old, const struct store_record *new)
{
    return old->state == STORE_ADDRESS_ALIAS &&
           new->state == STORE_ADDRESS_ALIAS &&strcmp(old->target.user, new->target.user) == 0 &&
           strcmp(old->target.domain, new->target.domain) == 0;
}

/* ---- allocating ---- */

/* May the owner take it for himself? What is his counts already, be it a tombstone. */
static int claim_check(const struct store_txn *txn, const struct store_record *record, bool is_his)
{
    struct store_domain domain;
    unsigned count, allowed;
    int ret = store_domain_read(txn, record->address.domain, &domain);
    if (ret)
        return ret;
    if (domain.claims_per_owner == 0 || record->owner[0] == '\0' ||
        store_user_is_reserved(record->address.user))
        return STATUS_DENIED;
    allowed = domain.claims_per_owner + (is_his ? 1 : 0);
    ret = store_owner_count(txn, record->owner, domain.name, allowed, &count);
    if (ret)
        return ret;
    return count >= allowed ? STATUS_LIMIT : 0;
}

/* Is the address free for this owner? 0 with `old` the owner's own tombstone, STATUS_NOTFOUND where
 * there is nothing, STATUS_EXISTS or STATUS_QUARANTINED. */
static int address_find_free(const struct store_txn *txn, const struct store_record *record,
                             struct store_record *old)
{
    int ret = store_record_read(txn, &record->address, old);
    if (ret)
        return ret;
    if (old->state != STORE_ADDRESS_TOMBSTONE)
        return STATUS_EXISTS;
    return strcmp(old->owner, record->owner) == 0 ? 0 : STATUS_QUARANTINED;
}

/* Only with a whole domain that is copied to here come those that were released. */
static int tombstone_check(const struct store_txn *txn, const struct store_record *record)
{
    struct store_domain domain;
    int ret = store_domain_read(txn, record->address.domain, &domain);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_MALFORMED : ret;
    bool is_home = strcmp(record->hosting, domain.name) == 0;
    return domain.move == STORE_MOVE_ARRIVING && is_home && record->until_ms ? 0 : STATUS_MALFORMED;
}

static int home_check(const struct store_txn *txn, const struct store_record *record)
{
    return record->state == STORE_ADDRESS_TOMBSTONE ? tombstone_check(txn, record)
                                                    : store_record_check_home(txn, record);
}

static int address_add(struct store_apply *apply, const struct store_record *given, bool claim)
{
    struct store_record record = *given, old;
    int ret = store_record_check(&record);
    if (ret == 0)
        ret = home_check(apply->txn, &record);
    if (ret)
        return ret;
    int found = address_find_free(apply->txn, &record, &old);
    if (!store_status_is_verdict(found))
        return found;
    /* First: whoever may claim nothing does not hear what is there. */
    if (claim)
        ret = claim_check(apply->txn, &record,
                          found != STATUS_NOTFOUND && strcmp(old.owner, record.owner) == 0);
    if (ret)
        return ret;
    if (found && found != STATUS_NOTFOUND)
        return found;
    ret = alias_check_new(apply->txn, &record);
    if (ret)
        return ret;
    record.version = store_apply_version(apply);
    record.created_ms = apply->position.time_ms;
    record.has_auth = false;
    return store_apply_write(apply, apply->command->op, STORE_KIND_ADDRESS, found ? NULL : &old,
                             &record);
}

int store_apply_address_add(struct store_apply *apply)
{
    return address_add(apply, &apply->command->record, apply->command->claim);
}

/* ---- changing ---- */

/* The record as it is to a lock: all that matters but `locked`. */
static struct slice locked_bytes(const struct store_record *record, char buffer[STORE_ANY_SIZE_MAX])
{
    struct store_record plain = *record;
    struct store_pack pack;
    plain.locked = false;
    plain.version = 0;
    store_pack_init(&pack, buffer, STORE_ANY_SIZE_MAX);
    store_record_pack(&pack, &plain, true);
    return slice_make(buffer, pack.len);
}

static bool is_locked_against(const struct store_record *old, const struct store_record *new)
{
    char before[STORE_ANY_SIZE_MAX], after[STORE_ANY_SIZE_MAX];
    return old->locked && !slice_eq(locked_bytes(old, before), locked_bytes(new, after));
}

/* What a change does not touch. An auth code is its owner's. */
static void record_keep(const struct store_record *old, struct store_record *record)
{
    record->created_ms = old->created_ms;
    record->has_auth = old->has_auth && strcmp(old->owner, record->owner) == 0;
    record->auth_until_ms = record->has_auth ? old->auth_until_ms : 0;
    memcpy(record->auth_hash, old->auth_hash, sizeof(record->auth_hash));
}

/* An address that somebody has, at the version that the command expects. */
static int address_find(const struct store_apply *apply, const struct store_address *address,
                        struct store_record *record)
{
    int ret = store_record_read(apply->txn, address, record);
    if (ret)
        return ret;
    if (record->state == STORE_ADDRESS_TOMBSTONE)
        return STATUS_NOTFOUND;
    return store_apply_expects(apply, record->version) ? 0 : STATUS_CONFLICT;
}

static bool moves(const struct store_record *old, const struct store_record *new)
{
    return old->state != new->state || strcmp(old->hosting, new->hosting) != 0;
}

/* While a port is under way only the port moves the address. With its owner goes what the one
 * before had begun and left to protect it. */
static int ports_check(struct store_apply *apply, const struct store_record *old,
                       const struct store_record *new)
{
    if (strcmp(old->owner, new->owner) != 0)
        return store_port_gone(apply, &old->address);
    return moves(old, new) ? store_port_none_holds(apply, &old->address) : 0;
}

int store_apply_address_put(struct store_apply *apply)
{
    struct store_record record = apply->command->record, old;
    int ret = store_record_check(&record);
    if (ret == 0)
        ret = address_find(apply, &record.address, &old);
    if (ret)
        return ret;
    record_keep(&old, &record);
    if (is_locked_against(&old, &record))
        return STATUS_LOCKED;
    ret = store_record_check_home(apply->txn, &record);
    if (ret == 0 && !leads_as_before(&old, &record))
        ret = alias_check_new(apply->txn, &record);
    if (ret == 0)
        ret = ports_check(apply, &old, &record);
    if (ret)
        return ret;
    record.version = store_apply_version(apply);
    return store_apply_write(apply, STORE_ADDRESS_PUT, STORE_KIND_ADDRESS, &old, &record);
}

int store_apply_address_auth(struct store_apply *apply)
{
    const struct store_record *given = &apply->command->record;
    struct store_record record, old;
    int ret = address_find(apply, &given->address, &old);
    if (ret)
        return ret;
    record = old;
    record.has_auth = given->auth_until_ms != 0;
    record.auth_until_ms = given->auth_until_ms;
    memcpy(record.auth_hash, given->auth_hash, sizeof(record.auth_hash));
    ret = store_port_none_open(apply, &given->address);
    if (ret == 0)
        ret = store_port_bind_code(apply, &given->address, "");
    if (ret)
        return ret;
    record.version = store_apply_version(apply);
    return store_apply_write(apply, STORE_ADDRESS_AUTH, STORE_KIND_ADDRESS, &old, &record);
}

/* ---- many at once ---- */

static void status_tell(const struct store_batch *batch, size_t i, int status)
{
    if (batch->statuses)
        batch->statuses[i] = status;
}

/* Adds each, and tells what became of it; *refused is the first refusal, 0 where there was none. */
static int batch_add(struct store_apply *apply, int *refused)
{
    const struct store_batch *batch = &apply->command->batch;
    for (size_t i = 0; i < batch->count; i++) {
        int status = address_add(apply, &batch->records[i], false);
        if (!store_status_is_verdict(status))
            return status;
        status_tell(batch, i, status);
        if (*refused == 0)
            *refused = status;
    }
    return 0;
}

static bool batch_is_bounded(const struct store_batch *batch)
{
    return batch->count > 0 && batch->count <= STORE_IMPORT_MAX;
}

/* All or nothing: in a transaction within the transaction, as later addresses may build on earlier
 * ones, so that only trying shows what can be added. */
static int import_whole(struct store_apply *apply)
{
    const struct store_txn *outer = apply->txn;
    struct store_position before = apply->position;
    struct store_txn inner;
    int refused = 0;
    int ret = store_txn_nest(outer, &inner);
    if (ret)
        return ret;
    apply->txn = &inner;
    ret = batch_add(apply, &refused);
    apply->txn = outer;
    if (ret == 0 && refused == 0)
        return store_txn_commit(&inner);
    store_txn_abort(&inner);
    apply->position = before;
    apply->count = 0;
    return ret ? ret : refused;
}

int store_apply_import(struct store_apply *apply)
{
    int refused = 0;
    if (!batch_is_bounded(&apply->command->batch))
        return STATUS_MALFORMED;
    if (!apply->command->batch.keep_going)
        return import_whole(apply);
    return batch_add(apply, &refused);
}

/* What the journal says about how a record came. */
struct origin {
    bool is_import;
    bool has_before;
    struct store_record before;
};

static bool origin_visit(const struct store_journal_entry *entry, void *arg)
{
    struct origin *origin = arg;
    origin->is_import = strcmp(entry->what, store_op_text(STORE_ADDRESS_IMPORT)) == 0;
    origin->has_before = entry->before;
    if (entry->before)
        origin->before = entry->before->address;
    return true;
}

/* As it was before the import: mostly not there, else the tombstone that it took the place of. */
static int address_revert(struct store_apply *apply, const struct store_record *old)
{
    struct origin origin = {.is_import = false};
    int ret = store_journal_get(apply->txn, old->version, origin_visit, &origin);
    if (ret == STATUS_NOTFOUND || (ret == 0 && !origin.is_import))
        return STATUS_CONFLICT;
    if (ret)
        return ret;
    origin.before.version = store_apply_version(apply);
    return store_apply_write(apply, STORE_ADDRESS_UNDO, STORE_KIND_ADDRESS, old,
                             origin.has_before ? &origin.before : NULL);
}

/* Takes it back if it was imported, nobody changed it since, and nothing was built on it. */
static int address_undo(struct store_apply *apply, const struct store_record *given)
{
    struct store_record old;
    int ret = store_record_read(apply->txn, &given->address, &old);
    if (ret)
        return ret;
    if (old.version != given->version || old.state == STORE_ADDRESS_TOMBSTONE)
        return STATUS_CONFLICT;
    ret = store_links_any(apply->txn, &old.address);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_INUSE;
    ret = store_port_none_holds(apply, &old.address);
    if (ret == 0)
        ret = address_revert(apply, &old);
    return ret ? ret : store_port_guard_drop(apply, &old.address);
}

/* From the last to the first: aliases come after their targets. */
int store_apply_undo(struct store_apply *apply)
{
    const struct store_batch *batch = &apply->command->batch;
    if (!batch_is_bounded(batch))
        return STATUS_MALFORMED;
    for (size_t i = batch->count; i-- > 0;) {
        int status = address_undo(apply, &batch->records[i]);
        if (!store_status_is_verdict(status))
            return status;
        status_tell(batch, i, status);
    }
    return 0;
}
