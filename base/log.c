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
    atomic_int level, format;
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
    atomic_init(&log->format, LOG_TEXT);
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

void log_set_format(struct log *log, enum log_format format)
{
    atomic_store_explicit(&log->format, (int)format, memory_order_relaxed);
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return log && (int)level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

/* A line under construction; it always has room for its end. */
struct line {
    char bytes[LOG_LINE_MAX];
    size_t len;
    size_t room;    /* it grows up to here */
    bool in_quotes; /* of JSON, where '"' and '\\' are escaped too */
};

static bool line_add(struct line *line, const char *bytes, size_t len)
{
    if (line->len + len > line->room)
        return false;
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
    return true;
}

static bool line_say(struct line *line, const char *text)
{
    return line_add(line, text, strlen(text));
}

/* In the room that is kept for it. */
static void line_end(struct line *line, const char *end)
{
    size_t len = strlen(end);
    memcpy(line->bytes + line->len, end, len);
    line->len += len;
}

/* One character of the text, escaped where it has to be. Returns its bytes; 0 where it does not
 * fit. */
static size_t line_add_char(struct line *line, const char *p)
{
    size_t len = utf8_printable_len(p);
    char escape[sizeof("\\\\x00")];
    if (len > 0 && line->in_quotes && (*p == '"' || *p == '\\'))
        snprintf(escape, sizeof(escape), "\\%c", *p);
    else if (len > 0)
        return line_add(line, p, len) ? len : 0;
    else
        snprintf(escape, sizeof(escape), line->in_quotes ? "\\\\x%02x" : "\\x%02x",
                 (unsigned char)*p);
    return line_add(line, escape, strlen(escape)) ? 1 : 0;
}

/* Bytes of the text that need no second look: most of nearly every text. */
static size_t plain_len(const struct line *line, const char *text)
{
    size_t len = 0;
    while (text[len] >= ' ' && text[len] <= '~' &&
           !(line->in_quotes && (text[len] == '"' || text[len] == '\\')))
        len++;
    return len;
}

static bool line_add_escaped(struct line *line, const char *text)
{
    while (*text) {
        size_t plain = plain_len(line, text), room = line->room - line->len;
        line_add(line, text, plain < room ? plain : room);
        if (plain > room)
            return false;
        text += plain;
        if (!*text)
            return true;
        size_t len = line_add_char(line, text);
        if (len == 0)
            return false;
        text += len;
    }
    return true;
}

/* `count` digits and what comes after them. Returns where that ends. */
static char *digits_put(char *at, unsigned number, size_t count, char after)
{
    at[count] = after;
    for (size_t i = count; i > 0; i--, number /= 10)
        at[i - 1] = (char)('0' + number % 10);
    return at + count + 1;
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

    char *end = digits_put(text, year, 4, '-');
    end = digits_put(end, month, 2, '-');
    end = digits_put(end, day, 2, 'T');
    end = digits_put(end, seconds / 3600, 2, ':');
    end = digits_put(end, seconds / 60 % 60, 2, ':');
    end = digits_put(end, seconds % 60, 2, '.');
    *digits_put(end, (unsigned)(time.tv_nsec / 1000), 6, 'Z') = '\0';
    return text;
}

static const char *now_text(char text[LOG_TIME_MAX])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return log_time_format(now, text);
}

static void line_start(struct line *line, const struct log *log, enum log_level level,
                       const char *source)
{
    char priority[] = {'<', (char)('0' + levels[level].priority), '>', '\0'}, time[LOG_TIME_MAX];
    line->len = 0;
    line->in_quotes = atomic_load_explicit(&log->format, memory_order_relaxed) == LOG_JSON;
    line->room = LOG_LINE_MAX - strlen(line->in_quotes ? "...\"}\n" : "...\n");
    bool json = line->in_quotes, timed = json || !log->journal;
    line_say(line, log->journal ? priority : "");
    line_say(line, json ? "{\"time\":\"" : "");
    line_say(line, timed ? now_text(time) : "");
    line_say(line, json ? "\",\"level\":\"" : timed ? " " : "");
    line_say(line, levels[level].name);
    line_say(line, json ? "\",\"source\":\"" : " ");
    line_say(line, source); /* a word of ours */
    line_say(line, json ? "\",\"text\":\"" : ": ");
}

/* Cut where the network sent a NUL, as it would be in a format. */
static const char *value_text(struct slice value, char text[LOG_VALUE_MAX])
{
    bool cut = value.len >= LOG_VALUE_MAX;
    size_t len = cut ? LOG_VALUE_MAX - sizeof("...") : value.len;
    if (len > 0)
        memcpy(text, value.p, len);
    memcpy(text + len, cut ? "..." : "", cut ? sizeof("...") : 1);
    return text;
}

/* No value takes the room of those behind it, however much of it is escaped. */
static bool line_add_value(struct line *line, const char *text)
{
    size_t room = line->room, end = line->len + LOG_VALUE_MAX - 1;
    line->room = end < room ? end : room;
    bool whole = line_add_escaped(line, text);
    line->room = room;
    return whole || (end < room && line_add(line, "...", strlen("...")));
}

/* A field, which may be cut and says so, or nothing of it. */
static void line_add_field(struct line *line, const struct log_field *field)
{
    char text[LOG_VALUE_MAX];
    size_t before = line->len;
    bool json = line->in_quotes;
    value_text(field->value, text);
    bool quoted = json ? !field->number : !text[0] || strpbrk(text, " \"");
    line->in_quotes = quoted;
    bool whole = line_say(line, json ? ",\"" : " ") && line_say(line, field->name) &&
                 line_say(line, json ? "\":" : "=") && line_say(line, quoted ? "\"" : "") &&
                 line_add_value(line, text) && (!quoted || line_add(line, "\"", 1));
    line->in_quotes = json;
    if (!whole)
        line->len = before;
}

/* A log that cannot be written has nobody to tell. */
static void line_write(const struct line *line, const struct log *log)
{
    ssize_t written;
    do
        written = write(log->fd, line->bytes, line->len);
    while (written < 0 && errno == EINTR);
}

void log_event(struct log *log, enum log_level level, const char *source, const char *text,
               const struct log_field *fields, size_t count)
{
    struct line line;
    if (!log_enabled(log, level))
        return;
    int saved_errno = errno;
    line_start(&line, log, level, source);
    bool json = line.in_quotes, whole = line_add_escaped(&line, text);
    if (!whole)
        line_end(&line, "...");
    if (json)
        line_end(&line, "\"");
    for (size_t i = 0; whole && i < count; i++)
        if (json || !fields[i].said)
            line_add_field(&line, &fields[i]);
    line_end(&line, json ? "}\n" : "\n");
    line_write(&line, log);
    errno = saved_errno;
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
    log_event(log, level, source, text, NULL, 0);
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

int log_format_parse(const char *name, enum log_format *format)
{
    if (strcmp(name, "text") != 0 && strcmp(name, "json") != 0)
        return -EINVAL;
    *format = name[0] == 'j' ? LOG_JSON : LOG_TEXT;
    return 0;
}
