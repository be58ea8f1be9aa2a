#include "tests/resolver/server.h"

#include "base/list.h"
#include "tests/test.h"

#include <ctype.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct server_held {
    struct sockaddr_storage to;
    struct dns_packet packet;
};

struct connection {
    uv_tcp_t tcp;
    struct server *server;
    uint8_t in[600];
    size_t in_len;
    uint8_t out[DNS_PACKET_MAX + 2];
    size_t out_len, out_sent;
    uv_write_t write;
    uv_timer_t drip;
    int handles;
};

static void build(struct dns_packet *packet, const struct server_rule *rule, const uint8_t *query,
                  size_t len)
{
    if (!rule) {
        dns_begin(packet, query, len, DNS_REFUSED);
        return;
    }
    dns_begin(packet, query, len, rule->flags ? rule->flags : DNS_AA);
    for (size_t i = 0; i < SERVER_LINES_MAX && rule->answer[i]; i++)
        dns_add(packet, DNS_ANSWER, rule->answer[i]);
    for (size_t i = 0; i < COUNT_OF(rule->authority) && rule->authority[i]; i++)
        dns_add(packet, DNS_AUTHORITY, rule->authority[i]);
    if (rule->act & SERVER_LOWER)
        for (size_t i = 12; i < packet->len && packet->bytes[i] != 0; i++)
            packet->bytes[i] = (uint8_t)tolower(packet->bytes[i]);
    if (rule->act & SERVER_HEADER) {
        memset(packet->bytes + 4, 0, 8);
        packet->len = 12;
    }
}

static const struct server_rule *find_rule(const struct server *server, const uint8_t *query,
                                           size_t len)
{
    char name[256];
    unsigned type;
    dns_question(query, len, name, &type);
    for (const struct server_rule *rule = server->rules; rule->name; rule++)
        if (strcmp(rule->name, name) == 0 && dns_type_number(rule->type) == type)
            return rule;
    return NULL;
}

/* ---- UDP ---- */

static void udp_send(struct server *server, const struct sockaddr *to, const uint8_t *bytes,
                     size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
    uv_udp_try_send(&server->udp, &buf, 1, to);
}

/* One forged answer of each kind that the rule names. The resolver must not fall for any. */
static void send_forgeries(struct server *server, unsigned act, const struct sockaddr *to,
                           const struct dns_packet *truth)
{
    struct dns_packet forged;
    for (unsigned kind = SERVER_WRONG_ID; kind <= SERVER_HUGE; kind <<= 1) {
        if (!(act & kind))
            continue;
        forged = *truth;
        switch (kind) {
        case SERVER_WRONG_ID:
            forged.bytes[0] ^= 0x40;
            break;
        case SERVER_WRONG_CASE:
            forged.bytes[13] ^= 0x20;
            break;
        case SERVER_WRONG_QUESTION:
            forged.bytes[13] = forged.bytes[13] == 'x' ? 'y' : 'x';
            break;
        case SERVER_WRONG_OWNER:
            dns_begin(&forged, truth->bytes, truth->len, DNS_AA);
            dns_add(&forged, DNS_ANSWER, "evil.example 300 A 192.0.2.66");
            dns_add(&forged, DNS_ANSWER, "evil.example 300 AAAA 2001:db8::66");
            dns_add(&forged, DNS_ANSWER, "evil.example 300 NAPTR 1 1 s SIPS+D2T - evil.example");
            break;
        case SERVER_LOOP: {
            dns_begin(&forged, truth->bytes, truth->len, DNS_AA);
            uint8_t at = (uint8_t)forged.len;
            uint8_t record[] = {0xc0, at, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 66};
            dns_add_raw(&forged, DNS_ANSWER, record, sizeof(record));
            break;
        }
        case SERVER_CUT:
            forged.len -= 3;
            break;
        case SERVER_QUERY:
            forged.bytes[2] &= 0x7f;
            break;
        case SERVER_HUGE:
            memset(forged.bytes + forged.len, 0, sizeof(forged.bytes) - forged.len);
            forged.len = 5000;
            break;
        default:
            continue;
        }
        udp_send(server, to, forged.bytes, forged.len);
    }
}

static void answer_udp(struct server *server, const struct sockaddr *from, const uint8_t *query,
                       size_t len)
{
    const struct server_rule *rule = find_rule(server, query, len);
    unsigned act = rule ? rule->act : 0;
    struct dns_packet packet;
    build(&packet, rule, query, len);
    send_forgeries(server, act, from, &packet);
    if (act & SERVER_SILENT)
        return;
    if (act & SERVER_TRUNCATE)
        dns_begin(&packet, query, len, DNS_AA | DNS_TC);
    if (act & SERVER_HOLD) {
        free(server->held);
        server->held = calloc(1, sizeof(*server->held));
        assert_non_null(server->held);
        memcpy(&server->held->to, from, sizeof(struct sockaddr_in));
        server->held->packet = packet;
        return;
    }
    udp_send(server, from, packet.bytes, packet.len);
}

static void udp_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct server *server = handle->data;
    *buf = uv_buf_init((char *)server->last_query, sizeof(server->last_query));
}

static void udp_came(uv_udp_t *udp, ssize_t len, const uv_buf_t *buf, const struct sockaddr *from,
                     unsigned flags)
{
    (void)flags;
    struct server *server = udp->data;
    if (len <= 0 || !from)
        return;
    server->asked++;
    server->last_port = ntohs(((const struct sockaddr_in *)from)->sin_port);
    answer_udp(server, from, (const uint8_t *)buf->base, (size_t)len);
}

void server_release(struct server *server)
{
    assert_non_null(server->held);
    udp_send(server, (const struct sockaddr *)&server->held->to, server->held->packet.bytes,
             server->held->packet.len);
    free(server->held);
    server->held = NULL;
}

/* ---- TCP ---- */

static void connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles == 0)
        free(connection);
}

static void connection_close(struct connection *connection)
{
    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    uv_close((uv_handle_t *)&connection->tcp, connection_closed);
    uv_close((uv_handle_t *)&connection->drip, connection_closed);
}

static void drip(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    uv_buf_t buf = uv_buf_init((char *)connection->out + connection->out_sent, 1);
    if (connection->out_sent == connection->out_len ||
        uv_try_write((uv_stream_t *)&connection->tcp, &buf, 1) != 1)
        uv_timer_stop(timer);
    else
        connection->out_sent++;
}

static void written(uv_write_t *write, int status)
{
    (void)status;
    connection_close(container_of(write, struct connection, write));
}

static void answer_tcp(struct connection *connection, const uint8_t *query, size_t len)
{
    const struct server_rule *rule = find_rule(connection->server, query, len);
    unsigned act = rule ? rule->act : 0;
    struct dns_packet packet;
    connection->server->asked++;
    connection->server->asked_tcp++;
    if (act & SERVER_TCP_CLOSE) {
        connection_close(connection);
        return;
    }
    build(&packet, rule, query, len);
    size_t announced = act & SERVER_TCP_LONG ? 65535 : packet.len;
    connection->out[0] = (uint8_t)(announced >> 8);
    connection->out[1] = (uint8_t)announced;
    memcpy(connection->out + 2, packet.bytes, packet.len);
    connection->out_len = packet.len + 2;
    if (act & SERVER_DRIP) {
        uv_timer_start(&connection->drip, drip, 0, 1);
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)connection->out, (unsigned)connection->out_len);
    uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buf, 1,
             act & SERVER_TCP_LONG ? written : NULL);
}

static void tcp_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)size;
    struct connection *connection = handle->data;
    *buf = uv_buf_init((char *)connection->in + connection->in_len,
                       (unsigned)(sizeof(connection->in) - connection->in_len));
}

static void tcp_came(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    struct connection *connection = stream->data;
    if (len < 0) {
        connection_close(connection);
        return;
    }
    connection->in_len += (size_t)len;
    size_t framed = 2 + ((size_t)connection->in[0] << 8 | connection->in[1]);
    if (connection->in_len < 2 || connection->in_len < framed)
        return;
    connection->in_len = 0;
    answer_tcp(connection, connection->in + 2, framed - 2);
}

static void tcp_connected(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    struct server *server = listener->data;
    struct connection *connection = calloc(1, sizeof(*connection));
    assert_non_null(connection);
    connection->server = server;
    connection->handles = 2;
    uv_tcp_init(server->loop, &connection->tcp);
    uv_timer_init(server->loop, &connection->drip);
    connection->tcp.data = connection->drip.data = connection;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&connection->tcp), 0);
    uv_read_start((uv_stream_t *)&connection->tcp, tcp_alloc, tcp_came);
}

/* ---- life ---- */

/* A UDP port whose number is free on TCP too. */
static int bind_both(struct server *server)
{
    struct sockaddr_in any;
    uv_ip4_addr("127.0.0.1", 0, &any);
    uv_udp_init(server->loop, &server->udp);
    uv_tcp_init(server->loop, &server->tcp);
    server->udp.data = server->tcp.data = server;
    assert_int_equal(uv_tcp_bind(&server->tcp, (struct sockaddr *)&any, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server->tcp, 16, tcp_connected), 0);
    int len = sizeof(server->addr.in4);
    assert_int_equal(uv_tcp_getsockname(&server->tcp, &server->addr.sa, &len), 0);
    return uv_udp_bind(&server->udp, &server->addr.sa, 0);
}

static void bound_closed(uv_handle_t *handle)
{
    struct server *server = handle->data;
    server->closed++;
}

void server_start(struct server *server, uv_loop_t *loop, const struct server_rule *rules)
{
    memset(server, 0, sizeof(*server));
    server->loop = loop;
    server->rules = rules;
    for (int tries = 0; bind_both(server) < 0; tries++) {
        assert_true(tries < 20);
        server->closed = 0;
        uv_close((uv_handle_t *)&server->udp, bound_closed);
        uv_close((uv_handle_t *)&server->tcp, bound_closed);
        while (server->closed < 2)
            uv_run(loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(uv_udp_recv_start(&server->udp, udp_alloc, udp_came), 0);
}

void server_stop(struct server *server)
{
    free(server->held);
    server->held = NULL;
    uv_close((uv_handle_t *)&server->udp, NULL);
    uv_close((uv_handle_t *)&server->tcp, NULL);
}
