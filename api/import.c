/* /v1/import: many addresses in one command, and the way back. */
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_KEPT     ((uint64_t)2 << 20) /* bytes of the map that are never an import's */
#define ROOM_JOURNALS 3 /* of what an import takes, the journal is a third at most */

/* Lives in call->memory between the handler and its answer. */
struct import {
    bool keep_going;
    size_t count; /* records that go to the store */
    struct store_record records[STORE_IMPORT_MAX];
    size_t places[STORE_IMPORT_MAX]; /* where each stood in the body */
    int statuses[STORE_IMPORT_MAX];  /* what became of each */
};

/* Room for the 1 to STORE_IMPORT_MAX items of the body. */
static struct import *import_begin(struct api_call *call, const struct api_field *fields)
{
    if (api_json_check(call->body, fields, false, &call->problem))
        return NULL;
    size_t count = json_array_size(json_object_get(call->body, "addresses"));
    if (count == 0 || count > STORE_IMPORT_MAX) {
        api_problem_set(&call->problem, API_PROBLEM_FIELD, "addresses",
                        "addresses: there are %zu; it takes 1 to %d at once", count,
                        STORE_IMPORT_MAX);
        return NULL;
    }
    struct import *import = call->memory = calloc(1, sizeof(*import));
    if (!import)
        api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    return import;
}

static int item_check(const json_t *item, size_t i, struct api_problem *problem)
{
    if (json_is_object(item))
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, "addresses",
                           "addresses[%zu]: must be an object", i);
}

static int batch_submit(struct api_call *call, struct import *import, enum store_op op,
                        api_then_h *then)
{
    call->command.op = op;
    call->command.expected_version = STORE_ANY_VERSION;
    call->command.batch = (struct store_batch){.records = import->records,
                                               .count = import->count,
                                               .keep_going = import->keep_going,
                                               .statuses = import->statuses};
    return api_submit(call, "addresses", then);
}

/* ---- import: the answer grows in call->reply ---- */

static int refused_add(struct api_call *call, size_t place, const struct api_problem *problem)
{
    json_t *json = api_problem_encode(problem);
    json_t *row = json_pack(
        "{s:I, s:O, s:O, s:O*}", "index", (json_int_t)place, "type", json_object_get(json, "type"),
        "detail", json_object_get(json, "detail"), "field", json_object_get(json, "field"));
    json_decref(json);
    return json_array_append_new(json_object_get(call->reply, "refused"), row);
}

static int item_take(struct api_call *call, const json_t *item, size_t i,
                     struct store_record *record, struct api_problem *problem)
{
    struct api_address_body body;
    if (item_check(item, i, problem) || api_address_decode(item, &body, problem))
        return -EPROTO;
    if (!call->repeated && api_address_place(call, &body, !body.has_state, true, problem))
        return -EPROTO;
    *record = body.record;
    return 0;
}

static int out_of_memory(struct api_call *call)
{
    return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
}

/* What can be judged without the store; all in one snapshot. */
static int items_take(struct api_call *call, struct import *import)
{
    json_t *item;
    size_t i;
    bool failed = false;
    int status = store_reader_begin(call->reader);
    if (status)
        return api_problem_from_status(&call->problem, status, "addresses");
    json_array_foreach(json_object_get(call->body, "addresses"), i, item)
    {
        struct api_problem problem;
        if (item_take(call, item, i, &import->records[import->count], &problem) == 0)
            import->places[import->count++] = i;
        else
            failed = failed || refused_add(call, i, &problem);
    }
    store_reader_end(call->reader);
    return failed ? out_of_memory(call) : 0;
}

/* What the store said of a record. */
static int status_add(struct api_call *call, size_t i)
{
    const struct import *import = call->memory;
    const struct store_record *record = &import->records[i];
    struct api_problem problem;
    char text[API_ADDRESS_TEXT_MAX];
    if (import->statuses[i] == STATUS_NOTFOUND && record->state == STORE_ADDRESS_ALIAS)
        api_target_missing(&record->target, "target", &problem);
    else
        api_problem_from_status(&problem, import->statuses[i],
                                api_address_format(&record->address, text));
    return refused_add(call, import->places[i], &problem);
}

/* Was the whole command refused for one of its records? */
static bool is_refused_for_record(const struct import *import, int status)
{
    size_t i = 0;
    while (i < import->count && !import->statuses[i])
        i++;
    return !import->keep_going && i < import->count && import->statuses[i] == status;
}

/* What an import and its way back may need in all: more, and the store would be full before all is
 * added or taken back, or the journal would forget what there is to take back. */
static int room_add(struct api_call *call)
{
    struct store_stats stats;
    if (!call->dry_run)
        return 0;
    if (api_stats_read(call, &stats))
        return -EPROTO;
    uint64_t taken = stats.map_used + ROOM_KEPT;
    uint64_t room = taken < stats.map_size ? stats.map_size - taken : 0;
    if (room > ROOM_JOURNALS * stats.journal_size)
        room = ROOM_JOURNALS * stats.journal_size;
    return json_object_set_new(call->reply, "room", json_integer((json_int_t)room))
               ? out_of_memory(call)
               : 0;
}

/* Which records a repeated request was refused is not known any more: null. */
static int import_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct import *import = call->memory;
    bool failed = false;
    if (verdict->status && !verdict->repeated && !is_refused_for_record(import, verdict->status))
        return api_problem_from_status(&call->problem, verdict->status, "addresses");
    for (size_t i = 0; !verdict->repeated && i < import->count; i++)
        if (import->statuses[i])
            failed = failed || status_add(call, i);
    if (verdict->repeated && verdict->count < import->count)
        failed = json_object_set_new(call->reply, "refused", json_null()) != 0;
    if (verdict->sequence && (verdict->repeated || !call->dry_run))
        failed = failed || json_object_set_new(call->reply, "sequence",
                                               json_integer((json_int_t)verdict->sequence));
    failed = failed ||
             json_object_set_new(call->reply, "added", json_integer((json_int_t)verdict->count));
    call->status = 200;
    return failed ? out_of_memory(call) : room_add(call);
}

int api_import_post(struct api_call *call)
{
    static const struct api_field fields[] = {
        {"addresses", JSON_ARRAY, API_REQUIRED},
        {"keep_going", JSON_TRUE, 0},
        {NULL, JSON_NULL, 0},
    };
    struct import *import = import_begin(call, fields);
    if (!import)
        return -EPROTO;
    import->keep_going = api_json_bool(call->body, "keep_going", false);
    call->status = 200;
    call->reply = json_pack("{s:i, s:n, s:[]}", "added", 0, "sequence", "refused");
    if (items_take(call, import))
        return -EPROTO;
    size_t refused = json_array_size(json_object_get(call->reply, "refused"));
    if (import->count == 0 || (refused && !import->keep_going))
        return room_add(call);
    call->then_always = true;
    return batch_submit(call, import, STORE_ADDRESS_IMPORT, import_done);
}

/* ---- undo ---- */

static int undo_take(const json_t *item, size_t i, struct store_record *record,
                     struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"address", JSON_STRING, API_REQUIRED},
        {"version", JSON_INTEGER, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    if (item_check(item, i, problem))
        return -EPROTO;
    char field[API_FIELD_MAX];
    if (api_json_check(item, fields, false, problem) == 0 &&
        api_address_field(item, "address", &record->address, problem) == 0) {
        record->version = (uint64_t)json_integer_value(json_object_get(item, "version"));
        return 0;
    }
    snprintf(field, sizeof(field), "addresses[%zu].%.16s", i, problem->field);
    memcpy(problem->field, field, sizeof(field));
    return -EPROTO;
}

#define NO_VERSION 0 /* of no record */

/* Is this version of the address one that the caller may take away? Versions never come again, so
 * what is judged here is what the command finds. */
static bool undo_is_allowed(struct api_call *call, const struct store_record *wanted)
{
    struct store_record record;
    return (call->who.bits & API_ADMIN) ||
           (store_address_get(call->reader, &wanted->address, &record) == 0 &&
            record.version == wanted->version && api_may_record(call, &record));
}

static int undo_items_take(struct api_call *call, struct import *import)
{
    json_t *item;
    size_t i;
    int status = store_reader_begin(call->reader);
    if (status)
        return api_problem_from_status(&call->problem, status, "addresses");
    json_array_foreach(json_object_get(call->body, "addresses"), i, item)
    {
        struct store_record *record = &import->records[import->count];
        status = undo_take(item, i, record, &call->problem);
        if (status)
            break;
        if (!call->repeated && !undo_is_allowed(call, record))
            record->version = NO_VERSION; /* it is submitted all the same, so that a key is used */
        import->count++;
    }
    store_reader_end(call->reader);
    return status;
}

static int undo_done(struct api_call *call, const struct store_verdict *verdict)
{
    return api_call_reply(call, 200, json_pack("{s:I}", "removed", (json_int_t)verdict->count), 0);
}

int api_import_undo_post(struct api_call *call)
{
    static const struct api_field fields[] = {
        {"addresses", JSON_ARRAY, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    struct import *import = import_begin(call, fields);
    if (!import || undo_items_take(call, import))
        return -EPROTO;
    return batch_submit(call, import, STORE_ADDRESS_UNDO, undo_done);
}
