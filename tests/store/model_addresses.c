/* The rules of addresses: who may have which, what leads where, and how they go. */
#include "tests/store/model.h"

#include "base/status.h"
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

/* ---- who serves it: enum store_address_state ---- */

static void home_check(const struct model *model, const struct store_record *record,
                       struct model_outcome *outcome)
{
    bool own = model_domain(model, record->address.domain) != NULL;
    bool host = model_domain(model, record->hosting) != NULL;
    bool is_home = strcmp(record->hosting, record->address.domain) == 0;
    bool is_claim = true, is_there = true;
    switch (record->state) {
    case STORE_ADDRESS_HOSTED:
    case STORE_ADDRESS_ALIAS:
        is_claim = is_home;
        is_there = own;
        break;
    case STORE_ADDRESS_PORTED_OUT:
        is_claim = !is_home;
        is_there = own;
        break;
    case STORE_ADDRESS_PORTED_IN:
    case STORE_ADDRESS_PREPARED:
        is_claim = !own && !is_home;
        is_there = host;
        break;
    case STORE_ADDRESS_MOVED:
        is_claim = !own && !host;
        break;
    case STORE_ADDRESS_TOMBSTONE:
    case STORE_ADDRESS_STATE_COUNT:
        is_claim = false;
        break;
    }
    if (!is_claim)
        model_refuse(outcome, STATUS_MALFORMED);
    if (!is_there)
        model_refuse(outcome, STATUS_NOTFOUND);
}

/* ---- aliases ---- */

/* Aliases in the longest chain that leads to the address; no more than `max` are counted. */
static int chain_length(const struct model *model, const struct store_address *address, int max)
{
    const struct shelf *records = &model->records[STORE_KIND_ADDRESS];
    int length = 0;
    for (size_t i = 0; max > 0 && i < records->count; i++) {
        const struct store_record *record = shelf_at(records, i);
        if (record->state != STORE_ADDRESS_ALIAS || !model_address_eq(&record->target, address))
            continue;
        int behind = 1 + chain_length(model, &record->address, max - 1);
        length = behind > length ? behind : length;
    }
    return length;
}

/* A chain has at most STORE_ALIAS_HOPS aliases, and none of them twice. */
static bool alias_loops(const struct model *model, const struct store_record *record)
{
    struct store_address at = record->target;
    int behind = chain_length(model, &record->address, STORE_ALIAS_HOPS);
    for (int hop = 1; hop <= STORE_ALIAS_HOPS; hop++) {
        if (model_address_eq(&at, &record->address))
            return true;
        const struct store_record *next = model_address(model, &at);
        if (!next || next->state != STORE_ADDRESS_ALIAS)
            return hop + behind > STORE_ALIAS_HOPS;
        at = next->target;
    }
    return true;
}

static void alias_check(const struct model *model, const struct store_record *record,
                        struct model_outcome *outcome)
{
    if (record->state != STORE_ADDRESS_ALIAS)
        return;
    if (alias_loops(model, record))
        model_refuse(outcome, STATUS_LOOP);
    const struct store_record *target = model_address(model, &record->target);
    bool is_there = target && target->state != STORE_ADDRESS_TOMBSTONE;
    if (model_domain(model, record->target.domain) && !is_there)
        model_refuse(outcome, STATUS_NOTFOUND);
}

static bool is_led_to(const struct model *model, const struct store_address *address)
{
    const struct shelf *records = &model->records[STORE_KIND_ADDRESS];
    const struct shelf *numbers = &model->records[STORE_KIND_NUMBER];
    for (size_t i = 0; i < records->count; i++) {
        const struct store_record *record = shelf_at(records, i);
        if (record->state == STORE_ADDRESS_ALIAS && model_address_eq(&record->target, address))
            return true;
    }
    for (size_t i = 0; i < numbers->count; i++) {
        const struct store_number *number = shelf_at(numbers, i);
        if (model_address_eq(&number->address, address))
            return true;
    }
    return false;
}

/* ---- adding ---- */

/* What the owner has there; a tombstone of his counts, but not the one he takes back. */
static unsigned owner_count(const struct model *model, const struct store_record *claimed)
{
    const struct shelf *shelf = &model->records[STORE_KIND_ADDRESS];
    unsigned count = 0;
    for (size_t i = 0; i < shelf->count; i++) {
        const struct store_record *record = shelf_at(shelf, i);
        count += strcmp(record->owner, claimed->owner) == 0 &&
                 strcmp(record->address.domain, claimed->address.domain) == 0 &&
                 !model_address_eq(&record->address, &claimed->address);
    }
    return count;
}

static void claim_check(const struct model *model, const struct store_record *record,
                        struct model_outcome *outcome)
{
    const struct store_domain *domain = model_domain(model, record->address.domain);
    if (!domain) {
        model_refuse(outcome, STATUS_NOTFOUND);
        return;
    }
    if (domain->claims_per_owner == 0 || !record->owner[0] ||
        store_user_is_reserved(record->address.user))
        model_refuse(outcome, STATUS_DENIED);
    else if (owner_count(model, record) >= domain->claims_per_owner)
        model_refuse(outcome, STATUS_LIMIT);
}

/* Where the owner typed nothing, the address itself is displayed. */
static void display_fill(struct store_record *record)
{
    if (record->display[0] == '\0')
        snprintf(record->display, sizeof(record->display), "%s@%s", record->address.user,
                 record->address.domain);
}

static void add(struct model *model, const struct store_command *command,
                const struct store_record *given, bool claim, struct model_outcome *outcome)
{
    struct store_record record = *given;
    if (!model_record_is_valid(STORE_KIND_ADDRESS, &record)) {
        model_refuse(outcome, STATUS_MALFORMED);
        return;
    }
    display_fill(&record);
    home_check(model, &record, outcome);
    alias_check(model, &record, outcome);
    const struct store_record *old = model_address(model, &record.address);
    if (old && old->state != STORE_ADDRESS_TOMBSTONE)
        model_refuse(outcome, STATUS_EXISTS);
    else if (old && strcmp(old->owner, record.owner) != 0)
        model_refuse(outcome, STATUS_QUARANTINED);
    if (claim)
        claim_check(model, &record, outcome);
    if (outcome->refusal_count)
        return;
    record.created_ms = model->time_ms;
    record.has_auth = false;
    record.auth_until_ms = 0;
    memset(record.auth_hash, 0, sizeof(record.auth_hash));
    const char *what = command->op == STORE_ADDRESS_IMPORT ? "address_import" : "address_add";
    model_write(model, command, what, STORE_KIND_ADDRESS, old, &record, outcome);
}

void model_address_add(struct model *model, const struct store_command *command,
                       struct model_outcome *outcome)
{
    add(model, command, &command->record, command->claim, outcome);
}

/* ---- changing ---- */

static bool changes_more_than_lock(const struct store_record *a, const struct store_record *b)
{
    bool is_same = a->state == b->state && a->blocked == b->blocked &&
                   a->unpublished == b->unpublished && strcmp(a->hosting, b->hosting) == 0 &&
                   strcmp(a->owner, b->owner) == 0 && model_address_eq(&a->target, &b->target) &&
                   strcmp(a->display, b->display) == 0 && a->until_ms == b->until_ms &&
                   strcmp(a->notify, b->notify) == 0;
    return !is_same;
}

/* An address that somebody has, else NULL and why not. */
static struct store_record *find_live(const struct model *model,
                                      const struct store_command *command,
                                      struct model_outcome *outcome)
{
    struct store_record *record = model_address(model, &command->record.address);
    if (!record || record->state == STORE_ADDRESS_TOMBSTONE) {
        model_refuse(outcome, STATUS_NOTFOUND);
        return NULL;
    }
    if (!model_expects(command, record->version))
        model_refuse(outcome, STATUS_CONFLICT);
    return record;
}

void model_address_put(struct model *model, const struct store_command *command,
                       struct model_outcome *outcome)
{
    struct store_record record = command->record;
    if (!model_record_is_valid(STORE_KIND_ADDRESS, &record)) {
        model_refuse(outcome, STATUS_MALFORMED);
        return;
    }
    display_fill(&record);
    home_check(model, &record, outcome);
    const struct store_record *old = find_live(model, command, outcome);
    if (!old || old->state != STORE_ADDRESS_ALIAS || record.state != STORE_ADDRESS_ALIAS ||
        !model_address_eq(&old->target, &record.target))
        alias_check(model, &record, outcome);
    if (old && old->locked && changes_more_than_lock(old, &record))
        model_refuse(outcome, STATUS_LOCKED);
    bool gets_owner = old && strcmp(old->owner, record.owner) != 0;
    bool moves = old && (old->state != record.state || strcmp(old->hosting, record.hosting) != 0);
    if ((gets_owner && model_port_stops_going(model, &record.address)) ||
        (!gets_owner && moves && model_port_holds(model, &record.address)))
        model_refuse(outcome, STATUS_PORTING);
    if (outcome->refusal_count)
        return;
    /* An auth code is its owner's. */
    bool keeps_auth = old->has_auth && strcmp(old->owner, record.owner) == 0;
    record.created_ms = old->created_ms;
    record.has_auth = keeps_auth;
    record.auth_until_ms = keeps_auth ? old->auth_until_ms : 0;
    memset(record.auth_hash, 0, sizeof(record.auth_hash));
    if (keeps_auth)
        memcpy(record.auth_hash, old->auth_hash, sizeof(record.auth_hash));
    if (gets_owner)
        model_port_gone(model, command, &record.address, outcome);
    model_write(model, command, "address_put", STORE_KIND_ADDRESS, old, &record, outcome);
}

void model_address_auth(struct model *model, const struct store_command *command,
                        struct model_outcome *outcome)
{
    const struct store_record *old = find_live(model, command, outcome);
    if (old && model_port_is_open(model, &old->address))
        model_refuse(outcome, STATUS_PORTING);
    if (outcome->refusal_count)
        return;
    model_code_bind(model, command, &old->address, "", outcome);
    struct store_record record = *old;
    record.has_auth = command->record.auth_until_ms != 0;
    record.auth_until_ms = command->record.auth_until_ms;
    memset(record.auth_hash, 0, sizeof(record.auth_hash));
    if (record.has_auth)
        memcpy(record.auth_hash, command->record.auth_hash, sizeof(record.auth_hash));
    model_write(model, command, "address_auth", STORE_KIND_ADDRESS, old, &record, outcome);
}

/* ---- going ---- */

/* Erases what the journal says about the record, at most `max` entries of it. Where that may not be
 * all, the newest one leads to what is left, and false is returned. */
static bool history_erase(struct model *model, uint64_t sequence, uint32_t max, uint32_t *count)
{
    struct model_entry *newest = model_entry(model, sequence);
    uint64_t next = sequence;
    uint32_t left = max;
    for (; next && left; left--) {
        struct model_entry *entry = model_entry(model, next);
        if (!entry)
            break; /* trimmed, and so are all before it */
        entry->before = entry->after = NULL;
        entry->erased = true;
        next = entry->previous;
    }
    *count = max - left;
    if (next && left == 0 && next != sequence)
        newest->previous = next;
    return next == 0 || left > 0;
}

/* It goes, and the entry about that has no values. */
static void record_end(struct model *model, const struct store_command *command,
                       const struct store_record *record, const char *what,
                       struct model_outcome *outcome)
{
    char name[MODEL_NAME_MAX + 1];
    model_name(STORE_KIND_ADDRESS, record, name);
    shelf_remove(&model->records[STORE_KIND_ADDRESS], record);
    model_entry_add(model, command, what, STORE_KIND_ADDRESS, name, outcome);
}

void model_tombstone_end(struct model *model, const struct store_command *command,
                         const struct store_address *address, const char *what, uint32_t *budget,
                         struct model_outcome *outcome)
{
    struct store_record *record = model_address(model, address);
    uint32_t erased;
    bool is_all = history_erase(model, record->version, *budget, &erased);
    *budget -= erased;
    if (!is_all) {
        if (record->until_ms > model->time_ms)
            record->until_ms = model->time_ms;
        return;
    }
    record_end(model, command, record, what, outcome);
}

static bool leaves_tombstone(const struct store_record *record)
{
    return record->state == STORE_ADDRESS_HOSTED || record->state == STORE_ADDRESS_ALIAS ||
           record->state == STORE_ADDRESS_PORTED_OUT;
}

static struct store_record tombstone_of(const struct model *model, const struct store_record *old)
{
    const struct store_domain *domain = model_domain(model, old->address.domain);
    struct store_record tombstone = {.address = old->address,
                                     .state = STORE_ADDRESS_TOMBSTONE,
                                     .created_ms = old->created_ms,
                                     .until_ms = model->time_ms + domain->quarantine_days * DAY_MS};
    snprintf(tombstone.hosting, sizeof(tombstone.hosting), "%s", old->address.domain);
    snprintf(tombstone.owner, sizeof(tombstone.owner), "%s", old->owner);
    snprintf(tombstone.display, sizeof(tombstone.display), "%s@%s", old->address.user,
             old->address.domain);
    return tombstone;
}

void model_address_release(struct model *model, const struct store_command *command,
                           struct model_outcome *outcome)
{
    const struct store_record *old = find_live(model, command, outcome);
    uint32_t erased;
    if (old && old->locked && command->op != STORE_ADDRESS_PURGE)
        model_refuse(outcome, STATUS_LOCKED);
    if (old && is_led_to(model, &old->address))
        model_refuse(outcome, STATUS_INUSE);
    if (old && model_port_stops_going(model, &old->address))
        model_refuse(outcome, STATUS_PORTING);
    if (outcome->refusal_count)
        return;
    model_port_gone(model, command, &old->address, outcome);
    if (!leaves_tombstone(old)) {
        model_write(model, command, store_op_text(command->op), STORE_KIND_ADDRESS, old, NULL,
                    outcome);
        return;
    }
    struct store_record tombstone = tombstone_of(model, old);
    if (tombstone.until_ms > model->time_ms) {
        model_write(model, command, "address_release", STORE_KIND_ADDRESS, old, &tombstone,
                    outcome);
        return;
    }
    /* No quarantine: it goes at once, and the journal tells that alone; or as soon as it can. */
    if (history_erase(model, old->version, MODEL_EXPIRE_MAX, &erased))
        record_end(model, command, old, "address_release", outcome);
    else
        model_write(model, command, "address_release", STORE_KIND_ADDRESS, old, &tombstone,
                    outcome);
}

void model_address_purge(struct model *model, const struct store_command *command,
                         struct model_outcome *outcome)
{
    const struct store_record *old = model_address(model, &command->record.address);
    uint32_t budget = MODEL_EXPIRE_MAX;
    if (old && old->state == STORE_ADDRESS_PORTED_IN)
        model_address_release(model, command, outcome);
    else if (!old || old->state != STORE_ADDRESS_TOMBSTONE)
        model_refuse(outcome, STATUS_NOTFOUND);
    else if (!model_expects(command, old->version))
        model_refuse(outcome, STATUS_CONFLICT);
    else
        model_tombstone_end(model, command, &command->record.address, "address_purge", &budget,
                            outcome);
}

/* ---- many at once ---- */

static bool batch_is_bounded(const struct store_batch *batch)
{
    return batch->count >= 1 && batch->count <= STORE_IMPORT_MAX;
}

/* Adds each, and leaves *outcome with what was done and the first refusal. */
static void import_each(struct model *model, const struct store_command *command,
                        struct model_outcome *outcome, struct model_outcome *outcomes)
{
    for (size_t i = 0; i < command->batch.count; i++) {
        struct model_outcome one = {.refusal_count = 0};
        add(model, command, &command->batch.records[i], false, &one);
        if (outcomes)
            outcomes[i] = one;
        if (one.refusal_count == 0) {
            outcome->sequence = one.sequence;
            outcome->count += one.count;
        } else if (outcome->refusal_count == 0) {
            memcpy(outcome->refusals, one.refusals, sizeof(one.refusals));
            outcome->refusal_count = one.refusal_count;
        }
    }
}

void model_import(struct model *model, const struct store_command *command,
                  struct model_outcome *outcome, struct model_outcome *outcomes)
{
    struct shelf before;
    uint64_t sequence = model->sequence;
    if (!batch_is_bounded(&command->batch)) {
        model_refuse(outcome, STATUS_MALFORMED);
        return;
    }
    shelf_init(&before, sizeof(struct store_record), model->records[STORE_KIND_ADDRESS].order);
    shelf_copy(&before, &model->records[STORE_KIND_ADDRESS]);
    import_each(model, command, outcome, outcomes);
    if (command->batch.keep_going) {
        outcome->refusal_count = 0;
    } else if (outcome->refusal_count) {
        shelf_copy(&model->records[STORE_KIND_ADDRESS], &before);
        model->sequence = sequence;
        outcome->sequence = 0;
        outcome->count = 0;
    }
    shelf_done(&before);
}

/* Is it as it was imported? */
static bool is_import(const struct model *model, const struct store_record *record)
{
    const struct model_entry *entry = model_entry(model, record->version);
    return entry && strcmp(entry->what, "address_import") == 0;
}

static void undo_one(struct model *model, const struct store_command *command,
                     const struct store_record *given, struct model_outcome *outcome)
{
    const struct store_record *old = model_address(model, &given->address);
    if (!old)
        model_refuse(outcome, STATUS_NOTFOUND);
    else if (old->version != given->version || old->state == STORE_ADDRESS_TOMBSTONE ||
             !is_import(model, old))
        model_refuse(outcome, STATUS_CONFLICT);
    if (old && is_led_to(model, &old->address))
        model_refuse(outcome, STATUS_INUSE);
    if (old && model_port_holds(model, &old->address))
        model_refuse(outcome, STATUS_PORTING);
    if (!old || outcome->refusal_count)
        return;
    const struct model_entry *entry = model_entry(model, old->version);
    struct store_record before;
    if (entry->before)
        before = entry->before->any.address;
    model_write(model, command, "address_undo", STORE_KIND_ADDRESS, old,
                entry->before ? &before : NULL, outcome);
    model_guard_drop(model, command, &given->address, outcome);
}

void model_undo(struct model *model, const struct store_command *command,
                struct model_outcome *outcome, struct model_outcome *outcomes)
{
    if (!batch_is_bounded(&command->batch)) {
        model_refuse(outcome, STATUS_MALFORMED);
        return;
    }
    for (size_t i = command->batch.count; i-- > 0;) {
        struct model_outcome one = {.refusal_count = 0};
        undo_one(model, command, &command->batch.records[i], &one);
        if (outcomes)
            outcomes[i] = one;
        if (one.count)
            outcome->sequence = one.sequence;
        outcome->count += one.count;
    }
}
