/* Whatever is done to it, the store holds what the model says. */
#include "base/status.h"
#include "tests/store/fixture.h"
#include "tests/store/follow.h"
#include "tests/store/generator.h"
#include "tests/store/verify.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMANDS      40000
#define WINDOW        32  /* commands that wait together at most */
#define VERIFY_EVERY  100 /* windows */
#define BEGIN_MS      ((uint64_t)1700000000000)
#define HOUR_MS       ((uint64_t)3600 * 1000)
#define MAP_LARGE     ((size_t)256 << 20)
#define LOG_WHOLE     UINT32_MAX
#define COMMAND_BYTES ((size_t)1 << 20)

struct run {
    struct fixture f;
    struct dice dice;
    struct generator generator;
    struct model model;
    struct generator_slot slots[WINDOW];
    struct store_submission submissions[WINDOW];
    unsigned count; /* in the window */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    unsigned waiting;
    struct buf bytes; /* of one command */
    unsigned long done, refused, repeated, full;
    bool may_fill; /* the map is small */
};

static void run_init(struct run *run, size_t map_size, uint64_t log_keep)
{
    uint64_t seed = dice_seed("test_model");
    const struct generator_conf conf = {
        .name = "tester", .local = true, .dry_runs = true, .upkeep = true, .ahead = true};
    memset(run, 0, sizeof(*run));
    fixture_make(&run->f, map_size);
    run->f.conf.log_keep = log_keep;
    run->f.now_ms = BEGIN_MS;
    fixture_open(&run->f);
    run->dice.state = seed;
    generator_init(&run->generator, &conf, dice_u64(&run->dice));
    model_init(&run->model);
    buf_init(&run->bytes, COMMAND_BYTES);
    pthread_mutex_init(&run->mutex, NULL);
    pthread_cond_init(&run->wake, NULL);
}

static void run_done(struct run *run)
{
    fixture_remove(&run->f);
    model_done(&run->model);
    buf_done(&run->bytes);
    pthread_mutex_destroy(&run->mutex);
    pthread_cond_destroy(&run->wake);
}

static void command_print(const struct store_command *command, const struct model_outcome *outcome,
                          int ret, const struct store_verdict *verdict)
{
    const char *name = store_op_text(command->op);
    print_message("# %s (%d) by %.64s: %s, %s, sequence %llu, count %u%s\n", name ? name : "-",
                  (int)command->op, command->actor, status_text(ret), status_text(verdict->status),
                  (unsigned long long)verdict->sequence, (unsigned)verdict->count,
                  verdict->repeated ? ", repeated" : "");
    for (unsigned i = 0; i < outcome->refusal_count; i++)
        print_message("#     the model refuses: %s\n", status_text(outcome->refusals[i]));
    print_message("#     the model: sequence %llu, count %u%s\n",
                  (unsigned long long)outcome->sequence, (unsigned)outcome->count,
                  outcome->repeated ? ", repeated" : "");
}

/* ---- judging what became of it ---- */

static void verdict_check(struct run *run, unsigned i, const struct model_outcome *outcome)
{
    const struct store_submission *submission = &run->submissions[i];
    const struct store_command *command = &run->slots[i].command;
    if (submission->ret || !model_allows(outcome, &submission->verdict)) {
        command_print(command, outcome, submission->ret, &submission->verdict);
        fail_msg("store and model differ");
    }
    run->refused += submission->verdict.status != 0;
    run->repeated += submission->verdict.repeated;
    model_settle(&run->model, command, &submission->verdict);
    generator_learn(&run->generator, &run->slots[i], &submission->verdict);
}

/* What was said of each record of a batch. */
static void statuses_check(const struct generator_slot *slot, const struct model_outcome *outcomes)
{
    for (size_t i = 0; i < slot->command.batch.count; i++) {
        const struct model_outcome *outcome = &outcomes[i];
        bool is_told = outcome->refusal_count == 0 && slot->statuses[i] == 0;
        for (unsigned k = 0; k < outcome->refusal_count; k++)
            is_told |= slot->statuses[i] == outcome->refusals[k];
        if (!is_told)
            fail_msg("record %zu of %s: %s", i, slot->command.actor,
                     status_text(slot->statuses[i]));
    }
}

static void command_check(struct run *run, unsigned i)
{
    struct model_outcome outcome, outcomes[GENERATOR_BATCH];
    const struct generator_slot *slot = &run->slots[i];
    enum store_op op = slot->command.op;
    bool has_batch = op == STORE_ADDRESS_IMPORT || op == STORE_ADDRESS_UNDO;
    model_apply(&run->model, &slot->command, &outcome, outcomes);
    verdict_check(run, i, &outcome);
    bool is_known =
        outcome.repeated || (outcome.refusal_count && outcome.refusals[0] == STATUS_MISMATCH);
    if (has_batch && !is_known && slot->command.batch.count > 0)
        statuses_check(slot, outcomes);
}

/* ---- the log: what it must hold, and what the timer put between ---- */

struct log_walk {
    struct run *run;
    unsigned next; /* of the window, to be met */
};

static bool batch_may_be_unsayable(const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (!model_record_is_valid(STORE_KIND_ADDRESS, &batch->records[i]))
            return true;
    return batch->count == 0;
}

/* Is it so malformed that it may never reach the log? What is well-formed must. */
static bool may_be_unsayable(const struct store_command *command)
{
    switch (command->op) {
    case STORE_DOMAIN_ADD:
    case STORE_DOMAIN_PUT:
        return !model_record_is_valid(STORE_KIND_DOMAIN, &command->domain);
    case STORE_ADDRESS_ADD:
    case STORE_ADDRESS_PUT:
        return !model_record_is_valid(STORE_KIND_ADDRESS, &command->record);
    case STORE_NUMBER_ADD:
    case STORE_NUMBER_PUT:
        return !model_record_is_valid(STORE_KIND_NUMBER, &command->number);
    case STORE_PEER_ADD:
    case STORE_PEER_PUT:
        return !model_record_is_valid(STORE_KIND_PEER, &command->peer);
    case STORE_TOKEN_ADD:
        return !model_record_is_valid(STORE_KIND_TOKEN, &command->token);
    case STORE_ADDRESS_IMPORT:
    case STORE_ADDRESS_UNDO:
        return batch_may_be_unsayable(&command->batch);
    case STORE_KEY_ADD:
    case STORE_EXPIRE:
    case STORE_JOURNAL_TRIM:
        return false;
    default: /* a name without end, or no operation at all */
        return true;
    }
}

/* Commands before slot `end` that never reach the log. */
static void unlogged_check(struct run *run, unsigned *next, unsigned end)
{
    for (; *next < end; ++*next) {
        const struct store_command *command = &run->slots[*next].command;
        const struct store_submission *submission = &run->submissions[*next];
        if (run->may_fill && submission->verdict.status == STATUS_FULL) {
            run->full++; /* and nothing was changed */
        } else if (command->time_ms > run->f.now_ms + STORE_CLOCK_AHEAD_MS) {
            assert_int_equal(submission->ret, STATUS_CLOCK);
        } else if (store_op_is_local(command->op)) {
            command_check(run, *next);
        } else {
            if (!may_be_unsayable(command))
                fail_msg("%s, operation %d, is not in the log", command->actor, (int)command->op);
            assert_int_equal(submission->ret, 0);
            assert_int_equal(submission->verdict.status, STATUS_MALFORMED);
        }
    }
}

static bool log_visit(uint64_t index, const struct store_command *command, struct slice bytes,
                      void *arg)
{
    struct log_walk *walk = arg;
    struct run *run = walk->run;
    struct model_outcome outcome;
    unsigned i = walk->next;
    assert_int_equal(index, run->model.index + 1);
    if (strcmp(command->actor, "timer") == 0) {
        assert_true(command->op == STORE_EXPIRE || command->op == STORE_JOURNAL_TRIM);
        model_apply(&run->model, command, &outcome, NULL);
        return true;
    }
    while (i < run->count && strcmp(run->slots[i].command.actor, command->actor) != 0)
        i++;
    if (i == run->count)
        fail_msg("%s is in the log out of its order", command->actor);
    unlogged_check(run, &walk->next, i);
    buf_consume(&run->bytes, buf_len(&run->bytes));
    assert_int_equal(store_command_encode(&run->slots[i].command, &run->bytes), 0);
    assert_true(slice_eq(bytes, buf_bytes(&run->bytes)));
    command_check(run, i);
    walk->next = i + 1;
    return true;
}

/* ---- windows of commands ---- */

static void window_wake(struct store_submission *submission)
{
    struct run *run = submission->arg;
    pthread_mutex_lock(&run->mutex);
    if (--run->waiting == 0)
        pthread_cond_signal(&run->wake);
    pthread_mutex_unlock(&run->mutex);
}

static void window_submit(struct run *run)
{
    run->waiting = run->count;
    for (unsigned i = 0; i < run->count; i++) {
        run->submissions[i] = (struct store_submission){
            .command = &run->slots[i].command, .done = window_wake, .arg = run};
        assert_int_equal(store_submit_start(run->f.store, &run->submissions[i]), 0);
    }
    pthread_mutex_lock(&run->mutex);
    while (run->waiting)
        pthread_cond_wait(&run->wake, &run->mutex);
    pthread_mutex_unlock(&run->mutex);
    run->done += run->count;
}

static void window_check(struct run *run)
{
    struct log_walk walk = {.run = run};
    assert_true(follow_log(run->f.store, run->model.index + 1, log_visit, &walk));
    unlogged_check(run, &walk.next, run->count);
}

static bool op_erases(enum store_op op)
{
    return op == STORE_EXPIRE || op == STORE_JOURNAL_TRIM || op == STORE_ADDRESS_PURGE ||
           op == STORE_ADDRESS_RELEASE;
}

/* Alone in its window. The timer may have done something before it or after it. */
static void dry_run_check(struct run *run)
{
    const struct store_command *command = &run->slots[0].command;
    const struct store_submission *submission = &run->submissions[0];
    struct model_outcome before, after;
    struct log_walk walk = {.run = run, .next = 1};
    bool is_ahead = command->time_ms > run->f.now_ms + STORE_CLOCK_AHEAD_MS;
    assert_int_equal(submission->ret, is_ahead ? STATUS_CLOCK : 0);
    if (is_ahead || op_erases(command->op))
        return;
    if (run->may_fill && submission->verdict.status == STATUS_FULL)
        return;
    if (submission->verdict.status == STATUS_MALFORMED && may_be_unsayable(command))
        return;
    model_dry_run(&run->model, command, &before);
    assert_true(follow_log(run->f.store, run->model.index + 1, log_visit, &walk));
    model_dry_run(&run->model, command, &after);
    if (!model_allows(&before, &submission->verdict) &&
        !model_allows(&after, &submission->verdict)) {
        command_print(command, &after, submission->ret, &submission->verdict);
        fail_msg("store and model differ about a dry run");
    }
}

/* Fills the window; a dry run has one of its own. */
static void window_fill(struct run *run)
{
    unsigned size = 1 + dice_roll(&run->dice, WINDOW);
    run->count = 0;
    while (run->count < size) {
        struct generator_slot *slot = &run->slots[run->count];
        generator_next(&run->generator, slot);
        if (slot->command.dry_run && run->count > 0)
            continue; /* as if it had not been thought of */
        run->count++;
        if (slot->command.dry_run)
            return;
    }
}

static void window_run(struct run *run)
{
    uint64_t step = dice_percent(&run->dice, 2) ? 10 * HOUR_MS : HOUR_MS / 12;
    run->f.now_ms += dice_u64(&run->dice) % step;
    run->generator.now_ms = run->f.now_ms;
    window_fill(run);
    window_submit(run);
    if (run->slots[0].command.dry_run)
        dry_run_check(run);
    else
        window_check(run);
}

/* ---- the whole ---- */

/* Read while nobody writes: the timer could do something at any moment. Opening anew is part of the
 * test. */
static void whole_check(struct run *run)
{
    struct store_reader *reader;
    struct store *store;
    fixture_close(&run->f);
    assert_int_equal(store_open(&run->f.conf, STORE_READER, &store, NULL), 0);
    assert_int_equal(store_reader_alloc(store, &reader), 0);
    assert_true(follow_model(store, &run->model, NULL, NULL));
    assert_true(verify_model(reader, &run->model, 0, true, &run->dice));
    assert_true(verify_tables(store));
    store_reader_free(reader);
    store_close(store);
    fixture_open(&run->f);
}

static void store_and_model_agree_after_any_commands(void **state)
{
    struct run *run = malloc(sizeof(*run));
    (void)state;
    assert_non_null(run);
    run_init(run, MAP_LARGE, LOG_WHOLE);
    for (unsigned windows = 1; run->done < COMMANDS; windows++) {
        window_run(run);
        if (windows % VERIFY_EVERY == 0)
            whole_check(run);
    }
    whole_check(run);
    print_message("# %lu commands, %lu refused, %lu repeated, %llu entries, %zu addresses\n",
                  run->done, run->refused, run->repeated, (unsigned long long)run->model.sequence,
                  run->model.records[STORE_KIND_ADDRESS].count);
    run_done(run);
    free(run);
}

/* ---- a map that is full again and again ---- */

#define MAP_SMALL  ((size_t)5 << 18)
#define LOG_SHORT  100
#define FULL_TIMES 1000

static void a_store_that_is_full_holds_what_the_model_says(void **state)
{
    struct run *run = malloc(sizeof(*run));
    (void)state;
    assert_non_null(run);
    run_init(run, MAP_SMALL, LOG_SHORT);
    run->may_fill = true;
    for (unsigned windows = 1; run->full < FULL_TIMES && run->done < COMMANDS; windows++) {
        window_run(run);
        if (windows % VERIFY_EVERY == 0)
            whole_check(run);
    }
    whole_check(run);
    print_message("# %lu commands, %lu found no room\n", run->done, run->full);
    assert_true(run->full > 0);
    run_done(run);
    free(run);
}

/* ---- a history that is too long to be erased at once ---- */

#define LONG_HISTORY 2500 /* entries; one command erases a thousand */

static void window_end(struct run *run)
{
    window_submit(run);
    window_check(run);
    run->count = 0;
}

static void scripted(struct run *run, struct store_command command)
{
    struct generator_slot *slot = &run->slots[run->count++];
    command.time_ms = run->f.now_ms;
    snprintf(command.actor, sizeof(command.actor), "tester-%lu", run->generator.number++);
    slot->command = command;
    if (run->count == WINDOW)
        window_end(run);
}

/* alice@opa.example, changed again and again. */
static void history_make(struct run *run, unsigned quarantine_days)
{
    struct store_command domain = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    struct store_command put = command_address(STORE_ADDRESS_ADD, "alice@opa.example",
                                               STORE_ADDRESS_HOSTED, "opa.example");
    domain.domain.quarantine_days = quarantine_days;
    scripted(run, domain);
    scripted(run, put);
    put.op = STORE_ADDRESS_PUT;
    for (int i = 0; i < LONG_HISTORY; i++) {
        put.record.blocked = !put.record.blocked;
        scripted(run, put);
    }
}

/* The timer goes on until nothing is left; it may have been faster than this. */
static void history_must_end(struct run *run)
{
    struct store_command expire = {.op = STORE_EXPIRE, .expected_version = STORE_ANY_VERSION};
    for (int i = 0; i <= LONG_HISTORY / 1000; i++) {
        scripted(run, expire);
        window_end(run);
        whole_check(run);
    }
    assert_int_equal(run->model.records[STORE_KIND_ADDRESS].count, 0);
    for (uint64_t sequence = 2; sequence < run->model.sequence; sequence++)
        assert_true(model_entry(&run->model, sequence)->erased);
}

static void history_is_erased(unsigned quarantine_days, bool purges)
{
    struct store_command release =
        command_address(STORE_ADDRESS_RELEASE, "alice@opa.example", STORE_ADDRESS_HOSTED, "");
    struct run *run = malloc(sizeof(*run));
    assert_non_null(run);
    run_init(run, MAP_LARGE, LOG_WHOLE);
    history_make(run, quarantine_days);
    scripted(run, release);
    if (purges) {
        release.op = STORE_ADDRESS_PURGE;
        scripted(run, release);
    }
    window_end(run);
    if (quarantine_days && !purges)
        run->f.now_ms += ((uint64_t)quarantine_days + 1) * 24 * HOUR_MS;
    history_must_end(run);
    run_done(run);
    free(run);
}

static void a_long_history_is_erased_in_several_commands(void **state)
{
    (void)state;
    history_is_erased(1, false);
    history_is_erased(1, true);
    history_is_erased(0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_and_model_agree_after_any_commands),
        cmocka_unit_test(a_store_that_is_full_holds_what_the_model_says),
        cmocka_unit_test(a_long_history_is_erased_in_several_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
