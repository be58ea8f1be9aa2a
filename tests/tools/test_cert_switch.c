/* A switch of key and certificate that is killed before each of its steps, and so is whoever
 * finishes it. */
#include "tests/peering/transport/certs.h"
#include "tests/test.h"
#include "tools/cert_switch.h"
#include "tools/tool.h"

#include "peering/transport/tls.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED 9 /* exit code of a child that ended before a step */
#define OUT_OF_TURN                                                                                \
    10 /* and of one that renamed before it was certain that this can be finished                  \
        */
#define TEXT_MAX 16384

enum file { KEY, CHAIN, NEXT_KEY, NEXT_CHAIN, FILE_COUNT };

static char folder[64];
static char files[FILE_COUNT][128];
static char texts[FILE_COUNT][TEXT_MAX]; /* as they were at first */
static struct cert_switch change;

/* ---- steps ---- */

static int steps, last_step; /* 0: none is the last */
static bool marker_there, marker_lasting;

int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_fsync(int fd);

static void step(void)
{
    if (++steps == last_step)
        _exit(KILLED);
}

int __wrap_rename(const char *from, const char *to)
{
    step();
    size_t len = strlen(to), suffix = strlen(CERT_SWITCH_SUFFIX);
    if (len > suffix && strcmp(to + len - suffix, CERT_SWITCH_SUFFIX) == 0)
        marker_there = true;
    else if ((strcmp(to, files[KEY]) == 0 || strcmp(to, files[CHAIN]) == 0) && !marker_lasting)
        _exit(OUT_OF_TURN);
    return __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    step();
    return __real_unlink(path);
}

int __wrap_fsync(int fd)
{
    struct stat st;
    step();
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        marker_lasting = marker_there;
    return __real_fsync(fd);
}

int tool_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

/* ---- files ---- */

static void text_read(const char *path, char text[TEXT_MAX])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, TEXT_MAX - 1, file);
    assert_true(len > 0);
    text[len] = '\0';
    fclose(file);
}

static void text_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_text(const char *path, const char *suffix, enum file expected)
{
    char name[160], text[TEXT_MAX];
    snprintf(name, sizeof(name), "%s%s", path, suffix);
    text_read(name, text);
    assert_string_equal(text, texts[expected]);
}

static void certificate_make(enum file key, enum file chain, char hex[CERT_HEX_LEN + 1])
{
    uint8_t hash[TLS_KEY_HASH_LEN];
    char why[TLS_MAX_WHY];
    struct cert cert =
        cert_make(&(struct cert_spec){.cn = "opa", .alt = "URI:sip:opa.example"}, NULL);
    cert_write(&cert, NULL, files[chain], files[key]);
    cert_free(&cert);
    text_read(files[key], texts[key]);
    text_read(files[chain], texts[chain]);
    assert_int_equal(tls_next_key_hash(files[key], hash, why), 0);
    cert_hex(hash, hex);
}

static int set_up(void **state)
{
    static const char *const names[FILE_COUNT] = {"opa.key", "opa.pem", "opa.key.next",
                                                  "opa.pem.next"};
    (void)state;
    test_folder_make(folder, sizeof(folder));
    for (size_t i = 0; i < FILE_COUNT; i++)
        snprintf(files[i], sizeof(files[i]), "%s/%s", folder, names[i]);
    change = (struct cert_switch){.domain = "opa.example",
                                  .present = {files[KEY], files[CHAIN]},
                                  .next = {files[NEXT_KEY], files[NEXT_CHAIN]}};
    certificate_make(KEY, CHAIN, change.was);
    certificate_make(NEXT_KEY, NEXT_CHAIN, change.becomes);
    return 0;
}

static void files_reset(void)
{
    static const char *const more[] = {"opa.key.old", "opa.pem.old"};
    char path[128];
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, more[i]);
        __real_unlink(path);
    }
    for (size_t i = 0; i < FILE_COUNT; i++)
        text_write(files[i], texts[i]);
}

/* ---- children ---- */

/* The hashes are in the marker. */
static int resume(void)
{
    memset(change.was, 0, sizeof(change.was));
    memset(change.becomes, 0, sizeof(change.becomes));
    marker_there = marker_lasting = true;
    return cert_switch_resume(&change);
}

/* Returns the exit code. */
static int killed_before(int step_number, int (*what)(void))
{
    pid_t child = fork();
    if (child == 0) {
        last_step = step_number;
        _exit(what());
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_a_pair(void)
{
    uint8_t key[TLS_KEY_HASH_LEN], chain[TLS_KEY_HASH_LEN];
    char why[TLS_MAX_WHY];
    assert_int_equal(tls_next_key_hash(files[KEY], key, why), 0);
    assert_int_equal(tls_chain_key_hash(files[CHAIN], chain, why), 0);
    return memcmp(key, chain, sizeof(key)) == 0;
}

/* What `junctor cert next --switch` does when it comes again. */
static int settle(void)
{
    char text[TEXT_MAX];
    if (cert_switch_is_open(files[KEY]))
        return resume();
    text_read(files[CHAIN], text);
    return strcmp(text, texts[CHAIN]) == 0 ? cert_switch_run(&change) : TOOL_DONE;
}

static void assert_switched(void)
{
    assert_text(files[KEY], "", NEXT_KEY);
    assert_text(files[CHAIN], "", NEXT_CHAIN);
    assert_text(files[KEY], ".old", KEY);
    assert_text(files[CHAIN], ".old", CHAIN);
    assert_false(cert_switch_is_open(files[KEY]));
}

static void wherever_it_is_killed_it_can_be_finished(void **state)
{
    int code = KILLED, apart = 0;
    (void)state;
    for (int number = 1; code == KILLED; number++) {
        files_reset();
        code = killed_before(number, settle);
        assert_true(code == KILLED || code == TOOL_DONE);
        assert_true(is_a_pair() || cert_switch_is_open(files[KEY]));
        apart += !is_a_pair();
        int again = code, at = 1;
        while (again == KILLED)
            again = killed_before(at++, settle);
        assert_int_equal(again, TOOL_DONE);
        assert_switched();
    }
    assert_true(apart > 0); /* it was cut in two at least once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wherever_it_is_killed_it_can_be_finished)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}
