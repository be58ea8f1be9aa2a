/* Floods of lines: bounded, and counted. The clock is invented. */
#include "base/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR_MS UINT64_C(3600000)

struct bench {
    int fd;
    struct log *log;
    struct timers *timers;
    struct log_limit limit;
    uint64_t now_ms;
    char text[65536];
};

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    bench->fd = memfd_create("log", MFD_CLOEXEC);
    bench->log = log_alloc(bench->fd, LOG_NOTICE);
    bench->timers = timers_alloc(1);
    bench->now_ms = 5000; /* any */
    log_limit_start(&bench->limit, bench->log, bench->timers, "test", "lines");
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    log_limit_stop(&bench->limit);
    assert_int_equal(timers_next_ms(bench->timers), UINT64_MAX);
    timers_free(bench->timers);
    log_free(bench->log);
    close(bench->fd);
    free(bench);
    return 0;
}

static const char *text(struct bench *bench)
{
    ssize_t len = pread(bench->fd, bench->text, sizeof(bench->text) - 1, 0);
    bench->text[len > 0 ? len : 0] = '\0';
    return bench->text;
}

static size_t lines(struct bench *bench)
{
    size_t count = 0;
    for (const char *p = text(bench); *p; p++)
        count += *p == '\n';
    return count;
}

static void write_lines(struct bench *bench, int count)
{
    for (int i = 0; i < count; i++)
        log_limit_write(&bench->limit, bench->now_ms, LOG_NOTICE, "line %d", i);
}

static void pass(struct bench *bench, uint64_t ms)
{
    bench->now_ms += ms;
    timers_run(bench->timers, bench->now_ms);
}

static void a_few_lines_pass_as_they_are(void **state)
{
    struct bench *bench = *state;
    write_lines(bench, LOG_LIMIT_BURST);
    assert_int_equal(lines(bench), LOG_LIMIT_BURST);
    assert_non_null(strstr(text(bench), " notice test: line 0\n"));
    pass(bench, HOUR_MS);
    assert_int_equal(lines(bench), LOG_LIMIT_BURST);
}

static void what_a_flood_left_out_is_counted(void **state)
{
    struct bench *bench = *state;
    write_lines(bench, LOG_LIMIT_BURST + 37);
    assert_int_equal(lines(bench), LOG_LIMIT_BURST);
    pass(bench, LOG_LIMIT_REPORT_MS - 1);
    assert_int_equal(lines(bench), LOG_LIMIT_BURST);
    pass(bench, 1);
    assert_int_equal(lines(bench), LOG_LIMIT_BURST + 1);
    assert_non_null(strstr(text(bench), " notice test: lines: and 37 more in the last minute\n"));
    pass(bench, HOUR_MS); /* said once */
    assert_int_equal(lines(bench), LOG_LIMIT_BURST + 1);
}

static void a_flood_that_goes_on_is_bounded(void **state)
{
    struct bench *bench = *state;
    const unsigned minutes = 5;
    for (unsigned i = 0; i < minutes * 600; i++) { /* a hundred a second */
        write_lines(bench, 10);
        pass(bench, 100);
    }
    assert_in_range(lines(bench), LOG_LIMIT_BURST + minutes * (60000 / LOG_LIMIT_REFILL_MS),
                    LOG_LIMIT_BURST + minutes * (60000 / LOG_LIMIT_REFILL_MS + 1));
}

static void quiet_times_do_not_add_up(void **state)
{
    struct bench *bench = *state;
    write_lines(bench, 1);
    pass(bench, HOUR_MS);
    write_lines(bench, 2 * LOG_LIMIT_BURST);
    assert_int_equal(lines(bench), 1 + LOG_LIMIT_BURST);
    pass(bench, LOG_LIMIT_REFILL_MS - 1);
    write_lines(bench, 1);
    assert_int_equal(lines(bench), 1 + LOG_LIMIT_BURST);
    pass(bench, 1);
    write_lines(bench, 2);
    assert_int_equal(lines(bench), 2 + LOG_LIMIT_BURST);
}

static void the_end_says_what_is_left(void **state)
{
    struct bench *bench = *state;
    write_lines(bench, LOG_LIMIT_BURST + 3);
    log_limit_stop(&bench->limit);
    assert_non_null(strstr(text(bench), "test: lines: and 3 more before the end\n"));
    assert_int_equal(timers_next_ms(bench->timers), UINT64_MAX);
    log_limit_stop(&bench->limit);
    assert_int_equal(lines(bench), LOG_LIMIT_BURST + 1);
}

static void what_the_level_hides_takes_no_tokens(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < 2 * LOG_LIMIT_BURST; i++)
        log_limit_write(&bench->limit, bench->now_ms, LOG_INFO, "hidden");
    write_lines(bench, 1);
    assert_int_equal(lines(bench), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_few_lines_pass_as_they_are),    TEST(what_a_flood_left_out_is_counted),
        TEST(a_flood_that_goes_on_is_bounded), TEST(quiet_times_do_not_add_up),
        TEST(the_end_says_what_is_left),       TEST(what_the_level_hides_takes_no_tokens),
    };
    return cmocka_run_group_tests_name("log_limit", tests, NULL, NULL);
}
