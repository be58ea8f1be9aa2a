/* The guard's bounds as connections meet them. */
#include "tests/test.h"

#include "peering/guard/guard.h"
#include "tests/peering/transport/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char garbage[] = "GET / HTTP/1.1\n\n";

/* Edge b (opb.example) has a guard, a plain listener inside and a TLS listener outside; a is a peer
 * at 127.0.0.1. */
struct edges {
    struct end a, b;
    struct tls_context *a_tls, *b_tls;
    struct netaddr inside, outside;
    struct guard *guard;
    bool exempt; /* whoever comes to the inside */
};

static bool is_exempt(const struct transport_listener *listener, const struct netaddr *source,
                      void *arg)
{
    const struct edges *edges = arg;

    (void)source;
    return edges->exempt && listener->side == TRANSPORT_INSIDE;
}

static void open_edges(struct net *net, struct edges *edges, const struct guard_conf *conf)
{
    edges->a_tls = net_tls(net, &net->ca, "opa.example", "URI:sip:opa.example", NULL);
    edges->b_tls = net_tls(net, &net->ca, "opb.example", "URI:sip:opb.example", NULL);
    edges->guard = guard_alloc(conf);
    assert_non_null(edges->guard);
    end_listen(&edges->a, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.1");
    end_listen(&edges->b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.2");
    end_listen(&edges->b, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.2");
    end_open(&edges->a, net, edges->a_tls);
    end_open(&edges->b, net, edges->b_tls);
    transport_set_guard(edges->b.transport, edges->guard, is_exempt, edges);
    edges->inside = end_addr(&edges->b, 0);
    edges->outside = end_addr(&edges->b, 1);
}

static void close_edges(struct edges *edges)
{
    end_close(&edges->a);
    end_close(&edges->b);
    tls_context_unref(edges->a_tls);
    tls_context_unref(edges->b_tls);
    guard_free(edges->guard);
}

static struct conn *peer_conn(struct edges *edges, struct seen *seen)
{
    struct conn_key key =
        net_key(TRANSPORT_OUTSIDE, SIP_TLS, edges->outside, "opa.example", "opb.example");

    return net_connect(&edges->a, &key, seen);
}

static void peer_sends(struct net *net, struct edges *edges, struct conn *conn)
{
    size_t received = edges->b.received;

    assert_int_equal(conn_send(conn, net_message((unsigned)received, 0)), 0);
    NET_WAIT(net, edges->b.received == received + 1);
}

/* Has the far side closed it? */
static bool is_closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN);
}

static uint64_t refused(struct edges *edges, enum guard_rule rule)
{
    struct guard_stats stats;

    guard_stats_get(edges->guard, uv_hrtime() / 1000000, &stats);
    return stats.refused[rule];
}

static void expect_log(struct net *net, const char *part)
{
    if (!strstr(net_log_text(net), part))
        fail_msg("no \"%s\" in\n%s", part, net_log_text(net));
}

static void answered(struct edges *edges)
{
    struct netaddr source;

    netaddr_from_ip(&source, SLICE("127.0.0.1"), 0);
    guard_answered(edges->guard, "opa.example", &source, uv_hrtime() / 1000000);
}

static void ban(struct edges *edges)
{
    struct guard_ban ban = {.left_ms = 3600000, .reason = "the test says so"};

    netprefix_parse(&ban.source, SLICE("127.0.0.1"));
    assert_int_equal(guard_ban_add(edges->guard, &ban, uv_hrtime() / 1000000), 0);
}

/* ---- connections ---- */

static void a_source_has_so_many_connections_without_proof(void **state)
{
    static const struct guard_conf conf = {.source_connections = 2};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    int fd[3];

    open_edges(net, &edges, &conf);
    for (size_t i = 0; i < 2; i++)
        fd[i] = net_raw_connect(&edges.inside);
    NET_WAIT(net, end_stats(&edges.b).connections == 2);
    fd[2] = net_raw_connect(&edges.inside);
    NET_WAIT(net, is_closed(fd[2]));
    expect_log(net, "limits: source-connections");
    assert_int_equal(refused(&edges, GUARD_SOURCE_CONNECTIONS), 1);
    close(fd[0]);
    NET_WAIT(net, end_stats(&edges.b).connections == 1);
    close(fd[2]);
    fd[2] = net_raw_connect(&edges.inside);
    NET_WAIT(net, end_stats(&edges.b).connections == 2);
    close(fd[1]);
    close(fd[2]);
    close_edges(&edges);
}

static void who_has_proven_a_domain_counts_no_more(void **state)
{
    static const struct guard_conf conf = {.source_connections = 1};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct conn *conn;
    int fd;

    open_edges(net, &edges, &conf);
    conn = peer_conn(&edges, NULL);
    peer_sends(net, &edges, conn);
    fd = net_raw_connect(&edges.outside);
    NET_WAIT(net, end_stats(&edges.b).connections == 2);
    assert_int_equal(refused(&edges, GUARD_SOURCE_CONNECTIONS), 0);
    close(fd);
    conn_unref(conn);
    close_edges(&edges);
}

static void no_bound_holds_for_our_core(void **state)
{
    static const struct guard_conf conf = {
        .source_connections = 1, .source_handshakes = 1, .first_request_ms = 50};
    struct net *net = *state;
    struct edges edges = {.exempt = true};
    int fd[8];

    open_edges(net, &edges, &conf);
    ban(&edges);
    for (size_t i = 0; i < COUNT_OF(fd); i++)
        fd[i] = net_raw_connect(&edges.inside);
    NET_WAIT(net, end_stats(&edges.b).connections == COUNT_OF(fd));
    net_turns_for(net, 200);
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        assert_false(is_closed(fd[i]));
        close(fd[i]);
    }
    close_edges(&edges);
}

/* The half-open of many sources hold all places: the one who comes gets that of the oldest. */
static void who_has_proven_nothing_makes_room(void **state)
{
    static const struct guard_conf conf = {.source_connections = 0};
    struct net *net = *state;
    struct edges edges = {.b = {.conf = {.max_connections = 4}}};
    struct conn *conn;
    int fd[8];

    open_edges(net, &edges, &conf);
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        fd[i] = net_raw_connect(&edges.outside);
        net_turns_for(net, 5);
    }
    conn = peer_conn(&edges, NULL);
    peer_sends(net, &edges, conn);
    for (size_t i = 0; i < COUNT_OF(fd); i++)
        close(fd[i]);
    fd[0] = net_raw_connect(&edges.outside);
    peer_sends(net, &edges, conn);
    close(fd[0]);
    conn_unref(conn);
    close_edges(&edges);
}

/* A second node of the peer comes while the first one has what there is. */
static void a_peer_has_so_many_connections(void **state)
{
    static const struct guard_conf conf = {.peer_connections = 1};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct end second = {.echo = false};
    struct conn *conn, *more;
    struct seen seen;

    open_edges(net, &edges, &conf);
    end_listen(&second, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.3");
    end_open(&second, net, edges.a_tls);
    struct conn_key key =
        net_key(TRANSPORT_OUTSIDE, SIP_TLS, edges.outside, "opa.example", "opb.example");
    more = net_connect(&second, &key, NULL);
    NET_WAIT(net, end_stats(&edges.b).peers == 1);
    conn = peer_conn(&edges, &seen);
    NET_WAIT(net, seen.closed == 1);
    conn_unref(conn);
    expect_log(net, "this peer has 1 connections here already (limits: peer-connections)");
    assert_int_equal(refused(&edges, GUARD_PEER_CONNECTIONS), 1);
    conn_unref(more);
    end_close(&second);
    NET_WAIT(net, end_stats(&edges.b).connections == 0);
    conn = peer_conn(&edges, NULL);
    peer_sends(net, &edges, conn);
    conn_unref(conn);
    close_edges(&edges);
}

/* Of eight places one stays for our cores and our own calls. */
static void peers_do_not_take_the_last_places(void **state)
{
    static const struct guard_conf conf = {.peer_connections = 0};
    struct net *net = *state;
    struct edges edges = {.b = {.conf = {.max_connections = 8}}, .exempt = true};
    int fd[8];

    open_edges(net, &edges, &conf);
    for (size_t i = 0; i < 7; i++)
        fd[i] = net_raw_connect(&edges.inside);
    NET_WAIT(net, end_stats(&edges.b).connections == 7);
    fd[7] = net_raw_connect(&edges.outside);
    NET_WAIT(net, is_closed(fd[7]));
    close(fd[7]);
    fd[7] = net_raw_connect(&edges.inside);
    NET_WAIT(net, end_stats(&edges.b).connections == 8);
    for (size_t i = 0; i < COUNT_OF(fd); i++)
        close(fd[i]);
    close_edges(&edges);
}

/* ---- the first request ---- */

static void a_first_request_must_come_in_time(void **state)
{
    static const struct guard_conf conf = {.first_request_ms = 300};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct seen seen;
    struct conn *conn;
    int fd;

    open_edges(net, &edges, &conf);
    conn = peer_conn(&edges, &seen);
    peer_sends(net, &edges, conn);
    fd = net_raw_connect(&edges.inside);
    NET_WAIT(net, is_closed(fd));
    expect_log(net, "no request came within 300 ms (limits: first-request-ms)");
    assert_int_equal(refused(&edges, GUARD_FIRST_REQUEST), 1);
    net_turns_for(net, 400);
    assert_int_equal(seen.closed, 0);
    peer_sends(net, &edges, conn);
    close(fd);
    conn_unref(conn);
    close_edges(&edges);
}

static void a_peer_that_says_nothing_is_closed_unless_it_is_in_good_standing(void **state)
{
    static const struct guard_conf conf = {.first_request_ms = 200};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct seen seen;
    struct conn *conn;

    open_edges(net, &edges, &conf);
    conn = peer_conn(&edges, &seen);
    NET_WAIT(net, seen.closed == 1);
    assert_int_equal(seen.ready, 1);
    conn_unref(conn);
    answered(&edges);
    conn = peer_conn(&edges, &seen);
    net_turns_for(net, 500);
    assert_int_equal(seen.ready, 1);
    assert_int_equal(seen.closed, 0);
    conn_unref(conn);
    close_edges(&edges);
}

static void only_so_many_bytes_come_before_the_first_request(void **state)
{
    static const struct guard_conf conf = {.first_request_bytes = 10000};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct slice message = net_message(0, 20000);
    int fd;

    open_edges(net, &edges, &conf);
    fd = net_raw_connect(&edges.inside);
    assert_int_equal(send(fd, message.p, 9000, 0), 9000);
    net_turns_for(net, 100);
    assert_false(is_closed(fd));
    assert_int_equal(send(fd, message.p + 9000, 2000, 0), 2000);
    NET_WAIT(net, is_closed(fd));
    expect_log(net, "more than 10000 bytes came before its first request");
    close(fd);
    fd = net_raw_connect(&edges.inside);
    message = net_message(0, 10);
    assert_int_equal(send(fd, message.p, message.len, 0), message.len);
    NET_WAIT(net, edges.b.received == 1);
    message = net_message(1, 20000);
    assert_int_equal(send(fd, message.p, message.len, 0), message.len);
    NET_WAIT(net, edges.b.received == 2);
    close(fd);
    close_edges(&edges);
}

/* ---- bans ---- */

static void send_garbage(struct net *net, const struct netaddr *to)
{
    int fd = net_raw_connect(to);

    send(fd, garbage, strlen(garbage), MSG_NOSIGNAL);
    NET_WAIT(net, is_closed(fd));
    close(fd);
}

static void failures_lead_to_a_ban_and_looking_does_not(void **state)
{
    static const struct guard_conf conf = {.source_failures = 5, .ban_s = 600};
    struct net *net = *state;
    struct edges edges = {.exempt = false};

    open_edges(net, &edges, &conf);
    for (int i = 0; i < 10; i++) {
        close(net_raw_connect(&edges.outside));
        net_turns_for(net, 5);
    }
    for (int i = 0; i < 3; i++) {
        send_garbage(net, &edges.outside);
        send_garbage(net, &edges.inside);
    }
    expect_log(net, "127.0.0.1: banned for 600 s after too many failures, the last one: ");
    assert_int_equal(refused(&edges, GUARD_BANNED), 0);
    send_garbage(net, &edges.outside);
    assert_int_equal(refused(&edges, GUARD_BANNED), 1);
    expect_log(net, "refused, its address is banned (junctor ban list)");
    close_edges(&edges);
}

static void a_ban_ends_connections_but_not_those_in_good_standing(void **state)
{
    static const struct guard_conf conf = {.source_connections = 0};
    struct net *net = *state;

    for (int good = 0; good <= 1; good++) {
        struct edges edges = {.exempt = false};
        struct seen seen;
        struct conn *conn;
        size_t received;

        open_edges(net, &edges, &conf);
        conn = peer_conn(&edges, &seen);
        peer_sends(net, &edges, conn);
        if (good)
            answered(&edges);
        ban(&edges);
        received = edges.b.received;
        if (good) /* the other one is silent, and closed all the same */
            assert_int_equal(conn_send(conn, net_message(1, 0)), 0);
        NET_WAIT(net, good ? edges.b.received > received : seen.closed > 0);
        assert_int_equal(edges.b.received - received, good);
        conn_unref(conn);
        close_edges(&edges);
    }
}

static void a_banned_address_may_hold_a_peer_in_good_standing(void **state)
{
    static const struct guard_conf conf = {.source_connections = 0};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct seen seen;
    struct conn *conn;

    open_edges(net, &edges, &conf);
    ban(&edges);
    conn = peer_conn(&edges, &seen);
    NET_WAIT(net, seen.closed == 1);
    conn_unref(conn);
    answered(&edges);
    conn = peer_conn(&edges, &seen);
    peer_sends(net, &edges, conn);
    conn_unref(conn);
    close_edges(&edges);
}

/* ---- messages ---- */

static void messages_over_the_budget_are_read_later_and_none_is_lost(void **state)
{
    static const struct guard_conf conf = {.peer_messages = 100};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct seen seen;
    struct conn *conn;

    open_edges(net, &edges, &conf);
    conn = peer_conn(&edges, &seen);
    for (unsigned i = 0; i < 240; i++)
        assert_int_equal(conn_send(conn, net_message(i, 100)), 0);
    NET_WAIT(net, edges.b.received == 240);
    assert_int_equal(edges.b.out_of_order, 0);
    assert_true(refused(&edges, GUARD_PEER_MESSAGES) >= 1);
    assert_int_equal(seen.closed, 0);
    conn_unref(conn);
    close_edges(&edges);
}

static void a_connection_may_end_while_it_waits(void **state)
{
    static const struct guard_conf conf = {.peer_messages = 1};
    struct net *net = *state;
    struct edges edges = {.exempt = false};
    struct conn *conn;

    open_edges(net, &edges, &conf);
    conn = peer_conn(&edges, NULL);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(conn_send(conn, net_message(i, 0)), 0);
    NET_WAIT(net, refused(&edges, GUARD_PEER_MESSAGES) >= 1);
    conn_unref(conn);
    close_edges(&edges);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_source_has_so_many_connections_without_proof),
        TEST(who_has_proven_a_domain_counts_no_more),
        TEST(no_bound_holds_for_our_core),
        TEST(who_has_proven_nothing_makes_room),
        TEST(a_peer_has_so_many_connections),
        TEST(peers_do_not_take_the_last_places),
        TEST(a_first_request_must_come_in_time),
        TEST(a_peer_that_says_nothing_is_closed_unless_it_is_in_good_standing),
        TEST(only_so_many_bytes_come_before_the_first_request),
        TEST(failures_lead_to_a_ban_and_looking_does_not),
        TEST(a_ban_ends_connections_but_not_those_in_good_standing),
        TEST(a_banned_address_may_hold_a_peer_in_good_standing),
        TEST(messages_over_the_budget_are_read_later_and_none_is_lost),
        TEST(a_connection_may_end_while_it_waits),
    };

    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
