/* The engine of ports: three operators, whose messages are lost, doubled and late, and who are
 * restarted; whatever happens, an address ends at exactly one host, the one that its authority
 * names. */
#include "api/porting.h"
#include "api/porting_internal.h"
#include "base/status.h"
#include "tests/store/fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#define HOUR_MS  ((uint64_t)3600 * 1000)
#define DAY_MS   (24 * HOUR_MS)
#define DAY_S    86400u
#define CODE     "tr7k-9mzx-2b4q-8h6d-c1pw-0v5n-3jsf"
#define LATE_MAX 16
#define SAID_MAX 64
#define SEEDS    300
#define ROUNDS   16 /* of two hours: until everything must be quiet */

enum place { A, B, C, PLACES };
static const char *const domains[PLACES] = {"opa.example", "opb.example", "opc.example"};

enum fault { LOSE, LOSE_ANSWER, DOUBLE, DELAY, FAULTS };

/* What a holder was told. */
struct said {
    int place;
    char text[PORTING_NOTICE_MAX];
};

/* A message that comes later. */
struct late {
    char from[64], to[64], method[8], path[200];
    json_t *body;
};

struct world {
    struct fixture stores[PLACES];
    struct porting *engines[PLACES];
    struct log *logs[PLACES]; /* NULL: nobody reads what it logs */
    struct porting_conf conf;
    uint64_t now_ms;
    unsigned address; /* the number of the one at hand */

    /* what goes wrong */
    unsigned sent;     /* messages so far */
    unsigned fault_at; /* this one */
    enum fault fault;
    int restart;    /* of enum place, behind it; -1: nobody */
    unsigned dice;  /* per cent of further messages that go wrong */
    uint64_t state; /* of the dice */
    bool quiet;     /* nothing goes wrong any more */
    struct said said[SAID_MAX];
    unsigned said_count;
    struct late late[LATE_MAX];
    unsigned late_count;
};

/* ---- the network ---- */

static unsigned dice_roll(struct world *w, unsigned sides)
{
    w->state = w->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->state >> 33) % sides;
}

static int place_of(const char *domain)
{
    for (int i = 0; i < PLACES; i++)
        if (strcmp(domains[i], domain) == 0)
            return i;
    return -1;
}

static int deliver(struct world *w, const char *from, const char *to, const char *method,
                   const char *path, const json_t *body, struct federation_answer *answer)
{
    char proven[1][256];
    struct federation_request request = {.method = method,
                                         .path = path,
                                         .query = "",
                                         .proven = (const char(*)[256])proven,
                                         .proven_count = 1,
                                         .served = to,
                                         .body = body};
    snprintf(proven[0], sizeof(proven[0]), "%s", from);
    int status = porting_handle(w->engines[place_of(to)], &request, answer);
    if (status) {
        answer->status = 500;
        answer->body = NULL;
    }
    return 0;
}

static void deliver_only(struct world *w, const char *from, const char *to, const char *method,
                         const char *path, const json_t *body)
{
    struct federation_answer answer = {.status = 0};
    deliver(w, from, to, method, path, body, &answer);
    json_decref(answer.body);
}

static void delay(struct world *w, const char *from, const char *to, const char *method,
                  const char *path, const json_t *body)
{
    if (w->late_count == LATE_MAX)
        return;
    struct late *late = &w->late[w->late_count++];
    snprintf(late->from, sizeof(late->from), "%s", from);
    snprintf(late->to, sizeof(late->to), "%s", to);
    snprintf(late->method, sizeof(late->method), "%s", method);
    snprintf(late->path, sizeof(late->path), "%s", path);
    late->body = body ? json_deep_copy(body) : NULL;
}

static void late_come(struct world *w)
{
    while (w->late_count > 0) {
        struct late late = w->late[--w->late_count];
        deliver_only(w, late.from, late.to, late.method, late.path, late.body);
        json_decref(late.body);
    }
}

static int ask(const char *from, const char *to, const char *method, const char *path,
               const json_t *body, struct federation_answer *answer, void *arg)
{
    struct world *w = arg;
    bool hit = w->sent++ == w->fault_at;
    enum fault fault = w->fault;
    if (!hit && w->dice && dice_roll(w, 100) < w->dice) {
        hit = true;
        fault = (enum fault)dice_roll(w, FAULTS);
    }
    if (!hit || w->quiet)
        return deliver(w, from, to, method, path, body, answer);
    switch (fault) {
    case LOSE_ANSWER:
        deliver_only(w, from, to, method, path, body);
        return -ETIMEDOUT;
    case DOUBLE:
        deliver_only(w, from, to, method, path, body);
        return deliver(w, from, to, method, path, body, answer);
    case DELAY:
        delay(w, from, to, method, path, body);
        return -ETIMEDOUT;
    default:
        return -ETIMEDOUT;
    }
}

/* ---- the operators ---- */

static uint64_t world_clock(void *arg)
{
    return ((struct world *)arg)->now_ms;
}

static int notice(const char *domain, const struct store_address *address, const char *text,
                  void *arg)
{
    struct world *w = arg;
    (void)address;
    if (w->said_count == SAID_MAX)
        return 0;
    struct said *said = &w->said[w->said_count++];
    said->place = place_of(domain);
    snprintf(said->text, sizeof(said->text), "%s", text);
    return 0;
}

static void engine_open(struct world *w, int place)
{
    const struct porting_parts parts = {.store = w->stores[place].store,
                                        .ask = ask,
                                        .ask_arg = w,
                                        .notice = notice,
                                        .notice_arg = w,
                                        .log = w->logs[place],
                                        .clock = world_clock,
                                        .clock_arg = w};
    assert_int_equal(porting_open(&w->conf, &parts, &w->engines[place]), 0);
}

/* What it has only in memory is gone. */
static void engine_restart(struct world *w, int place)
{
    porting_stop(w->engines[place]);
    engine_open(w, place);
}

static void time_set(struct world *w, uint64_t now_ms)
{
    w->now_ms = now_ms;
    for (int i = 0; i < PLACES; i++)
        atomic_store(&w->stores[i].now_ms, now_ms);
}

/* Time passes; what is due happens at all of them. */
static void pass(struct world *w, uint64_t ms)
{
    time_set(w, w->now_ms + ms);
    for (int i = 0; i < PLACES; i++) {
        struct store_command command = {.op = STORE_EXPIRE,
                                        .actor = "timer",
                                        .time_ms = w->now_ms,
                                        .expected_version = STORE_ANY_VERSION};
        assert_int_equal(fixture_submit(&w->stores[i], &command), 0);
    }
}

static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->conf = (struct porting_conf){.terms = {.wait = 14 * DAY_S,
                                              .dispute = 14 * DAY_S,
                                              .grace = 3 * DAY_S,
                                              .freeze = 3 * DAY_S},
                                    .moved = 7 * DAY_S};
    for (int i = 0; i < PLACES; i++) {
        fixture_make(&w->stores[i], (size_t)256 << 20);
        fixture_open(&w->stores[i]);
    }
    time_set(w, 10 * DAY_MS);
    w->restart = -1;
    w->fault_at = UINT32_MAX;
    for (int i = 0; i < PLACES; i++) {
        assert_int_equal(fixture_domain_add(&w->stores[i], domains[i]), 0);
        engine_open(w, i);
    }
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < PLACES; i++) {
        porting_stop(w->engines[i]);
        fixture_remove(&w->stores[i]);
    }
    free(w);
    return 0;
}

/* ---- in few words ---- */

static struct store_address address_at_hand(const struct world *w)
{
    char text[64];
    snprintf(text, sizeof(text), "a%u@opa.example", w->address);
    return address_of(text);
}

static struct store_record record_at(struct world *w, int place)
{
    struct store_address address = address_at_hand(w);
    struct store_record record = {.version = 0};
    struct fixture *f = &w->stores[place];
    assert_int_equal(store_reader_begin(f->reader), 0);
    store_address_get(f->reader, &address, &record);
    store_reader_end(f->reader);
    return record;
}

static struct store_port port_at(struct world *w, int place, enum store_port_role role,
                                 const char *id)
{
    struct store_port port = {.version = 0, .state = STORE_PORT_STATE_COUNT};
    struct fixture *f = &w->stores[place];
    assert_int_equal(store_reader_begin(f->reader), 0);
    store_port_get(f->reader, role, id, &port);
    store_reader_end(f->reader);
    return port;
}

static void code_give(struct world *w)
{
    struct store_command command = {.op = STORE_GUARD_CODE,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = w->now_ms};
    unsigned len;
    command.guard.address = address_at_hand(w);
    command.guard.code_until_ms = w->now_ms + 7 * DAY_MS;
    EVP_Digest(CODE, strlen(CODE), command.guard.code_hash, &len, EVP_sha256(), NULL);
    assert_int_equal(fixture_submit(&w->stores[A], &command), 0);
}

/* Another address, at home. */
static void address_next(struct world *w)
{
    char text[64];
    w->address++;
    snprintf(text, sizeof(text), "a%u@opa.example", w->address);
    assert_int_equal(fixture_address_add(&w->stores[A], text), 0);
}

static void terms_set(struct world *w, unsigned window_s)
{
    w->conf.terms.window = window_s;
    for (int i = 0; i < PLACES; i++)
        porting_reload(w->engines[i], &w->conf);
}

static struct porting_made start(struct world *w, int gaining, const char *code)
{
    struct porting_wish wish = {.event = STORE_PORT_ASK, .kind = STORE_PORT_CODE};
    struct porting_made made;
    struct api_problem problem;
    wish.address = address_at_hand(w);
    snprintf(wish.gaining, sizeof(wish.gaining), "%s", domains[gaining]);
    snprintf(wish.code, sizeof(wish.code), "%s", code);
    snprintf(wish.owner, sizeof(wish.owner), "daniel");
    if (porting_begin(w->engines[gaining], &wish, &made, &problem))
        fail_msg("%s", problem.detail);
    return made;
}

static int wish(struct world *w, int place, enum store_port_event event, const char *id)
{
    struct porting_wish wish = {.event = event};
    struct api_problem problem;
    snprintf(wish.id, sizeof(wish.id), "%s", id);
    return porting_begin(w->engines[place], &wish, NULL, &problem);
}

static int undo(struct world *w, int place, const struct porting_made *made)
{
    struct porting_wish wish = {.event = STORE_PORT_ASK, .kind = STORE_PORT_UNDO};
    struct porting_made own;
    struct api_problem problem;
    snprintf(wish.undoes, sizeof(wish.undoes), "%s", made->id);
    snprintf(wish.code, sizeof(wish.code), "%s", made->undo_secret);
    return porting_begin(w->engines[place], &wish, &own, &problem);
}

/* Everybody has one turn after the other, with an hour between. */
static void turns(struct world *w, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        for (int place = 0; place < PLACES; place++) {
            unsigned before = w->sent;
            porting_turn(w->engines[place]);
            if (w->restart >= 0 && before <= w->fault_at && w->sent > w->fault_at && !w->quiet)
                engine_restart(w, w->restart);
        }
        pass(w, HOUR_MS / 60);
    }
}

/* Nothing goes wrong any more: what is late comes, and they speak until nobody is owed anything. */
static void calm_down(struct world *w)
{
    late_come(w);
    w->quiet = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (int place = 0; place < PLACES; place++)
            porting_turn(w->engines[place]);
        pass(w, 2 * HOUR_MS);
    }
    w->quiet = false;
    w->dice = 0;
    w->fault_at = UINT32_MAX;
    w->restart = -1;
}

struct rest {
    unsigned owed, open;
};

static bool rest_visit(const struct store_port *port, void *arg)
{
    struct rest *rest = arg;
    rest->owed += port->owed != 0;
    rest->open += store_port_is_open(port->state);
    return true;
}

static void nothing_is_open(struct world *w, const char *what)
{
    struct store_address address = address_at_hand(w);
    for (int i = 0; i < PLACES; i++) {
        struct store_reader *reader = w->stores[i].reader;
        struct rest rest = {.owed = 0};
        assert_int_equal(store_reader_begin(reader), 0);
        store_port_address_list(reader, &address, SIZE_MAX, rest_visit, &rest);
        store_reader_end(reader);
        if (rest.owed || rest.open)
            fail_msg("%s: at %s %u are owed and %u open", what, domains[i], rest.owed, rest.open);
    }
}

/* Exactly one serves it: the one that the authority names. Returns which. */
static int host_is_one(struct world *w, const char *what)
{
    struct store_record home = record_at(w, A);
    int host = place_of(home.hosting);
    if (host < 0) {
        fail_msg("%s: nobody here is %s", what, home.hosting);
        return A;
    }
    for (int i = B; i < PLACES; i++) {
        struct store_record record = record_at(w, i);
        bool serves = record.version && record.state == STORE_ADDRESS_PORTED_IN;
        bool waits = record.version && record.state == STORE_ADDRESS_PREPARED;
        if (serves != (host == i) || waits)
            fail_msg("%s: a%u is at %s, and at %s it is %s", what, w->address, domains[host],
                     domains[i],
                     record.version ? store_address_state_text(record.state) : "unknown");
    }
    assert_int_equal(home.state, host == A ? STORE_ADDRESS_HOSTED : STORE_ADDRESS_PORTED_OUT);
    nothing_is_open(w, what);
    return host;
}

static void must_end_at(struct world *w, int host)
{
    calm_down(w);
    assert_string_equal(domains[host_is_one(w, "")], domains[host]);
}

/* ---- without faults ---- */

static void a_port_arrives_with_its_holder(void **state)
{
    struct world *w = *state;
    address_next(w);
    code_give(w);
    struct porting_made made = start(w, B, CODE);
    assert_int_equal(record_at(w, B).state, STORE_ADDRESS_PREPARED);
    must_end_at(w, B);
    assert_string_equal(record_at(w, B).owner, "daniel");
    assert_int_equal(port_at(w, B, STORE_PORT_GAINING, made.id).state, STORE_PORT_COMMITTED);
    assert_int_equal(port_at(w, A, STORE_PORT_LOSING, made.id).state, STORE_PORT_COMMITTED);
}

static void a_second_port_and_the_way_home(void **state)
{
    struct world *w = *state;
    address_next(w);
    code_give(w);
    start(w, B, CODE);
    must_end_at(w, B);
    pass(w, 4 * DAY_MS);
    code_give(w);
    start(w, C, CODE);
    must_end_at(w, C);
    assert_int_equal(record_at(w, B).state, STORE_ADDRESS_MOVED);
    assert_string_equal(record_at(w, B).hosting, "opc.example");
    pass(w, 4 * DAY_MS);
    code_give(w);
    start(w, A, CODE);
    must_end_at(w, A);
}

static void a_wrong_code_is_refused_and_says_so(void **state)
{
    struct world *w = *state;
    address_next(w);
    code_give(w);
    struct porting_made made = start(w, B, "wrong");
    must_end_at(w, A);
    struct store_port port = port_at(w, B, STORE_PORT_GAINING, made.id);
    assert_int_equal(port.state, STORE_PORT_REFUSED);
    assert_int_equal(port.reason, STORE_PORT_BAD_CODE);
    start(w, C, CODE); /* the right one is as good as before */
    must_end_at(w, C);
}

static void guesses_of_one_peer_are_limited_and_block_nobody_else(void **state)
{
    struct world *w = *state;
    struct federation_answer answer = {.status = 0};
    address_next(w);
    code_give(w);
    for (unsigned i = 0; i <= PORTING_WRONG_BURST; i++) {
        char request[STORE_PORT_ID_LEN + 1], address[64];
        snprintf(request, sizeof(request), "%032x", i);
        snprintf(address, sizeof(address), "a%u@opa.example", w->address);
        json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:s}", "request", request, "kind", "code",
                                 "address", address, "gaining", "opc.example", "code", "guess");
        answer = (struct federation_answer){.status = 0};
        deliver(w, "opc.example", "opa.example", "POST", "/federation/v1/ports", body, &answer);
        assert_int_equal(answer.status, i < PORTING_WRONG_BURST ? 403 : 429);
        json_decref(answer.body);
        json_decref(body);
    }
    start(w, B, CODE);
    must_end_at(w, B);
}

static void the_losing_host_approves_or_rejects(void **state)
{
    struct world *w = *state;
    terms_set(w, DAY_S);
    address_next(w);
    code_give(w);
    struct porting_made made = start(w, B, CODE);
    turns(w, 3);
    assert_int_equal(port_at(w, A, STORE_PORT_LOSING, made.id).state, STORE_PORT_PENDING);
    assert_int_equal(wish(w, A, STORE_PORT_APPROVE, made.id), 0);
    must_end_at(w, B);
    address_next(w);
    code_give(w);
    made = start(w, B, CODE);
    turns(w, 3);
    assert_int_equal(wish(w, A, STORE_PORT_REJECT, made.id), 0);
    must_end_at(w, A);
    assert_int_equal(port_at(w, B, STORE_PORT_GAINING, made.id).reason, STORE_PORT_OPERATOR);
    terms_set(w, 0);
}

static void it_can_be_undone_at_either_host(void **state)
{
    struct world *w = *state;
    for (int place = A; place <= B; place++) {
        address_next(w);
        code_give(w);
        struct porting_made made = start(w, B, CODE);
        turns(w, 3);
        assert_int_equal(undo(w, place, &made), 0);
        must_end_at(w, A);
        assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, made.id).state, STORE_PORT_UNDONE);
    }
}

static void nobody_speaks_for_another(void **state)
{
    struct world *w = *state;
    address_next(w);
    code_give(w);
    terms_set(w, DAY_S);
    struct porting_made made = start(w, B, CODE);
    turns(w, 3);
    struct federation_answer answer = {.status = 0};
    char path[200];
    snprintf(path, sizeof(path), "/federation/v1/ports/%s", made.id);
    deliver(w, "opc.example", "opa.example", "GET", path, NULL, &answer);
    assert_int_equal(answer.status, 404);
    json_decref(answer.body);
    answer = (struct federation_answer){.status = 0};
    deliver(w, "opb.example", "opa.example", "GET", path, NULL, &answer);
    assert_int_equal(answer.status, 200);
    json_t *document = answer.body;
    json_object_set_new(document, "state", json_string("committed"));
    answer = (struct federation_answer){.status = 0};
    deliver(w, "opc.example", "opb.example", "PUT", path, document, &answer);
    assert_int_equal(answer.status, 403);
    json_decref(answer.body);
    json_decref(document);
    snprintf(path, sizeof(path), "/federation/v1/ports/%s/approve", made.id);
    answer = (struct federation_answer){.status = 0};
    deliver(w, "opb.example", "opa.example", "POST", path, NULL, &answer);
    assert_int_equal(answer.status, 404);
    json_decref(answer.body);
    terms_set(w, 0);
    must_end_at(w, B);
}

/* ---- the recovery key ---- */

static EVP_PKEY *key_leave(struct world *w)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct store_command command = {.op = STORE_GUARD_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = w->now_ms};
    size_t len = STORE_HASH_LEN;
    assert_non_null(key);
    command.guard.address = address_at_hand(w);
    command.guard.has_next_key = true;
    command.guard.next_key_ms = w->now_ms;
    EVP_PKEY_get_raw_public_key(key, command.guard.next_key, &len);
    assert_int_equal(fixture_submit(&w->stores[A], &command), 0);
    return key;
}

/* The wish with what the holder signs for it, drawn here. */
static void wish_sign(struct world *w, int place, EVP_PKEY *key, struct porting_wish *wish)
{
    struct porting_draw draw;
    struct api_problem problem;
    size_t len = sizeof(wish->signature);
    if (porting_draw(w->engines[place], wish, &draw, &problem))
        fail_msg("%s", problem.detail);
    wish->by_key = true;
    wish->expires = draw.expires;
    snprintf(wish->nonce, sizeof(wish->nonce), "%s", draw.nonce);
    porting_request_of(draw.nonce, wish->request);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, NULL, NULL, NULL, key);
    EVP_DigestSign(context, wish->signature, &len, (const unsigned char *)draw.text,
                   strlen(draw.text));
    EVP_MD_CTX_free(context);
}

static struct porting_wish recovery_of(const struct world *w, int gaining)
{
    struct porting_wish wish = {.event = STORE_PORT_ASK, .kind = STORE_PORT_RECOVERY};
    wish.address = address_at_hand(w);
    snprintf(wish.gaining, sizeof(wish.gaining), "%s", domains[gaining]);
    return wish;
}

static struct porting_made recover(struct world *w, int gaining, EVP_PKEY *key, bool wrong)
{
    struct porting_wish wish = recovery_of(w, gaining);
    struct porting_made made;
    struct api_problem problem;
    wish_sign(w, gaining, key, &wish);
    wish.signature[0] ^= wrong;
    assert_int_equal(porting_begin(w->engines[gaining], &wish, &made, &problem), 0);
    return made;
}

static struct porting_made undo_by_key(struct world *w, int place, EVP_PKEY *key, const char *id)
{
    struct porting_wish wish = {.event = STORE_PORT_ASK, .kind = STORE_PORT_UNDO};
    struct porting_made made = {.id = ""};
    struct api_problem problem;
    snprintf(wish.undoes, sizeof(wish.undoes), "%s", id);
    wish_sign(w, place, key, &wish);
    porting_begin(w->engines[place], &wish, &made, &problem);
    return made;
}

static void a_recovery_key_moves_it_after_the_wait(void **state)
{
    struct world *w = *state;
    address_next(w);
    EVP_PKEY *key = key_leave(w);
    struct porting_made made = recover(w, B, key, false);
    turns(w, 3);
    assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, made.id).state, STORE_PORT_WAITING);
    assert_int_equal(port_at(w, B, STORE_PORT_GAINING, made.id).state, STORE_PORT_WAITING);
    pass(w, 13 * DAY_MS);
    assert_string_equal(record_at(w, A).hosting, "opa.example");
    pass(w, DAY_MS);
    must_end_at(w, B);
    EVP_PKEY_free(key);
}

/* It had made a code while nothing was under way: that must not be worth more than the key. */
static void a_host_cannot_release_what_its_holder_recovers(void **state)
{
    struct world *w = *state;
    struct federation_answer answer = {.status = 0};
    char path[96];
    address_next(w);
    EVP_PKEY *key = key_leave(w);
    code_give(w);
    start(w, B, CODE);
    must_end_at(w, B);
    pass(w, 4 * DAY_MS);
    code_give(w);
    struct porting_made made = recover(w, C, key, false);
    turns(w, 3);
    snprintf(path, sizeof(path), "/federation/v1/addresses/a%u@opa.example/release", w->address);
    json_t *body = json_pack("{s:s}", "code", CODE);
    deliver(w, "opb.example", "opa.example", "POST", path, body, &answer);
    assert_int_equal(answer.status, 409);
    assert_string_equal(json_string_value(json_object_get(answer.body, "reason")), "port-pending");
    assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, made.id).state, STORE_PORT_WAITING);
    json_decref(answer.body);
    json_decref(body);
    EVP_PKEY_free(key);
}

static void the_key_takes_a_port_back_at_once_at_either_host(void **state)
{
    struct world *w = *state;
    for (int place = A; place <= B; place++) {
        address_next(w);
        EVP_PKEY *key = key_leave(w);
        code_give(w);
        struct porting_made made = start(w, B, CODE);
        turns(w, 3);
        struct porting_made undo = undo_by_key(w, place, key, made.id);
        assert_string_equal(undo.undo_secret, "");
        must_end_at(w, A);
        assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, made.id).state, STORE_PORT_UNDONE);
        assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, undo.id).state, STORE_PORT_COMPLETED);
        /* neither twice, nor the undo itself */
        struct porting_made again = undo_by_key(w, A, key, made.id);
        calm_down(w);
        assert_int_equal(port_at(w, A, STORE_PORT_AUTHORITY, again.id).version, 0);
        again = undo_by_key(w, B, key, undo.id);
        calm_down(w);
        assert_int_equal(port_at(w, B, STORE_PORT_GAINING, again.id).reason,
                         STORE_PORT_NOT_UNDOABLE);
        must_end_at(w, A);
        EVP_PKEY_free(key);
    }
}

/* Who gets a signature for a port must not be able to take another one back with it, without wait.
 */
static void a_signature_for_a_port_is_none_for_an_undo(void **state)
{
    struct world *w = *state;
    address_next(w);
    EVP_PKEY *key = key_leave(w);
    code_give(w);
    struct porting_made made = start(w, B, CODE), undo;
    struct porting_wish wish = recovery_of(w, A);
    struct api_problem problem;
    turns(w, 3);
    wish_sign(w, A, key, &wish);
    wish.kind = STORE_PORT_UNDO;
    snprintf(wish.undoes, sizeof(wish.undoes), "%s", made.id);
    assert_int_equal(porting_begin(w->engines[A], &wish, &undo, &problem), 0);
    must_end_at(w, B);
    assert_int_equal(port_at(w, A, STORE_PORT_GAINING, undo.id).reason, STORE_PORT_BAD_PROOF);
    EVP_PKEY_free(key);
}

static void a_nonce_is_drawn_for_a_gaining_host_or_the_present_one(void **state)
{
    struct world *w = *state;
    static const char *const from[] = {"opb.example", "opa.example", "opc.example"};
    address_next(w);
    for (unsigned i = 0; i < PLACES; i++) {
        char address[64];
        snprintf(address, sizeof(address), "a%u@opa.example", w->address);
        json_t *body = json_pack("{s:s, s:s}", "address", address, "gaining", "opb.example");
        struct federation_answer answer = {.status = 0};
        deliver(w, from[i], "opa.example", "POST", "/federation/v1/nonce", body, &answer);
        assert_int_equal(answer.status, i == C ? 404 : 200);
        json_decref(answer.body);
        json_decref(body);
    }
}

/* ---- what holders hear while it waits ---- */

static unsigned told_of(const struct world *w, int place, const char *words)
{
    unsigned count = 0;
    for (unsigned i = 0; i < w->said_count; i++)
        count += w->said[i].place == place && strstr(w->said[i].text, words) != NULL;
    return count;
}

static void both_holders_are_told_at_the_start_and_daily(void **state)
{
    struct world *w = *state;
    address_next(w);
    EVP_PKEY *key = key_leave(w);
    recover(w, B, key, false);
    w->said_count = 0;
    for (int hour = 0; hour < 13 * 24 + 12; hour++) {
        if (hour % 5 == 4) /* not before the proof, which is in memory only, has come */
            engine_restart(w, hour % PLACES);
        for (int place = 0; place < PLACES; place++)
            porting_turn(w->engines[place]);
        pass(w, HOUR_MS);
    }
    for (int place = A; place <= B; place++) {
        assert_int_equal(told_of(w, place, "a move to opb.example was started"), 1);
        assert_int_equal(told_of(w, place, "a move to opb.example is still under way"), 13);
    }
    assert_int_equal(w->said_count, 2 * 14);
    must_end_at(w, B);
    EVP_PKEY_free(key);
}

static void a_wrong_signature_moves_nothing(void **state)
{
    struct world *w = *state;
    address_next(w);
    EVP_PKEY *key = key_leave(w);
    struct porting_made made = recover(w, B, key, true);
    must_end_at(w, A);
    assert_int_equal(port_at(w, B, STORE_PORT_GAINING, made.id).reason, STORE_PORT_BAD_PROOF);
    EVP_PKEY_free(key);
}

static void an_objection_goes_to_the_authoritys_operator(void **state)
{
    struct world *w = *state;
    for (int allowed = 0; allowed < 2; allowed++) {
        address_next(w);
        EVP_PKEY *key = key_leave(w);
        struct porting_made made = recover(w, B, key, false);
        struct porting_wish decision = {.event = allowed ? STORE_PORT_ALLOW : STORE_PORT_REJECT,
                                        .as_operator = true,
                                        .reason = STORE_PORT_FRAUD};
        struct api_problem problem;
        turns(w, 3);
        assert_int_equal(wish(w, A, STORE_PORT_OBJECT, made.id), 0);
        turns(w, 3);
        assert_int_equal(port_at(w, B, STORE_PORT_GAINING, made.id).state, STORE_PORT_DISPUTED);
        snprintf(decision.id, sizeof(decision.id), "%s", made.id);
        assert_int_equal(porting_begin(w->engines[A], &decision, NULL, &problem), 0);
        must_end_at(w, allowed ? B : A);
        EVP_PKEY_free(key);
    }
}

static unsigned alarms(FILE *file)
{
    char line[1024];
    unsigned count = 0;
    rewind(file);
    while (fgets(line, sizeof(line), file))
        count += strstr(line, "a recovery is disputed, decide by 19") != NULL;
    return count;
}

static void a_disputed_case_is_an_alarm_each_day_until_it_is_decided(void **state)
{
    struct world *w = *state;
    FILE *file = tmpfile();
    assert_non_null(file);
    w->logs[A] = log_alloc(fileno(file), LOG_ERROR);
    engine_restart(w, A);
    address_next(w);
    EVP_PKEY *key = key_leave(w);
    struct porting_made made = recover(w, B, key, false);
    turns(w, 3);
    assert_int_equal(alarms(file), 0);
    assert_int_equal(wish(w, A, STORE_PORT_OBJECT, made.id), 0);
    for (int hour = 0; hour <= 48; hour++) {
        porting_turn(w->engines[A]);
        pass(w, HOUR_MS);
    }
    assert_int_equal(alarms(file), 3);
    pass(w, 14 * DAY_MS); /* he did not */
    must_end_at(w, B);
    assert_int_equal(alarms(file), 3);
    w->logs[A] = log_free(w->logs[A]); /* the engine that has it ends with the world */
    engine_restart(w, A);
    fclose(file);
    EVP_PKEY_free(key);
}

static void a_day_of_tests_is_short_where_holders_wait(void **state)
{
    struct world *w = *state;
    assert_int_equal(porting_key_delay_ms(w->engines[A]), 14 * DAY_MS);
    w->conf.test_day_ms = 1000;
    terms_set(w, 0);
    assert_int_equal(porting_key_delay_ms(w->engines[A]), 14 * 1000);
    address_next(w);
    EVP_PKEY *key = key_leave(w);
    struct porting_made made = recover(w, B, key, false);
    struct store_port port;
    turns(w, 0);
    porting_turn(w->engines[B]);
    port = port_at(w, A, STORE_PORT_AUTHORITY, made.id);
    assert_int_equal(port.terms.wait, 14);
    assert_int_equal(port.terms.dispute, 14);
    assert_int_equal(port.terms.remind, 1);
    assert_int_equal(port.terms.grace, 3 * DAY_S);
    must_end_at(w, B);
    w->conf.test_day_ms = 0;
    EVP_PKEY_free(key);
}

/* ---- whatever goes wrong ---- */

enum story {
    PLAIN,
    APPROVED,
    WINDOW_ENDS,
    CANCELLED,
    UNDONE,
    UNDONE_AT_HOME,
    ONWARD,
    RACE,
    STORIES
};

/* Wishes may fail, for they meet faults too: nobody repeats them. */
static void tell_story(struct world *w, enum story story)
{
    bool window = story == APPROVED || story == WINDOW_ENDS || story == CANCELLED;
    terms_set(w, window ? DAY_S : 0);
    address_next(w);
    code_give(w);
    struct porting_made made = start(w, B, CODE);
    if (story == RACE)
        start(w, C, CODE);
    turns(w, 3);
    if (story == APPROVED)
        wish(w, A, STORE_PORT_APPROVE, made.id);
    if (story == CANCELLED)
        wish(w, B, STORE_PORT_CANCEL, made.id);
    if (story == UNDONE)
        undo(w, B, &made);
    if (story == UNDONE_AT_HOME)
        undo(w, A, &made);
    if (story == WINDOW_ENDS)
        pass(w, DAY_MS);
    if (story == ONWARD) {
        pass(w, 4 * DAY_MS);
        if (record_at(w, A).state == STORE_ADDRESS_PORTED_OUT) {
            code_give(w);
            start(w, C, CODE);
        }
    }
    turns(w, 3);
}

static void every_message_may_fail_once_and_anybody_be_restarted(void **state)
{
    struct world *w = *state;
    unsigned runs = 0, hosts[PLACES] = {0};
    char what[100];
    for (int story = 0; story < STORIES; story++)
        for (unsigned at = 0; at < 10; at++)
            for (int fault = 0; fault < FAULTS; fault++)
                for (int restart = -1; restart < PLACES; restart++) {
                    w->sent = 0;
                    w->fault_at = at;
                    w->fault = (enum fault)fault;
                    w->restart = restart;
                    snprintf(what, sizeof(what), "story %d, message %u, fault %d, restart %d",
                             story, at, fault, restart);
                    tell_story(w, (enum story)story);
                    calm_down(w);
                    hosts[host_is_one(w, what)]++;
                    runs++;
                }
    print_message("%u runs: %u at home, %u and %u away\n", runs, hosts[A], hosts[B], hosts[C]);
    assert_true(hosts[A] > 0 && hosts[B] > 0 && hosts[C] > 0);
}

static void many_messages_may_fail(void **state)
{
    struct world *w = *state;
    char what[100];
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        w->state = seed;
        w->dice = 10 + seed % 85;
        w->sent = 0;
        w->fault_at = seed % 8;
        w->fault = (enum fault)(seed % FAULTS);
        w->restart = (int)(seed % (PLACES + 1)) - 1;
        snprintf(what, sizeof(what), "seed %u", seed);
        tell_story(w, (enum story)(seed % STORIES));
        calm_down(w);
        host_is_one(w, what);
    }
}

/* ---- what holders are told ---- */

static void test_every_state_is_told_in_words_of_its_own(void **state)
{
    static const struct {
        enum store_port_state state;
        enum store_port_reason reason;
        const char *at_losing;
    } rows[] = {
        {STORE_PORT_PENDING, STORE_PORT_NO_REASON,
         "ann@opa.example: a move to opb.example was started; it happens at 2026-11-25 19:20 UTC. "
         "If you did not ask for it, have it rejected at once at opa.example."},
        {STORE_PORT_WAITING, STORE_PORT_NO_REASON,
         "ann@opa.example: a move to opb.example was started; it happens at 2026-11-25 19:20 UTC. "
         "If you did not ask for it, object to it at once at opa.example."},
        {STORE_PORT_DISPUTED, STORE_PORT_NO_REASON,
         "ann@opa.example: somebody objected to its move to opb.example; the operator of its "
         "domain decides."},
        {STORE_PORT_COMMITTED, STORE_PORT_NO_REASON,
         "ann@opa.example: it has moved to opb.example, which serves it from now on. If you did "
         "not ask for that, have it undone at opa.example until 2026-11-25 19:20 UTC."},
        {STORE_PORT_UNDONE, STORE_PORT_NO_REASON,
         "ann@opa.example: its move to opb.example was undone."},
        {STORE_PORT_REJECTED, STORE_PORT_FRAUD,
         "ann@opa.example: its move to opb.example was rejected: it looks like fraud."},
        {STORE_PORT_CANCELLED, STORE_PORT_BY_HOLDER,
         "ann@opa.example: its move to opb.example was cancelled: its holder asked for that."},
    };
    char text[PORTING_NOTICE_MAX];
    struct store_port port = {.role = STORE_PORT_LOSING,
                              .address = address_of("ann@opa.example"),
                              .gaining = "opb.example",
                              .losing = "opa.example",
                              .told_ms = 1795634400000};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        port.state = rows[i].state;
        port.reason = rows[i].reason;
        assert_string_equal(porting_notice_format(&port, text), rows[i].at_losing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        cmocka_unit_test(test_every_state_is_told_in_words_of_its_own),
        TEST(a_port_arrives_with_its_holder),
        TEST(a_second_port_and_the_way_home),
        TEST(a_wrong_code_is_refused_and_says_so),
        TEST(guesses_of_one_peer_are_limited_and_block_nobody_else),
        TEST(the_losing_host_approves_or_rejects),
        TEST(it_can_be_undone_at_either_host),
        TEST(nobody_speaks_for_another),
        TEST(a_recovery_key_moves_it_after_the_wait),
        TEST(a_host_cannot_release_what_its_holder_recovers),
        TEST(the_key_takes_a_port_back_at_once_at_either_host),
        TEST(a_signature_for_a_port_is_none_for_an_undo),
        TEST(a_nonce_is_drawn_for_a_gaining_host_or_the_present_one),
        TEST(both_holders_are_told_at_the_start_and_daily),
        TEST(a_disputed_case_is_an_alarm_each_day_until_it_is_decided),
        TEST(a_day_of_tests_is_short_where_holders_wait),
        TEST(a_wrong_signature_moves_nothing),
        TEST(an_objection_goes_to_the_authoritys_operator),
        TEST(every_message_may_fail_once_and_anybody_be_restarted),
        TEST(many_messages_may_fail),
#undef TEST
    };
    /* thousands of commits, each of which waits for the disk: in memory where there is such a place
     * (tests/limited.sh) */
    const char *memory = getenv("JUNCTOR_MEMORY");
    if (memory && *memory)
        setenv("TMPDIR", memory, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
