#include "tests/peering/vectors/passed.h"

#include <stdio.h>

/* What the edge changes in a request: its own Routes, Max-Forwards, and the topmost Via. */
static bool is_edited(const struct sip_msg *was, const struct sip_header *header)
{
    return header->id == SIP_H_ROUTE || header->id == SIP_H_MAX_FORWARDS ||
           header == sip_msg_header(was, SIP_H_VIA, NULL);
}

/* Every other line is there, byte for byte and in the same order. */
static void compare_lines(const struct sip_msg *was, const struct sip_msg *is,
                          char fault[PASSED_FAULT_MAX])
{
    size_t at = 0;
    for (size_t i = 0; i < was->header_count; i++) {
        const struct sip_header *header = &was->headers[i];
        if (was->is_request && is_edited(was, header))
            continue;
        while (at < is->header_count && !slice_eq(is->headers[at].line, header->line))
            at++;
        if (at++ == is->header_count)
            snprintf(fault, PASSED_FAULT_MAX, "the header %.*s is not what it was",
                     SLICE_ARG(header->name));
    }
}

static void compare_ends(const struct sip_msg *was, const struct sip_msg *is,
                         char fault[PASSED_FAULT_MAX])
{
    compare_lines(was, is, fault);
    if (!slice_eq(was->body, is->body))
        snprintf(fault, PASSED_FAULT_MAX, "the body is not what it was");
    if (slice_end(is->body) != slice_end(is->bytes))
        snprintf(fault, PASSED_FAULT_MAX, "there are bytes after the body");
}

void passed_request(const struct sip_msg *was, const struct sip_msg *is,
                    char fault[PASSED_FAULT_MAX])
{
    unsigned due = was->has_max_forwards ? was->max_forwards - 1 : 70;
    compare_ends(was, is, fault);
    if (!slice_eq(was->method_text, is->method_text) || !slice_eq(was->uri_text, is->uri_text))
        snprintf(fault, PASSED_FAULT_MAX, "the request line became %.*s",
                 SLICE_ARG(is->start_line));
    if (!is->has_max_forwards || is->max_forwards != due)
        snprintf(fault, PASSED_FAULT_MAX, "Max-Forwards is %u where %u is due", is->max_forwards,
                 due);
}

void passed_response(const struct sip_msg *was, const struct sip_msg *is,
                     char fault[PASSED_FAULT_MAX])
{
    compare_ends(was, is, fault);
    if (!slice_eq(was->start_line, is->start_line))
        snprintf(fault, PASSED_FAULT_MAX, "the status line became %.*s", SLICE_ARG(is->start_line));
}
