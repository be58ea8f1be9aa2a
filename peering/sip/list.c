#include "peering/sip/internal.h"

#include "base/status.h"

bool sip_list_rest(const char *p, const char *end, struct slice *list)
{
    if (p < end) {
        p = sip_skip_lws(p + 1, end);
        if (p == end)
            return false;
    }
    *list = slice_between(p, end);
    return true;
}

/* The comma that ends the element, or `end`; NULL where quotes or brackets stay open. */
static const char *element_end(const char *p, const char *end)
{
    while (p < end && *p != ',') {
        if (*p == '"')
            p = sip_quoted_end(p, end);
        else if (*p == '<')
            p = memchr(p, '>', (size_t)(end - p));
        else
            p++;
        if (p == NULL)
            return NULL;
    }
    return p;
}

int sip_list_next(struct slice *list, struct slice *element)
{
    const char *end = slice_end(*list);
    const char *p = sip_skip_lws(list->p, end);

    if (p == end)
        return STATUS_NOTFOUND;
    const char *stop = element_end(p, end);
    if (stop == NULL)
        return STATUS_MALFORMED;
    struct slice found = slice_trim(slice_between(p, stop));
    if (found.len == 0 || !sip_list_rest(stop, end, list))
        return STATUS_MALFORMED;
    *element = found;
    return 0;
}
