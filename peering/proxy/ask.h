/* Asking an authority where one of its addresses lives: the probe of design section 3.4.
 *
 *     OPTIONS sip:alice@opa.example SIP/2.0
 *     Max-Forwards: 0
 *     From: <sip:our.domain>;tag=...
 *
 * over mutual TLS, which an edge answers from its directory and forwards to nobody. A client
 * transaction of our own, with its next hops in turn; what is told is remembered (told.h) and goes
 * to all who wait for it. The same question is asked once at a time, within the authority's budget.
 */
#ifndef JUNCTOR_PEERING_PROXY_ASK_H
#define JUNCTOR_PEERING_PROXY_ASK_H

#include "base/list.h"
#include "peering/proxy/told.h"
#include "store/store.h"

#include <stdbool.h>

#define ASK_LIMIT_MS 4000 /* for all next hops of the authority together */
#define ASK_MAX      64   /* under way at once in one worker, whatever the budgets say */

struct proxy;
struct ask;

/* What was told. Returns whether it was what the waiter hoped for: who asks rightly may ask more.
 */
typedef bool ask_told_h(const struct told *told, void *arg);

/* Somebody who waits for an answer. Lives in the waiter; clear with ask_wait_init. */
struct ask_wait {
    struct list link;
    ask_told_h *handler;
    void *arg;
};
void ask_wait_init(struct ask_wait *wait);

/* `handler` is called once, later, from the loop, unless the wait is cancelled.
 * our_domain   a domain hosted here, for whose sake we ask
 * Returns 0, or STATUS_LIMIT (the authority was asked too much), -ENOMEM. */
int ask_authority(struct proxy *proxy, const struct store_address *address, const char *our_domain,
                  struct ask_wait *wait, ask_told_h *handler, void *arg);
/* `handler` will not be called any more; the question goes on, for what is told is remembered.
 * Harmless where it does not wait. */
void ask_cancel(struct ask_wait *wait);
/* Ends all questions without a word to those who wait. */
void ask_end_all(struct proxy *proxy);

#endif
