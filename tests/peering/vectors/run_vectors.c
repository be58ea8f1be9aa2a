/* run-vectors INDEX.tsv: checks the columns parser, proxy_udp and proxy_stream of every row
 * (../shared/vectors/sip/README.md tells what their words mean), the proxy's over real sockets
 * against an edge in this process: from a core over UDP and TCP, and from a peer over TLS. Prints a
 * line for each vector that failed, with what was expected and seen, then "N passed, N failed".
 *
 * Without INDEX.tsv it is a test of "make check", which speaks TAP, of our own vectors and of those
 * in ../shared where they are there. */
#include "base/status.h"
#include "tests/peering/sip/sip_test.h"
#include "tests/peering/vectors/house.h"
#include "tests/peering/vectors/peer.h"
#include "tests/peering/vectors/trial.h"

#include <limits.h>
#include <stdlib.h>

#define REPORT_MAX 2048
#define TRIALS     3 /* of each vector */

/* ---- outcomes ---- */

/* Every message of the octets was passed on, or refused by routing or policy. */
static bool was_handled(const struct vector *vector, const struct seen *seen)
{
    size_t messages = seen->requests ? seen->requests : 1;
    bool is_response = strcmp(vector->column[COL_KIND], "rsp") == 0;
    if (seen->closed || seen->forwards + seen->policies != messages)
        return false;
    return is_response || seen->answers == seen->requests;
}

static bool word_holds(struct slice word, const struct vector *vector, const struct seen *seen)
{
    bool silent = seen->forwards == 0 && seen->answers == 0;
    uint64_t status;
    if (seen->fault[0])
        return false;
    if (slice_to_u64(word, 699, &status) == 0)
        return seen->answers == 1 && seen->status == status && seen->forwards == 0;
    if (slice_eq(word, SLICE("forward")) || slice_eq(word, SLICE("forward-repaired")))
        return was_handled(vector, seen);
    /* What follows the two may cost the connection, and then their answers. */
    if (slice_eq(word, SLICE("two-messages")))
        return seen->forwards + seen->policies == seen->requests;
    if (slice_eq(word, SLICE("drop")) || slice_eq(word, SLICE("consume")))
        return silent && !seen->closed;
    if (slice_eq(word, SLICE("close")))
        return seen->closed && seen->forwards == 0 &&
               (seen->answers == 0 || seen->status == 400 || seen->status == 513);
    if (slice_eq(word, SLICE("wait-then-close")))
        return silent && seen->closed && seen->after_ms >= TRIAL_BRIEF_MS;
    return false;
}

static bool outcome_holds(const char *outcomes, const struct vector *vector,
                          const struct seen *seen)
{
    struct slice word;
    while (outcome_next(&outcomes, &word))
        if (word_holds(word, vector, seen))
            return true;
    return false;
}

static enum trial_awaits awaited(const char *outcomes)
{
    if (outcome_has(outcomes, "two-messages"))
        return TRIAL_ALL;
    if (outcome_has(outcomes, "drop"))
        return TRIAL_SILENCE;
    if (outcome_has(outcomes, "close"))
        return TRIAL_CLOSE;
    if (outcome_has(outcomes, "wait-then-close"))
        return TRIAL_TIMEOUT;
    return TRIAL_ANSWER;
}

/* ---- one vector ---- */

struct report {
    char text[REPORT_MAX]; /* what was not as expected; "" */
    size_t len;
    unsigned forwarded, by_policy; /* trials where it was not answered as malformed */
};

__attribute__((format(printf, 2, 3))) static void report_add(struct report *report,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len =
        vsnprintf(report->text + report->len, sizeof(report->text) - report->len, format, args);
    va_end(args);
    report->len += (size_t)len;
    if (report->len >= sizeof(report->text))
        report->len = sizeof(report->text) - 1;
}

static void describe(struct report *report, const struct seen *seen)
{
    if (seen->forwards)
        report_add(report, " forwarded %zu", seen->forwards);
    if (seen->answers)
        report_add(report, " answered %u", seen->status);
    if (seen->closed)
        report_add(report, " closed after %llu ms", (unsigned long long)seen->after_ms);
    if (seen->fault[0])
        report_add(report, " \"%s\"", seen->fault);
    else if (!seen->forwards && !seen->answers && !seen->closed)
        report_add(report, " nothing");
}

static void check_parser(const struct vector *vector, struct report *report)
{
    const char *expected = vector->column[COL_PARSER];
    struct parsed parsed;
    parse(&parsed, vector_bytes(vector), false);
    bool accepted = parsed.status == 0;
    if (strcmp(expected, accepted ? "reject" : "accept") == 0)
        report_add(report, "; parser: expected %s, seen %s", expected,
                   accepted ? "accept" : parsed.fault.reason);
}

static void check_proxy(const struct vector *vector, bool stream, const struct peer *peer,
                        struct report *report)
{
    const char *outcomes = vector->column[stream ? COL_STREAM : COL_UDP];
    const struct trial trial = {vector, stream, peer, awaited(outcomes)};
    struct seen seen;
    trial_run(&trial, &seen);
    report->forwarded += seen.forwards > 0;
    report->by_policy += seen.policies > 0;
    if (outcome_holds(outcomes, vector, &seen))
        return;
    report_add(report, "; %s%s: expected %s, seen", stream ? "proxy_stream" : "proxy_udp",
               peer ? " (TLS)" : "", outcomes);
    describe(report, &seen);
}

static void check_vector(const struct vector *vector, const struct peer *peer,
                         struct report *report)
{
    *report = (struct report){.len = 0};
    check_parser(vector, report);
    check_proxy(vector, false, NULL, report);
    check_proxy(vector, true, NULL, report);
    check_proxy(vector, true, peer, report);
}

/* ---- an index ---- */

struct sum {
    unsigned passed, failed, forwarded, by_policy;
};

static void check_index(const struct vectors *vectors, bool tap, struct sum *sum)
{
    struct peer peer;
    peer_open(&peer, HOUSE_CALLERS);
    for (size_t i = 0; i < vectors->count; i++) {
        const struct vector *vector = &vectors->vector[i];
        const char *name = vector->column[COL_FILE];
        struct report report;
        check_vector(vector, &peer, &report);
        bool good = report.len == 0;
        sum->passed += good;
        sum->failed += !good;
        sum->forwarded += report.forwarded;
        sum->by_policy += report.by_policy;
        if (tap)
            printf("%s %u - %s%s\n", good ? "ok" : "not ok", sum->passed + sum->failed, name,
                   report.text);
        else if (!good)
            printf("%s: %s\n", name, report.text + 2);
        (void)fflush(stdout);
    }
    peer_close(&peer);
}

static int check_given(const char *index)
{
    struct vectors vectors;
    struct sum sum = {.passed = 0};
    if (!vectors_load(&vectors, index)) {
        (void)fprintf(stderr, "%s: no such index, or it has no rows\n", index);
        return 1;
    }
    check_index(&vectors, false, &sum);
    printf("%u forwarded and %u refused by routing or policy, of %zu sent\n", sum.forwarded,
           sum.by_policy, TRIALS * vectors.count);
    printf("%u passed, %u failed\n", sum.passed, sum.failed);
    vectors_done(&vectors);
    return sum.failed ? 1 : 0;
}

static int check_known(void)
{
    struct vectors own, shared = {.count = 0};
    struct sum sum = {.passed = 0};
    char path[PATH_MAX];
    vectors_own_index(path, sizeof(path));
    if (!vectors_load(&own, path)) {
        printf("Bail out! %s\n", path);
        return 1;
    }
    vectors_shared_index(path, sizeof(path));
    if (!vectors_load(&shared, path))
        printf("# %s is not there\n", path);
    printf("1..%zu\n", own.count + shared.count);
    check_index(&own, true, &sum);
    check_index(&shared, true, &sum);
    vectors_done(&own);
    vectors_done(&shared);
    return sum.failed ? 1 : 0;
}

int main(int argc, char *argv[])
{
    if (argc > 2) {
        (void)fprintf(stderr, "usage: run-vectors [INDEX.tsv]\n");
        return 2;
    }
    return argc == 2 ? check_given(argv[1]) : check_known();
}
