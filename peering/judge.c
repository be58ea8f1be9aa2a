#include "peering/judge.h"

#include "base/status.h"
#include "peering/judge_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_LEN 32 /* SHA-256 over the domain called and the chain */

/* A verdict that is remembered. */
struct kept {
    uint8_t key[KEY_LEN];
    uint64_t until_ms; /* monotonic; 0: free */
    int status;
    struct tls_verdict verdict;
};

struct judge {
    struct store *store;
    struct resolver_conf resolver;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t place; /* one has become free */
    unsigned at_once;
    unsigned generation; /* of the context: what an older one has judged is not kept */
    struct tls_context *context;
    enum guard_peering peering;
    struct kept kept[JUDGE_KEPT];
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the object ---- */

struct judge *judge_alloc(const struct judge_conf *conf, struct tls_context *context)
{
    struct judge *judge = calloc(1, sizeof(*judge));
    pthread_condattr_t attr;

    if (!judge)
        return NULL;
    judge->store = conf->store;
    judge->resolver = *conf->resolver;
    judge->peering = conf->peering;
    judge->context = tls_context_ref(context);
    pthread_mutex_init(&judge->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&judge->place, &attr);
    pthread_condattr_destroy(&attr);
    return judge;
}

struct judge *judge_free(struct judge *judge)
{
    if (!judge)
        return NULL;
    tls_context_unref(judge->context);
    pthread_cond_destroy(&judge->place);
    pthread_mutex_destroy(&judge->lock);
    free(judge);
    return NULL;
}

void judge_set(struct judge *judge, struct tls_context *context, enum guard_peering peering)
{
    struct tls_context *old;

    pthread_mutex_lock(&judge->lock);
    old = judge->context;
    judge->context = tls_context_ref(context);
    judge->peering = peering;
    judge->generation++;
    for (size_t i = 0; i < JUDGE_KEPT; i++)
        judge->kept[i].until_ms = 0;
    pthread_mutex_unlock(&judge->lock);
    tls_context_unref(old);
}

/* ---- the chain ---- */

static int key_make(const struct judge_case *about, uint8_t key[KEY_LEN])
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    const char *domain = about->far_domain ? about->far_domain : "";
    bool done = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(hash, domain, strlen(domain) + 1) == 1;

    for (size_t i = 0; done && i < about->count; i++)
        done = EVP_DigestUpdate(hash, &about->chain[i].len, sizeof(about->chain[i].len)) == 1 &&
               EVP_DigestUpdate(hash, about->chain[i].der, about->chain[i].len) == 1;
    done = done && EVP_DigestFinal_ex(hash, key, NULL) == 1;
    EVP_MD_CTX_free(hash);
    ERR_clear_error();
    return done ? 0 : -ENOMEM;
}

static bool is_bounded(const struct judge_case *about)
{
    size_t len = 0;

    for (size_t i = 0; i < about->count && i < JUDGE_MAX_CERTIFICATES; i++)
        len += about->chain[i].len;
    return about->count <= JUDGE_MAX_CERTIFICATES && len <= JUDGE_MAX_DER;
}

/* Returns 0, STATUS_UNPROVEN (unreadable) or -ENOMEM; *chain is the caller's in any case. */
static int chain_read(const struct judge_case *about, STACK_OF(X509) * *chain)
{
    *chain = sk_X509_new_null();
    if (!*chain)
        return -ENOMEM;
    for (size_t i = 0; i < about->count; i++) {
        const unsigned char *at = about->chain[i].der;
        X509 *certificate = d2i_X509(NULL, &at, (long)about->chain[i].len);

        ERR_clear_error();
        if (!certificate)
            return STATUS_UNPROVEN;
        if (sk_X509_push(*chain, certificate) == 0) {
            X509_free(certificate);
            return -ENOMEM;
        }
    }
    return 0;
}

static int refuse(struct tls_verdict *verdict, int status, const char *peer, const char *what)
{
    verdict->identity_count = 0;
    snprintf(verdict->why, sizeof(verdict->why), "%s: %s", peer, what);
    return status;
}

/* ---- what is remembered ---- */

static bool kept_find(struct judge *judge, const uint8_t key[KEY_LEN], struct tls_verdict *verdict,
                      int *status)
{
    uint64_t now = now_ms();
    bool found = false;

    pthread_mutex_lock(&judge->lock);
    for (size_t i = 0; i < JUDGE_KEPT && !found; i++) {
        const struct kept *kept = &judge->kept[i];

        if (kept->until_ms <= now || memcmp(kept->key, key, KEY_LEN) != 0)
            continue;
        *verdict = kept->verdict;
        *status = kept->status;
        found = true;
    }
    pthread_mutex_unlock(&judge->lock);
    return found;
}

/* In place of the one that ends next. The lock is held. */
static struct kept *kept_place(struct judge *judge, const uint8_t key[KEY_LEN])
{
    struct kept *place = &judge->kept[0];

    for (size_t i = 0; i < JUDGE_KEPT; i++) {
        if (memcmp(judge->kept[i].key, key, KEY_LEN) == 0)
            return &judge->kept[i];
        if (judge->kept[i].until_ms < place->until_ms)
            place = &judge->kept[i];
    }
    return place;
}

/* What could not be found out is not known. */
static void kept_put(struct judge *judge, const uint8_t key[KEY_LEN], unsigned generation,
                     int status, unsigned ttl_s, const struct tls_verdict *verdict)
{
    unsigned most_s = status == 0 ? JUDGE_KEPT_S : JUDGE_REFUSED_S;
    struct kept *kept;

    if (status != 0 && status != STATUS_UNPROVEN)
        return;
    if (status == 0 && ttl_s < most_s)
        most_s = ttl_s;
    pthread_mutex_lock(&judge->lock);
    if (generation == judge->generation) {
        kept = kept_place(judge, key);
        memcpy(kept->key, key, KEY_LEN);
        kept->until_ms = now_ms() + most_s * UINT64_C(1000);
        kept->status = status;
        kept->verdict = *verdict;
    }
    pthread_mutex_unlock(&judge->lock);
}

/* ---- a judgement ---- */

/* With a reference to the context; NULL where no place has become free in time. */
static struct tls_context *place_take(struct judge *judge, unsigned *generation)
{
    uint64_t until_ms = now_ms() + JUDGE_MAX_MS;
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000};
    struct tls_context *context = NULL;
    int status = 0;

    pthread_mutex_lock(&judge->lock);
    while (judge->at_once == JUDGE_MAX_AT_ONCE && status == 0)
        status = pthread_cond_timedwait(&judge->place, &judge->lock, &until);
    if (judge->at_once < JUDGE_MAX_AT_ONCE) {
        judge->at_once++;
        *generation = judge->generation;
        context = tls_context_ref(judge->context);
    }
    pthread_mutex_unlock(&judge->lock);
    return context;
}

static void place_leave(struct judge *judge, struct tls_context *context)
{
    pthread_mutex_lock(&judge->lock);
    judge->at_once--;
    pthread_cond_signal(&judge->place);
    pthread_mutex_unlock(&judge->lock);
    tls_context_unref(context);
}

static int chain_judge(struct judge *judge, const struct judge_case *about,
                       const uint8_t key[KEY_LEN], struct tls_verdict *verdict)
{
    STACK_OF(X509) *chain = NULL;
    int status = chain_read(about, &chain);
    unsigned generation = 0, ttl_s = 0;
    struct tls_context *context = status == 0 ? place_take(judge, &generation) : NULL;

    if (status == STATUS_UNPROVEN)
        refuse(verdict, status, about->peer, "its certificate cannot be read");
    else if (status != 0)
        refuse(verdict, status, about->peer, "out of memory");
    else if (!context)
        status = refuse(verdict, -EAGAIN, about->peer, "too many others are being judged");
    if (context) {
        const struct judge_bench bench = {
            judge->store, &judge->resolver,  context,    sk_X509_value(chain, 0),
            chain,        about->far_domain, about->peer};

        status = judge_bench_run(&bench, verdict, &ttl_s);
        place_leave(judge, context);
        kept_put(judge, key, generation, status, ttl_s, verdict);
    }
    sk_X509_pop_free(chain, X509_free);
    return status;
}

/* ---- the operator's word ---- */

/* Drops the domains that are blocked by now, and names the last one; says whether one of the rest
 * has an entry. */
static int peers_look(struct store_reader *reader, struct tls_verdict *verdict, bool *listed,
                      char blocked[256])
{
    size_t left = 0;

    for (size_t i = 0; i < verdict->identity_count; i++) {
        struct store_peer peer;
        int status = store_peer_get(reader, verdict->identities[i], &peer);

        if (status != 0 && status != STATUS_NOTFOUND)
            return status;
        if (status == 0 && peer.blocked) {
            memcpy(blocked, verdict->identities[i], 256);
            continue;
        }
        *listed = *listed || status == 0;
        memmove(verdict->identities[left++], verdict->identities[i],
                sizeof(verdict->identities[0]));
    }
    verdict->identity_count = left;
    return 0;
}

/* What is remembered of a chain does not outlive what the operator says of its owner now. */
static int policy_check(struct judge *judge, const struct judge_case *about,
                        struct tls_verdict *verdict)
{
    struct store_reader *reader;
    char blocked[256] = "", why[512];
    bool listed = false;
    enum guard_peering peering;
    int status = store_reader_alloc(judge->store, &reader);

    if (status != 0)
        return refuse(verdict, status, about->peer, status_text(status));
    status = store_reader_begin(reader);
    if (status == 0) {
        status = peers_look(reader, verdict, &listed, blocked);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    if (status != 0)
        return refuse(verdict, status, about->peer, status_text(status));
    if (verdict->identity_count == 0 || (about->far_domain && blocked[0])) {
        snprintf(why, sizeof(why), "%s is blocked here (junctor peer show %s)", blocked, blocked);
        return refuse(verdict, STATUS_UNPROVEN, about->peer, why);
    }
    pthread_mutex_lock(&judge->lock);
    peering = judge->peering;
    pthread_mutex_unlock(&judge->lock);
    if (guard_mode_refusal(peering, listed, verdict->identities[0], why, sizeof(why)))
        return refuse(verdict, STATUS_UNPROVEN, about->peer, why);
    return 0;
}

int judge_ask(struct judge *judge, const struct judge_case *about, struct tls_verdict *verdict)
{
    uint8_t key[KEY_LEN];
    int status = 0;

    memset(verdict, 0, sizeof(*verdict));
    if (!is_bounded(about))
        return refuse(verdict, STATUS_UNPROVEN, about->peer,
                      "its certificates are too many or too large");
    if (key_make(about, key) != 0)
        return refuse(verdict, -ENOMEM, about->peer, "out of memory");
    if (!kept_find(judge, key, verdict, &status))
        status = chain_judge(judge, about, key, verdict);
    return status == 0 ? policy_check(judge, about, verdict) : status;
}
