#include "resolver/health.h"

#include <string.h>

static bool is_silent(const struct resolver *resolver, size_t upstream)
{
    return resolver->upstreams[upstream].silent >= RESOLVER_SILENT_MAX;
}

/* Where it is time to try it again, it is for the next one only. */
static bool is_down(struct resolver *resolver, size_t upstream, uint64_t now_ms)
{
    if (!is_silent(resolver, upstream))
        return false;
    if (resolver->upstreams[upstream].down_until_ms > now_ms)
        return true;
    resolver->upstreams[upstream].down_until_ms = now_ms + RESOLVER_DOWN_MS;
    return false;
}

bool resolver_trusted_are_down(const struct resolver *resolver)
{
    uint64_t now_ms = resolver_now_ms(resolver);
    bool any = false;
    for (size_t i = 0; i < resolver->conf.upstream_count; i++) {
        if (!resolver->conf.upstreams[i].trusted)
            continue;
        if (!is_silent(resolver, i) || resolver->upstreams[i].down_until_ms <= now_ms)
            return false;
        any = true;
    }
    return any;
}

void resolver_upstream_silent(struct resolver *resolver, size_t upstream)
{
    if (++resolver->upstreams[upstream].silent >= RESOLVER_SILENT_MAX)
        resolver->upstreams[upstream].down_until_ms = resolver_now_ms(resolver) + RESOLVER_DOWN_MS;
}

void resolver_upstream_answered(struct resolver *resolver, size_t upstream)
{
    resolver->upstreams[upstream].silent = 0;
}

size_t resolver_upstreams_order(struct resolver *resolver, bool trusted_only,
                                size_t order[RESOLVER_MAX_UPSTREAMS])
{
    uint64_t now_ms = resolver_now_ms(resolver);
    size_t down[RESOLVER_MAX_UPSTREAMS], count = 0, down_count = 0;
    for (size_t i = 0; i < resolver->conf.upstream_count; i++) {
        if (trusted_only && !resolver->conf.upstreams[i].trusted)
            continue;
        if (is_down(resolver, i, now_ms))
            down[down_count++] = i;
        else
            order[count++] = i;
    }
    memcpy(order + count, down, down_count * sizeof(down[0]));
    return count + down_count;
}
