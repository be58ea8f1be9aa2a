#include "tests/api/client.h"

#include "tests/test.h"

#include <string.h>

/* The API never looks into an edge: any pointer will do here. */
static char purged[300];

static void purge_tell(struct edge *edge, const char *name)
{
    (void)edge;
    snprintf(purged + strlen(purged), sizeof(purged) - strlen(purged), "%s;", name);
}

static void edge_set(struct fixture *fixture)
{
    api_stop(fixture->api);
    fixture->api = NULL;
    fixture_start(fixture, &(struct api_parts){.store = fixture->store,
                                               .resolver = &fixture->resolver,
                                               .edge = (struct edge *)fixture,
                                               .dns_purge = purge_tell});
}

static void purge_reaches_the_edge_once_in_canonical_form(void **state)
{
    static const struct {
        const char *body, *name;
    } table[] = {
        {"{\"name\": \"OPB.example\"}", "opb.example"},
        {"{\"name\": \"opb.example.\"}", "opb.example"},
        {"{\"name\": \"b\u00fccher.example\"}", "xn--bcher-kva.example"},
        {"{\"name\": \"_SIPS._tcp.opb.example\"}", "_sips._tcp.opb.example"},
        {"{\"name\": \"5.1.e164.arpa\"}", "5.1.e164.arpa"},
    };
    struct fixture *fixture = *state;
    edge_set(fixture);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char want[300];
        struct response response;
        purged[0] = '\0';
        http(fixture, POST("/v1/dns/purge", table[i].body), &response);
        assert_int_equal(response.status, 200);
        assert_string_equal(text_of(response.json, "name"), table[i].name);
        response_done(&response);
        snprintf(want, sizeof(want), "%s;", table[i].name);
        assert_string_equal(purged, want);
    }
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bodies[] = {"{\"name\": \"\"}", "{\"name\": \".\"}",
                                         "{\"name\": \"opb..example\"}", "{\"name\": \"a b\"}",
                                         "{\"name\": \"sip:opb.example\"}"};
    struct fixture *fixture = *state;
    edge_set(fixture);
    purged[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        expect_problem(fixture, POST("/v1/dns/purge", bodies[i]), 400, "invalid-field", "name",
                       "it must be a domain name");
    expect_problem(fixture, POST("/v1/dns/purge", "{}"), 400, "invalid-field", "name", "name");
    assert_string_equal(purged, "");
}

static void without_an_edge_there_is_nothing_to_forget(void **state)
{
    struct fixture *fixture = *state;
    struct response response;
    http(fixture, POST("/v1/dns/purge", "{\"name\": \"opb.example\"}"), &response);
    assert_int_equal(response.status, 200);
    response_done(&response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(purge_reaches_the_edge_once_in_canonical_form),
        TEST(what_is_no_name_is_refused),
        TEST(without_an_edge_there_is_nothing_to_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
