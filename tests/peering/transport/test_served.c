/* The certificates that an edge shows: of two domains side by side, and new ones while it runs. */
#include "tests/test.h"

#include "tests/peering/transport/net.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RELOADS       10000
#define WARM_UP       200 /* until what OpenSSL keeps for ever is there */
#define LEAK_MAX      8   /* octets per reload: no allocation is as small */
#define MESSAGE_EVERY 1000

/* Where certificates are written to. */
struct files {
    char chain[2][128], key[2][128], anchors[128], list[128];
    struct tls_certificate_conf certificates[2];
    const char *lists[1];
    struct tls_conf conf;
};

static void files_write(struct files *files, struct net *net, size_t i, const char *domain)
{
    char alt[128];
    struct cert cert;

    snprintf(alt, sizeof(alt), "URI:sip:%s", domain);
    cert = cert_make(&(struct cert_spec){.cn = "x", .alt = alt}, &net->ca);
    snprintf(files->chain[i], sizeof(files->chain[i]), "%s/chain%zu.pem", net->dir, i);
    snprintf(files->key[i], sizeof(files->key[i]), "%s/key%zu.pem", net->dir, i);
    cert_write(&cert, NULL, files->chain[i], files->key[i]);
    cert_free(&cert);
    files->certificates[i] =
        (struct tls_certificate_conf){domain, files->chain[i], files->key[i], NULL};
}

/* Of one.example and two.example, with a revocation list of their CA. */
static void files_make(struct files *files, struct net *net)
{
    memset(files, 0, sizeof(*files));
    files_write(files, net, 0, "one.example");
    files_write(files, net, 1, "two.example");
    snprintf(files->anchors, sizeof(files->anchors), "%s/trusted.pem", net->dir);
    snprintf(files->list, sizeof(files->list), "%s/list.pem", net->dir);
    cert_write(&net->ca, NULL, files->anchors, NULL);
    crl_write(crl_make(&net->ca, &net->ca, NULL, 9), false, files->list);
    files->lists[0] = files->list;
    files->conf = (struct tls_conf){.certificates = files->certificates,
                                    .certificate_count = 2,
                                    .anchors_file = files->anchors,
                                    .crl_files = files->lists,
                                    .crl_count = 1};
}

static void files_remove(const struct files *files)
{
    for (size_t i = 0; i < 2; i++) {
        unlink(files->chain[i]);
        unlink(files->key[i]);
    }
    unlink(files->anchors);
    unlink(files->list);
}

static struct tls_context *files_load(const struct files *files)
{
    struct tls_context *tls = NULL;
    char why[TLS_MAX_WHY] = "";

    if (tls_context_load(&files->conf, &tls, why) != 0)
        fail_msg("%s", why);
    return tls;
}

/* Edge a hosts one.example and two.example, edge b opb.example. */
struct pair {
    struct files files;
    struct end a, b;
    struct tls_context *a_tls, *b_tls;
};

static void pair_open(struct net *net, struct pair *pair)
{
    files_make(&pair->files, net);
    pair->a_tls = files_load(&pair->files);
    pair->b_tls = net_tls(net, &net->ca, "opb.example", "URI:sip:opb.example", NULL);
    end_listen(&pair->a, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.1");
    end_listen(&pair->b, TRANSPORT_OUTSIDE, SIP_TLS, "127.0.0.2");
    end_open(&pair->a, net, pair->a_tls);
    end_open(&pair->b, net, pair->b_tls);
}

static void pair_close(struct pair *pair)
{
    end_close(&pair->a);
    end_close(&pair->b);
    tls_context_unref(pair->a_tls);
    tls_context_unref(pair->b_tls);
    files_remove(&pair->files);
}

/* A message from one to the other; returns the connection that it went by, with a reference. */
static struct conn *send_as(struct net *net, struct end *from, struct end *to,
                            const char *our_domain, const char *far_domain)
{
    struct conn_key key =
        net_key(TRANSPORT_OUTSIDE, SIP_TLS, end_addr(to, 0), our_domain, far_domain);
    struct conn *conn;
    size_t before = to->received;

    uv_update_time(&net->loop); /* it may not have run for long */
    conn = net_connect(from, &key, NULL);
    assert_int_equal(conn_send(conn, net_message((unsigned)before, 10)), 0);
    NET_WAIT(net, to->received == before + 1);
    assert_string_equal(conn_proven_domain(to->conn), our_domain);
    assert_string_equal(conn_our_domain(to->conn), far_domain);
    assert_true(conn_proves(conn, far_domain));
    return conn;
}

static void two_domains_have_a_connection_each_in_both_directions(void **state)
{
    static const char *const ours[] = {"one.example", "two.example"};
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct conn *out[2], *back[2];

    pair_open(net, &pair);
    for (size_t i = 0; i < 2; i++) {
        out[i] = send_as(net, &pair.a, &pair.b, ours[i], "opb.example");
        assert_false(conn_proves(pair.b.conn, ours[1 - i]));
        back[i] = send_as(net, &pair.b, &pair.a, "opb.example", ours[i]);
        assert_false(conn_proves(back[i], ours[1 - i]));
    }
    assert_ptr_not_equal(out[0], out[1]);
    assert_ptr_not_equal(back[0], back[1]);
    assert_int_equal(end_stats(&pair.a).connections, 4);
    for (size_t i = 0; i < 2; i++) { /* and each is found again */
        assert_ptr_equal(send_as(net, &pair.a, &pair.b, ours[i], "opb.example"), out[i]);
        assert_ptr_equal(send_as(net, &pair.b, &pair.a, "opb.example", ours[i]), back[i]);
        conn_unref(out[i]);
        conn_unref(back[i]);
    }
    assert_int_equal(end_stats(&pair.a).connections, 4);
    for (size_t i = 0; i < 2; i++) {
        conn_unref(out[i]);
        conn_unref(back[i]);
    }
    pair_close(&pair);
}

static void an_accepted_connection_of_one_domain_is_not_used_for_the_other(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct conn *one, *back, *accepted;
    struct conn_key key;

    pair_open(net, &pair);
    one = send_as(net, &pair.a, &pair.b, "one.example", "opb.example");
    accepted = conn_ref(pair.b.conn);
    key = net_key(TRANSPORT_OUTSIDE, SIP_TLS, end_addr(&pair.a, 0), "opb.example", "one.example");
    conn_offer_alias(accepted, "one.example", &key.addr);
    conn_offer_alias(accepted, "two.example", &key.addr); /* which it did not prove */
    back = net_connect(&pair.b, &key, NULL);
    assert_ptr_equal(back, accepted);
    conn_unref(back);
    back = send_as(net, &pair.b, &pair.a, "opb.example", "two.example");
    assert_ptr_not_equal(back, accepted);
    conn_unref(back);
    conn_unref(accepted);
    conn_unref(one);
    pair_close(&pair);
}

static size_t descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void reload(struct pair *pair)
{
    struct tls_context *tls = files_load(&pair->files);

    transport_set_tls(pair->a.transport, tls);
    tls_context_unref(pair->a_tls);
    pair->a_tls = tls;
}

static void connections_live_through_ten_thousand_reloads_and_nothing_leaks(void **state)
{
    struct net *net = *state;
    struct pair pair = {.a = {.received = 0}};
    struct conn *conn, *fresh;
    size_t used = 0, open = 0;

    pair_open(net, &pair);
    conn = send_as(net, &pair.a, &pair.b, "one.example", "opb.example");
    pair.files.conf.certificate_count = 1; /* the other one would only take time */
    for (unsigned i = 0; i < RELOADS; i++) {
        if (i == WARM_UP) {
            used = mallinfo2().uordblks;
            open = descriptors();
        }
        reload(&pair);
        if (i % MESSAGE_EVERY == 0) {
            assert_ptr_equal(send_as(net, &pair.a, &pair.b, "one.example", "opb.example"), conn);
            conn_unref(conn);
        }
    }
    /* AddressSanitizer's own heap counts nothing here, but tells each leak at the end. */
    assert_true(mallinfo2().uordblks < used + (size_t)LEAK_MAX * RELOADS);
    assert_int_equal(descriptors(), open);
    pair.files.conf.certificate_count = 2;
    files_write(&pair.files, net, 1, "two.example"); /* another key */
    reload(&pair);
    fresh = send_as(net, &pair.a, &pair.b, "two.example", "opb.example");
    assert_int_equal(conn_state_of(conn), CONN_READY);
    assert_int_equal(end_stats(&pair.a).handshakes, 2);
    conn_unref(fresh);
    conn_unref(conn);
    pair_close(&pair);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown)
    const struct CMUnitTest tests[] = {
        TEST(two_domains_have_a_connection_each_in_both_directions),
        TEST(an_accepted_connection_of_one_domain_is_not_used_for_the_other),
        TEST(connections_live_through_ten_thousand_reloads_and_nothing_leaks),
    };

    return cmocka_run_group_tests_name("served", tests, NULL, NULL);
}
