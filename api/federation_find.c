/* Where a domain's federation API is, and which ENUM zone holds a number: SRV
 * _address-porting._tcp, on an event loop of the request's own. */
#include "api/federation_internal.h"

#include "base/status.h"
#include "resolver/number_zone.h"

#include <errno.h>
#include <stdio.h>
#include <uv.h>

#define FIND_CACHE 256 /* record sets: what one search asks for */

struct search {
    uv_loop_t loop;
    struct federation_hop *hops;
    size_t count;
    int status;
    char *why;
};

struct zone_search {
    uv_loop_t loop;
    bool is_over;
    int status;
    char *zone, *why;
};

static void located(int status, const struct resolver_hop *hops, size_t count, const char *why,
                    void *arg)
{
    struct search *search = arg;
    search->status = status;
    if (status)
        snprintf(search->why, FEDERATION_MAX_WHY, "%s", why && *why ? why : status_text(status));
    for (size_t i = 0; !status && i < count && i < FEDERATION_MAX_HOPS; i++)
        search->hops[search->count++].addr = hops[i].addr;
    uv_stop(&search->loop);
}

static int search_run(struct search *search, const struct federation *federation,
                      const char *domain)
{
    struct resolver_target target = {.profile = RESOLVER_PORTING};
    struct resolver_conf conf = federation->resolver;
    struct resolver_location *location;
    struct resolver *resolver;
    conf.cache_max = FIND_CACHE;
    snprintf(target.host, sizeof(target.host), "%s", domain);
    int status = resolver_alloc(&search->loop, &conf, &resolver);
    if (status)
        return status;
    status = resolver_locate(resolver, &target, located, NULL, search, &location);
    if (!status)
        uv_run(&search->loop, UV_RUN_DEFAULT);
    resolver_free(resolver);
    uv_run(&search->loop, UV_RUN_DEFAULT);
    return status;
}

static void zone_found(int status, const char *zone, const char *why, void *arg)
{
    struct zone_search *search = arg;
    search->status = status;
    snprintf(status ? search->why : search->zone,
             status ? FEDERATION_MAX_WHY : STORE_DOMAIN_MAX + 1, "%s", status ? why : zone);
    uv_stop(&search->loop);
    search->is_over = true;
}

static int zone_run(struct zone_search *search, const struct federation *federation,
                    const char *digits)
{
    struct resolver_conf conf = federation->resolver;
    struct resolver *resolver;
    conf.cache_max = FIND_CACHE;
    int status = resolver_alloc(&search->loop, &conf, &resolver);
    if (status)
        return status;
    status = resolver_number_zone_find(resolver, digits, zone_found, search);
    if (!status && !search->is_over)
        uv_run(&search->loop, UV_RUN_DEFAULT);
    resolver_free(resolver);
    uv_run(&search->loop, UV_RUN_DEFAULT);
    return status;
}

int federation_number_zone(struct federation *federation, const char *digits,
                           char zone[STORE_DOMAIN_MAX + 1], char *why)
{
    struct zone_search search = {.zone = zone, .why = why};
    if (uv_loop_init(&search.loop)) {
        snprintf(why, FEDERATION_MAX_WHY, "+%s: out of descriptors", digits);
        return -ENOMEM;
    }
    int status = zone_run(&search, federation, digits);
    uv_loop_close(&search.loop);
    if (status)
        snprintf(why, FEDERATION_MAX_WHY, "+%s: %s", digits, status_text(status));
    return status ? status : search.status;
}

int federation_find(const struct federation *federation, const char *domain,
                    struct federation_hop hops[FEDERATION_MAX_HOPS], size_t *count, char *why)
{
    struct search search = {.hops = hops, .why = why};
    if (uv_loop_init(&search.loop)) {
        snprintf(why, FEDERATION_MAX_WHY, "%s: out of descriptors", domain);
        return -ENOMEM;
    }
    int status = search_run(&search, federation, domain);
    uv_loop_close(&search.loop);
    if (status)
        snprintf(why, FEDERATION_MAX_WHY, "%s: %s", domain, status_text(status));
    *count = search.count;
    status = status ? status : search.status;
    return status == STATUS_NXDOMAIN ? STATUS_NOHOP : status;
}
