/* Who has proven nothing yet: what an address may use before its handshake and first request. */
#include "peering/guard/internal.h"

#include "base/table.h"

#include <stdio.h>
#include <string.h>

#define V4_BITS 32
#define V6_BITS 64 /* what one customer has, at least */

/* ::ffff:a.b.c.d is a.b.c.d, whichever socket it came by. */
static bool is_v4(const struct netaddr *addr)
{
    return addr->sa.sa_family == AF_INET ||
           (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr));
}

struct netprefix guard_source_of(const struct netaddr *addr)
{
    struct netprefix source = {.addr = {.in6 = {.sin6_family = AF_INET6}}, .bits = V6_BITS};
    if (!is_v4(addr)) {
        memcpy(&source.addr.in6.sin6_addr, &addr->in6.sin6_addr, V6_BITS / 8);
        return source;
    }
    source = (struct netprefix){.addr = {.in4 = {.sin_family = AF_INET}}, .bits = V4_BITS};
    if (addr->sa.sa_family == AF_INET)
        source.addr.in4.sin_addr = addr->in4.sin_addr;
    else
        memcpy(&source.addr.in4.sin_addr, &addr->in6.sin6_addr.s6_addr[12], 4);
    return source;
}

/* No key is 0, which is a free slot. */
uint64_t guard_source_key(const struct guard *guard, const struct netaddr *addr)
{
    struct netprefix source = guard_source_of(addr);
    struct slice bytes = source.bits == V4_BITS
                             ? slice_make((const char *)&source.addr.in4.sin_addr, 4)
                             : slice_make((const char *)&source.addr.in6.sin6_addr, V6_BITS / 8);
    return siphash(guard->key, bytes) | 1;
}

uint64_t guard_peer_key(const struct guard *guard, const char *domain)
{
    return siphash(guard->key, slice_of(domain)) | 1;
}

static uint64_t standing_key(const struct guard *guard, const struct netaddr *source,
                             const char *domain)
{
    return siphash_after(guard->key, guard_source_key(guard, source), slice_of(domain)) | 1;
}

static bool is_good(struct guard_slot *slot, uint64_t now_ms)
{
    return slot && atomic_load_explicit(&slot->good_until_ms, memory_order_relaxed) > now_ms;
}

static void good_set(struct guard_slot *slot, uint64_t now_ms)
{
    if (slot)
        atomic_store_explicit(&slot->good_until_ms, now_ms + GUARD_STANDING_MS,
                              memory_order_relaxed);
}

void guard_answered(struct guard *guard, const char *domain, const struct netaddr *source,
                    uint64_t now_ms)
{
    struct guard_slot *peer = guard_slot_get(&guard->peers, guard_peer_key(guard, domain), now_ms);
    if (peer && atomic_load_explicit(&peer->answered, memory_order_relaxed) < GUARD_KNOWN_AFTER)
        atomic_fetch_add_explicit(&peer->answered, 1, memory_order_relaxed);
    good_set(guard_slot_get(&guard->sources, guard_source_key(guard, source), now_ms), now_ms);
    good_set(guard_slot_get(&guard->standings, standing_key(guard, source, domain), now_ms),
             now_ms);
}

static enum guard_rule refuse(struct guard *guard, enum guard_rule rule)
{
    guard_count(guard, rule);
    return rule;
}

enum guard_rule guard_accept(struct guard *guard, const struct netaddr *source, uint64_t now_ms,
                             struct guard_slot **slot)
{
    const struct guard_conf *conf = &guard->conf;
    uint64_t key = guard_source_key(guard, source);
    struct guard_slot *found = guard_slot_find(&guard->sources, key);
    bool good = is_good(found, now_ms);
    uint64_t factor = good ? GUARD_GOOD_FACTOR : 1;
    const struct guard_rate rate = {2 * factor * conf->source_handshakes,
                                    factor * conf->source_handshakes, 1000};
    *slot = NULL;
    if (!good && guard_is_banned(guard, source, now_ms))
        return refuse(guard, GUARD_BANNED); /* the flood of one source claims no slot of another */
    found = guard_slot_get(&guard->sources, key, now_ms);
    if (!found)
        return GUARD_OK;
    if (conf->source_connections > 0 && atomic_load_explicit(&found->held, memory_order_relaxed) >=
                                            factor * conf->source_connections)
        return refuse(guard, GUARD_SOURCE_CONNECTIONS);
    if (guard_bucket_take(&found->bucket_us[SOURCE_HANDSHAKES], &rate, now_ms) > 0)
        return refuse(guard, GUARD_SOURCE_HANDSHAKES);
    atomic_fetch_add_explicit(&found->held, 1, memory_order_relaxed);
    *slot = found;
    return GUARD_OK;
}

void guard_release(struct guard_slot *slot)
{
    if (slot)
        atomic_fetch_sub_explicit(&slot->held, 1, memory_order_relaxed);
}

/* It may hold what a stranger's certificate says. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

/* Returns whether there is one now that was not there before. */
static bool ban_by_itself(struct guard *guard, struct guard_ban *ban, const struct netaddr *source,
                          uint64_t now_ms)
{
    ban->source = guard_source_of(source);
    ban->left_ms = (uint64_t)guard->conf.ban_s * 1000;
    ban->automatic = true;
    make_printable(ban->reason);
    if (guard_is_banned(guard, source, now_ms) || guard_ban_add(guard, ban, now_ms) != 0)
        return false;
    atomic_fetch_add_explicit(&guard->bans_made, 1, memory_order_relaxed);
    return true;
}

bool guard_failed(struct guard *guard, const struct netaddr *source, const char *what,
                  uint64_t now_ms)
{
    const struct guard_conf *conf = &guard->conf;
    const struct guard_rate rate = {conf->source_failures, conf->source_failures, 60000};
    struct guard_ban ban;
    atomic_fetch_add_explicit(&guard->failures, 1, memory_order_relaxed);
    if (conf->source_failures == 0 || conf->ban_s == 0)
        return false;
    struct guard_slot *slot =
        guard_slot_get(&guard->sources, guard_source_key(guard, source), now_ms);
    if (!slot || guard_bucket_take(&slot->bucket_us[SOURCE_FAILURES], &rate, now_ms) == 0)
        return false;
    snprintf(ban.reason, sizeof(ban.reason), "more than %u failures in a minute, the last one: %s",
             conf->source_failures, what);
    return ban_by_itself(guard, &ban, source, now_ms);
}

bool guard_exceeded(struct guard *guard, const struct netaddr *source, enum guard_rule rule,
                    uint64_t now_ms)
{
    static const struct guard_rate second = {1, 1, 1000};
    const struct guard_conf *conf = &guard->conf;
    const struct guard_rate rate = {conf->source_excess_s, conf->source_excess_s, 60000};
    bool handshakes = rule == GUARD_SOURCE_HANDSHAKES;
    struct guard_ban ban;
    if (conf->source_excess_s == 0 || conf->ban_s == 0)
        return false;
    struct guard_slot *slot = guard_slot_find(&guard->sources, guard_source_key(guard, source));
    if (!slot || guard_bucket_take(&slot->bucket_us[SOURCE_EXCESS_SECOND], &second, now_ms) > 0 ||
        guard_bucket_take(&slot->bucket_us[SOURCE_EXCESSES], &rate, now_ms) == 0)
        return false;
    snprintf(ban.reason, sizeof(ban.reason), "in more than %u seconds of a minute more than %u %s",
             conf->source_excess_s, handshakes ? conf->source_handshakes : conf->source_connections,
             handshakes ? "new connections" : "connections that have proven nothing");
    return ban_by_itself(guard, &ban, source, now_ms);
}

bool guard_is_good(const struct guard *guard, const struct netaddr *source, const char *domain,
                   uint64_t now_ms)
{
    return is_good(guard_slot_find(&guard->standings, standing_key(guard, source, domain)), now_ms);
}
