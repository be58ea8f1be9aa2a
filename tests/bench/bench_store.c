/* The store's figures, each against bare LMDB in the same run: one "name: value unit" line each.
 * Exits 1 where a target was missed, which is then named on standard error, and 2 where something
 * failed.
 *
 *   bench_store [--dir DIRECTORY] [--max ADDRESSES] [--only import|lookup|commit|scale]
 *
 * Everything is made in a folder in DIRECTORY, by default $TMPDIR or the current directory: flushes
 * to a file system in memory would tell nothing. --max 1000000 leaves out the largest store. */
#include "tests/bench/bench.h"
#include "tests/bench/bench_store.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL        1000
#define MEDIUM       1000000
#define COMMIT_LEAST 8
#define SMALL_LEAST  20

struct options {
    const char *dir, *only;
    uint32_t max;
};

static void options_read(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {{"dir", required_argument, NULL, 'd'},
                                          {"max", required_argument, NULL, 'm'},
                                          {"only", required_argument, NULL, 'o'},
                                          {0}};
    int option;
    const char *tmp = getenv("TMPDIR");
    *options = (struct options){.dir = tmp ? tmp : ".", .max = 10000000};
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'd')
            options->dir = optarg;
        else if (option == 'm')
            options->max = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'o')
            options->only = optarg;
        else
            exit(2);
    }
}

static bool is_wanted(const struct options *options, const char *part)
{
    return !options->only || strcmp(options->only, part) == 0;
}

static void medium_run(const struct options *options)
{
    struct load load;
    const char *path = bench_path("store"), *bare_path = bench_path("bare");
    load_init(&load, MEDIUM);
    if (is_wanted(options, "import") || is_wanted(options, "lookup"))
        bench_import(&load, path, bare_path);
    if (is_wanted(options, "lookup"))
        bench_lookup(&load, path, bare_path);
    if (is_wanted(options, "commit")) {
        struct store_conf conf = load_conf(path);
        bench_path_empty(path);
        load_store(&load, &conf);
        bench_commit(&load, path, "group commit ratio", COMMIT_LEAST);
    }
    bench_path_remove(path);
    bench_path_remove(bare_path);
    load_done(&load);
}

static void small_run(const struct options *options)
{
    struct load load;
    const char *path = bench_path("small");
    struct store_conf conf = load_conf(path);
    if (!is_wanted(options, "commit"))
        return;
    load_init(&load, SMALL);
    load_store(&load, &conf);
    bench_commit(&load, path, "group commit ratio small", SMALL_LEAST);
    bench_path_remove(path);
    load_done(&load);
}

static void scale_run(const struct options *options)
{
    static const struct {
        uint32_t count;
        const char *name;
    } sizes[] = {{100000, "0.1M"}, {1000000, "1M"}, {10000000, "10M"}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct load load;
        const char *path = bench_path("scale");
        struct store_conf conf = load_conf(path);
        if (!is_wanted(options, "scale") || sizes[i].count > options->max)
            continue;
        load_init(&load, sizes[i].count);
        load_store(&load, &conf);
        bench_scale(&load, path, sizes[i].name);
        bench_path_remove(path);
        load_done(&load);
    }
}

int main(int argc, char **argv)
{
    struct options options;
    options_read(&options, argc, argv);
    bench_folder_make(options.dir);
    medium_run(&options);
    small_run(&options);
    scale_run(&options);
    bench_folder_remove();
    return bench_missed() > 0;
}
