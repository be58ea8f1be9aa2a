#include "api/problem.h"

#include "base/status.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

static const char *text_at(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static void every_status_becomes_its_problem(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum api_problem_kind kind;
        unsigned http;
        const char *detail;
    } table[] = {
        {STATUS_NOTFOUND, API_PROBLEM_NO_RECORD, 404, "opa.example: no such record"},
        {STATUS_EXISTS, API_PROBLEM_EXISTS, 409, "opa.example: exists already"},
        {STATUS_CONFLICT, API_PROBLEM_CHANGED, 412, "opa.example: changed in the meantime"},
        {STATUS_INUSE, API_PROBLEM_IN_USE, 409,
         "opa.example: others still lead to it (addresses, also released ones in quarantine, aliases "
         "or numbers): delete them first, and purge the released ones; or a port brings an address to it, "
         "or back"},
        {STATUS_QUARANTINED, API_PROBLEM_QUARANTINED, 409,
         "opa.example: was released; until its quarantine ends only its last owner can have it"},
        {STATUS_LOCKED, API_PROBLEM_LOCKED, 409, "opa.example: is locked: unlock it first"},
        {STATUS_LOOP, API_PROBLEM_LOOP, 409,
         "opa.example: the alias would lead back to itself, or over too many aliases"},
        {STATUS_DENIED, API_PROBLEM_DENIED, 403,
         "opa.example: may not be claimed: its domain allows no claims, or the name is reserved"},
        {STATUS_LIMIT, API_PROBLEM_CLAIM_LIMIT, 409,
         "opa.example: this owner has as many addresses there as the domain allows"},
        {STATUS_TRIMMED, API_PROBLEM_TRIMMED, 410, "opa.example: no longer in the journal"},
        {STATUS_MISMATCH, API_PROBLEM_KEY_REUSED, 422,
         "opa.example: this Idempotency-Key was used for a request with another body"},
        {STATUS_CLOCK, API_PROBLEM_CLOCK, 503,
         "opa.example: the daemon's clock is behind the directory's: nothing is changed before "
         "that is mended"},
        {STATUS_FULL, API_PROBLEM_FULL, 507, "opa.example: the store is full"},
        {-ENOSPC, API_PROBLEM_FULL, 507, "opa.example: the disk is full"},
        {-EROFS, API_PROBLEM_READ_ONLY, 503,
         "opa.example: the directory cannot be written by this process"},
        {-EAGAIN, API_PROBLEM_BUSY, 503, "opa.example: too many changes are waiting: try again"},
        {STATUS_CORRUPT, API_PROBLEM_INTERNAL, 500, "opa.example: the store is damaged"},
        {-EIO, API_PROBLEM_INTERNAL, 500,
         "opa.example: the disk failed, and whether this was done is not known: send it again with "
         "the same Idempotency-Key"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct api_problem problem;
        assert_int_equal(api_problem_from_status(&problem, table[i].status, "opa.example"),
                         -EPROTO);
        assert_int_equal(problem.kind, table[i].kind);
        assert_int_equal(api_problem_status(problem.kind), table[i].http);
        assert_string_equal(problem.detail, table[i].detail);
        const char *field = table[i].kind == API_PROBLEM_CHANGED      ? "If-Match"
                            : table[i].kind == API_PROBLEM_KEY_REUSED ? "Idempotency-Key"
                                                                      : "";
        assert_string_equal(problem.field, field);
    }
}

static void document_has_the_members_of_rfc_9457(void **state)
{
    (void)state;
    struct api_problem problem;
    api_problem_set(&problem, API_PROBLEM_FIELD, "cores[1]", "cores[1]: %s", "is a shame");
    json_t *json = api_problem_encode(&problem);
    assert_int_equal(json_object_size(json), 5);
    assert_string_equal(text_at(json, "type"), "urn:junctor:problem:invalid-field");
    assert_string_equal(text_at(json, "title"), "A field of the body is not acceptable");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 400);
    assert_string_equal(text_at(json, "detail"), "cores[1]: is a shame");
    assert_string_equal(text_at(json, "field"), "cores[1]");
    json_decref(json);
    api_problem_set(&problem, API_PROBLEM_BUSY, NULL, "busy");
    json = api_problem_encode(&problem);
    assert_int_equal(json_object_size(json), 4);
    assert_null(json_object_get(json, "field"));
    json_decref(json);
}

static void types_are_all_different(void **state)
{
    (void)state;
    static const char *const types[] = {
#define TYPE(name, status, type, title) type,
        API_PROBLEM_LIST(TYPE)
#undef TYPE
    };
    for (size_t i = 0; i < COUNT_OF(types); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(types[i], types[j]);
}

static void bytes_that_are_no_text_are_escaped(void **state)
{
    (void)state;
    struct api_problem problem;
    api_problem_set(&problem, API_PROBLEM_PARAMETER, NULL, "%s", "caf\xc3\xa9");
    json_t *json = api_problem_encode(&problem);
    assert_string_equal(text_at(json, "detail"), "caf\xc3\xa9");
    json_decref(json);
    api_problem_set(&problem, API_PROBLEM_PARAMETER, NULL, "%s", "caf\xe9!");
    json = api_problem_encode(&problem);
    assert_string_equal(text_at(json, "detail"), "caf\\xe9!");
    json_decref(json);
}

static void long_details_are_cut_and_stay_a_document(void **state)
{
    (void)state;
    char text[2 * API_DETAIL_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    text[API_DETAIL_MAX - 2] = '\xc3'; /* the cut goes through a character */
    text[API_DETAIL_MAX - 1] = '\xa9';
    struct api_problem problem;
    api_problem_set(&problem, API_PROBLEM_PARAMETER, text, "%s", text);
    assert_int_equal(strlen(problem.detail), API_DETAIL_MAX - 1);
    assert_int_equal(strlen(problem.field), API_FIELD_MAX - 1);
    json_t *json = api_problem_encode(&problem);
    assert_true(strlen(text_at(json, "detail")) >= API_DETAIL_MAX - 1);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_becomes_its_problem),
        cmocka_unit_test(document_has_the_members_of_rfc_9457),
        cmocka_unit_test(types_are_all_different),
        cmocka_unit_test(bytes_that_are_no_text_are_escaped),
        cmocka_unit_test(long_details_are_cut_and_stay_a_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
