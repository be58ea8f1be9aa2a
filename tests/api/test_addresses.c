/* Addresses through their lives: states, changes, aliases, release, auth codes. */
#include "tests/api/client.h"

#include <stdio.h>
#include <string.h>

#define BOB  "/v1/addresses/bob@opa.example"
#define CODE BOB "/auth-code"

static int domains_setup(void **state)
{
    fixture_setup(state);
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    add(fixture, "/v1/domains", OPB);
    return 0;
}

static void expect_member(const struct fixture *fixture, const char *path, const char *key,
                          const char *text)
{
    struct response response;
    http(fixture, GET(path), &response);
    assert_int_equal(response.status, 200);
    if (strcmp(text_of(response.json, key), text) != 0)
        fail_msg("%s of %s is \"%s\", not \"%s\"", key, path, text_of(response.json, key), text);
    response_done(&response);
}

static void every_state_can_be_asked_for(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *body, *state, *hosting;
    } table[] = {
        {"{\"address\": \"a1@opa.example\", \"state\": \"hosted\"}", "hosted", "opa.example"},
        {"{\"address\": \"a2@opc.example\", \"state\": \"ported-in\", \"hosting\": "
         "\"opa.example\"}",
         "ported-in", "opa.example"},
        {"{\"address\": \"a3@opa.example\", \"state\": \"ported-out\", \"hosting\": "
         "\"opc.example\"}",
         "ported-out", "opc.example"},
        {"{\"address\": \"a4@opc.example\", \"state\": \"moved\", \"hosting\": \"opd.example\"}",
         "moved", "opd.example"},
        {"{\"address\": \"a5@opc.example\", \"state\": \"prepared\", \"hosting\": "
         "\"opa.example\"}",
         "prepared", "opa.example"},
        {"{\"address\": \"a6@opa.example\", \"target\": \"a1@opa.example\"}", "alias",
         "opa.example"},
        {"{\"address\": \"a7@opa.example\", \"state\": \"alias\", \"target\": \"x@opz.example\"}",
         "alias", "opa.example"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(fixture, POST("/v1/addresses", table[i].body), &response);
        if (response.status != 201)
            fail_msg("%s: %s", table[i].body, text_of(response.json, "detail"));
        assert_string_equal(text_of(response.json, "state"), table[i].state);
        assert_string_equal(text_of(response.json, "hosting"), table[i].hosting);
        response_done(&response);
    }
}

static void what_cannot_be_is_refused_by_field(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *body, *field, *detail;
    } table[] = {
        {"{\"address\": \"x@opc.example\", \"state\": \"hosted\"}", "address",
         "opc.example: is not one of our domains"},
        {"{\"address\": \"x@opa.example\", \"state\": \"hosted\", \"hosting\": \"opc.example\"}",
         "hosting", "served by its own domain"},
        {"{\"address\": \"x@opa.example\", \"state\": \"ported-out\"}", "hosting",
         "opa.example: is the address's own domain"},
        {"{\"address\": \"x@opa.example\", \"state\": \"ported-in\", \"hosting\": "
         "\"opb.example\"}",
         "hosting", "opb.example: is ours, as the address's own domain is"},
        {"{\"address\": \"x@opc.example\", \"state\": \"prepared\", \"hosting\": "
         "\"opd.example\"}",
         "hosting", "neither this domain nor"},
        {"{\"address\": \"x@opa.example\", \"state\": \"moved\", \"hosting\": \"opc.example\"}",
         "state", "opa.example: is ours"},
        {"{\"address\": \"x@opc.example\", \"state\": \"moved\", \"hosting\": \"opa.example\"}",
         "hosting", "opa.example: is ours"},
        {"{\"address\": \"x@opa.example\", \"state\": \"alias\"}", "target", "an alias needs one"},
        {"{\"address\": \"x@opa.example\", \"state\": \"hosted\", \"target\": "
         "\"y@opc.example\"}",
         "target", "only an alias has one"},
        {"{\"address\": \"x@opa.example\", \"target\": \"nobody@opb.example\"}", "target",
         "nobody@opb.example: there is no such address"},
        {"{\"address\": \"x@opa.example\", \"target\": \"y@opc.example\", \"hosting\": "
         "\"opd.example\"}",
         "hosting", "served by its own domain"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_problem(fixture, POST("/v1/addresses", table[i].body), 400, "invalid-field",
                       table[i].field, table[i].detail);
    assert_int_equal(last_sequence(fixture), 2);
}

static void a_patch_moves_an_address(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"alice@opa.example\"}");
    add(fixture, "/v1/addresses", "{\"address\": \"Bob@opa.example\", \"owner\": \"c-1\"}");
    static const struct {
        const char *patch, *state, *hosting, *target;
    } table[] = {
        {"{\"hosting\": \"opc.example\"}", "ported-out", "opc.example", ""},
        {"{\"blocked\": true}", "ported-out", "opc.example", ""},
        {"{\"state\": \"hosted\"}", "hosted", "opa.example", ""},
        {"{\"target\": \"alice@opa.example\"}", "alias", "opa.example", "alice@opa.example"},
        {"{\"target\": \"x@opc.example\"}", "alias", "opa.example", "x@opc.example"},
        {"{\"hosting\": null}", "alias", "opa.example", "x@opc.example"},
        {"{\"target\": null}", "hosted", "opa.example", ""},
        {"{\"hosting\": \"opc.example\"}", "ported-out", "opc.example", ""},
        {"{\"hosting\": null}", "hosted", "opa.example", ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response, shown;
        http(fixture, PATCH(BOB, ANY, table[i].patch), &response);
        if (response.status != 200)
            fail_msg("%s: %s", table[i].patch, text_of(response.json, "detail"));
        assert_string_equal(text_of(response.json, "state"), table[i].state);
        assert_string_equal(text_of(response.json, "hosting"), table[i].hosting);
        assert_string_equal(text_of(response.json, "target"), table[i].target);
        assert_string_equal(text_of(response.json, "owner"), "c-1");
        assert_string_equal(text_of(response.json, "display"), "Bob@opa.example");
        http(fixture, GET(BOB), &shown);
        assert_true(json_equal(response.json, shown.json));
        assert_string_equal(response.etag, shown.etag);
        response_done(&response);
        response_done(&shown);
    }
}

static void a_patch_changes_only_the_version_that_was_seen(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    expect_problem(fixture, PATCH(BOB, NULL, "{\"locked\": true}"), 428, "if-match-required",
                   "If-Match", "bob@opa.example");
    expect_problem(fixture, PATCH(BOB, "If-Match: \"2\"", "{\"locked\": true}"), 412, "changed",
                   "If-Match", "bob@opa.example");
    expect_problem(fixture, PATCH(BOB, "If-Match: \"4\"", "{\"locked\": true}"), 412, "changed",
                   "If-Match", "bob@opa.example");
    expect_status(fixture, PATCH(BOB, "If-Match: \"3\"", "{\"locked\": true}"), 200);
    expect_problem(fixture, PATCH(BOB, ANY, "{\"version\": 3}"), 400, "invalid-field", "version",
                   "no such field");
    expect_problem(fixture, PATCH("/v1/addresses/eve@opa.example", ANY, "{\"locked\": true}"), 404,
                   "no-such-record", "", "eve@opa.example");
    struct request typed = *PATCH(BOB, ANY, "{\"locked\": false}");
    typed.type = "application/merge-patch+json";
    expect_status(fixture, &typed, 200);
    typed.type = "application/json-patch+json";
    expect_status(fixture, &typed, 415);
}

/* Of the answer to a patch: what it says, and that nothing was written. */
static void expect_unwritten(const struct fixture *fixture, const char *path, const char *patch,
                             const char *etag, const char *member, const char *value)
{
    struct response response;
    json_int_t sequence = last_sequence(fixture);
    http(fixture, PATCH(path, ANY, patch), &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.etag, etag);
    assert_string_equal(text_of(response.json, member), value);
    response_done(&response);
    assert_int_equal(last_sequence(fixture), sequence);
}

static void a_patch_of_nothing_makes_no_version(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\", \"owner\": \"c-1\"}");
    expect_unwritten(fixture, BOB, "{}", "\"3\"", "owner", "c-1");
    expect_unwritten(fixture, BOB, "{\"owner\": \"c-1\", \"target\": null}", "\"3\"", "state",
                     "hosted");
    expect_unwritten(fixture, BOB "?dry_run=true", "{\"locked\": false}", "", "owner", "c-1");
    expect_status(fixture, PATCH(BOB, "If-Match: \"2\"", "{}"), 412);
    expect_status(fixture, DELETE(BOB, ANY), 204);
    expect_status(fixture, PATCH(BOB, ANY, "{}"), 404);
}

static void a_code_that_goes_with_its_owner_is_gone_in_a_dry_run_too(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\", \"owner\": \"c-1\"}");
    expect_status(fixture, POST(CODE, "{}"), 201);
    expect_unwritten(fixture, BOB "?dry_run=true", "{\"owner\": \"c-2\"}", "", "auth_until", "");
    expect_status(fixture, PATCH(BOB, ANY, "{\"owner\": \"c-2\"}"), 200);
    expect_member(fixture, BOB, "auth_until", "");
}

static void a_mail_address_is_told_in_the_record_alone(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    add(fixture, "/v1/addresses",
        "{\"address\": \"bob@opa.example\", \"owner\": \"c-1\", \"notify\": \"Bob@Mail.example\"}");
    expect_member(fixture, BOB, "notify", "Bob@mail.example");
    expect_problem(fixture, PATCH(BOB, ANY, "{\"notify\": \"-f@mail.example\"}"), 400,
                   "invalid-field", "notify", "may not begin with '-'");
    http(fixture, PATCH(BOB, ANY, "{\"notify\": \"b@mail.example\"}"), &response);
    assert_string_equal(text_of(response.json, "notify"), "b@mail.example");
    response_done(&response);
    http(fixture, GET("/v1/journal"), &response);
    char *journal = json_dumps(response.json, 0);
    assert_non_null(strstr(journal, "bob@opa.example"));
    assert_null(strstr(journal, "notify"));
    assert_null(strcasestr(journal, "mail.example"));
    free(journal);
    response_done(&response);
    expect_unwritten(fixture, BOB "?dry_run=true", "{\"owner\": \"c-2\"}", "", "notify", "");
    expect_status(fixture, PATCH(BOB, ANY, "{\"owner\": \"c-2\"}"), 200);
    expect_member(fixture, BOB, "notify", "");
    expect_status(fixture, PATCH(BOB, ANY, "{\"owner\": \"c-1\", \"notify\": \"b@mail.example\"}"),
                  200);
    expect_member(fixture, BOB, "notify", "b@mail.example");
    expect_status(fixture, PATCH(BOB, ANY, "{\"notify\": null}"), 200);
    expect_member(fixture, BOB, "notify", "");
}

static void a_lock_holds_until_it_is_opened(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\", \"locked\": true}");
    expect_problem(fixture, PATCH(BOB, ANY, "{\"hosting\": \"opc.example\"}"), 409, "locked", "",
                   "bob@opa.example");
    expect_problem(fixture, DELETE(BOB, ANY), 409, "locked", "", "bob@opa.example");
    expect_status(fixture, PATCH(BOB, ANY, "{\"locked\": false}"), 200);
    expect_status(fixture, DELETE(BOB, ANY), 204);
}

static void aliases_hold_their_target_and_make_no_loop(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    add(fixture, "/v1/addresses",
        "{\"address\": \"b@opb.example\", \"target\": \"Bob@opa.example\"}");
    expect_member(fixture, "/v1/addresses/b@opb.example", "target", "bob@opa.example");
    expect_problem(fixture, PATCH(BOB, ANY, "{\"target\": \"b@opb.example\"}"), 409, "alias-loop",
                   "", "bob@opa.example");
    expect_problem(fixture, DELETE(BOB, ANY), 409, "in-use", "", "bob@opa.example");
    expect_status(fixture, DELETE("/v1/addresses/b@opb.example", ANY), 204);
    expect_status(fixture, DELETE(BOB, ANY), 204);
    expect_problem(
        fixture,
        POST("/v1/addresses", "{\"address\": \"c@opb.example\", \"target\": \"bob@opa.example\"}"),
        400, "invalid-field", "target", "bob@opa.example: there is no such address");
}

static void a_released_address_is_kept_from_others(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\", \"owner\": \"c-1\"}");
    expect_status(fixture, DELETE(BOB, "If-Match: \"3\""), 204);
    expect_member(fixture, BOB, "state", "tombstone");
    expect_problem(fixture, PATCH(BOB, ANY, "{\"locked\": true}"), 404, "no-such-record", "",
                   "bob@opa.example");
    expect_problem(fixture,
                   POST("/v1/addresses", "{\"address\": \"bob@opa.example\", \"owner\": \"c-2\"}"),
                   409, "quarantined", "", "bob@opa.example");
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\", \"owner\": \"c-1\"}");
    expect_problem(fixture, DELETE(BOB "?purge=true", ANY), 404, "no-such-record", "",
                   "bob@opa.example");
    expect_status(fixture, DELETE(BOB "?purge=false", ANY), 204);
    expect_problem(fixture, DELETE(BOB "?purge=yes", ANY), 400, "invalid-parameter", "purge",
                   "true or false");
    expect_status(fixture, DELETE(BOB "?purge=true", ANY), 204);
    expect_status(fixture, GET(BOB), 404);
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\", \"owner\": \"c-2\"}");
}

/* ---- auth codes ---- */

static void code_make(const struct fixture *fixture, const struct request *request, char *code,
                      size_t size)
{
    struct response response;
    http(fixture, request, &response);
    if (response.status != 201)
        fail_msg("%s", text_of(response.json, "detail"));
    snprintf(code, size, "%s", text_of(response.json, "auth_code"));
    assert_int_equal(strlen(text_of(response.json, "until")), 27);
    response_done(&response);
}

static void an_auth_code_is_shown_once(void **state)
{
    const struct fixture *fixture = *state;
    char first[64], second[64];
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    struct request request = *POST(CODE, "{\"days\": 3}");
    request.headers = "Idempotency-Key: one";
    code_make(fixture, &request, first, sizeof(first));
    assert_int_equal(strlen(first), 34); /* seven groups of four */
    assert_int_equal(strspn(first, "0123456789abcdefghjkmnpqrstvwxyz-"), 34);
    json_int_t sequence = last_sequence(fixture);
    code_make(fixture, &request, second, sizeof(second));
    assert_string_equal(second, "");
    assert_int_equal(last_sequence(fixture), sequence);
    code_make(fixture, POST(CODE, "{}"), second, sizeof(second));
    assert_string_not_equal(first, second);
    struct response response;
    http(fixture, GET(BOB), &response);
    assert_int_equal(strlen(text_of(response.json, "auth_until")), 27);
    response_done(&response);
    expect_status(fixture, DELETE(CODE, "If-Match: \"3\""), 412);
    expect_status(fixture, DELETE(CODE, NULL), 428);
    expect_status(fixture, DELETE(CODE, ANY), 204);
    expect_member(fixture, BOB, "auth_until", "");
    expect_problem(fixture, DELETE(CODE, ANY), 404, "no-such-record", "", "has no auth code");
}

static void bad_auth_codes_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    expect_problem(fixture, POST(CODE, "{}"), 404, "no-such-record", "", "bob@opa.example");
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    expect_problem(fixture, POST(CODE, "{\"days\": 0}"), 400, "invalid-field", "days", "1 to 90");
    expect_problem(fixture, POST(CODE, "{\"days\": 91}"), 400, "invalid-field", "days", "1 to 90");
    expect_problem(fixture, POST(CODE, "{\"hours\": 1}"), 400, "invalid-field", "hours",
                   "no such field");
}

/* The hash is the only trace of a code. */
static bool entry_has(const struct store_journal_entry *entry, void *arg)
{
    const union store_any *any[] = {entry->before, entry->after};
    static const uint8_t nothing[STORE_HASH_LEN];
    for (size_t i = 0; i < COUNT_OF(any); i++)
        if (any[i] && entry->kind == STORE_KIND_ADDRESS)
            assert_memory_equal(any[i]->address.auth_hash, nothing, STORE_HASH_LEN);
    ++*(int *)arg;
    return true;
}

static void the_journal_has_no_secrets(void **state)
{
    const struct fixture *fixture = *state;
    char code[64];
    int entries = 0;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    code_make(fixture, POST(CODE, "{}"), code, sizeof(code));
    struct store_reader *reader;
    assert_int_equal(store_reader_alloc(fixture->store, &reader), 0);
    assert_int_equal(store_reader_begin(reader), 0);
    assert_int_equal(store_journal_read(reader, 0, 100, entry_has, &entries), 0);
    store_reader_end(reader);
    store_reader_free(reader);
    assert_int_equal(entries, 4);
}

/* ---- dry runs ---- */

static void a_dry_run_answers_and_keeps_nothing(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    json_int_t sequence = last_sequence(fixture);
    http(fixture, POST("/v1/addresses?dry_run=true", "{\"address\": \"eve@opa.example\"}"),
         &response);
    assert_int_equal(response.status, 201);
    assert_string_equal(response.dry_run, "true");
    assert_string_equal(response.etag, "");
    assert_string_equal(text_of(response.json, "state"), "hosted");
    assert_null(json_object_get(response.json, "version"));
    response_done(&response);
    http(fixture, PATCH(BOB "?dry_run=true", ANY, "{\"owner\": \"c-1\"}"), &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(text_of(response.json, "owner"), "c-1");
    assert_non_null(json_object_get(response.json, "created"));
    assert_null(json_object_get(response.json, "version"));
    response_done(&response);
    http(fixture, POST(CODE "?dry_run=true", "{}"), &response);
    assert_int_equal(response.status, 201);
    assert_true(json_is_null(json_object_get(response.json, "auth_code")));
    response_done(&response);
    expect_status(fixture, DELETE(BOB "?dry_run=true", ANY), 204);
    expect_status(fixture, POST("/v1/addresses?dry_run=true", "{\"address\": \"bob@opa.example\"}"),
                  409);
    expect_member(fixture, BOB, "owner", "");
    expect_status(fixture, GET("/v1/addresses/eve@opa.example"), 404);
    assert_int_equal(last_sequence(fixture), sequence);
}

/* ---- lists ---- */

static size_t count_of(const struct fixture *fixture, const char *path)
{
    struct response response;
    http(fixture, GET(path), &response);
    assert_int_equal(response.status, 200);
    size_t count = json_array_size(json_object_get(response.json, "addresses"));
    response_done(&response);
    return count;
}

static void lists_are_filtered(void **state)
{
    const struct fixture *fixture = *state;
    for (int i = 0; i < 6; i++) {
        char body[200];
        snprintf(body, sizeof(body), "{\"address\": \"u%d@op%c.example\", \"owner\": \"c-%d\"}", i,
                 i % 2 ? 'a' : 'b', i / 3);
        add(fixture, "/v1/addresses", body);
    }
    add(fixture, "/v1/addresses",
        "{\"address\": \"p@opa.example\", \"hosting\": \"opc.example\", \"owner\": \"c-1\"}");
    expect_status(fixture, DELETE("/v1/addresses/u5@opa.example", ANY), 204);
    static const struct {
        const char *path;
        size_t count;
    } table[] = {
        {"/v1/addresses", 7},
        {"/v1/addresses?owner=c-0", 3},
        {"/v1/addresses?owner=c-1", 4},
        {"/v1/addresses?owner=c-2", 0},
        {"/v1/addresses?owner=c-1&domain=opa.example", 3},
        {"/v1/addresses?owner=c-1&domain=opa.example&state=hosted", 1},
        {"/v1/addresses?state=ported-out", 1},
        {"/v1/addresses?state=tombstone", 1},
        {"/v1/addresses?state=moved", 0},
        {"/v1/addresses?domain=opb.example&state=hosted", 3},
        {"/v1/addresses?owner=c-1&limit=2&cursor=u3@opa.example", 2},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (count_of(fixture, table[i].path) != table[i].count)
            fail_msg("%s: %zu, not %zu", table[i].path, count_of(fixture, table[i].path),
                     table[i].count);
    expect_problem(fixture, GET("/v1/addresses?state=gone"), 400, "invalid-parameter", "state",
                   "gone");
    expect_problem(fixture, GET("/v1/addresses?owner="), 400, "invalid-parameter", "owner",
                   "owner: ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, domains_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_state_can_be_asked_for),
        TEST(what_cannot_be_is_refused_by_field),
        TEST(a_patch_moves_an_address),
        TEST(a_patch_changes_only_the_version_that_was_seen),
        TEST(a_patch_of_nothing_makes_no_version),
        TEST(a_code_that_goes_with_its_owner_is_gone_in_a_dry_run_too),
        TEST(a_mail_address_is_told_in_the_record_alone),
        TEST(a_lock_holds_until_it_is_opened),
        TEST(aliases_hold_their_target_and_make_no_loop),
        TEST(a_released_address_is_kept_from_others),
        TEST(an_auth_code_is_shown_once),
        TEST(bad_auth_codes_are_refused),
        TEST(the_journal_has_no_secrets),
        TEST(a_dry_run_answers_and_keeps_nothing),
        TEST(lists_are_filtered),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
