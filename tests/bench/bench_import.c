#include "tests/bench/bare.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_store.h"

#include <stdio.h>
#include <sys/stat.h>

#define ROUNDS     7
#define RATIO      0.5
#define BYTES_MOST 120

static double store_round(const struct load *load, const char *path)
{
    struct store_conf conf = load_conf(path);
    bench_path_empty(path);
    uint64_t start = bench_now_ns();
    load_store(load, &conf);
    return (double)(bench_now_ns() - start);
}

typedef void append_h(const struct bare_records *records, const char *path);

static double bare_round(append_h *append, const struct bare_records *records, const char *path)
{
    bench_path_empty(path);
    uint64_t start = bench_now_ns();
    append(records, path);
    return (double)(bench_now_ns() - start);
}

static double file_size(const char *path)
{
    char name[BENCH_PATH_MAX + 80];
    struct stat st;
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    if (stat(name, &st))
        bench_fail("there is no %s", name);
    return (double)st.st_size;
}

void bench_import(const struct load *load, const char *path, const char *bare_path)
{
    double ours[ROUNDS], bare[ROUNDS], tuned[ROUNDS];
    struct bare_records records;
    store_round(load, path); /* the disk's first writes, and the records for the other side */
    bare_records_read(&records, path);
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = store_round(load, path);
        tuned[i] = bare_round(bare_append_tuned, &records, bare_path);
        bare[i] = bare_round(bare_append, &records, bare_path);
    }
    bare_records_done(&records);
    double ours_ns = bench_least(ours, ROUNDS), bare_ns = bench_least(bare, ROUNDS);
    bench_report("import", load->count / (ours_ns / 1e9), "addresses/s");
    bench_report("import by bare LMDB", load->count / (bare_ns / 1e9), "addresses/s");
    bench_report("import by bare LMDB, tuned", load->count / (bench_least(tuned, ROUNDS) / 1e9),
                 "addresses/s");
    bench_report_least("import ratio", bare_ns / ours_ns, "", RATIO);
    bench_report_most("bytes per address", file_size(path) / load->count, "bytes", BYTES_MOST);
}
