/* Numbers, peers, tokens, patches, times and journal entries as JSON. */
#include "api/json.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    if (!json)
        fail_msg("the test's own JSON is broken: %s", text);
    return json;
}

static void expect_json(json_t *json, const char *text)
{
    json_t *expected = parse(text);
    if (!json_equal(json, expected)) {
        char *is = json_dumps(json, JSON_COMPACT);
        fail_msg("%s\ninstead of\n%s", is, text);
    }
    json_decref(json);
    json_decref(expected);
}

/* One body that must be refused, and how. */
struct refusal {
    const char *body, *field, *detail;
};

static void expect_refusal(const struct refusal *refusal, int status,
                           const struct api_problem *problem)
{
    if (status != -EPROTO)
        fail_msg("%s: is accepted", refusal->body);
    assert_int_equal(problem->kind, API_PROBLEM_FIELD);
    if (strcmp(problem->field, refusal->field) != 0 || !strstr(problem->detail, refusal->detail))
        fail_msg("%s: is refused for %s: %s", refusal->body, problem->field, problem->detail);
}

/* ---- times ---- */

static void times_are_utc_to_the_millisecond(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } table[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.001Z", 1},
        {"2000-02-29T12:34:56.7Z", 951827696700},
        {"2026-07-04T12:00:00.123456Z", 1783166400123},
        {"2100-03-01T00:00:00Z", 4107542400000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct api_problem problem;
        uint64_t ms = 7;
        if (api_time_decode(slice_of(table[i].text), "until", &ms, &problem))
            fail_msg("%s", problem.detail);
        assert_int_equal(ms, table[i].ms);
        json_t *json = api_time_encode(ms);
        if (ms) { /* and back */
            assert_int_equal(api_time_decode(slice_of(json_string_value(json)), "", &ms, &problem),
                             0);
            assert_int_equal(ms, table[i].ms);
        } else {
            assert_true(json_is_null(json));
        }
        json_decref(json);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "2026-07-04",
        "2026-07-04T12:00:00",
        "2026-07-04 12:00:00Z",
        "2026-07-04T12:00:00+00:00",
        "2026-07-04T12:00:00.Z",
        "2026-07-04T12:00:00ZZ",
        "2026-7-04T12:00:00Z",
        "2026-13-04T12:00:00Z",
        "2026-00-04T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2100-02-29T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-07-00T12:00:00Z",
        "2026-07-04T24:00:00Z",
        "2026-07-04T12:60:00Z",
        "2026-07-04T12:00:60Z",
        "1969-12-31T23:59:59Z",
        "-026-07-04T12:00:00Z",
        "20a6-07-04T12:00:00Z",
        "tomorrow",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct api_problem problem;
        uint64_t ms = 7;
        if (api_time_decode(slice_of(table[i]), "until", &ms, &problem) != -EPROTO)
            fail_msg("%s: is accepted", table[i]);
        assert_string_equal(problem.field, "until");
        assert_int_equal(ms, 7);
    }
}

/* ---- numbers ---- */

static void numbers_are_e164(void **state)
{
    (void)state;
    struct store_number number;
    struct api_problem problem;
    json_t *json = parse("{\"number\": \"+49 (30) 1234-567\", \"address\": \"Bob@OPB.example\"}");
    assert_int_equal(api_number_decode(json, NULL, &number, &problem), 0);
    json_decref(json);
    assert_string_equal(number.digits, "49301234567");
    assert_string_equal(number.address.user, "bob");
    number.version = 3;
    number.created_ms = 1783166400123;
    json = api_number_encode(&number);
    struct store_number again;
    assert_int_equal(api_number_decode(json, "49301234567", &again, &problem), 0);
    assert_string_equal(again.address.domain, "opb.example");
    assert_string_equal(again.zone, "");
    expect_json(json,
                "{\"number\": \"+49301234567\", \"address\": \"bob@opb.example\","
                " \"zone\": null, \"created\": \"2026-07-04T12:00:00.123000Z\", \"version\": 3}");
}

static void a_number_names_the_zone_that_holds_it(void **state)
{
    (void)state;
    struct store_number number, again;
    struct api_problem problem;
    json_t *json = parse("{\"number\": \"+49301234567\", \"address\": \"bob@opb.example\","
                         " \"zone\": \"9.4.E164.arpa.\"}");
    assert_int_equal(api_number_decode(json, NULL, &number, &problem), 0);
    json_decref(json);
    assert_string_equal(number.zone, "9.4.e164.arpa");
    json = api_number_encode(&number);
    assert_int_equal(api_number_decode(json, "49301234567", &again, &problem), 0);
    assert_string_equal(again.zone, "9.4.e164.arpa");
    json_decref(json);
}

static void bad_numbers_name_the_field(void **state)
{
    (void)state;
    static const struct refusal table[] = {
        {"{\"address\": \"bob@opb.example\"}", "number", "missing"},
        {"{\"number\": \"+4930123\"}", "address", "missing"},
        {"{\"number\": \"030123\", \"address\": \"bob@opb.example\"}", "number", "'+'"},
        {"{\"number\": 4930123, \"address\": \"bob@opb.example\"}", "number", "must be a string"},
        {"{\"number\": \"+4930123\", \"address\": \"bob\"}", "address", "bob: "},
        {"{\"number\": \"+4930123\", \"address\": \"bob@opb.example\", \"zone\": \"1.4.e164.arpa\"}",
         "zone", "other first digits than +4930123"},
        {"{\"number\": \"+4930123\", \"address\": \"bob@opb.example\", \"zone\": \"a b\"}", "zone",
         "zone: "},
        {"{\"number\": \"+4930123\", \"address\": \"bob@opb.example\", \"version\": 1}", "version",
         "no such field"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct store_number number;
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        expect_refusal(&table[i], api_number_decode(json, NULL, &number, &problem), &problem);
        json_decref(json);
    }
    struct store_number number;
    struct api_problem problem;
    const struct refusal other = {"{\"number\": \"+4930124\", \"address\": \"bob@opb.example\"}",
                                  "number", "the URL names 4930123"};
    json_t *json = parse(other.body);
    expect_refusal(&other, api_number_decode(json, "4930123", &number, &problem), &problem);
    json_decref(json);
}

/* ---- peers ---- */

#define PIN "00112233445566778899aAbBcCdDeEfF00112233445566778899aabbccddeeff"

static void peers_are_read_and_printed(void **state)
{
    (void)state;
    struct store_peer peer;
    struct api_problem problem;
    json_t *json = parse("{\"domain\": \"OPB.example\", \"blocked\": true, \"requests_per_s\": 50,"
                         " \"pins\": [\"" PIN "\"], \"tariff\": \"R\xc3\xbc"
                         "ckruf\"}");
    assert_int_equal(api_peer_decode(json, NULL, &peer, &problem), 0);
    json_decref(json);
    assert_int_equal(peer.pins[0][10], 0xaa);
    peer.version = 9;
    expect_json(api_peer_encode(&peer),
                "{\"domain\": \"opb.example\", \"blocked\": true, \"trusts_identity\": false,"
                " \"requests_per_s\": 50, \"calls_max\": 0, \"pins\": "
                "[\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"],"
                " \"tariff\": \"R\xc3\xbc"
                "ckruf\", \"version\": 9}");
}

static void bad_peers_name_the_field(void **state)
{
    (void)state;
    static const struct refusal table[] = {
        {"{}", "domain", "missing"},
        {"{\"domain\": \"a b\"}", "domain", "a b: "},
        {"{\"domain\": \"opb.example\", \"blocked\": 1}", "blocked", "must be true or false"},
        {"{\"domain\": \"opb.example\", \"requests_per_s\": -1}", "requests_per_s",
         "is -1; it must be 0 to 1000000"},
        {"{\"domain\": \"opb.example\", \"calls_max\": 1000001}", "calls_max", "0 to 1000000"},
        {"{\"domain\": \"opb.example\", \"calls_max\": 1.5}", "calls_max", "a whole number"},
        {"{\"domain\": \"opb.example\", \"pins\": [\"00\"]}", "pins[0]", "64 hex digits"},
        {"{\"domain\": \"opb.example\", \"pins\": [\"" PIN "\", \"zz" PIN "\"]}", "pins[1]",
         "64 hex digits"},
        {"{\"domain\": \"opb.example\", \"pins\": [1]}", "pins[0]", "must be a string"},
        {"{\"domain\": \"opb.example\", \"pins\": [\"\", \"\", \"\", \"\", \"\"]}", "pins",
         "there are 5; a peer has at most 4"},
        {"{\"domain\": \"opb.example\", \"tariff\": \"a\\nb\"}", "tariff", "control character"},
        {"{\"domain\": \"opb.example\", \"tariff\": \"" PIN "x\"}", "tariff", "at most 64"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct store_peer peer;
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        expect_refusal(&table[i], api_peer_decode(json, NULL, &peer, &problem), &problem);
        json_decref(json);
    }
}

/* ---- tokens ---- */

#define NOW_MS 1783166400000 /* 2026-07-04T12:00:00Z */

static void tokens_end_after_days_or_at_a_time(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum store_scope scope;
        uint64_t until_ms;
    } table[] = {
        {"{\"scope\": \"admin\"}", STORE_SCOPE_ADMIN, 0},
        {"{\"scope\": \"admin\", \"until\": null}", STORE_SCOPE_ADMIN, 0},
        {"{\"scope\": \"user\", \"owner\": \"c-1\", \"days\": 1}", STORE_SCOPE_USER,
         NOW_MS + 86400000},
        {"{\"scope\": \"operator\", \"domains\": [\"OPA.example\"], \"note\": \"billing\","
         " \"until\": \"2026-07-04T12:00:01Z\"}",
         STORE_SCOPE_OPERATOR, NOW_MS + 1000},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct store_token token;
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        if (api_token_decode(json, NOW_MS, &token, &problem))
            fail_msg("%s: %s", table[i].body, problem.detail);
        json_decref(json);
        assert_int_equal(token.scope, table[i].scope);
        assert_int_equal(token.until_ms, table[i].until_ms);
    }
}

static void bad_tokens_name_the_field(void **state)
{
    (void)state;
    static const struct refusal table[] = {
        {"{}", "scope", "missing"},
        {"{\"scope\": \"root\"}", "scope", "it must be admin, operator or user"},
        {"{\"scope\": \"user\"}", "owner", "a token of the scope user needs it"},
        {"{\"scope\": \"admin\", \"owner\": \"c-1\"}", "owner", "scope user only"},
        {"{\"scope\": \"operator\"}", "domains", "a token of the scope operator needs it"},
        {"{\"scope\": \"user\", \"owner\": \"c-1\", \"domains\": []}", "domains", "operator only"},
        {"{\"scope\": \"operator\", \"domains\": []}", "domains", "a token has 1 to 16"},
        {"{\"scope\": \"operator\", \"domains\": [\"a b\"]}", "domains[0]", "a b: "},
        {"{\"scope\": \"operator\", \"domains\": [\"a.example\", \"A.example\"]}", "domains[1]",
         "twice"},
        {"{\"scope\": \"user\", \"owner\": \"c 1\"}", "owner", "owner: "},
        {"{\"scope\": \"admin\", \"days\": 0}", "days", "1 to 3650"},
        {"{\"scope\": \"admin\", \"days\": 3651}", "days", "1 to 3650"},
        {"{\"scope\": \"admin\", \"days\": 1, \"until\": \"2027-01-01T00:00:00Z\"}", "days",
         "only one of"},
        {"{\"scope\": \"admin\", \"until\": \"2026-07-04T12:00:00Z\"}", "until", "in the past"},
        {"{\"scope\": \"admin\", \"until\": \"soon\"}", "until", "is 'soon'"},
        {"{\"scope\": \"admin\", \"hash\": \"00\"}", "hash", "no such field"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct store_token token;
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        expect_refusal(&table[i], api_token_decode(json, NOW_MS, &token, &problem), &problem);
        json_decref(json);
    }
}

static void a_token_is_printed_without_its_hash(void **state)
{
    (void)state;
    struct store_token token = {.id = "abcdefghij01",
                                .hash = {1, 2, 3},
                                .scope = STORE_SCOPE_OPERATOR,
                                .domains = {"opa.example"},
                                .domain_count = 1,
                                .note = "billing",
                                .version = 4,
                                .until_ms = NOW_MS};
    expect_json(api_token_encode(&token),
                "{\"id\": \"abcdefghij01\", \"scope\": \"operator\", \"owner\": null,"
                " \"domains\": [\"opa.example\"], \"note\": \"billing\","
                " \"until\": \"2026-07-04T12:00:00.000000Z\", \"version\": 4}");
}

/* ---- patches ---- */

static struct store_record alias_make(void)
{
    return (struct store_record){.address = {"bob", "opb.example"},
                                 .state = STORE_ADDRESS_ALIAS,
                                 .hosting = "opb.example",
                                 .owner = "c-1",
                                 .target = {"alice", "opb.example"},
                                 .display = "Bob@opb.example",
                                 .blocked = true};
}

static void a_patch_changes_what_it_names(void **state)
{
    (void)state;
    struct api_address_body body = {.record = alias_make()};
    struct api_problem problem;
    json_t *json = parse("{\"locked\": true, \"display\": \"sip:BOB@opb.example\"}");
    assert_int_equal(api_address_merge(json, &body, &problem), 0);
    json_decref(json);
    assert_false(body.moves || body.has_state);
    assert_true(body.record.locked && body.record.blocked);
    assert_string_equal(body.record.display, "BOB@opb.example");
    assert_string_equal(body.record.owner, "c-1");
    assert_string_equal(body.record.target.user, "alice");
    json = parse("{\"owner\": null, \"target\": null, \"hosting\": null, \"display\": null,"
                 " \"blocked\": false, \"state\": \"hosted\"}");
    assert_int_equal(api_address_merge(json, &body, &problem), 0);
    json_decref(json);
    assert_true(body.moves && body.has_state);
    assert_false(body.has_hosting || body.has_target || body.record.blocked);
    assert_string_equal(body.record.owner, "");
    assert_string_equal(body.record.target.user, "");
    assert_string_equal(body.record.hosting, "");
    assert_string_equal(body.record.display, "bob@opb.example");
    assert_int_equal(body.record.state, STORE_ADDRESS_HOSTED);
}

static void bad_patches_name_the_field(void **state)
{
    (void)state;
    static const struct refusal table[] = {
        {"{\"address\": \"bob@opb.example\"}", "address", "no such field"},
        {"{\"version\": 2}", "version", "no such field"},
        {"{\"auth_until\": null}", "auth_until", "no such field"},
        {"{\"display\": \"alice@opb.example\"}", "display", "is another address"},
        {"{\"display\": \"Bob\"}", "display", "Bob: "},
        {"{\"state\": null}", "state", "is null"},
        {"{\"state\": \"tombstone\"}", "state", "it must be hosted"},
        {"{\"locked\": null}", "locked", "is null"},
        {"{\"owner\": 7}", "owner", "must be a string or null"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct api_address_body body = {.record = alias_make()};
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        expect_refusal(&table[i], api_address_merge(json, &body, &problem), &problem);
        json_decref(json);
        assert_string_equal(body.record.display, "Bob@opb.example");
    }
}

/* ---- the journal ---- */

static void an_entry_tells_before_and_after(void **state)
{
    (void)state;
    const union store_any after = {
        .number = {.digits = "4930123", .address = {"bob", "opb.example"}, .version = 5}};
    struct store_journal_entry entry = {.sequence = 5,
                                        .time_ms = NOW_MS,
                                        .actor = "uid:0",
                                        .what = "number_add",
                                        .kind = STORE_KIND_NUMBER,
                                        .key = "+4930123",
                                        .after = &after};
    expect_json(api_entry_encode(&entry),
                "{\"sequence\": 5, \"time\": \"2026-07-04T12:00:00.000000Z\", \"actor\": \"uid:0\","
                " \"what\": \"number_add\", \"kind\": \"number\", \"key\": \"+4930123\","
                " \"erased\": false, \"before\": null, \"after\": {\"number\": \"+4930123\","
                " \"address\": \"bob@opb.example\", \"zone\": null, \"version\": 5}}");
    entry.kind = STORE_KIND_KEY; /* whatever stands there */
    entry.key = "token key 1";
    json_t *json = api_entry_encode(&entry);
    assert_true(json_is_null(json_object_get(json, "after")));
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_utc_to_the_millisecond),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(numbers_are_e164),
        cmocka_unit_test(a_number_names_the_zone_that_holds_it),
        cmocka_unit_test(bad_numbers_name_the_field),
        cmocka_unit_test(peers_are_read_and_printed),
        cmocka_unit_test(bad_peers_name_the_field),
        cmocka_unit_test(tokens_end_after_days_or_at_a_time),
        cmocka_unit_test(bad_tokens_name_the_field),
        cmocka_unit_test(a_token_is_printed_without_its_hash),
        cmocka_unit_test(a_patch_changes_what_it_names),
        cmocka_unit_test(bad_patches_name_the_field),
        cmocka_unit_test(an_entry_tells_before_and_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
