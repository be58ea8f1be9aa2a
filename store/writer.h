/* The one thread that writes, and what it does by itself as time passes. */
#ifndef JUNCTOR_STORE_WRITER_H
#define JUNCTOR_STORE_WRITER_H

#include "store/internal.h"

struct store_writer;

/* `conf` is copied. */
int store_writer_start(struct store *store, const struct store_conf *conf,
                       struct store_writer **writer);
/* Applies what waits, then ends the thread. Accepts NULL; returns NULL. */
struct store_writer *store_writer_stop(struct store_writer *writer);

/* ---- timer.c ---- */

/* Settings of the timer, with the defaults filled in. */
struct store_timer {
    uint64_t key_age_ms, journal_age_ms, journal_size, journal_max;
    uint64_t cursors_lost; /* when it was last looked at */
};
void store_timer_init(struct store_timer *timer, const struct store_conf *conf);
/* What is due at `now_ms`, as commands (actor "timer"); there is room for three. Returns how many;
 * 0, too, where the store cannot be read: the next look tells. */
#define STORE_TIMER_COMMANDS 3
size_t store_timer_look(struct store_timer *timer, const struct store *store, uint64_t now_ms,
                        struct store_command commands[STORE_TIMER_COMMANDS]);
/* Were more cursors lost since the last time? Then `text` says which. */
bool store_timer_alarm(struct store_timer *timer, const struct store *store,
                       struct store_fault *text);

#endif
