/* Does DNS lead callers to a domain? Asks what they would ask, of everybody who could answer, and
 * compares: `junctor dns check`, and the questions of `junctor cert next`.
 *
 * One check: the validating resolver says where the records lead, which zone each name is in and
 * who serves that; then each server of the zone is asked by itself, without recursion, for every
 * record set that counts, and so is the resolver. What they say is held against the records that
 * should exist (zone.h), where they are known, against each other, and against the signatures. What
 * comes out is a list of findings, and the targets with their TLSA records, for whoever then
 * connects to them (peering/probe.h).
 *
 * Everything here blocks, for no longer than the time given; no function keeps state, so any thread
 * may call it. Every answer is hostile: a server is asked only so often, believed only where the
 * answer fits the question, and what it says is bounded by the numbers below. */
#ifndef JUNCTOR_RESOLVER_CHECK_H
#define JUNCTOR_RESOLVER_CHECK_H

#include "base/netaddr.h"
#include "resolver/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_SERVERS_MAX   26  /* addresses of the zone's servers: 13 of them, IPv4 and IPv6 */
#define CHECK_ZONES_MAX     6   /* zones: of the domain, and of the targets */
#define CHECK_SUBJECTS_MAX  128 /* record sets looked at one by one */
#define CHECK_SAMPLE_MAX    32  /* records of single addresses looked at, of all there are */
#define CHECK_HOSTED_MAX    16  /* addresses that should have none looked at */
#define CHECK_SET_MAX       64  /* records of one set; sets with more are not compared */
#define CHECK_TARGETS_MAX   8   /* SRV targets (design section 6) */
#define CHECK_ADDRESSES_MAX 8   /* of one target */
#define CHECK_PORTING_MAX   4   /* SRV targets of the federation API */
#define CHECK_TLSA_MAX      CHECK_SET_MAX /* of one target */
#define CHECK_TLSA_DATA     2048
#define CHECK_FINDINGS_MAX  256
#define CHECK_WANTED_MAX    2048 /* records that should exist */
#define CHECK_KEYS_MAX      16   /* DNSKEY records of a zone; each costs time for each signature */
#define CHECK_SIGNATURES    8    /* RRSIG records of one set that are looked at */
#define CHECK_ATTEMPT_MS    1500 /* for one answer; over UDP there are two attempts */
#define CHECK_CHOOSE_MS     1000 /* for one of several resolvers to answer */
#define CHECK_FAILURES_MAX  3    /* questions in a row without answer, then a server is given up */
#define CHECK_DROPPED_MAX   2    /* and of one type: then that type is not asked of it any more */
#define CHECK_SOON_S        259200 /* three days: what ends within them is about to end */

#define CHECK_WHAT_MAX  420
#define CHECK_WHERE_MAX 320
#define CHECK_WHY_MAX   360

/* ---- findings ---- */

enum check_severity {
    CHECK_NOTE,    /* good to know */
    CHECK_WARNING, /* callers get through, but something is not as it should be */
    CHECK_ERROR    /* callers, or some of them, do not get through */
};

struct check_finding {
    enum check_severity severity;
    const char *code;            /* a word for programs: "missing", "lame"; lives for ever */
    char what[CHECK_WHAT_MAX];   /* "_sips._tcp.opa.example has no SRV record ..." */
    char where[CHECK_WHERE_MAX]; /* "ns1.opa.example (192.0.2.53)", "every server of opa.example" */
    char why[CHECK_WHY_MAX];     /* what comes of it */
    char add[ZONE_LINE_MAX];     /* the line of a zone file that mends it; "": none */
    char remove[ZONE_LINE_MAX];  /* and the one to take out; "": none */
};

struct check_findings {
    struct check_finding *list; /* of CHECK_FINDINGS_MAX; the caller's */
    size_t count;
    size_t left_out; /* findings for which there was no room */
};

/* A new finding with empty texts but `what`, or NULL where there is no room, which is counted. */
struct check_finding *check_found(struct check_findings *findings, enum check_severity severity,
                                  const char *code, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
bool check_has_errors(const struct check_findings *findings);

/* ---- the check ---- */

struct check_conf {
    const char *domain;               /* canonical, as store_domain_canonical makes it */
    struct netaddr resolver;          /* validates */
    bool trusted;                     /* its AD bit is believed */
    uint16_t port;                    /* of the zone's servers: 53 outside of laboratories */
    int64_t deadline_ms;              /* of CLOCK_MONOTONIC, as waiting_now_ms tells it */
    int64_t now_s;                    /* of the calendar, for signatures */
    const struct zone_record *wanted; /* the records that should exist; NULL: not known, for the
                                         domain is another operator's */
    size_t wanted_count;
    const char *const *hosted; /* canonical user parts of addresses that live here, and so should
                                  have no record; with `wanted` only, CHECK_HOSTED_MAX at most */
    size_t hosted_count;
};

/* Of resolvers the first that can find out whether `domain` exists, else the first; for each there
 * is CHECK_CHOOSE_MS. `count` is not 0. Returns its place in the list. */
size_t check_resolver_choose(const struct netaddr *list, size_t count, const char *domain);

struct check_tlsa {
    uint8_t usage, selector, matching;
    bool usable; /* counts between peers (design section 6) */
    size_t len;
    uint8_t data[CHECK_TLSA_DATA];
};

/* What is known of TLSA records, and how sure that is (RFC 7671, 7673). */
enum check_tlsa_state {
    CHECK_TLSA_NONE,      /* there are none, or none that counts: CAs decide */
    CHECK_TLSA_VALIDATED, /* they decide */
    CHECK_TLSA_UNSIGNED,  /* there are some, but nothing proves them, or not that they are the
                             domain's (SRV and addresses, RFC 7673 section 3): CAs decide */
    CHECK_TLSA_UNKNOWN    /* could not be found out: callers must refuse */
};

struct check_target {
    char host[ZONE_NAME_MAX + 1];
    uint16_t priority, weight, port;
    struct netaddr addresses[CHECK_ADDRESSES_MAX]; /* with the port */
    size_t address_count;
    bool proven; /* the way to it and its addresses are validated, so TLSA records would count */
    enum check_tlsa_state tlsa_state;
    struct check_tlsa tlsa[CHECK_TLSA_MAX];
    size_t tlsa_count;
    bool tlsa_left_out;                           /* there are more of them than are told here */
    uint32_t tlsa_ttl_s;                          /* at the servers; 0: not known */
    uint32_t tlsa_until_s;                        /* so long the resolver remembers them */
    uint8_t served[CHECK_TLSA_MAX][ZONE_KEY_LEN]; /* keys that every server asked has, 3 1 1 */
    size_t served_count;
};

/* Where other operators reach the federation API. */
struct check_porting {
    char host[ZONE_NAME_MAX + 1];
    uint16_t port;
    struct netaddr addresses[CHECK_ADDRESSES_MAX]; /* with the port */
    size_t address_count;
};

struct check_targets {
    struct check_target list[CHECK_TARGETS_MAX]; /* in order of priority */
    size_t count;
    struct check_porting porting[CHECK_PORTING_MAX]; /* in no order */
    size_t porting_count;
};

/* Adds what it finds to `findings`, and fills `targets`. Returns 0 however much is wrong, or
 * -ENOMEM. */
int check_dns(const struct check_conf *conf, struct check_findings *findings,
              struct check_targets *targets);

/* ---- one key at one name, for a roll-over ---- */

struct check_key {
    bool everywhere;               /* every server of the zone has TLSA 3 1 1 with this key there */
    bool validated;                /* and so has the resolver, which is trusted and validated it */
    uint32_t ttl_s;                /* the longest of the TLSA sets there, with the key or without */
    char missing[CHECK_WHERE_MAX]; /* else: who does not, and why */
};

/* Has every server of the zone that `name` is in, such as _5061._tcp.edge.opa.example, this key?
 * A server that cannot be asked does not have it. `conf->domain` and its records are not looked at.
 * Returns 0 or -ENOMEM. */
int check_key_served(const struct check_conf *conf, const char *name,
                     const uint8_t key[ZONE_KEY_LEN], struct check_key *result);

/* Are the records by which callers of `conf->domain` come to its TLSA records proven, NAPTR and
 * SRV? Without that TLSA records count for nothing (RFC 7673 section 3.1). Returns 0 or -ENOMEM. */
int check_service_proven(const struct check_conf *conf, bool *proven);

#endif
