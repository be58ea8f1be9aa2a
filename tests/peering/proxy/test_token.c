/* Dialog tokens and stateless To tags. */
#include "peering/proxy/token.h"

#include "base/status.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define NOW_MS (1000ull * 24 * 3600 * 1000)

static const struct store_key key = {.id = 0x01020304, .secret = "a secret of thirty-two octets.."};
static const struct slice call_id = {"call-1@opa.example", 18};
static const struct slice caller = {"caller", 6};
static const struct slice callee = {"callee", 6};

static const struct token sample = {
    .side = TRANSPORT_OUTSIDE, .hosted = "opa.example", .peer = "opb.example"}; /* the callee's */

static struct slice encode(const struct token *token, char text[TOKEN_TEXT_MAX])
{
    int len = token_encode(token, &key, call_id, caller, text);
    assert_in_range(len, 1, TOKEN_TEXT_MAX - 1);
    assert_int_equal(strlen(text), len);
    return slice_make(text, (size_t)len);
}

static int decode_with(struct slice text, const struct store_key *with, struct slice dialog,
                       struct slice from, struct slice to)
{
    const struct slice tags[2] = {from, to};
    struct token token = {.hosted = "untouched"};
    int status = token_decode(text, with, NOW_MS, dialog, tags, &token);
    if (status < 0)
        assert_string_equal(token.hosted, "untouched");
    return status;
}

static int decode(struct slice text)
{
    return decode_with(text, &key, call_id, callee, caller);
}

static void domain_fill(char domain[STORE_DOMAIN_MAX + 1], char with)
{
    memset(domain, with, STORE_DOMAIN_MAX);
    domain[STORE_DOMAIN_MAX] = '\0';
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    struct token longest = {.side = TRANSPORT_INSIDE};
    domain_fill(longest.hosted, 'h');
    domain_fill(longest.peer, 'p');
    const struct token tokens[] = {
        sample,
        {.side = TRANSPORT_INSIDE, .hosted = "opa.example", .peer = "opb.example"},
        {.side = TRANSPORT_INSIDE, .hosted = "opa.example", .peer_core = "opa2.example"},
        {.side = TRANSPORT_INSIDE, .hosted = "opa.example"},
        {.side = TRANSPORT_OUTSIDE, .hosted = "a", .peer = "b"},
        {.side = TRANSPORT_OUTSIDE, .caller = true, .hosted = "a", .peer = "b"},
        {.side = TRANSPORT_OUTSIDE,
         .caller = true,
         .hosted = "a",
         .peer = "b",
         .has_speaker = true,
         .speaker = "sixteen octets!!"},
        longest,
    };
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        char text[TOKEN_TEXT_MAX];
        struct slice encoded = encode(&tokens[i], text);
        const struct slice from = tokens[i].caller ? caller : callee;
        const struct slice tags[2] = {from, tokens[i].caller ? callee : caller};
        struct token token;
        assert_int_equal(token_decode(encoded, &key, NOW_MS, call_id, tags, &token), 0);
        assert_int_equal(token.side, tokens[i].side);
        assert_int_equal(token.caller, tokens[i].caller);
        assert_string_equal(token.hosted, tokens[i].hosted);
        assert_string_equal(token.peer, tokens[i].peer);
        assert_string_equal(token.peer_core, tokens[i].peer_core);
        assert_int_equal(token.has_speaker, tokens[i].has_speaker);
        assert_memory_equal(token.speaker, tokens[i].speaker, TOKEN_SPEAKER_LEN);
    }
}

static void a_speaker_is_an_address_and_no_other(void **state)
{
    (void)state;
    const struct store_address bob = {.user = "bob", .domain = "opb.example"},
                               other = {.user = "bo", .domain = "bopb.example"};
    uint8_t speaker[TOKEN_SPEAKER_LEN], again[TOKEN_SPEAKER_LEN], another[TOKEN_SPEAKER_LEN];
    assert_int_equal(token_speaker(&bob, speaker), 0);
    assert_int_equal(token_speaker(&bob, again), 0);
    assert_int_equal(token_speaker(&other, another), 0);
    assert_memory_equal(speaker, again, TOKEN_SPEAKER_LEN);
    assert_memory_not_equal(speaker, another, TOKEN_SPEAKER_LEN);
}

/* Nodes of different releases must agree on it. Computed apart from this code, with Python's hmac
 * and base64 from the layout in token.c. */
static void text_form_is_stable(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    encode(&sample, text);
    assert_string_equal(text, "AQIDBAELb3BhLmV4YW1wbGVvcGIuZXhhbXBsZZhiD6Sah4ixxOzAEFf8CLk");
}

static void text_needs_no_escaping_in_a_sip_uri(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    struct slice encoded = encode(&sample, text);
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-_"),
                     encoded.len);
}

static void two_far_ends_are_refused(void **state)
{
    (void)state;
    struct token both = sample;
    snprintf(both.peer_core, sizeof(both.peer_core), "opa2.example");
    char text[TOKEN_TEXT_MAX] = "untouched";
    assert_int_equal(token_encode(&both, &key, call_id, caller, text), STATUS_MALFORMED);
    assert_string_equal(text, "untouched");
}

static void key_id_is_read_without_the_key(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    uint32_t id = 0;
    assert_int_equal(token_key_id(encode(&sample, text), &id), 0);
    assert_int_equal(id, 0x01020304);
}

/* The caller's tag is in From when the caller sends, in To when the callee does: a caller that
 * swaps them to speak under any From is refused. */
static void the_holder_cannot_pose_as_the_other_end(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    struct token of_caller = sample;
    of_caller.caller = true;
    struct slice encoded = encode(&sample, text);
    assert_int_equal(decode_with(encoded, &key, call_id, callee, caller), 0);
    assert_int_equal(decode_with(encoded, &key, call_id, caller, callee), STATUS_UNPROVEN);
    encoded = encode(&of_caller, text);
    assert_int_equal(decode_with(encoded, &key, call_id, caller, callee), 0);
    assert_int_equal(decode_with(encoded, &key, call_id, callee, caller), STATUS_UNPROVEN);
}

static void another_dialog_is_refused(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    struct slice encoded = encode(&sample, text);
    static const struct {
        const char *call_id, *to, *from; /* the sample is the callee's */
    } others[] = {
        {"call-2@opa.example", "caller", "callee"},
        {"call-1@opa.exampl", "caller", "callee"},
        {"", "caller", "callee"},
        {"CALL-1@opa.example", "caller", "callee"},
        {"call-1@opa.example", "callee", "callee"},
        {"call-1@opa.example", "Caller", "callee"},
        {"call-1@opa.example", "", ""},
        {"call-1@opa.examplec", "aller", "callee"}, /* the same bytes, divided elsewhere */
        {"call-1@opa.example", "caller2", "2caller"},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(decode_with(encoded, &key, slice_of(others[i].call_id),
                                     slice_of(others[i].from), slice_of(others[i].to)),
                         STATUS_UNPROVEN);
}

static void another_key_is_refused(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    struct slice encoded = encode(&sample, text);
    struct store_key same_id = key, same_secret = key;
    same_id.secret[STORE_KEY_LEN - 1] ^= 1;
    same_secret.id++;
    assert_int_equal(decode_with(encoded, &same_id, call_id, callee, caller), STATUS_UNPROVEN);
    assert_int_equal(decode_with(encoded, &same_secret, call_id, callee, caller), STATUS_UNPROVEN);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    struct slice encoded = encode(&sample, text);
    for (size_t i = 0; i < encoded.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text[i] ^= (char)(1 << bit);
            assert_int_not_equal(decode(encoded), 0);
            text[i] ^= (char)(1 << bit);
        }
    }
    assert_int_equal(decode(encoded), 0);
}

/* Within the alphabet every other letter in every place, so that no unused bit goes unchecked. */
static void every_other_letter_is_refused(void **state)
{
    (void)state;
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const char *const peers[] = {"opb.example", "opb1.example", "opb12.example"};
    for (size_t p = 0; p < COUNT_OF(peers); p++) { /* every length modulo 3 */
        struct token token = sample;
        snprintf(token.peer, sizeof(token.peer), "%s", peers[p]);
        char text[TOKEN_TEXT_MAX];
        struct slice encoded = encode(&token, text);
        for (size_t i = 0; i < encoded.len; i++) {
            char letter = text[i];
            for (size_t k = 0; k < sizeof(letters) - 1; k++) {
                text[i] = letters[k];
                if (letters[k] != letter)
                    assert_int_not_equal(decode(encoded), 0);
            }
            text[i] = letter;
        }
        assert_int_equal(decode(encoded), 0);
    }
}

static void every_truncation_and_extension_is_refused(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_MAX];
    struct slice encoded = encode(&sample, text);
    for (size_t len = 0; len < encoded.len; len++)
        assert_int_not_equal(decode(slice_make(text, len)), 0);
    for (size_t skip = 1; skip < encoded.len; skip++)
        assert_int_not_equal(decode(slice_skip(encoded, skip)), 0);
    memcpy(text + encoded.len, "AAAA", 4);
    for (size_t more = 1; more <= 4; more++)
        assert_int_not_equal(decode(slice_make(text, encoded.len + more)), 0);
}

static void what_is_no_token_is_malformed(void **state)
{
    (void)state;
    static char long_text[2 * TOKEN_TEXT_MAX];
    memset(long_text, 'A', sizeof(long_text) - 1);
    const char *const texts[] = {
        "",
        "alice",
        "A",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAA",                    /* one letter too short */
        "AAAAAAD_AAAAAAAAAAAAAAAAAAAAAA",                   /* hosted longer than the whole */
        "AAAABAAAAAAAAAAAAAAAAAAAAAAAAA==",                 /* padding */
        "AAAAAAgAAAAAAAAAAAAAAAAAAAAAAA",                   /* a flag nobody knows */
        "AQIDBAELb3BhLmV4YW1wbGVvcGIu+XhhbXBsZQAAAAAAAAAA", /* plain base64 */
        long_text,
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        uint32_t id = 77;
        assert_int_equal(token_key_id(slice_of(texts[i]), &id), STATUS_MALFORMED);
        assert_int_equal(id, 77);
        assert_int_equal(decode(slice_of(texts[i])), STATUS_MALFORMED);
    }
}

static void retired_key_verifies_for_seven_days(void **state)
{
    (void)state;
    static const struct {
        uint64_t retired_ms;
        int status;
    } cases[] = {
        {0, 0}, /* the current key */
        {NOW_MS, 0},
        {NOW_MS + 5000, 0}, /* by the clock of another node */
        {NOW_MS - TOKEN_RETIRED_MS + 1, 0},
        {NOW_MS - TOKEN_RETIRED_MS, 0},
        {NOW_MS - TOKEN_RETIRED_MS - 1, STATUS_UNPROVEN},
        {1, STATUS_UNPROVEN},
    };
    char text[TOKEN_TEXT_MAX];
    struct slice encoded = encode(&sample, text);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_key retired = key;
        retired.retired_ms = cases[i].retired_ms;
        assert_int_equal(decode_with(encoded, &retired, call_id, callee, caller), cases[i].status);
    }
}

static const uint8_t tag_key[16] = "tags of refusals";

static void tag_of(const char *via, const char *from, const char *dialog, uint32_t cseq,
                   char tag[STATELESS_TAG_LEN])
{
    stateless_tag(tag_key, slice_of(via), slice_of(from), slice_of(dialog), cseq, tag);
}

static void stateless_tag_is_stable_and_hex(void **state)
{
    (void)state;
    char tag[STATELESS_TAG_LEN], again[STATELESS_TAG_LEN];
    tag_of("SIP/2.0/UDP a;branch=z9hG4bK1", "f", "c", 1, tag);
    tag_of("SIP/2.0/UDP a;branch=z9hG4bK1", "f", "c", 1, again);
    assert_string_equal(tag, again);
    assert_int_equal(strlen(tag), 16);
    assert_int_equal(strspn(tag, "0123456789abcdef"), 16);
}

static void stateless_tag_differs_with_every_part(void **state)
{
    (void)state;
    char tags[6][STATELESS_TAG_LEN];
    tag_of("via", "from", "call", 1, tags[0]);
    tag_of("vib", "from", "call", 1, tags[1]);
    tag_of("via", "fron", "call", 1, tags[2]);
    tag_of("via", "from", "calm", 1, tags[3]);
    tag_of("via", "from", "call", 257, tags[4]);
    tag_of("viaf", "rom", "call", 1, tags[5]);
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(tags[i], tags[j]);
    }
}

static void stateless_tag_differs_with_the_key(void **state)
{
    (void)state;
    static const uint8_t other_key[16] = "another secret..";
    char tag[STATELESS_TAG_LEN], other[STATELESS_TAG_LEN];
    stateless_tag(tag_key, SLICE("via"), SLICE("f"), SLICE("c"), 1, tag);
    stateless_tag(other_key, SLICE("via"), SLICE("f"), SLICE("c"), 1, other);
    assert_string_not_equal(tag, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(a_speaker_is_an_address_and_no_other),
        cmocka_unit_test(text_form_is_stable),
        cmocka_unit_test(text_needs_no_escaping_in_a_sip_uri),
        cmocka_unit_test(two_far_ends_are_refused),
        cmocka_unit_test(key_id_is_read_without_the_key),
        cmocka_unit_test(the_holder_cannot_pose_as_the_other_end),
        cmocka_unit_test(another_dialog_is_refused),
        cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_other_letter_is_refused),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(what_is_no_token_is_malformed),
        cmocka_unit_test(retired_key_verifies_for_seven_days),
        cmocka_unit_test(stateless_tag_is_stable_and_hex),
        cmocka_unit_test(stateless_tag_differs_with_every_part),
        cmocka_unit_test(stateless_tag_differs_with_the_key),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
