/* One SIP domain that the far side's certificate names: what the operator says of that peer, then
 * what DNS says of its keys, then the trust anchors (verdict.c has the whole). */
#include "peering/transport/verdict.h"

#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLAIMS_UNANCHORED 4 /* of a certificate that anybody may have made: DNS questions */

static uint64_t now_ms(const struct conn *conn)
{
    return uv_now(conn->transport->loop);
}

const struct transport_trust *verdict_trust(const struct conn *conn)
{
    return conn->key.side == TRANSPORT_OUTSIDE ? conn->transport->trust : NULL;
}

bool verdict_asks_dns(const struct conn *conn)
{
    const struct transport_trust *trust = verdict_trust(conn);

    return trust && trust->ask;
}

/* What the connection is to be believed, if it is. Of a certificate that no anchor vouches for only
 * some names are looked at: who made it may have aimed at those domains' servers. */
size_t claims_collect(const struct conn *conn, const struct tls_verdict *judged, bool anchored,
                      char domains[TLS_MAX_IDENTITIES][256])
{
    size_t count;

    if (!conn->accepted && verdict_asks_dns(conn)) {
        snprintf(domains[0], sizeof(domains[0]), "%s", conn->key.far_domain);
        return 1;
    }
    if (anchored) {
        memcpy(domains, judged->identities, judged->identity_count * sizeof(domains[0]));
        return judged->identity_count;
    }
    count = tls_identities(SSL_get0_peer_certificate(conn->ssl), domains);
    return count < CLAIMS_UNANCHORED ? count : CLAIMS_UNANCHORED;
}

static void refusal_add(struct verdict *verdict, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void refusal_add(struct verdict *verdict, const char *format, va_list args)
{
    size_t len = strlen(verdict->refusal);

    vsnprintf(verdict->refusal + len, sizeof(verdict->refusal) - len, format, args);
}

static void claim_refuse(struct claim *claim, enum claim_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first refusal is the one that is told. */
static void claim_refuse(struct claim *claim, enum claim_state state, const char *format, ...)
{
    struct verdict *verdict = claim->verdict;
    char name[CONN_NAME_MAX];
    va_list args;

    claim->state = state;
    if (verdict->refusal[0])
        return;
    snprintf(verdict->refusal, sizeof(verdict->refusal), "%s: ", conn_name(verdict->conn, name));
    va_start(args, format);
    refusal_add(verdict, format, args);
    va_end(args);
}

static void unanchored_refuse(struct verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What trust anchors lack, and what else would do. */
static void unanchored_refuse(struct verdict *verdict, const char *format, ...)
{
    va_list args;

    memcpy(verdict->refusal, verdict->unanchored, sizeof(verdict->refusal));
    va_start(args, format);
    refusal_add(verdict, format, args);
    va_end(args);
}

static void claim_by_anchors(struct claim *claim)
{
    struct verdict *verdict = claim->verdict;

    claim->state = verdict->anchored ? CLAIM_PROVEN : CLAIM_REFUSED;
    if (verdict->anchored || verdict->refusal[0])
        return;
    if (verdict_asks_dns(verdict->conn))
        unanchored_refuse(verdict,
                          "; DNS names no keys of %s, which would do too (TLSA 3 1 1, signed)",
                          claim->domain);
    else
        memcpy(verdict->refusal, verdict->unanchored, sizeof(verdict->refusal));
}

static void claim_decide(struct claim *claim, const struct trust_answer *answer)
{
    const struct conn *conn = claim->verdict->conn;

    switch (answer->say) {
    case TRUST_FITS:
        claim->state = CLAIM_PROVEN;
        claim->by_keys = true;
        return;
    case TRUST_ANCHORS:
        claim_by_anchors(claim);
        return;
    case TRUST_MISFITS:
        claim_refuse(claim, CLAIM_REFUSED,
                     "its key is none of those that the validated TLSA records of %s name (DANE), "
                     "and these decide, whatever CA issued its certificate; %s must publish the "
                     "key that its edge %s (TLSA 3 1 1; junctor dns check %s shows them)",
                     claim->domain, claim->domain, conn->accepted ? "calls with" : "serves",
                     claim->domain);
        return;
    case TRUST_UNKNOWN:
        claim_refuse(claim, CLAIM_UNKNOWN,
                     "whether DNS names the keys of %s could not be found out, so its certificate "
                     "proves nothing now: %s (junctor dns check %s tells more)",
                     claim->domain, answer->why, claim->domain);
        return;
    }
}

static void claim_answered(const struct trust_answer *answer, void *arg)
{
    struct claim *claim = arg;
    struct verdict *verdict = claim->verdict;
    uint64_t until_ms = now_ms(verdict->conn) + (uint64_t)answer->ttl_s * 1000;

    claim->asking = NULL;
    claim_decide(claim, answer);
    if (claim->state == CLAIM_PROVEN && until_ms < verdict->until_ms)
        verdict->until_ms = until_ms;
    verdict_pending_drop(verdict);
}

static bool record_fits(const struct tls_tlsa *tlsa, void *arg)
{
    const struct claim *claim = arg;
    const SSL *ssl = claim->verdict->conn->ssl;

    return tls_dane_fits(tlsa, SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl),
                         claim->domain, time(NULL));
}

static bool claim_is_pinned(struct claim *claim, const struct trust_peer *peer)
{
    char hex[2 * TLS_KEY_HASH_LEN + 1] = "";
    uint8_t hash[TLS_KEY_HASH_LEN];

    if (tls_key_hash(SSL_get0_peer_certificate(claim->verdict->conn->ssl), hash) == 0) {
        for (unsigned i = 0; i < peer->pin_count; i++)
            if (memcmp(peer->pins[i], hash, sizeof(hash)) == 0)
                return true;
        for (size_t i = 0; i < sizeof(hash); i++)
            snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }
    claim_refuse(claim, CLAIM_REFUSED,
                 "its key is none of those that %s is pinned to here; ask them whether they have "
                 "changed it, and if so give the new one too: junctor peer set %s --pin %s",
                 claim->domain, claim->domain, hex);
    return false;
}

/* Returns whether the operator has nothing against it. */
static bool claim_is_welcome(struct claim *claim)
{
    const struct conn *conn = claim->verdict->conn;
    const struct transport_trust *trust = verdict_trust(conn);
    struct trust_peer peer = {.pin_count = 0};
    int status = trust && trust->peer ? trust->peer(claim->domain, &peer, trust->arg) : 0;

    if (status != 0) {
        claim_refuse(claim, CLAIM_UNKNOWN, "the directory cannot be read: %s", status_text(status));
        return false;
    }
    if (peer.blocked) {
        claim_refuse(claim, CLAIM_REFUSED, "%s is blocked here (junctor peer show %s)",
                     claim->domain, claim->domain);
        return false;
    }
    return peer.pin_count == 0 || claim_is_pinned(claim, &peer);
}

/* No anchor vouches for who connected, and it has not proven this before. */
static bool is_stranger(const struct claim *claim)
{
    const struct conn *conn = claim->verdict->conn;

    return conn->accepted && !claim->verdict->anchored && !conn_identity_find(conn, claim->domain);
}

void claim_start(struct claim *claim)
{
    const struct conn *conn = claim->verdict->conn;
    const struct transport_trust *trust = verdict_trust(conn);
    const struct trust_question question = {.domain = claim->domain,
                                            .host = conn->accepted ? "" : conn->key.far_host,
                                            .port = netaddr_port(&conn->key.addr),
                                            .fits = record_fits,
                                            .done = claim_answered,
                                            .arg = claim,
                                            .is_stranger = is_stranger(claim)};
    int status;

    if (!claim_is_welcome(claim))
        return;
    if (!verdict_asks_dns(conn)) {
        claim_by_anchors(claim);
        return;
    }
    status = trust->ask(&question, &claim->asking, trust->arg);
    if (status == 0)
        claim->verdict->pending++;
    else
        claim_refuse(claim, CLAIM_UNKNOWN,
                     "DNS cannot be asked for the keys of %s, so its certificate proves nothing "
                     "now: %s",
                     claim->domain,
                     status == -EAGAIN ? "too many such questions are under way; see who connects "
                                         "(junctor peers, and the refusals in the log)"
                                       : status_text(status));
}

void claim_give_up(struct claim *claim)
{
    static const struct trust_answer late = {TRUST_UNKNOWN, 0, "no answer from DNS in time"};

    if (!claim->asking)
        return;
    claim->verdict->conn->transport->trust->cancel(claim->asking);
    claim->asking = NULL;
    claim_decide(claim, &late);
}
