/* From the text of an expression to its nodes: recursive descent over the grammar of POSIX
 * (XBD 9.5.3), each function one rule of it. */
#include "resolver/pattern.h"

#include "base/chars.h"

struct parser {
    struct slice rest;
    char delim;
    bool fold;
    unsigned depth;
    struct pattern *pattern;
    const char *fault; /* the first thing found wrong; nothing is parsed after it */
};

static uint16_t fail(struct parser *parser, const char *fault)
{
    if (!parser->fault)
        parser->fault = fault;
    return 0;
}

static uint16_t node_add(struct parser *parser, enum pattern_kind kind)
{
    struct pattern *pattern = parser->pattern;
    if (pattern->node_count == PATTERN_NODES_MAX)
        return fail(parser, "the expression has too many parts");
    struct pattern_node *node = &pattern->nodes[pattern->node_count];
    memset(node, 0, sizeof(*node));
    node->kind = kind;
    return (uint16_t)pattern->node_count++;
}

static struct pattern_node *node_at(struct parser *parser, uint16_t index)
{
    return &parser->pattern->nodes[index];
}

/* Does nothing after a fault. */
static void child_append(struct parser *parser, uint16_t parent, uint16_t child)
{
    if (parser->fault)
        return;
    struct pattern_node *node = node_at(parser, parent);
    if (node->last)
        node_at(parser, node->last)->next = child;
    else
        node->first = child;
    node_at(parser, child)->prev = node->last;
    node->last = child;
}

static bool at_char(const struct parser *parser, char c)
{
    return parser->rest.len > 0 && parser->rest.p[0] == c;
}

static bool take(struct parser *parser, char c)
{
    bool there = at_char(parser, c);
    if (there)
        parser->rest = slice_skip(parser->rest, 1);
    return there;
}

static char take_any(struct parser *parser)
{
    char c = parser->rest.p[0];
    parser->rest = slice_skip(parser->rest, 1);
    return c;
}

/* ---- sets ---- */

static void set_add(uint8_t set[32], char c)
{
    set[(uint8_t)c / 8] |= (uint8_t)(1U << ((uint8_t)c % 8));
}

static bool set_has(const uint8_t set[32], char c)
{
    return (set[(uint8_t)c / 8] >> ((uint8_t)c % 8)) & 1;
}

static void set_fold(uint8_t set[32])
{
    for (int i = 0; i < 26; i++) {
        char lower = (char)('a' + i), upper = (char)('A' + i);
        if (set_has(set, lower))
            set_add(set, upper);
        else if (set_has(set, upper))
            set_add(set, lower);
    }
}

static void set_add_range(uint8_t set[32], char first, char last)
{
    for (unsigned c = (uint8_t)first; c <= (uint8_t)last; c++)
        set_add(set, (char)c);
}

/* The classes of the POSIX locale (XBD 7.3.1), as pairs of first and last octet. */
static const struct {
    const char *name, *ranges;
} classes[] = {
    {"alnum", "09AZaz"}, {"alpha", "AZaz"},     {"blank", "\t\t  "}, {"cntrl", "\001\037\177\177"},
    {"digit", "09"},     {"graph", "!~"},       {"lower", "az"},     {"print", " ~"},
    {"space", "\t\r  "}, {"punct", "!/:@[`{~"}, {"upper", "AZ"},     {"xdigit", "09AFaf"}};

/* "[:name:]" within brackets; the "[:" is taken. */
static void take_class(struct parser *parser, uint8_t set[32])
{
    size_t len = slice_find(parser->rest, ':');
    struct slice name = slice_make(parser->rest.p, len);
    parser->rest = slice_skip(parser->rest, len);
    if (!take(parser, ':') || !take(parser, ']')) {
        fail(parser, "a \"[:\" without \":]\"");
        return;
    }
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (!slice_eq(name, slice_of(classes[i].name)))
            continue;
        for (const char *range = classes[i].ranges; *range; range += 2)
            set_add_range(set, range[0], range[1]);
        return;
    }
    fail(parser, "a character class that does not exist");
}

/* One end of a range, or a single octet. A "\" is itself here, but before the delimiter, which
 * cannot be written without it. */
static char take_bracketed(struct parser *parser)
{
    char c = take_any(parser);
    if (c == '\\' && at_char(parser, parser->delim))
        c = take_any(parser);
    return c;
}

static void take_range(struct parser *parser, uint8_t set[32])
{
    char first = take_bracketed(parser), last = first;
    bool is_range = parser->rest.len > 1 && parser->rest.p[0] == '-' && parser->rest.p[1] != ']';
    if (is_range) {
        take_any(parser);
        if (at_char(parser, '[')) {
            fail(parser, "a range that ends with '['");
            return;
        }
        last = take_bracketed(parser);
    }
    if ((uint8_t)last < (uint8_t)first)
        fail(parser, "a range that ends before it begins");
    else
        set_add_range(set, first, last);
}

static void take_bracket_item(struct parser *parser, uint8_t set[32])
{
    if (!at_char(parser, '[') || parser->rest.len < 2) {
        take_range(parser, set);
        return;
    }
    char kind = parser->rest.p[1];
    if (kind == '.' || kind == '=') {
        fail(parser, "a collating symbol or equivalence class, which depend on the locale");
    } else if (kind == ':') {
        parser->rest = slice_skip(parser->rest, 2);
        take_class(parser, set);
    } else {
        take_range(parser, set);
    }
}

/* What follows a "[". */
static uint16_t parse_bracket(struct parser *parser)
{
    uint8_t set[32] = {0};
    bool negated = take(parser, '^');
    bool first = true;
    while (!parser->fault && (first || !at_char(parser, ']'))) {
        if (parser->rest.len == 0)
            return fail(parser, "a \"[\" without \"]\"");
        take_bracket_item(parser, set);
        first = false;
    }
    take(parser, ']');
    if (parser->fold)
        set_fold(set);
    for (size_t i = 0; negated && i < sizeof(set); i++)
        set[i] = (uint8_t)~set[i];
    uint16_t node = node_add(parser, PATTERN_SET);
    if (!parser->fault)
        memcpy(node_at(parser, node)->set, set, sizeof(set));
    return node;
}

static uint16_t parse_char(struct parser *parser, char c)
{
    uint16_t node = node_add(parser, PATTERN_SET);
    if (parser->fault)
        return 0;
    set_add(node_at(parser, node)->set, c);
    if (parser->fold)
        set_fold(node_at(parser, node)->set);
    return node;
}

static uint16_t parse_any(struct parser *parser)
{
    uint16_t node = node_add(parser, PATTERN_SET);
    if (!parser->fault)
        memset(node_at(parser, node)->set, 0xff, sizeof(node_at(parser, node)->set));
    return node;
}

/* ---- the grammar ---- */

static uint16_t parse_choice(struct parser *parser);

/* What follows a "(". */
static uint16_t parse_group(struct parser *parser)
{
    unsigned number = ++parser->pattern->groups;
    if (++parser->depth > PATTERN_DEPTH_MAX)
        return fail(parser, "too many \"(\" within one another");
    uint16_t child = parse_choice(parser);
    parser->depth--;
    if (!take(parser, ')'))
        return fail(parser, "a \"(\" without \")\"");
    uint16_t node = node_add(parser, PATTERN_GROUP);
    child_append(parser, node, child);
    if (!parser->fault && number <= PATTERN_GROUPS_MAX)
        node_at(parser, node)->group = (uint8_t)number;
    return node;
}

static uint16_t parse_escaped(struct parser *parser)
{
    if (parser->rest.len == 0)
        return fail(parser, "a \"\\\" with nothing after it");
    char c = take_any(parser);
    if (char_is_alnum(c) && c != parser->delim)
        return fail(parser, "a \"\\\" before a letter or digit");
    return parse_char(parser, c);
}

static uint16_t parse_atom(struct parser *parser)
{
    char c = take_any(parser);
    switch (c) {
    case '(':
        return parse_group(parser);
    case '[':
        return parse_bracket(parser);
    case '\\':
        return parse_escaped(parser);
    case '.':
        return parse_any(parser);
    case '^':
        return node_add(parser, PATTERN_BEGIN);
    case '$':
        return node_add(parser, PATTERN_END);
    case '*':
    case '+':
    case '?':
    case '{':
        return fail(parser, "a repetition of nothing");
    default:
        return parse_char(parser, c);
    }
}

static unsigned take_count(struct parser *parser)
{
    size_t digits = 0;
    uint64_t count = 0;
    while (digits < parser->rest.len && char_is_digit(parser->rest.p[digits]))
        digits++;
    if (slice_to_u64(slice_make(parser->rest.p, digits), PATTERN_REPEAT_MAX, &count) != 0)
        fail(parser, "a repetition count that is missing or over 255");
    parser->rest = slice_skip(parser->rest, digits);
    return (unsigned)count;
}

/* "m}", "m,}" or "m,n}"; the "{" is taken. */
static void take_interval(struct parser *parser, struct pattern_node *repeat)
{
    unsigned min = take_count(parser), max = min;
    if (take(parser, ',')) {
        repeat->endless = at_char(parser, '}');
        max = repeat->endless ? 0 : take_count(parser);
    }
    if (!take(parser, '}'))
        fail(parser, "a \"{\" without \"}\"");
    else if (!repeat->endless && max < min)
        fail(parser, "a repetition whose most is less than its least");
    repeat->min = (uint8_t)min;
    repeat->max = (uint8_t)max;
}

static bool at_repetition(const struct parser *parser)
{
    return at_char(parser, '*') || at_char(parser, '+') || at_char(parser, '?') ||
           at_char(parser, '{');
}

/* An atom with the repetition after it, if there is one. */
static uint16_t parse_piece(struct parser *parser)
{
    uint16_t atom = parse_atom(parser);
    if (parser->fault || !at_repetition(parser))
        return atom;
    enum pattern_kind kind = node_at(parser, atom)->kind;
    uint16_t index = node_add(parser, PATTERN_REPEAT);
    if (parser->fault)
        return 0;
    struct pattern_node *repeat = node_at(parser, index);
    char c = take_any(parser);
    repeat->min = c == '+';
    repeat->max = 1;
    repeat->endless = c == '*' || c == '+';
    if (c == '{')
        take_interval(parser, repeat);
    child_append(parser, index, atom);
    if (kind == PATTERN_BEGIN || kind == PATTERN_END)
        return fail(parser, "a repetition of \"^\" or \"$\"");
    if (at_repetition(parser))
        return fail(parser, "a repetition of a repetition");
    return index;
}

static bool at_branch_end(const struct parser *parser)
{
    return parser->rest.len == 0 || at_char(parser, '|') || at_char(parser, ')');
}

static uint16_t parse_branch(struct parser *parser)
{
    if (at_branch_end(parser))
        return node_add(parser, PATTERN_EMPTY);
    uint16_t first = parse_piece(parser);
    if (parser->fault || at_branch_end(parser))
        return first;
    uint16_t sequence = node_add(parser, PATTERN_SEQUENCE);
    child_append(parser, sequence, first);
    while (!parser->fault && !at_branch_end(parser))
        child_append(parser, sequence, parse_piece(parser));
    return sequence;
}

static uint16_t parse_choice(struct parser *parser)
{
    uint16_t first = parse_branch(parser);
    if (parser->fault || !at_char(parser, '|'))
        return first;
    uint16_t choice = node_add(parser, PATTERN_CHOICE);
    child_append(parser, choice, first);
    while (!parser->fault && take(parser, '|'))
        child_append(parser, choice, parse_branch(parser));
    return choice;
}

const char *pattern_compile(struct slice expression, char delim, bool fold, struct pattern *pattern)
{
    struct parser parser = {.rest = expression, .delim = delim, .fold = fold, .pattern = pattern};
    pattern->node_count = 1;
    pattern->groups = 0;
    pattern->root = parse_choice(&parser);
    if (!parser.fault && parser.rest.len > 0) /* only this ends a choice before the end */
        fail(&parser, "a \")\" without \"(\"");
    return parser.fault;
}
