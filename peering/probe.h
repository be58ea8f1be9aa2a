/* Does a SIP server answer as a peer would need it? One connection, blocking, for command-line
 * tools: connects, runs the TLS handshake as the edge does (SNI, our certificate), judges what the
 * far side showed, by trust anchors and by TLSA records, and sends
 *
 *     OPTIONS sip:opb.example SIP/2.0
 *     Max-Forwards: 0
 *
 * which an edge answers itself (200) and other software answers with any final response. */
#ifndef JUNCTOR_PEERING_PROBE_H
#define JUNCTOR_PEERING_PROBE_H

#include "base/netaddr.h"
#include "peering/transport/tls.h"
#include "peering/transport/tls_dane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_REASON_MAX 64

struct probe_conf {
    struct tls_context *tls;
    const char *our_domain; /* whose certificate is shown; "": none, and no OPTIONS is sent, which
                               edges do not answer to strangers */
    const char *far_domain; /* that must be proven */
    struct netaddr target;
    const struct tls_tlsa *tlsa;
    size_t tlsa_count;
    int64_t connect_until_ms; /* of CLOCK_MONOTONIC: connection and handshake */
    int64_t answer_until_ms;  /* the answer to OPTIONS */
};

/* How far it came. */
enum probe_stage {
    PROBE_NO_ROUTE,  /* this host has no way there, such as no IPv6 at all: `why` */
    PROBE_CONNECT,   /* no connection: `why` */
    PROBE_HANDSHAKE, /* no TLS: `why` */
    PROBE_JUDGED,    /* TLS stands, no OPTIONS was sent */
    PROBE_OPTIONS,   /* OPTIONS was sent, no answer: `why` */
    PROBE_ANSWERED   /* with `answer` */
};

struct probe_result {
    enum probe_stage stage;
    char why[TLS_MAX_VERDICT];     /* why it came no further; "" if it did */
    bool timed_out;                /* because nothing came in time */
    bool anchored;                 /* proven by a trust anchor */
    char verdict[TLS_MAX_VERDICT]; /* why not */
    bool names_domain;             /* the certificate carries the domain, whoever issued it */
    bool tlsa_matches;             /* one of the TLSA records proves the key */
    bool tlsa_lasts;               /* and does so after the certificate is renewed with that key */
    uint8_t key_hash[TLS_KEY_HASH_LEN]; /* of the leaf's SubjectPublicKeyInfo */
    int64_t expires_s;                  /* of the leaf, by the calendar */
    unsigned answer;                    /* SIP status */
    char reason[PROBE_REASON_MAX];
};

/* Blocks until the later of the two times at most. */
void probe_run(const struct probe_conf *conf, struct probe_result *result);

#endif
