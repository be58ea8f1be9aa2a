/* The engine's life, its thread, and what it remembers without the store. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

uint64_t porting_now_ms(const struct porting *porting)
{
    struct timespec now;
    if (porting->parts.clock)
        return porting->parts.clock(porting->parts.clock_arg);
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct porting_conf porting_conf_get(struct porting *porting)
{
    pthread_mutex_lock(&porting->lock);
    struct porting_conf conf = porting->conf;
    pthread_mutex_unlock(&porting->lock);
    return conf;
}

void porting_count(struct porting *porting, uint64_t *counter)
{
    pthread_mutex_lock(&porting->lock);
    ++*counter;
    pthread_mutex_unlock(&porting->lock);
}

void porting_stats_get(struct porting *porting, struct porting_stats *stats)
{
    pthread_mutex_lock(&porting->lock);
    *stats = porting->stats;
    pthread_mutex_unlock(&porting->lock);
}

static uint64_t day_ms(const struct porting_conf *conf)
{
    return conf->test_day_ms ? conf->test_day_ms : PORTING_DAY_MS;
}

/* Real seconds -> those of days that last so long; no term that is there becomes none. */
static uint32_t in_days_of(const struct porting_conf *conf, uint32_t seconds)
{
    return (uint32_t)((seconds * day_ms(conf) + PORTING_DAY_MS - 1) / PORTING_DAY_MS);
}

struct store_port_terms porting_terms_get(struct porting *porting)
{
    struct porting_conf conf = porting_conf_get(porting);
    struct store_port_terms terms = conf.terms;
    terms.wait = in_days_of(&conf, terms.wait);
    terms.dispute = in_days_of(&conf, terms.dispute);
    terms.remind = in_days_of(&conf, (uint32_t)(PORTING_DAY_MS / 1000));
    return terms;
}

uint64_t porting_key_delay_ms(struct porting *porting)
{
    struct porting_conf conf = porting_conf_get(porting);
    return PORTING_KEY_DAYS * day_ms(&conf);
}

static void conf_warn(const struct porting *porting, const struct porting_conf *conf)
{
    if (day_ms(conf) != PORTING_DAY_MS)
        log_write(
            porting->parts.log, LOG_WARNING, PORTING_SOURCE,
            "test-day-ms is for tests alone: who has stolen an address has %u ms instead of a "
            "day until its holder can object no more",
            conf->test_day_ms);
}

void porting_reload(struct porting *porting, const struct porting_conf *conf)
{
    pthread_mutex_lock(&porting->lock);
    porting->conf = *conf;
    pthread_mutex_unlock(&porting->lock);
    conf_warn(porting, conf);
}

void porting_kick(struct porting *porting)
{
    pthread_mutex_lock(&porting->lock);
    porting->kicked = true;
    pthread_cond_signal(&porting->news);
    pthread_mutex_unlock(&porting->lock);
}

/* ---- the store ---- */

int porting_submit(struct porting *porting, const char *actor, struct store_command *command,
                   struct store_verdict *verdict)
{
    struct store_verdict own;
    if (!verdict)
        verdict = &own;
    snprintf(command->actor, sizeof(command->actor), "%.*s", STORE_ACTOR_MAX, actor);
    command->time_ms = porting_now_ms(porting);
    int status = store_submit(porting->parts.store, command, verdict);
    return status ? status : verdict->status;
}

int porting_port_get(struct porting *porting, enum store_port_role role, const char *id,
                     struct store_port *port)
{
    struct store_reader *reader;
    int status = store_reader_alloc(porting->parts.store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (status == 0) {
        status = store_port_get(reader, role, id, port);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status;
}

int porting_record_get(struct porting *porting, const struct store_address *address,
                       struct store_record *record)
{
    struct store_reader *reader;
    int status = store_reader_alloc(porting->parts.store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (status == 0) {
        status = store_address_get(reader, address, record);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status;
}

bool porting_domain_is_ours(struct porting *porting, const char *domain)
{
    struct store_reader *reader;
    struct store_domain found;
    if (store_reader_alloc(porting->parts.store, &reader))
        return false;
    int status = store_reader_begin(reader);
    if (status == 0) {
        status = store_domain_get(reader, domain, &found);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status == 0;
}

/* ---- others ---- */

static int ask_self(struct porting *porting, const char *from, const char *to, const char *method,
                    const char *path, const json_t *body, struct federation_answer *answer)
{
    char proven[1][256];
    const struct federation_request request = {.method = method,
                                               .path = path,
                                               .query = "",
                                               .proven = (const char(*)[256])proven,
                                               .proven_count = 1,
                                               .served = to,
                                               .body = body};
    snprintf(proven[0], sizeof(proven[0]), "%s", from);
    return porting_handle(porting, &request, answer);
}

int porting_ask(struct porting *porting, const char *from, const char *to, const char *method,
                const char *path, const json_t *body, struct federation_answer *answer)
{
    if (porting_domain_is_ours(porting, to))
        return ask_self(porting, from, to, method, path, body, answer);
    if (porting->parts.ask)
        return porting->parts.ask(from, to, method, path, body, answer, porting->parts.ask_arg);
    snprintf(answer->why, sizeof(answer->why), "this node asks no other operators");
    return STATUS_NOHOP;
}

/* ---- what the holder gave ---- */

static struct porting_held *held_find(struct porting *porting, const char *id)
{
    for (size_t i = 0; i < PORTING_HELD_MAX; i++)
        if (strcmp(porting->held[i].id, id) == 0)
            return &porting->held[i];
    return NULL;
}

int porting_hold(struct porting *porting, const char *id, const struct porting_proof *proof)
{
    pthread_mutex_lock(&porting->lock);
    struct porting_held *held = held_find(porting, id);
    if (!held)
        held = held_find(porting, "");
    if (held) {
        snprintf(held->id, sizeof(held->id), "%s", id);
        held->proof = *proof;
    }
    pthread_mutex_unlock(&porting->lock);
    return held ? 0 : STATUS_LIMIT;
}

bool porting_held_get(struct porting *porting, const char *id, struct porting_proof *proof)
{
    pthread_mutex_lock(&porting->lock);
    const struct porting_held *held = held_find(porting, id);
    if (held)
        *proof = held->proof;
    pthread_mutex_unlock(&porting->lock);
    return held != NULL;
}

void porting_drop(struct porting *porting, const char *id)
{
    pthread_mutex_lock(&porting->lock);
    struct porting_held *held = held_find(porting, id);
    if (held)
        explicit_bzero(held, sizeof(*held));
    pthread_mutex_unlock(&porting->lock);
}

/* ---- turns ---- */

/* Those who are left alone for a while take nobody's place; what finds none comes in the next turn.
 */
static bool turn_take(const struct store_port *port, void *arg)
{
    struct porting *porting = arg;
    if (!porting_is_due(porting, port))
        return true;
    if (porting->turn_count == PORTING_TURN_MAX) {
        pthread_mutex_lock(&porting->lock);
        porting->next_ms = 0;
        pthread_mutex_unlock(&porting->lock);
        return false;
    }
    porting->turn[porting->turn_count++] = *port;
    return true;
}

static int turn_collect(struct porting *porting, bool *is_idle)
{
    uint64_t sequence;
    int status = store_reader_begin(porting->reader);
    if (status)
        return status;
    status = store_sequence_get(porting->reader, &sequence);
    pthread_mutex_lock(&porting->lock);
    *is_idle = status == 0 && sequence == porting->seen && porting->turn_now_ms < porting->next_ms;
    if (!*is_idle)
        porting->next_ms = UINT64_MAX;
    pthread_mutex_unlock(&porting->lock);
    porting->turn_count = 0;
    if (status == 0 && !*is_idle)
        status = store_port_owed_list(porting->reader, SIZE_MAX, turn_take, porting);
    store_reader_end(porting->reader);
    if (status == 0)
        porting->seen = sequence;
    return status;
}

size_t porting_turn(struct porting *porting)
{
    bool is_idle = false;
    size_t tried = 0;
    porting->turn_now_ms = porting_retry_now_ms(porting);
    porting_codes_tell(porting);
    porting_arrived_ask(porting);
    int status = turn_collect(porting, &is_idle);
    if (status) {
        log_write(porting->parts.log, LOG_ERROR, PORTING_SOURCE, "cannot read what is owed: %s",
                  status_text(status));
        return 0;
    }
    for (size_t i = 0; i < porting->turn_count; i++)
        tried += porting_pay(porting, &porting->turn[i]);
    return tried;
}

static void *thread_main(void *arg)
{
    struct porting *porting = arg;
    pthread_mutex_lock(&porting->lock);
    while (!porting->stopping) {
        porting->kicked = false;
        pthread_mutex_unlock(&porting->lock);
        porting_turn(porting);
        pthread_mutex_lock(&porting->lock);
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)PORTING_LOOK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (!porting->stopping && !porting->kicked &&
               pthread_cond_timedwait(&porting->news, &porting->lock, &until) == 0)
            continue;
    }
    pthread_mutex_unlock(&porting->lock);
    return NULL;
}

/* ---- life ---- */

static int locks_make(struct porting *porting)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr))
        return -ENOMEM;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&porting->news, &attr);
    pthread_condattr_destroy(&attr);
    if (failed)
        return -ENOMEM;
    pthread_mutex_init(&porting->lock, NULL);
    return 0;
}

static int parts_make(struct porting *porting)
{
    porting->held = calloc(PORTING_HELD_MAX, sizeof(*porting->held));
    porting->retries = calloc(PORTING_RETRY_COUNT, sizeof(*porting->retries));
    porting->turn = calloc(PORTING_TURN_MAX, sizeof(*porting->turn));
    porting->wrong = api_rate_alloc(PORTING_PEERS_MAX, PORTING_WRONG_BURST, PORTING_WRONG_EVERY_US);
    porting->vain = api_rate_alloc(PORTING_PEERS_MAX, PORTING_VAIN_BURST, PORTING_VAIN_EVERY_US);
    porting->codes = calloc(PORTING_CODES_MAX, sizeof(*porting->codes));
    if (!porting->codes || !porting->held || !porting->retries || !porting->turn ||
        !porting->wrong || !porting->vain)
        return -ENOMEM;
    if (getrandom(porting->nonce_key, sizeof(porting->nonce_key), 0) !=
        (ssize_t)sizeof(porting->nonce_key))
        return STATUS_CRYPTO;
    return store_reader_alloc(porting->parts.store, &porting->reader);
}

int porting_open(const struct porting_conf *conf, const struct porting_parts *parts,
                 struct porting **porting)
{
    struct porting *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->parts = *parts;
    made->conf = *conf;
    int status = locks_make(made);
    if (status) {
        free(made);
        return status;
    }
    status = parts_make(made);
    if (status) {
        porting_stop(made);
        return status;
    }
    conf_warn(made, conf);
    *porting = made;
    return 0;
}

int porting_start(struct porting *porting)
{
    int failed = pthread_create(&porting->thread, NULL, thread_main, porting);
    porting->started = failed == 0;
    return -failed;
}

void porting_stop(struct porting *porting)
{
    if (!porting)
        return;
    pthread_mutex_lock(&porting->lock);
    porting->stopping = true;
    pthread_cond_signal(&porting->news);
    pthread_mutex_unlock(&porting->lock);
    if (porting->started)
        pthread_join(porting->thread, NULL);
    store_reader_free(porting->reader);
    api_rate_free(porting->wrong);
    api_rate_free(porting->vain);
    if (porting->held)
        explicit_bzero(porting->held, PORTING_HELD_MAX * sizeof(*porting->held));
    explicit_bzero(porting->nonce_key, sizeof(porting->nonce_key));
    free(porting->held);
    free(porting->retries);
    free(porting->codes);
    free(porting->turn);
    pthread_cond_destroy(&porting->news);
    pthread_mutex_destroy(&porting->lock);
    free(porting);
}
