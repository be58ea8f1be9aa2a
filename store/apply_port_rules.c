/* What a port under way forbids to do with its address meanwhile, and what ends with the address.
 */
#include "store/apply.h"

#include "base/status.h"

/* ---- what it forbids ---- */

static int open_in_role(const struct store_apply *apply, enum store_port_role role,
                        const struct store_address *address)
{
    struct store_port open;
    int ret = store_port_find_open(apply->txn, role, address, &open);
    return ret == 0 ? STATUS_PORTING : ret == STATUS_NOTFOUND ? 0 : ret;
}

int store_port_none_open(const struct store_apply *apply, const struct store_address *address)
{
    int ret = 0;
    for (int role = 0; ret == 0 && role < STORE_PORT_ROLE_COUNT; role++)
        ret = open_in_role(apply, (enum store_port_role)role, address);
    return ret;
}

static bool grace_visit(const struct store_port *port, void *arg)
{
    bool *found = arg;
    *found = port->role == STORE_PORT_LOSING && port->state == STORE_PORT_COMMITTED;
    return !*found;
}

/* The old host keeps its entry, and with it who had the address there, as long as that may come
 * back. */
static int grace_is_over(const struct store_apply *apply, const struct store_address *address)
{
    struct store_host host;
    bool found = false;
    int ret = store_record_host(apply->txn, address, &host);
    if (ret == 0 && host.state == STORE_ADDRESS_MOVED)
        ret = store_port_scan_address(apply->txn, address, SIZE_MAX, grace_visit, &found);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    return found ? STATUS_PORTING : 0;
}

int store_port_none_holds(const struct store_apply *apply, const struct store_address *address)
{
    int ret = store_port_none_open(apply, address);
    return ret ? ret : grace_is_over(apply, address);
}

/* ---- what ends with the address ---- */

/* What is under way at the authority ends, where the table knows that. */
static int open_end(struct store_apply *apply, const struct store_address *address)
{
    struct store_port open;
    int ret = store_port_find_open(apply->txn, STORE_PORT_AUTHORITY, address, &open);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    ret = store_port_step(apply, &open, STORE_PORT_GO, STORE_PORT_BY_PORT, STORE_PORT_RELEASED);
    return ret == STATUS_STATE ? STATUS_PORTING : ret;
}

struct undoable_find {
    struct store_port port;
    bool found;
};

static bool undoable_visit(const struct store_port *port, void *arg)
{
    struct undoable_find *find = arg;
    find->found = port->role == STORE_PORT_AUTHORITY && port->state == STORE_PORT_COMMITTED;
    if (find->found)
        find->port = *port;
    return !find->found;
}

/* Whoever has a secret of before takes nothing back that is another's by now. */
static int undos_end(struct store_apply *apply, const struct store_address *address)
{
    struct undoable_find find = {.found = true};
    int ret = 0;
    while (ret == 0 && find.found) {
        find.found = false;
        ret = store_port_scan_address(apply->txn, address, SIZE_MAX, undoable_visit, &find);
        if (ret == 0 && find.found)
            ret = store_port_step(apply, &find.port, STORE_PORT_GO, STORE_PORT_BY_PORT,
                                  STORE_PORT_RELEASED);
    }
    return ret;
}

int store_port_guard_drop(struct store_apply *apply, const struct store_address *address)
{
    struct store_guard guard;
    int ret = store_guard_read(apply->txn, address, &guard);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    return store_apply_write(apply, apply->command->op, STORE_KIND_GUARD, &guard, NULL);
}

int store_port_gone(struct store_apply *apply, const struct store_address *address)
{
    bool own;
    int ret = store_domain_exists(apply->txn, address->domain);
    own = ret == 0;
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    if (!own)
        return store_port_none_holds(apply, address);
    ret = open_end(apply, address);
    if (ret == 0)
        ret = undos_end(apply, address);
    return ret ? ret : store_port_guard_drop(apply, address);
}
