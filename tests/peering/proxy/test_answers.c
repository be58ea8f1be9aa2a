/* Which responses go back, and which do not (RFC 3261 16.7, 18.1.2, RFC 6026). */
#include "tests/peering/proxy/stand.h"

#include <stdio.h>
#include <string.h>

/* The call to bob, as core b1 got it. */
static void call_bob(struct stand *stand, struct call *call, char sent[8192])
{
    send_request(stand, &stand->a, call);
    expect(&stand->b1, call->method, sent);
}

static void expect_no_request(const struct core *core, const char *method)
{
    char text[8192];
    while (receive(core, text, QUIET_MS))
        if (strncmp(text, method, strlen(method)) == 0)
            fail_msg("not expected: %.200s", text);
}

/* A final answer is one: no other target is asked, unless this one is out of service. */
static void a_final_answer_ends_the_search(void **state)
{
    static const char *const statuses[] = {
        "302 Moved Temporarily", "401 Unauthorized",    "404 Not Found",
        "408 Request Timeout",   "486 Busy Here",       "500 Server Internal Error",
        "504 Server Time-out",   "600 Busy Everywhere", "603 Decline"};
    struct stand *stand = *state;
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct call call = invite("sip:bob@two.example");
        char sent[8192], text[8192], start[64];
        call_bob(stand, &call, sent);
        answer(stand, &stand->b1, sent, statuses[i]);
        snprintf(start, sizeof(start), "SIP/2.0 %s\r\n", statuses[i]);
        expect(&stand->a, start, text);
    }
    expect_no_request(&stand->b2, "INVITE");
}

/* What the configuration says leads on; the best of it goes back where all targets say such. */
static void answers_that_are_listed_lead_on(void **state)
{
    static const struct {
        const char *first, *second, *back;
    } rows[] = {
        {"500 Server Internal Error", "200 OK", "SIP/2.0 200 OK"},
        {"500 Server Internal Error", "486 Busy Here", "SIP/2.0 486 Busy Here"},
        {"500 Server Internal Error", "404 Not Found", "SIP/2.0 404 Not Found"},
        {"404 Not Found", "500 Server Internal Error", "SIP/2.0 404 Not Found"},
        {"404 First", "404 Second", "SIP/2.0 404 First"},
        {"404 Not Found", "503 Service Unavailable", "SIP/2.0 404 Not Found"},
        {"503 Service Unavailable", "500 Server Internal Error", "SIP/2.0 500"},
    };
    struct stand *stand = *state;
    stand->conf.fail_over[0] = 404;
    stand->conf.fail_over[1] = 500;
    stand->conf.fail_over_count = 2;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct call call = invite("sip:bob@two.example");
        char sent[8192], text[8192];
        stand_restart(stand); /* b1 is the first again, whatever it said */
        call_bob(stand, &call, sent);
        answer(stand, &stand->b1, sent, rows[i].first);
        do
            expect(&stand->b2, "INVITE", sent);
        while (!strstr(sent, call.id));
        answer(stand, &stand->b2, sent, rows[i].second);
        do
            expect(&stand->a, "SIP/2.0 ", text);
        while (strncmp(text, "SIP/2.0 100", 11) == 0);
        if (strncmp(text, rows[i].back, strlen(rows[i].back)) != 0)
            fail_msg("not %s but %.60s", rows[i].back, text);
        while (receive(&stand->b1, text, QUIET_MS) || receive(&stand->b2, text, QUIET_MS))
            ;
        while (receive(&stand->a, text, QUIET_MS))
            ;
    }
}

/* With another tag in To: more than one phone has picked up. */
/* The search stood still while b1 was waited for; then it goes on, and ends though b2 is silent. */
static void a_provisional_response_does_not_make_the_search_endless(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    stand->conf.search_ms = 1000; /* long before timer B */
    stand->conf.times.t1_ms = 500;
    stand_restart(stand);
    call_bob(stand, &call, sent);
    answer(stand, &stand->b1, sent, "183 Session Progress");
    expect(&stand->a, "SIP/2.0 183", text);
    answer(stand, &stand->b1, sent, "503 Service Unavailable");
    expect(&stand->b2, "INVITE", text);
    expect(&stand->a, "SIP/2.0 408", text);
    assert_non_null(strstr(text, "no response in time"));
}

static void answer_as(struct stand *stand, const char *sent, const char *status, const char *tag)
{
    char text[8192], *at;
    answer_text(&stand->b1, sent, status, text);
    while ((at = strstr(text, ";tag=bobs")))
        memcpy(at + 5, tag, 4);
    send_text(stand, &stand->b1, text);
}

static void every_2xx_goes_back_forked_and_repeated(void **state)
{
    static const char *const tags[] = {"one1", "two2", "one1", "one1"};
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call_bob(stand, &call, sent);
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        answer_as(stand, sent, "200 OK", tags[i]);
        expect(&stand->a, "SIP/2.0 200", text);
        assert_non_null(strstr(text, tags[i]));
    }
    answer_as(stand, sent, "486 Busy Here", "one1");
    answer_as(stand, sent, "180 Ringing", "one1");
    expect_nothing(&stand->a);
}

/* Somebody picks up when the caller was told that nobody does. */
static void a_2xx_goes_back_after_the_search_was_given_up(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char first[8192], sent[8192], text[8192];
    stand->conf.search_ms = 600;
    stand_restart(stand);
    call_bob(stand, &call, first);
    expect(&stand->b2, "INVITE", sent);
    expect(&stand->a, "SIP/2.0 408", text);
    answer(stand, &stand->b2, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    answer(stand, &stand->b1, first, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    answer(stand, &stand->b1, first, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void provisional_responses_go_back_but_not_100(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call_bob(stand, &call, sent);
    expect(&stand->a, "SIP/2.0 100", text);
    answer(stand, &stand->b1, sent, "100 Trying");
    expect_nothing(&stand->a);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    answer(stand, &stand->b1, sent, "183 Session Progress");
    expect(&stand->a, "SIP/2.0 183", text);
    answer(stand, &stand->b1, sent, "183 Session Progress");
    expect(&stand->a, "SIP/2.0 183", text);
    answer(stand, &stand->b1, sent, "199 Whatever");
    expect(&stand->a, "SIP/2.0 199", text);
}

static void only_an_invite_hears_100(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call.method = "MESSAGE";
    call_bob(stand, &call, sent);
    expect_nothing(&stand->a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void a_100_tells_when_it_was_asked(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call.headers = "Timestamp: 54.21\r\n";
    call_bob(stand, &call, sent);
    assert_non_null(strstr(sent, "Timestamp: 54.21\r\n"));
    expect(&stand->a, "SIP/2.0 100", text);
    assert_non_null(strstr(text, "Timestamp: 54.21\r\n"));
    assert_null(strstr(text, "To: <sip:bob@two.example>;tag="));
}

/* What we need not understand may be malformed; it is the callee's to judge. */
static void what_is_not_ours_to_read_passes_as_it_is(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call.method = "MESSAGE";
    call.headers = "Date: yesterday, or so\r\nRequire: nobody-knows\r\nContact: <<>\r\n"
                   "Timestamp: never\r\nRetry-After: x\r\n";
    call_bob(stand, &call, sent);
    assert_non_null(strstr(sent, call.headers));
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

/* The same request over two ways is the endpoint's to merge (16.3). */
static void merged_requests_are_no_error(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char original[8192], first[8192], second[8192], text[8192];
    call.method = "MESSAGE";
    request_text(stand, &stand->a, &call, original);
    send_text(stand, &stand->a, original);
    expect(&stand->b1, "MESSAGE", first);
    answer(stand, &stand->b1, first, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    memcpy(strstr(original, "z9hG4bK") + 7, "C", 1);
    send_text(stand, &stand->a, original);
    do
        expect(&stand->b1, "MESSAGE", second);
    while (strcmp(first, second) == 0);
    answer(stand, &stand->b1, second, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

/* An answer with one piece of it changed. */
static void answer_changed(struct stand *stand, const char *sent, const char *from, const char *to)
{
    char text[8192], *at;
    answer_text(&stand->b1, sent, "299 Stray", text);
    at = strstr(text, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    send_text(stand, &stand->b1, text);
}

static void stray_responses_go_nowhere(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192], via[1024], changed[1024];
    call.method = "MESSAGE";
    call_bob(stand, &call, sent);
    header_of(sent, "Via", 0, via);
    snprintf(changed, sizeof(changed), "%s", via);
    char *digit = strstr(changed, "branch=z9hG4bK") + 7 + 11 + 3;
    *digit = *digit == '0' ? '1' : '0';
    answer_changed(stand, sent, via, changed);                       /* another branch */
    answer_changed(stand, sent, "UDP 127.0.0.1:", "UDP 127.0.0.2:"); /* another sent-by */
    answer_changed(stand, sent, "CSeq: 1 MESSAGE", "CSeq: 1 massage");
    expect_nothing(&stand->a);
    answer(stand, &stand->b1, sent, "299 Heard");
    expect(&stand->a, "SIP/2.0 299 Heard", text);
    answer(stand, &stand->b1, sent, "299 Heard"); /* repeated: absorbed */
    expect_nothing(&stand->a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_final_answer_ends_the_search),
        STAND_TEST(answers_that_are_listed_lead_on),
        STAND_TEST(a_provisional_response_does_not_make_the_search_endless),
        STAND_TEST(every_2xx_goes_back_forked_and_repeated),
        STAND_TEST(a_2xx_goes_back_after_the_search_was_given_up),
        STAND_TEST(provisional_responses_go_back_but_not_100),
        STAND_TEST(only_an_invite_hears_100),
        STAND_TEST(a_100_tells_when_it_was_asked),
        STAND_TEST(what_is_not_ours_to_read_passes_as_it_is),
        STAND_TEST(merged_requests_are_no_error),
        STAND_TEST(stray_responses_go_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
