/* Where a pattern matches. First the places where a match of each node may end (pattern_ends), then
 * which part of the text each remembered group took (give). */
#include "resolver/pattern.h"

typedef uint32_t places; /* bit n: before octet n of the text, or its end */

#define PLACES_MAX (PATTERN_TEXT_MAX + 1)

struct matcher {
    const struct pattern *pattern;
    struct slice text;
    struct pattern_match *match;
    places known[PATTERN_NODES_MAX]; /* beginnings for which `ends` is worked out */
    places ends[PATTERN_NODES_MAX][PLACES_MAX];
    places leads[PATTERN_NODES_MAX]; /* of a sequence's child: from where it and those after it
                                        lead to the sequence's end */
};

static const struct pattern_node *node_at(const struct matcher *matcher, uint16_t index)
{
    return &matcher->pattern->nodes[index];
}

static bool has(places set, size_t place)
{
    return (set >> place) & 1;
}

static places ends_of(struct matcher *matcher, uint16_t index, size_t begin);

/* The ends from any of these beginnings. */
static places ends_from(struct matcher *matcher, uint16_t index, places begins)
{
    places ends = 0;
    for (size_t begin = 0; begin <= matcher->text.len; begin++)
        if (has(begins, begin))
            ends |= ends_of(matcher, index, begin);
    return ends;
}

/* ---- where a match may end ---- */

static places set_ends(const struct matcher *matcher, const struct pattern_node *node, size_t begin)
{
    if (begin == matcher->text.len)
        return 0;
    uint8_t c = (uint8_t)matcher->text.p[begin];
    return (node->set[c / 8] >> (c % 8)) & 1 ? (places)1 << (begin + 1) : 0;
}

static places sequence_ends(struct matcher *matcher, const struct pattern_node *node, size_t begin)
{
    places at = (places)1 << begin;
    for (uint16_t child = node->first; child && at; child = node_at(matcher, child)->next)
        at = ends_from(matcher, child, at);
    return at;
}

static places choice_ends(struct matcher *matcher, const struct pattern_node *node, size_t begin)
{
    places ends = 0;
    for (uint16_t child = node->first; child; child = node_at(matcher, child)->next)
        ends |= ends_of(matcher, child, begin);
    return ends;
}

/* After more rounds than the text has octets one of them took nothing, and could as well be left
 * out or done again: the places do not change any more. */
static size_t rounds_that_count(const struct matcher *matcher, size_t rounds)
{
    size_t enough = matcher->text.len + 1;
    return rounds < enough ? rounds : enough;
}

static places repeat_ends(struct matcher *matcher, const struct pattern_node *node, size_t begin)
{
    places at = (places)1 << begin;
    for (size_t round = rounds_that_count(matcher, node->min); round > 0; round--)
        at = ends_from(matcher, node->first, at);
    places ends = at;
    for (size_t round = node->min; node->endless || round < node->max; round++) {
        at = ends_from(matcher, node->first, at);
        if ((at & ~ends) == 0)
            break;
        ends |= at;
    }
    return ends;
}

static places work_out(struct matcher *matcher, const struct pattern_node *node, size_t begin)
{
    switch (node->kind) {
    case PATTERN_EMPTY:
        return (places)1 << begin;
    case PATTERN_SET:
        return set_ends(matcher, node, begin);
    case PATTERN_BEGIN:
        return begin == 0 ? 1 : 0;
    case PATTERN_END:
        return begin == matcher->text.len ? (places)1 << begin : 0;
    case PATTERN_SEQUENCE:
        return sequence_ends(matcher, node, begin);
    case PATTERN_CHOICE:
        return choice_ends(matcher, node, begin);
    case PATTERN_REPEAT:
        return repeat_ends(matcher, node, begin);
    case PATTERN_GROUP:
        return ends_of(matcher, node->first, begin);
    }
    return 0;
}

static places ends_of(struct matcher *matcher, uint16_t index, size_t begin)
{
    if (!has(matcher->known[index], begin)) {
        matcher->ends[index][begin] = work_out(matcher, node_at(matcher, index), begin);
        matcher->known[index] |= (places)1 << begin;
    }
    return matcher->ends[index][begin];
}

/* ---- which part each group took ---- */

/* The last place of a set that is not empty. */
static size_t last_of(places set)
{
    size_t place = 0;
    while (set >>= 1)
        place++;
    return place;
}

/* The beginnings from which the node has an end among `ends`. */
static places begins_of(struct matcher *matcher, uint16_t index, places ends)
{
    places begins = 0;
    for (size_t begin = 0; begin <= matcher->text.len; begin++)
        if (ends_of(matcher, index, begin) & ends)
            begins |= (places)1 << begin;
    return begins;
}

static void give(struct matcher *matcher, uint16_t index, size_t begin, size_t end);

static void sequence_give(struct matcher *matcher, const struct pattern_node *node, size_t begin,
                          size_t end)
{
    places leads = (places)1 << end;
    for (uint16_t child = node->last; child; child = node_at(matcher, child)->prev) {
        matcher->leads[child] = leads;
        leads = begins_of(matcher, child, leads);
    }
    for (uint16_t child = node->first; child; child = node_at(matcher, child)->next) {
        size_t to = last_of(ends_of(matcher, child, begin) & matcher->leads[child]);
        give(matcher, child, begin, to);
        begin = to;
    }
}

static void choice_give(struct matcher *matcher, const struct pattern_node *node, size_t begin,
                        size_t end)
{
    for (uint16_t child = node->first; child; child = node_at(matcher, child)->next) {
        if (has(ends_of(matcher, child, begin), end)) {
            give(matcher, child, begin, end);
            return;
        }
    }
}

/* leads[n]: the places from where exactly n rounds lead to the end. */
static void rounds_lead(struct matcher *matcher, const struct pattern_node *node, size_t end,
                        places leads[PLACES_MAX + 1])
{
    leads[0] = (places)1 << end;
    for (size_t n = 1; n <= PLACES_MAX; n++)
        leads[n] = begins_of(matcher, node->first, leads[n - 1]);
}

/* The places from where min to max rounds lead to the end. */
static places lead_within(const struct matcher *matcher, const places leads[PLACES_MAX + 1],
                          size_t min, size_t max)
{
    places set = 0;
    max = rounds_that_count(matcher, max);
    for (size_t n = rounds_that_count(matcher, min); n <= max; n++)
        set |= leads[n];
    return set;
}

/* Each round in turn takes as much as it can. Those that must be there and take nothing come last,
 * and are all alike. */
static void repeat_give(struct matcher *matcher, const struct pattern_node *node, size_t begin,
                        size_t end)
{
    places leads[PLACES_MAX + 1];
    size_t min = rounds_that_count(matcher, node->min);
    size_t max = node->endless ? SIZE_MAX : node->max;
    if (begin < end)
        rounds_lead(matcher, node, end, leads);
    while (begin < end) {
        min -= min > 0;
        max -= max < SIZE_MAX;
        size_t to =
            last_of(ends_of(matcher, node->first, begin) & lead_within(matcher, leads, min, max));
        give(matcher, node->first, begin, to);
        begin = to;
    }
    if (min > 0)
        give(matcher, node->first, end, end);
}

/* The node matches from `begin` to `end`: tells the groups in it what they took. */
static void give(struct matcher *matcher, uint16_t index, size_t begin, size_t end)
{
    const struct pattern_node *node = node_at(matcher, index);
    switch (node->kind) {
    case PATTERN_EMPTY:
    case PATTERN_SET:
    case PATTERN_BEGIN:
    case PATTERN_END:
        return;
    case PATTERN_SEQUENCE:
        sequence_give(matcher, node, begin, end);
        return;
    case PATTERN_CHOICE:
        choice_give(matcher, node, begin, end);
        return;
    case PATTERN_REPEAT:
        repeat_give(matcher, node, begin, end);
        return;
    case PATTERN_GROUP:
        if (node->group)
            matcher->match->parts[node->group] =
                slice_between(matcher->text.p + begin, matcher->text.p + end);
        give(matcher, node->first, begin, end);
        return;
    }
}

bool pattern_match(const struct pattern *pattern, struct slice text, struct pattern_match *match)
{
    struct matcher matcher;
    if (text.len > PATTERN_TEXT_MAX)
        return false;
    matcher.pattern = pattern;
    matcher.text = text;
    matcher.match = match;
    memset(matcher.known, 0, sizeof(matcher.known));
    for (size_t begin = 0; begin <= text.len; begin++) {
        places ends = ends_of(&matcher, pattern->root, begin);
        if (!ends)
            continue;
        size_t end = last_of(ends);
        memset(match, 0, sizeof(*match));
        match->parts[0] = slice_between(text.p + begin, text.p + end);
        give(&matcher, pattern->root, begin, end);
        return true;
    }
    return false;
}
