/* Log lines: `TIME LEVEL SOURCE: text key=value ...`, one write(2) each.
 *
 * Everything in a line that is not printable ASCII or printable valid UTF-8 is escaped (\xNN), so
 * bytes from the network can be logged as they are; a line is at most LOG_LINE_MAX bytes, a longer
 * one ends in "...". The time is UTC with microseconds, 2026-07-04T12:00:00.123456Z. errno is
 * preserved. Thread-safe: a struct log may be used from every thread. Where the
 * log goes to systemd's journal (JOURNAL_STREAM names the descriptor) lines carry the <N> priority
 * prefix instead of the time. */
#ifndef JUNCTOR_BASE_LOG_H
#define JUNCTOR_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define LOG_LINE_MAX 4096

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

struct log;

/* Writes to `fd` (not closed by log_free) what is at or above `level`. NULL without memory. */
struct log *log_alloc(int fd, enum log_level level);
struct log *log_free(struct log *log);
void log_set_level(struct log *log, enum log_level level); /* any thread */

/* Would a line of this level be written? Ask before costly arguments. A NULL log is silent. */
bool log_enabled(const struct log *log, enum log_level level);

/* `source` names the module, like "store" or "peering". */
void log_write(struct log *log, enum log_level level, const char *source, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "error", "warning", "notice", "info" or "debug". Returns 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *level);

#define LOG_TIME_MAX 64 /* with terminator, whatever the numbers are */

/* ISO 8601 in UTC with microseconds, "2026-07-04T12:00:00.123456Z", of a time not before 1970;
 * returns text. Takes no lock, unlike gmtime_r. */
const char *log_time_format(struct timespec time, char text[LOG_TIME_MAX]);

#endif
