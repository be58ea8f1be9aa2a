/* An import by way of the daemon is taken back, in reverse. */
#include "tools/import_remote.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was never answered ---- */

/* The same request with the same key is answered with what became of the first one, or is done
 * now: either way it is known. The body is still that of the request. */
static void pending_settle(struct remote *remote)
{
    struct pending *pending = &remote->pending;
    struct client_answer answer;
    int code = remote_post(remote, "/v1/import", pending->key, false, &answer);
    if (code == TOOL_UNREACHABLE)
        return;
    struct done done = pending->done;
    pending->done.count = 0;
    if (code)
        return;
    done.count = (uint16_t)json_integer_value(json_object_get(answer.json, "added"));
    done.sequence = (uint64_t)json_integer_value(json_object_get(answer.json, "sequence"));
    json_decref(answer.json);
    remote->import->added += done.count;
    remote_done_add(remote, &done);
}

void remote_pending_say(const struct remote *remote)
{
    const struct pending *pending = &remote->pending;
    if (pending->done.count)
        tool_fail(TOOL_REFUSED,
                  "whether the %u addresses of lines %" PRIu64 " to %" PRIu64
                  " were added is not known: the answer never came",
                  pending->done.count, pending->done.place.line, pending->last_line);
}

/* ---- what was added ---- */

static int undo_append(struct remote *remote, const struct row *row, uint64_t version, bool first)
{
    char text[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
    snprintf(text, sizeof(text), "%s@%s", row->address.user, row->address.domain);
    json_t *item = json_pack("{s:s, s:I}", "address", text, "version", (json_int_t)version);
    char *dump = item ? json_dumps(item, JSON_COMPACT) : NULL;
    int status = dump && (first || remote_append(remote, ",") == 0) ? 0 : -1;
    if (!status)
        status = remote_append(remote, dump);
    free(dump);
    json_decref(item);
    return status;
}

/* The first `count` rows of what was added, read again: they are the next ones of its level. */
static int undo_body(struct remote *remote, const struct done *done, size_t count)
{
    struct import *import = remote->import;
    struct rows_fault fault;
    struct row row;
    uint64_t version = done->sequence - done->count + 1;
    size_t found = 0;
    if (rows_seek(&import->rows, done->place))
        return -1;
    remote_begin(remote);
    while (found < count) {
        int status = rows_next(&import->rows, &row, &fault);
        if (status <= 0)
            return -1; /* all-or-nothing: there was no bad row */
        const struct seen_entry *entry = seen_find(&import->seen, &row.address);
        if (entry && entry->level == done->level)
            status = undo_append(remote, &row, version++, found++ == 0) ? -1 : 1;
        row_done(&row);
        if (status < 0)
            return -1;
    }
    return remote_append(remote, "]}");
}

static int undo_part(struct remote *remote, const struct done *done, size_t count)
{
    struct client_answer answer;
    char key[CLIENT_MAX_KEY];
    if (undo_body(remote, done, count))
        return tool_fail(TOOL_REFUSED, "the file cannot be read again");
    client_key_make(remote->import->tool->client, key);
    int code = remote_post(remote, "/v1/import/undo", key, count > 1, &answer);
    if (code)
        return code;
    remote->import->added -= (uint64_t)json_integer_value(json_object_get(answer.json, "removed"));
    json_decref(answer.json);
    return TOOL_DONE;
}

/* A full directory takes few at once: it keeps some room for that. */
static int undo_one(struct remote *remote, struct done done)
{
    int code = TOOL_DONE;
    while (code == TOOL_DONE && done.count > 0) {
        size_t count = done.count < remote->batch ? done.count : remote->batch;
        code = undo_part(remote, &done, count);
        if (code == REMOTE_FULL) {
            remote->batch = count / 2;
            code = TOOL_DONE;
            continue;
        }
        done.place = remote->import->rows.next;
        done.count -= (uint16_t)count;
    }
    return code;
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
void remote_undo(struct remote *remote)
{
    struct import *import = remote->import;
    int code = TOOL_DONE;
    if (remote->done_count > 0 || remote->pending.done.count) {
        progress_clear(&import->progress);
        tool_fail(TOOL_REFUSED, "undoing what was added");
    }
    if (remote->pending.done.count)
        pending_settle(remote);
    remote->batch = STORE_IMPORT_MAX;
    for (size_t i = remote->done_count; code == TOOL_DONE && i > 0; i--)
        code = undo_one(remote, remote->done[i - 1]);
    bool known = remote->pending.done.count == 0;
    if (code == TOOL_DONE && known && *remote->made_domain)
        domain_undo(remote);
    import->undone = import->added == 0 && known;
    if (import->undone && remote->done_count > 0)
        tool_fail(TOOL_REFUSED, "everything is as it was before");
}
