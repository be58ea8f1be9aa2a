/* Who is told of a port by mail, and by which record of it. */
#include "store/apply.h"

#include "base/status.h"

/* Of the roles that this node has in it the one that speaks: the losing host's, at which the holder
 * can still do something, then the gaining one's, then the authority's. */
static int speaker_find(const struct store_apply *apply, const struct store_port *port,
                        enum store_port_role *role)
{
    int ret = port->losing[0] ? store_domain_exists(apply->txn, port->losing) : STATUS_NOTFOUND;
    if (ret != STATUS_NOTFOUND) {
        *role = STORE_PORT_LOSING;
        return ret;
    }
    ret = store_domain_exists(apply->txn, port->gaining);
    *role = ret ? STORE_PORT_AUTHORITY : STORE_PORT_GAINING;
    return ret == STATUS_NOTFOUND ? 0 : ret;
}

/* Whoever has a number is written to as the holder of the address that it leads to. */
static int holder_read(const struct store_apply *apply, const struct store_address *address,
                       struct store_record *holder)
{
    struct store_number number;
    int ret = store_zone_number_read(apply->txn, address, &number);
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    return store_record_read(apply->txn, ret ? address : &number.address, holder);
}

int store_port_owe_mail(const struct store_apply *apply, struct store_port *port)
{
    enum store_port_role speaker;
    struct store_record holder;
    int ret = speaker_find(apply, port, &speaker);
    if (ret || speaker != port->role)
        return ret;
    ret = holder_read(apply, &port->address, &holder);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    if (holder.notify[0])
        port->owed |= STORE_PORT_OWES_MAIL;
    return 0;
}
