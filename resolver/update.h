/* Dynamic update of a primary server (RFC 2136), signed with TSIG (RFC 8945).
 *
 * A link is one TCP connection to one primary. The life of a batch: open a link, read what the
 * primary serves of the names in question, decide, send the changes in one message, close. Each
 * change names in its prerequisites what was served before: where somebody else changed it in
 * between nothing is done, and that is said (STATUS_CONFLICT).
 *
 * What is read is not signed, for a server that knows the key for updates only would refuse such
 * questions; a forged answer can hold a change back, but never make one, since the signed message
 * repeats it as its condition.
 *
 * Everything here blocks, up to the time that struct update_place allows: for a thread of its own,
 * never for a worker. */
#ifndef JUNCTOR_RESOLVER_UPDATE_H
#define JUNCTOR_RESOLVER_UPDATE_H

#include "base/netaddr.h"
#include "resolver/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPDATE_WHY_MAX     1000
#define UPDATE_KEY_MAX     4096 /* bytes of a key file */
#define UPDATE_SECRET_MAX  256  /* characters of a secret in base64; tsig-keygen makes 44 */
#define UPDATE_RECORDS_MAX ZONE_KEYS_MAX /* of one set */
#define UPDATE_BATCH_MAX   256           /* sets read or changed at once: about a message full */
#define UPDATE_MESSAGE_MAX 65535

/* The name of a zone as somebody typed it, with or without final dot, in the form used here:
 * letters, digits, '-' and '_' in lower case. Returns 0 or -EINVAL. */
int update_zone_name(struct slice text, char zone[ZONE_NAME_MAX + 1]);

/* ---- keys ---- */

struct update_key {
    char name[ZONE_NAME_MAX + 1];       /* lower case, without final dot */
    char secret[UPDATE_SECRET_MAX + 1]; /* base64 */
};

/* Reads a file as tsig-keygen writes it: key "NAME" { algorithm hmac-sha256; secret "..."; };
 * or keymgr's: a list item under "key:" with id, algorithm and secret. Returns 0, STATUS_MALFORMED
 * (also where there is more than one key), -EPERM (everybody may write it) or -errno, with `why`
 * naming the file and what is expected. The caller wipes *key in the end. */
int update_key_read(const char *file, struct update_key *key, char why[UPDATE_WHY_MAX]);

/* ---- sets ---- */

/* The records of one name and type. Starts as {name, type} with the rest zero. */
struct update_set {
    char name[ZONE_NAME_MAX + 1];
    enum zone_type type;
    uint32_t ttl_s;
    size_t count;  /* 0: there are none */
    char *text;    /* their data, a line each, as ldns writes it, in order; NULL without records */
    bool is_alias; /* a CNAME stands there instead */
    bool is_moved; /* is_alias, by a DNAME above it */
};

/* Returns 0; STATUS_MALFORMED where ldns cannot read the record; STATUS_LIMIT; -ENOMEM. What is
 * there already is not added twice. The record's name and type are the set's. */
int update_set_add(struct update_set *set, const struct zone_record *record);
/* The same records with the same TTL? Without TTL? */
bool update_set_eq(const struct update_set *a, const struct update_set *b);
bool update_set_eq_data(const struct update_set *a, const struct update_set *b);
/* Of records and TTL; the same on every machine. */
uint64_t update_set_hash(const struct update_set *set);
uint64_t update_set_hash_data(const struct update_set *set); /* without TTL; both: 0 of none */
/* No records any more; keeps name and type. */
void update_set_clear(struct update_set *set);

/* What a primary serves, and what it shall serve. */
struct update_change {
    struct update_set served, wanted; /* of the same name and type */
    bool is_refused;                  /* the primary has no authority for this name */
};

/* ---- the primary ---- */

struct update_place {
    struct netaddr primary;
    const char *zone; /* without final dot */
    const struct update_key *key;
    unsigned connect_ms; /* for connecting */
    unsigned timeout_ms; /* for one reading, for one sending: each */
    int cancel_fd;       /* readable: give up with STATUS_CANCELLED; -1: never */
};

struct update_link;

/* `place` stays where it is until the link is closed. Every failure here and below has a sentence
 * for the administrator of that server in `why`. Returns 0, -ETIMEDOUT, STATUS_CANCELLED, -errno.
 */
int update_link_open(const struct update_place *place, struct update_link **link,
                     char why[UPDATE_WHY_MAX]);
/* Accepts NULL. Returns NULL. */
struct update_link *update_link_close(struct update_link *link);

/* Fills changes[].served, whose name and type are set, or .is_refused, with `why`; at most
 * UPDATE_BATCH_MAX. Returns 0;
 * STATUS_DENIED: this server will not tell, or not for this zone; STATUS_SERVFAIL: it could not;
 * STATUS_MALFORMED: that was no answer; STATUS_CLOSED, -ETIMEDOUT, STATUS_CANCELLED, -ENOMEM ... */
int update_link_read(struct update_link *link, struct update_change *changes, size_t count,
                     char why[UPDATE_WHY_MAX]);

/* A wildcard answers for names that do not exist (RFC 4592), while updates know real ones alone.
 * Asks by an update of conditions only, which changes nothing: is there really none of
 * changes[].served? Returns 0: none of them; STATUS_CONFLICT: at least one is there; or as
 * update_link_send. */
int update_link_absent(struct update_link *link, const struct update_change *changes, size_t count,
                       char why[UPDATE_WHY_MAX]);

/* Makes all changes, or none. The same returns, and: STATUS_CONFLICT: what is served is no longer
 * what was read; STATUS_LIMIT: they do not fit in one message; -EPERM: it does not allow one of
 * them, and may allow others. After -ETIMEDOUT, STATUS_CLOSED,
 * STATUS_CANCELLED or STATUS_MALFORMED they may have been made. */
int update_link_send(struct update_link *link, const struct update_change *changes, size_t count,
                     char why[UPDATE_WHY_MAX]);

#endif
