/* Transports talking to each other in one process: one loop, one set of timers, a log that can be
 * read back, certificates of one CA, and recorders for messages and watches. */
#ifndef JUNCTOR_TESTS_PEERING_TRANSPORT_NET_H
#define JUNCTOR_TESTS_PEERING_TRANSPORT_NET_H

#include "peering/transport/transport.h"
#include "tests/peering/transport/certs.h"

#include <stdbool.h>

#define NET_DEADLINE_MS 20000 /* generous: only a broken test waits as long */

struct net {
    uv_loop_t loop;
    struct timers *timers;
    uv_timer_t tick;
    int log_fd;
    struct log *log;
    char dir[64];
    struct cert ca, stranger;
    char text[65536]; /* of the log */
};

/* One transport and what it received. */
struct end {
    struct net *net;
    struct transport_conf conf;
    struct transport *transport;
    size_t received, bytes, out_of_order;
    char last[256];                            /* start of the last message */
    const struct transport_listener *listener; /* of the last message */
    struct netaddr peer;
    struct conn *conn; /* with a reference */
    unsigned lost;     /* datagrams that did not arrive; the last one: */
    int lost_error;
    char lost_bytes[64];
    bool echo; /* answers each message over the connection it came by */
};

/* What a watch was told. */
struct seen {
    struct conn_watch watch;
    unsigned ready, closed;
    bool inside_call; /* set around calls from which a watch must not be called */
    char why[TLS_MAX_VERDICT];
};

int net_setup(void **state); /* *state: struct net */
int net_teardown(void **state);

/* A context that shows a certificate of `issuer` with these alternative names for `domain`, and
 * trusts net->ca. */
struct tls_context *net_tls(struct net *net, const struct cert *issuer, const char *domain,
                            const char *alt, const char *usage);

/* Everything at or above LOG_NOTICE so far. */
const char *net_log_text(struct net *net);
size_t net_log_lines(struct net *net);

void net_turn(struct net *net); /* one turn of the loop, sleeping a few ms at most */
void net_turns_for(struct net *net, unsigned ms);
bool net_is_late(struct net *net, uint64_t since_ms);

/* Runs the loop until the expression holds; fails the test after NET_DEADLINE_MS. */
#define NET_WAIT(net, expression)                                                                  \
    do {                                                                                           \
        uint64_t since_ms_ = uv_hrtime() / 1000000;                                                \
        while (!(expression)) {                                                                    \
            if (net_is_late(net, since_ms_))                                                       \
                fail_msg("never: %s\n%s", #expression, net_log_text(net));                         \
            net_turn(net);                                                                         \
        }                                                                                          \
    } while (0)

/* Adds a listener at `ip`, port 0. */
void end_listen(struct end *end, enum transport_side side, enum sip_transport via, const char *ip);
void end_open(struct end *end, struct net *net, struct tls_context *tls);
void end_close(struct end *end);
struct netaddr end_addr(const struct end *end, size_t listener); /* with the bound port */
struct transport_stats end_stats(const struct end *end);

struct conn_key net_key(enum transport_side side, enum sip_transport via, struct netaddr addr,
                        const char *our_domain, const char *far_domain);
/* transport_connect that must succeed, watched. */
struct conn *net_connect(struct end *end, const struct conn_key *key, struct seen *seen);
void seen_watch(struct seen *seen, struct conn *conn);

/* A whole message with this number and a body of so many bytes; valid until the next call. */
struct slice net_message(unsigned number, size_t body);

/* Blocking plain sockets, for far sides that misbehave. */
int net_raw_connect(const struct netaddr *addr);
int net_raw_listen(struct netaddr *addr, int backlog); /* fills in the port */

#endif
