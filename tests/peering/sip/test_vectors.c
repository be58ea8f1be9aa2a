/* Every message of an INDEX.tsv (../shared/vectors/sip/README.md tells what its columns mean)
 * against parser and framer. Built twice: test_vectors_own reads ours, test_vectors reads those of
 * RFC 4475 and RFC 5118 where ../shared is beside the source tree or JUNCTOR_SHARED names it. */
#include "base/status.h"
#include "tests/peering/sip/sip_test.h"
#include "tests/peering/sip/vectors.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- expectations ---- */

static bool outcome_is_number(const char *outcomes)
{
    return outcomes[0] >= '1' && outcomes[0] <= '6';
}

static void parser_column_holds(void **state)
{
    const struct vectors *vectors = *state;

    for (size_t i = 0; i < vectors->count; i++) {
        const struct vector *vector = &vectors->vector[i];
        const char *expected = vector->column[COL_PARSER];
        struct parsed parsed;
        parse(&parsed, vector_bytes(vector), false);
        if (strcmp(expected, "accept") == 0)
            assert_row(parsed.status == 0, vector->column[COL_FILE]);
        else if (strcmp(expected, "reject") == 0)
            assert_row(parsed.status == STATUS_MALFORMED, vector->column[COL_FILE]);
        else
            assert_string_equal(expected, "either");
    }
}

/* What a proxy answers where the parser decides. */
static void udp_column_holds_where_the_parser_decides(void **state)
{
    const struct vectors *vectors = *state;

    for (size_t i = 0; i < vectors->count; i++) {
        const struct vector *vector = &vectors->vector[i];
        const char *outcomes = vector->column[COL_UDP];
        const char *name = vector->column[COL_FILE];
        char status[16];
        struct parsed parsed;

        parse(&parsed, vector_bytes(vector), false);
        if (parsed.status == 0) {
            bool only_parser = strcmp(outcomes, "400") == 0 || strcmp(outcomes, "505") == 0;
            assert_row(!only_parser, name);
            continue;
        }
        if (!outcome_is_number(outcomes)) {
            assert_row(outcome_has(outcomes, "drop"), name);
            assert_row(!sip_msg_can_answer(&parsed.msg), name);
            continue;
        }
        (void)snprintf(status, sizeof(status), "%u", parsed.fault.status);
        assert_row(outcome_has(outcomes, status), name);
        assert_row(sip_msg_can_answer(&parsed.msg), name);
    }
}

static void stream_column_holds_for_the_framer(void **state)
{
    const struct vectors *vectors = *state;

    for (size_t i = 0; i < vectors->count; i++) {
        const struct vector *vector = &vectors->vector[i];
        const char *outcomes = vector->column[COL_STREAM];
        const char *name = vector->column[COL_FILE];
        struct slice bytes = vector_bytes(vector);
        size_t scanned = 0;
        struct sip_frame frame = sip_frame(bytes, &scanned);

        if (outcome_has(outcomes, "two-messages")) {
            assert_row(frame.kind == SIP_FRAME_MESSAGE && frame.len < bytes.len, name);
            bytes = slice_skip(bytes, frame.skip + frame.len);
            scanned = 0;
            frame = sip_frame(bytes, &scanned);
            assert_row(frame.kind == SIP_FRAME_MESSAGE && frame.skip == 2, name);
            continue; /* dblreq has 5 more octets than its second Content-Length says */
        }
        if (outcome_has(outcomes, "close")) {
            assert_row(frame.kind == SIP_FRAME_BAD, name);
            continue;
        } else if (outcome_has(outcomes, "wait-then-close")) {
            assert_row(frame.kind == SIP_FRAME_INCOMPLETE, name);
            continue;
        }
        assert_row(frame.kind == SIP_FRAME_MESSAGE, name);
        assert_row(frame.skip + frame.len == bytes.len, name);
    }
}

/* ---- prefixes ---- */

/* Memory whose last byte is followed by a page that cannot be read. */
struct guarded {
    char *map;
    size_t map_len;
    char *end;
};

static struct guarded guarded_open(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (len + page - 1) / page * page;
    struct guarded guarded = {.map_len = room + page};

    guarded.map =
        mmap(NULL, guarded.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guarded.map, MAP_FAILED);
    guarded.end = guarded.map + room;
    assert_int_equal(mprotect(guarded.end, page, PROT_NONE), 0);
    return guarded;
}

/* A prefix frames as a message exactly where a message is complete, whether its bytes come one by
 * one (`scanned` is kept) or at once, and no prefix is read past its end. */
static void prefix_check(const struct vector *vector, struct slice prefix, struct sip_frame whole,
                         size_t *scanned)
{
    const char *name = vector->column[COL_FILE];
    struct parsed parsed;
    size_t fresh = 0;

    parse(&parsed, prefix, false);
    assert_row(parsed.status == 0 || parsed.fault.reason != NULL, name);
    parse(&parsed, prefix, true);
    struct sip_frame frame = sip_frame(prefix, &fresh);
    struct sip_frame kept = sip_frame(prefix, scanned);
    assert_row(frame.kind == kept.kind && frame.len == kept.len && frame.skip == kept.skip, name);
    if (whole.kind == SIP_FRAME_MESSAGE && prefix.len < whole.skip + whole.len)
        assert_row(frame.kind == SIP_FRAME_INCOMPLETE, name);
    if (frame.kind == SIP_FRAME_MESSAGE || frame.kind == SIP_FRAME_BAD)
        *scanned = 0;
}

static void no_prefix_is_read_past_its_end(void **state)
{
    const struct vectors *vectors = *state;
    struct guarded guarded = guarded_open(SIP_MAX_MESSAGE);

    for (size_t i = 0; i < vectors->count; i++) {
        const struct vector *vector = &vectors->vector[i];
        size_t whole_scanned = 0;
        size_t scanned = 0;
        struct sip_frame whole = sip_frame(vector_bytes(vector), &whole_scanned);
        for (size_t len = 0; len <= vector->len; len++) {
            char *begin = guarded.end - len;
            memcpy(begin, vector->bytes, len);
            prefix_check(vector, slice_make(begin, len), whole, &scanned);
        }
    }
    (void)munmap(guarded.map, guarded.map_len);
}

int main(void)
{
    static struct vectors vectors;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(parser_column_holds, &vectors),
        cmocka_unit_test_prestate(udp_column_holds_where_the_parser_decides, &vectors),
        cmocka_unit_test_prestate(stream_column_holds_for_the_framer, &vectors),
        cmocka_unit_test_prestate(no_prefix_is_read_past_its_end, &vectors),
    };
    char path[PATH_MAX];

#ifdef VECTORS_OWN
    vectors_own_index(path, sizeof(path));
#else
    vectors_shared_index(path, sizeof(path));
#endif
    if (!vectors_load(&vectors, path)) {
#ifdef VECTORS_OWN
        printf("Bail out! %s\n", path);
        return 1;
#else
        printf("1..0 # SKIP the SIP messages of ../shared: %s is not there\n", path);
        return 0;
#endif
    }
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    vectors_done(&vectors);
    return failures;
}
