/* What a worker's transport asks before it believes a certificate (peering/transport/trust.h),
 * answered from DNS (DANE, design section 6) and from the directory.
 *
 * For each question: the domain's plan, which says where its servers are and whether the records
 * that lead there are validated (RFC 7673 section 3); then the TLSA records of those hosts, at most
 * TRUST_MAX_HOSTS. One that fits proves the domain. */
#ifndef JUNCTOR_PEERING_TRUST_H
#define JUNCTOR_PEERING_TRUST_H

#include "base/timers.h"
#include "peering/transport/trust.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <stdbool.h>
#include <uv.h>

#define TRUST_MAX_HOSTS 8    /* servers of one domain whose TLSA records are asked for */
#define TRUST_MAX_ASKED 1024 /* questions under way at once, per worker */
/* Of these for certificates that anybody may have made, so that whoever makes many of them takes
 * nothing from our own calls and from peers whom an anchor vouches for. */
#define TRUST_MAX_STRANGERS (TRUST_MAX_ASKED / 2)

/* A begun reader, or NULL where the directory cannot be read. */
typedef struct store_reader *trust_reader_h(void *arg);

struct trust; /* one per worker, used from its thread only */

struct trust_conf {
    uv_loop_t *loop;
    struct timers *timers;
    struct resolver *resolver;
    trust_reader_h *reader;
    void *arg;
};

/* Where no upstream of the resolver is trusted nothing could be validated: its table does not ask
 * DNS. NULL without memory. `conf` is copied; what it points to must live as long. */
struct trust *trust_alloc(const struct trust_conf *conf);
/* The transport must be closed before. Accepts NULL. */
void trust_free(struct trust *trust);
const struct transport_trust *trust_table(const struct trust *trust);

/* Can DNS prove keys with this configuration? */
bool trust_asks_dns(const struct resolver_conf *conf);

#endif
