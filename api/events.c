/* /v1/journal/events: the journal as server-sent events, from an entry on or as it grows. */
#include "api/auth.h"
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_HEAD_MAX 64 /* "id: N", "event: change", "data: " */

/* What one client has heard. */
struct events {
    uint64_t next; /* sequence of the entry to tell next */
    char actor[STORE_ACTOR_MAX + 1];
};

struct events_run {
    struct events *events;
    struct buf *out;
    int status;
};

/* Whole events only: what has no room waits. */
static int event_append(struct buf *out, uint64_t sequence, const char *json)
{
    char head[EVENT_HEAD_MAX];
    int head_len = snprintf(head, sizeof(head),
                            "id: %llu\nevent: change\ndata: ", (unsigned long long)sequence);
    size_t len = strlen(json);
    char *place = buf_reserve(out, (size_t)head_len + len + 2);
    if (!place)
        return -ENOBUFS;
    memcpy(place, head, (size_t)head_len);
    memcpy(place + head_len, json, len);
    memcpy(place + head_len + len, "\n\n", 2);
    buf_commit(out, (size_t)head_len + len + 2);
    return 0;
}

static bool event_each(const struct store_journal_entry *entry, void *arg)
{
    struct events_run *run = arg;
    json_t *json = api_entry_encode(entry);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    run->status = text ? event_append(run->out, entry->sequence, text) : -ENOMEM;
    free(text);
    if (run->status)
        return false;
    run->events->next = entry->sequence + 1;
    return true;
}

static int entries_read(struct store_reader *reader, struct events_run *run)
{
    if (!api_actor_is_good(reader, run->events->actor))
        return STATUS_DENIED;
    return store_journal_read(reader, run->events->next, SIZE_MAX, event_each, run);
}

/* What was trimmed before this client took it ends its stream: it comes back with the last event
 * that it has, and hears 410. So does the end of its token, before one more word. */
static int events_more(struct api_stream *stream, struct store_reader *reader, struct buf *out)
{
    struct events_run run = {.events = stream->arg, .out = out};
    int status = store_reader_begin(reader);
    if (status)
        return status;
    status = entries_read(reader, &run);
    store_reader_end(reader);
    if (status || (run.status && run.status != -ENOBUFS))
        return status ? status : run.status;
    if (stream->tick && buf_len(out) == 0)
        return buf_append(out, SLICE(": still here\n\n"));
    return 0;
}

/* ---- where to begin ---- */

/* After the last event that the client has; else at `from`; else with what comes. */
static int begin_decode(struct api_call *call, const struct store_stats *stats, uint64_t *next)
{
    *next = stats->last_sequence + 1;
    if (!call->last_event_id) {
        if (api_sequence_arg(call, "from", next))
            return -EPROTO;
        if (*next == 0)
            *next = stats->first_sequence;
        return 0;
    }
    if (slice_to_u64(slice_of(call->last_event_id), INT64_MAX, next))
        return api_problem_set(&call->problem, API_PROBLEM_HEADER, "Last-Event-ID",
                               "Last-Event-ID: is '%.40s'; it must be a sequence number",
                               call->last_event_id);
    ++*next;
    return 0;
}

/* A client that is ahead of the journal read another one, from before a restore. */
static int begin_check(struct api_call *call, const struct store_stats *stats, uint64_t next)
{
    if (next < stats->first_sequence)
        return api_journal_trimmed(call, next, stats->first_sequence);
    if (next <= stats->last_sequence + 1)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_TRIMMED, "from",
                           "from: there is no entry %llu; the journal ends at %llu",
                           (unsigned long long)next - 1, (unsigned long long)stats->last_sequence);
}

int api_events_get(struct api_call *call)
{
    struct store_stats stats;
    uint64_t next;
    if (api_stats_read(call, &stats) || begin_decode(call, &stats, &next) ||
        begin_check(call, &stats, next))
        return -EPROTO;
    struct events *events = malloc(sizeof(*events));
    if (!events)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    events->next = next;
    memcpy(events->actor, call->actor, sizeof(events->actor));
    return api_call_stream(
        call, &(struct api_stream){
                  .type = "text/event-stream", .more = events_more, .free = free, .arg = events});
}
