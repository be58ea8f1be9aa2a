/* Datagrams between two transports. */
#include "tests/test.h"

#include "tests/peering/transport/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void open_pair(struct net *net, struct end *a, struct end *b)
{
    end_listen(a, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.1");
    end_listen(b, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.2");
    end_open(a, net, NULL);
    end_open(b, net, NULL);
}

static int send_to(struct end *from, const struct netaddr *to, struct slice bytes)
{
    return transport_send_udp(from->transport, &from->conf.listeners[0], to, bytes);
}

static void a_datagram_arrives_with_its_source(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr a_addr, b_addr;

    open_pair(net, &a, &b);
    a_addr = end_addr(&a, 0);
    b_addr = end_addr(&b, 0);
    assert_int_equal(send_to(&a, &b_addr, net_message(0, 10)), 0);
    NET_WAIT(net, b.received == 1);
    assert_string_equal(b.last, net_message(0, 10).p);
    assert_true(netaddr_eq(&b.peer, &a_addr));
    assert_ptr_equal(b.listener, &b.conf.listeners[0]);
    assert_null(b.conn);
    assert_int_equal(send_to(&b, &b.peer, net_message(0, 0)), 0);
    NET_WAIT(net, a.received == 1);
    assert_true(netaddr_eq(&a.peer, &b_addr));
    end_close(&a);
    end_close(&b);
}

static void many_datagrams_leave_in_batches(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    for (unsigned i = 0; i < 224; i++)
        assert_int_equal(send_to(&a, &to, net_message(i, i)), 0);
    NET_WAIT(net, b.received == 224);
    assert_int_equal(b.out_of_order, 0);
    assert_int_equal(end_stats(&a).sent, 224);
    assert_int_equal(end_stats(&a).writes, 7); /* of 32 each */
    assert_int_equal(end_stats(&b).received, 224);
    end_close(&a);
    end_close(&b);
}

static void flush_does_not_wait_for_the_loop(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    assert_int_equal(send_to(&a, &to, net_message(0, 0)), 0);
    assert_int_equal(end_stats(&a).sent, 0);
    transport_flush(a.transport);
    assert_int_equal(end_stats(&a).sent, 1);
    end_close(&a);
    NET_WAIT(net, b.received == 1);
    end_close(&b);
}

static void what_is_queued_leaves_before_closing(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    assert_int_equal(send_to(&a, &to, net_message(0, 0)), 0);
    end_close(&a);
    NET_WAIT(net, b.received == 1);
    end_close(&b);
}

static void one_unsendable_datagram_loses_no_other(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to, nowhere;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    netaddr_from_ip(&nowhere, SLICE("2001:db8::1"), 5060); /* from an IPv4 socket */
    assert_int_equal(send_to(&a, &to, net_message(0, 0)), 0);
    assert_int_equal(send_to(&a, &nowhere, net_message(9, 0)), 0);
    assert_int_equal(send_to(&a, &to, net_message(1, 0)), 0);
    NET_WAIT(net, b.received == 2);
    assert_int_equal(end_stats(&a).sent, 2);
    end_close(&a);
    end_close(&b);
}

static void on_lost(struct slice bytes, int error, void *arg)
{
    struct end *end = arg;

    end->lost++;
    end->lost_error = error;
    snprintf(end->lost_bytes, sizeof(end->lost_bytes), "%.*s", SLICE_ARG(bytes));
}

static void what_the_kernel_does_not_take_is_told(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr nowhere;

    open_pair(net, &a, &b);
    transport_set_lost(a.transport, on_lost);
    netaddr_from_ip(&nowhere, SLICE("2001:db8::1"), 5060); /* from an IPv4 socket */
    assert_int_equal(send_to(&a, &nowhere, slice_of("first")), 0);
    transport_flush(a.transport);
    assert_int_equal(a.lost, 0); /* its sender is still at work */
    NET_WAIT(net, a.lost == 1);
    assert_int_equal(a.lost_error, EAFNOSUPPORT);
    assert_string_equal(a.lost_bytes, "first");
    end_close(&a);
    end_close(&b);
}

/* A datagram to a port that is bound, but hears only somebody else, comes back by ICMP. */
static void what_came_back_by_icmp_is_told_and_takes_nothing_with_it(void **state)
{
    static const char *const ips[] = {"127.0.0.1", "::1"};
    struct net *net = *state;

    for (size_t i = 0; i < COUNT_OF(ips); i++) {
        struct end a = {.received = 0}, b = {.received = 0};
        struct netaddr deaf, to;
        socklen_t len = sizeof(deaf);
        int fd;

        netaddr_from_ip(&deaf, slice_of(ips[i]), 0);
        fd = socket(deaf.sa.sa_family, SOCK_DGRAM, 0);
        assert_int_equal(bind(fd, &deaf.sa, netaddr_len(&deaf)), 0);
        assert_int_equal(getsockname(fd, &deaf.sa, &len), 0);
        assert_int_equal(connect(fd, &deaf.sa, netaddr_len(&deaf)), 0); /* hears only itself */
        end_listen(&a, TRANSPORT_INSIDE, SIP_UDP, ips[i]);
        end_listen(&b, TRANSPORT_INSIDE, SIP_UDP, ips[i]);
        end_open(&a, net, NULL);
        end_open(&b, net, NULL);
        transport_set_lost(a.transport, on_lost);
        to = end_addr(&b, 0);
        assert_int_equal(send_to(&a, &deaf, slice_of("first")), 0);
        assert_int_equal(send_to(&a, &to, net_message(0, 0)), 0);
        NET_WAIT(net, b.received == 1 && a.lost == 1);
        assert_int_equal(a.lost_error, ECONNREFUSED);
        assert_string_equal(a.lost_bytes, "first");
        assert_int_equal(send_to(&a, &to, net_message(1, 0)), 0);
        NET_WAIT(net, b.received == 2);
        assert_int_equal(a.lost, 1);
        end_close(&a);
        end_close(&b);
        close(fd);
    }
}

static void keep_alives_reach_nobody(void **state)
{
    static const struct slice table[] = {{"\r\n\r\n", 4}, {"\r\n", 2}, {"", 0}, {"\0\0\0\0", 4}};
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    for (size_t i = 0; i < COUNT_OF(table); i++)
        assert_int_equal(send_to(&a, &to, table[i]), 0);
    assert_int_equal(send_to(&a, &to, net_message(0, 0)), 0);
    NET_WAIT(net, b.received > 0);
    assert_int_equal(b.received, 1);
    assert_string_equal(b.last, net_message(0, 0).p);
    end_close(&a);
    end_close(&b);
}

static void the_largest_datagram_passes_and_no_larger_one(void **state)
{
    static char bytes[65508];
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;

    memset(bytes, 'x', sizeof(bytes));
    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    assert_int_equal(send_to(&a, &to, slice_make(bytes, 65508)), -EMSGSIZE);
    assert_int_equal(send_to(&a, &to, slice_make(bytes, 65507)), 0);
    NET_WAIT(net, b.received == 1);
    assert_int_equal(b.bytes, 65507);
    end_close(&a);
    end_close(&b);
}

static void sending_needs_a_udp_listener_of_this_transport(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;

    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_listen(&b, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.1");
    end_open(&a, net, NULL);
    end_open(&b, net, NULL);
    to = end_addr(&b, 0);
    assert_int_equal(send_to(&a, &to, net_message(0, 0)), -ENOENT);
    assert_int_equal(transport_send_udp(a.transport, &b.conf.listeners[0], &to, net_message(0, 0)),
                     -ENOENT);
    end_close(&a);
    end_close(&b);
}

static void the_sockets_go_on_after_stop_accepting(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};
    struct netaddr to;

    open_pair(net, &a, &b);
    to = end_addr(&b, 0);
    transport_stop_accepting(a.transport);
    transport_stop_accepting(b.transport);
    assert_int_equal(send_to(&a, &to, net_message(0, 0)), 0);
    NET_WAIT(net, b.received == 1);
    end_close(&a);
    end_close(&b);
}

static void listeners_are_found_by_side_transport_and_family(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0};
    const struct transport_listener *l = a.conf.listeners;

    end_listen(&a, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.1");
    end_listen(&a, TRANSPORT_INSIDE, SIP_TCP, "127.0.0.1");
    end_listen(&a, TRANSPORT_INSIDE, SIP_UDP, "::1");
    end_listen(&a, TRANSPORT_OUTSIDE, SIP_UDP, "127.0.0.3");
    end_open(&a, net, NULL);
    assert_ptr_equal(transport_listener_for(a.transport, TRANSPORT_INSIDE, SIP_UDP, AF_INET),
                     &l[0]);
    assert_ptr_equal(transport_listener_for(a.transport, TRANSPORT_INSIDE, SIP_UDP, AF_INET6),
                     &l[2]);
    assert_ptr_equal(transport_listener_for(a.transport, TRANSPORT_INSIDE, SIP_UDP, AF_UNSPEC),
                     &l[0]);
    assert_ptr_equal(transport_listener_for(a.transport, TRANSPORT_INSIDE, SIP_TCP, AF_INET6),
                     &l[1]);
    assert_null(transport_listener_for(a.transport, TRANSPORT_OUTSIDE, SIP_UDP, AF_INET6));
    assert_ptr_equal(transport_listener_for(a.transport, TRANSPORT_OUTSIDE, SIP_UDP, AF_INET),
                     &l[3]);
    assert_null(transport_listener_for(a.transport, TRANSPORT_OUTSIDE, SIP_TLS, AF_INET));
    end_close(&a);
}

static void two_workers_share_a_port(void **state)
{
    struct net *net = *state;
    struct end a = {.received = 0}, b = {.received = 0};

    end_listen(&a, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.1");
    end_open(&a, net, NULL);
    end_listen(&b, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.1");
    b.conf.listeners[0].bind = end_addr(&a, 0);
    end_open(&b, net, NULL);
    end_close(&a);
    end_close(&b);
}

static void an_address_that_cannot_be_bound_is_named(void **state)
{
    static const struct {
        const char *ip;
        enum sip_transport via;
        const char *why;
    } table[] = {
        {"192.0.2.1", SIP_UDP, "udp:192.0.2.1:0: cannot bind: Cannot assign requested address"},
        {"192.0.2.1", SIP_TCP, "tcp:192.0.2.1:0: cannot bind: Cannot assign requested address"},
        {"127.0.0.1", SIP_TLS, "a tls listener needs a certificate"},
        {"127.0.0.1", SIP_SCTP, "sctp:127.0.0.1:0: cannot serve SCTP: Protocol not supported"},
    };
    struct net *net = *state;

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct end a = {.received = 0};
        char why[TRANSPORT_MAX_WHY] = "";

        end_listen(&a, TRANSPORT_INSIDE, SIP_UDP, "127.0.0.1"); /* must be closed again */
        end_listen(&a, TRANSPORT_INSIDE, table[i].via, table[i].ip);
        assert_true(transport_open(&net->loop, net->timers, &a.conf, NULL, net->log, NULL, NULL,
                                   &a.transport, why) < 0);
        assert_null(a.transport);
        assert_string_equal(why, table[i].why);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_datagram_arrives_with_its_source),
        TEST(many_datagrams_leave_in_batches),
        TEST(flush_does_not_wait_for_the_loop),
        TEST(what_is_queued_leaves_before_closing),
        TEST(one_unsendable_datagram_loses_no_other),
        TEST(what_the_kernel_does_not_take_is_told),
        TEST(what_came_back_by_icmp_is_told_and_takes_nothing_with_it),
        TEST(keep_alives_reach_nobody),
        TEST(the_largest_datagram_passes_and_no_larger_one),
        TEST(sending_needs_a_udp_listener_of_this_transport),
        TEST(the_sockets_go_on_after_stop_accepting),
        TEST(listeners_are_found_by_side_transport_and_family),
        TEST(two_workers_share_a_port),
        TEST(an_address_that_cannot_be_bound_is_named),
    };

    return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
