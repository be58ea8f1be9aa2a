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

/* Tokens stand in Route URIs; a strict router has moved one into the Request-URI (RFC 3261
 * 12.2.1.1), of which a Warning may tell. */
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

/* ---- bodies: what is hidden keeps its length, so that Content-Length stays true ---- */

/* Covers a part of the line that was copied to `line_at`, as far as there was room for it. */
static void cover(struct copy *copy, size_t line_at, struct slice line, struct slice secret)
{
    size_t at = line_at + (size_t)(secret.p - line.p);
    size_t end = at + secret.len < copy->len ? at + secret.len : copy->len;
    if (at < end)
        memset(copy->out + at, '*', end - at);
}

/* "inline:" and what comes up to the lifetime, the next parameter or the end (RFC 4568 9.1). */
static struct slice sdes_key(struct slice *rest)
{
    static const char name[] = "inline:";
    const size_t name_len = sizeof(name) - 1;
    size_t len = 0;
    while (rest->len > 0 && !slice_starts_with_nocase(*rest, SLICE("inline:")))
        *rest = slice_skip(*rest, 1);
    *rest = slice_skip(*rest, name_len);
    while (len < rest->len && !strchr("|; \t\r\n", rest->p[len]))
        len++;
    struct slice key = slice_make(rest->p, len);
    *rest = slice_skip(*rest, len);
    return key;
}

/* What follows the name, where the line begins with it; else empty. */
static struct slice after(struct slice line, struct slice name)
{
    return slice_starts_with_nocase(line, name) ? slice_trim(slice_skip(line, name.len))
                                                : slice_make(line.p, 0);
}

/* Keys of media in a line of SDP: RFC 4568 (SDES), RFC 4567 (MIKEY), RFC 4566 5.12 (k=). */
static void copy_sdp(struct copy *copy, struct slice line)
{
    static const char *const whole[] = {"a=key-mgmt:mikey ", "k=clear:", "k=base64:"};
    size_t at = copy->len;
    copy_add(copy, line);
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        cover(copy, at, line, after(line, slice_of(whole[i])));
    struct slice rest = after(line, SLICE("a=crypto:"));
    while (rest.len > 0)
        cover(copy, at, line, sdes_key(&rest));
}

static void copy_body(struct copy *copy, struct slice body, bool media_keys)
{
    if (media_keys)
        copy_add(copy, body);
    while (!media_keys && body.len > 0 && !copy->cut) {
        size_t len = slice_find(body, '\n');
        struct slice line = slice_make(body.p, len < body.len ? len + 1 : len);
        copy_sdp(copy, line);
        body = slice_skip(body, line.len);
    }
}

/* How long is the end of a line that stands here? 0: none does. */
static size_t line_end_len(struct slice text)
{
    return slice_starts_with(text, SLICE("\r\n")) ? 2 : slice_starts_with(text, SLICE("\n"));
}

static void copy_header(struct copy *copy, struct slice line, bool first)
{
    if (is_named(line, SLICE("Authorization")) || is_named(line, SLICE("Proxy-Authorization")))
        copy_credentials(copy, line);
    else if (first || is_named(line, SLICE("Route")) || is_named(line, SLICE("Record-Route")) ||
             is_named(line, SLICE("Warning")))
        copy_route(copy, line);
    else
        copy_add(copy, line);
}

size_t watch_redact(struct slice message, bool media_keys, char *out, size_t max, bool *cut)
{
    struct copy copy = {.out = out, .max = max};
    bool first = true;
    size_t skip;
    for (; (skip = line_end_len(message)) > 0; message = slice_skip(message, skip))
        copy_add(&copy, slice_make(message.p, skip)); /* before the message: RFC 3261 7.5 */
    while (message.len > 0 && !copy.cut) {
        size_t end = line_end_len(message);
        if (end > 0) {
            copy_add(&copy, slice_make(message.p, end));
            copy_body(&copy, slice_skip(message, end), media_keys);
            break;
        }
        struct slice line = line_of(message);
        copy_header(&copy, line, first);
        first = false;
        message = slice_skip(message, line.len);
    }
    *cut = copy.cut;
    return copy.len;
}
