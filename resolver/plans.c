/* Which plan is at hand: how long one is kept, when its successor is made, and when an old one must
 * do. */
#include "resolver/internal.h"

#include <string.h>

static bool is_purged(const struct resolver *resolver, struct resolver_plan *plan)
{
    uint64_t age = resolver_cache_age(resolver->cache);
    if (plan->age == age)
        return false;
    for (const char *name = plan->text; name < plan->text + plan->text_len;
         name += strlen(name) + 1)
        if (resolver_cache_is_purged(resolver->cache, name, plan->age))
            return true;
    plan->age = age;
    return false;
}

/* Fresh or stale. */
static struct resolver_plan *plan_kept(struct resolver *resolver,
                                       const struct resolver_target *target)
{
    struct resolver_plan *plan =
        resolver_plans_find(resolver->plans, target, resolver_now_ms(resolver));
    if (!plan || !is_purged(resolver, plan))
        return plan;
    resolver_plans_drop(resolver->plans, plan);
    return NULL;
}

/* ---- fresh ---- */

static void renewed(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    (void)status, (void)plan, (void)why, (void)arg; /* it is kept, or the old one goes on */
}

/* A plan in use is made anew before it ends, so that no call waits for it. The answers that it is
 * made of did not see its uses; they are told, so that those about to end are renewed first. The
 * successor may be of the same answers and end as soon: it then gets one of its own. */
static void renew(struct resolver *resolver, struct resolver_plan *plan,
                  const struct resolver_target *target)
{
    struct resolver_location *location;
    if (plan->renewing || plan->uses <= RESOLVER_POPULAR)
        return;
    for (const char *name = plan->text; name < plan->text + plan->text_len;
         name += strlen(name) + 1)
        resolver_cache_used(resolver->cache, name, plan->uses);
    plan->renewing = resolver_plan_find(resolver, target, renewed, NULL, &location) == 0;
}

void resolver_plan_keep(struct resolver *resolver, struct resolver_plan *plan, uint64_t until_ms,
                        uint64_t ends_ms)
{
    uint64_t now_ms = resolver_now_ms(resolver);
    if (ends_ms <= now_ms)
        return;
    plan->renew_ms = until_ms - (until_ms - now_ms) / RESOLVER_RENEW_PART;
    plan->expires_ms = until_ms;
    plan->ends_ms = ends_ms;
    resolver_plans_keep(resolver->plans, plan);
}

static struct resolver_plan *plan_of_literal(struct resolver *resolver,
                                             const struct resolver_target *target)
{
    struct resolver_plan *plan = resolver_plan_literal(target);
    if (!plan)
        return NULL;
    plan->age = resolver_cache_age(resolver->cache);
    uint64_t until_ms = resolver_now_ms(resolver) + (uint64_t)RESOLVER_PLAN_MAX_S * 1000;
    resolver_plan_keep(resolver, plan, until_ms, until_ms);
    resolver_plan_unref(plan);
    return plan_kept(resolver, target);
}

struct resolver_plan *resolver_plan_get(struct resolver *resolver,
                                        const struct resolver_target *target)
{
    uint64_t now_ms = resolver_now_ms(resolver);
    struct resolver_plan *plan = plan_kept(resolver, target);
    if (!plan || plan->expires_ms <= now_ms)
        return plan_of_literal(resolver, target);
    if (plan->renew_ms <= now_ms)
        renew(resolver, plan, target);
    resolver->stats.plan_hits++;
    resolver->stats.stale_hits += plan->stale;
    return plan;
}

uint32_t resolver_plan_left_s(const struct resolver *resolver, const struct resolver_plan *plan)
{
    uint64_t now_ms = resolver_now_ms(resolver);
    return plan->expires_ms > now_ms ? (uint32_t)((plan->expires_ms - now_ms) / 1000) : 0;
}

/* ---- stale ---- */

bool resolver_plan_has_stale(struct resolver *resolver, const struct resolver_target *target)
{
    struct resolver_plan *plan = plan_kept(resolver, target);
    return plan && plan->expires_ms <= resolver_now_ms(resolver);
}

struct resolver_plan *resolver_plan_stale(struct resolver *resolver,
                                          const struct resolver_target *target)
{
    struct resolver_plan *plan = plan_kept(resolver, target);
    uint64_t until_ms = resolver_now_ms(resolver) + (uint64_t)RESOLVER_STALE_TTL_S * 1000;
    if (plan && plan->expires_ms < until_ms) {
        plan->expires_ms = until_ms < plan->ends_ms ? until_ms : plan->ends_ms;
        plan->stale = true;
    }
    if (plan)
        resolver->stats.stale_hits += plan->stale;
    return plan;
}

void resolver_plan_forget(struct resolver *resolver, const struct resolver_target *target)
{
    struct resolver_plan *plan = plan_kept(resolver, target);
    if (plan)
        resolver_plans_drop(resolver->plans, plan);
}
