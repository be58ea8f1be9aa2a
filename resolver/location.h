/* One lookup under way (private to location.c and locate.c). location.c is its life: it asks what a
 * step needs, waits for the answers, keeps the deadline and tells the end. locate.c is the steps.
 */
#ifndef JUNCTOR_RESOLVER_LOCATION_H
#define JUNCTOR_RESOLVER_LOCATION_H

#include "resolver/explain.h"
#include "resolver/internal.h"
#include "resolver/order.h"

#define ASKS_MAX     (2 * RESOLVER_MAX_TARGETS) /* AAAA and A of each target */
#define SERVICES_MAX (RESOLVER_SCTP + 1)        /* SRV names of one domain */
#define SRV_MAX      (RESOLVER_NAPTR_MAX + SERVICES_MAX)
#define HELD_MAX     (1 + SRV_MAX) /* the NAPTR set and the SRV sets */
#define ROUNDS_MAX   4             /* RESOLVER_MAX_TARGETS hosts each, until one has an address */

enum locate_step {
    LOCATE_START,    /* entered by resolver_locate; left by the timer, so never from inside it */
    LOCATE_NAPTR,    /* the NAPTR set of the domain is asked */
    LOCATE_SRV,      /* the SRV sets that NAPTR names, or those of the domain */
    LOCATE_ADDRESSES /* AAAA and A of each target, in order of preference */
};

struct ask {
    struct resolver_wait wait;
    struct resolver_location *location;
    const char *name; /* in a held set, or of the location */
    enum resolver_type type;
    bool answered;
    bool proving;                    /* trusted upstreams are asked, before all others are */
    struct resolver_outcome outcome; /* its set is a reference of ours */
};

struct host {
    const char *name; /* in a held set, or of the location */
    uint16_t port, weight;
    uint8_t transport;
    uint8_t path;  /* of what led to the name */
    unsigned rank; /* those of a lower one come first, those of the same are drawn by weight */
};

/* An SRV set that is asked for. */
struct srv_set {
    const char *name; /* in a held set, or of the location */
    uint8_t transport;
    enum resolver_path path;
    const struct resolver_set *set; /* held; NULL: not answered */
};

/* Owned by the resolver's list of locations until `done` was called or it is cancelled; then
 * spare, so that after warm-up a lookup needs no heap. */
struct resolver_location {
    struct list link;
    struct resolver *resolver;
    struct resolver_target target;
    resolver_locate_h *done; /* this one or the other is set */
    resolver_plan_h *found;
    struct resolver_teller teller;
    struct timer timer; /* the start, then the deadline */
    enum locate_step step;
    bool finished;
    bool late; /* the deadline has passed: what is not in the cache is unknown */
    bool settling;
    bool hurried; /* the deadline is that of the first step, for the sake of a stale plan */

    struct ask asks[ASKS_MAX];
    size_t ask_count;
    size_t pending; /* asks without answer */

    uint64_t until_ms; /* the first answer's end */
    uint64_t ends_ms;  /* and until when the first of them may still lead where nobody answers */
    bool partial;      /* something could not be found out */
    uint64_t age;      /* of the cache when it began */

    enum resolver_path path; /* of the steps so far that decided about all hosts */
    bool from_naptr;         /* a NAPTR record named the SRV sets that are asked */
    bool from_srv;           /* an SRV record named the targets */
    char srv_names[SERVICES_MAX][RESOLVER_NAME_MAX + 1];
    struct srv_set srv_sets[SRV_MAX];
    size_t srv_count;
    size_t srv_first;  /* of those that this step asks */
    uint64_t srv_seed; /* of the draws among the targets */
    struct host hosts[RESOLVER_MAX_TARGETS];
    size_t host_count;
    size_t passed;   /* hosts of earlier rounds, which have no address */
    bool more_hosts; /* than there is room for in a round */
    unsigned rounds;
    unsigned rank; /* of the last one */
    struct resolver_set *held[HELD_MAX];
    size_t held_count;
};

/* ---- locate.c ---- */

/* The first step. */
void resolver_location_start(struct resolver_location *location);
/* Everything that the step asked is answered, or the deadline has passed. */
void resolver_location_step_done(struct resolver_location *location);

/* ---- location.c ---- */

void resolver_location_add(struct resolver_location *location, enum resolver_type type,
                           const char *name);
/* Asks what was added. */
void resolver_location_ask(struct resolver_location *location, enum locate_step step);
/* Keeps the sets of the finished step, for the next one uses names in them. */
void resolver_location_hold(struct resolver_location *location);
/* What an answer is worth that leads somewhere. */
enum resolver_path resolver_outcome_path(const struct resolver_outcome *outcome);
/* The first ask that could not be answered, or NULL. */
const struct ask *resolver_location_failed(const struct resolver_location *location);

/* The ends: afterwards the location is gone. `format` says what is wrong; the domain is put before
 * it. */
void resolver_location_fail(struct resolver_location *location, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For want of this answer. */
void resolver_location_fail_by(struct resolver_location *location, const struct ask *ask);
/* With a plan, whose reference is taken over. */
void resolver_location_succeed(struct resolver_location *location, struct resolver_plan *plan);

#endif
