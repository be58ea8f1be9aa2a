#include "base/log.h"

#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct log {
    int fd;
    bool journal; /* fd leads to systemd's journal */
    atomic_int level;
};

/* By level; the numbers are those of syslog, RFC 5424 table 2. */
static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_ERROR] = {"error", 3}, [LOG_WARNING] = {"warning", 4}, [LOG_NOTICE] = {"notice", 5},
    [LOG_INFO] = {"info", 6},   [LOG_DEBUG] = {"debug", 7},
};

#define LOG_LEVELS (sizeof(levels) / sizeof(levels[0]))

/* systemd.exec(5): JOURNAL_STREAM holds "device:inode" of the stream that leads to the journal; it
 * is inherited by processes whose output somebody redirected, so the numbers must be compared. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    if (!stream || fstat(fd, &st) < 0)
        return false;
    char own[2 * sizeof("18446744073709551615")];
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, own) == 0;
}

struct log *log_alloc(int fd, enum log_level level)
{
    struct log *log = calloc(1, sizeof(*log));
    if (!log)
        return NULL;
    log->fd = fd;
    log->journal = is_journal(fd);
    atomic_init(&log->level, (int)level);
    return log;
}

struct log *log_free(struct log *log)
{
    free(log);
    return NULL;
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return log && (int)level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

/* A line under construction; it always has room for the end of the line. */
struct line {
    char bytes[LOG_LINE_MAX];
    size_t len;
};

static const char line_cut[] = "...\n";

#define LINE_ROOM (LOG_LINE_MAX - (sizeof(line_cut) - 1))

static bool line_add(struct line *line, const char *bytes, size_t len)
{
    if (len > LINE_ROOM - line->len)
        return false;
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
    return true;
}

static bool line_add_escaped(struct line *line, const char *text)
{
    const char *p = text;
    while (*p) {
        size_t len = utf8_printable_len(p);
        if (len > 0) {
            if (!line_add(line, p, len))
                return false;
            p += len;
            continue;
        }
        char escape[sizeof("\\x00")];
        snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)*p);
        if (!line_add(line, escape, sizeof(escape) - 1))
            return false;
        p++;
    }
    return true;
}

/* Not by gmtime_r, which takes the time zone lock that all threads share. The calendar is counted
 * in eras of 400 years from 1 March 0000, so that the leap day is the last of its year. */
const char *log_time_format(struct timespec time, char text[LOG_TIME_MAX])
{
    int64_t days = time.tv_sec / 86400;
    unsigned seconds = (unsigned)(time.tv_sec % 86400);

    unsigned shifted = (unsigned)(days + 719468); /* 1970-01-01 is that many days after */
    unsigned era = shifted / 146097;
    unsigned day_of_era = shifted % 146097;
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned from_march = (5 * day_of_year + 2) / 153;
    unsigned day = day_of_year - (153 * from_march + 2) / 5 + 1;
    unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;
    unsigned year = year_of_era + era * 400 + (month <= 2);

    snprintf(text, LOG_TIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%06ldZ", year, month, day,
             seconds / 3600, seconds / 60 % 60, seconds % 60, time.tv_nsec / 1000);
    return text;
}

static void line_start(struct line *line, const struct log *log, enum log_level level,
                       const char *source)
{
    char start[128];
    line->len = 0;
    if (log->journal) {
        snprintf(start, sizeof(start), "<%d>", levels[level].priority);
    } else {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        char text[LOG_TIME_MAX];
        snprintf(start, sizeof(start), "%s ", log_time_format(now, text));
    }
    line_add(line, start, strlen(start));
    snprintf(start, sizeof(start), "%s %s: ", levels[level].name, source);
    line_add_escaped(line, start);
}

void log_write(struct log *log, enum log_level level, const char *source, const char *format, ...)
{
    if (!log_enabled(log, level))
        return;
    int saved_errno = errno;

    char text[LOG_LINE_MAX + 1]; /* one more than fits, so that a cut here shows there */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    struct line line;
    line_start(&line, log, level, source);
    bool whole = line_add_escaped(&line, text);
    const char *end = whole ? "\n" : line_cut;
    size_t end_len = strlen(end);
    memcpy(line.bytes + line.len, end, end_len);
    line.len += end_len;

    /* A log that cannot be written has nobody to tell. */
    ssize_t written;
    do
        written = write(log->fd, line.bytes, line.len);
    while (written < 0 && errno == EINTR);
    errno = saved_errno;
}

int log_level_parse(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < LOG_LEVELS; i++) {
        if (strcmp(name, levels[i].name) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}
