/* Numbers, peers and tokens: what is written is read again, and what is not canonical is refused.
 */
#include "base/status.h"
#include "tests/store/bare.h"
#include "tests/store/samples.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- writing and reading ---- */

static void numbers_are_read_as_written_until_removed(void **state)
{
    struct bare *bare = *state;
    struct store_number read, first = number_make("49301234567"), second = first;
    assert_int_equal(store_number_read(&bare->txn, first.digits, &read), STATUS_NOTFOUND);
    assert_int_equal(store_number_write(&bare->txn, &first), 0);
    assert_int_equal(store_number_read(&bare->txn, first.digits, &read), 0);
    assert_number_same(&read, &first);

    memset(second.address.user, 'u', STORE_USER_MAX);
    memset(second.address.domain, 'd', STORE_DOMAIN_MAX); /* the longest record */
    second.version = UINT64_MAX;
    assert_int_equal(store_number_write(&bare->txn, &second), 0);
    assert_int_equal(store_number_get(&bare->reader, first.digits, &read), 0);
    assert_number_same(&read, &second);

    assert_int_equal(store_number_remove(&bare->txn, first.digits), 0);
    assert_int_equal(store_number_remove(&bare->txn, first.digits), STATUS_NOTFOUND);
    assert_int_equal(store_number_get(&bare->reader, first.digits, &read), STATUS_NOTFOUND);
}

static void peers_are_read_as_written_until_removed(void **state)
{
    struct bare *bare = *state;
    struct store_peer read, first = peer_make("opb.example"), second = first;
    assert_int_equal(store_peer_read(&bare->txn, first.domain, &read), STATUS_NOTFOUND);
    assert_int_equal(store_peer_write(&bare->txn, &first), 0);
    assert_int_equal(store_peer_read(&bare->txn, first.domain, &read), 0);
    assert_peer_same(&read, &first);

    second.blocked = true;
    second.trusts_identity = false;
    second.requests_per_s = 0;
    second.pin_count = 0;
    memset(second.tariff, 't', STORE_TARIFF_MAX);
    assert_int_equal(store_peer_write(&bare->txn, &second), 0);
    assert_int_equal(store_peer_get(&bare->reader, first.domain, &read), 0);
    assert_peer_same(&read, &second);

    assert_int_equal(store_peer_remove(&bare->txn, first.domain), 0);
    assert_int_equal(store_peer_remove(&bare->txn, first.domain), STATUS_NOTFOUND);
    assert_int_equal(store_peer_get(&bare->reader, first.domain, &read), STATUS_NOTFOUND);
}

static void tokens_are_read_as_written_until_removed(void **state)
{
    struct bare *bare = *state;
    struct store_token read;
    for (int scope = STORE_SCOPE_ADMIN; scope <= STORE_SCOPE_USER; scope++) {
        struct store_token token = token_make("abc123def456", (enum store_scope)scope);
        assert_int_equal(store_token_read(&bare->txn, token.id, &read), STATUS_NOTFOUND);
        assert_int_equal(store_token_write(&bare->txn, &token), 0);
        assert_int_equal(store_token_get(&bare->reader, token.id, &read), 0);
        assert_token_same(&read, &token);
        assert_int_equal(store_token_remove(&bare->txn, token.id), 0);
        assert_int_equal(store_token_remove(&bare->txn, token.id), STATUS_NOTFOUND);
    }
}

static void the_longest_token_can_be_written(void **state)
{
    struct bare *bare = *state;
    struct store_token read, token = token_make("abc123def456", STORE_SCOPE_OPERATOR);
    token.domain_count = STORE_TOKEN_DOMAINS_MAX;
    for (unsigned i = 0; i < STORE_TOKEN_DOMAINS_MAX; i++)
        memset(token.domains[i], (int)('a' + i), STORE_DOMAIN_MAX);
    memset(token.owner, 'o', STORE_OWNER_MAX);
    memset(token.note, 'n', STORE_TARIFF_MAX);
    token.version = token.created_ms = token.until_ms = UINT64_MAX;
    assert_int_equal(store_token_write(&bare->txn, &token), 0);
    assert_int_equal(store_token_read(&bare->txn, token.id, &read), 0);
    assert_token_same(&read, &token);
}

static void a_token_told_to_others_has_no_hash(void **state)
{
    char buffer[512];
    struct store_token token = token_make("abc123def456", STORE_SCOPE_OPERATOR), told = token;
    struct store_pack pack;
    struct store_unpack unpack;
    struct slice bytes;
    (void)state;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_token_pack(&pack, &token, false);
    assert_int_equal(store_pack_done(&pack, &bytes), 0);
    assert_null(memmem(bytes.p, bytes.len, "\xab\xab", 2));
    store_unpack_init(&unpack, bytes);
    store_token_unpack(&unpack, &told);
    assert_int_equal(store_unpack_done(&unpack), 0);
    memset(token.hash, 0, sizeof(token.hash));
    assert_token_same(&told, &token);
}

static void names_that_no_record_can_have_are_not_found(void **state)
{
    struct bare *bare = *state;
    struct store_number number;
    struct store_peer peer;
    struct store_token token;
    char longest[300];
    memset(longest, '1', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(store_number_get(&bare->reader, "", &number), STATUS_NOTFOUND);
    assert_int_equal(store_number_get(&bare->reader, longest, &number), STATUS_NOTFOUND);
    assert_int_equal(store_peer_get(&bare->reader, "", &peer), STATUS_NOTFOUND);
    assert_int_equal(store_peer_get(&bare->reader, longest, &peer), STATUS_NOTFOUND);
    assert_int_equal(store_token_get(&bare->reader, "", &token), STATUS_NOTFOUND);
    assert_int_equal(store_token_get(&bare->reader, longest, &token), STATUS_NOTFOUND);
}

/* ---- rules ---- */

static void numbers_are_3_to_15_digits_and_lead_to_an_address(void **state)
{
    static const char *const good[] = {"911", "49301234567", "999999999999999"};
    static const char *const bad[] = {"",      "49",    "0301234", "+4930123",
                                      "4930a", "49 30", "4930\x80"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct store_number number = number_make(good[i]);
        assert_int_equal(store_number_check(&number), 0);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct store_number number = number_make(bad[i]);
        assert_int_equal(store_number_check(&number), STATUS_MALFORMED);
    }
    struct store_number number = number_make("911");
    memset(number.digits, '1', sizeof(number.digits)); /* no terminator */
    assert_int_equal(store_number_check(&number), STATUS_MALFORMED);
    number = number_make("911");
    snprintf(number.address.user, sizeof(number.address.user), "%s", "Alice");
    assert_int_equal(store_number_check(&number), STATUS_MALFORMED);
    number = number_make("911");
    snprintf(number.address.domain, sizeof(number.address.domain), "%s", "");
    assert_int_equal(store_number_check(&number), STATUS_MALFORMED);
}

static void peers_have_a_domain_few_pins_and_a_printable_tariff(void **state)
{
    static const char *const good[] = {"", "gold 2", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"};
    static const char *const bad[] = {"a\nb", "\x7f", "\xc3", "\xff", "\xc2\x85"};
    struct store_peer peer = peer_make("opb.example");
    (void)state;
    assert_int_equal(store_peer_check(&peer), 0);
    for (size_t i = 0; i < COUNT(good); i++) {
        snprintf(peer.tariff, sizeof(peer.tariff), "%s", good[i]);
        assert_int_equal(store_peer_check(&peer), 0);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(peer.tariff, sizeof(peer.tariff), "%s", bad[i]);
        assert_int_equal(store_peer_check(&peer), STATUS_MALFORMED);
    }
    memset(peer.tariff, 't', sizeof(peer.tariff));
    assert_int_equal(store_peer_check(&peer), STATUS_MALFORMED);
    peer = peer_make("opb.example");
    peer.pin_count = STORE_PINS_MAX + 1;
    assert_int_equal(store_peer_check(&peer), STATUS_MALFORMED);
}

static void names_of_peers_are_canonical(void **state)
{
    static const char *const bad[] = {"", "Opb.example", "opb.example.", "192.0.2.1",
                                      "a b.example"};
    struct store_peer peer;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        peer = peer_make(bad[i]);
        assert_int_equal(store_peer_check(&peer), STATUS_MALFORMED);
    }
    memset(peer.domain, 'a', sizeof(peer.domain));
    assert_int_equal(store_peer_check(&peer), STATUS_MALFORMED);
}

static void ids_of_tokens_are_12_small_letters_and_digits(void **state)
{
    static const char *const bad[] = {"", "abc123def45", "ABC123def456", "abc-23def456",
                                      "abc123def45\xe4"};
    struct store_token token;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        token = token_make(bad[i], STORE_SCOPE_ADMIN);
        assert_int_equal(store_token_check(&token), STATUS_MALFORMED);
    }
    memset(token.id, 'a', sizeof(token.id));
    assert_int_equal(store_token_check(&token), STATUS_MALFORMED);
    token = token_make("000000000000", STORE_SCOPE_ADMIN);
    assert_int_equal(store_token_check(&token), 0);
    snprintf(token.note, sizeof(token.note), "%s", "two\nlines");
    assert_int_equal(store_token_check(&token), STATUS_MALFORMED);
    memset(token.note, 'n', sizeof(token.note));
    assert_int_equal(store_token_check(&token), STATUS_MALFORMED);
}

static void a_scope_has_what_it_needs_and_nothing_else(void **state)
{
    static const struct {
        enum store_scope scope;
        const char *owner, *domains[2];
        int status;
    } tokens[] = {
        {STORE_SCOPE_ADMIN, "", {NULL}, 0},
        {STORE_SCOPE_ADMIN, "alice", {NULL}, STATUS_MALFORMED},
        {STORE_SCOPE_ADMIN, "", {"opa.example"}, STATUS_MALFORMED},
        {STORE_SCOPE_OPERATOR, "", {"opa.example", "opb.example"}, 0},
        {STORE_SCOPE_OPERATOR, "", {NULL}, STATUS_MALFORMED},
        {STORE_SCOPE_OPERATOR, "alice", {"opa.example"}, STATUS_MALFORMED},
        {STORE_SCOPE_OPERATOR, "", {"opa.example", "opa.example"}, STATUS_MALFORMED},
        {STORE_SCOPE_OPERATOR, "", {"opa.example", "Opb.example"}, STATUS_MALFORMED},
        {STORE_SCOPE_USER, "alice", {NULL}, 0},
        {STORE_SCOPE_USER, "", {NULL}, STATUS_MALFORMED},
        {STORE_SCOPE_USER, "al ice", {NULL}, STATUS_MALFORMED},
        {STORE_SCOPE_USER, "alice", {"opa.example"}, STATUS_MALFORMED},
        {(enum store_scope)(STORE_SCOPE_USER + 1), "", {NULL}, STATUS_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        struct store_token token = token_make("abc123def456", STORE_SCOPE_ADMIN);
        token.scope = tokens[i].scope;
        snprintf(token.owner, sizeof(token.owner), "%s", tokens[i].owner);
        for (unsigned k = 0; k < 2 && tokens[i].domains[k]; k++)
            snprintf(token.domains[token.domain_count++], STORE_DOMAIN_MAX + 1, "%s",
                     tokens[i].domains[k]);
        assert_int_equal(store_token_check(&token), tokens[i].status);
    }
}

static void lists_and_owners_of_tokens_are_bounded(void **state)
{
    struct store_token token = token_make("abc123def456", STORE_SCOPE_OPERATOR);
    (void)state;
    token.domain_count = STORE_TOKEN_DOMAINS_MAX;
    for (unsigned i = 0; i < STORE_TOKEN_DOMAINS_MAX; i++)
        snprintf(token.domains[i], sizeof(token.domains[i]), "op%u.example", i);
    assert_int_equal(store_token_check(&token), 0);
    token.domain_count++;
    assert_int_equal(store_token_check(&token), STATUS_MALFORMED);
    token = token_make("abc123def456", STORE_SCOPE_USER);
    memset(token.owner, 'o', STORE_OWNER_MAX);
    assert_int_equal(store_token_check(&token), 0);
    memset(token.owner, 'o', sizeof(token.owner));
    assert_int_equal(store_token_check(&token), STATUS_MALFORMED);
}

/* ---- lists ---- */

struct names {
    char text[200];
    int left; /* until the visitor stops */
};

static bool name_add(struct names *names, const char *name)
{
    size_t len = strlen(names->text);
    snprintf(names->text + len, sizeof(names->text) - len, "%s ", name);
    return --names->left != 0;
}

static bool number_name(const struct store_number *number, void *arg)
{
    return name_add(arg, number->digits);
}

static bool peer_name(const struct store_peer *peer, void *arg)
{
    return name_add(arg, peer->domain);
}

static bool token_name(const struct store_token *token, void *arg)
{
    return name_add(arg, token->id);
}

#define A "aaaaaaaaaaaa"
#define B "bbbbbbbbbbbb"
#define C "cccccccccccc"

static void lists_fill(struct bare *bare)
{
    static const char *const numbers[] = {"331", "49111", "3301"};
    static const char *const peers[] = {"c.example", "a.example", "b.example"};
    static const char *const tokens[] = {B, A, C};
    for (size_t i = 0; i < 3; i++) {
        struct store_number number = number_make(numbers[i]);
        struct store_peer peer = peer_make(peers[i]);
        struct store_token token = token_make(tokens[i], STORE_SCOPE_ADMIN);
        assert_int_equal(store_number_write(&bare->txn, &number), 0);
        assert_int_equal(store_peer_write(&bare->txn, &peer), 0);
        assert_int_equal(store_token_write(&bare->txn, &token), 0);
    }
}

static void lists_go_on_after_a_name_as_far_as_asked(void **state)
{
    static const struct {
        const char *number, *peer, *token; /* after */
        size_t max;
        int stop;
        const char *numbers, *peers, *tokens;
    } lists[] = {
        {NULL, NULL, NULL, 9, 0, "3301 331 49111 ", "a.example b.example c.example ",
         A " " B " " C " "},
        {NULL, NULL, NULL, 2, 0, "3301 331 ", "a.example b.example ", A " " B " "},
        {NULL, NULL, NULL, 0, 0, "", "", ""},
        {NULL, NULL, NULL, 9, 1, "3301 ", "a.example ", A " "},
        {"3301", "a.example", A, 1, 0, "331 ", "b.example ", B " "},
        {"3302", "aa.example", "aab", 9, 0, "331 49111 ", "b.example c.example ", B " " C " "},
        {"49111", "c.example", C, 9, 0, "", "", ""},
    };
    struct bare *bare = *state;
    lists_fill(bare);
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct names numbers = {.left = lists[i].stop}, peers = numbers, tokens = numbers;
        size_t max = lists[i].max;
        assert_int_equal(
            store_number_list(&bare->reader, lists[i].number, max, number_name, &numbers), 0);
        assert_int_equal(store_peer_list(&bare->reader, lists[i].peer, max, peer_name, &peers), 0);
        assert_int_equal(store_token_list(&bare->reader, lists[i].token, max, token_name, &tokens),
                         0);
        assert_string_equal(numbers.text, lists[i].numbers);
        assert_string_equal(peers.text, lists[i].peers);
        assert_string_equal(tokens.text, lists[i].tokens);
    }
}

static void a_list_after_a_name_that_cannot_be_is_refused(void **state)
{
    struct bare *bare = *state;
    assert_int_equal(store_number_list(&bare->reader, "", 9, number_never, NULL), -EINVAL);
    assert_int_equal(store_peer_list(&bare->reader, "", 9, peer_never, NULL), -EINVAL);
    assert_int_equal(store_token_list(&bare->reader, A "a", 9, token_never, NULL), -EINVAL);
}

#define TABLES(test) cmocka_unit_test_setup_teardown(test, bare_setup, bare_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLES(numbers_are_read_as_written_until_removed),
        TABLES(peers_are_read_as_written_until_removed),
        TABLES(tokens_are_read_as_written_until_removed),
        TABLES(the_longest_token_can_be_written),
        cmocka_unit_test(a_token_told_to_others_has_no_hash),
        TABLES(names_that_no_record_can_have_are_not_found),
        cmocka_unit_test(numbers_are_3_to_15_digits_and_lead_to_an_address),
        cmocka_unit_test(peers_have_a_domain_few_pins_and_a_printable_tariff),
        cmocka_unit_test(names_of_peers_are_canonical),
        cmocka_unit_test(ids_of_tokens_are_12_small_letters_and_digits),
        cmocka_unit_test(a_scope_has_what_it_needs_and_nothing_else),
        cmocka_unit_test(lists_and_owners_of_tokens_are_bounded),
        TABLES(lists_go_on_after_a_name_as_far_as_asked),
        TABLES(a_list_after_a_name_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
