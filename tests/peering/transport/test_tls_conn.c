/* Connections over TLS: proofs in both directions, refusals, reuse, alias, reload. */
#include "tests/test.h"

#include "base/status.h"
#include "tests/peering/transport/net.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Edges a (opa.example) and b (opb.example). */
struct pair {
    struct end a, b;
    struct tls_context *a_tls, *b_tls;
    struct netaddr a_addr, b_addr;
};

static void open_pair(struct net *net, struct pair *pair, struct tls_context *a_tls,
                      struct tls_context *b_tls)
{
    pair->a_tls = a_tls;
    pair->b_tls = b_tls;
    end_listen(&pair->a, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.1");
    end_listen(&pair->b, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.2");
    end_open(&pair->a, net, a_tls);
    end_open(&pair->b, net, b_tls);
    pair->a_addr = end_addr(&pair->a, 0);
    pair->b_addr = end_addr(&pair->b, 0);
}

static void open_good_pair(struct net *net, struct pair *pair)
{
    open_pair(net, pair, net_tls(net, &net->ca, "opa.example", "URI:sip:opa.example", "serverAuth"),
              net_tls(net, &net->ca, "opb.example", "URI:sip:opb.example,URI:sip:opc.example",
                      "serverAuth"));
}

static void close_pair(struct pair *pair)
{
    end_close(&pair->a);
    end_close(&pair->b);
    tls_context_unref(pair->a_tls);
    tls_context_unref(pair->b_tls);
}

static struct conn *a_to_b(struct pair *pair, const char *our_domain, const char *far_domain,
                           struct seen *seen)
{
    struct conn_key key = net_key(TRANSPORT_OUTSIDE, SIP_TLS, pair->b_addr, our_domain, far_domain);

    return net_connect(&pair->a, &key, seen);
}

static void both_sides_prove_their_domains(void **state)
{
    struct net *net = *state;
    struct pair pair = {.b = {.echo = true}};
    struct seen seen;
    struct conn *conn;

    open_good_pair(net, &pair);
    conn = a_to_b(&pair, "opa.example", "opb.example", &seen);
    assert_false(conn_proves(conn, "opb.example"));
    assert_string_equal(conn_proven_domain(conn), "");
    assert_int_equal(conn_send(conn, net_message(0, 100)), 0);
    NET_WAIT(net, pair.a.received == 1);
    assert_int_equal(seen.ready, 1);
    assert_int_equal(conn_state_of(conn), CONN_READY);
    assert_true(conn_proves(conn, "opb.example"));
    assert_true(conn_proves(conn, "opc.example"));
    assert_false(conn_proves(conn, "opa.example"));
    assert_string_equal(conn_proven_domain(conn), "opb.example");
    assert_string_equal(conn_our_domain(conn), "opa.example");

    assert_true(conn_is_accepted(pair.b.conn));
    assert_true(conn_proves(pair.b.conn, "opa.example"));
    assert_false(conn_proves(pair.b.conn, "opb.example"));
    assert_string_equal(conn_proven_domain(pair.b.conn), "opa.example");
    assert_string_equal(conn_our_domain(pair.b.conn), "opb.example");
    assert_int_equal(end_stats(&pair.a).peers, 1);
    assert_int_equal(end_stats(&pair.b).peers, 1);
    assert_int_equal(end_stats(&pair.b).handshakes, 1);
    assert_int_equal(end_stats(&pair.b).refused, 0);
    assert_int_equal(net_log_lines(net), 0);
    end_close(&pair.b);
    NET_WAIT(net, seen.closed == 1);
    assert_false(conn_proves(conn, "opb.example"));
    assert_int_equal(end_stats(&pair.a).peers, 0);
    conn_unref(conn);
    end_close(&pair.a);
    tls_context_unref(pair.a_tls);
    tls_context_unref(pair.b_tls);
}

static void what_one_turn_sends_is_one_record(void **state)
{
    struct net *net = *state;
    struct pair pair = {.b = {.received = 0}};
    struct conn *conn;
    uint64_t writes;

    open_good_pair(net, &pair);
    conn = a_to_b(&pair, "opa.example", "opb.example", NULL);
    NET_WAIT(net, conn_state_of(conn) == CONN_READY);
    writes = end_stats(&pair.a).writes;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(conn_send(conn, net_message(i, 50)), 0);
    NET_WAIT(net, pair.b.received == 100);
    assert_int_equal(pair.b.out_of_order, 0);
    assert_int_equal(end_stats(&pair.a).writes - writes, 1);
    conn_unref(conn);
    close_pair(&pair);
}

static void large_messages_pass_both_ways_at_once(void **state)
{
    struct net *net = *state;
    struct pair pair = {.b = {.echo = true}};
    struct conn *conn;

    open_good_pair(net, &pair);
    conn = a_to_b(&pair, "opa.example", "opb.example", NULL);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(conn_send(conn, net_message(i, 65000)), 0);
    NET_WAIT(net, pair.a.received == 16);
    assert_int_equal(pair.a.out_of_order + pair.b.out_of_order, 0);
    conn_unref(conn);
    close_pair(&pair);
}

/* ---- refusals ---- */

static void expect_log(struct net *net, const char *part)
{
    assert_int_equal(net_log_lines(net), 1);
    if (!strstr(net_log_text(net), part))
        fail_msg("\"%s\" lacks \"%s\"", net_log_text(net), part);
}

static void a_caller_without_proof_is_refused(void **state)
{
    static const struct {
        const char *our_domain, *alt; /* what the caller shows */
        bool known_ca;
        const char *sentence;
    } table[] = {
        {"", "URI:sip:opa.example", true, ": sent no certificate; it must show"},
        {"opa.example", "URI:sip:opa.example", false,
         ": certificate of opa.example was issued by CN=Strange CA, which is no trust anchor "
         "here; "},
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct net *net;
        struct pair pair = {.a = {.received = 0}};
        struct seen seen;
        struct conn *conn;

        net_setup((void **)&net);
        open_pair(net, &pair,
                  net_tls(net, table[i].known_ca ? &net->ca : &net->stranger, "opa.example",
                          table[i].alt, NULL),
                  net_tls(net, &net->ca, "opb.example", "URI:sip:opb.example", NULL));
        conn = a_to_b(&pair, table[i].our_domain, "opb.example", &seen);
        assert_int_equal(conn_send(conn, net_message(0, 0)), 0);
        NET_WAIT(net, seen.closed == 1);
        NET_WAIT(net, end_stats(&pair.b).refused == 1);
        assert_non_null(strstr(seen.why, "opb.example at 127.0.0.2:"));
        assert_non_null(strstr(seen.why, ": closed by the far side before it answered; "));
        assert_non_null(strstr(seen.why, table[i].our_domain[0]
                                             ? "may have refused our certificate of opa.example"
                                             : "may want a certificate, and none was shown"));
        expect_log(net, table[i].sentence);
        net_turns_for(net, 20);
        assert_int_equal(pair.b.received, 0);
        assert_int_equal(end_stats(&pair.b).received, 0);
        assert_int_equal(end_stats(&pair.b).peers, 0);
        assert_int_equal(end_stats(&pair.b).connections, 0);
        conn_unref(conn);
        close_pair(&pair);
        net_teardown((void **)&net);
    }
    (void)state;
}

static void a_far_side_without_proof_is_refused(void **state)
{
    static const struct {
        const char *domain, *alt; /* what the far side shows */
        bool known_ca;
        const char *sentence;
    } table[] = {
        {"opb.example", "URI:sip:opb.example", false,
         ": certificate was issued by CN=Strange CA, which is no trust anchor here; "},
        {"sip.opb.example", "DNS:sip.opb.example", true,
         ": certificate names sip.opb.example, but the SIP domain opb.example is required"},
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct net *net;
        struct pair pair = {.a = {.received = 0}};
        struct seen seen;
        struct conn *conn;

        net_setup((void **)&net);
        open_pair(net, &pair, net_tls(net, &net->ca, "opa.example", "URI:sip:opa.example", NULL),
                  net_tls(net, table[i].known_ca ? &net->ca : &net->stranger, table[i].domain,
                          table[i].alt, NULL));
        conn = a_to_b(&pair, "opa.example", "opb.example", &seen);
        assert_int_equal(conn_send(conn, net_message(0, 0)), 0);
        NET_WAIT(net, seen.closed == 1);
        assert_int_equal(seen.ready, 0);
        assert_non_null(strstr(seen.why, "opb.example at 127.0.0.2:"));
        assert_non_null(strstr(seen.why, table[i].sentence));
        expect_log(net, seen.why);
        assert_int_equal(end_stats(&pair.a).refused, 1);
        NET_WAIT(net, end_stats(&pair.b).connections == 0);
        assert_int_equal(pair.b.received, 0); /* nothing was sent to whom we do not know */
        conn_unref(conn);
        close_pair(&pair);
        net_teardown((void **)&net);
    }
    (void)state;
}

static void something_other_than_tls_is_no_handshake(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct netaddr plain;
    struct seen seen;
    struct conn *conn;
    struct conn_key key;
    char bytes[64];
    int fd, far;

    open_good_pair(net, &pair);
    fd = net_raw_connect(&pair.b_addr); /* plain SIP to a TLS listener */
    assert_int_equal(send(fd, "OPTIONS sip:x SIP/2.0\r\n\r\n", 25, 0), 25);
    NET_WAIT(net, end_stats(&pair.b).connections == 1);
    NET_WAIT(net, end_stats(&pair.b).connections == 0);
    assert_int_equal(pair.b.received, 0);
    close(fd);

    fd = net_raw_listen(&plain, 1); /* TLS to a plain listener */
    key = net_key(TRANSPORT_OUTSIDE, SIP_TLS, plain, "opa.example", "opb.example");
    conn = net_connect(&pair.a, &key, &seen);
    far = accept(fd, NULL, NULL);
    assert_int_equal(send(far, "SIP/2.0 400 What\r\n\r\n", 20, 0), 20);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, "opb.example at 127.0.0.1:"));
    assert_non_null(strstr(seen.why, ": TLS handshake failed: wrong version number"));
    conn_unref(conn);

    conn = net_connect(&pair.a, &key, &seen); /* closed instead of answered */
    assert_true(recv(far, bytes, sizeof(bytes), 0) > 0);
    close(far);
    far = accept(fd, NULL, NULL);
    close(far);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, ": TLS handshake failed: closed by the far side"));
    conn_unref(conn);
    close(fd);
    close_pair(&pair);
}

static void the_far_sides_alert_is_named(void **state)
{
    /* What an OpenSSL server that trusts nobody here answers to ClientHello: a fatal alert. */
    static const char alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x30};
    struct net *net = *state;
    struct end a = {.received = 0};
    struct tls_context *tls = net_tls(net, &net->ca, "opa.example", "URI:sip:opa.example", NULL);
    struct netaddr to;
    struct seen seen;
    struct conn_key key;
    struct conn *conn;
    int fd = net_raw_listen(&to, 1), far;

    end_listen(&a, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.1");
    end_open(&a, net, tls);
    key = net_key(TRANSPORT_OUTSIDE, SIP_TLS, to, "opa.example", "opb.example");
    conn = net_connect(&a, &key, &seen);
    far = accept(fd, NULL, NULL);
    assert_int_equal(send(far, alert, sizeof(alert), 0), sizeof(alert));
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, ": TLS handshake failed: tlsv1 alert unknown ca"));
    close(far);
    close(fd);
    conn_unref(conn);
    end_close(&a);
    tls_context_unref(tls);
}

static void a_handshake_must_be_finished(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.conf = {.connect_timeout_ms = 200}},
                        .b = {.conf = {.connect_timeout_ms = 200}}};
    struct netaddr silent;
    struct seen seen;
    struct conn_key key;
    struct conn *conn;
    char byte;
    int fd, far;

    open_good_pair(net, &pair);
    far = net_raw_listen(&silent, 5); /* outgoing: connected, never answered */
    key = net_key(TRANSPORT_OUTSIDE, SIP_TLS, silent, "opa.example", "opb.example");
    conn = net_connect(&pair.a, &key, &seen);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, ": the TLS handshake was not finished within 200 ms"));
    conn_unref(conn);
    close(far);

    fd = net_raw_connect(&pair.b_addr); /* accepted: never says anything */
    NET_WAIT(net, end_stats(&pair.b).connections == 1);
    NET_WAIT(net, end_stats(&pair.b).connections == 0);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    close_pair(&pair);
}

static int count_request(SSL *ssl, void *arg)
{
    (void)ssl;
    ++*(unsigned *)arg;
    return 1;
}

/* Does the listener ask its client for a certificate? */
static void client_certificates_are_asked_for_outside_only(void **state)
{
    struct net *net = *state;
    struct end edge = {.received = 0};
    struct tls_context *tls = net_tls(net, &net->ca, "opa.example", "URI:sip:opa.example", NULL);
    const enum transport_side sides[] = {TRANSPORT_INSIDE, TRANSPORT_OUTSIDE};

    for (size_t i = 0; i < 2; i++)
        end_listen(&edge, sides[i], SIP_TLS, "127.0.0.1");
    end_open(&edge, net, tls);
    for (size_t i = 0; i < 2; i++) {
        struct netaddr to = end_addr(&edge, i);
        SSL *ssl = tls_connect(tls, "opa.example", "opa.example");
        unsigned requests = 0;
        int fd = net_raw_connect(&to), on = 1;

        ioctl(fd, FIONBIO, &on);
        SSL_set_fd(ssl, fd);
        SSL_set_cert_cb(ssl, count_request, &requests);
        NET_WAIT(net, SSL_do_handshake(ssl) == 1);
        assert_int_equal(requests, sides[i] == TRANSPORT_OUTSIDE);
        SSL_free(ssl);
        close(fd);
    }
    end_close(&edge);
    tls_context_unref(tls);
}

static void inside_tls_proves_no_caller(void **state)
{
    struct net *net = *state;
    struct end core = {.received = 0}, edge = {.echo = true};
    struct tls_context *core_tls =
        net_tls(net, &net->stranger, "core.example", "DNS:core.example", NULL);
    struct tls_context *edge_tls =
        net_tls(net, &net->ca, "opa.example", "URI:sip:opa.example", NULL);
    struct conn_key key;
    struct seen seen;
    struct conn *conn;

    end_listen(&core, TRANSPORT_INSIDE, SIP_TLS, "127.0.0.1");
    end_listen(&edge, TRANSPORT_INSIDE, SIP_TLS, "127.0.0.2");
    end_open(&core, net, core_tls);
    end_open(&edge, net, edge_tls);
    key = net_key(TRANSPORT_INSIDE, SIP_TLS, end_addr(&edge, 0), "core.example", "opa.example");
    conn = net_connect(&core, &key, &seen);
    conn_send(conn, net_message(0, 0));
    NET_WAIT(net, core.received == 1);
    assert_string_equal(conn_proven_domain(edge.conn), "");
    assert_false(conn_proves(edge.conn, "core.example"));
    assert_int_equal(end_stats(&edge).peers, 0);
    conn_watch_remove(&seen.watch);
    conn_unref(conn);

    /* the other way the core's certificate is judged */
    key = net_key(TRANSPORT_INSIDE, SIP_TLS, end_addr(&core, 0), "", "core.example");
    conn = net_connect(&edge, &key, &seen);
    NET_WAIT(net, seen.closed == 1);
    assert_non_null(strstr(seen.why, "issued by CN=Strange CA"));
    conn_unref(conn);
    end_close(&core);
    end_close(&edge);
    tls_context_unref(core_tls);
    tls_context_unref(edge_tls);
}

/* ---- keys ---- */

static void a_connection_serves_its_own_far_domain_only(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct seen seen[3];
    struct conn *opb, *opc, *opd, *again;

    open_good_pair(net, &pair);
    opb = a_to_b(&pair, "opa.example", "opb.example", &seen[0]);
    NET_WAIT(net, seen[0].ready == 1);
    again = a_to_b(&pair, "opa.example", "opb.example", NULL);
    assert_ptr_equal(opb, again);
    conn_unref(again);
    opc =
        a_to_b(&pair, "opa.example", "opc.example", &seen[1]); /* same address, same certificate */
    assert_ptr_not_equal(opb, opc);
    opd = a_to_b(&pair, "opa.example", "opd.example", &seen[2]); /* not proven there */
    assert_ptr_not_equal(opb, opd);
    NET_WAIT(net, seen[1].ready == 1 && seen[2].closed == 1);
    assert_non_null(strstr(seen[2].why, "certificate names opb.example, opc.example, but the SIP "
                                        "domain opd.example is required"));
    assert_string_equal(conn_proven_domain(opc), "opc.example");
    again = a_to_b(&pair, "", "opb.example", NULL); /* another domain of ours */
    assert_ptr_not_equal(opb, again);
    conn_unref(again);
    assert_int_equal(end_stats(&pair.a).connections, 3);
    conn_watch_remove(&seen[0].watch);
    conn_watch_remove(&seen[1].watch);
    conn_unref(opb);
    conn_unref(opc);
    conn_unref(opd);
    close_pair(&pair);
}

static void our_domain_needs_a_certificate(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct conn_key key;
    struct conn *conn = NULL;

    open_good_pair(net, &pair);
    key = net_key(TRANSPORT_OUTSIDE, SIP_TLS, pair.b_addr, "opx.example", "opb.example");
    assert_int_equal(transport_connect(pair.a.transport, &key, &conn), STATUS_NOTFOUND);
    assert_null(conn);
    net_turn(net);
    assert_int_equal(end_stats(&pair.a).connections, 0);
    close_pair(&pair);
}

static void an_alias_is_used_backward(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct conn_key back;
    struct conn *conn, *found;

    open_good_pair(net, &pair);
    conn = a_to_b(&pair, "opa.example", "opb.example", NULL);
    conn_send(conn, net_message(0, 0));
    NET_WAIT(net, pair.b.received == 1);
    back = net_key(TRANSPORT_OUTSIDE, SIP_TLS, pair.a_addr, "opb.example", "opa.example");

    /* not offered: a new connection is opened */
    found = net_connect(&pair.b, &back, NULL);
    assert_ptr_not_equal(found, pair.b.conn);
    NET_WAIT(net, conn_state_of(found) == CONN_READY);
    conn_unref(found);

    netaddr_set_port(&back.addr, 5099); /* the Via's sent-by port */
    conn_offer_alias(pair.b.conn, "opa.example", &back.addr);
    conn_offer_alias(pair.b.conn, "opa.example", &back.addr);
    found = net_connect(&pair.b, &back, NULL);
    assert_ptr_equal(found, pair.b.conn);
    assert_int_equal(conn_send(found, net_message(0, 0)), 0);
    NET_WAIT(net, pair.a.received == 1);
    assert_ptr_equal(pair.a.conn, conn);
    conn_unref(found);

    snprintf(back.our_domain, sizeof(back.our_domain), "opc.example"); /* we showed opb's */
    assert_int_equal(transport_connect(pair.b.transport, &back, &found), STATUS_NOTFOUND);
    conn_unref(conn);
    close_pair(&pair);
}

static void an_alias_needs_proof_and_the_peers_own_address(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct netaddr elsewhere, other_port;
    struct conn_key key[3];
    struct conn *conn, *found;

    open_good_pair(net, &pair);
    conn = a_to_b(&pair, "opa.example", "opb.example", NULL);
    conn_send(conn, net_message(0, 0));
    NET_WAIT(net, pair.b.received == 1);
    netaddr_from_ip(&elsewhere, SLICE("127.0.0.9"), 5061);
    other_port = pair.b_addr;
    netaddr_set_port(&other_port, 5099);

    conn_offer_alias(pair.b.conn, "opx.example", &pair.a_addr); /* not proven */
    key[0] = net_key(TRANSPORT_OUTSIDE, SIP_TLS, pair.a_addr, "opb.example", "opx.example");
    conn_offer_alias(pair.b.conn, "opa.example", &elsewhere); /* another host's calls */
    key[1] = net_key(TRANSPORT_OUTSIDE, SIP_TLS, elsewhere, "opb.example", "opa.example");
    conn_offer_alias(conn, "opb.example", &other_port); /* we opened it: it has its key */
    key[2] = net_key(TRANSPORT_OUTSIDE, SIP_TLS, other_port, "opa.example", "opb.example");
    for (size_t i = 0; i < COUNT_OF(key); i++) {
        found = net_connect(i < 2 ? &pair.b : &pair.a, &key[i], NULL);
        assert_ptr_not_equal(found, i < 2 ? pair.b.conn : conn);
        conn_unref(found);
    }
    conn_unref(conn);
    close_pair(&pair);
}

static void the_newest_alias_wins(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct conn_key back;
    struct seen seen;
    struct conn *opened[2], *found;

    open_good_pair(net, &pair);
    back = net_key(TRANSPORT_OUTSIDE, SIP_TLS, pair.a_addr, "opb.example", "opa.example");
    netaddr_set_port(&back.addr, 5099);
    for (int i = 0; i < 2; i++) {
        opened[i] = a_to_b(&pair, "opa.example", i ? "opc.example" : "opb.example", NULL);
        conn_send(opened[i], net_message(0, 0));
        NET_WAIT(net, pair.b.received == (size_t)i + 1);
        conn_offer_alias(pair.b.conn, "opa.example", &back.addr);
        found = net_connect(&pair.b, &back, NULL);
        assert_ptr_equal(found, pair.b.conn);
        conn_unref(found);
    }
    seen_watch(&seen, pair.b.conn);
    end_close(&pair.a); /* the accepted ones end, their aliases with them */
    NET_WAIT(net, seen.closed == 1);
    found = net_connect(&pair.b, &back, NULL);
    assert_ptr_not_equal(found, pair.b.conn);
    conn_unref(found);
    conn_unref(opened[0]);
    conn_unref(opened[1]);
    end_close(&pair.b);
    tls_context_unref(pair.a_tls);
    tls_context_unref(pair.b_tls);
}

/* ---- certificates in use ---- */

static void a_new_context_is_for_new_connections(void **state)
{
    struct net *net = *state;
    struct pair pair = {.b = {.echo = true}};
    struct tls_context *renewed;
    struct seen seen;
    struct conn *old, *fresh;

    open_good_pair(net, &pair);
    old = a_to_b(&pair, "opa.example", "opb.example", NULL);
    conn_send(old, net_message(0, 0));
    NET_WAIT(net, pair.a.received == 1);
    renewed = net_tls(net, &net->ca, "opz.example", "URI:sip:opz.example", NULL);
    transport_set_tls(pair.b.transport, renewed);
    tls_context_unref(renewed);
    conn_send(old, net_message(1, 0)); /* lives on with what it proved */
    NET_WAIT(net, pair.a.received == 2);
    assert_true(conn_proves(old, "opb.example"));
    fresh = a_to_b(&pair, "opa.example", "opz.example", &seen);
    NET_WAIT(net, seen.ready == 1);
    assert_true(conn_proves(fresh, "opz.example"));
    conn_watch_remove(&seen.watch);
    conn_unref(old);
    conn_unref(fresh);
    close_pair(&pair);
}

static void the_name_asked_for_picks_the_certificate(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct cert one = cert_make(&(struct cert_spec){.cn = "x", .alt = "DNS:one.example"}, &net->ca);
    struct cert two = cert_make(&(struct cert_spec){.cn = "x", .alt = "DNS:two.example"}, &net->ca);
    char file[5][128], why[TLS_MAX_WHY];
    struct tls_certificate_conf certificates[] = {{"one.example", file[0], file[1], NULL},
                                                  {"two.example", file[2], file[3], NULL}};
    struct tls_context *tls = NULL;

    for (size_t i = 0; i < COUNT_OF(file); i++)
        snprintf(file[i], sizeof(file[i]), "%s/%zu.pem", net->dir, i);
    cert_write(&one, NULL, file[0], file[1]);
    cert_write(&two, NULL, file[2], file[3]);
    cert_write(&net->ca, NULL, file[4], NULL);
    assert_int_equal(tls_context_load(&(struct tls_conf){.certificates = certificates,
                                                         .certificate_count = 2,
                                                         .anchors_file = file[4]},
                                      &tls, why),
                     0);
    open_pair(net, &pair, net_tls(net, &net->ca, "opa.example", "DNS:opa.example", NULL), tls);
    for (size_t i = 0; i < 2; i++) {
        struct conn *conn = a_to_b(&pair, "opa.example", certificates[i].domain, NULL);

        conn_send(conn, net_message((unsigned)i, 0));
        NET_WAIT(net, pair.b.received == i + 1);
        assert_string_equal(conn_our_domain(pair.b.conn), certificates[i].domain);
        conn_unref(conn);
    }
    for (size_t i = 0; i < COUNT_OF(file); i++)
        unlink(file[i]);
    cert_free(&one);
    cert_free(&two);
    close_pair(&pair);
}

static void old_versions_and_resumption_are_off(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct conn *conn;
    SSL *ssl;

    open_good_pair(net, &pair);
    ssl = tls_accept(pair.b_tls, true);
    assert_int_equal(SSL_get_min_proto_version(ssl), TLS1_2_VERSION);
    assert_true(SSL_get_options(ssl) & SSL_OP_NO_TICKET);
    assert_true(SSL_get_options(ssl) & SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_get_num_tickets(ssl), 0);
    assert_int_equal(SSL_CTX_get_session_cache_mode(SSL_get_SSL_CTX(ssl)), SSL_SESS_CACHE_OFF);
    assert_int_equal(SSL_get_verify_mode(ssl), SSL_VERIFY_PEER);
    SSL_free(ssl);
    ssl = tls_accept(pair.b_tls, false);
    assert_int_equal(SSL_get_verify_mode(ssl), SSL_VERIFY_NONE);
    SSL_free(ssl);
    conn = a_to_b(&pair, "opa.example", "opb.example", NULL);
    conn_unref(conn);
    close_pair(&pair); /* while it connects */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(both_sides_prove_their_domains),
        TEST(what_one_turn_sends_is_one_record),
        TEST(large_messages_pass_both_ways_at_once),
        cmocka_unit_test(a_caller_without_proof_is_refused),
        cmocka_unit_test(a_far_side_without_proof_is_refused),
        TEST(something_other_than_tls_is_no_handshake),
        TEST(the_far_sides_alert_is_named),
        TEST(a_handshake_must_be_finished),
        TEST(client_certificates_are_asked_for_outside_only),
        TEST(inside_tls_proves_no_caller),
        TEST(a_connection_serves_its_own_far_domain_only),
        TEST(our_domain_needs_a_certificate),
        TEST(an_alias_is_used_backward),
        TEST(an_alias_needs_proof_and_the_peers_own_address),
        TEST(the_newest_alias_wins),
        TEST(a_new_context_is_for_new_connections),
        TEST(the_name_asked_for_picks_the_certificate),
        TEST(old_versions_and_resumption_are_off),
    };

    return cmocka_run_group_tests_name("tls_conn", tests, NULL, NULL);
}
