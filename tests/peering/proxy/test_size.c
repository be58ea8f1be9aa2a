/* Requests too long for UDP (RFC 3261 18.1.1). */
#include "tests/peering/proxy/stand.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A MESSAGE to bob of some `len` bytes. */
static struct call message(size_t len, char headers[8192])
{
    struct call call = invite("sip:bob@two.example");
    call.method = "MESSAGE";
    call.headers = headers;
    memset(headers, 'x', len);
    memcpy(headers, "X-Padding: ", 11);
    memcpy(headers + len, "\r\n", 3);
    return call;
}

/* Core b1 takes TCP too, at the same port. */
static struct core listen_like(const struct core *udp)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons(udp->port)};
    struct core core = {socket(AF_INET, SOCK_STREAM, 0), udp->port};
    int on = 1;
    setsockopt(core.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(core.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(core.fd, 4), 0);
    return core;
}

static struct core core_accept(const struct core *listening)
{
    struct pollfd pollfd = {.fd = listening->fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    return (struct core){accept(listening->fd, NULL, NULL), listening->port};
}

static void a_long_request_goes_by_tcp(void **state)
{
    struct stand *stand = *state;
    char headers[8192], sent[8192], text[8192];
    struct core listening = listen_like(&stand->b1);
    struct call call = message(1300, headers);
    send_request(stand, &stand->a, &call);
    struct core core = core_accept(&listening);
    expect(&core, "MESSAGE sip:bob@two.example SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1", sent);
    answer_text(&core, sent, "299 Heard", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 299", text);
    expect_nothing(&stand->b1);

    call = message(600, headers);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE sip:bob@two.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1", sent);
    answer(stand, &stand->b1, sent, "299 Heard");
    expect(&stand->a, "SIP/2.0 299", text);
    close(core.fd);
    close(listening.fd);
}

/* UDP is what the core is configured with, and what it is sure to send by; only this one request
 * was too long for it. */
static void a_dialog_that_began_by_tcp_goes_on_by_udp(void **state)
{
    struct stand *stand = *state;
    char headers[8192], sent[8192], text[8192], top[1024], next[1024], from[1024], to[1024];
    struct core listening = listen_like(&stand->b1);
    struct call call = message(1300, headers);
    call.method = "INVITE";
    send_request(stand, &stand->a, &call);
    struct core core = core_accept(&listening);
    expect(&core, "INVITE", sent);
    header_of(sent, "Record-Route", 0, top);
    header_of(sent, "Record-Route", 1, next);
    header_of(sent, "From", 0, from);
    header_of(sent, "To", 0, to);
    assert_non_null(strstr(top, ";transport=udp;lr>"));
    assert_non_null(strstr(next, ";transport=udp;lr>"));
    answer_text(&core, sent, "200 OK", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(text, sizeof(text),
             "BYE sip:alice@127.0.0.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n"
             "From: %s;tag=bobs\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 7 BYE\r\nRoute: %s, %s\r\n"
             "Content-Length: 0\r\n\r\n",
             stand->b1.port, to, from, call.id, top, next);
    send_text(stand, &stand->b1, text);
    expect(&stand->a, "BYE sip:alice@127.0.0.1 SIP/2.0", text);
    answer(stand, &stand->a, text, "200 OK");
    expect(&stand->b1, "SIP/2.0 200", text);
    close(core.fd);
    close(listening.fd);
}

/* Its length as we send it counts. */
static void a_request_that_grew_too_long_goes_by_tcp(void **state)
{
    struct stand *stand = *state;
    char headers[8192], sent[8192], original[8192];
    struct core listening = listen_like(&stand->b1);
    struct call call = message(1000, headers);
    request_text(stand, &stand->a, &call, original);
    assert_in_range(strlen(original), 1210, 1299);
    send_text(stand, &stand->a, original);
    struct core core = core_accept(&listening);
    expect(&core, "MESSAGE", sent);
    close(core.fd);
    close(listening.fd);
}

static void a_core_that_refuses_tcp_gets_it_by_udp(void **state)
{
    struct stand *stand = *state;
    char headers[8192], sent[8192], text[8192];
    struct call call = message(2000, headers);
    stand->conf.workers = 1; /* what was learnt, the worker knows */
    stand_restart(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE sip:bob@two.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1", sent);
    answer(stand, &stand->b1, sent, "299 Heard");
    expect(&stand->a, "SIP/2.0 299", text);

    struct core listening = listen_like(&stand->b1); /* from now on; it is not asked at once */
    call = message(2000, headers);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    answer(stand, &stand->b1, sent, "299 Heard");
    expect(&stand->a, "SIP/2.0 299", text);
    close(listening.fd);
}

/* Each target has its own chance: the next one may take TCP. */
static void the_next_core_is_tried_over_tcp_again(void **state)
{
    struct stand *stand = *state;
    char headers[8192], sent[8192], text[8192];
    struct core listening = listen_like(&stand->b2);
    struct call call = message(2000, headers);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    answer(stand, &stand->b1, sent, "503 Service Unavailable");
    struct core core = core_accept(&listening);
    expect(&core, "MESSAGE sip:bob@two.example SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1", sent);
    answer_text(&core, sent, "299 Heard", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 299", text);
    close(core.fd);
    close(listening.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_long_request_goes_by_tcp),
        STAND_TEST(a_dialog_that_began_by_tcp_goes_on_by_udp),
        STAND_TEST(a_request_that_grew_too_long_goes_by_tcp),
        STAND_TEST(a_core_that_refuses_tcp_gets_it_by_udp),
        STAND_TEST(the_next_core_is_tried_over_tcp_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
