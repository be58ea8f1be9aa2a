/* Server-sent events as they come in (WHATWG HTML, section 9.2), for the commands that follow the
 * daemon. */
#ifndef JUNCTOR_TOOLS_EVENTS_H
#define JUNCTOR_TOOLS_EVENTS_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define EVENTS_NAME_MAX 24

struct events;
/* One event: its name in events->name, its id in events->id. Returns false to end. */
typedef bool events_take_h(struct events *events, struct slice data);

struct events {
    events_take_h *take;
    char name[EVENTS_NAME_MAX], id[EVENTS_NAME_MAX]; /* "" where it has none */
    bool too_long;                                   /* over the bound: it has ended */
    struct buf bytes;                                /* private: of a line that is not whole yet */
    struct buf data;                                 /* private: of the event that is coming in */
};

/* At most `max` octets of one event. */
void events_init(struct events *events, size_t max, events_take_h *take);
void events_done(struct events *events);
/* Forgets an event that is not whole: a new connection begins. */
void events_restart(struct events *events);
/* A client_bytes_h whose arg is the struct events. */
bool events_bytes(const char *bytes, size_t len, void *arg);

#endif
