/* Loops (RFC 3261 16.3 step 4, 16.6 step 8; RFC 5393 4.2): a request that comes back just as it was
 * is known by the second part of the branch that we gave it then. */
#include "peering/proxy/plan.h"

#include "base/table.h"

/* Where one part ends matters, so no two requests have the same parts. */
static uint64_t hash_more(const struct proxy *proxy, uint64_t hash, struct slice part)
{
    return siphash_after(proxy->tag_key, hash, part);
}

static uint64_t hash_headers(const struct proxy *proxy, uint64_t hash, const struct sip_msg *msg,
                             enum sip_header_id id)
{
    for (const struct sip_header *h = sip_msg_header(msg, id, NULL); h;
         h = sip_msg_header(msg, id, h))
        hash = hash_more(proxy, hash, h->value);
    return hash;
}

/* Over all that decides where a request goes, and nothing else. Not the method: ACK and CANCEL have
 * the branch of their INVITE. The side, for a call that comes back from a peer is judged by other
 * rules than when it came from the core. */
uint64_t loop_mark(const struct proxy *proxy, const struct origin *origin,
                   const struct sip_msg *request)
{
    const char rest[5] = {(char)(request->cseq >> 24), (char)(request->cseq >> 16),
                          (char)(request->cseq >> 8), (char)request->cseq,
                          (char)origin->listener->side};
    uint64_t hash = siphash(proxy->tag_key, slice_make(rest, sizeof(rest)));
    hash = hash_more(proxy, hash, request->uri_text);
    hash = hash_more(proxy, hash, request->call_id);
    hash = hash_more(proxy, hash, request->from_tag);
    hash = hash_more(proxy, hash, request->to_tag);
    hash = hash_headers(proxy, hash, request, SIP_H_ROUTE);
    return hash_headers(proxy, hash, request, SIP_H_PROXY_REQUIRE);
}

/* The mark proves that a Via is ours as well as its sent-by would, for nobody else can make it. */
bool loop_is_closed(const struct proxy *proxy, const struct origin *origin,
                    const struct sip_msg *request)
{
    bool marked = false;
    uint64_t mark = 0, seen;
    for (const struct sip_header *h = sip_msg_header(request, SIP_H_VIA, NULL); h;
         h = sip_msg_header(request, SIP_H_VIA, h)) {
        struct slice list = h->value;
        struct sip_via via;
        while (sip_via_next(&list, &via) == 0) {
            if (txn_branch_loop(via.branch, &seen) != 0)
                continue;
            if (!marked)
                mark = loop_mark(proxy, origin, request);
            marked = true;
            if (seen == mark)
                return true;
        }
    }
    return false;
}
