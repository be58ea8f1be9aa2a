/* What the files of the check share (resolver/check*.c). */
#ifndef JUNCTOR_RESOLVER_CHECK_INTERNAL_H
#define JUNCTOR_RESOLVER_CHECK_INTERNAL_H

#include "resolver/check.h"

#include <ldns/ldns.h>

#define CHECK_WHO_MAX 320 /* "NAME (ADDRESS)" */

struct check_server {
    char name[ZONE_NAME_MAX + 1];
    struct netaddr addr;
    bool silent;            /* not asked any more */
    bool no_way;            /* because this host has no way there, such as no IPv6 at all */
    unsigned failures;      /* questions without answer, in a row */
    bool failed;            /* once at least: it is not waited for so long any more */
    ldns_rr_type dropped;   /* the type of the last question without answer */
    unsigned dropped_count; /* and how many of that type had none */
    uint32_t serial;
};

/* A zone with all its servers, found when the first name in it is looked at. */
struct check_zone {
    char apex[ZONE_NAME_MAX + 1];
    struct check_server servers[CHECK_SERVERS_MAX];
    size_t server_count;
    bool validated;     /* the resolver says so of its SOA or DNSKEY records */
    bool is_signed;     /* it has DNSKEY records */
    bool insecure;      /* but nothing above names them: nobody checks signatures */
    ldns_rr_list *keys; /* those that callers' resolvers believe; NULL: none, or not known */
};

/* Which zone a name is in, as the resolver said before. */
struct check_home {
    char name[ZONE_NAME_MAX + 1];
    struct check_zone *zone; /* NULL: none that can be looked at */
};

struct check {
    const struct check_conf *conf;
    struct check_findings *findings;
    struct check_targets *targets;
    char service[ZONE_NAME_MAX + 1]; /* where callers ask for SRV records; "": nowhere */
    bool from_srv;                   /* SRV records named the targets */
    char porting[ZONE_NAME_MAX +
                 1]; /* where there are SRV records of the federation API; "": none */
    char receipts[ZONE_NAME_MAX + 1]; /* where there are hashes of receipt keys */
    struct check_zone zones[CHECK_ZONES_MAX];
    size_t zone_count;
    struct check_home homes[CHECK_SUBJECTS_MAX];
    size_t home_count;
    unsigned failures; /* of the resolver, in a row */
    bool failure_told; /* that it cannot tell the zone of a name; once is enough */
    bool late;         /* the time was over before the last question */
    ldns_rr_list *wanted;
};

/* ---- check_ask.c: one question, one answer ---- */

enum check_ask_flags {
    CHECK_ASK_RECURSIVE = 1,
    CHECK_ASK_UNCHECKED = 2 /* CD: also what the resolver finds bogus */
};

/* One question to one server. */
struct check_question {
    const struct netaddr *server;
    const char *name;
    ldns_rr_type type;
    unsigned flags;
    bool once;        /* one attempt over UDP, not two */
    int status;       /* 0 whatever the RCODE; -ETIMEDOUT, STATUS_MALFORMED, the -errno of the
                         socket, STATUS_LIMIT where there was no time left */
    ldns_pkt *answer; /* the caller's, with status 0 */
};

/* Asks all at once, with EDNS and DO, over UDP, over TCP where the answer was cut. Returns 0 when
 * each has its status, or -ENOMEM without any answer. */
int check_ask_all(struct check *check, struct check_question *questions, size_t count);
/* Is the time over? Remembers it. */
bool check_is_late(struct check *check);

/* ---- check_view.c: what one party has under a name ---- */

enum check_view_kind {
    CHECK_VIEW_RECORDS, /* perhaps none of the type: count them */
    CHECK_VIEW_NXDOMAIN,
    CHECK_VIEW_BOGUS,  /* the resolver does not believe the servers (DNSSEC) */
    CHECK_VIEW_LAME,   /* the server does not serve the zone: REFUSED, no authority ... */
    CHECK_VIEW_SILENT, /* no answer, or one that could not be used */
    CHECK_VIEW_UNASKED /* no way there from this host, no time, or given up before */
};

struct check_view {
    enum check_view_kind kind;
    bool authentic;              /* AD */
    ldns_rr_list *set;           /* of the type; NULL where there is no answer */
    ldns_rr_list *signatures;    /* RRSIG of that set */
    size_t left_out;             /* records of the set beyond CHECK_SET_MAX */
    char alias[ZONE_LINE_MAX];   /* the CNAME record at the name; "": none */
    char cause[96];              /* LAME, SILENT, UNASKED: why */
    char soa[ZONE_NAME_MAX + 1]; /* owner of the SOA record that came with "there is none" */
    bool nsec;                   /* an NSEC record came that tells of another name */
};

/* All return 0 or -ENOMEM; check_view_done frees what is in a view, also in a zero one. */
int check_view_resolver(struct check *check, const char *name, ldns_rr_type type,
                        struct check_view *view);
/* Each server of the zone, one view each; all are asked at the same time. */
int check_view_servers(struct check *check, struct check_zone *zone, const char *name,
                       ldns_rr_type type, struct check_view views[CHECK_SERVERS_MAX]);
void check_view_done(struct check_view *view);
void check_views_done(struct check_view *views, size_t count);
/* Is it known what there is, be it nothing? */
bool check_view_answered(const struct check_view *view);
/* How many records there are; 0 where that is not known. */
size_t check_view_count(const struct check_view *view);

/* The record as a line of a zone file, as zone_record_line makes it. Returns `line`. */
const char *check_line(const ldns_rr *rr, char line[ZONE_LINE_MAX]);
/* A name of a record in lower case without final dot. Returns 0 or STATUS_MALFORMED. */
int check_name(const ldns_rdf *dname, char name[ZONE_NAME_MAX + 1]);
/* Is `name` the same as `zone` or below? */
bool check_is_below(const char *name, const char *zone);
/* The record of `list` with the same name, type and data as `rr`, or NULL. */
const ldns_rr *check_list_find(const ldns_rr_list *list, const ldns_rr *rr);

/* ---- check_zones.c ---- */

/* Apex and servers of the zone that `name` is in. What hinders it is found, with that severity.
 * Returns 0, with an empty apex where there is none, or -ENOMEM. */
int check_zone_find(struct check *check, const char *name, enum check_severity severity,
                    struct check_zone *zone);
/* The same once for each zone, which is judged then: its servers and its chain of trust. *zone is
 * NULL where there is none that can be looked at. */
int check_zone_of(struct check *check, const char *name, struct check_zone **zone);
/* "NAME (ADDRESS)". Returns `text`. */
const char *check_server_text(const struct check_server *server, char text[CHECK_WHO_MAX]);
/* The place "the resolver ADDRESS"; accepts NULL. */
void check_at_resolver(const struct check *check, struct check_finding *finding);

/* ---- check_servers.c ---- */

/* Lame and silent servers, and serials that differ. */
int check_servers_judge(struct check *check, struct check_zone *zone);

/* ---- check_compare.c ---- */

struct check_subject {
    char name[ZONE_NAME_MAX + 1];
    ldns_rr_type type;
    bool sample; /* of a single address */
};

/* What the servers say of one subject, one view each. Pure but for the findings. */
void check_compare(struct check *check, const struct check_zone *zone,
                   const struct check_subject *subject, const struct check_view *views,
                   const struct check_view *resolver);
const char *check_type_text(ldns_rr_type type, char text[16]);

/* ---- check_differ.c: parts of the comparison ---- */

/* A record that one server has and another has not. */
void check_differ(struct check *check, const struct check_zone *zone,
                  const struct check_subject *subject, const struct check_view *views);
/* What the resolver still remembers, records or that there are none. */
void check_remembered(struct check *check, const struct check_zone *zone,
                      const struct check_subject *subject, const struct check_view *views,
                      const struct check_view *resolver);
/* An alias where the addresses of an SRV target should stand. */
void check_alias(struct check *check, const struct check_zone *zone,
                 const struct check_subject *subject, const struct check_view *views,
                 const struct check_view *resolver);

/* ---- check_subjects.c ---- */

/* Looks at every record set that counts, in whatever zone it is. Returns 0 or -ENOMEM. */
int check_subjects(struct check *check);
/* Looks at one of them. */
int check_subject_look(struct check *check, const struct check_subject *subject);

/* ---- check_dnssec.c ---- */

/* Is the zone signed, with which keys, and is there a chain to it? Returns 0 or -ENOMEM. */
int check_dnssec(struct check *check, struct check_zone *zone);
/* Can anybody list the zone? */
int check_walkable(struct check *check, struct check_zone *zone);

/* ---- check_signatures.c ---- */

/* The signatures of one server's set. Pure but for the findings. */
void check_signatures(struct check *check, const struct check_zone *zone,
                      const struct check_subject *subject, const struct check_server *server,
                      const struct check_view *view);

/* ---- check_targets.c ---- */

/* Where the resolver's NAPTR and SRV records lead. Returns 0 or -ENOMEM. */
int check_targets_find(struct check *check);
/* What the servers say of the keys of a target, if the subject is its TLSA records. */
void check_targets_serve(struct check *check, const struct check_zone *zone,
                         const struct check_subject *subject, const struct check_view *views);

/* What callers find, be it at a server where the resolver only remembers that there was nothing. */
int check_view_find(struct check *check, const char *name, ldns_rr_type type,
                    struct check_view *view);
/* Adds the address of an A or AAAA record to `list`, of CHECK_ADDRESSES_MAX, where it is one that
 * is not there yet: a resolver tells it twice that heard it beside two SRV records of one host.
 * Returns how many there are then. */
size_t check_address_add(const ldns_rr *rr, uint16_t port, struct netaddr *list, size_t count);

/* ---- check_porting.c ---- */

/* What moves of addresses rest on: where the federation API is, and whether the hashes of the
 * receipt keys are proven. Returns 0 or -ENOMEM. */
int check_porting_find(struct check *check);
/* Is it the set of records that leads to the federation API? */
bool check_is_of_porting(const struct check_subject *subject);
/* Is it the set of hashes of receipt keys? */
bool check_is_of_receipts(const struct check_subject *subject);

/* ---- check_scope.c ---- */

/* Why callers elsewhere cannot reach the address: half a sentence, or NULL where they can. */
const char *check_scope_refusal(const struct netaddr *addr);
bool check_is_loopback(const struct netaddr *addr);

#endif
