/* What the files of the check share (resolver/check*.c). */
#ifndef JUNCTOR_RESOLVER_CHECK_INTERNAL_H
#define JUNCTOR_RESOLVER_CHECK_INTERNAL_H

#include "resolver/check.h"

#include <ldns/ldns.h>

#define CHECK_WHO_MAX 320 /* "NAME (ADDRESS)" */

struct check_server {
    char name[ZONE_NAME_MAX + 1];
    struct netaddr addr;
    bool silent; /* it was asked in vain; not again */
    uint32_t serial;
};

struct check {
    const struct check_conf *conf;
    struct check_findings *findings;
    struct check_targets *targets;
    char apex[ZONE_NAME_MAX + 1]; /* of the zone that the domain is in */
    struct check_server servers[CHECK_SERVERS_MAX];
    size_t server_count;
    bool late;          /* the time was over before the last question */
    bool zone_secure;   /* the resolver validates the zone */
    ldns_rr_list *keys; /* DNSKEY of the zone; NULL: it is not signed, or they are too many */
    ldns_rr_list *wanted;
};

/* ---- check_ask.c: one question, one answer ---- */

enum check_ask_flags {
    CHECK_ASK_RECURSIVE = 1,
    CHECK_ASK_UNCHECKED = 2 /* CD: also what the resolver finds bogus */
};

/* Asks with EDNS and DO, over UDP, over TCP where the answer was cut. Returns 0 with *answer, the
 * caller's, whatever its RCODE; -ETIMEDOUT, STATUS_MALFORMED, -ENOMEM or the -errno of the socket;
 * STATUS_LIMIT: there is no time left. */
int check_ask(struct check *check, const struct netaddr *server, const char *name,
              ldns_rr_type type, unsigned flags, ldns_pkt **answer);

/* ---- check_view.c: what one party has under a name ---- */

enum check_view_kind {
    CHECK_VIEW_RECORDS, /* perhaps none of the type: count them */
    CHECK_VIEW_NXDOMAIN,
    CHECK_VIEW_BOGUS, /* the resolver does not believe the servers (DNSSEC) */
    CHECK_VIEW_LAME,  /* the server does not serve the zone: REFUSED, no authority ... */
    CHECK_VIEW_SILENT /* no answer, or one that could not be used */
};

struct check_view {
    enum check_view_kind kind;
    bool authentic;              /* AD */
    ldns_rr_list *set;           /* of the type; never NULL unless SILENT */
    ldns_rr_list *signatures;    /* RRSIG of that set */
    char alias[ZONE_LINE_MAX];   /* the CNAME record at the name; "": none */
    char cause[96];              /* LAME, SILENT: why */
    bool no_route;               /* SILENT: this host has no way to that address */
    char soa[ZONE_NAME_MAX + 1]; /* owner of the SOA record that came with "there is none" */
    bool nsec;                   /* an NSEC record came that tells of another name */
};

/* Both return 0 or -ENOMEM; check_view_done frees what is in a view, also in a zero one. */
int check_view_resolver(struct check *check, const char *name, ldns_rr_type type,
                        struct check_view *view);
int check_view_server(struct check *check, struct check_server *server, const char *name,
                      ldns_rr_type type, struct check_view *view);
void check_view_done(struct check_view *view);

/* The record as a line of a zone file, as zone_record_line makes it. Returns `line`. */
const char *check_line(const ldns_rr *rr, char line[ZONE_LINE_MAX]);
/* A name of a record in lower case without final dot. Returns 0 or STATUS_MALFORMED. */
int check_name(const ldns_rdf *dname, char name[ZONE_NAME_MAX + 1]);
/* Is `name` the same as `zone` or below? */
bool check_is_below(const char *name, const char *zone);
/* The record of `list` with the same name, type and data as `rr`, or NULL. */
const ldns_rr *check_list_find(const ldns_rr_list *list, const ldns_rr *rr);

/* ---- check_servers.c ---- */

/* Finds apex and servers of the zone that `name` is in. What hinders it is found. Returns 0 with
 * server_count 0 where there are none, or -ENOMEM. */
int check_servers_find(struct check *check, const char *name);
/* "NAME (ADDRESS)". Returns `text`. */
const char *check_server_text(const struct check_server *server, char text[CHECK_WHO_MAX]);
/* Lame and silent servers, and serials that differ. */
int check_servers_judge(struct check *check);

/* ---- check_compare.c ---- */

struct check_subject {
    char name[ZONE_NAME_MAX + 1];
    ldns_rr_type type;
    bool sample; /* of a single address */
};

/* What the servers say of one subject, one view each. Pure but for the findings. */
void check_compare(struct check *check, const struct check_subject *subject,
                   const struct check_view *views, const struct check_view *resolver);

/* ---- check_dnssec.c ---- */

/* Is the zone signed, is there a chain to it, can it be walked? Returns 0 or -ENOMEM. */
int check_dnssec(struct check *check);
/* The signatures of one server's set. Pure but for the findings. */
void check_signatures(struct check *check, const struct check_subject *subject,
                      const struct check_server *server, const struct check_view *view);

/* ---- check_targets.c ---- */

/* Where the resolver's NAPTR and SRV records lead. Returns 0 or -ENOMEM. */
int check_targets_find(struct check *check);

#endif
