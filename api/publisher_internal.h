/* What the files of the publisher share.
 *
 * Each zone has a thread, so that a primary that is silent holds no other zone up; what belongs to
 * the zone is touched by that thread alone. One more thread, of the publisher, makes and ends them
 * when the configuration changes, and stores the cursor. The zones' names, configurations and
 * number, and the publisher's records, do not change while threads of zones run. */
#ifndef JUNCTOR_API_PUBLISHER_INTERNAL_H
#define JUNCTOR_API_PUBLISHER_INTERNAL_H

#include "api/publisher.h"
#include "base/table.h"

#include <pthread.h>
#include <stdatomic.h>

#define PUBLISHER_VALUES_MAX 16 /* that one address had within a batch */
#define PUBLISHER_LATE_MAX   8  /* updates of a set of which nobody knows what became */
#define PUBLISHER_TTLS_MAX   16 /* that addresses may have by us until all are compared */

/* ---- what is remembered of a zone (publisher_memory.c) ---- */

/* A set that was sent, or that somebody else changed. */
struct publisher_entry {
    struct table_link link;
    enum zone_type type;
    bool is_sent;                      /* before and after count */
    bool differs;                      /* it is not as we left it */
    uint64_t before, after;            /* update_set_hash; the same: that is what is served */
    uint64_t late[PUBLISHER_LATE_MAX]; /* sent earlier, and never answered: may be made still */
    size_t late_count;
    bool has_ttl;   /* the TTL is somebody else's, and stays: */
    uint32_t ttl_s; /* this one */
    char *about;    /* the domain, or the address, whose it is */
    size_t index;   /* in publisher_memory.entries */
    char name[];
};

/* Why all addresses are to be compared; each includes those before it. */
enum publisher_gap {
    PUBLISHER_GAP_NONE,    /* they were */
    PUBLISHER_GAP_TTL,     /* they shall have another TTL */
    PUBLISHER_GAP_MISSING, /* they were left out of DNS, or loaded in bulk */
    PUBLISHER_GAP_LOST     /* what was done is not known: whatever looks like ours is */
};

/* A text file, of which the last line about a set counts; lines are only added, and once in a while
 * it is written anew. A last line without end is from a crash, and does not count. */
struct publisher_memory {
    struct table *table;
    struct publisher_entry **entries;
    size_t count, room;
    size_t differing;
    uint64_t done; /* the last entry of the journal that is published; UINT64_MAX: never was */
    enum publisher_gap gap;
    uint64_t gap_done;     /* of a loss: the last entry that was published before; 0: not known */
    bool compared_records; /* the setting with which the addresses were compared last, */
    uint32_t ttls[PUBLISHER_TTLS_MAX]; /* and the TTLs that they may have since, by us; */
    size_t ttl_count;                  /* the most: any */
    bool is_unsynced;                  /* a gap or a TTL must be on disk before anything is sent */

    char path[4096];
    int fd;
    size_t added; /* bytes since it was written anew */
    int status;   /* of the first step that failed */
};

/* Reads the file, where there is one. Returns 0, -ENOMEM or -errno. */
int publisher_memory_open(struct publisher_memory *memory, const char *folder, const char *zone);
void publisher_memory_close(struct publisher_memory *memory);
struct publisher_entry *publisher_memory_find(const struct publisher_memory *memory,
                                              const char *name, enum zone_type type);
/* Their failures stay in memory->status, for publisher_memory_flush. */
/* It is about to be sent, or (the same hash twice) is served. */
void publisher_memory_sent(struct publisher_memory *memory, const struct update_set *set,
                           const char *about, uint64_t before, uint64_t after);
/* The primary said that it made this. */
void publisher_memory_made(struct publisher_memory *memory, const struct update_set *set,
                           const char *about, uint64_t hash);
/* The TTL of what was sent, by publisher_memory_sent, is somebody else's, or no longer. */
void publisher_memory_ttl_kept(struct publisher_memory *memory, const struct update_set *set,
                               bool kept);
void publisher_memory_differs(struct publisher_memory *memory, const struct update_set *set,
                              const char *about, bool differs);
void publisher_memory_done(struct publisher_memory *memory, uint64_t sequence);
/* All addresses are to be compared, for this reason besides an earlier one. */
void publisher_memory_gap(struct publisher_memory *memory, enum publisher_gap gap);
/* They shall have this TTL; may a record with it be ours? */
void publisher_memory_ttl(struct publisher_memory *memory, uint32_t ttl_s);
bool publisher_memory_has_ttl(const struct publisher_memory *memory, uint32_t ttl_s);
void publisher_memory_compared(struct publisher_memory *memory, const struct zone_conf *records);
/* The last entry that is published for sure. */
uint64_t publisher_memory_published(const struct publisher_memory *memory);
/* `sync`: returns when it is on disk. Returns 0 or what failed since the last time. */
int publisher_memory_flush(struct publisher_memory *memory, bool sync);

/* ---- a zone ---- */

struct publisher_zone {
    struct publisher *publisher;
    size_t index; /* in publisher.zones and .stats */
    struct publisher_zone_conf conf;
    pthread_t thread;
    bool is_started;             /* has a thread */
    struct store_reader *reader; /* NULL: not opened yet */
    bool is_open;                /* what follows is known: */
    struct publisher_memory memory;
    bool check_all;                      /* compare all sets of domains and hosts */
    bool check;                          /* compare those that should be others than was sent */
    bool walk;                           /* compare the addresses: */
    char walk_domain[ZONE_NAME_MAX + 1]; /* of this domain; "": from the first one */
    struct store_address walk_last;      /* behind this one */

    uint64_t failed_ms; /* when; monotonic */
    uint64_t retry_ms;  /* not before; 0: did not fail */
    unsigned wait_ms;   /* after the next failure */
    bool behind;        /* the journal has more */
    uint64_t looked;    /* the last entry that was looked at for domains */
    struct publisher_stats stats;

    /* Guarded by the publisher's lock. */
    uint64_t heard;                      /* publisher.news_count that it knows of */
    uint64_t place;                      /* memory.done; UINT64_MAX: not opened yet */
    const struct publisher_order *order; /* to be carried out; NULL: none */
    struct publisher_report *report;
    int order_status;
};

struct publisher {
    struct store *store;
    struct store_reader *reader;
    struct log *log;
    char *folder;
    struct zone_conf *records;
    struct publisher_zone **zones;
    size_t zone_count;
    uint64_t cursor; /* as it is stored; UINT64_MAX: it is not */

    pthread_t thread;
    int cancel_fd; /* readable: the threads of zones give up what they are at */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t news;  /* for the zones: of changes, orders, the end */
    pthread_cond_t done;  /* for those who wait with an order */
    pthread_cond_t turn;  /* for the publisher's thread */
    bool stopping, stopped;
    bool ending;                      /* the threads of zones shall end */
    bool moved;                       /* the place of a zone */
    bool reloading;                   /* the zones are about to be others */
    bool order_taken;                 /* one is under way */
    size_t running;                   /* threads of zones */
    uint64_t heard;                   /* the last entry of the journal that it was woken for */
    uint64_t news_count;              /* how often that was */
    struct publisher_conf *next_conf; /* of a reload; NULL: none */
    struct zone_conf *next_records;
    struct publisher_stats *stats; /* a copy for those who ask */
    size_t stats_count;
};

/* The zone that a name is published in; NULL: none. */
struct publisher_zone *publisher_zone_of(const struct publisher *publisher, const char *name);
/* `name` is `zone` or below it. */
bool publisher_is_below(const char *name, const char *zone);
uint64_t publisher_now_ms(void); /* monotonic */
/* The publisher's cursor, an empty one where there is none, and the ends of the journal. */
int publisher_place_read(struct store_reader *reader, struct store_cursor *cursor,
                         struct store_stats *stats);

/* ---- its thread (publisher_zone.c) ---- */

struct publisher_zone *publisher_zone_alloc(struct publisher *publisher,
                                            const struct publisher_zone_conf *conf, size_t index);
/* After its thread has ended. */
void publisher_zone_free(struct publisher_zone *zone);
int publisher_zone_start(struct publisher_zone *zone);
/* What there is to do, a batch at most; nothing while a failure is not long ago. */
void publisher_zone_turn(struct publisher_zone *zone);

/* ---- a batch (publisher_batch.c) ---- */

enum publisher_mode {
    PUBLISHER_FOLLOW, /* change only what is ours */
    PUBLISHER_SYNC,   /* add also what somebody took away */
    PUBLISHER_FORCE   /* all */
};

/* What is known of a set besides what it should be. */
struct publisher_item {
    char about[PUBLISHER_ABOUT_MAX];
    bool is_address;
    uint32_t ttl_s; /* that it should have; .wanted has a person's where that stays */
    bool is_new;    /* whether it was published before is not known: it may be missing */
    bool is_lost;   /* nor what: whatever looks like ours is */
    uint64_t values[PUBLISHER_VALUES_MAX]; /* of the data that it may have by us */
    size_t value_count;
    bool is_found;   /* what is served is among the values that the whole journal has */
    bool is_agreed;  /* nothing is to be done */
    bool is_wanted;  /* to be sent */
    bool is_refused; /* by the primary, which does not refuse all: neither of both */
};

struct publisher_batch {
    struct publisher_zone *zone;
    enum publisher_mode mode;
    bool dry_run;
    struct publisher_report *report; /* NULL: nobody asks */
    uint64_t from;                   /* entry of the journal from which on values may come */
    struct update_link *link;        /* opened when it is needed */
    size_t refused;                  /* items, for the reason: */
    char refused_why[UPDATE_WHY_MAX];
    size_t count;
    struct update_change changes[UPDATE_BATCH_MAX]; /* .wanted is set */
    struct publisher_item items[UPDATE_BATCH_MAX];
};

void publisher_batch_init(struct publisher_batch *batch, struct publisher_zone *zone,
                          enum publisher_mode mode);
/* A further item, empty but for name, type and about. NULL where there is no room. */
struct publisher_item *publisher_batch_add(struct publisher_batch *batch, const char *name,
                                           enum zone_type type, const char *about);
bool publisher_batch_is_full(const struct publisher_batch *batch);
/* Takes over the records of `set`. */
void publisher_batch_want(struct publisher_batch *batch, struct update_set *set);
/* A value that the last item, or `item`, may have by us; false: there is no room. */
bool publisher_item_value(struct publisher_item *item, uint64_t hash);
/* Compares, sends, remembers; empties the batch. Returns 0 or why not, with zone->stats.why. */
int publisher_batch_run(struct publisher_batch *batch);
/* Closes the link, drops the items. */
void publisher_batch_done(struct publisher_batch *batch);

/* ---- whose is it? (publisher_judge.c) ---- */

/* Which items are agreed, which are wanted, from what was read. `again`: what was to be sent did
 * not meet what is there. Returns 0 or why not, with zone->stats.why. */
int publisher_batch_judge(struct publisher_batch *batch, bool again);
/* Nobody knows any more whose it was, but it has the form of ours. */
bool publisher_item_is_by_form(const struct publisher_item *item, const struct update_set *served);

/* ---- which sets (publisher_domains.c, publisher_addresses.c) ---- */

/* Of domains and hosts. `domain` NULL: all of the zone; else those about it. `all`: also those that
 * need no change by what is remembered. */
int publisher_domains_compare(struct publisher_batch *batch, const char *domain, bool all);
/* An item for the set of an address that is remembered to differ; `is_gone`: only where the
 * directory does not have the address any more. */
int publisher_address_add(struct publisher_batch *batch, const struct publisher_entry *entry,
                          bool is_gone);
/* What zone->check and zone->check_all ask for. */
int publisher_domains_check(struct publisher_zone *zone);
/* The next addresses of `domain`, behind *last, as many as fit; *more: there are further ones. */
int publisher_addresses_compare(struct publisher_batch *batch, const char *domain,
                                struct store_address *last, bool *more);
/* The journal from the zone's place on. */
int publisher_follow(struct publisher_batch *batch);
/* A step of what zone->walk asks for. */
int publisher_walk(struct publisher_batch *batch);
/* Looks for what is served of addresses that differ in the whole journal behind batch->from: a
 * batch has only the values up to its last entry, and what was sent is what was true at that time.
 */
int publisher_values_find(struct publisher_batch *batch);

/* ---- orders (publisher_sync.c) ---- */

/* The zone's part of it. */
int publisher_order_run(struct publisher_zone *zone, const struct publisher_order *order,
                        struct publisher_report *report);
void publisher_report_add(struct publisher_report *report, const struct update_change *change,
                          enum publisher_action action);

#endif
