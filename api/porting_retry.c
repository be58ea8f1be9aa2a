/* Who could not be told is left alone for a while; why, and until when. In memory only: after a
 * restart everybody is tried at once. */
#include "api/porting_internal.h"

#include "base/waiting.h"

#include <stdio.h>
#include <string.h>

uint64_t porting_retry_now_ms(const struct porting *porting)
{
    return porting->parts.clock ? porting_now_ms(porting) : (uint64_t)waiting_now_ms();
}

static struct porting_retry *retry_find(struct porting *porting, const char *key)
{
    for (size_t i = 0; i < PORTING_RETRY_COUNT; i++)
        if (strcmp(porting->retries[i].key, key) == 0)
            return &porting->retries[i];
    return NULL;
}

/* Where all are taken, the one that is due first is forgotten: it is tried once too early. */
static struct porting_retry *retry_make(struct porting *porting, const char *key)
{
    struct porting_retry *retry = retry_find(porting, "");
    if (!retry) {
        retry = &porting->retries[0];
        for (size_t i = 1; i < PORTING_RETRY_COUNT; i++)
            if (porting->retries[i].due_ms < retry->due_ms)
                retry = &porting->retries[i];
    }
    *retry = (struct porting_retry){.key = ""};
    snprintf(retry->key, sizeof(retry->key), "%s", key);
    return retry;
}

bool porting_retry_is_due(struct porting *porting, const char *key)
{
    pthread_mutex_lock(&porting->lock);
    const struct porting_retry *retry = retry_find(porting, key);
    bool is_due = !retry || retry->due_ms <= porting->turn_now_ms;
    if (!is_due && retry->due_ms < porting->next_ms)
        porting->next_ms = retry->due_ms;
    pthread_mutex_unlock(&porting->lock);
    return is_due;
}

void porting_retry_later(struct porting *porting, const char *key, uint64_t max_ms, const char *why)
{
    pthread_mutex_lock(&porting->lock);
    struct porting_retry *retry = retry_find(porting, key);
    if (!retry)
        retry = retry_make(porting, key);
    retry->wait_ms = retry->wait_ms ? 2 * retry->wait_ms : PORTING_RETRY_MS;
    if (retry->wait_ms > max_ms)
        retry->wait_ms = max_ms;
    retry->due_ms = porting->turn_now_ms + retry->wait_ms;
    snprintf(retry->why, sizeof(retry->why), "%s", why);
    if (retry->due_ms < porting->next_ms)
        porting->next_ms = retry->due_ms;
    pthread_mutex_unlock(&porting->lock);
}

void porting_retry_after(struct porting *porting, const char *key, uint64_t wait_ms)
{
    pthread_mutex_lock(&porting->lock);
    struct porting_retry *retry = retry_find(porting, key);
    if (!retry)
        retry = retry_make(porting, key);
    retry->due_ms = porting->turn_now_ms + wait_ms;
    if (retry->due_ms < porting->next_ms)
        porting->next_ms = retry->due_ms;
    pthread_mutex_unlock(&porting->lock);
}

void porting_retry_done(struct porting *porting, const char *key)
{
    pthread_mutex_lock(&porting->lock);
    struct porting_retry *retry = retry_find(porting, key);
    if (retry)
        *retry = (struct porting_retry){.key = ""};
    pthread_mutex_unlock(&porting->lock);
}

/* ---- what stands in the way ---- */

/* Whoever waits longest is whom it waits for. The lock is held. */
static void trouble_add(struct porting *porting, const char *key, struct porting_trouble *trouble)
{
    const struct porting_retry *retry = retry_find(porting, key);
    if (!retry || !retry->why[0] || retry->due_ms < trouble->next_ms)
        return;
    trouble->next_ms = retry->due_ms;
    snprintf(trouble->why, sizeof(trouble->why), "%s", retry->why);
}

bool porting_trouble_get(struct porting *porting, const struct store_port *port,
                         struct porting_trouble *trouble)
{
    char key[PORTING_RETRY_KEY];
    uint64_t now_ms = porting_retry_now_ms(porting);
    *trouble = (struct porting_trouble){.why = ""};
    for (unsigned whom = 1; whom <= STORE_PORT_OWED_ALL && !trouble->why[0]; whom <<= 1) {
        if (!(port->owed & whom))
            continue;
        pthread_mutex_lock(&porting->lock);
        trouble_add(porting, porting_target_of(port, whom), trouble);
        trouble_add(porting, porting_retry_key(port, whom, key), trouble);
        pthread_mutex_unlock(&porting->lock);
    }
    trouble->next_ms =
        porting_now_ms(porting) + (trouble->next_ms > now_ms ? trouble->next_ms - now_ms : 0);
    return trouble->why[0] != '\0';
}
