#include "resolver/tlsa.h"

#include "base/status.h"
#include "resolver/explain.h"
#include "resolver/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 6698 section 2.1, RFC 7218. */
enum { PKIX_TA, PKIX_EE, DANE_TA, DANE_EE };
enum { SELECT_CERTIFICATE, SELECT_PUBLIC_KEY };
enum { MATCH_FULL, MATCH_SHA256, MATCH_SHA512 };

/* ---- what an answer means ---- */

int resolver_tlsa_name(const char *host, uint16_t port, char name[RESOLVER_NAME_MAX + 1])
{
    char canonical[RESOLVER_NAME_MAX + 1], text[sizeof("_65535._tcp.") + RESOLVER_NAME_MAX];
    if (resolver_name_copy(slice_of(host), canonical) < 0)
        return -EINVAL;
    int len = snprintf(text, sizeof(text), "_%u._tcp.%s", port, canonical);
    if (len > RESOLVER_NAME_MAX)
        return STATUS_LIMIT;
    memcpy(name, text, (size_t)len + 1);
    return 0;
}

const char *resolver_tlsa_refusal(const struct resolver_tlsa *record)
{
    if (record->usage == PKIX_TA || record->usage == PKIX_EE)
        return "usages 0 and 1 only narrow down what CAs may prove";
    if (record->usage != DANE_TA && record->usage != DANE_EE)
        return "its usage does not exist";
    if (record->selector != SELECT_CERTIFICATE && record->selector != SELECT_PUBLIC_KEY)
        return "its selector does not exist";
    switch (record->matching) {
    case MATCH_FULL:
        return record->data.len > 0 ? NULL : "it has no data";
    case MATCH_SHA256:
        return record->data.len == 32 ? NULL : "its data is not as long as a SHA-256";
    case MATCH_SHA512:
        return record->data.len == 64 ? NULL : "its data is not as long as a SHA-512";
    default:
        return "its matching type does not exist";
    }
}

enum resolver_keys_verdict resolver_tlsa_judge(const struct resolver_set *set, bool validated)
{
    if (!set)
        return RESOLVER_KEYS_UNKNOWN;
    if (!validated)
        return RESOLVER_KEYS_UNSIGNED;
    if (set->status != 0)
        return RESOLVER_KEYS_NONE;
    for (size_t i = 0; i < set->count; i++)
        if (!resolver_tlsa_refusal(&set->records[i].tlsa))
            return RESOLVER_KEYS_USABLE;
    return RESOLVER_KEYS_UNUSABLE;
}

const char *resolver_keys_text(enum resolver_keys_verdict verdict)
{
    switch (verdict) {
    case RESOLVER_KEYS_USABLE:
        return "validated TLSA records say which keys the server may have";
    case RESOLVER_KEYS_UNUSABLE:
        return "there are validated TLSA records, but none that can be used";
    case RESOLVER_KEYS_NONE:
        return "it is validated that there are no TLSA records";
    case RESOLVER_KEYS_UNSIGNED:
        return "the name is not signed: TLSA records would not count";
    case RESOLVER_KEYS_UNKNOWN:
        return "it could not be found out whether there are TLSA records";
    }
    return "no verdict";
}

/* ---- asking ---- */

/* Owned by the resolver's list of key questions until `done` was called or it is cancelled. */
struct resolver_keys_asking {
    struct list link;
    struct resolver *resolver;
    resolver_keys_h *done;
    struct resolver_teller teller;
    struct timer timer; /* the start, then the deadline */
    char name[RESOLVER_NAME_MAX + 1];
    bool is_stranger;
    struct resolver_wait wait;
};

/* After this nothing in the resolver points at it. */
static void asking_detach(struct resolver_keys_asking *asking)
{
    timer_stop(asking->resolver->timers, &asking->timer);
    resolver_wait_cancel(&asking->wait);
    list_remove(&asking->link);
    asking->resolver->keys_count--;
    asking->resolver->keys_strangers -= asking->is_stranger;
}

static void asking_finish(struct resolver_keys_asking *asking, const struct resolver_keys *keys)
{
    asking_detach(asking);
    asking->done(keys, asking->teller.arg);
    free(asking);
}

static void tell_refusals(const struct resolver_keys_asking *asking, const struct resolver_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct resolver_tlsa *tlsa = &set->records[i].tlsa;
        const char *refusal = resolver_tlsa_refusal(tlsa);
        if (refusal)
            resolver_tell(&asking->teller, "TLSA %u %u %u is passed over: %s", tlsa->usage,
                          tlsa->selector, tlsa->matching, refusal);
    }
}

static void keys_collect(const struct resolver_set *set, struct resolver_keys *keys)
{
    for (size_t i = 0; i < set->count && keys->count < RESOLVER_MAX_KEYS; i++) {
        const struct resolver_tlsa *tlsa = &set->records[i].tlsa;
        if (!resolver_tlsa_refusal(tlsa))
            keys->keys[keys->count++] =
                (struct resolver_key){tlsa->usage, tlsa->selector, tlsa->matching, tlsa->data};
    }
}

static void keys_answered(const struct resolver_outcome *outcome, void *arg)
{
    struct resolver_keys_asking *asking = arg;
    struct resolver_set *set = outcome->set;
    struct resolver_keys keys = {.verdict = resolver_tlsa_judge(set, outcome->validated),
                                 .ttl_s = outcome->ttl_s};
    resolver_tell_outcome(&asking->teller, asking->name, RESOLVER_TLSA, outcome);
    if (set) {
        resolver_set_ref(set); /* whoever is called may purge it */
        tell_refusals(asking, set);
        if (keys.verdict == RESOLVER_KEYS_USABLE)
            keys_collect(set, &keys);
    } else {
        char text[RESOLVER_LINE_MAX / 2];
        snprintf(keys.why, sizeof(keys.why), "TLSA %s: %s", asking->name,
                 resolver_failure_text(outcome, text, sizeof(text)));
    }
    resolver_tell(&asking->teller, "%s", resolver_keys_text(keys.verdict));
    asking_finish(asking, &keys);
    resolver_set_unref(set);
}

static void deadline_passed(void *arg)
{
    struct resolver_keys_asking *asking = arg;
    struct resolver_outcome outcome = {.status = -ETIMEDOUT,
                                       .cause = "no answer in time",
                                       .upstream = resolver_wait_upstream(&asking->wait)};
    keys_answered(&outcome, asking);
}

static void start_due(void *arg)
{
    struct resolver_keys_asking *asking = arg;
    struct resolver *resolver = asking->resolver;
    if (resolver_timer_start(resolver, &asking->timer, resolver->conf.lookup_timeout_ms,
                             deadline_passed, asking) < 0) {
        struct resolver_outcome outcome = {.status = STATUS_SERVFAIL,
                                           .cause = "no memory for a timer"};
        keys_answered(&outcome, asking);
        return;
    }
    resolver_ask_trusted(resolver, asking->name, RESOLVER_TLSA, &asking->wait, keys_answered,
                         asking);
}

int resolver_keys(struct resolver *resolver, const struct resolver_key_place *place,
                  resolver_keys_h *done, resolver_trace_h *trace, void *arg,
                  struct resolver_keys_asking **asking)
{
    char name[RESOLVER_NAME_MAX + 1];
    if (resolver_tlsa_name(place->host, place->port, name) != 0)
        return -EINVAL;
    if (resolver->closing || resolver->keys_count >= RESOLVER_MAX_KEYS_ASKED ||
        (place->is_stranger && resolver->keys_strangers >= RESOLVER_MAX_STRANGERS))
        return -EAGAIN;
    struct resolver_keys_asking *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->resolver = resolver;
    made->is_stranger = place->is_stranger;
    made->done = done;
    made->teller = (struct resolver_teller){.trace = trace, .arg = arg};
    memcpy(made->name, name, sizeof(made->name));
    timer_init(&made->timer);
    list_init(&made->wait.link);
    int status = resolver_timer_start(resolver, &made->timer, 0, start_due, made);
    if (status < 0) {
        free(made);
        return status;
    }
    list_append(&resolver->keys_asked, &made->link);
    resolver->keys_count++;
    resolver->keys_strangers += made->is_stranger;
    *asking = made;
    return 0;
}

void resolver_keys_cancel(struct resolver_keys_asking *asking)
{
    asking_detach(asking);
    free(asking);
}

void resolver_keys_end(struct resolver *resolver)
{
    struct list *link;
    while ((link = list_pop(&resolver->keys_asked))) {
        struct resolver_keys keys = {.verdict = RESOLVER_KEYS_UNKNOWN,
                                     .why = "the resolver is being closed"};
        asking_finish(container_of(link, struct resolver_keys_asking, link), &keys);
    }
}
