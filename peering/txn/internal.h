/* What the files of this folder share: the layer, the waiting of a transaction, hashing. */
#ifndef JUNCTOR_PEERING_TXN_INTERNAL_H
#define JUNCTOR_PEERING_TXN_INTERNAL_H

#include "peering/txn/txn.h"

#define TXN_NEVER  UINT64_MAX
#define TXN_RANDOM 512 /* random bytes in store: 64 branches for one system call */

struct txn_layer {
    struct timers *timers;
    struct txn_times times;
    struct table *servers;
    struct table *clients;
    size_t max; /* of both together */
    uint64_t now_ms;
    size_t random_left;
    uint8_t random[TXN_RANDOM];
};

/* Is there room for one more? */
bool txn_layer_is_full(const struct txn_layer *layer);
/* A few bytes from the random store. */
void txn_layer_random(struct txn_layer *layer, uint8_t *out, size_t len);

/* What a transaction waits for: to send again (timers A, E, G), and its end (B, D, F, H to M). Both
 * share one struct timer, which runs all the time, if need be towards TXN_NEVER: a running timer
 * can always be started again, so no timer fails after the transaction's start. */
struct txn_wait {
    struct timer timer;
    timer_h *handler;
    void *arg;
    uint64_t resend_ms;
    uint64_t end_ms;
    unsigned interval_ms; /* between the last two times of sending */
};

/* Takes a place in the timer set, waiting for nothing. Returns 0 or -ENOMEM. */
int txn_wait_start(struct txn_layer *layer, struct txn_wait *wait, timer_h *handler, void *arg);
void txn_wait_stop(struct txn_layer *layer, struct txn_wait *wait);
/* In the handler: is it the end that came, or else the time to send again? Where the loop was held
 * up past both, it is the end. */
bool txn_wait_is_end(const struct txn_layer *layer, const struct txn_wait *wait);
void txn_wait_end_after(struct txn_layer *layer, struct txn_wait *wait, unsigned delay_ms);
void txn_wait_resend_after(struct txn_layer *layer, struct txn_wait *wait, unsigned delay_ms);
void txn_wait_resend_never(struct txn_layer *layer, struct txn_wait *wait);
void txn_wait_never(struct txn_layer *layer, struct txn_wait *wait);

#define TXN_LOWER 64
/* Takes at most TXN_LOWER bytes off the front of `rest` and gives them in lower case; the result
 * lies in `out`. For hashing names of any length. */
struct slice txn_lower_next(struct slice *rest, char out[TXN_LOWER]);

static inline unsigned txn_min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

#endif
