/* An import by way of the daemon: tried chunk by chunk, added chunk by chunk, undone in reverse. */
#include "tools/import_remote.h"

#include "base/slice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_NO_ROOM 507 /* of HTTP */

/* Octets of the store for a row, and for each octet of its JSON: more than was ever measured. */
#define NEED_ROW   640
#define NEED_OCTET 3

int remote_append(struct remote *remote, const char *text)
{
    return buf_append(&remote->body, slice_of(text));
}

void remote_begin(struct remote *remote)
{
    buf_consume(&remote->body, buf_len(&remote->body));
    (void)remote_append(remote, "{\"addresses\":["); /* the buffer is larger than that */
}

static void chunk_begin(struct remote *remote)
{
    buf_consume(&remote->items, buf_len(&remote->items));
    remote->count = 0;
}

/* ---- one request ---- */

/* A request keeps its key, so that it is applied once however often it is sent: what was begun is
 * brought to an end even where the daemon is away for a moment. */
static int patient_ask(struct remote *remote, const struct client_request *request,
                       struct client_answer *answer)
{
    struct tool *tool = remote->import->tool;
    char why[CLIENT_MAX_WHY];
    int status = tool_try(tool, request, answer, why);
    for (int tries = 1; status && !remote->trying && tries < IMPORT_TRIES; tries++) {
        sleep(1);
        status = tool_try(tool, request, answer, why);
    }
    if (!status)
        return TOOL_DONE;
    progress_clear(&remote->import->progress);
    return tool_fail(TOOL_UNREACHABLE, "%s", why);
}

/* A text; its terminator is no part of it: it may be sent again. */
static const char *body_text(struct remote *remote)
{
    char *end = buf_reserve(&remote->body, 1);
    if (!end)
        return NULL;
    *end = '\0';
    return buf_bytes(&remote->body).p;
}

int remote_post(struct remote *remote, const char *path, const char *key, bool may_halve,
                struct client_answer *answer)
{
    struct client_request request = {.method = "POST",
                                     .path = path,
                                     .key = key,
                                     .body = body_text(remote),
                                     .dry_run = remote->trying};
    if (!request.body)
        return tool_fail(TOOL_REFUSED, "out of memory");
    int code = patient_ask(remote, &request, answer);
    if (code || (answer->status >= 200 && answer->status < 300))
        return code;
    code = REMOTE_FULL;
    if (answer->status != STATUS_NO_ROOM || !may_halve) {
        progress_clear(&remote->import->progress);
        code = tool_refusal(remote->import->tool, &request, answer);
    }
    json_decref(answer->json);
    return code;
}

/* Rows whose first answer got lost: the second one only knows how many there were. */
static void refusals_guess(struct remote *remote, size_t from, size_t count, json_int_t added)
{
    struct import *import = remote->import;
    char detail[200];
    size_t missing = count - (size_t)added;
    snprintf(detail, sizeof(detail),
             "of the %zu addresses from here on %zu were refused; the answer that named them got "
             "lost with the connection",
             count, missing);
    import_refuse(import, remote->places[from].line, IMPORT_UNKNOWN, detail);
    import->refused += missing - 1;
}

static void refusals_take(struct remote *remote, size_t from, size_t count, const json_t *answer)
{
    size_t i;
    json_t *refusal;
    json_int_t added = json_integer_value(json_object_get(answer, "added"));
    if (json_is_null(json_object_get(answer, "refused")) && added >= 0 && (size_t)added < count)
        refusals_guess(remote, from, count, added);
    json_array_foreach(json_object_get(answer, "refused"), i, refusal)
    {
        json_int_t index = json_integer_value(json_object_get(refusal, "index"));
        if (index < 0 || (size_t)index >= count)
            continue;
        struct row row = {.place = remote->places[from + (size_t)index],
                          .address = remote->addresses[from + (size_t)index]};
        import_refuse_row(remote->import, &row, tool_string(refusal, "type"),
                          tool_string(refusal, "detail"));
    }
}

int remote_done_add(struct remote *remote, const struct done *done)
{
    if (remote->import->keep_going || done->count == 0)
        return TOOL_DONE;
    if (remote->done_count == IMPORT_CHUNKS_MAX)
        return tool_fail(TOOL_REFUSED, "the file is too large");
    if ((remote->done_count & (remote->done_count - 1)) == 0) { /* grows at powers of two */
        size_t size = remote->done_count ? 2 * remote->done_count : 1;
        struct done *longer = realloc(remote->done, size * sizeof(*longer));
        if (!longer)
            return tool_fail(TOOL_REFUSED, "out of memory");
        remote->done = longer;
    }
    remote->done[remote->done_count++] = *done;
    return TOOL_DONE;
}

/* ---- room for the way back ---- */

/* What adding these rows takes in the store, and taking them back: tables, indexes and the journal
 * of both, with pages that are half empty. */
static void need_add(struct remote *remote, size_t count)
{
    remote->need += count * NEED_ROW + buf_len(&remote->body) * NEED_OCTET;
}

/* Would all of it fit, and back? A full store would else keep what was added so far. */
static int room_check(const struct remote *remote)
{
    if (remote->need <= remote->room)
        return TOOL_DONE;
    progress_clear(&remote->import->progress);
    return tool_fail(TOOL_REFUSED,
                     "the store has no room for all of them: adding them, and taking them back if "
                     "one is refused, may need %" PRIu64 " MiB of its map and journal, which have "
                     "%" PRIu64 "; it takes a larger map-size in junctord.conf, or --keep-going",
                     remote->need >> 20, remote->room >> 20);
}

/* ---- a chunk ---- */

/* The body that holds `count` rows of the chunk. */
static int part_body(struct remote *remote, size_t from, size_t count, bool keep_going)
{
    size_t begin = from ? remote->ends[from - 1] + 1 : 0; /* behind the comma */
    struct slice items = buf_bytes(&remote->items);
    items = slice_make(items.p + begin, remote->ends[from + count - 1] - begin);
    remote_begin(remote);
    if (buf_append(&remote->body, items) ||
        remote_append(remote, keep_going ? "],\"keep_going\":true}" : "]}"))
        return -1;
    return 0;
}

static int part_took(struct remote *remote, size_t from, size_t count, const json_t *answer)
{
    struct import *import = remote->import;
    uint64_t refused = import->refused;
    json_int_t added = json_integer_value(json_object_get(answer, "added"));
    json_int_t sequence = json_integer_value(json_object_get(answer, "sequence"));
    int code = TOOL_DONE;
    refusals_take(remote, from, count, answer);
    const json_t *room = json_object_get(answer, "room");
    if (room)
        remote->room = (uint64_t)json_integer_value(room);
    if (!remote->trying || import->dry_run)
        import->added += (uint64_t)added;
    if (!remote->trying)
        code = remote_done_add(remote, &(struct done){.place = remote->places[from],
                                                      .sequence = (uint64_t)sequence,
                                                      .count = (uint16_t)added,
                                                      .level = (uint8_t)remote->level});
    if (!code && !remote->trying && !import->keep_going && import->refused > refused)
        code = TOOL_REFUSED; /* somebody changed the directory since it was tried */
    return code;
}

static int part_send(struct remote *remote, size_t from, size_t count)
{
    struct pending sent = {.done = {.place = remote->places[from],
                                    .count = (uint16_t)count,
                                    .level = (uint8_t)remote->level},
                           .last_line = remote->places[from + count - 1].line};
    struct client_answer answer;
    if (part_body(remote, from, count, remote->trying || remote->import->keep_going))
        return tool_fail(TOOL_REFUSED, "out of memory");
    if (remote->trying)
        need_add(remote, count);
    client_key_make(remote->import->tool->client, sent.key);
    int code = remote_post(remote, "/v1/import", sent.key, count > 1, &answer);
    if (code == TOOL_UNREACHABLE && !remote->trying)
        remote->pending = sent;
    if (code)
        return code;
    code = part_took(remote, from, count, answer.json);
    json_decref(answer.json);
    return code;
}

/* Sends the rows that have come together, in as many parts as the daemon has room for. */
static int chunk_send(struct remote *remote)
{
    size_t sent = 0;
    int code = TOOL_DONE;
    while (code == TOOL_DONE && sent < remote->count) {
        size_t left = remote->count - sent;
        size_t count = left < remote->batch ? left : remote->batch;
        code = part_send(remote, sent, count);
        if (code == REMOTE_FULL) {
            remote->batch = count / 2;
            code = TOOL_DONE;
        } else {
            sent += count;
        }
    }
    chunk_begin(remote);
    return code;
}

/* ---- rows ---- */

/* A dry run knows nothing of what would be added before: an alias of an address in the file is
 * tried as an address of its own, for which all rules but that of the target are the same. */
static json_t *fields_to_try(const struct remote *remote, const struct row *row)
{
    json_t *fields = json_copy(row->fields);
    if (remote->trying && row->is_alias && import_has_target(remote->import, row)) {
        json_object_del(fields, "target");
        json_object_del(fields, "state");
    }
    return fields;
}

static int row_append(struct remote *remote, const struct row *row)
{
    json_t *fields = fields_to_try(remote, row);
    char *text = json_dumps(fields, JSON_COMPACT);
    json_decref(fields);
    if (!text)
        return tool_fail(TOOL_REFUSED, "out of memory");
    int code = TOOL_DONE;
    if (remote->count == STORE_IMPORT_MAX ||
        buf_len(&remote->items) + strlen(text) + 1 > IMPORT_BODY_MAX)
        code = chunk_send(remote);
    if (!code && ((remote->count && buf_append(&remote->items, SLICE(","))) ||
                  buf_append(&remote->items, slice_of(text))))
        code = tool_fail(TOOL_REFUSED, "out of memory");
    free(text);
    if (code)
        return code;
    remote->ends[remote->count] = buf_len(&remote->items);
    remote->places[remote->count] = row->place;
    remote->addresses[remote->count++] = row->address;
    return TOOL_DONE;
}

static int row_take(struct import *import, struct row *row, void *arg)
{
    struct remote *remote = arg;
    int code = TOOL_DONE;
    if (!remote->trying || !remote->new_domain || !remote_place_judge(remote, row, &code))
        code = row_append(remote, row);
    import_step(import);
    return code;
}

/* All levels, tried or added. */
static int rows_send(struct remote *remote, struct rows_place start, bool trying)
{
    struct import *import = remote->import;
    int code = TOOL_DONE;
    import_phase(import, trying ? "checking" : "importing");
    remote->trying = trying;
    for (remote->level = 0; code == TOOL_DONE && remote->level <= import->levels; remote->level++) {
        if (rows_seek(&import->rows, start))
            return tool_fail(TOOL_REFUSED, "the file cannot be read again");
        chunk_begin(remote);
        code = import_walk(import, remote->level, row_take, remote);
        if (!code)
            code = chunk_send(remote);
    }
    return code;
}

/* ---- the domain ---- */

static int domain_post(struct remote *remote)
{
    struct client_answer answer;
    json_t *body = import_domain_make(remote->import);
    if (!body)
        return TOOL_REFUSED;
    int code = tool_change(remote->import->tool, "POST", "/v1/domains", NULL, body, &answer);
    if (code)
        return code;
    const char *name = tool_string(answer.json, "name");
    snprintf(remote->made_domain, sizeof(remote->made_domain), "%s", name);
    snprintf(remote->made_version, sizeof(remote->made_version), "%s", answer.etag);
    if (!remote->import->tool->json)
        tool_warnings_print(answer.json);
    json_decref(answer.json);
    if (!remote->import->dry_run)
        return TOOL_DONE;
    remote->new_domain = remote->made_domain;
    return tool_fail(TOOL_DONE,
                     "%s is not there yet: its addresses are checked without the daemon, but not "
                     "whether one of them is there already, reserved or in quarantine",
                     remote->made_domain);
}

/* Is the domain there? If not it is added, and taken away again where the import fails. */
static int domain_ensure(struct remote *remote)
{
    struct import *import = remote->import;
    struct client_answer answer;
    if (!import->domain)
        return TOOL_DONE;
    char *path = tool_path("/v1/domains", import->domain);
    struct client_request request = {.method = "GET", .path = path};
    int code = path ? tool_ask(import->tool, &request, &answer) : TOOL_REFUSED;
    if (code == TOOL_DONE) {
        if (answer.status == 404)
            code = domain_post(remote);
        else if (answer.status != 200)
            code = tool_refusal(import->tool, &request, &answer);
        else if (tool_has(import->tool, OPT_CORE))
            tool_fail(TOOL_DONE, "%s is there already and keeps its cores: --core is not used",
                      import->domain);
        json_decref(answer.json);
    }
    free(path);
    return code;
}

/* ---- the whole ---- */

static int remote_run(struct remote *remote, struct rows_place start)
{
    struct import *import = remote->import;
    int code = domain_ensure(remote);
    if (code)
        return code;
    if (import->dry_run || !import->keep_going)
        code = rows_send(remote, start, true);
    if (!code && !import->keep_going)
        code = room_check(remote);
    if (import->dry_run)
        return code;
    if (!code && !import->keep_going && import->refused > 0)
        code = TOOL_REFUSED;
    if (!code)
        code = rows_send(remote, start, false);
    if (code && !import->keep_going) {
        import_refusals_say(import);
        remote_undo(remote);
    }
    remote_pending_say(remote);
    return code;
}

int import_remote(struct import *import)
{
    struct remote *remote = calloc(1, sizeof(*remote));
    if (!remote)
        return tool_fail(TOOL_REFUSED, "out of memory");
    remote->import = import;
    remote->trying = true;
    remote->batch = STORE_IMPORT_MAX;
    remote->room = UINT64_MAX; /* until the daemon tells */
    buf_init(&remote->items, IMPORT_BODY_MAX + 4096);
    buf_init(&remote->body, IMPORT_BODY_MAX + 8192);
    int code = tool_connect(import->tool);
    if (!code)
        code = remote_run(remote, import->rows.first);
    buf_done(&remote->items);
    buf_done(&remote->body);
    free(remote->done);
    free(remote);
    return code;
}
