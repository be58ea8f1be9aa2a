#include "peering/judge_internal.h"

#include "base/status.h"
#include "base/timers.h"
#include "peering/transport/claims.h"
#include "peering/trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BENCH_TIMERS 64  /* one per domain of a certificate, and some of the resolver's */
#define BENCH_CACHE  256 /* record sets: what one judgement asks for */

/* One judgement at work. */
struct session {
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_timer_t timer, limit;
    struct timers *timers;
    struct store_reader *reader;
    struct resolver *resolver;
    struct trust *trust;
    struct claims *claims;
    bool decided;
};

/* ---- the loop ---- */

static void timer_due(uv_timer_t *timer)
{
    struct session *session = timer->data;

    timers_run(session->timers, uv_now(&session->loop));
}

/* Before the loop sleeps: until when? */
static void prepare_due(uv_prepare_t *prepare)
{
    struct session *session = prepare->data;
    uint64_t now_ms = uv_now(&session->loop), next_ms = timers_next_ms(session->timers);

    if (next_ms == UINT64_MAX)
        uv_timer_stop(&session->timer);
    else
        uv_timer_start(&session->timer, timer_due, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

static void limit_due(uv_timer_t *timer)
{
    struct session *session = timer->data;

    claims_give_up(session->claims);
}

static void loop_start(struct session *session)
{
    uv_prepare_init(&session->loop, &session->prepare);
    uv_timer_init(&session->loop, &session->timer);
    uv_timer_init(&session->loop, &session->limit);
    session->prepare.data = session->timer.data = session->limit.data = session;
    uv_prepare_start(&session->prepare, prepare_due);
    uv_timer_start(&session->limit, limit_due, JUDGE_MAX_MS, 0);
}

/* trust_reader_h: begun by session_run. */
static struct store_reader *reader_get(void *arg)
{
    struct session *session = arg;

    return session->reader;
}

static int session_open(struct session *session, const struct judge_bench *bench)
{
    struct resolver_conf resolver = *bench->resolver;
    struct trust_conf trust = {.loop = &session->loop, .reader = reader_get, .arg = session};
    int status;

    resolver.cache_max = BENCH_CACHE;
    session->timers = timers_alloc(BENCH_TIMERS);
    if (!session->timers)
        return -ENOMEM;
    status = store_reader_alloc(bench->store, &session->reader);
    if (status == 0)
        status = resolver_alloc(&session->loop, &resolver, &session->resolver);
    if (status != 0)
        return status;
    trust.timers = session->timers;
    trust.resolver = session->resolver;
    session->trust = trust_alloc(&trust);
    return session->trust ? 0 : -ENOMEM;
}

/* Whatever session_open did. */
static void session_close(struct session *session)
{
    claims_free(session->claims);
    trust_free(session->trust);
    resolver_free(session->resolver);
    uv_close((uv_handle_t *)&session->prepare, NULL);
    uv_close((uv_handle_t *)&session->timer, NULL);
    uv_close((uv_handle_t *)&session->limit, NULL);
    do /* a verdict that was there at once has stopped a loop that did not run */
        uv_run(&session->loop, UV_RUN_DEFAULT);
    while (uv_loop_close(&session->loop) == UV_EBUSY);
    store_reader_free(session->reader);
    if (session->timers)
        timers_free(session->timers);
}

/* ---- the verdict ---- */

/* claims_done_h */
static void decided(void *arg)
{
    struct session *session = arg;

    session->decided = true;
    uv_stop(&session->loop);
}

static int session_run(struct session *session, const struct claims_case *about)
{
    int status = store_reader_begin(session->reader);

    if (status != 0)
        return status;
    session->claims = claims_alloc(about, decided, session);
    if (session->claims)
        claims_start(session->claims);
    store_reader_end(session->reader);
    if (!session->claims)
        return -ENOMEM;
    while (!session->decided)
        uv_run(&session->loop, UV_RUN_DEFAULT);
    return 0;
}

/* The domain called; of a caller any. */
static bool is_enough(const struct tls_verdict *verdict, const char *far_domain)
{
    for (size_t i = 0; i < verdict->identity_count; i++)
        if (!far_domain || strcmp(verdict->identities[i], far_domain) == 0)
            return true;
    return false;
}

static int verdict_take(const struct session *session, const char *far_domain,
                        struct tls_verdict *verdict, unsigned *ttl_s)
{
    const struct claims *claims = session->claims;
    uint64_t now_ms = uv_now(&session->loop);

    verdict->identity_count = 0;
    for (size_t i = 0; i < claims->count; i++)
        if (claims->claims[i].state == CLAIM_PROVEN)
            memcpy(verdict->identities[verdict->identity_count++], claims->claims[i].domain,
                   sizeof(verdict->identities[0]));
    *ttl_s = claims->until_ms > now_ms ? (unsigned)((claims->until_ms - now_ms) / 1000) : 0;
    if (is_enough(verdict, far_domain))
        return 0;
    verdict->identity_count = 0;
    memcpy(verdict->why, claims->refusal, sizeof(verdict->why));
    return claims_are_unsure(claims) ? -EAGAIN : STATUS_UNPROVEN;
}

static int session_judge(struct session *session, const struct judge_bench *bench,
                         const struct tls_verdict *judged, bool anchored,
                         struct tls_verdict *verdict, unsigned *ttl_s)
{
    const struct claims_case about = {
        .loop = &session->loop,
        .trust = session->trust ? trust_table(session->trust) : NULL,
        .leaf = bench->leaf,
        .chain = bench->chain,
        .name = bench->peer,
        .far_domain = bench->far_domain,
        .far_host = "", /* any of its SIP servers' keys: this may not be one of them */
        .judged = judged,
        .anchored = anchored,
    };
    int status = session_run(session, &about);

    return status == 0 ? verdict_take(session, bench->far_domain, verdict, ttl_s) : status;
}

int judge_bench_run(const struct judge_bench *bench, struct tls_verdict *verdict, unsigned *ttl_s)
{
    struct session session = {.decided = false};
    struct tls_verdict judged;
    bool anchored = tls_judge_sent(bench->context, bench->leaf, bench->chain, bench->far_domain,
                                   bench->peer, &judged) == 0;
    int status;

    *verdict = judged;
    *ttl_s = 0;
    if (!anchored && (judged.is_final || !trust_asks_dns(bench->resolver))) {
        verdict->identity_count = 0;
        return STATUS_UNPROVEN;
    }
    if (uv_loop_init(&session.loop) != 0) {
        snprintf(verdict->why, sizeof(verdict->why), "%s: out of descriptors", bench->peer);
        return -ENOMEM;
    }
    loop_start(&session);
    status = session_open(&session, bench);
    if (status == 0)
        status = session_judge(&session, bench, &judged, anchored, verdict, ttl_s);
    session_close(&session);
    if (status != 0 && status != STATUS_UNPROVEN && status != -EAGAIN)
        snprintf(verdict->why, sizeof(verdict->why), "%s: it cannot be judged now: %s", bench->peer,
                 status_text(status));
    return status;
}
