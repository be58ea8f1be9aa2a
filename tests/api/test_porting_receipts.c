/* What a host makes of receipts: opa.example is the authority and loses the address, opb.example
 * gains it, and somebody in between changes what it is told. */
#include "api/porting.h"
#include "base/status.h"
#include "tests/store/fixture.h"
#include "tests/test.h"

#include <openssl/evp.h>
#include <string.h>

#define HOUR_MS ((uint64_t)3600 * 1000)
#define CODE    "tr7k-9mzx-2b4q-8h6d-c1pw-0v5n-3jsf"
#define ADDRESS "ann@opa.example"

enum place { A, B, PLACES };
static const char *const domains[PLACES] = {"opa.example", "opb.example"};

/* Changes what the authority tells; takes over the document, and gives back another or the same. */
typedef json_t *between_h(json_t *document);

struct world {
    struct fixture stores[PLACES];
    struct porting *engines[PLACES];
    struct receipt_keys *keys[PLACES];
    struct log *log;
    FILE *log_file;
    uint64_t now_ms;
    between_h *between; /* NULL: nobody is */
};

static uint64_t world_clock(void *arg)
{
    return ((struct world *)arg)->now_ms;
}

static int ask(const char *from, const char *to, const char *method, const char *path,
               const json_t *body, struct federation_answer *answer, void *arg)
{
    struct world *w = arg;
    char proven[1][256];
    int place = strcmp(to, domains[A]) == 0 ? A : B;
    json_t *told = json_deep_copy(body);
    if (w->between && told && place == B)
        told = w->between(told);
    const struct federation_request request = {.method = method,
                                               .path = path,
                                               .query = "",
                                               .proven = (const char(*)[256])proven,
                                               .proven_count = 1,
                                               .served = to,
                                               .body = told};
    snprintf(proven[0], sizeof(proven[0]), "%s", from);
    int status = porting_handle(w->engines[place], &request, answer);
    json_decref(told);
    return status;
}

static void time_pass(struct world *w, uint64_t ms)
{
    w->now_ms += ms;
    for (int i = 0; i < PLACES; i++)
        atomic_store(&w->stores[i].now_ms, w->now_ms);
}

static void place_open(struct world *w, int place)
{
    char dir[256], why[RECEIPT_WHY_MAX];
    const struct porting_conf conf = {
        .terms = {.window = 86400, .grace = 3 * 86400, .freeze = 86400}, .moved = 86400};
    struct porting_parts parts = {.store = NULL,
                                  .ask = ask,
                                  .ask_arg = w,
                                  .log = w->log,
                                  .clock = world_clock,
                                  .clock_arg = w};
    test_folder_make(dir, sizeof(dir));
    assert_int_equal(receipt_keys_open(dir, &w->keys[place], why), 0);
    fixture_make(&w->stores[place], (size_t)64 << 20);
    fixture_open(&w->stores[place]);
    assert_int_equal(fixture_domain_add(&w->stores[place], domains[place]), 0);
    parts.store = w->stores[place].store;
    parts.receipts = w->keys[place];
    assert_int_equal(porting_open(&conf, &parts, &w->engines[place]), 0);
}

static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->log_file = tmpfile();
    w->log = log_alloc(fileno(w->log_file), LOG_WARNING);
    for (int i = 0; i < PLACES; i++)
        place_open(w, i);
    time_pass(w, 240 * HOUR_MS);
    assert_int_equal(fixture_address_add(&w->stores[A], ADDRESS), 0);
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < PLACES; i++) {
        porting_stop(w->engines[i]);
        receipt_keys_close(w->keys[i]);
        fixture_remove(&w->stores[i]);
    }
    log_free(w->log);
    fclose(w->log_file);
    free(w);
    return 0;
}

/* ---- in few words ---- */

static bool was_logged(struct world *w, const char *words)
{
    char text[8192];
    rewind(w->log_file);
    size_t len = fread(text, 1, sizeof(text) - 1, w->log_file);
    text[len] = '\0';
    return strstr(text, words) != NULL;
}

static void turns(struct world *w)
{
    for (int i = 0; i < 6; i++) {
        for (int place = 0; place < PLACES; place++)
            porting_turn(w->engines[place]);
        time_pass(w, HOUR_MS);
    }
}

static struct store_port port_at(struct world *w, int place, enum store_port_role role,
                                 const char *id)
{
    struct store_port port = {.version = 0, .state = STORE_PORT_STATE_COUNT};
    struct store_reader *reader = w->stores[place].reader;
    assert_int_equal(store_reader_begin(reader), 0);
    store_port_get(reader, role, id, &port);
    store_reader_end(reader);
    return port;
}

/* The authority knows of it, and has told nobody yet. */
static void port_ask(struct world *w, char id[STORE_PORT_ID_LEN + 1])
{
    struct store_command code = {.op = STORE_GUARD_CODE,
                                 .expected_version = STORE_ANY_VERSION,
                                 .actor = "test",
                                 .time_ms = w->now_ms};
    struct porting_wish wish = {.event = STORE_PORT_ASK, .kind = STORE_PORT_CODE};
    struct porting_made made;
    struct api_problem problem;
    unsigned len;
    code.guard.address = wish.address = address_of(ADDRESS);
    code.guard.code_until_ms = w->now_ms + 24 * HOUR_MS;
    EVP_Digest(CODE, strlen(CODE), code.guard.code_hash, &len, EVP_sha256(), NULL);
    assert_int_equal(fixture_submit(&w->stores[A], &code), 0);
    snprintf(wish.gaining, sizeof(wish.gaining), "%s", domains[B]);
    snprintf(wish.code, sizeof(wish.code), CODE);
    assert_int_equal(porting_begin(w->engines[B], &wish, &made, &problem), 0);
    snprintf(id, STORE_PORT_ID_LEN + 1, "%s", made.id);
    porting_turn(w->engines[B]);
    assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, id).state, STORE_PORT_PENDING);
}

/* Asked for, and waiting for the losing host. */
static void port_begin(struct world *w, char id[STORE_PORT_ID_LEN + 1])
{
    port_ask(w, id);
    turns(w);
    assert_int_equal(port_at(w, B, STORE_PORT_GAINING, id).state, STORE_PORT_PENDING);
}

static void port_approve(struct world *w, const char *id)
{
    struct porting_wish wish = {.event = STORE_PORT_APPROVE};
    struct api_problem problem;
    snprintf(wish.id, sizeof(wish.id), "%s", id);
    assert_int_equal(porting_begin(w->engines[A], &wish, NULL, &problem), 0);
    turns(w);
}

/* The port is committed at this host, with a receipt that holds. */
static void expect_certified(struct world *w, int place, enum store_port_role role, const char *id)
{
    struct store_port port = port_at(w, place, role, id);
    struct receipt receipt;
    char why[RECEIPT_WHY_MAX];
    assert_int_equal(port.state, STORE_PORT_COMMITTED);
    if (receipt_verify(slice_of(port.receipt), port.key_seen, &receipt, why))
        fail_msg("%s", why);
    assert_string_equal(receipt.port, id);
    assert_int_equal(receipt.decision, STORE_PORT_COMMITTED);
}

/* What was told is not believed while somebody is between, and believed when he is gone. */
static void expect_refused(struct world *w, between_h *between, const char *words)
{
    char id[STORE_PORT_ID_LEN + 1];
    port_begin(w, id);
    w->between = between;
    port_approve(w, id);
    assert_int_equal(port_at(w, B, STORE_PORT_GAINING, id).state, STORE_PORT_PENDING);
    assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, id).owed & STORE_PORT_OWES_GAINING,
                     STORE_PORT_OWES_GAINING);
    if (!was_logged(w, words))
        fail_msg("the log does not say: %s", words);
    struct porting_stats stats;
    porting_stats_get(w->engines[B], &stats);
    assert_true(stats.receipts_refused > 0);
    w->between = NULL;
    turns(w);
    expect_certified(w, B, STORE_PORT_GAINING, id);
}

/* ---- what is good ---- */

static void both_hosts_keep_the_receipt(void **state)
{
    struct world *w = *state;
    char id[STORE_PORT_ID_LEN + 1];
    port_begin(w, id);
    assert_string_equal(port_at(w, B, STORE_PORT_GAINING, id).receipt, "");
    port_approve(w, id);
    expect_certified(w, A, STORE_PORT_LOSING, id);
    expect_certified(w, B, STORE_PORT_GAINING, id);
}

static void a_port_under_way_outlives_a_rotation(void **state)
{
    struct world *w = *state;
    char id[STORE_PORT_ID_LEN + 1], why[RECEIPT_WHY_MAX];
    uint8_t key[RECEIPT_KEY_LEN];
    port_begin(w, id);
    assert_int_equal(receipt_key_rotate(w->keys[A], domains[A], why), 0);
    port_approve(w, id);
    expect_certified(w, B, STORE_PORT_GAINING, id);
    assert_int_equal(receipt_key_get(w->keys[A], domains[A], key), 0);
    assert_memory_not_equal(port_at(w, B, STORE_PORT_GAINING, id).key_seen, key, sizeof(key));
}

/* The losing host hears of a port that began before the rotation only after it. */
static void who_hears_late_takes_the_key_of_the_start(void **state)
{
    struct world *w = *state;
    char id[STORE_PORT_ID_LEN + 1], why[RECEIPT_WHY_MAX];
    port_ask(w, id);
    assert_int_equal(receipt_key_rotate(w->keys[A], domains[A], why), 0);
    turns(w);
    struct store_port begun = port_at(w, A, STORE_PORT_AUTHORITY, id);
    struct store_port seen = port_at(w, A, STORE_PORT_LOSING, id);
    assert_memory_equal(seen.key_seen, begun.key_seen, sizeof(begun.key_seen));
    port_approve(w, id);
    expect_certified(w, A, STORE_PORT_LOSING, id);
}

/* ---- what is refused ---- */

/* Of each wrong code the log says for which address it was, and who gave it. */
static void a_wrong_code_is_an_alarm_that_names_its_address(void **state)
{
    struct world *w = *state;
    struct porting_wish wish = {.event = STORE_PORT_ASK, .kind = STORE_PORT_CODE};
    struct porting_made made;
    struct porting_stats stats;
    struct api_problem problem;
    wish.address = address_of(ADDRESS);
    snprintf(wish.gaining, sizeof(wish.gaining), "%s", domains[B]);
    snprintf(wish.code, sizeof(wish.code), "a-guess");
    assert_int_equal(porting_begin(w->engines[B], &wish, &made, &problem), 0);
    turns(w);
    assert_true(was_logged(w, "a wrong proof was given to port an address: "
                              "address=" ADDRESS " peer=opb.example port="));
    porting_stats_get(w->engines[A], &stats);
    assert_int_equal(stats.wrong_proofs, 1);
}

static json_t *receipt_drop(json_t *document)
{
    json_object_del(document, "receipt");
    return document;
}

static json_t *receipt_forge(json_t *document)
{
    char jws[RECEIPT_MAX];
    const char *receipt = json_string_value(json_object_get(document, "receipt"));
    if (!receipt)
        return document;
    snprintf(jws, sizeof(jws), "%s", receipt);
    char *signature = strrchr(jws, '.') + 1;
    *signature = *signature == 'A' ? 'B' : 'A';
    json_object_set_new(document, "receipt", json_string(jws));
    return document;
}

/* The receipt is good, but what is told is another decision. */
static json_t *decision_change(json_t *document)
{
    if (json_object_get(document, "receipt"))
        json_object_set_new(document, "state", json_string("rejected"));
    return document;
}

static void a_decision_without_a_receipt_is_refused(void **state)
{
    expect_refused(*state, receipt_drop,
                   "a receipt does not hold, so the port stays as it was: port=");
    assert_true(was_logged(*state, "authority=opa.example: it is missing"));
}

static void a_forged_receipt_is_refused(void **state)
{
    expect_refused(*state, receipt_forge, "its signature does not fit");
}

static void a_receipt_of_another_decision_is_refused(void **state)
{
    expect_refused(*state, decision_change, "it says something else");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(both_hosts_keep_the_receipt),
        TEST(a_port_under_way_outlives_a_rotation),
        TEST(who_hears_late_takes_the_key_of_the_start),
        TEST(a_wrong_code_is_an_alarm_that_names_its_address),
        TEST(a_decision_without_a_receipt_is_refused),
        TEST(a_forged_receipt_is_refused),
        TEST(a_receipt_of_another_decision_is_refused),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
