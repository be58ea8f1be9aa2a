/* Whom a message is about. */
#include "peering/watch/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int watch_filter_read(const char *text, struct watch_filter *filter, struct store_fault *fault)
{
    const char *at = strrchr(text, '@');
    *filter = (struct watch_filter){.domain = ""};
    if (!text[0])
        return 0;
    if (store_domain_canonical(slice_of(at ? at + 1 : text), filter->domain, fault) != 0)
        return -EINVAL;
    if (!at)
        return 0;
    if (store_user_canonical(slice_between(text, at), filter->user, fault) != 0)
        return -EINVAL;
    snprintf(filter->address, sizeof(filter->address), "%s@%s", filter->user, filter->domain);
    return 0;
}

static bool uri_fits(const struct watch_filter *filter, const struct sip_uri *uri)
{
    char user[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
    if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS)
        return false;
    bool here = slice_eq_nocase(uri->host, slice_of(filter->domain));
    if (!filter->user[0])
        return here;
    int len = sip_unescape(uri->user, user, sizeof(user));
    if (len < 0)
        return false;
    struct slice name = slice_make(user, (size_t)len);
    return (here && slice_eq_nocase(name, slice_of(filter->user))) ||
           slice_eq_nocase(name, slice_of(filter->address)); /* the form of a port: design 3.2 */
}

static bool asserted_fits(const struct watch_filter *filter, const struct sip_msg *msg)
{
    for (const struct sip_header *h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, NULL); h;
         h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, h)) {
        struct slice list = h->value;
        struct sip_nameaddr identity;
        while (sip_nameaddr_next(&list, &identity) == 0)
            if (uri_fits(filter, &identity.uri))
                return true;
    }
    return false;
}

bool watch_filter_fits(const struct watch_filter *filter, const struct watch_hop *hop,
                       const struct sip_msg *msg)
{
    if (!filter->domain[0])
        return true;
    if (!filter->user[0] && strcmp(hop->peer, filter->domain) == 0)
        return true;
    return uri_fits(filter, &msg->from.uri) || uri_fits(filter, &msg->to.uri) ||
           (msg->is_request && uri_fits(filter, &msg->uri)) || asserted_fits(filter, msg);
}
