#include "tests/store/generator.h"

#include <string.h>

static const struct {
    enum store_op op;
    unsigned weight;
} weights[] = {
    {STORE_DOMAIN_ADD, 4},    {STORE_DOMAIN_PUT, 4},   {STORE_DOMAIN_DEL, 2},
    {STORE_ADDRESS_ADD, 24},  {STORE_ADDRESS_PUT, 16}, {STORE_ADDRESS_RELEASE, 18},
    {STORE_ADDRESS_PURGE, 8}, {STORE_ADDRESS_AUTH, 5}, {STORE_ADDRESS_IMPORT, 3},
    {STORE_ADDRESS_UNDO, 2},  {STORE_NUMBER_ADD, 4},   {STORE_NUMBER_PUT, 3},
    {STORE_NUMBER_DEL, 3},    {STORE_PEER_ADD, 2},     {STORE_PEER_PUT, 2},
    {STORE_PEER_DEL, 1},      {STORE_TOKEN_ADD, 3},    {STORE_TOKEN_DEL, 1},
    {STORE_KEY_ADD, 1},       {STORE_EXPIRE, 2},       {STORE_JOURNAL_TRIM, 1},
    {(enum store_op)0, 1},    {STORE_BULK_LOAD, 1},    {(enum store_op)200, 1},
    {STORE_GUARD_PUT, 4},     {STORE_GUARD_CODE, 8},   {STORE_PORT_OPEN, 12},
    {STORE_PORT_STEP, 8},     {STORE_PORT_PAID, 3},    {STORE_PORT_START, 5},
    {STORE_PORT_TELL, 10},    {STORE_CURSOR_PUT, 3},   {STORE_CURSOR_DEL, 1},
    {STORE_USAGE_ADD, 2},
};
#define LOCAL_OPS 3 /* the last ones */

void generator_init(struct generator *generator, const struct generator_conf *conf, uint64_t seed)
{
    memset(generator, 0, sizeof(*generator));
    generator->conf = *conf;
    generator->dice.state = seed;
}

void generator_copy(struct generator_slot *to, const struct generator_slot *from)
{
    enum store_op op = from->command.op;
    memcpy(to, from, sizeof(*to));
    if (op == STORE_ADDRESS_IMPORT || op == STORE_ADDRESS_UNDO) {
        to->command.batch.records = to->records;
        to->command.batch.statuses = to->statuses;
    } else if (op == STORE_USAGE_ADD) {
        to->command.usage.usages = to->usages;
    }
}

static enum store_op op_draw(struct generator *generator)
{
    size_t count = sizeof(weights) / sizeof(weights[0]) - (generator->conf.local ? 0 : LOCAL_OPS);
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += weights[i].weight;
    unsigned left = dice_roll(&generator->dice, sum);
    for (size_t i = 0;; i++) {
        if (left < weights[i].weight)
            return weights[i].op;
        left -= weights[i].weight;
    }
}

static enum store_op op_choose(struct generator *generator)
{
    enum store_op op;
    do
        op = op_draw(generator);
    while (!generator->conf.upkeep && (op == STORE_EXPIRE || op == STORE_JOURNAL_TRIM));
    return op;
}

/* ---- versions ---- */

/* The name of the record that a command is about. */
static void name_of(const struct store_command *command, char *name, size_t size)
{
    switch (command->op) {
    case STORE_DOMAIN_ADD:
    case STORE_DOMAIN_PUT:
    case STORE_DOMAIN_DEL:
        snprintf(name, size, "%.253s", command->domain.name);
        return;
    case STORE_NUMBER_ADD:
    case STORE_NUMBER_PUT:
    case STORE_NUMBER_DEL:
        snprintf(name, size, "+%.15s", command->number.digits);
        return;
    case STORE_PEER_ADD:
    case STORE_PEER_PUT:
    case STORE_PEER_DEL:
        snprintf(name, size, "peer %.253s", command->peer.domain);
        return;
    case STORE_TOKEN_ADD:
    case STORE_TOKEN_DEL:
        snprintf(name, size, "token %.12s", command->token.id);
        return;
    case STORE_PORT_OPEN:
    case STORE_PORT_STEP:
    case STORE_PORT_START:
    case STORE_PORT_TELL:
    case STORE_PORT_PAID:
        snprintf(name, size, "port %d %.32s", (int)command->order.port.role,
                 command->order.port.id);
        return;
    case STORE_GUARD_PUT:
        snprintf(name, size, "guard %.120s@%.253s", command->guard.address.user,
                 command->guard.address.domain);
        return;
    case STORE_GUARD_CODE:
        snprintf(name, size, "%.128s@%.253s", command->guard.address.user,
                 command->guard.address.domain);
        return;
    default:
        snprintf(name, size, "%.128s@%.253s", command->record.address.user,
                 command->record.address.domain);
    }
}

static uint64_t version_choose(struct generator *generator, const struct store_command *command)
{
    char name[sizeof(generator->known[0].name)];
    struct dice *dice = &generator->dice;
    if (dice_percent(dice, 60))
        return STORE_ANY_VERSION;
    if (dice_percent(dice, 10))
        return dice_roll(dice, 5000);
    name_of(command, name, sizeof(name));
    for (unsigned i = 0; i < GENERATOR_KNOWN; i++)
        if (generator->known[i].version && strcmp(generator->known[i].name, name) == 0)
            return generator->known[i].version;
    return STORE_ANY_VERSION;
}

static void version_learn(struct generator *generator, const struct store_command *command,
                          uint64_t version)
{
    char name[sizeof(generator->known[0].name)];
    unsigned i = 0;
    name_of(command, name, sizeof(name));
    while (i < GENERATOR_KNOWN && strcmp(generator->known[i].name, name) != 0)
        i++;
    if (i == GENERATOR_KNOWN)
        i = generator->known_count++ % GENERATOR_KNOWN;
    memcpy(generator->known[i].name, name, sizeof(name));
    generator->known[i].version = version;
}

/* ---- arguments ---- */

static void import_fill(struct generator *generator, struct generator_slot *slot)
{
    struct store_batch *batch = &slot->command.batch;
    *batch = (struct store_batch){.records = slot->records, .statuses = slot->statuses};
    batch->count = dice_percent(&generator->dice, 98) ? 1 + dice_roll(&generator->dice, 8)
                                                      : dice_roll(&generator->dice, 2) * 24;
    batch->keep_going = dice_percent(&generator->dice, 60);
    for (size_t i = 0; i < batch->count; i++)
        generator_record(generator, &slot->records[i]);
}

static void undo_fill(struct generator *generator, struct generator_slot *slot)
{
    memcpy(slot->records, generator->undo_records, sizeof(slot->records));
    slot->command.batch = (struct store_batch){
        .records = slot->records, .statuses = slot->statuses, .count = generator->undo.count};
    if (dice_percent(&generator->dice, 20))
        generator_address(&generator->dice, 80, &slot->records[0].address);
}

static void usage_fill(struct generator *generator, struct generator_slot *slot)
{
    slot->command.usage = (struct store_usage_batch){
        .usages = slot->usages, .count = dice_roll(&generator->dice, GENERATOR_BATCH + 1)};
    for (size_t i = 0; i < slot->command.usage.count; i++)
        generator_usage(generator, &slot->usages[i]);
}

/* Seldom most of the journal. */
static uint64_t trim_choose(struct generator *generator)
{
    struct dice *dice = &generator->dice;
    unsigned keep = dice_percent(dice, 10) ? dice_roll(dice, 300) : 300 + dice_roll(dice, 20000);
    return generator->sequence > keep ? generator->sequence - keep : 0;
}

/* Something that was read, or what never will be. */
static void cursor_fill(struct generator *generator, struct store_cursor *cursor)
{
    struct dice *dice = &generator->dice;
    generator_cursor_name(dice, 97, cursor->name);
    uint64_t back = dice_roll(dice, dice_percent(dice, 50) ? 100 : 10000);
    cursor->sequence = generator->sequence > back ? generator->sequence - back : 0;
    if (dice_percent(dice, 5))
        cursor->sequence = UINT64_MAX >> 2;
    cursor->lost = dice_percent(dice, 10);
}

static void argument_fill(struct generator *generator, struct generator_slot *slot)
{
    struct store_command *command = &slot->command;
    switch (command->op) {
    case STORE_DOMAIN_ADD:
    case STORE_DOMAIN_PUT:
    case STORE_DOMAIN_DEL:
        generator_domain(generator, &command->domain);
        return;
    case STORE_ADDRESS_IMPORT:
        import_fill(generator, slot);
        return;
    case STORE_ADDRESS_UNDO:
        undo_fill(generator, slot);
        return;
    case STORE_NUMBER_ADD:
    case STORE_NUMBER_PUT:
    case STORE_NUMBER_DEL:
        generator_number(generator, &command->number);
        return;
    case STORE_PEER_ADD:
    case STORE_PEER_PUT:
    case STORE_PEER_DEL:
        generator_peer(generator, &command->peer);
        return;
    case STORE_TOKEN_ADD:
    case STORE_TOKEN_DEL:
        generator_token(generator, &command->token);
        return;
    case STORE_PORT_OPEN:
    case STORE_PORT_STEP:
    case STORE_PORT_START:
    case STORE_PORT_TELL:
    case STORE_PORT_PAID:
        generator_port(generator, command->op, &command->order);
        return;
    case STORE_GUARD_PUT:
    case STORE_GUARD_CODE:
        generator_guard(generator, command->op, &command->guard);
        return;
    case STORE_KEY_ADD:
        dice_fill(&generator->dice, command->key.secret, sizeof(command->key.secret));
        return;
    case STORE_JOURNAL_TRIM:
        command->sequence = trim_choose(generator);
        return;
    case STORE_CURSOR_PUT:
    case STORE_CURSOR_DEL:
        cursor_fill(generator, &command->cursor);
        return;
    case STORE_USAGE_ADD:
        usage_fill(generator, slot);
        return;
    case STORE_ADDRESS_PUT:
        if (dice_percent(&generator->dice, 50))
            generator_record_change(generator, &command->record);
        else
            generator_record(generator, &command->record);
        return;
    case STORE_ADDRESS_PURGE:
    case STORE_ADDRESS_ADD:
        generator_record(generator, &command->record);
        if (dice_percent(&generator->dice, command->op == STORE_ADDRESS_PURGE ? 80 : 10))
            command->record.address =
                generator->released[dice_roll(&generator->dice, GENERATOR_RECORDS)];
        return;
    default:
        generator_record(generator, &command->record);
    }
}

/* ---- one command ---- */

static uint64_t time_of(struct generator *generator)
{
    struct dice *dice = &generator->dice;
    if (generator->conf.ahead && dice_percent(dice, 1))
        return generator->now_ms + STORE_CLOCK_AHEAD_MS + 1 + dice_roll(dice, 1000);
    if (dice_percent(dice, 5))
        return generator->now_ms + dice_roll(dice, STORE_CLOCK_AHEAD_MS);
    return generator->now_ms - dice_roll(dice, 5000);
}

static void command_make(struct generator *generator, struct generator_slot *slot)
{
    struct store_command *command = &slot->command;
    struct dice *dice = &generator->dice;
    memset(slot, 0, sizeof(*slot));
    command->op = op_choose(generator);
    command->time_ms = time_of(generator);
    argument_fill(generator, slot);
    command->expected_version = version_choose(generator, command);
    command->claim = command->op == STORE_ADDRESS_ADD && dice_percent(dice, 30);
    command->dry_run = generator->conf.dry_runs && dice_percent(dice, 5);
    if (command->dry_run || dice_percent(dice, 30))
        return;
    dice_fill(dice, command->id, sizeof(command->id));
    dice_fill(dice, command->body_hash, sizeof(command->body_hash));
}

/* One of the last commands again, sometimes with another body. */
static void command_repeat(struct generator *generator, struct generator_slot *slot)
{
    struct dice *dice = &generator->dice;
    generator_copy(slot, &generator->history[dice_roll(dice, GENERATOR_HISTORY)]);
    slot->command.time_ms = time_of(generator);
    if (dice_percent(dice, 20))
        slot->command.body_hash[0] ^= 1;
}

void generator_next(struct generator *generator, struct generator_slot *slot)
{
    if (generator->history_count >= GENERATOR_HISTORY && dice_percent(&generator->dice, 8)) {
        command_repeat(generator, slot);
    } else {
        command_make(generator, slot);
        generator_copy(&generator->history[generator->history_count++ % GENERATOR_HISTORY], slot);
    }
    snprintf(slot->command.actor, sizeof(slot->command.actor), "%s-%lu", generator->conf.name,
             generator->number++);
}

/* It gets a code, a key or a port soon. */
static void guarded_learn(struct generator *generator, const struct store_address *address)
{
    generator->guarded[generator->guarded_count++ % GENERATOR_PORTS] = *address;
}

/* The versions of what was imported, as far as they are known. */
static void import_learn(struct generator *generator, const struct generator_slot *slot,
                         const struct store_verdict *verdict)
{
    memcpy(generator->undo_records, slot->records, sizeof(slot->records));
    generator->undo = slot->command.batch;
    if (verdict->count != slot->command.batch.count)
        return;
    for (size_t i = 0; i < slot->command.batch.count; i++)
        generator->undo_records[i].version = verdict->sequence + 1 + i - verdict->count;
    guarded_learn(generator, &slot->records[0].address);
}

void generator_learn(struct generator *generator, const struct generator_slot *slot,
                     const struct store_verdict *verdict)
{
    if (verdict->status || !verdict->sequence || verdict->repeated || slot->command.dry_run)
        return;
    if (verdict->sequence > generator->sequence)
        generator->sequence = verdict->sequence;
    if (slot->command.op == STORE_ADDRESS_IMPORT) {
        import_learn(generator, slot, verdict);
        return;
    }
    version_learn(generator, &slot->command, verdict->sequence);
    if (slot->command.op == STORE_PORT_OPEN || slot->command.op == STORE_PORT_START ||
        slot->command.op == STORE_PORT_TELL)
        generator->ports[generator->port_count++ % GENERATOR_PORTS] = slot->command.order.port;
    if (slot->command.op == STORE_GUARD_CODE || slot->command.op == STORE_GUARD_PUT)
        guarded_learn(generator, &slot->command.guard.address);
    if (slot->command.op == STORE_ADDRESS_RELEASE)
        generator->released[generator->released_count++ % GENERATOR_RECORDS] =
            slot->command.record.address;
    if (slot->command.op == STORE_ADDRESS_ADD || slot->command.op == STORE_ADDRESS_PUT)
        generator->records[generator->record_count++ % GENERATOR_RECORDS] = slot->command.record;
}
