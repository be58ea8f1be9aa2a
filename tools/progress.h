/* How far a long work is: a line on the terminal that standard error is, redrawn a few times a
 * second. Where standard error is none, only what came of it is said. */
#ifndef JUNCTOR_TOOLS_PROGRESS_H
#define JUNCTOR_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    bool on;           /* a terminal, and not told to be quiet */
    const char *what;  /* "checking" */
    uint64_t total;    /* of the units of `at`; 0: not known */
    uint64_t began_ms; /* monotonic */
    uint64_t drawn_ms; /* 0: no line stands there */
};

struct progress_state {
    uint64_t at;      /* of the total */
    uint64_t count;   /* addresses */
    uint64_t refused; /* of them */
};

/* A work or a part of it begins. */
void progress_begin(struct progress *progress, bool quiet, const char *what, uint64_t total);
/* Draws, unless it was drawn a moment ago. */
void progress_show(struct progress *progress, const struct progress_state *state);
/* Takes the line away, so that something else can be printed. */
void progress_clear(struct progress *progress);
/* Since progress_begin. */
uint64_t progress_elapsed_ms(const struct progress *progress);

/* "12345" -> "12,345". Returns `text`. */
#define PROGRESS_NUMBER_MAX 32
const char *progress_number(uint64_t number, char text[PROGRESS_NUMBER_MAX]);

/* What the line says, for a terminal of that many columns; pure. Returns `text`. */
#define PROGRESS_LINE_MAX 512
const char *progress_line(const struct progress *progress, const struct progress_state *state,
                          uint64_t elapsed_ms, unsigned columns, char text[PROGRESS_LINE_MAX]);

#endif
