/* Seeing what passes: taps that show the messages of one person or peer while somebody looks.
 *
 * A tap has a ring for each worker. The worker writes what fits its filter, never waits, and counts
 * what finds no room; one reader at a time, on any thread, takes the messages of all workers. While
 * nobody looks, a message costs its worker one comparison.
 *
 * What is shown is not quite what passed: credentials are left out (Authorization and
 * Proxy-Authorization), the tokens in Route and Record-Route URIs, and in the Request-URI where a
 * strict router has put it, are shortened, and keys of media in SDP are covered with asterisks.
 * Headers may so become shorter; a body keeps its length, and Content-Length stays true. */
#ifndef JUNCTOR_PEERING_WATCH_WATCH_H
#define JUNCTOR_PEERING_WATCH_WATCH_H

#include "base/netaddr.h"
#include "peering/sip/sip.h"
#include "peering/transport/transport.h"
#include "peering/watch/hep.h"
#include "peering/watch/peers.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_MAX_TAPS    4      /* that look at once */
#define WATCH_RING_SIZE   262144 /* bytes of messages that wait, per tap and worker */
#define WATCH_MESSAGE_MAX 16384  /* bytes of one message; what is longer is cut */
#define WATCH_SHOWN_TOKEN 8      /* characters of a token */

/* Where a message was seen. */
struct watch_hop {
    uint64_t time_us; /* Unix time */
    bool sent;        /* by us; else received */
    enum transport_side side;
    enum sip_transport transport;
    struct netaddr local, remote;
    const char *peer; /* proven; "" for none */
};

/* ---- what is looked at ---- */

struct watch_filter {                  /* all empty: everything */
    char user[STORE_USER_MAX + 1];     /* canonical; "" where a whole domain is meant */
    char domain[STORE_DOMAIN_MAX + 1]; /* canonical */
    char address[STORE_USER_MAX + STORE_DOMAIN_MAX + 2]; /* both, as ported addresses carry it */
};

/* Reads "user@domain", "domain" or "". Returns 0, or -EINVAL with a sentence in `fault`. */
int watch_filter_read(const char *text, struct watch_filter *filter, struct store_fault *fault);
/* Does the message name it: in the Request-URI, From, To or P-Asserted-Identity; a domain also as
 * the peer of the hop? Pure. */
bool watch_filter_fits(const struct watch_filter *filter, const struct watch_hop *hop,
                       const struct sip_msg *msg);

/* Copies at most `max` bytes of a message without its secrets; with keys of media where
 * `media_keys`. Returns how many, never more than the message has; `*cut`: there are more. Pure. */
size_t watch_redact(struct slice message, bool media_keys, char *out, size_t max, bool *cut);

/* ---- taps ---- */

struct watch_tap;

/* One message in a tap. */
struct watch_record {
    struct watch_hop hop; /* hop.peer is not set: see `peer` */
    unsigned worker;
    char peer[STORE_DOMAIN_MAX + 1];
    bool again; /* the same bytes passed the same hop before, unless many others came between */
    bool cut;
    size_t len;
    char bytes[];
};

/* NULL without memory. */
struct watch_tap *watch_tap_alloc(const struct watch_filter *filter, unsigned workers);
struct watch_tap *watch_tap_free(struct watch_tap *tap); /* returns NULL; accepts NULL */
/* On worker `worker`'s thread. Once a message has fitted, all later ones of its Call-ID do, until
 * many others came between. */
void watch_tap_put(struct watch_tap *tap, unsigned worker, const struct watch_hop *hop,
                   const struct sip_msg *msg);
/* Reader: the oldest record of all workers, or NULL. It stays valid until watch_tap_release. */
const struct watch_record *watch_tap_peek(struct watch_tap *tap);
void watch_tap_release(struct watch_tap *tap);
/* Reader: is there something to read, or to say of what was dropped? */
bool watch_tap_ready(struct watch_tap *tap);
/* Reader: how many messages found no room since the last call. */
uint64_t watch_tap_dropped(struct watch_tap *tap);

/* ---- a worker's ---- */

struct watch {
    unsigned worker;
    struct watch_tap *taps[WATCH_MAX_TAPS];
    size_t tap_count;
    struct hep hep; /* hep.fd is -1 where nothing is mirrored */
    struct watch_peers peers;
};

static inline bool watch_is_on(const struct watch *watch)
{
    return watch->tap_count > 0 || watch->hep.fd >= 0;
}

/* Sends a copy to the capture server. */
void watch_mirror(struct hep *hep, const struct watch_hop *hop, const struct sip_msg *msg);

/* Shows the message to whoever looks. */
void watch_see(struct watch *watch, const struct watch_hop *hop, const struct sip_msg *msg);

#endif
