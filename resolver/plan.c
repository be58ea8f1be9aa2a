#include "resolver/plan.h"

#include "resolver/internal.h"
#include "resolver/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- making one ---- */

static size_t text_size(const char *text)
{
    return strlen(text) + 1;
}

/* Where the next pieces of a plan being made go. */
struct cursor {
    char *text;
    struct netaddr *addrs;
};

static uint16_t text_add(struct resolver_plan *plan, struct cursor *cursor, const char *text)
{
    uint16_t at = plan->text_len;
    memcpy(cursor->text + at, text, text_size(text));
    plan->text_len += (uint16_t)text_size(text);
    return at;
}

static void host_add(struct resolver_plan *plan, struct cursor *cursor,
                     const struct resolver_plan_part *part)
{
    struct resolver_plan_host *host = &plan->hosts[plan->host_count++];
    host->weight = part->weight;
    host->transport = part->transport;
    host->path = part->path;
    host->name = text_add(plan, cursor, part->host);
    host->first = plan->addr_count;
    host->count = (uint8_t)part->addr_count;
    memcpy(cursor->addrs + host->first, part->addrs, part->addr_count * sizeof(*part->addrs));
    plan->addr_count += (uint16_t)part->addr_count;
}

static size_t aligned(size_t size, size_t align)
{
    return (size + align - 1) / align * align;
}

/* An empty one with room for these parts. */
static struct resolver_plan *plan_alloc(const struct resolver_target *target,
                                        const struct resolver_plan_part *parts, size_t part_count,
                                        const char *const *names, size_t name_count,
                                        struct cursor *cursor)
{
    size_t addrs = 0, text = text_size(target->host);
    for (size_t i = 0; i < part_count; i++) {
        addrs += parts[i].addr_count;
        text += text_size(parts[i].host);
    }
    for (size_t i = 0; i < name_count; i++)
        text += text_size(names[i]);

    struct resolver_plan *plan = NULL;
    size_t addrs_at = offsetof(struct resolver_plan, hosts) + part_count * sizeof(plan->hosts[0]);
    size_t text_at = addrs_at;
    addrs_at = aligned(addrs_at + text, _Alignof(struct netaddr));
    if (addrs > 0)
        plan = calloc(1, addrs_at + addrs * sizeof(*plan->addrs));
    if (!plan)
        return NULL;
    cursor->text = (char *)plan + text_at;
    cursor->addrs = (struct netaddr *)((char *)plan + addrs_at);
    plan->addrs = cursor->addrs;
    plan->text = cursor->text;
    return plan;
}

struct resolver_plan *resolver_plan_make(const struct resolver_target *target,
                                         const struct resolver_plan_part *parts, size_t part_count,
                                         const char *const *names, size_t name_count)
{
    assert(part_count <= RESOLVER_MAX_TARGETS && name_count <= RESOLVER_MAX_TARGETS);
    struct cursor cursor;
    struct resolver_plan *plan = plan_alloc(target, parts, part_count, names, name_count, &cursor);
    if (!plan)
        return NULL;
    plan->refs = 1;
    plan->profile = (uint8_t)target->profile;
    plan->transport = target->transport;
    plan->port = target->port;
    list_init(&plan->ring);
    text_add(plan, &cursor, target->host);
    for (size_t i = 0; i < name_count; i++)
        text_add(plan, &cursor, names[i]);
    unsigned ranks[RESOLVER_MAX_TARGETS];
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].addr_count == 0) { /* a purge of its name is to be noticed all the same */
            text_add(plan, &cursor, parts[i].host);
            continue;
        }
        ranks[plan->host_count] = parts[i].rank;
        host_add(plan, &cursor, &parts[i]);
    }
    for (size_t i = plan->host_count; i-- > 0;) {
        bool is_last = i + 1 == plan->host_count || ranks[i + 1] != ranks[i];
        plan->hosts[i].rank_end = is_last ? (uint8_t)(i + 1) : plan->hosts[i + 1].rank_end;
    }
    return plan;
}

struct resolver_plan *resolver_plan_literal(const struct resolver_target *target)
{
    struct netaddr addr;
    if (netaddr_from_ip(&addr, slice_of(target->host), 0) != 0 || !resolver_target_is_valid(target))
        return NULL;
    netaddr_set_port(&addr, resolver_target_port(target));
    const struct resolver_plan_part part = {.host = target->host,
                                            .transport = (uint8_t)resolver_target_transport(target),
                                            .path = RESOLVER_PATH_UNSIGNED,
                                            .addrs = &addr,
                                            .addr_count = 1};
    return resolver_plan_make(target, &part, 1, NULL, 0);
}

size_t resolver_plan_hosts(const struct resolver_plan *plan, struct resolver_plan_host_view *hosts,
                           size_t max)
{
    for (size_t i = 0; i < plan->host_count && i < max; i++) {
        const struct resolver_plan_host *host = &plan->hosts[i];
        hosts[i] = (struct resolver_plan_host_view){.name = plan->text + host->name,
                                                    .port = netaddr_port(&plan->addrs[host->first]),
                                                    .path = plan->stale ? RESOLVER_PATH_UNKNOWN
                                                                        : host->path};
    }
    return plan->host_count;
}

struct resolver_plan *resolver_plan_ref(struct resolver_plan *plan)
{
    plan->refs++;
    return plan;
}

struct resolver_plan *resolver_plan_unref(struct resolver_plan *plan)
{
    if (!plan)
        return NULL;
    assert(plan->refs > 0);
    if (--plan->refs == 0)
        free(plan);
    return NULL;
}

/* ---- keeping them ---- */

struct resolver_plans {
    struct table *table;
    struct list ring; /* the next to be looked at for dropping first */
    size_t max;
};

static bool plan_matches(const struct table_link *link, const void *key)
{
    const struct resolver_plan *plan = container_of(link, const struct resolver_plan, hashed);
    const struct resolver_target *target = key;
    return plan->port == target->port && plan->profile == target->profile &&
           plan->transport == target->transport && strcmp(plan->text, target->host) == 0;
}

/* The key of the table hides where a host's bucket is; what else there is may be mixed in by
 * simpler means. */
static uint64_t plan_hash(const struct resolver_plans *plans, const char *host, uint16_t port,
                          unsigned profile, uint8_t transport)
{
    uint64_t rest = (uint64_t)port << 16 | (uint64_t)profile << 8 | transport;
    return table_hash(plans->table, slice_of(host)) ^ (rest * 0x9e3779b97f4a7c15U);
}

static struct resolver_plan *plan_find(const struct resolver_plans *plans,
                                       const struct resolver_target *target)
{
    uint64_t hash =
        plan_hash(plans, target->host, target->port, target->profile, target->transport);
    struct table_link *link = table_find(plans->table, hash, plan_matches, target);
    return link ? container_of(link, struct resolver_plan, hashed) : NULL;
}

void resolver_plans_drop(struct resolver_plans *plans, struct resolver_plan *plan)
{
    table_remove(plans->table, &plan->hashed);
    list_remove(&plan->ring);
    resolver_plan_unref(plan);
}

struct resolver_plans *resolver_plans_alloc(size_t max)
{
    struct resolver_plans *plans = calloc(1, sizeof(*plans));
    if (!plans)
        return NULL;
    list_init(&plans->ring);
    plans->max = max;
    plans->table = table_alloc(max);
    return plans->table ? plans : resolver_plans_free(plans);
}

struct resolver_plans *resolver_plans_free(struct resolver_plans *plans)
{
    if (!plans)
        return NULL;
    list_each (link, next, &plans->ring)
        resolver_plans_drop(plans, container_of(link, struct resolver_plan, ring));
    if (plans->table)
        table_free(plans->table);
    free(plans);
    return NULL;
}

size_t resolver_plans_count(const struct resolver_plans *plans)
{
    return table_count(plans->table);
}

struct resolver_plan *resolver_plans_find(struct resolver_plans *plans,
                                          const struct resolver_target *target, uint64_t now_ms)
{
    struct resolver_plan *plan = plan_find(plans, target);
    if (!plan)
        return NULL;
    if (plan->ends_ms <= now_ms) {
        resolver_plans_drop(plans, plan);
        return NULL;
    }
    plan->recent = true;
    plan->uses++;
    return plan;
}

/* Each plan that was used since it was looked at last gets one more round. */
static void make_room(struct resolver_plans *plans)
{
    while (table_count(plans->table) >= plans->max) {
        struct list *link = list_pop(&plans->ring);
        struct resolver_plan *plan = container_of(link, struct resolver_plan, ring);
        if (!plan->recent) {
            resolver_plans_drop(plans, plan);
            continue;
        }
        plan->recent = false;
        list_append(&plans->ring, link);
    }
}

void resolver_plans_keep(struct resolver_plans *plans, struct resolver_plan *plan)
{
    struct resolver_target target = {.profile = (enum resolver_profile)plan->profile,
                                     .port = plan->port,
                                     .transport = plan->transport};
    memcpy(target.host, plan->text, text_size(plan->text));
    struct resolver_plan *older = plan_find(plans, &target);
    if (older)
        resolver_plans_drop(plans, older);
    make_room(plans);
    uint64_t hash = plan_hash(plans, plan->text, plan->port, plan->profile, plan->transport);
    if (table_put(plans->table, &plan->hashed, hash) < 0)
        return;
    list_append(&plans->ring, &plan->ring);
    resolver_plan_ref(plan);
}
