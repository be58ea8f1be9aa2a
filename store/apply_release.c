/* How addresses go: released into quarantine, purged, expired. */
#include "store/apply.h"

#include "base/status.h"
#include "store/table_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

/* ---- tombstones ---- */

/* Our own addresses leave a tombstone; what was only served here, or served elsewhere, does not. */
static bool state_leaves_tombstone(enum store_address_state state)
{
    return state == STORE_ADDRESS_HOSTED || state == STORE_ADDRESS_ALIAS ||
           state == STORE_ADDRESS_PORTED_OUT;
}

static int tombstone_make(const struct store_apply *apply, const struct store_record *old,
                          struct store_record *tombstone)
{
    struct store_domain domain;
    int ret = store_domain_read(apply->txn, old->address.domain, &domain);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    *tombstone = (struct store_record){.address = old->address,
                                       .state = STORE_ADDRESS_TOMBSTONE,
                                       .created_ms = old->created_ms,
                                       .version = store_apply_version(apply),
                                       .until_ms = apply->position.time_ms +
                                                   domain.quarantine_days * DAY_MS};
    memcpy(tombstone->hosting, old->address.domain, sizeof(tombstone->hosting));
    memcpy(tombstone->owner, old->owner, sizeof(tombstone->owner));
    snprintf(tombstone->display, sizeof(tombstone->display), "%s@%s", old->address.user,
             old->address.domain);
    return 0;
}

/* Removes it under the name of `op`. Its entry has no values: they are what must go. */
static int record_remove(struct store_apply *apply, const struct store_record *record,
                         enum store_op op)
{
    char name[STORE_JOURNAL_TEXT_MAX + 1];
    struct store_change change = {.op = op, .kind = STORE_KIND_ADDRESS, .text = name};
    store_any_name(STORE_KIND_ADDRESS, record, name);
    int ret = store_any_del(apply->txn, STORE_KIND_ADDRESS, record);
    return ret ? ret : store_apply_journal(apply, &change);
}

/* It stays, due at once, for its journal values are too many for one transaction. */
static int tombstone_postpone(const struct store_apply *apply, const struct store_record *tombstone)
{
    struct store_record due = *tombstone;
    if (tombstone->until_ms <= apply->position.time_ms)
        return 0; /* it is */
    due.until_ms = apply->position.time_ms;
    int ret = store_any_unindex(apply->txn, STORE_KIND_ADDRESS, tombstone);
    return ret ? ret : store_any_put(apply->txn, STORE_KIND_ADDRESS, &due);
}

/* Erases the journal values of a released address, at most *budget of them, and with the last of
 * them the tombstone. */
static int tombstone_end(struct store_apply *apply, const struct store_record *tombstone,
                         enum store_op op, uint32_t *budget)
{
    uint32_t erased = 0;
    int ret = store_journal_erase(apply->txn, tombstone->version, *budget, &erased);
    *budget -= erased;
    if (ret == -EAGAIN)
        return tombstone_postpone(apply, tombstone);
    return ret ? ret : record_remove(apply, tombstone, op);
}

/* ---- release ---- */

/* Which record, and may it go? */
static int release_find(const struct store_apply *apply, struct store_record *old)
{
    int ret = store_record_read(apply->txn, &apply->command->record.address, old);
    if (ret)
        return ret;
    if (old->state == STORE_ADDRESS_TOMBSTONE)
        return STATUS_NOTFOUND;
    if (!store_apply_expects(apply, old->version))
        return STATUS_CONFLICT;
    if (old->locked && apply->command->op != STORE_ADDRESS_PURGE)
        return STATUS_LOCKED;
    ret = store_links_any(apply->txn, &old->address);
    if (ret == STATUS_NOTFOUND)
        return 0;
    return ret ? ret : STATUS_INUSE;
}

/* Where the domain has no quarantine it goes at once, and its journal values with it. Where those
 * are too many for one transaction, it is a tombstone that is due. */
static int release_at_once(struct store_apply *apply, const struct store_record *old,
                           const struct store_record *tombstone)
{
    uint32_t erased = 0;
    int ret = store_journal_erase(apply->txn, old->version, STORE_EXPIRE_MAX, &erased);
    if (ret == -EAGAIN)
        return store_apply_write(apply, STORE_ADDRESS_RELEASE, STORE_KIND_ADDRESS, old, tombstone);
    return ret ? ret : record_remove(apply, old, STORE_ADDRESS_RELEASE);
}

int store_apply_release(struct store_apply *apply)
{
    struct store_record old, tombstone;
    int ret = release_find(apply, &old);
    if (ret == 0)
        ret = store_port_gone(apply, &old.address);
    if (ret == 0)
        ret = store_number_forget(apply, &old.address);
    if (ret)
        return ret;
    if (!state_leaves_tombstone(old.state))
        return store_apply_write(apply, apply->command->op, STORE_KIND_ADDRESS, &old, NULL);
    ret = tombstone_make(apply, &old, &tombstone);
    if (ret)
        return ret;
    if (tombstone.until_ms <= apply->position.time_ms)
        return release_at_once(apply, &old, &tombstone);
    return store_apply_write(apply, STORE_ADDRESS_RELEASE, STORE_KIND_ADDRESS, &old, &tombstone);
}

int store_apply_purge(struct store_apply *apply)
{
    uint32_t budget = STORE_EXPIRE_MAX;
    struct store_record old;
    int ret = store_record_read(apply->txn, &apply->command->record.address, &old);
    if (ret)
        return ret;
    if (old.state == STORE_ADDRESS_PORTED_IN)
        return store_apply_release(apply);
    if (old.state != STORE_ADDRESS_TOMBSTONE)
        return STATUS_NOTFOUND;
    if (!store_apply_expects(apply, old.version))
        return STATUS_CONFLICT;
    return tombstone_end(apply, &old, STORE_ADDRESS_PURGE, &budget);
}

/* ---- what is due ---- */

struct due {
    char kind;
    struct table_key key;
};

struct due_list {
    uint64_t now_ms;
    size_t count;
    struct due *due;
};

static int due_take(struct slice key, struct slice value, void *arg)
{
    struct due_list *list = arg;
    struct due *due = &list->due[list->count];
    struct slice name;
    uint64_t time_ms;
    (void)value;
    int ret = table_key_to_deadline(key, &time_ms, &due->kind, &name);
    if (ret)
        return ret;
    if (time_ms > list->now_ms)
        return 1;
    memcpy(due->key.p, name.p, name.len);
    due->key.len = name.len;
    return ++list->count == STORE_EXPIRE_MAX;
}

static int address_expire(struct store_apply *apply, struct slice key, uint32_t *budget)
{
    struct store_address address;
    struct store_record old;
    int ret = table_key_to_address(key, &address);
    if (ret == 0)
        ret = store_record_read(apply->txn, &address, &old);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    if (old.state == STORE_ADDRESS_TOMBSTONE)
        return tombstone_end(apply, &old, STORE_EXPIRE, budget);
    ret = store_number_forget(apply, &address);
    if (ret)
        return ret;
    return store_apply_write(apply, STORE_EXPIRE, STORE_KIND_ADDRESS, &old, NULL);
}

static int token_expire(struct store_apply *apply, struct slice key)
{
    char id[STORE_TOKEN_ID_LEN + 1];
    struct store_token old;
    if (slice_to_cstr(key, id, sizeof(id)))
        return STATUS_CORRUPT;
    int ret = store_token_read(apply->txn, id, &old);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    return store_apply_write(apply, STORE_EXPIRE, STORE_KIND_TOKEN, &old, NULL);
}

static int port_expire(struct store_apply *apply, struct slice key)
{
    enum store_port_role role;
    char id[STORE_PORT_ID_LEN + 1];
    struct store_port old;
    int ret = table_key_to_port(key, &role, id);
    if (ret == 0)
        ret = store_port_read(apply->txn, role, id, &old);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    return store_port_due(apply, &old);
}

static int due_one(struct store_apply *apply, const struct due *due, uint32_t *budget)
{
    switch (due->kind) {
    case STORE_DUE_TOKEN:
        return token_expire(apply, table_key_bytes(&due->key));
    case STORE_DUE_PORT:
        return port_expire(apply, table_key_bytes(&due->key));
    default:
        return address_expire(apply, table_key_bytes(&due->key), budget);
    }
}

static int due_expire(struct store_apply *apply, const struct due_list *list)
{
    uint32_t budget = STORE_EXPIRE_MAX;
    int ret = 0;
    for (size_t i = 0; ret == 0 && i < list->count && budget > 0; i++) {
        budget--;
        ret = due_one(apply, &list->due[i], &budget);
    }
    return ret;
}

int store_apply_expire(struct store_apply *apply)
{
    struct due_list list = {.now_ms = apply->position.time_ms,
                            .due = calloc(STORE_EXPIRE_MAX, sizeof(struct due))};
    if (!list.due)
        return -ENOMEM;
    int ret = store_scan(apply->txn, TABLE_DEADLINES, SLICE(""), due_take, &list);
    if (ret == 0)
        ret = due_expire(apply, &list);
    free(list.due);
    return ret;
}
