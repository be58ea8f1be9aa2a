#include "tests/store/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct store_domain domain_make(const char *name)
{
    struct store_domain domain = {.unknown = STORE_UNKNOWN_CORE,
                                  .core_count = STORE_CORES_MAX,
                                  .ranked = true,
                                  .claims_per_owner = 5,
                                  .quarantine_days = 300,
                                  .version = 5,
                                  .created_ms = 1764000000000};
    snprintf(domain.name, sizeof(domain.name), "%s", name);
    for (unsigned i = 0; i < STORE_CORES_MAX; i++) {
        snprintf(domain.cores[i].host, sizeof(domain.cores[i].host), "core%u.opa.example", i);
        domain.cores[i].port = (uint16_t)(5060 + i);
        domain.cores[i].transport = (uint8_t)i;
        domain.cores[i].priority = (uint16_t)(i * 1000);
        domain.cores[i].weight = (uint16_t)(60000 - i);
    }
    return domain;
}

struct store_record record_make(const char *user, const char *domain,
                                enum store_address_state state)
{
    struct store_record record = {.state = state,
                                  .blocked = true,
                                  .locked = true,
                                  .version = 6,
                                  .created_ms = 1764000000000,
                                  .has_auth = true,
                                  .auth_until_ms = 1765000000000};
    bool is_alias = state == STORE_ADDRESS_ALIAS;
    snprintf(record.address.user, sizeof(record.address.user), "%s", user);
    snprintf(record.address.domain, sizeof(record.address.domain), "%s", domain);
    snprintf(record.hosting, sizeof(record.hosting), "%s", is_alias ? domain : "opb.example");
    snprintf(record.owner, sizeof(record.owner), "%s", "customer-4711");
    snprintf(record.display, sizeof(record.display), "%s", "Alice@OpA.example");
    memset(record.auth_hash, 0xcd, sizeof(record.auth_hash));
    if (is_alias) {
        snprintf(record.target.user, sizeof(record.target.user), "%s", "bob");
        snprintf(record.target.domain, sizeof(record.target.domain), "%s", "opc.example");
    } else {
        record.until_ms = 1766000000000;
        snprintf(record.notify, sizeof(record.notify), "%s", "alice@mail.example");
    }
    return record;
}

struct store_number number_make(const char *digits)
{
    struct store_number number = {.version = 7, .created_ms = UINT64_MAX};
    snprintf(number.digits, sizeof(number.digits), "%s", digits);
    snprintf(number.address.user, sizeof(number.address.user), "%s", "alice");
    snprintf(number.address.domain, sizeof(number.address.domain), "%s", "opa.example");
    return number;
}

struct store_peer peer_make(const char *domain)
{
    struct store_peer peer = {.trusts_identity = true,
                              .requests_per_s = UINT32_MAX,
                              .calls_max = 300,
                              .pin_count = STORE_PINS_MAX,
                              .version = 8,
                              .created_ms = 1764000000000};
    snprintf(peer.domain, sizeof(peer.domain), "%s", domain);
    for (unsigned i = 0; i < STORE_PINS_MAX; i++)
        memset(peer.pins[i], (int)(0xf0 + i), STORE_HASH_LEN);
    snprintf(peer.tariff, sizeof(peer.tariff), "%s", "t\xc3\xa4glich");
    return peer;
}

struct store_token token_make(const char *id, enum store_scope scope)
{
    struct store_token token = {.scope = scope, .version = 9, .created_ms = 10, .until_ms = 11};
    snprintf(token.id, sizeof(token.id), "%s", id);
    memset(token.hash, 0xab, sizeof(token.hash));
    snprintf(token.note, sizeof(token.note), "%s", "for the hosting desk");
    if (scope == STORE_SCOPE_USER)
        snprintf(token.owner, sizeof(token.owner), "%s", "alice");
    if (scope == STORE_SCOPE_OPERATOR) {
        token.domain_count = 2;
        snprintf(token.domains[0], sizeof(token.domains[0]), "%s", "opb.example");
        snprintf(token.domains[1], sizeof(token.domains[1]), "%s", "opa.example");
    }
    return token;
}

void assert_number_same(const struct store_number *a, const struct store_number *b)
{
    assert_string_equal(a->digits, b->digits);
    assert_string_equal(a->address.user, b->address.user);
    assert_string_equal(a->address.domain, b->address.domain);
    assert_true(a->version == b->version && a->created_ms == b->created_ms);
}

void assert_peer_same(const struct store_peer *a, const struct store_peer *b)
{
    assert_string_equal(a->domain, b->domain);
    assert_int_equal(a->blocked, b->blocked);
    assert_int_equal(a->trusts_identity, b->trusts_identity);
    assert_int_equal(a->requests_per_s, b->requests_per_s);
    assert_int_equal(a->calls_max, b->calls_max);
    assert_int_equal(a->pin_count, b->pin_count);
    assert_memory_equal(a->pins, b->pins, a->pin_count * sizeof(a->pins[0]));
    assert_string_equal(a->tariff, b->tariff);
    assert_true(a->version == b->version && a->created_ms == b->created_ms);
}

void assert_token_same(const struct store_token *a, const struct store_token *b)
{
    assert_string_equal(a->id, b->id);
    assert_memory_equal(a->hash, b->hash, sizeof(a->hash));
    assert_int_equal(a->scope, b->scope);
    assert_string_equal(a->owner, b->owner);
    assert_int_equal(a->domain_count, b->domain_count);
    for (unsigned i = 0; i < a->domain_count; i++)
        assert_string_equal(a->domains[i], b->domains[i]);
    assert_string_equal(a->note, b->note);
    assert_true(a->version == b->version && a->created_ms == b->created_ms);
    assert_true(a->until_ms == b->until_ms);
}

bool number_never(const struct store_number *number, void *arg)
{
    (void)number, (void)arg;
    fail();
    return false;
}

bool peer_never(const struct store_peer *peer, void *arg)
{
    (void)peer, (void)arg;
    fail();
    return false;
}

bool token_never(const struct store_token *token, void *arg)
{
    (void)token, (void)arg;
    fail();
    return false;
}
