/* What the engine of ports gives to the mailer: who is told of what, how often, and what is kept of
 * it until it was sent. One node, of opa.example and opb.example; opc.example is another's. */
#include "api/porting.h"
#include "api/porting_internal.h"
#include "base/status.h"
#include "tests/store/fixture.h"
#include "tests/test.h"

#include <string.h>

#include <openssl/evp.h>

#define CODE     "tr7k-9mzx-2b4q-8h6d-c1pw-0v5n-3jsf"
#define ALICE    "alice@opa.example"
#define MAIL     "alice@mail.example"
#define HOUR_MS  ((uint64_t)3600 * 1000)
#define MAIL_MAX 16

/* A mailer that sends when the test says so. */
struct node {
    struct fixture store;
    struct porting *engine;
    uint64_t now_ms;
    int refusal; /* what it says instead of taking a mail; 0: it takes it */
    unsigned asked;
    struct mail mails[MAIL_MAX];
    mailer_done_h *done[MAIL_MAX];
    void *arg[MAIL_MAX];
    unsigned count;
    char said[PORTING_NOTICE_MAX]; /* the last one on the phones */
    unsigned said_count;
};

static int take_mail(const struct mail *mail, mailer_done_h *done, void *done_arg, void *arg)
{
    struct node *node = arg;
    node->asked++;
    if (node->refusal)
        return node->refusal;
    assert_true(node->count < MAIL_MAX);
    for (unsigned i = 0; i < node->count; i++)
        if (strcmp(node->mails[i].id, mail->id) == 0)
            return 0;
    node->done[node->count] = done;
    node->arg[node->count] = done_arg;
    node->mails[node->count++] = *mail;
    return 0;
}

static void mails_send(struct node *node)
{
    for (unsigned i = 0; i < node->count; i++)
        if (node->done[i])
            node->done[i](node->mails[i].id, node->arg[i]);
    node->count = 0;
}

static int notice(const char *domain, const struct store_address *address, const char *text,
                  void *arg)
{
    struct node *node = arg;
    (void)domain;
    (void)address;
    snprintf(node->said, sizeof(node->said), "%s", text);
    node->said_count++;
    return 0;
}

static uint64_t node_clock(void *arg)
{
    return ((struct node *)arg)->now_ms;
}

static void engine_start(struct node *node)
{
    const struct porting_conf conf = {
        .terms = {.window = 86400, .grace = 86400, .freeze = 0, .remind = 86400}, .moved = 86400};
    const struct porting_parts parts = {.store = node->store.store,
                                        .notice = notice,
                                        .notice_arg = node,
                                        .mail = take_mail,
                                        .mail_arg = node,
                                        .clock = node_clock,
                                        .clock_arg = node};
    assert_int_equal(porting_open(&conf, &parts, &node->engine), 0);
}

/* The mails that were taken are lost with it. */
static void node_restart(struct node *node)
{
    porting_stop(node->engine);
    node->count = 0;
    engine_start(node);
}

static struct store_record record_get(struct node *node)
{
    struct store_address address = address_of(ALICE);
    struct store_record record = {.version = 0};
    assert_int_equal(store_reader_begin(node->store.reader), 0);
    assert_int_equal(store_address_get(node->store.reader, &address, &record), 0);
    store_reader_end(node->store.reader);
    return record;
}

static void record_put(struct node *node, struct store_record record)
{
    struct store_command put = {.op = STORE_ADDRESS_PUT,
                                .actor = "test",
                                .time_ms = node->now_ms,
                                .expected_version = STORE_ANY_VERSION,
                                .record = record};
    assert_int_equal(fixture_submit(&node->store, &put), 0);
}

static void notify_set(struct node *node, const char *mail)
{
    struct store_record record = record_get(node);
    snprintf(record.notify, sizeof(record.notify), "%s", mail);
    record_put(node, record);
}

static int setup(void **state)
{
    struct node *node = calloc(1, sizeof(*node));
    assert_non_null(node);
    fixture_make(&node->store, 0);
    fixture_open(&node->store);
    node->now_ms = 1795634400000;
    atomic_store(&node->store.now_ms, node->now_ms);
    assert_int_equal(fixture_domain_add(&node->store, "opa.example"), 0);
    assert_int_equal(fixture_domain_add(&node->store, "opb.example"), 0);
    assert_int_equal(fixture_address_add(&node->store, ALICE), 0);
    notify_set(node, MAIL);
    engine_start(node);
    *state = node;
    return 0;
}

static int teardown(void **state)
{
    struct node *node = *state;
    porting_stop(node->engine);
    fixture_remove(&node->store);
    free(node);
    return 0;
}

static void code_give(struct node *node)
{
    struct store_command command = {.op = STORE_GUARD_CODE,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = node->now_ms};
    unsigned len;
    command.guard.address = address_of(ALICE);
    command.guard.code_until_ms = node->now_ms + 24 * HOUR_MS;
    EVP_Digest(CODE, strlen(CODE), command.guard.code_hash, &len, EVP_sha256(), NULL);
    assert_int_equal(fixture_submit(&node->store, &command), 0);
}

static void turns(struct node *node)
{
    for (int i = 0; i < 6; i++)
        porting_turn(node->engine);
}

static void pass(struct node *node, uint64_t ms)
{
    struct store_command command = {
        .op = STORE_EXPIRE, .actor = "timer", .expected_version = STORE_ANY_VERSION};
    node->now_ms += ms;
    command.time_ms = node->now_ms;
    atomic_store(&node->store.now_ms, node->now_ms);
    assert_int_equal(fixture_submit(&node->store, &command), 0);
    turns(node);
}

/* To opb.example; its id. */
static struct porting_made port_start(struct node *node)
{
    struct porting_wish wish = {.event = STORE_PORT_ASK,
                                .kind = STORE_PORT_CODE,
                                .address = address_of(ALICE),
                                .gaining = "opb.example",
                                .code = CODE};
    struct porting_made made;
    struct api_problem problem;
    code_give(node);
    if (porting_begin(node->engine, &wish, &made, &problem))
        fail_msg("%s", problem.detail);
    turns(node);
    return made;
}

static unsigned owed_by(struct node *node, enum store_port_role role, const char *id)
{
    struct store_port port = {.version = 0};
    assert_int_equal(store_reader_begin(node->store.reader), 0);
    assert_int_equal(store_port_get(node->store.reader, role, id, &port), 0);
    store_reader_end(node->store.reader);
    return port.owed;
}

static void expect_mail(const struct node *node, const char *subject, const char *text)
{
    assert_int_equal(node->count, 1);
    const struct mail *mail = &node->mails[0];
    assert_string_equal(mail->to, MAIL);
    assert_string_equal(mail->subject, subject);
    if (!strstr(mail->text, text))
        fail_msg("%s", mail->text);
    assert_non_null(strstr(mail->text, "lock the address and withdraw its auth code"));
}

/* ---- ports ---- */

static void each_state_is_told_once(void **state)
{
    struct node *node = *state;
    struct porting_made made = port_start(node);
    expect_mail(node, "The move of alice@opa.example to opb.example: pending",
                "a move to opb.example was started; it happens at 2026-11-26 19:20 UTC. If you did "
                "not ask for it, have it rejected at once at opa.example.\n");
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), STORE_PORT_OWES_MAIL);
    assert_int_equal(owed_by(node, STORE_PORT_GAINING, made.id), 0);
    mails_send(node);
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), 0);
    pass(node, HOUR_MS);
    assert_int_equal(node->count, 0);

    pass(node, 24 * HOUR_MS);
    expect_mail(node, "The move of alice@opa.example to opb.example: committed",
                "it has moved to opb.example, which serves it from now on. If you did not ask for "
                "that, have it undone at opa.example until");
    mails_send(node);
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), 0);
}

static void what_was_not_sent_is_given_again_after_a_restart(void **state)
{
    struct node *node = *state;
    char id[MAIL_ID_MAX + 1];
    struct porting_made made = port_start(node);
    assert_int_equal(node->count, 1);
    snprintf(id, sizeof(id), "%s", node->mails[0].id);
    node_restart(node);
    turns(node);
    assert_int_equal(node->count, 1);
    assert_string_equal(node->mails[0].id, id);
    mails_send(node);
    node_restart(node);
    turns(node);
    assert_int_equal(node->count, 0);
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), 0);
}

/* What is sent late pays for itself alone. */
static void a_late_mail_does_not_pay_for_the_next(void **state)
{
    struct node *node = *state;
    struct porting_made made = port_start(node);
    pass(node, 24 * HOUR_MS);
    assert_int_equal(node->count, 2);
    node->done[0](node->mails[0].id, node->arg[0]);
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), STORE_PORT_OWES_MAIL);
    node->done[1](node->mails[1].id, node->arg[1]);
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), 0);
}

static void what_finds_no_room_is_tried_again(void **state)
{
    struct node *node = *state;
    node->refusal = STATUS_LIMIT;
    struct porting_made made = port_start(node);
    unsigned asked = node->asked;
    assert_true(asked > 0);
    turns(node);
    assert_int_equal(node->asked, asked); /* not before a second is over */
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), STORE_PORT_OWES_MAIL);
    node->refusal = 0;
    pass(node, 2000);
    assert_int_equal(node->count, 1);
}

static void without_mail_nothing_stays_owed(void **state)
{
    struct node *node = *state;
    node->refusal = STATUS_NOTFOUND;
    struct porting_made made = port_start(node);
    assert_int_equal(owed_by(node, STORE_PORT_LOSING, made.id), 0);
}

/* Both hosts are others'. */
static void an_authority_tells_whoever_left_his_address_with_it(void **state)
{
    struct node *node = *state;
    static const char proven[1][256] = {"opd.example"};
    struct store_record record = record_get(node);
    struct federation_answer answer = {.status = 0};
    struct porting_proof proof = {.code = CODE};
    struct store_port port = {.kind = STORE_PORT_CODE,
                              .state = STORE_PORT_REQUESTING,
                              .request = "000102030405060708090a0b0c0d0e0f",
                              .address = address_of(ALICE),
                              .gaining = "opd.example"};
    assert_int_equal(store_port_id(port.gaining, port.request, port.id), 0);
    record.state = STORE_ADDRESS_PORTED_OUT;
    strcpy(record.hosting, "opc.example");
    record_put(node, record);
    code_give(node);
    json_t *body = porting_encode(&port, node->now_ms);
    static const uint8_t none[STORE_HASH_LEN];
    assert_int_equal(porting_encode_proof(body, &proof, none), 0);
    const struct federation_request request = {.method = "POST",
                                               .path = PORTING_PATH,
                                               .query = "",
                                               .proven = proven,
                                               .proven_count = 1,
                                               .served = "opa.example",
                                               .body = body};
    assert_int_equal(porting_handle(node->engine, &request, &answer), 0);
    if (answer.status != 200)
        fail_msg("%s", json_dumps(answer.body, 0));
    json_decref(answer.body);
    json_decref(body);
    turns(node);
    expect_mail(node, "The move of alice@opa.example to opd.example: pending",
                "it happens at 2026-11-26 19:20 UTC. If you did not ask for it, have it rejected "
                "at once at opc.example.\n");
    assert_int_equal(node->said_count, 0);
    assert_true(owed_by(node, STORE_PORT_AUTHORITY, port.id) & STORE_PORT_OWES_MAIL);
    mails_send(node);
    assert_false(owed_by(node, STORE_PORT_AUTHORITY, port.id) & STORE_PORT_OWES_MAIL);
}

/* ---- codes, and the address itself ---- */

static void an_auth_code_is_told(void **state)
{
    struct node *node = *state;
    struct store_address alice = address_of(ALICE);
    porting_code_made(node->engine, "opa.example", &alice, "opc.example");
    turns(node);
    expect_mail(node, "An auth code of alice@opa.example was asked for",
                "an auth code to move it to opc.example was asked for. If you did not do that, "
                "have it withdrawn at once at opa.example.\n");
    assert_int_equal(node->said_count, 1);
    porting_code_made(node->engine, "opa.example", &alice, "");
    turns(node);
    assert_int_equal(node->count, 2);
    assert_string_not_equal(node->mails[0].id, node->mails[1].id);
}

static void a_code_of_another_host_is_told_by_mail_alone(void **state)
{
    struct node *node = *state;
    struct store_address alice = address_of(ALICE);
    porting_code_made(node->engine, "opc.example", &alice, "");
    turns(node);
    expect_mail(node, "An auth code of alice@opa.example was asked for",
                "withdrawn at once at opc.example.\n");
    assert_non_null(strstr(node->mails[0].text, "tell opa.example at once"));
    assert_int_equal(node->said_count, 0);
}

static void who_has_no_address_is_not_told_by_mail(void **state)
{
    struct node *node = *state;
    struct store_address alice = address_of(ALICE);
    notify_set(node, "");
    porting_code_made(node->engine, "opa.example", &alice, "");
    turns(node);
    port_start(node);
    assert_int_equal(node->asked, 0);
    assert_true(node->said_count > 1);
}

static void the_address_before_hears_of_another_one(void **state)
{
    struct node *node = *state;
    struct store_record before = record_get(node), after = before;
    porting_notify_changed(node->engine, &before, &after);
    assert_int_equal(node->count, 0);
    strcpy(after.notify, "mallory@mail.example");
    porting_notify_changed(node->engine, &before, &after);
    expect_mail(node, "You are told of alice@opa.example here no more",
                "from now on its holder is told of moves at another mail address.\n");
    assert_null(strstr(node->mails[0].text, "mallory"));
    mails_send(node);
    after.notify[0] = '\0';
    porting_notify_changed(node->engine, &before, &after);
    expect_mail(node, "You are told of alice@opa.example here no more", "by mail no more.\n");
    mails_send(node);
    porting_notify_changed(node->engine, &after, &before);
    assert_int_equal(node->count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(each_state_is_told_once),
        TEST(what_was_not_sent_is_given_again_after_a_restart),
        TEST(a_late_mail_does_not_pay_for_the_next),
        TEST(what_finds_no_room_is_tried_again),
        TEST(without_mail_nothing_stays_owed),
        TEST(an_authority_tells_whoever_left_his_address_with_it),
        TEST(an_auth_code_is_told),
        TEST(a_code_of_another_host_is_told_by_mail_alone),
        TEST(who_has_no_address_is_not_told_by_mail),
        TEST(the_address_before_hears_of_another_one),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
