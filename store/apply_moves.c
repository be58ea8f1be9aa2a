/* A whole domain moves to another operator, or comes from one. */
#include "store/apply.h"

#include "base/status.h"
#include "store/table_key.h"

#include <errno.h>
#include <stdlib.h>

/* ---- what is frozen ---- */

/* The address that the command would change, or NULL. What time brings about goes on: it does so
 * where the copy is, too. */
static const struct store_address *address_changed(const struct store_command *command)
{
    switch (command->op) {
    case STORE_ADDRESS_ADD:
    case STORE_ADDRESS_PUT:
    case STORE_ADDRESS_RELEASE:
    case STORE_ADDRESS_PURGE:
    case STORE_ADDRESS_AUTH:
        return &command->record.address;
    case STORE_GUARD_PUT:
    case STORE_GUARD_CODE:
        return &command->guard.address;
    case STORE_PORT_OPEN:
        return &command->order.port.address;
    default:
        return NULL;
    }
}

static int domain_check_frozen(const struct store_txn *txn, const char *name)
{
    struct store_domain domain;
    int ret = store_name_check(name) ? STATUS_NOTFOUND : store_domain_read(txn, name, &domain);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    bool frozen = domain.move == STORE_MOVE_LEAVING || domain.move == STORE_MOVE_GONE;
    return frozen ? STATUS_FROZEN : 0;
}

/* They come sorted, mostly of one domain. */
static int batch_check_frozen(const struct store_apply *apply)
{
    const struct store_batch *batch = &apply->command->batch;
    const char *last = "";
    int ret = 0;
    for (size_t i = 0; ret == 0 && i < batch->count && i < STORE_IMPORT_MAX; i++) {
        const char *name = batch->records[i].address.domain;
        if (strcmp(name, last) != 0)
            ret = domain_check_frozen(apply->txn, name);
        last = name;
    }
    return ret;
}

int store_move_check_frozen(const struct store_apply *apply)
{
    const struct store_command *command = apply->command;
    if (store_op_takes_batch(command->op))
        return batch_check_frozen(apply);
    const struct store_address *address = address_changed(command);
    if (!address && command->op == STORE_PORT_START) /* a guest would come whom nobody copies */
        return domain_check_frozen(apply->txn, command->order.port.gaining);
    return address ? domain_check_frozen(apply->txn, address->domain) : 0;
}

/* ---- from state to state ---- */

static const struct {
    enum store_domain_move from, to;
} steps[] = {
    {STORE_MOVE_NONE, STORE_MOVE_LEAVING},  {STORE_MOVE_LEAVING, STORE_MOVE_GONE},
    {STORE_MOVE_GONE, STORE_MOVE_LEAVING},  {STORE_MOVE_LEAVING, STORE_MOVE_NONE},
    {STORE_MOVE_NONE, STORE_MOVE_ARRIVING}, {STORE_MOVE_ARRIVING, STORE_MOVE_NONE},
};

static bool step_is_known(enum store_domain_move from, enum store_domain_move to)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i].from == from && steps[i].to == to)
            return true;
    return false;
}

struct port_search {
    const char *domain;
    bool found;
};

static bool port_visit(const struct store_port *port, void *arg)
{
    struct port_search *search = arg;
    search->found =
        store_port_is_open(port->state) &&
        (strcmp(port->address.domain, search->domain) == 0 ||
         strcmp(port->gaining, search->domain) == 0 || strcmp(port->losing, search->domain) == 0);
    return !search->found;
}

/* Nothing that is under way would be copied; nor are those whom others own and this domain hosts,
 * who go where they want. */
static int leave_check(const struct store_apply *apply, const struct store_domain *old,
                       const char *to)
{
    struct port_search search = {.domain = old->name};
    if (store_name_check(to) || strcmp(to, old->name) == 0)
        return STATUS_MALFORMED;
    int ret = store_port_scan(apply->txn, NULL, SIZE_MAX, port_visit, &search);
    if (ret || search.found)
        return ret ? ret : STATUS_PORTING;
    ret = store_guests_any(apply->txn, old->name);
    if (ret == STATUS_NOTFOUND)
        return 0;
    return ret ? ret : STATUS_INUSE;
}

static int arrive_check(const struct store_apply *apply, const char *name)
{
    int ret = store_record_any(apply->txn, name);
    if (ret == STATUS_NOTFOUND)
        return 0;
    return ret ? ret : STATUS_INUSE;
}

static int step_check(const struct store_apply *apply, const struct store_domain *old)
{
    const struct store_domain *given = &apply->command->domain;
    if (!step_is_known(old->move, given->move))
        return STATUS_STATE;
    if (given->move == STORE_MOVE_ARRIVING)
        return arrive_check(apply, old->name);
    return old->move == STORE_MOVE_NONE ? leave_check(apply, old, given->move_to) : 0;
}

/* Where it goes is said once, at the start. */
static void step_take(struct store_domain *domain, const struct store_domain *given)
{
    if (domain->move == STORE_MOVE_NONE && given->move == STORE_MOVE_LEAVING)
        memcpy(domain->move_to, given->move_to, sizeof(domain->move_to));
    if (given->move == STORE_MOVE_NONE || given->move == STORE_MOVE_ARRIVING)
        domain->move_to[0] = '\0';
    domain->move = given->move;
}

int store_apply_domain_move(struct store_apply *apply)
{
    const struct store_domain *given = &apply->command->domain;
    struct store_domain old, domain;
    int ret = store_domain_read(apply->txn, given->name, &old);
    if (ret)
        return ret;
    if (!store_apply_expects(apply, old.version))
        return STATUS_CONFLICT;
    bool elsewhere =
        given->move_to[0] && old.move_to[0] && strcmp(given->move_to, old.move_to) != 0;
    if (given->move == old.move && !elsewhere)
        return 0;
    ret = elsewhere ? STATUS_STATE : step_check(apply, &old);
    if (ret)
        return ret;
    domain = old;
    step_take(&domain, given);
    domain.version = store_apply_version(apply);
    return store_apply_write(apply, STORE_DOMAIN_MOVE, STORE_KIND_DOMAIN, &old, &domain);
}

/* ---- what is gone goes ---- */

struct clear {
    struct store_apply *apply;
    struct store_address *addresses; /* STORE_CLEAR_MAX of them */
    size_t count;
};

static int address_take(struct slice key, struct slice value, void *arg)
{
    struct clear *clear = arg;
    (void)value;
    return table_key_to_address(key, &clear->addresses[clear->count++]);
}

/* A number that leads to it, and whose operator would not know where it leads then. */
static bool number_visit(const char *text, void *arg)
{
    bool *found = arg;
    *found = text[0] == '+' && !strchr(text, '@');
    return !*found;
}

static int address_check(struct store_apply *apply, const struct store_address *address)
{
    bool found = false;
    int ret = store_link_scan(apply->txn, address, SIZE_MAX, number_visit, &found);
    return ret || !found ? ret : STATUS_INUSE;
}

static int guard_clear(struct store_apply *apply, const struct store_address *address)
{
    struct store_guard guard;
    int ret = store_guard_read(apply->txn, address, &guard);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    return store_apply_write(apply, STORE_DOMAIN_CLEAR, STORE_KIND_GUARD, &guard, NULL);
}

static int address_clear(struct store_apply *apply, const struct store_address *address)
{
    struct store_record old;
    int ret = store_record_read(apply->txn, address, &old);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    ret = guard_clear(apply, address);
    return ret ? ret : store_apply_write(apply, STORE_DOMAIN_CLEAR, STORE_KIND_ADDRESS, &old, NULL);
}

/* All that are to go now are looked at before the first one does. */
static int clear_run(struct clear *clear, const struct store_domain *old)
{
    struct table_key prefix;
    int ret = table_key_address_prefix(&prefix, old->name);
    if (ret == 0)
        ret = store_list(clear->apply->txn, TABLE_ADDRESSES, table_key_bytes(&prefix), SLICE(""),
                         STORE_CLEAR_MAX, address_take, clear);
    for (size_t i = 0; ret == 0 && i < clear->count; i++)
        ret = address_check(clear->apply, &clear->addresses[i]);
    for (size_t i = 0; ret == 0 && i < clear->count; i++)
        ret = address_clear(clear->apply, &clear->addresses[i]);
    if (ret || clear->count == STORE_CLEAR_MAX)
        return ret;
    return store_apply_write(clear->apply, STORE_DOMAIN_CLEAR, STORE_KIND_DOMAIN, old, NULL);
}

int store_apply_domain_clear(struct store_apply *apply)
{
    struct clear clear = {.apply = apply};
    struct store_domain old;
    int ret = store_domain_read(apply->txn, apply->command->domain.name, &old);
    if (ret)
        return ret;
    if (old.move != STORE_MOVE_GONE && old.move != STORE_MOVE_ARRIVING)
        return STATUS_STATE;
    clear.addresses = calloc(STORE_CLEAR_MAX, sizeof(*clear.addresses));
    if (!clear.addresses)
        return -ENOMEM;
    ret = clear_run(&clear, &old);
    free(clear.addresses);
    return ret;
}
