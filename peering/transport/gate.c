/* What an accepted connection may use before it has proven itself, and what a peer may send: the
 * transport's side of peering/guard. Without a guard everything is let through. */
#include "peering/transport/internal.h"

#include <stdio.h>

static uint64_t now_ms(const struct conn *conn)
{
    return uv_now(conn->transport->loop);
}

void transport_set_guard(struct transport *transport, struct guard *guard,
                         transport_exempt_h *exempt, void *arg)
{
    transport->guard = guard;
    transport->exempt = exempt;
    transport->exempt_arg = arg;
}

static const char *rule_text(enum guard_rule rule)
{
    switch (rule) {
    case GUARD_BANNED:
        return "its address is banned (junctor ban list)";
    case GUARD_SOURCE_CONNECTIONS:
        return "too many connections of its address have proven nothing (limits: "
               "source-connections)";
    default:
        return "too many new connections of its address in a second (limits: source-handshakes)";
    }
}

/* ---- accepting ---- */

/* One that has proven nothing makes room for who may prove something. */
static bool make_room(struct transport *transport)
{
    struct list *oldest = list_first(&transport->unproven);
    char name[CONN_NAME_MAX];

    if (!oldest)
        return false;
    struct conn *conn = container_of(oldest, struct conn, unproven_link);
    conn_close(conn, "%s: closed, it had proven nothing when all connections were taken",
               conn_name(conn, name));
    return true;
}

/* The last eighth is for our cores and for our own calls: no stranger and no peer takes it. */
static size_t limit_of(const struct transport *transport, enum transport_side side)
{
    size_t most = transport->max_connections;
    return side == TRANSPORT_OUTSIDE ? most - most / 8 : most;
}

bool gate_makes_room(struct transport *transport, enum transport_side side)
{
    return transport->stats.connections < limit_of(transport, side) || make_room(transport);
}

bool gate_admits(struct listener *listener, const struct netaddr *peer, struct gate_pass *pass)
{
    struct transport *transport = listener->transport;
    char addr[NETADDR_TEXT_MAX];

    *pass = (struct gate_pass){.slot = NULL, .guarded = false};
    if (!transport->guard ||
        (transport->exempt && transport->exempt(listener->conf, peer, transport->exempt_arg)))
        return true;
    pass->guarded = true;
    enum guard_rule rule =
        guard_accept(transport->guard, peer, uv_now(transport->loop), &pass->slot);
    if (rule == GUARD_OK)
        return true;
    transport->stats.refused++;
    log_limit_write(&transport->strangers[listener->conf->side], uv_now(transport->loop),
                    LOG_NOTICE, "%s: refused, %s", netaddr_format(peer, addr), rule_text(rule));
    if (rule != GUARD_BANNED &&
        guard_exceeded(transport->guard, peer, rule, uv_now(transport->loop)))
        log_limit_write(&transport->bans, uv_now(transport->loop), LOG_NOTICE,
                        "%s: banned for %u s, %s for too long", netaddr_format_ip(peer, addr),
                        guard_conf_get(transport->guard)->ban_s, rule_text(rule));
    return false;
}

void gate_entered(struct conn *conn, const struct gate_pass *pass)
{
    conn->guard_slot = pass->slot;
    conn->guarded = pass->guarded;
    conn->accepted_ms = now_ms(conn);
    if (!pass->guarded)
        return;
    list_append(&conn->transport->unproven, &conn->unproven_link);
}

void gate_left(struct conn *conn)
{
    guard_release(conn->guard_slot);
    conn->guard_slot = NULL;
    list_remove(&conn->unproven_link);
}

/* ---- faults ---- */

void gate_failed(struct conn *conn, const char *what)
{
    struct transport *transport = conn->transport;
    char ip[NETADDR_TEXT_MAX];

    if (!conn->guarded || conn->greeted)
        return;
    if (guard_failed(transport->guard, &conn->key.addr, what, now_ms(conn)))
        log_limit_write(&transport->bans, now_ms(conn), LOG_NOTICE,
                        "%s: banned for %u s after too many failures, the last one: %s",
                        netaddr_format_ip(&conn->key.addr, ip),
                        guard_conf_get(transport->guard)->ban_s, what);
}

/* ---- the verdict, and bans that begin later ---- */

static bool is_good(const struct conn *conn)
{
    for (size_t i = 0; i < conn->identity_count; i++)
        if (guard_is_good(conn->transport->guard, &conn->key.addr, conn->identities[i].domain,
                          now_ms(conn)))
            return true;
    return false;
}

static bool is_shut_out(const struct conn *conn)
{
    return guard_is_banned(conn->transport->guard, &conn->key.addr, now_ms(conn)) && !is_good(conn);
}

static void close_banned(struct conn *conn)
{
    char name[CONN_NAME_MAX];

    guard_count(conn->transport->guard, GUARD_BANNED);
    conn_accuse(conn, "%s: closed, its address is banned", conn_name(conn, name));
    conn_close(conn, "%s: its address is banned", name);
}

/* Counts it among those of its peer. False where it is closed: there are too many. */
static bool join(struct conn *conn)
{
    struct guard *guard = conn->transport->guard;
    char name[CONN_NAME_MAX];

    if (guard_join(guard, conn->guard_peer, now_ms(conn), &conn->guard_slot) == GUARD_OK)
        return true;
    conn_accuse(conn,
                "%s: closed, this peer has %u connections here already (limits: peer-connections)",
                conn_name(conn, name), guard_conf_get(guard)->peer_connections);
    conn_close(conn, "%s: too many connections of this peer", name);
    return false;
}

bool gate_proven(struct conn *conn)
{
    struct guard *guard = conn->transport->guard;

    if (!guard || conn->identity_count == 0)
        return true;
    conn->guard_peer = guard_peer_key(guard, conn->identities[0].domain);
    if (!conn->guarded)
        return true;
    gate_left(conn);
    if (is_shut_out(conn)) {
        close_banned(conn);
        return false;
    }
    return join(conn);
}

void gate_check_bans(struct transport *transport)
{
    unsigned changes = transport->guard ? guard_ban_changes(transport->guard) : 0;

    if (transport->ban_changes == changes)
        return;
    transport->ban_changes = changes;
    list_each (link, next, &transport->conns) {
        struct conn *conn = container_of(link, struct conn, link);
        if (conn->guarded && conn->state == CONN_READY && is_shut_out(conn))
            close_banned(conn);
    }
}

/* ---- the first request ---- */

/* Whoever is in good standing has made requests enough. */
static bool is_awaited(const struct conn *conn)
{
    return conn->guarded && !conn->greeted && !is_good(conn);
}

uint64_t gate_first_request_by_ms(const struct conn *conn)
{
    if (!is_awaited(conn) || guard_conf_get(conn->transport->guard)->first_request_ms == 0)
        return UINT64_MAX;
    return conn->accepted_ms + guard_conf_get(conn->transport->guard)->first_request_ms;
}

void gate_close_late(struct conn *conn)
{
    unsigned ms = guard_conf_get(conn->transport->guard)->first_request_ms;
    char name[CONN_NAME_MAX];

    guard_count(conn->transport->guard, GUARD_FIRST_REQUEST);
    gate_failed(conn, "no first request in time");
    conn_accuse(conn, "%s: closed, no request came within %u ms (limits: first-request-ms)",
                conn_name(conn, name), ms);
    conn_close(conn, "%s: no request came within %u ms", name, ms);
}

void gate_check_bytes(struct conn *conn)
{
    char name[CONN_NAME_MAX];
    unsigned most;

    if (conn->state == CONN_CLOSED || !conn->guarded || conn->greeted)
        return;
    most = guard_conf_get(conn->transport->guard)->first_request_bytes;
    if (most == 0 || conn->first_bytes <= most)
        return;
    guard_count(conn->transport->guard, GUARD_FIRST_REQUEST);
    gate_failed(conn, "too many bytes before the first request");
    conn_accuse(conn,
                "%s: closed, more than %u bytes came before its first request (limits: "
                "first-request-bytes)",
                conn_name(conn, name), most);
    conn_close(conn, "%s: more than %u bytes came before its first request", name, most);
}

/* ---- messages of a peer ---- */

static void on_pause_over(void *arg)
{
    struct conn *conn = conn_ref(arg);

    conn->throttled = false;
    conn->reads_left = CONN_READS_PER_TURN;
    conn_take(conn);
    conn_poll_update(conn);
    conn_unref(conn);
}

void gate_message(struct conn *conn)
{
    struct transport *transport = conn->transport;
    unsigned wait_ms;

    conn->greeted = true;
    if (!conn->guard_peer || conn->state != CONN_READY)
        return;
    wait_ms = guard_message(transport->guard, conn->guard_peer, now_ms(conn));
    /* Without a timer it is read on: a budget is no reason to hang for ever. */
    if (wait_ms > 0 && timer_start(transport->timers, &conn->pause, now_ms(conn) + wait_ms,
                                   on_pause_over, conn) == 0)
        conn->throttled = true;
}
