/* A peer of the edge: a domain that its certificate proves, and what the edge needs to find that
 * out. DNS names no keys of it, so that the trust anchor decides. */
#ifndef JUNCTOR_TESTS_PEERING_VECTORS_PEER_H
#define JUNCTOR_TESTS_PEERING_VECTORS_PEER_H

#include "peering/peering.h"
#include "tests/resolver/server_thread.h"

#include <netinet/in.h>
#include <openssl/ssl.h>

/* One for all trials. */
struct peer {
    char dir[64];
    char anchor[80], edge_chain[80], edge_key[80]; /* PEM files */
    struct tls_certificate_conf edge;              /* the edge's certificate */
    SSL_CTX *ctx;                                  /* the peer's side */
    struct server_thread dns;
};

/* Certificates, and a DNS server on a thread of its own. `domain` must outlive the peer. */
void peer_open(struct peer *peer, const char *domain);
void peer_close(struct peer *peer);
/* Gives the edge an outside listener, the third, on `ip` (network order), and all that it needs for
 * the verdict. `peer` must outlive its start. */
void peer_welcome(const struct peer *peer, in_addr_t ip, struct edge_conf *conf);

#endif
