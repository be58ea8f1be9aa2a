/* What nobody should see who looks over the operator's shoulder. Line by line and without a parser:
 * a message that cannot be parsed has secrets too. */
#include "peering/watch/watch.h"

#include "base/chars.h"

#include <string.h>

#define TOKEN_LEAST 40 /* characters; a user part of a Route URI that has fewer is no token */

struct copy {
    char *out;
    size_t len, max;
    bool cut;
};

static void copy_add(struct copy *copy, struct slice bytes)
{
    size_t room = copy->max - copy->len;
    size_t len = bytes.len < room ? bytes.len : room;
    if (len > 0)
        memcpy(copy->out + copy->len, bytes.p, len);
    copy->len += len;
    copy->cut |= len < bytes.len;
}

/* What dots stand for must be longer than they are. */
static void copy_dots(struct copy *copy, struct slice secret)
{
    copy_add(copy, secret.len < 3 ? secret : SLICE("..."));
}

/* "Name: Scheme secret", folded or not: the secret alone goes. */
static void copy_credentials(struct copy *copy, struct slice line)
{
    struct slice value = slice_trim(slice_skip(line, slice_find(line, ':') + 1));
    size_t scheme = 0;
    while (scheme < value.len && !strchr(" \t\r\n", value.p[scheme]))
        scheme++;
    struct slice secret = slice_trim(slice_skip(value, scheme));
    if (secret.len == 0)
        secret = value;
    copy_add(copy, slice_between(line.p, secret.p));
    copy_dots(copy, secret);
    copy_add(copy, slice_between(slice_end(secret), slice_end(line)));
}

static bool is_token_char(char c)
{
    return char_is_alnum(c) || c == '-' || c == '_';
}

/* The token that begins after "sip:" or "sips:" here; 0: none does. */
static size_t token_at(struct slice text)
{
    size_t len = 0;
    while (len < text.len && is_token_char(text.p[len]))
        len++;
    return len >= TOKEN_LEAST && len < text.len && text.p[len] == '@' ? len : 0;
}

static void copy_route(struct copy *copy, struct slice line)
{
    while (line.len > 0) {
        size_t colon = slice_find(line, ':');
        struct slice rest = slice_skip(line, colon + 1);
        size_t token = token_at(rest);
        copy_add(copy, slice_make(line.p, line.len - rest.len));
        if (token > 0) {
            copy_add(copy, slice_make(rest.p, WATCH_SHOWN_TOKEN));
            copy_add(copy, SLICE("..."));
        }
        line = slice_skip(rest, token);
    }
}

/* The line with the lines that continue it. */
static struct slice line_of(struct slice text)
{
    size_t len = 0;
    do {
        struct slice rest = slice_skip(text, len);
        size_t end = slice_find(rest, '\n');
        len += end < rest.len ? end + 1 : end;
    } while (len < text.len && (text.p[len] == ' ' || text.p[len] == '\t'));
    return slice_make(text.p, len);
}

static bool is_named(struct slice line, struct slice name)
{
    struct slice rest = slice_skip(line, name.len);
    if (!slice_starts_with_nocase(line, name))
        return false;
    while (rest.len > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t'))
        rest = slice_skip(rest, 1);
    return rest.len > 0 && rest.p[0] == ':';
}

size_t watch_redact(struct slice message, char *out, size_t max, bool *cut)
{
    struct copy copy = {.out = out, .max = max};
    while (message.len > 0 && !copy.cut) {
        struct slice line = line_of(message);
        if (slice_trim(line).len == 0) { /* the body begins */
            copy_add(&copy, message);
            break;
        }
        if (is_named(line, SLICE("Authorization")) || is_named(line, SLICE("Proxy-Authorization")))
            copy_credentials(&copy, line);
        else if (is_named(line, SLICE("Route")) || is_named(line, SLICE("Record-Route")))
            copy_route(&copy, line);
        else
            copy_add(&copy, line);
        message = slice_skip(message, line.len);
    }
    *cut = copy.cut;
    return copy.len;
}
