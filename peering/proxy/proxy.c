/* What every step of the proxy needs: the snapshot, our names, traces, and the way back. */
#include "peering/proxy/context.h"
#include "peering/proxy/cores.h"

#include "base/status.h"

#include <stdio.h>
#include <time.h>

void proxy_advance(struct proxy *proxy)
{
    txn_layer_advance(proxy->txns, uv_now(proxy->loop));
}

struct store_reader *proxy_reader(struct proxy *proxy)
{
    if (!proxy->reading)
        proxy->reading = store_reader_begin(proxy->reader) == 0;
    return proxy->reading ? proxy->reader : NULL;
}

void proxy_end_batch(struct proxy *proxy)
{
    if (proxy->reading)
        store_reader_end(proxy->reader);
    proxy->reading = false;
}

void proxy_end_all(struct proxy *proxy)
{
    struct list *first;
    cores_stop(proxy);
    while ((first = list_first(&proxy->contexts)))
        context_abort(container_of(first, struct context, link));
    ask_end_all(proxy);
    notice_end_all(proxy);
    proxy_end_batch(proxy);
}

/* ---- our names ---- */

/* An address without a port means the default one, where a core may live beside us; a name may
 * lead to any port (RFC 3263). */
static bool port_is_named(const struct transport_listener *listener, const struct sip_uri *uri)
{
    uint16_t port = uri->port;
    struct slice transport;
    if (port == listener->advertise_port || (port == 0 && uri->host_kind == SIP_HOST_NAME))
        return true;
    if (port == 0) {
        bool tls = uri->scheme == SIP_SCHEME_SIPS || (sip_uri_param(uri, "transport", &transport) &&
                                                      slice_eq_nocase(transport, SLICE("tls")));
        port = tls ? 5061 : 5060;
    }
    return port == listener->advertise_port || port == netaddr_port(&listener->bind);
}

static bool listener_is_named(const struct transport_listener *listener, const struct sip_uri *uri)
{
    struct slice name = slice_of(listener->advertise_host);
    struct netaddr ip;
    if (!port_is_named(listener, uri))
        return false;
    if (name.len > 2 && name.p[0] == '[')
        name = slice_make(name.p + 1, name.len - 2);
    if (slice_eq_nocase(uri->host, name))
        return true;
    if (uri->host_kind == SIP_HOST_NAME || netaddr_from_ip(&ip, uri->host, 0) != 0)
        return false;
    return netaddr_eq_ip(&ip, &listener->bind);
}

bool proxy_hosts(struct proxy *proxy, const char *domain)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_domain ours;
    return reader && store_domain_get(reader, domain, &ours) == 0;
}

static bool domain_is_hosted(struct proxy *proxy, struct slice host)
{
    char name[STORE_DOMAIN_MAX + 1];
    return store_domain_canonical(host, name, NULL) == 0 && proxy_hosts(proxy, name);
}

bool proxy_is_us(struct proxy *proxy, const struct sip_uri *uri)
{
    if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS)
        return false;
    for (size_t i = 0; i < proxy->transport_conf->listener_count; i++)
        if (listener_is_named(&proxy->transport_conf->listeners[i], uri))
            return true;
    return uri->host_kind == SIP_HOST_NAME && domain_is_hosted(proxy, uri->host);
}

/* ---- traces ---- */

static void log_message(struct proxy *proxy, const char *direction, const struct sip_msg *msg,
                        const struct watch_hop *hop)
{
    char local_text[NETADDR_TEXT_MAX], remote_text[NETADDR_TEXT_MAX], what[256], uri[200];
    bool cut;
    size_t len = watch_redact(msg->uri_text, false, uri, sizeof(uri), &cut);
    if (msg->is_request)
        snprintf(what, sizeof(what), "%.*s %.*s", SLICE_ARG(msg->method_text), (int)len, uri);
    else
        snprintf(what, sizeof(what), "%u %.*s", msg->status, SLICE_ARG(msg->reason));
    static const char *const names[] = {
        [SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls", [SIP_SCTP] = "sctp"};
    log_write(proxy->log, LOG_DEBUG, "sip",
              "%s %s side=%s transport=%s local=%s remote=%s peer=%s call-id=%.*s cseq=\"%u %.*s\"",
              direction, what, hop->side == TRANSPORT_INSIDE ? "inside" : "outside",
              names[hop->transport], netaddr_format(&hop->local, local_text),
              netaddr_format(&hop->remote, remote_text), hop->peer[0] ? hop->peer : "-",
              SLICE_ARG(msg->call_id), msg->cseq, SLICE_ARG(msg->cseq_method_text));
}

static bool is_looked_at(const struct proxy *proxy)
{
    return watch_is_on(&proxy->watch) || log_enabled(proxy->log, LOG_DEBUG);
}

void proxy_trace(struct proxy *proxy, const char *direction, const struct sip_msg *msg,
                 const struct transport_listener *listener, const struct netaddr *remote,
                 const struct conn *conn)
{
    struct timespec now;
    if (!is_looked_at(proxy))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct watch_hop hop = {
        .time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
        .sent = direction[0] == 's',
        .side = listener->side,
        .transport = conn ? conn_transport(conn) : listener->transport,
        .local = listener->bind,
        .remote = *remote,
        .peer = conn ? conn_proven_domain(conn) : "",
    };
    if (log_enabled(proxy->log, LOG_DEBUG))
        log_message(proxy, direction, msg, &hop);
    watch_see(&proxy->watch, &hop, msg);
}

void proxy_trace_sent(struct proxy *proxy, struct slice bytes,
                      const struct transport_listener *listener, const struct netaddr *remote,
                      const struct conn *conn)
{
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg msg;
    struct sip_fault fault;
    if (is_looked_at(proxy) &&
        sip_msg_parse(bytes, true, headers, SIP_MAX_HEADERS, &msg, &fault) == 0)
        proxy_trace(proxy, "sent", &msg, listener, remote, conn);
}

/* ---- the way back ---- */

uint16_t proxy_reply_port(const struct origin *origin, const struct sip_via *via)
{
    if (!origin->conn && (via->has_rport || via->host.len == 0)) /* Via could not be read */
        return netaddr_port(&origin->peer);
    if (via->port)
        return via->port;
    return origin_transport(origin) == SIP_TLS ? 5061 : 5060;
}

/* Section 18.2.2: the connection is gone, so open one to the source's IP at the Via's port. */
static void send_on_new_conn(struct proxy *proxy, const struct origin *origin, uint16_t port,
                             struct slice bytes)
{
    struct conn_key key = {.side = conn_side(origin->conn),
                           .transport = conn_transport(origin->conn),
                           .addr = origin->peer,
                           .under_way = true};
    struct conn *conn;
    netaddr_set_port(&key.addr, port);
    if (key.transport == SIP_TLS) {
        snprintf(key.our_domain, sizeof(key.our_domain), "%s", conn_our_domain(origin->conn));
        snprintf(key.far_domain, sizeof(key.far_domain), "%s",
                 key.side == TRANSPORT_INSIDE ? key.our_domain : conn_proven_domain(origin->conn));
    }
    if (transport_connect(proxy->transport, &key, &conn) != 0)
        return;
    conn_send(conn, bytes);
    conn_unref(conn);
}

void proxy_send_response(struct proxy *proxy, const struct origin *origin, uint16_t port,
                         struct slice bytes)
{
    struct netaddr to = origin->peer;
    if (!origin->conn)
        netaddr_set_port(&to, port);
    proxy_trace_sent(proxy, bytes, origin->listener, &to, origin->conn);
    if (!origin->conn) {
        transport_send_udp(proxy->transport, origin->listener, &to, bytes);
    } else if (conn_send(origin->conn, bytes) == STATUS_CLOSED) {
        send_on_new_conn(proxy, origin, port, bytes);
    }
}
