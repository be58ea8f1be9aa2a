/* Whole lookups against a server in the same loop that misbehaves as told. */
#include "resolver/internal.h"
#include "resolver/location.h"

#include "base/status.h"
#include "peering/sip/sip.h"
#include "resolver/service.h"
#include "tests/resolver/server.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS    2
#define RESULTS    40
#define WHY_MAX    1200
#define PATIENT_MS 20000 /* no lookup of a test needs nearly as long, however slow the machine */

struct result {
    bool core;
    unsigned calls;
    int status;
    size_t count;
    struct resolver_hop hops[RESOLVER_MAX_HOPS];
    char hops_text[1024]; /* "host=addr host=addr", from a core "UDP host=addr" */
    char why[WHY_MAX];
    char trace[8192]; /* lines */
    struct resolver_location *location;
    struct world *world;
    void (*then)(struct result *result); /* called at the end of `done` */
};

struct world {
    uv_loop_t loop;
    struct server servers[SERVERS];
    struct resolver *resolver;
    struct result results[RESULTS];
    size_t started;
    unsigned done;
};

static const struct server_rule no_rules[] = {{.name = NULL}};

static const struct server_rule opb_rules[] = {
    {"opb.example",
     "NAPTR",
     0,
     0,
     {"opb.example 300 NAPTR 20 10 s SIP+D2U - _sip._udp.opb.example",
      "opb.example 300 NAPTR 10 10 s SIPS+D2T - _sips._tcp.opb.example"},
     {NULL}},
    {"_sips._tcp.opb.example",
     "SRV",
     0,
     0,
     {"_sips._tcp.opb.example 200 SRV 20 0 5062 spare.opb.example",
      "_sips._tcp.opb.example 200 SRV 10 60 5061 edge.opb.example"},
     {NULL}},
    {"edge.opb.example", "A", 0, 0, {"edge.opb.example 100 A 127.0.20.2"}, {NULL}},
    {"edge.opb.example", "AAAA", 0, 0, {"edge.opb.example 100 AAAA 2001:db8::2"}, {NULL}},
    {"spare.opb.example", "A", 0, 0, {"spare.opb.example 100 A 127.0.20.3"}, {NULL}},
    {"spare.opb.example", "AAAA", 0, 0, {NULL}, {"opb.example 60 SOA ns h 1 2 3 4 60"}},
    {.name = NULL}};

/* ---- the world ---- */

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    for (size_t i = 0; i < SERVERS; i++)
        server_start(&world->servers[i], &world->loop, no_rules);
    return 0;
}

/* Fails where a handle was left open. */
static int world_teardown(void **state)
{
    struct world *world = *state;
    resolver_free(world->resolver);
    for (size_t i = 0; i < SERVERS; i++)
        server_stop(&world->servers[i]);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0) /* a late uv_stop ends it once */
        continue;
    int status = uv_loop_close(&world->loop);
    free(world);
    return status;
}

static struct resolver_conf world_conf(const struct world *world, size_t upstreams,
                                       unsigned attempt_ms, unsigned lookup_ms)
{
    struct resolver_conf conf = {.upstream_count = upstreams,
                                 .attempt_timeout_ms = attempt_ms,
                                 .lookup_timeout_ms = lookup_ms};
    for (size_t i = 0; i < upstreams; i++) {
        conf.upstreams[i].addr = world->servers[i].addr;
        conf.upstreams[i].trusted = true;
    }
    return conf;
}

static void world_open(struct world *world, size_t upstreams, unsigned attempt_ms,
                       unsigned lookup_ms)
{
    struct resolver_conf conf = world_conf(world, upstreams, attempt_ms, lookup_ms);
    assert_int_equal(resolver_alloc(&world->loop, &conf, &world->resolver), 0);
}

static struct resolver_stats stats_of(const struct world *world)
{
    struct resolver_stats stats;
    resolver_stats_get(world->resolver, &stats);
    return stats;
}

static void located(int status, const struct resolver_hop *hops, size_t count, const char *why,
                    void *arg)
{
    struct result *result = arg;
    result->calls++;
    result->status = status;
    result->count = count;
    result->location = NULL;
    snprintf(result->why, sizeof(result->why), "%s", why);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        char addr[NETADDR_TEXT_MAX];
        result->hops[i] = hops[i];
        len += (size_t)snprintf(
            result->hops_text + len, sizeof(result->hops_text) - len, "%s%s%s%s=%s", i ? " " : "",
            result->core ? resolver_transport_name(hops[i].transport) : "", result->core ? " " : "",
            hops[i].host, netaddr_format(&hops[i].addr, addr));
    }
    result->world->done++;
    uv_stop(&result->world->loop); /* UV_RUN_ONCE would wait for a socket after a timer's work */
    if (result->then)
        result->then(result);
}

static void traced(const char *line, void *arg)
{
    struct result *result = arg;
    size_t len = strlen(result->trace);
    snprintf(result->trace + len, sizeof(result->trace) - len, "%s\n", line);
}

static struct result *start(struct world *world, const struct resolver_target *target)
{
    assert_true(world->started < RESULTS);
    struct result *result = &world->results[world->started++];
    result->world = world;
    result->core = target->profile == RESOLVER_CORE;
    assert_int_equal(
        resolver_locate(world->resolver, target, located, traced, result, &result->location), 0);
    assert_int_equal(result->calls, 0); /* never from inside */
    return result;
}

static struct result *start_peer(struct world *world, const char *host, uint16_t port)
{
    struct resolver_target target = {.profile = RESOLVER_PEER, .port = port};
    snprintf(target.host, sizeof(target.host), "%s", host);
    return start(world, &target);
}

static void run_until(struct world *world, unsigned done)
{
    while (world->done < done)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static struct result *locate(struct world *world, const char *host, uint16_t port)
{
    struct result *result = start_peer(world, host, port);
    run_until(world, world->done + 1);
    assert_int_equal(result->calls, 1);
    return result;
}

static void assert_told(const struct result *result, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = result->trace; (at = strstr(at, line)); at += len)
        if ((at == result->trace || at[-1] == '\n') && at[len] == '\n')
            return;
    fail_msg("no line '%s' in:\n%s", line, result->trace);
}

/* ---- the steps of RFC 3263 ---- */

static void transport_numbers_are_those_of_sip(void **state)
{
    (void)state;
    assert_int_equal(RESOLVER_UDP, SIP_UDP);
    assert_int_equal(RESOLVER_TCP, SIP_TCP);
    assert_int_equal(RESOLVER_TLS, SIP_TLS);
    assert_int_equal(RESOLVER_SCTP, SIP_SCTP);
}

static void naptr_leads_over_srv_to_addresses(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, 0, PATIENT_MS);
    struct result *result = locate(world, "OPB.example", 0);
    assert_int_equal(result->status, 0);
    assert_string_equal(result->hops_text,
                        "edge.opb.example=[2001:db8::2]:5061 edge.opb.example=127.0.20.2:5061 "
                        "spare.opb.example=127.0.20.3:5062");
    for (size_t i = 0; i < result->count; i++)
        assert_int_equal(result->hops[i].transport, SIP_TLS);
    assert_told(result, "NAPTR opb.example: 20 10 \"s\" \"SIP+D2U\" _sip._udp.opb.example (TTL 300)"
                        " ignored: only SIPS+D2T counts between edges");
    assert_told(result,
                "NAPTR opb.example: 10 10 \"s\" \"SIPS+D2T\" _sips._tcp.opb.example (TTL 300)");
    assert_told(result, "SRV _sips._tcp.opb.example: 10 60 5061 edge.opb.example (TTL 200)");
    assert_told(result, "A edge.opb.example: 127.0.20.2 (TTL 100)");
    assert_told(result, "AAAA spare.opb.example: none (TTL 60)");
    assert_told(result, "1. TLS [2001:db8::2]:5061 (edge.opb.example)");
}

struct route_case {
    const char *name;
    const char *host;
    uint16_t port;
    struct server_rule rules[8];
    int status;
    const char *hops; /* or what `why` is */
};

#define SOA_LINES                                                                                  \
    {                                                                                              \
        "example 60 SOA ns h 1 2 3 4 60"                                                           \
    }
#define NONE_OF(n, t)                                                                              \
    {                                                                                              \
        n, t, 0, 0, {NULL}, SOA_LINES                                                              \
    }
#define NO_NAME(n, t)                                                                              \
    {                                                                                              \
        n, t, 0, DNS_AA | DNS_NXDOMAIN, {NULL}, SOA_LINES                                          \
    }
#define FAILING(n, t)                                                                              \
    {                                                                                              \
        n, t, 0, DNS_RA | DNS_SERVFAIL, {NULL},                                                    \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }
#define ONE_OF(n, t, line)                                                                         \
    {                                                                                              \
        n, t, 0, 0, {line},                                                                        \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }

static const struct route_case route_cases[] = {
    {"no NAPTR: SRV of the domain",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 1 1 5071 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5071"},
    {"unusable NAPTR counts as none",
     "o.example",
     0,
     {ONE_OF("o.example", "NAPTR", "o.example 9 NAPTR 1 1 u SIPS+D2T !.*!sip:x! ."),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 1 1 5071 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5071"},
    {"neither: the domain's own addresses, port 5061",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"), NO_NAME("_sips._tcp.o.example", "SRV"),
      ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"),
      ONE_OF("o.example", "AAAA", "o.example 9 AAAA 2001:db8::1")},
     0,
     "o.example=[2001:db8::1]:5061 o.example=192.0.2.1:5061"},
    {"explicit port: addresses only",
     "o.example",
     6061,
     {ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), NONE_OF("o.example", "AAAA")},
     0,
     "o.example=192.0.2.1:6061"},
    {"IP literal", "192.0.2.7", 0, {{.name = NULL}}, 0, "192.0.2.7=192.0.2.7:5061"},
    {"IPv6 literal with port",
     "2001:db8::7",
     7,
     {{.name = NULL}},
     0,
     "2001:db8::7=[2001:db8::7]:7"},
    {"NAPTR may lead to another domain",
     "o.example",
     0,
     {ONE_OF("o.example", "NAPTR", "o.example 9 NAPTR 1 1 S sips+d2t - _sips._tcp.host.example"),
      ONE_OF("_sips._tcp.host.example", "SRV", "_sips._tcp.host.example 9 SRV 1 1 5061 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5061"},
    {"target without usable addresses is skipped",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"),
      {"_sips._tcp.o.example",
       "SRV",
       0,
       0,
       {"_sips._tcp.o.example 9 SRV 1 1 5061 gone.example",
        "_sips._tcp.o.example 9 SRV 2 1 5061 sick.example",
        "_sips._tcp.o.example 9 SRV 3 1 5061 e.example"},
       {NULL}},
      NO_NAME("gone.example", "A"),
      NO_NAME("gone.example", "AAAA"),
      FAILING("sick.example", "A"),
      FAILING("sick.example", "AAAA"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"),
      NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5061"},
    {"one family fails, the other answers",
     "o.example",
     5061,
     {ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), FAILING("o.example", "AAAA")},
     0,
     "o.example=192.0.2.1:5061"},
    {"domain does not exist",
     "o.example",
     0,
     {NO_NAME("o.example", "NAPTR")},
     STATUS_NXDOMAIN,
     "o.example: NXDOMAIN: the domain does not exist"},
    {"alias of a name that does not exist: what is below the alias may",
     "o.example",
     0,
     {{"o.example",
       "NAPTR",
       0,
       DNS_AA | DNS_NXDOMAIN,
       {"o.example 9 CNAME gone.example"},
       SOA_LINES},
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 1 1 5071 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"),
      NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5071"},
    {"alias of a name that does not exist, told in two answers",
     "o.example",
     0,
     {{"o.example", "NAPTR", 0, DNS_RA, {"o.example 9 CNAME gone.example"}, {NULL}},
      NO_NAME("gone.example", "NAPTR"),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 1 1 5071 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"),
      NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5071"},
    {"domain with port does not exist",
     "o.example",
     5061,
     {NO_NAME("o.example", "A"), NO_NAME("o.example", "AAAA")},
     STATUS_NXDOMAIN,
     "o.example: NXDOMAIN: the domain does not exist"},
    {"SRV target \".\": decidedly no service",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 0 0 0 ."),
      ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), NONE_OF("o.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: SRV _sips._tcp.o.example: its target is \".\", no host name, or has port 0: no SIP over TLS is "
     "offered"},
    {"NAPTR leads to an SRV that does not exist",
     "o.example",
     0,
     {ONE_OF("o.example", "NAPTR", "o.example 9 NAPTR 1 1 s SIPS+D2T - _sips._tcp.o.example"),
      NO_NAME("_sips._tcp.o.example", "SRV"), ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"),
      NONE_OF("o.example", "AAAA")},
     0,
     "o.example=192.0.2.1:5061"},
    {"NAPTR leads to an SRV that does not exist, the usual one does",
     "o.example",
     0,
     {ONE_OF("o.example", "NAPTR", "o.example 9 NAPTR 1 1 s SIPS+D2T - none.o.example"),
      NO_NAME("none.o.example", "SRV"),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 1 1 5071 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5071"},
    {"NAPTR leads to an SRV that does not exist, and there is nothing else",
     "o.example",
     0,
     {ONE_OF("o.example", "NAPTR", "o.example 9 NAPTR 1 1 s SIPS+D2T - none.o.example"),
      NO_NAME("none.o.example", "SRV"), NONE_OF("_sips._tcp.o.example", "SRV"),
      NONE_OF("o.example", "A"), NONE_OF("o.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: no NAPTR SIPS+D2T, no SRV _sips._tcp and no address records (AAAA, A)"},
    {"NAPTR leads to an SRV that does not exist, and the usual one fails",
     "o.example",
     0,
     {ONE_OF("o.example", "NAPTR", "o.example 9 NAPTR 1 1 s SIPS+D2T - none.o.example"),
      NO_NAME("none.o.example", "SRV"), FAILING("_sips._tcp.o.example", "SRV"),
      ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), NONE_OF("o.example", "AAAA")},
     STATUS_SERVFAIL,
     "SRV _sips._tcp.o.example: SERVFAIL from %s"},
    {"port 0 is none",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"),
      {"_sips._tcp.o.example",
       "SRV",
       0,
       0,
       {"_sips._tcp.o.example 9 SRV 1 1 0 z.example",
        "_sips._tcp.o.example 9 SRV 2 1 5071 e.example"},
       {NULL}},
      ONE_OF("z.example", "A", "z.example 9 A 192.0.2.2"),
      NONE_OF("z.example", "AAAA"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"),
      NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:5071"},
    {"nothing but port 0",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 1 1 0 z.example"),
      ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), NONE_OF("o.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: SRV _sips._tcp.o.example: its target is \".\", no host name, or has port 0: no SIP "
     "over TLS is offered"},
    {"nothing at all",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"), NONE_OF("_sips._tcp.o.example", "SRV"),
      NONE_OF("o.example", "A"), NONE_OF("o.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: no NAPTR SIPS+D2T, no SRV _sips._tcp and no address records (AAAA, A)"},
    {"a port and no addresses",
     "o.example",
     5061,
     {NONE_OF("o.example", "A"), NONE_OF("o.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: no address records (AAAA, A); nothing else was asked, for a port was given (RFC "
     "3263 section 4.2)"},
    {"a server that fails for a name elsewhere",
     "o.example",
     0,
     {ONE_OF("o.example", "NAPTR", "o.example 9 NAPTR 1 1 s SIPS+D2T - _sips._tcp.p.example"),
      FAILING("_sips._tcp.p.example", "SRV")},
     STATUS_SERVFAIL,
     "o.example: SRV _sips._tcp.p.example: SERVFAIL from %s"},
    {"SRV targets without addresses",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 0 0 1 e.example"),
      NONE_OF("e.example", "A"), NO_NAME("e.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: no SRV target has an address: e.example"},
    {"no is not unknown: NAPTR",
     "o.example",
     0,
     {FAILING("o.example", "NAPTR"),
      ONE_OF("_sips._tcp.o.example", "SRV", "_sips._tcp.o.example 9 SRV 0 0 1 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
     STATUS_SERVFAIL,
     "NAPTR o.example: SERVFAIL from %s"},
    {"no is not unknown: SRV",
     "o.example",
     0,
     {NONE_OF("o.example", "NAPTR"), FAILING("_sips._tcp.o.example", "SRV"),
      ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), NONE_OF("o.example", "AAAA")},
     STATUS_SERVFAIL,
     "SRV _sips._tcp.o.example: SERVFAIL from %s"},
    {"no is not unknown: addresses",
     "o.example",
     5061,
     {NO_NAME("o.example", "AAAA"), FAILING("o.example", "A")},
     STATUS_SERVFAIL,
     "A o.example: SERVFAIL from %s"},
    {"refused is unknown too",
     "o.example",
     0,
     {{.name = NULL}},
     STATUS_SERVFAIL,
     "NAPTR o.example: REFUSED from %s"},
    {"CNAME inside the answer",
     "o.example",
     5061,
     {{"o.example", "A", 0, 0, {"o.example 9 CNAME p.example", "p.example 9 A 192.0.2.9"}, {NULL}},
      {"o.example", "AAAA", 0, 0, {"o.example 9 CNAME p.example"}, SOA_LINES}},
     0,
     "o.example=192.0.2.9:5061"},
    {"CNAME whose target is asked again",
     "o.example",
     5061,
     {ONE_OF("o.example", "A", "o.example 9 CNAME p.example"),
      ONE_OF("p.example", "A", "p.example 9 A 192.0.2.9"),
      ONE_OF("o.example", "AAAA", "o.example 9 CNAME p.example"), NONE_OF("p.example", "AAAA")},
     0,
     "o.example=192.0.2.9:5061"},
    {"CNAME circle over several answers",
     "o.example",
     5061,
     {ONE_OF("o.example", "A", "o.example 9 CNAME p.example"),
      ONE_OF("p.example", "A", "p.example 9 CNAME o.example"), NO_NAME("o.example", "AAAA")},
     STATUS_SERVFAIL,
     "A o.example: a chain of too many CNAME records from %s"},
};

/* What RFC 3263 lets a core be found by: each with the transport of its hops. */
static const struct core_case {
    struct route_case route;
    uint8_t transport; /* configured */
} core_cases[] = {
    {{"a port leads to addresses",
      "c.example",
      5080,
      {ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1"), NONE_OF("c.example", "AAAA")},
      0,
      "TCP c.example=192.0.2.1:5080"},
     SIP_TCP},
    {{"a port without a transport: UDP",
      "c.example",
      5080,
      {ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1"), NONE_OF("c.example", "AAAA")},
      0,
      "UDP c.example=192.0.2.1:5080"},
     RESOLVER_ANY},
    {{"a transport leads to its SRV",
      "c.example",
      0,
      {ONE_OF("_sip._udp.c.example", "SRV", "_sip._udp.c.example 9 SRV 1 1 5070 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
      0,
      "UDP e.example=192.0.2.1:5070"},
     SIP_UDP},
    {{"TCP",
      "c.example",
      0,
      {ONE_OF("_sip._tcp.c.example", "SRV", "_sip._tcp.c.example 9 SRV 1 1 5070 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
      0,
      "TCP e.example=192.0.2.1:5070"},
     SIP_TCP},
    {{"TLS",
      "c.example",
      0,
      {ONE_OF("_sips._tcp.c.example", "SRV", "_sips._tcp.c.example 9 SRV 1 1 5070 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
      0,
      "TLS e.example=192.0.2.1:5070"},
     SIP_TLS},
    {{"no SRV: addresses with the transport's port",
      "c.example",
      0,
      {NO_NAME("_sip._tcp.c.example", "SRV"), ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1"),
       NONE_OF("c.example", "AAAA")},
      0,
      "TCP c.example=192.0.2.1:5060"},
     SIP_TCP},
    {{"no SRV for TLS: port 5061",
      "c.example",
      0,
      {NONE_OF("_sips._tcp.c.example", "SRV"), ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1"),
       NONE_OF("c.example", "AAAA")},
      0,
      "TLS c.example=192.0.2.1:5061"},
     SIP_TLS},
    {{"SRV target \".\" of the transport",
      "c.example",
      0,
      {ONE_OF("_sip._udp.c.example", "SRV", "_sip._udp.c.example 9 SRV 0 0 0 ."),
       ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1"), NONE_OF("c.example", "AAAA")},
      STATUS_NOHOP,
      "c.example: SRV _sip._udp.c.example: its target is \".\", no host name, or has port 0: no SIP is offered"},
     SIP_UDP},
    {{"NAPTR chooses the transport",
      "c.example",
      0,
      {{"c.example",
        "NAPTR",
        0,
        0,
        {"c.example 9 NAPTR 10 20 s SIP+D2U - _sip._udp.c.example",
         "c.example 9 NAPTR 10 10 s SIP+D2T - _sip._tcp.c.example",
         "c.example 9 NAPTR 10 5 s SIP+D2S - _sip._sctp.c.example"},
        {NULL}},
       ONE_OF("_sip._udp.c.example", "SRV", "_sip._udp.c.example 9 SRV 1 1 5070 e.example"),
       ONE_OF("_sip._tcp.c.example", "SRV", "_sip._tcp.c.example 9 SRV 1 1 5071 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"),
       NONE_OF("e.example", "AAAA")},
      0,
      "TCP e.example=192.0.2.1:5071 UDP e.example=192.0.2.1:5070"},
     RESOLVER_ANY},
    {{"NAPTR may choose TLS for sip:, too",
      "c.example",
      0,
      {ONE_OF("c.example", "NAPTR", "c.example 9 NAPTR 10 20 s SIPS+D2T - _sips._tcp.c.example"),
       ONE_OF("_sips._tcp.c.example", "SRV", "_sips._tcp.c.example 9 SRV 1 1 5071 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
      0,
      "TLS e.example=192.0.2.1:5071"},
     RESOLVER_ANY},
    {{"the transport that NAPTR names stays where its SRV does not exist: SRV",
      "c.example",
      0,
      {ONE_OF("c.example", "NAPTR", "c.example 9 NAPTR 10 20 s SIPS+D2T - none.c.example"),
       NO_NAME("none.c.example", "SRV"),
       ONE_OF("_sip._udp.c.example", "SRV", "_sip._udp.c.example 9 SRV 1 1 5070 e.example"),
       ONE_OF("_sips._tcp.c.example", "SRV", "_sips._tcp.c.example 9 SRV 1 1 5071 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
      0,
      "TLS e.example=192.0.2.1:5071"},
     RESOLVER_ANY},
    {{"the transport that NAPTR names stays where its SRV does not exist: addresses",
      "c.example",
      0,
      {ONE_OF("c.example", "NAPTR", "c.example 9 NAPTR 10 20 s SIP+D2T - _sip._tcp.c.example"),
       NO_NAME("_sip._tcp.c.example", "SRV"), ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1"),
       NONE_OF("c.example", "AAAA")},
      0,
      "TCP c.example=192.0.2.1:5060"},
     RESOLVER_ANY},
    {{"no NAPTR: SRV of UDP and TCP",
      "c.example",
      0,
      {NONE_OF("c.example", "NAPTR"), NONE_OF("_sip._udp.c.example", "SRV"),
       ONE_OF("_sip._tcp.c.example", "SRV", "_sip._tcp.c.example 9 SRV 1 1 5071 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
      0,
      "TCP e.example=192.0.2.1:5071"},
     RESOLVER_ANY},
    {{"one of two SRV sets fails",
      "c.example",
      0,
      {NONE_OF("c.example", "NAPTR"), FAILING("_sip._udp.c.example", "SRV"),
       ONE_OF("_sip._tcp.c.example", "SRV", "_sip._tcp.c.example 9 SRV 1 1 5071 e.example"),
       ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
      0,
      "TCP e.example=192.0.2.1:5071"},
     RESOLVER_ANY},
    {{"neither NAPTR nor SRV: UDP",
      "c.example",
      0,
      {NONE_OF("c.example", "NAPTR"), NONE_OF("_sip._udp.c.example", "SRV"),
       NO_NAME("_sip._tcp.c.example", "SRV"), ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1"),
       NONE_OF("c.example", "AAAA")},
      0,
      "UDP c.example=192.0.2.1:5060"},
     RESOLVER_ANY},
    {{"nothing at all",
      "c.example",
      0,
      {NONE_OF("c.example", "NAPTR"), NONE_OF("_sip._udp.c.example", "SRV"),
       NONE_OF("_sip._tcp.c.example", "SRV"), NONE_OF("c.example", "A"),
       NONE_OF("c.example", "AAAA")},
      STATUS_NOHOP,
      "c.example: no NAPTR, no SRV and no address records (AAAA, A)"},
     RESOLVER_ANY},
    {{"no is not unknown: SRV of the transport",
      "c.example",
      0,
      {FAILING("_sip._udp.c.example", "SRV"), ONE_OF("c.example", "A", "c.example 9 A 192.0.2.1")},
      STATUS_SERVFAIL,
      "SRV _sip._udp.c.example: SERVFAIL from %s"},
     SIP_UDP},
    {{"IP literal without a port",
      "127.0.0.1",
      0,
      {{.name = NULL}},
      0,
      "UDP 127.0.0.1=127.0.0.1:5060"},
     SIP_UDP},
    {{"IP literal over TLS", "127.0.0.1", 0, {{.name = NULL}}, 0, "TLS 127.0.0.1=127.0.0.1:5061"},
     SIP_TLS},
    {{"IP literal without a transport", "::1", 5070, {{.name = NULL}}, 0, "UDP ::1=[::1]:5070"},
     RESOLVER_ANY},
};

static void assert_route(struct world *world, enum resolver_profile profile, uint8_t transport,
                         const struct route_case *c)
{
    struct resolver_target target = {.profile = profile, .port = c->port, .transport = transport};
    snprintf(target.host, sizeof(target.host), "%s", c->host);
    world->servers[0].rules = c->rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    struct result *result = start(world, &target);
    run_until(world, world->done + 1);
    char upstream[NETADDR_TEXT_MAX], want[512];
    netaddr_format(&world->servers[0].addr, upstream);
    snprintf(want, sizeof(want), c->hops, upstream);
    const char *got = c->status == 0 ? result->hops_text : result->why;
    if (result->status != c->status || strcmp(got, want) != 0)
        fail_msg("%s: %d '%s', not %d '%s'; why '%s', trace:\n%s", c->name, result->status, got,
                 c->status, want, result->why, result->trace);
    resolver_free(world->resolver);
    world->resolver = NULL;
    memset(result, 0, sizeof(*result));
    world->started = 0;
}

static void steps_lead_where_rfc_3263_says(void **state)
{
    for (size_t i = 0; i < COUNT_OF(route_cases); i++)
        assert_route(*state, RESOLVER_PEER, 0, &route_cases[i]);
}

static void core_is_found_by_what_is_configured(void **state)
{
    for (size_t i = 0; i < COUNT_OF(core_cases); i++)
        assert_route(*state, RESOLVER_CORE, core_cases[i].transport, &core_cases[i].route);
}

/* Its own SRV set alone: neither NAPTR nor the domain's addresses say that there is one. */
static const struct route_case porting_cases[] = {
    {"SRV of the federation API",
     "o.example",
     0,
     {ONE_OF("_address-porting._tcp.o.example", "SRV",
             "_address-porting._tcp.o.example 9 SRV 1 1 8444 e.example"),
      ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"), NONE_OF("e.example", "AAAA")},
     0,
     "e.example=192.0.2.1:8444"},
    {"none",
     "o.example",
     0,
     {NO_NAME("_address-porting._tcp.o.example", "SRV"),
      ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), NONE_OF("o.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: SRV _address-porting._tcp.o.example: there is none: no federation API is "
     "offered"},
    {"decidedly none",
     "o.example",
     0,
     {ONE_OF("_address-porting._tcp.o.example", "SRV",
             "_address-porting._tcp.o.example 9 SRV 0 0 0 ."),
      ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"), NONE_OF("o.example", "AAAA")},
     STATUS_NOHOP,
     "o.example: SRV _address-porting._tcp.o.example: its target is \".\", no host name, or has port "
     "0: no federation API is offered"},
};

static void federation_api_is_found_by_its_own_srv_records_alone(void **state)
{
    for (size_t i = 0; i < COUNT_OF(porting_cases); i++)
        assert_route(*state, RESOLVER_PORTING, 0, &porting_cases[i]);
}

static void hops_are_bounded(void **state)
{
    static struct server_rule rules[] = {{"o.example", "A", SERVER_TRUNCATE, 0, {NULL}, {NULL}},
                                         NONE_OF("o.example", "AAAA"),
                                         {.name = NULL}};
    struct world *world = *state;
    for (size_t i = 0; i + 1 < SERVER_LINES_MAX; i++)
        rules[0].answer[i] = "o.example 9 A 192.0.2.1";
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    assert_int_equal(locate(world, "o.example", 5061)->count, RESOLVER_MAX_HOPS);
}

static void a_host_of_many_addresses_leaves_room_for_the_backup(void **state)
{
    static struct server_rule rules[] = {
        NONE_OF("o.example", "NAPTR"),
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 9 SRV 1 1 5061 big.example",
          "_sips._tcp.o.example 9 SRV 2 1 5061 backup.example"},
         {NULL}},
        {"big.example", "A", SERVER_TRUNCATE, 0, {NULL}, {NULL}},
        NONE_OF("big.example", "AAAA"),
        ONE_OF("backup.example", "A", "backup.example 9 A 192.0.2.2"),
        NONE_OF("backup.example", "AAAA"),
        {.name = NULL}};
    struct world *world = *state;
    for (size_t i = 0; i + 1 < SERVER_LINES_MAX; i++)
        rules[2].answer[i] = "big.example 9 A 192.0.2.1";
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    const struct result *result = locate(world, "o.example", 0);
    assert_int_equal(result->count, RESOLVER_MAX_HOPS);
    for (size_t i = 0; i < RESOLVER_MAX_HOPS; i++)
        assert_string_equal(result->hops[i].host,
                            i + 1 < RESOLVER_MAX_HOPS ? "big.example" : "backup.example");
}

#define HOSTS_OF_SET 39 /* as many as a rule has room for */

/* Two SRV sets of hosts h0, h1 ... by priority; only h<living> has an address. */
static void hosts_serve(struct world *world, unsigned living)
{
    static struct server_rule rules[3 + 4 * HOSTS_OF_SET + 1];
    static char texts[2 * HOSTS_OF_SET][2][64], address[64];
    static const char *const naptr[] = {"o.example 9 NAPTR 1 1 s SIPS+D2T - s0.example",
                                        "o.example 9 NAPTR 1 2 s SIPS+D2T - s1.example"};
    struct server_rule *rule = rules;
    *rule++ = (struct server_rule){"o.example", "NAPTR", 0, 0, {naptr[0], naptr[1]}, {NULL}};
    for (unsigned set = 0; set < 2; set++) {
        *rule = (struct server_rule){
            .name = set ? "s1.example" : "s0.example", .type = "SRV", .act = SERVER_TRUNCATE};
        for (unsigned i = 0; i < HOSTS_OF_SET; i++) {
            char *line = texts[set * HOSTS_OF_SET + i][0];
            snprintf(line, sizeof(texts[0][0]), "s%u.example 9 SRV %u 1 5061 h%u.example", set, i,
                     set * HOSTS_OF_SET + i);
            rule->answer[i] = line;
        }
        rule++;
    }
    for (unsigned i = 0; i < 2 * HOSTS_OF_SET; i++) {
        char *name = texts[i][1];
        snprintf(name, sizeof(texts[0][1]), "h%u.example", i);
        *rule++ = (struct server_rule)NONE_OF(name, "AAAA");
        if (i != living)
            *rule++ = (struct server_rule)NO_NAME(name, "A");
    }
    snprintf(address, sizeof(address), "h%u.example 9 A 192.0.2.1", living);
    *rule++ = (struct server_rule)ONE_OF(texts[living][1], "A", address);
    rule->name = NULL;
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
}

static void hosts_without_address_are_followed_by_the_next(void **state)
{
    static const struct {
        unsigned living;
        const char *hops;
    } cases[] = {{RESOLVER_MAX_TARGETS - 1, "h15.example=192.0.2.1:5061"},
                 {RESOLVER_MAX_TARGETS, "h16.example=192.0.2.1:5061"},
                 {ROUNDS_MAX * RESOLVER_MAX_TARGETS - 1, "h63.example=192.0.2.1:5061"}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        hosts_serve(world, cases[i].living);
        assert_string_equal(locate(world, "o.example", 0)->hops_text, cases[i].hops);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
    hosts_serve(world, ROUNDS_MAX * RESOLVER_MAX_TARGETS);
    const struct result *result = locate(world, "o.example", 0);
    assert_int_equal(result->status, STATUS_NOHOP);
    assert_non_null(strstr(result->why, "no SRV target has an address: "));
    /* the SRV sets over UDP and TCP */
    assert_int_equal(stats_of(world).questions, 1 + 2 * 2 + 2 * ROUNDS_MAX * RESOLVER_MAX_TARGETS);
}

/* At the deadline one of two SRV sets is unknown: what it says may come first. */
static void hosts_of_a_set_do_not_stand_for_those_of_another_in_time(void **state)
{
    static const struct server_rule rules[] = {
        NONE_OF("c.example", "NAPTR"),
        {"_sip._udp.c.example", "SRV", SERVER_SILENT, 0, {NULL}, {NULL}},
        ONE_OF("_sip._tcp.c.example", "SRV", "_sip._tcp.c.example 9 SRV 1 1 5071 e.example"),
        ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"),
        NONE_OF("e.example", "AAAA"),
        {.name = NULL}};
    struct world *world = *state;
    struct resolver_target target = {
        .profile = RESOLVER_CORE, .host = "c.example", .transport = RESOLVER_ANY};
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS, 100);
    const struct result *result = start(world, &target);
    run_until(world, world->done + 1);
    assert_int_equal(result->status, -ETIMEDOUT);
    assert_null(strstr(result->trace, "e.example: "));
    assert_int_equal(stats_of(world).inflight, 0);
}

static void memory_of_a_burst_is_given_back(void **state)
{
    enum { BURST = 2 * RESOLVER_SPARES_MAX };
    struct resolver_location *locations[BURST];
    const struct resolver_target target = {.profile = RESOLVER_PEER, .host = "o.example"};
    struct world *world = *state;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    for (int burst = 0; burst < 2; burst++) {
        for (size_t i = 0; i < BURST; i++)
            assert_int_equal(
                resolver_locate(world->resolver, &target, located, traced, NULL, &locations[i]), 0);
        for (size_t i = 0; i < BURST; i++)
            resolver_locate_cancel(locations[i]);
        size_t spares = 0;
        list_each (link, next, &world->resolver->spare)
            spares++;
        assert_int_equal(spares, RESOLVER_SPARES_MAX);
    }
}

static void bad_names_are_refused_at_once(void **state)
{
    static const char *const names[] = {"", "opb.example.", "o b", "b\xc3\xbc.example", "a..b"};
    struct world *world = *state;
    world_open(world, 1, 0, 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct resolver_target target = {.profile = RESOLVER_PEER};
        struct resolver_location *location;
        snprintf(target.host, sizeof(target.host), "%s", names[i]);
        assert_int_equal(
            resolver_locate(world->resolver, &target, located, traced, NULL, &location), -EINVAL);
    }
}

static void resolver_needs_an_upstream(void **state)
{
    struct world *world = *state;
    struct resolver_conf conf = world_conf(world, 0, 0, 0);
    assert_int_equal(resolver_alloc(&world->loop, &conf, &world->resolver), -EINVAL);
}

/* ---- validation, cache ---- */

static void answer_is_validated_only_by_trusted_upstreams(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "A", 0, DNS_RA | DNS_AD, {"o.example 9 A 192.0.2.1"}, {NULL}},
        {"o.example", "AAAA", 0, DNS_RA, {NULL}, {"example 9 SOA ns h 1 2 3 4 9"}},
        {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = rules;
    for (int trusted = 0; trusted <= 1; trusted++) {
        struct resolver_conf conf = world_conf(world, 1, PATIENT_MS, PATIENT_MS);
        conf.upstreams[0].trusted = trusted;
        assert_int_equal(resolver_alloc(&world->loop, &conf, &world->resolver), 0);
        struct result *result = locate(world, "o.example", 5061);
        assert_told(result, trusted ? "A o.example: 192.0.2.1 (validated, TTL 9)"
                                    : "A o.example: 192.0.2.1 (TTL 9)");
        assert_told(result, "AAAA o.example: none (TTL 9)");
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

static void second_lookup_asks_nobody(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    char first[1024];
    snprintf(first, sizeof(first), "%s", locate(world, "opb.example", 0)->hops_text);
    unsigned asked = world->servers[0].asked;
    assert_int_equal(asked, 6);
    struct result *again = locate(world, "opb.example", 0);
    assert_string_equal(again->hops_text, first);
    assert_int_equal(world->servers[0].asked, asked);
    assert_non_null(strstr(again->trace, "A edge.opb.example: 127.0.20.2 (cached, TTL "));
    assert_non_null(strstr(again->trace, "AAAA spare.opb.example: none (cached, TTL "));
    struct resolver_stats stats = stats_of(world);
    assert_int_equal(stats.questions, 6);
    assert_int_equal(stats.answers, 6);
    assert_int_equal(stats.cache_hits, 6);
    assert_int_equal(stats.cache_entries, 6);
    assert_int_equal(stats.inflight, 0);
}

static void failures_are_not_cached(void **state)
{
    static const struct server_rule sick[] = {FAILING("opb.example", "NAPTR"), {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = sick;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    assert_int_equal(locate(world, "opb.example", 0)->status, STATUS_SERVFAIL);
    assert_int_equal(world->servers[0].asked, 1); /* it said that it cannot tell: once is enough */
    world->servers[0].rules = opb_rules;
    assert_int_equal(locate(world, "opb.example", 0)->status, 0);
}

static void identical_questions_under_way_are_asked_once(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    for (int i = 0; i < 20; i++)
        start_peer(world, "opb.example", 0);
    run_until(world, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(world->results[i].calls, 1);
        assert_int_equal(world->results[i].count, 3);
    }
    assert_int_equal(world->servers[0].asked, 6);
}

/* ---- fail-over ---- */

static const struct server_rule one_rules[] = {ONE_OF("o.example", "A", "o.example 9 A 192.0.2.1"),
                                               NONE_OF("o.example", "AAAA"),
                                               {.name = NULL}};

static const struct server_rule silent_rules[] = {
    {"o.example", "A", SERVER_SILENT, 0, {NULL}, {NULL}},
    {"o.example", "AAAA", SERVER_SILENT, 0, {NULL}, {NULL}},
    {.name = NULL}};

static void silent_upstream_is_followed_by_the_next(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = silent_rules;
    world->servers[1].rules = one_rules;
    world_open(world, 2, 100, PATIENT_MS);
    assert_string_equal(locate(world, "o.example", 5061)->hops_text, "o.example=192.0.2.1:5061");
    assert_true(stats_of(world).timeouts >= 2);
    assert_true(world->servers[0].asked >= 2);
    assert_true(world->servers[1].asked >= 2);
}

static void failing_upstream_is_followed_by_the_next(void **state)
{
    static const struct server_rule sick[] = {
        FAILING("o.example", "A"), FAILING("o.example", "AAAA"), {.name = NULL}};
    const struct server_rule *const firsts[] = {sick, no_rules}; /* SERVFAIL, REFUSED */
    for (size_t i = 0; i < COUNT_OF(firsts); i++) {
        struct world *world = *state;
        world->servers[0].rules = firsts[i];
        world->servers[1].rules = one_rules;
        world_open(world, 2, PATIENT_MS, PATIENT_MS);
        assert_string_equal(locate(world, "o.example", 5061)->hops_text,
                            "o.example=192.0.2.1:5061");
        assert_int_equal(stats_of(world).timeouts, 0);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

/* Instead of the first server: a port below those that the system hands out, and nobody on it. */
static void world_open_deaf(struct world *world, size_t upstreams)
{
    struct resolver_conf conf = world_conf(world, upstreams, PATIENT_MS, PATIENT_MS);
    assert_int_equal(netaddr_from_ip(&conf.upstreams[0].addr, SLICE("127.0.0.1"), 1), 0);
    assert_int_equal(resolver_alloc(&world->loop, &conf, &world->resolver), 0);
}

static void upstream_where_nobody_listens_costs_no_time(void **state)
{
    struct world *world = *state;
    world->servers[1].rules = one_rules;
    world_open_deaf(world, 2);
    assert_string_equal(locate(world, "o.example", 5061)->hops_text, "o.example=192.0.2.1:5061");
    assert_int_equal(stats_of(world).timeouts, 0);
}

static void failure_names_question_and_server(void **state)
{
    struct world *world = *state;
    world_open_deaf(world, 1);
    struct result *result = locate(world, "opb.example", 0);
    assert_int_equal(result->status, STATUS_SERVFAIL);
    assert_string_equal(result->why,
                        "NAPTR opb.example: no answer from 127.0.0.1:1: Connection refused");
}

static void silence_of_all_is_a_timeout(void **state)
{
    struct world *world = *state;
    char upstream[NETADDR_TEXT_MAX], want[512];
    world->servers[0].rules = silent_rules;
    world_open(world, 1, 20, PATIENT_MS);
    struct result *result = locate(world, "o.example", 5061);
    snprintf(want, sizeof(want), "AAAA o.example: no answer from %s",
             netaddr_format(&world->servers[0].addr, upstream));
    assert_int_equal(result->status, -ETIMEDOUT);
    assert_string_equal(result->why, want);
    assert_int_equal(world->servers[0].asked, 2 * RESOLVER_ROUNDS);
}

static void servfail_tells_more_than_silence(void **state)
{
    static const struct server_rule sick[] = {
        FAILING("o.example", "A"), FAILING("o.example", "AAAA"), {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = sick;
    world->servers[1].rules = silent_rules;
    world_open(world, 2, 20, PATIENT_MS);
    assert_int_equal(locate(world, "o.example", 5061)->status, STATUS_SERVFAIL);
}

static void upstream_that_was_silent_thrice_is_asked_last(void **state)
{
    static const struct server_rule others[] = {ONE_OF("p.example", "A", "p.example 9 A 192.0.2.1"),
                                                NONE_OF("p.example", "AAAA"),
                                                {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = silent_rules;
    world_open(world, 2, 50, PATIENT_MS); /* the second one refuses at once */
    assert_int_equal(locate(world, "o.example", 5061)->status, STATUS_SERVFAIL);
    assert_int_equal(world->servers[0].asked, 2 * RESOLVER_ROUNDS);
    world->servers[1].rules = others;
    assert_int_equal(locate(world, "p.example", 5061)->status, 0);
    assert_int_equal(world->servers[0].asked, 2 * RESOLVER_ROUNDS);
}

static void late_answer_changes_nothing(void **state)
{
    static const struct server_rule holding[] = {
        {"o.example", "A", SERVER_HOLD, 0, {"o.example 9 A 192.0.2.66"}, {NULL}},
        NONE_OF("o.example", "AAAA"),
        {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = holding;
    world->servers[1].rules = one_rules;
    world_open(world, 2, 100, PATIENT_MS);
    struct result *result = locate(world, "o.example", 5061);
    assert_string_equal(result->hops_text, "o.example=192.0.2.1:5061");
    server_release(&world->servers[0]);
    assert_string_equal(locate(world, "o.example", 5061)->hops_text, "o.example=192.0.2.1:5061");
    assert_int_equal(result->calls, 1);
    assert_int_equal(stats_of(world).hostile, 0); /* its socket was gone */
}

static void lookup_ends_at_its_deadline(void **state)
{
    struct world *world = *state;
    char upstream[NETADDR_TEXT_MAX], want[512];
    world->servers[0].rules = silent_rules;
    world_open(world, 1, PATIENT_MS, 50);
    struct result *result = locate(world, "o.example", 5061);
    snprintf(want, sizeof(want), "AAAA o.example: no answer in time from %s",
             netaddr_format(&world->servers[0].addr, upstream));
    assert_int_equal(result->status, -ETIMEDOUT);
    assert_string_equal(result->why, want);
    assert_int_equal(stats_of(world).inflight, 0);
}

static void slow_spare_target_does_not_hold_up_the_first(void **state)
{
    static const struct server_rule rules[] = {
        NONE_OF("o.example", "NAPTR"),
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 9 SRV 1 1 5061 e.example",
          "_sips._tcp.o.example 9 SRV 2 1 5061 slow.example"},
         {NULL}},
        ONE_OF("e.example", "A", "e.example 9 A 192.0.2.1"),
        NONE_OF("e.example", "AAAA"),
        {"slow.example", "A", SERVER_SILENT, 0, {NULL}, {NULL}},
        {"slow.example", "AAAA", SERVER_SILENT, 0, {NULL}, {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS / 4, PATIENT_MS);
    struct result *result = locate(world, "o.example", 0);
    assert_string_equal(result->hops_text, "e.example=192.0.2.1:5061");
    assert_int_equal(stats_of(world).timeouts, 0); /* so it did not wait for an attempt to end */
    assert_non_null(strstr(result->trace, "A slow.example: no answer in time from "));
}

/* ---- TCP ---- */

static void truncated_answer_is_asked_again_over_tcp(void **state)
{
    static const unsigned acts[] = {SERVER_TRUNCATE, SERVER_TRUNCATE | SERVER_DRIP};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        const struct server_rule rules[] = {
            {"o.example", "A", acts[i], 0, {"o.example 9 A 192.0.2.1"}, {NULL}},
            NONE_OF("o.example", "AAAA"),
            {.name = NULL}};
        world->servers[0].rules = rules;
        world->servers[0].asked_tcp = 0;
        world_open(world, 1, PATIENT_MS, PATIENT_MS);
        assert_string_equal(locate(world, "o.example", 5061)->hops_text,
                            "o.example=192.0.2.1:5061");
        assert_int_equal(world->servers[0].asked_tcp, 1);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

static void failing_tcp_is_followed_by_the_next_upstream(void **state)
{
    static const unsigned acts[] = {SERVER_TRUNCATE | SERVER_TCP_CLOSE,
                                    SERVER_TRUNCATE | SERVER_TCP_LONG};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        const struct server_rule rules[] = {
            {"o.example", "A", acts[i], 0, {"o.example 9 A 192.0.2.66"}, {NULL}},
            NONE_OF("o.example", "AAAA"),
            {.name = NULL}};
        world->servers[0].rules = rules;
        world->servers[1].rules = one_rules;
        world_open(world, 2, PATIENT_MS, PATIENT_MS);
        assert_string_equal(locate(world, "o.example", 5061)->hops_text,
                            "o.example=192.0.2.1:5061");
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

/* ---- forgeries ---- */

static void forged_answers_change_nothing_but_a_counter(void **state)
{
    struct world *world = *state;
    for (unsigned act = SERVER_WRONG_ID; act <= SERVER_HUGE; act <<= 1) {
        const struct server_rule rules[] = {
            {"o.example", "A", act, 0, {"o.example 9 A 192.0.2.1"}, {NULL}},
            NONE_OF("o.example", "AAAA"),
            {.name = NULL}};
        world->servers[0].rules = rules;
        world_open(world, 1, PATIENT_MS, PATIENT_MS);
        struct result *result = locate(world, "o.example", 5061);
        assert_string_equal(result->hops_text, "o.example=192.0.2.1:5061");
        if (stats_of(world).hostile != 1)
            fail_msg("forgery %u: counted %u", act, (unsigned)stats_of(world).hostile);
        assert_int_equal(stats_of(world).answers, 2);
        resolver_free(world->resolver);
        world->resolver = NULL;
        world->started = 0;
        memset(result, 0, sizeof(*result));
    }
}

static void only_forged_answers_are_silence(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example",
         "A",
         SERVER_SILENT | SERVER_WRONG_QUESTION | SERVER_WRONG_OWNER,
         0,
         {"o.example 9 A 192.0.2.1"},
         {NULL}},
        NONE_OF("o.example", "AAAA"),
        {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = rules;
    world_open(world, 1, 50, PATIENT_MS);
    assert_int_equal(locate(world, "o.example", 5061)->status, -ETIMEDOUT);
    assert_int_equal(stats_of(world).hostile, 2 * RESOLVER_ROUNDS);
}

static void attempts_differ_in_id_case_and_port(void **state)
{
    enum { ATTEMPTS = 8 };
    /* With some forty letters two questions agree by chance once in 2^40. */
    static const char name[] = "a-rather-long-name-of-a-host-with-many-letters.example";
    struct world *world = *state;
    unsigned char queries[ATTEMPTS][512];
    uint16_t ports[ATTEMPTS];
    unsigned same_ids = 0, same_ports = 0;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    for (size_t i = 0; i < ATTEMPTS; i++) {
        locate(world, name, 0); /* REFUSED, so it is asked anew each time */
        memcpy(queries[i], world->servers[0].last_query, sizeof(queries[i]));
        ports[i] = world->servers[0].last_port;
        if (i == 0)
            continue;
        assert_memory_not_equal(queries[i] + 12, queries[i - 1] + 12, sizeof(name));
        same_ids += memcmp(queries[i], queries[i - 1], 2) == 0;
        same_ports += ports[i] == ports[i - 1];
    }
    assert_true(same_ids < 3);
    assert_true(same_ports < 3);
}

/* ---- ends ---- */

static void cancelled_lookup_is_never_heard_of(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    struct result *before_start = start_peer(world, "opb.example", 0);
    resolver_locate_cancel(before_start->location);
    struct result *midway = start_peer(world, "opb.example", 0);
    while (world->servers[0].asked < 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    resolver_locate_cancel(midway->location);
    assert_int_equal(stats_of(world).inflight, 0);
    locate(world, "opb.example", 0);
    assert_int_equal(before_start->calls, 0);
    assert_int_equal(midway->calls, 0);
}

static void cancelling_one_leaves_those_who_asked_the_same(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    struct result *one = start_peer(world, "opb.example", 0);
    struct result *other = start_peer(world, "opb.example", 0);
    while (world->servers[0].asked < 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    resolver_locate_cancel(one->location);
    run_until(world, 1);
    assert_int_equal(one->calls, 0);
    assert_int_equal(other->status, 0);
}

static void cancel_all_others(struct result *result)
{
    for (size_t i = 0; i < RESULTS; i++)
        if (result->world->results[i].location)
            resolver_locate_cancel(result->world->results[i].location);
}

static void lookups_may_be_cancelled_by_one_that_ends(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    for (int i = 0; i < 10; i++)
        start_peer(world, "opb.example", 0)->then = cancel_all_others;
    run_until(world, 1);
    /* They wait for the same question: those after the first must not be told any more. */
    locate(world, "opb.example", 0);
    assert_int_equal(world->done, 2);
}

static void freeing_ends_every_lookup(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    struct result *under_way = start_peer(world, "opb.example", 0);
    while (world->servers[0].asked < 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    struct result *not_started = start_peer(world, "opb.example", 0);
    resolver_free(world->resolver);
    world->resolver = NULL;
    assert_int_equal(under_way->calls, 1);
    assert_int_equal(under_way->status, STATUS_CANCELLED);
    assert_int_equal(not_started->calls, 1);
    assert_int_equal(not_started->status, STATUS_CANCELLED);
}

static void free_resolver_and_ask_again(struct result *result)
{
    struct world *world = result->world;
    struct resolver *resolver = world->resolver;
    struct resolver_target target = {.profile = RESOLVER_PEER, .host = "opb.example"};
    struct resolver_location *location;
    world->resolver = NULL;
    resolver_free(resolver);
    if (resolver)
        assert_int_equal(resolver_locate(resolver, &target, located, traced, result, &location),
                         -EAGAIN);
}

static void resolver_may_be_freed_by_a_lookup_that_ends(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = opb_rules;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    for (int i = 0; i < 5; i++)
        start_peer(world, "opb.example", 0)->then = free_resolver_and_ask_again;
    run_until(world, 5);
    assert_int_equal(world->results[0].status, 0);
    for (int i = 1; i < 5; i++)
        assert_int_equal(world->results[i].status, STATUS_CANCELLED);
}

static void lookups_under_way_are_bounded(void **state)
{
    struct world *world = *state;
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    struct resolver_target target = {.profile = RESOLVER_CORE, .host = "127.0.0.1"};
    struct resolver_location *location;
    struct result *result = &world->results[0];
    result->world = world;
    for (int i = 0; i < RESOLVER_LOCATIONS_MAX; i++)
        assert_int_equal(
            resolver_locate(world->resolver, &target, located, NULL, result, &location), 0);
    assert_int_equal(resolver_locate(world->resolver, &target, located, NULL, result, &location),
                     -EAGAIN);
    run_until(world, RESOLVER_LOCATIONS_MAX);
    assert_int_equal(resolver_locate(world->resolver, &target, located, NULL, result, &location),
                     0);
    run_until(world, RESOLVER_LOCATIONS_MAX + 1);
}

static void questions_under_way_are_bounded(void **state)
{
    struct world *world = *state;
    uv_udp_recv_stop(&world->servers[0].udp); /* the socket takes in everything, nobody reads */
    world_open(world, 1, PATIENT_MS, PATIENT_MS);
    struct result *result = &world->results[0];
    result->world = world;
    for (int i = 0; i <= RESOLVER_MAX_INFLIGHT; i++) {
        struct resolver_target target = {.profile = RESOLVER_PEER};
        struct resolver_location *location;
        snprintf(target.host, sizeof(target.host), "n%d.example", i);
        assert_int_equal(
            resolver_locate(world->resolver, &target, located, NULL, result, &location), 0);
    }
    run_until(world, 1);
    assert_int_equal(result->status, STATUS_SERVFAIL);
    assert_string_equal(result->why + strlen(result->why) - strlen("too many questions under way"),
                        "too many questions under way");
    assert_int_equal(stats_of(world).inflight, RESOLVER_MAX_INFLIGHT);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transport_numbers_are_those_of_sip),
        WORLD_TEST(naptr_leads_over_srv_to_addresses),
        WORLD_TEST(steps_lead_where_rfc_3263_says),
        WORLD_TEST(core_is_found_by_what_is_configured),
        WORLD_TEST(federation_api_is_found_by_its_own_srv_records_alone),
        WORLD_TEST(hops_are_bounded),
        WORLD_TEST(a_host_of_many_addresses_leaves_room_for_the_backup),
        WORLD_TEST(hosts_without_address_are_followed_by_the_next),
        WORLD_TEST(hosts_of_a_set_do_not_stand_for_those_of_another_in_time),
        WORLD_TEST(memory_of_a_burst_is_given_back),
        WORLD_TEST(bad_names_are_refused_at_once),
        WORLD_TEST(resolver_needs_an_upstream),
        WORLD_TEST(answer_is_validated_only_by_trusted_upstreams),
        WORLD_TEST(second_lookup_asks_nobody),
        WORLD_TEST(failures_are_not_cached),
        WORLD_TEST(identical_questions_under_way_are_asked_once),
        WORLD_TEST(silent_upstream_is_followed_by_the_next),
        WORLD_TEST(failing_upstream_is_followed_by_the_next),
        WORLD_TEST(upstream_where_nobody_listens_costs_no_time),
        WORLD_TEST(failure_names_question_and_server),
        WORLD_TEST(silence_of_all_is_a_timeout),
        WORLD_TEST(servfail_tells_more_than_silence),
        WORLD_TEST(upstream_that_was_silent_thrice_is_asked_last),
        WORLD_TEST(late_answer_changes_nothing),
        WORLD_TEST(lookup_ends_at_its_deadline),
        WORLD_TEST(slow_spare_target_does_not_hold_up_the_first),
        WORLD_TEST(truncated_answer_is_asked_again_over_tcp),
        WORLD_TEST(failing_tcp_is_followed_by_the_next_upstream),
        WORLD_TEST(forged_answers_change_nothing_but_a_counter),
        WORLD_TEST(only_forged_answers_are_silence),
        WORLD_TEST(attempts_differ_in_id_case_and_port),
        WORLD_TEST(cancelled_lookup_is_never_heard_of),
        WORLD_TEST(cancelling_one_leaves_those_who_asked_the_same),
        WORLD_TEST(lookups_may_be_cancelled_by_one_that_ends),
        WORLD_TEST(freeing_ends_every_lookup),
        WORLD_TEST(resolver_may_be_freed_by_a_lookup_that_ends),
        WORLD_TEST(lookups_under_way_are_bounded),
        WORLD_TEST(questions_under_way_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
