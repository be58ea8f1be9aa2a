#include "api/json.h"

#include "peering/sip/sip.h"
#include "resolver/resolver.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static json_t *parse(const char *text)
{
    json_t *json = NULL;
    struct api_problem problem;
    if (api_json_parse(slice_of(text), &json, &problem))
        fail_msg("%s: %s", text, problem.detail);
    return json;
}

static void expect_refusal(const struct api_problem *problem, const char *text,
                           enum api_problem_kind kind, const char *field, const char *detail)
{
    assert_int_equal(problem->kind, kind);
    assert_string_equal(problem->field, field);
    if (!strstr(problem->detail, detail))
        fail_msg("%s: no \"%s\" in \"%s\"", text, detail, problem->detail);
}

static void broken_bodies_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *body, *detail;
    } table[] = {
        {"", "empty"},
        {"{", "line 1, column 1"},
        {"{\"a\": 1,\n \"b\"; 2}", "line 2"},
        {"{\"a\": 1, \"a\": 2}", "duplicate object key near '\"a\"'"},
        {"{\"a\": {\"b\": 1, \"b\": 2}}", "duplicate object key"},
        {"{\"a\": \"\xff\"}", "unable to decode byte 0xff"},
        {"{\"a\": \"\xed\xa0\x80\"}", "unable to decode byte"}, /* a lone surrogate */
        {"{\"a\": \"b\\u0000c\"}", "\\u0000 is not allowed in a text"},
        {"{} {}", "end of file expected"},
        {"[]", "is an array; it must be an object"},
        {"\"x\"", "is a string; it must be an object"},
        {"null", "is null; it must be an object"},
        {"{'a': 1}", "line 1"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        json_t *json = NULL;
        struct api_problem problem;
        assert_int_equal(api_json_parse(slice_of(table[i].body), &json, &problem), -EPROTO);
        assert_null(json);
        expect_refusal(&problem, table[i].body, API_PROBLEM_MALFORMED, "", table[i].detail);
    }
}

static void nesting_without_end_is_refused(void **state)
{
    (void)state;
    static char body[API_DETAIL_MAX * 60];
    memset(body, '[', sizeof(body));
    json_t *json = NULL;
    struct api_problem problem;
    assert_int_equal(api_json_parse(slice_make(body, sizeof(body)), &json, &problem), -EPROTO);
}

static void cores_are_read_and_printed_in_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
        uint8_t transport;
        const char *printed;
    } table[] = {
        {"sip:192.0.2.1:5060;transport=udp", "192.0.2.1", 5060, SIP_UDP,
         "sip:192.0.2.1:5060;transport=udp"},
        {"sip:192.0.2.1", "192.0.2.1", 0, SIP_UDP, "sip:192.0.2.1;transport=udp"},
        {"SIP:Core.OPA.example;Transport=TCP", "core.opa.example", 0, SIP_TCP,
         "sip:core.opa.example;transport=tcp"},
        {"sip:[2001:DB8::0:1]:5061;transport=tls", "2001:db8::1", 5061, SIP_TLS,
         "sip:[2001:db8::1]:5061;transport=tls"},
        {"sip:core.opa.example", "core.opa.example", 0, RESOLVER_ANY, "sip:core.opa.example"},
        {"sip:core.opa.example;transport=udp", "core.opa.example", 0, SIP_UDP,
         "sip:core.opa.example;transport=udp"},
        {"sip:core.opa.example:5070", "core.opa.example", 5070, SIP_UDP,
         "sip:core.opa.example:5070;transport=udp"},
        {"sip:192.0.2.1;Priority=10;transport=tcp;weight=65535", "192.0.2.1", 0, SIP_TCP,
         "sip:192.0.2.1;transport=tcp;priority=10;weight=65535"},
        {"sip:core.opa.example;weight=1", "core.opa.example", 0, RESOLVER_ANY,
         "sip:core.opa.example;priority=0;weight=1"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct store_core core;
        struct api_problem problem;
        char text[API_CORE_TEXT_MAX];
        bool ranked, ranked_again;
        if (api_core_decode(slice_of(table[i].text), "cores[0]", &core, &ranked, &problem))
            fail_msg("%s", problem.detail);
        assert_string_equal(core.host, table[i].host);
        assert_int_equal(core.port, table[i].port);
        assert_int_equal(core.transport, table[i].transport);
        assert_string_equal(api_core_encode(&core, ranked, text), table[i].printed);
        struct store_core again;
        assert_int_equal(api_core_decode(slice_of(text), "", &again, &ranked_again, &problem), 0);
        assert_int_equal(ranked_again, ranked);
        assert_int_equal(again.priority, core.priority);
        assert_int_equal(again.weight, core.weight);
        assert_string_equal(again.host, core.host);
        assert_int_equal(again.port, core.port);
        assert_int_equal(again.transport, core.transport);
    }
}

static void cores_that_say_too_much_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *detail;
    } table[] = {
        {"", "is not a SIP URI"},
        {"192.0.2.1", "is not a SIP URI"},
        {"sip:192.0.2.1:99999", "is not a SIP URI"},
        {"sip:alice@192.0.2.1", "must not have a user part"},
        {"sips:192.0.2.1", "must begin with sip:"},
        {"tel:+431234", "must begin with sip:"},
        {"sip:192.0.2.1?Subject=x", "must not have headers"},
        {"sip:192.0.2.1;transport=sctp", "must be udp, tcp or tls"},
        {"sip:192.0.2.1;transport=carrier-pigeon", "must be udp, tcp or tls"},
        {"sip:192.0.2.1;lr", "only the parameters"},
        {"sip:192.0.2.1;transport=udp;lr", "only the parameters"},
        {"sip:192.0.2.1;lr;transport=udp", "only the parameters"},
        {"sip:192.0.2.1;transport", "only the parameters transport, priority and weight"},
        {"sip:192.0.2.1;weight=1;weight=1", "each once"},
        {"sip:192.0.2.1;weights=1", "only the parameters"},
        {"sip:192.0.2.1;priority=65536", "priority and weight are numbers from 0 to 65535"},
        {"sip:192.0.2.1;priority=", "is not a SIP URI"},
        {"sip:192.0.2.1;weight=-1", "numbers from 0 to 65535"},
        {"sip:-core.example", "sip:-core.example"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct store_core core = {.host = "untouched"};
        struct api_problem problem;
        bool ranked;
        if (api_core_decode(slice_of(table[i].text), "cores[3]", &core, &ranked, &problem) !=
            -EPROTO)
            fail_msg("%s: is accepted", table[i].text);
        expect_refusal(&problem, table[i].text, API_PROBLEM_FIELD, "cores[3]", table[i].detail);
        assert_string_equal(core.host, "untouched");
    }
}

#define CORE "\"cores\": [\"sip:192.0.2.1\"]"

static void domain_is_decoded(void **state)
{
    (void)state;
    struct store_domain domain;
    struct api_problem problem;
    json_t *json = parse("{\"name\": \"OPA.Example.\", \"unknown\": \"core\","
                         " \"cores\": [\"sip:192.0.2.1\", \"sip:192.0.2.2;transport=tls\"]}");
    assert_int_equal(api_domain_decode(json, NULL, &domain, &problem), 0);
    json_decref(json);
    assert_string_equal(domain.name, "opa.example");
    assert_int_equal(domain.unknown, STORE_UNKNOWN_CORE);
    assert_int_equal(domain.core_count, 2);
    assert_string_equal(domain.cores[1].host, "192.0.2.2");
    json = parse("{" CORE "}");
    assert_int_equal(api_domain_decode(json, "opb.example", &domain, &problem), 0);
    json_decref(json);
    assert_string_equal(domain.name, "opb.example");
    assert_int_equal(domain.unknown, STORE_UNKNOWN_REJECT);
    assert_false(domain.unpublished);
}

static void what_a_get_printed_can_be_put(void **state)
{
    (void)state;
    struct store_domain domain = {.name = "opa.example",
                                  .unknown = STORE_UNKNOWN_CORE,
                                  .core_count = 1,
                                  .cores = {{.host = "2001:db8::1", .port = 5060}},
                                  .unpublished = true,
                                  .version = 7};
    struct store_domain again;
    struct api_problem problem;
    json_t *json = api_domain_encode(&domain);
    assert_int_equal(api_domain_decode(json, "opa.example", &again, &problem), 0);
    json_decref(json);
    assert_string_equal(again.name, domain.name);
    assert_int_equal(again.unknown, domain.unknown);
    assert_true(again.unpublished);
    assert_int_equal(again.core_count, 1);
    assert_string_equal(again.cores[0].host, "2001:db8::1");
    assert_int_equal(again.cores[0].port, 5060);
}

static void bad_domains_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *body, *name, *field, *detail;
    } table[] = {
        {"{" CORE "}", NULL, "name", "missing"},
        {"{\"name\": \"opa.example\"}", NULL, "cores", "missing"},
        {"{\"name\": 1, " CORE "}", NULL, "name", "is a whole number; it must be a string"},
        {"{\"name\": null, " CORE "}", NULL, "name", "is null"},
        {"{\"name\": \"opa.example\", " CORE ", \"color\": 1}", NULL, "color", "no such field"},
        {"{\"name\": \"opa.example\", " CORE ", \"version\": 1}", NULL, "version", "no such field"},
        {"{\"name\": \"opa_example\", " CORE "}", NULL, "name", "opa_example"},
        {"{\"name\": \"opa.example\", \"cores\": []}", NULL, "cores", "there are 0"},
        {"{\"name\": \"opa.example\", \"cores\": [\"sip:192.0.2.1;weight=1\", \"sip:192.0.2.2\"]}",
         NULL, "cores[1]", "has neither priority nor weight"},
        {"{\"name\": \"opa.example\", \"cores\": \"sip:x\"}", NULL, "cores", "must be an array"},
        {"{\"name\": \"opa.example\", \"cores\": [\"sip:192.0.2.1\", 5]}", NULL, "cores[1]",
         "must be a string"},
        {"{\"name\": \"opa.example\", \"cores\": [\"sip:192.0.2.1\", \"x\"]}", NULL, "cores[1]",
         "x: is not a SIP URI"},
        {"{\"name\": \"opa.example\", " CORE ", \"unknown\": \"maybe\"}", NULL, "unknown",
         "reject or core"},
        {"{\"name\": \"opb.example\", " CORE "}", "opa.example", "name", "cannot be renamed"},
        {"{" CORE ", \"version\": \"1\"}", "opa.example", "version", "must be a whole number"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct store_domain domain = {.name = "untouched"};
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        if (api_domain_decode(json, table[i].name, &domain, &problem) != -EPROTO)
            fail_msg("%s: is accepted", table[i].body);
        json_decref(json);
        expect_refusal(&problem, table[i].body, API_PROBLEM_FIELD, table[i].field, table[i].detail);
        assert_string_equal(domain.name, "untouched");
    }
}

static void too_many_cores_are_refused(void **state)
{
    (void)state;
    for (int count = STORE_CORES_MAX; count <= STORE_CORES_MAX + 1; count++) {
        json_t *json = json_pack("{s:s, s:[]}", "name", "opa.example", "cores");
        for (int i = 0; i < count; i++)
            json_array_append_new(json_object_get(json, "cores"), json_string("sip:192.0.2.1"));
        struct store_domain domain;
        struct api_problem problem;
        assert_int_equal(api_domain_decode(json, NULL, &domain, &problem),
                         count <= STORE_CORES_MAX ? 0 : -EPROTO);
        json_decref(json);
    }
}

static void address_keeps_what_was_typed(void **state)
{
    (void)state;
    static const struct {
        const char *body, *user, *domain, *display, *hosting;
    } table[] = {
        {"{\"address\": \"Bob@OPB.example\"}", "bob", "opb.example", "Bob@OPB.example", ""},
        {"{\"address\": \"sip:Bob@opb.example\"}", "bob", "opb.example", "Bob@opb.example", ""},
        {"{\"address\": \"b%6Fb@opb.example\", \"hosting\": \"OPC.example\"}", "bob", "opb.example",
         "b%6Fb@opb.example", "opc.example"},
        {"{\"address\": \"bob@b\xc3\xbc"
         "cher.example\"}",
         "bob", "xn--bcher-kva.example",
         "bob@b\xc3\xbc"
         "cher.example",
         ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct api_address_body body;
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        if (api_address_decode(json, &body, &problem))
            fail_msg("%s: %s", table[i].body, problem.detail);
        json_decref(json);
        struct store_record record = body.record;
        assert_string_equal(record.address.user, table[i].user);
        assert_string_equal(record.address.domain, table[i].domain);
        assert_string_equal(record.display, table[i].display);
        assert_string_equal(record.hosting, table[i].hosting);
    }
}

static void bad_addresses_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field, *detail;
    } table[] = {
        {"{}", "address", "missing"},
        {"{\"address\": [\"bob@opb.example\"]}", "address", "is an array"},
        {"{\"address\": \"bob\"}", "address", "'@'"},
        {"{\"address\": \"b b@opb.example\"}", "address", "b b@opb.example: "},
        {"{\"address\": \"bob@opb.example\", \"state\": \"tombstone\"}", "state",
         "is 'tombstone'; it must be hosted, ported-in, ported-out, moved, prepared or alias"},
        {"{\"address\": \"bob@opb.example\", \"display\": \"Bob\"}", "display", "no such field"},
        {"{\"address\": \"bob@opb.example\", \"version\": 1}", "version", "no such field"},
        {"{\"address\": \"bob@opb.example\", \"owner\": \"a b\"}", "owner", "owner: "},
        {"{\"address\": \"bob@opb.example\", \"owner\": \"\"}", "owner", "owner: "},
        {"{\"address\": \"bob@opb.example\", \"target\": \"x\"}", "target", "x: "},
        {"{\"address\": \"bob@opb.example\", \"target\": 1}", "target",
         "is a whole number; it must be a string or null"},
        {"{\"address\": \"bob@opb.example\", \"locked\": \"yes\"}", "locked",
         "is a string; it must be true or false"},
        {"{\"address\": \"bob@opb.example\", \"blocked\": null}", "blocked", "is null"},
        {"{\"address\": \"bob@opb.example\", \"hosting\": \"a b\"}", "hosting", "a b: "},
        {"{\"address\": \"bob@opb.example\", \"hosting\": 7}", "hosting", "must be a string"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct api_address_body body = {.record.display = "untouched"};
        struct api_problem problem;
        json_t *json = parse(table[i].body);
        if (api_address_decode(json, &body, &problem) != -EPROTO)
            fail_msg("%s: is accepted", table[i].body);
        json_decref(json);
        expect_refusal(&problem, table[i].body, API_PROBLEM_FIELD, table[i].field, table[i].detail);
        assert_string_equal(body.record.display, "untouched");
    }
}

static void what_is_too_long_to_keep_is_refused(void **state)
{
    (void)state;
    char body[1024], typed[3 * 128 + 1];
    for (size_t i = 0; i < 128; i++)
        memcpy(typed + 3 * i, "%61", 4); /* 128 letters, 384 bytes */
    struct api_address_body decoded;
    struct api_problem problem;
    snprintf(body, sizeof(body), "{\"address\": \"%s@opb.example\"}", typed);
    json_t *json = parse(body);
    assert_int_equal(api_address_decode(json, &decoded, &problem), 0);
    json_decref(json);
    snprintf(body, sizeof(body), "{\"address\": \"%s@opb.subdomain.example\"}", typed);
    json = parse(body);
    assert_int_equal(api_address_decode(json, &decoded, &problem), -EPROTO);
    json_decref(json);
    expect_refusal(&problem, body, API_PROBLEM_FIELD, "address", "at most 400");
}

static void address_is_printed_with_its_time_in_utc(void **state)
{
    (void)state;
    struct store_record record = {.address = {"bob", "opb.example"},
                                  .state = STORE_ADDRESS_PORTED_OUT,
                                  .hosting = "opc.example",
                                  .display = "Bob@opb.example",
                                  .notify = "bob@mail.example",
                                  .version = 12,
                                  .created_ms = 1783166400123};
    json_t *json = api_address_encode(&record);
    json_t *expected = parse("{\"address\": \"bob@opb.example\", \"state\": \"ported-out\","
                             " \"blocked\": false, \"locked\": false, \"published\": true,"
                             " \"owner\": null,"
                             " \"target\": null, \"until\": null, \"auth_until\": null,"
                             " \"hosting\": \"opc.example\", \"display\": \"Bob@opb.example\","
                             " \"notify\": \"bob@mail.example\","
                             " \"created\": \"2026-07-04T12:00:00.123000Z\", \"version\": 12}");
    assert_true(json_equal(json, expected));
    json_decref(json);
    record.notify[0] = '\0';
    json = api_address_encode(&record);
    assert_true(json_is_null(json_object_get(json, "notify")));
    json_decref(json);
    json = api_address_encode_public(&record);
    assert_null(json_object_get(json, "notify"));
    json_decref(json);
    json_decref(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_bodies_name_the_place),
        cmocka_unit_test(nesting_without_end_is_refused),
        cmocka_unit_test(cores_are_read_and_printed_in_one_form),
        cmocka_unit_test(cores_that_say_too_much_are_refused),
        cmocka_unit_test(domain_is_decoded),
        cmocka_unit_test(what_a_get_printed_can_be_put),
        cmocka_unit_test(bad_domains_name_the_field),
        cmocka_unit_test(too_many_cores_are_refused),
        cmocka_unit_test(address_keeps_what_was_typed),
        cmocka_unit_test(bad_addresses_name_the_field),
        cmocka_unit_test(what_is_too_long_to_keep_is_refused),
        cmocka_unit_test(address_is_printed_with_its_time_in_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
