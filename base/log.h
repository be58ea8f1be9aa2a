/* Log lines, one write(2) each: `TIME LEVEL SOURCE: text name=value ...`, or as LOG_JSON one object
 * {"time", "level", "source", "text", NAME: value ...} per line.
 *
 * Everything in a line that is not printable ASCII or printable valid UTF-8 is escaped (\xNN), so
 * bytes from the network can be logged as they are; a line is at most LOG_LINE_MAX bytes, a longer
 * one ends in "..." (in JSON its text or a value does, and fields that find no room are left out).
 * The time is UTC with microseconds, 2026-07-04T12:00:00.123456Z. errno is preserved. Thread-safe:
 * a struct log may be used from every thread. Where the log goes to systemd's journal
 * (JOURNAL_STREAM names the descriptor) lines carry the <N> priority prefix instead of the time. */
#ifndef JUNCTOR_BASE_LOG_H
#define JUNCTOR_BASE_LOG_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define LOG_LINE_MAX  4096
#define LOG_VALUE_MAX 512 /* bytes of a field's value, as written too; longer ones end in "..." */

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log;

/* Writes to `fd` (not closed by log_free) what is at or above `level`. NULL without memory. */
struct log *log_alloc(int fd, enum log_level level);
struct log *log_free(struct log *log);
void log_set_level(struct log *log, enum log_level level);    /* any thread */
void log_set_format(struct log *log, enum log_format format); /* any thread; LOG_TEXT at first */

/* Would a line of this level be written? Ask before costly arguments. A NULL log is silent. */
bool log_enabled(const struct log *log, enum log_level level);

/* `source` names the module, like "store" or "peering". */
void log_write(struct log *log, enum log_level level, const char *source, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* One thing that a line says of an event. */
struct log_field {
    const char *name;   /* lower case and "_" */
    struct slice value; /* any bytes */
    bool number;        /* decimal digits: no quotes in JSON */
    bool said;          /* the text says it: not repeated in a line of text */
};

/* The same with fields: ` name=value` each in a line of text, in quotes where it is empty or has
 * spaces or quotes; a member each in JSON. */
void log_event(struct log *log, enum log_level level, const char *source, const char *text,
               const struct log_field *fields, size_t count);

/* "error", "warning", "notice", "info" or "debug". Returns 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *level);
/* "text" or "json". Returns 0 or -EINVAL. */
int log_format_parse(const char *name, enum log_format *format);

#define LOG_TIME_MAX 64 /* with terminator, whatever the numbers are */

/* ISO 8601 in UTC with microseconds, "2026-07-04T12:00:00.123456Z", of a time not before 1970;
 * returns text. Takes no lock, unlike gmtime_r. */
const char *log_time_format(struct timespec time, char text[LOG_TIME_MAX]);

#endif
