/* What it costs to find the first hop where a plan is at hand: from resolver_plan_get to the first
 * hop, of one domain over and over, then of 10,000 in random order. Each plan is of 1 NAPTR, 2 SRV,
 * and 2 A and 2 AAAA of each host. Exits 1 where a target was missed, and 2 where something failed.
 */
#include "base/status.h"
#include "resolver/resolver.h"
#include "tests/bench/bench.h"
#include "tests/bench/upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAINS       10000
#define UNDER_WAY     32      /* plans being made at once */
#define LOOKUPS       1000000 /* of one round */
#define ROUNDS        9
#define SAME_NS_MAX   300
#define RANDOM_NS_MAX 1000

struct filling {
    uv_loop_t loop;
    struct resolver *resolver;
    struct resolver_target *targets;
    size_t started, found;
};

/* ---- the plans ---- */

static void plan_start(struct filling *filling);

static void plan_found(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    struct filling *filling = arg;
    (void)plan;
    if (status)
        bench_fail("no plan: %s", why);
    filling->found++;
    plan_start(filling);
}

static void plan_start(struct filling *filling)
{
    struct resolver_location *location;
    if (filling->started == DOMAINS)
        return;
    int status = resolver_plan_find(filling->resolver, &filling->targets[filling->started++],
                                    plan_found, filling, &location);
    if (status)
        bench_fail("no lookup: %s", status_text(status));
}

static void fill(struct filling *filling)
{
    for (int i = 0; i < UNDER_WAY; i++)
        plan_start(filling);
    while (filling->found < DOMAINS)
        uv_run(&filling->loop, UV_RUN_ONCE);
}

/* ---- the lookups ---- */

/* In the order of the targets, over and over. */
static double round_ns(const struct filling *filling, size_t count, const uint32_t *order)
{
    struct resolver_search search;
    struct resolver_hop hop;
    unsigned ports = 0;
    uint64_t start = bench_now_ns();
    for (size_t i = 0; i < LOOKUPS; i++) {
        const struct resolver_target *target = &filling->targets[order[i % count]];
        struct resolver_plan *plan = resolver_plan_get(filling->resolver, target);
        if (!plan)
            bench_fail("the plan of %s is gone", target->host);
        resolver_search_begin(&search, filling->resolver, plan, "");
        if (!resolver_search_next(&search, &hop))
            bench_fail("the plan of %s has no hop", target->host);
        resolver_search_done(&search);
        ports += netaddr_port(&hop.addr);
    }
    uint64_t end = bench_now_ns();
    if (ports != LOOKUPS * 5061U)
        bench_fail("a hop has another port");
    return (double)(end - start) / LOOKUPS;
}

static void order_shuffle(uint32_t *order)
{
    uint64_t random = 1;
    for (uint32_t i = 0; i < DOMAINS; i++)
        order[i] = i;
    for (uint32_t i = DOMAINS - 1; i > 0; i--) {
        uint32_t other = (uint32_t)(bench_random(&random) % (i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static void measure(const struct filling *filling)
{
    static uint32_t order[DOMAINS];
    double same[ROUNDS], random[ROUNDS];
    order_shuffle(order);
    for (int i = 0; i < ROUNDS; i++) {
        same[i] = round_ns(filling, 1, order);
        random[i] = round_ns(filling, DOMAINS, order);
    }
    bench_report_most("cached plan", bench_least(same, ROUNDS), "ns", SAME_NS_MAX);
    bench_report_most("cached plan random", bench_least(random, ROUNDS), "ns", RANDOM_NS_MAX);
}

int main(void)
{
    struct filling filling = {.targets = calloc(DOMAINS, sizeof(*filling.targets))};
    struct resolver_conf conf = {.upstream_count = 1};
    struct upstream upstream;
    upstream_start(&upstream);
    conf.upstreams[0].addr = upstream.addr;
    if (!filling.targets || uv_loop_init(&filling.loop) ||
        resolver_alloc(&filling.loop, &conf, &filling.resolver))
        bench_fail("no resolver");
    for (int i = 0; i < DOMAINS; i++)
        snprintf(filling.targets[i].host, sizeof(filling.targets[i].host), "operator%d.example", i);
    fill(&filling);
    upstream_stop(&upstream);
    measure(&filling);
    resolver_free(filling.resolver);
    uv_run(&filling.loop, UV_RUN_DEFAULT);
    uv_loop_close(&filling.loop);
    free(filling.targets);
    return bench_missed() ? 1 : 0;
}
