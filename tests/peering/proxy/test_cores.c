/* Cores that are asked how they are, that share calls, and that are known by name. */
#include "peering/proxy/cores.h"
#include "tests/peering/proxy/stand.h"
#include "tests/resolver/server_thread.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK_MS  500
#define VIEWS_MAX 16
#define BY_NAME   "127.0.0.9" /* where the name of a core leads */

/* How the cores answer OPTIONS; NULL: not at all. */
struct play {
    const char *a, *b1, *b2;
};

static void check_cores(struct stand *stand)
{
    stand->conf.core_check_ms = CHECK_MS;
    stand->conf.first_response_ms = 4 * CHECK_MS; /* our answers may take their time */
    stand_restart(stand);
}

static void play_core(struct stand *stand, const struct core *core, const char *status)
{
    char text[8192];
    while (receive(core, text, 0))
        if (status && strncmp(text, "OPTIONS ", 8) == 0)
            answer(stand, core, text, status);
}

/* Of the core at this port; UNKNOWN too while the edge has not read the directory. */
static struct core_view view_of(struct stand *stand, uint16_t port)
{
    static struct core_view views[VIEWS_MAX];
    size_t count = edge_cores_get(stand->edge, views, VIEWS_MAX);
    for (size_t i = 0; i < count; i++)
        if (views[i].core.port == port)
            return views[i];
    return (struct core_view){.state = CORE_UNKNOWN};
}

static struct core_view wait_for(struct stand *stand, const struct play *play, uint16_t port,
                                 enum core_state state)
{
    struct core_view view = {.state = CORE_UNKNOWN};
    for (int waited_ms = 0; waited_ms < 4 * WAIT_MS; waited_ms += 10) {
        play_core(stand, &stand->a, play->a);
        play_core(stand, &stand->b1, play->b1);
        play_core(stand, &stand->b2, play->b2);
        view = view_of(stand, port);
        if (view.state == state)
            return view;
        poll(NULL, 0, 10);
    }
    fail_msg("port %u never gets into state %d: %s", port, state, view.why);
    return view;
}

static void expect_no_call(const struct core *core)
{
    char text[8192];
    while (receive(core, text, QUIET_MS))
        if (strncmp(text, "INVITE", 6) == 0)
            fail_msg("a core that is down got the call");
        else if (strncmp(text, "OPTIONS", 7) == 0)
            return; /* the next check: it would have come before */
}

static void a_core_is_asked_as_another_sip_element_would(void **state)
{
    struct stand *stand = *state;
    char text[8192], start[64], via[64];
    check_cores(stand);
    expect(&stand->a, "OPTIONS", text);
    snprintf(start, sizeof(start), "OPTIONS sip:127.0.0.1:%u;transport=udp SIP/2.0\r\n",
             stand->a.port);
    assert_memory_equal(text, start, strlen(start));
    snprintf(via, sizeof(via), "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK", stand->port);
    assert_non_null(strstr(text, via));
    assert_non_null(strstr(text, "\r\nMax-Forwards: 70\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Length: 0\r\n\r\n"));
}

static void a_dead_core_costs_a_call_nothing_once_it_is_known(void **state)
{
    struct stand *stand = *state;
    const struct play play = {"200 OK", NULL, "404 Not Found"}; /* any answer is one */
    char text[8192], sent[8192];
    check_cores(stand);
    struct core_view view = wait_for(stand, &play, stand->b1.port, CORE_DOWN);
    assert_string_equal(view.domain, "two.example");
    assert_string_equal(view.why, "no answer in time");
    assert_int_equal(view.status, 0);
    assert_true(view.since_ms > 0);
    view = wait_for(stand, &play, stand->b2.port, CORE_UP);
    assert_int_equal(view.status, 404);
    for (int i = 0; i < 4; i++) { /* whichever worker has it */
        struct call call = invite("sip:bob@two.example");
        wait_for(stand, &play, stand->b2.port, CORE_UP);
        send_request(stand, &stand->a, &call);
        expect(&stand->b2, "INVITE", sent);
        answer(stand, &stand->b2, sent, "486 Busy Here");
        expect(&stand->a, "SIP/2.0 486", text);
        expect_no_call(&stand->b1);
    }
}

static void a_core_is_back_with_its_first_answer(void **state)
{
    struct stand *stand = *state;
    struct play play = {"200 OK", NULL, "200 OK"};
    char text[8192];
    stand->conf.workers = 1; /* so that the call meets what the worker remembers of the core */
    check_cores(stand);
    wait_for(stand, &play, stand->b1.port, CORE_DOWN);
    play.b1 = "200 OK";
    wait_for(stand, &play, stand->b1.port, CORE_UP);
    struct call call = invite("sip:bob@two.example");
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", text);
}

static void a_core_that_answers_503_is_down(void **state)
{
    struct stand *stand = *state;
    const struct play play = {"200 OK", "503 Service Unavailable", "486 Busy Here"};
    char text[8192], sent[8192];
    check_cores(stand);
    struct core_view view = wait_for(stand, &play, stand->b1.port, CORE_DOWN);
    assert_int_equal(view.status, 503);
    assert_string_equal(view.why, "it answers 503");
    struct call call = invite("sip:bob@two.example");
    send_request(stand, &stand->a, &call);
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b2, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
    expect_no_call(&stand->b1);
}

static void where_all_are_down_they_are_still_tried(void **state)
{
    struct stand *stand = *state;
    const struct play play = {"200 OK", NULL, NULL};
    struct call call = invite("sip:bob@two.example");
    char text[8192], sent[8192];
    check_cores(stand);
    wait_for(stand, &play, stand->b1.port, CORE_DOWN);
    wait_for(stand, &play, stand->b2.port, CORE_DOWN);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
}

static void a_core_that_refuses_connections_is_down(void **state)
{
    struct stand *stand = *state;
    const struct play play = {"200 OK", "200 OK", "200 OK"};
    char text[8192], sent[8192];
    check_cores(stand);
    struct pollfd pollfd = {.fd = stand->c.fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    struct core core = {accept(stand->c.fd, NULL, NULL), stand->c.port};
    expect(&core, "OPTIONS", sent);
    answer_text(&core, sent, "200 OK", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    wait_for(stand, &play, stand->c.port, CORE_UP);
    shutdown(stand->c.fd, SHUT_RDWR);
    close(core.fd);
    struct core_view view = wait_for(stand, &play, stand->c.port, CORE_DOWN);
    assert_non_null(strstr(view.why, "refused"));
}

static void cores_that_are_not_to_be_asked_are_known_all_the_same(void **state)
{
    struct stand *stand = *state;
    struct core_view view = {.state = CORE_UP};
    for (int waited_ms = 0; waited_ms < WAIT_MS && view.domain[0] == '\0'; waited_ms += 10) {
        view = view_of(stand, stand->b2.port);
        poll(NULL, 0, 10);
    }
    assert_string_equal(view.domain, "two.example");
    assert_int_equal(view.state, CORE_UNKNOWN);
    expect_nothing(&stand->b2);
}

static void put_ranks(struct stand *stand, unsigned first, unsigned second)
{
    struct store_command command = {.op = STORE_DOMAIN_PUT, .expected_version = STORE_ANY_VERSION};
    struct store_domain *domain = &command.domain;
    struct store_verdict verdict;
    snprintf(command.actor, sizeof(command.actor), "test");
    snprintf(domain->name, sizeof(domain->name), "two.example");
    domain->core_count = 2;
    domain->ranked = true;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(domain->cores[i].host, sizeof(domain->cores[i].host), "127.0.0.1");
        domain->cores[i].transport = SIP_UDP;
        domain->cores[i].port = i ? stand->b2.port : stand->b1.port;
        domain->cores[i].priority = (uint16_t)(i ? second : first);
    }
    assert_int_equal(store_submit(stand->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void the_core_of_the_lowest_priority_gets_the_call(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char text[8192];
    put_ranks(stand, 20, 10);
    send_request(stand, &stand->a, &call);
    expect(&stand->b2, "INVITE", text);
    put_ranks(stand, 1, 10);
    call = invite("sip:bob@two.example");
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", text);
}

/* ---- very many ---- */

static void add_cores(struct stand *stand, unsigned number)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_domain *domain = &command.domain;
    snprintf(domain->name, sizeof(domain->name), "a%u.example", number);
    for (domain->core_count = 0; domain->core_count < STORE_CORES_MAX; domain->core_count++) {
        struct store_core *core = &domain->cores[domain->core_count];
        snprintf(core->host, sizeof(core->host), "127.1.%u.%u", number / 256, number % 256);
        core->port = (uint16_t)(1 + domain->core_count);
        core->transport = SIP_UDP;
    }
    assert_int_equal(stand_submit(stand, &command), 0);
}

static void a_core_for_which_there_is_no_room_takes_none_from_others(void **state)
{
    struct stand *stand = *state;
    struct store_command command = {.op = STORE_DOMAIN_ADD, .expected_version = STORE_ANY_VERSION};
    struct core_view view = {.domains = 0};
    snprintf(command.domain.name, sizeof(command.domain.name), "a.example");
    snprintf(command.domain.cores[0].host, sizeof(command.domain.cores[0].host), "127.0.0.1");
    command.domain.cores[0].port = stand->b2.port;
    command.domain.cores[0].transport = SIP_UDP;
    command.domain.core_count = 1;
    assert_int_equal(stand_submit(stand, &command), 0);
    for (unsigned i = 0; i < CORES_MAX / STORE_CORES_MAX; i++)
        add_cores(stand, i); /* one more than there is room for */
    stand_restart(stand);
    for (int waited_ms = 0; waited_ms < WAIT_MS && view.domains == 0; waited_ms += 10) {
        view = view_of(stand, stand->b2.port);
        poll(NULL, 0, 10);
    }
    assert_string_equal(view.domain, "a.example");
    assert_int_equal(view.domains, 2); /* two.example comes after the last that had no room */
}

/* ---- by name ---- */

static const struct server_rule rules[] = {
    {"_sip._udp.core.two.example",
     "SRV",
     0,
     0,
     {"_sip._udp.core.two.example 60 SRV 10 10 5070 host.two.example"},
     {NULL}},
    {"host.two.example", "A", 0, 0, {"host.two.example 60 A " BY_NAME}, {NULL}},
    {"host.two.example", "AAAA", 0, 0, {NULL}, {"example 60 SOA ns h 1 2 3 4 60"}},
    {.name = NULL}};

/* Every worker looks the name up for itself: until all have, some requests are a stranger's. */
static void send_until(struct stand *stand, const struct core *core, struct call *call,
                       const char *answer)
{
    char text[8192] = "";
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += 2 * QUIET_MS) {
        struct call again = invite(call->uri);
        again.method = call->method;
        again.from = call->from;
        send_request(stand, core, &again);
        if (receive(core, text, QUIET_MS) && strncmp(text, answer, strlen(answer)) == 0)
            return;
        poll(NULL, 0, QUIET_MS); /* a refusal comes at once */
    }
    fail_msg("no %s; the last answer was %s", answer, text);
}

static void a_core_given_by_name_is_known_by_where_the_name_leads(void **state)
{
    struct stand *stand = *state;
    struct server_thread dns;
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    struct core core = {socket(AF_INET, SOCK_DGRAM, 0), 0};
    struct call call;
    char text[8192] = "";
    assert_int_equal(inet_pton(AF_INET, BY_NAME, &addr.sin_addr), 1);
    assert_int_equal(bind(core.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(core.fd, (struct sockaddr *)&addr, &len), 0);
    core.port = ntohs(addr.sin_port);
    server_thread_start(&dns, rules);
    stand->conf.resolver.upstreams[0].addr = dns.server.addr;
    stand_name_core(stand, "two.example", "core.two.example");
    stand_restart(stand);
    call = invite("sip:alice@one.example");
    call.from = "sip:bob@two.example";
    send_until(stand, &core, &call, "SIP/2.0 100");
    expect(&stand->a, "INVITE sip:alice@one.example", text);
    call = invite("sip:two.example"); /* and OPTIONS is answered, as strangers' is not */
    call.method = "OPTIONS";
    send_until(stand, &core, &call, "SIP/2.0 200");
    edge_stop(stand->edge);
    stand->edge = NULL;
    server_thread_stop(&dns);
    close(core.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_core_is_asked_as_another_sip_element_would),
        STAND_TEST(a_dead_core_costs_a_call_nothing_once_it_is_known),
        STAND_TEST(a_core_is_back_with_its_first_answer),
        STAND_TEST(a_core_that_answers_503_is_down),
        STAND_TEST(where_all_are_down_they_are_still_tried),
        STAND_TEST(a_core_that_refuses_connections_is_down),
        STAND_TEST(cores_that_are_not_to_be_asked_are_known_all_the_same),
        STAND_TEST(the_core_of_the_lowest_priority_gets_the_call),
        STAND_TEST(a_core_for_which_there_is_no_room_takes_none_from_others),
        STAND_TEST(a_core_given_by_name_is_known_by_where_the_name_leads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
