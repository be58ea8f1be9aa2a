/* An import by way of the daemon: tried chunk by chunk, added chunk by chunk, undone in reverse. */
#include "tools/import.h"

#include "base/buf.h"
#include "base/slice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a chunk that was added is undone by. */
struct done {
    struct rows_place place;
    uint64_t sequence; /* version of its last address; they have one each, without gaps */
    uint16_t count;
    uint8_t level;
};

struct remote {
    struct import *import;
    bool trying; /* a dry run */
    unsigned level;
    struct buf body;
    struct rows_place places[STORE_IMPORT_MAX];
    struct store_address addresses[STORE_IMPORT_MAX];
    size_t count; /* in the body */

    struct done *done;
    size_t done_count;

    const char *new_domain; /* is not there yet, in a dry run: nothing can be asked about it */
    char made_domain[STORE_DOMAIN_MAX + 1]; /* added by us; "": none */
    char made_version[64];
};

static int body_append(struct remote *remote, const char *text)
{
    return buf_append(&remote->body, slice_of(text));
}

static void body_begin(struct remote *remote)
{
    buf_consume(&remote->body, buf_len(&remote->body));
    (void)body_append(remote, "{\"addresses\":["); /* the buffer is larger than that */
    remote->count = 0;
}

/* ---- one request ---- */

/* A chunk keeps its key, so that it is applied once however often it is sent: what was begun is
 * brought to an end even where the daemon is away for a moment. */
static int patient_ask(struct remote *remote, const struct client_request *request,
                       struct client_answer *answer)
{
    struct tool *tool = remote->import->tool;
    struct client_request repeated = *request;
    char key[CLIENT_MAX_KEY], why[CLIENT_MAX_WHY];
    client_key_make(tool->client, key);
    repeated.key = key;
    int status = tool_try(tool, &repeated, answer, why);
    for (int tries = 1; status && !remote->trying && tries < IMPORT_TRIES; tries++) {
        sleep(1);
        status = tool_try(tool, &repeated, answer, why);
    }
    if (!status)
        return TOOL_DONE;
    progress_clear(&remote->import->progress);
    return tool_fail(TOOL_UNREACHABLE, "%s", why);
}

/* Sends the body. On TOOL_DONE the caller owns answer->json. */
static int body_post(struct remote *remote, const char *path, bool dry_run,
                     struct client_answer *answer)
{
    if (buf_append(&remote->body, slice_make("", 1)))
        return tool_fail(TOOL_REFUSED, "out of memory");
    struct client_request request = {
        .method = "POST", .path = path, .body = buf_bytes(&remote->body).p, .dry_run = dry_run};
    int code = patient_ask(remote, &request, answer);
    if (code || (answer->status >= 200 && answer->status < 300))
        return code;
    progress_clear(&remote->import->progress);
    code = tool_refusal(remote->import->tool, &request, answer);
    json_decref(answer->json);
    return code;
}

/* A chunk whose first answer got lost: the second one only knows how many there were. */
static void refusals_guess(struct remote *remote, json_int_t added)
{
    struct import *import = remote->import;
    char detail[200];
    size_t missing = remote->count - (size_t)added;
    snprintf(detail, sizeof(detail),
             "of the %zu addresses from here on %zu were refused; the answer that named them got "
             "lost with the connection",
             remote->count, missing);
    import_refuse(import, remote->places[0].line, IMPORT_UNKNOWN, detail);
    import->refused += missing - 1;
}

static void refusals_take(struct remote *remote, const json_t *answer)
{
    size_t i;
    json_t *refusal;
    json_int_t added = json_integer_value(json_object_get(answer, "added"));
    if (json_is_null(json_object_get(answer, "refused")) && added >= 0 &&
        (size_t)added < remote->count)
        refusals_guess(remote, added);
    json_array_foreach(json_object_get(answer, "refused"), i, refusal)
    {
        json_int_t index = json_integer_value(json_object_get(refusal, "index"));
        if (index < 0 || (size_t)index >= remote->count)
            continue;
        struct row row = {.place = remote->places[index], .address = remote->addresses[index]};
        import_refuse_row(remote->import, &row, tool_string(refusal, "type"),
                          tool_string(refusal, "detail"));
    }
}

/* Remembers how to undo the chunk. */
static int done_add(struct remote *remote, uint64_t sequence, uint64_t count)
{
    if (remote->import->keep_going || count == 0)
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
    remote->done[remote->done_count++] = (struct done){.place = remote->places[0],
                                                       .sequence = sequence,
                                                       .count = (uint16_t)count,
                                                       .level = (uint8_t)remote->level};
    return TOOL_DONE;
}

static int chunk_send(struct remote *remote)
{
    struct import *import = remote->import;
    struct client_answer answer;
    uint64_t refused = import->refused;
    bool keep_going = remote->trying || import->keep_going;
    if (remote->count == 0)
        return TOOL_DONE;
    if (body_append(remote, keep_going ? "],\"keep_going\":true}" : "]}"))
        return tool_fail(TOOL_REFUSED, "out of memory");
    int code = body_post(remote, "/v1/import", remote->trying, &answer);
    if (code)
        return code;
    json_int_t added = json_integer_value(json_object_get(answer.json, "added"));
    json_int_t sequence = json_integer_value(json_object_get(answer.json, "sequence"));
    refusals_take(remote, answer.json);
    json_decref(answer.json);
    if (!remote->trying || import->dry_run)
        import->added += (uint64_t)added;
    if (!remote->trying)
        code = done_add(remote, (uint64_t)sequence, (uint64_t)added);
    if (!code && !keep_going && import->refused > refused)
        code = TOOL_REFUSED; /* somebody changed the directory since it was tried */
    body_begin(remote);
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
        buf_len(&remote->body) + strlen(text) + 1 > IMPORT_BODY_MAX)
        code = chunk_send(remote);
    if (!code && ((remote->count && body_append(remote, ",")) || body_append(remote, text)))
        code = tool_fail(TOOL_REFUSED, "out of memory");
    free(text);
    if (code)
        return code;
    remote->places[remote->count] = row->place;
    remote->addresses[remote->count++] = row->address;
    return TOOL_DONE;
}

static int row_take(struct import *import, struct row *row, void *arg)
{
    struct remote *remote = arg;
    int code = TOOL_DONE;
    if (remote->trying && remote->new_domain &&
        strcmp(row->address.domain, remote->new_domain) == 0)
        import->added++; /* checked as far as can be */
    else
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
        body_begin(remote);
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
                     "%s is not there yet: whether its addresses are free elsewhere was not asked",
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

/* ---- undo ---- */

static int undo_append(struct remote *remote, const struct row *row, uint64_t version)
{
    char text[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
    snprintf(text, sizeof(text), "%s@%s", row->address.user, row->address.domain);
    json_t *item = json_pack("{s:s, s:I}", "address", text, "version", (json_int_t)version);
    char *dump = item ? json_dumps(item, JSON_COMPACT) : NULL;
    int status = dump && (remote->count == 0 || body_append(remote, ",") == 0) ? 0 : -1;
    if (!status)
        status = body_append(remote, dump);
    free(dump);
    json_decref(item);
    remote->count++;
    return status;
}

/* The rows of one chunk, read again: they are the next ones of its level. */
static int undo_body(struct remote *remote, const struct done *done)
{
    struct import *import = remote->import;
    struct rows_fault fault;
    struct row row;
    uint64_t version = done->sequence - done->count + 1;
    if (rows_seek(&import->rows, done->place))
        return -1;
    body_begin(remote);
    while (remote->count < done->count) {
        int status = rows_next(&import->rows, &row, &fault);
        if (status <= 0)
            return -1; /* all-or-nothing: there was no bad row */
        const struct seen_entry *entry = seen_find(&import->seen, &row.address);
        if (entry && entry->level == done->level)
            status = undo_append(remote, &row, version++) ? -1 : 1;
        row_done(&row);
        if (status < 0)
            return -1;
    }
    return body_append(remote, "]}");
}

static int undo_one(struct remote *remote, const struct done *done)
{
    struct client_answer answer;
    if (undo_body(remote, done))
        return tool_fail(TOOL_REFUSED, "the file cannot be read again");
    int code = body_post(remote, "/v1/import/undo", false, &answer);
    if (code)
        return code;
    json_int_t removed = json_integer_value(json_object_get(answer.json, "removed"));
    json_decref(answer.json);
    remote->import->added -= (uint64_t)removed;
    return TOOL_DONE;
}

static void domain_undo(struct remote *remote)
{
    struct client_answer answer = {.json = NULL};
    char *path = tool_path("/v1/domains", remote->made_domain);
    if (path && tool_change(remote->import->tool, "DELETE", path, remote->made_version, NULL,
                            &answer) == TOOL_DONE)
        json_decref(answer.json);
    free(path);
}

/* A signal has said its piece; what was begun is taken back whatever comes. */
static void undo(struct remote *remote)
{
    struct import *import = remote->import;
    int code = TOOL_DONE;
    size_t count = remote->done_count;
    if (count > 0) {
        progress_clear(&import->progress);
        tool_fail(TOOL_REFUSED, "undoing what was added");
    }
    while (code == TOOL_DONE && count > 0)
        code = undo_one(remote, &remote->done[--count]);
    if (code == TOOL_DONE && *remote->made_domain)
        domain_undo(remote);
    import->undone = import->added == 0;
    if (import->undone && remote->done_count > 0)
        tool_fail(TOOL_REFUSED, "everything is as it was before");
    if (import->added > 0)
        tool_fail(TOOL_REFUSED,
                  "%" PRIu64 " addresses could not be taken back and are still in the directory",
                  import->added);
}

/* ---- the whole ---- */

static int remote_run(struct remote *remote, struct rows_place start)
{
    struct import *import = remote->import;
    int code = domain_ensure(remote);
    if (code)
        return code;
    if (import->dry_run)
        return rows_send(remote, start, true);
    if (!import->keep_going)
        code = rows_send(remote, start, true);
    if (!code && !import->keep_going && import->refused > 0)
        code = TOOL_REFUSED;
    if (!code)
        code = rows_send(remote, start, false);
    if (code && !import->keep_going)
        undo(remote);
    return code;
}

int import_remote(struct import *import)
{
    struct remote *remote = calloc(1, sizeof(*remote));
    if (!remote)
        return tool_fail(TOOL_REFUSED, "out of memory");
    remote->import = import;
    remote->trying = true;
    buf_init(&remote->body, IMPORT_BODY_MAX + 4096);
    int code = tool_connect(import->tool);
    if (!code)
        code = remote_run(remote, import->rows.first);
    buf_done(&remote->body);
    free(remote->done);
    free(remote);
    return code;
}
