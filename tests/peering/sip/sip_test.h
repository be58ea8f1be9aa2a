/* Helpers of the tests of sip/: messages as text, slices compared with text. */
#ifndef JUNCTOR_TESTS_PEERING_SIP_SIP_TEST_H
#define JUNCTOR_TESTS_PEERING_SIP_SIP_TEST_H

#include "base/arena.h"
#include "peering/sip/sip.h"
#include "tests/test.h"

#include <stdio.h>

static inline void assert_slice_(struct slice got, struct slice expected, const char *file,
                                 int line)
{
    if (slice_eq(got, expected))
        return;
    print_error("got      \"%.*s\"\nexpected \"%.*s\"\n", SLICE_ARG(got), SLICE_ARG(expected));
    _fail(file, line);
}
#define assert_slice(got, expected) assert_slice_((got), slice_of(expected), __FILE__, __LINE__)

/* Fails where `condition` does not hold, saying which row of a table it was. */
#define assert_row(condition, text)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("row: %s\n", (text));                                                      \
            assert_true(condition);                                                                \
        }                                                                                          \
    } while (0)

/* A message with room for its index. */
struct parsed {
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg msg;
    struct sip_fault fault;
    int status;
};

static inline void parse(struct parsed *parsed, struct slice bytes, bool stream)
{
    parsed->fault = (struct sip_fault){0, NULL};
    parsed->status = sip_msg_parse(bytes, stream, parsed->headers, SIP_MAX_HEADERS, &parsed->msg,
                                   &parsed->fault);
}

static inline void parse_good(struct parsed *parsed, const char *text)
{
    parse(parsed, slice_of(text), false);
    if (parsed->status != 0)
        print_error("refused: %s\n", parsed->fault.reason);
    assert_int_equal(parsed->status, 0);
}

#endif
