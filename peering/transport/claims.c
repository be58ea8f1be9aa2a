#include "peering/transport/claims.h"

#include "base/hex.h"
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool asks_dns(const struct claims_case *about)
{
    return about->trust && about->trust->ask;
}

static void pending_drop(struct claims *claims)
{
    if (--claims->pending == 0)
        claims->done(claims->arg);
}

/* ---- one claim ---- */

static void refusal_add(struct claims *claims, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void refusal_add(struct claims *claims, const char *format, va_list args)
{
    size_t len = strlen(claims->refusal);

    vsnprintf(claims->refusal + len, sizeof(claims->refusal) - len, format, args);
}

static void claim_refuse(struct claim *claim, enum claim_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first refusal is the one that is told. */
static void claim_refuse(struct claim *claim, enum claim_state state, const char *format, ...)
{
    struct claims *claims = claim->claims;
    va_list args;

    claim->state = state;
    if (claims->refusal[0])
        return;
    snprintf(claims->refusal, sizeof(claims->refusal), "%s: ", claims->name);
    va_start(args, format);
    refusal_add(claims, format, args);
    va_end(args);
}

static void unanchored_refuse(struct claims *claims, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What trust anchors lack, and what else would do. */
static void unanchored_refuse(struct claims *claims, const char *format, ...)
{
    va_list args;

    memcpy(claims->refusal, claims->unanchored, sizeof(claims->refusal));
    va_start(args, format);
    refusal_add(claims, format, args);
    va_end(args);
}

static void claim_by_anchors(struct claim *claim)
{
    struct claims *claims = claim->claims;

    claim->state = claims->about.anchored ? CLAIM_PROVEN : CLAIM_REFUSED;
    if (claims->about.anchored || claims->refusal[0])
        return;
    if (asks_dns(&claims->about))
        unanchored_refuse(claims,
                          "; DNS names no keys of %s, which would do too (TLSA 3 1 1, signed)",
                          claim->domain);
    else
        memcpy(claims->refusal, claims->unanchored, sizeof(claims->refusal));
}

static void claim_decide(struct claim *claim, const struct trust_answer *answer)
{
    bool calls = !claim->claims->about.far_domain;

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
                     claim->domain, claim->domain, calls ? "calls with" : "serves", claim->domain);
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
    struct claims *claims = claim->claims;
    uint64_t until_ms = uv_now(claims->about.loop) + (uint64_t)answer->ttl_s * 1000;

    claim->asking = NULL;
    claim_decide(claim, answer);
    if (claim->state == CLAIM_PROVEN && until_ms < claims->until_ms)
        claims->until_ms = until_ms;
    pending_drop(claims);
}

static bool record_fits(const struct tls_tlsa *tlsa, void *arg)
{
    const struct claim *claim = arg;
    const struct claims_case *about = &claim->claims->about;

    return tls_dane_fits(tlsa, about->leaf, about->chain, claim->domain, time(NULL));
}

static bool claim_is_pinned(struct claim *claim, const struct trust_peer *peer)
{
    char hex[2 * TLS_KEY_HASH_LEN + 1] = "";
    uint8_t hash[TLS_KEY_HASH_LEN];

    if (tls_key_hash(claim->claims->about.leaf, hash) == 0) {
        for (unsigned i = 0; i < peer->pin_count; i++)
            if (memcmp(peer->pins[i], hash, sizeof(hash)) == 0)
                return true;
        hex_encode(hash, sizeof(hash), hex);
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
    const struct transport_trust *trust = claim->claims->about.trust;
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
    const struct claims_case *about = &claim->claims->about;

    return !about->far_domain && !about->anchored && !claim->known;
}

static void claim_start(struct claim *claim)
{
    const struct claims_case *about = &claim->claims->about;
    const struct trust_question question = {.domain = claim->domain,
                                            .host = about->far_host,
                                            .port = about->far_port,
                                            .fits = record_fits,
                                            .done = claim_answered,
                                            .arg = claim,
                                            .is_stranger = is_stranger(claim)};
    int status;

    if (!claim_is_welcome(claim))
        return;
    if (!asks_dns(about)) {
        claim_by_anchors(claim);
        return;
    }
    status = about->trust->ask(&question, &claim->asking, about->trust->arg);
    if (status == 0)
        claim->claims->pending++;
    else
        claim_refuse(claim, CLAIM_UNKNOWN,
                     "DNS cannot be asked for the keys of %s, so its certificate proves nothing "
                     "now: %s",
                     claim->domain,
                     status == -EAGAIN ? "too many such questions are under way; see who connects "
                                         "(junctor peers, and the refusals in the log)"
                                       : status_text(status));
}

/* ---- all of them ---- */

/* What the far side is to be believed, if it is. Of a certificate that no anchor vouches for only
 * some names are looked at: who made it may have aimed at those domains' servers. */
static size_t claims_collect(const struct claims_case *about, char domains[TLS_MAX_IDENTITIES][256])
{
    size_t count;

    if (about->far_domain && asks_dns(about)) {
        snprintf(domains[0], sizeof(domains[0]), "%s", about->far_domain);
        return 1;
    }
    if (about->anchored) {
        memcpy(domains, about->judged->identities,
               about->judged->identity_count * sizeof(domains[0]));
        return about->judged->identity_count;
    }
    count = tls_identities(about->leaf, domains);
    return count < CLAIMS_UNANCHORED ? count : CLAIMS_UNANCHORED;
}

/* What the caller may change or free meanwhile. */
static void case_keep(struct claims *claims, const struct claims_case *about)
{
    claims->about = *about;
    snprintf(claims->name, sizeof(claims->name), "%s", about->name);
    snprintf(claims->far_host, sizeof(claims->far_host), "%s", about->far_host);
    snprintf(claims->far_domain, sizeof(claims->far_domain), "%s",
             about->far_domain ? about->far_domain : "");
    memcpy(claims->unanchored, about->judged->why, sizeof(claims->unanchored));
    claims->about.name = claims->name;
    claims->about.far_host = claims->far_host;
    claims->about.far_domain = about->far_domain ? claims->far_domain : NULL;
    claims->about.judged = NULL;
}

struct claims *claims_alloc(const struct claims_case *about, claims_done_h *done, void *arg)
{
    char domains[TLS_MAX_IDENTITIES][256];
    size_t count = claims_collect(about, domains);
    struct claims *claims = calloc(1, sizeof(*claims) + count * sizeof(claims->claims[0]));

    if (!claims)
        return NULL;
    case_keep(claims, about);
    claims->done = done;
    claims->arg = arg;
    claims->until_ms = uv_now(about->loop) + CLAIMS_MAX_S * UINT64_C(1000);
    claims->count = count;
    for (size_t i = 0; i < count; i++) {
        claims->claims[i].claims = claims;
        memcpy(claims->claims[i].domain, domains[i], sizeof(domains[i]));
    }
    return claims;
}

void claims_start(struct claims *claims)
{
    claims->pending = 1;
    for (size_t i = 0; i < claims->count; i++)
        claim_start(&claims->claims[i]);
    if (claims->count == 0)
        memcpy(claims->refusal, claims->unanchored, sizeof(claims->refusal));
    pending_drop(claims);
}

static void asking_cancel(struct claim *claim)
{
    if (claim->asking)
        claim->claims->about.trust->cancel(claim->asking);
    claim->asking = NULL;
}

void claims_give_up(struct claims *claims)
{
    static const struct trust_answer late = {TRUST_UNKNOWN, 0, "no answer from DNS in time"};

    for (size_t i = 0; i < claims->count; i++) {
        struct claim *claim = &claims->claims[i];

        if (claim->asking) {
            asking_cancel(claim);
            claim_decide(claim, &late);
        }
    }
    claims->pending = 1;
    pending_drop(claims);
}

bool claims_are_unsure(const struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->claims[i].state == CLAIM_UNKNOWN)
            return true;
    return false;
}

void claims_free(struct claims *claims)
{
    if (!claims)
        return;
    for (size_t i = 0; i < claims->count; i++)
        asking_cancel(&claims->claims[i]);
    free(claims);
}
