#include "tests/store/model.h"

#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS       ((uint64_t)24 * 3600 * 1000)
#define VERDICTS_MAX ((size_t)1 << 20)

/* ---- order of keys ---- */

static int address_order(const struct store_address *a, const struct store_address *b)
{
    int order = strcmp(a->domain, b->domain);
    return order ? order : strcmp(a->user, b->user);
}

static int domains_order(const void *a, const void *b)
{
    const struct store_domain *one = a, *other = b;
    return strcmp(one->name, other->name);
}

static int addresses_order(const void *a, const void *b)
{
    const struct store_record *one = a, *other = b;
    return address_order(&one->address, &other->address);
}

static int numbers_order(const void *a, const void *b)
{
    const struct store_number *one = a, *other = b;
    return strcmp(one->digits, other->digits);
}

static int peers_order(const void *a, const void *b)
{
    const struct store_peer *one = a, *other = b;
    return strcmp(one->domain, other->domain);
}

static int tokens_order(const void *a, const void *b)
{
    const struct store_token *one = a, *other = b;
    return strcmp(one->id, other->id);
}

static int keys_order(const void *a, const void *b)
{
    const struct store_key *one = a, *other = b;
    return one->id < other->id ? -1 : one->id > other->id;
}

static int cursors_order(const void *a, const void *b)
{
    const struct store_cursor *one = a, *other = b;
    return strcmp(one->name, other->name);
}

static int usages_order(const void *a, const void *b)
{
    const struct store_usage *one = a, *other = b;
    if (one->period != other->period)
        return one->period < other->period ? -1 : 1;
    int order = strcmp(one->node, other->node);
    return order ? order : strcmp(one->peer, other->peer);
}

static int ports_order(const void *a, const void *b)
{
    const struct store_port *one = a, *other = b;
    return one->role != other->role ? (int)one->role - (int)other->role
                                    : strcmp(one->id, other->id);
}

static int guards_order(const void *a, const void *b)
{
    const struct store_guard *one = a, *other = b;
    return address_order(&one->address, &other->address);
}

/* ---- begin and end ---- */

static const struct {
    size_t size;
    shelf_order_h *order;
} kinds[MODEL_KINDS] = {
    [STORE_KIND_DOMAIN] = {sizeof(struct store_domain), domains_order},
    [STORE_KIND_ADDRESS] = {sizeof(struct store_record), addresses_order},
    [STORE_KIND_NUMBER] = {sizeof(struct store_number), numbers_order},
    [STORE_KIND_PEER] = {sizeof(struct store_peer), peers_order},
    [STORE_KIND_TOKEN] = {sizeof(struct store_token), tokens_order},
    [STORE_KIND_PORT] = {sizeof(struct store_port), ports_order},
    [STORE_KIND_GUARD] = {sizeof(struct store_guard), guards_order},
};

void model_init(struct model *model)
{
    *model = (struct model){.first = 1, .verdicts = table_alloc(VERDICTS_MAX)};
    if (!model->verdicts)
        abort();
    for (int kind = 0; kind < MODEL_KINDS; kind++)
        shelf_init(&model->records[kind], kinds[kind].size, kinds[kind].order);
    shelf_init(&model->keys, sizeof(struct store_key), keys_order);
    shelf_init(&model->cursors, sizeof(struct store_cursor), cursors_order);
    shelf_init(&model->usages, sizeof(struct store_usage), usages_order);
}

static void verdict_drop(struct model *model)
{
    struct model_verdict *verdict = model->oldest;
    model->oldest = verdict->next;
    table_remove(model->verdicts, &verdict->link);
    free(verdict);
}

void model_done(struct model *model)
{
    while (model->oldest)
        verdict_drop(model);
    table_free(model->verdicts);
    while (model->states) {
        struct model_state *state = model->states;
        model->states = state->next;
        free(state);
    }
    for (int kind = 0; kind < MODEL_KINDS; kind++)
        shelf_done(&model->records[kind]);
    shelf_done(&model->keys);
    shelf_done(&model->cursors);
    shelf_done(&model->usages);
    free(model->entries);
}

/* ---- outcomes ---- */

void model_refuse(struct model_outcome *outcome, int status)
{
    if (outcome->refusal_count < MODEL_REFUSALS_MAX)
        outcome->refusals[outcome->refusal_count++] = status;
}

bool model_allows(const struct model_outcome *outcome, const struct store_verdict *verdict)
{
    if (verdict->repeated != outcome->repeated || verdict->sequence != outcome->sequence ||
        verdict->count != outcome->count)
        return false;
    if (outcome->refusal_count == 0)
        return verdict->status == 0;
    for (unsigned i = 0; i < outcome->refusal_count; i++)
        if (outcome->refusals[i] == verdict->status)
            return true;
    return false;
}

/* ---- records ---- */

void *model_find(const struct model *model, enum store_kind kind, const void *like)
{
    return shelf_find(&model->records[kind], like);
}

struct store_record *model_address(const struct model *model, const struct store_address *address)
{
    struct store_record like = {.address = *address};
    return model_find(model, STORE_KIND_ADDRESS, &like);
}

struct store_domain *model_domain(const struct model *model, const char *name)
{
    struct store_domain like;
    snprintf(like.name, sizeof(like.name), "%s", name);
    return model_find(model, STORE_KIND_DOMAIN, &like);
}

static uint64_t *version_of(enum store_kind kind, void *record)
{
    union store_any *any = record;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return &any->domain.version;
    case STORE_KIND_NUMBER:
        return &any->number.version;
    case STORE_KIND_PEER:
        return &any->peer.version;
    case STORE_KIND_TOKEN:
        return &any->token.version;
    case STORE_KIND_PORT:
        return &any->port.version;
    case STORE_KIND_GUARD:
        return &any->guard.version;
    default:
        return &any->address.version;
    }
}

uint64_t *model_created(enum store_kind kind, void *record)
{
    union store_any *any = record;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return &any->domain.created_ms;
    case STORE_KIND_NUMBER:
        return &any->number.created_ms;
    case STORE_KIND_PEER:
        return &any->peer.created_ms;
    case STORE_KIND_TOKEN:
        return &any->token.created_ms;
    default:
        return &any->address.created_ms;
    }
}

uint64_t model_version(enum store_kind kind, const void *record)
{
    return *version_of(kind, (void *)record);
}

void model_name(enum store_kind kind, const void *record, char name[MODEL_NAME_MAX + 1])
{
    const union store_any *any = record;
    size_t size = MODEL_NAME_MAX + 1;
    if (kind == STORE_KIND_DOMAIN)
        snprintf(name, size, "%s", any->domain.name);
    else if (kind == STORE_KIND_ADDRESS)
        snprintf(name, size, "%s@%s", any->address.address.user, any->address.address.domain);
    else if (kind == STORE_KIND_NUMBER)
        snprintf(name, size, "+%s", any->number.digits);
    else if (kind == STORE_KIND_PEER)
        snprintf(name, size, "%s", any->peer.domain);
    else if (kind == STORE_KIND_PORT)
        snprintf(name, size, "%s %s", store_port_role_text(any->port.role), any->port.id);
    else if (kind == STORE_KIND_GUARD)
        snprintf(name, size, "%s@%s", any->guard.address.user, any->guard.address.domain);
    else
        snprintf(name, size, "%s", any->token.id);
}

/* ---- journal ---- */

struct model_entry *model_entry(const struct model *model, uint64_t sequence)
{
    if (sequence < model->first || sequence > model->sequence)
        return NULL;
    return &model->entries[sequence - model->first];
}

struct model_entry *model_entry_add(struct model *model, const struct store_command *command,
                                    const char *what, enum store_kind kind, const char *key,
                                    struct model_outcome *outcome)
{
    size_t count = model->sequence + 1 - model->first;
    if (count == model->room) {
        model->room = model->room ? 2 * model->room : 256;
        model->entries = realloc(model->entries, model->room * sizeof(*model->entries));
        if (!model->entries)
            abort();
    }
    struct model_entry *entry = &model->entries[count];
    *entry = (struct model_entry){
        .sequence = ++model->sequence, .time_ms = model->time_ms, .what = what, .kind = kind};
    snprintf(entry->actor, sizeof(entry->actor), "%s", command->actor);
    snprintf(entry->key, sizeof(entry->key), "%s", key);
    outcome->sequence = model->sequence;
    outcome->count++;
    return entry;
}

/* What the journal may tell of a record: no secrets. */
static const struct model_state *state_add(struct model *model, enum store_kind kind,
                                           const void *record)
{
    struct model_state *state = malloc(offsetof(struct model_state, any) + kinds[kind].size);
    if (!state)
        abort();
    memcpy(&state->any, record, kinds[kind].size);
    if (kind == STORE_KIND_ADDRESS)
        memset(state->any.address.auth_hash, 0, STORE_HASH_LEN);
    if (kind == STORE_KIND_TOKEN)
        memset(state->any.token.hash, 0, STORE_HASH_LEN);
    if (kind == STORE_KIND_PORT)
        memset(state->any.port.undo_hash, 0, STORE_HASH_LEN);
    state->next = model->states;
    model->states = state;
    return state;
}

void model_write(struct model *model, const struct store_command *command, const char *what,
                 enum store_kind kind, const void *before, void *after,
                 struct model_outcome *outcome)
{
    char name[MODEL_NAME_MAX + 1];
    uint64_t previous = before ? model_version(kind, before) : 0;
    const struct model_state *from = before ? state_add(model, kind, before) : NULL;
    const struct model_state *to = NULL;
    model_name(kind, after ? after : before, name);
    if (after) {
        *version_of(kind, after) = model->sequence + 1;
        shelf_put(&model->records[kind], after); /* `before` may be this item: it is over now */
        to = state_add(model, kind, after);
    } else {
        shelf_remove(&model->records[kind], &from->any);
    }
    struct model_entry *entry = model_entry_add(model, command, what, kind, name, outcome);
    entry->previous = previous;
    entry->before = from;
    entry->after = to;
}

/* ---- verdicts ---- */

static bool verdict_has_id(const struct table_link *link, const void *key)
{
    const struct model_verdict *verdict = container_of(link, struct model_verdict, link);
    return memcmp(verdict->id, key, sizeof(verdict->id)) == 0;
}

struct model_verdict *model_verdict_find(const struct model *model, const uint8_t id[32])
{
    uint64_t hash = table_hash(model->verdicts, slice_make((const char *)id, 32));
    struct table_link *link = table_find(model->verdicts, hash, verdict_has_id, id);
    return link ? container_of(link, struct model_verdict, link) : NULL;
}

bool model_id_is_set(const uint8_t id[32])
{
    static const uint8_t none[32];
    return memcmp(id, none, sizeof(none)) != 0;
}

/* Keeps the verdict; of those older than a day, the two oldest go. */
void model_verdict_keep(struct model *model, const struct store_command *command,
                        const struct model_outcome *outcome)
{
    for (int i = 0; i < 2; i++)
        if (model->oldest && model->time_ms - model->oldest->time_ms >= DAY_MS)
            verdict_drop(model);
    struct model_verdict *verdict = calloc(1, sizeof(*verdict));
    if (!verdict)
        abort();
    memcpy(verdict->id, command->id, sizeof(verdict->id));
    memcpy(verdict->body_hash, command->body_hash, sizeof(verdict->body_hash));
    verdict->time_ms = model->time_ms;
    verdict->outcome = *outcome;
    verdict->outcome.repeated = true;
    table_put(model->verdicts, &verdict->link,
              table_hash(model->verdicts, slice_make((const char *)verdict->id, 32)));
    if (model->oldest)
        model->youngest->next = verdict;
    else
        model->oldest = verdict;
    model->youngest = verdict;
}

void model_settle(struct model *model, const struct store_command *command,
                  const struct store_verdict *verdict)
{
    struct model_verdict *kept =
        model_id_is_set(command->id) ? model_verdict_find(model, command->id) : NULL;
    if (!kept || verdict->status == 0 || verdict->status == STATUS_MISMATCH)
        return;
    kept->outcome.refusals[0] = verdict->status;
    kept->outcome.refusal_count = 1;
}
