/* POSIX extended regular expressions over a short text (RFC 3402 section 3.2 takes them into DNS).
 *
 * The expressions come from strangers, so the C library's regcomp is not asked: it may take memory
 * and time without bound for 20 characters, knows more than the standard has, and its manual warns
 * of untrusted expressions. Here an expression becomes at most PATTERN_NODES_MAX nodes, and as the
 * text is short, the set of places where a match of one node may end is one machine word: each node
 * and each beginning is worked out once. No allocation, no locale, no backtracking.
 *
 * Of the matches the leftmost is taken, of those the longest; of its ways to match, the one where
 * each part in turn, from left to right, is as long as can be. What the standard leaves undefined
 * is refused: "\" before a letter or digit, a repetition of nothing or of a repetition, equivalence
 * classes and collating symbols. */
#ifndef JUNCTOR_RESOLVER_PATTERN_H
#define JUNCTOR_RESOLVER_PATTERN_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_NODES_MAX  384 /* an expression of 255 octets needs fewer, but for odd ones */
#define PATTERN_DEPTH_MAX  32  /* parentheses within parentheses */
#define PATTERN_REPEAT_MAX 255 /* RE_DUP_MAX of POSIX, the least that an implementation has */
#define PATTERN_TEXT_MAX   31  /* octets of the text: places 0..31 are one word */
#define PATTERN_GROUPS_MAX 9   /* groups that can be named; others only group */

enum pattern_kind {
    PATTERN_EMPTY,    /* matches nothing, everywhere */
    PATTERN_SET,      /* one octet of a set */
    PATTERN_BEGIN,    /* ^ */
    PATTERN_END,      /* $ */
    PATTERN_SEQUENCE, /* its children, one after the other */
    PATTERN_CHOICE,   /* one of its children */
    PATTERN_REPEAT,   /* its child, min to max times, or at least min times */
    PATTERN_GROUP     /* its child, remembered under `group` (0: not remembered) */
};

/* Links are indexes; 0 is none, for no child is made before the first node. */
struct pattern_node {
    enum pattern_kind kind;
    uint16_t first, last, next, prev;
    uint8_t min, max, group;
    bool endless; /* REPEAT: `max` does not count */
    uint8_t set[32];
};

struct pattern {
    struct pattern_node nodes[PATTERN_NODES_MAX]; /* nodes[0] is not used */
    size_t node_count;
    uint16_t root;
    unsigned groups;
};

/* `delim`    this octet may stand for itself after a "\", also within brackets
 * `fold`     letters match in either case
 * Returns NULL, or half a sentence for people about what is wrong. */
const char *pattern_compile(struct slice expression, char delim, bool fold,
                            struct pattern *pattern);

/* The parts of the text that matched: [0] the whole, [n] group n; p == NULL where it took no part.
 */
struct pattern_match {
    struct slice parts[PATTERN_GROUPS_MAX + 1];
};

/* Returns whether the text, at most PATTERN_TEXT_MAX octets, has a match. */
bool pattern_match(const struct pattern *pattern, struct slice text, struct pattern_match *match);

#endif
