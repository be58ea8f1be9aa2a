/* The one function that changes the directory. Each operation checks everything first and writes
 * after, so that a refusal leaves the transaction as it was and the batch goes on. */
#include "base/status.h"
#include "store/internal.h"

/* ---- operations: each checks, writes the record and fills the change's texts ---- */

static int domain_add(const struct store_txn *txn, struct store_change *change)
{
    struct store_domain domain = change->command->domain;
    int ret = store_domain_check(&domain);
    if (ret)
        return ret;
    ret = store_domain_exists(txn, domain.name);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_EXISTS;
    domain.version = change->position.sequence;
    store_text_add(&change->key, "%s", domain.name);
    store_domain_text(&change->after, &domain);
    return store_domain_write(txn, &domain);
}

static bool version_is_expected(const struct store_change *change, uint64_t version)
{
    uint64_t expected = change->command->expected_version;
    return expected == STORE_ANY_VERSION || expected == version;
}

static int domain_put(const struct store_txn *txn, struct store_change *change)
{
    struct store_domain domain = change->command->domain, old;
    int ret = store_domain_check(&domain);
    if (ret == 0)
        ret = store_domain_read(txn, domain.name, &old);
    if (ret)
        return ret;
    if (!version_is_expected(change, old.version))
        return STATUS_CONFLICT;
    domain.version = change->position.sequence;
    store_text_add(&change->key, "%s", domain.name);
    store_domain_text(&change->before, &old);
    store_domain_text(&change->after, &domain);
    return store_domain_write(txn, &domain);
}

/* Does any address live below or at the domain? 0, STATUS_INUSE or a store status. */
static int domain_check_unused(const struct store_txn *txn, const char *name)
{
    uint64_t guests;
    int ret = store_record_any(txn, name);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_INUSE;
    ret = store_guests_get(txn, name, &guests);
    if (ret)
        return ret;
    return guests ? STATUS_INUSE : 0;
}

static int domain_del(const struct store_txn *txn, struct store_change *change)
{
    const struct store_domain *domain = &change->command->domain;
    struct store_domain old;
    int ret = store_domain_read(txn, domain->name, &old);
    if (ret)
        return ret;
    if (!version_is_expected(change, old.version))
        return STATUS_CONFLICT;
    ret = domain_check_unused(txn, old.name);
    if (ret)
        return ret;
    store_text_add(&change->key, "%s", old.name);
    store_domain_text(&change->before, &old);
    return store_domain_remove(txn, old.name);
}

/* Is the record's claim about who serves it one that we can make? An address of our domain is
 * hosted there or ported out to a foreign one; a foreign address can only be hosted here. */
static int record_check_home(const struct store_txn *txn, const struct store_record *record)
{
    bool is_home = strcmp(record->hosting, record->address.domain) == 0;
    int own = store_domain_exists(txn, record->address.domain);
    int host = is_home ? own : store_domain_exists(txn, record->hosting);
    if (own && own != STATUS_NOTFOUND)
        return own;
    if (host && host != STATUS_NOTFOUND)
        return host;
    if (own == 0 && record->state == STORE_ADDRESS_HOSTED)
        return is_home ? 0 : STATUS_MALFORMED;
    if (own == 0)
        return host == 0 ? STATUS_MALFORMED : 0;
    return record->state == STORE_ADDRESS_HOSTED ? host : STATUS_NOTFOUND;
}

/* Ported in: a foreign address that one of our domains serves. */
static bool record_is_guest(const struct store_record *record)
{
    return record->state == STORE_ADDRESS_HOSTED &&
           strcmp(record->hosting, record->address.domain) != 0;
}

static int address_add(const struct store_txn *txn, struct store_change *change)
{
    struct store_record record = change->command->record, old;
    uint64_t guests = 0;
    int ret = store_record_check(&record);
    if (ret == 0)
        ret = record_check_home(txn, &record);
    if (ret)
        return ret;
    ret = store_record_read(txn, &record.address, &old);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_EXISTS;
    record.version = change->position.sequence;
    record.created_ms = change->position.time_ms;
    store_text_add(&change->key, "%s@%s", record.address.user, record.address.domain);
    store_record_text(&change->after, &record);
    ret = store_record_write(txn, &record);
    if (ret || !record_is_guest(&record))
        return ret;
    ret = store_guests_get(txn, record.hosting, &guests);
    return ret ? ret : store_guests_put(txn, record.hosting, guests + 1);
}

static int address_del(const struct store_txn *txn, struct store_change *change)
{
    const struct store_address *address = &change->command->record.address;
    struct store_record old;
    uint64_t guests = 0;
    int ret = store_record_read(txn, address, &old);
    if (ret)
        return ret;
    if (!version_is_expected(change, old.version))
        return STATUS_CONFLICT;
    store_text_add(&change->key, "%s@%s", address->user, address->domain);
    store_record_text(&change->before, &old);
    ret = store_record_remove(txn, address);
    if (ret || !record_is_guest(&old))
        return ret;
    ret = store_guests_get(txn, old.hosting, &guests);
    if (ret)
        return ret;
    return guests ? store_guests_put(txn, old.hosting, guests - 1) : STATUS_CORRUPT;
}

static int key_add(const struct store_txn *txn, struct store_change *change)
{
    struct store_key key = change->command->key, old;
    int ret = store_token_key_last(txn, &old);
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    key.id = ret == 0 ? old.id + 1 : 1;
    key.created_ms = change->position.time_ms;
    key.retired_ms = 0;
    if (ret == 0) {
        old.retired_ms = change->position.time_ms;
        ret = store_token_key_write(txn, &old);
        if (ret)
            return ret;
    }
    store_text_add(&change->key, "token key %u", (unsigned)key.id);
    return store_token_key_write(txn, &key);
}

/* ---- one command ---- */

static int op_apply(const struct store_txn *txn, struct store_change *change)
{
    switch (change->command->op) {
    case STORE_DOMAIN_ADD:
        return domain_add(txn, change);
    case STORE_DOMAIN_PUT:
        return domain_put(txn, change);
    case STORE_DOMAIN_DEL:
        return domain_del(txn, change);
    case STORE_ADDRESS_ADD:
        return address_add(txn, change);
    case STORE_ADDRESS_DEL:
        return address_del(txn, change);
    case STORE_KEY_ADD:
        return key_add(txn, change);
    }
    return STATUS_MALFORMED;
}

/* Outcomes that are an answer to the command, and not a failure to apply it. */
static bool status_is_verdict(int status)
{
    return status == 0 || status == STATUS_EXISTS || status == STATUS_NOTFOUND ||
           status == STATUS_CONFLICT || status == STATUS_INUSE || status == STATUS_MALFORMED;
}

static bool id_is_set(const uint8_t id[32])
{
    for (int i = 0; i < 32; i++)
        if (id[i])
            return true;
    return false;
}

/* Deletions may use the pages in hand, as long as one command surely fits. */
static bool room_is_enough(enum store_op op, size_t room_pages)
{
    bool is_deletion = op == STORE_DOMAIN_DEL || op == STORE_ADDRESS_DEL;
    return room_pages >= (is_deletion ? STORE_COMMAND_PAGES : STORE_HAND_PAGES);
}

/* Changes, numbers and journals. The position's sequence moves on only with a change. */
static int change_apply(const struct store_txn *txn, struct store_change *change,
                        struct store_position *position)
{
    if (strnlen(change->command->actor, STORE_ACTOR_MAX + 1) > STORE_ACTOR_MAX)
        return STATUS_MALFORMED;
    int ret = op_apply(txn, change);
    if (ret)
        return ret;
    ret = store_journal_append(txn, change);
    if (ret == 0)
        position->sequence = change->position.sequence;
    return ret;
}

/* Judges a command that has no verdict yet and has room. */
static int command_judge(const struct store_txn *txn, const struct store_command *command,
                         bool is_kept, struct store_verdict *verdict)
{
    struct store_change change = {.command = command};
    struct store_position position;
    int ret = store_position_get(txn, &position);
    if (ret)
        return ret;
    if (command->time_ms > position.time_ms)
        position.time_ms = command->time_ms;
    change.position = position;
    change.position.sequence++;
    ret = change_apply(txn, &change, &position);
    if (!status_is_verdict(ret))
        return ret;
    *verdict = (struct store_verdict){.status = ret, .sequence = ret ? 0 : position.sequence};
    if (ret && !is_kept)
        return 0;
    ret = store_position_put(txn, &position);
    return ret || !is_kept ? ret : store_verdict_put(txn, command->id, position.time_ms, verdict);
}

int store_apply(const struct store_txn *txn, const struct store_command *command, size_t room_pages,
                struct store_verdict *verdict)
{
    bool is_kept = id_is_set(command->id);
    int ret = is_kept ? store_verdict_get(txn, command->id, verdict) : STATUS_NOTFOUND;
    if (ret != STATUS_NOTFOUND)
        return ret;
    if (room_is_enough(command->op, room_pages))
        return command_judge(txn, command, is_kept, verdict);
    *verdict = (struct store_verdict){.status = STATUS_FULL};
    return 0;
}
