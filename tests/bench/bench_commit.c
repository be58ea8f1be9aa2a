#include "base/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_store.h"

#include <pthread.h>
#include <stdio.h>

#define WRITERS  64
#define ROUNDS   5
#define ROUND_NS ((uint64_t)2000000000)

struct writer {
    struct store *store;
    const struct load *load;
    uint64_t random, end_ns;
    uint64_t done;
    pthread_t thread;
};

/* Another display for an address somewhere: record, journal and log change. */
static void command_make(struct store_command *command, const struct load *load, uint64_t random)
{
    load_record(load, (uint32_t)(random % load->count), &command->record);
    snprintf(command->record.display, sizeof(command->record.display), "U%09u@" LOAD_DOMAIN,
             (unsigned)(random >> 40));
}

static void *writer_main(void *arg)
{
    struct writer *writer = arg;
    struct store_command command = {.op = STORE_ADDRESS_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "bench",
                                    .time_ms = bench_unix_ms()};
    struct store_verdict verdict;
    while (bench_now_ns() < writer->end_ns) {
        command_make(&command, writer->load, bench_random(&writer->random));
        int ret = store_submit(writer->store, &command, &verdict);
        if (ret || verdict.status)
            bench_fail("a command: %s", status_text(ret ? ret : verdict.status));
        writer->done++;
    }
    return NULL;
}

/* Commands in a second. */
static double commit_round(struct store *store, const struct load *load, int threads, uint64_t seed)
{
    struct writer writers[WRITERS];
    uint64_t start = bench_now_ns(), done = 0;
    for (int i = 0; i < threads; i++) {
        writers[i] = (struct writer){.store = store,
                                     .load = load,
                                     .random = seed * WRITERS + (uint64_t)i + 1,
                                     .end_ns = start + ROUND_NS};
        if (pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]))
            bench_fail("no thread");
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(writers[i].thread, NULL);
        done += writers[i].done;
    }
    return (double)done / ((double)(bench_now_ns() - start) / 1e9);
}

void bench_commit(const struct load *load, const char *path, const char *name, double least)
{
    double many[ROUNDS], one[ROUNDS];
    struct store_conf conf = load_conf(path);
    struct store_fault fault = {""};
    struct store *store;
    char line[80];
    if (store_open(&conf, STORE_WRITER, &store, &fault))
        bench_fail("%s", fault.text);
    for (int i = 0; i < ROUNDS; i++) {
        many[i] = commit_round(store, load, WRITERS, (uint64_t)i + 1);
        one[i] = commit_round(store, load, 1, (uint64_t)i + 101);
    }
    store_close(store);
    double many_rate = bench_most(many, ROUNDS), one_rate = bench_most(one, ROUNDS);
    snprintf(line, sizeof(line), "%s, %d writers", name, WRITERS);
    bench_report(line, many_rate, "commands/s");
    snprintf(line, sizeof(line), "%s, 1 writer", name);
    bench_report(line, one_rate, "commands/s");
    bench_report_least(name, many_rate / one_rate, "", least);
}
