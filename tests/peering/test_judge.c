/* The verdict on others' TLS connections: what is judged by claims (tests/peering/transport) and
 * what DNS says (test_trust.c) has tests of its own; here is what the judge adds: odd chains, the
 * operator's word, what is remembered, and DNS that does not answer. */
#include "tests/test.h"

#include "base/status.h"
#include "peering/judge.h"
#include "tests/peering/transport/certs.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEER "192.0.2.1:40000"

struct world {
    char folder[64], anchors[96], crl[96];
    struct store *store;
    struct cert ca, opa;
    struct resolver_conf resolver; /* nobody answers there */
    int silent;
    struct tls_context *context;
    struct judge *judge;
    unsigned char *der;
    struct judge_certificate chain[JUDGE_MAX_CERTIFICATES + 1];
    struct tls_verdict verdict;
};

static void context_load(struct world *world, bool revoked)
{
    const char *files[] = {world->crl};
    const struct tls_conf conf = {
        .anchors_file = world->anchors, .crl_files = files, .crl_count = revoked ? 1 : 0};
    char why[TLS_MAX_WHY];
    tls_context_unref(world->context);
    if (tls_context_load(&conf, &world->context, why))
        fail_msg("%s", why);
}

static void silent_open(struct world *world)
{
    struct netaddr *addr = &world->resolver.upstreams[0].addr;
    socklen_t len = sizeof(*addr);
    assert_int_equal(netaddr_parse(addr, SLICE("127.0.0.1:0"), 0), 0);
    world->silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(world->silent, &addr->sa, netaddr_len(addr)), 0);
    assert_int_equal(getsockname(world->silent, &addr->sa, &len), 0);
    world->resolver.upstream_count = 1;
    world->resolver.attempt_timeout_ms = world->resolver.lookup_timeout_ms = 50;
}

static void judge_open(struct world *world)
{
    const struct judge_conf conf = {.store = world->store, .resolver = &world->resolver};
    judge_free(world->judge);
    world->judge = judge_alloc(&conf, world->context);
    assert_non_null(world->judge);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    const struct cert_spec spec = {.cn = "opa", .alt = "URI:sip:opa.example"};
    char key[96];
    assert_non_null(world);
    *state = world;
    test_folder_make(world->folder, sizeof(world->folder));
    snprintf(world->anchors, sizeof(world->anchors), "%s/ca.pem", world->folder);
    snprintf(world->crl, sizeof(world->crl), "%s/ca.crl", world->folder);
    snprintf(key, sizeof(key), "%s/ca.key", world->folder);
    const struct store_conf conf = {.path = world->folder, .map_size = 16 << 20};
    assert_int_equal(store_open(&conf, STORE_WRITER, &world->store, NULL), 0);
    world->ca = cert_make_ca("lab CA");
    world->opa = cert_make(&spec, &world->ca);
    cert_write(&world->ca, NULL, world->anchors, key);
    silent_open(world);
    context_load(world, false);
    judge_open(world);
    int len = i2d_X509(world->opa.x509, &world->der);
    assert_true(len > 0);
    for (size_t i = 0; i < COUNT_OF(world->chain); i++)
        world->chain[i] = (struct judge_certificate){world->der, (size_t)len};
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char command[128];
    judge_free(world->judge);
    tls_context_unref(world->context);
    OPENSSL_free(world->der);
    cert_free(&world->opa);
    cert_free(&world->ca);
    store_close(world->store);
    close(world->silent);
    snprintf(command, sizeof(command), "rm -rf %s", world->folder);
    int status = system(command); /* NOLINT(bugprone-command-processor): a path of our own */
    free(world);
    return status;
}

static int ask(struct world *world, size_t count, const char *far_domain)
{
    const struct judge_case about = {
        .chain = world->chain, .count = count, .far_domain = far_domain, .peer = PEER};
    return judge_ask(world->judge, &about, &world->verdict);
}

static void assert_refused(struct world *world, int status, int expected, const char *why)
{
    assert_int_equal(status, expected);
    assert_int_equal(world->verdict.identity_count, 0);
    if (strncmp(world->verdict.why, PEER ": ", strlen(PEER ": ")) != 0 ||
        !strstr(world->verdict.why, why))
        fail_msg("'%s' is not in: %s", why, world->verdict.why);
}

static void an_anchored_chain_proves_whom_it_names(void **state)
{
    struct world *world = *state;
    assert_int_equal(ask(world, 1, NULL), 0);
    assert_int_equal(world->verdict.identity_count, 1);
    assert_string_equal(world->verdict.identities[0], "opa.example");
    assert_int_equal(ask(world, 1, "opa.example"), 0);
    assert_refused(world, ask(world, 1, "opb.example"), STATUS_UNPROVEN,
                   "the SIP domain opb.example is required");
}

static void odd_chains_are_refused(void **state)
{
    struct world *world = *state;
    assert_refused(world, ask(world, 0, NULL), STATUS_UNPROVEN, "sent no certificate");
    assert_refused(world, ask(world, JUDGE_MAX_CERTIFICATES + 1, NULL), STATUS_UNPROVEN,
                   "too many or too large");
    world->chain[1].len = JUDGE_MAX_DER;
    assert_refused(world, ask(world, 2, NULL), STATUS_UNPROVEN, "too many or too large");
    size_t len = world->chain[0].len;
    for (world->chain[0].len = 0; world->chain[0].len < len; world->chain[0].len++)
        assert_refused(world, ask(world, 1, NULL), STATUS_UNPROVEN, "cannot be read");
}

static void peer_put(struct world *world, enum store_op op, const struct store_peer *peer)
{
    struct store_command command = {.op = op,
                                    .actor = "test",
                                    .time_ms = (uint64_t)time(NULL) * 1000,
                                    .expected_version = STORE_ANY_VERSION,
                                    .peer = *peer};
    struct store_verdict verdict;
    assert_int_equal(store_submit(world->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void a_peer_that_is_pinned_proves_nothing_with_another_key(void **state)
{
    struct world *world = *state;
    struct store_peer peer = {.domain = "opa.example", .pin_count = 1, .pins = {{1}}};
    peer_put(world, STORE_PEER_ADD, &peer);
    assert_refused(world, ask(world, 1, NULL), STATUS_UNPROVEN, "opa.example is pinned to");
    assert_int_equal(tls_key_hash(world->opa.x509, peer.pins[0]), 0);
    peer_put(world, STORE_PEER_PUT, &peer);
    judge_open(world); /* refusals are remembered for a while */
    assert_int_equal(ask(world, 1, NULL), 0);
}

/* A new pin counts once that is over. */
static void who_was_proven_is_not_judged_anew_for_a_while(void **state)
{
    struct world *world = *state;
    const struct store_peer peer = {.domain = "opa.example", .pin_count = 1, .pins = {{1}}};
    assert_int_equal(ask(world, 1, NULL), 0);
    peer_put(world, STORE_PEER_ADD, &peer);
    assert_int_equal(ask(world, 1, NULL), 0);
    judge_set(world->judge, world->context, GUARD_OPEN);
    assert_refused(world, ask(world, 1, NULL), STATUS_UNPROVEN, "opa.example is pinned to");
}

static void what_is_remembered_ends_with_other_anchors_and_lists(void **state)
{
    struct world *world = *state;
    assert_int_equal(ask(world, 1, NULL), 0);
    crl_write(crl_make(&world->ca, &world->ca, &world->opa, 1), false, world->crl);
    context_load(world, true);
    assert_int_equal(ask(world, 1, NULL), 0); /* it has the old one */
    judge_set(world->judge, world->context, GUARD_OPEN);
    assert_refused(world, ask(world, 1, NULL), STATUS_UNPROVEN, "was revoked by its issuer");
}

static void the_mode_is_asked_though_the_chain_is_remembered(void **state)
{
    struct world *world = *state;
    const struct store_peer peer = {.domain = "opa.example"};
    judge_set(world->judge, world->context, GUARD_LISTED);
    assert_refused(world, ask(world, 1, NULL), STATUS_UNPROVEN, "is not among the peers");
    peer_put(world, STORE_PEER_ADD, &peer);
    assert_int_equal(ask(world, 1, NULL), 0);
    judge_set(world->judge, world->context, GUARD_CLOSED);
    assert_refused(world, ask(world, 1, NULL), STATUS_UNPROVEN, "its peering is closed");
}

/* A trusted upstream is asked for keys: where it is silent, nothing is proven, and not for long. */
static void while_dns_is_silent_nothing_is_known(void **state)
{
    struct world *world = *state;
    world->resolver.upstreams[0].trusted = true;
    judge_open(world);
    assert_refused(world, ask(world, 1, NULL), -EAGAIN, "could not be found out");
    world->resolver.upstreams[0].trusted = false;
    judge_open(world);
    assert_int_equal(ask(world, 1, NULL), 0);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_WORLD(an_anchored_chain_proves_whom_it_names),
        IN_WORLD(odd_chains_are_refused),
        IN_WORLD(a_peer_that_is_pinned_proves_nothing_with_another_key),
        IN_WORLD(who_was_proven_is_not_judged_anew_for_a_while),
        IN_WORLD(what_is_remembered_ends_with_other_anchors_and_lists),
        IN_WORLD(the_mode_is_asked_though_the_chain_is_remembered),
        IN_WORLD(while_dns_is_silent_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
