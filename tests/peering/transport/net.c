#include "tests/peering/transport/net.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEARDOWN_TURNS 1000

static void on_tick(uv_timer_t *tick)
{
    struct net *net = tick->data;

    timers_run(net->timers, uv_now(&net->loop));
}

int net_setup(void **state)
{
    struct net *net = calloc(1, sizeof(*net));

    assert_non_null(net);
    assert_int_equal(uv_loop_init(&net->loop), 0);
    net->timers = timers_alloc(10000);
    uv_timer_init(&net->loop, &net->tick);
    net->tick.data = net;
    uv_timer_start(&net->tick, on_tick, 5, 5);
    net->log_fd = memfd_create("log", MFD_CLOEXEC);
    net->log = log_alloc(net->log_fd, LOG_NOTICE);
    test_folder_make(net->dir, sizeof(net->dir));
    net->ca = cert_make_ca("Test CA");
    net->stranger = cert_make_ca("Strange CA");
    *state = net;
    return 0;
}

/* Fails where a transport left a handle behind. */
int net_teardown(void **state)
{
    struct net *net = *state;

    uv_close((uv_handle_t *)&net->tick, NULL);
    /* What a failed test left open would keep the loop alive for ever. */
    for (int i = 0; i < TEARDOWN_TURNS && uv_run(&net->loop, UV_RUN_NOWAIT); i++)
        ;
    assert_int_equal(uv_loop_close(&net->loop), 0);
    assert_int_equal(timers_next_ms(net->timers), UINT64_MAX);
    timers_free(net->timers);
    log_free(net->log);
    close(net->log_fd);
    rmdir(net->dir);
    cert_free(&net->ca);
    cert_free(&net->stranger);
    free(net);
    return 0;
}

struct tls_context *net_tls(struct net *net, const struct cert *issuer, const char *domain,
                            const char *alt, const char *usage)
{
    char chain[128], key[128], anchors[128], why[TLS_MAX_WHY] = "";
    struct tls_certificate_conf certificate = {domain, chain, key, NULL};
    struct tls_conf conf = {
        .certificates = &certificate, .certificate_count = 1, .anchors_file = anchors};
    struct cert cert =
        cert_make(&(struct cert_spec){.cn = "x", .alt = alt, .usage = usage}, issuer);
    struct tls_context *context = NULL;

    snprintf(chain, sizeof(chain), "%s/chain.pem", net->dir);
    snprintf(key, sizeof(key), "%s/key.pem", net->dir);
    snprintf(anchors, sizeof(anchors), "%s/anchors.pem", net->dir);
    cert_write(&cert, NULL, chain, key);
    cert_write(&net->ca, NULL, anchors, NULL);
    if (tls_context_load(&conf, &context, why) < 0)
        fail_msg("%s", why);
    unlink(chain);
    unlink(key);
    unlink(anchors);
    cert_free(&cert);
    return context;
}

const char *net_log_text(struct net *net)
{
    ssize_t len = pread(net->log_fd, net->text, sizeof(net->text) - 1, 0);

    net->text[len > 0 ? len : 0] = '\0';
    return net->text;
}

size_t net_log_lines(struct net *net)
{
    size_t count = 0;

    for (const char *p = net_log_text(net); *p; p++)
        count += *p == '\n';
    return count;
}

void net_turn(struct net *net)
{
    uv_run(&net->loop, UV_RUN_ONCE);
}

void net_turns_for(struct net *net, unsigned ms)
{
    uint64_t end_ns = uv_hrtime() + ms * UINT64_C(1000000);

    while (uv_hrtime() < end_ns)
        net_turn(net);
}

bool net_is_late(struct net *net, uint64_t since_ms)
{
    (void)net;
    return uv_hrtime() / 1000000 > since_ms + NET_DEADLINE_MS;
}

/* ---- ends ---- */

static void on_message(const struct transport_source *source, struct slice bytes, void *arg)
{
    struct end *end = arg;
    unsigned number = 0;

    end->bytes += bytes.len;
    snprintf(end->last, sizeof(end->last), "%.*s", SLICE_ARG(bytes));
    if (sscanf(end->last, "MESSAGE sip:%u@", &number) == 1 && number != end->received)
        end->out_of_order++;
    end->received++;
    end->listener = source->listener;
    end->peer = source->peer;
    if (end->conn != source->conn) {
        conn_unref(end->conn);
        end->conn = source->conn ? conn_ref(source->conn) : NULL;
    }
    if (end->echo)
        assert_int_equal(conn_send(source->conn, bytes), 0);
}

void end_listen(struct end *end, enum transport_side side, enum sip_transport via, const char *ip)
{
    struct transport_listener *listener = &end->conf.listeners[end->conf.listener_count++];

    listener->side = side;
    listener->transport = via;
    assert_int_equal(netaddr_from_ip(&listener->bind, slice_of(ip), 0), 0);
}

void end_open(struct end *end, struct net *net, struct tls_context *tls)
{
    char why[TRANSPORT_MAX_WHY] = "";

    end->net = net;
    if (transport_open(&net->loop, net->timers, &end->conf, tls, net->log, on_message, end,
                       &end->transport, why) < 0)
        fail_msg("%s", why);
}

void end_close(struct end *end)
{
    transport_close(end->transport);
    end->conn = conn_unref(end->conn);
    net_turn(end->net);
}

struct netaddr end_addr(const struct end *end, size_t listener)
{
    struct netaddr addr = end->conf.listeners[listener].bind;

    netaddr_set_port(&addr, transport_bound_port(end->transport, &end->conf.listeners[listener]));
    return addr;
}

struct transport_stats end_stats(const struct end *end)
{
    struct transport_stats stats;

    transport_stats_get(end->transport, &stats);
    return stats;
}

/* ---- connections ---- */

struct conn_key net_key(enum transport_side side, enum sip_transport via, struct netaddr addr,
                        const char *our_domain, const char *far_domain)
{
    struct conn_key key = {.side = side, .transport = via, .addr = addr};

    snprintf(key.our_domain, sizeof(key.our_domain), "%s", our_domain);
    snprintf(key.far_domain, sizeof(key.far_domain), "%s", far_domain);
    return key;
}

static void on_watch(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct seen *seen = arg;

    assert_false(seen->inside_call);
    assert_int_equal(conn_state_of(conn), state);
    if (state == CONN_READY) {
        seen->ready++;
        return;
    }
    assert_int_equal(state, CONN_CLOSED);
    assert_true(list_is_empty(&seen->watch.link));
    seen->closed++;
    snprintf(seen->why, sizeof(seen->why), "%s", why);
}

void seen_watch(struct seen *seen, struct conn *conn)
{
    *seen = (struct seen){.ready = 0};
    conn_watch_init(&seen->watch);
    conn_watch_add(conn, &seen->watch, on_watch, seen);
}

struct conn *net_connect(struct end *end, const struct conn_key *key, struct seen *seen)
{
    struct conn *conn = NULL;

    assert_int_equal(transport_connect(end->transport, key, &conn), 0);
    assert_non_null(conn);
    if (seen)
        seen_watch(seen, conn);
    return conn;
}

struct slice net_message(unsigned number, size_t body)
{
    static char message[SIP_MAX_MESSAGE + 1];
    int len =
        snprintf(message, sizeof(message),
                 "MESSAGE sip:%u@opb.example SIP/2.0\r\nContent-Length: %zu\r\n\r\n", number, body);

    memset(message + len, 'x', body);
    return slice_make(message, (size_t)len + body);
}

/* ---- raw sockets ---- */

int net_raw_connect(const struct netaddr *addr)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &addr->sa, netaddr_len(addr)), 0);
    return fd;
}

int net_raw_listen(struct netaddr *addr, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*addr);

    assert_true(fd >= 0);
    netaddr_from_ip(addr, SLICE("127.0.0.1"), 0);
    assert_int_equal(bind(fd, &addr->sa, netaddr_len(addr)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, &addr->sa, &len), 0);
    return fd;
}
