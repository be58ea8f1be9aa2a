/* Finding connections again: one key, one connection (design section 6).
 *
 * The key holds both domains and the target, so a connection whose far side proved one domain never
 * carries requests meant for another one that happens to live at the same address. */
#include "peering/transport/internal.h"

#include "base/status.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *conn_key_name(const struct conn_key *key, char text[CONN_NAME_MAX])
{
    char addr[NETADDR_TEXT_MAX];

    netaddr_format(&key->addr, addr);
    if (key->far_domain[0])
        snprintf(text, CONN_NAME_MAX, "%s at %s", key->far_domain, addr);
    else
        snprintf(text, CONN_NAME_MAX, "%s", addr);
    return text;
}

static uint64_t key_hash(const struct table *table, const struct conn_key *key)
{
    char head[20] = {(char)key->side, (char)key->transport};
    uint16_t port = netaddr_port(&key->addr);
    uint64_t hash;

    memcpy(head + 2, &port, sizeof(port));
    if (key->addr.sa.sa_family == AF_INET6)
        memcpy(head + 4, &key->addr.in6.sin6_addr, 16);
    else
        memcpy(head + 4, &key->addr.in4.sin_addr, 4);
    hash = table_hash(table, slice_make(head, sizeof(head)));
    hash = table_hash_more(table, hash, slice_of(key->our_domain));
    return table_hash_more(table, hash, slice_of(key->far_domain));
}

static bool key_matches(const struct table_link *link, const void *arg)
{
    const struct conn_key *a = &container_of(link, struct conn_entry, link)->key;
    const struct conn_key *b = arg;

    return a->side == b->side && a->transport == b->transport && netaddr_eq(&a->addr, &b->addr) &&
           strcmp(a->our_domain, b->our_domain) == 0 && strcmp(a->far_domain, b->far_domain) == 0;
}

static struct conn_entry *pool_find(const struct transport *transport, const struct conn_key *key)
{
    struct table_link *link =
        table_find(transport->keys, key_hash(transport->keys, key), key_matches, key);

    return link ? container_of(link, struct conn_entry, link) : NULL;
}

int pool_put(struct conn *conn, const struct conn_key *key)
{
    struct table *keys = conn->transport->keys;
    struct conn_entry *entry = calloc(1, sizeof(*entry));

    if (!entry)
        return -ENOMEM;
    entry->conn = conn;
    entry->key = *key;
    if (table_put(keys, &entry->link, key_hash(keys, key)) < 0) {
        free(entry);
        return -ENOMEM;
    }
    list_append(&conn->entries, &entry->of_conn);
    conn->entry_count++;
    return 0;
}

static void pool_remove(struct conn_entry *entry)
{
    table_remove(entry->conn->transport->keys, &entry->link);
    list_remove(&entry->of_conn);
    entry->conn->entry_count--;
    free(entry);
}

void pool_remove_all(struct conn *conn)
{
    struct list *link;

    while ((link = list_pop(&conn->entries)))
        pool_remove(container_of(link, struct conn_entry, of_conn));
}

void pool_remove_lost(struct conn *conn)
{
    list_each (link, next, &conn->entries) {
        struct conn_entry *entry = container_of(link, struct conn_entry, of_conn);

        if (!conn_holds(conn, entry->key.far_domain))
            pool_remove(entry);
    }
}

/* The far side reopened its connection (its old one may be dead without our knowing), so the newest
 * offer of the same name wins; a connection that we opened ourselves stays. */
void conn_offer_alias(struct conn *conn, const char *far_domain, const struct netaddr *addr)
{
    struct conn_key key;
    struct conn_entry *entry;

    if (!conn->accepted || !conn_proves(conn, far_domain) || !netaddr_eq_ip(addr, &conn->key.addr))
        return;
    key = conn->key;
    key.addr = *addr;
    snprintf(key.far_domain, sizeof(key.far_domain), "%s", far_domain);
    entry = pool_find(conn->transport, &key);
    if (entry && (entry->conn == conn || !entry->conn->accepted))
        return;
    if (conn->entry_count == CONN_MAX_ALIASES)
        return;
    if (entry)
        pool_remove(entry);
    pool_put(conn, &key);
}

/* The source address is the one by which the far side knows us: cores accept us by it. Only the IP
 * is bound; the port is chosen when connecting, so ports are shared between targets. */
static int bind_source(const struct transport *transport, const struct conn_key *key, int fd)
{
    int on = 1;

    for (size_t i = 0; i < transport->conf->listener_count; i++) {
        const struct transport_listener *listener = &transport->conf->listeners[i];
        struct netaddr source = listener->bind;

        if (listener->side != key->side || source.sa.sa_family != key->addr.sa.sa_family ||
            netaddr_is_wildcard(&source))
            continue;
        netaddr_set_port(&source, 0);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        return bind(fd, &source.sa, netaddr_len(&source)) < 0 ? -errno : 0;
    }
    return 0;
}

/* The listener that stands for a connection which we opened: of this transport if there is one. */
static const struct transport_listener *listener_naming(const struct transport *transport,
                                                        const struct conn_key *key)
{
    static const enum sip_transport order[] = {SIP_TLS, SIP_TCP, SIP_UDP};
    int family = key->addr.sa.sa_family;
    const struct transport_listener *listener =
        transport_listener_for(transport, key->side, key->transport, family);

    for (size_t i = 0; !listener && i < sizeof(order) / sizeof(order[0]); i++)
        listener = transport_listener_for(transport, key->side, order[i],
                                          order[i] == SIP_UDP ? AF_UNSPEC : family);
    return listener;
}

static bool key_is_sound(const struct conn_key *key)
{
    int family = key->addr.sa.sa_family;

    if ((family != AF_INET && family != AF_INET6) || netaddr_port(&key->addr) == 0)
        return false;
    if (key->transport == SIP_TCP)
        return true;
    return key->transport == SIP_TLS && key->far_domain[0];
}

/* Starts a connection on `fd`; what fails from here on is told to the watches as its end. */
static void conn_open(struct conn *conn)
{
    int status = bind_source(conn->transport, &conn->key, conn->fd);
    char name[CONN_NAME_MAX];

    if (status < 0) {
        conn_close(conn, "%s: cannot send from our own address: %s", conn_name(conn, name),
                   stream_errno_text(-status));
        return;
    }
    if (connect(conn->fd, &conn->key.addr.sa, netaddr_len(&conn->key.addr)) < 0 &&
        errno != EINPROGRESS) {
        conn_close(conn, "%s: %s", conn_name(conn, name), stream_errno_text(errno));
        return;
    }
    conn_start(conn);
}

static int pool_open(struct transport *transport, const struct conn_key *key, struct conn **conn)
{
    const struct transport_listener *listener = listener_naming(transport, key);
    struct conn *made;
    int fd, status;

    if (!listener)
        return -ENOENT;
    if (transport->stats.connections >= transport->max_connections)
        return STATUS_LIMIT;
    fd = socket(key->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    made = conn_alloc(transport, fd, key, listener, CONN_CONNECTING);
    if (!made)
        return -ENOMEM;
    conn_ref(made);
    status = key->transport == SIP_TLS ? conn_tls_attach(made) : 0;
    if (status == 0)
        status = pool_put(made, key);
    if (status < 0) {
        conn_close(made, "%s", status_text(status));
        conn_unref(made);
        return status;
    }
    conn_open(made);
    *conn = made;
    return 0;
}

static bool may_serve(const struct conn *conn, const struct conn_key *key)
{
    return key->transport != SIP_TLS || key->under_way || conn_proves(conn, key->far_domain);
}

int transport_connect(struct transport *transport, const struct conn_key *key, struct conn **conn)
{
    const struct conn_entry *entry;
    struct conn *found;

    if (!key_is_sound(key))
        return -EINVAL;
    entry = pool_find(transport, key);
    if (!entry)
        return pool_open(transport, key, conn);
    found = conn_ref(entry->conn);
    verdict_is_over(found);
    if (conn_is_open(found) && !pool_find(transport, key)) { /* an alias, and no longer */
        conn_unref(found);
        return pool_open(transport, key, conn);
    }
    if (conn_is_open(found) && !may_serve(found, key)) {
        conn_unref(found);
        return STATUS_UNPROVEN;
    }
    *conn = found;
    return 0;
}
