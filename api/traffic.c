/* /v1/traffic and /v1/connections: what passes between us and peers, and over what. */
#include "api/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRAFFIC_PEERS 100 /* told one by one */

/* ---- traffic ---- */

static json_t *way_encode(const uint64_t requests[WATCH_RESULT_COUNT])
{
    json_t *way = json_object();
    for (enum watch_result result = 0; result < WATCH_RESULT_COUNT; result++)
        json_object_set_new(way, watch_result_text(result),
                            json_integer((json_int_t)requests[result]));
    return way;
}

static json_t *peer_encode(const struct watch_peer *peer, uint64_t now_ms)
{
    return json_pack("{s:s?, s:I, s:I, s:o?, s:o, s:o}", "peer", peer->name[0] ? peer->name : NULL,
                     "requests", (json_int_t)watch_peer_total(peer), "last_minute",
                     (json_int_t)watch_peer_rate(peer, now_ms), "last",
                     peer->last_ms ? api_time_encode(peer->last_ms) : json_null(), "in",
                     way_encode(peer->requests[WATCH_IN]), "out",
                     way_encode(peer->requests[WATCH_OUT]));
}

int api_traffic_get(struct api_call *call)
{
    const struct api_parts *parts = &call->api->parts;
    struct watch_peer *list = calloc(TRAFFIC_PEERS, sizeof(*list)), other = {.name = ""};
    uint64_t now_ms = api_now_ms();
    int count = list ? 0 : -ENOMEM;
    unsigned silent = 0;
    if (list && parts->edge && parts->peers_get)
        count = parts->peers_get(parts->edge, list, TRAFFIC_PEERS, &other, &silent);
    if (count < 0) {
        free(list);
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    }
    json_t *peers = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(peers, peer_encode(&list[i], now_ms));
    free(list);
    return api_call_reply(call, 200,
                          json_pack("{s:o, s:o, s:i}", "peers", peers, "other",
                                    peer_encode(&other, now_ms), "silent_workers", (int)silent),
                          0);
}

/* ---- connections ---- */

static json_t *identities_encode(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t len = strcspn(text, " ");
        json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == ' ');
    }
    return list;
}

static json_t *view_encode(const struct transport_view *view, uint64_t now_ms)
{
    static const char *const transports[] = {
        [SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls", [SIP_SCTP] = "sctp"};
    char addr[NETADDR_TEXT_MAX];
    return json_pack(
        "{s:s?, s:o, s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:I}", "peer",
        view->proven[0] ? view->proven : NULL, "identities", identities_encode(view->identities),
        "address", netaddr_format(&view->addr, addr), "side",
        view->side == TRANSPORT_INSIDE ? "inside" : "outside", "transport",
        transports[view->transport], "opened_by", view->accepted ? "them" : "us", "state",
        view->state, "our_domain", view->our_domain[0] ? view->our_domain : NULL, "since",
        api_time_encode(now_ms - view->open_ms), "idle_s", (json_int_t)(view->idle_ms / 1000));
}

static int peer_arg(struct api_call *call, char domain[STORE_DOMAIN_MAX + 1])
{
    const char *text = api_call_arg(call, "peer");
    struct store_fault fault;
    domain[0] = '\0';
    if (!text || store_domain_canonical(slice_of(text), domain, &fault) == 0)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "peer", "peer: %s", fault.text);
}

int api_connections_get(struct api_call *call)
{
    const struct api_parts *parts = &call->api->parts;
    char domain[STORE_DOMAIN_MAX + 1];
    size_t limit, total = 0;
    if (api_call_limit(call, &limit) || peer_arg(call, domain))
        return -EPROTO;
    struct transport_view *list = calloc(limit, sizeof(*list));
    int count = list ? 0 : -ENOMEM;
    unsigned silent = 0;
    if (list && parts->edge && parts->connections_get)
        count = parts->connections_get(parts->edge, domain[0] ? domain : NULL, list, limit, &total,
                                       &silent);
    if (count < 0) {
        free(list);
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    }
    json_t *connections = json_array();
    uint64_t now_ms = api_now_ms();
    for (int i = 0; i < count; i++)
        json_array_append_new(connections, view_encode(&list[i], now_ms));
    free(list);
    return api_call_reply(call, 200,
                          json_pack("{s:o, s:I, s:i}", "connections", connections, "total",
                                    (json_int_t)total, "silent_workers", (int)silent),
                          0);
}
