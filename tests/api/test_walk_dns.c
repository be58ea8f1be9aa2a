/* Routes that lead through DNS: numbers in ENUM, and what foreign domains publish. A DNS server on
 * a thread of its own answers. */
#include "api/internal.h"
#include "tests/api/client.h"
#include "tests/resolver/server_thread.h"

#include <string.h>

#define AUTHENTIC (DNS_AA | DNS_AD)
#define NONE      (DNS_AA | DNS_AD | DNS_NXDOMAIN)
#define BOB       "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd._sipaddr.opb.example"
#define IN        "582967534d0f909d196b97f9e6921342777aea87b46fa52df165389d._sipaddr.opz.example"
#define NI        "4db03a277cfb9ef4c68b4c9780470eee479abacb5fd01b8a2c2b3cb9._sipaddr.opz.example"
#define SOA                                                                                        \
    {                                                                                              \
        "example 60 SOA ns h 1 2 3 4 60"                                                           \
    }
#define NUMBER(digit) digit ".9.4.e164.example"
#define LEADS(digit, address)                                                                      \
    {                                                                                              \
        NUMBER(digit), "NAPTR", 0, AUTHENTIC,                                                      \
            {NUMBER(digit) " 60 NAPTR 1 1 u E2U+sip !^.*$!sip:" address "! ."},                    \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static const struct server_rule rules[] = {
    {"_sipaddr.opb.example", "TXT", 0, AUTHENTIC, {"_sipaddr.opb.example 60 TXT v=sipaddr1"}, {0}},
    {BOB, "NAPTR", 0, AUTHENTIC, {BOB " 60 NAPTR 10 10 - SIP+host - opd.example"}, {0}},
    {"_sipaddr.opz.example", "TXT", 0, AUTHENTIC, {"_sipaddr.opz.example 60 TXT v=sipaddr1"}, {0}},
    {IN, "NAPTR", 0, AUTHENTIC, {IN " 60 NAPTR 10 10 - SIP+host - opc.example"}, {0}},
    {NI, "NAPTR", 0, AUTHENTIC, {NI " 60 NAPTR 10 10 - SIP+host - opc.example"}, {0}},
    {"_sipaddr.ope.example", "TXT", 0, NONE, {0}, SOA},
    LEADS("1", "bob@opb.example"),
    LEADS("2", "alice@opa.example"),
    LEADS("3", "carol@opc.example"),
    {NUMBER("4"), "NAPTR", 0, NONE, {0}, SOA},
    LEADS("6", "bob@opb.example"),
    {NUMBER("8"), "NAPTR", 0, NONE, {0}, SOA},
    {.name = NULL}};

struct world {
    struct fixture *fixture;
    struct server_thread dns;
};

static char op_a[TOKEN_MAX];

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    fixture_setup_https((void **)&world->fixture);
    server_thread_start(&world->dns, rules);
    struct fixture *fixture = world->fixture;
    fixture->resolver =
        (struct resolver_conf){.upstream_count = 1, .address_records = true, .suffix_count = 1};
    fixture->resolver.upstreams[0].addr = world->dns.server.addr;
    fixture->resolver.upstreams[0].trusted = true;
    snprintf(fixture->resolver.suffixes[0].name, sizeof(fixture->resolver.suffixes[0].name),
             "e164.example");
    struct api_conf conf = fixture_conf_https(fixture);
    fixture_restart(fixture, &conf);
    add(fixture, "/v1/domains", OPA);
    add(fixture, "/v1/domains", "{\"name\": \"opc.example\", \"cores\": [\"sip:127.0.22.2\"]}");
    add(fixture, "/v1/addresses", "{\"address\": \"alice@opa.example\"}");
    add(fixture, "/v1/addresses", "{\"address\": \"carol@opc.example\"}");
    add(fixture, "/v1/addresses",
        "{\"address\": \"bobby@opa.example\", \"target\": \"bob@opb.example\"}");
    add(fixture, "/v1/addresses",
        "{\"address\": \"in@opz.example\", \"hosting\": \"opc.example\"}");
    add(fixture, "/v1/numbers", "{\"number\": \"+496\", \"address\": \"carol@opc.example\"}");
    add(fixture, "/v1/numbers", "{\"number\": \"+497\", \"address\": \"alice@opa.example\"}");
    add(fixture, "/v1/numbers", "{\"number\": \"+498\", \"address\": \"carol@opc.example\"}");
    token_make(fixture, "{\"scope\": \"operator\", \"domains\": [\"opa.example\"]}", op_a);
    *state = world;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    server_thread_stop(&world->dns);
    fixture_teardown((void **)&world->fixture);
    free(world);
    return 0;
}

static bool step_says(const json_t *walk, const char *what, const char *why)
{
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(walk, "steps"), i,
                       step) if (strcmp(text_of(step, "what"), what) == 0 &&
                                 strstr(text_of(step, "why"), why)) return true;
    return false;
}

static void routes_through_dns_are_explained(void **state)
{
    const struct world *world = *state;
    static const struct {
        const char *path, *address, *rule, *hosting, *what, *why, *verdict;
    } table[] = {
        {"/v1/route/bob@opb.example", "bob@opb.example", "published", "opd.example",
         "address-record", "; the hosting domain is opd.example",
         "no way there: NAPTR opd.example"},
        {"/v1/route/bobby@opa.example", "bobby@opa.example", "published", "opd.example", "dns",
         "NAPTR " BOB ": 10 10 \"\" \"SIP+host\" opd.example (validated, TTL ",
         "no way there: NAPTR opd.example"},
        {"/v1/route/x@ope.example", "x@ope.example", "authority", "ope.example", "dns",
         "TXT _sipaddr.ope.example: NXDOMAIN", "no way there: NAPTR ope.example"},
        {"/v1/route/x@opf.example", "x@opf.example", "authority", "opf.example", "dns",
         "not found out: TXT _sipaddr.opf.example: REFUSED", "no way there: NAPTR opf.example"},
        {"/v1/route/+491", "bob@opb.example", "published", "opd.example", "number",
         "+491 leads to bob@opb.example", "no way there: NAPTR opd.example"},
        {"/v1/route/+492", "alice@opa.example", "hosted", "opa.example", "number",
         "+492 leads to alice@opa.example", "goes to the core of opa.example"},
        {"/v1/route/+492@opa.example", "alice@opa.example", "hosted", "opa.example", "number",
         "+492@opa.example leads to alice@opa.example", "goes to the core of opa.example"},
        {"/v1/route/+497@opa.example", "alice@opa.example", "hosted", "opa.example", "number",
         "+497@opa.example leads to alice@opa.example", "goes to the core of opa.example"},
        {"/v1/route/+494@opa.example", "+494@opa.example", "unknown", "", "dns",
         "+494 is in no number table here and in no tree of ENUM",
         "refused: +494@opa.example does not exist at opa.example"},
        {"/v1/route/+495@opa.example", "+495@opa.example", "unknown", "", "dns",
         "in no tree of ENUM that could be asked",
         "no way there: NAPTR " NUMBER("5") ": REFUSED from 127.0.0.1:"},
        {"/v1/route/+494", "+494", "no-number", "", "dns", "NAPTR " NUMBER("4") ": NXDOMAIN",
         "refused: +494 leads to no address"},
        {"/v1/route/+495", "+495", "not-found-out", "", "dns", "NAPTR " NUMBER("5") ": REFUSED",
         "no way there: NAPTR " NUMBER("5") ": REFUSED from 127.0.0.1:"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(world->fixture, GET(table[i].path), &response);
        assert_int_equal(response.status, 200);
        assert_string_equal(text_of(response.json, "address"), table[i].address);
        assert_string_equal(text_of(response.json, "rule"), table[i].rule);
        assert_string_equal(text_of(response.json, "hosting"), table[i].hosting);
        if (!step_says(response.json, table[i].what, table[i].why))
            fail_msg("%s: no step says \"%s\": %s", table[i].path, table[i].why,
                     json_dumps(json_object_get(response.json, "steps"), JSON_INDENT(1)));
        if (!strstr(text_of(response.json, "verdict"), table[i].verdict))
            fail_msg("%s: %s", table[i].path, text_of(response.json, "verdict"));
        response_done(&response);
    }
}

static void numbers_that_lead_nowhere_are_told_apart(void **state)
{
    const struct world *world = *state;
    expect_problem(world->fixture, as(op_a, GET("/v1/route/+494")), 404, "no-such-record", "",
                   "+494");
}

/* A core may know a number that DNS could not be asked for; who has no core to ask, does not. */
static void a_core_that_asks_itself_is_told_what_is_unknown(void **state)
{
    const struct world *world = *state;
    add(world->fixture, "/v1/domains",
        "{\"name\": \"opu.example\", \"unknown\": \"core\", \"cores\": [\"sip:127.0.22.3\"]}");
    static const char *const table[][2] = {
        {"/v1/route/+494@opu.example", "itself is answered 404"},
        {"/v1/route/+495@opu.example", "itself is answered 480, for where the number leads"}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(world->fixture, GET(table[i][0]), &response);
        assert_int_equal(response.status, 200);
        if (!strstr(text_of(response.json, "verdict"), table[i][1]))
            fail_msg("%s: %s", table[i][0], text_of(response.json, "verdict"));
        response_done(&response);
    }
}

/* An operator of opa.example learns nothing of opc.example, which is ours too. */
static void other_operators_numbers_stay_theirs(void **state)
{
    const struct world *world = *state;
    static const struct {
        const char *path;
        long status;
    } table[] = {
        {"/v1/route/+497", 200},
        {"/v1/route/+498", 404},
        {"/v1/route/+492", 200},
        {"/v1/route/+493", 404},
        {"/v1/route/+497@opa.example", 200},
        {"/v1/route/+493@opa.example", 404},
        {"/v1/route/bob@opb.example", 200},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(world->fixture, as(op_a, GET(table[i].path)), &response);
        if (response.status != table[i].status)
            fail_msg("%s: %ld", table[i].path, response.status);
        response_done(&response);
    }
    struct response response;
    http(world->fixture, as(op_a, GET("/v1/route/+498@opa.example")), &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(text_of(response.json, "rule"), "unknown");
    assert_false(step_says(response.json, "dns", "carol"));
    assert_false(step_says(response.json, "number", "carol"));
    response_done(&response);
}

/* All but the sentences of the steps, whose TTLs count down. */
static void told(const struct fixture *fixture, const char *path, char *text, size_t size)
{
    struct response response;
    http(fixture, as(op_a, GET(path)), &response);
    size_t i, len;
    json_t *step, *json = response.json;
    len = (size_t)snprintf(text, size, "%ld %s %s %s %s %s %s:", response.status,
                           text_of(json, "detail"), text_of(json, "address"), text_of(json, "rule"),
                           text_of(json, "hosting"), text_of(json, "must_prove"),
                           text_of(json, "verdict"));
    json_array_foreach(json_object_get(json, "steps"), i, step) len +=
        (size_t)snprintf(text + len, size - len, " %s", text_of(step, "what"));
    assert_true(len < size);
    response_done(&response);
}

/* Numbers and aliases may lead to what is another operator's. DNS is asked all the same, so nobody
 * can tell that from what nobody here has. */
static void what_is_hidden_is_asked_in_dns_like_what_is_absent(void **state)
{
    const struct world *world = *state;
    static const struct {
        const char *hidden, *absent, *names[2][2];
    } table[] = {
        {"in@opz.example", "ni@opz.example", {{"in@", "ni@"}}},
        {"a1@opa.example", "a2@opa.example", {{"a1@", "a2@"}}},
        {"a3@opa.example", "a4@opa.example", {{"a3@", "a4@"}, {"opc", "opn"}}},
        {"+496", "+491", {{"+496", "+491"}}},
        {"+498", "+494", {{"+498", "+494"}}},
        {"+493", "+494", {{"+493", "+494"}}},
        {"+496@opa.example", "+491@opa.example", {{"+496", "+491"}}},
        {"+498@opa.example", "+494@opa.example", {{"+498", "+494"}}},
    };
    static const char *const aliases[] = {"in@opz.example", "ni@opz.example", "carol@opc.example",
                                          "carol@opn.example"};
    char body[200], path[100], texts[2][2048];
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        snprintf(body, sizeof(body), "{\"address\": \"a%zu@opa.example\", \"target\": \"%s\"}",
                 i + 1, aliases[i]);
        add(world->fixture, "/v1/addresses", body);
    }
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        snprintf(path, sizeof(path), "/v1/route/%s", table[i].hidden);
        told(world->fixture, path, texts[0], sizeof(texts[0]));
        snprintf(path, sizeof(path), "/v1/route/%s", table[i].absent);
        told(world->fixture, path, texts[1], sizeof(texts[1]));
        for (size_t n = 0; n < 2 && table[i].names[n][0]; n++)
            text_replace(texts[0], sizeof(texts[0]), table[i].names[n][0], table[i].names[n][1]);
        assert_string_equal(texts[0], texts[1]);
    }
}

/* That a published host is ours, is told to whoever may see it: the others are answered as if it
 * were foreign. */
static void a_published_host_of_ours_is_ours_to_its_operator(void **state)
{
    const struct world *world = *state;
    struct response response;
    http(world->fixture, GET("/v1/route/ni@opz.example"), &response);
    assert_string_equal(text_of(response.json, "rule"), "authority");
    assert_true(step_says(response.json, "dns", "it names opc.example, which is ours"));
    response_done(&response);
    http(world->fixture, as(op_a, GET("/v1/route/ni@opz.example")), &response);
    assert_string_equal(text_of(response.json, "rule"), "published");
    assert_string_equal(text_of(response.json, "must_prove"), "opc.example");
    assert_false(step_says(response.json, "dns", "ours"));
    response_done(&response);
    http(world->fixture, GET("/v1/route/+496"), &response);
    assert_string_equal(text_of(response.json, "address"), "carol@opc.example");
    assert_false(step_says(response.json, "dns", "NAPTR")); /* the table has it */
    response_done(&response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(routes_through_dns_are_explained),
        TEST(numbers_that_lead_nowhere_are_told_apart),
        TEST(a_core_that_asks_itself_is_told_what_is_unknown),
        TEST(other_operators_numbers_stay_theirs),
        TEST(what_is_hidden_is_asked_in_dns_like_what_is_absent),
        TEST(a_published_host_of_ours_is_ours_to_its_operator),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
