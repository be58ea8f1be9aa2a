#include "base/log_limit.h"

#include <stdarg.h>
#include <stdio.h>

void log_limit_start(struct log_limit *limit, struct log *log, struct timers *timers,
                     const char *source, const char *what)
{
    *limit = (struct log_limit){
        .log = log, .timers = timers, .source = source, .what = what, .tokens = LOG_LIMIT_BURST};
    timer_init(&limit->report);
}

void log_limit_stop(struct log_limit *limit)
{
    timer_stop(limit->timers, &limit->report);
    if (limit->left_out > 0)
        log_write(limit->log, LOG_NOTICE, limit->source, "%s: and %zu more before the end",
                  limit->what, limit->left_out);
    limit->left_out = 0;
}

static void report(void *arg)
{
    struct log_limit *limit = arg;

    log_write(limit->log, LOG_NOTICE, limit->source, "%s: and %zu more in the last minute",
              limit->what, limit->left_out);
    limit->left_out = 0;
}

static void refill(struct log_limit *limit, uint64_t now_ms)
{
    uint64_t gained = (now_ms - limit->refilled_ms) / LOG_LIMIT_REFILL_MS;

    if (gained >= LOG_LIMIT_BURST - limit->tokens) {
        limit->tokens = LOG_LIMIT_BURST;
        limit->refilled_ms = now_ms;
        return;
    }
    limit->tokens += (unsigned)gained;
    limit->refilled_ms += gained * LOG_LIMIT_REFILL_MS;
}

bool log_limit_take(struct log_limit *limit, uint64_t now_ms)
{
    refill(limit, now_ms);
    if (limit->tokens == 0) {
        limit->left_out++;
        /* Without room for the timer the number is said with a later one. */
        if (!timer_is_running(&limit->report))
            timer_start(limit->timers, &limit->report, now_ms + LOG_LIMIT_REPORT_MS, report, limit);
        return false;
    }
    limit->tokens--;
    return true;
}

void log_limit_write(struct log_limit *limit, uint64_t now_ms, enum log_level level,
                     const char *format, ...)
{
    char text[LOG_LINE_MAX];
    va_list args;

    if (!log_enabled(limit->log, level) || !log_limit_take(limit, now_ms))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_write(limit->log, level, limit->source, "%s", text);
}
