/* What the files of a route's explanation share (private to api/). */
#ifndef JUNCTOR_API_WALK_H
#define JUNCTOR_API_WALK_H

#include "api/records.h"

#include <uv.h>

#define WALK_LINE (RESOLVER_WHY_MAX + 64) /* bytes of a sentence */

/* One name located: its steps and hops are kept apart, as several are under way together. */
struct walk_target {
    struct walk *walk;
    struct resolver_target target;
    json_t *steps, *hops;
    int status;
    char why[400];
};

/* Lives in call->memory. */
struct walk {
    struct api_call *call;
    bool counted;                    /* one of API_MAX_WALKS */
    char name[API_ADDRESS_TEXT_MAX]; /* what was asked for, an address or "+4930..." */
    struct store_address address;    /* that, or where the number leads */
    char text[API_ADDRESS_TEXT_MAX]; /* the same; "": that is not known yet */
    struct resolver_answer answer;   /* about `address`, as the caller may see it */
    char failure[RESOLVER_WHY_MAX];  /* why it was not found out where a number leads; else "" */
    bool unknown;                    /* DNS could not tell all: the answer is right for routing */

    uv_loop_t loop;               /* with the resolver: an event loop of this request's own */
    struct resolver *resolver;    /* NULL: DNS was not needed yet */
    struct resolver_found *found; /* of the search under way */
    int find_status;
    struct walk_target targets[STORE_CORES_MAX];
    size_t target_count, pending;
    json_t *steps, *hops;
};

__attribute__((format(printf, 3, 4))) void walk_step(json_t *steps, const char *what,
                                                     const char *format, ...);

/* Steps for the port that led the address where its record says, and for the one under way, as far
 * as the caller may see them. Needs a snapshot. Returns 0 or a store status. */
int walk_ports(struct walk *walk, const struct store_record *record);

/* walk_dns.c. Each runs to its end; the resolver's own time limit bounds it. */

/* resolver_find for walk->address, or for the number, with each question as a step. Reads with
 * call->reader, and no more than `eyes` see. Returns its status, or -ENOMEM. */
int walk_find(struct walk *walk, const struct resolver_directory *eyes,
              struct resolver_found *found);
/* Locates all targets at once. Returns 0 or -ENOMEM. */
int walk_locate(struct walk *walk);
/* Ends what these two have begun. */
void walk_dns_done(struct walk *walk);

#endif
