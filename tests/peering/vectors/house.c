#include "tests/peering/vectors/house.h"

#include "base/status.h"

#include <stdio.h>

static void host_domain(struct stand *stand, const char *name, const struct called_core *core)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_domain *domain = &command.domain;
    snprintf(domain->name, sizeof(domain->name), "%s", name);
    snprintf(domain->cores[0].host, sizeof(domain->cores[0].host), "127.0.0.1");
    domain->cores[0].port = core->port;
    domain->cores[0].transport = core->transport;
    domain->core_count = 1;
    domain->unknown = STORE_UNKNOWN_CORE;
    if (stand_submit(stand, &command) != STATUS_EXISTS)
        return;
    command.op = STORE_DOMAIN_PUT;
    assert_int_equal(stand_submit(stand, &command), 0);
}

/* Names the caller's address as one of our own that another of our cores serves. */
static void host_caller(struct stand *stand, const struct sip_uri *from)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_record *record = &command.record;
    if (store_domain_canonical(from->host, record->address.domain, NULL) != 0 ||
        store_user_canonical(from->user, record->address.user, NULL) != 0)
        return;
    record->state = STORE_ADDRESS_PORTED_OUT;
    snprintf(record->hosting, sizeof(record->hosting), HOUSE_CALLERS);
    stand_submit(stand, &command); /* there already, where a caller has sent two messages */
}

/* A Route to an IP address leads to us where we are known by it. Behind the listeners of the stand,
 * and perhaps the outside one. */
static void answer_to(struct stand *stand, const struct sip_uri *route)
{
    struct transport_conf *conf = &stand->conf.transport;
    size_t last = conf->listener_count < 2 ? 1 : conf->listener_count - 1;
    struct transport_listener *listener = &conf->listeners[last + 1];
    if (last > 1 && conf->listeners[last].transport == SIP_UDP)
        return;
    *listener = (struct transport_listener){.side = TRANSPORT_INSIDE, .transport = SIP_UDP};
    netaddr_from_ip(&listener->bind, SLICE("127.0.0.1"), 0);
    snprintf(listener->advertise_host, sizeof(listener->advertise_host),
             route->host_kind == SIP_HOST_IP6 ? "[%.*s]" : "%.*s", SLICE_ARG(route->host));
    listener->advertise_port = route->port ? route->port : 5060;
    conf->listener_count = last + 2;
}

static bool is_sip(const struct sip_uri *uri)
{
    return uri->scheme == SIP_SCHEME_SIP || uri->scheme == SIP_SCHEME_SIPS;
}

static void host_named(struct stand *stand, const struct sip_uri *uri,
                       const struct called_core *core)
{
    char name[STORE_DOMAIN_MAX + 1];
    if (is_sip(uri) && uri->host_kind == SIP_HOST_NAME &&
        store_domain_canonical(uri->host, name, NULL) == 0)
        host_domain(stand, name, core);
}

static void host_routes(struct stand *stand, const struct sip_msg *request,
                        const struct called_core *core)
{
    for (const struct sip_header *h = sip_msg_header(request, SIP_H_ROUTE, NULL); h;
         h = sip_msg_header(request, SIP_H_ROUTE, h)) {
        struct slice list = h->value;
        struct sip_nameaddr route;
        while (sip_nameaddr_next(&list, &route) == 0)
            if (route.uri.host_kind == SIP_HOST_NAME)
                host_named(stand, &route.uri, core);
            else
                answer_to(stand, &route.uri);
    }
}

void house_provide(struct stand *stand, const struct sip_msg *request,
                   const struct called_core *core)
{
    const struct called_core callers = {stand->a.port, SIP_UDP, false};
    if (!core->for_peer)
        host_domain(stand, HOUSE_CALLERS, &callers);
    host_named(stand, &request->uri, core);
    host_named(stand, &request->from.uri, core);
    host_routes(stand, request, core);
    if (is_sip(&request->from.uri))
        host_caller(stand, &request->from.uri);
}
