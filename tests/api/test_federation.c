/* Operators that ask each other: in one process, each with its own federation, over real TLS, with
 * a DNS server on a thread of its own. opa and opb are proven by DNS alone (self-signed, DANE), opc
 * by a CA, opx by nobody. */
#include "api/federation.h"
#include "api/internal.h"
#include "base/status.h"
#include "tests/api/fixture.h"
#include "tests/peering/transport/certs.h"
#include "tests/resolver/server_thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUTHENTIC (DNS_AA | DNS_AD)
#define NONE      (DNS_AA | DNS_AD | DNS_NXDOMAIN)
#define SOA                                                                                        \
    {                                                                                              \
        "example 60 SOA ns h 1 2 3 4 60"                                                           \
    }

enum who { IS_A, IS_B, IS_C, IS_X, WHO_COUNT };
static const char *const names[] = {"opa.example", "opb.example", "opc.example", "opx.example"};

#define LINE_MAX_LEN 200
/* Lines that are known once ports and keys are: SRV of the federation API, TLSA of SIP. */
static char srv_b[LINE_MAX_LEN], srv_y[LINE_MAX_LEN], srv_n[LINE_MAX_LEN], tlsa_a[LINE_MAX_LEN],
    tlsa_b[LINE_MAX_LEN];

#define SIP_OF(domain)                                                                             \
    {                                                                                              \
        domain, "NAPTR", 0, AUTHENTIC, {domain " 60 NAPTR 1 1 s SIPS+D2T - _sips._tcp." domain},   \
        {0}},                                                                                      \
        {"_sips._tcp." domain,                                                                     \
         "SRV",                                                                                    \
         0,                                                                                        \
         AUTHENTIC,                                                                                \
         {"_sips._tcp." domain " 60 SRV 1 1 5061 e." domain},                                      \
         {0}},                                                                                     \
        {"e." domain, "A", 0, AUTHENTIC, {"e." domain " 60 A 127.0.0.1"}, {0}},                    \
    {                                                                                              \
        "e." domain, "AAAA", 0, AUTHENTIC, {0}, SOA                                                \
    }

#define NO_DOMAIN(domain)                                                                          \
    {                                                                                              \
        domain, "NAPTR", 0, NONE, {0}, SOA                                                         \
    }

static const struct server_rule rules[] = {
    SIP_OF("opa.example"),
    SIP_OF("opb.example"),
    {"_5061._tcp.e.opa.example", "TLSA", 0, AUTHENTIC, {tlsa_a}, {0}},
    {"_5061._tcp.e.opb.example", "TLSA", 0, AUTHENTIC, {tlsa_b}, {0}},
    NO_DOMAIN("opc.example"),
    NO_DOMAIN("opx.example"),
    NO_DOMAIN("opy.example"),
    {"_address-porting._tcp.opb.example", "SRV", 0, AUTHENTIC, {srv_b}, {0}},
    {"_address-porting._tcp.opy.example", "SRV", 0, AUTHENTIC, {srv_y}, {0}},
    {"_address-porting._tcp.opc.example", "SRV", 0, AUTHENTIC, {srv_n}, {0}},
    {"_address-porting._tcp.opx.example", "SRV", 0, NONE, {0}, SOA},
    {.name = NULL}};

struct world {
    struct fixture *fixture;
    struct server_thread dns;
    struct resolver_conf resolver;
    char anchors[128], chain[WHO_COUNT][128], key[WHO_COUNT][128];
    struct tls_certificate_conf certificates[WHO_COUNT];
    struct tls_conf tls[WHO_COUNT];
    struct guard *guard; /* of opb */
    struct federation *federations[WHO_COUNT];
    struct netaddr bound; /* of opb, the only one that serves */
    atomic_uint handled;
    unsigned large; /* bytes of a further member of its answers */
};

/* ---- the world ---- */

/* Answers with what it was given. federation_handle_h. */
static int echo(void *arg, const struct federation_request *request,
                struct federation_answer *answer)
{
    struct world *world = arg;
    char *padding = calloc(1, world->large + 1);
    assert_non_null(padding);
    memset(padding, 'x', world->large);
    atomic_fetch_add(&world->handled, 1);
    answer->status = 200;
    answer->body = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:O?, s:s}", "method", request->method,
                             "path", request->path, "query", request->query, "proven",
                             request->proven[0], "served", request->served, "count",
                             (int)request->proven_count, "body", request->body, "padding", padding);
    free(padding);
    return strcmp(request->path, "/fails") == 0 ? -EAGAIN : 0;
}

static void certificate_write(struct world *world, enum who who, const struct cert *issuer)
{
    char alt[80];
    const struct cert_spec spec = {.cn = names[who], .alt = alt};
    snprintf(alt, sizeof(alt), "URI:sip:%s", names[who]);
    struct cert cert = cert_make(&spec, issuer);
    snprintf(world->chain[who], sizeof(world->chain[who]), "%s/%s.pem", world->fixture->folder,
             names[who]);
    snprintf(world->key[who], sizeof(world->key[who]), "%s/%s.key", world->fixture->folder,
             names[who]);
    cert_write(&cert, NULL, world->chain[who], world->key[who]);
    cert_free(&cert);
    world->certificates[who] = (struct tls_certificate_conf){
        .domain = names[who], .chain_file = world->chain[who], .key_file = world->key[who]};
    world->tls[who] = (struct tls_conf){.certificates = &world->certificates[who],
                                        .certificate_count = 1,
                                        .anchors_file = world->anchors};
}

static void certificates_write(struct world *world)
{
    struct cert ca = cert_make_ca("lab CA");
    char ca_key[160];
    snprintf(world->anchors, sizeof(world->anchors), "%s/ca.pem", world->fixture->folder);
    snprintf(ca_key, sizeof(ca_key), "%s/ca.key", world->fixture->folder);
    cert_write(&ca, NULL, world->anchors, ca_key);
    for (unsigned who = 0; who < WHO_COUNT; who++)
        certificate_write(world, who, who == IS_C ? &ca : NULL);
    cert_free(&ca);
}

static void tlsa_write(const struct world *world, enum who who, char line[LINE_MAX_LEN])
{
    uint8_t hash[TLS_KEY_HASH_LEN];
    char why[TLS_MAX_WHY];
    int len = snprintf(line, LINE_MAX_LEN, "_5061._tcp.e.%s 60 TLSA 3 1 1 ", names[who]);
    assert_int_equal(tls_chain_key_hash(world->chain[who], hash, why), 0);
    for (size_t i = 0; i < sizeof(hash); i++)
        len += snprintf(line + len, LINE_MAX_LEN - (size_t)len, "%02x", hash[i]);
}

static void srv_write(const char *domain, uint16_t port, char line[LINE_MAX_LEN])
{
    snprintf(line, LINE_MAX_LEN, "_address-porting._tcp.%s 60 SRV 1 1 %u e.opb.example", domain,
             port);
}

static void federation_open(struct world *world, enum who who)
{
    struct federation_conf conf = {.listen = {.sa = {.sa_family = AF_UNSPEC}}};
    const struct federation_parts parts = {.store = world->fixture->store,
                                           .resolver = &world->resolver,
                                           .tls = &world->tls[who],
                                           .guard = who == IS_B ? world->guard : NULL};
    char why[FEDERATION_MAX_WHY];
    if (who == IS_B)
        assert_int_equal(netaddr_parse(&conf.listen, SLICE("127.0.0.1:0"), 0), 0);
    if (federation_start(&conf, &parts, &world->federations[who], why) ||
        federation_serve(world->federations[who], echo, world, why))
        fail_msg("%s", why);
}

static int world_setup(void **state)
{
    static const struct guard_conf bans = {.ban_s = 0};
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    fixture_setup((void **)&world->fixture);
    server_thread_start(&world->dns, rules);
    world->resolver.upstream_count = 1;
    world->resolver.upstreams[0].addr = world->dns.server.addr;
    world->resolver.upstreams[0].trusted = true;
    world->guard = guard_alloc(&bans);
    assert_non_null(world->guard);
    certificates_write(world);
    tlsa_write(world, IS_A, tlsa_a);
    tlsa_write(world, IS_B, tlsa_b);
    for (unsigned who = 0; who < WHO_COUNT; who++)
        federation_open(world, who);
    federation_bound(world->federations[IS_B], &world->bound);
    srv_write("opb.example", netaddr_port(&world->bound), srv_b);
    srv_write("opy.example", netaddr_port(&world->bound), srv_y);
    snprintf(srv_n, sizeof(srv_n), "_address-porting._tcp.opc.example 60 SRV 0 0 0 .");
    *state = world;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    for (unsigned who = 0; who < WHO_COUNT; who++)
        federation_stop(world->federations[who]);
    guard_free(world->guard);
    server_thread_stop(&world->dns);
    fixture_teardown((void **)&world->fixture);
    free(world);
    return 0;
}

/* ---- asking ---- */

static int ask(const struct world *world, enum who who, const char *to, const json_t *body,
               struct federation_answer *answer)
{
    return federation_ask(world->federations[who], names[who], to, "POST", "/federation/v1/x?a=%2F",
                          body, answer);
}

/* Reaches the handler, which hears this proven domain. */
static void expect_heard(const struct world *world, enum who who)
{
    struct federation_answer answer;
    if (ask(world, who, "opb.example", NULL, &answer))
        fail_msg("%s", answer.why);
    assert_int_equal(answer.status, 200);
    assert_string_equal(text_of(answer.body, "proven"), names[who]);
    federation_answer_done(&answer);
}

/* Is answered so without the handler. */
static void expect_refused(struct world *world, enum who who, unsigned status, const char *reason,
                           const char *detail)
{
    struct federation_answer answer;
    unsigned handled = atomic_load(&world->handled);
    if (ask(world, who, "opb.example", NULL, &answer))
        fail_msg("%s", answer.why);
    assert_int_equal(answer.status, status);
    assert_string_equal(text_of(answer.body, "reason"), reason);
    if (!strstr(text_of(answer.body, "detail"), detail))
        fail_msg("'%s' is not in: %s", detail, text_of(answer.body, "detail"));
    assert_int_equal(atomic_load(&world->handled), handled);
    federation_answer_done(&answer);
}

static void expect_failure(struct world *world, const char *to, int status, const char *why)
{
    struct federation_answer answer;
    unsigned handled = atomic_load(&world->handled);
    assert_int_equal(ask(world, IS_A, to, NULL, &answer), status);
    if (!strstr(answer.why, why))
        fail_msg("'%s' is not in: %s", why, answer.why);
    assert_int_equal(atomic_load(&world->handled), handled);
    federation_answer_done(&answer);
}

/* ---- what must hold ---- */

static void self_signed_operators_prove_each_other_by_dns(void **state)
{
    const struct world *world = *state;
    struct federation_answer answer;
    json_t *body = json_pack("{s:s}", "code", "1234");
    if (ask(world, IS_A, "opb.example", body, &answer))
        fail_msg("%s", answer.why);
    assert_int_equal(answer.status, 200);
    assert_string_equal(text_of(answer.body, "method"), "POST");
    assert_string_equal(text_of(answer.body, "path"), "/federation/v1/x");
    assert_string_equal(text_of(answer.body, "query"), "a=%2F");
    assert_string_equal(text_of(answer.body, "proven"), "opa.example");
    assert_string_equal(text_of(answer.body, "served"), "opb.example");
    assert_int_equal(json_integer_value(json_object_get(answer.body, "count")), 1);
    assert_true(json_equal(json_object_get(answer.body, "body"), body));
    federation_answer_done(&answer);
    json_decref(body);
}

static void an_operator_that_a_ca_vouches_for_is_heard(void **state)
{
    expect_heard(*state, IS_C);
}

/* The server has no list of CAs that it could be asked by: it sends its certificate all the same.
 */
static void a_self_signed_client_without_keys_in_dns_is_refused_by_name(void **state)
{
    expect_refused(
        *state, IS_X, 403, "unproven",
        "certificate of opx.example is self-signed (CN=opx.example) and no trust anchor");
}

static void a_server_that_is_not_who_was_called_hears_nothing(void **state)
{
    expect_failure(*state, "opy.example", STATUS_UNPROVEN,
                   "certificate is self-signed (CN=opb.example) and no trust anchor");
}

static void who_publishes_no_federation_api_is_not_called(void **state)
{
    expect_failure(*state, "opx.example", STATUS_NOHOP, "_address-porting._tcp.opx.example");
    expect_failure(*state, "opc.example", STATUS_NOHOP, "no federation API is offered");
}

static void nobody_is_asked_in_a_foreign_name(void **state)
{
    const struct world *world = *state;
    struct federation_answer answer;
    assert_int_equal(federation_ask(world->federations[IS_A], "opc.example", "opb.example", "GET",
                                    "/", NULL, &answer),
                     STATUS_NOTFOUND);
    assert_non_null(strstr(answer.why, "no certificate for opc.example"));
}

static void peer_put(const struct world *world, enum store_op op, const char *domain, bool blocked)
{
    struct store_command command = {
        .op = op, .actor = "test", .time_ms = api_now_ms(), .expected_version = STORE_ANY_VERSION};
    struct store_verdict verdict;
    snprintf(command.peer.domain, sizeof(command.peer.domain), "%s", domain);
    command.peer.blocked = blocked;
    assert_int_equal(store_submit(world->fixture->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void who_is_blocked_is_refused_at_once_though_he_was_proven_before(void **state)
{
    struct world *world = *state;
    expect_heard(world, IS_C);
    peer_put(world, STORE_PEER_ADD, "opc.example", true);
    expect_refused(world, IS_C, 403, "unproven", "opc.example is blocked here");
    peer_put(world, STORE_PEER_PUT, "opc.example", false);
    expect_heard(world, IS_C);
}

static void the_peering_mode_holds_here_too(void **state)
{
    struct world *world = *state;
    char why[FEDERATION_MAX_WHY];
    assert_int_equal(
        federation_reload(world->federations[IS_B], &world->tls[IS_B], GUARD_LISTED, why), 0);
    expect_refused(world, IS_A, 403, "unproven", "opa.example is not among the peers");
    peer_put(world, STORE_PEER_ADD, "opa.example", false);
    expect_heard(world, IS_A);
    assert_int_equal(
        federation_reload(world->federations[IS_B], &world->tls[IS_B], GUARD_CLOSED, why), 0);
    expect_refused(world, IS_A, 403, "unproven", "its peering is closed");
}

static void other_certificates_serve_after_a_reload(void **state)
{
    struct world *world = *state;
    char why[FEDERATION_MAX_WHY];
    assert_int_equal(
        federation_reload(world->federations[IS_B], &world->tls[IS_X], GUARD_OPEN, why), 0);
    expect_failure(world, "opb.example", STATUS_UNPROVEN, "TLSA records of opb.example");
    assert_int_equal(
        federation_reload(world->federations[IS_B], &world->tls[IS_B], GUARD_OPEN, why), 0);
    expect_heard(world, IS_A);
}

static void bodies_are_bounded_in_both_directions(void **state)
{
    struct world *world = *state;
    struct federation_answer answer;
    char *large = calloc(1, FEDERATION_MAX_BODY + 1);
    assert_non_null(large);
    memset(large, 'x', FEDERATION_MAX_BODY);
    json_t *body = json_pack("{s:s}", "a", large);
    free(large);
    assert_int_equal(ask(world, IS_A, "opb.example", body, &answer), 0);
    assert_int_equal(answer.status, 413);
    assert_int_equal(atomic_load(&world->handled), 0);
    federation_answer_done(&answer);
    json_decref(body);
    world->large = FEDERATION_MAX_BODY;
    assert_int_equal(ask(world, IS_A, "opb.example", NULL, &answer), -EPROTO);
    assert_non_null(strstr(answer.why, "the answer has more than"));
}

static void a_handler_that_fails_for_now_is_a_503(void **state)
{
    const struct world *world = *state;
    struct federation_answer answer;
    assert_int_equal(federation_ask(world->federations[IS_A], "opa.example", "opb.example", "GET",
                                    "/fails", NULL, &answer),
                     0);
    assert_int_equal(answer.status, 503);
    assert_string_equal(text_of(answer.body, "reason"), "busy");
    federation_answer_done(&answer);
}

/* ---- strangers ---- */

static long strange_get(const struct world *world, const char *body, char *text, size_t size)
{
    char url[80], addr[NETADDR_TEXT_MAX];
    FILE *out = fmemopen(text, size, "w");
    CURL *curl = curl_easy_init();
    long status = 0;
    snprintf(url, sizeof(url), "https://%s/x", netaddr_format(&world->bound, addr));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, world->chain[IS_C]);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, world->key[IS_C]);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    fclose(out);
    return status;
}

static void a_client_without_certificate_is_told_what_is_missing(void **state)
{
    struct world *world = *state;
    char text[2000] = "";
    assert_int_equal(strange_get(world, NULL, text, sizeof(text)), 403);
    assert_non_null(strstr(text, "sent no certificate; it must show the certificate"));
    assert_int_equal(atomic_load(&world->handled), 0);
}

static void a_body_that_is_no_json_is_refused(void **state)
{
    struct world *world = *state;
    char text[2000] = "";
    assert_int_equal(strange_get(world, "{\"a\": }", text, sizeof(text)), 400);
    assert_int_equal(strange_get(world, "[1]", text, sizeof(text)), 400);
    assert_int_equal(atomic_load(&world->handled), 0);
}

static int stranger_connect(const struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &world->bound.sa, netaddr_len(&world->bound)), 0);
    return fd;
}

static void one_source_has_its_share_of_connections_at_most(void **state)
{
    const struct world *world = *state;
    int held[FEDERATION_CONNECTIONS / FEDERATION_SOURCE_SHARE];
    char byte;
    for (size_t i = 0; i < COUNT_OF(held); i++)
        held[i] = stranger_connect(world);
    int over = stranger_connect(world);
    assert_true(recv(over, &byte, 1, 0) <= 0);
    close(over);
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        assert_int_equal(recv(held[i], &byte, 1, MSG_DONTWAIT), -1); /* still open */
        close(held[i]);
    }
}

static void a_banned_address_is_not_heard(void **state)
{
    const struct world *world = *state;
    struct guard_ban ban = {.left_ms = 3600000};
    struct federation_answer answer;
    char byte;
    assert_int_equal(netprefix_parse(&ban.source, SLICE("127.0.0.0/8")), 0);
    assert_int_equal(guard_ban_add(world->guard, &ban, api_monotonic_ms()), 0);
    int fd = stranger_connect(world);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    assert_int_not_equal(ask(world, IS_A, "opb.example", NULL, &answer), 0);
    assert_int_equal(guard_ban_remove(world->guard, &ban.source, api_monotonic_ms()), 0);
    expect_heard(world, IS_A);
}

static void who_is_ending_asks_nobody(void **state)
{
    struct world *world = *state;
    federation_close(world->federations[IS_A]);
    expect_failure(world, "opb.example", STATUS_CLOSED, "ending");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(self_signed_operators_prove_each_other_by_dns),
        TEST(an_operator_that_a_ca_vouches_for_is_heard),
        TEST(a_self_signed_client_without_keys_in_dns_is_refused_by_name),
        TEST(a_server_that_is_not_who_was_called_hears_nothing),
        TEST(who_publishes_no_federation_api_is_not_called),
        TEST(nobody_is_asked_in_a_foreign_name),
        TEST(who_is_blocked_is_refused_at_once_though_he_was_proven_before),
        TEST(the_peering_mode_holds_here_too),
        TEST(other_certificates_serve_after_a_reload),
        TEST(bodies_are_bounded_in_both_directions),
        TEST(a_handler_that_fails_for_now_is_a_503),
        TEST(a_client_without_certificate_is_told_what_is_missing),
        TEST(a_body_that_is_no_json_is_refused),
        TEST(one_source_has_its_share_of_connections_at_most),
        TEST(a_banned_address_is_not_heard),
        TEST(who_is_ending_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
