/* The handlers that all kinds of records share. */
#include "api/records.h"

#include "api/number_place.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint64_t version_get(const struct api_kind *kind, const void *record)
{
    uint64_t version;
    memcpy(&version, (const char *)record + kind->version_at, sizeof(version));
    return version;
}

static void version_set(const struct api_kind *kind, void *record, uint64_t version)
{
    memcpy((char *)record + kind->version_at, &version, sizeof(version));
}

/* What is replaced is as old as it was; the store keeps that too. */
static void created_keep(const struct api_kind *kind, const void *before, void *record)
{
    memcpy((char *)record + kind->created_at, (const char *)before + kind->created_at,
           sizeof(uint64_t));
}

void *api_command_record(struct api_call *call)
{
    return &call->command.domain;
}

const char *api_key_first(const void *record, char key[API_MAX_KEY_TEXT])
{
    snprintf(key, API_MAX_KEY_TEXT, "%s", (const char *)record);
    return key;
}

/* ---- reading ---- */

static int record_get(struct api_call *call, const struct api_kind *kind, const char *key,
                      void *record)
{
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = kind->get(call->reader, key, record);
    store_reader_end(call->reader);
    return status;
}

int api_record_read(struct api_call *call, const struct api_kind *kind, const char *key,
                    void *record)
{
    int status = record_get(call, kind, key, record);
    if (!status && kind->is_visible && !kind->is_visible(call, record))
        status = STATUS_NOTFOUND;
    return status ? api_problem_from_status(&call->problem, status, key) : 0;
}

int api_record_name(struct api_call *call, const struct api_kind *kind, char key[API_MAX_KEY_TEXT])
{
    struct store_address address;
    struct store_fault fault;
    if (kind == &api_kind_address && api_text_is_number(call->param)) {
        if (api_number_name(call, call->param, kind->parameter, &address))
            return -EPROTO;
        api_address_format(&address, key);
        return 0;
    }
    if (kind->parse(slice_of(call->param), key, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, kind->parameter, "%.512s: %s",
                               call->param, fault.text);
    return 0;
}

int api_record_find(struct api_call *call, const struct api_kind *kind, void *record,
                    char key[API_MAX_KEY_TEXT])
{
    return api_record_name(call, kind, key) ? -EPROTO : api_record_read(call, kind, key, record);
}

int api_record_expect(struct api_call *call, uint64_t version, const char *key)
{
    bool any;
    if (api_call_expects(call, version, key, &any))
        return -EPROTO;
    any = any && (call->who.bits & API_ADMIN);
    call->command.expected_version = any ? STORE_ANY_VERSION : version;
    return 0;
}

int api_record_get(struct api_call *call)
{
    const struct api_kind *kind = call->route->kind;
    union api_record record;
    char key[API_MAX_KEY_TEXT];
    if (api_record_find(call, kind, &record, key))
        return -EPROTO;
    return api_call_reply(call, 200, kind->encode(call, &record), version_get(kind, &record));
}

/* ---- pages ---- */

int api_page_begin(struct api_page *page, struct api_call *call, const struct api_kind *kind)
{
    const char *cursor = api_call_arg(call, "cursor");
    struct store_fault fault;
    *page = (struct api_page){.call = call, .kind = kind};
    if (api_call_limit(call, &page->limit))
        return -EPROTO;
    if (cursor && kind->parse(slice_of(cursor), page->after, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "cursor",
                               "cursor: is not the `next` of an earlier answer");
    page->array = json_array();
    return 0;
}

bool api_page_add(struct api_page *page, const void *record)
{
    const struct api_kind *kind = page->kind;
    bool wanted = !page->is_wanted || page->is_wanted(page, record);
    if ((wanted && json_array_size(page->array) == page->limit) ||
        page->looked_at == API_MAX_SCAN) {
        page->more = true;
        return false;
    }
    page->looked_at++;
    kind->key(record, page->last);
    if (wanted)
        page->failed = json_array_append_new(page->array, kind->encode(page->call, record)) != 0;
    return !page->failed;
}

int api_page_reply(struct api_page *page, int status)
{
    const char *plural = page->kind->plural;
    if (!status && page->failed)
        status = -ENOMEM;
    if (status) {
        json_decref(page->array);
        return api_problem_from_status(&page->call->problem, status, plural);
    }
    return api_call_reply(
        page->call, 200,
        json_pack("{s:o, s:s?}", plural, page->array, "next", page->more ? page->last : NULL), 0);
}

int api_records_get(struct api_call *call)
{
    const struct api_kind *kind = call->route->kind;
    struct api_page page;
    if (api_page_begin(&page, call, kind))
        return -EPROTO;
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = kind->list(call->reader, *page.after ? page.after : NULL, &page);
        store_reader_end(call->reader);
    }
    return api_page_reply(&page, status);
}

/* ---- writing ---- */

/* What the command made, as the journal tells it: the record may have changed since. What was only
 * tried, and what the journal has lost at once, is as the command has it. NULL: the call's problem.
 */
static const void *outcome_find(struct api_call *call, const struct api_kind *kind,
                                const struct store_verdict *verdict, union store_any *made)
{
    bool is_kept = verdict->repeated || !call->dry_run;
    int status = STATUS_TRIMMED;
    if (is_kept)
        status = api_outcome_read(call, verdict->sequence, made);
    if (!status)
        return made;
    if (verdict->repeated) {
        api_outcome_gone(call, status, verdict->sequence);
        return NULL;
    }
    version_set(kind, api_command_record(call), is_kept ? verdict->sequence : 0);
    return api_command_record(call);
}

int api_record_changed(struct api_call *call, const struct api_kind *kind,
                       const struct store_verdict *verdict)
{
    union store_any made;
    const void *record = outcome_find(call, kind, verdict, &made);
    if (!record)
        return -EPROTO;
    return api_call_reply(call, 200, kind->encode(call, record), version_get(kind, record));
}

int api_record_made(struct api_call *call, const struct api_kind *kind,
                    const struct store_verdict *verdict)
{
    char key[API_MAX_KEY_TEXT], escaped[3 * API_MAX_KEY_TEXT];
    union store_any made;
    const void *record = outcome_find(call, kind, verdict, &made);
    if (!record)
        return -EPROTO;
    kind->key(record, key);
    snprintf(call->location, sizeof(call->location), "/v1/%s/%s", kind->plural,
             api_url_escape(key, escaped, sizeof(escaped)));
    return api_call_reply(call, 201, kind->encode(call, record), version_get(kind, record));
}

static int record_made(struct api_call *call, const struct store_verdict *verdict)
{
    return api_record_made(call, call->route->kind, verdict);
}

static int record_changed(struct api_call *call, const struct store_verdict *verdict)
{
    return api_record_changed(call, call->route->kind, verdict);
}

int api_record_add(struct api_call *call, const struct api_kind *kind, api_then_h *then)
{
    void *record = api_command_record(call);
    char key[API_MAX_KEY_TEXT];
    if (kind->decode(call, NULL, record))
        return -EPROTO;
    call->command.op = kind->add;
    call->command.expected_version = STORE_ANY_VERSION;
    return api_submit(call, kind->key(record, key), then);
}

int api_record_post(struct api_call *call)
{
    return api_record_add(call, call->route->kind, record_made);
}

int api_record_put(struct api_call *call)
{
    const struct api_kind *kind = call->route->kind;
    union api_record current;
    char key[API_MAX_KEY_TEXT];
    if (api_record_find(call, kind, &current, key) ||
        api_record_expect(call, version_get(kind, &current), key) ||
        kind->decode(call, key, api_command_record(call)))
        return -EPROTO;
    created_keep(kind, &current, api_command_record(call));
    call->command.op = kind->put;
    return api_submit(call, key, record_changed);
}

int api_record_remove(struct api_call *call, const struct api_kind *kind, enum store_op op)
{
    void *record = api_command_record(call);
    char key[API_MAX_KEY_TEXT];
    if (api_record_find(call, kind, record, key) ||
        api_record_expect(call, version_get(kind, record), key))
        return -EPROTO;
    call->command.op = op;
    return api_submit(call, key, NULL);
}

int api_record_delete(struct api_call *call)
{
    return api_record_remove(call, call->route->kind, call->route->kind->del);
}
