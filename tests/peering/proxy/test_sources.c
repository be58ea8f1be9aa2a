/* Who may speak on the inside: cores by their address, the allow list, and nobody else. */
#include "tests/peering/proxy/stand.h"

#include "base/status.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STRANGER "127.0.0.9" /* the cores are on 127.0.0.1 */

static struct core core_at(const char *ip, uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof(addr);
    struct core core = {socket(AF_INET, SOCK_DGRAM, 0), 0};
    assert_int_equal(inet_pton(AF_INET, ip, &addr.sin_addr), 1);
    assert_int_equal(bind(core.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(core.fd, (struct sockaddr *)&addr, &len), 0);
    core.port = ntohs(addr.sin_port);
    return core;
}

static void allow_the_stranger(struct stand *stand)
{
    char why[EDGE_MAX_WHY];
    assert_int_equal(netprefix_parse(&stand->conf.allow[0], SLICE(STRANGER "/32")), 0);
    stand->conf.allow_count = 1;
    assert_int_equal(edge_reload(stand->edge, &stand->conf, why), 0);
}

static void make_the_stranger_a_core_of(struct stand *stand, const char *domain)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_verdict verdict;
    snprintf(command.actor, sizeof(command.actor), "test");
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", domain);
    snprintf(command.domain.cores[0].host, sizeof(command.domain.cores[0].host), STRANGER);
    command.domain.core_count = 1;
    assert_int_equal(store_submit(stand->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

/* An INFO of a dialog from core a to b1. `routes` holds its Route line. */
static struct call info_in_a_dialog(struct stand *stand, char routes[2200])
{
    struct call info = invite("sip:bob@two.example");
    char sent[8192], text[8192], towards_a[1024], towards_b[1024];
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(routes, 2200, "Route: %s,%s\r\n", towards_a, towards_b);
    info.method = "INFO";
    info.headers = routes;
    info.to_tag = "bobs";
    return info;
}

static void a_dialog_is_spoken_in_by_its_core_or_who_is_allowed(void **state)
{
    struct stand *stand = *state;
    struct core stranger = core_at(STRANGER, 0);
    char text[8192], routes[2200];
    struct call info = info_in_a_dialog(stand, routes);
    info.cseq = 2;
    send_request(stand, &stranger, &info);
    expect(&stranger, "SIP/2.0 403", text);
    assert_non_null(strstr(text, STRANGER " is not a core of one.example"));

    make_the_stranger_a_core_of(stand, "four.example");
    info.cseq = 3;
    send_request(stand, &stranger, &info);
    expect(&stranger, "SIP/2.0 403", text);
    expect_nothing(&stand->b1);

    allow_the_stranger(stand);
    info.cseq = 4;
    send_request(stand, &stranger, &info);
    expect(&stand->b1, "INFO", text);
    close(stranger.fd);
}

static void a_call_is_made_by_the_callers_core_or_who_is_allowed(void **state)
{
    struct stand *stand = *state;
    struct core stranger = core_at(STRANGER, 0);
    struct call call = invite("sip:bob@two.example");
    char text[8192];
    make_the_stranger_a_core_of(stand, "four.example");
    send_request(stand, &stranger, &call);
    expect(&stranger, "SIP/2.0 403", text);
    assert_non_null(strstr(text, STRANGER " is not a core of one.example"));
    expect_nothing(&stand->b1);

    allow_the_stranger(stand);
    call = invite("sip:bob@two.example");
    send_request(stand, &stranger, &call);
    expect(&stand->b1, "INVITE", text);
    close(stranger.fd);
}

/* What scanners send: nobody is here for a source that nobody knows. */
static void probes_of_strangers_meet_silence(void **state)
{
    struct stand *stand = *state;
    struct core stranger = core_at(STRANGER, 0);
    static const struct {
        struct call call;
        bool broken;
        const char *known; /* what a source that is known hears */
    } rows[] = {
        {{"OPTIONS", "sip:one.example", .id = "probe1", .cseq = 1}, false, "SIP/2.0 200"},
        {{"OPTIONS", "sip:bob@nix.example", .id = "probe2", .from = "sip:x@nix.example"},
         false,
         "SIP/2.0 403"},
        {{"REGISTER", "sip:one.example", .id = "probe3"}, false, "SIP/2.0 404"},
        {{"INVITE", "sip:bob@two.example", .id = "probe4"}, true, "SIP/2.0 400"},
    };
    for (int known = 0; known < 2; known++) {
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            char text[8192];
            request_text(stand, &stranger, &rows[i].call, text);
            if (rows[i].broken)
                memcpy(strstr(text, "CSeq: 0"), "CSeq: x", 7);
            send_text(stand, &stranger, text);
            if (known)
                expect(&stranger, rows[i].known, text);
        }
        if (!known)
            expect_nothing(&stranger);
        allow_the_stranger(stand);
    }
    close(stranger.fd);
}

/* The list of known sources is read again once in a while, not at each datagram. */
static void a_new_core_is_known_soon(void **state)
{
    struct stand *stand = *state;
    struct core stranger = core_at(STRANGER, 0);
    struct call options = {.method = "OPTIONS", .uri = "sip:one.example", .id = "new"};
    char text[8192];
    stand->conf.workers = 1; /* each reads the list by itself */
    stand_restart(stand);
    send_request(stand, &stranger, &options);
    expect_nothing(&stranger);
    make_the_stranger_a_core_of(stand, "four.example");
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += QUIET_MS) {
        options.cseq++;
        send_request(stand, &stranger, &options);
        if (receive(&stranger, text, QUIET_MS)) {
            close(stranger.fd);
            return;
        }
    }
    fail_msg("the new core is never known");
}

/* Does the Via say where the request really came from? */
static void expect_marked(const char *text, int nth, const char *rport)
{
    char via[1024];
    header_of(text, "Via", nth, via);
    if (!strstr(via, ";received=" STRANGER) || !strstr(via, rport) ||
        (!rport[0] && strstr(via, "rport")))
        fail_msg("not received=" STRANGER " and \"%s\": %s", rport, via);
}

static void send_message(struct stand *stand, const struct core *core, const char *user,
                         const char *sent_by)
{
    static unsigned serial;
    char text[8192];
    serial++;
    snprintf(text, sizeof(text),
             "MESSAGE sip:%s@two.example SIP/2.0\r\n"
             "Via: SIP/2.0/UDP %s;branch=z9hG4bKvia%u\r\nMax-Forwards: 70\r\n"
             "From: <sip:alice@one.example>;tag=f\r\nTo: <sip:bob@two.example>\r\n"
             "Call-ID: via%u\r\nCSeq: 1 MESSAGE\r\n\r\n",
             user, sent_by, serial, serial);
    send_text(stand, core, text);
}

/* RFC 3261 18.2.2, RFC 3581: to the source's port with rport, else to that of the Via, or 5060. */
static void answers_go_where_the_via_wants_them(void **state)
{
    struct stand *stand = *state;
    enum { SOURCE, OTHER, DEFAULT };
    struct core at[] = {core_at(STRANGER, 0), core_at(STRANGER, 0), core_at(STRANGER, 5060)};
    char named[64], with_rport[80], rport[32], text[8192];
    snprintf(named, sizeof(named), "phone.example:%u", at[OTHER].port);
    snprintf(with_rport, sizeof(with_rport), "%s;rport", named);
    snprintf(rport, sizeof(rport), ";rport=%u;", at[SOURCE].port);
    const struct {
        const char *sent_by;
        int answered_at;
        const char *rport;
    } rows[] = {{named, OTHER, ""}, {"phone.example", DEFAULT, ""}, {with_rport, SOURCE, rport}};
    allow_the_stranger(stand);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct core *answered_at = &at[rows[i].answered_at];
        send_message(stand, &at[SOURCE], "nobody", rows[i].sent_by);
        expect(answered_at, "SIP/2.0 404", text);
        expect_marked(text, 0, rows[i].rport);

        send_message(stand, &at[SOURCE], "bob", rows[i].sent_by);
        expect(&stand->b1, "MESSAGE", text);
        expect_marked(text, 1, rows[i].rport);
        answer(stand, &stand->b1, text, "200 OK");
        expect(answered_at, "SIP/2.0 200", text);
    }
    for (size_t i = 0; i < COUNT_OF(at); i++)
        close(at[i].fd);
}

/* RFC 3261 18.1.2 ties no response to an address, and a core may have several: so those of the core
 * that was asked, and what is allowed. */
static void an_answer_comes_from_a_core_that_was_asked(void **state)
{
    struct stand *stand = *state;
    struct core stranger = core_at(STRANGER, 0), phone = core_at("127.0.0.1", 0);
    struct call call = invite("sip:bob@two.example");
    struct edge_stats before, after;
    char sent[8192], text[8192];
    call.method = "MESSAGE";
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    answer(stand, &stand->b1, sent, "100 Trying"); /* so that there is time */
    edge_stats_get(stand->edge, &before);
    answer(stand, &stranger, sent, "299 False");
    expect_nothing(&stand->a);
    make_the_stranger_a_core_of(stand, "four.example"); /* and not of two.example */
    answer(stand, &stranger, sent, "299 False");
    expect_nothing(&stand->a);
    edge_stats_get(stand->edge, &after);
    assert_int_equal(after.dropped - before.dropped, 2);
    answer(stand, &phone, sent, "299 Heard"); /* another port of the same host */
    expect(&stand->a, "SIP/2.0 299 Heard", text);
    close(phone.fd);
    close(stranger.fd);
}

static void an_answer_may_come_from_who_is_allowed(void **state)
{
    struct stand *stand = *state;
    struct core stranger = core_at(STRANGER, 0);
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    allow_the_stranger(stand);
    call.method = "MESSAGE";
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    answer(stand, &stranger, sent, "299 Heard");
    expect(&stand->a, "SIP/2.0 299 Heard", text);
    close(stranger.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_dialog_is_spoken_in_by_its_core_or_who_is_allowed),
        STAND_TEST(a_call_is_made_by_the_callers_core_or_who_is_allowed),
        STAND_TEST(probes_of_strangers_meet_silence),
        STAND_TEST(a_new_core_is_known_soon),
        STAND_TEST(answers_go_where_the_via_wants_them),
        STAND_TEST(an_answer_comes_from_a_core_that_was_asked),
        STAND_TEST(an_answer_may_come_from_who_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
