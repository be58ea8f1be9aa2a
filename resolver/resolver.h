/* Who hosts an address (LUF), and where to send a request for a domain (LRF, RFC 3263).
 *
 * resolver_lookup is the lookup function of RFC 5486: address -> hosting domain, from the
 * directory; resolver_find also asks DNS, where that knows more. resolver_locate is the location
 * routing function: domain -> next hops, from DNS; it never blocks: queries are built and parsed
 * with ldns and sent by the worker's event loop over UDP, over TCP on truncation. One struct
 * resolver per event loop, used from that loop's thread only. Its cache honours TTLs; identical
 * questions in flight are asked once.
 *
 * "No" is not "unknown": NXDOMAIN and an empty answer are answers (and cached by RFC 2308);
 * SERVFAIL and silence are STATUS_SERVFAIL and -ETIMEDOUT. */
#ifndef JUNCTOR_RESOLVER_RESOLVER_H
#define JUNCTOR_RESOLVER_RESOLVER_H

#include "base/netaddr.h"
#include "base/slice.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define RESOLVER_MAX_UPSTREAMS 4
#define RESOLVER_MAX_TARGETS   16   /* hosts that the records of one target may lead to */
#define RESOLVER_MAX_HOPS      16   /* next hops of one location: bounds the search of one call */
#define RESOLVER_MAX_INFLIGHT  1024 /* questions on the wire at once */
#define RESOLVER_MAX_SUFFIXES  4    /* trees of telephone numbers in DNS (ENUM) */
#define RESOLVER_MAX_KEYS      16   /* TLSA records of one server that are looked at */
#define RESOLVER_WHY_MAX       1024 /* a sentence with two names in it */

/* ---- LUF ---- */

/* Which rule of design section 3 decided; each has a sentence for people. */
enum resolver_rule {
    RESOLVER_HOSTED,       /* in our directory: our core serves it */
    RESOLVER_PORTED_OUT,   /* in our directory: another domain serves it */
    RESOLVER_MOVED,        /* in our directory: we served it once, another domain does now */
    RESOLVER_ALIAS,        /* in our directory: another name of an address that is not */
    RESOLVER_BLOCKED,      /* in our directory: blocked, or released */
    RESOLVER_UNKNOWN_CORE, /* our domain, address unknown, policy: ask the core */
    RESOLVER_UNKNOWN,      /* our domain, address unknown, policy: reject */
    RESOLVER_AUTHORITY,    /* a foreign domain: its own authority answers for it */
    RESOLVER_PUBLISHED,    /* a foreign domain that publishes, validated, who serves this address */
    RESOLVER_PSTN,         /* a telephone number that leads to no address: `pstn` takes it */
    RESOLVER_NO_NUMBER     /* a telephone number that leads to no address */
};

struct resolver_answer {
    enum resolver_rule rule;
    char hosting[STORE_DOMAIN_MAX + 1]; /* "" for RESOLVER_UNKNOWN, _BLOCKED and _NO_NUMBER */
    struct store_route route; /* what the directory said; where it says `aliased`, the rule
                                 is that of route.target */
};

/* Where does this address live? Needs a begun reader. Does not block or allocate.
 * Returns 0 or a store status. */
int resolver_lookup(struct store_reader *reader, const struct store_address *address,
                    struct resolver_answer *answer);

/* A sentence such as "opb.example is not one of our domains: its own authority answers for it". */
const char *resolver_rule_text(enum resolver_rule rule);

/* What the directory says of a telephone number. */
struct resolver_number {
    struct store_number entry;
    struct store_address at_zone;  /* "+digits@zone"; user "": no ENUM zone of ours holds it */
    bool is_here;                  /* it leads to the entry's address */
    struct store_address leads_to; /* else where it lives now, "+digits" at the hosting domain; or,
                                      blocked, `at_zone` */
};
/* Needs a begun reader. Returns 0; STATUS_NOTFOUND: the directory does not know it, or does not
 * know where it lives, as one that is about to come here; or a store status. */
int resolver_number_get(struct store_reader *reader, const char *digits,
                        struct resolver_number *number);

/* ---- the resolver ---- */

struct resolver;

struct resolver_conf {
    struct {
        struct netaddr addr;
        bool trusted; /* its AD bit counts */
    } upstreams[RESOLVER_MAX_UPSTREAMS];
    size_t upstream_count;
    unsigned attempt_timeout_ms; /* per question and upstream; 0: 1000 */
    unsigned lookup_timeout_ms;  /* per resolver_locate; 0: 3000 */
    unsigned stale_wait_ms;      /* before a stale answer is used; 0: 500 */
    size_t cache_max;            /* record sets kept; 0: 65536 */
    unsigned ttl_min_s;          /* a shorter TTL counts as this; 0: TTL 0 is not kept */
    unsigned ttl_max_s;          /* a longer one as this; 0: 86400 */
    unsigned
        stale_s; /* SRV, A and AAAA may be used so long beyond their TTL where nobody answers */
    struct {
        char name[STORE_DOMAIN_MAX + 1]; /* canonical */
        bool trusted;                    /* what is in it counts without validation */
    } suffixes[RESOLVER_MAX_SUFFIXES];   /* of ENUM, in the order in which they are asked */
    size_t suffix_count;
    char pstn[STORE_DOMAIN_MAX + 1]; /* a domain of ours: its core takes numbers that lead to no
                                        address; "": nobody does */
    bool address_records; /* foreign domains are asked who serves their single addresses */
};

/* Returns 0, -EINVAL (no upstream), -ENOMEM or -EMFILE. `conf` is copied. */
int resolver_alloc(uv_loop_t *loop, const struct resolver_conf *conf, struct resolver **resolver);
/* Ends every lookup with STATUS_CANCELLED and closes its handles; memory is freed from the loop, so
 * run it until the handles are gone. Accepts NULL. */
void resolver_free(struct resolver *resolver);

/* What it was made with, defaults filled in. */
const struct resolver_conf *resolver_conf_get(const struct resolver *resolver);

/* A line for people about each step taken: each question with its answer, each choice with its
 * reason. Valid during the call. */
typedef void resolver_trace_h(const char *line, void *arg);

/* ---- LUF, with DNS (design section 3.1) ---- */

/* Whom a request asks for: an address, or where `digits` is not empty a number without domain. */
struct resolver_asked {
    struct store_address address; /* canonical; user "": only the domain is known */
    char digits[STORE_NUMBER_MAX + 1];
};

/* What led from a number to an address. */
enum resolver_number_by { RESOLVER_NUMBER_NONE, RESOLVER_NUMBER_TABLE, RESOLVER_NUMBER_ENUM };

struct resolver_found {
    struct resolver_answer answer;
    struct store_address address;      /* whom the answer is about: a number may have led to another
                                          address than was asked for; empty for a number alone that
                                          led to none */
    enum resolver_number_by number_by; /* not NONE: `address` is whom the request is for now */
    bool unknown; /* DNS could not tell; the answer is the one without it, right for routing and no
                     proof of anything */
    char why[RESOLVER_WHY_MAX]; /* a sentence, where `unknown` or the status is not 0; else "" */
};

/* status 0, or STATUS_SERVFAIL or -ETIMEDOUT (it could not be found out where a number leads),
 * STATUS_CANCELLED, or a store status. */
typedef void resolver_find_h(int status, const struct resolver_found *found, void *arg);

/* The directory as a search reads it: for one that must show no more of it than its user may see.
 * The reader is begun, `arg` is the user's. Each returns 0, STATUS_NOTFOUND or another store
 * status; what `lookup` returns besides 0 ends the search. */
struct resolver_directory {
    int (*lookup)(struct store_reader *reader, const struct store_address *address,
                  struct resolver_answer *answer, void *arg);
    int (*number)(struct store_reader *reader, const char *digits, struct store_address *address,
                  void *arg);
    int (*domain)(struct store_reader *reader, const char *name, void *arg); /* is it ours? */
};

struct resolver_find_user {
    struct store_reader *reader; /* begun and ended here; must outlive the search */
    resolver_find_h *done;
    resolver_trace_h *trace; /* may be NULL */
    void *arg;
    const struct resolver_directory *directory; /* NULL: all that the reader has */
    bool known_only; /* nobody is asked: what DNS said counts while it is fresh, the rest is
                        unknown; `done` is never called */
};

struct resolver_finding; /* a search under way */

/* Where does this address live? First the directory; for a number, and for a number at a domain of
 * ours, the number table, then ENUM (RFC 6116) in the configured suffixes; for a foreign domain its
 * address records (design section 5). ENUM counts where it is validated or its suffix is trusted,
 * address records only where they are validated.
 * Returns what `done` would get, with *found, where the directory and the cache suffice; then
 * `done` is not called. -EINPROGRESS: `done` is called exactly once, later, from the loop, unless
 * *finding is cancelled before. Where too many are under way, or memory is out, DNS counts as one
 * that could not tell. */
int resolver_find(struct resolver *resolver, const struct resolver_asked *asked,
                  const struct resolver_find_user *user, struct resolver_found *found,
                  struct resolver_finding **finding);
/* `done` will not be called any more. */
void resolver_find_cancel(struct resolver_finding *finding);

/* Would resolver_find ask more than the directory, which gave this answer? */
bool resolver_find_needs_dns(const struct resolver_conf *conf, const struct store_address *address,
                             const struct resolver_answer *answer);

/* ---- LRF ---- */

/* Which records may lead to a domain (design section 5). */
enum resolver_profile {
    RESOLVER_PEER,    /* TLS only: NAPTR SIPS+D2T, else SRV _sips._tcp, else A/AAAA with port 5061.
                         With `port` set: A/AAAA and that port */
    RESOLVER_PORTING, /* the federation API: SRV _address-porting._tcp alone, over TLS; what does
                         not publish it has none */
    RESOLVER_CORE /* RFC 3263 as configured: a port leads to A/AAAA; else a transport to its SRV,
                     then A/AAAA with its default port; neither to NAPTR SIP+D2U, SIP+D2T or
                     SIPS+D2T, then SRV _sip._udp and _sip._tcp, then A/AAAA over UDP */
};

/* The numbers of enum sip_transport, which lies above this folder. */
enum resolver_transport {
    RESOLVER_UDP,
    RESOLVER_TCP,
    RESOLVER_TLS,
    RESOLVER_SCTP,
    RESOLVER_ANY = 255 /* of a target: not given */
};

struct resolver_target {
    enum resolver_profile profile;
    char host[STORE_DOMAIN_MAX + 1]; /* canonical domain; for RESOLVER_CORE also an IP literal */
    uint16_t port;                   /* 0: not given */
    uint8_t transport;               /* RESOLVER_CORE: of enum resolver_transport */
};

/* A next hop of a core as a target. */
void resolver_core_target(const struct store_core *core, struct resolver_target *target);
/* The next hops of a domain's core in the order in which they are to be tried: as listed, or where
 * they have ranks by priority, and within one priority drawn by weight (RFC 2782).
 * resolver    has the lottery; NULL: nothing is drawn, the heavier come first
 * Returns how many. */
size_t resolver_core_targets(struct resolver *resolver, const struct store_domain *domain,
                             struct resolver_target targets[STORE_CORES_MAX]);

/* What the records that lead to a host are worth: NAPTR, SRV and addresses together. */
enum resolver_path {
    RESOLVER_PATH_UNKNOWN,  /* one of them is past its TTL, or no trusted upstream's word */
    RESOLVER_PATH_UNSIGNED, /* it is proven that nobody signs one of them */
    RESOLVER_PATH_VALIDATED /* each is validated: TLSA records of the host count (RFC 7673) */
};

struct resolver_hop {
    struct netaddr addr;             /* with port */
    uint8_t transport;               /* of enum resolver_transport, never RESOLVER_ANY */
    char host[STORE_DOMAIN_MAX + 1]; /* the SRV target or name it came from */
};

/* Called exactly once, later, from the loop (never from inside resolver_locate).
 * status 0: hops[0..count) in order of preference, count 1..RESOLVER_MAX_HOPS, valid during the
 * call only. Else: STATUS_NXDOMAIN, STATUS_NOHOP (the domain offers no SIP, or none over TLS),
 * STATUS_SERVFAIL, -ETIMEDOUT, STATUS_CANCELLED; `why` is then a sentence naming the question, such
 * as "opb.example: SRV _sips._tcp.opb.example: SERVFAIL from 127.0.0.53:53". */
typedef void resolver_locate_h(int status, const struct resolver_hop *hops, size_t count,
                               const char *why, void *arg);

struct resolver_location; /* a lookup under way */

/* Where to send a request for a domain (RFC 3263 section 4; order by RFC 2782, NAPTR by RFC 3403).
 * `trace` may be NULL. Returns 0 when started (*location may be cancelled until `done` ran), or
 * -EINVAL (bad name), -EAGAIN (too many under way), -ENOMEM. */
int resolver_locate(struct resolver *resolver, const struct resolver_target *target,
                    resolver_locate_h *done, resolver_trace_h *trace, void *arg,
                    struct resolver_location **location);
/* `done` will not be called any more. */
void resolver_locate_cancel(struct resolver_location *location);

#define RESOLVER_PURGE_MAX 253 /* octets of a name in text */

/* Forgets what is known of a domain name and of all names below it, so that it is asked anew; what
 * was found by way of a CNAME record is known by the name of that. The
 * name as resolver_purge_name makes it. Does not block. */
void resolver_purge(struct resolver *resolver, const char *name);
/* From what a person writes: a domain, or any other name in ASCII such as "_sips._tcp.opb.example";
 * one final dot is dropped. Returns 0 or -EINVAL. */
int resolver_purge_name(struct slice text, char name[RESOLVER_PURGE_MAX + 1]);

/* ---- plans ---- */

/* What DNS says about a target, put together: its hosts by rank and weight, with their addresses.
 * Immutable; kept for as long as the shortest TTL of its parts. */
struct resolver_plan;

/* The plan that is kept for a target, or NULL: then resolver_plan_find. Asks nobody, and allocates
 * nothing but the plan of an IP address that is new. Valid until the next call into the resolver; a
 * search keeps it.
 * target    its host in lower case */
struct resolver_plan *resolver_plan_get(struct resolver *resolver,
                                        const struct resolver_target *target);

/* As resolver_locate_h, with a plan in place of its hops: NULL where status is not 0, else valid
 * during the call. */
typedef void resolver_plan_h(int status, struct resolver_plan *plan, const char *why, void *arg);

/* Makes the plan of a target and keeps it. Otherwise as resolver_locate. */
int resolver_plan_find(struct resolver *resolver, const struct resolver_target *target,
                       resolver_plan_h *found, void *arg, struct resolver_location **location);

/* A host of a plan. */
struct resolver_plan_host_view {
    const char *name;
    uint16_t port;
    uint8_t path; /* of enum resolver_path */
};

/* For how many seconds the plan holds: the shortest TTL of what it is made of. */
uint32_t resolver_plan_left_s(const struct resolver *resolver, const struct resolver_plan *plan);
/* The first `max` hosts of a plan, in order of rank; names valid as long as the plan. Returns how
 * many there are in all. */
size_t resolver_plan_hosts(const struct resolver_plan *plan, struct resolver_plan_host_view *hosts,
                           size_t max);

/* One request's way through the hops of a plan. Lives in the caller; cleared to zero it has no
 * hops. Each search draws for itself and has every hop once: what another call met changes at most
 * the order, for hops that failed lately come last. */
struct resolver_search { /* private */
    struct resolver_plan *plan;
    struct resolver *resolver;
    const char *domain;
    uint16_t avoided[RESOLVER_MAX_TARGETS]; /* a bit for each address of each host */
    uint16_t left;                          /* a bit for each host of the rank that was not drawn */
    uint8_t rank_begin, rank_end;           /* its hosts; end 0: not begun */
    uint8_t host, addr;                     /* where the next hop is */
    uint8_t given;
    uint16_t preferred; /* the place of an address in the plan plus one; 0: none */
};

/* Takes a reference to the plan. `resolver` must live until the last hop was asked for.
 * domain    what the far side must prove over TLS, "" where nobody does; must live as long */
void resolver_search_begin(struct resolver_search *search, struct resolver *resolver,
                           struct resolver_plan *plan, const char *domain);
/* Where this address is one of the plan's it is the first hop, whatever its rank and whatever it
 * did lately: it has the dialog. Before the first hop is asked for. */
void resolver_search_prefer(struct resolver_search *search, const struct netaddr *addr);
/* The next hop that is not avoided, to be tried now: it may be the test of one that failed. false
 * where there is none. */
bool resolver_search_next(struct resolver_search *search, struct resolver_hop *hop);
/* Then, the next of those that were passed over. Both together give at most RESOLVER_MAX_HOPS. */
bool resolver_search_next_avoided(struct resolver_search *search, struct resolver_hop *hop);
/* Will one of the two have another hop? */
bool resolver_search_more(const struct resolver_search *search);
/* Harmless where it was not begun. */
void resolver_search_done(struct resolver_search *search);

/* What became of a hop, so that the searches to come know: it was not reached, did not prove
 * `domain`, did not answer or said that it is out of service; or it answered. That it failed is
 * news (true) where it was not avoided until now. */
bool resolver_hop_failed(struct resolver *resolver, const struct resolver_hop *hop,
                         const char *domain);
void resolver_hop_worked(struct resolver *resolver, const struct resolver_hop *hop,
                         const char *domain);
/* Did it fail lately? false also for one that is due for its test: the caller makes it. */
bool resolver_hop_is_avoided(struct resolver *resolver, const struct resolver_hop *hop,
                             const char *domain);

/* Is a hop known to be out of service, though nothing failed here? `domain` is what the far side
 * must prove. Called for the hops of every search: must be quick. */
typedef bool resolver_down_h(const struct netaddr *addr, uint8_t transport, const char *domain,
                             void *arg);
/* Hops for which it says yes are passed over like those that failed lately, as long as it says so.
 */
void resolver_down_set(struct resolver *resolver, resolver_down_h *is_down, void *arg);

/* ---- the keys of a server (DANE) ---- */

/* What DNS says about the keys of a server. Only USABLE proves a key; only NONE, UNSIGNED and
 * UNUSABLE leave it to CAs to prove one (design section 6). */
enum resolver_keys_verdict {
    RESOLVER_KEYS_USABLE,   /* validated records: one of them must match */
    RESOLVER_KEYS_UNUSABLE, /* validated records, but with usages 0 and 1 or unknown numbers only */
    RESOLVER_KEYS_NONE,     /* validated: there are none */
    RESOLVER_KEYS_UNSIGNED, /* proven that nobody signs them; what there is does not count */
    RESOLVER_KEYS_UNKNOWN   /* could not be found out: nothing may be concluded */
};

/* A sentence about the verdict. */
const char *resolver_keys_text(enum resolver_keys_verdict verdict);

/* One TLSA record that can be used: usage 2 or 3, selector 0 or 1, matching 0 to 2 (RFC 6698
 * section 2.1). */
struct resolver_key {
    uint8_t usage, selector, matching;
    struct slice data; /* valid during the callback */
};

struct resolver_keys {
    enum resolver_keys_verdict verdict;
    struct resolver_key keys[RESOLVER_MAX_KEYS]; /* USABLE: the first ones, in no order */
    size_t count;
    uint32_t ttl_s;             /* for how long this holds; 0 for UNKNOWN */
    char why[RESOLVER_WHY_MAX]; /* a sentence for UNKNOWN; else "" */
};

/* Called exactly once, later, from the loop. */
typedef void resolver_keys_h(const struct resolver_keys *keys, void *arg);

struct resolver_key_place {
    char host[STORE_DOMAIN_MAX + 1]; /* the target of an SRV record, or the domain itself */
    uint16_t port;
    bool
        is_stranger; /* asked because of somebody whom nobody vouches for: RESOLVER_MAX_STRANGERS */
};

struct resolver_keys_asking; /* a question under way */

#define RESOLVER_MAX_KEYS_ASKED 1024 /* questions for keys under way at once */
/* Of these for strangers: they leave the others room. */
#define RESOLVER_MAX_STRANGERS (RESOLVER_MAX_KEYS_ASKED / 2)

/* Asks for the TLSA records of host and port over TCP, at trusted upstreams only; an answer is
 * never stale. That the SRV records which led there are validated too is the caller's matter (RFC
 * 7673 section 3). `trace` may be NULL. Returns 0 when started (*asking may be cancelled until
 * `done` ran), -EINVAL (no name), -EAGAIN (too many under way) or -ENOMEM. */
int resolver_keys(struct resolver *resolver, const struct resolver_key_place *place,
                  resolver_keys_h *done, resolver_trace_h *trace, void *arg,
                  struct resolver_keys_asking **asking);
/* `done` will not be called any more. */
void resolver_keys_cancel(struct resolver_keys_asking *asking);

/* Numbers of 64 bits only: a worker publishes them as an array. */
struct resolver_stats {
    uint64_t questions;  /* sent */
    uint64_t answers;    /* messages that fit a question */
    uint64_t timeouts;   /* attempts that nobody answered */
    uint64_t hostile;    /* messages that fit none, or contradict themselves; dropped */
    uint64_t cache_hits; /* fresh ones */
    uint64_t stale_hits; /* calls and questions that had to do with what is past its TTL */
    uint64_t renewals;   /* questions asked ahead of time, for answers in use */
    uint64_t failures;   /* questions that nobody could answer */
    uint64_t plan_hits;
    uint64_t cache_entries, inflight, plans, avoided, upstreams_down; /* now */
};
void resolver_stats_get(const struct resolver *resolver, struct resolver_stats *stats);

#endif
