#include "peering/proxy/port_form.h"

#include "base/status.h"
#include "peering/proxy/told.h"

#include <string.h>

static bool is_sip(const struct sip_uri *uri)
{
    return uri->scheme == SIP_SCHEME_SIP || uri->scheme == SIP_SCHEME_SIPS;
}

/* Where the user part is split: the last '@', which can only be there escaped; else its length. */
static size_t split_of(struct slice user)
{
    for (size_t i = user.len; i >= 3; i--)
        if (memcmp(user.p + i - 3, "%40", 3) == 0)
            return i - 3;
    return user.len;
}

bool port_form_address(const struct sip_uri *uri, struct store_address *address)
{
    struct store_address read;
    size_t split = is_sip(uri) ? split_of(uri->user) : 0;
    if (split == 0 || split == uri->user.len ||
        store_user_canonical(slice_make(uri->user.p, split), read.user, NULL) != 0 ||
        store_domain_canonical(slice_skip(uri->user, split + 3), read.domain, NULL) != 0)
        return false;
    *address = read;
    return true;
}

/* The only Contact of a message. */
static bool only_contact(const struct sip_msg *msg, struct sip_nameaddr *contact)
{
    const struct sip_header *header = sip_msg_header(msg, SIP_H_CONTACT, NULL);
    struct sip_nameaddr second;
    if (!header || sip_msg_header(msg, SIP_H_CONTACT, header))
        return false;
    struct slice list = header->value;
    return sip_nameaddr_next(&list, contact) == 0 &&
           sip_nameaddr_next(&list, &second) == STATUS_NOTFOUND;
}

/* The Contact's own parameter counts before the header (RFC 3261 section 21.3.3). */
static unsigned lifetime_s(const struct sip_msg *response, const struct sip_nameaddr *contact)
{
    const struct sip_header *header = sip_msg_header_named(response, "Expires");
    struct slice text = header ? header->value : SLICE("");
    uint64_t seconds;
    sip_param(contact->params, "expires", &text);
    if (slice_to_u64(text, UINT32_MAX, &seconds) != 0)
        return TOLD_DEFAULT_S;
    return seconds > TOLD_LONGEST_S ? TOLD_LONGEST_S : (unsigned)seconds;
}

bool port_form_read(const struct sip_msg *response, const struct store_address *address, bool sips,
                    struct port_form *form)
{
    struct sip_nameaddr contact;
    struct store_address named;
    struct port_form read;
    if (response->status != 302 || !only_contact(response, &contact) ||
        !port_form_address(&contact.uri, &named) || strcmp(named.user, address->user) != 0 ||
        strcmp(named.domain, address->domain) != 0)
        return false;
    const struct sip_uri *uri = &contact.uri;
    if (uri->host_kind != SIP_HOST_NAME || uri->port || uri->headers.len ||
        sip_uri_param(uri, "maddr", NULL) || (sips && uri->scheme != SIP_SCHEME_SIPS) ||
        store_domain_canonical(uri->host, read.host, NULL) != 0)
        return false;
    read.for_s = lifetime_s(response, &contact);
    *form = read;
    return true;
}

bool port_form_poses(const struct sip_msg *response)
{
    if (response->status < 300 || response->status > 399)
        return false;
    for (const struct sip_header *h = sip_msg_header(response, SIP_H_CONTACT, NULL); h;
         h = sip_msg_header(response, SIP_H_CONTACT, h)) {
        struct slice list = h->value;
        struct sip_nameaddr contact;
        struct store_address address;
        while (sip_nameaddr_next(&list, &contact) == 0)
            if (port_form_address(&contact.uri, &address))
                return true;
    }
    return false;
}
