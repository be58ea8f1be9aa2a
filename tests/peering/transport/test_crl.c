/* Revocation lists: whom they name is refused, and nobody else for want of one. */
#include "tests/test.h"

#include "base/status.h"
#include "peering/transport/tls_crl.h"
#include "tests/peering/transport/certs.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A root, an intermediate of it, and a leaf of each. */
struct world {
    struct cert root, between, far_leaf, leaf;
    X509_STORE *store;
    X509_STORE *cores; /* NULL: there is no second one */
    char dir[64], file[128], doubt[TLS_MAX_WHY], why[TLS_MAX_WHY];
};

static int set_up(void **state)
{
    const struct cert_spec spec = {.cn = "edge", .alt = "URI:sip:opb.example"};
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->root = cert_make_ca("Root");
    world->between = cert_make(
        &(struct cert_spec){.cn = "Between", .constraints = "critical,CA:TRUE"}, &world->root);
    world->far_leaf = cert_make(&spec, &world->between);
    world->leaf = cert_make(&spec, &world->root);
    world->store = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(world->store, world->root.x509), 1);
    test_folder_make(world->dir, sizeof(world->dir));
    snprintf(world->file, sizeof(world->file), "%s/list", world->dir);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    X509_STORE_free(world->store);
    X509_STORE_free(world->cores);
    cert_free(&world->root);
    cert_free(&world->between);
    cert_free(&world->far_leaf);
    cert_free(&world->leaf);
    unlink(world->file);
    rmdir(world->dir);
    free(world);
    return 0;
}

static int load(struct world *world)
{
    const char *const files[] = {world->file};
    const struct tls_crl_stores stores = {{world->store, world->cores}, world->cores ? 2 : 1};

    world->why[0] = '\0';
    return tls_crls_load(&stores, files, 1, world->doubt, world->why);
}

static void list_load(struct world *world, const struct cert *issuer, const struct cert *revoked)
{
    crl_write(crl_make(issuer, issuer, revoked, 9), false, world->file);
    assert_int_equal(load(world), 0);
    assert_string_equal(world->doubt, "");
}

/* Returns whether it is believed. */
static bool judge(struct world *world, const struct cert *leaf, const struct cert *between,
                  struct tls_verdict *verdict)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    int status;

    if (between)
        sk_X509_push(chain, between->x509);
    status = tls_judge_chain(world->store, leaf->x509, chain, time(NULL), "opb.example", "peer",
                             verdict);
    sk_X509_free(chain);
    return status == 0;
}

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static void a_revoked_certificate_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_verdict verdict;

    list_load(world, &world->root, &world->leaf);
    assert_false(judge(world, &world->leaf, NULL, &verdict));
    assert_true(verdict.is_final);
    expect_part(verdict.why, "peer: certificate was revoked by its issuer at 20");
    expect_part(verdict.why, "needs a new certificate, with a new key");
}

static void what_a_revoked_intermediate_issued_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_verdict verdict;

    list_load(world, &world->root, &world->between);
    assert_false(judge(world, &world->far_leaf, &world->between, &verdict));
    assert_true(verdict.is_final);
    expect_part(verdict.why, "was issued by CN=Between, whose certificate was revoked at 20");
}

static void nobody_else_is_refused(void **state)
{
    struct world *world = *state;
    struct tls_verdict verdict;

    list_load(world, &world->root, &world->leaf); /* there is no list of the intermediate */
    assert_true(judge(world, &world->far_leaf, &world->between, &verdict));
    assert_false(verdict.is_final);
}

static void the_list_of_an_intermediate_counts(void **state)
{
    struct world *world = *state;
    struct tls_verdict verdict;

    list_load(world, &world->between, &world->far_leaf); /* there is no list of the root */
    assert_false(judge(world, &world->far_leaf, &world->between, &verdict));
    assert_true(judge(world, &world->leaf, NULL, &verdict));
}

/* Where the intermediate is the anchor, the list of who issued that cannot be checked. */
static void an_anchor_is_believed_whoever_issued_it(void **state)
{
    struct world *world = *state;
    struct tls_verdict verdict;

    X509_STORE_free(world->store);
    world->store = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(world->store, world->between.x509), 1);
    list_load(world, &world->root, &world->leaf);
    assert_true(judge(world, &world->far_leaf, NULL, &verdict));
}

static void a_list_past_its_date_still_counts_and_is_told(void **state)
{
    struct world *world = *state;
    struct tls_verdict verdict;

    crl_write(crl_make(&world->root, &world->root, &world->leaf, -1), false, world->file);
    assert_int_equal(load(world), 0);
    expect_part(world->doubt, world->file);
    expect_part(world->doubt, "the revocation list of CN=Root was to be replaced by 20");
    assert_false(judge(world, &world->leaf, NULL, &verdict));
    assert_true(judge(world, &world->far_leaf, &world->between, &verdict));
}

static void a_file_may_have_several_lists_or_one_in_der(void **state)
{
    struct world *world = *state;
    struct tls_verdict verdict;

    crl_write(crl_make(&world->root, &world->root, &world->leaf, 9), false, world->file);
    list_load(world, &world->between, &world->far_leaf);
    assert_false(judge(world, &world->leaf, NULL, &verdict));
    assert_false(judge(world, &world->far_leaf, &world->between, &verdict));
    unlink(world->file);
    X509_STORE_free(world->store);
    world->store = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(world->store, world->root.x509), 1);
    crl_write(crl_make(&world->root, &world->root, &world->leaf, 9), true, world->file);
    assert_int_equal(load(world), 0);
    assert_false(judge(world, &world->leaf, NULL, &verdict));
}

static void unusable_files_are_named(void **state)
{
    struct world *world = *state;
    FILE *file;

    assert_int_equal(load(world), -ENOENT);
    expect_part(world->why, "cannot be read");
    file = fopen(world->file, "w");
    fputs("no list\n", file);
    fclose(file);
    assert_int_equal(load(world), STATUS_MALFORMED);
    expect_part(world->why, "no revocation list could be read");
    unlink(world->file);
    crl_write(crl_make(&world->root, &world->between, &world->leaf, 9), false, world->file);
    assert_int_equal(load(world), STATUS_MALFORMED);
    expect_part(world->why, "CN=Root is not signed by the trust anchor of that name");
}

static bool is_core(struct world *world, const struct cert *leaf)
{
    struct tls_verdict verdict;

    return tls_judge_chain(world->cores, leaf->x509, NULL, time(NULL), "opb.example", "core",
                           &verdict) == 0;
}

/* Also where both CAs have the same name: each has its own list, in one file here. */
static void a_list_counts_for_cores_too(void **state)
{
    struct world *world = *state;
    struct cert root = cert_make_ca("Root");
    struct cert good = cert_make(&(struct cert_spec){.alt = "URI:sip:opb.example"}, &root);
    struct cert bad = cert_make(&(struct cert_spec){.alt = "URI:sip:opb.example"}, &root);
    struct tls_verdict verdict;

    world->cores = X509_STORE_new();
    assert_int_equal(X509_STORE_add_cert(world->cores, root.x509), 1);
    crl_write(crl_make(&root, &root, &bad, 9), false, world->file);
    list_load(world, &world->root, &world->leaf);
    assert_false(is_core(world, &bad));
    assert_true(is_core(world, &good));
    assert_false(judge(world, &world->leaf, NULL, &verdict));
    assert_true(judge(world, &world->far_leaf, &world->between, &verdict));
    crl_write(crl_make(&root, &world->between, &bad, 9), false, world->file); /* by neither */
    assert_int_equal(load(world), STATUS_MALFORMED);
    cert_free(&root);
    cert_free(&good);
    cert_free(&bad);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_revoked_certificate_is_refused),
        TEST(what_a_revoked_intermediate_issued_is_refused),
        TEST(nobody_else_is_refused),
        TEST(the_list_of_an_intermediate_counts),
        TEST(an_anchor_is_believed_whoever_issued_it),
        TEST(a_list_past_its_date_still_counts_and_is_told),
        TEST(a_file_may_have_several_lists_or_one_in_der),
        TEST(unusable_files_are_named),
        TEST(a_list_counts_for_cores_too),
    };

    return cmocka_run_group_tests_name("crl", tests, NULL, NULL);
}
