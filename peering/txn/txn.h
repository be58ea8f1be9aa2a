/* SIP transactions: the four machines of RFC 3261 section 17 as corrected by RFC 6026.
 *
 * A transaction is a request and its responses on one hop. The machines do no I/O and know no
 * clock: they send through a callback, and the worker tells the layer what time it is
 * (txn_layer_advance).
 *
 * Memory: a transaction is one struct in the user's arena, next to its request, its last response
 * and (client INVITE) its ACK; nothing comes from the heap. The layer's tables and the timer set
 * only link to it. Its one timer holds its place in the set from start to end, so that nothing can
 * fail later for want of memory. The user owns the arena and frees it after `ended` was called for
 * each transaction in it, at the earliest in the last `ended` itself.
 *
 * Calls back: `ended` comes only from timers_run, txn_*_abort and txn_client_lost, never from
 * inside start, receive or respond (timers of zero length run in the next timers_run). `send` must
 * not abort the transaction it sends for; every other callback may. A transport that failed is an
 * abort later (17.1.4).
 *
 * The life of a call: an INVITE comes, txn_server_find knows no such branch, the proxy copies the
 * message into an arena and txn_server_start takes it. The proxy starts a txn_client towards the
 * next hop; its responses come up through `response` and go down through txn_server_respond.
 * Retransmissions are absorbed and answered here; the ACK to a failure is made here and absorbed
 * here.
 *
 * One struct txn_layer per worker, used from its thread only. */
#ifndef JUNCTOR_PEERING_TXN_TXN_H
#define JUNCTOR_PEERING_TXN_TXN_H

#include "base/arena.h"
#include "base/table.h"
#include "base/timers.h"
#include "peering/sip/sip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TXN_BRANCH_MAX 48 /* bytes of a branch made here, with terminator */

/* Section 17.1.1.1, table 4. A test may shorten them. */
struct txn_times {
    unsigned t1_ms; /* round trip estimate: 500 */
    unsigned t2_ms; /* longest interval of retransmissions: 4000 */
    unsigned t4_ms; /* how long a message stays in the network: 5000 */
};
extern const struct txn_times txn_times_default;

struct txn_layer;

/* At most `max` transactions at once. `timers` is the worker's set. NULL without memory. */
struct txn_layer *txn_layer_alloc(struct timers *timers, const struct txn_times *times, size_t max);
struct txn_layer *txn_layer_free(struct txn_layer *layer); /* no transaction may be left */
/* The time from now on, milliseconds of a monotonic clock. Does not run timers (timers_run does):
 * each loop turn call this first, then timers_run. */
void txn_layer_advance(struct txn_layer *layer, uint64_t now_ms);
uint64_t txn_layer_now_ms(const struct txn_layer *layer);
size_t txn_layer_count(const struct txn_layer *layer);

/* ---- branches ---- */

/* "z9hG4bK" + worker index (4 hex digits) + 64 random bits in hex (16 digits). The layer keeps a
 * few random bytes in store, so that not every branch costs a system call. */
void txn_branch_make(struct txn_layer *layer, unsigned worker, char branch[TXN_BRANCH_MAX]);
/* Appends the second part of a branch (16.6 step 8), 16 hex digits by which a loop is known. */
void txn_branch_add_loop(char branch[TXN_BRANCH_MAX], uint64_t loop);
/* The worker a branch of ours names, with or without a second part. Returns 0, or -EINVAL where it
 * is not of that form. */
int txn_branch_worker(struct slice branch, unsigned *worker);
/* The second part. Returns 0, or -EINVAL where it is no branch of ours or has none. */
int txn_branch_loop(struct slice branch, uint64_t *loop);
/* Which worker owns a request received over UDP: a keyed hash of top branch and sent-by (Call-ID
 * for an RFC 2543 branch), the same for INVITE, its ACK and CANCEL. Pure. */
unsigned txn_owner(const struct sip_msg *request, const uint8_t key[16], unsigned workers);

/* ---- server transactions (section 17.2, RFC 6026) ---- */

enum txn_server_state {
    TXN_SERVER_TRYING,     /* non-INVITE received; left by any response */
    TXN_SERVER_PROCEEDING, /* INVITE received, or provisional response sent; left by a final one */
    TXN_SERVER_COMPLETED,  /* final response sent (INVITE: 300-699); left by ACK, timer H or J */
    TXN_SERVER_CONFIRMED,  /* INVITE: ACK came; left by timer I */
    TXN_SERVER_ACCEPTED,   /* INVITE: 2xx sent (RFC 6026); left by timer L */
    TXN_SERVER_TERMINATED  /* entered once; `ended` is called, then the memory is the user's */
};
const char *txn_server_state_text(enum txn_server_state state);

struct txn_server;

struct txn_server_user {
    /* Send these response bytes back to where the request came from (18.2.2). */
    void (*send)(struct slice bytes, void *arg);
    /* The transaction is over; called once, last, never from inside txn_server_start. */
    void (*ended)(struct txn_server *txn, void *arg);
    void *arg;
};

/* Where a request came from. */
struct txn_source {
    uint64_t realm; /* whose branches these are: who sees a Via further down knows its branch, and
                       may neither touch nor pre-empt the transaction from another realm */
    bool reliable;  /* over a stream */
};
/* Starts one for a request (not ACK). It lives in `arena`, which must outlive it, as must the
 * request until it is settled. Returns 0, STATUS_LIMIT (`max` transactions), -ENOMEM. */
int txn_server_start(struct txn_layer *layer, struct arena *arena, const struct sip_msg *request,
                     const struct txn_source *source, const struct txn_server_user *user,
                     struct txn_server **txn);

/* The server transaction this request belongs to (17.2.3): a retransmission to the one it repeats,
 * an ACK to that of its INVITE, a CANCEL to that of the CANCEL itself. The key is realm, branch,
 * sent-by and method; for branches without cookie what RFC 2543 knew, compared byte for byte. NULL
 * if there is none, and for every ACK to a 2xx: that one is forwarded (RFC 6026 7.1), even where
 * its sender wrongly kept the INVITE's branch. */
struct txn_server *txn_server_find(struct txn_layer *layer, const struct sip_msg *request,
                                   uint64_t realm);
/* The INVITE transaction that this CANCEL aims at (section 9.2), or NULL. A CANCEL of any other
 * method has no effect, so those are not looked for. */
struct txn_server *txn_server_find_cancelled(struct txn_layer *layer, const struct sip_msg *cancel,
                                             uint64_t realm);
/* A request that txn_server_find matched: a retransmission sends the last response again, the ACK
 * to a failure ends retransmissions. */
void txn_server_receive(struct txn_server *txn, const struct sip_msg *request);

/* Sends a response; `bytes`, kept for retransmission, must live as long as the request. 2xx to
 * INVITE: may be called again for further 2xx (forked, RFC 6026). Returns 0, or -EALREADY where a
 * final response other than a further 2xx was sent before. */
int txn_server_respond(struct txn_server *txn, unsigned status, struct slice bytes);

/* Once it is answered: copies what its timers still need, a few dozen bytes and where it may be
 * asked for again the answer, so that the request and the responses may go. Returns 0, also where
 * it is settled already; -EBUSY where it needs them still (no answer yet, or an RFC 2543 branch);
 * -ENOMEM.
 */
int txn_server_settle(struct txn_server *txn);

enum txn_server_state txn_server_state_of(const struct txn_server *txn);
const struct sip_msg *txn_server_request(const struct txn_server *txn); /* NULL: it is settled */
void *txn_server_arg(const struct txn_server *txn);                     /* the user's arg */
/* Ends it now, without a word to the network; `ended` is called. */
void txn_server_abort(struct txn_server *txn);

/* ---- client transactions (section 17.1, RFC 6026) ---- */

enum txn_client_state {
    TXN_CLIENT_CALLING,    /* INVITE sent; left by a response, timer B */
    TXN_CLIENT_TRYING,     /* other request sent; left by a response, timer F */
    TXN_CLIENT_PROCEEDING, /* provisional response came */
    TXN_CLIENT_COMPLETED,  /* final response came (INVITE: 300-699, ACK sent); left by timer D, K */
    TXN_CLIENT_ACCEPTED,   /* INVITE: 2xx came (RFC 6026); further 2xx go up; left by timer M */
    TXN_CLIENT_TERMINATED
};
const char *txn_client_state_text(enum txn_client_state state);

struct txn_client;

struct txn_client_user {
    /* Send these request bytes (the request, its retransmission, or an ACK) to the next hop. */
    void (*send)(struct slice bytes, void *arg);
    /* A response for the user: each provisional one, the final one, further 2xx. Retransmitted
     * failures are absorbed. Valid during the call. */
    void (*response)(struct txn_client *txn, const struct sip_msg *response, void *arg);
    /* Timer B or F: no final response. `ended` follows. */
    void (*timeout)(struct txn_client *txn, void *arg);
    /* txn_client_lost: what was sent did not arrive, say (17.1.4); `error` is an errno. `ended`
     * follows. May be NULL: then `timeout` is called. */
    void (*lost)(struct txn_client *txn, int error, void *arg);
    void (*ended)(struct txn_client *txn, void *arg);
    /* May whoever is at `source` answer the request? The layer knows no sources: it is what the
     * caller of txn_client_accepts gives. NULL: whoever knows the branch. */
    bool (*accepts)(const void *source, void *arg);
    void *arg;
};

/* Starts one and sends `request` (parsed from the bytes that go out; its top Via branch and CSeq
 * method are the key). It lives in `arena`, which must outlive it, as must the request until it is
 * settled. Not for ACK.
 * Returns 0, STATUS_LIMIT, -ENOMEM. `send` is called from inside. */
int txn_client_start(struct txn_layer *layer, struct arena *arena, const struct sip_msg *request,
                     bool reliable, const struct txn_client_user *user, struct txn_client **txn);

/* The client transaction this response belongs to (17.1.3), or NULL: a stray response. */
struct txn_client *txn_client_find(struct txn_layer *layer, const struct sip_msg *response);
/* Does its user take a response from there? Who saw our Via further down knows the branch too. */
bool txn_client_accepts(const struct txn_client *txn, const void *source);
void txn_client_receive(struct txn_client *txn, const struct sip_msg *response);

/* The client transaction whose request began so: the branch of its top Via and its method. */
struct txn_client *txn_client_find_sent(struct txn_layer *layer, struct slice branch,
                                        struct slice method);
/* It failed below SIP, `error` is an errno: what it sent did not arrive, or its answer is of no
 * use. Ends it, unless it is answered. */
void txn_client_lost(struct txn_client *txn, int error);

/* Section 18.1.2: a response to somebody else's sent-by is none to us. */
bool txn_client_is_named(const struct txn_client *txn, const struct sip_msg *response);

/* As txn_server_settle, of its request. */
int txn_client_settle(struct txn_client *txn);

enum txn_client_state txn_client_state_of(const struct txn_client *txn);
const struct sip_msg *txn_client_request(const struct txn_client *txn); /* NULL: it is settled */
/* Ends it now (the target is given up, the connection broke); `ended` is called. */
void txn_client_abort(struct txn_client *txn);

#endif
