#include "base/log.h"

#include "tests/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The log writes into an unlinked file, which the test reads. */
struct capture {
    FILE *file;
    struct log *log;
    char text[4 * LOG_LINE_MAX];
};

static struct capture capture;

static int capture_setup(void **state)
{
    unsetenv("JOURNAL_STREAM");
    capture = (struct capture){.file = tmpfile()};
    if (!capture.file)
        return -1;
    capture.log = log_alloc(fileno(capture.file), LOG_INFO);
    *state = &capture;
    return capture.log ? 0 : -1;
}

static int capture_teardown(void **state)
{
    struct capture *c = *state;
    log_free(c->log);
    return fclose(c->file);
}

/* Everything written since the last call. */
static const char *written(struct capture *c)
{
    int fd = fileno(c->file);
    ssize_t len = pread(fd, c->text, sizeof(c->text) - 1, 0);
    assert_true(len >= 0);
    c->text[len] = '\0';
    assert_int_equal(ftruncate(fd, 0), 0);
    lseek(fd, 0, SEEK_SET);
    return c->text;
}

/* The text after "SOURCE: ", without the end of the line. */
static const char *written_text(struct capture *c)
{
    char *text = strstr(written(c), ": ");
    assert_non_null(text);
    text[strcspn(text, "\n")] = '\0';
    return text + 2;
}

static void line_has_time_level_and_source(void **state)
{
    struct capture *c = *state;
    time_t before = time(NULL);
    log_write(c->log, LOG_NOTICE, "peering", "call-id=%s code=%d", "a84b", 200);
    time_t after = time(NULL);

    struct tm tm = {0};
    int micros = -1;
    int used = 0;
    const char *line = written(c);
    int fields = sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ%n", &tm.tm_year, &tm.tm_mon,
                        &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &micros, &used);
    assert_int_equal(fields, 7);
    assert_int_equal(used, (int)strlen("2026-07-04T12:00:00.123456Z"));
    assert_in_range(micros, 0, 999999);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    assert_in_range(timegm(&tm), before, after);
    assert_string_equal(line + used, " notice peering: call-id=a84b code=200\n");
}

static void times_follow_the_calendar(void **state)
{
    (void)state;
    static const struct {
        time_t seconds;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00.000007Z"},          {951782400, "2000-02-29T00:00:00.000007Z"},
        {1583020799, "2020-02-29T23:59:59.000007Z"}, {1798761599, "2026-12-31T23:59:59.000007Z"},
        {4107542399, "2100-02-28T23:59:59.000007Z"}, /* no leap year */
        {4107542400, "2100-03-01T00:00:00.000007Z"}, {253402300799, "9999-12-31T23:59:59.000007Z"},
    };
    char text[LOG_TIME_MAX];
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct timespec time = {.tv_sec = table[i].seconds, .tv_nsec = 7999};
        assert_string_equal(log_time_format(time, text), table[i].text);
    }
    for (time_t day = 0; day < 146097; day++) { /* 400 years, as libc counts */
        struct timespec time = {.tv_sec = day * 86400 + 43210, .tv_nsec = 999999999};
        struct tm tm;
        char expected[LOG_TIME_MAX];
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.999999Z",
                 gmtime_r(&time.tv_sec, &tm));
        assert_string_equal(log_time_format(time, text), expected);
    }
}

static void levels_below_are_not_written(void **state)
{
    struct capture *c = *state;
    log_write(c->log, LOG_DEBUG, "store", "no");
    assert_string_equal(written(c), "");
    assert_false(log_enabled(c->log, LOG_DEBUG));
    assert_true(log_enabled(c->log, LOG_INFO));
    log_set_level(c->log, LOG_DEBUG);
    log_write(c->log, LOG_DEBUG, "store", "yes");
    assert_string_equal(written_text(c), "yes");
    log_set_level(c->log, LOG_ERROR);
    log_write(c->log, LOG_WARNING, "store", "no");
    assert_string_equal(written(c), "");
    log_write(c->log, LOG_ERROR, "store", "yes");
    assert_string_equal(written_text(c), "yes");
}

static void bytes_from_the_network_are_escaped(void **state)
{
    static const struct {
        const char *text, *logged;
    } table[] = {
        {"plain ASCII ~ \\ \"quoted\"", "plain ASCII ~ \\ \"quoted\""},
        {"a\r\n2026-01-01 error forged: line", "a\\x0d\\x0a2026-01-01 error forged: line"},
        {"\x1b[31mred\x7f", "\\x1b[31mred\\x7f"},
        {"\t\x01", "\\x09\\x01"},
        {"J\xc3\xbcrgen", "J\xc3\xbcrgen"},
        {"\xe2\x82\xac \xf0\x9f\x93\x9e", "\xe2\x82\xac \xf0\x9f\x93\x9e"},
        {"J\xfcrgen", "J\\xfcrgen"},                           /* Latin-1 */
        {"\xc3", "\\xc3"},                                     /* cut off */
        {"\xe2\x82", "\\xe2\\x82"},                            /* cut off */
        {"\xe2\x82z", "\\xe2\\x82z"},                          /* interrupted */
        {"\x80\xbf", "\\x80\\xbf"},                            /* continuation alone */
        {"\xc0\x8a", "\\xc0\\x8a"},                            /* overlong line feed */
        {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},                   /* again */
        {"\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a"},          /* and again */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                   /* surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},          /* over U+10FFFF */
        {"\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd"},              /* still below it */
        {"\xf5\x80\x80\x80\xff", "\\xf5\\x80\\x80\\x80\\xff"}, /* never in UTF-8 */
        {"\xc2\x9b", "\\xc2\\x9b"},                            /* U+009B: a terminal's CSI */
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},                   /* U+202E: right to left */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},                   /* U+2028: line separator */
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},                   /* U+2066: isolate */
        {"\xc2\xa0", "\xc2\xa0"},                              /* U+00A0, just above C1 */
    };
    struct capture *c = *state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        log_write(c->log, LOG_INFO, "test", "%s", table[i].text);
        assert_string_equal(written_text(c), table[i].logged);
    }
}

static void long_line_is_cut_and_says_so(void **state)
{
    struct capture *c = *state;
    char text[2 * LOG_LINE_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_write(c->log, LOG_INFO, "test", "%s", text);
    const char *line = written(c);
    assert_int_equal(strlen(line), LOG_LINE_MAX);
    assert_string_equal(line + LOG_LINE_MAX - 5, "x...\n");

    memset(text, '\n', sizeof(text) - 1); /* four bytes each when escaped */
    log_write(c->log, LOG_INFO, "test", "%s", text);
    line = written(c);
    assert_in_range(strlen(line), LOG_LINE_MAX - 4, LOG_LINE_MAX);
    assert_string_equal(line + strlen(line) - 8, "\\x0a...\n");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void line_that_just_fits_is_whole(void **state)
{
    struct capture *c = *state;
    size_t start = strlen("2026-07-04T12:00:00.123456Z info test: ");
    char text[LOG_LINE_MAX];
    for (size_t len = LOG_LINE_MAX - 60; len < LOG_LINE_MAX - 10; len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        log_write(c->log, LOG_INFO, "test", "%s", text);
        const char *line = written(c);
        bool whole = start + len + strlen("...\n") <= LOG_LINE_MAX;
        assert_int_equal(strstr(line, "...") == NULL, whole);
        assert_int_equal(strlen(line), whole ? start + len + 1 : LOG_LINE_MAX);
    }
}

static void errno_is_preserved(void **state)
{
    struct capture *c = *state;
    struct log *broken = log_alloc(-1, LOG_DEBUG);
    errno = ETIMEDOUT;
    log_write(broken, LOG_INFO, "test", "goes nowhere");
    assert_int_equal(errno, ETIMEDOUT);
    log_write(c->log, LOG_INFO, "test", "%m");
    assert_int_equal(errno, ETIMEDOUT);
    assert_string_equal(written_text(c), "Connection timed out");
    assert_null(log_free(broken));
}

static void no_log_is_silent(void **state)
{
    (void)state;
    assert_false(log_enabled(NULL, LOG_ERROR));
    log_write(NULL, LOG_ERROR, "test", "nobody hears %d", 1);
    assert_null(log_free(NULL));
}

static void journal_gets_priorities_instead_of_the_time(void **state)
{
    static const char *const lines[] = {
        [LOG_ERROR] = "<3>error test: x\n",   [LOG_WARNING] = "<4>warning test: x\n",
        [LOG_NOTICE] = "<5>notice test: x\n", [LOG_INFO] = "<6>info test: x\n",
        [LOG_DEBUG] = "<7>debug test: x\n",
    };
    struct capture *c = *state;
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(fileno(c->file), &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    struct log *log = log_alloc(fileno(c->file), LOG_DEBUG);
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        log_write(log, (enum log_level)level, "test", "x");
        assert_string_equal(written(c), lines[level]);
    }
    log_free(log);

    /* Inherited, but this descriptor leads elsewhere. */
    setenv("JOURNAL_STREAM", "1:2", 1);
    log = log_alloc(fileno(c->file), LOG_DEBUG);
    log_write(log, LOG_INFO, "test", "x");
    assert_string_equal(written(c) + strlen("2026-07-04T12:00:00.123456Z"), " info test: x\n");
    log_free(log);
    unsetenv("JOURNAL_STREAM");
}

static void level_names_are_read(void **state)
{
    static const char *const names[] = {[LOG_ERROR] = "error",
                                        [LOG_WARNING] = "warning",
                                        [LOG_NOTICE] = "notice",
                                        [LOG_INFO] = "info",
                                        [LOG_DEBUG] = "debug"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        enum log_level level = i == LOG_ERROR ? LOG_DEBUG : LOG_ERROR;
        assert_int_equal(log_level_parse(names[i], &level), 0);
        assert_int_equal(level, i);
    }
    enum log_level level = LOG_NOTICE;
    assert_int_equal(log_level_parse("loud", &level), -EINVAL);
    assert_int_equal(log_level_parse("", &level), -EINVAL);
    assert_int_equal(log_level_parse("Info", &level), -EINVAL);
    assert_int_equal(level, LOG_NOTICE);
}

static void format_names_are_read(void **state)
{
    enum log_format format = LOG_TEXT;
    (void)state;
    assert_int_equal(log_format_parse("json", &format), 0);
    assert_int_equal(format, LOG_JSON);
    assert_int_equal(log_format_parse("text", &format), 0);
    assert_int_equal(format, LOG_TEXT);
    assert_int_equal(log_format_parse("JSON", &format), -EINVAL);
}

static const struct log_field fields[] = {
    {"uri", {"sip:b@x", 7}, .said = true},
    {"status", {"403", 3}, .number = true},
    {.name = "why", .value = {"\"a\\b\"\n c", 8}},
    {.name = "peer", .value = {NULL, 0}},
};

static void fields_follow_the_text(void **state)
{
    struct capture *c = *state;
    log_event(c->log, LOG_INFO, "proxy", "refused sip:b@x", fields, 4);
    assert_string_equal(written_text(c),
                        "refused sip:b@x status=403 why=\"\\\"a\\\\b\\\"\\\\x0a c\" peer=\"\"");
}

static void json_lines_hold_what_text_lines_do(void **state)
{
    struct capture *c = *state;
    log_set_format(c->log, LOG_JSON);
    log_event(c->log, LOG_INFO, "proxy", "refused \"x\"", fields, 4);
    const char *line = written(c);
    assert_memory_equal(line, "{\"time\":\"2", 10);
    assert_string_equal(line + strlen("{\"time\":\"2026-07-04T12:00:00.123456Z"),
                        "\",\"level\":\"info\",\"source\":\"proxy\",\"text\":\"refused \\\"x\\\"\","
                        "\"uri\":\"sip:b@x\",\"status\":403,\"why\":\"\\\"a\\\\b\\\"\\\\x0a c\","
                        "\"peer\":\"\"}\n");
    log_write(c->log, LOG_INFO, "proxy", "%d", 7);
    assert_non_null(strstr(written(c), ",\"text\":\"7\"}\n"));
}

/* Whatever does not fit, the line stays one whole object. */
static void a_long_json_line_ends_as_one(void **state)
{
    struct capture *c = *state;
    char text[2 * LOG_LINE_MAX];
    memset(text, '"', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_set_format(c->log, LOG_JSON);
    for (size_t len = LOG_LINE_MAX / 2 - 80; len < LOG_LINE_MAX / 2; len++) {
        text[len] = '\0';
        log_event(c->log, LOG_INFO, "t", text, fields, 4);
        text[len] = '"';
        const char *line = written(c);
        size_t end = strlen(line);
        assert_true(end <= LOG_LINE_MAX);
        size_t quotes = 0;
        for (const char *at = line; *at; at += *at == '\\' ? 2 : 1)
            quotes += *at == '"';
        assert_int_equal(quotes % 2, 0);
        assert_memory_equal(line + end - 2, "}\n", 2);
    }
}

static void a_long_value_is_cut_and_says_so(void **state)
{
    struct capture *c = *state;
    char text[2 * LOG_VALUE_MAX];
    memset(text, 'x', sizeof(text));
    const struct log_field field = {.name = "v", .value = {text, sizeof(text)}};
    log_event(c->log, LOG_INFO, "t", "a", &field, 1);
    const char *line = written_text(c);
    assert_int_equal(strlen(line), strlen("a v=") + LOG_VALUE_MAX - 1);
    assert_string_equal(line + strlen(line) - 4, "x...");
}

/* Four bytes each when escaped; what follows has its room all the same. */
static void a_value_takes_no_room_of_others(void **state)
{
    struct capture *c = *state;
    char text[LOG_VALUE_MAX], end[16];
    struct log_field some[8];
    memset(text, 1, sizeof(text));
    for (size_t i = 0; i < COUNT_OF(some); i++)
        some[i] = (struct log_field){.name = "v", .value = {text, i < 6 ? sizeof(text) : 2}};
    for (int json = 0; json < 2; json++) {
        log_set_format(c->log, json ? LOG_JSON : LOG_TEXT);
        log_event(c->log, LOG_INFO, "t", "a", some, COUNT_OF(some));
        const char *line = written(c);
        size_t count = 0;
        for (const char *at = line; (at = strstr(at, json ? "01...\"" : "01...")); at++)
            count++;
        assert_int_equal(count, 6);
        snprintf(end, sizeof(end), "%s", json ? "\\\\x01\"}\n" : "v=\\x01\\x01\n");
        assert_string_equal(line + strlen(line) - strlen(end), end);
    }
}

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_write(arg, LOG_INFO, "test", "%064d", i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    struct log *log = log_alloc(fileno(file), LOG_INFO);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, log), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    rewind(file);
    char line[256];
    size_t count = 0;
    size_t len = strlen("2026-07-04T12:00:00.123456Z info test: ") + 64 + 1;
    for (; fgets(line, sizeof(line), file); count++)
        assert_int_equal(strlen(line), len);
    assert_int_equal(count, THREADS * LINES);
    log_free(log);
    fclose(file);
}

#define CAPTURE_TEST(name) cmocka_unit_test_setup_teardown(name, capture_setup, capture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURE_TEST(line_has_time_level_and_source),
        cmocka_unit_test(times_follow_the_calendar),
        CAPTURE_TEST(levels_below_are_not_written),
        CAPTURE_TEST(bytes_from_the_network_are_escaped),
        CAPTURE_TEST(long_line_is_cut_and_says_so),
        CAPTURE_TEST(fields_follow_the_text),
        CAPTURE_TEST(json_lines_hold_what_text_lines_do),
        CAPTURE_TEST(a_long_json_line_ends_as_one),
        CAPTURE_TEST(a_long_value_is_cut_and_says_so),
        CAPTURE_TEST(a_value_takes_no_room_of_others),
        cmocka_unit_test(format_names_are_read),
        CAPTURE_TEST(line_that_just_fits_is_whole),
        CAPTURE_TEST(errno_is_preserved),
        cmocka_unit_test(no_log_is_silent),
        CAPTURE_TEST(journal_gets_priorities_instead_of_the_time),
        cmocka_unit_test(level_names_are_read),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
