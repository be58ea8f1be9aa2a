/* The sockets of those whom the edge talks with. A wire is a UDP socket, a stream connection, or a
 * listening socket that becomes the first connection made to it. */
#ifndef JUNCTOR_TESTS_PEERING_VECTORS_WIRE_H
#define JUNCTOR_TESTS_PEERING_VECTORS_WIRE_H

#include "base/slice.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_ROOM 262144 /* bytes received and not yet taken */

struct wire {
    int fd;
    SSL *ssl; /* a connection over TLS; else NULL */
    bool stream, listening;
    bool closed;             /* a stream: by the far side */
    struct sockaddr_in peer; /* UDP: whom the last datagram came from, and answers go to */
    char *in;
    size_t len, taken; /* of them: the message that was taken last */
};

/* Milliseconds of a monotonic clock. */
uint64_t wire_now_ms(void);

/* `ip` and `port` in network order; port 0: the kernel's choice. All return whether it worked. */
bool wire_open_udp(struct wire *wire, in_addr_t ip, in_port_t port);
bool wire_listen(struct wire *wire, in_addr_t ip, in_port_t port);
bool wire_connect(struct wire *wire, in_addr_t ip, const struct sockaddr_in *to);
/* The same over TLS; blocks until the handshake is over. */
bool wire_connect_tls(struct wire *wire, in_addr_t ip, const struct sockaddr_in *to, SSL_CTX *ctx);
void wire_close(struct wire *wire);
struct sockaddr_in wire_addr(const struct wire *wire);

bool wire_send(struct wire *wire, struct slice bytes);

/* Waits until something has come to one of the wires, or its far side has closed; false once
 * until_ms has come. */
bool wires_wait(struct wire *const wires[], size_t count, uint64_t until_ms);
/* Takes the next whole message: valid until the next call and the next wait. */
bool wire_take(struct wire *wire, struct slice *message);

#endif
