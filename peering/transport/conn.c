/* The life of a connection: references, states, watches, and its end. */
#include "peering/transport/internal.h"

#include "base/status.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *state_name(enum conn_state state)
{
    switch (state) {
    case CONN_CONNECTING:
        return "connecting";
    case CONN_HANDSHAKE:
        return "handshake";
    case CONN_VERDICT:
        return "verdict";
    case CONN_READY:
        return "ready";
    case CONN_CLOSED:
        return "closed";
    }
    return "?";
}

const char *conn_name(const struct conn *conn, char text[CONN_NAME_MAX])
{
    return conn_key_name(&conn->key, text);
}

void conn_set_state(struct conn *conn, enum conn_state state)
{
    char name[CONN_NAME_MAX];

    if (log_enabled(conn->transport->log, LOG_DEBUG))
        log_write(conn->transport->log, LOG_DEBUG, "transport", "%s %s: %s -> %s",
                  sip_transport_name(conn->key.transport), conn_name(conn, name),
                  state_name(conn->state), state_name(state));
    conn->state = state;
}

static void set_socket_options(int fd)
{
    unsigned timeout_ms = CONN_USER_TIMEOUT_MS;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

struct conn *conn_alloc(struct transport *transport, int fd, const struct conn_key *key,
                        const struct transport_listener *listener, enum conn_state state)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (!conn || uv_poll_init(transport->loop, &conn->poll, fd) < 0) {
        free(conn);
        close(fd);
        return NULL;
    }
    set_socket_options(fd);
    conn->refs = 2; /* the transport's and the poll handle's */
    conn->transport = transport;
    conn->listener = listener;
    conn->key = *key;
    conn->state = state;
    conn->fd = fd;
    conn->poll.data = conn;
    buf_init(&conn->in, CONN_MAX_READ);
    buf_init(&conn->out, CONN_MAX_WRITE);
    timer_init(&conn->timer);
    timer_init(&conn->message_timer);
    timer_init(&conn->pause);
    list_init(&conn->unproven_link);
    list_init(&conn->dirty_link);
    list_init(&conn->entries);
    list_init(&conn->watches);
    list_init(&conn->link);
    list_append(&transport->conns, &conn->link);
    transport->stats.connections++;
    conn->opened_ms = uv_now(transport->loop);
    conn_mark_active(conn);
    return conn;
}

void conn_mark_active(struct conn *conn)
{
    conn->active_ms = uv_now(conn->transport->loop);
}

struct conn *conn_ref(struct conn *conn)
{
    conn->refs++;
    return conn;
}

struct conn *conn_unref(struct conn *conn)
{
    if (!conn || --conn->refs > 0)
        return NULL;
    buf_done(&conn->in);
    buf_done(&conn->out);
    free(conn->identities);
    tls_context_unref(conn->tls);
    free(conn);
    return NULL;
}

static void conn_on_poll_closed(uv_handle_t *handle)
{
    conn_unref(handle->data);
}

/* What the far side's TCP has not acknowledged, the far side never saw: it acknowledges, as far as
 * we are concerned, before anybody reads. */
static void note_acked(struct conn *conn)
{
    int waiting = 0;

    conn->acked = conn->written;
    if (ioctl(conn->fd, SIOCOUTQ, &waiting) == 0 && waiting > 0)
        conn->acked -= (uint64_t)waiting < conn->written ? (uint64_t)waiting : conn->written;
}

/* Gives back what the outside sees: socket, keys, timers, its place among the living. */
static void conn_release(struct conn *conn)
{
    struct transport *transport = conn->transport;

    pool_remove_all(conn);
    verdict_drop(conn);
    timer_stop(transport->timers, &conn->timer);
    timer_stop(transport->timers, &conn->message_timer);
    timer_stop(transport->timers, &conn->pause);
    gate_left(conn);
    list_remove(&conn->dirty_link);
    list_remove(&conn->link);
    transport->stats.connections--;
    if (conn->identity_count > 0)
        transport->stats.peers--;
    if (transport->stats.connections < transport->max_connections)
        transport->full = false;
    note_acked(conn);
    stream_shutdown(conn);
    uv_close((uv_handle_t *)&conn->poll, conn_on_poll_closed);
    close(conn->fd);
    conn->fd = -1;
}

void conn_close(struct conn *conn, const char *format, ...)
{
    va_list args;

    if (conn->state == CONN_CLOSED)
        return;
    va_start(args, format);
    vsnprintf(conn->why, sizeof(conn->why), format, args);
    va_end(args);
    log_write(conn->transport->log, LOG_DEBUG, "transport", "%s", conn->why);
    conn_set_state(conn, CONN_CLOSED);
    conn_release(conn);
    list_append(&conn->transport->closing, &conn->link);
}

void conn_accuse(struct conn *conn, const char *format, ...)
{
    struct transport *transport = conn->transport;
    char text[LOG_LINE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!conn->accepted || conn->identity_count > 0)
        log_write(transport->log, LOG_WARNING, "transport", "%s", text);
    else
        log_limit_write(&transport->strangers[conn->key.side], uv_now(transport->loop), LOG_NOTICE,
                        "%s", text);
}

/* A watch that a handler adds meanwhile is told too: it came too late for anything else. */
void conn_tell_closed(struct conn *conn)
{
    struct list *link;

    while ((link = list_pop(&conn->watches))) {
        struct conn_watch *watch = container_of(link, struct conn_watch, link);

        watch->handler(conn, CONN_CLOSED, conn->why, watch->arg);
    }
    conn_unref(conn);
}

void conn_detach(struct conn *conn)
{
    while (list_pop(&conn->watches))
        ;
    if (conn->state != CONN_CLOSED) {
        conn_set_state(conn, CONN_CLOSED);
        conn_release(conn);
    }
    conn->transport = NULL;
    conn_unref(conn);
}

/* Those that were added while it was not open. */
static void tell_ready(struct conn *conn)
{
    struct list waiting, *link;

    /* Each watch goes back before its handler runs, so that handlers may take off any watch. */
    list_init(&waiting);
    while ((link = list_pop(&conn->watches)))
        list_append(&waiting, link);
    while ((link = list_pop(&waiting))) {
        struct conn_watch *watch = container_of(link, struct conn_watch, link);

        list_append(&conn->watches, link);
        if (conn_is_open(conn) && watch->waits) {
            watch->waits = false;
            watch->handler(conn, CONN_READY, "", watch->arg);
        }
    }
}

void conn_resume(struct conn *conn)
{
    if (!conn->paused)
        return;
    conn->paused = false;
    conn->reads_left = CONN_READS_PER_TURN;
    tell_ready(conn);
    conn_take(conn);
    conn_poll_update(conn);
}

void conn_become_ready(struct conn *conn)
{
    conn_set_state(conn, CONN_READY);
    conn_mark_active(conn);
    conn_start(conn);
    if (conn->state == CONN_READY && buf_len(&conn->out) > 0)
        list_append(&conn->transport->dirty, &conn->dirty_link);
    tell_ready(conn);
}

/* ---- what the layers above ask ---- */

enum conn_state conn_state_of(const struct conn *conn)
{
    return conn->state;
}

bool conn_is_open(const struct conn *conn)
{
    return conn->state == CONN_READY && !conn->paused;
}

bool conn_is_accepted(const struct conn *conn)
{
    return conn->accepted;
}

enum sip_transport conn_transport(const struct conn *conn)
{
    return conn->key.transport;
}

enum transport_side conn_side(const struct conn *conn)
{
    return conn->key.side;
}

const struct netaddr *conn_peer_addr(const struct conn *conn)
{
    return &conn->key.addr;
}

const struct conn_identity *conn_identity_find(const struct conn *conn, const char *domain)
{
    for (size_t i = 0; i < conn->identity_count; i++)
        if (strcmp(conn->identities[i].domain, domain) == 0)
            return &conn->identities[i];
    return NULL;
}

bool conn_proves(const struct conn *conn, const char *domain)
{
    const struct conn_identity *identity = conn_identity_find(conn, domain);

    return conn->state == CONN_READY && identity && !identity->lapsed;
}

bool conn_holds(const struct conn *conn, const char *domain)
{
    return conn->state == CONN_READY && conn_identity_find(conn, domain);
}

const char *conn_proven_domain(const struct conn *conn)
{
    return conn->identity_count > 0 ? conn->key.far_domain : "";
}

const char *conn_proven_text(const struct conn *conn, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < conn->identity_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                                 conn->identities[i].domain);
    return text;
}

const char *conn_identity(const struct conn *conn, size_t index)
{
    return index < conn->identity_count ? conn->identities[index].domain : NULL;
}

const char *conn_our_domain(const struct conn *conn)
{
    return conn->key.our_domain;
}

int conn_send(struct conn *conn, struct slice bytes)
{
    char name[CONN_NAME_MAX];

    if (conn->state == CONN_CLOSED)
        return STATUS_CLOSED;
    if (buf_append(&conn->out, bytes) < 0) {
        conn_close(conn, "%s: more than %d bytes wait to be sent; the far side does not read",
                   conn_name(conn, name), CONN_MAX_WRITE);
        return -ENOBUFS;
    }
    conn->transport->stats.sent++;
    if (conn->state == CONN_READY && !conn->write_blocked) {
        list_remove(&conn->dirty_link);
        list_append(&conn->transport->dirty, &conn->dirty_link);
    }
    return 0;
}

uint64_t conn_mark(const struct conn *conn)
{
    return conn->written + buf_len(&conn->out);
}

bool conn_may_have_got(const struct conn *conn, uint64_t mark)
{
    if (conn->state != CONN_CLOSED)
        return true;
    if (conn->key.transport == SIP_TLS && !conn->accepted && !conn->heard)
        return false;
    return conn->acked > mark;
}

void conn_watch_init(struct conn_watch *watch)
{
    *watch = (struct conn_watch){.handler = NULL, .arg = NULL};
    list_init(&watch->link);
}

void conn_watch_add(struct conn *conn, struct conn_watch *watch, conn_watch_h *handler, void *arg)
{
    list_remove(&watch->link);
    watch->handler = handler;
    watch->arg = arg;
    watch->waits = !conn_is_open(conn);
    list_append(&conn->watches, &watch->link);
    if (conn->state != CONN_CLOSED || !conn->transport || !list_is_empty(&conn->link))
        return;
    /* Its end was told before this watch came: tell again, from the loop. */
    list_append(&conn->transport->closing, &conn_ref(conn)->link);
}

void conn_watch_remove(struct conn_watch *watch)
{
    list_remove(&watch->link);
}

/* ---- what others see ---- */

static void view_make(const struct conn *conn, uint64_t now_ms, struct transport_view *view)
{
    *view = (struct transport_view){
        .side = conn->key.side,
        .transport = conn->key.transport,
        .accepted = conn->accepted,
        .state = state_name(conn->state),
        .addr = conn->key.addr,
        .open_ms = now_ms - conn->opened_ms,
        .idle_ms = now_ms - conn->active_ms,
    };
    snprintf(view->our_domain, sizeof(view->our_domain), "%s", conn->key.our_domain);
    snprintf(view->proven, sizeof(view->proven), "%s", conn_proven_domain(conn));
    size_t len = 0;
    for (size_t i = 0; i < conn->identity_count; i++) {
        size_t more = strlen(conn->identities[i].domain);
        if (len + 1 + more >= sizeof(view->identities))
            break;
        if (len > 0)
            view->identities[len++] = ' ';
        memcpy(view->identities + len, conn->identities[i].domain, more); /* the rest is zero */
        len += more;
    }
}

size_t transport_view_get(const struct transport *transport, const char *domain,
                          struct transport_view *views, size_t max)
{
    uint64_t now_ms = uv_now(transport->loop);
    size_t count = 0;
    list_each (it, next, &transport->conns) {
        const struct conn *conn = container_of(it, struct conn, link);
        if (domain && !conn_holds(conn, domain))
            continue;
        if (count < max)
            view_make(conn, now_ms, &views[count]);
        count++;
    }
    return count;
}
