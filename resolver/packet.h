/* DNS messages: a question as bytes, and what came back as plain values (RFC 1035, EDNS of
 * RFC 6891). Knows ldns, as this, packet_record.c, check_*.c and update*.c do. No I/O, no clock, no
 * state: any thread.
 *
 * Bytes that come back are hostile until resolver_answer_fit and resolver_answer_decode both
 * accept them. */
#ifndef JUNCTOR_RESOLVER_PACKET_H
#define JUNCTOR_RESOLVER_PACKET_H

#include "resolver/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVER_EDNS_SIZE   1232 /* UDP answer that no path fragments (DNS flag day 2020) */
#define RESOLVER_QUERY_MAX   512  /* header, one name of 255, type, class and OPT need 286 */
#define RESOLVER_ALIASES_MAX 8    /* CNAME records from the name asked to the name that answers */

/* What makes a question hard to forge an answer for: its id and the case of its letters. */
struct resolver_entropy {
    uint8_t id[2];
    uint8_t letters[32]; /* one bit for each octet of a name */
};

struct resolver_query {
    char name[RESOLVER_NAME_MAX + 1];
    enum resolver_type type;
    uint8_t wire[RESOLVER_QUERY_MAX];
    size_t len;
    size_t question_end; /* in wire: header and question section */
};

/* A question with RD, AD (RFC 6840 section 5.7: tell us whether you validated) and EDNS.
 * name    as resolver_name_copy makes it
 * Returns 0, -EINVAL (bad name) or -ENOMEM. */
int resolver_query_encode(const char *name, enum resolver_type type,
                          const struct resolver_entropy *entropy, struct resolver_query *query);

enum resolver_fit {
    RESOLVER_FIT_NONE, /* no response to this question */
    RESOLVER_FIT_CASE, /* but for the case of letters: of a server that does not keep it, or forged;
                          over TCP it is as good as the next */
    RESOLVER_FIT_WHOLE /* id and question are the same bytes (draft-vixie-dnsext-dns0x20); or it has
                          no question, as servers refuse that do not look at it, and an error */
};

enum resolver_fit resolver_answer_fit(const struct resolver_query *query, struct slice bytes);

enum resolver_reply_kind {
    RESOLVER_REPLY_ANSWER,    /* `set`: records, or a decided "there is none" */
    RESOLVER_REPLY_ALIAS,     /* a CNAME chain ends at `alias`, about which nothing is said */
    RESOLVER_REPLY_TRUNCATED, /* ask again over TCP */
    RESOLVER_REPLY_FAILED     /* this server could not or would not find out: `cause` */
};

struct resolver_reply {
    enum resolver_reply_kind kind;
    bool authentic;           /* AD bit */
    struct resolver_set *set; /* RESOLVER_REPLY_ANSWER: one reference, the caller's */
    uint32_t ttl_s;           /* RESOLVER_REPLY_ALIAS: smallest of the chain */
    unsigned aliases;         /* CNAME records followed */
    size_t common; /* octets at the end of the name asked: all names of the chain are below these */
    char alias[RESOLVER_NAME_MAX + 1];
    const char *cause; /* "SERVFAIL", "a referral" ...; lives for ever */
};

/* Decodes a matching answer. Returns 0; STATUS_MALFORMED where the bytes are no DNS message, or
 * records do not belong to the question; -ENOMEM. */
int resolver_answer_decode(const struct resolver_query *query, struct slice bytes,
                           struct resolver_reply *reply);

#endif
