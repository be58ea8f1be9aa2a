/* One judgement, from the chain to the verdict (private to the judge). */
#ifndef JUNCTOR_PEERING_JUDGE_INTERNAL_H
#define JUNCTOR_PEERING_JUDGE_INTERNAL_H

#include "peering/judge.h"

#include <openssl/x509.h>

/* What it takes. */
struct judge_bench {
    struct store *store;
    const struct resolver_conf *resolver;
    struct tls_context *context;
    X509 *leaf; /* NULL: none was sent */
    STACK_OF(X509) * chain;
    const char *far_domain, *peer; /* as in judge_case */
};

/* Asks the directory, and on an event loop of its own DNS. Returns as judge_ask, which adds the
 * peering mode; *ttl_s is for how long DNS vouches for what is proven. */
int judge_bench_run(const struct judge_bench *bench, struct tls_verdict *verdict, unsigned *ttl_s);

#endif
