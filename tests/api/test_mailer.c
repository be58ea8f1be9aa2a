/* Mail to holders: what it looks like, and that a sendmail is run as often as it must be. The
 * sendmails here are scripts that fail as no real one does when it should. */
#include "api/mail_process.h"
#include "api/mailer.h"
#include "base/status.h"
#include "tests/test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FROM    "porting@opa.example"
#define WAIT_MS 20000

struct place {
    char folder[200], program[220];
    struct mailer *mailer;
    atomic_uint done;
};

/* ---- in few words ---- */

static struct mail mail_of(const char *id)
{
    struct mail mail = {.to = "daniel@mail.example", .subject = "A move", .text = "It moves.\n"};
    snprintf(mail.id, sizeof(mail.id), "%s", id);
    return mail;
}

/* A sendmail of these shell commands, in which $D is the folder. */
static void script(struct place *place, const char *commands)
{
    char other[240];
    snprintf(other, sizeof(other), "%s.new", place->program);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\nD=%s\n%s\n", place->folder, commands);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(other, 0700), 0);
    assert_int_equal(rename(other, place->program), 0);
}

/* What the sendmail left there; "" for nothing. */
static const char *left(const struct place *place, const char *name, char text[4096])
{
    char path[240];
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, 4095, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    return text;
}

static unsigned count_of(const char *text, const char *word)
{
    unsigned count = 0;
    for (const char *p = text; (p = strstr(p, word)); p++)
        count++;
    return count;
}

static void on_done(const char *id, void *arg)
{
    (void)id;
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static int send_mail(struct place *place, const char *id)
{
    struct mail mail = mail_of(id);
    return mailer_send(&mail, on_done, &place->done, place->mailer);
}

static void expect_done(const struct place *place, unsigned count)
{
    for (int ms = 0; ms < WAIT_MS && atomic_load(&place->done) < count; ms += 10)
        usleep(10000);
    assert_int_equal(atomic_load(&place->done), count);
}

static void expect_left(const struct place *place, const char *name, const char *word)
{
    char text[4096];
    for (int ms = 0; ms < WAIT_MS && !strstr(left(place, name, text), word); ms += 10)
        usleep(10000);
    assert_non_null(strstr(text, word));
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    test_folder_make(place->folder, sizeof(place->folder));
    assert_true((size_t)snprintf(place->program, sizeof(place->program), "%s/sendmail",
                                 place->folder) < sizeof(place->program));
    const struct mailer_conf conf = {.sendmail = place->program, .from = FROM};
    assert_int_equal(mailer_open(&conf, NULL, &place->mailer), 0);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char command[240];
    mailer_stop(place->mailer);
    mailer_free(place->mailer);
    snprintf(command, sizeof(command), "rm -r %s", place->folder);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

/* ---- the message ---- */

static void a_mail_is_a_message_of_rfc_5322(void **state)
{
    struct mail mail = {
        .id = "a1/2/32.4.0",
        .to = "j\xC3\xBCrgen@mail.example", /* RFC 6532 */
        .subject = "The move of a-very-long-name-of-somebody@opa.example to opb.example: committed",
        .text = "One two three four five six seven eight nine ten eleven twelve thirteen "
                "fourteen.\n\n.\nEnd\n"};
    char out[MAIL_BYTES_MAX];
    (void)state;
    size_t len = mail_format(&mail, FROM, 1795634400, out);
    assert_int_equal(len, strlen(out));
    assert_string_equal(out,
                        "Date: Wed, 25 Nov 2026 19:20:00 +0000\n"
                        "Message-ID: <a1/2/32.4.0@opa.example>\n"
                        "From: porting@opa.example\n"
                        "To: j\xC3\xBCrgen@mail.example\n"
                        "Subject: The move of a-very-long-name-of-somebody@opa.example to\n"
                        " opb.example: committed\n"
                        "Auto-Submitted: auto-generated\n"
                        "MIME-Version: 1.0\n"
                        "Content-Type: text/plain; charset=us-ascii\n"
                        "\n"
                        "One two three four five six seven eight nine ten eleven twelve thirteen\n"
                        "fourteen.\n"
                        "\n"
                        ".\n"
                        "End\n");
}

static void nothing_in_it_begins_a_header(void **state)
{
    struct mail mail = mail_of("x");
    char out[MAIL_BYTES_MAX];
    (void)state;
    snprintf(mail.subject, sizeof(mail.subject), "a\r\nBcc: eve@mail.example\n\n\tb\x1b\xFF");
    mail_format(&mail, FROM, 0, out);
    assert_non_null(strstr(out, "\nSubject: a? Bcc: eve@mail.example  ?b??\nAuto-Submitted: "));
    assert_int_equal(count_of(out, "\n\n"), 1);
}

static void the_longest_mail_fits(void **state)
{
    struct mail mail = mail_of("x");
    char out[MAIL_BYTES_MAX];
    (void)state;
    memset(mail.to, 'a', STORE_MAIL_MAX);
    memset(mail.id, 'a', MAIL_ID_MAX);
    for (size_t i = 0; i < MAIL_SUBJECT_MAX; i++)
        mail.subject[i] = i % 60 ? 'a' : ' ';
    for (size_t i = 0; i < MAIL_TEXT_MAX; i++)
        mail.text[i] = i % 2 ? 'a' : '\n';
    size_t len = mail_format(&mail, mail.to, 0, out);
    assert_true(len == strlen(out) && len < MAIL_BYTES_MAX - 1);
    assert_int_equal(out[len - 1], '\n');
}

/* ---- sending ---- */

static void a_mail_is_given_to_sendmail(void **state)
{
    struct place *place = *state;
    char text[4096];
    script(place, "for word; do echo \"[$word]\"; done >$D/words; cat >$D/mail; env >$D/env");
    assert_int_equal(send_mail(place, "a"), 0);
    expect_done(place, 1);
    assert_string_equal(left(place, "words", text),
                        "[-i]\n[-f]\n[porting@opa.example]\n[--]\n[daniel@mail.example]\n");
    left(place, "mail", text);
    assert_non_null(strstr(text, "\nMessage-ID: <a@opa.example>\n"));
    assert_non_null(strstr(text, "\n\nIt moves.\n"));
    assert_null(strstr(left(place, "env", text), "HOME="));
}

static void what_fails_for_now_is_tried_again(void **state)
{
    struct place *place = *state;
    char text[4096];
    script(place, "echo >>$D/tries; [ $(wc -l <$D/tries) -gt 1 ] || exit 75; cat >$D/mail");
    assert_int_equal(send_mail(place, "a"), 0);
    assert_int_equal(send_mail(place, "a"), 0); /* it is known */
    expect_done(place, 1);
    assert_int_equal(strlen(left(place, "tries", text)), 2);
    assert_non_null(strstr(left(place, "mail", text), "It moves."));
    assert_int_equal(send_mail(place, "a"), 0); /* that one is over */
    expect_done(place, 2);
}

static void what_fails_is_given_up(void **state)
{
    struct place *place = *state;
    char text[4096];
    script(place, "echo >>$D/tries; echo 'no such user' >&2; exit 67");
    assert_int_equal(send_mail(place, "a"), 0);
    expect_done(place, 1);
    usleep(1500000); /* longer than until the first retry */
    assert_int_equal(strlen(left(place, "tries", text)), 1);
}

static void a_sendmail_that_is_missing_may_come(void **state)
{
    struct place *place = *state;
    char text[4096];
    assert_int_equal(send_mail(place, "a"), 0);
    usleep(100000);
    assert_int_equal(atomic_load(&place->done), 0);
    script(place, "cat >$D/mail");
    expect_done(place, 1);
    assert_non_null(strstr(left(place, "mail", text), "It moves."));
}

static void four_are_sent_at_once(void **state)
{
    struct place *place = *state;
    char text[4096], id[16];
    script(place, "mkdir $D/at$$; ls $D | grep -c at >>$D/counts; sleep 0.3; rmdir $D/at$$");
    for (int i = 0; i < 12; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(send_mail(place, id), 0);
    }
    expect_done(place, 12);
    left(place, "counts", text);
    assert_int_equal(count_of(text, "\n"), 12);
    assert_non_null(strstr(text, "4\n"));
    assert_null(strpbrk(text, "56789"));
}

static void the_queue_is_bounded(void **state)
{
    struct place *place = *state;
    char id[16];
    script(place, "exec sleep 60");
    for (int i = 0; i < MAILER_QUEUE_MAX; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(send_mail(place, id), 0);
    }
    assert_int_equal(send_mail(place, "more"), STATUS_LIMIT);
    assert_int_equal(send_mail(place, "7"), 0);
}

static void the_end_kills_what_runs(void **state)
{
    struct place *place = *state;
    char text[4096];
    script(place, "sleep 60 & echo $! >$D/pid; wait");
    assert_int_equal(send_mail(place, "a"), 0);
    expect_left(place, "pid", "\n");
    time_t begin = time(NULL);
    mailer_stop(place->mailer);
    assert_true(time(NULL) - begin < WAIT_MS / 1000);
    pid_t pid = (pid_t)strtol(left(place, "pid", text), NULL, 10);
    snprintf(text, sizeof(text), "/proc/%d/cmdline", (int)pid);
    for (int ms = 0; ms < WAIT_MS && kill(pid, 0) == 0; ms += 10) {
        FILE *file = fopen(text, "r"); /* a zombie that nobody has waited for has none */
        int c = file ? getc(file) : EOF;
        if (file)
            fclose(file);
        if (c == EOF)
            break;
        assert_true(ms + 10 < WAIT_MS);
        usleep(10000);
    }
    assert_int_equal(atomic_load(&place->done), 0);
    assert_int_equal(send_mail(place, "b"), -ESHUTDOWN);
    mailer_free(place->mailer);
    place->mailer = NULL;
}

static void without_a_sendmail_none_is_taken(void **state)
{
    struct place *place = *state;
    mailer_reload(place->mailer, &(struct mailer_conf){.sendmail = NULL});
    assert_int_equal(send_mail(place, "a"), STATUS_NOTFOUND);
    script(place, "cat >$D/mail");
    mailer_reload(place->mailer,
                  &(struct mailer_conf){.sendmail = place->program, .from = "other@opb.example"});
    assert_int_equal(send_mail(place, "a"), 0);
    expect_done(place, 1);
    expect_left(place, "mail", "From: other@opb.example\n");
}

/* ---- one run ---- */

struct ended {
    enum mail_result result;
    char words[MAIL_PROCESS_WORDS];
};

static void on_ended(enum mail_result result, const char *words, void *arg)
{
    struct ended *ended = arg;
    ended->result = result;
    snprintf(ended->words, sizeof(ended->words), "%s", words);
}

static struct ended run(const struct place *place, uint64_t timeout_ms)
{
    struct ended ended = {.words = "never"};
    struct mail mail = mail_of("a");
    uv_loop_t loop;
    uv_loop_init(&loop);
    assert_non_null(
        mail_process_start(&loop, place->program, FROM, &mail, timeout_ms, on_ended, &ended));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return ended;
}

static void a_run_ends_in_one_of_three_ways(void **state)
{
    static const struct {
        const char *commands;
        enum mail_result result;
        const char *words;
    } rows[] = {
        {"exit 0", MAIL_SENT, "exit status 0"}, /* the mail was not read at all */
        {"cat >/dev/null; exit 75", MAIL_LATER, "exit status 75"},
        {"cat >/dev/null; echo full >&2; exit 75", MAIL_LATER, "exit status 75: full"},
        {"echo 'no such user' >&2; exit 67", MAIL_FAILED, "exit status 67: no such user"},
        {"kill -9 $$", MAIL_FAILED, "it was killed by signal 9"},
        {"sleep 60 & wait", MAIL_LATER, "it did not end in time"},
        {"trap '' TERM; echo slow >&2; sleep 60", MAIL_LATER, "it did not end in time: slow"},
        {"sleep 3 & exit 0", MAIL_SENT, "exit status 0"}, /* who delivers later keeps the pipe */
    };
    struct place *place = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        script(place, rows[i].commands);
        struct ended ended = run(place, 500);
        assert_string_equal(ended.words, rows[i].words);
        assert_int_equal(ended.result, rows[i].result);
    }
    unlink(place->program);
    struct ended ended = run(place, 500);
    assert_int_equal(ended.result, MAIL_LATER);
    assert_string_equal(ended.words, "it cannot be started: no such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        cmocka_unit_test(a_mail_is_a_message_of_rfc_5322),
        cmocka_unit_test(nothing_in_it_begins_a_header),
        cmocka_unit_test(the_longest_mail_fits),
        TEST(a_mail_is_given_to_sendmail),
        TEST(what_fails_for_now_is_tried_again),
        TEST(what_fails_is_given_up),
        TEST(a_sendmail_that_is_missing_may_come),
        TEST(four_are_sent_at_once),
        TEST(the_queue_is_bounded),
        TEST(the_end_kills_what_runs),
        TEST(without_a_sendmail_none_is_taken),
        TEST(a_run_ends_in_one_of_three_ways),
#undef TEST
    };
    signal(SIGPIPE, SIG_IGN); /* as junctord does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
