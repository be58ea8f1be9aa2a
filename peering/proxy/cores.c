/* Which next hops the cores have, where their names lead, and how they are. */
#include "peering/proxy/cores.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- hops ---- */

static uint64_t hop_hash(const struct core_hop *hop)
{
    return board_hash(hop->place->cores->board, &hop->hop.addr, hop->hop.transport,
                      hop->place->domain);
}

static void hop_add(struct core_place *place, const struct resolver_hop *found)
{
    struct core_hop *hop = calloc(1, sizeof(*hop));
    if (!hop)
        return; /* it is found again at the next lookup */
    hop->place = place;
    hop->hop = *found;
    hop->seen = true;
    list_init(&hop->link);
    list_append(&place->hops, &hop->link);
    place->hop_count++;
}

/* It is on no list any more. */
static void hop_free(struct core_hop *hop)
{
    if (hop->check)
        core_check_stop(hop->check);
    if (hop->state == CORE_DOWN)
        board_set_up(hop->place->cores->board, hop_hash(hop));
    hop->place->hop_count--;
    free(hop);
}

static void hops_free(struct list *hops)
{
    struct list *link;
    while ((link = list_pop(hops)))
        hop_free(container_of(link, struct core_hop, link));
}

/* Those that are not in the answer any more. */
static void hops_drop(struct core_place *place)
{
    struct list gone;
    list_init(&gone);
    list_each (link, next, &place->hops) {
        struct core_hop *hop = container_of(link, struct core_hop, link);
        if (!hop->seen) {
            list_remove(link);
            list_append(&gone, link);
        }
        hop->seen = false;
    }
    hops_free(&gone);
}

static struct core_hop *hop_find(const struct core_place *place, const struct resolver_hop *found)
{
    list_each (link, next, &place->hops) {
        struct core_hop *hop = container_of(link, struct core_hop, link);
        if (hop->hop.transport == found->transport && netaddr_eq(&hop->hop.addr, &found->addr))
            return hop;
    }
    return NULL;
}

/* ---- places ---- */

/* Does it matter which domain the far side must prove? Where DNS names the transport that may be
 * TLS. */
static bool core_proves(const struct store_core *core)
{
    return core->transport == RESOLVER_TLS || core->transport == RESOLVER_ANY;
}

struct place_key {
    const char *domain;
    const struct store_core *core;
};

static bool place_matches(const struct table_link *link, const void *key)
{
    const struct core_place *place = container_of(link, const struct core_place, hashed);
    const struct place_key *wanted = key;
    const struct store_core *core = wanted->core;
    return place->core.port == core->port && place->core.transport == core->transport &&
           strcmp(place->core.host, core->host) == 0 &&
           (!core_proves(core) || strcmp(place->domain, wanted->domain) == 0);
}

static uint64_t place_hash(const struct cores *cores, const struct place_key *key)
{
    uint64_t rest = (uint64_t)key->core->port << 8 | key->core->transport;
    uint64_t hash = table_hash(cores->places, slice_of(key->core->host));
    return table_hash_more(cores->places, hash, slice_make((const char *)&rest, sizeof(rest)));
}

static struct core_place *place_find(const struct cores *cores, const char *domain,
                                     const struct store_core *core)
{
    const struct place_key key = {domain, core};
    struct table_link *link =
        table_find(cores->places, place_hash(cores, &key), place_matches, &key);
    return link ? container_of(link, struct core_place, hashed) : NULL;
}

static struct core_place *place_add(struct cores *cores, const char *domain,
                                    const struct store_core *core)
{
    const struct place_key key = {domain, core};
    struct core_place *place = calloc(1, sizeof(*place));
    if (!place)
        return NULL;
    if (table_put(cores->places, &place->hashed, place_hash(cores, &key)) < 0) {
        free(place);
        return NULL;
    }
    place->cores = cores;
    place->core = *core;
    place->is_ip = netaddr_from_ip(&place->ip, slice_of(core->host), 0) == 0;
    snprintf(place->domain, sizeof(place->domain), "%s", domain);
    list_init(&place->hops);
    list_init(&place->link);
    list_append(&cores->list, &place->link);
    return place;
}

/* It is on no list any more. */
static void place_free(struct core_place *place)
{
    if (place->location)
        resolver_locate_cancel(place->location);
    hops_free(&place->hops);
    table_remove(place->cores->places, &place->hashed);
    free(place);
}

static void places_free(struct list *places)
{
    struct list *link;
    while ((link = list_pop(places)))
        place_free(container_of(link, struct core_place, link));
}

/* ---- the directory ---- */

static bool domain_note(const struct store_domain *domain, void *arg)
{
    struct cores *cores = arg;
    for (unsigned i = 0; i < domain->core_count; i++) {
        struct core_place *place = place_find(cores, domain->name, &domain->cores[i]);
        if (!place)
            place = place_add(cores, domain->name, &domain->cores[i]);
        if (!place) { /* those after it may share a place that is there */
            if (cores->homeless++ == 0)
                snprintf(cores->homeless_domain, sizeof(cores->homeless_domain), "%s",
                         domain->name);
            continue;
        }
        if (place->domains++ == 0) /* the one that it was met with may be gone */
            snprintf(place->domain, sizeof(place->domain), "%s", domain->name);
    }
    return true;
}

/* Those that no domain has any more. */
static void places_drop(struct cores *cores)
{
    struct list gone;
    list_init(&gone);
    list_each (link, next, &cores->list)
        if (container_of(link, struct core_place, link)->domains == 0) {
            list_remove(link);
            list_append(&gone, link);
        }
    places_free(&gone);
}

/* Once for as long as it lasts, and by one worker for all. */
static void homeless_tell(struct cores *cores)
{
    if (cores->homeless && !cores->homeless_told && cores->proxy->index == 0)
        log_write(cores->proxy->log, LOG_WARNING, "core",
                  "%u next hops of cores, the first one of %s, are beyond the %d that an edge can "
                  "know: calls to them go on, but they are not watched, and what they send is a "
                  "stranger's; let domains share next hops",
                  cores->homeless, cores->homeless_domain, CORES_MAX);
    cores->homeless_told = cores->homeless > 0;
}

/* Read again only when a domain has changed, and looked for that at most once in CORES_REFRESH_MS
 * since *read_ms. Writes of addresses leave the domains' version as it is. */
static void cores_refresh(struct cores *cores, uint64_t *read_ms)
{
    struct store_reader *reader = proxy_reader(cores->proxy);
    uint64_t now_ms = txn_layer_now_ms(cores->proxy->txns), version;
    if (cores->read && now_ms - *read_ms < CORES_REFRESH_MS)
        return;
    *read_ms = now_ms;
    if (!reader || store_domains_version_get(reader, &version) != 0 ||
        (cores->read && version == cores->domains_version))
        return;
    list_each (link, next, &cores->list)
        container_of(link, struct core_place, link)->domains = 0;
    cores->homeless = 0;
    if (store_domain_list(reader, NULL, SIZE_MAX, domain_note, cores) != 0)
        return; /* what was known stays */
    places_drop(cores);
    cores->read = cores->ips_stale = true;
    cores->domains_version = version;
    homeless_tell(cores);
}

/* ---- where names lead ---- */

/* "No" is not "unknown": what was found before stays while nobody can tell. */
static void located(int status, const struct resolver_hop *hops, size_t count, const char *why,
                    void *arg)
{
    struct core_place *place = arg;
    place->location = NULL;
    bool unknown = status != 0 && status != STATUS_NXDOMAIN && status != STATUS_NOHOP;
    snprintf(place->why, sizeof(place->why), "%s", status ? why : "");
    if (unknown)
        return;
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct core_hop *hop = hop_find(place, &hops[i]);
        if (hop)
            hop->seen = true;
        else
            hop_add(place, &hops[i]);
    }
    hops_drop(place);
    place->cores->ips_stale = true;
}

static void place_locate(struct core_place *place, uint64_t now_ms)
{
    struct resolver_target target;
    resolver_core_target(&place->core, &target);
    place->due_ms = now_ms + CORES_LOCATE_MS;
    resolver_locate(place->cores->proxy->resolver, &target, located, NULL, place,
                    &place->location); /* else at the next time */
}

/* ---- sources ---- */

/* Any total order on family and address will do. */
static int by_ip(const void *left, const void *right)
{
    const struct netaddr *a = left, *b = right;
    if (a->sa.sa_family != b->sa.sa_family)
        return a->sa.sa_family < b->sa.sa_family ? -1 : 1;
    if (a->sa.sa_family == AF_INET)
        return memcmp(&a->in4.sin_addr, &b->in4.sin_addr, sizeof(a->in4.sin_addr));
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

static size_t ips_collect(const struct cores *cores, struct netaddr *ips, size_t max)
{
    size_t count = 0;
    list_each (link, next, &cores->list) {
        const struct core_place *place = container_of(link, struct core_place, link);
        if (place->is_ip && count < max)
            ips[count++] = place->ip;
        list_each (hop, next_hop, &place->hops)
            if (!place->is_ip && count < max)
                ips[count++] = container_of(hop, struct core_hop, link)->hop.addr;
    }
    return count;
}

static void ips_renew(struct cores *cores)
{
    struct netaddr *ips = malloc(CORES_IPS_MAX * sizeof(*ips));
    if (!ips)
        return;
    free(cores->ips);
    cores->ips = ips;
    cores->ip_count = ips_collect(cores, ips, CORES_IPS_MAX);
    qsort(cores->ips, cores->ip_count, sizeof(*cores->ips), by_ip);
    cores->ips_stale = false;
}

static bool ips_have(struct cores *cores, const struct netaddr *peer)
{
    if (cores->ips_stale)
        ips_renew(cores);
    return cores->ip_count > 0 &&
           bsearch(peer, cores->ips, cores->ip_count, sizeof(*peer), by_ip) != NULL;
}

/* A stranger may be a core since a moment ago. */
bool cores_have_ip(struct proxy *proxy, const struct netaddr *peer)
{
    struct cores *cores = proxy->cores;
    if (ips_have(cores, peer))
        return true;
    cores_refresh(cores, &cores->stranger_ms);
    return ips_have(cores, peer);
}

static bool place_has_ip(const struct core_place *place, const struct netaddr *peer)
{
    list_each (link, next, &place->hops)
        if (netaddr_eq_ip(&container_of(link, struct core_hop, link)->hop.addr, peer))
            return true;
    return false;
}

bool cores_domain_has_ip(const struct proxy *proxy, const struct store_domain *domain,
                         const struct netaddr *peer)
{
    for (unsigned i = 0; i < domain->core_count; i++) {
        const struct store_core *core = &domain->cores[i];
        const struct core_place *place;
        struct netaddr ip;
        if (netaddr_from_ip(&ip, slice_of(core->host), 0) == 0) {
            if (netaddr_eq_ip(&ip, peer))
                return true;
        } else if ((place = place_find(proxy->cores, domain->name, core)) &&
                   place_has_ip(place, peer)) {
            return true;
        }
    }
    return false;
}

/* ---- how they are ---- */

static uint64_t unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void state_set(struct core_hop *hop, enum core_state state)
{
    const struct core_place *place = hop->place;
    char addr[NETADDR_TEXT_MAX];
    if (hop->state == state)
        return;
    if (state == CORE_DOWN)
        log_write(place->cores->proxy->log, LOG_WARNING, "core",
                  "core %s of %s at %s is down, and passed over until it answers: %s",
                  place->core.host, place->domain, netaddr_format(&hop->hop.addr, addr), hop->why);
    else if (hop->state == CORE_DOWN)
        log_write(place->cores->proxy->log, LOG_NOTICE, "core", "core %s of %s at %s is back",
                  place->core.host, place->domain, netaddr_format(&hop->hop.addr, addr));
    hop->state = state;
    hop->since_ms = unix_ms();
}

void core_checked(struct core_hop *hop, unsigned status, const char *why)
{
    struct board *board = hop->place->cores->board;
    bool alive = status != 0 && status != 503;
    hop->check = NULL;
    hop->status = status;
    if (alive)
        hop->why[0] = '\0';
    else
        snprintf(hop->why, sizeof(hop->why), "%s", status ? "it answers 503" : why);
    hop->failures = alive ? 0 : hop->failures + 1;
    if (alive) {
        state_set(hop, CORE_UP);
        board_set_up(board, hop_hash(hop));
    } else if (hop->failures >= CORES_FAILURES) {
        state_set(hop, CORE_DOWN);
        board_set_down(board, hop_hash(hop));
    }
}

static bool is_down(const struct netaddr *addr, uint8_t transport, const char *domain, void *arg)
{
    const struct board *board = arg;
    return atomic_load_explicit(&board->used, memory_order_relaxed) > 0 &&
           board_is_down(board, board_hash(board, addr, transport, domain));
}

/* What calls of this worker met while a hop was down is over. */
static void restored_forgive(struct cores *cores)
{
    uint32_t restored = atomic_load_explicit(&cores->board->restored, memory_order_acquire);
    if (restored == cores->restored)
        return;
    cores->restored = restored;
    list_each (link, next, &cores->list) {
        const struct core_place *place = container_of(link, struct core_place, link);
        list_each (at, next_at, &place->hops) {
            const struct core_hop *hop = container_of(at, struct core_hop, link);
            if (!is_down(&hop->hop.addr, hop->hop.transport, place->domain, cores->board))
                resolver_hop_worked(cores->proxy->resolver, &hop->hop, place->domain);
        }
    }
}

/* ---- what is due ---- */

static void checks_start(struct core_place *place, uint64_t now_ms, unsigned *starts)
{
    const struct cores *cores = place->cores;
    unsigned patience_ms = cores->proxy->first_response_ms;
    list_each (link, next, &place->hops) {
        struct core_hop *hop = container_of(link, struct core_hop, link);
        if (*starts == CORES_STARTS_MAX || now_ms < hop->due_ms || hop->check)
            continue;
        ++*starts;
        hop->due_ms = now_ms + cores->check_ms;
        core_check_start(hop, patience_ms < cores->check_ms ? patience_ms : cores->check_ms);
    }
}

static void on_tick(void *arg)
{
    struct cores *cores = arg;
    uint64_t now_ms = txn_layer_now_ms(cores->proxy->txns);
    unsigned lookups = 0, checks = 0;
    cores_refresh(cores, &cores->read_ms);
    restored_forgive(cores);
    list_each (link, next, &cores->list) {
        struct core_place *place = container_of(link, struct core_place, link);
        if (now_ms >= place->due_ms && !place->location && lookups < CORES_STARTS_MAX) {
            lookups++;
            place_locate(place, now_ms);
        }
        if (cores->check_ms)
            checks_start(place, now_ms, &checks);
    }
    timer_start(cores->proxy->timers, &cores->tick, now_ms + CORES_TICK_MS, on_tick, cores);
}

static void view_fill(const struct core_place *place, const struct core_hop *hop,
                      struct core_view *view)
{
    memset(view, 0, sizeof(*view));
    snprintf(view->domain, sizeof(view->domain), "%s", place->domain);
    view->domains = place->domains;
    view->core = place->core;
    snprintf(view->why, sizeof(view->why), "%s", hop ? hop->why : place->why);
    if (!hop)
        return;
    view->addr = hop->hop.addr;
    view->transport = hop->hop.transport;
    view->state = hop->state;
    view->since_ms = hop->since_ms;
    view->status = hop->status;
}

size_t cores_view(const struct proxy *proxy, struct core_view *views, size_t max)
{
    size_t count = 0;
    list_each (link, next, &proxy->cores->list) {
        const struct core_place *place = container_of(link, struct core_place, link);
        if (place->hop_count == 0 && count < max)
            view_fill(place, NULL, &views[count++]);
        list_each (hop, next_hop, &place->hops)
            if (count < max)
                view_fill(place, container_of(hop, struct core_hop, link), &views[count++]);
    }
    return count;
}

/* ---- begin and end ---- */

int cores_start(struct proxy *proxy, struct board *board, unsigned check_ms)
{
    struct cores *cores = calloc(1, sizeof(*cores));
    if (!cores)
        return -ENOMEM;
    cores->proxy = proxy;
    cores->board = board;
    cores->check_ms = check_ms;
    cores->ips_stale = true;
    list_init(&cores->list);
    list_init(&cores->checks);
    timer_init(&cores->tick);
    cores->places = table_alloc(CORES_MAX);
    if (!cores->places || timer_start(proxy->timers, &cores->tick, txn_layer_now_ms(proxy->txns),
                                      on_tick, cores) != 0) {
        if (cores->places)
            table_free(cores->places);
        free(cores);
        return -ENOMEM;
    }
    resolver_down_set(proxy->resolver, is_down, board);
    proxy->cores = cores;
    return 0;
}

void cores_stop(struct proxy *proxy)
{
    if (!proxy->cores)
        return;
    timer_stop(proxy->timers, &proxy->cores->tick);
    places_free(&proxy->cores->list);
    core_checks_stop(proxy->cores);
}

void cores_free(struct proxy *proxy)
{
    if (!proxy->cores)
        return;
    table_free(proxy->cores->places);
    free(proxy->cores->ips);
    free(proxy->cores);
    proxy->cores = NULL;
}
