/* The publisher: what DNS should say of our domains (resolver/zone.h), kept true at the primary
 * servers by dynamic update (resolver/update.h).
 *
 * A thread for each zone follows the journal, so that no worker and no thread of the API waits for
 * DNS, and no zone for the primary of another. The life of a change: an address is ported out, the
 * commit wakes the threads; that of the zone gathers what came within PUBLISHER_GATHER_MS, reads
 * what the primary serves of the names concerned, and sends the difference as one signed update;
 * then the zone's place in the journal moves on. Killed at any moment it starts from that place
 * again, and finds done what was done.
 *
 * It changes only what it knows to be its own: a set that is missing where nothing was published
 * yet, or that is as the publisher left it. Of the few sets of each domain and host it remembers in
 * a file per zone what it has sent; those of single addresses follow from the journal, which has
 * every value that they had. Any other set was changed by somebody else. It is left alone, told in
 * the log and the status, and replaced only by `junctor dns sync --force`.
 *
 * What is in no zone with a primary is not published. Two edges must not publish the same zone. */
#ifndef JUNCTOR_API_PUBLISHER_H
#define JUNCTOR_API_PUBLISHER_H

#include "base/log.h"
#include "resolver/update.h"
#include "resolver/zone.h"
#include "store/store.h"

#define PUBLISHER_CURSOR     "publisher" /* its place in the journal */
#define PUBLISHER_ZONES_MAX  64
#define PUBLISHER_GATHER_MS  100   /* of changes that go together */
#define PUBLISHER_CONNECT_MS 1500  /* to a primary */
#define PUBLISHER_TIMEOUT_MS 5000  /* for an answer of one that is there */
#define PUBLISHER_RETRY_MS   1000  /* after a failure; then twice as long each time ... */
#define PUBLISHER_RETRY_MAX  30000 /* ... up to this; news cut it short */
#define PUBLISHER_GRACE_MS   2000  /* to finish what is under way before a reload */
#define PUBLISHER_ROWS_MAX   1000  /* sets that a report tells one by one */
#define PUBLISHER_ABOUT_MAX  (STORE_USER_MAX + STORE_DOMAIN_MAX + 2)

/* A zone that takes updates. */
struct publisher_zone_conf {
    char name[ZONE_NAME_MAX + 1];
    struct netaddr primary;
    const char *key_file; /* where the key was read from; not used here */
    struct update_key key;
};

struct publisher_conf {
    struct publisher_zone_conf zones[PUBLISHER_ZONES_MAX];
    size_t zone_count; /* 0: nothing is published */
};

struct publisher;

/* Starts the threads. `folder`, which exists, keeps the files of the zones. The configurations are
 * copied. Returns 0, -ENOMEM, STATUS_LIMIT (no reader slot left in the store) or -errno. */
int publisher_start(const struct publisher_conf *conf, const struct zone_conf *records,
                    struct store *store, const char *folder, struct log *log,
                    struct publisher **publisher);
/* From now on these. Does not block. Any thread. Returns 0 or -ENOMEM (the old ones stay). */
int publisher_reload(struct publisher *publisher, const struct publisher_conf *conf,
                     const struct zone_conf *records);
/* The journal ends with this entry now. Any thread; does not block. Accepts NULL. */
void publisher_wake(struct publisher *publisher, uint64_t sequence);
/* Gives up what it is at, and ends the threads; who waits in publisher_sync gets STATUS_CANCELLED.
 * The object stays for those who still ask. Accepts NULL. */
void publisher_stop(struct publisher *publisher);
/* After publisher_stop. Accepts NULL. Returns NULL. */
struct publisher *publisher_free(struct publisher *publisher);

/* ---- how it is ---- */

enum publisher_state {
    PUBLISHER_CURRENT,   /* the primary serves what it should, but for what differs */
    PUBLISHER_WORKING,   /* changes are on their way */
    PUBLISHER_COMPARING, /* every address is being compared: first start, other settings, a loss */
    PUBLISHER_FAILING    /* `why`; it tries again */
};
const char *publisher_state_text(enum publisher_state state); /* "current" ... */

struct publisher_stats {
    char zone[ZONE_NAME_MAX + 1];
    struct netaddr primary;
    enum publisher_state state;
    char why[UPDATE_WHY_MAX]; /* FAILING: a sentence for the DNS administrator; else "" */
    uint64_t sequence;        /* the last entry of the journal that is published for sure */
    size_t differing;         /* sets that somebody else changed, or the primary refuses */
    uint64_t changed;         /* sets changed, since the start */
    uint64_t updates;         /* messages that made changes */
    uint64_t failures;        /* of attempts */
    uint64_t by_form;         /* sets changed of which only their form said that they were ours */
};
/* One for each zone; returns how many. Any thread. */
size_t publisher_stats_get(struct publisher *publisher, struct publisher_stats *stats, size_t max);

/* ---- comparing on demand ---- */

enum publisher_action {
    PUBLISHER_ADD,
    PUBLISHER_REPLACE,
    PUBLISHER_REMOVE,
    PUBLISHER_DIFFERS, /* changed by somebody else, and left alone */
    PUBLISHER_REFUSED  /* the primary does not allow this change, but others */
};

struct publisher_row {
    char name[ZONE_NAME_MAX + 1];
    enum zone_type type;
    enum publisher_action action;
    bool is_alias; /* a CNAME is served */
    uint32_t served_ttl_s, wanted_ttl_s;
    char *served, *wanted; /* data, a line each; NULL: none */
};

struct publisher_report {
    size_t looked_at, changed, differing; /* sets; `changed` is what would be with dry_run */
    struct publisher_row *rows;           /* of those changed and differing */
    size_t row_count;                     /* at most PUBLISHER_ROWS_MAX */
    char why[UPDATE_WHY_MAX];             /* of a failure */
};

struct publisher_order {
    const char *domain; /* canonical */
    bool force;         /* replace also what somebody else changed */
    bool dry_run;       /* only say it */
};

/* Compares all records of the domain with what its primaries serve, and sends the difference:
 * adds what is missing, replaces what is the publisher's own, and, by force, the rest. Blocks until
 * it is done; for a thread that may wait. Returns 0; STATUS_NOTFOUND: the domain is in no zone that
 * is published; STATUS_CANCELLED; or why it ended early, with report->why; the report then tells
 * what was done so far. The caller owns *report in any case: publisher_report_done. */
int publisher_sync(struct publisher *publisher, const struct publisher_order *order,
                   struct publisher_report *report);
void publisher_report_done(struct publisher_report *report);

#endif
