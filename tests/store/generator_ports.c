/* Ports at their authority and at both hosts, and what protects addresses: of addresses that were
 * added a short time ago, with few codes, so that many are accepted. */
#include "tests/store/generator.h"

#include <string.h>

#define DAY_S  86400u
#define DAY_MS ((uint64_t)DAY_S * 1000)

/* One of two: codes, secrets, keys. */
static void hash_choose(struct dice *dice, const char *kind, uint8_t hash[STORE_HASH_LEN])
{
    char text[STORE_HASH_LEN] = "";
    snprintf(text, sizeof(text), "%s %u", kind, dice_percent(dice, 95) ? 0 : 1);
    memcpy(hash, text, STORE_HASH_LEN);
}

/* Of a ring in which `count` were kept: mostly one of the last few. */
static unsigned ring_choose(struct dice *dice, unsigned count, unsigned size)
{
    unsigned all = count < size ? count : size;
    unsigned few = dice_percent(dice, 80) && all > 3 ? 3 : all;
    return (count - 1 - dice_roll(dice, few)) % size;
}

static void address_choose(struct generator *generator, struct store_address *address)
{
    struct dice *dice = &generator->dice;
    if (generator->record_count == 0 || dice_percent(dice, 10))
        generator_address(dice, 95, address);
    else
        *address = generator->records[ring_choose(dice, generator->record_count, GENERATOR_RECORDS)]
                       .address;
}

static void guarded_choose(struct generator *generator, struct store_address *address)
{
    struct dice *dice = &generator->dice;
    if (generator->guarded_count == 0 || dice_percent(dice, 10))
        address_choose(generator, address);
    else
        *address = generator->guarded[ring_choose(dice, generator->guarded_count, GENERATOR_PORTS)];
}

static void terms_choose(struct dice *dice, struct store_port_terms *terms)
{
    *terms =
        (struct store_port_terms){.window = dice_percent(dice, 50) ? 0 : dice_roll(dice, DAY_S),
                                  .wait = dice_roll(dice, 4 * DAY_S),
                                  .dispute = dice_roll(dice, 4 * DAY_S),
                                  .grace = dice_roll(dice, 3 * DAY_S),
                                  .freeze = dice_percent(dice, 70) ? 0 : dice_roll(dice, DAY_S),
                                  .remind = dice_percent(dice, 50) ? 0 : 3600};
}

/* The gaining domain and its own number; the port's id follows from them. */
static void names_choose(struct generator *generator, struct store_port *port)
{
    struct dice *dice = &generator->dice;
    if (dice_percent(dice, 60))
        generator_foreign_name(dice, port->gaining);
    else
        generator_domain_name(dice, 95, port->gaining);
    snprintf(port->request, sizeof(port->request), "%032x", dice_roll(dice, 1000));
    if (memchr(port->gaining, '\0', sizeof(port->gaining)))
        store_port_id(port->gaining, port->request, port->id);
    if (dice_percent(dice, 2))
        memset(port->id, 'f', STORE_PORT_ID_LEN);
}

/* What takes back a port that was asked for a short time ago. */
static void undo_choose(struct generator *generator, struct store_port *port)
{
    struct dice *dice = &generator->dice;
    const struct store_port *undone =
        &generator->ports[ring_choose(dice, generator->port_count, GENERATOR_PORTS)];
    port->address = undone->address;
    memcpy(port->undoes, undone->id, sizeof(port->undoes));
    if (dice_percent(dice, 70))
        memcpy(port->gaining, undone->address.domain, sizeof(port->gaining));
    store_port_id(port->gaining, port->request, port->id);
}

static const char *proof_of(enum store_port_kind kind, bool by_key)
{
    return by_key ? "key" : kind == STORE_PORT_CODE ? "code" : "secret";
}

static void open_fill(struct generator *generator, struct store_port_order *order)
{
    struct dice *dice = &generator->dice;
    struct store_port *port = &order->port;
    guarded_choose(generator, &port->address);
    names_choose(generator, port);
    port->kind = dice_percent(dice, 60) ? STORE_PORT_CODE : STORE_PORT_RECOVERY;
    if (generator->port_count && dice_percent(dice, 25)) {
        port->kind = STORE_PORT_UNDO;
        undo_choose(generator, port);
    }
    terms_choose(dice, &port->terms);
    hash_choose(dice, "secret", port->undo_hash);
    order->by = STORE_PORT_BY_GAINING;
    order->by_key = port->kind == STORE_PORT_RECOVERY ||
                    (port->kind == STORE_PORT_UNDO && dice_percent(dice, 20));
    hash_choose(dice, proof_of(port->kind, order->by_key), order->proof);
}

/* Of a port that was asked for a short time ago, or of none. */
static void known_fill(struct generator *generator, struct store_port_order *order)
{
    struct dice *dice = &generator->dice;
    if (generator->port_count && dice_percent(dice, 95))
        order->port = generator->ports[ring_choose(dice, generator->port_count, GENERATOR_PORTS)];
    else
        open_fill(generator, order);
}

static void step_fill(struct generator *generator, struct store_port_order *order)
{
    static const struct {
        enum store_port_event event;
        unsigned by;
    } steps[] = {
        {STORE_PORT_APPROVE, STORE_PORT_BY_LOSING},  {STORE_PORT_REJECT, STORE_PORT_BY_LOSING},
        {STORE_PORT_REJECT, STORE_PORT_BY_OPERATOR}, {STORE_PORT_CANCEL, STORE_PORT_BY_GAINING},
        {STORE_PORT_OBJECT, STORE_PORT_BY_LOSING},   {STORE_PORT_OBJECT, STORE_PORT_BY_OWNER},
        {STORE_PORT_ALLOW, STORE_PORT_BY_OPERATOR},  {STORE_PORT_APPROVE, STORE_PORT_BY_GAINING},
        {STORE_PORT_CANCEL, STORE_PORT_BY_LOSING},
    };
    size_t i = dice_roll(&generator->dice, sizeof(steps) / sizeof(steps[0]));
    known_fill(generator, order);
    order->event = steps[i].event;
    order->by = steps[i].by;
    order->reason = (enum store_port_reason)dice_roll(&generator->dice, STORE_PORT_REASON_COUNT);
}

/* The gaining host asks for an address, mostly a foreign one. */
static void start_fill(struct generator *generator, struct store_port_order *order)
{
    struct dice *dice = &generator->dice;
    struct store_port *port = &order->port;
    open_fill(generator, order);
    if (dice_percent(dice, 80))
        generator_foreign_name(dice, port->address.domain);
    generator_domain_name(dice, 97, port->gaining);
    port->kind = dice_percent(dice, 80) ? STORE_PORT_CODE : STORE_PORT_RECOVERY;
    port->undoes[0] = '\0';
    if (dice_percent(dice, 50))
        generator_owner(dice, 100, port->owner);
    if (memchr(port->gaining, '\0', sizeof(port->gaining)))
        store_port_id(port->gaining, port->request, port->id);
    port->role = STORE_PORT_GAINING;
}

/* What the authority says of one that was begun, or that nobody here knows. */
static void tell_fill(struct generator *generator, struct store_port_order *order)
{
    static const enum store_port_state states[] = {
        STORE_PORT_PENDING,   STORE_PORT_WAITING,   STORE_PORT_COMMITTED,
        STORE_PORT_COMMITTED, STORE_PORT_COMPLETED, STORE_PORT_UNDONE,
        STORE_PORT_REJECTED,  STORE_PORT_CANCELLED, STORE_PORT_REFUSED,
    };
    struct dice *dice = &generator->dice;
    struct store_port *port = &order->port;
    if (dice_percent(dice, 60))
        known_fill(generator, order);
    else
        start_fill(generator, order);
    if (dice_percent(dice, 30)) /* we lose it */
        port->role = STORE_PORT_LOSING;
    else if (port->role == STORE_PORT_AUTHORITY)
        port->role = STORE_PORT_GAINING;
    port->state = states[dice_roll(dice, sizeof(states) / sizeof(states[0]))];
    port->order = dice_roll(dice, 1000);
    bool is_commit = port->state == STORE_PORT_COMMITTED || port->state == STORE_PORT_COMPLETED;
    port->commit_order = is_commit ? port->order : 0;
    port->committed_ms = is_commit ? generator->now_ms - dice_roll(dice, 5000) : 0;
    port->deadline_ms = dice_percent(dice, 50) ? 0 : generator->now_ms + dice_u64(dice) % DAY_MS;
    port->reminder = dice_roll(dice, 3);
    generator_domain_name(dice, 100, port->losing);
    order->moved = dice_roll(dice, DAY_S);
}

void generator_port(struct generator *generator, enum store_op op, struct store_port_order *order)
{
    if (op == STORE_PORT_OPEN)
        open_fill(generator, order);
    else if (op == STORE_PORT_STEP)
        step_fill(generator, order);
    else if (op == STORE_PORT_START)
        start_fill(generator, order);
    else if (op == STORE_PORT_TELL)
        tell_fill(generator, order);
    else
        known_fill(generator, order);
    order->paid = op == STORE_PORT_PAID ? dice_roll(&generator->dice, STORE_PORT_OWED_ALL + 1) : 0;
}

void generator_guard(struct generator *generator, enum store_op op, struct store_guard *guard)
{
    struct dice *dice = &generator->dice;
    if (dice_percent(dice, 50))
        guarded_choose(generator, &guard->address);
    else
        address_choose(generator, &guard->address);
    if (op == STORE_GUARD_CODE) {
        if (dice_percent(dice, 10))
            generator_foreign_name(dice, guard->code_for);
        hash_choose(dice, "code", guard->code_hash);
        guard->code_until_ms =
            dice_percent(dice, 5) ? 0 : generator->now_ms + dice_u64(dice) % DAY_MS;
        return;
    }
    guard->frozen = dice_percent(dice, 10);
    guard->has_key = dice_percent(dice, 50);
    guard->has_next_key = dice_percent(dice, 70);
    if (guard->has_key)
        hash_choose(dice, "key", guard->key);
    if (!guard->has_next_key)
        return;
    hash_choose(dice, "key", guard->next_key);
    guard->next_key_ms = generator->now_ms + dice_u64(dice) % (2 * DAY_MS) - DAY_MS / 2;
}
