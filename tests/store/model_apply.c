/* Judging and doing commands: all but those of addresses. */
#include "tests/store/model.h"

#include "base/status.h"
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIM_MAX 1000 /* entries that one command drops */

/* ---- domains, numbers, peers, tokens ---- */

bool model_expects(const struct store_command *command, uint64_t version)
{
    return command->expected_version == STORE_ANY_VERSION || command->expected_version == version;
}

/* What the kind's own rules say about adding or changing. */
static void record_check(const struct model *model, const struct store_command *command,
                         enum store_kind kind, struct model_outcome *outcome)
{
    if (!model_record_is_valid(kind, &command->domain)) {
        model_refuse(outcome, STATUS_MALFORMED);
        return;
    }
    if (kind == STORE_KIND_NUMBER) {
        const struct store_record *target = model_address(model, &command->number.address);
        if (!target || target->state == STORE_ADDRESS_TOMBSTONE)
            model_refuse(outcome, STATUS_NOTFOUND);
    }
}

static bool domain_has_addresses(const struct model *model, const char *name)
{
    const struct shelf *shelf = &model->records[STORE_KIND_ADDRESS];
    for (size_t i = 0; i < shelf->count; i++) {
        const struct store_record *record = shelf_at(shelf, i);
        if (strcmp(record->address.domain, name) == 0)
            return true;
    }
    return false;
}

static bool domain_has_guests(const struct model *model, const char *name)
{
    const struct shelf *shelf = &model->records[STORE_KIND_ADDRESS];
    for (size_t i = 0; i < shelf->count; i++) {
        const struct store_record *record = shelf_at(shelf, i);
        if ((record->state == STORE_ADDRESS_PORTED_IN || record->state == STORE_ADDRESS_PREPARED) &&
            strcmp(record->hosting, name) == 0)
            return true;
    }
    return false;
}

static void record_add(struct model *model, const struct store_command *command, const char *what,
                       enum store_kind kind, struct model_outcome *outcome)
{
    union store_any made;
    record_check(model, command, kind, outcome);
    if (outcome->refusal_count)
        return;
    if (model_find(model, kind, &command->domain))
        model_refuse(outcome, STATUS_EXISTS);
    else if (kind == STORE_KIND_DOMAIN && domain_has_addresses(model, command->domain.name))
        model_refuse(outcome, STATUS_INUSE);
    if (outcome->refusal_count)
        return;
    memcpy(&made, &command->domain, model->records[kind].size);
    *model_created(kind, &made) = model->time_ms;
    model_write(model, command, what, kind, NULL, &made, outcome);
}

static void record_put(struct model *model, const struct store_command *command, const char *what,
                       enum store_kind kind, struct model_outcome *outcome)
{
    union store_any made;
    record_check(model, command, kind, outcome);
    if (outcome->refusal_count && outcome->refusals[0] == STATUS_MALFORMED)
        return;
    void *old = model_find(model, kind, &command->domain);
    if (!old)
        model_refuse(outcome, STATUS_NOTFOUND);
    else if (!model_expects(command, model_version(kind, old)))
        model_refuse(outcome, STATUS_CONFLICT);
    if (outcome->refusal_count)
        return;
    memcpy(&made, &command->domain, model->records[kind].size);
    *model_created(kind, &made) = *model_created(kind, old);
    model_write(model, command, what, kind, old, &made, outcome);
}

static void record_del(struct model *model, const struct store_command *command, const char *what,
                       enum store_kind kind, struct model_outcome *outcome)
{
    void *old = model_find(model, kind, &command->domain);
    if (!old) {
        model_refuse(outcome, STATUS_NOTFOUND);
        return;
    }
    if (!model_expects(command, model_version(kind, old)))
        model_refuse(outcome, STATUS_CONFLICT);
    if (kind == STORE_KIND_DOMAIN && (domain_has_addresses(model, command->domain.name) ||
                                      domain_has_guests(model, command->domain.name) ||
                                      model_port_awaited(model, command->domain.name)))
        model_refuse(outcome, STATUS_INUSE);
    if (outcome->refusal_count == 0)
        model_write(model, command, what, kind, old, NULL, outcome);
}

/* ---- keys, trimming, what is local ---- */

static void key_add(struct model *model, const struct store_command *command,
                    struct model_outcome *outcome)
{
    struct store_key key = command->key;
    char name[64];
    key.id = 1;
    if (model->keys.count) {
        struct store_key *last = shelf_at(&model->keys, model->keys.count - 1);
        last->retired_ms = model->time_ms;
        key.id = last->id + 1;
    }
    key.created_ms = model->time_ms;
    key.retired_ms = 0;
    shelf_put(&model->keys, &key);
    snprintf(name, sizeof(name), "token key %u", (unsigned)key.id);
    model_entry_add(model, command, "key_add", STORE_KIND_KEY, name, outcome);
}

static void journal_trim(struct model *model, const struct store_command *command,
                         struct model_outcome *outcome)
{
    uint64_t end =
        command->sequence < model->sequence + 1 ? command->sequence : model->sequence + 1;
    uint64_t left = model->sequence + 1 - model->first;
    uint64_t count = end > model->first ? end - model->first : 0;
    if (count > TRIM_MAX)
        count = TRIM_MAX;
    if (count)
        memmove(model->entries, model->entries + count, (left - count) * sizeof(*model->entries));
    model->first += count;
    outcome->count = (uint32_t)count;
    for (size_t i = 0; i < model->cursors.count; i++) {
        struct store_cursor *cursor = shelf_at(&model->cursors, i);
        if (cursor->sequence + 1 < model->first)
            cursor->lost = true;
    }
}

static void cursor_put(struct model *model, const struct store_command *command,
                       struct model_outcome *outcome)
{
    struct store_cursor cursor = command->cursor;
    if (!model_cursor_is_valid(&cursor) || cursor.sequence > model->sequence)
        model_refuse(outcome, STATUS_MALFORMED);
    else if (cursor.sequence + 1 < model->first)
        model_refuse(outcome, STATUS_TRIMMED);
    if (outcome->refusal_count)
        return;
    cursor.lost = false;
    shelf_put(&model->cursors, &cursor);
    outcome->count = 1;
}

static void cursor_del(struct model *model, const struct store_command *command,
                       struct model_outcome *outcome)
{
    if (!shelf_find(&model->cursors, &command->cursor)) {
        model_refuse(outcome, STATUS_NOTFOUND);
        return;
    }
    shelf_remove(&model->cursors, &command->cursor);
    outcome->count = 1;
}

static void usage_add(struct model *model, const struct store_command *command,
                      struct model_outcome *outcome)
{
    for (size_t i = 0; i < command->usage.count; i++)
        if (!model_usage_is_valid(&command->usage.usages[i])) {
            model_refuse(outcome, STATUS_MALFORMED);
            return;
        }
    for (size_t i = 0; i < command->usage.count; i++) {
        const struct store_usage *usage = &command->usage.usages[i];
        struct store_usage *sums = shelf_find(&model->usages, usage);
        if (!sums) {
            shelf_put(&model->usages, usage);
            continue;
        }
        sums->attempts += usage->attempts;
        sums->answers += usage->answers;
        sums->seconds += usage->seconds;
        sums->bytes += usage->bytes;
    }
    outcome->count = (uint32_t)command->usage.count;
}

/* ---- one command ---- */

typedef void record_step(struct model *model, const struct store_command *command, const char *what,
                         enum store_kind kind, struct model_outcome *outcome);

/* Of each operation one of the three; none: it is refused. */
static const struct {
    record_step *record; /* what is alike for all kinds */
    enum store_kind kind;
    model_step *step;
    void (*batch)(struct model *model, const struct store_command *command,
                  struct model_outcome *outcome, struct model_outcome *outcomes);
} steps[STORE_OP_COUNT] = {
    /* moves of domains have tests/store/test_moves instead */
    [STORE_DOMAIN_ADD] = {.record = record_add, .kind = STORE_KIND_DOMAIN},
    [STORE_DOMAIN_PUT] = {.record = record_put, .kind = STORE_KIND_DOMAIN},
    [STORE_DOMAIN_DEL] = {.record = record_del, .kind = STORE_KIND_DOMAIN},
    [STORE_ADDRESS_ADD] = {.step = model_address_add},
    [STORE_ADDRESS_PUT] = {.step = model_address_put},
    [STORE_ADDRESS_RELEASE] = {.step = model_address_release},
    [STORE_ADDRESS_PURGE] = {.step = model_address_purge},
    [STORE_ADDRESS_AUTH] = {.step = model_address_auth},
    [STORE_ADDRESS_IMPORT] = {.batch = model_import},
    [STORE_ADDRESS_UNDO] = {.batch = model_undo},
    [STORE_NUMBER_ADD] = {.record = record_add, .kind = STORE_KIND_NUMBER},
    [STORE_NUMBER_PUT] = {.record = record_put, .kind = STORE_KIND_NUMBER},
    [STORE_NUMBER_DEL] = {.record = record_del, .kind = STORE_KIND_NUMBER},
    [STORE_PEER_ADD] = {.record = record_add, .kind = STORE_KIND_PEER},
    [STORE_PEER_PUT] = {.record = record_put, .kind = STORE_KIND_PEER},
    [STORE_PEER_DEL] = {.record = record_del, .kind = STORE_KIND_PEER},
    [STORE_TOKEN_ADD] = {.record = record_add, .kind = STORE_KIND_TOKEN},
    [STORE_TOKEN_DEL] = {.record = record_del, .kind = STORE_KIND_TOKEN},
    [STORE_KEY_ADD] = {.step = key_add},
    [STORE_EXPIRE] = {.step = model_expire},
    [STORE_JOURNAL_TRIM] = {.step = journal_trim},
    [STORE_CURSOR_PUT] = {.step = cursor_put},
    [STORE_CURSOR_DEL] = {.step = cursor_del},
    [STORE_USAGE_ADD] = {.step = usage_add},
    [STORE_PORT_OPEN] = {.step = model_port_open},
    [STORE_PORT_STEP] = {.step = model_port_step},
    [STORE_PORT_START] = {.step = model_port_start},
    [STORE_PORT_TELL] = {.step = model_port_tell},
    [STORE_PORT_PAID] = {.step = model_port_paid},
    [STORE_GUARD_PUT] = {.step = model_guard_put},
    [STORE_GUARD_CODE] = {.step = model_guard_code},
};

static void command_run(struct model *model, const struct store_command *command,
                        struct model_outcome *outcome, struct model_outcome *outcomes)
{
    bool is_known = (unsigned)command->op < STORE_OP_COUNT;
    if (is_known && steps[command->op].record)
        steps[command->op].record(model, command, store_op_text(command->op),
                                  steps[command->op].kind, outcome);
    else if (is_known && steps[command->op].step)
        steps[command->op].step(model, command, outcome);
    else if (is_known && steps[command->op].batch)
        steps[command->op].batch(model, command, outcome, outcomes);
    else
        model_refuse(outcome, STATUS_MALFORMED);
}

static bool op_is_local(enum store_op op)
{
    return op == STORE_CURSOR_PUT || op == STORE_CURSOR_DEL || op == STORE_USAGE_ADD;
}

void model_apply(struct model *model, const struct store_command *command,
                 struct model_outcome *outcome, struct model_outcome *outcomes)
{
    bool has_id = model_id_is_set(command->id), is_local = op_is_local(command->op);
    const struct model_verdict *known = has_id ? model_verdict_find(model, command->id) : NULL;
    *outcome = (struct model_outcome){.refusal_count = 0};
    if (!is_local)
        model->index++;
    if (known && memcmp(known->body_hash, command->body_hash, 32) != 0) {
        model_refuse(outcome, STATUS_MISMATCH);
    } else if (known) {
        *outcome = known->outcome;
    } else {
        if (!is_local && command->time_ms > model->time_ms)
            model->time_ms = command->time_ms;
        command_run(model, command, outcome, outcomes);
        if (has_id && !is_local)
            model_verdict_keep(model, command, outcome);
    }
}

/* All shelves of the model: those of the records, and three more. */
#define SHELVES (MODEL_KINDS + 3)

static struct shelf *shelf_of(struct model *model, int i)
{
    struct shelf *others[] = {&model->keys, &model->cursors, &model->usages};
    return i < MODEL_KINDS ? &model->records[i] : others[i - MODEL_KINDS];
}

void model_dry_run(struct model *model, const struct store_command *command,
                   struct model_outcome *outcome)
{
    struct shelf before[SHELVES];
    uint64_t index = model->index, sequence = model->sequence, time_ms = model->time_ms;
    for (int i = 0; i < SHELVES; i++) {
        const struct shelf *shelf = shelf_of(model, i);
        shelf_init(&before[i], shelf->size, shelf->order);
        shelf_copy(&before[i], shelf);
    }
    model_apply(model, command, outcome, NULL);
    for (int i = 0; i < SHELVES; i++) {
        shelf_copy(shelf_of(model, i), &before[i]);
        shelf_done(&before[i]);
    }
    model->index = index;
    model->sequence = sequence;
    model->time_ms = time_ms;
}
