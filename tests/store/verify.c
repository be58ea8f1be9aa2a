#include "tests/store/verify.h"

#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool verify_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("# store and model differ: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

/* ---- the same? ---- */

static bool text_same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool address_same(const struct store_address *a, const struct store_address *b)
{
    return text_same(a->user, b->user) && text_same(a->domain, b->domain);
}

static bool domain_same(const struct store_domain *a, const struct store_domain *b)
{
    if (!text_same(a->name, b->name) || a->unknown != b->unknown ||
        a->core_count != b->core_count || a->ranked != b->ranked ||
        a->claims_per_owner != b->claims_per_owner || a->quarantine_days != b->quarantine_days ||
        a->unpublished != b->unpublished || a->version != b->version ||
        a->created_ms != b->created_ms)
        return false;
    for (unsigned i = 0; i < a->core_count; i++)
        if (!text_same(a->cores[i].host, b->cores[i].host) ||
            a->cores[i].port != b->cores[i].port ||
            a->cores[i].transport != b->cores[i].transport ||
            a->cores[i].priority != b->cores[i].priority ||
            a->cores[i].weight != b->cores[i].weight)
            return false;
    return true;
}

static bool record_same(const struct store_record *a, const struct store_record *b)
{
    return address_same(&a->address, &b->address) && a->state == b->state &&
           a->blocked == b->blocked && a->locked == b->locked && a->unpublished == b->unpublished &&
           text_same(a->hosting, b->hosting) && text_same(a->owner, b->owner) &&
           address_same(&a->target, &b->target) && text_same(a->display, b->display) &&
           a->version == b->version && a->created_ms == b->created_ms &&
           a->until_ms == b->until_ms && a->has_auth == b->has_auth &&
           a->auth_until_ms == b->auth_until_ms && text_same(a->notify, b->notify) &&
           !memcmp(a->auth_hash, b->auth_hash, sizeof(a->auth_hash));
}

static bool number_same(const struct store_number *a, const struct store_number *b)
{
    return text_same(a->digits, b->digits) && address_same(&a->address, &b->address) &&
           a->version == b->version && a->created_ms == b->created_ms;
}

static bool peer_same(const struct store_peer *a, const struct store_peer *b)
{
    return text_same(a->domain, b->domain) && a->blocked == b->blocked &&
           a->trusts_identity == b->trusts_identity && a->requests_per_s == b->requests_per_s &&
           a->calls_max == b->calls_max && a->pin_count == b->pin_count &&
           !memcmp(a->pins, b->pins, a->pin_count * sizeof(a->pins[0])) &&
           text_same(a->tariff, b->tariff) && a->version == b->version &&
           a->created_ms == b->created_ms;
}

static bool token_same(const struct store_token *a, const struct store_token *b)
{
    if (!text_same(a->id, b->id) || memcmp(a->hash, b->hash, sizeof(a->hash)) != 0 ||
        a->scope != b->scope || !text_same(a->owner, b->owner) ||
        a->domain_count != b->domain_count || !text_same(a->note, b->note) ||
        a->version != b->version || a->created_ms != b->created_ms || a->until_ms != b->until_ms)
        return false;
    for (unsigned i = 0; i < a->domain_count; i++)
        if (!text_same(a->domains[i], b->domains[i]))
            return false;
    return true;
}

static bool port_same(const struct store_port *a, const struct store_port *b)
{
    return a->role == b->role && text_same(a->id, b->id) && text_same(a->request, b->request) &&
           a->kind == b->kind && a->state == b->state && a->reason == b->reason &&
           address_same(&a->address, &b->address) && text_same(a->gaining, b->gaining) &&
           text_same(a->losing, b->losing) && a->owed == b->owed &&
           a->deadline_ms == b->deadline_ms && a->committed_ms == b->committed_ms &&
           a->order == b->order && a->commit_order == b->commit_order &&
           text_same(a->undoes, b->undoes) && !memcmp(a->undo_hash, b->undo_hash, STORE_HASH_LEN) &&
           a->terms.window == b->terms.window && a->terms.wait == b->terms.wait &&
           a->terms.dispute == b->terms.dispute && a->terms.grace == b->terms.grace &&
           a->terms.freeze == b->terms.freeze && a->terms.remind == b->terms.remind &&
           a->reminder == b->reminder && a->remind_ms == b->remind_ms && a->version == b->version &&
           a->created_ms == b->created_ms;
}

static bool guard_same(const struct store_guard *a, const struct store_guard *b)
{
    return address_same(&a->address, &b->address) && a->frozen_until_ms == b->frozen_until_ms &&
           a->frozen == b->frozen && text_same(a->code_for, b->code_for) &&
           a->has_key == b->has_key && a->has_next_key == b->has_next_key &&
           (!a->has_key || !memcmp(a->key, b->key, STORE_HASH_LEN)) &&
           (!a->has_next_key || (!memcmp(a->next_key, b->next_key, STORE_HASH_LEN) &&
                                 a->next_key_ms == b->next_key_ms)) &&
           a->version == b->version && a->created_ms == b->created_ms;
}

bool verify_same(enum store_kind kind, const void *a, const void *b)
{
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return domain_same(a, b);
    case STORE_KIND_ADDRESS:
        return record_same(a, b);
    case STORE_KIND_NUMBER:
        return number_same(a, b);
    case STORE_KIND_PEER:
        return peer_same(a, b);
    case STORE_KIND_TOKEN:
        return token_same(a, b);
    case STORE_KIND_PORT:
        return port_same(a, b);
    case STORE_KIND_GUARD:
        return guard_same(a, b);
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    return false;
}

/* ---- lists ---- */

/* A list is walked beside the shelf that it must equal. */
struct walk {
    enum store_kind kind;
    const struct shelf *shelf;
    const char *owner; /* NULL: of anybody */
    size_t next, end;
    bool is_good;
};

static bool walk_step(struct walk *walk, const void *record)
{
    char name[MODEL_NAME_MAX + 1];
    const struct store_record *expected = NULL;
    while (walk->next < walk->end) {
        expected = shelf_at(walk->shelf, walk->next++);
        if (!walk->owner || strcmp(expected->owner, walk->owner) == 0)
            break;
        expected = NULL;
    }
    model_name(walk->kind, record, name);
    walk->is_good = expected && verify_same(walk->kind, expected, record);
    if (!walk->is_good)
        verify_fail("list of kind %d, at %s (the model has %zu)", walk->kind, name,
                    walk->shelf->count);
    return walk->is_good;
}

static bool walk_domain(const struct store_domain *domain, void *arg)
{
    return walk_step(arg, domain);
}

static bool walk_address(const struct store_record *record, void *arg)
{
    return walk_step(arg, record);
}

static bool walk_number(const struct store_number *number, void *arg)
{
    return walk_step(arg, number);
}

static bool walk_peer(const struct store_peer *peer, void *arg)
{
    return walk_step(arg, peer);
}

static bool walk_token(const struct store_token *token, void *arg)
{
    return walk_step(arg, token);
}

static bool walk_port(const struct store_port *port, void *arg)
{
    return walk_step(arg, port);
}

static int list_call(struct store_reader *reader, struct walk *walk, const void *after, size_t max)
{
    const union store_any *from = after;
    switch (walk->kind) {
    case STORE_KIND_DOMAIN:
        return store_domain_list(reader, from ? from->domain.name : NULL, max, walk_domain, walk);
    case STORE_KIND_ADDRESS:
        return store_address_list(reader, NULL, from ? &from->address.address : NULL, max,
                                  walk_address, walk);
    case STORE_KIND_NUMBER:
        return store_number_list(reader, from ? from->number.digits : NULL, max, walk_number, walk);
    case STORE_KIND_PEER:
        return store_peer_list(reader, from ? from->peer.domain : NULL, max, walk_peer, walk);
    case STORE_KIND_PORT:
        return store_port_list(reader, from ? &from->port : NULL, max, walk_port, walk);
    default:
        return store_token_list(reader, from ? from->token.id : NULL, max, walk_token, walk);
    }
}

/* `count` records after the first `skip`. */
static bool list_verify(struct store_reader *reader, const struct model *model,
                        enum store_kind kind, size_t skip, size_t count)
{
    const struct shelf *shelf = &model->records[kind];
    size_t end = count < shelf->count - skip ? skip + count : shelf->count;
    struct walk walk = {.kind = kind, .shelf = shelf, .next = skip, .end = end, .is_good = true};
    const void *after = skip ? shelf_at(shelf, skip - 1) : NULL;
    if (list_call(reader, &walk, after, count) || !walk.is_good)
        return verify_fail("the list of kind %d", kind);
    return walk.next == end ||
           verify_fail("the list of kind %d ends at %zu, not at %zu", kind, walk.next, end);
}

static int get_call(struct store_reader *reader, enum store_kind kind, const void *like,
                    union store_any *any)
{
    const union store_any *name = like;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return store_domain_get(reader, name->domain.name, &any->domain);
    case STORE_KIND_ADDRESS:
        return store_address_get(reader, &name->address.address, &any->address);
    case STORE_KIND_NUMBER:
        return store_number_get(reader, name->number.digits, &any->number);
    case STORE_KIND_PEER:
        return store_peer_get(reader, name->peer.domain, &any->peer);
    case STORE_KIND_PORT:
        return store_port_get(reader, name->port.role, name->port.id, &any->port);
    case STORE_KIND_GUARD:
        return store_guard_get(reader, &name->guard.address, &any->guard);
    default:
        return store_token_get(reader, name->token.id, &any->token);
    }
}

static bool records_verify(struct store_reader *reader, const struct model *model,
                           enum store_kind kind, struct dice *dice)
{
    const struct shelf *shelf = &model->records[kind];
    for (size_t i = 0; i < shelf->count; i++) {
        char name[MODEL_NAME_MAX + 1];
        union store_any any;
        const void *expected = shelf_at(shelf, i);
        int ret = get_call(reader, kind, expected, &any);
        model_name(kind, expected, name);
        if (ret || !verify_same(kind, expected, &any))
            return verify_fail("%s, kind %d: %s", name, kind, ret ? status_text(ret) : "not equal");
    }
    uint64_t guards;
    if (kind == STORE_KIND_GUARD) /* there is no list of them */
        return (store_count(&reader->txn, TABLE_GUARDS, &guards) == 0 && guards == shelf->count) ||
               verify_fail("there are not %zu guards", shelf->count);
    size_t skip = dice_roll(dice, (unsigned)shelf->count + 1), count = 1 + dice_roll(dice, 20);
    return list_verify(reader, model, kind, 0, SIZE_MAX) &&
           list_verify(reader, model, kind, skip, count);
}

static bool owner_verify(struct store_reader *reader, const struct model *model, const char *owner)
{
    const struct shelf *shelf = &model->records[STORE_KIND_ADDRESS];
    struct walk walk = {.kind = STORE_KIND_ADDRESS,
                        .shelf = shelf,
                        .owner = owner,
                        .end = shelf->count,
                        .is_good = true};
    int ret = store_owner_list(reader, owner, NULL, NULL, SIZE_MAX, walk_address, &walk);
    if (ret || !walk.is_good)
        return verify_fail("the addresses of %s: %s", owner, status_text(ret));
    for (; walk.next < walk.end; walk.next++) {
        const struct store_record *record = shelf_at(shelf, walk.next);
        if (strcmp(record->owner, owner) == 0)
            return verify_fail("%s is not told to own %s@%s", owner, record->address.user,
                               record->address.domain);
    }
    return true;
}

static bool owners_verify(struct store_reader *reader, const struct model *model)
{
    const struct shelf *shelf = &model->records[STORE_KIND_ADDRESS];
    for (size_t i = 0; i < shelf->count; i++) {
        const struct store_record *record = shelf_at(shelf, i);
        bool is_new = record->owner[0] != '\0';
        for (size_t k = 0; is_new && k < i; k++)
            is_new = strcmp(((struct store_record *)shelf_at(shelf, k))->owner, record->owner) != 0;
        if (is_new && !owner_verify(reader, model, record->owner))
            return false;
    }
    return true;
}

/* ---- keys, cursors, statistics ---- */

static bool keys_verify(struct store_reader *reader, const struct model *model)
{
    struct store_key key;
    for (size_t i = 0; i < model->keys.count; i++) {
        const struct store_key *expected = shelf_at(&model->keys, i);
        int ret = store_key_get(reader, expected->id, &key);
        if (ret || key.id != expected->id || key.created_ms != expected->created_ms ||
            key.retired_ms != expected->retired_ms ||
            memcmp(key.secret, expected->secret, sizeof(key.secret)) != 0)
            return verify_fail("key %u: %s", (unsigned)expected->id, status_text(ret));
    }
    int ret = store_key_current(reader, &key);
    if (model->keys.count == 0)
        return ret == STATUS_NOTFOUND || verify_fail("a key from nowhere");
    return (ret == 0 && key.id == model->keys.count) || verify_fail("the current key");
}

struct local_walk {
    const struct shelf *shelf;
    size_t next;
    bool is_good;
};

static bool walk_cursor(const struct store_cursor *cursor, void *arg)
{
    struct local_walk *walk = arg;
    const struct store_cursor *expected =
        walk->next < walk->shelf->count ? shelf_at(walk->shelf, walk->next++) : NULL;
    walk->is_good = expected && strcmp(expected->name, cursor->name) == 0 &&
                    expected->sequence == cursor->sequence && expected->lost == cursor->lost;
    return walk->is_good || verify_fail("cursor %s", cursor->name);
}

static bool walk_usage(const struct store_usage *usage, void *arg)
{
    struct local_walk *walk = arg;
    const struct store_usage *expected =
        walk->next < walk->shelf->count ? shelf_at(walk->shelf, walk->next++) : NULL;
    walk->is_good = expected && strcmp(expected->node, usage->node) == 0 &&
                    strcmp(expected->peer, usage->peer) == 0 && expected->period == usage->period &&
                    expected->attempts == usage->attempts && expected->answers == usage->answers &&
                    expected->seconds == usage->seconds && expected->bytes == usage->bytes;
    return walk->is_good || verify_fail("usage of %s", usage->node);
}

static bool local_verify(struct store_reader *reader, const struct model *model)
{
    struct local_walk cursors = {.shelf = &model->cursors, .is_good = true};
    struct local_walk usages = {.shelf = &model->usages, .is_good = true};
    int ret = store_cursor_list(reader, walk_cursor, &cursors);
    if (ret == 0)
        ret = store_usage_list(reader, 0, SIZE_MAX, walk_usage, &usages);
    if (ret || !cursors.is_good || !usages.is_good)
        return verify_fail("what is local: %s", status_text(ret));
    return (cursors.next == model->cursors.count && usages.next == model->usages.count) ||
           verify_fail("%zu cursors and %zu usages", cursors.next, usages.next);
}

static bool stats_verify(struct store_reader *reader, const struct model *model)
{
    struct store_stats stats;
    int ret = store_stats_get(reader, &stats);
    if (ret)
        return verify_fail("no statistics: %s", status_text(ret));
    const struct {
        const char *name;
        uint64_t store, model;
    } figures[] = {
        {"domains", stats.domains, model->records[STORE_KIND_DOMAIN].count},
        {"addresses", stats.addresses, model->records[STORE_KIND_ADDRESS].count},
        {"numbers", stats.numbers, model->records[STORE_KIND_NUMBER].count},
        {"peers", stats.peers, model->records[STORE_KIND_PEER].count},
        {"tokens", stats.tokens, model->records[STORE_KIND_TOKEN].count},
        {"verdicts", stats.verdicts, table_count(model->verdicts)},
        {"first sequence", stats.first_sequence, model->first},
        {"last sequence", stats.last_sequence, model->sequence},
        {"log index", stats.log_last, model->index},
        {"store time", stats.store_time_ms, model->time_ms},
    };
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        if (figures[i].store != figures[i].model)
            return verify_fail("%s: %llu in the store, %llu in the model", figures[i].name,
                               (unsigned long long)figures[i].store,
                               (unsigned long long)figures[i].model);
    return true;
}

/* ---- the journal ---- */

struct journal_walk {
    const struct model *model;
    uint64_t next;
    bool is_good;
};

static bool state_same(const struct store_journal_entry *entry, const union store_any *told,
                       const struct model_state *expected)
{
    if (!told != !expected)
        return false;
    return !told || verify_same(entry->kind, told, &expected->any);
}

static bool walk_entry(const struct store_journal_entry *entry, void *arg)
{
    struct journal_walk *walk = arg;
    const struct model_entry *expected = model_entry(walk->model, walk->next++);
    walk->is_good = expected && entry->sequence == expected->sequence &&
                    entry->time_ms == expected->time_ms && entry->kind == expected->kind &&
                    entry->erased == expected->erased && text_same(entry->actor, expected->actor) &&
                    text_same(entry->what, expected->what) &&
                    text_same(entry->key, expected->key) &&
                    state_same(entry, entry->before, expected->before) &&
                    state_same(entry, entry->after, expected->after);
    if (!walk->is_good)
        verify_fail("journal entry %llu: %s of %s by %s%s, expected was %s of %s by %s%s",
                    (unsigned long long)entry->sequence, entry->what, entry->key, entry->actor,
                    entry->erased ? ", erased" : "", expected ? expected->what : "nothing",
                    expected ? expected->key : "-", expected ? expected->actor : "-",
                    expected && expected->erased ? ", erased" : "");
    return walk->is_good;
}

static bool journal_verify(struct store_reader *reader, const struct model *model, uint64_t from)
{
    uint64_t first = from > model->first ? from : model->first;
    struct journal_walk walk = {.model = model, .next = first, .is_good = true};
    int ret = store_journal_read(reader, first, SIZE_MAX, walk_entry, &walk);
    if (ret || !walk.is_good)
        return verify_fail("the journal: %s", status_text(ret));
    if (walk.next <= model->sequence)
        return verify_fail("the journal ends before %llu", (unsigned long long)walk.next);
    if (model->first > 1 &&
        store_journal_read(reader, model->first - 1, 1, walk_entry, &walk) != STATUS_TRIMMED)
        return verify_fail("what was trimmed from the journal can be read");
    return true;
}

/* ---- all of it ---- */

bool verify_model(struct store_reader *reader, const struct model *model, uint64_t journal_from,
                  bool local, struct dice *dice)
{
    if (store_reader_begin(reader))
        return verify_fail("no snapshot to read");
    bool is_good = stats_verify(reader, model);
    for (int kind = 0; is_good && kind < MODEL_KINDS; kind++)
        is_good = model->records[kind].size == 0 ||
                  records_verify(reader, model, (enum store_kind)kind, dice);
    is_good = is_good && owners_verify(reader, model) && keys_verify(reader, model) &&
              (!local || local_verify(reader, model)) &&
              journal_verify(reader, model, journal_from);
    store_reader_end(reader);
    return is_good;
}
