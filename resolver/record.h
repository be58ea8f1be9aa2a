/* DNS records as plain values: what a decoded answer holds, what the cache keeps and what the
 * ordering works on. No ldns type leaves the files that decode messages. */
#ifndef JUNCTOR_RESOLVER_RECORD_H
#define JUNCTOR_RESOLVER_RECORD_H

#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVER_NAME_MAX 253 /* octets of a name in text, without final dot (RFC 1035 2.3.4) */
#define RESOLVER_RECORDS_MAX                                                                       \
    512 /* records of one set; an answer may have more, which are not kept */
#define RESOLVER_ADDRESSES_MAX 16 /* of those of type A or AAAA: more are not tried */
#define RESOLVER_FLAGS_MAX     8  /* of a NAPTR; one letter is in use */
#define RESOLVER_SERVICE_MAX   63 /* of a NAPTR */

/* The types this resolver asks for, with their numbers on the wire. */
enum resolver_type {
    RESOLVER_A = 1,
    RESOLVER_TXT = 16,
    RESOLVER_AAAA = 28,
    RESOLVER_SRV = 33,
    RESOLVER_NAPTR = 35,
    RESOLVER_TLSA = 52
};

/* Text and bytes of a record lie in its set's own memory and live as long as the set. Names are
 * lower-case text without final dot; the root is the empty string. */
struct resolver_srv {
    uint16_t priority, weight, port;
    const char *target; /* "": decidedly no service (RFC 2782) */
};

struct resolver_naptr {
    uint16_t order, preference;
    const char *flags;   /* at most RESOLVER_FLAGS_MAX; longer ones are cut: none is usable */
    const char *service; /* at most RESOLVER_SERVICE_MAX, cut likewise */
    struct slice regexp; /* at most 255 octets, as they came: a NUL may be among them */
    const char *replacement;
};

struct resolver_txt {
    struct slice text; /* the record's strings one after the other, as they came */
};

/* RFC 6698 section 2.1. */
struct resolver_tlsa {
    uint8_t usage, selector, matching;
    struct slice data;
};

struct resolver_record {
    union {
        struct in_addr a;
        struct in6_addr aaaa;
        struct resolver_srv srv;
        struct resolver_naptr naptr;
        struct resolver_txt txt;
        struct resolver_tlsa tlsa;
    };
};

/* The answer to one question, one piece of memory: the records, then their text. Reference counted;
 * never changed once it is shared. */
struct resolver_set {
    unsigned refs;
    enum resolver_type type;
    int status;     /* 0, STATUS_NXDOMAIN or STATUS_NODATA: each is an answer */
    bool aliased;   /* by way of CNAME records: NXDOMAIN is of the last name then (RFC 6604) */
    bool trusted;   /* every answer on the way is of a trusted upstream */
    bool validated; /* and each has the AD bit */
    uint32_t ttl_s; /* smallest on the way; of a negative answer by RFC 2308 */
    size_t common;  /* octets at the end of the name asked: all names on the way are below these */
    size_t count;   /* 0 with status 0: there are records, but none that can be used */
    size_t size;    /* octets of memory that it takes */
    char *text;     /* where the next text goes */
    size_t text_left;
    struct resolver_record records[];
};

/* A set with room for `max` records and for `text_max` octets of text, one reference, status 0 and
 * no record. NULL without memory. */
struct resolver_set *resolver_set_alloc(enum resolver_type type, size_t max, size_t text_max);
/* Copies bytes into the set. A text takes one octet more, for its end. The room must suffice. */
struct slice resolver_set_bytes(struct resolver_set *set, struct slice bytes);
const char *resolver_set_text(struct resolver_set *set, struct slice text);
struct resolver_set *resolver_set_ref(struct resolver_set *set);
/* Drops one reference. Accepts NULL. Returns NULL. */
struct resolver_set *resolver_set_unref(struct resolver_set *set);

/* "A", "SRV" ... */
const char *resolver_type_name(enum resolver_type type);

/* Is `a` to be tried before `b` (RFC 3403 section 4.1)? */
bool resolver_naptr_before(const struct resolver_naptr *a, const struct resolver_naptr *b);

/* Copies a name of letters, digits, '-' and '_' in labels of 1..63 octets, at most
 * RESOLVER_NAME_MAX in all, in lower case. Returns 0 or -EINVAL (anything else, also a final dot
 * and the empty name). */
int resolver_name_copy(struct slice text, char name[RESOLVER_NAME_MAX + 1]);

/* Is the name `zone` or below it? Both as resolver_name_copy makes them; "" is the root. */
bool resolver_name_is_within(const char *name, const char *zone);
/* Octets of the longest name that both are or are below. */
size_t resolver_name_common(const char *a, const char *b);

#endif
