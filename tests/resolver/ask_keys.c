/* ask_keys [-u] ADDRESS:PORT HOST PORT: what resolver_keys finds out about the keys of a server,
 * for tests with real name servers. -u: the upstream, at ADDRESS:PORT, is not trusted. Prints
 * "VERDICT COUNT", then each key, then why the verdict is "unknown". */
#include "resolver/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void told(const struct resolver_keys *keys, void *arg)
{
    static const char *const verdicts[] = {"usable", "unusable", "none", "unsigned", "unknown"};
    printf("%s %zu\n", verdicts[keys->verdict], keys->count);
    for (size_t i = 0; i < keys->count; i++)
        printf("%u %u %u %zu octets\n", keys->keys[i].usage, keys->keys[i].selector,
               keys->keys[i].matching, keys->keys[i].data.len);
    if (keys->why[0])
        printf("%s\n", keys->why);
    resolver_free(arg);
}

static int upstream_take(const char *text, struct resolver_conf *conf)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return -1;
    conf->upstream_count = 1;
    return netaddr_from_ip(&conf->upstreams[0].addr, slice_make(text, (size_t)(colon - text)),
                           (uint16_t)atoi(colon + 1));
}

int main(int argc, char **argv)
{
    struct resolver_conf conf = {.upstream_count = 0};
    struct resolver_key_place place;
    struct resolver_keys_asking *asking;
    struct resolver *resolver;
    uv_loop_t loop;
    bool untrusted = argc > 1 && strcmp(argv[1], "-u") == 0;
    argv += untrusted;
    argc -= untrusted;
    if (argc != 4 || upstream_take(argv[1], &conf) != 0) {
        fputs("usage: ask_keys [-u] ADDRESS:PORT HOST PORT\n", stderr);
        return 2;
    }
    conf.upstreams[0].trusted = !untrusted;
    snprintf(place.host, sizeof(place.host), "%s", argv[2]);
    place.port = (uint16_t)atoi(argv[3]);
    if (uv_loop_init(&loop) != 0 || resolver_alloc(&loop, &conf, &resolver) != 0 ||
        resolver_keys(resolver, &place, told, NULL, resolver, &asking) != 0) {
        fputs("ask_keys: cannot ask\n", stderr);
        return 1;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
