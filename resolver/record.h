/* DNS records as plain values: what a decoded answer holds, what the cache keeps and what the
 * ordering works on. No ldns type leaves resolver/packet.c. */
#ifndef JUNCTOR_RESOLVER_RECORD_H
#define JUNCTOR_RESOLVER_RECORD_H

#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVER_NAME_MAX    253 /* octets of a name in text, without final dot (RFC 1035 2.3.4) */
#define RESOLVER_RECORDS_MAX 32  /* records kept of one set; twice the hops a lookup may have */
#define RESOLVER_FLAGS_MAX   8   /* of a NAPTR; one letter is in use */
#define RESOLVER_SERVICE_MAX 63  /* of a NAPTR */

/* The types this resolver asks for, with their numbers on the wire. */
enum resolver_type { RESOLVER_A = 1, RESOLVER_AAAA = 28, RESOLVER_SRV = 33, RESOLVER_NAPTR = 35 };

/* Names are lower-case text without final dot; the root is the empty string. */
struct resolver_srv {
    uint16_t priority, weight, port;
    char target[RESOLVER_NAME_MAX + 1]; /* "": decidedly no service (RFC 2782) */
};

struct resolver_naptr {
    uint16_t order, preference;
    bool has_regexp;
    char flags[RESOLVER_FLAGS_MAX + 1]; /* longer ones are cut: none of them is usable */
    char service[RESOLVER_SERVICE_MAX + 1];
    char replacement[RESOLVER_NAME_MAX + 1];
};

struct resolver_record {
    union {
        struct in_addr a;
        struct in6_addr aaaa;
        struct resolver_srv srv;
        struct resolver_naptr naptr;
    };
};

/* The answer to one question. Reference counted; never changed once it is shared. */
struct resolver_set {
    unsigned refs;
    enum resolver_type type;
    int status;     /* 0, STATUS_NXDOMAIN or STATUS_NODATA: each is an answer */
    bool validated; /* AD bit of every answer on the way, each from a trusted upstream */
    uint32_t ttl_s; /* smallest on the way; of a negative answer by RFC 2308 */
    size_t count;   /* 0 with status 0: there are records, but none that can be used */
    struct resolver_record records[];
};

/* A set with room for `max` records, one reference, status 0 and no record. NULL without memory. */
struct resolver_set *resolver_set_alloc(enum resolver_type type, size_t max);
struct resolver_set *resolver_set_ref(struct resolver_set *set);
/* Drops one reference. Accepts NULL. Returns NULL. */
struct resolver_set *resolver_set_unref(struct resolver_set *set);

/* "A", "AAAA", "SRV", "NAPTR". */
const char *resolver_type_name(enum resolver_type type);

/* Copies a name of letters, digits, '-' and '_' in labels of 1..63 octets, at most
 * RESOLVER_NAME_MAX in all, in lower case. Returns 0 or -EINVAL (anything else, also a final dot
 * and the empty name). */
int resolver_name_copy(struct slice text, char name[RESOLVER_NAME_MAX + 1]);

#endif
