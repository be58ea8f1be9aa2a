/* The TLS handshake of a connection. The verdict follows it (verdict.c), before any byte is parsed.
 */
#include "peering/transport/internal.h"

#include "base/status.h"

#include <errno.h>

int conn_tls_attach(struct conn *conn)
{
    struct tls_context *tls = conn->transport->tls;

    if (!tls)
        return STATUS_NOTFOUND;
    if (!conn->accepted && conn->key.our_domain[0] &&
        !tls_context_has_domain(tls, conn->key.our_domain))
        return STATUS_NOTFOUND;
    conn->tls = tls_context_ref(tls);
    conn->ssl = conn->accepted ? tls_accept(tls, conn->key.side == TRANSPORT_OUTSIDE ||
                                                     tls_context_asks_cores(tls))
                               : tls_connect(tls, conn->key.our_domain, conn->key.far_domain);
    if (!conn->ssl)
        return -ENOMEM;
    return stream_attach(conn);
}

static void close_failed(struct conn *conn, const char *reason)
{
    char name[CONN_NAME_MAX];

    conn_name(conn, name);
    if (conn->first_bytes > 0) /* else it looked whether somebody is there, as monitors do */
        gate_failed(conn, reason);
    if (conn->accepted)
        conn_accuse(conn, "%s: TLS handshake failed: %s", name, reason);
    conn_close(conn, "%s: TLS handshake failed: %s", name, reason);
}

void conn_handshake(struct conn *conn)
{
    switch (stream_handshake(conn)) {
    case STREAM_DONE:
        conn->transport->stats.handshakes++;
        verdict_begin(conn);
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
