#include "resolver/internal.h"

#include "base/table.h"
#include "resolver/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define DEFAULT_ATTEMPT_MS    1000
#define DEFAULT_LOOKUP_MS     3000
#define DEFAULT_CACHE_MAX     65536
#define DEFAULT_STALE_WAIT_MS 500   /* so that a lookup of several steps still ends in time */
#define DEFAULT_TTL_MAX_S     86400 /* a mistyped TTL heals within a day */
#define ANSWERS_PER_PLAN      4     /* SRV and addresses of one host; most have more */

uint64_t resolver_now_ms(const struct resolver *resolver)
{
    return uv_now(resolver->loop) + resolver->ahead_ms;
}

int resolver_random(void *bytes, size_t size)
{
    ssize_t len = getrandom(bytes, size, GRND_NONBLOCK);
    return len == (ssize_t)size ? 0 : -EAGAIN;
}

/* ---- the clock ---- */

static void tick_due(uv_timer_t *tick);

static void tick_arm(struct resolver *resolver)
{
    uint64_t next_ms = timers_next_ms(resolver->timers);
    if (next_ms == UINT64_MAX) {
        uv_timer_stop(&resolver->tick);
        return;
    }
    uint64_t now_ms = resolver_now_ms(resolver);
    uv_timer_start(&resolver->tick, tick_due, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

static void tick_due(uv_timer_t *tick)
{
    struct resolver *resolver = tick->data;
    timers_run(resolver->timers, resolver_now_ms(resolver));
    if (!resolver->closing)
        tick_arm(resolver);
}

int resolver_timer_start(struct resolver *resolver, struct timer *timer, uint64_t delay_ms,
                         timer_h *handler, void *arg)
{
    uint64_t due_ms = resolver_now_ms(resolver) + delay_ms;
    int status = timer_start(resolver->timers, timer, due_ms, handler, arg);
    if (status < 0)
        return status;
    tick_arm(resolver);
    return 0;
}

/* ---- life ---- */

static void resolver_release(struct resolver *resolver)
{
    resolver_locations_free(resolver);
    resolver_findings_free(resolver);
    resolver_cache_free(resolver->cache);
    resolver_plans_free(resolver->plans);
    resolver_avoid_free(resolver->avoid);
    if (resolver->questions)
        table_free(resolver->questions);
    if (resolver->timers)
        timers_free(resolver->timers);
    free(resolver);
}

static void tick_closed(uv_handle_t *handle)
{
    resolver_release(handle->data);
}

static void conf_fill(struct resolver_conf *conf)
{
    if (conf->attempt_timeout_ms == 0)
        conf->attempt_timeout_ms = DEFAULT_ATTEMPT_MS;
    if (conf->lookup_timeout_ms == 0)
        conf->lookup_timeout_ms = DEFAULT_LOOKUP_MS;
    if (conf->cache_max == 0)
        conf->cache_max = DEFAULT_CACHE_MAX;
    if (conf->stale_wait_ms == 0)
        conf->stale_wait_ms = DEFAULT_STALE_WAIT_MS;
    if (conf->ttl_max_s == 0)
        conf->ttl_max_s = DEFAULT_TTL_MAX_S;
}

int resolver_alloc(uv_loop_t *loop, const struct resolver_conf *conf, struct resolver **resolver)
{
    if (conf->upstream_count == 0 || conf->upstream_count > RESOLVER_MAX_UPSTREAMS)
        return -EINVAL;
    struct resolver *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->loop = loop;
    made->conf = *conf;
    conf_fill(&made->conf);
    list_init(&made->asked);
    list_init(&made->unlisted);
    list_init(&made->locations);
    list_init(&made->spare);
    list_init(&made->findings);
    list_init(&made->spare_findings);
    list_init(&made->keys_asked);
    made->timers = timers_alloc(2 * RESOLVER_MAX_INFLIGHT + RESOLVER_LOCATIONS_MAX +
                                RESOLVER_FINDINGS_MAX + RESOLVER_MAX_KEYS_ASKED);
    made->questions = table_alloc(RESOLVER_MAX_INFLIGHT);
    made->cache =
        resolver_cache_alloc(&(struct resolver_cache_conf){.max = made->conf.cache_max,
                                                           .ttl_min_s = made->conf.ttl_min_s,
                                                           .ttl_max_s = made->conf.ttl_max_s,
                                                           .stale_s = made->conf.stale_s});
    made->plans = resolver_plans_alloc(made->conf.cache_max / ANSWERS_PER_PLAN + 1);
    made->avoid = resolver_avoid_alloc();
    resolver_random(&made->lottery, sizeof(made->lottery)); /* else the load is shared less well */
    if (!made->timers || !made->questions || !made->cache || !made->plans || !made->avoid) {
        resolver_release(made);
        return -ENOMEM;
    }
    int status = resolver_net_open(loop, &made->net);
    if (status < 0) {
        resolver_release(made);
        return status;
    }
    uv_timer_init(loop, &made->tick); /* cannot fail */
    made->tick.data = made;
    *resolver = made;
    return 0;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver || resolver->closing)
        return;
    resolver->closing = true;
    resolver_findings_end(resolver);
    resolver_keys_end(resolver);
    resolver_locations_end(resolver);
    resolver_questions_end(resolver);
    resolver_net_close(resolver->net);
    uv_close((uv_handle_t *)&resolver->tick, tick_closed);
}

void resolver_purge(struct resolver *resolver, const char *name)
{
    resolver_cache_purge(resolver->cache, name);
}

int resolver_purge_name(struct slice text, char name[RESOLVER_PURGE_MAX + 1])
{
    if (store_domain_canonical(text, name, NULL) == 0)
        return 0;
    if (text.len > 0 && text.p[text.len - 1] == '.')
        text.len--;
    return resolver_name_copy(text, name);
}

/* ---- hops ---- */

bool resolver_hop_failed(struct resolver *resolver, const struct resolver_hop *hop,
                         const char *domain)
{
    const struct resolver_avoid_key key = {&hop->addr, hop->transport, domain};
    return resolver_avoid_failed(resolver->avoid, &key, resolver_now_ms(resolver));
}

void resolver_hop_worked(struct resolver *resolver, const struct resolver_hop *hop,
                         const char *domain)
{
    const struct resolver_avoid_key key = {&hop->addr, hop->transport, domain};
    resolver_avoid_worked(resolver->avoid, &key);
}

bool resolver_hop_is_avoided(struct resolver *resolver, const struct resolver_hop *hop,
                             const char *domain)
{
    const struct resolver_avoid_key key = {&hop->addr, hop->transport, domain};
    return resolver_avoid_is(resolver->avoid, &key, resolver_now_ms(resolver));
}

const struct resolver_conf *resolver_conf_get(const struct resolver *resolver)
{
    return &resolver->conf;
}

void resolver_stats_get(const struct resolver *resolver, struct resolver_stats *stats)
{
    *stats = resolver->stats;
    stats->cache_entries = resolver_cache_count(resolver->cache);
    stats->avoided = resolver_avoid_count(resolver->avoid);
    stats->plans = resolver_plans_count(resolver->plans);
    stats->inflight = table_count(resolver->questions);
    for (size_t i = 0; i < resolver->conf.upstream_count; i++)
        stats->upstreams_down += resolver->upstreams[i].silent >= RESOLVER_SILENT_MAX;
}
