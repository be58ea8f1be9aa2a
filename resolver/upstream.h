/* One attempt at one upstream server: a socket of its own until the answer or the end. A UDP socket
 * per question gives each a random source port, and connect() lets nothing but the upstream's
 * answers in (RFC 5452 section 9). Everything runs on the loop's thread.
 *
 * There may be thousands of questions a second, so the sockets are not handles of the loop, which
 * would cost each of them five system calls more: they are in an epoll set of their own, and that
 * is what the loop waits for. A UDP socket that has done its work gives up its port, and gets
 * another one for the next question. */
#ifndef JUNCTOR_RESOLVER_UPSTREAM_H
#define JUNCTOR_RESOLVER_UPSTREAM_H

#include "base/netaddr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <uv.h>

#define RESOLVER_UDP_MAX                                                                           \
    4096                       /* a datagram longer than this is not the answer: we asked for 1232 \
                                */
#define RESOLVER_TCP_MAX 65535 /* a message over TCP: all that its length can say */

struct resolver_net;
struct resolver_exchange;

/* The set of sockets. Returns 0 or -errno. */
int resolver_net_open(uv_loop_t *loop, struct resolver_net **net);
/* Every exchange must have been stopped. Its memory is freed from the loop. Accepts NULL. */
void resolver_net_close(struct resolver_net *net);

/* A message came (status 0, `bytes` valid during the call), or the socket failed (status -errno or
 * STATUS_CLOSED; nothing more will come). Returns whether to keep listening; after false, or after
 * a failure, the exchange is stopped and must not be touched again. */
typedef bool resolver_exchange_h(int status, struct slice bytes, void *arg);

/* Sends `query` (copied) over UDP, or over TCP with a length before it (RFC 1035 section 4.2.2).
 * `handler` is never called from inside. Returns 0 with *exchange set, or -errno. */
int resolver_exchange_start(struct resolver_net *net, const struct netaddr *upstream, bool tcp,
                            struct slice query, resolver_exchange_h *handler, void *arg,
                            struct resolver_exchange **exchange);

/* `handler` will not be called any more. Accepts NULL. Must not be called from inside the
 * exchange's own `handler`. Returns NULL. */
struct resolver_exchange *resolver_exchange_stop(struct resolver_exchange *exchange);

#endif
