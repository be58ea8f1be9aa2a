/* The judge inside of another library's TLS handshake: for clients that make their SSL objects from
 * an SSL_CTX which they let us prepare (libcurl). The server is judged before the handshake ends,
 * so before any byte of the application's. */
#ifndef JUNCTOR_PEERING_JUDGE_CLIENT_H
#define JUNCTOR_PEERING_JUDGE_CLIENT_H

#include "peering/judge.h"

/* One connection to be. Must outlive the SSL_CTX. */
struct judge_client {
    struct judge *judge;
    struct tls_context *context; /* has our certificates */
    const char *our_domain;      /* whose certificate is shown */
    const char *far_domain;      /* what the server must prove */
    const char *peer;            /* as in judge_case */
    int status;                  /* out: 1 while nobody was judged, then as judge_ask */
    struct tls_verdict verdict;  /* out: with the reason of a refusal */
};

/* `ssl_ctx` is an SSL_CTX that no SSL object was made of. Returns as tls_client_prepare. */
int judge_client_prepare(struct judge_client *client, void *ssl_ctx);

#endif
