#include "peering/trust.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TTL_START_S UINT32_MAX /* nothing has bounded it yet */
#define TTL_NONE_S  60         /* of "the domain offers no SIP", which comes without one */

struct trust {
    struct trust_conf conf;
    struct transport_trust table;
    bool all_trusted; /* each upstream is */
    size_t asked;     /* under way */
    size_t strangers; /* of them, see TRUST_MAX_STRANGERS */
};

/* One host whose TLSA records are asked for. */
struct host_asking {
    struct trust_asking *asking;
    struct resolver_keys_asking *keys; /* NULL: not asked, or answered */
};

/* Owned by whoever asked until `done` was called or it is cancelled. */
struct trust_asking {
    struct trust *trust;
    struct trust_question question;
    struct timer start; /* the answer never comes from inside the question */
    struct resolver_location *location;
    struct host_asking hosts[TRUST_MAX_HOSTS];
    size_t pending; /* hosts without answer, and one while they are being asked */
    bool fits, misfits, unknown;
    uint32_t ttl_s;
    char why[RESOLVER_WHY_MAX];
};

/* ---- the end ---- */

static void asking_free(struct trust_asking *asking)
{
    timer_stop(asking->trust->conf.timers, &asking->start);
    if (asking->location)
        resolver_locate_cancel(asking->location);
    for (size_t i = 0; i < TRUST_MAX_HOSTS; i++)
        if (asking->hosts[i].keys)
            resolver_keys_cancel(asking->hosts[i].keys);
    asking->trust->asked--;
    asking->trust->strangers -= asking->question.is_stranger;
    free(asking);
}

/* A key that was found is one, whatever else could not be found out; that none was is only known
 * once all is. */
static enum trust_say asking_say(const struct trust_asking *asking)
{
    if (asking->fits)
        return TRUST_FITS;
    if (asking->unknown)
        return TRUST_UNKNOWN;
    return asking->misfits ? TRUST_MISFITS : TRUST_ANCHORS;
}

static void asking_end(struct trust_asking *asking)
{
    char why[RESOLVER_WHY_MAX];
    struct trust_answer answer = {.say = asking_say(asking), .ttl_s = asking->ttl_s, .why = why};
    struct trust_question question = asking->question;

    memcpy(why, asking->why, sizeof(why));
    if (answer.say == TRUST_UNKNOWN)
        answer.ttl_s = 0;
    asking_free(asking);
    question.done(&answer, question.arg);
}

static void note_unknown(struct trust_asking *asking, const char *why)
{
    if (!asking->unknown)
        snprintf(asking->why, sizeof(asking->why), "%s", why);
    asking->unknown = true;
}

static void note_ttl(struct trust_asking *asking, uint32_t ttl_s)
{
    if (ttl_s < asking->ttl_s)
        asking->ttl_s = ttl_s;
}

static void pending_drop(struct trust_asking *asking)
{
    if (--asking->pending == 0 || asking->fits)
        asking_end(asking);
}

/* ---- the keys of a host ---- */

static void keys_came(const struct resolver_keys *keys, void *arg)
{
    struct host_asking *host = arg;
    struct trust_asking *asking = host->asking;

    host->keys = NULL;
    if (keys->verdict == RESOLVER_KEYS_UNKNOWN)
        note_unknown(asking, keys->why);
    else
        note_ttl(asking, keys->ttl_s);
    for (size_t i = 0; i < keys->count && !asking->fits; i++) {
        const struct resolver_key *key = &keys->keys[i];
        const struct tls_tlsa tlsa = {key->usage, key->selector, key->matching,
                                      (const uint8_t *)key->data.p, key->data.len};

        asking->fits = asking->question.fits(&tlsa, asking->question.arg);
        asking->misfits = asking->misfits || !asking->fits;
    }
    pending_drop(asking);
}

static const char *start_text(int status)
{
    return status == -EAGAIN ? "too many such questions to DNS are under way" : status_text(status);
}

static void host_ask(struct trust_asking *asking, struct host_asking *host,
                     const struct resolver_plan_host_view *view)
{
    struct resolver_key_place place = {.port = view->port,
                                       .is_stranger = asking->question.is_stranger};
    char why[RESOLVER_WHY_MAX];
    int status;

    snprintf(place.host, sizeof(place.host), "%s", view->name);
    host->asking = asking;
    status =
        resolver_keys(asking->trust->conf.resolver, &place, keys_came, NULL, host, &host->keys);
    if (status == 0) {
        asking->pending++;
        return;
    }
    snprintf(why, sizeof(why), "TLSA records of %s: %s", view->name, start_text(status));
    note_unknown(asking, why);
}

static void host_look(struct trust_asking *asking, struct host_asking *host,
                      const struct resolver_plan_host_view *view)
{
    char why[RESOLVER_WHY_MAX];

    switch ((enum resolver_path)view->path) {
    case RESOLVER_PATH_VALIDATED:
        host_ask(asking, host, view);
        return;
    case RESOLVER_PATH_UNSIGNED: /* then its TLSA records do not count (RFC 7673 section 3) */
        return;
    case RESOLVER_PATH_UNKNOWN:
        snprintf(why, sizeof(why), "the records that lead to %s %s", view->name,
                 asking->trust->all_trusted
                     ? "are past their TTL, and no upstream of dns answers"
                     : "are past their TTL, or come from an upstream of dns that is not among the "
                       "trusted ones");
        note_unknown(asking, why);
        return;
    }
}

/* ---- where the domain's servers are ---- */

/* The host that the connection leads to; all where it is not known, or not among them any more. */
static size_t hosts_choose(const struct trust_question *question,
                           struct resolver_plan_host_view *hosts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (hosts[i].port == question->port && strcmp(hosts[i].name, question->host) == 0) {
            hosts[0] = hosts[i];
            return 1;
        }
    return count < TRUST_MAX_HOSTS ? count : TRUST_MAX_HOSTS;
}

static void plan_look(struct trust_asking *asking, const struct resolver_plan *plan)
{
    struct resolver_plan_host_view hosts[RESOLVER_MAX_TARGETS];
    size_t count = resolver_plan_hosts(plan, hosts, RESOLVER_MAX_TARGETS);

    note_ttl(asking, resolver_plan_left_s(asking->trust->conf.resolver, plan));
    count = hosts_choose(&asking->question, hosts, count);
    asking->pending = 1;
    for (size_t i = 0; i < count; i++)
        host_look(asking, &asking->hosts[i], &hosts[i]);
    pending_drop(asking);
}

/* A domain without servers has no keys in DNS. Whoever forges that it has none is no trusted
 * upstream. */
static void plan_lacks(struct trust_asking *asking, int status, const char *why)
{
    bool none = status == STATUS_NXDOMAIN || status == STATUS_NOHOP;

    if (none && asking->trust->all_trusted)
        note_ttl(asking, TTL_NONE_S);
    else
        note_unknown(asking, why);
    asking->pending = 1;
    pending_drop(asking);
}

static void plan_came(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    struct trust_asking *asking = arg;

    asking->location = NULL;
    if (status == 0)
        plan_look(asking, plan);
    else
        plan_lacks(asking, status, why);
}

/* Where the domain itself is the host there was no SRV record, or a port was given. */
static void start_due(void *arg)
{
    struct trust_asking *asking = arg;
    const struct trust_question *question = &asking->question;
    struct resolver *resolver = asking->trust->conf.resolver;
    bool direct = strcmp(question->host, question->domain) == 0;
    struct resolver_target target = {.profile = RESOLVER_PEER, /* as the proxy has it */
                                     .port = direct ? question->port : 0};
    const struct resolver_plan *plan;
    int status;

    snprintf(target.host, sizeof(target.host), "%s", question->domain);
    plan = resolver_plan_get(resolver, &target);
    if (plan) {
        plan_look(asking, plan);
        return;
    }
    status = resolver_plan_find(resolver, &target, plan_came, asking, &asking->location);
    if (status != 0)
        plan_lacks(asking, status, start_text(status));
}

/* ---- the table ---- */

static int table_ask(const struct trust_question *question, struct trust_asking **asking, void *arg)
{
    struct trust *trust = arg;
    struct trust_asking *made;

    if (trust->asked >= TRUST_MAX_ASKED ||
        (question->is_stranger && trust->strangers >= TRUST_MAX_STRANGERS))
        return -EAGAIN;
    made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->trust = trust;
    made->question = *question;
    made->ttl_s = TTL_START_S;
    timer_init(&made->start);
    if (timer_start(trust->conf.timers, &made->start, uv_now(trust->conf.loop), start_due, made) <
        0) {
        free(made);
        return -ENOMEM;
    }
    trust->asked++;
    trust->strangers += question->is_stranger;
    *asking = made;
    return 0;
}

static int table_peer(const char *domain, struct trust_peer *peer, void *arg)
{
    const struct trust *trust = arg;
    struct store_reader *reader = trust->conf.reader(trust->conf.arg);
    struct store_peer found;
    int status = reader ? store_peer_get(reader, domain, &found) : -EIO;

    memset(peer, 0, sizeof(*peer));
    if (status == STATUS_NOTFOUND)
        return 0;
    if (status != 0)
        return status;
    peer->blocked = found.blocked;
    peer->pin_count = found.pin_count;
    memcpy(peer->pins, found.pins, sizeof(peer->pins));
    return 0;
}

_Static_assert(TRUST_MAX_PINS == STORE_PINS_MAX && TLS_KEY_HASH_LEN == STORE_HASH_LEN,
               "pins are copied as they are");

bool trust_asks_dns(const struct resolver_conf *conf)
{
    bool any = false;

    for (size_t i = 0; i < conf->upstream_count; i++)
        any = any || conf->upstreams[i].trusted;
    return any;
}

struct trust *trust_alloc(const struct trust_conf *conf)
{
    const struct resolver_conf *resolver = resolver_conf_get(conf->resolver);
    struct trust *trust = calloc(1, sizeof(*trust));

    if (!trust)
        return NULL;
    trust->conf = *conf;
    trust->all_trusted = true;
    for (size_t i = 0; i < resolver->upstream_count; i++)
        trust->all_trusted = trust->all_trusted && resolver->upstreams[i].trusted;
    trust->table = (struct transport_trust){.ask = trust_asks_dns(resolver) ? table_ask : NULL,
                                            .cancel = asking_free,
                                            .peer = table_peer,
                                            .arg = trust};
    return trust;
}

void trust_free(struct trust *trust)
{
    free(trust);
}

const struct transport_trust *trust_table(const struct trust *trust)
{
    return &trust->table;
}
