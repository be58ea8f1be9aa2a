/* Log lines that strangers can cause.
 *
 * Whoever can reach a port can cause such lines, so they get through a token bucket: some at once,
 * then a few a minute. What is left out is counted and said, "and 37 more in the last minute", so
 * that a flood is seen for what it is. Not thread-safe: each thread has its own, and passes the
 * time of its timers. */
#ifndef JUNCTOR_BASE_LOG_LIMIT_H
#define JUNCTOR_BASE_LOG_LIMIT_H

#include "base/log.h"
#include "base/timers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LIMIT_BURST     20
#define LOG_LIMIT_REFILL_MS 6000  /* one more line after this time: 10 a minute */
#define LOG_LIMIT_REPORT_MS 60000 /* from the first line left out until their number is said */

struct log_limit { /* private */
    struct log *log;
    struct timers *timers;
    const char *source;
    const char *what;
    unsigned tokens;
    uint64_t refilled_ms;
    size_t left_out;
    struct timer report;
};

/* `source` as for log_write; `what` names these lines in the plural, for "connections refused: and
 * 37 more in the last minute". Both, `log` and `timers` must outlive the limit. */
void log_limit_start(struct log_limit *limit, struct log *log, struct timers *timers,
                     const char *source, const char *what);
/* Says what was left out so far. */
void log_limit_stop(struct log_limit *limit);

/* May one more line be written now? What may not is counted as left out. */
bool log_limit_take(struct log_limit *limit, uint64_t now_ms);
/* log_write, or one more that is left out. */
void log_limit_write(struct log_limit *limit, uint64_t now_ms, enum log_level level,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
