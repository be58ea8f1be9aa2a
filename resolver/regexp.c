#include "resolver/regexp.h"

#include "base/chars.h"
#include "resolver/pattern.h"

#define OUT_MAX 512 /* octets of a result: no address is as long */

/* The field taken apart; all slices are of the field. */
struct parts {
    char delim;
    struct slice expression, replacement;
    bool fold;
};

/* Up to the next delimiter that is not escaped; *rest goes behind it. Returns whether there is one.
 */
static bool take_part(struct slice *rest, char delim, struct slice *part)
{
    for (size_t i = 0; i < rest->len; i++) {
        if (rest->p[i] == '\\') {
            i++;
        } else if (rest->p[i] == delim) {
            *part = slice_make(rest->p, i);
            *rest = slice_skip(*rest, i + 1);
            return true;
        }
    }
    return false;
}

static const char *split(struct slice field, struct parts *parts)
{
    if (field.len == 0)
        return "the expression is empty";
    parts->delim = field.p[0];
    if (parts->delim == '\\' || (parts->delim >= '1' && parts->delim <= '9') ||
        char_lower(parts->delim) == 'i')
        return "the expression begins with what cannot be a delimiter";
    struct slice rest = slice_skip(field, 1);
    if (!take_part(&rest, parts->delim, &parts->expression) ||
        !take_part(&rest, parts->delim, &parts->replacement))
        return "the expression has fewer than three delimiters";
    parts->fold = rest.len > 0;
    for (size_t i = 0; i < rest.len; i++)
        if (char_lower(rest.p[i]) != 'i')
            return "after the expression is something other than the flag \"i\"";
    return NULL;
}

/* The text being made. */
struct result {
    char text[OUT_MAX];
    size_t len, max;
    const char *fault;
};

static void result_add(struct result *result, struct slice bytes)
{
    if (bytes.len > result->max - result->len) {
        result->fault = "the result is too long";
        return;
    }
    if (bytes.len > 0)
        memcpy(result->text + result->len, bytes.p, bytes.len);
    result->len += bytes.len;
}

/* What a "\" and the octet after it stand for. */
static void result_add_escaped(struct result *result, const struct pattern *pattern,
                               const struct pattern_match *match, const char *escaped, char delim)
{
    if (*escaped == delim || *escaped == '\\') {
        result_add(result, slice_make(escaped, 1));
    } else if (*escaped < '1' || *escaped > '9') {
        result->fault = "the replacement has a \"\\\" before what is neither 1 to 9 nor delimiter";
    } else if ((unsigned)(*escaped - '0') > pattern->groups) {
        result->fault = "the replacement refers to a group that the expression does not have";
    } else {
        result_add(result, match->parts[*escaped - '0']);
    }
}

static void fill_in(struct result *result, const struct parts *parts, const struct pattern *pattern,
                    const struct pattern_match *match)
{
    struct slice rest = parts->replacement;
    while (rest.len > 0 && !result->fault) {
        if (rest.p[0] != '\\') {
            result_add(result, slice_make(rest.p, 1));
            rest = slice_skip(rest, 1);
            continue;
        }
        /* It cannot be last: then it would escape the delimiter. */
        result_add_escaped(result, pattern, match, rest.p + 1, parts->delim);
        rest = slice_skip(rest, 2);
    }
}

const char *resolver_regexp_apply(struct slice field, struct slice input, char *out, size_t size)
{
    struct parts parts;
    struct pattern pattern;
    struct pattern_match match;
    struct result result = {.max = size - 1 < OUT_MAX ? size - 1 : OUT_MAX};
    if (field.len > RESOLVER_REGEXP_MAX)
        return "the expression is longer than 255 octets";
    if (input.len > PATTERN_TEXT_MAX)
        return "what is asked for is too long for an expression";
    const char *fault = split(field, &parts);
    if (!fault)
        fault = pattern_compile(parts.expression, parts.delim, parts.fold, &pattern);
    if (fault)
        return fault;
    if (!pattern_match(&pattern, input, &match))
        return "the expression does not match";
    fill_in(&result, &parts, &pattern, &match);
    if (result.fault)
        return result.fault;
    return slice_to_cstr(slice_make(result.text, result.len), out, size) == 0
               ? NULL
               : "the result contains NUL";
}
