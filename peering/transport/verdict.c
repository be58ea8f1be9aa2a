/* Who is the far side? After the handshake, and again when what was found out is over.
 *
 * Belief is per identity (design section 6). Each SIP domain that the certificate names is a claim;
 * of a connection that we opened only the domain called counts. What the operator says of that
 * peer comes first (blocked, pins), then DNS: where it names keys, one of them must be the far
 * side's, and it proves this one domain only; where it provably names none, the chain to a trust
 * anchor decides; where it cannot be asked, nothing is proven.
 *
 *                  claims -> operator -> DNS ----> each proven or not -> finish: ready, or refused
 *                                         later, from the loop
 *
 * What was found out holds for the shortest TTL, TRUST_MAX_S at most. Then it is found out anew
 * before the next message or request passes; those wait. */
#include "peering/transport/verdict.h"

#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRUST_MIN_MS      1000    /* a shorter TTL counts as this */
#define TRUST_MAX_S       300     /* then a verdict is looked at again, whatever its TTL */
#define TRUST_AHEAD_PART  10      /* a connection in use is renewed in the last tenth */
#define TRUST_PATIENCE_MS 3000    /* messages wait so long for a renewal */
#define TRUST_LAPSED_MS   500     /* so long where the last one did not come either */
#define TRUST_RETRY_MS    5000    /* between renewals while DNS cannot be asked */
#define TRUST_GRACE_MS    3600000 /* while DNS cannot be asked calls go on, so long */

static uint64_t now_ms(const struct conn *conn)
{
    return uv_now(conn->transport->loop);
}

void verdict_drop(struct conn *conn)
{
    struct verdict *verdict = conn->verdict;

    if (!verdict)
        return;
    for (size_t i = 0; i < verdict->count; i++)
        if (verdict->claims[i].asking)
            conn->transport->trust->cancel(verdict->claims[i].asking);
    timer_stop(conn->transport->timers, &verdict->patience);
    free(verdict);
    conn->verdict = NULL;
}

/* ---- the end ---- */

static void refuse(struct conn *conn, const char *why)
{
    conn->transport->stats.refused++;
    conn_accuse(conn, "refused: %s", why);
    conn_close(conn, "%s", why);
}

/* What a claim is worth now. While DNS cannot be asked, what DNS itself had proved lapses when its
 * TTL is over. A trust anchor's word is no data of DNS: the chain was judged anew just now, and
 * only that DNS names no keys is old. Both are bounded by TRUST_GRACE_MS, on this very connection.
 */
enum worth { WORTH_NOTHING, WORTH_LAPSED, WORTH_PROVEN };

static enum worth claim_worth(const struct conn *conn, const struct claim *claim)
{
    const struct conn_identity *before = conn_identity_find(conn, claim->domain);

    if (claim->state == CLAIM_PROVEN)
        return WORTH_PROVEN;
    if (claim->state != CLAIM_UNKNOWN || !before ||
        now_ms(conn) >= before->until_ms + TRUST_GRACE_MS)
        return WORTH_NOTHING;
    if (!before->by_keys)
        return claim->verdict->anchored ? WORTH_PROVEN : WORTH_NOTHING;
    return now_ms(conn) < before->until_ms ? WORTH_PROVEN : WORTH_LAPSED;
}

static uint64_t until_ms(const struct conn *conn, const struct verdict *verdict)
{
    uint64_t least_ms = now_ms(conn) + TRUST_MIN_MS;

    return verdict->until_ms > least_ms ? verdict->until_ms : least_ms;
}

static struct conn_identity identity_of(const struct conn *conn, const struct claim *claim,
                                        enum worth worth)
{
    const struct conn_identity *before = conn_identity_find(conn, claim->domain);
    bool anew = claim->state == CLAIM_PROVEN;
    struct conn_identity identity = {.until_ms =
                                         anew ? until_ms(conn, claim->verdict) : before->until_ms,
                                     .by_keys = anew ? claim->by_keys : before->by_keys,
                                     .lapsed = worth == WORTH_LAPSED};

    memcpy(identity.domain, claim->domain, sizeof(identity.domain));
    return identity;
}

static void log_lapse(const struct conn *conn, const struct claim *claim)
{
    const struct conn_identity *before = conn_identity_find(conn, claim->domain);
    char name[CONN_NAME_MAX];

    if (!before->lapsed)
        log_write(conn->transport->log, LOG_WARNING, "transport",
                  "%s: %s is not proven any more: the TTL of its TLSA records is over and DNS "
                  "cannot be asked; what belongs to calls in progress passes for %u min, nothing "
                  "new; see to the upstreams of dns",
                  conn_name(conn, name), claim->domain, TRUST_GRACE_MS / 60000);
}

/* Adds the claims that are worth so much. Returns how many there are now. */
static size_t identities_add(const struct conn *conn, const struct verdict *verdict,
                             enum worth worth, struct conn_identity *kept, size_t count)
{
    for (size_t i = 0; i < verdict->count; i++) {
        const struct claim *claim = &verdict->claims[i];

        if (claim_worth(conn, claim) != worth)
            continue;
        if (worth == WORTH_LAPSED)
            log_lapse(conn, claim);
        kept[count++] = identity_of(conn, claim, worth);
    }
    return count;
}

/* Returns 0 or -ENOMEM, with everything as it was. */
static int keep_identities(struct conn *conn, const struct verdict *verdict)
{
    struct conn_identity *kept = calloc(verdict->count, sizeof(*kept));
    size_t count;

    if (!kept)
        return -ENOMEM;
    count = identities_add(conn, verdict, WORTH_PROVEN, kept, 0);
    count = identities_add(conn, verdict, WORTH_LAPSED, kept, count);
    conn->transport->stats.peers += (conn->identity_count == 0);
    free(conn->identities);
    conn->identities = kept;
    conn->identity_count = count;
    if (conn->accepted)
        snprintf(conn->key.far_domain, sizeof(conn->key.far_domain), "%s", kept[0].domain);
    if (verdict->is_renewal)
        pool_remove_lost(conn);
    return 0;
}

/* When it is found out anew: at the end of the shortest TTL; soon where DNS could not be asked. */
static void keep_times(struct conn *conn, const struct verdict *verdict)
{
    uint64_t now = now_ms(conn), end_ms = until_ms(conn, verdict);

    if (!verdict_trust(conn))
        return;
    for (size_t i = 0; i < verdict->count; i++)
        if (verdict->claims[i].state == CLAIM_UNKNOWN && end_ms > now + TRUST_RETRY_MS)
            end_ms = now + TRUST_RETRY_MS;
    for (size_t i = 0; i < conn->identity_count; i++)
        if (!conn->identities[i].lapsed && conn->identities[i].by_keys &&
            end_ms > conn->identities[i].until_ms)
            end_ms = conn->identities[i].until_ms;
    conn->proof_ms = end_ms;
    conn->renew_ms = end_ms - (end_ms - now) / TRUST_AHEAD_PART;
}

/* What its owner cannot do without: the domain called, or of a caller any. */
static bool is_enough(const struct conn *conn, const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->count; i++) {
        const struct claim *claim = &verdict->claims[i];

        if (claim_worth(conn, claim) != WORTH_NOTHING &&
            (conn->accepted || strcmp(claim->domain, conn->key.far_domain) == 0))
            return true;
    }
    return false;
}

/* Something could not be found out, which is no fault of the far side. */
static bool is_unsure(const struct verdict *verdict)
{
    for (size_t i = 0; i < verdict->count; i++)
        if (verdict->claims[i].state == CLAIM_UNKNOWN)
            return true;
    return false;
}

static void log_opened(const struct conn *conn)
{
    char name[CONN_NAME_MAX];

    log_write(conn->transport->log, LOG_INFO, "transport",
              "%s: TLS connection %s version=%s our_domain=%s proven=%zu", conn_name(conn, name),
              conn->accepted ? "accepted" : "opened", SSL_get_version(conn->ssl),
              conn->key.our_domain, conn->identity_count);
}

static void become_ready(struct conn *conn)
{
    if (!gate_proven(conn))
        return;
    if (conn->accepted)
        snprintf(conn->key.our_domain, sizeof(conn->key.our_domain), "%s",
                 tls_our_domain(conn->ssl));
    log_opened(conn);
    conn->reads_left = CONN_READS_PER_TURN;
    conn_become_ready(conn);
    conn_read(conn); /* bytes that came with the handshake's last ones */
    conn_poll_update(conn);
}

/* What is to be said of it was said. */
static bool has_lapsed(const struct conn *conn)
{
    return conn->identity_count > 0 && conn->identities[conn->identity_count - 1].lapsed;
}

/* The connection may end here; its memory stays, for whoever calls has a reference. */
static void finish(struct verdict *verdict)
{
    struct conn *conn = verdict->conn;
    char name[CONN_NAME_MAX], why[TLS_MAX_VERDICT];
    bool enough = is_enough(conn, verdict), is_renewal = verdict->is_renewal;
    int status = enough ? keep_identities(conn, verdict) : 0;

    if (enough && verdict->refusal[0] && !has_lapsed(conn))
        log_write(conn->transport->log, LOG_INFO, "transport", "%s: not all is proven: %s",
                  conn_name(conn, name), verdict->refusal);
    if (enough)
        keep_times(conn, verdict);
    memcpy(why, verdict->refusal, sizeof(why));
    if (!enough && !is_unsure(verdict))
        gate_failed(conn, why);
    verdict_drop(conn);
    if (!enough)
        refuse(conn, why);
    else if (status < 0)
        conn_close(conn, "%s: out of memory", conn_name(conn, name));
    else if (is_renewal)
        conn_resume(conn);
    else
        become_ready(conn);
}

void verdict_pending_drop(struct verdict *verdict)
{
    struct conn *conn = verdict->conn;

    if (--verdict->pending > 0)
        return;
    conn_ref(conn);
    finish(verdict);
    conn_unref(conn);
}

/* ---- all of them ---- */

static struct verdict *verdict_alloc(struct conn *conn, const struct tls_verdict *judged,
                                     bool anchored)
{
    char domains[TLS_MAX_IDENTITIES][256];
    size_t count = claims_collect(conn, judged, anchored, domains);
    struct verdict *verdict = calloc(1, sizeof(*verdict) + count * sizeof(verdict->claims[0]));

    if (!verdict)
        return NULL;
    verdict->conn = conn;
    verdict->anchored = anchored;
    verdict->is_renewal = conn->state == CONN_READY;
    verdict->until_ms = now_ms(conn) + TRUST_MAX_S * UINT64_C(1000);
    timer_init(&verdict->patience);
    memcpy(verdict->unanchored, judged->why, sizeof(verdict->unanchored));
    verdict->count = count;
    for (size_t i = 0; i < count; i++) {
        verdict->claims[i].verdict = verdict;
        memcpy(verdict->claims[i].domain, domains[i], sizeof(domains[i]));
    }
    return verdict;
}

static bool is_anchored(const struct conn *conn, struct tls_verdict *judged)
{
    const char *far_domain = conn->accepted ? NULL : conn->key.far_domain;
    char name[CONN_NAME_MAX];

    conn_name(conn, name);
    if (conn->key.side == TRANSPORT_INSIDE)
        return tls_judge_core(conn->transport->tls, conn->ssl, far_domain, name, judged) == 0;
    return tls_judge_by(conn->transport->tls, conn->ssl, far_domain, name, judged) == 0;
}

static void verdict_start(struct conn *conn)
{
    struct tls_verdict judged;
    char name[CONN_NAME_MAX];
    bool anchored = is_anchored(conn, &judged);
    struct verdict *verdict;

    conn_name(conn, name);
    if (!anchored && conn->accepted && conn->key.side == TRANSPORT_INSIDE) {
        log_write(conn->transport->log, LOG_INFO, "transport", "no core by its certificate: %s",
                  judged.why);
        become_ready(conn);
        return;
    }
    if (!anchored && (!verdict_asks_dns(conn) || judged.is_final)) {
        gate_failed(conn, judged.why);
        refuse(conn, judged.why);
        return;
    }
    verdict = verdict_alloc(conn, &judged, anchored);
    if (!verdict) {
        conn_close(conn, "%s: out of memory", name);
        return;
    }
    conn->verdict = verdict;
    verdict->pending = 1;
    for (size_t i = 0; i < verdict->count; i++)
        claim_start(&verdict->claims[i]);
    if (verdict->count == 0)
        memcpy(verdict->refusal, verdict->unanchored, sizeof(verdict->refusal));
    verdict_pending_drop(verdict);
}

static void verdict_give_up(struct verdict *verdict)
{
    struct conn *conn = conn_ref(verdict->conn);

    for (size_t i = 0; i < verdict->count; i++)
        claim_give_up(&verdict->claims[i]);
    verdict->pending = 1;
    verdict_pending_drop(verdict);
    conn_unref(conn);
}

/* An accepted inside connection is one of our own core's: it is known by its address, or where
 * cores are asked for one by its certificate; without a fit one it proves nothing and goes on. */
static bool needs_verdict(const struct conn *conn)
{
    return !conn->accepted || conn->key.side == TRANSPORT_OUTSIDE ||
           tls_context_asks_cores(conn->transport->tls);
}

void verdict_begin(struct conn *conn)
{
    conn_set_state(conn, CONN_VERDICT);
    conn_poll_update(conn);
    if (needs_verdict(conn))
        verdict_start(conn);
    else
        become_ready(conn);
}

void verdict_late(struct conn *conn)
{
    if (conn->verdict)
        verdict_give_up(conn->verdict);
}

static void patience_over(void *arg)
{
    verdict_give_up(arg);
}

/* The messages wait. Without a timer they wait as long as the resolver does. */
static void renewal_awaited(struct conn *conn)
{
    uint64_t patience_ms = has_lapsed(conn) ? TRUST_LAPSED_MS : TRUST_PATIENCE_MS;

    conn->paused = true;
    timer_start(conn->transport->timers, &conn->verdict->patience, now_ms(conn) + patience_ms,
                patience_over, conn->verdict);
}

bool verdict_is_over(struct conn *conn)
{
    uint64_t now = conn->state == CONN_READY && conn->proof_ms > 0 ? now_ms(conn) : 0;
    bool over = now >= conn->proof_ms;

    if (now == 0)
        return false;
    if (!conn->verdict && (over || (verdict_asks_dns(conn) && now >= conn->renew_ms)))
        verdict_start(conn);
    if (over && conn->verdict && !conn->paused)
        renewal_awaited(conn);
    return conn->paused || conn->state != CONN_READY;
}
