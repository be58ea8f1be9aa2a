/* What a lookup costs that the cache knows nothing of: the resolver against libunbound, which asks
 * the same server on loopback as its forwarder, with no module but its iterator. Both run on an
 * event loop in one thread and ask each question from a fresh port; each side in a process of its
 * own, whose CPU time is what counts. Exits 1 where the target was missed, and 2 where something
 * failed.
 */
#include "base/status.h"
#include "resolver/internal.h"
#include "tests/bench/bench.h"
#include "tests/bench/upstream.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unbound.h>
#include <unbound-event.h>
#include <unistd.h>

#define LOOKUPS  50000
#define AT_ONCE  64
#define ROUNDS   5
#define LEAST    1.0
#define RETRY_MS 5000 /* nothing is lost on loopback, so nobody is to ask twice */

/* A round of one side: names that nobody has asked before. */
struct round {
    const struct netaddr *upstream;
    unsigned number;
    unsigned started, done;
};

static void next_name(struct round *round, char name[RESOLVER_NAME_MAX + 1])
{
    snprintf(name, RESOLVER_NAME_MAX + 1, "host%u.r%u.example", round->started++, round->number);
}

static double cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* ---- the resolver ---- */

struct lookup {
    struct resolver_wait wait;
    struct ours *ours;
};

struct ours {
    struct round *round;
    struct resolver *resolver;
    struct lookup lookups[AT_ONCE];
};

static void lookup_start(struct lookup *lookup);

static void lookup_done(const struct resolver_outcome *outcome, void *arg)
{
    struct lookup *lookup = arg;
    struct round *round = lookup->ours->round;
    if (outcome->status != 0 || outcome->set->count != 2)
        bench_fail("the resolver failed: %s", status_text(outcome->status));
    round->done++;
    if (round->started < LOOKUPS)
        lookup_start(lookup);
}

static void lookup_start(struct lookup *lookup)
{
    char name[RESOLVER_NAME_MAX + 1];
    next_name(lookup->ours->round, name);
    resolver_ask(lookup->ours->resolver, name, RESOLVER_A, &lookup->wait, lookup_done, lookup);
}

static double ours_run(struct round *round)
{
    static struct ours ours;
    uv_loop_t loop;
    struct resolver_conf conf = {.upstream_count = 1, .attempt_timeout_ms = RETRY_MS};
    conf.upstreams[0].addr = *round->upstream;
    ours.round = round;
    if (uv_loop_init(&loop) < 0 || resolver_alloc(&loop, &conf, &ours.resolver) != 0)
        bench_fail("no resolver");
    double before_s = cpu_s();
    for (size_t i = 0; i < AT_ONCE; i++) {
        ours.lookups[i].ours = &ours;
        lookup_start(&ours.lookups[i]);
    }
    while (round->done < LOOKUPS)
        uv_run(&loop, UV_RUN_ONCE);
    double used_s = cpu_s() - before_s;
    resolver_free(ours.resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return used_s;
}

/* ---- libunbound ---- */

struct theirs {
    struct round *round;
    struct ub_ctx *ctx;
    struct event_base *base;
};

static void theirs_start(struct theirs *theirs);

static void theirs_done(void *arg, int rcode, void *packet, int len, int security, char *why,
                        int limited)
{
    struct theirs *theirs = arg;
    const uint8_t *bytes = packet;
    (void)security, (void)why, (void)limited;
    if (rcode != 0 || len < 12 || bytes[7] != 2)
        bench_fail("libunbound failed: %d", rcode);
    theirs->round->done++;
    if (theirs->round->started < LOOKUPS)
        theirs_start(theirs);
    else if (theirs->round->done == LOOKUPS)
        event_base_loopbreak(theirs->base);
}

static void theirs_start(struct theirs *theirs)
{
    char name[RESOLVER_NAME_MAX + 1];
    next_name(theirs->round, name);
    int error = ub_resolve_event(theirs->ctx, name, RESOLVER_A, 1, theirs, theirs_done, NULL);
    if (error)
        bench_fail("libunbound: %s", ub_strerror(error));
}

static void theirs_set_up(struct theirs *theirs, const struct netaddr *upstream)
{
    char forward[NETADDR_TEXT_MAX];
    theirs->base = event_base_new();
    theirs->ctx = theirs->base ? ub_ctx_create_event(theirs->base) : NULL;
    if (!theirs->ctx)
        bench_fail("no libunbound");
    snprintf(forward, sizeof(forward), "127.0.0.1@%u", netaddr_port(upstream));
    if (ub_ctx_set_option(theirs->ctx, "module-config:", "iterator") ||
        ub_ctx_set_option(theirs->ctx, "do-not-query-localhost:", "no") ||
        ub_ctx_set_fwd(theirs->ctx, forward))
        bench_fail("libunbound does not take its options");
}

static double theirs_run(struct round *round)
{
    struct theirs theirs = {.round = round};
    theirs_set_up(&theirs, round->upstream);
    double before_s = cpu_s();
    for (size_t i = 0; i < AT_ONCE; i++)
        theirs_start(&theirs);
    event_base_dispatch(theirs.base);
    double used_s = cpu_s() - before_s;
    ub_ctx_delete(theirs.ctx);
    event_base_free(theirs.base);
    return used_s;
}

/* ---- both ---- */

/* Runs one side in a process of its own. Returns lookups per second of its CPU time. */
static double measure(const struct netaddr *upstream, unsigned number,
                      double (*run)(struct round *round))
{
    struct round round = {.upstream = upstream, .number = number};
    double used_s = 0;
    int ends[2], status;
    if (pipe(ends) != 0)
        bench_fail("no pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        bench_fail("no process: %s", strerror(errno));
    if (pid == 0) {
        used_s = run(&round);
        _exit(write(ends[1], &used_s, sizeof(used_s)) == sizeof(used_s) ? 0 : 2);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], &used_s, sizeof(used_s));
    close(ends[0]);
    if (waitpid(pid, &status, 0) != pid || status != 0 || len != sizeof(used_s))
        bench_fail("a side of the comparison did not end well");
    return LOOKUPS / used_s;
}

int main(void)
{
    struct upstream upstream;
    double ours[ROUNDS], theirs[ROUNDS];
    upstream_start(&upstream);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ours[i] = measure(&upstream.addr, 2 * i, ours_run);
        theirs[i] = measure(&upstream.addr, 2 * i + 1, theirs_run);
    }
    upstream_stop(&upstream);
    double ours_median = bench_median(ours, ROUNDS), theirs_median = bench_median(theirs, ROUNDS);
    bench_report("uncached", ours_median, "lookups per CPU second");
    bench_report("uncached libunbound", theirs_median, "lookups per CPU second");
    bench_report_least("uncached ratio", ours_median / theirs_median, "", LEAST);
    return bench_missed() > 0;
}
