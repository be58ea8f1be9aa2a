/* What connections that prove nothing can do to the log and to the connections of others. */
#include "tests/test.h"

#include "base/log_limit.h"
#include "base/status.h"
#include "tests/peering/transport/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS ((size_t)2 * LOG_LIMIT_BURST)
#define FLOOD (LOG_LIMIT_BURST + 40) /* at the rate of refilling, 40 lines more take minutes */

static const char garbage[] = "GET / HTTP/1.1\n\n";

/* Edge b (opb.example) has a plain listener inside and a TLS listener outside; a is a peer. */
struct edges {
    struct end a, b;
    struct tls_context *a_tls, *b_tls;
    struct netaddr inside, outside;
};

static void open_edges(struct net *net, struct edges *edges)
{
    edges->a_tls = net_tls(net, &net->ca, "opa.example", "URI:sip:opa.example", NULL);
    edges->b_tls = net_tls(net, &net->ca, "opb.example", "URI:sip:opb.example", NULL);
    end_listen(&edges->a, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.1");
    end_listen(&edges->b, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.2");
    end_listen(&edges->b, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.2");
    end_open(&edges->a, net, edges->a_tls);
    end_open(&edges->b, net, edges->b_tls);
    edges->inside = end_addr(&edges->b, 0);
    edges->outside = end_addr(&edges->b, 1);
}

static void close_edges(struct edges *edges)
{
    end_close(&edges->a);
    end_close(&edges->b);
    tls_context_unref(edges->a_tls);
    tls_context_unref(edges->b_tls);
}

/* A connection of the peer over which a message came through. */
static struct conn *peer_conn(struct net *net, struct edges *edges)
{
    struct conn_key key =
        net_key(TRANSPORT_OUTSIDE, SIP_TLS, edges->outside, "opa.example", "opb.example");
    struct conn *conn = net_connect(&edges->a, &key, NULL);
    size_t received = edges->b.received;

    assert_int_equal(conn_send(conn, net_message(0, 0)), 0);
    NET_WAIT(net, edges->b.received == received + 1);
    return conn;
}

static void send_garbage(struct net *net, struct edges *edges, const struct netaddr *to, int count)
{
    size_t before = end_stats(&edges->b).connections;

    for (int i = 0; i < count; i++) {
        int fd = net_raw_connect(to);
        char byte;

        assert_int_equal(send(fd, garbage, strlen(garbage), 0), strlen(garbage));
        shutdown(fd, SHUT_WR);
        NET_WAIT(net, recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
        NET_WAIT(net, end_stats(&edges->b).connections == before);
        close(fd);
    }
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part))) {
        text += strlen(part);
        count++;
    }
    return count;
}

/* The number in "... proved nothing: and 37 more ..." after the part. */
static size_t number_after(const char *text, const char *part)
{
    size_t number = 0;

    text = strstr(text, part);
    assert_non_null(text);
    assert_int_equal(sscanf(text + strlen(part), ": and %zu more", &number), 1);
    return number;
}

static void a_flood_of_strangers_is_counted_not_logged(void **state)
{
    static const struct {
        enum transport_side side;
        const char *line, *rest;
    } table[] = {
        {TRANSPORT_INSIDE, " notice transport: 127.0.0.1:", "closed inside connections"},
        {TRANSPORT_OUTSIDE,
         " notice transport: 127.0.0.1:", "closed outside connections that proved nothing"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct net *net;
        struct edges edges = {.a = {.received = 0}};
        size_t lines;

        net_setup((void **)&net);
        open_edges(net, &edges);
        send_garbage(net, &edges,
                     table[i].side == TRANSPORT_INSIDE ? &edges.inside : &edges.outside, FLOOD);
        lines = count_of(net_log_text(net), table[i].line);
        assert_int_equal(count_of(net_log_text(net), " warning "), 0);
        assert_in_range(lines, LOG_LIMIT_BURST, FLOOD - 1);
        close_edges(&edges);
        assert_int_equal(lines + number_after(net_log_text(net), table[i].rest), FLOOD);
        net_teardown((void **)&net);
    }
}

static void lines_about_peers_and_the_inside_pass_in_a_flood(void **state)
{
    struct net *net = *state;
    struct edges edges = {.a = {.received = 0}};

    open_edges(net, &edges);
    send_garbage(net, &edges, &edges.outside, FLOOD);
    for (size_t i = 1; i <= PEERS; i++) {
        struct conn *conn = peer_conn(net, &edges);

        assert_int_equal(conn_send(conn, slice_of(garbage)), 0);
        NET_WAIT(net, end_stats(&edges.b).connections == 0);
        NET_WAIT(net, conn_state_of(conn) == CONN_CLOSED);
        conn_unref(conn);
        assert_int_equal(
            count_of(net_log_text(net), " warning transport: opa.example at 127.0.0.1:"), i);
    }
    assert_int_equal(count_of(net_log_text(net), ": closed, framing is lost: "), PEERS);
    send_garbage(net, &edges, &edges.inside, 1);
    assert_int_equal(count_of(net_log_text(net), ": closed, framing is lost: "), PEERS + 1);
    close_edges(&edges);
}

/* They say nothing, and so hold a place until the handshake's time is over, no longer. */
static void silent_connections_cost_the_others_nothing(void **state)
{
    struct net *net = *state;
    struct edges edges = {.b = {.conf = {.max_connections = 3, .connect_timeout_ms = 1000}}};
    struct conn *conn;
    char byte;
    int fd[3];

    open_edges(net, &edges);
    conn = peer_conn(net, &edges);
    for (size_t i = 0; i < COUNT_OF(fd); i++)
        fd[i] = net_raw_connect(&edges.outside);
    NET_WAIT(net, end_stats(&edges.b).refused == 1);
    assert_int_equal(recv(fd[2], &byte, 1, 0), 0);
    assert_int_equal(conn_send(conn, net_message(1, 0)), 0);
    NET_WAIT(net, edges.b.received == 2);

    NET_WAIT(net, end_stats(&edges.b).connections == 1);
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        assert_int_equal(recv(fd[i], &byte, 1, 0), 0);
        close(fd[i]);
    }
    assert_int_equal(count_of(net_log_text(net),
                              ": closed, the TLS handshake was not finished within 1000 ms\n"),
                     2);
    assert_int_equal(count_of(net_log_text(net), "limits: connections is reached"), 1);
    assert_int_equal(conn_state_of(conn), CONN_READY);
    assert_int_equal(conn_send(conn, net_message(2, 0)), 0);
    NET_WAIT(net, edges.b.received == 3);
    assert_int_equal(edges.b.out_of_order, 0);
    conn_unref(conn);
    close_edges(&edges);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_strangers_is_counted_not_logged),
        TEST(lines_about_peers_and_the_inside_pass_in_a_flood),
        TEST(silent_connections_cost_the_others_nothing),
    };

    return cmocka_run_group_tests_name("strangers", tests, NULL, NULL);
}
