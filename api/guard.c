#include "api/guard.h"

#include "api/rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US ((uint64_t)1000000)

struct api_guard {
    pthread_mutex_t lock;
    struct api_rate *clients; /* NULL: no bound */
    struct api_rate *sources; /* failures of each */
    struct api_rate *ids;
    struct api_rate *ports; /* asked for, of each user */
};

struct api_source api_source_of(const struct netaddr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct api_source source = {.len = 1};
    const uint8_t *bytes = addr->in6.sin6_addr.s6_addr;
    bool is_mapped = addr->sa.sa_family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0;
    if (addr->sa.sa_family == AF_INET || is_mapped) {
        const void *ip = is_mapped ? (const void *)(bytes + 12) : &addr->in4.sin_addr;
        source.key[0] = '4';
        memcpy(source.key + 1, ip, 4);
        source.len += 4;
    } else if (addr->sa.sa_family == AF_INET6) {
        source.key[0] = '6';
        memcpy(source.key + 1, bytes, 8);
        source.len += 8;
    }
    return source;
}

struct api_guard *api_guard_alloc(unsigned rate)
{
    struct api_guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return NULL;
    pthread_mutex_init(&guard->lock, NULL);
    if (rate)
        guard->clients = api_rate_alloc(API_GUARD_KEYS, 2 * rate, SECOND_US / rate);
    guard->sources =
        api_rate_alloc(API_GUARD_KEYS, API_GUARD_SOURCE_BURST, API_GUARD_SOURCE_WAIT_S * SECOND_US);
    guard->ids =
        api_rate_alloc(API_GUARD_KEYS, API_GUARD_TOKEN_BURST, API_GUARD_TOKEN_WAIT_S * SECOND_US);
    guard->ports =
        api_rate_alloc(API_GUARD_KEYS, API_GUARD_PORT_BURST, API_GUARD_PORT_WAIT_S * SECOND_US);
    if ((rate && !guard->clients) || !guard->sources || !guard->ids || !guard->ports)
        return api_guard_free(guard);
    return guard;
}

struct api_guard *api_guard_free(struct api_guard *guard)
{
    if (!guard)
        return NULL;
    api_rate_free(guard->clients);
    api_rate_free(guard->sources);
    api_rate_free(guard->ids);
    api_rate_free(guard->ports);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
    return NULL;
}

static struct slice source_key(const struct api_source *source)
{
    return slice_make(source->key, source->len);
}

/* Whole seconds, at least one: RFC 9110 section 10.2.3. */
static unsigned seconds_up(uint64_t wait_us)
{
    return (unsigned)((wait_us + SECOND_US - 1) / SECOND_US);
}

static bool one_take(struct api_guard *guard, struct api_rate *rate, struct slice key,
                     uint64_t now_us, unsigned *wait_s)
{
    uint64_t wait_us;
    pthread_mutex_lock(&guard->lock);
    bool may = api_rate_take(rate, key, now_us, &wait_us);
    pthread_mutex_unlock(&guard->lock);
    if (!may)
        *wait_s = seconds_up(wait_us);
    return may;
}

bool api_guard_request(struct api_guard *guard, const struct api_source *source, const char *client,
                       uint64_t now_us, unsigned *wait_s)
{
    return !guard->clients ||
           one_take(guard, guard->clients, *client ? slice_of(client) : source_key(source), now_us,
                    wait_s);
}

bool api_guard_port(struct api_guard *guard, const char *token, uint64_t now_us, unsigned *wait_s)
{
    return one_take(guard, guard->ports, slice_of(token), now_us, wait_s);
}

/* Both or none. */
static bool failure_take(struct api_guard *guard, struct slice source, struct slice id,
                         uint64_t now_us, uint64_t *wait_us)
{
    if (!api_rate_take(guard->sources, source, now_us, wait_us))
        return false;
    if (id.len == 0 || api_rate_take(guard->ids, id, now_us, wait_us))
        return true;
    api_rate_give(guard->sources, source);
    return false;
}

bool api_guard_failed(struct api_guard *guard, const struct api_source *source, const char *id,
                      uint64_t now_us, unsigned *wait_s)
{
    uint64_t wait_us;
    pthread_mutex_lock(&guard->lock);
    bool may = failure_take(guard, source_key(source), slice_of(id), now_us, &wait_us);
    pthread_mutex_unlock(&guard->lock);
    if (!may)
        *wait_s = seconds_up(wait_us);
    return may;
}
