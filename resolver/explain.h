/* What a lookup did and why it failed, in lines for people. */
#ifndef JUNCTOR_RESOLVER_EXPLAIN_H
#define JUNCTOR_RESOLVER_EXPLAIN_H

#include "resolver/internal.h"

#define RESOLVER_LINE_MAX 768 /* two names and some words */

struct resolver_teller {
    resolver_trace_h *trace; /* may be NULL: nothing is told */
    void *arg;
    unsigned
        services; /* which NAPTR count, for those that do not the reason is told; 0: no matter */
};

/* One free line. */
void resolver_tell(const struct resolver_teller *teller, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A question with its answer: a line for each record, such as
 * "SRV _sips._tcp.opb.example: 10 60 5061 edge.opb.example (validated, TTL 300)". */
void resolver_tell_outcome(const struct resolver_teller *teller, const char *name,
                           enum resolver_type type, const struct resolver_outcome *outcome);

/* A next hop with its place: "1. TLS 192.0.2.1:5061 (edge.opb.example)". */
void resolver_tell_hop(const struct resolver_teller *teller, size_t place,
                       const struct resolver_hop *hop);

/* Why a question has no answer: "SERVFAIL from 127.0.0.53:53". Returns text. */
const char *resolver_failure_text(const struct resolver_outcome *outcome, char *text, size_t size);

#endif
