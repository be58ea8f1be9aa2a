#include "tests/bench/bench.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATHS       4
#define MISSED_MAX  16
#define MISSED_SIZE 160

static char folder[BENCH_PATH_MAX];
static char missed[MISSED_MAX][MISSED_SIZE];
static int missed_count;

void bench_fail(const char *format, ...)
{
    va_list args;
    fputs("bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    bench_folder_remove();
    _exit(2);
}

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int double_compare(const void *a, const void *b)
{
    const double *one = a, *two = b;
    return (*one > *two) - (*one < *two);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), double_compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double bench_least(const double *values, size_t count)
{
    double least = values[0];
    for (size_t i = 1; i < count; i++)
        if (values[i] < least)
            least = values[i];
    return least;
}

double bench_most(const double *values, size_t count)
{
    double most = values[0];
    for (size_t i = 1; i < count; i++)
        if (values[i] > most)
            most = values[i];
    return most;
}

uint64_t bench_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

/* ---- the report ---- */

void bench_report(const char *name, double value, const char *unit)
{
    printf("%s: %.*f%s%s\n", name, value < 100 ? 2 : 0, value, unit[0] ? " " : "", unit);
    fflush(stdout);
}

static void miss(const char *name, double value, const char *rule, double target)
{
    if (missed_count < MISSED_MAX)
        snprintf(missed[missed_count++], MISSED_SIZE, "%s is %.2f and must be %s %.2f", name, value,
                 rule, target);
}

void bench_report_most(const char *name, double value, const char *unit, double most)
{
    bench_report(name, value, unit);
    if (value > most)
        miss(name, value, "at most", most);
}

void bench_report_least(const char *name, double value, const char *unit, double least)
{
    bench_report(name, value, unit);
    if (value < least)
        miss(name, value, "at least", least);
}

int bench_missed(void)
{
    for (int i = 0; i < missed_count; i++)
        fprintf(stderr, "missed: %s\n", missed[i]);
    return missed_count;
}

/* ---- the folder ---- */

void bench_folder_make(const char *parent)
{
    int len = snprintf(folder, sizeof(folder), "%s/junctor-bench-XXXXXX", parent);
    if (len < 0 || (size_t)len >= sizeof(folder) - 64)
        bench_fail("the name of the folder %s is too long", parent);
    if (mkdtemp(folder))
        return;
    int cause = errno;
    folder[0] = '\0';
    bench_fail("cannot make a folder in %s: %s", parent, strerror(cause));
}

static int entry_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void bench_path_remove(const char *path)
{
    nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

void bench_folder_remove(void)
{
    if (folder[0])
        bench_path_remove(folder);
    folder[0] = '\0';
}

const char *bench_path(const char *name)
{
    static char paths[PATHS][BENCH_PATH_MAX + 64];
    static unsigned next;
    char *path = paths[next++ % PATHS];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

void bench_path_empty(const char *path)
{
    bench_path_remove(path);
    if (mkdir(path, 0700))
        bench_fail("cannot make %s: %s", path, strerror(errno));
}
