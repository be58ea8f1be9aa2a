/* What every benchmark needs: a clock, medians, random numbers that are the same in every run, a
 * folder that is removed, and a report that knows its targets. A failure ends the program. */
#ifndef JUNCTOR_TESTS_BENCH_BENCH_H
#define JUNCTOR_TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_PATH_MAX 512

/* Says what failed, removes the folder and exits 2. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

uint64_t bench_now_ns(void);
uint64_t bench_unix_ms(void); /* what the store's clock says */
/* Sorts the values. */
double bench_median(double *values, size_t count);
/* Of times: what else runs on the machine makes a round slower and never faster. */
double bench_least(const double *values, size_t count);
double bench_most(const double *values, size_t count); /* the same, of rates */

/* xorshift64*; `state` must not be 0. */
uint64_t bench_random(uint64_t *state);

/* "name: value unit" on standard output. */
void bench_report(const char *name, double value, const char *unit);
/* The same, and remembers whether the target was missed. */
void bench_report_most(const char *name, double value, const char *unit, double most);
void bench_report_least(const char *name, double value, const char *unit, double least);
/* Names the targets that were missed on standard error. Returns how many. */
int bench_missed(void);

/* A new folder in `parent`, in which the paths below lie; removed by bench_folder_remove. */
void bench_folder_make(const char *parent);
void bench_folder_remove(void);
/* "FOLDER/NAME"; the result is good until the next call but three. */
const char *bench_path(const char *name);
/* A folder in it, with nothing in it. */
void bench_path_empty(const char *path);
void bench_path_remove(const char *path);

#endif
