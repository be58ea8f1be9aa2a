/* Who has proven a domain: its budgets. */
#include "peering/guard/internal.h"

#include "base/table.h"

#define MESSAGES_PER_REQUEST 10 /* a call's requests and responses, with some to spare */

static enum guard_rule refuse(struct guard *guard, enum guard_rule rule)
{
    guard_count(guard, rule);
    return rule;
}

static unsigned number(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* The budget of who is not known yet grows with every answer; after some there is no such bound. */
static uint64_t first_contact(struct guard *guard, struct guard_slot *slot, uint64_t now_ms)
{
    unsigned answered = number(&slot->answered);
    const struct guard_rate rate = {(uint64_t)guard->conf.first_contact * (1 + answered),
                                    guard->conf.first_contact, 60000};
    if (answered >= GUARD_KNOWN_AFTER)
        return 0;
    return guard_bucket_take(&slot->bucket_us[PEER_FIRST], &rate, now_ms);
}

/* Returns when there is room for it; 0: it is taken. */
static uint64_t take_request(struct guard *guard, struct guard_slot *slot,
                             const struct guard_grant *grant, uint64_t now_ms)
{
    unsigned requests = grant->requests ? grant->requests : guard->conf.peer_requests;
    const struct guard_rate rate = {2 * (uint64_t)requests, requests, 1000};
    if (number(&slot->requests) != grant->requests)
        atomic_store_explicit(&slot->requests, grant->requests, memory_order_relaxed);
    return guard_bucket_take(&slot->bucket_us[PEER_REQUESTS], &rate, now_ms);
}

void guard_note_request(struct guard *guard, uint64_t peer, const struct guard_grant *grant,
                        uint64_t now_ms)
{
    struct guard_slot *slot = guard_slot_get(&guard->peers, peer, now_ms);
    if (slot)
        take_request(guard, slot, grant, now_ms);
}

enum guard_rule guard_request(struct guard *guard, uint64_t peer, const struct guard_grant *grant,
                              uint64_t now_ms, uint64_t *wait_ms)
{
    struct guard_slot *slot = guard_slot_get(&guard->peers, peer, now_ms);
    *wait_ms = 0;
    if (!slot)
        return GUARD_OK;
    *wait_ms = take_request(guard, slot, grant, now_ms);
    if (*wait_ms > 0)
        return refuse(guard, GUARD_PEER_REQUESTS);
    if (!grant->listed)
        *wait_ms = first_contact(guard, slot, now_ms);
    return *wait_ms > 0 ? refuse(guard, GUARD_FIRST_CONTACT) : GUARD_OK;
}

enum guard_rule guard_called(struct guard *guard, uint64_t peer, struct slice user,
                             struct slice domain, uint64_t now_ms)
{
    const struct guard_rate rate = {guard->conf.called_calls, guard->conf.called_calls, 60000};
    uint64_t key = siphash_after(guard->key, siphash_after(guard->key, peer, user), domain) | 1;
    if (guard->conf.called_calls == 0)
        return GUARD_OK;
    struct guard_slot *slot = guard_slot_get(&guard->called, key, now_ms);
    if (slot && guard_bucket_take(&slot->bucket_us[CALLED_CALLS], &rate, now_ms) > 0)
        return refuse(guard, GUARD_CALLED);
    return GUARD_OK;
}

/* One more is held there. On GUARD_OK *slot counts it; NULL: nobody does. */
static enum guard_rule hold(struct guard *guard, const struct guard_table *table, uint64_t key,
                            uint64_t now_ms, unsigned most, struct guard_slot **slot)
{
    *slot = guard_slot_get(table, key, now_ms);
    if (!*slot)
        return GUARD_OK;
    if (atomic_fetch_add_explicit(&(*slot)->held, 1, memory_order_relaxed) < most || most == 0)
        return GUARD_OK;
    guard_release(*slot);
    *slot = NULL;
    return refuse(guard,
                  table == &guard->joined ? GUARD_PEER_CONNECTIONS : GUARD_PEER_TRANSACTIONS);
}

enum guard_rule guard_join(struct guard *guard, uint64_t peer, uint64_t now_ms,
                           struct guard_slot **slot)
{
    return hold(guard, &guard->joined, peer, now_ms, guard->conf.peer_connections, slot);
}

enum guard_rule guard_begin(struct guard *guard, uint64_t peer, const struct guard_grant *grant,
                            uint64_t now_ms, struct guard_slot **slot)
{
    unsigned most = grant->transactions ? grant->transactions : guard->conf.peer_transactions;
    return hold(guard, &guard->peers, peer, now_ms, most, slot);
}

unsigned guard_message(struct guard *guard, uint64_t peer, uint64_t now_ms)
{
    struct guard_slot *slot = guard_slot_get(&guard->peers, peer, now_ms);
    if (!slot || guard->conf.peer_messages == 0)
        return 0;
    uint64_t most = (uint64_t)MESSAGES_PER_REQUEST * number(&slot->requests);
    if (most < guard->conf.peer_messages)
        most = guard->conf.peer_messages;
    const struct guard_rate rate = {2 * most, most, 1000};
    uint64_t wait_ms = guard_bucket_take(&slot->bucket_us[PEER_MESSAGES], &rate, now_ms);
    if (wait_ms > 0)
        guard_count(guard, GUARD_PEER_MESSAGES);
    return (unsigned)wait_ms;
}
