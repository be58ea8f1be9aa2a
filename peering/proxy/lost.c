/* Datagrams that did not arrive (RFC 3261 18.4): the request that one began ends its transaction,
 * and the next target is tried at once. All that is left of it may be its beginning; our own Via
 * stands right behind the start line there, and its random branch is what nobody else could name.
 */
#include "peering/proxy/proxy.h"

#include <string.h>

static struct slice until(struct slice bytes, const char *ends)
{
    size_t len = 0;
    while (len < bytes.len && !strchr(ends, bytes.p[len]))
        len++;
    return (struct slice){bytes.p, len};
}

static struct slice after(struct slice bytes, size_t len)
{
    size_t skip = len < bytes.len ? len : bytes.len;
    return (struct slice){bytes.p + skip, bytes.len - skip};
}

/* Returns whether the branch is whole. */
static bool find_branch(struct slice bytes, struct slice *branch)
{
    static const char name[] = ";branch=";
    struct slice via = until(after(bytes, until(bytes, "\r").len + 2), "\r");
    const char *at = memmem(via.p, via.len, name, sizeof(name) - 1);
    if (!at)
        return false;
    struct slice rest = after(via, (size_t)(at - via.p) + sizeof(name) - 1);
    *branch = until(rest, ";,");
    return branch->len < rest.len; /* our Via goes on behind it: ;rport */
}

void lost_receive(struct proxy *proxy, struct slice bytes, int error)
{
    struct slice branch;
    unsigned number;
    if (!find_branch(bytes, &branch) || txn_branch_worker(branch, &number) != 0)
        return;
    unsigned owner = number % proxy->workers;
    if (owner != proxy->index) {
        proxy->tell_lost(owner, bytes, error, proxy->handover_arg);
        return;
    }
    struct txn_client *txn = txn_client_find_sent(proxy->txns, branch, until(bytes, " "));
    if (txn && txn_client_state_of(txn) != TXN_CLIENT_PROCEEDING) /* else it did arrive */
        txn_client_lost(txn, error);
}
