/* Connections to cores that are dead before anybody knows. */
#include "tests/peering/proxy/stand.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One worker: a connection belongs to a worker, and the second request must find it. */
static void restart_alone(struct stand *stand)
{
    stand->conf.workers = 1;
    stand_restart(stand);
}

static struct core core_accept(const struct core *listening)
{
    struct pollfd pollfd = {.fd = listening->fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    return (struct core){accept(listening->fd, NULL, NULL), listening->port};
}

static void expect_no_connection(const struct core *listening)
{
    struct pollfd pollfd = {.fd = listening->fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, QUIET_MS), 0);
}

static struct call message(void)
{
    struct call call = invite("sip:carol@three.example");
    call.method = "MESSAGE";
    return call;
}

/* Carol's core serves one MESSAGE and has the connection open still. */
static struct core connection_in_use(struct stand *stand)
{
    struct call call = message();
    char text[8192], sent[8192];
    send_request(stand, &stand->a, &call);
    struct core core = core_accept(&stand->c);
    expect(&core, "MESSAGE", sent);
    answer_text(&core, sent, "200 OK", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 200", text);
    return core;
}

static void a_connection_that_was_dead_is_replaced_once(void **state)
{
    struct stand *stand = *state;
    struct call call = message();
    char sent[8192], again[8192], text[8192], id[1024], id_again[1024];
    restart_alone(stand);
    struct core first = connection_in_use(stand);
    send_request(stand, &stand->a, &call);
    expect(&first, "MESSAGE", sent);
    close(first.fd);
    struct core second = core_accept(&stand->c);
    expect(&second, "MESSAGE", again);
    header_of(sent, "Call-ID", 0, id);
    header_of(again, "Call-ID", 0, id_again);
    assert_string_equal(id, id_again);
    close(second.fd);
    expect(&stand->a, "SIP/2.0 480", text);
    expect_no_connection(&stand->c);
}

static void the_replacement_carries_the_answer(void **state)
{
    struct stand *stand = *state;
    struct call call = message();
    char sent[8192], text[8192];
    restart_alone(stand);
    struct core first = connection_in_use(stand);
    send_request(stand, &stand->a, &call);
    expect(&first, "MESSAGE", sent);
    close(first.fd);
    struct core second = core_accept(&stand->c);
    expect(&second, "MESSAGE", sent);
    answer_text(&second, sent, "202 Accepted", text);
    assert_int_equal(send(second.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 202", text);
    close(second.fd);
}

/* A connection made for the request itself was no chance lost by others. */
static void a_new_connection_has_no_second_chance(void **state)
{
    struct stand *stand = *state;
    struct call call = message();
    char text[8192];
    send_request(stand, &stand->a, &call);
    struct core core = core_accept(&stand->c);
    expect(&core, "MESSAGE", text);
    close(core.fd);
    expect(&stand->a, "SIP/2.0 480", text);
    expect_no_connection(&stand->c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_connection_that_was_dead_is_replaced_once),
        STAND_TEST(the_replacement_carries_the_answer),
        STAND_TEST(a_new_connection_has_no_second_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
