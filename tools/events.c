#include "tools/events.h"

#include <string.h>

void events_init(struct events *events, size_t max, events_take_h *take)
{
    *events = (struct events){.take = take};
    buf_init(&events->bytes, max);
    buf_init(&events->data, max);
}

void events_done(struct events *events)
{
    buf_done(&events->bytes);
    buf_done(&events->data);
}

void events_restart(struct events *events)
{
    buf_consume(&events->bytes, buf_len(&events->bytes));
    buf_consume(&events->data, buf_len(&events->data));
}

static bool event_end(struct events *events)
{
    struct slice data = buf_bytes(&events->data);
    bool more = data.len == 0 || events->take(events, data);
    buf_consume(&events->data, data.len);
    events->name[0] = events->id[0] = '\0';
    return more;
}

/* One line without its end; an empty one ends an event. */
static bool line_take(struct events *events, struct slice line)
{
    if (line.len && line.p[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0)
        return event_end(events);
    if (slice_starts_with(line, SLICE("id: ")))
        (void)slice_to_cstr(slice_skip(line, strlen("id: ")), events->id, sizeof(events->id));
    if (slice_starts_with(line, SLICE("event: ")))
        (void)slice_to_cstr(slice_skip(line, strlen("event: ")), events->name,
                            sizeof(events->name));
    if (slice_starts_with(line, SLICE("data: ")))
        events->too_long |= buf_append(&events->data, slice_skip(line, strlen("data: "))) != 0;
    return !events->too_long;
}

bool events_bytes(const char *bytes, size_t len, void *arg)
{
    struct events *events = arg;
    if (buf_append(&events->bytes, slice_make(bytes, len))) {
        events->too_long = true;
        return false;
    }
    for (;;) {
        struct slice all = buf_bytes(&events->bytes);
        size_t end = slice_find(all, '\n');
        if (end == all.len)
            return true;
        bool more = line_take(events, slice_make(all.p, end));
        buf_consume(&events->bytes, end + 1);
        if (!more)
            return false;
    }
}
