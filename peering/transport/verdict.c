/* Who is the far side of a connection? After the handshake, and again when what was found out is
 * over. How each SIP domain that its certificate names is judged is in claims.c; here is what that
 * means for the connection.
 *
 *                  claims ----> each proven or not -> finish: ready, or refused
 *                         later, from the loop
 *
 * What was found out holds for the shortest TTL, CLAIMS_MAX_S at most. Then it is found out anew
 * before the next message or request passes; those wait. */
#include "peering/transport/claims.h"
#include "peering/transport/internal.h"
#include "peering/transport/trust.h"

#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRUST_MIN_MS      1000    /* a shorter TTL counts as this */
#define TRUST_AHEAD_PART  10      /* a connection in use is renewed in the last tenth */
#define TRUST_PATIENCE_MS 3000    /* messages wait so long for a renewal */
#define TRUST_LAPSED_MS   500     /* so long where the last one did not come either */
#define TRUST_RETRY_MS    5000    /* between renewals while DNS cannot be asked */
#define TRUST_GRACE_MS    3600000 /* while DNS cannot be asked calls go on, so long */

/* Owned by its connection until it is finished or dropped. */
struct verdict {
    struct conn *conn;
    bool is_renewal;
    struct timer patience;
    struct claims *claims;
};

static const struct transport_trust *trust_of(const struct conn *conn)
{
    return conn->key.side == TRANSPORT_OUTSIDE ? conn->transport->trust : NULL;
}

static bool asks_dns(const struct conn *conn)
{
    const struct transport_trust *trust = trust_of(conn);

    return trust && trust->ask;
}

static uint64_t now_ms(const struct conn *conn)
{
    return uv_now(conn->transport->loop);
}

void verdict_drop(struct conn *conn)
{
    struct verdict *verdict = conn->verdict;

    if (!verdict)
        return;
    claims_free(verdict->claims);
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
        return claim->claims->about.anchored ? WORTH_PROVEN : WORTH_NOTHING;
    return now_ms(conn) < before->until_ms ? WORTH_PROVEN : WORTH_LAPSED;
}

static uint64_t until_ms(const struct conn *conn, const struct claims *claims)
{
    uint64_t least_ms = now_ms(conn) + TRUST_MIN_MS;

    return claims->until_ms > least_ms ? claims->until_ms : least_ms;
}

static struct conn_identity identity_of(const struct conn *conn, const struct claim *claim,
                                        enum worth worth)
{
    const struct conn_identity *before = conn_identity_find(conn, claim->domain);
    bool anew = claim->state == CLAIM_PROVEN;
    struct conn_identity identity = {.until_ms =
                                         anew ? until_ms(conn, claim->claims) : before->until_ms,
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
static size_t identities_add(const struct conn *conn, const struct claims *claims, enum worth worth,
                             struct conn_identity *kept, size_t count)
{
    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *claim = &claims->claims[i];

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
    const struct claims *claims = verdict->claims;
    struct conn_identity *kept = calloc(claims->count, sizeof(*kept));
    size_t count;

    if (!kept)
        return -ENOMEM;
    count = identities_add(conn, claims, WORTH_PROVEN, kept, 0);
    count = identities_add(conn, claims, WORTH_LAPSED, kept, count);
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
static void keep_times(struct conn *conn, const struct claims *claims)
{
    uint64_t now = now_ms(conn), end_ms = until_ms(conn, claims);

    if (!trust_of(conn))
        return;
    for (size_t i = 0; i < claims->count; i++)
        if (claims->claims[i].state == CLAIM_UNKNOWN && end_ms > now + TRUST_RETRY_MS)
            end_ms = now + TRUST_RETRY_MS;
    for (size_t i = 0; i < conn->identity_count; i++)
        if (!conn->identities[i].lapsed && conn->identities[i].by_keys &&
            end_ms > conn->identities[i].until_ms)
            end_ms = conn->identities[i].until_ms;
    conn->proof_ms = end_ms;
    conn->renew_ms = end_ms - (end_ms - now) / TRUST_AHEAD_PART;
}

/* What its owner cannot do without: the domain called, or of a caller any. */
static bool is_enough(const struct conn *conn, const struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *claim = &claims->claims[i];

        if (claim_worth(conn, claim) != WORTH_NOTHING &&
            (conn->accepted || strcmp(claim->domain, conn->key.far_domain) == 0))
            return true;
    }
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
    const struct claims *claims = verdict->claims;
    struct conn *conn = verdict->conn;
    char name[CONN_NAME_MAX], why[TLS_MAX_VERDICT];
    bool enough = is_enough(conn, claims), is_renewal = verdict->is_renewal;
    int status = enough ? keep_identities(conn, verdict) : 0;

    if (enough && claims->refusal[0] && !has_lapsed(conn))
        log_write(conn->transport->log, LOG_INFO, "transport", "%s: not all is proven: %s",
                  conn_name(conn, name), claims->refusal);
    if (enough)
        keep_times(conn, claims);
    memcpy(why, claims->refusal, sizeof(why));
    if (!enough && !claims_are_unsure(claims))
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

/* claims_done_h */
static void claims_done(void *arg)
{
    struct verdict *verdict = arg;
    struct conn *conn = conn_ref(verdict->conn);

    finish(verdict);
    conn_unref(conn);
}

/* ---- the begin ---- */

static struct claims *claims_of(struct conn *conn, struct verdict *verdict,
                                const struct tls_verdict *judged, bool anchored)
{
    char name[CONN_NAME_MAX];
    const struct claims_case about = {
        .loop = conn->transport->loop,
        .trust = trust_of(conn),
        .leaf = SSL_get0_peer_certificate(conn->ssl),
        .chain = SSL_get_peer_cert_chain(conn->ssl),
        .name = conn_name(conn, name),
        .far_domain = conn->accepted ? NULL : conn->key.far_domain,
        .far_host = conn->accepted ? "" : conn->key.far_host,
        .far_port = netaddr_port(&conn->key.addr),
        .judged = judged,
        .anchored = anchored,
    };
    struct claims *claims = claims_alloc(&about, claims_done, verdict);

    for (size_t i = 0; claims && i < claims->count; i++)
        claims->claims[i].known = conn_identity_find(conn, claims->claims[i].domain) != NULL;
    return claims;
}

static struct verdict *verdict_alloc(struct conn *conn, const struct tls_verdict *judged,
                                     bool anchored)
{
    struct verdict *verdict = calloc(1, sizeof(*verdict));

    if (!verdict)
        return NULL;
    verdict->conn = conn;
    verdict->is_renewal = conn->state == CONN_READY;
    timer_init(&verdict->patience);
    verdict->claims = claims_of(conn, verdict, judged, anchored);
    if (!verdict->claims) {
        free(verdict);
        return NULL;
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
    if (!anchored && (!asks_dns(conn) || judged.is_final)) {
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
    claims_start(verdict->claims);
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
        claims_give_up(conn->verdict->claims);
}

static void patience_over(void *arg)
{
    struct verdict *verdict = arg;

    claims_give_up(verdict->claims);
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
    if (!conn->verdict && (over || (asks_dns(conn) && now >= conn->renew_ms)))
        verdict_start(conn);
    if (over && conn->verdict && !conn->paused)
        renewal_awaited(conn);
    return conn->paused || conn->state != CONN_READY;
}
