/* The API over a directory, without any SIP: what tests of the command-line tool talk to.
 *
 *   api_daemon STORE SOCKET UPSTREAM MAP_MIB   serves until SIGTERM; prints "ready" when it listens
 */
#include "api/api.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int serve(const char *socket, const struct api_parts *parts)
{
    struct api_conf conf = {.socket = socket, .group = (gid_t)-1};
    char why[API_MAX_WHY];
    struct api *api;
    if (api_start(&conf, parts, &api, why)) {
        fprintf(stderr, "api_daemon: %s\n", why);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    sigset_t set;
    int signal;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigwait(&set, &signal);
    api_stop(api);
    return 0;
}

/* At edge.opa.example:5061, with a key whose hash is all 0x11. */
static struct zone_conf zone_of_an_edge(void)
{
    struct zone_conf zone = {.ttl_s = 3600, .address_ttl_s = 300, .address_records = true};
    uint8_t key[ZONE_KEY_LEN];
    struct netaddr addr;
    netaddr_from_ip(&addr, SLICE("192.0.2.10"), 0);
    zone_target_add(&zone, "edge.opa.example", 5061, &addr, 1);
    netaddr_from_ip(&addr, SLICE("2001:db8::10"), 0);
    zone_target_add(&zone, "edge.opa.example", 5061, &addr, 1);
    memset(key, 0x11, sizeof(key));
    zone_key_add(&zone, key);
    return zone;
}

/* Ports between domains of the directory alone. */
static struct porting *porting_of(struct store *store)
{
    const struct porting_conf conf = {.terms = {.window = 86400, .grace = 86400, .freeze = 86400}};
    const struct porting_parts parts = {.store = store};
    struct porting *porting;
    if (porting_open(&conf, &parts, &porting))
        return NULL;
    if (porting_start(porting) == 0)
        return porting;
    porting_stop(porting);
    return NULL;
}

int main(int argc, char **argv)
{
    struct resolver_conf resolver = {
        .upstream_count = 1, .attempt_timeout_ms = 300, .lookup_timeout_ms = 2000};
    uint64_t map_mib = 0;
    if (argc != 5 || netaddr_parse(&resolver.upstreams[0].addr, slice_of(argv[3]), 53) ||
        slice_to_u64(slice_of(argv[4]), 1024, &map_mib)) {
        fprintf(stderr, "usage: api_daemon STORE SOCKET UPSTREAM MAP_MIB\n");
        return 2;
    }
    sigset_t set; /* every thread inherits the mask, so that only sigwait takes the signal */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct store_conf conf = {.path = argv[1], .map_size = (size_t)map_mib << 20};
    struct store *store;
    struct store_fault fault;
    if (store_open(&conf, STORE_WRITER, &store, &fault)) {
        fprintf(stderr, "api_daemon: %s\n", fault.text);
        return 1;
    }
    struct log *log = log_alloc(2, LOG_INFO);
    struct zone_conf zone = zone_of_an_edge();
    struct guard *guard = guard_alloc(&(struct guard_conf){.ban_s = 0});
    struct api_parts parts = {
        .store = store, .guard = guard, .resolver = &resolver, .zone = &zone, .log = log};
    parts.porting = porting_of(store);
    int result = serve(argv[2], &parts);
    porting_stop(parts.porting);
    guard_free(guard);
    store_close(store);
    log_free(log);
    return result;
}
