/* The TLS handshake of a connection and the verdict that follows it, before any byte is parsed. */
#include "peering/transport/internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int conn_tls_attach(struct conn *conn)
{
    struct tls_context *tls = conn->transport->tls;

    if (!tls)
        return STATUS_NOTFOUND;
    if (!conn->accepted && conn->key.our_domain[0] &&
        !tls_context_has_domain(tls, conn->key.our_domain))
        return STATUS_NOTFOUND;
    conn->tls = tls_context_ref(tls);
    conn->ssl = conn->accepted ? tls_accept(tls, conn->key.side == TRANSPORT_OUTSIDE)
                               : tls_connect(tls, conn->key.our_domain, conn->key.far_domain);
    if (!conn->ssl)
        return -ENOMEM;
    return stream_attach(conn);
}

static void close_failed(struct conn *conn, const char *reason)
{
    char name[CONN_NAME_MAX];

    conn_name(conn, name);
    if (conn->accepted)
        conn_accuse(conn, "%s: TLS handshake failed: %s", name, reason);
    conn_close(conn, "%s: TLS handshake failed: %s", name, reason);
}

static void refuse(struct conn *conn, const char *why)
{
    conn->transport->stats.refused++;
    conn_accuse(conn, "refused: %s", why);
    conn_close(conn, "%s", why);
}

static int keep_identities(struct conn *conn, const struct tls_verdict *verdict)
{
    if (verdict->identity_count == 0)
        return 0;
    conn->identities = calloc(verdict->identity_count, sizeof(*conn->identities));
    if (!conn->identities)
        return -ENOMEM;
    memcpy(conn->identities, verdict->identities,
           verdict->identity_count * sizeof(*conn->identities));
    conn->identity_count = verdict->identity_count;
    conn->transport->stats.peers++;
    if (conn->accepted)
        snprintf(conn->key.far_domain, sizeof(conn->key.far_domain), "%s", conn->identities[0]);
    return 0;
}

/* An accepted inside connection is one of our own core's: it is known by its address, not by a
 * certificate. */
static bool needs_verdict(const struct conn *conn)
{
    return !conn->accepted || conn->key.side == TRANSPORT_OUTSIDE;
}

static void judge(struct conn *conn)
{
    struct tls_verdict verdict = {.identity_count = 0};
    char name[CONN_NAME_MAX];

    conn_set_state(conn, CONN_VERDICT);
    conn_name(conn, name);
    if (needs_verdict(conn) &&
        tls_judge(conn->ssl, conn->accepted ? NULL : conn->key.far_domain, name, &verdict) < 0) {
        refuse(conn, verdict.why);
        return;
    }
    if (keep_identities(conn, &verdict) < 0) {
        conn_close(conn, "%s: out of memory", name);
        return;
    }
    if (conn->accepted)
        snprintf(conn->key.our_domain, sizeof(conn->key.our_domain), "%s",
                 tls_our_domain(conn->ssl));
    log_write(conn->transport->log, LOG_INFO, "transport",
              "%s: TLS connection %s version=%s our_domain=%s", conn_name(conn, name),
              conn->accepted ? "accepted" : "opened", SSL_get_version(conn->ssl),
              conn->key.our_domain);
    conn_become_ready(conn);
    conn_read(conn); /* bytes that came with the handshake's last ones */
}

void conn_handshake(struct conn *conn)
{
    switch (stream_handshake(conn)) {
    case STREAM_DONE:
        conn->transport->stats.handshakes++;
        judge(conn);
        return;
    case STREAM_BLOCKED:
        return;
    case STREAM_EOF:
        close_failed(conn, "closed by the far side");
        return;
    case STREAM_FAILED:
        close_failed(conn, conn->fault);
        return;
    }
}
