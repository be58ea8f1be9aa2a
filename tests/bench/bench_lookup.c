#include "base/status.h"
#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_store.h"

#include <stdio.h>

#define ROUNDS   9
#define BATCH    64
#define BATCHES  4096 /* of one round */
#define RATIO    1.3
#define OPENINGS 5

/* The addresses of one batch, in both forms. They are made before the clock starts. */
struct batch {
    struct store_address addresses[BATCH];
    char keys[BATCH][LOAD_KEY_LEN];
};

static void batch_make(struct batch *batch, const struct load *load, uint64_t *random)
{
    for (int i = 0; i < BATCH; i++) {
        load_address(load, (uint32_t)(bench_random(random) % load->count), &batch->addresses[i]);
        memcpy(batch->keys[i], LOAD_DOMAIN, sizeof(LOAD_DOMAIN));
        memcpy(batch->keys[i] + sizeof(LOAD_DOMAIN), batch->addresses[i].user, LOAD_USER_LEN);
    }
}

/* ---- one batch, timed ---- */

static uint64_t store_batch_run(struct store_reader *reader, const struct batch *batch)
{
    struct store_route route;
    uint64_t start = bench_now_ns();
    if (store_reader_begin(reader))
        bench_fail("no snapshot");
    for (int i = 0; i < BATCH; i++)
        if (store_route(reader, &batch->addresses[i], &route) || !route.address_found)
            bench_fail("no route to %s", batch->addresses[i].user);
    store_reader_end(reader);
    return bench_now_ns() - start;
}

static uint64_t bare_batch_run(struct bare *bare, struct batch *batch)
{
    uint64_t start = bench_now_ns();
    if (mdb_txn_renew(bare->txn))
        bench_fail("no snapshot");
    for (int i = 0; i < BATCH; i++) {
        MDB_val key = {LOAD_KEY_LEN, batch->keys[i]}, value;
        if (mdb_get(bare->txn, bare->table, &key, &value))
            bench_fail("no record of %s", batch->addresses[i].user);
    }
    mdb_txn_reset(bare->txn);
    return bench_now_ns() - start;
}

/* ---- rounds: ns for one lookup ---- */

static double store_round(struct store_reader *reader, const struct load *load, uint64_t random)
{
    struct batch batch;
    uint64_t sum = 0;
    for (int i = 0; i < BATCHES; i++) {
        batch_make(&batch, load, &random);
        sum += store_batch_run(reader, &batch);
    }
    return (double)sum / (BATCHES * BATCH);
}

static double bare_round(struct bare *bare, const struct load *load, uint64_t random)
{
    struct batch batch;
    uint64_t sum = 0;
    for (int i = 0; i < BATCHES; i++) {
        batch_make(&batch, load, &random);
        sum += bare_batch_run(bare, &batch);
    }
    return (double)sum / (BATCHES * BATCH);
}

static struct store *store_open_reader(const char *path, struct store_reader **reader)
{
    struct store_conf conf = load_conf(path);
    struct store_fault fault = {""};
    struct store *store;
    if (store_open(&conf, STORE_READER, &store, &fault))
        bench_fail("%s", fault.text);
    if (store_reader_alloc(store, reader))
        bench_fail("no reader");
    return store;
}

void bench_lookup(const struct load *load, const char *path, const char *bare_path)
{
    double ours[ROUNDS], plain[ROUNDS];
    struct store_reader *reader;
    struct store *store = store_open_reader(path, &reader);
    struct bare bare;
    bare_open(&bare, bare_path);
    store_round(reader, load, 1); /* into the caches */
    bare_round(&bare, load, 1);
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = store_round(reader, load, (uint64_t)i + 2);
        plain[i] = bare_round(&bare, load, (uint64_t)i + 2);
    }
    bare_close(&bare);
    store_reader_free(reader);
    store_close(store);
    double ours_ns = bench_median(ours, ROUNDS), bare_ns = bench_median(plain, ROUNDS);
    bench_report("lookup", ours_ns, "ns");
    bench_report("lookup by bare LMDB", bare_ns, "ns");
    bench_report_most("lookup ratio", ours_ns / bare_ns, "", RATIO);
}

/* ---- by size ---- */

static double opening_ms(const struct load *load, const char *path)
{
    struct store_reader *reader;
    struct batch batch;
    uint64_t random = 7;
    batch_make(&batch, load, &random);
    uint64_t start = bench_now_ns();
    struct store *store = store_open_reader(path, &reader);
    store_batch_run(reader, &batch);
    double ms = (double)(bench_now_ns() - start) / 1e6;
    store_reader_free(reader);
    store_close(store);
    return ms;
}

void bench_scale(const struct load *load, const char *path, const char *size)
{
    double lookups[ROUNDS], openings[OPENINGS];
    struct store_reader *reader;
    char name[64];
    for (int i = 0; i < OPENINGS; i++)
        openings[i] = opening_ms(load, path);
    struct store *store = store_open_reader(path, &reader);
    store_round(reader, load, 1);
    for (int i = 0; i < ROUNDS; i++)
        lookups[i] = store_round(reader, load, (uint64_t)i + 2);
    store_reader_free(reader);
    store_close(store);
    snprintf(name, sizeof(name), "lookup at %s", size);
    bench_report(name, bench_median(lookups, ROUNDS), "ns");
    snprintf(name, sizeof(name), "start-up at %s", size);
    bench_report(name, bench_median(openings, OPENINGS), "ms");
}
