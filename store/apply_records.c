/* Domains, numbers, peers, tokens and keys: records that are added, replaced and deleted. */
#include "store/apply.h"

#include "base/status.h"

#include <stdio.h>

/* ---- what is alike ---- */

/* A new record, stamped, into `made`. `given` is the command's. */
static int record_add(struct store_apply *apply, enum store_kind kind, const void *given)
{
    union store_any made, old;
    int ret = store_any_read(apply->txn, kind, given, &old);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_EXISTS;
    memcpy(&made, given, store_any_size(kind));
    struct store_stamps stamps = store_any_stamps(kind, &made);
    *stamps.version = store_apply_version(apply);
    *stamps.created_ms = apply->position.time_ms;
    return store_apply_write(apply, apply->command->op, kind, NULL, &made);
}

static int record_put(struct store_apply *apply, enum store_kind kind, const void *given)
{
    union store_any made, old;
    int ret = store_any_read(apply->txn, kind, given, &old);
    if (ret)
        return ret;
    struct store_stamps before = store_any_stamps(kind, &old);
    if (!store_apply_expects(apply, *before.version))
        return STATUS_CONFLICT;
    memcpy(&made, given, store_any_size(kind));
    struct store_stamps stamps = store_any_stamps(kind, &made);
    *stamps.version = store_apply_version(apply);
    *stamps.created_ms = *before.created_ms;
    return store_apply_write(apply, apply->command->op, kind, &old, &made);
}

static int record_del(struct store_apply *apply, enum store_kind kind, const void *given)
{
    union store_any old;
    int ret = store_any_read(apply->txn, kind, given, &old);
    if (ret)
        return ret;
    if (!store_apply_expects(apply, *store_any_stamps(kind, &old).version))
        return STATUS_CONFLICT;
    return store_apply_write(apply, apply->command->op, kind, &old, NULL);
}

/* ---- domains ---- */

int store_domain_check_new(const struct store_txn *txn, const char *name)
{
    int ret = store_domain_exists(txn, name);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_EXISTS;
    /* An address of a foreign domain and one of ours have different states. */
    ret = store_record_any(txn, name);
    if (ret == STATUS_NOTFOUND)
        return 0;
    return ret ? ret : STATUS_INUSE;
}

int store_apply_domain_add(struct store_apply *apply)
{
    const struct store_domain *domain = &apply->command->domain;
    int ret = store_domain_check(domain);
    if (ret == 0)
        ret = store_domain_check_new(apply->txn, domain->name);
    return ret ? ret : record_add(apply, STORE_KIND_DOMAIN, domain);
}

int store_apply_domain_put(struct store_apply *apply)
{
    struct store_domain domain = {.version = 0}, old;
    int ret = store_domain_check(&apply->command->domain);
    if (ret == 0)
        ret = store_domain_read(apply->txn, apply->command->domain.name, &old);
    if (ret)
        return ret;
    store_domain_copy(&domain, &apply->command->domain);
    domain.move = old.move;
    memcpy(domain.move_to, old.move_to, sizeof(domain.move_to));
    return record_put(apply, STORE_KIND_DOMAIN, &domain);
}

/* Does any address live below or at the domain, or is one to come? 0, STATUS_INUSE or a store
 * status. */
static int domain_check_unused(const struct store_txn *txn, const char *name)
{
    int ret = store_record_any(txn, name);
    if (ret == STATUS_NOTFOUND)
        ret = store_guests_any(txn, name);
    if (ret == STATUS_NOTFOUND)
        ret = store_port_domain_any(txn, name);
    if (ret == STATUS_NOTFOUND)
        return 0;
    return ret ? ret : STATUS_INUSE;
}

int store_apply_domain_del(struct store_apply *apply)
{
    const struct store_domain *domain = &apply->command->domain;
    struct store_domain old;
    int ret = store_domain_read(apply->txn, domain->name, &old);
    if (ret)
        return ret;
    if (!store_apply_expects(apply, old.version))
        return STATUS_CONFLICT;
    ret = domain_check_unused(apply->txn, old.name);
    return ret ? ret : record_del(apply, STORE_KIND_DOMAIN, domain);
}

/* ---- numbers ---- */

/* It leads to an address that somebody has. */
static int number_check(const struct store_apply *apply, const struct store_number *number)
{
    struct store_host host;
    int ret = store_number_check(number);
    if (ret == 0)
        ret = store_record_host(apply->txn, &number->address, &host);
    if (ret)
        return ret;
    return host.state == STORE_ADDRESS_TOMBSTONE ? STATUS_NOTFOUND : 0;
}

/* Who serves the address that the number leads to: he has the number too. */
static int number_host(const struct store_apply *apply, const struct store_number *number,
                       struct store_record *record)
{
    struct store_record led;
    bool is_own;
    int ret = store_record_read(apply->txn, &number->address, &led);
    if (ret)
        return ret;
    ret = store_domain_exists(apply->txn, number->zone);
    is_own = ret == 0;
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    record->state = is_own ? STORE_ADDRESS_PORTED_OUT : STORE_ADDRESS_PORTED_IN;
    memcpy(record->hosting, led.hosting, sizeof(record->hosting));
    if (is_own && strcmp(led.hosting, number->zone) == 0)
        record->state = STORE_ADDRESS_HOSTED;
    memcpy(record->owner, led.owner, sizeof(record->owner));
    return store_record_check_home(apply->txn, record);
}

/* Of the number in its zone. */
static void number_address(const struct store_number *number, struct store_address *address)
{
    snprintf(address->user, sizeof(address->user), "+%s", number->digits);
    memcpy(address->domain, number->zone, sizeof(address->domain));
}

/* The address of a number in its zone, where there is none: from it on it can be ported. */
static int number_claim(struct store_apply *apply, const struct store_number *number)
{
    struct store_record record = {.created_ms = apply->position.time_ms}, known;
    if (!apply->command->claim || !number->zone[0])
        return 0;
    number_address(number, &record.address);
    int ret = store_record_read(apply->txn, &record.address, &known);
    if (ret == 0 && known.state == STORE_ADDRESS_TOMBSTONE)
        return STATUS_QUARANTINED;
    if (ret != STATUS_NOTFOUND)
        return ret;
    ret = number_host(apply, number, &record);
    if (ret)
        return ret;
    snprintf(record.display, sizeof(record.display), "%s@%s", record.address.user,
             record.address.domain);
    record.version = store_apply_version(apply);
    return store_apply_write(apply, apply->command->op, STORE_KIND_ADDRESS, NULL, &record);
}

/* 0 where there is such a number, of the version that the command expects. */
static int number_known(const struct store_apply *apply, struct store_number *known)
{
    int ret = store_number_read(apply->txn, apply->command->number.digits, known);
    return ret == 0 && !store_apply_expects(apply, known->version) ? STATUS_CONFLICT : ret;
}

/* While the number moves, its entry stays in the zone by which it does. */
static int number_may_leave(const struct store_apply *apply, const struct store_number *known)
{
    struct store_address address;
    if (!known->zone[0])
        return 0;
    number_address(known, &address);
    return store_port_none_holds(apply, &address);
}

int store_apply_number_add(struct store_apply *apply)
{
    const struct store_number *number = &apply->command->number;
    struct store_number known;
    int ret = number_check(apply, number);
    if (ret)
        return ret;
    ret = store_number_read(apply->txn, number->digits, &known);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_EXISTS;
    ret = number_claim(apply, number);
    return ret ? ret : record_add(apply, STORE_KIND_NUMBER, number);
}

int store_apply_number_put(struct store_apply *apply)
{
    const struct store_number *number = &apply->command->number;
    struct store_number known;
    int ret = number_check(apply, number);
    if (ret == 0)
        ret = number_known(apply, &known);
    if (ret == 0 && strcmp(known.zone, number->zone) != 0)
        ret = number_may_leave(apply, &known);
    if (ret == 0)
        ret = number_claim(apply, number);
    return ret ? ret : record_put(apply, STORE_KIND_NUMBER, number);
}

int store_number_forget(struct store_apply *apply, const struct store_address *address)
{
    struct store_number number;
    int ret = store_zone_number_read(apply->txn, address, &number);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    return store_apply_write(apply, apply->command->op, STORE_KIND_NUMBER, &number, NULL);
}

int store_number_aim(struct store_apply *apply, const struct store_address *address,
                     const struct store_address *target)
{
    struct store_number number = {.created_ms = apply->position.time_ms}, known;
    if (!store_zone_number_digits(address, number.digits))
        return STATUS_MALFORMED;
    number.address = *target;
    memcpy(number.zone, address->domain, sizeof(number.zone));
    int ret = number_check(apply, &number);
    if (ret)
        return ret;
    ret = store_number_read(apply->txn, number.digits, &known);
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    number.version = store_apply_version(apply);
    if (ret == 0)
        number.created_ms = known.created_ms;
    return store_apply_write(apply, apply->command->op, STORE_KIND_NUMBER, ret ? NULL : &known,
                             &number);
}

int store_apply_number_del(struct store_apply *apply)
{
    struct store_number known;
    int ret = number_known(apply, &known);
    if (ret == 0)
        ret = number_may_leave(apply, &known);
    return ret ? ret : record_del(apply, STORE_KIND_NUMBER, &known);
}

/* ---- peers and tokens ---- */

int store_apply_peer_add(struct store_apply *apply)
{
    int ret = store_peer_check(&apply->command->peer);
    return ret ? ret : record_add(apply, STORE_KIND_PEER, &apply->command->peer);
}

int store_apply_peer_put(struct store_apply *apply)
{
    int ret = store_peer_check(&apply->command->peer);
    return ret ? ret : record_put(apply, STORE_KIND_PEER, &apply->command->peer);
}

int store_apply_peer_del(struct store_apply *apply)
{
    return record_del(apply, STORE_KIND_PEER, &apply->command->peer);
}

int store_apply_token_add(struct store_apply *apply)
{
    int ret = store_token_check(&apply->command->token);
    return ret ? ret : record_add(apply, STORE_KIND_TOKEN, &apply->command->token);
}

int store_apply_token_del(struct store_apply *apply)
{
    return record_del(apply, STORE_KIND_TOKEN, &apply->command->token);
}

/* ---- keys of dialog tokens ---- */

int store_apply_key_add(struct store_apply *apply)
{
    struct store_key key = apply->command->key, old;
    int ret = store_token_key_last(apply->txn, &old);
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    key.id = ret == 0 ? old.id + 1 : 1;
    key.created_ms = apply->position.time_ms;
    key.retired_ms = 0;
    if (ret == 0) {
        old.retired_ms = apply->position.time_ms;
        ret = store_token_key_write(apply->txn, &old);
        if (ret)
            return ret;
    }
    ret = store_token_key_write(apply->txn, &key);
    if (ret)
        return ret;
    char name[32];
    snprintf(name, sizeof(name), "token key %u", (unsigned)key.id);
    return store_apply_journal(
        apply, &(struct store_change){.op = STORE_KEY_ADD, .kind = STORE_KIND_KEY, .text = name});
}
