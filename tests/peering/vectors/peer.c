#include "tests/peering/vectors/peer.h"

#include "tests/peering/transport/certs.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EDGE_DOMAIN "edge.example"

/* Not signed, and without servers or keys. Whatever else is asked is refused. */
static const struct server_rule rules[] = {
    {"callers.example", "NAPTR", 0, DNS_AA | DNS_RA, {NULL}, {NULL}},
    {"_sips._tcp.callers.example", "SRV", 0, DNS_AA | DNS_RA | DNS_NXDOMAIN, {NULL}, {NULL}},
    {"callers.example", "A", 0, DNS_AA | DNS_RA, {NULL}, {NULL}},
    {"callers.example", "AAAA", 0, DNS_AA | DNS_RA, {NULL}, {NULL}},
    {"_5061._tcp.callers.example", "TLSA", 0, DNS_AA | DNS_RA | DNS_NXDOMAIN, {NULL}, {NULL}},
    {NULL, NULL, 0, 0, {NULL}, {NULL}}};

static struct cert make(const char *domain, const struct cert *ca)
{
    char alt[300];
    snprintf(alt, sizeof(alt), "URI:sip:%s", domain);
    return cert_make(&(struct cert_spec){.cn = domain, .alt = alt}, ca);
}

void peer_open(struct peer *peer, const char *domain)
{
    struct cert ca = cert_make_ca("CA of the vectors"), edge = make(EDGE_DOMAIN, &ca),
                own = make(domain, &ca);
    test_folder_make(peer->dir, sizeof(peer->dir));
    snprintf(peer->anchor, sizeof(peer->anchor), "%s/ca.pem", peer->dir);
    snprintf(peer->edge_chain, sizeof(peer->edge_chain), "%s/edge.pem", peer->dir);
    snprintf(peer->edge_key, sizeof(peer->edge_key), "%s/edge.key", peer->dir);
    peer->edge = (struct tls_certificate_conf){EDGE_DOMAIN, peer->edge_chain, peer->edge_key, NULL};
    cert_write(&ca, NULL, peer->anchor, NULL);
    cert_write(&edge, NULL, peer->edge_chain, peer->edge_key);
    peer->ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(peer->ctx, own.x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(peer->ctx, own.key), 1);
    SSL_CTX_clear_mode(peer->ctx, SSL_MODE_AUTO_RETRY); /* reads what is there, and no more */
    cert_free(&ca);
    cert_free(&edge);
    cert_free(&own);
    server_thread_start(&peer->dns, rules);
}

void peer_close(struct peer *peer)
{
    const char *files[] = {peer->anchor, peer->edge_chain, peer->edge_key};
    server_thread_stop(&peer->dns);
    SSL_CTX_free(peer->ctx);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        unlink(files[i]);
    rmdir(peer->dir);
}

/* A port of this address that is free now. */
static in_port_t free_port(in_addr_t ip)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = ip};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return addr.sin_port;
}

void peer_welcome(const struct peer *peer, in_addr_t ip, struct edge_conf *conf)
{
    struct transport_listener *listener = &conf->transport.listeners[2];
    *listener = (struct transport_listener){.side = TRANSPORT_OUTSIDE, .transport = SIP_TLS};
    listener->bind.in4 = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = ip, .sin_port = free_port(ip)};
    snprintf(listener->advertise_host, sizeof(listener->advertise_host), EDGE_DOMAIN);
    conf->transport.listener_count = 3;
    conf->tls.certificates = &peer->edge;
    conf->tls.certificate_count = 1;
    conf->tls.anchors_file = peer->anchor;
    conf->resolver.upstreams[0].addr = peer->dns.server.addr;
    conf->resolver.upstreams[0].trusted = true;
}
