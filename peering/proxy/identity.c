/* What others may assert about callers (design section 3.5, RFC 3325 section 5). */
#include "peering/proxy/identity.h"

#include "base/status.h"

static bool domain_of(const struct sip_uri *uri, char domain[STORE_DOMAIN_MAX + 1])
{
    if (uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS)
        return false;
    return uri->host_kind == SIP_HOST_NAME && store_domain_canonical(uri->host, domain, NULL) == 0;
}

bool identity_is_proven(const struct conn *conn, const struct sip_uri *uri)
{
    char domain[STORE_DOMAIN_MAX + 1];
    return domain_of(uri, domain) && conn_proves(conn, domain);
}

bool identity_is_held(const struct conn *conn, const struct sip_uri *uri)
{
    char domain[STORE_DOMAIN_MAX + 1];
    return domain_of(uri, domain) && conn_holds(conn, domain);
}

static void remove_all(struct sip_edits *edits, const struct sip_msg *msg, enum sip_header_id id)
{
    for (const struct sip_header *h = sip_msg_header(msg, id, NULL); h;
         h = sip_msg_header(msg, id, h))
        sip_edits_remove(edits, h->line);
}

/* As far as the answers are there: nobody is asked for the sake of a header. One that names nobody
 * asserts nothing. */
static bool all_verified(struct proxy *proxy, const struct sip_header *header,
                         const struct conn *conn)
{
    struct slice list = header->value;
    struct sip_nameaddr identity;
    struct verified verified;
    size_t count = 0;
    int status;
    for (; (status = sip_nameaddr_next(&list, &identity)) == 0; count++)
        if (verify_asserted(proxy, conn, &identity.uri, &verified) != VERIFY_YES)
            return false;
    return count > 0 && status == STATUS_NOTFOUND;
}

bool identity_is_anonymous(const struct sip_uri *from)
{
    return (from->scheme == SIP_SCHEME_SIP || from->scheme == SIP_SCHEME_SIPS) &&
           slice_eq_nocase(from->host, SLICE("anonymous.invalid"));
}

bool identity_asserted(struct proxy *proxy, const struct sip_msg *msg, const struct conn *conn,
                       struct sip_uri *uri)
{
    for (const struct sip_header *h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, NULL); h;
         h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, h)) {
        struct slice list = h->value;
        struct sip_nameaddr identity;
        if (conn && !all_verified(proxy, h, conn))
            continue;
        while (sip_nameaddr_next(&list, &identity) == 0)
            if (identity.uri.scheme == SIP_SCHEME_SIP || identity.uri.scheme == SIP_SCHEME_SIPS) {
                *uri = identity.uri;
                return true;
            }
    }
    return false;
}

void identity_clean_from_peer(struct proxy *proxy, struct sip_edits *edits,
                              const struct sip_msg *msg, const struct conn *conn)
{
    for (const struct sip_header *h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, NULL); h;
         h = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, h))
        if (!all_verified(proxy, h, conn))
            sip_edits_remove(edits, h->line);
    remove_all(edits, msg, SIP_H_P_PREFERRED_IDENTITY);
    remove_all(edits, msg, SIP_H_REMOTE_PARTY_ID);
}

/* Is `id` among the values of Privacy, which are separated by ';' (RFC 3323 section 4.2)? */
static bool wants_privacy(const struct sip_msg *msg)
{
    for (const struct sip_header *h = sip_msg_header(msg, SIP_H_PRIVACY, NULL); h;
         h = sip_msg_header(msg, SIP_H_PRIVACY, h)) {
        struct slice rest = h->value;
        while (rest.len) {
            size_t end = slice_find(rest, ';');
            if (slice_eq_nocase(slice_trim(slice_make(rest.p, end)), SLICE("id")))
                return true;
            rest = slice_skip(rest, end + 1);
        }
    }
    return false;
}

static bool trusts_identity(struct proxy *proxy, const char *domain)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_peer peer;
    return reader && store_peer_get(reader, domain, &peer) == 0 && peer.trusts_identity;
}

void identity_clean_to_peer(struct proxy *proxy, struct sip_edits *edits, const struct sip_msg *msg,
                            const char *peer)
{
    bool is_asserted = sip_msg_header(msg, SIP_H_P_ASSERTED_IDENTITY, NULL) != NULL;
    if (is_asserted && (wants_privacy(msg) || !trusts_identity(proxy, peer)))
        remove_all(edits, msg, SIP_H_P_ASSERTED_IDENTITY);
    remove_all(edits, msg, SIP_H_P_PREFERRED_IDENTITY);
    remove_all(edits, msg, SIP_H_REMOTE_PARTY_ID);
}
