/* Runs the scenarios of scenarios/: text in, text expected, the clock invented.
 *
 * A scenario is what a trace of one element would show:
 *
 *     scenario INVITE over UDP refused: timer G repeats the failure until the ACK comes
 *     over UDP
 *         0  from network  INVITE
 *         0  to user       INVITE
 *       100  from user     486 INVITE
 *       100  to network    486 INVITE
 *       100  state         INVITE Completed
 *       600  to network    486 INVITE
 *       700  from network  ACK
 *      5700  to user       ended INVITE
 *
 * Each line has a time in milliseconds. "from" lines happen; "to" and "stray" lines must be exactly
 * what the transactions do, in this order, at this millisecond, and nothing else; at the end no
 * transaction may be left. message.h tells how messages are written. Further lines:
 *
 *     from user  abort INVITE     the user gives the transaction up
 *     to user    timeout INVITE   timer B or F
 *     to user    CANCEL for INVITE, or for nothing: what the CANCEL aims at
 *     to user    refused 486 INVITE   this response comes too late to be sent
 *     stray      200 INVITE       a response that belongs to no transaction
 *     clock jumps                 no timer ran since the line before: the loop was held up */
#include "peering/txn/txn.h"

#include "base/chars.h"
#include "tests/peering/txn/message.h"
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCENARIOS_MAX = 200,
    LINES_MAX = 80,
    LINE_MAX_LEN = 200,
    PARTIES_MAX = 8,
    EVENTS_MAX = 32,
    CLOCK_START_MS = 1000000
};

/* ---- scenarios as text ---- */

struct line {
    unsigned number; /* in its file */
    uint64_t ms;
    char text[LINE_MAX_LEN]; /* single blanks, no comment */
};

struct scenario {
    char file[256];
    char name[LINE_MAX_LEN];
    bool reliable;
    size_t count;
    struct line lines[LINES_MAX];
};

/* Comment off, blanks at both ends off, every run of blanks to one. */
static void squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from && *from != '#' && *from != '\n'; from++) {
        if (!char_is_blank(*from))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    }
    if (to > text && to[-1] == ' ')
        to--;
    *to = '\0';
}

static bool scenario_take_line(struct scenario *scenario, unsigned number, const char *text)
{
    if (strcmp(text, "over UDP") == 0 || strcmp(text, "over TCP") == 0) {
        scenario->reliable = strcmp(text, "over TCP") == 0;
        return true;
    }
    char *rest;
    uint64_t ms = strtoull(text, &rest, 10);
    if (rest == text || *rest != ' ' || scenario->count == LINES_MAX)
        return false;
    struct line *line = &scenario->lines[scenario->count++];
    line->number = number;
    line->ms = ms;
    snprintf(line->text, sizeof(line->text), "%s", rest + 1);
    return true;
}

/* Returns how many scenarios there are now, or -1 with the faulty line printed. */
static int load_file(const char *folder, const char *file, struct scenario *scenarios, int count)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    FILE *stream = fopen(path, "r");
    if (!stream)
        return -1;
    char text[LINE_MAX_LEN];
    int first = count;
    for (unsigned number = 1; fgets(text, sizeof(text), stream); number++) {
        squeeze(text);
        bool is_title = strncmp(text, "scenario ", 9) == 0;
        bool is_fine = text[0] == '\0';
        if (is_title && count < SCENARIOS_MAX) {
            snprintf(scenarios[count].file, sizeof(scenarios[count].file), "%s", file);
            snprintf(scenarios[count].name, LINE_MAX_LEN, "%s", text + 9);
            count++;
            is_fine = true;
        } else if (!is_fine && count > first) {
            is_fine = scenario_take_line(&scenarios[count - 1], number, text);
        }
        if (!is_fine) {
            fprintf(stderr, "%s:%u: not understood: %s\n", file, number, text);
            count = -1;
            break;
        }
    }
    fclose(stream);
    return count;
}

static int is_scenario_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".txt") == 0;
}

static int load_all(struct scenario *scenarios)
{
    const char *srcdir = getenv("srcdir");
    char folder[2048];
    snprintf(folder, sizeof(folder), "%s/tests/peering/txn/scenarios", srcdir ? srcdir : ".");
    struct dirent **entries;
    int file_count = scandir(folder, &entries, is_scenario_file, alphasort);
    int count = file_count > 0 ? 0 : -1;
    for (int i = 0; i < file_count; i++) {
        if (count >= 0)
            count = load_file(folder, entries[i]->d_name, scenarios, count);
        free(entries[i]);
    }
    if (file_count >= 0)
        free(entries);
    return count;
}

/* ---- the world of one scenario ---- */

struct world;

struct party { /* one transaction and its user */
    struct world *world;
    struct arena *arena; /* NULL: free place */
    struct txn_server *server;
    struct txn_client *client;
    char method[32];
};

struct event {
    uint64_t ms;
    char text[LINE_MAX_LEN];
};

struct world {
    const struct scenario *scenario;
    const struct line *line; /* being carried out */
    struct arena_pool *pool;
    struct timers *timers;
    struct txn_layer *layer;
    struct party parties[PARTIES_MAX];
    struct event events[EVENTS_MAX]; /* what happened and was not expected yet */
    size_t event_count;
};

#define world_fail(world, ...)                                                                     \
    do {                                                                                           \
        print_error("%s:%u: ", (world)->scenario->file, (world)->line->number);                    \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        fail();                                                                                    \
    } while (0)

static uint64_t world_ms(const struct world *world)
{
    return txn_layer_now_ms(world->layer) - CLOCK_START_MS;
}

static void happened(struct world *world, const char *what, const char *text)
{
    if (world->event_count == EVENTS_MAX)
        world_fail(world, "too much happened that nothing expects, last: %s %s", what, text);
    struct event *event = &world->events[world->event_count++];
    event->ms = world_ms(world);
    snprintf(event->text, sizeof(event->text), "%s %s", what, text);
}

static struct party *party_new(struct world *world)
{
    for (size_t i = 0; i < PARTIES_MAX; i++) {
        struct party *party = &world->parties[i];
        if (party->arena)
            continue;
        *party = (struct party){.world = world, .arena = arena_alloc(world->pool, 0)};
        assert_non_null(party->arena);
        return party;
    }
    world_fail(world, "too many transactions");
    return NULL;
}

static const struct sip_msg *party_request(const struct party *party)
{
    return party->server ? txn_server_request(party->server) : txn_client_request(party->client);
}

/* The transaction of this method, where there are several the one with this branch. */
static struct party *party_find(struct world *world, const char *method, const struct slice *branch)
{
    for (size_t i = 0; i < PARTIES_MAX; i++) {
        struct party *party = &world->parties[i];
        if (party->arena && strcmp(party->method, method) == 0 &&
            (!branch || slice_eq(party_request(party)->via.branch, *branch)))
            return party;
    }
    world_fail(world, "there is no transaction for %s", method);
    return NULL;
}

/* ---- the user of the transactions ---- */

static void party_send(struct slice bytes, void *arg)
{
    struct party *party = arg;
    char text[MESSAGE_TEXT_MAX];
    happened(party->world, "to network", message_bytes_text(bytes, text));
}

static void party_response(struct txn_client *txn, const struct sip_msg *response, void *arg)
{
    struct party *party = arg;
    assert_ptr_equal(txn, party->client);
    char text[MESSAGE_TEXT_MAX];
    happened(party->world, "to user", message_text(response, text));
}

static void party_timeout(struct txn_client *txn, void *arg)
{
    struct party *party = arg;
    assert_ptr_equal(txn, party->client);
    happened(party->world, "to user timeout", party->method);
}

/* Everything of the transaction goes at once: what touches it afterwards touches poisoned memory.
 */
static void party_ended(struct party *party)
{
    happened(party->world, "to user ended", party->method);
    party->arena = arena_free(party->arena);
}

static void server_ended(struct txn_server *txn, void *arg)
{
    struct party *party = arg;
    assert_ptr_equal(txn, party->server);
    assert_int_equal(txn_server_state_of(txn), TXN_SERVER_TERMINATED);
    party_ended(party);
}

static void client_ended(struct txn_client *txn, void *arg)
{
    struct party *party = arg;
    assert_ptr_equal(txn, party->client);
    assert_int_equal(txn_client_state_of(txn), TXN_CLIENT_TERMINATED);
    party_ended(party);
}

/* ---- what happens ---- */

static void request_is_new(struct world *world, const struct sip_msg *request)
{
    struct party *party = party_new(world);
    struct txn_server_user user = {.send = party_send, .ended = server_ended, .arg = party};
    const struct sip_msg *copy = sip_msg_copy(party->arena, request);
    assert_non_null(copy);
    slice_to_cstr(request->method_text, party->method, sizeof(party->method));
    const struct txn_source source = {.reliable = world->scenario->reliable};
    assert_int_equal(
        txn_server_start(world->layer, party->arena, copy, &source, &user, &party->server), 0);
    char text[MESSAGE_TEXT_MAX];
    message_text(request, text);
    if (request->method == SIP_CANCEL) {
        bool found = txn_server_find_cancelled(world->layer, request, 0) != NULL;
        strncat(text, found ? " for INVITE" : " for nothing", sizeof(text) - strlen(text) - 1);
    }
    happened(world, "to user", text);
}

static void from_network(struct world *world, const struct sip_msg *msg)
{
    char text[MESSAGE_TEXT_MAX];
    if (!msg->is_request) {
        struct txn_client *client = txn_client_find(world->layer, msg);
        if (client)
            txn_client_receive(client, msg);
        else
            happened(world, "stray", message_text(msg, text));
        return;
    }
    struct txn_server *server = txn_server_find(world->layer, msg, 0);
    if (server)
        txn_server_receive(server, msg);
    else if (msg->method == SIP_ACK)
        happened(world, "to user", message_text(msg, text));
    else
        request_is_new(world, msg);
}

static void user_responds(struct world *world, const struct sip_msg *msg)
{
    char method[32];
    slice_to_cstr(msg->cseq_method_text, method, sizeof(method));
    struct party *party = party_find(world, method, &msg->via.branch);
    struct slice bytes = arena_copy(party->arena, msg->bytes);
    int status = txn_server_respond(party->server, msg->status, bytes);
    char text[MESSAGE_TEXT_MAX];
    if (status == -EALREADY)
        happened(world, "to user refused", message_text(msg, text));
    else
        assert_int_equal(status, 0);
}

static void user_requests(struct world *world, const struct sip_msg *msg)
{
    struct party *party = party_new(world);
    struct txn_client_user user = {.send = party_send,
                                   .response = party_response,
                                   .timeout = party_timeout,
                                   .ended = client_ended,
                                   .arg = party};
    const struct sip_msg *copy = sip_msg_copy(party->arena, msg);
    assert_non_null(copy);
    slice_to_cstr(msg->method_text, party->method, sizeof(party->method));
    assert_int_equal(txn_client_start(world->layer, party->arena, copy, world->scenario->reliable,
                                      &user, &party->client),
                     0);
}

static void user_aborts(struct world *world, const char *method)
{
    struct party *party = party_find(world, method, NULL);
    if (party->server)
        txn_server_abort(party->server);
    else
        txn_client_abort(party->client);
}

typedef void happen_h(struct world *world, const struct sip_msg *msg);

/* The message lives during the call only: transactions must not keep pointers into it. */
static void with_message(struct world *world, const char *text, happen_h *happen)
{
    struct arena *arena = arena_alloc(world->pool, 0);
    const struct sip_msg *msg = message_of(arena, text);
    if (msg)
        happen(world, msg);
    else
        world_fail(world, "not a message: %s", text);
    arena_free(arena);
}

static void check_state(struct world *world, const char *text)
{
    char method[32], wanted[32];
    if (sscanf(text, "%31s %31s", method, wanted) != 2)
        world_fail(world, "state of what?");
    const struct party *party = party_find(world, method, NULL);
    const char *state = party->server ? txn_server_state_text(txn_server_state_of(party->server))
                                      : txn_client_state_text(txn_client_state_of(party->client));
    if (strcmp(state, wanted) != 0)
        world_fail(world, "%s is in state %s", method, state);
}

/* ---- running ---- */

static void nothing_more(struct world *world)
{
    if (world->event_count > 0)
        world_fail(world, "before this, at %llu: %s", (unsigned long long)world->events[0].ms,
                   world->events[0].text);
}

static void expect(struct world *world)
{
    const struct line *line = world->line;
    if (world->event_count == 0)
        world_fail(world, "nothing happened; expected %s", line->text);
    const struct event *event = &world->events[0];
    if (event->ms != line->ms || strcmp(event->text, line->text) != 0)
        world_fail(world, "expected %s, but at %llu: %s", line->text, (unsigned long long)event->ms,
                   event->text);
    world->event_count--;
    memmove(world->events, world->events + 1, world->event_count * sizeof(*event));
}

/* Every timer up to then runs at its own time, those that are due at `ms` included. */
static void run_until(struct world *world, uint64_t ms)
{
    uint64_t until_ms = CLOCK_START_MS + ms;
    for (;;) {
        uint64_t next_ms = timers_next_ms(world->timers);
        uint64_t now_ms = next_ms < until_ms ? next_ms : until_ms;
        if (now_ms > txn_layer_now_ms(world->layer))
            txn_layer_advance(world->layer, now_ms);
        timers_run(world->timers, txn_layer_now_ms(world->layer));
        if (next_ms >= until_ms)
            return;
    }
}

static const char *after(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static void run_line(struct world *world)
{
    const struct line *line = world->line;
    if (after(line->text, "clock jumps"))
        txn_layer_advance(world->layer, CLOCK_START_MS + line->ms);
    run_until(world, line->ms);

    const char *rest;
    if (after(line->text, "to ") || after(line->text, "stray ")) {
        expect(world);
        return;
    }
    if (after(line->text, "clock jumps"))
        return;
    nothing_more(world);
    if ((rest = after(line->text, "state ")))
        check_state(world, rest);
    else if ((rest = after(line->text, "from network ")))
        with_message(world, rest, from_network);
    else if ((rest = after(line->text, "from user abort ")))
        user_aborts(world, rest);
    else if ((rest = after(line->text, "from user ")))
        with_message(world, rest, char_is_digit(*rest) ? user_responds : user_requests);
    else
        world_fail(world, "not understood: %s", line->text);
}

static void scenario_runs_as_written(void **state)
{
    static struct world world;
    world = (struct world){.scenario = *state};
    world.pool = arena_pool_alloc(16384, 0);
    world.timers = timers_alloc(PARTIES_MAX);
    world.layer = txn_layer_alloc(world.timers, &txn_times_default, PARTIES_MAX);
    assert_non_null(world.layer);
    txn_layer_advance(world.layer, CLOCK_START_MS);

    world.line = &world.scenario->lines[0];
    if (world.scenario->count == 0)
        world_fail(&world, "an empty scenario");
    for (size_t i = 0; i < world.scenario->count; i++) {
        world.line = &world.scenario->lines[i];
        run_line(&world);
    }
    run_until(&world, world_ms(&world) + 1000000);
    nothing_more(&world);
    if (txn_layer_count(world.layer) > 0)
        world_fail(&world, "a transaction never ends");
    assert_int_equal(timers_next_ms(world.timers), UINT64_MAX);
    assert_int_equal(arena_pool_in_use(world.pool), 0);

    txn_layer_free(world.layer);
    timers_free(world.timers);
    arena_pool_free(world.pool);
}

int main(void)
{
    static struct scenario scenarios[SCENARIOS_MAX];
    static struct CMUnitTest tests[SCENARIOS_MAX];
    int count = load_all(scenarios);
    if (count <= 0) {
        fprintf(stderr, "test_scenarios: no scenarios to run\n");
        return 1;
    }
    for (int i = 0; i < count; i++) {
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = scenario_runs_as_written,
                                       .initial_state = &scenarios[i]};
    }
    return _cmocka_run_group_tests("transactions", tests, (size_t)count, NULL, NULL);
}
