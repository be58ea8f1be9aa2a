#include "tests/store/crash_writer.h"

#include "base/status.h"
#include "tests/store/generator.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define CLOCK_FACTOR 500 /* a ms is half a second */
#define HOUR_MS      ((uint64_t)3600 * 1000)

uint64_t crash_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t crash_clock(void *arg)
{
    const struct crash_writer *writer = arg;
    return writer->begin_ms + (crash_now_us() - writer->began_us) * CLOCK_FACTOR / 1000;
}

/* Little is kept, so that the timer has work: the log for longer than one process lives, as the
 * test reads it after each. */
struct store_conf crash_conf(struct crash_writer *writer)
{
    return (struct store_conf){.path = writer->path,
                               .map_size = (size_t)256 << 20,
                               .journal_age_ms = 12 * HOUR_MS,
                               .journal_size = (uint64_t)128 << 10,
                               .journal_max = (uint64_t)160 << 10,
                               .log_keep = 2 * (uint64_t)CRASH_THREADS * CRASH_COMMANDS,
                               .clock = crash_clock,
                               .arg = writer};
}

void crash_cursor_name(unsigned thread, char name[STORE_CURSOR_NAME_MAX + 1])
{
    snprintf(name, STORE_CURSOR_NAME_MAX + 1, "cursor-%u", thread);
}

void crash_usage(unsigned thread, struct store_usage *usage)
{
    *usage = (struct store_usage){.peer = "far.example", .period = 3600, .attempts = 1};
    snprintf(usage->node, sizeof(usage->node), "node-%u", thread);
}

void crash_backup_name(const struct crash_writer *writer, unsigned long number, char *name,
                       size_t size)
{
    snprintf(name, size, "%s/" CRASH_BACKUP_PREFIX "%u-%lu", writer->path, writer->round, number);
}

/* ---- a thread that submits ---- */

struct submitter {
    struct crash_writer *writer;
    struct store *store;
    struct generator generator;
    struct generator_slot slot;
    unsigned thread;
    pthread_t id;
};

/* Whoever reads died: then so does this. */
static void ack_tell(const struct crash_writer *writer, const struct crash_ack *ack)
{
    if (write(writer->pipe, ack, sizeof(*ack)) != (ssize_t)sizeof(*ack))
        _exit(1);
}

static void submit(struct submitter *submitter, const struct store_command *command,
                   struct crash_ack *ack)
{
    memset(&ack->verdict, 0, sizeof(ack->verdict));
    ack->thread = submitter->thread;
    ack->ret = store_submit(submitter->store, command, &ack->verdict);
}

static void command_submit(struct submitter *submitter)
{
    struct generator *generator = &submitter->generator;
    struct crash_ack ack = {.kind = CRASH_ACK_COMMAND, .number = generator->number};
    generator->now_ms = crash_clock(submitter->writer);
    generator_next(generator, &submitter->slot);
    ack.is_dry_run = submitter->slot.command.dry_run;
    submit(submitter, &submitter->slot.command, &ack);
    ack_tell(submitter->writer, &ack);
    if (ack.ret == 0)
        generator_learn(generator, &submitter->slot, &ack.verdict);
}

static void cursor_submit(struct submitter *submitter)
{
    struct crash_ack ack = {.kind = CRASH_ACK_CURSOR};
    struct store_command command = {.op = STORE_CURSOR_PUT, .actor = "cursor"};
    if (submitter->generator.sequence == 0)
        return; /* nothing was read yet */
    crash_cursor_name(submitter->thread, command.cursor.name);
    command.cursor.sequence = submitter->generator.sequence;
    submit(submitter, &command, &ack);
    if (ack.ret || ack.verdict.status)
        return; /* what follows it was trimmed */
    ack.verdict.sequence = command.cursor.sequence;
    ack_tell(submitter->writer, &ack);
}

static void usage_submit(struct submitter *submitter)
{
    struct store_usage usage;
    struct crash_ack ack = {.kind = CRASH_ACK_USAGE};
    struct store_command command = {.op = STORE_USAGE_ADD, .actor = "usage"};
    crash_usage(submitter->thread, &usage);
    command.usage = (struct store_usage_batch){.usages = &usage, .count = 1};
    submit(submitter, &command, &ack);
    ack_tell(submitter->writer, &ack);
}

static void *submitter_main(void *arg)
{
    struct submitter *submitter = arg;
    struct dice dice = {.state = submitter->generator.dice.state ^ 1};
    while (submitter->generator.number < CRASH_COMMANDS) {
        command_submit(submitter);
        if (dice_percent(&dice, 10))
            cursor_submit(submitter);
        if (dice_percent(&dice, 10))
            usage_submit(submitter);
    }
    return NULL;
}

static void submitter_start(struct submitter *submitter, struct crash_writer *writer,
                            struct store *store, unsigned thread)
{
    static char names[CRASH_THREADS][32];
    /* In most rounds the upkeep is left to the timer. */
    const struct generator_conf conf = {
        .name = names[thread], .dry_runs = true, .upkeep = writer->round % 4 == 0};
    snprintf(names[thread], sizeof(names[thread]), "crash-%u-%u", writer->round, thread);
    generator_init(&submitter->generator, &conf, writer->seed + thread);
    submitter->writer = writer;
    submitter->store = store;
    submitter->thread = thread;
    if (pthread_create(&submitter->id, NULL, submitter_main, submitter))
        _exit(1);
}

/* ---- a thread that copies ---- */

struct copier {
    struct crash_writer *writer;
    struct store *store;
    pthread_t id;
};

static void *copier_main(void *arg)
{
    struct copier *copier = arg;
    for (unsigned long number = 0; number < CRASH_BACKUPS; number++) {
        struct crash_ack ack = {.kind = CRASH_ACK_BACKUP, .number = number};
        char name[320];
        crash_backup_name(copier->writer, number, name, sizeof(name));
        ack.ret = store_backup(copier->store, name, NULL);
        ack_tell(copier->writer, &ack);
    }
    return NULL;
}

/* ---- the process ---- */

_Noreturn void crash_writer_main(struct crash_writer *writer)
{
    struct submitter *submitters = calloc(CRASH_THREADS, sizeof(*submitters));
    struct store_conf conf = crash_conf(writer);
    struct store_fault fault = {""};
    struct store *store;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
    if (!submitters || store_open(&conf, STORE_WRITER, &store, &fault)) {
        fprintf(stderr, "# the writer: %s\n", fault.text);
        _exit(1);
    }
    struct copier copier = {.writer = writer, .store = store};
    for (unsigned i = 0; i < CRASH_THREADS; i++)
        submitter_start(&submitters[i], writer, store, i);
    if (writer->backs_up && pthread_create(&copier.id, NULL, copier_main, &copier))
        _exit(1);
    for (unsigned i = 0; i < CRASH_THREADS; i++)
        pthread_join(submitters[i].id, NULL);
    if (writer->backs_up)
        pthread_join(copier.id, NULL);
    store_close(store);
    _exit(0);
}
