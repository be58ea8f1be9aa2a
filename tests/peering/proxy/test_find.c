/* Requests from the core for whom the directory alone does not know the way: telephone numbers, and
 * addresses of domains that publish who serves them. A DNS server on a thread of its own answers.
 */
#include "tests/peering/proxy/stand.h"
#include "tests/resolver/server_thread.h"

#include <stdio.h>
#include <string.h>

#define AUTHENTIC (DNS_AA | DNS_AD)
#define BOB       "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd._sipaddr.opb.example"
#define SOA                                                                                        \
    {                                                                                              \
        "example 60 SOA ns h 1 2 3 4 60"                                                           \
    }
#define NUMBER(digit) digit ".9.4.e164.example"
#define LEADS(digit, act, uri)                                                                     \
    {                                                                                              \
        NUMBER(digit), "NAPTR", act, AUTHENTIC,                                                    \
            {NUMBER(digit) " 60 NAPTR 1 1 u E2U+sip !^.*$!" uri "! ."},                            \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static const struct server_rule rules[] = {
    {"_sipaddr.opb.example", "TXT", 0, AUTHENTIC, {"_sipaddr.opb.example 60 TXT v=sipaddr1"}, {0}},
    {BOB, "NAPTR", 0, AUTHENTIC, {BOB " 60 NAPTR 10 10 - SIP+host - opd.example"}, {0}},
    LEADS("1", 0, "sip:bob@two.example"),
    LEADS("2", 0, "sip:alice@one.example"),
    LEADS("3", 0, "sip:bob@opb.example"),
    {NUMBER("4"), "NAPTR", 0, AUTHENTIC | DNS_NXDOMAIN, {NULL}, SOA},
    LEADS("5", SERVER_SILENT, "sip:bob@two.example"),
    {.name = NULL}};

static struct server_thread dns; /* of the test that runs */

static int set_up(void **state)
{
    if (stand_set_up(state) != 0)
        return -1;
    struct stand *stand = *state;
    struct resolver_conf *conf = &stand->conf.resolver;
    server_thread_start(&dns, rules);
    conf->upstreams[0].addr = dns.server.addr;
    conf->upstreams[0].trusted = true;
    conf->address_records = true;
    conf->suffix_count = 1;
    snprintf(conf->suffixes[0].name, sizeof(conf->suffixes[0].name), "e164.example");
    stand_restart(stand);
    return 0;
}

static int tear_down(void **state)
{
    int status = stand_tear_down(state);
    server_thread_stop(&dns);
    return status;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void add_number(struct stand *stand, const char *digits, const char *address)
{
    struct store_command command = {.op = STORE_NUMBER_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_verdict verdict;
    snprintf(command.actor, sizeof(command.actor), "test");
    snprintf(command.number.digits, sizeof(command.number.digits), "%s", digits);
    assert_int_equal(store_address_parse(slice_of(address), &command.number.address, NULL), 0);
    assert_int_equal(store_submit(stand->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

/* The core is asked for the address that the number leads to, and nothing is left of the number. */
static void a_number_reaches_the_core_of_its_address(void **state)
{
    struct stand *stand = *state;
    static const char *const uris[] = {
        "tel:+49-1",
        "sip:+491@one.example;user=phone",
        "sip:%2B491@two.example:5070;transport=tcp;user=phone",
        "tel:+49(7)7;isub=1",
    };
    add_number(stand, "4977", "bob@two.example");
    for (size_t i = 0; i < COUNT_OF(uris); i++) {
        struct call call = invite(uris[i]), cancel;
        char sent[8192], text[8192];
        send_request(stand, &stand->a, &call);
        expect(&stand->a, "SIP/2.0 100", text);
        expect(&stand->b1, "INVITE sip:bob@two.example SIP/2.0\r\n", sent);
        answer(stand, &stand->b1, sent, "486 Busy Here");
        expect(&stand->b1, "ACK sip:bob@two.example SIP/2.0\r\n", text);
        expect(&stand->a, "SIP/2.0 486", text);
        cancel = call;
        cancel.method = "ACK";
        send_request(stand, &stand->a, &cancel);
    }
}

/* Design section 3.1: the last step, where the number is in no table and no tree. */
static void a_number_that_leads_nowhere_goes_to_the_telephone_network(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("tel:+49-4");
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200];
    snprintf(stand->conf.resolver.pstn, sizeof(stand->conf.resolver.pstn), "two.example");
    stand_restart(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE tel:+49-4 SIP/2.0\r\n", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    call.method = "BYE"; /* the dialog stays with it */
    call.uri = "sip:gateway@127.0.0.1";
    call.cseq = 2;
    call.headers = routes;
    call.to_tag = "bobs";
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "BYE", text);

    call = (struct call){"MESSAGE", "tel:+494", .id = "own", .from = "sip:bob@two.example"};
    send_request(stand, &stand->b1, &call);
    expect(&stand->b1, "SIP/2.0 404", text);
    assert_non_null(strstr(text, "leads the core that asks"));
}

static void what_is_found_or_not_is_told(void **state)
{
    struct stand *stand = *state;
    static const struct {
        struct call call;
        const char *start, *warning;
    } rows[] = {
        {{"MESSAGE", "tel:+492", .id = "f1"}, "SIP/2.0 404", "the core that asks"},
        {{"MESSAGE", "tel:+494", .id = "f2"}, "SIP/2.0 404", "tel:+494 leads to no address"},
        {{"MESSAGE", "sip:+494@two.example", .id = "f3"}, "SIP/2.0 404", "no such address"},
        {{"MESSAGE", "tel:+496", .id = "f4"},
         "SIP/2.0 480",
         "where tel:+496 leads could not be found out: NAPTR " NUMBER("6") ": REFUSED"},
        /* who serves him, and not his authority, is looked for */
        {{"MESSAGE", "sip:bob@opb.example", .id = "f5"}, "SIP/2.0 480", "NAPTR opd.example"},
        {{"MESSAGE", "sip:bob@opb.example:5070", .id = "f6"}, "SIP/2.0 480", "NAPTR opd.example"},
        {{"MESSAGE", "tel:+493", .id = "f7"}, "SIP/2.0 480", "NAPTR opd.example"},
        {{"MESSAGE", "sip:eve@opb.example", .id = "f8"}, "SIP/2.0 480", "NAPTR opb.example"},
        {{"MESSAGE", "sip:eve@ope.example", .id = "f9"}, "SIP/2.0 480", "NAPTR ope.example"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_refusal(stand, &rows[i].call, rows[i].start, rows[i].warning);
}

/* Addresses that one.example does not have are its core's to know. */
static void ask_core_for_unknown(struct stand *stand)
{
    struct store_command command = {
        .op = STORE_DOMAIN_PUT, .expected_version = STORE_ANY_VERSION, .actor = "test"};
    struct store_reader *reader;
    struct store_verdict verdict;
    assert_int_equal(store_reader_alloc(stand->store, &reader), 0);
    assert_int_equal(store_reader_begin(reader), 0);
    assert_int_equal(store_domain_get(reader, "one.example", &command.domain), 0);
    store_reader_free(reader);
    command.domain.unknown = STORE_UNKNOWN_CORE;
    assert_int_equal(store_submit(stand->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

/* No is not unknown, also for a core that is asked for what we do not know, and itself asks us. */
static void a_core_is_told_what_could_not_be_found_out(void **state)
{
    struct stand *stand = *state;
    const struct call unknown = {"MESSAGE", "sip:+496@one.example", .id = "u1"};
    const struct call none = {"MESSAGE", "sip:+494@one.example", .id = "u2"};
    ask_core_for_unknown(stand);
    expect_refusal(stand, &unknown, "SIP/2.0 480",
                   "where sip:+496@one.example leads could not be found out: NAPTR " NUMBER("6"));
    expect_refusal(stand, &none, "SIP/2.0 404", "is served by the core that asks");
}

static void a_call_given_up_while_dns_is_asked_ends(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("tel:+495"), cancel;
    char text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 100", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->a, "SIP/2.0 200", text);
    expect(&stand->a, "SIP/2.0 487", text);
}

static void silence_of_dns_ends_with_the_search(void **state)
{
    struct stand *stand = *state;
    struct call call = {"MESSAGE", "tel:+495", .id = "s1"};
    stand->conf.resolver.lookup_timeout_ms = 50;
    stand_restart(stand);
    expect_refusal(stand, &call, "SIP/2.0 480", "no answer in time");
    stand->conf.resolver.lookup_timeout_ms = 60000;
    stand->conf.resolver.attempt_timeout_ms = 60000;
    stand->conf.search_ms = 50;
    stand_restart(stand);
    snprintf(call.id, sizeof(call.id), "s2");
    expect_refusal(stand, &call, "SIP/2.0 480", "was not found out in time");
}

/* The teardown ends the edge under a question: nothing may leak or be called late. */
static void an_edge_that_ends_asks_no_longer(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("tel:+495");
    char text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 100", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_number_reaches_the_core_of_its_address),
        TEST(a_number_that_leads_nowhere_goes_to_the_telephone_network),
        TEST(what_is_found_or_not_is_told),
        TEST(a_core_is_told_what_could_not_be_found_out),
        TEST(a_call_given_up_while_dns_is_asked_ends),
        TEST(silence_of_dns_ends_with_the_search),
        TEST(an_edge_that_ends_asks_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
