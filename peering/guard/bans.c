/* Sources that are shut out for a while, by people or for what they did. They are kept in memory:
 * a ban is short, it is made at the pace of an attack, which must not write to the directory, and
 * whoever goes on after a restart is banned again. */
#include "peering/guard/internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void ban_drop(struct guard *guard, size_t index)
{
    size_t last = atomic_load(&guard->ban_count) - 1;
    guard->bans[index] = guard->bans[last];
    atomic_store(&guard->ban_count, last);
    atomic_fetch_add(&guard->ban_changes, 1);
}

static void drop_ended(struct guard *guard, uint64_t now_ms)
{
    for (size_t i = atomic_load(&guard->ban_count); i > 0; i--)
        if (guard->bans[i - 1].ends_ms <= now_ms)
            ban_drop(guard, i - 1);
}

static bool prefix_eq(const struct netprefix *a, const struct netprefix *b)
{
    return a->bits == b->bits && netaddr_eq_ip(&a->addr, &b->addr);
}

static struct ban *ban_find(struct guard *guard, const struct netprefix *source)
{
    for (size_t i = 0; i < atomic_load(&guard->ban_count); i++)
        if (prefix_eq(&guard->bans[i].ban.source, source))
            return &guard->bans[i];
    return NULL;
}

/* A place for one more: the next free one, or that of the automatic one that ends next. */
static struct ban *ban_place(struct guard *guard)
{
    size_t count = atomic_load(&guard->ban_count);
    struct ban *next = NULL;
    if (count < GUARD_MAX_BANS) {
        atomic_store(&guard->ban_count, count + 1);
        return &guard->bans[count];
    }
    for (size_t i = 0; i < count; i++)
        if (guard->bans[i].ban.automatic && (!next || guard->bans[i].ends_ms < next->ends_ms))
            next = &guard->bans[i];
    return next;
}

int guard_ban_add(struct guard *guard, const struct guard_ban *ban, uint64_t now_ms)
{
    if (ban->left_ms == 0 || ban->left_ms > GUARD_MAX_BAN_S * UINT64_C(1000))
        return -EINVAL;
    pthread_mutex_lock(&guard->lock);
    drop_ended(guard, now_ms);
    struct ban *place = ban_find(guard, &ban->source);
    if (!place)
        place = ban_place(guard);
    if (place) {
        *place = (struct ban){.ban = *ban, .ends_ms = now_ms + ban->left_ms};
        place->ban.version = ++guard->ban_version;
        atomic_fetch_add(&guard->ban_changes, 1);
    }
    pthread_mutex_unlock(&guard->lock);
    return place ? 0 : STATUS_LIMIT;
}

int guard_ban_remove(struct guard *guard, const struct netprefix *source, uint64_t now_ms)
{
    pthread_mutex_lock(&guard->lock);
    drop_ended(guard, now_ms);
    struct ban *ban = ban_find(guard, source);
    if (ban)
        ban_drop(guard, (size_t)(ban - guard->bans));
    pthread_mutex_unlock(&guard->lock);
    return ban ? 0 : STATUS_NOTFOUND;
}

/* IPv4 before IPv6, then by address and length. */
int guard_source_compare(const struct netprefix *a, const struct netprefix *b)
{
    int order;
    if (a->addr.sa.sa_family != b->addr.sa.sa_family)
        return a->addr.sa.sa_family == AF_INET ? -1 : 1;
    if (a->addr.sa.sa_family == AF_INET)
        order = memcmp(&a->addr.in4.sin_addr, &b->addr.in4.sin_addr, sizeof(a->addr.in4.sin_addr));
    else
        order =
            memcmp(&a->addr.in6.sin6_addr, &b->addr.in6.sin6_addr, sizeof(a->addr.in6.sin6_addr));
    return order ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

static int by_source(const void *left, const void *right)
{
    const struct guard_ban *a = left, *b = right;
    return guard_source_compare(&a->source, &b->source);
}

static struct guard_ban told(const struct ban *ban, uint64_t now_ms)
{
    struct guard_ban result = ban->ban;
    result.left_ms = ban->ends_ms - now_ms;
    return result;
}

size_t guard_ban_list(struct guard *guard, struct guard_ban bans[GUARD_MAX_BANS], uint64_t now_ms)
{
    pthread_mutex_lock(&guard->lock);
    drop_ended(guard, now_ms);
    size_t count = atomic_load(&guard->ban_count);
    for (size_t i = 0; i < count; i++)
        bans[i] = told(&guard->bans[i], now_ms);
    pthread_mutex_unlock(&guard->lock);
    qsort(bans, count, sizeof(*bans), by_source);
    return count;
}

int guard_ban_get(struct guard *guard, const struct netprefix *source, uint64_t now_ms,
                  struct guard_ban *ban)
{
    pthread_mutex_lock(&guard->lock);
    drop_ended(guard, now_ms);
    const struct ban *found = ban_find(guard, source);
    if (found)
        *ban = told(found, now_ms);
    pthread_mutex_unlock(&guard->lock);
    return found ? 0 : STATUS_NOTFOUND;
}

bool guard_is_banned(struct guard *guard, const struct netaddr *source, uint64_t now_ms)
{
    bool found = false;
    if (atomic_load_explicit(&guard->ban_count, memory_order_relaxed) == 0)
        return false;
    pthread_mutex_lock(&guard->lock);
    for (size_t i = 0; i < atomic_load(&guard->ban_count) && !found; i++)
        found = guard->bans[i].ends_ms > now_ms &&
                netprefix_contains(&guard->bans[i].ban.source, source);
    pthread_mutex_unlock(&guard->lock);
    return found;
}

unsigned guard_ban_changes(const struct guard *guard)
{
    return atomic_load_explicit(&guard->ban_changes, memory_order_relaxed);
}
