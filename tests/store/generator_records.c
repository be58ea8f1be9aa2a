#include "tests/store/generator.h"

#include <string.h>

#define SECOND_MS ((uint64_t)1000)
#define HOUR_MS   (3600 * SECOND_MS)

#define VALID 98 /* names in a hundred that follow the rules */

/* Mostly soon; seldom past or far away; often never. */
static uint64_t end_of(struct generator *generator)
{
    struct dice *dice = &generator->dice;
    switch (dice_roll(dice, 10)) {
    case 0:
        return 1 + dice_roll(dice, 1000);
    case 1:
        return generator->now_ms + 24 * HOUR_MS * dice_roll(dice, 400);
    case 2:
    case 3:
    case 4:
        return generator->now_ms + dice_roll(dice, (unsigned)(3 * HOUR_MS));
    default:
        return 0;
    }
}

/* ---- domains ---- */

static void core_fill(struct dice *dice, bool ranked, struct store_core *core)
{
    static const char *const hosts[] = {"192.0.2.1",    "2001:db8::1",   "core.opa.example",
                                        "Core.example", "[2001:db8::1]", ""};
    unsigned i = dice_percent(dice, VALID) ? dice_roll(dice, 3) : dice_roll(dice, 6);
    snprintf(core->host, sizeof(core->host), "%s", hosts[i]);
    core->port = (uint16_t)dice_u64(dice);
    core->transport = (uint8_t)dice_roll(dice, 4);
    core->priority = ranked ? (uint16_t)dice_u64(dice) : 0;
    core->weight = ranked ? (uint16_t)dice_u64(dice) : 0;
}

static unsigned count_of(struct dice *dice, unsigned least, unsigned most)
{
    if (dice_percent(dice, VALID))
        return least + dice_roll(dice, most - least + 1);
    return dice_percent(dice, 50) ? most + 1 + dice_roll(dice, 1000) : least ? least - 1 : 0;
}

void generator_domain(struct generator *generator, struct store_domain *domain)
{
    static const unsigned days[] = {0, 1, 1, 2, 90, STORE_QUARANTINE_DAYS_MAX};
    struct dice *dice = &generator->dice;
    if (dice_percent(dice, 20))
        snprintf(domain->name, sizeof(domain->name), "spare%u.example", dice_roll(dice, 4));
    else if (dice_percent(dice, 10))
        generator_foreign_name(dice, domain->name);
    else
        generator_domain_name(dice, VALID, domain->name);
    domain->unknown = dice_percent(dice, VALID) ? dice_roll(dice, 2) : dice_roll(dice, 5);
    domain->core_count = count_of(dice, 1, STORE_CORES_MAX);
    domain->ranked = dice_percent(dice, 25);
    for (unsigned i = 0; i < STORE_CORES_MAX && i < domain->core_count; i++)
        core_fill(dice, domain->ranked, &domain->cores[i]);
    domain->claims_per_owner =
        dice_percent(dice, VALID) ? dice_roll(dice, 4) : STORE_CLAIMS_MAX + dice_roll(dice, 2);
    domain->unpublished = dice_percent(dice, 25);
    domain->quarantine_days =
        dice_percent(dice, VALID) ? days[dice_roll(dice, 6)] : STORE_QUARANTINE_DAYS_MAX + 1;
}

/* ---- addresses ---- */

static enum store_address_state state_of(struct dice *dice)
{
    static const enum store_address_state common[] = {
        STORE_ADDRESS_HOSTED,    STORE_ADDRESS_HOSTED,   STORE_ADDRESS_HOSTED,
        STORE_ADDRESS_ALIAS,     STORE_ADDRESS_ALIAS,    STORE_ADDRESS_ALIAS,
        STORE_ADDRESS_PORTED_IN, STORE_ADDRESS_PREPARED, STORE_ADDRESS_MOVED,
        STORE_ADDRESS_PORTED_OUT};
    if (dice_percent(dice, VALID))
        return common[dice_roll(dice, 10)];
    return (enum store_address_state)dice_roll(dice, 20);
}

/* A hosting domain, and a foreign address, that fit the state. */
static void home_fill(struct dice *dice, struct store_record *record)
{
    bool is_foreign = record->state == STORE_ADDRESS_PORTED_IN ||
                      record->state == STORE_ADDRESS_PREPARED ||
                      record->state == STORE_ADDRESS_MOVED;
    if (is_foreign)
        generator_foreign_name(dice, record->address.domain);
    if (record->state == STORE_ADDRESS_PORTED_IN || record->state == STORE_ADDRESS_PREPARED)
        generator_domain_name(dice, VALID, record->hosting);
    else if (record->state == STORE_ADDRESS_MOVED || record->state == STORE_ADDRESS_PORTED_OUT)
        generator_foreign_name(dice, record->hosting);
    else
        memcpy(record->hosting, record->address.domain, sizeof(record->hosting));
}

void generator_record(struct generator *generator, struct store_record *record)
{
    struct dice *dice = &generator->dice;
    memset(record, 0, sizeof(*record));
    generator_address(dice, VALID, &record->address);
    if (dice_percent(dice, 3))
        snprintf(record->address.domain, sizeof(record->address.domain), "spare%u.example",
                 dice_roll(dice, 4));
    record->state = state_of(dice);
    if (dice_percent(dice, VALID))
        home_fill(dice, record);
    else
        generator_domain_name(dice, 50, record->hosting);
    if (record->state == STORE_ADDRESS_ALIAS || dice_percent(dice, 1))
        generator_address(dice, VALID, &record->target);
    if (record->state == STORE_ADDRESS_MOVED || dice_percent(dice, 1))
        record->until_ms = end_of(generator);
    if (dice_percent(dice, 70))
        generator_owner(dice, VALID, record->owner);
    if (dice_percent(dice, 50))
        snprintf(record->display, sizeof(record->display), "%.120s@%.200s", record->address.user,
                 record->address.domain);
    else
        generator_text(dice, 99, record->display, sizeof(record->display));
    record->blocked = dice_percent(dice, 10);
    record->locked = dice_percent(dice, 3);
    record->unpublished = dice_percent(dice, 25);
    if (dice_percent(dice, 30))
        generator_mail(dice, 95, record->notify);
    record->version = dice_roll(dice, 1000);
    record->has_auth = dice_percent(dice, 20);
    record->auth_until_ms = dice_percent(dice, 70) ? generator->now_ms + HOUR_MS : 0;
    dice_fill(dice, record->auth_hash, sizeof(record->auth_hash));
}

void generator_record_change(struct generator *generator, struct store_record *record)
{
    struct dice *dice = &generator->dice;
    if (generator->record_count == 0) {
        generator_record(generator, record);
        return;
    }
    unsigned count =
        generator->record_count < GENERATOR_RECORDS ? generator->record_count : GENERATOR_RECORDS;
    for (int i = 0; i < 3; i++) {
        *record = generator->records[dice_roll(dice, count)];
        if (record->locked)
            break; /* rather unlocked than forgotten */
    }
    if (record->locked || dice_percent(dice, 5))
        record->locked = !record->locked;
    else
        record->blocked = !record->blocked;
    if (dice_percent(dice, 20))
        generator_owner(dice, VALID, record->owner);
}

/* ---- the rest ---- */

void generator_number(struct generator *generator, struct store_number *number)
{
    generator_digits(&generator->dice, VALID, number->digits);
    generator_address(&generator->dice, VALID, &number->address);
}

void generator_peer(struct generator *generator, struct store_peer *peer)
{
    struct dice *dice = &generator->dice;
    if (dice_percent(dice, 50))
        generator_foreign_name(dice, peer->domain);
    else
        generator_domain_name(dice, VALID, peer->domain);
    peer->blocked = dice_percent(dice, 30);
    peer->trusts_identity = dice_percent(dice, 30);
    peer->requests_per_s = dice_percent(dice, 50) ? 0 : (uint32_t)dice_u64(dice);
    peer->calls_max = dice_percent(dice, 50) ? 0 : (uint32_t)dice_u64(dice);
    peer->pin_count = count_of(dice, 0, STORE_PINS_MAX);
    for (unsigned i = 0; i < STORE_PINS_MAX && i < peer->pin_count; i++)
        dice_fill(dice, peer->pins[i], STORE_HASH_LEN);
    generator_text(dice, VALID, peer->tariff, sizeof(peer->tariff));
}

/* Different ones, as a token may not name a domain twice. */
static void token_domains_fill(struct dice *dice, struct store_token *token)
{
    token->domain_count = count_of(dice, 1, STORE_TOKEN_DOMAINS_MAX);
    for (unsigned i = 0; i < STORE_TOKEN_DOMAINS_MAX && i < token->domain_count; i++) {
        if (dice_percent(dice, 99))
            snprintf(token->domains[i], sizeof(token->domains[i]), "d%u.example", i);
        else
            generator_domain_name(dice, 50, token->domains[i]);
    }
}

void generator_token(struct generator *generator, struct store_token *token)
{
    struct dice *dice = &generator->dice;
    generator_token_id(dice, VALID, token->id);
    dice_fill(dice, token->hash, sizeof(token->hash));
    token->scope = dice_percent(dice, VALID) ? dice_roll(dice, 3) : dice_roll(dice, 20);
    if (token->scope == STORE_SCOPE_USER || dice_percent(dice, 2))
        generator_owner(dice, VALID, token->owner);
    if (token->scope == STORE_SCOPE_OPERATOR || dice_percent(dice, 2))
        token_domains_fill(dice, token);
    generator_text(dice, VALID, token->note, sizeof(token->note));
    token->until_ms = end_of(generator);
}

void generator_usage(struct generator *generator, struct store_usage *usage)
{
    struct dice *dice = &generator->dice;
    generator_owner(dice, VALID, usage->node);
    generator_foreign_name(dice, usage->peer);
    usage->period = (uint64_t)dice_roll(dice, 5) * 3600;
    usage->attempts = dice_roll(dice, 1000);
    usage->answers = dice_roll(dice, 1000);
    usage->seconds = dice_u64(dice) >> 24;
    usage->bytes = dice_u64(dice) >> 24;
}
