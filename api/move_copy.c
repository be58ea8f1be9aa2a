/* /v1/domains/{name}/copy: all that belongs to a domain that moves, from where it leaves to where
 * it arrives. Unlike every other answer it has hashes of auth codes: administrators alone read it,
 * and nothing but hashes and public keys is in it. */
#include "api/moves.h"
#include "api/ports.h"

#include "base/hex.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- out ---- */

static json_t *hash_encode(const struct store_record *record)
{
    char hex[HEX_LEN(STORE_HASH_LEN) + 1];
    return record->has_auth ? json_string(hex_encode(record->auth_hash, STORE_HASH_LEN, hex))
                            : json_null();
}

/* In the snapshot of the page. */
static json_t *item_encode(struct api_call *call, const void *record)
{
    const struct store_record *address = record;
    struct store_guard guard;
    int status = store_guard_get(call->reader, &address->address, &guard);
    return json_pack("{s:o, s:o, s:o}", "record", api_address_encode(address), "auth_hash",
                     hash_encode(address), "protection",
                     status == 0 ? api_guard_encode(&guard) : json_null());
}

static const char *item_key(const void *record, char key[API_MAX_KEY_TEXT])
{
    return api_address_format(record, key); /* which a record begins with */
}

static int item_parse(struct slice text, char *key, struct store_fault *fault)
{
    struct store_address address;
    int status = store_address_parse(text, &address, fault);
    if (status == 0)
        api_address_format(&address, key);
    return status;
}

static const struct api_kind kind_item = {
    .plural = "records",
    .parameter = "name",
    .parse = item_parse,
    .key = item_key,
    .encode = item_encode,
};

static bool item_each(const struct store_record *record, void *arg)
{
    return api_page_add(arg, record);
}

static int is_state(struct api_call *call, const struct store_domain *domain, bool is_in,
                    const char *words)
{
    if (is_in)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_STATE, "move", "%s: %s", domain->name,
                           words);
}

int api_domain_copy_get(struct api_call *call)
{
    struct store_domain domain;
    struct store_address after;
    struct api_page page;
    if (api_move_domain(call, &domain) ||
        is_state(call, &domain, domain.move == STORE_MOVE_LEAVING || domain.move == STORE_MOVE_GONE,
                 "its addresses are not frozen; what is copied now would not be all") ||
        api_page_begin(&page, call, &kind_item))
        return -EPROTO;
    bool has_after = *page.after && store_address_parse(slice_of(page.after), &after, NULL) == 0;
    int status = store_reader_begin(call->reader);
    if (status == 0) {
        status = store_address_list(call->reader, domain.name, has_after ? &after : NULL, SIZE_MAX,
                                    item_each, &page);
        store_reader_end(call->reader);
    }
    return api_page_reply(&page, status);
}

/* ---- in ---- */

/* Lives in call->memory. */
struct copy {
    char domain[STORE_DOMAIN_MAX + 1];
    size_t count, copied;
    struct store_record records[STORE_IMPORT_MAX];
    struct store_guard guards[STORE_IMPORT_MAX];
    bool has_guard[STORE_IMPORT_MAX];
    int statuses[STORE_IMPORT_MAX];
};

static int malformed(struct api_call *call, size_t i, const char *what)
{
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, "records",
                           "records[%zu]: its %s is not as an export has it", i, what);
}

static bool text_take(const json_t *object, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, name));
    return !text || (size_t)snprintf(out, size, "%s", text) < size;
}

/* Untouched and true where there is none. */
static bool hex_take(const json_t *object, const char *name, uint8_t octets[STORE_HASH_LEN],
                     bool *is_there)
{
    const char *text = json_string_value(json_object_get(object, name));
    *is_there = text != NULL;
    return !text || hex_decode(slice_of(text), octets, STORE_HASH_LEN);
}

static bool time_take(const json_t *object, const char *name, uint64_t *ms)
{
    struct api_problem ignored;
    const char *text = json_string_value(json_object_get(object, name));
    return !text || api_time_decode(slice_of(text), name, ms, &ignored) == 0;
}

static bool target_take(const json_t *object, struct store_record *record)
{
    const char *text = json_string_value(json_object_get(object, "target"));
    return !text || store_address_parse(slice_of(text), &record->target, NULL) == 0;
}

static bool record_take(const json_t *json, const char *domain, struct store_record *record)
{
    const char *address = json_string_value(json_object_get(json, "address"));
    const char *state = json_string_value(json_object_get(json, "state"));
    *record = (struct store_record){.version = 0};
    record->blocked = json_is_true(json_object_get(json, "blocked"));
    record->locked = json_is_true(json_object_get(json, "locked"));
    record->unpublished = json_is_false(json_object_get(json, "published"));
    return address && state &&
           store_address_parse(slice_of(address), &record->address, NULL) == 0 &&
           strcmp(record->address.domain, domain) == 0 &&
           store_address_state_parse(state, &record->state) == 0 &&
           text_take(json, "hosting", record->hosting, sizeof(record->hosting)) &&
           text_take(json, "owner", record->owner, sizeof(record->owner)) &&
           text_take(json, "display", record->display, sizeof(record->display)) &&
           text_take(json, "notify", record->notify, sizeof(record->notify)) &&
           target_take(json, record) && time_take(json, "until", &record->until_ms) &&
           time_take(json, "auth_until", &record->auth_until_ms);
}

static bool guard_take(const json_t *json, const struct store_address *address,
                       struct store_guard *guard)
{
    *guard = (struct store_guard){.address = *address};
    guard->frozen = json_is_true(json_object_get(json, "frozen"));
    return time_take(json, "frozen_until", &guard->frozen_until_ms) &&
           text_take(json, "code_for", guard->code_for, sizeof(guard->code_for)) &&
           hex_take(json, "recovery_key", guard->key, &guard->has_key) &&
           hex_take(json, "next_recovery_key", guard->next_key, &guard->has_next_key) &&
           time_take(json, "next_recovery_key_from", &guard->next_key_ms);
}

static int items_take(struct api_call *call, struct copy *copy)
{
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(call->body, "records"), i, item)
    {
        const json_t *protection = json_object_get(item, "protection");
        struct store_record *record = &copy->records[i];
        if (!record_take(json_object_get(item, "record"), copy->domain, record) ||
            !hex_take(item, "auth_hash", record->auth_hash, &record->has_auth))
            return malformed(call, i, "record");
        copy->has_guard[i] = json_is_object(protection);
        if (copy->has_guard[i] && !guard_take(protection, &record->address, &copy->guards[i]))
            return malformed(call, i, "protection");
    }
    return 0;
}

static int submit(struct api_call *call, struct store_command *command)
{
    struct store_verdict verdict;
    command->expected_version = STORE_ANY_VERSION;
    command->time_ms = api_now_ms();
    snprintf(command->actor, sizeof(command->actor), "%s", call->actor);
    int status = store_submit(call->api->parts.store, command, &verdict);
    return status ? status : verdict.status;
}

static int code_copy(struct api_call *call, const struct copy *copy, size_t i)
{
    const struct store_record *record = &copy->records[i];
    struct store_command command = {.op = STORE_GUARD_CODE, .guard = copy->guards[i]};
    if (!record->has_auth)
        return 0;
    command.guard.address = record->address;
    command.guard.code_until_ms = record->auth_until_ms;
    memcpy(command.guard.code_hash, record->auth_hash, sizeof(command.guard.code_hash));
    return submit(call, &command);
}

static int guard_copy(struct api_call *call, const struct copy *copy, size_t i)
{
    struct store_command command = {.op = STORE_GUARD_PUT, .guard = copy->guards[i]};
    bool is_wanted = copy->has_guard[i] && copy->records[i].state != STORE_ADDRESS_TOMBSTONE &&
                     copy->records[i].state != STORE_ADDRESS_ALIAS;
    return is_wanted ? submit(call, &command) : 0;
}

/* On a thread of its own. An alias whose target is still to come waits for another turn. */
static int copy_do(struct api_call *call)
{
    struct copy *copy = call->memory;
    struct store_command command = {.op = STORE_ADDRESS_IMPORT,
                                    .batch = {.records = copy->records,
                                              .count = copy->count,
                                              .keep_going = true,
                                              .statuses = copy->statuses}};
    int status = submit(call, &command);
    for (size_t i = 0; status == 0 && i < copy->count; i++) {
        int of = copy->statuses[i] == STATUS_EXISTS || copy->statuses[i] == STATUS_QUARANTINED
                     ? 0
                     : copy->statuses[i];
        if (of == STATUS_NOTFOUND && copy->records[i].state == STORE_ADDRESS_ALIAS)
            continue;
        status = of ? of : code_copy(call, copy, i);
        if (status == 0)
            status = guard_copy(call, copy, i);
        copy->copied += status == 0;
    }
    return status;
}

static int copy_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct copy *copy = call->memory;
    if (verdict->status)
        return api_problem_from_status(&call->problem, verdict->status, call->name);
    return api_call_reply(call, 200,
                          json_pack("{s:I, s:I}", "copied", (json_int_t)copy->copied, "waiting",
                                    (json_int_t)(copy->count - copy->copied)),
                          0);
}

int api_domain_copy_post(struct api_call *call)
{
    static const struct api_field fields[] = {
        {"records", JSON_ARRAY, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    struct store_domain domain;
    if (api_move_domain(call, &domain) ||
        api_json_check(call->body, fields, false, &call->problem) ||
        is_state(call, &domain, domain.move == STORE_MOVE_ARRIVING, "is not being copied to here"))
        return -EPROTO;
    size_t count = json_array_size(json_object_get(call->body, "records"));
    if (count == 0 || count > STORE_IMPORT_MAX)
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "records",
                               "records: there are %zu; it takes 1 to %d at once", count,
                               STORE_IMPORT_MAX);
    struct copy *copy = call->memory = calloc(1, sizeof(*copy));
    if (!copy)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    copy->count = count;
    memcpy(copy->domain, domain.name, sizeof(copy->domain));
    return items_take(call, copy) ? -EPROTO : api_run(call, domain.name, copy_do, copy_done);
}
