/* The records that should exist in DNS for our domains (design section 5): what a DNS
 * administrator publishes, what `junctor dns check` compares with the world, and what the publisher
 * sends to a primary.
 *
 * They follow from three sources: the configuration (where peers reach this edge, the keys that it
 * serves and will serve: struct zone_conf), and the directory (which domains are ours, which of
 * their addresses are ported out). For opa.example, with an edge at edge.opa.example:
 *
 *     opa.example.                  NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.opa.example.
 *     _sips._tcp.opa.example.       SRV   10 10 5061 edge.opa.example.
 *     _address-porting._tcp.opa.example.  SRV  10 10 8444 edge.opa.example.
 *     _sipaddr.opa.example.         TXT   "v=sipaddr1"
 *     _sipaddr-key.opa.example.     TXT   "v=sipkey1; kid=<id>; h=<hash of a receipt key>"
 *     edge.opa.example.             A     192.0.2.10
 *     _5061._tcp.edge.opa.example.  TLSA  3 1 1 <SHA-256 of a public key>
 *     <h>._sipaddr.opa.example.     NAPTR 10 10 "" "SIP+host" "" opb.example.
 *
 * A domain that is a zone of a configured tree of ENUM has no _sipaddr names: its addresses are
 * numbers, "+4930123@9.4.e164.arpa", and each has the record of RFC 6116 that leads to it where it
 * is served:
 *
 *     3.2.1.0.3.9.4.e164.arpa.      NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:+4930123@opb.example!" .
 *
 * A host's own records stand in the zone of the closest of our domains around it, and name every
 * key that is served there, of whatever domain: SRV records of all our domains lead to the same
 * hosts.
 *
 * Nothing here does I/O but reading the directory. Any thread, with a reader of its own. */
#ifndef JUNCTOR_RESOLVER_ZONE_H
#define JUNCTOR_RESOLVER_ZONE_H

#include "base/netaddr.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_NAME_MAX      253 /* octets of a name in text, without final dot */
#define ZONE_DATA_MAX      320 /* the longest: a NAPTR with a name of 253 octets */
#define ZONE_LINE_MAX      (ZONE_NAME_MAX + ZONE_DATA_MAX + 32)
#define ZONE_TARGETS_MAX   16  /* hosts with port; an edge has as many outside listeners at most */
#define ZONE_ADDRESSES_MAX 16  /* IP addresses of one target */
#define ZONE_KEYS_MAX      512 /* of 256 certificates, the present and the next one each */
#define ZONE_KEY_LEN       32  /* SHA-256 */
#define ZONE_TREES_MAX     4   /* as RESOLVER_MAX_SUFFIXES */

/* With their numbers on the wire. */
enum zone_type {
    ZONE_A = 1,
    ZONE_TXT = 16,
    ZONE_AAAA = 28,
    ZONE_SRV = 33,
    ZONE_NAPTR = 35,
    ZONE_TLSA = 52
};

/* "A", "TXT" ...; never NULL. */
const char *zone_type_name(enum zone_type type);

struct zone_record {
    char name[ZONE_NAME_MAX + 1]; /* lower case, absolute, without final dot */
    enum zone_type type;
    uint32_t ttl_s;
    char data[ZONE_DATA_MAX + 1]; /* presentation format; names in it end with a dot */
};

#define ZONE_MOVE_TTL_S 60 /* of a domain's records while it leaves for another operator, at most  \
                            */

/* "NAME. TTL IN TYPE DATA": a line of a zone file, without line end. Returns `line`. */
const char *zone_record_line(const struct zone_record *record, char line[ZONE_LINE_MAX]);

/* ---- what the configuration says ---- */

/* Where peers reach the edge. */
struct zone_target {
    char host[ZONE_NAME_MAX + 1]; /* canonical host name, never an IP literal */
    uint16_t port;
    struct netaddr addresses[ZONE_ADDRESSES_MAX]; /* their ports do not count */
    size_t address_count;                         /* 0: not known */
};

/* What the `index`th TXT record at _sipaddr-key.DOMAIN says about a key that signs the domain's
 * receipts of ports: printable ASCII without quotation marks; false: there are no more. Any thread.
 */
typedef bool zone_receipt_h(const char *domain, size_t index, char *text, size_t size, void *arg);
#define ZONE_RECEIPTS_MAX 8   /* keys of one domain that are published */
#define ZONE_RECEIPT_MAX  200 /* bytes of such a text */

/* The same for all our domains. A plain value: fill the rest, then add targets and keys. */
struct zone_conf {
    uint32_t ttl_s;
    uint32_t address_ttl_s; /* of the records of single addresses */
    bool address_records;   /* are they published at all? Numbers always are */
    char trees[ZONE_TREES_MAX][ZONE_NAME_MAX + 1]; /* of ENUM */
    size_t tree_count;
    struct zone_target targets[ZONE_TARGETS_MAX];
    size_t target_count;
    struct zone_target porting; /* where other operators reach the federation API; host "": nowhere.
                                   It has no TLSA records of its own: who it is, those of the SIP
                                   service prove (peering/judge.h) */
    uint8_t keys[ZONE_KEYS_MAX][ZONE_KEY_LEN]; /* SHA-256 of a SubjectPublicKeyInfo each */
    size_t key_count;
    zone_receipt_h *receipt; /* NULL: no receipt keys are published */
    void *receipt_arg;
};

/* What is there already is not added twice; the addresses of one host and port are put together.
 * Return 0 or STATUS_LIMIT. */
int zone_target_add(struct zone_conf *conf, const char *host, uint16_t port,
                    const struct netaddr *addresses, size_t count);
int zone_key_add(struct zone_conf *conf, const uint8_t key[ZONE_KEY_LEN]);

/* The targets of `from` in place of its own, that of the federation API and its receipt keys too.
 */
void zone_targets_take(struct zone_conf *conf, const struct zone_conf *from);

/* ---- the records ---- */

/* `record` is valid during the call. Returns false to stop early. */
typedef bool zone_record_h(const struct zone_record *record, void *arg);

/* All but those of single addresses: at most 2 + ZONE_RECEIPTS_MAX + (ZONE_TARGETS_MAX + 1) * (1 +
 * ZONE_ADDRESSES_MAX + ZONE_KEYS_MAX) of them, none twice. A domain that is not ours has only those
 * of the hosts inside it that are in none of our domains; likewise one that is only being copied to
 * here. Needs a begun reader. Returns 0;
 * STATUS_NOTFOUND where the domain has neither; STATUS_LIMIT where a name would be longer than DNS
 * allows; or a store status. */
int zone_domain_records(const struct zone_conf *conf, struct store_reader *reader,
                        const char *domain, zone_record_h *each, void *arg);

/* The closest of our domains around a host. Needs a begun reader. Returns 0, STATUS_NOTFOUND (there
 * is none) or a store status. */
int zone_of_host(struct store_reader *reader, const char *host, char domain[STORE_DOMAIN_MAX + 1]);

/* Is the host of this target one whose A, AAAA and TLSA stand in the zone of `domain`? Needs a
 * begun reader. Returns 0, STATUS_NOTFOUND (in another one's) or a store status. */
int zone_target_inside(struct store_reader *reader, const struct zone_target *target,
                       const char *domain);

/* Is this domain a zone of ENUM, so that its addresses are numbers? */
bool zone_has_numbers(const struct zone_conf *conf, const char *domain);

/* Are records of this domain's single addresses published: by configuration, by the domain's own
 * record, and because their names are not too long? */
bool zone_publishes_addresses(const struct zone_conf *conf, const struct store_domain *domain);

/* The name of an address's record, whether it should exist or not: "<h>._sipaddr.opa.example".
 * Returns 0 or STATUS_LIMIT. */
int zone_address_name(const struct store_address *address, char name[ZONE_NAME_MAX + 1]);

/* The name of the record that an address of ours has by this configuration: of a number its name in
 * ENUM, else as zone_address_name. Returns 0, or STATUS_LIMIT: it can have none. */
int zone_address_place(const struct zone_conf *conf, const struct store_address *address,
                       char name[ZONE_NAME_MAX + 1]);

/* The record that should exist for one address. Needs a begun reader. Returns 0; STATUS_NOTFOUND:
 * none should; or a store status. */
int zone_address_record(const struct zone_conf *conf, struct store_reader *reader,
                        const struct store_address *address, struct zone_record *record);

/* The record that an address has by where it lives, were it not left out of DNS: what may have been
 * published. Returns whether there is one. */
bool zone_address_record_of(const struct zone_conf *conf, const struct store_record *address,
                            struct zone_record *record);

/* A walk over the records of all addresses of a domain, in steps. */
struct zone_walk {
    struct store_address last; /* in: go on behind it (all zero: from the start); out: the last
                                  address that was looked at */
    bool more;                 /* out: there are addresses behind it */
};
/* Looks at no more than `max` addresses of the directory, of which each may have no record. Where
 * `each` stops, its record counts as looked at. Needs a begun reader. Returns 0, STATUS_NOTFOUND
 * (the domain is not ours) or a store status. */
int zone_address_records(const struct zone_conf *conf, struct store_reader *reader,
                         const char *domain, size_t max, struct zone_walk *walk,
                         zone_record_h *each, void *arg);

#endif
