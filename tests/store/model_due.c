/* What happens because time has passed: tombstones and entries of addresses that moved go, ports go
 * on, tokens end. */
#include "tests/store/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By name: records move on their shelves while others go. */
struct due {
    uint64_t time_ms;
    enum store_kind kind;
    enum store_port_role role;
    union {
        struct store_address address;
        char id[STORE_PORT_ID_LEN + 1]; /* of a token or port */
    };
};

/* Of one moment addresses come first, then ports, then tokens. */
static int kind_rank(enum store_kind kind)
{
    return kind == STORE_KIND_ADDRESS ? 0 : kind == STORE_KIND_PORT ? 1 : 2;
}

static int due_order(const void *a, const void *b)
{
    const struct due *one = a, *other = b;
    if (one->time_ms != other->time_ms)
        return one->time_ms < other->time_ms ? -1 : 1;
    if (one->kind != other->kind)
        return kind_rank(one->kind) - kind_rank(other->kind);
    if (one->role != other->role)
        return (int)one->role - (int)other->role;
    if (one->kind != STORE_KIND_ADDRESS)
        return strcmp(one->id, other->id);
    int order = strcmp(one->address.domain, other->address.domain);
    return order ? order : strcmp(one->address.user, other->address.user);
}

static uint64_t due_of(enum store_kind kind, const union store_any *any)
{
    return kind == STORE_KIND_ADDRESS ? any->address.until_ms
           : kind == STORE_KIND_PORT  ? store_port_due_ms(&any->port)
                                      : any->token.until_ms;
}

static void due_name(struct due *due, const union store_any *any)
{
    if (due->kind == STORE_KIND_ADDRESS)
        due->address = any->address.address;
    else if (due->kind == STORE_KIND_PORT)
        due->role = any->port.role;
    if (due->kind != STORE_KIND_ADDRESS)
        snprintf(due->id, sizeof(due->id), "%s",
                 due->kind == STORE_KIND_PORT ? any->port.id : any->token.id);
}

static const enum store_kind due_kinds[] = {STORE_KIND_ADDRESS, STORE_KIND_PORT, STORE_KIND_TOKEN};

static size_t due_collect(const struct model *model, struct due *due)
{
    size_t count = 0;
    for (size_t k = 0; k < sizeof(due_kinds) / sizeof(due_kinds[0]); k++) {
        const struct shelf *shelf = &model->records[due_kinds[k]];
        for (size_t i = 0; i < shelf->count; i++) {
            uint64_t time_ms = due_of(due_kinds[k], shelf_at(shelf, i));
            if (!time_ms || time_ms > model->time_ms)
                continue;
            due[count] = (struct due){.time_ms = time_ms, .kind = due_kinds[k]};
            due_name(&due[count++], shelf_at(shelf, i));
        }
    }
    qsort(due, count, sizeof(*due), due_order);
    return count < MODEL_EXPIRE_MAX ? count : MODEL_EXPIRE_MAX;
}

static void token_end(struct model *model, const struct store_command *command, const char *id,
                      struct model_outcome *outcome)
{
    struct store_token like;
    snprintf(like.id, sizeof(like.id), "%s", id);
    model_write(model, command, "expire", STORE_KIND_TOKEN,
                model_find(model, STORE_KIND_TOKEN, &like), NULL, outcome);
}

static void due_do(struct model *model, const struct store_command *command, const struct due *due,
                   uint32_t *budget, struct model_outcome *outcome)
{
    if (due->kind == STORE_KIND_PORT) {
        model_port_due(model, command, due->role, due->id, outcome);
        return;
    }
    if (due->kind == STORE_KIND_TOKEN) {
        token_end(model, command, due->id, outcome);
        return;
    }
    const struct store_record *record = model_address(model, &due->address);
    if (record->state == STORE_ADDRESS_TOMBSTONE)
        model_tombstone_end(model, command, &due->address, "expire", budget, outcome);
    else
        model_write(model, command, "expire", STORE_KIND_ADDRESS, record, NULL, outcome);
}

void model_expire(struct model *model, const struct store_command *command,
                  struct model_outcome *outcome)
{
    size_t room = 1;
    for (size_t k = 0; k < sizeof(due_kinds) / sizeof(due_kinds[0]); k++)
        room += model->records[due_kinds[k]].count;
    struct due *due = calloc(room, sizeof(*due));
    uint32_t budget = MODEL_EXPIRE_MAX;
    if (!due)
        abort();
    size_t count = due_collect(model, due);
    for (size_t i = 0; i < count && budget > 0; i++) {
        budget--;
        due_do(model, command, &due[i], &budget, outcome);
    }
    free(due);
}
