#include "tools/progress.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_MS    100
#define COLUMNS      80 /* where the terminal does not say */
#define BAR_MIN      10
#define BAR_MAX      40
#define ETA_AFTER_MS 500 /* before that, a guess would be wild */

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *progress_number(uint64_t number, char text[PROGRESS_NUMBER_MAX])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    char *out = text;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

/* "[#####.....]  50%  ", as wide as `room` allows. */
static void bar_write(FILE *out, unsigned percent, unsigned room)
{
    unsigned width = room > BAR_MAX ? BAR_MAX : room;
    if (room >= BAR_MIN) {
        fputc('[', out);
        for (unsigned i = 0; i < width; i++)
            fputc(i < width * percent / 100 ? '#' : '.', out);
        fputs("] ", out);
    }
    fprintf(out, "%3u%%  ", percent);
}

/* What may be left out of a narrow line. */
enum detail { COUNT, RATE, ETA };

static void numbers_write(FILE *out, const struct progress *progress,
                          const struct progress_state *state, uint64_t elapsed_ms,
                          enum detail detail)
{
    char count[PROGRESS_NUMBER_MAX], rate[PROGRESS_NUMBER_MAX];
    uint64_t per_s = elapsed_ms ? state->count * 1000 / elapsed_ms : 0;
    fprintf(out, "%s addresses", progress_number(state->count, count));
    if (detail >= RATE)
        fprintf(out, ", %s/s", progress_number(per_s, rate));
    if (detail >= ETA && progress->total && state->at && elapsed_ms >= ETA_AFTER_MS) {
        uint64_t left_s = (uint64_t)((double)(progress->total - state->at) * (double)elapsed_ms /
                                     (double)state->at / 1000);
        fprintf(out, ", ETA %02" PRIu64 ":%02" PRIu64, left_s / 60, left_s % 60);
    }
    if (state->refused)
        fprintf(out, ", %s refused", progress_number(state->refused, count));
}

/* The numbers that fit beside what the line says else. */
static void numbers_fit(const struct progress *progress, const struct progress_state *state,
                        uint64_t elapsed_ms, unsigned columns, char text[PROGRESS_LINE_MAX / 2])
{
    size_t beside = strlen(progress->what) + (progress->total ? strlen("  100%  ") : 2) + 1;
    for (int detail = ETA; detail >= COUNT; detail--) {
        FILE *out = fmemopen(text, PROGRESS_LINE_MAX / 2, "w");
        if (!out)
            return;
        numbers_write(out, progress, state, elapsed_ms, (enum detail)detail);
        fclose(out);
        if (beside + strlen(text) <= columns)
            return;
    }
}

const char *progress_line(const struct progress *progress, const struct progress_state *state,
                          uint64_t elapsed_ms, unsigned columns, char text[PROGRESS_LINE_MAX])
{
    char numbers[PROGRESS_LINE_MAX / 2] = "";
    text[0] = '\0';
    numbers_fit(progress, state, elapsed_ms, columns, numbers);
    FILE *out = fmemopen(text, PROGRESS_LINE_MAX, "w");
    if (!out)
        return text;
    size_t used = strlen(progress->what) + strlen(numbers) + strlen("  [] 100%  ") + 1;
    fprintf(out, "%s  ", progress->what);
    if (progress->total)
        bar_write(out, (unsigned)(state->at * 100 / progress->total),
                  columns > used ? columns - (unsigned)used : 0);
    fputs(numbers, out);
    fclose(out);
    if (columns && columns < PROGRESS_LINE_MAX)
        text[columns - 1] = '\0'; /* a line that wraps could not be redrawn */
    return text;
}

void progress_begin(struct progress *progress, bool quiet, const char *what, uint64_t total)
{
    *progress = (struct progress){.on = !quiet && isatty(STDERR_FILENO),
                                  .what = what,
                                  .total = total,
                                  .began_ms = monotonic_ms()};
}

static unsigned columns_get(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col == 0)
        return COLUMNS;
    return size.ws_col;
}

void progress_show(struct progress *progress, const struct progress_state *state)
{
    uint64_t now = progress->on ? monotonic_ms() : 0;
    char text[PROGRESS_LINE_MAX];
    if (!progress->on || (progress->drawn_ms && now - progress->drawn_ms < REDRAW_MS))
        return;
    progress_line(progress, state, now - progress->began_ms, columns_get(), text);
    fprintf(stderr, "\r%s\033[K", text);
    progress->drawn_ms = now;
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn_ms)
        fputs("\r\033[K", stderr);
    progress->drawn_ms = 0;
}

uint64_t progress_elapsed_ms(const struct progress *progress)
{
    return monotonic_ms() - progress->began_ms;
}
