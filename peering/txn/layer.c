#include "peering/txn/internal.h"

#include "base/chars.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

const struct txn_times txn_times_default = {.t1_ms = 500, .t2_ms = 4000, .t4_ms = 5000};

static bool random_fill(struct txn_layer *layer)
{
    ssize_t len = getrandom(layer->random, sizeof(layer->random), 0);
    layer->random_left = len > 0 ? (size_t)len : 0;
    return layer->random_left > 0;
}

struct txn_layer *txn_layer_alloc(struct timers *timers, const struct txn_times *times, size_t max)
{
    struct txn_layer *layer = calloc(1, sizeof(*layer));
    if (!layer)
        return NULL;
    layer->timers = timers;
    layer->times = *times;
    layer->max = max;
    layer->servers = table_alloc(max);
    layer->clients = table_alloc(max);
    if (!layer->servers || !layer->clients || !random_fill(layer))
        return txn_layer_free(layer);
    return layer;
}

struct txn_layer *txn_layer_free(struct txn_layer *layer)
{
    if (!layer)
        return NULL;
    table_free(layer->servers);
    table_free(layer->clients);
    free(layer);
    return NULL;
}

void txn_layer_advance(struct txn_layer *layer, uint64_t now_ms)
{
    layer->now_ms = now_ms;
}

uint64_t txn_layer_now_ms(const struct txn_layer *layer)
{
    return layer->now_ms;
}

size_t txn_layer_count(const struct txn_layer *layer)
{
    return table_count(layer->servers) + table_count(layer->clients);
}

bool txn_layer_is_full(const struct txn_layer *layer)
{
    return txn_layer_count(layer) >= layer->max;
}

void txn_layer_random(struct txn_layer *layer, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        /* It worked when the layer was made, so only a signal can interrupt it. */
        while (layer->random_left == 0)
            random_fill(layer);
        out[i] = layer->random[--layer->random_left];
    }
}

/* ---- waiting ---- */

static int wait_arm(struct txn_layer *layer, struct txn_wait *wait)
{
    uint64_t due_ms = wait->end_ms <= wait->resend_ms ? wait->end_ms : wait->resend_ms;
    return timer_start(layer->timers, &wait->timer, due_ms, wait->handler, wait->arg);
}

int txn_wait_start(struct txn_layer *layer, struct txn_wait *wait, timer_h *handler, void *arg)
{
    *wait = (struct txn_wait){
        .handler = handler, .arg = arg, .resend_ms = TXN_NEVER, .end_ms = TXN_NEVER};
    timer_init(&wait->timer);
    return wait_arm(layer, wait);
}

void txn_wait_stop(struct txn_layer *layer, struct txn_wait *wait)
{
    timer_stop(layer->timers, &wait->timer);
}

bool txn_wait_is_end(const struct txn_layer *layer, const struct txn_wait *wait)
{
    return wait->end_ms <= wait->resend_ms || wait->end_ms <= layer->now_ms;
}

void txn_wait_end_after(struct txn_layer *layer, struct txn_wait *wait, unsigned delay_ms)
{
    wait->end_ms = layer->now_ms + delay_ms;
    wait_arm(layer, wait);
}

void txn_wait_resend_after(struct txn_layer *layer, struct txn_wait *wait, unsigned delay_ms)
{
    wait->interval_ms = delay_ms;
    wait->resend_ms = layer->now_ms + delay_ms;
    wait_arm(layer, wait);
}

void txn_wait_resend_never(struct txn_layer *layer, struct txn_wait *wait)
{
    wait->resend_ms = TXN_NEVER;
    wait_arm(layer, wait);
}

void txn_wait_never(struct txn_layer *layer, struct txn_wait *wait)
{
    wait->end_ms = TXN_NEVER;
    txn_wait_resend_never(layer, wait);
}

/* ---- hashing ---- */

struct slice txn_lower_next(struct slice *rest, char out[TXN_LOWER])
{
    size_t len = rest->len < TXN_LOWER ? rest->len : TXN_LOWER;
    for (size_t i = 0; i < len; i++)
        out[i] = char_lower(rest->p[i]);
    *rest = slice_skip(*rest, len);
    return slice_make(out, len);
}
