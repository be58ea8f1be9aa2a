/* Connections over TCP: framing, keep-alives, gathering, deadlines, limits, watches. */
#include "tests/test.h"

#include "base/status.h"
#include "tests/peering/transport/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* `a` opens connections to `b`. */
static void open_pair(struct net *net, struct end *a, struct end *b)
{
    end_listen(a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_listen(b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.2");
    end_open(a, net, NULL);
    end_open(b, net, NULL);
}

static struct conn *connect_to(struct end *from, const struct netaddr *to, struct seen *seen)
{
    struct conn_key key = net_key(TRANSPORT_INSIDE, SIP_TCP, *to, "", "");

    return net_connect(from, &key, seen);
}

static void messages_pass_both_ways_on_one_connection(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.echo = true};
    struct netaddr to;
    struct seen seen;
    struct conn *conn;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, &seen);
    assert_int_equal(conn_state_of(conn), CONN_CONNECTING);
    assert_false(conn_is_accepted(conn));
    assert_int_equal(conn_transport(conn), SIP_TCP);
    assert_int_equal(conn_side(conn), TRANSPORT_INSIDE);
    assert_true(netaddr_eq(conn_peer_addr(conn), &to));
    assert_int_equal(conn_send(conn, net_message(0, 10)), 0); /* waits for the connection */
    NET_WAIT(net, a.received == 1);
    assert_int_equal(seen.ready, 1);
    assert_int_equal(b.received, 1);
    assert_ptr_equal(b.listener, &b.conf.listeners[0]);
    assert_ptr_equal(a.listener, &a.conf.listeners[0]); /* the one that names us */
    assert_ptr_equal(a.conn, conn);
    assert_true(conn_is_accepted(b.conn));
    assert_string_equal(conn_proven_domain(conn), "");
    assert_false(conn_proves(conn, ""));
    assert_int_equal(end_stats(&a).connections, 1);
    assert_int_equal(end_stats(&a).peers, 0);
    conn_watch_remove(&seen.watch);
    conn_unref(conn);
    end_close(&a);
    end_close(&b);
}

static void what_one_turn_sends_is_one_write(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;
    struct conn *conn;
    uint64_t writes;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, NULL);
    NET_WAIT(net, conn_state_of(conn) == CONN_READY);
    writes = end_stats(&a).writes;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(conn_send(conn, net_message(i, 100)), 0);
    NET_WAIT(net, b.received == 100);
    assert_int_equal(b.out_of_order, 0);
    assert_int_equal(end_stats(&a).writes - writes, 1);
    assert_int_equal(end_stats(&a).sent, 100);
    conn_unref(conn);
    end_close(&a);
    end_close(&b);
}

static void large_messages_survive_partial_writes(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.echo = true};
    struct netaddr to;
    struct conn *conn;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, NULL);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(conn_send(conn, net_message(i, 65000)), 0);
    NET_WAIT(net, a.received == 16);
    assert_int_equal(a.out_of_order + b.out_of_order, 0);
    conn_unref(conn);
    end_close(&a);
    end_close(&b);
}

static void framing_does_not_depend_on_how_bytes_arrive(void **state)
{
    struct net *net = *state;
    struct end b = {.received = 0};
    struct netaddr to;
    char bytes[512];
    size_t len = 0;
    int fd;

    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    fd = net_raw_connect(&to);
    for (unsigned i = 0; i < 3; i++) {
        struct slice message = net_message(i, 40 - 20 * i);

        memcpy(bytes + len, message.p, message.len);
        len += message.len;
    }
    /* byte by byte, with a turn of the loop after each */
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(send(fd, bytes + i, 1, 0), 1);
        net_turn(net);
    }
    NET_WAIT(net, b.received == 3);
    /* all in one, and a part of the next */
    assert_int_equal(send(fd, bytes, len, 0), len);
    assert_int_equal(send(fd, bytes, 20, 0), 20);
    NET_WAIT(net, b.received == 6);
    assert_int_equal(send(fd, bytes + 20, len - 20, 0), len - 20);
    NET_WAIT(net, b.received == 9);
    assert_int_equal(b.bytes, 3 * len);
    close(fd);
    end_close(&b);
}

static void a_ping_gets_a_pong(void **state)
{
    struct net *net = *state;
    struct end b = {.received = 0};
    struct netaddr to;
    struct slice message = net_message(0, 0);
    char answer[16] = "";
    int fd, waiting = 0;

    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    fd = net_raw_connect(&to);
    assert_int_equal(send(fd, "\r\n\r\n", 4, 0), 4);
    assert_int_equal(send(fd, message.p, message.len, 0), message.len);
    assert_int_equal(send(fd, "\r\n\r\n", 4, 0), 4);
    NET_WAIT(net, ioctl(fd, FIONREAD, &waiting) == 0 && waiting >= 4);
    assert_int_equal(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), 4);
    assert_string_equal(answer, "\r\n\r\n");
    assert_int_equal(b.received, 1);
    close(fd);
    end_close(&b);
}

static void lost_framing_closes_the_connection(void **state)
{
    static const char *const table[] = {
        "MESSAGE sip:x SIP/2.0\r\nVia: y\r\n\r\n",
        "MESSAGE sip:x SIP/2.0\r\nContent-Length: 99999\r\n\r\n",
        "GET / HTTP/1.1\n\n",
    };
    struct net *net = *state;
    struct end b = {.received = 0};
    struct netaddr to;
    char byte;

    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int fd = net_raw_connect(&to);

        assert_int_equal(send(fd, table[i], strlen(table[i]), 0), strlen(table[i]));
        NET_WAIT(net, net_log_lines(net) == i + 1);
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        close(fd);
    }
    assert_non_null(strstr(net_log_text(net), ": closed, framing is lost: Content-Length header is "
                                              "missing, which a stream needs\n"));
    assert_int_equal(b.received, 2); /* the header sections, for an answer */
    assert_int_equal(end_stats(&b).connections, 0);
    end_close(&b);
}

/* ---- deadlines ---- */

static void a_message_begun_must_be_completed(void **state)
{
    struct net *net = *state;
    struct end b = {.conf = {.message_timeout_ms = 100}};
    struct netaddr to;
    char byte;
    int fd;

    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    fd = net_raw_connect(&to);
    assert_int_equal(send(fd, "MESSAGE", 7, 0), 7);
    NET_WAIT(net, net_log_lines(net) == 1);
    assert_non_null(
        strstr(net_log_text(net), ": closed, a message was not complete within 100 ms\n"));
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    end_close(&b);
}

static void a_completed_message_has_no_deadline(void **state)
{
    struct net *net = *state;
    struct end b = {.conf = {.message_timeout_ms = 1000}};
    struct netaddr to;
    struct slice message = net_message(0, 0);
    int fd;

    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    fd = net_raw_connect(&to);
    assert_int_equal(send(fd, message.p, 7, 0), 7);
    net_turns_for(net, 20);
    assert_int_equal(send(fd, message.p + 7, message.len - 7, 0), message.len - 7);
    NET_WAIT(net, b.received == 1);
    net_turns_for(net, 1300);
    assert_int_equal(end_stats(&b).connections, 1);
    close(fd);
    end_close(&b);
}

static void line_ends_are_no_message_begun(void **state)
{
    struct net *net = *state;
    struct end b = {.conf = {.message_timeout_ms = 20}};
    struct netaddr to;
    struct slice message = net_message(0, 0);
    int fd;

    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    fd = net_raw_connect(&to);
    assert_int_equal(send(fd, message.p, message.len, 0), message.len);
    assert_int_equal(send(fd, "\r\n", 2, 0), 2);
    NET_WAIT(net, b.received == 1);
    net_turns_for(net, 200);
    assert_int_equal(end_stats(&b).connections, 1);
    assert_int_equal(send(fd, message.p, message.len, 0), message.len);
    NET_WAIT(net, b.received == 2);
    close(fd);
    end_close(&b);
}

static void an_idle_connection_is_closed(void **state)
{
    struct net *net = *state;
    struct end a = {.conf = {.idle_timeout_ms = 100}}, b = {.received = 0};
    struct netaddr to;
    struct seen seen;
    struct conn *conn;
    char expected[TRANSPORT_MAX_WHY], addr[NETADDR_TEXT_MAX];

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, &seen);
    NET_WAIT(net, seen.closed == 1);
    assert_int_equal(seen.ready, 1);
    snprintf(expected, sizeof(expected), "%s: nothing was sent or received for 100 ms",
             netaddr_format(&to, addr));
    assert_string_equal(seen.why, expected);
    NET_WAIT(net, end_stats(&b).connections == 0);
    conn_unref(conn);
    end_close(&a);
    end_close(&b);
}

static void a_refused_connection_says_so_from_the_loop(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0};
    struct netaddr to;
    struct seen seen;
    struct conn *conn;
    char expected[TRANSPORT_MAX_WHY], addr[NETADDR_TEXT_MAX];

    close(net_raw_listen(&to, 1)); /* a port where nobody listens */
    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&a, net, NULL);
    conn = connect_to(&a, &to, &seen);
    seen.inside_call = true;
    assert_int_equal(conn_send(conn, net_message(0, 0)), 0);
    transport_flush(a.transport);
    seen.inside_call = false;
    NET_WAIT(net, seen.closed == 1);
    snprintf(expected, sizeof(expected), "%s: connection refused", netaddr_format(&to, addr));
    assert_string_equal(seen.why, expected);
    assert_int_equal(seen.ready, 0);
    assert_int_equal(conn_send(conn, net_message(0, 0)), STATUS_CLOSED);
    assert_int_equal(end_stats(&a).connections, 0);
    conn_unref(conn);
    end_close(&a);
}

static void a_failure_at_once_is_told_from_the_loop_too(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0};
    struct netaddr to;
    struct seen seen;
    struct conn *conn = NULL;
    struct conn_key key;

    netaddr_from_ip(&to, SLICE("255.255.255.255"), 5060); /* connect() itself fails */
    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&a, net, NULL);
    key = net_key(TRANSPORT_INSIDE, SIP_TCP, to, "", "");
    conn = net_connect(&a, &key, &seen);
    assert_int_equal(conn_state_of(conn), CONN_CLOSED);
    assert_int_equal(seen.closed, 0);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, "255.255.255.255:5060: "));
    conn_unref(conn);
    end_close(&a);
}

static void no_answer_to_connect_is_a_timeout(void **state)
{
    struct net *net = *state;
    struct end a = {.conf = {.connect_timeout_ms = 300}};
    struct netaddr to;
    struct seen seen;
    struct conn *conn;
    char expected[TRANSPORT_MAX_WHY], addr[NETADDR_TEXT_MAX];
    int fd = net_raw_listen(&to, 0), waiting = net_raw_connect(&to);

    /* One connection waits to be accepted, the queue is full: further ones get no answer. */
    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&a, net, NULL);
    conn = connect_to(&a, &to, &seen);
    NET_WAIT(net, seen.closed == 1);
    snprintf(expected, sizeof(expected), "%s: no answer to connect within 300 ms",
             netaddr_format(&to, addr));
    assert_string_equal(seen.why, expected);
    close(waiting);
    close(fd);
    conn_unref(conn);
    end_close(&a);
}

/* ---- limits ---- */

static void connections_beyond_the_limit_are_refused(void **state)
{
    struct net *net = *state;
    struct end b = {.conf = {.max_connections = 2}};
    struct netaddr to;
    struct conn_key key;
    struct conn *conn = NULL;
    char byte;
    int fd[4];

    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    for (size_t i = 0; i < COUNT_OF(fd); i++)
        fd[i] = net_raw_connect(&to);
    NET_WAIT(net, end_stats(&b).refused == 2);
    assert_int_equal(end_stats(&b).connections, 2);
    assert_int_equal(net_log_lines(net), 1); /* said once */
    assert_int_equal(recv(fd[2], &byte, 1, 0), 0);
    key = net_key(TRANSPORT_INSIDE, SIP_TCP, to, "", "");
    assert_int_equal(transport_connect(b.transport, &key, &conn), STATUS_LIMIT);
    assert_null(conn);
    close(fd[0]);
    NET_WAIT(net, end_stats(&b).connections == 1);
    for (size_t i = 1; i < COUNT_OF(fd); i++)
        close(fd[i]);
    end_close(&b);
}

/* Reads what is there; how much that was. */
static size_t drain(int fd)
{
    static char bytes[65536];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    return n > 0 ? (size_t)n : 0;
}

static void a_blocked_connection_waits_and_goes_on(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0};
    struct netaddr to;
    struct conn *conn;
    uint64_t writes;
    size_t sent = 0, drained = 0;
    int fd = net_raw_listen(&to, 1), far, small = 4096;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&a, net, NULL);
    conn = connect_to(&a, &to, NULL);
    NET_WAIT(net, conn_state_of(conn) == CONN_READY);
    far = accept(fd, NULL, NULL);
    do { /* until the kernel takes no more: then no turn writes */
        struct slice message = net_message(0, 60000);

        writes = end_stats(&a).writes;
        assert_int_equal(conn_send(conn, message), 0);
        sent += message.len;
        net_turn(net);
    } while (end_stats(&a).writes > writes);
    for (int i = 0; i < 5; i++) {
        struct slice message = net_message(0, 0);

        assert_int_equal(conn_send(conn, message), 0);
        sent += message.len;
        net_turn(net);
    }
    assert_int_equal(end_stats(&a).writes, writes);
    NET_WAIT(net, (drained += drain(far)) >= sent);
    assert_int_equal(drained, sent);
    assert_true(end_stats(&a).writes > writes);
    close(far);
    close(fd);
    conn_unref(conn);
    end_close(&a);
}

static void a_far_side_that_does_not_read_is_closed(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0};
    struct netaddr to;
    struct seen seen;
    struct conn *conn;
    int fd = net_raw_listen(&to, 1), status = 0;

    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&a, net, NULL);
    conn = connect_to(&a, &to, &seen);
    NET_WAIT(net, seen.ready == 1);
    for (unsigned i = 0; status == 0 && i < 1000; i++) {
        seen.inside_call = true;
        status = conn_send(conn, net_message(i, 60000));
        seen.inside_call = false;
        net_turn(net);
    }
    assert_int_equal(status, -ENOBUFS);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, "more than 1048576 bytes wait to be sent; the far side does "
                                     "not read"));
    close(fd);
    conn_unref(conn);
    end_close(&a);
}

static void what_came_before_a_reset_is_read(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0};
    struct netaddr to;
    struct slice message;
    struct seen seen;
    struct conn *conn;
    int fd = net_raw_listen(&to, 1), far, waiting = 0;

    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&a, net, NULL);
    conn = connect_to(&a, &to, &seen);
    assert_int_equal(conn_send(conn, net_message(0, 0)), 0);
    NET_WAIT(net, seen.ready == 1);
    far = accept(fd, NULL, NULL);
    NET_WAIT(net, ioctl(far, FIONREAD, &waiting) == 0 && waiting > 0);
    message = net_message(0, 0);
    assert_int_equal(send(far, message.p, message.len, 0), message.len);
    close(far); /* with unread bytes: a reset */
    assert_int_equal(conn_send(conn, net_message(1, 0)), 0);
    transport_flush(a.transport); /* this write meets the reset first */
    NET_WAIT(net, seen.closed == 1);
    assert_int_equal(a.received, 1);
    assert_non_null(strstr(seen.why, ": closed by the far side"));
    close(fd);
    conn_unref(conn);
    end_close(&a);
}

static void bad_keys_are_refused(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0};
    struct netaddr none = {.in6 = {.sin6_family = AF_UNSPEC}};
    struct conn *conn = NULL;
    const struct {
        struct conn_key key;
        int status;
    } table[] = {
        {{.transport = SIP_TCP, .addr = none}, -EINVAL},
        {{.transport = SIP_TCP, .addr.in4 = {.sin_family = AF_INET}}, -EINVAL},
        {{.transport = SIP_UDP, .addr.in4 = {.sin_family = AF_INET, .sin_port = 1}}, -EINVAL},
        {{.transport = SIP_TLS, .addr.in4 = {.sin_family = AF_INET, .sin_port = 1}}, -EINVAL},
        {{.transport = SIP_TCP,
          .side = TRANSPORT_OUTSIDE,
          .addr.in4 = {.sin_family = AF_INET, .sin_port = 1}},
         -ENOENT},
        {{.transport = SIP_TLS,
          .far_domain = "opb.example",
          .addr.in4 = {.sin_family = AF_INET, .sin_port = 1}},
         STATUS_NOTFOUND},
    };

    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_open(&a, net, NULL);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_int_equal(transport_connect(a.transport, &table[i].key, &conn), table[i].status);
        assert_null(conn);
    }
    net_turn(net);
    assert_int_equal(end_stats(&a).connections, 0);
    end_close(&a);
}

/* ---- reuse, addresses ---- */

static void a_living_connection_is_found_by_its_key(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;
    struct seen seen;
    struct conn *first, *again;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    first = connect_to(&a, &to, &seen);
    again = connect_to(&a, &to, NULL); /* while connecting */
    assert_ptr_equal(first, again);
    conn_unref(again);
    NET_WAIT(net, seen.ready == 1);
    again = connect_to(&a, &to, NULL);
    assert_ptr_equal(first, again);
    conn_unref(again);
    end_close(&b);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, ": closed by the far side"));
    again = connect_to(&a, &to, NULL); /* a closed one is never found */
    assert_ptr_not_equal(first, again);
    conn_unref(again);
    conn_unref(first);
    end_close(&a);
}

static void connections_leave_from_the_listeners_address(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to, from;
    struct conn *conn;

    end_listen(&a, TRANSPORT_OUTSIDE, SIP_TCP, "127.0.0.3");
    end_listen(&a, TRANSPORT_INSIDE, SIP_UDP, "::1");
    end_listen(&a, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.7");
    end_open(&a, net, NULL);
    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.2");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, NULL);
    conn_send(conn, net_message(0, 0));
    NET_WAIT(net, b.received == 1);
    netaddr_from_ip(&from, SLICE("127.0.0.7"), 0);
    assert_true(netaddr_eq_ip(&b.peer, &from));
    conn_unref(conn);
    end_close(&a);
    end_close(&b);
}

static void an_ipv6_listener_is_for_ipv6_only(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.echo = true};
    struct netaddr to;
    struct seen seen;
    struct conn *conn;

    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "::1");
    end_open(&a, net, NULL);
    end_listen(&b, TRANSPORT_INSIDE, SIP_TCP, "::");
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    netaddr_from_ip(&to, SLICE("::1"), netaddr_port(&to));
    conn = connect_to(&a, &to, NULL);
    conn_send(conn, net_message(0, 0));
    NET_WAIT(net, a.received == 1);
    conn_unref(conn);
    netaddr_from_ip(&to, SLICE("127.0.0.1"), netaddr_port(&to));
    conn = connect_to(&a, &to, &seen);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, "connection refused"));
    conn_unref(conn);
    end_close(&a);
    end_close(&b);
}

static void stop_accepting_keeps_what_is_up(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.echo = true};
    struct netaddr to;
    struct seen seen;
    struct conn *up;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    up = connect_to(&a, &to, NULL);
    conn_send(up, net_message(0, 0));
    NET_WAIT(net, a.received == 1);
    transport_stop_accepting(b.transport);
    conn_send(up, net_message(1, 0));
    NET_WAIT(net, a.received == 2);
    transport_stop_accepting(a.transport);
    conn_unref(up);
    up = net_connect(&b, &(struct conn_key){.transport = SIP_TCP, .addr = to}, &seen);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, "connection refused"));
    conn_unref(up);
    end_close(&a);
    end_close(&b);
}

/* ---- watches and references ---- */

struct remover {
    struct conn_watch watch;
    struct conn_watch *victim;
    unsigned calls;
};

static void on_remove(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct remover *remover = arg;

    (void)conn;
    (void)state;
    (void)why;
    remover->calls++;
    conn_watch_remove(remover->victim);
}

static void a_watch_may_take_off_any_watch(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;
    struct remover remover = {.calls = 0};
    struct seen first, victim, last;
    struct conn *conn;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, &first);
    conn_watch_init(&remover.watch);
    remover.victim = &victim.watch;
    conn_watch_add(conn, &remover.watch, on_remove, &remover);
    seen_watch(&victim, conn);
    seen_watch(&last, conn);
    NET_WAIT(net, last.ready == 1);
    assert_int_equal(first.ready, 1);
    assert_int_equal(victim.ready, 0);
    seen_watch(&victim, conn); /* a ready connection tells no CONN_READY again */
    conn_watch_remove(&last.watch);
    conn_watch_remove(&last.watch);
    seen_watch(&last, conn);
    end_close(&b);
    NET_WAIT(net, last.closed == 1);
    assert_int_equal(first.closed, 1);
    assert_int_equal(remover.calls, 2);
    assert_int_equal(victim.ready + last.ready, 0);
    conn_unref(conn);
    end_close(&a);
}

static void a_watch_that_comes_too_late_is_still_told(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;
    struct seen seen, late;
    struct conn *conn;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, &seen);
    NET_WAIT(net, seen.ready == 1);
    end_close(&b);
    NET_WAIT(net, seen.closed == 1);
    seen_watch(&late, conn);
    assert_int_equal(late.closed, 0);
    NET_WAIT(net, late.closed == 1);
    assert_string_equal(late.why, seen.why);
    conn_unref(conn);
    end_close(&a);
}

static void a_connection_outlives_its_transport_as_memory(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;
    struct seen seen, late;
    struct conn *conn;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, &seen);
    NET_WAIT(net, seen.ready == 1);
    end_close(&a);
    end_close(&b);
    net_turn(net);
    assert_int_equal(conn_state_of(conn), CONN_CLOSED);
    assert_int_equal(seen.closed, 0); /* taken off without a call */
    assert_true(list_is_empty(&seen.watch.link));
    assert_int_equal(conn_send(conn, net_message(0, 0)), STATUS_CLOSED);
    conn_offer_alias(conn, "opb.example", &to);
    seen_watch(&late, conn);
    conn_watch_remove(&late.watch);
    assert_null(conn_unref(conn));
    assert_null(conn_unref(NULL));
}

static void closing_flushes_what_waits(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;
    struct conn *conn;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    conn = connect_to(&a, &to, NULL);
    NET_WAIT(net, conn_state_of(conn) == CONN_READY);
    conn_send(conn, net_message(0, 1000));
    conn_unref(conn);
    end_close(&a);
    NET_WAIT(net, b.received == 1);
    end_close(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(messages_pass_both_ways_on_one_connection),
        TEST(what_one_turn_sends_is_one_write),
        TEST(large_messages_survive_partial_writes),
        TEST(framing_does_not_depend_on_how_bytes_arrive),
        TEST(a_ping_gets_a_pong),
        TEST(lost_framing_closes_the_connection),
        TEST(a_message_begun_must_be_completed),
        TEST(a_completed_message_has_no_deadline),
        TEST(line_ends_are_no_message_begun),
        TEST(an_idle_connection_is_closed),
        TEST(a_refused_connection_says_so_from_the_loop),
        TEST(a_failure_at_once_is_told_from_the_loop_too),
        TEST(no_answer_to_connect_is_a_timeout),
        TEST(connections_beyond_the_limit_are_refused),
        TEST(a_blocked_connection_waits_and_goes_on),
        TEST(a_far_side_that_does_not_read_is_closed),
        TEST(what_came_before_a_reset_is_read),
        TEST(bad_keys_are_refused),
        TEST(a_living_connection_is_found_by_its_key),
        TEST(connections_leave_from_the_listeners_address),
        TEST(an_ipv6_listener_is_for_ipv6_only),
        TEST(stop_accepting_keeps_what_is_up),
        TEST(a_watch_may_take_off_any_watch),
        TEST(a_watch_that_comes_too_late_is_still_told),
        TEST(a_connection_outlives_its_transport_as_memory),
        TEST(closing_flushes_what_waits),
    };

    return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
