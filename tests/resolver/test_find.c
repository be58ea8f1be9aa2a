/* Whole searches for addresses: a directory, and a server in the same loop that answers as told. */
#include "resolver/internal.h"

#include "base/status.h"
#include "tests/resolver/server.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENT_MS 20000 /* no search of a test needs nearly as long, however slow the machine */
#define AUTHENTIC  (DNS_AA | DNS_AD)
#define NONE       (DNS_AA | DNS_AD | DNS_NXDOMAIN)

/* SHA-256 of "bob", cut to 28 octets, by another program (design section 5). */
#define BOB "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd._sipaddr.opb.example"
/* +49 30 9 and its neighbours */
#define NUMBER(digits, suffix) digits ".0.3.9.4." suffix

struct world {
    char path[64];
    struct store *store;
    struct store_reader *reader;
    uv_loop_t loop;
    struct server server;
    struct resolver *resolver;
    struct resolver_conf conf;

    unsigned calls; /* of `done` */
    bool waited;    /* the answer did not come at once */
    int status;
    struct resolver_found found;
    char trace[16384];
};

static const struct server_rule no_rules[] = {{.name = NULL}};

/* ---- the world ---- */

static void submit(struct world *world, struct store_command *command)
{
    struct store_verdict verdict;
    command->expected_version = STORE_ANY_VERSION;
    snprintf(command->actor, sizeof(command->actor), "%s", "test");
    assert_int_equal(store_submit(world->store, command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void add_domain(struct world *world, const char *name, enum store_unknown_policy unknown)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD};
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", name);
    command.domain.unknown = unknown;
    command.domain.core_count = 1;
    command.domain.quarantine_days = STORE_QUARANTINE_DAYS;
    snprintf(command.domain.cores[0].host, sizeof(command.domain.cores[0].host), "%s", "127.0.0.1");
    submit(world, &command);
}

static struct store_address address_of(const char *text)
{
    struct store_address address;
    assert_int_equal(store_address_parse(slice_of(text), &address, NULL), 0);
    return address;
}

/* `target` for an alias, else NULL. */
static void add_address(struct world *world, const char *text, enum store_address_state state,
                        const char *hosting, const char *target)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD};
    command.record.address = address_of(text);
    command.record.state = state;
    snprintf(command.record.hosting, sizeof(command.record.hosting), "%s", hosting);
    if (target)
        command.record.target = address_of(target);
    submit(world, &command);
}

static void add_number(struct world *world, const char *digits, const char *address)
{
    struct store_command command = {.op = STORE_NUMBER_ADD};
    snprintf(command.number.digits, sizeof(command.number.digits), "%s", digits);
    command.number.address = address_of(address);
    submit(world, &command);
}

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    test_folder_make(world->path, sizeof(world->path));
    struct store_conf conf = {.path = world->path, .map_size = 16 << 20};
    struct store_fault fault;
    if (store_open(&conf, STORE_WRITER, &world->store, &fault) < 0)
        return -1;
    add_domain(world, "opa.example", STORE_UNKNOWN_REJECT);
    add_domain(world, "open.example", STORE_UNKNOWN_CORE);
    add_address(world, "alice@opa.example", STORE_ADDRESS_HOSTED, "opa.example", NULL);
    add_address(world, "carol@opa.example", STORE_ADDRESS_PORTED_OUT, "opc.example", NULL);
    add_address(world, "bobby@opa.example", STORE_ADDRESS_ALIAS, "opa.example", "bob@opb.example");
    add_number(world, "4930100", "alice@opa.example");
    add_number(world, "4930101", "carol@opa.example");
    server_start(&world->server, &world->loop, no_rules);
    world->conf = (struct resolver_conf){.upstream_count = 1,
                                         .attempt_timeout_ms = PATIENT_MS,
                                         .lookup_timeout_ms = PATIENT_MS,
                                         .address_records = true};
    world->conf.upstreams[0].addr = world->server.addr;
    world->conf.upstreams[0].trusted = true;
    return store_reader_alloc(world->store, &world->reader);
}

/* Fails where a handle was left open. */
static int world_teardown(void **state)
{
    struct world *world = *state;
    char command[128];
    resolver_free(world->resolver);
    server_stop(&world->server);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0) /* a late uv_stop ends it once */
        continue;
    int status = uv_loop_close(&world->loop);
    store_reader_free(world->reader);
    store_close(world->store);
    snprintf(command, sizeof(command), "rm -rf %s", world->path);
    status |= system(command); /* NOLINT(bugprone-command-processor): a path of our own */
    free(world);
    return status;
}

static void add_suffix(struct world *world, const char *name, bool trusted)
{
    size_t i = world->conf.suffix_count++;
    snprintf(world->conf.suffixes[i].name, sizeof(world->conf.suffixes[i].name), "%s", name);
    world->conf.suffixes[i].trusted = trusted;
}

/* ---- searches ---- */

static void found(int status, const struct resolver_found *found, void *arg)
{
    struct world *world = arg;
    world->calls++;
    world->status = status;
    world->found = *found;
    uv_stop(&world->loop); /* UV_RUN_ONCE would wait for a socket after a timer's work */
}

static void traced(const char *line, void *arg)
{
    struct world *world = arg;
    size_t len = strlen(world->trace);
    snprintf(world->trace + len, sizeof(world->trace) - len, "%s\n", line);
}

/* The server's rules; a resolver without cache. */
static void serve(struct world *world, const struct server_rule *rules)
{
    resolver_free(world->resolver);
    world->resolver = NULL;
    world->server.rules = rules;
    world->server.asked = 0;
    assert_int_equal(resolver_alloc(&world->loop, &world->conf, &world->resolver), 0);
}

/* "bob@opb.example", or "+4930..." for a number. */
static int start(struct world *world, const char *text, struct resolver_finding **finding)
{
    struct resolver_asked asked = {0};
    const struct resolver_find_user user = {
        .reader = world->reader, .done = found, .trace = traced, .arg = world};
    if (strchr(text, '@'))
        asked.address = address_of(text);
    else
        assert_int_equal(store_number_parse(slice_of(text), asked.digits, NULL), 0);
    world->calls = 0;
    world->trace[0] = '\0';
    world->status = resolver_find(world->resolver, &asked, &user, &world->found, finding);
    world->waited = world->status == -EINPROGRESS;
    assert_int_equal(world->calls, 0); /* never from inside */
    return world->status;
}

static int find(struct world *world, const char *text)
{
    struct resolver_finding *finding;
    if (start(world, text, &finding) != -EINPROGRESS)
        return world->status;
    while (world->calls == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->calls, 1);
    return world->status;
}

static void expect(struct world *world, const char *text, enum resolver_rule rule,
                   const char *address, const char *hosting)
{
    char got[STORE_USER_MAX + STORE_DOMAIN_MAX + 2] = "";
    int status = find(world, text);
    const struct store_address *a = &world->found.address;
    if (a->domain[0])
        snprintf(got, sizeof(got), "%s@%s", a->user, a->domain);
    if (status != 0 || world->found.answer.rule != rule || strcmp(got, address) != 0 ||
        strcmp(world->found.answer.hosting, hosting) != 0)
        fail_msg("%s: status %d, rule %d, %s at %s: %s\n%s", text, status, world->found.answer.rule,
                 got, world->found.answer.hosting, world->found.why, world->trace);
}

static void assert_told(const struct world *world, const char *line)
{
    if (!strstr(world->trace, line))
        fail_msg("no '%s' in:\n%s", line, world->trace);
}

/* ---- numbers that lead nowhere ---- */

static void a_number_that_leads_nowhere_goes_to_the_telephone_network(void **state)
{
    struct world *world = *state;
    snprintf(world->conf.pstn, sizeof(world->conf.pstn), "pstn.example");
    serve(world, no_rules);
    expect(world, "+4930102", RESOLVER_NO_NUMBER, "", "");
    assert_told(world, "pstn.example, which would take it, is not in the directory");
    add_domain(world, "pstn.example", STORE_UNKNOWN_REJECT);
    expect(world, "+4930102", RESOLVER_PSTN, "", "pstn.example");
    assert_string_equal(world->found.answer.route.core.name, "pstn.example");
    expect(world, "+4930102@opa.example", RESOLVER_PSTN, "+4930102@opa.example", "pstn.example");
    expect(world, "+4930102@open.example", RESOLVER_UNKNOWN_CORE, "+4930102@open.example",
           "open.example");
    expect(world, "+4930100", RESOLVER_HOSTED, "alice@opa.example", "opa.example");
    expect(world, "nobody@opa.example", RESOLVER_UNKNOWN, "nobody@opa.example", "");
}

/* ---- what the directory knows ---- */

static void the_directory_alone_decides_what_it_has(void **state)
{
    struct world *world = *state;
    serve(world, no_rules);
    expect(world, "alice@opa.example", RESOLVER_HOSTED, "alice@opa.example", "opa.example");
    expect(world, "carol@opa.example", RESOLVER_PORTED_OUT, "carol@opa.example", "opc.example");
    expect(world, "nobody@opa.example", RESOLVER_UNKNOWN, "nobody@opa.example", "");
    expect(world, "nobody@open.example", RESOLVER_UNKNOWN_CORE, "nobody@open.example",
           "open.example");
    expect(world, "+4930100", RESOLVER_HOSTED, "alice@opa.example", "opa.example");
    assert_int_equal(world->found.number_by, RESOLVER_NUMBER_TABLE);
    expect(world, "+4930101@opa.example", RESOLVER_PORTED_OUT, "carol@opa.example", "opc.example");
    expect(world, "+4930102", RESOLVER_NO_NUMBER, "", "");
    expect(world, "+4930102@opa.example", RESOLVER_UNKNOWN, "+4930102@opa.example", "");
    expect(world, "+4930102@open.example", RESOLVER_UNKNOWN_CORE, "+4930102@open.example",
           "open.example");
    assert_false(world->waited);
    assert_int_equal(world->server.asked, 0);
}

static void without_address_records_no_domain_is_asked(void **state)
{
    struct world *world = *state;
    world->conf.address_records = false;
    serve(world, no_rules);
    expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    expect(world, "bobby@opa.example", RESOLVER_ALIAS, "bobby@opa.example", "opb.example");
    assert_int_equal(world->server.asked, 0);
}

/* What the proxy goes by: it keeps no state for a request that the directory decides. */
static void whoever_asks_can_tell_what_needs_dns(void **state)
{
    static const struct {
        const char *address;
        bool needs, without_records;
    } cases[] = {
        {"alice@opa.example", false, false},   {"nobody@opa.example", false, false},
        {"+4930102@opa.example", true, true},  {"+4930102@open.example", true, true},
        {"bob@opb.example", true, false},      {"bobby@opa.example", true, false},
        {"+4930102@opb.example", true, false},
    };
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_address address = address_of(cases[i].address);
        struct resolver_answer answer;
        assert_int_equal(store_reader_begin(world->reader), 0);
        assert_int_equal(resolver_lookup(world->reader, &address, &answer), 0);
        store_reader_end(world->reader);
        world->conf.address_records = true;
        assert_int_equal(resolver_find_needs_dns(&world->conf, &address, &answer), cases[i].needs);
        world->conf.address_records = false;
        assert_int_equal(resolver_find_needs_dns(&world->conf, &address, &answer),
                         cases[i].without_records);
    }
}

/* ---- address records ---- */

static const struct server_rule opb_rules[] = {
    {"_sipaddr.opb.example", "TXT", 0, AUTHENTIC, {"_sipaddr.opb.example 60 TXT v=sipaddr1"}, {0}},
    {BOB, "NAPTR", 0, AUTHENTIC, {BOB " 60 NAPTR 10 10 - SIP+host - opd.example"}, {0}},
    {.name = NULL}};

static void a_validated_record_names_the_host(void **state)
{
    struct world *world = *state;
    serve(world, opb_rules);
    expect(world, "bob@opb.example", RESOLVER_PUBLISHED, "bob@opb.example", "opd.example");
    assert_true(world->waited);
    assert_false(world->found.unknown);
    assert_told(world, "TXT _sipaddr.opb.example: \"v=sipaddr1\" (validated, TTL 60)\n");
    assert_told(world, "10 10 \"\" \"SIP+host\" opd.example (validated, TTL 60)\n");
    assert_int_equal(world->server.asked, 2);
    /* from the cache, at once */
    expect(world, "bob@opb.example", RESOLVER_PUBLISHED, "bob@opb.example", "opd.example");
    assert_false(world->waited);
    assert_int_equal(world->server.asked, 2);
    /* an alias of ours for him */
    expect(world, "bobby@opa.example", RESOLVER_PUBLISHED, "bobby@opa.example", "opd.example");
    assert_true(world->found.answer.route.aliased);
    assert_string_equal(world->found.answer.route.target.user, "bob");
}

static void nothing_is_believed_that_is_not_validated(void **state)
{
    struct world *world = *state;
    struct server_rule rules[COUNT_OF(opb_rules)];
    for (size_t unsigned_rule = 0; unsigned_rule < 2; unsigned_rule++) {
        memcpy(rules, opb_rules, sizeof(rules));
        rules[unsigned_rule].flags = DNS_AA;
        serve(world, rules);
        expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
        assert_false(world->found.unknown);
        assert_told(world, unsigned_rule ? "does not count: it is not validated"
                                         : "is not validated: its address records do not count");
        assert_int_equal(world->server.asked, unsigned_rule + 1);
    }
    world->conf.upstreams[0].trusted = false;
    serve(world, opb_rules);
    expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
}

static void who_does_not_publish_answers_for_all(void **state)
{
    static const struct server_rule none[] = {
        {"_sipaddr.opb.example", "TXT", 0, NONE, {NULL}, {"opb.example 60 SOA ns h 1 2 3 4 60"}},
        {.name = NULL}};
    static const struct server_rule other[] = {
        {"_sipaddr.opb.example", "TXT", 0, AUTHENTIC, {"_sipaddr.opb.example 60 TXT v=other"}, {0}},
        {.name = NULL}};
    struct server_rule not_ported[COUNT_OF(opb_rules)];
    memcpy(not_ported, opb_rules, sizeof(not_ported));
    not_ported[1].flags = NONE;
    not_ported[1].answer[0] = NULL;
    const struct server_rule *const cases[] = {none, other, not_ported};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        serve(world, cases[i]);
        expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
        assert_false(world->found.unknown);
        assert_string_equal(world->found.why, "");
    }
}

static void no_answer_is_not_taken_for_no(void **state)
{
    struct world *world = *state;
    serve(world, no_rules); /* REFUSED */
    expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    assert_true(world->found.unknown);
    assert_non_null(strstr(world->found.why, "TXT _sipaddr.opb.example: REFUSED from 127.0.0.1:"));
    struct server_rule rules[COUNT_OF(opb_rules)];
    memcpy(rules, opb_rules, sizeof(rules));
    rules[1].flags = DNS_SERVFAIL;
    rules[1].answer[0] = NULL;
    serve(world, rules);
    expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    assert_true(world->found.unknown);
    assert_non_null(strstr(world->found.why, "NAPTR " BOB ": SERVFAIL"));
}

/* A port that has reached DNS before it reached our directory must not make us call ourselves. */
static void a_record_that_names_us_leads_to_the_authority(void **state)
{
    struct world *world = *state;
    struct server_rule rules[COUNT_OF(opb_rules)];
    memcpy(rules, opb_rules, sizeof(rules));
    rules[1].answer[0] = BOB " 60 NAPTR 10 10 - SIP+host - opa.example";
    serve(world, rules);
    expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    assert_told(world, "it names opa.example, which is ours");
}

/* ---- numbers ---- */

#define E164                          "e164.arpa"
#define OWN                           "e164.opa.example"
#define E2U(name, preference, regexp) name " 60 NAPTR 10 " preference " u E2U+sip " regexp " ."

static void enum_leads_to_an_address(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164),
         "NAPTR",
         0,
         AUTHENTIC,
         {E2U(NUMBER("9", E164), "20", "!^.*$!sip:later@opb.example!"),
          E2U(NUMBER("9", E164), "5", "!^.*$!mailto:bob@opb.example!"),
          E2U(NUMBER("9", E164), "10", "!^\\+49(.*)$!sip:\\1@opb.example;user=phone!")},
         {0}},
        {NUMBER("8", E164),
         "NAPTR",
         0,
         AUTHENTIC,
         {E2U(NUMBER("8", E164), "1", "!^.*$!sip:carol@opa.example!")},
         {0}},
        {NUMBER("7", E164), "NAPTR", 0, NONE, {NULL}, {"e164.arpa 60 SOA ns h 1 2 3 4 60"}},
        {.name = NULL}};
    struct world *world = *state;
    world->conf.address_records = false;
    add_suffix(world, E164, false);
    serve(world, rules);
    expect(world, "+49309", RESOLVER_AUTHORITY, "309@opb.example", "opb.example");
    assert_int_equal(world->found.number_by, RESOLVER_NUMBER_ENUM);
    assert_told(world, "is passed over: the result is no SIP address");
    assert_told(world, "+49309 leads to 309@opb.example\n");
    expect(world, "+49309@opa.example", RESOLVER_AUTHORITY, "309@opb.example", "opb.example");
    expect(world, "+49309@open.example", RESOLVER_AUTHORITY, "309@opb.example", "opb.example");
    assert_int_equal(world->server.asked, 1); /* two of them from the cache */
    expect(world, "+49309@opb.example", RESOLVER_AUTHORITY, "+49309@opb.example", "opb.example");
    assert_int_equal(world->found.number_by, RESOLVER_NUMBER_NONE);
    /* back into the directory */
    expect(world, "+49308", RESOLVER_PORTED_OUT, "carol@opa.example", "opc.example");
    expect(world, "+49307", RESOLVER_NO_NUMBER, "", "");
    expect(world, "+49307@open.example", RESOLVER_UNKNOWN_CORE, "+49307@open.example",
           "open.example");
    assert_false(world->found.unknown);
    /* the number table comes first */
    expect(world, "+4930100", RESOLVER_HOSTED, "alice@opa.example", "opa.example");
}

static void unsigned_enum_counts_only_below_a_trusted_suffix(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164),
         "NAPTR",
         0,
         DNS_AA,
         {E2U(NUMBER("9", E164), "1", "!^.*$!sip:evil@evil.example!")},
         {0}},
        {NUMBER("9", OWN),
         "NAPTR",
         0,
         DNS_AA,
         {E2U(NUMBER("9", OWN), "1", "!^.*$!sip:bob@opb.example!")},
         {0}},
        {NUMBER("8", E164), "NAPTR", 0, NONE, {NULL}, {"e164.arpa 60 SOA ns h 1 2 3 4 60"}},
        {NUMBER("8", OWN),
         "NAPTR",
         0,
         DNS_AA,
         {NUMBER("8", OWN) " 60 NAPTR 1 1 - - - outside.example"},
         {0}},
        {"outside.example",
         "NAPTR",
         0,
         DNS_AA,
         {E2U("outside.example", "1", "!^.*$!sip:evil@evil.example!")},
         {0}},
        {.name = NULL}};
    struct world *world = *state;
    world->conf.address_records = false;
    add_suffix(world, E164, false);
    add_suffix(world, OWN, true);
    serve(world, rules);
    expect(world, "+49309", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    assert_told(world, NUMBER("9", E164) " does not count: it is not validated");
    /* trust ends where the tree ends */
    expect(world, "+49308", RESOLVER_NO_NUMBER, "", "");
    assert_told(world, "outside.example does not count: it is not validated");
}

/* What an alias of the tree leads to is as trusted as where it stands. */
static void an_alias_leads_out_of_the_trust_in_a_tree(void **state)
{
#define OUTSIDE "outside." OWN ".plain.example"
    static const struct server_rule rules[] = {
        /* in one answer, there and back */
        {NUMBER("9", OWN),
         "NAPTR",
         0,
         DNS_AA,
         {NUMBER("9", OWN) " 60 CNAME " OUTSIDE, OUTSIDE " 60 CNAME in." OWN,
          E2U("in." OWN, "1", "!^.*$!sip:evil@evil.example!")},
         {0}},
        /* in two answers, to a name that is spelt as if it were in the tree */
        {NUMBER("8", OWN), "NAPTR", 0, DNS_AA, {NUMBER("8", OWN) " 60 CNAME x" OWN}, {0}},
        {"x" OWN, "NAPTR", 0, DNS_AA, {E2U("x" OWN, "1", "!^.*$!sip:evil@evil.example!")}, {0}},
        /* never out of it */
        {NUMBER("7", OWN),
         "NAPTR",
         0,
         DNS_AA,
         {NUMBER("7", OWN) " 60 CNAME x." OWN, E2U("x." OWN, "1", "!^.*$!sip:bob@opb.example!")},
         {0}},
        {NUMBER("6", OWN), "NAPTR", 0, DNS_AA, {NUMBER("6", OWN) " 60 CNAME " OWN}, {0}},
        {OWN, "NAPTR", 0, DNS_AA, {E2U(OWN, "1", "!^.*$!sip:bob@opb.example!")}, {0}},
        /* all of it validated */
        {NUMBER("5", OWN),
         "NAPTR",
         0,
         AUTHENTIC,
         {NUMBER("5", OWN) " 60 CNAME " OUTSIDE, E2U(OUTSIDE, "1", "!^.*$!sip:bob@opb.example!")},
         {0}},
        {.name = NULL}};
    struct world *world = *state;
    world->conf.address_records = false;
    add_suffix(world, OWN, true);
    serve(world, rules);
    expect(world, "+49309", RESOLVER_NO_NUMBER, "", "");
    assert_told(world, "an alias leads out of the trusted tree");
    expect(world, "+49308", RESOLVER_NO_NUMBER, "", "");
    assert_told(world, "an alias leads out of the trusted tree");
    expect(world, "+49307", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    expect(world, "+49306", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    expect(world, "+49305", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
}

static void records_without_flag_are_followed(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164),
         "NAPTR",
         0,
         AUTHENTIC,
         {NUMBER("9", E164) " 60 NAPTR 1 1 - - - empty.example",
          NUMBER("9", E164) " 60 NAPTR 1 2 - - !^\\+49(.*)$!\\1.tree.example! .",
          NUMBER("9", E164) " 60 NAPTR 1 3 - - - never.example"},
         {0}},
        {"empty.example", "NAPTR", 0, NONE, {NULL}, {"example 60 SOA ns h 1 2 3 4 60"}},
        {"309.tree.example",
         "NAPTR",
         0,
         AUTHENTIC,
         {E2U("309.tree.example", "1", "!^\\+(.*)$!sip:\\1@opb.example!")},
         {0}},
        {.name = NULL}};
    struct world *world = *state;
    world->conf.address_records = false;
    add_suffix(world, E164, false);
    serve(world, rules);
    expect(world, "+49309", RESOLVER_AUTHORITY, "49309@opb.example", "opb.example");
    assert_int_equal(world->server.asked, 3);
}

#define STEP(from, to)                                                                             \
    {                                                                                              \
        from ".example", "NAPTR", 0, AUTHENTIC,                                                    \
            {from ".example 60 NAPTR 1 1 - - - " to ".example"},                                   \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static void five_records_without_flag_in_a_row_are_the_limit(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164),
         "NAPTR",
         0,
         AUTHENTIC,
         {NUMBER("9", E164) " 60 NAPTR 1 1 - - - a.example"},
         {0}},
        STEP("a", "b"),
        STEP("b", "c"),
        STEP("c", "d"),
        {"d.example",
         "NAPTR",
         0,
         AUTHENTIC,
         {"d.example 60 NAPTR 1 1 - - - e2.example",
          E2U("d.example", "2", "!^.*$!sip:d@opb.example!")},
         {0}},
        {"e2.example",
         "NAPTR",
         0,
         AUTHENTIC,
         {"e2.example 60 NAPTR 1 1 - - - f2.example",
          E2U("e2.example", "2", "!^.*$!sip:e2@opb.example!")},
         {0}},
        {"f2.example",
         "NAPTR",
         0,
         AUTHENTIC,
         {E2U("f2.example", "2", "!^.*$!sip:f2@opb.example!")},
         {0}},
        {.name = NULL}};
    struct world *world = *state;
    world->conf.address_records = false;
    add_suffix(world, E164, false);
    serve(world, rules);
    expect(world, "+49309", RESOLVER_AUTHORITY, "e2@opb.example", "opb.example");
    assert_told(world, "f2.example is not asked: too many names in a row\n");
}

/* A name that leads to itself: each way out of it is tried, but no more than the search allows. */
static void loops_end(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164),
         "NAPTR",
         0,
         AUTHENTIC,
         {NUMBER("9", E164) " 60 NAPTR 1 1 - - - a.example",
          NUMBER("9", E164) " 60 NAPTR 1 1 - - - " NUMBER("9", E164),
          NUMBER("9", E164) " 60 NAPTR 1 1 - - - b.example"},
         {0}},
        {"a.example",
         "NAPTR",
         0,
         AUTHENTIC,
         {"a.example 60 NAPTR 1 1 - - - " NUMBER("9", E164),
          "a.example 60 NAPTR 1 1 - - - b.example", "a.example 60 NAPTR 1 1 - - - a.example"},
         {0}},
        {"b.example",
         "NAPTR",
         0,
         AUTHENTIC,
         {"b.example 60 NAPTR 1 1 - - - a.example", "b.example 60 NAPTR 1 1 - - - b.example"},
         {0}},
        {.name = NULL}};
    struct world *world = *state;
    add_suffix(world, E164, false);
    serve(world, rules);
    assert_int_equal(find(world, "+49309"), STATUS_SERVFAIL);
    assert_told(world, "not asked, after too many");
    assert_int_equal(world->server.asked, 3);
}

/* Rule after rule that does not match costs the worker time, on each call, from the cache. */
static void expressions_are_bounded(void **state)
{
    static struct server_rule rules[4] = {
        {NUMBER("9", E164), "NAPTR", SERVER_TRUNCATE, AUTHENTIC, {NULL}, {0}},
        {"more.example", "NAPTR", SERVER_TRUNCATE, AUTHENTIC, {NULL}, {0}},
        {"last.example", "NAPTR", 0, AUTHENTIC, {NULL}, {0}}};
    static char lines[3][2][100];
    static const char *const names[] = {NUMBER("9", E164), "more.example", "last.example"};
    struct world *world = *state;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(lines[i][0], sizeof(lines[0][0]), "%s 60 NAPTR 1 1 u E2U+sip !x!sip:a@b.c! .",
                 names[i]);
        for (unsigned line = 0; line < 15; line++)
            rules[i].answer[line] = lines[i][0];
        snprintf(lines[i][1], sizeof(lines[0][1]), "%s 60 NAPTR 2 1 - - - %s", names[i],
                 i < 2 ? names[i + 1] : "none.example");
        rules[i].answer[15] = lines[i][1];
    }
    static const char right[] = "last.example 60 NAPTR 1 2 u E2U+sip !^.*$!sip:bob@opb.example! .";
    world->conf.address_records = false;
    add_suffix(world, E164, false);
    rules[2].answer[0] = rules[2].answer[1] = lines[2][0];
    rules[2].answer[2] = right; /* the 33rd */
    serve(world, rules);
    assert_int_equal(find(world, "+49309"), STATUS_SERVFAIL);
    assert_string_equal(world->found.why,
                        "the records of +49309 have more than the 32 expressions that are tried");
    rules[2].answer[1] = right; /* the 32nd */
    rules[2].answer[2] = NULL;
    serve(world, rules);
    expect(world, "+49309", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
}

static void a_tree_that_does_not_answer_is_not_taken_for_no(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164), "NAPTR", 0, DNS_SERVFAIL, {NULL}, {0}},
        {NUMBER("9", OWN), "NAPTR", 0, NONE, {NULL}, {"e164.opa.example 60 SOA ns h 1 2 3 4 60"}},
        {NUMBER("8", E164), "NAPTR", 0, DNS_SERVFAIL, {NULL}, {0}},
        {NUMBER("8", OWN),
         "NAPTR",
         0,
         AUTHENTIC,
         {E2U(NUMBER("8", OWN), "1", "!^.*$!sip:bob@opb.example!")},
         {0}},
        {"_sipaddr.opb.example", "TXT", 0, NONE, {NULL}, {"opb.example 60 SOA ns h 1 2 3 4 60"}},
        {.name = NULL}};
    struct world *world = *state;
    add_suffix(world, E164, false);
    add_suffix(world, OWN, false);
    serve(world, rules);
    assert_int_equal(find(world, "+49309"), STATUS_SERVFAIL);
    assert_non_null(strstr(world->found.why, "NAPTR " NUMBER("9", E164) ": SERVFAIL from "));
    assert_int_equal(find(world, "+49309@opa.example"), STATUS_SERVFAIL);
    /* a core that is asked for unknown addresses is asked */
    expect(world, "+49309@open.example", RESOLVER_UNKNOWN_CORE, "+49309@open.example",
           "open.example");
    assert_true(world->found.unknown);
    /* another tree that has it makes it good */
    expect(world, "+49308", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    assert_false(world->found.unknown);
    assert_string_equal(world->found.why, "");
}

/* A number whose address is again a number at a domain of ours is not looked up again. */
static void a_number_leads_to_an_address_only_once(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164),
         "NAPTR",
         0,
         AUTHENTIC,
         {E2U(NUMBER("9", E164), "1", "!^(.*)$!sip:\\1@opa.example!")},
         {0}},
        {.name = NULL}};
    struct world *world = *state;
    add_suffix(world, E164, false);
    serve(world, rules);
    expect(world, "+49309", RESOLVER_UNKNOWN, "+49309@opa.example", "");
    assert_null(strstr(world->trace, "is in no number table"));
    expect(world, "+49309@opa.example", RESOLVER_UNKNOWN, "+49309@opa.example", "");
    assert_null(strstr(world->trace, "is in no number table"));
    assert_int_equal(world->server.asked, 1);
}

/* ---- time and the end ---- */

static void silence_ends_with_the_time_for_a_search(void **state)
{
    static const struct server_rule rules[] = {
        {NUMBER("9", E164), "NAPTR", SERVER_SILENT, 0, {NULL}, {0}},
        {"_sipaddr.opb.example", "TXT", SERVER_SILENT, 0, {NULL}, {0}},
        {.name = NULL}};
    struct world *world = *state;
    world->conf.lookup_timeout_ms = 30;
    add_suffix(world, E164, false);
    add_suffix(world, OWN, false);
    serve(world, rules);
    assert_int_equal(find(world, "+49309"), -ETIMEDOUT);
    assert_non_null(strstr(world->found.why, "no answer in time from 127.0.0.1:"));
    assert_told(world, "not asked, for time is up"); /* the other tree */
    expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    assert_true(world->found.unknown);
}

static void a_cancelled_search_is_silent(void **state)
{
    static const struct server_rule rules[] = {
        {"_sipaddr.opb.example", "TXT", SERVER_SILENT, 0, {NULL}, {0}}, {.name = NULL}};
    struct world *world = *state;
    struct resolver_finding *finding;
    serve(world, rules);
    assert_int_equal(start(world, "bob@opb.example", &finding), -EINPROGRESS);
    resolver_find_cancel(finding);
    assert_int_equal(world->calls, 0);
    struct resolver_stats stats;
    resolver_stats_get(world->resolver, &stats);
    assert_int_equal(stats.inflight, 0);
}

static size_t list_length(const struct list *list)
{
    size_t length = 0;
    for (const struct list *link = list->next; link != list; link = link->next)
        length++;
    return length;
}

static void memory_of_a_burst_is_given_back(void **state)
{
    static const struct server_rule rules[] = {
        {"_sipaddr.opb.example", "TXT", SERVER_SILENT, 0, {NULL}, {0}}, {.name = NULL}};
    struct resolver_finding *findings[3 * RESOLVER_SPARES_MAX];
    struct world *world = *state;
    serve(world, rules);
    for (int burst = 0; burst < 2; burst++) {
        for (size_t i = 0; i < COUNT_OF(findings); i++)
            assert_int_equal(start(world, "bob@opb.example", &findings[i]), -EINPROGRESS);
        assert_int_equal(list_length(&world->resolver->spare_findings), 0);
        for (size_t i = 0; i < COUNT_OF(findings); i++)
            resolver_find_cancel(findings[i]);
        assert_int_equal(list_length(&world->resolver->spare_findings), RESOLVER_SPARES_MAX);
    }
}

static void the_resolvers_end_ends_searches(void **state)
{
    static const struct server_rule rules[] = {
        {"_sipaddr.opb.example", "TXT", SERVER_SILENT, 0, {NULL}, {0}}, {.name = NULL}};
    struct world *world = *state;
    struct resolver_finding *finding;
    serve(world, rules);
    assert_int_equal(start(world, "bob@opb.example", &finding), -EINPROGRESS);
    resolver_free(world->resolver);
    world->resolver = NULL;
    assert_int_equal(world->calls, 1);
    assert_int_equal(world->status, STATUS_CANCELLED);
}

/* Beyond the bound the directory alone decides: only a number that it has not got fails. */
static void searches_under_way_are_bounded(void **state)
{
    static const struct server_rule rules[] = {
        {"_sipaddr.opb.example", "TXT", SERVER_SILENT, 0, {NULL}, {0}}, {.name = NULL}};
    struct world *world = *state;
    struct resolver_finding *finding;
    add_suffix(world, E164, false);
    serve(world, rules);
    for (int i = 0; i < RESOLVER_FINDINGS_MAX; i++)
        assert_int_equal(start(world, "bob@opb.example", &finding), -EINPROGRESS);
    expect(world, "bob@opb.example", RESOLVER_AUTHORITY, "bob@opb.example", "opb.example");
    assert_false(world->waited);
    assert_true(world->found.unknown);
    assert_string_equal(world->found.why,
                        "TXT _sipaddr.opb.example: not asked, for too many searches are under way");
    expect(world, "bobby@opa.example", RESOLVER_ALIAS, "bobby@opa.example", "opb.example");
    expect(world, "alice@opa.example", RESOLVER_HOSTED, "alice@opa.example", "opa.example");
    expect(world, "+4930101", RESOLVER_PORTED_OUT, "carol@opa.example", "opc.example");
    assert_int_equal(find(world, "+49309"), STATUS_SERVFAIL);
    expect(world, "+49309@open.example", RESOLVER_UNKNOWN_CORE, "+49309@open.example",
           "open.example");
    assert_true(world->found.unknown);
    struct resolver_stats stats;
    resolver_stats_get(world->resolver, &stats);
    assert_int_equal(stats.inflight, 1);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_number_that_leads_nowhere_goes_to_the_telephone_network),
        WORLD_TEST(the_directory_alone_decides_what_it_has),
        WORLD_TEST(without_address_records_no_domain_is_asked),
        WORLD_TEST(whoever_asks_can_tell_what_needs_dns),
        WORLD_TEST(a_validated_record_names_the_host),
        WORLD_TEST(nothing_is_believed_that_is_not_validated),
        WORLD_TEST(who_does_not_publish_answers_for_all),
        WORLD_TEST(no_answer_is_not_taken_for_no),
        WORLD_TEST(a_record_that_names_us_leads_to_the_authority),
        WORLD_TEST(enum_leads_to_an_address),
        WORLD_TEST(unsigned_enum_counts_only_below_a_trusted_suffix),
        WORLD_TEST(an_alias_leads_out_of_the_trust_in_a_tree),
        WORLD_TEST(records_without_flag_are_followed),
        WORLD_TEST(five_records_without_flag_in_a_row_are_the_limit),
        WORLD_TEST(loops_end),
        WORLD_TEST(expressions_are_bounded),
        WORLD_TEST(a_tree_that_does_not_answer_is_not_taken_for_no),
        WORLD_TEST(a_number_leads_to_an_address_only_once),
        WORLD_TEST(silence_ends_with_the_time_for_a_search),
        WORLD_TEST(a_cancelled_search_is_silent),
        WORLD_TEST(memory_of_a_burst_is_given_back),
        WORLD_TEST(the_resolvers_end_ends_searches),
        WORLD_TEST(searches_under_way_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
