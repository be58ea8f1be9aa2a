#include "peering/sip/internal.h"

#include <errno.h>

const char *sip_param_next(const char *p, const char *end, struct sip_param_item *item)
{
    const char *semicolon = sip_skip_lws(p, end);
    if (semicolon == end || *semicolon != ';')
        return p;

    const char *name = sip_skip_lws(semicolon + 1, end);
    const char *after = sip_span(name, end, SIP_C_TOKEN | SIP_C_UPARAM);
    if (after == name)
        return NULL;
    item->name = slice_between(name, after);
    item->value = slice_make(after, 0);

    const char *equal = sip_skip_lws(after, end);
    if (equal < end && *equal == '=') {
        const char *value = sip_skip_lws(equal + 1, end);
        if (value < end && *value == '"')
            after = sip_quoted_end(value, end);
        else
            after = sip_span(value, end, SIP_C_VALUE);
        if (after == NULL || after == value)
            return NULL;
        item->value = slice_between(value, after);
    }
    item->bytes = slice_between(name, after);
    return after;
}

bool sip_param(struct slice params, const char *name, struct slice *value)
{
    struct slice wanted = slice_of(name);
    struct sip_param_item item;
    const char *end = slice_end(params);

    for (const char *p = params.p, *next; p < end; p = next) {
        next = sip_param_next(p, end, &item);
        if (next == NULL || next == p)
            return false;
        if (slice_eq_nocase(item.name, wanted)) {
            if (value != NULL)
                *value = item.value;
            return true;
        }
    }
    return false;
}

/* Is `name`, its %HH escapes undone, the lower-case `wanted`? */
static bool escaped_name_is(struct slice name, struct slice wanted)
{
    const char *p = name.p;
    const char *end = slice_end(name);

    for (size_t i = 0; i < wanted.len; i++) {
        if (p == end)
            return false;
        char c = *p++;
        if (c == '%' && end - p >= 2) {
            c = (char)(char_hex(p[0]) * 16 + char_hex(p[1]));
            p += 2;
        }
        if (char_lower(c) != char_lower(wanted.p[i]))
            return false;
    }
    return p == end;
}

bool sip_uri_param(const struct sip_uri *uri, const char *name, struct slice *value)
{
    if (slice_find(uri->params, '%') == uri->params.len)
        return sip_param(uri->params, name, value);

    struct slice wanted = slice_of(name);
    struct sip_param_item item;
    const char *end = slice_end(uri->params);
    for (const char *p = uri->params.p, *next; p < end; p = next) {
        next = sip_param_next(p, end, &item);
        if (next == NULL || next == p)
            return false;
        if (escaped_name_is(item.name, wanted)) {
            if (value != NULL)
                *value = item.value;
            return true;
        }
    }
    return false;
}

int sip_unescape(struct slice text, char *out, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++, len++) {
        char c = text.p[i];
        if (c == '%') {
            int high = text.len - i > 2 ? char_hex(text.p[i + 1]) : -1;
            int low = text.len - i > 2 ? char_hex(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -EINVAL;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (len == size)
            return -ERANGE;
        out[len] = c;
    }
    return (int)len;
}
