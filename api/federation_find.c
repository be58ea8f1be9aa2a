/* Where a domain's federation API is: SRV _address-porting._tcp, on an event loop of the request's
 * own. */
#include "api/federation_internal.h"

#include "base/status.h"

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
