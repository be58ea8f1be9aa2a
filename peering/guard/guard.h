/* What strangers and peers may use of an edge, and who is shut out for a while.
 *
 * A struct guard is shared by the workers of an edge. Its tables have a fixed size: slots found by
 * a keyed hash, in which the one used longest ago makes room. Every count is an atomic of the whole
 * edge, not a worker's share of it: the kernel spreads the connections of one source over the
 * workers, while a peer may have all of its on one. Nothing on a message's path takes a lock; only
 * the list of bans has one, which is taken when a connection is accepted while there are bans. Two
 * workers that claim one slot at once may miscount by one; nothing worse.
 *
 * Sources are IPv4 addresses and IPv6 /64 networks. A source counts until it proves a domain: its
 * connections and handshakes. Peers are proven domains: their requests, messages and transactions.
 * A peer is in good standing at a source for some hours after a call of its, or of ours to it,
 * was answered over a connection from or to there: then a flood from the same address, or a
 * ban of it, does not keep that peer out.
 *
 * Times are monotonic milliseconds and the caller's. All functions may be called from any thread.
 */
#ifndef JUNCTOR_PEERING_GUARD_GUARD_H
#define JUNCTOR_PEERING_GUARD_GUARD_H

#include "base/netaddr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_MAX_SOURCES   16384 /* remembered at once; 1.3 MB */
#define GUARD_MAX_PEERS     4096
#define GUARD_MAX_CALLED    16384 /* pairs of a peer and an address it calls */
#define GUARD_MAX_STANDINGS 8192  /* pairs of a source and a peer in good standing there */
#define GUARD_MAX_BANS      1024  /* looked through one by one, microseconds per connection */
#define GUARD_REASON_MAX    200   /* bytes, with terminator */
#define GUARD_MAX_BAN_S     31536000
#define GUARD_STANDING_MS   (12 * UINT64_C(3600000))
#define GUARD_KNOWN_AFTER                                                                          \
    10                      /* answered requests after which a peer is no first contact any more   \
                             */
#define GUARD_GOOD_FACTOR 4 /* a source with a peer in good standing has so many allowances */

/* 0 means everywhere: no bound. */
struct guard_conf {
    unsigned source_connections;  /* at once, that have proven nothing (yet) */
    unsigned source_handshakes;   /* new connections per second; twice as many in a burst */
    unsigned source_failures;     /* in a minute; more are a ban */
    unsigned source_excess_s;     /* seconds in a minute that exceed those; more are a ban */
    unsigned first_request_ms;    /* from a connection's begin until its first message is whole */
    unsigned first_request_bytes; /* received until then, those of TLS included */
    unsigned peer_connections;    /* at once, that a peer opened */
    unsigned ban_s;               /* how long a ban by itself lasts; 0: there is none */
    unsigned peer_requests;       /* per second, new ones; twice as many in a burst */
    unsigned peer_messages;       /* per second, all; twice as many in a burst */
    unsigned peer_transactions;   /* at once */
    unsigned first_contact; /* requests outside dialogs in a minute, by a peer without entry and
                               without answered ones; each answer allows as many again */
    unsigned called_calls;  /* INVITEs outside dialogs in a minute of a peer to one address */
};

/* With whom we talk. */
enum guard_peering {
    GUARD_OPEN,   /* every proven domain */
    GUARD_LISTED, /* those that have an entry in the directory */
    GUARD_CLOSED  /* nobody */
};

/* Why this mode shuts a peer out, a sentence for people; `listed`: it has an entry. Returns `why`,
 * or NULL where it does not. */
const char *guard_mode_refusal(enum guard_peering mode, bool listed, const char *domain, char *why,
                               size_t size);

struct guard;
struct guard_slot; /* stays in place for the guard's life; what it counts may change owner */

/* NULL without memory or random numbers. */
struct guard *guard_alloc(const struct guard_conf *conf);
struct guard *guard_free(struct guard *guard); /* accepts NULL */
const struct guard_conf *guard_conf_get(const struct guard *guard);

/* Why something was refused; also the reasons that are counted. */
enum guard_rule {
    GUARD_OK,
    GUARD_BANNED, /* the source */
    GUARD_SOURCE_CONNECTIONS,
    GUARD_SOURCE_HANDSHAKES,
    GUARD_FIRST_REQUEST, /* too late, or too many bytes before it */
    GUARD_PEER_CONNECTIONS,
    GUARD_PEER_REQUESTS,
    GUARD_PEER_TRANSACTIONS,
    GUARD_PEER_MESSAGES, /* not refused but read later */
    GUARD_FIRST_CONTACT,
    GUARD_CALLED,
    GUARD_PEERING, /* blocked, or not in the list of a listed edge, or a closed one */
    GUARD_RULE_COUNT
};
const char *guard_rule_name(enum guard_rule rule); /* for metrics: "source_connections" */

/* ---- sources ---- */

/* A connection was accepted from there. Returns GUARD_OK and *slot, which counts the connection
 * until guard_release (NULL where the table is full of others that count), or why it is to be
 * closed at once. */
enum guard_rule guard_accept(struct guard *guard, const struct netaddr *source, uint64_t now_ms,
                             struct guard_slot **slot);
/* The connection has ended, or has proven a domain. Accepts NULL. */
void guard_release(struct guard_slot *slot);
/* A handshake or a first request came to nothing, by the source's fault. Returns whether the source
 * is banned from now on; the ban's reason is `what` and the rule. */
bool guard_failed(struct guard *guard, const struct netaddr *source, const char *what,
                  uint64_t now_ms);

/* guard_accept refused it for `rule`, one of a source's budgets. Counts once in a second, so that a
 * burst, however large, is no ban. Returns as guard_failed does. */
bool guard_exceeded(struct guard *guard, const struct netaddr *source, enum guard_rule rule,
                    uint64_t now_ms);

/* Is this peer in good standing at that source? Then no ban of the source is meant for it. */
bool guard_is_good(const struct guard *guard, const struct netaddr *source, const char *domain,
                   uint64_t now_ms);
/* Changes with every ban that begins or is taken back. */
unsigned guard_ban_changes(const struct guard *guard);

/* ---- peers ---- */

/* What the directory says about a peer; all zero for one without entry. */
struct guard_grant {
    bool listed;       /* there is an entry: no first contact */
    unsigned requests; /* per second; 0: the default */
    unsigned transactions;
};

uint64_t guard_peer_key(const struct guard *guard, const char *domain);

/* A connection that it opened has proven its domain: *slot counts it until guard_release (NULL
 * where the table is full of others that count). */
enum guard_rule guard_join(struct guard *guard, uint64_t peer, uint64_t now_ms,
                           struct guard_slot **slot);
/* A request of the peer outside dialogs. On a refusal *wait_ms says when to try again. */
enum guard_rule guard_request(struct guard *guard, uint64_t peer, const struct guard_grant *grant,
                              uint64_t now_ms, uint64_t *wait_ms);
/* One that cannot be refused, for a call would ring on: it counts as far as there is room. */
void guard_note_request(struct guard *guard, uint64_t peer, const struct guard_grant *grant,
                        uint64_t now_ms);
/* Its INVITE to this address, in canonical form. */
enum guard_rule guard_called(struct guard *guard, uint64_t peer, struct slice user,
                             struct slice domain, uint64_t now_ms);
/* A transaction of its begins: *slot counts it until guard_release. */
enum guard_rule guard_begin(struct guard *guard, uint64_t peer, const struct guard_grant *grant,
                            uint64_t now_ms, struct guard_slot **slot);
/* A message of its came. Returns how long nothing more is to be read; 0: go on. */
unsigned guard_message(struct guard *guard, uint64_t peer, uint64_t now_ms);
/* A call to or from it was answered over a connection with that address. */
void guard_answered(struct guard *guard, const char *domain, const struct netaddr *source,
                    uint64_t now_ms);

/* ---- bans ---- */

struct guard_ban {
    struct netprefix source;
    uint64_t left_ms; /* how long it lasts yet */
    uint64_t version; /* of a list: what no other ban of this guard has had */
    bool automatic;
    char reason[GUARD_REASON_MAX];
};

/* A ban of the same prefix is replaced. Where there are GUARD_MAX_BANS the automatic one that ends
 * next makes room. Returns 0, -EINVAL (no time left, or longer than GUARD_MAX_BAN_S), STATUS_LIMIT
 * (all of them were made by people). */
int guard_ban_add(struct guard *guard, const struct guard_ban *ban, uint64_t now_ms);
/* Returns 0 or STATUS_NOTFOUND. */
int guard_ban_remove(struct guard *guard, const struct netprefix *source, uint64_t now_ms);
/* All of them, in the order of their addresses. Returns how many. */
size_t guard_ban_list(struct guard *guard, struct guard_ban bans[GUARD_MAX_BANS], uint64_t now_ms);
/* That order: below 0, 0 or above, as memcmp. */
int guard_source_compare(const struct netprefix *a, const struct netprefix *b);
/* The ban of exactly this prefix. Returns 0 or STATUS_NOTFOUND. */
int guard_ban_get(struct guard *guard, const struct netprefix *source, uint64_t now_ms,
                  struct guard_ban *ban);
bool guard_is_banned(struct guard *guard, const struct netaddr *source, uint64_t now_ms);

/* ---- numbers ---- */

struct guard_stats {
    uint64_t refused[GUARD_RULE_COUNT];
    uint64_t failures;  /* handshakes and first requests that came to nothing */
    uint64_t bans_made; /* automatic ones */
    size_t bans;        /* now */
};
void guard_stats_get(struct guard *guard, uint64_t now_ms, struct guard_stats *stats);
/* For what is refused elsewhere. */
void guard_count(struct guard *guard, enum guard_rule rule);

#endif
