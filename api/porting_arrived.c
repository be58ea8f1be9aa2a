/* Calls that come before the authority's word does: whoever was asked on the way of a call said
 * that the address is ours by now, so its authority is asked for the port at once. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define KEY_SIZE 48

static bool gaining_visit(const struct store_port *port, void *arg)
{
    struct store_port *found = arg;
    if (port->role == STORE_PORT_GAINING && store_port_is_open(port->state))
        *found = *port;
    return true;
}

/* The port that is to bring it here; false: there is none, or it has come. */
static bool port_find(struct porting *porting, const struct store_address *address,
                      struct store_port *port)
{
    port->id[0] = '\0';
    int status = store_reader_begin(porting->reader);
    if (status == 0) {
        status = store_port_address_list(porting->reader, address, SIZE_MAX, gaining_visit, port);
        store_reader_end(porting->reader);
    }
    return status == 0 && port->id[0] != '\0';
}

/* Calls come again and again: each port is asked for no sooner than its retry is due. */
static void arrived_ask(struct porting *porting, const struct store_port *port)
{
    char key[KEY_SIZE];
    snprintf(key, sizeof(key), "%s/arrived", port->id);
    if (!porting_retry_is_due(porting, key))
        return;
    int status = porting_ask_known(porting, port);
    if (status == 0)
        porting_retry_done(porting, key);
    else
        porting_retry_later(porting, key, PORTING_DOMAIN_MAX_MS, status_text(status));
    log_write(porting->parts.log, LOG_INFO, PORTING_SOURCE,
              "a call came before the word of its authority, which was asked: port=%s: %s",
              port->id, status ? status_text(status) : "told");
}

void porting_arrived_ask(struct porting *porting)
{
    struct store_address list[PORTING_ARRIVED_MAX];
    struct store_port port;
    size_t count = 0;
    if (porting->parts.arrived)
        count = porting->parts.arrived(list, PORTING_ARRIVED_MAX, porting->parts.arrived_arg);
    for (size_t i = 0; i < count; i++)
        if (port_find(porting, &list[i], &port))
            arrived_ask(porting, &port);
}
