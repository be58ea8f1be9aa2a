/* The configuration of junctord: one file, read whole, checked whole, then a plain struct.
 *
 * conf_load reads the file (its grammar is libconfuse's), compares it with the table of settings
 * (conf_schema.c) and fills a struct junctord_conf whose strings all belong to it. What the file
 * leaves out has the table's default. Nothing here changes anything outside the struct, so a
 * running daemon can try a new file and stay with what it has.
 *
 * Every refusal is one sentence that names the file, the line and what is expected:
 * /etc/junctor/junctord.conf:12: inside "udp:*:5060": a wildcard listener needs advertise = ... */
#ifndef JUNCTOR_TOOLS_CONF_H
#define JUNCTOR_TOOLS_CONF_H

#include "api/api.h"
#include "api/federation.h"
#include "api/mailer.h"
#include "api/porting.h"
#include "api/publisher.h"
#include "base/arena.h"
#include "base/log.h"
#include "peering/peering.h"
#include "resolver/zone.h"
#include "store/store.h"

#include <stdio.h>

#define CONF_MAX_FILE 1048576 /* bytes of a configuration file; the sample has a few thousand */
#define CONF_MAX_WHY  1200    /* bytes of a refusal */

/* Where peers reach a listener, by the file: its own address where there is none. */
struct conf_addresses {
    struct netaddr list[ZONE_ADDRESSES_MAX];
    size_t count;
};

struct junctord_conf {
    enum log_level log_level;
    enum log_format log_format;
    struct store_conf store;
    struct api_conf api;
    struct federation_conf federation;
    struct porting_conf porting;
    struct mailer_conf mailer;
    struct edge_conf edge; /* its padding is zero: edge_reload compares parts of it as bytes */
    struct tls_certificate_conf certificates[TLS_MAX_DOMAINS]; /* edge.tls points here */
    const char *reserved[API_MAX_RESERVED];                    /* api.reserved points here */
    const char *crls[TLS_MAX_CRLS];                            /* edge.tls points here */
    char crl_doubt[TLS_MAX_WHY]; /* a list that is out of date; the edge tells it too */
    struct conf_addresses addresses[TRANSPORT_MAX_LISTENERS]; /* by listener */
    struct zone_conf zone;                                    /* what is to be published */
    struct publisher_conf publisher;                          /* and where */
    const char
        *receipt_keys;     /* folder of the keys that sign receipts of ports; NULL: none are made */
    unsigned look_s;       /* between looks at certificates, keys, anchors and lists; 0: none */
    unsigned journal_days; /* in `store` as journal_age_ms; so are the sizes below */
    size_t journal_size, journal_max;
    struct arena_pool *pool;
    struct arena *strings;            /* every string above */
    unsigned store_line, socket_line; /* where the file sets them; 0: it does not */
};

/* Reads and checks the file, including the certificates, keys and trust anchors that it names.
 * Relative names in it are relative to its folder. One thread at a time: libconfuse's scanner has
 * a state of its own. Blocks for the time of reading a few files.
 * Returns 0, STATUS_MALFORMED, -ENOMEM or the -errno of a file that cannot be read; `why` then
 * says what is wrong and *conf is untouched. The caller owns *conf. */
int conf_load(const char *path, struct junctord_conf **conf, char why[CONF_MAX_WHY]);
/* The same without a look at certificates, keys and trust anchors: for programs that mend these, or
 * that can do without. They may be missing or unfit, and conf->zone has no keys. */
int conf_load_unjudged(const char *path, struct junctord_conf **conf, char why[CONF_MAX_WHY]);
/* Can the daemon's places be used by this process: the store's folder, or where it is to be made,
 * and the folder of the API's socket? Makes nothing. For a test before a start; the start itself
 * finds out by doing it. `path` is the configuration's, for the refusal. A missing folder of the
 * default socket is no fault: the service manager makes it. Returns 0 or STATUS_MALFORMED. */
int conf_check_places(const char *path, const struct junctord_conf *conf, char why[CONF_MAX_WHY]);
/* What works but is hardly meant: a sentence for a warning, or the empty text. Returns text. */
const char *conf_doubt(const struct junctord_conf *conf, char text[CONF_MAX_WHY]);
/* Frees it with its strings. Accepts NULL; returns NULL. */
struct junctord_conf *conf_free(struct junctord_conf *conf);

/* The settings in which the two differ although a running daemon cannot change them, such as
 * "workers, timers: t1-ms"; the empty text where there are none. Returns text. */
const char *conf_fixed_changes(const struct junctord_conf *old, const struct junctord_conf *new,
                               char text[CONF_MAX_WHY]);

/* The table of settings for people: each with its type, bounds, default and meaning. */
void conf_print_help(FILE *out);

#endif
