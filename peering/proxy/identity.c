/* What others may assert about callers (design section 3.5, RFC 3325 section 5). */
#include "peering/proxy/proxy.h"

#include "base/status.h"

bool identity_is_proven(const struct conn *conn, const struct sip_uri *uri)
{
    char domain[STORE_DOMAIN_MAX + 1];
    if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS)
        return false;
    return uri->host_kind == SIP_HOST_NAME &&
           store_domain_canonical(uri->host, domain, NULL) == 0 && conn_proves(conn, domain);
}

static void remove_all(struct sip_edits *edits, const struct sip_msg *msg, enum sip_header_id id)
{
    for (const struct sip_header *h = sip_msg_header(msg, id, NULL); h;
         h = sip_msg_header(msg, id, h))
        sip_edits_remove(edits, h->line);
}

static bool all_proven(const struct sip_header *header, const struct conn *conn)
{
    struct slice list = header->value;
    struct sip_nameaddr identity;
    int status;
    while ((status = sip_nameaddr_next(&list, &identity)) == 0)
        if (!identity_is_proven(conn, &identity.uri))
            return false;
    return status == STATUS_NOTFOUND;
}

bool identity_is_anonymous(const struct sip_uri *from)
{
    return (from->scheme == SIP_SCHEME_SIP || from->scheme == SIP_SCHEME_SIPS) &&
           slice_eq_nocase(from->host, SLICE("anonymous.invalid"));
}

bool identity_asserted(const struct sip_msg *msg, const struct conn *conn, struct sip_uri *uri)
{
    for (const struct sip_header *h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, NULL); h;
         h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, h)) {
        struct slice list = h->value;
        struct sip_nameaddr identity;
        if (conn && !all_proven(h, conn))
            continue;
        while (sip_nameaddr_next(&list, &identity) == 0)
            if (identity.uri.scheme == SIP_SCHEME_SIP || identity.uri.scheme == SIP_SCHEME_SIPS) {
                *uri = identity.uri;
                return true;
            }
    }
    return false;
}

void identity_clean_from_peer(struct sip_edits *edits, const struct sip_msg *msg,
                              const struct conn *conn)
{
    for (const struct sip_header *h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, NULL); h;
         h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, h))
        if (!all_proven(h, conn))
            sip_edits_remove(edits, h->line);
    remove_all(edits, msg, SIP_H_P_PREFERRED_IDENTITY);
    remove_all(edits, msg, SIP_H_REMOTE_PARTY_ID);
}

/* No peer is marked as trusting our identities yet, so none is told (RFC 3325 section 5). */
void identity_clean_to_peer(struct sip_edits *edits, const struct sip_msg *msg)
{
    remove_all(edits, msg, SIP_H_P_ASSERTED_IDENTITY);
    remove_all(edits, msg, SIP_H_P_PREFERRED_IDENTITY);
    remove_all(edits, msg, SIP_H_REMOTE_PARTY_ID);
}
