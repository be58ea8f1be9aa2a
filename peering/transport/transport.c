/* A worker's transport as a whole: opening, the loop turn, closing. */
#include "peering/transport/transport.h"
#include "peering/transport/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 3000
#define IDLE_TIMEOUT_MS    600000
#define MESSAGE_TIMEOUT_MS 10000
#define MAX_CONNECTIONS    8192

static void flush_all(struct transport *transport)
{
    struct list *link;

    for (size_t i = 0; i < transport->listener_count; i++) {
        struct listener *listener = &transport->listeners[i];

        if (listener->queue && listener->queue->count > 0)
            udp_flush(listener);
    }
    while ((link = list_pop(&transport->dirty)))
        conn_flush(container_of(link, struct conn, dirty_link));
}

static bool tell_lost(struct transport *transport)
{
    bool any = false;

    for (size_t i = 0; i < transport->listener_count; i++)
        any = udp_lost_tell(&transport->listeners[i]) || any;
    return any;
}

/* Writes what this turn queued and tells the ends of connections; what the watches queue in turn is
 * written too. Runs before the loop sleeps. */
static void transport_turn(struct transport *transport)
{
    struct list *link;

    gate_check_bans(transport);
    flush_all(transport);
    for (int round = 0; round < UDP_LOST_ROUNDS && tell_lost(transport); round++)
        flush_all(transport);
    while ((link = list_pop(&transport->closing))) {
        conn_tell_closed(container_of(link, struct conn, link));
        if (list_is_empty(&transport->closing))
            flush_all(transport);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    transport_turn(prepare->data);
}

static void transport_free(struct transport *transport)
{
    table_free(transport->keys);
    BIO_meth_free(transport->bio);
    tls_context_unref(transport->tls);
    free(transport->batch);
    free(transport);
}

void transport_handle_closed(struct transport *transport)
{
    if (--transport->handles == 0)
        transport_free(transport);
}

static void on_prepare_closed(uv_handle_t *handle)
{
    transport_handle_closed(handle->data);
}

static unsigned or_default(unsigned value, unsigned preset)
{
    return value ? value : preset;
}

static struct transport *transport_alloc(uv_loop_t *loop, const struct transport_conf *conf)
{
    struct transport *transport = calloc(1, sizeof(*transport));

    if (!transport)
        return NULL;
    transport->loop = loop;
    transport->conf = conf;
    transport->connect_timeout_ms = or_default(conf->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    transport->idle_timeout_ms = or_default(conf->idle_timeout_ms, IDLE_TIMEOUT_MS);
    transport->message_timeout_ms = or_default(conf->message_timeout_ms, MESSAGE_TIMEOUT_MS);
    transport->max_connections = conf->max_connections ? conf->max_connections : MAX_CONNECTIONS;
    list_init(&transport->conns);
    list_init(&transport->unproven);
    list_init(&transport->dirty);
    list_init(&transport->closing);
    transport->keys = table_alloc(transport->max_connections * CONN_MAX_ALIASES);
    transport->batch = udp_batch_alloc();
    transport->bio = stream_bio_alloc();
    if (!transport->keys || !transport->batch || !transport->bio ||
        uv_prepare_init(loop, &transport->prepare) < 0) {
        transport_free(transport);
        return NULL;
    }
    transport->prepare.data = transport;
    transport->handles = 1;
    return transport;
}

/* Nobody outside can drown what the log says about our own core. */
static void limits_start(struct transport *transport)
{
    log_limit_start(&transport->fullness, transport->log, transport->timers, "transport",
                    "max-connections was reached again");
    log_limit_start(&transport->strangers[TRANSPORT_INSIDE], transport->log, transport->timers,
                    "transport", "closed inside connections");
    log_limit_start(&transport->strangers[TRANSPORT_OUTSIDE], transport->log, transport->timers,
                    "transport", "closed outside connections that proved nothing");
    log_limit_start(&transport->bans, transport->log, transport->timers, "transport", "bans");
}

static void limits_stop(struct transport *transport)
{
    log_limit_stop(&transport->fullness);
    log_limit_stop(&transport->bans);
    for (size_t i = 0; i < 2; i++)
        log_limit_stop(&transport->strangers[i]);
}

static int open_listeners(struct transport *transport, char *why)
{
    const struct transport_conf *conf = transport->conf;

    for (size_t i = 0; i < conf->listener_count; i++) {
        int status;

        if (conf->listeners[i].transport == SIP_TLS && !transport->tls) {
            snprintf(why, TRANSPORT_MAX_WHY, "a tls listener needs a certificate");
            return -EINVAL;
        }
        status = listener_open(transport, &conf->listeners[i], why);
        if (status < 0)
            return status;
    }
    return 0;
}

int transport_open(uv_loop_t *loop, struct timers *timers, const struct transport_conf *conf,
                   struct tls_context *tls, struct log *log, transport_message_h *message,
                   void *arg, struct transport **transport, char *why)
{
    struct transport *made = transport_alloc(loop, conf);
    int status;

    if (!made) {
        snprintf(why, TRANSPORT_MAX_WHY, "out of memory");
        return -ENOMEM;
    }
    made->timers = timers;
    made->tls = tls ? tls_context_ref(tls) : NULL;
    made->log = log;
    made->message = message;
    made->arg = arg;
    limits_start(made);
    status = open_listeners(made, why);
    if (status < 0) {
        transport_close(made);
        return status;
    }
    uv_prepare_start(&made->prepare, on_prepare);
    *transport = made;
    return 0;
}

void transport_stop_accepting(struct transport *transport)
{
    for (size_t i = 0; i < transport->listener_count; i++) {
        if (sip_transport_is_stream(transport->listeners[i].conf->transport))
            listener_close(&transport->listeners[i]);
    }
}

void transport_close(struct transport *transport)
{
    struct list *link;

    flush_all(transport);
    while ((link = list_pop(&transport->conns)))
        conn_detach(container_of(link, struct conn, link));
    while ((link = list_pop(&transport->closing)))
        conn_detach(container_of(link, struct conn, link));
    for (size_t i = 0; i < transport->listener_count; i++)
        listener_close(&transport->listeners[i]);
    limits_stop(transport);
    uv_close((uv_handle_t *)&transport->prepare, on_prepare_closed);
}

void transport_set_tls(struct transport *transport, struct tls_context *tls)
{
    struct tls_context *old = transport->tls;

    transport->tls = tls_context_ref(tls);
    tls_context_unref(old);
}

void transport_set_trust(struct transport *transport, const struct transport_trust *trust)
{
    transport->trust = trust;
}

void transport_set_lost(struct transport *transport, transport_lost_h *lost)
{
    transport->lost = lost;
}

void transport_flush(struct transport *transport)
{
    flush_all(transport);
}

const struct transport_listener *transport_listener_for(const struct transport *transport,
                                                        enum transport_side side,
                                                        enum sip_transport via, int family)
{
    const struct transport_listener *first = NULL;

    for (size_t i = 0; i < transport->conf->listener_count; i++) {
        const struct transport_listener *listener = &transport->conf->listeners[i];

        if (listener->side != side || listener->transport != via)
            continue;
        if (listener->bind.sa.sa_family == family)
            return listener;
        if (!first && (via != SIP_UDP || family == AF_UNSPEC))
            first = listener;
    }
    return first;
}

uint16_t transport_bound_port(const struct transport *transport,
                              const struct transport_listener *listener)
{
    for (size_t i = 0; i < transport->listener_count; i++) {
        if (transport->listeners[i].conf == listener)
            return transport->listeners[i].port;
    }
    return 0;
}

void transport_stats_get(const struct transport *transport, struct transport_stats *stats)
{
    *stats = transport->stats;
}
