/* The part of a route's explanation that asks DNS, on an event loop of the request's own. */
#include "api/walk.h"

#include "base/chars.h"
#include "base/status.h"
#include "peering/sip/sip.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void walk_step(json_t *steps, const char *what, const char *format, ...)
{
    char why[WALK_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    /* A step without memory, or of bytes that are no text, is left out; the verdict stands. */
    json_array_append_new(steps, json_pack("{s:s, s:s}", "what", what, "why", why));
}

static int dns_open(struct walk *walk)
{
    if (walk->resolver)
        return 0;
    if (uv_loop_init(&walk->loop))
        return -ENOMEM;
    int status = resolver_alloc(&walk->loop, &walk->call->api->resolver, &walk->resolver);
    if (status)
        uv_loop_close(&walk->loop);
    return status;
}

void walk_dns_done(struct walk *walk)
{
    if (!walk->resolver)
        return;
    resolver_free(walk->resolver);
    uv_run(&walk->loop, UV_RUN_DEFAULT);
    uv_loop_close(&walk->loop);
}

/* ---- finding ---- */

static void find_trace(const char *line, void *arg)
{
    struct walk *walk = arg;
    walk_step(walk->steps, "dns", "%s", line);
}

static void find_done(int status, const struct resolver_found *found, void *arg)
{
    struct walk *walk = arg;
    walk->find_status = status;
    *walk->found = *found;
    uv_stop(&walk->loop);
}

int walk_find(struct walk *walk, const struct resolver_directory *eyes,
              struct resolver_found *found)
{
    struct resolver_asked asked = {.address = walk->address};
    struct resolver_finding *finding;
    const struct resolver_find_user user = {.reader = walk->call->reader,
                                            .done = find_done,
                                            .trace = find_trace,
                                            .arg = walk,
                                            .directory = eyes};
    int status = dns_open(walk);
    if (status)
        return status;
    if (!walk->text[0])
        slice_to_cstr(slice_of(walk->name + 1), asked.digits, sizeof(asked.digits));
    walk->found = found;
    status = resolver_find(walk->resolver, &asked, &user, found, &finding);
    if (status != -EINPROGRESS)
        return status;
    uv_run(&walk->loop, UV_RUN_DEFAULT);
    return walk->find_status;
}

/* ---- locating ---- */

static void target_trace(const char *line, void *arg)
{
    struct walk_target *target = arg;
    walk_step(target->steps, "dns", "%s", line);
}

static void target_done(int status, const struct resolver_hop *hops, size_t count, const char *why,
                        void *arg)
{
    struct walk_target *target = arg;
    target->status = status;
    if (status)
        snprintf(target->why, sizeof(target->why), "%s", why && *why ? why : status_text(status));
    for (size_t i = 0; !status && i < count; i++) {
        char address[NETADDR_TEXT_MAX], transport[8] = "";
        const char *name = sip_transport_name((enum sip_transport)hops[i].transport);
        for (size_t c = 0; name[c] && c < sizeof(transport) - 1; c++)
            transport[c] = char_lower(name[c]);
        json_array_append_new(
            target->hops, json_pack("{s:s, s:s, s:s}", "transport", transport, "address",
                                    netaddr_format(&hops[i].addr, address), "host", hops[i].host));
    }
    if (--target->walk->pending == 0)
        uv_stop(&target->walk->loop);
}

int walk_locate(struct walk *walk)
{
    int status = dns_open(walk);
    for (size_t i = 0; !status && i < walk->target_count; i++) {
        struct walk_target *target = &walk->targets[i];
        struct resolver_location *location;
        target->status = resolver_locate(walk->resolver, &target->target, target_done, target_trace,
                                         target, &location);
        if (target->status) {
            snprintf(target->why, sizeof(target->why), "%s: %s", target->target.host,
                     status_text(target->status));
            walk_step(target->steps, "dns", "%s", target->why);
        } else {
            walk->pending++;
        }
    }
    if (walk->pending)
        uv_run(&walk->loop, UV_RUN_DEFAULT);
    return status;
}
