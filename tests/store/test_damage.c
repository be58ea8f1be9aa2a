/* Records whose bytes were damaged: noticed, or harmless. */
#include "base/status.h"
#include "tests/store/bare.h"
#include "tests/store/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define VALUE_MAX 1024

/* ---- one of each kind ---- */

union sample {
    struct store_domain domain;
    struct store_record record;
    struct store_number number;
    struct store_peer peer;
    struct store_token token;
};

#define IS_TERMINATED(text) (strnlen(text, sizeof(text)) < sizeof(text))

static void domain_sample(struct store_pack *pack)
{
    struct store_domain domain = domain_make("opa.example");
    store_domain_pack(pack, &domain);
}

static void domain_unpack(struct store_unpack *unpack, union sample *sample)
{
    store_domain_unpack(unpack, &sample->domain);
}

static bool domain_is_bounded(const union sample *sample)
{
    const struct store_domain *domain = &sample->domain;
    if ((unsigned)domain->unknown > STORE_UNKNOWN_CORE || domain->core_count == 0 ||
        domain->core_count > STORE_CORES_MAX)
        return false;
    for (unsigned i = 0; i < domain->core_count; i++)
        if (!IS_TERMINATED(domain->cores[i].host))
            return false;
    return true;
}

static void alias_sample(struct store_pack *pack)
{
    struct store_record record = record_make("alice", "opa.example", STORE_ADDRESS_ALIAS);
    store_record_pack(pack, &record, true);
}

static void moved_sample(struct store_pack *pack)
{
    struct store_record record = record_make("alice", "opa.example", STORE_ADDRESS_MOVED);
    store_record_pack(pack, &record, true);
}

/* Its own address stands in the key, and is needed to read the value. */
static void record_unpack(struct store_unpack *unpack, union sample *sample)
{
    snprintf(sample->record.address.user, sizeof(sample->record.address.user), "%s", "alice");
    snprintf(sample->record.address.domain, sizeof(sample->record.address.domain), "%s",
             "opa.example");
    store_record_unpack(unpack, &sample->record);
}

static bool record_is_bounded(const union sample *sample)
{
    const struct store_record *record = &sample->record;
    return (unsigned)record->state < STORE_ADDRESS_STATE_COUNT && IS_TERMINATED(record->hosting) &&
           IS_TERMINATED(record->owner) && IS_TERMINATED(record->target.user) &&
           IS_TERMINATED(record->target.domain) && IS_TERMINATED(record->display) &&
           IS_TERMINATED(record->notify);
}

static void number_sample(struct store_pack *pack)
{
    struct store_number number = number_make("49301234567");
    store_number_pack(pack, &number);
}

static void number_unpack(struct store_unpack *unpack, union sample *sample)
{
    store_number_unpack(unpack, &sample->number);
}

static bool number_is_bounded(const union sample *sample)
{
    return IS_TERMINATED(sample->number.address.user) &&
           IS_TERMINATED(sample->number.address.domain);
}

static void peer_sample(struct store_pack *pack)
{
    struct store_peer peer = peer_make("opb.example");
    store_peer_pack(pack, &peer);
}

static void peer_unpack(struct store_unpack *unpack, union sample *sample)
{
    store_peer_unpack(unpack, &sample->peer);
}

static bool peer_is_bounded(const union sample *sample)
{
    return sample->peer.pin_count <= STORE_PINS_MAX && IS_TERMINATED(sample->peer.tariff);
}

static void token_sample(struct store_pack *pack)
{
    struct store_token token = token_make("abc123def456", STORE_SCOPE_OPERATOR);
    store_token_pack(pack, &token, true);
}

static void token_unpack(struct store_unpack *unpack, union sample *sample)
{
    store_token_unpack(unpack, &sample->token);
}

static bool token_is_bounded(const union sample *sample)
{
    const struct store_token *token = &sample->token;
    if ((unsigned)token->scope > STORE_SCOPE_USER || token->domain_count > STORE_TOKEN_DOMAINS_MAX)
        return false;
    for (unsigned i = 0; i < token->domain_count; i++)
        if (!IS_TERMINATED(token->domains[i]))
            return false;
    return IS_TERMINATED(token->owner) && IS_TERMINATED(token->note);
}

enum { NUMBER, PEER, TOKEN, DOMAIN, ALIAS, MOVED };

static const struct kind {
    enum store_table table;
    void (*sample)(struct store_pack *pack);
    void (*unpack)(struct store_unpack *unpack, union sample *sample);
    bool (*is_bounded)(const union sample *sample);
} kinds[] = {
    [NUMBER] = {TABLE_NUMBERS, number_sample, number_unpack, number_is_bounded},
    [PEER] = {TABLE_PEERS, peer_sample, peer_unpack, peer_is_bounded},
    [TOKEN] = {TABLE_TOKENS, token_sample, token_unpack, token_is_bounded},
    [DOMAIN] = {TABLE_DOMAINS, domain_sample, domain_unpack, domain_is_bounded},
    [ALIAS] = {TABLE_ADDRESSES, alias_sample, record_unpack, record_is_bounded},
    [MOVED] = {TABLE_ADDRESSES, moved_sample, record_unpack, record_is_bounded},
};

static struct slice kind_sample(const struct kind *kind, char buffer[VALUE_MAX])
{
    struct store_pack pack;
    struct slice bytes = {0};
    store_pack_init(&pack, buffer, VALUE_MAX);
    kind->sample(&pack);
    assert_int_equal(store_pack_done(&pack, &bytes), 0);
    return bytes;
}

/* ---- values ---- */

/* From memory of exactly that size, so that one octet too far is found. */
static int kind_unpack(const struct kind *kind, struct slice bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    struct store_unpack unpack;
    union sample sample;
    assert_non_null(copy);
    memcpy(copy, bytes.p, bytes.len);
    memset(&sample, 0xff, sizeof(sample));
    store_unpack_init(&unpack, slice_make(copy, bytes.len));
    kind->unpack(&unpack, &sample);
    int ret = store_unpack_done(&unpack);
    free(copy);
    assert_true(ret == STATUS_CORRUPT || (ret == 0 && kind->is_bounded(&sample)));
    return ret;
}

static void a_value_cut_short_or_too_long_is_corrupt(void **state)
{
    char buffer[VALUE_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct slice bytes = kind_sample(&kinds[i], buffer);
        assert_int_equal(kind_unpack(&kinds[i], bytes), 0);
        for (size_t len = 0; len < bytes.len; len++)
            assert_int_equal(kind_unpack(&kinds[i], slice_make(bytes.p, len)), STATUS_CORRUPT);
        assert_int_equal(kind_unpack(&kinds[i], slice_make(bytes.p, bytes.len + 1)),
                         STATUS_CORRUPT);
    }
}

static void a_changed_octet_is_corrupt_or_harmless(void **state)
{
    char buffer[VALUE_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct slice bytes = kind_sample(&kinds[i], buffer);
        for (size_t at = 0; at < bytes.len; at++) {
            for (int change = 1; change <= 0xff; change++) {
                buffer[at] = (char)(buffer[at] ^ change);
                int ret = kind_unpack(&kinds[i], bytes);
                buffer[at] = (char)(buffer[at] ^ change);
                if (at == 0) /* the form */
                    assert_int_equal(ret, STATUS_CORRUPT);
            }
        }
    }
}

static void flags_counts_and_budgets_that_cannot_be_are_corrupt(void **state)
{
    static const struct {
        const struct kind *kind;
        struct slice value;
    } values[] = {
        {&kinds[PEER], {"\1\4\0\0\0\0\0\0", 8}},                    /* a third flag */
        {&kinds[PEER], {"\1\0\x80\x80\x80\x80\x10\0\0\0\0\0", 12}}, /* 2^32 requests */
        {&kinds[PEER], {"\1\0\0\x80\x80\x80\x80\x10\0\0\0\0", 12}}, /* 2^32 calls */
        {&kinds[TOKEN], {"\1\3\0\0\0\0\0\0", 8}},                   /* a fourth scope */
        {&kinds[TOKEN], {"\1\x20\0\0\0\0\0\0", 8}},                 /* another flag */
    };
    char many[VALUE_MAX] = {1}; /* form, no flags; empty strings and zeros for all that follows */
    (void)state;
    assert_int_equal(kind_unpack(&kinds[PEER], slice_make("\1\0\0\0\0\0\0\0", 8)), 0);
    assert_int_equal(kind_unpack(&kinds[PEER], slice_make("\1\0\xff\xff\xff\xff\xf\0\0\0\0\0", 12)),
                     0);
    assert_int_equal(kind_unpack(&kinds[TOKEN], slice_make("\1\0\0\0\0\0\0\0", 8)), 0);
    for (size_t i = 0; i < COUNT(values); i++)
        assert_int_equal(kind_unpack(values[i].kind, values[i].value), STATUS_CORRUPT);

    many[3] = STORE_TOKEN_DOMAINS_MAX;
    assert_int_equal(kind_unpack(&kinds[TOKEN], slice_make(many, 8 + STORE_TOKEN_DOMAINS_MAX)), 0);
    many[3]++;
    assert_int_equal(kind_unpack(&kinds[TOKEN], slice_make(many, 9 + STORE_TOKEN_DOMAINS_MAX)),
                     STATUS_CORRUPT);
    many[3] = 0;
    many[4] = STORE_PINS_MAX;
    assert_int_equal(
        kind_unpack(&kinds[PEER], slice_make(many, 8 + STORE_PINS_MAX * STORE_HASH_LEN)), 0);
    many[4]++;
    assert_int_equal(
        kind_unpack(&kinds[PEER], slice_make(many, 8 + (STORE_PINS_MAX + 1) * STORE_HASH_LEN)),
        STATUS_CORRUPT);
}

/* ---- in the tables ---- */

static void damaged_records_are_told_and_leave_the_output_as_it_was(void **state)
{
    struct bare *bare = *state;
    struct store_reader *reader = &bare->reader;
    struct store_number number = number_make("911"), old_number = number;
    struct store_peer peer = peer_make("opb.example"), old_peer = peer;
    struct store_token token = token_make("abc123def456", STORE_SCOPE_USER), old_token = token;
    for (size_t i = 0; i < COUNT(kinds); i++)
        assert_int_equal(store_put(&bare->txn, kinds[i].table, SLICE("x"), SLICE("\1\0")), 0);
    assert_int_equal(store_number_get(reader, "x", &number), STATUS_CORRUPT);
    assert_int_equal(store_peer_get(reader, "x", &peer), STATUS_CORRUPT);
    assert_int_equal(store_token_get(reader, "x", &token), STATUS_CORRUPT);
    assert_number_same(&number, &old_number);
    assert_peer_same(&peer, &old_peer);
    assert_token_same(&token, &old_token);
    assert_int_equal(store_number_list(reader, NULL, 9, number_never, NULL), STATUS_CORRUPT);
    assert_int_equal(store_peer_list(reader, NULL, 9, peer_never, NULL), STATUS_CORRUPT);
    assert_int_equal(store_token_list(reader, NULL, 9, token_never, NULL), STATUS_CORRUPT);
}

static void keys_that_cannot_be_are_corrupt(void **state)
{
    struct bare *bare = *state;
    struct slice key = {"1234567890123456", 16};
    char buffer[VALUE_MAX];
    struct slice number = kind_sample(&kinds[NUMBER], buffer);
    assert_int_equal(store_put(&bare->txn, TABLE_NUMBERS, key, number), 0);
    struct slice token = kind_sample(&kinds[TOKEN], buffer);
    assert_int_equal(store_put(&bare->txn, TABLE_TOKENS, key, token), 0);
    assert_int_equal(store_number_list(&bare->reader, NULL, 9, number_never, NULL), STATUS_CORRUPT);
    assert_int_equal(store_token_list(&bare->reader, NULL, 9, token_never, NULL), STATUS_CORRUPT);
}

#define TABLES(test) cmocka_unit_test_setup_teardown(test, bare_setup, bare_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_cut_short_or_too_long_is_corrupt),
        cmocka_unit_test(a_changed_octet_is_corrupt_or_harmless),
        cmocka_unit_test(flags_counts_and_budgets_that_cannot_be_are_corrupt),
        TABLES(damaged_records_are_told_and_leave_the_output_as_it_was),
        TABLES(keys_that_cannot_be_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
