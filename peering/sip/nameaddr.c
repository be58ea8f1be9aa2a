#include "peering/sip/internal.h"

#include "base/status.h"

/* "<" URI ">"; returns the byte after it. */
static enum sip_nameaddr_fault bracketed_uri_scan(const char *open, const char *end,
                                                  struct sip_nameaddr *nameaddr, const char **after)
{
    const char *close = memchr(open, '>', (size_t)(end - open));
    if (close == NULL)
        return SIP_NAMEADDR_BRACKETS;
    if (sip_uri_scan(slice_between(open + 1, close), &nameaddr->uri) != SIP_URI_OK)
        return SIP_NAMEADDR_URI;
    nameaddr->brackets = true;
    *after = close + 1;
    return SIP_NAMEADDR_OK;
}

/* A URI that is not in brackets ends before ";", "," and white space, and "?" may not be in it
 * (section 20). */
static enum sip_nameaddr_fault plain_uri_scan(const char *p, const char *end,
                                              struct sip_nameaddr *nameaddr, const char **after)
{
    const char *stop = p;
    while (stop < end && !sip_is(*stop, SIP_C_LWS) && *stop != ';' && *stop != ',')
        stop++;
    if (sip_uri_scan(slice_between(p, stop), &nameaddr->uri) != SIP_URI_OK ||
        nameaddr->uri.headers.len > 0)
        return SIP_NAMEADDR_URI;
    *after = stop;
    return SIP_NAMEADDR_OK;
}

static enum sip_nameaddr_fault address_scan(const char *p, const char *end,
                                            struct sip_nameaddr *nameaddr, const char **after)
{
    if (p < end && *p == '<')
        return bracketed_uri_scan(p, end, nameaddr, after);
    if (p < end && *p == '"') {
        const char *quoted_end = sip_quoted_end(p, end);
        if (quoted_end == NULL)
            return SIP_NAMEADDR_QUOTES;
        nameaddr->display = slice_between(p, quoted_end);
        p = sip_skip_lws(quoted_end, end);
        if (p == end || *p != '<')
            return SIP_NAMEADDR_DISPLAY;
        return bracketed_uri_scan(p, end, nameaddr, after);
    }
    const char *stop = sip_span(p, end, SIP_C_DISPLAY | SIP_C_LWS);
    if (stop < end && *stop == '<') {
        nameaddr->display = slice_trim(slice_between(p, stop));
        return bracketed_uri_scan(stop, end, nameaddr, after);
    }
    if (stop < end && *stop == ',')
        return SIP_NAMEADDR_DISPLAY;
    return plain_uri_scan(p, end, nameaddr, after);
}

static bool is_tag(struct slice name)
{
    return name.len == 3 && char_lower(name.p[0]) == 't' && char_lower(name.p[1]) == 'a' &&
           char_lower(name.p[2]) == 'g';
}

/* The tag is a token, and there is one: two would be read differently by different elements. */
static bool tag_take(const struct sip_param_item *item, struct slice *tag)
{
    if (tag->len > 0 || item->value.len == 0 || item->value.p[0] == '"')
        return false;
    *tag = item->value;
    return true;
}

enum sip_nameaddr_fault sip_nameaddr_scan(const char *p, const char *end,
                                          struct sip_nameaddr *nameaddr, struct slice *tag,
                                          const char **next)
{
    const char *begin = sip_skip_lws(p, end);
    struct slice found_tag = {NULL, 0};
    struct sip_param_item item;
    const char *after = begin;

    *nameaddr = (struct sip_nameaddr){.brackets = false};
    enum sip_nameaddr_fault fault = address_scan(begin, end, nameaddr, &after);
    if (fault != SIP_NAMEADDR_OK)
        return fault;

    const char *params = sip_skip_lws(after, end);
    for (;;) {
        const char *param_end = sip_param_next(after, end, &item);
        if (param_end == after)
            break;
        if (param_end == NULL)
            return SIP_NAMEADDR_PARAMS;
        if (is_tag(item.name) && tag != NULL && !tag_take(&item, &found_tag))
            return SIP_NAMEADDR_PARAMS;
        after = param_end;
    }
    if (after > params)
        nameaddr->params = slice_between(params, after);
    nameaddr->bytes = slice_between(begin, after);

    after = sip_skip_lws(after, end);
    if (after < end && *after != ',')
        return SIP_NAMEADDR_PARAMS;
    if (tag != NULL)
        *tag = found_tag;
    *next = after;
    return SIP_NAMEADDR_OK;
}

int sip_nameaddr_decode(struct slice text, struct sip_nameaddr *nameaddr)
{
    struct sip_nameaddr decoded;
    const char *next;

    if (sip_nameaddr_scan(text.p, slice_end(text), &decoded, NULL, &next) != SIP_NAMEADDR_OK ||
        next != slice_end(text))
        return STATUS_MALFORMED;
    *nameaddr = decoded;
    return 0;
}

int sip_nameaddr_next(struct slice *list, struct sip_nameaddr *nameaddr)
{
    const char *end = slice_end(*list);
    const char *p = sip_skip_lws(list->p, end);
    struct sip_nameaddr decoded;
    const char *next;

    if (p == end)
        return STATUS_NOTFOUND;
    if (sip_nameaddr_scan(p, end, &decoded, NULL, &next) != SIP_NAMEADDR_OK ||
        !sip_list_rest(next, end, list))
        return STATUS_MALFORMED;
    *nameaddr = decoded;
    return 0;
}
