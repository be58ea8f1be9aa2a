/* Verdicts: what a table of trust says is believed, per identity, in time, and no longer. */
#include "tests/test.h"

#include "base/status.h"
#include "tests/peering/transport/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DOMAINS_MAX 4

/* What one transport is told about a domain. */
struct said {
    const char *domain;
    enum trust_say say;
    uint32_t ttl_s;
    bool late; /* not before it is let go */
    struct trust_peer peer;
    int peer_status, ask_status;
};

struct trust_asking {
    struct oracle *oracle;
    struct trust_question question;
    struct timer timer;
    struct list link;
};

struct oracle {
    struct net *net;
    struct said said[DOMAINS_MAX];
    struct transport_trust table;
    struct list waiting;
    unsigned asked, cancelled, strangers;
    char host[256]; /* of the last question */
    uint16_t port;
};

static struct said *said_of(struct oracle *oracle, const char *domain)
{
    for (size_t i = 0; i < DOMAINS_MAX; i++)
        if (oracle->said[i].domain && strcmp(oracle->said[i].domain, domain) == 0)
            return &oracle->said[i];
    fail_msg("%s was not expected", domain);
    return NULL;
}

static void answer(struct trust_asking *asking)
{
    const struct said *said = said_of(asking->oracle, asking->question.domain);
    const struct trust_answer answer = {said->say, said->ttl_s, "nobody answers"};
    struct trust_question question = asking->question;

    list_remove(&asking->link);
    free(asking);
    question.done(&answer, question.arg);
}

static void on_due(void *arg)
{
    struct trust_asking *asking = arg;

    if (said_of(asking->oracle, asking->question.domain)->late)
        list_append(&asking->oracle->waiting, &asking->link);
    else
        answer(asking);
}

static void let_go(struct oracle *oracle)
{
    struct list *link;

    for (size_t i = 0; i < DOMAINS_MAX; i++)
        oracle->said[i].late = false;
    while ((link = list_first(&oracle->waiting)))
        answer(container_of(link, struct trust_asking, link));
}

static int oracle_ask(const struct trust_question *question, struct trust_asking **asking,
                      void *arg)
{
    struct oracle *oracle = arg;
    struct trust_asking *made;

    if (said_of(oracle, question->domain)->ask_status != 0)
        return said_of(oracle, question->domain)->ask_status;
    made = calloc(1, sizeof(*made));
    assert_non_null(made);
    made->oracle = oracle;
    made->question = *question;
    list_init(&made->link);
    timer_init(&made->timer);
    timer_start(oracle->net->timers, &made->timer, uv_now(&oracle->net->loop), on_due, made);
    oracle->asked++;
    oracle->strangers += question->is_stranger;
    snprintf(oracle->host, sizeof(oracle->host), "%s", question->host);
    oracle->port = question->port;
    *asking = made;
    return 0;
}

static void oracle_cancel(struct trust_asking *asking)
{
    asking->oracle->cancelled++;
    timer_stop(asking->oracle->net->timers, &asking->timer);
    list_remove(&asking->link);
    free(asking);
}

static int oracle_peer(const char *domain, struct trust_peer *peer, void *arg)
{
    const struct said *said = said_of(arg, domain);

    *peer = said->peer;
    return said->peer_status;
}

/* ---- edges a and b ---- */

struct pair {
    struct end a, b;
    struct tls_context *a_tls, *b_tls;
    struct oracle a_oracle, b_oracle;
};

static void oracle_set_up(struct oracle *oracle, struct net *net)
{
    oracle->net = net;
    list_init(&oracle->waiting);
    oracle->table = (struct transport_trust){oracle_ask, oracle_cancel, oracle_peer, oracle};
}

/* `by`: who issued the certificates of a, which names opa.example and opx.example, and of b. */
static struct pair *pair_open(struct net *net, const struct cert *by)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    assert_non_null(pair);
    pair->a_tls = net_tls(net, by, "opa.example", "URI:sip:opa.example,URI:sip:opx.example", NULL);
    pair->b_tls = net_tls(net, by, "opb.example", "URI:sip:opb.example,URI:sip:opy.example", NULL);
    oracle_set_up(&pair->a_oracle, net);
    oracle_set_up(&pair->b_oracle, net);
    pair->a_oracle.said[0] = (struct said){.domain = "opb.example", .say = TRUST_FITS, .ttl_s = 60};
    pair->b_oracle.said[0] = (struct said){.domain = "opa.example", .say = TRUST_FITS, .ttl_s = 60};
    pair->b_oracle.said[1] =
        (struct said){.domain = "opx.example", .say = TRUST_ANCHORS, .ttl_s = 60};
    end_listen(&pair->a, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.1");
    end_listen(&pair->b, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.2");
    end_open(&pair->a, net, pair->a_tls);
    end_open(&pair->b, net, pair->b_tls);
    transport_set_trust(pair->a.transport, &pair->a_oracle.table);
    transport_set_trust(pair->b.transport, &pair->b_oracle.table);
    return pair;
}

static void pair_close(struct pair *pair)
{
    end_close(&pair->a);
    end_close(&pair->b);
    tls_context_unref(pair->a_tls);
    tls_context_unref(pair->b_tls);
    free(pair);
}

static struct conn_key key_to_b(const struct pair *pair)
{
    struct conn_key key =
        net_key(TRANSPORT_OUTSIDE, SIP_TLS, end_addr(&pair->b, 0), "opa.example", "opb.example");

    snprintf(key.far_host, sizeof(key.far_host), "edge.opb.example");
    return key;
}

static struct conn *a_to_b(struct pair *pair, struct seen *seen)
{
    struct conn_key key = key_to_b(pair);

    return net_connect(&pair->a, &key, seen);
}

/* A message passes, so both have their verdict. */
static struct conn *connected(struct net *net, struct pair *pair, struct seen *seen)
{
    struct conn *conn = a_to_b(pair, seen);

    assert_int_equal(conn_send(conn, net_message((unsigned)pair->b.received, 10)), 0);
    NET_WAIT(net, pair->b.received == 1);
    assert_int_equal(seen->ready, 1);
    return conn;
}

/* ---- the verdict ---- */

static void keys_in_dns_prove_the_one_domain_that_they_are_of(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, NULL); /* self-signed */
    struct seen seen;
    struct conn *conn = connected(net, pair, &seen);

    assert_true(conn_proves(conn, "opb.example"));
    assert_false(conn_proves(conn, "opy.example"));
    assert_true(conn_proves(pair->b.conn, "opa.example"));
    assert_false(conn_proves(pair->b.conn, "opx.example"));
    assert_string_equal(pair->a_oracle.host, "edge.opb.example");
    assert_int_equal(pair->a_oracle.port, netaddr_port(conn_peer_addr(conn)));
    assert_string_equal(pair->b_oracle.host, "");
    assert_int_equal(pair->a_oracle.strangers, 0); /* it was we who called */
    assert_int_equal(pair->b_oracle.strangers, 2);
    conn_unref(conn);
    pair_close(pair);
}

static void a_ca_proves_what_dns_is_silent_about(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn;

    pair->b_oracle.said[0].say = TRUST_MISFITS;
    conn = connected(net, pair, &seen);
    assert_int_equal(pair->b_oracle.strangers, 0);
    assert_true(conn_proves(pair->b.conn, "opx.example"));
    assert_false(conn_proves(pair->b.conn, "opa.example")); /* no fall-back to CAs */
    assert_string_equal(conn_proven_domain(pair->b.conn), "opx.example");
    conn_unref(conn);
    pair_close(pair);
}

static void a_far_side_that_is_not_proven_is_refused_with_the_reason(void **state)
{
    static const struct {
        struct said said; /* of opb.example, to a */
        bool self_signed;
        const char *why;
    } table[] = {
        {{.say = TRUST_MISFITS, .ttl_s = 9}, false, "validated TLSA records of opb.example"},
        {{.say = TRUST_UNKNOWN},
         false,
         "could not be found out, so its certificate proves nothing"
         " now: nobody answers"},
        {{.say = TRUST_ANCHORS, .ttl_s = 9}, true, "is self-signed"},
        {{.say = TRUST_ANCHORS, .ttl_s = 9},
         true,
         "; DNS names no keys of opb.example, which would do too"},
        {{.say = TRUST_FITS, .ttl_s = 9, .peer = {.blocked = true}},
         false,
         "opb.example is blocked"},
        {{.say = TRUST_FITS, .ttl_s = 9, .peer = {.pin_count = 1}},
         false,
         "changed it, and if so give the new one too: junctor peer set opb.example --pin "},
        {{.say = TRUST_FITS, .ttl_s = 9, .peer_status = -EIO}, false, "directory cannot be read"},
        {{.say = TRUST_FITS, .ttl_s = 9, .ask_status = -EAGAIN},
         false,
         "too many such questions are under way; see who connects"},
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct net *net = *state;
        struct pair *pair = pair_open(net, table[i].self_signed ? NULL : &net->ca);
        struct seen seen;
        struct conn *conn;

        pair->a_oracle.said[0] = table[i].said;
        pair->a_oracle.said[0].domain = "opb.example";
        conn = a_to_b(pair, &seen);
        assert_int_equal(conn_send(conn, net_message(0, 10)), 0);
        NET_WAIT(net, seen.closed == 1);
        if (!strstr(seen.why, table[i].why))
            fail_msg("\"%s\" lacks \"%s\"", seen.why, table[i].why);
        assert_int_equal(seen.ready, 0);
        assert_int_equal(pair->b.received, 0);
        assert_int_equal(end_stats(&pair->a).refused, 1);
        assert_int_equal(end_stats(&pair->a).peers, 0);
        conn_unref(conn);
        pair_close(pair);
    }
}

static void a_pinned_key_is_believed_where_it_is_proven(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct trust_peer *peer = &pair->a_oracle.said[0].peer;
    SSL *ssl = tls_connect(pair->b_tls, "opb.example", "opa.example");
    struct seen seen;

    peer->pin_count = 2;
    assert_int_equal(tls_key_hash(SSL_get_certificate(ssl), peer->pins[1]), 0);
    SSL_free(ssl);
    conn_unref(connected(net, pair, &seen));
    pair_close(pair);
}

/* Certificates that nobody vouches for could aim our questions at whom they name. */
static void few_names_of_a_certificate_without_anchor_are_asked_about(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, NULL);
    struct tls_context *many =
        net_tls(net, NULL, "opa.example",
                "URI:sip:opa.example,URI:sip:b.example,URI:sip:c.example,URI:sip:d.example,"
                "URI:sip:e.example,URI:sip:f.example",
                NULL);
    static const char *const names[] = {"opa.example", "b.example", "c.example", "d.example"};
    struct seen seen;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        pair->b_oracle.said[i] = (struct said){.domain = names[i], .say = TRUST_FITS, .ttl_s = 60};
    transport_set_tls(pair->a.transport, many);
    conn_unref(connected(net, pair, &seen));
    assert_int_equal(pair->b_oracle.asked, 4);
    assert_true(conn_proves(pair->b.conn, "d.example"));
    assert_false(conn_proves(pair->b.conn, "e.example"));
    tls_context_unref(many);
    pair_close(pair);
}

static void no_byte_is_parsed_before_the_verdict(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn;

    pair->b_oracle.said[0].late = true;
    conn = a_to_b(pair, &seen);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(conn_send(conn, net_message(i, 20000)), 0);
    NET_WAIT(net, seen.ready == 1 && !list_is_empty(&pair->b_oracle.waiting));
    net_turns_for(net, 50);
    assert_int_equal(pair->b.received, 0);
    assert_int_equal(end_stats(&pair->b).peers, 0);
    let_go(&pair->b_oracle);
    NET_WAIT(net, pair->b.received == 3);
    assert_int_equal(pair->b.out_of_order, 0);
    assert_int_equal(end_stats(&pair->b).peers, 1);
    conn_unref(conn);
    pair_close(pair);
}

static void a_verdict_is_bounded_by_the_connect_timeout(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn;

    pair->a_oracle.said[0].late = true;
    conn = a_to_b(pair, &seen);
    NET_WAIT(net, seen.closed == 1); /* after 3 s */
    assert_non_null(strstr(seen.why, "no answer from DNS in time"));
    assert_int_equal(pair->a_oracle.cancelled, 1);
    conn_unref(conn);
    pair_close(pair);
}

static void a_connection_that_ends_asks_nobody_any_more(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn;

    pair->a_oracle.said[0].late = pair->b_oracle.said[0].late = pair->b_oracle.said[1].late = true;
    conn = a_to_b(pair, &seen);
    NET_WAIT(net,
             !list_is_empty(&pair->a_oracle.waiting) && !list_is_empty(&pair->b_oracle.waiting));
    conn_unref(conn);
    end_close(&pair->a);
    end_close(&pair->b);
    assert_int_equal(pair->a_oracle.cancelled, 1);
    assert_int_equal(pair->b_oracle.cancelled, 2);
    tls_context_unref(pair->a_tls);
    tls_context_unref(pair->b_tls);
    free(pair);
}

/* ---- its end ---- */

/* TTLs of 1 s, the shortest that counts. */
static struct conn *connected_briefly(struct net *net, struct pair *pair, struct seen *seen)
{
    struct conn *conn;

    for (size_t i = 0; i < DOMAINS_MAX; i++)
        pair->a_oracle.said[i].ttl_s = pair->b_oracle.said[i].ttl_s = 1;
    conn = connected(net, pair, seen);
    assert_true(conn_is_open(conn));
    net_turns_for(net, 1100);
    return conn;
}

static void a_request_waits_for_the_verdict_to_be_renewed(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct conn_key key = key_to_b(pair);
    struct seen seen, again;
    struct conn *conn = connected_briefly(net, pair, &seen), *same;
    unsigned asked = pair->a_oracle.asked;

    same = net_connect(&pair->a, &key, &again);
    assert_ptr_equal(same, conn);
    assert_false(conn_is_open(conn));
    assert_int_equal(conn_state_of(conn), CONN_READY);
    NET_WAIT(net, again.ready == 1);
    assert_true(conn_is_open(conn));
    assert_int_equal(seen.ready, 1); /* who was told is not told again */
    assert_int_equal(pair->a_oracle.asked, asked + 1);
    conn_unref(conn);
    conn_unref(same);
    pair_close(pair);
}

static void messages_wait_for_the_verdict_to_be_renewed(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn = connected_briefly(net, pair, &seen);

    pair->b_oracle.said[0].late = true;
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(conn_send(conn, net_message(i, 20000)), 0);
    NET_WAIT(net, !list_is_empty(&pair->b_oracle.waiting));
    assert_int_equal(pair->b.received, 1);
    let_go(&pair->b_oracle);
    NET_WAIT(net, pair->b.received == 4);
    assert_int_equal(pair->b.out_of_order, 0);
    conn_unref(conn);
    pair_close(pair);
}

static void what_is_not_proven_any_more_ends_the_connection(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn = connected_briefly(net, pair, &seen);

    pair->b_oracle.said[0].say = TRUST_MISFITS;
    pair->b_oracle.said[1].peer.blocked = true;
    assert_int_equal(conn_send(conn, net_message(1, 10)), 0);
    NET_WAIT(net, seen.closed == 1);
    assert_int_equal(pair->b.received, 1);
    assert_int_equal(end_stats(&pair->b).peers, 0);
    conn_unref(conn);
    pair_close(pair);
}

static void one_identity_can_fall_away(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn = connected_briefly(net, pair, &seen);

    assert_true(conn_proves(pair->b.conn, "opa.example"));
    pair->b_oracle.said[0].say = TRUST_MISFITS;
    assert_int_equal(conn_send(conn, net_message(1, 10)), 0);
    NET_WAIT(net, pair->b.received == 2);
    assert_false(conn_proves(pair->b.conn, "opa.example"));
    assert_true(conn_proves(pair->b.conn, "opx.example"));
    conn_unref(conn);
    pair_close(pair);
}

/* What b would call a back by: the port of its Via. */
static struct conn_key key_back(const struct pair *pair)
{
    struct conn_key key = net_key(TRANSPORT_OUTSIDE, SIP_TLS, *conn_peer_addr(pair->b.conn),
                                  "opb.example", "opa.example");

    netaddr_set_port(&key.addr, 5099);
    return key;
}

static struct conn *connected_with_alias(struct net *net, struct pair *pair, struct seen *seen)
{
    struct conn *conn = connected_briefly(net, pair, seen);
    struct conn_key back = key_back(pair);

    conn_offer_alias(pair->b.conn, "opa.example", &back.addr);
    return conn;
}

static void an_alias_goes_with_the_identity_that_it_was_offered_for(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen, back;
    struct conn *conn = connected_with_alias(net, pair, &seen), *waits, *other;
    struct conn_key key = key_back(pair);

    pair->b_oracle.said[0].say = TRUST_MISFITS;
    waits = net_connect(&pair->b, &key, &back);
    assert_ptr_equal(waits, pair->b.conn); /* as yet, and it is being looked at */
    NET_WAIT(net, back.ready == 1);
    assert_false(conn_proves(waits, "opa.example"));
    assert_true(conn_proves(waits, "opx.example"));
    other = net_connect(&pair->b, &key, NULL);
    assert_ptr_not_equal(other, waits);
    conn_unref(other);
    conn_unref(waits);
    conn_unref(conn);
    pair_close(pair);
}

static void an_alias_that_is_found_without_its_identity_is_passed_over(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn = connected_with_alias(net, pair, &seen), *other;
    struct conn_key key = key_back(pair);

    pair->b_oracle.said[0].peer.blocked = true; /* both are known at once */
    pair->b_oracle.said[1].ask_status = -EAGAIN;
    other = net_connect(&pair->b, &key, NULL);
    assert_ptr_not_equal(other, pair->b.conn);
    assert_true(conn_proves(pair->b.conn, "opx.example"));
    conn_unref(other);
    conn_unref(conn);
    pair_close(pair);
}

static void without_answers(struct pair *pair)
{
    pair->a_oracle.said[0].say = TRUST_UNKNOWN;
    pair->b_oracle.said[0].late = true; /* does not even say so */
}

/* An outage of DNS ends no connection; the chain is judged without it. */
static void what_an_anchor_vouches_for_holds_while_dns_cannot_be_asked(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct conn_key key = key_to_b(pair);
    struct seen seen, again;
    struct conn *conn, *same;

    pair->a_oracle.said[0].say = pair->b_oracle.said[0].say = TRUST_ANCHORS;
    conn = connected_briefly(net, pair, &seen);
    without_answers(pair);
    same = net_connect(&pair->a, &key, &again);
    NET_WAIT(net, again.ready == 1);
    assert_int_equal(conn_send(conn, net_message(1, 10)), 0);
    NET_WAIT(net, pair->b.received == 2);
    assert_true(conn_proves(conn, "opb.example"));
    assert_true(conn_proves(pair->b.conn, "opa.example"));
    conn_unref(conn);
    conn_unref(same);
    pair_close(pair);
}

/* a has a connection whose proof, by keys in DNS, is over and cannot be renewed. */
static struct conn *connected_and_lapsed(struct net *net, struct pair *pair, struct seen *seen)
{
    struct conn_key key = key_to_b(pair);
    struct seen again;
    struct conn *conn = connected_briefly(net, pair, seen), *same;

    without_answers(pair);
    same = net_connect(&pair->a, &key, &again);
    assert_ptr_equal(same, conn);
    NET_WAIT(net, again.ready == 1);
    conn_watch_remove(&again.watch);
    conn_unref(same);
    return conn;
}

static void what_keys_in_dns_proved_lapses_while_dns_cannot_be_asked(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct conn_key key = key_to_b(pair);
    struct seen seen;
    struct conn *conn = connected_and_lapsed(net, pair, &seen), *other = NULL;

    assert_false(conn_proves(conn, "opb.example"));
    assert_true(conn_holds(conn, "opb.example"));
    assert_false(conn_holds(conn, "opy.example"));
    assert_int_equal(transport_connect(pair->a.transport, &key, &other), STATUS_UNPROVEN);
    assert_null(other);
    key.under_way = true;
    assert_int_equal(transport_connect(pair->a.transport, &key, &other), 0);
    assert_ptr_equal(other, conn);
    assert_int_equal(conn_send(other, net_message(1, 10)), 0);
    NET_WAIT(net, pair->b.received == 2);
    assert_false(conn_proves(pair->b.conn, "opa.example"));
    assert_true(conn_holds(pair->b.conn, "opa.example"));
    assert_string_equal(conn_proven_domain(pair->b.conn), "opx.example"); /* by the CA */
    assert_non_null(strstr(net_log_text(net), "opb.example is not proven any more"));
    conn_unref(conn);
    conn_unref(other);
    pair_close(pair);
}

static void what_has_lapsed_is_proven_again_when_dns_is_back(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct conn_key key = key_to_b(pair);
    struct seen seen, again;
    struct conn *conn = connected_and_lapsed(net, pair, &seen), *same;

    net_turns_for(net, 5100); /* it is not asked all the time */
    pair->a_oracle.said[0].say = TRUST_FITS;
    same = net_connect(&pair->a, &key, &again);
    assert_ptr_equal(same, conn);
    NET_WAIT(net, again.ready == 1);
    assert_true(conn_proves(conn, "opb.example"));
    conn_unref(conn);
    conn_unref(same);
    pair_close(pair);
}

static void without_dns_anchors_decide_and_the_operator(void **state)
{
    struct net *net = *state;
    struct pair *pair = pair_open(net, &net->ca);
    struct seen seen;
    struct conn *conn;

    pair->a_oracle.table.ask = pair->b_oracle.table.ask = NULL;
    pair->a_oracle.said[1] = (struct said){.domain = "opy.example"};
    pair->b_oracle.said[0].peer.blocked = true;
    conn = connected(net, pair, &seen);
    assert_true(conn_proves(conn, "opy.example"));
    assert_false(conn_proves(pair->b.conn, "opa.example"));
    assert_true(conn_proves(pair->b.conn, "opx.example"));
    assert_int_equal(pair->a_oracle.asked + pair->b_oracle.asked, 0);
    conn_unref(conn);
    pair_close(pair);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(keys_in_dns_prove_the_one_domain_that_they_are_of),
        TEST(a_ca_proves_what_dns_is_silent_about),
        TEST(a_far_side_that_is_not_proven_is_refused_with_the_reason),
        TEST(a_pinned_key_is_believed_where_it_is_proven),
        TEST(few_names_of_a_certificate_without_anchor_are_asked_about),
        TEST(no_byte_is_parsed_before_the_verdict),
        TEST(a_verdict_is_bounded_by_the_connect_timeout),
        TEST(a_connection_that_ends_asks_nobody_any_more),
        TEST(a_request_waits_for_the_verdict_to_be_renewed),
        TEST(messages_wait_for_the_verdict_to_be_renewed),
        TEST(what_is_not_proven_any_more_ends_the_connection),
        TEST(one_identity_can_fall_away),
        TEST(an_alias_goes_with_the_identity_that_it_was_offered_for),
        TEST(an_alias_that_is_found_without_its_identity_is_passed_over),
        TEST(what_an_anchor_vouches_for_holds_while_dns_cannot_be_asked),
        TEST(what_keys_in_dns_proved_lapses_while_dns_cannot_be_asked),
        TEST(what_has_lapsed_is_proven_again_when_dns_is_back),
        TEST(without_dns_anchors_decide_and_the_operator),
    };

    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
