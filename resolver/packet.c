#include "resolver/packet.h"

#include "base/chars.h"
#include "base/status.h"
#include "resolver/packet_record.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LEN    12 /* RFC 1035 section 4.1.1 */
#define RCODE_BADVERS 16 /* RFC 6891 section 9; ldns does not name it */
#define RR_MIN_LEN    11 /* the root's name, type, class, TTL and length (RFC 1035 section 4.1.3) */

/* ---- the question ---- */

static void scatter_case(struct resolver_query *query, const struct resolver_entropy *entropy)
{
    size_t name_end = query->question_end - 4; /* type and class follow the name */
    for (size_t i = HEADER_LEN; i < name_end; i++) {
        size_t bit = i - HEADER_LEN;
        bool upper = (entropy->letters[bit / 8] >> (bit % 8)) & 1;
        if (upper && query->wire[i] >= 'a' && query->wire[i] <= 'z')
            query->wire[i] -= 'a' - 'A';
    }
}

static ldns_pkt *query_packet(const char *name, enum resolver_type type, uint16_t id)
{
    ldns_rdf *owner = ldns_dname_new_frm_str(name);
    if (!owner)
        return NULL;
    ldns_pkt *packet = ldns_pkt_query_new(owner, (ldns_rr_type)type, LDNS_RR_CLASS_IN, LDNS_RD);
    if (!packet) {
        ldns_rdf_deep_free(owner);
        return NULL;
    }
    ldns_pkt_set_id(packet, id);
    ldns_pkt_set_ad(packet, true);
    ldns_pkt_set_edns_udp_size(packet, RESOLVER_EDNS_SIZE);
    return packet;
}

int resolver_query_encode(const char *name, enum resolver_type type,
                          const struct resolver_entropy *entropy, struct resolver_query *query)
{
    char canonical[RESOLVER_NAME_MAX + 1];
    if (resolver_name_copy(slice_of(name), canonical) < 0)
        return -EINVAL;
    uint16_t id = (uint16_t)(entropy->id[0] << 8 | entropy->id[1]);
    ldns_pkt *packet = query_packet(canonical, type, id);
    if (!packet)
        return -ENOMEM;
    uint8_t *wire = NULL;
    size_t len = 0;
    ldns_status status = ldns_pkt2wire(&wire, packet, &len);
    ldns_pkt_free(packet);
    if (status != LDNS_STATUS_OK || len > sizeof(query->wire)) {
        free(wire);
        return status == LDNS_STATUS_MEM_ERR ? -ENOMEM : -EINVAL;
    }

    memcpy(query->name, canonical, sizeof(query->name));
    query->type = type;
    memcpy(query->wire, wire, len);
    free(wire);
    query->len = len;
    /* A name takes its text, one length octet more and the root's; then type and class. */
    query->question_end = HEADER_LEN + strlen(canonical) + 2 + 4;
    scatter_case(query, entropy);
    return 0;
}

/* ---- the header of an answer ---- */

static unsigned get16(struct slice bytes, size_t at)
{
    return (unsigned)(uint8_t)bytes.p[at] << 8 | (uint8_t)bytes.p[at + 1];
}

static bool is_error(unsigned rcode)
{
    return rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN;
}

/* Lengths of labels are no letters, but a type or class may look like some. */
static bool same_in_other_case(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len - 4; i++)
        if (char_lower(a[i]) != char_lower(b[i]))
            return false;
    return memcmp(a + len - 4, b + len - 4, 4) == 0;
}

enum resolver_fit resolver_answer_fit(const struct resolver_query *query, struct slice bytes)
{
    if (bytes.len < HEADER_LEN || memcmp(bytes.p, query->wire, 2) != 0)
        return RESOLVER_FIT_NONE;
    unsigned flags = get16(bytes, 2), questions = get16(bytes, 4);
    if ((flags & 0xf800U) != 0x8000U) /* QR set, opcode 0 */
        return RESOLVER_FIT_NONE;
    if (questions == 0 && is_error(flags & 0xf))
        return RESOLVER_FIT_WHOLE;
    if (questions != 1 || bytes.len < query->question_end)
        return RESOLVER_FIT_NONE;
    const char *got = bytes.p + HEADER_LEN;
    const char *asked = (const char *)query->wire + HEADER_LEN;
    size_t len = query->question_end - HEADER_LEN;
    if (memcmp(got, asked, len) == 0)
        return RESOLVER_FIT_WHOLE;
    return same_in_other_case(got, asked, len) ? RESOLVER_FIT_CASE : RESOLVER_FIT_NONE;
}

/* ---- the answer section ---- */

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The names from the one asked along its CNAME records to the one that answers. */
struct chain {
    char names[RESOLVER_ALIASES_MAX + 1][RESOLVER_NAME_MAX + 1];
    unsigned aliases;
    uint32_t ttl_s;    /* smallest of the CNAME records; UINT32_MAX without any */
    size_t common;     /* octets at the end of each of the names */
    const char *fault; /* why it leads nowhere, or NULL */
};

static const char *chain_end(const struct chain *chain)
{
    return chain->names[chain->aliases];
}

static const ldns_rr *find_rr(const ldns_rr_list *list, ldns_rr_type type, const char *owner)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        if (ldns_rr_get_type(rr) == type && packet_owned_by(rr, owner))
            return rr;
    }
    return NULL;
}

static int chain_follow(const ldns_rr_list *answer, const char *name, struct chain *chain)
{
    memset(chain, 0, sizeof(*chain));
    chain->ttl_s = UINT32_MAX;
    chain->common = strlen(name);
    memcpy(chain->names[0], name, chain->common + 1);
    const ldns_rr *cname;
    while ((cname = find_rr(answer, LDNS_RR_TYPE_CNAME, chain_end(chain)))) {
        if (chain->aliases == RESOLVER_ALIASES_MAX) {
            chain->fault = "a chain of too many CNAME records";
            return 0;
        }
        char *next = chain->names[chain->aliases + 1];
        if (ldns_rr_rd_count(cname) != 1)
            return STATUS_MALFORMED;
        if (packet_name_of(ldns_rr_rdf(cname, 0), next) < 0 ||
            !*next) { /* legal (RFC 2181 section 11) */
            chain->fault = "a CNAME to what is no host name";
            return 0;
        }
        size_t common = resolver_name_common(name, next);
        if (chain->common > common)
            chain->common = common;
        chain->ttl_s = min32(chain->ttl_s, packet_ttl_of(cname));
        chain->aliases++;
    }
    return 0;
}

/* Every record that could be taken for an answer must be owned by a name of the chain: a server
 * that adds others is broken or forged. */
static bool chain_owns(const struct chain *chain, const ldns_rr_list *answer,
                       enum resolver_type type)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(answer); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(answer, i);
        ldns_rr_type rr_type = ldns_rr_get_type(rr);
        if (rr_type != LDNS_RR_TYPE_CNAME && rr_type != (ldns_rr_type)type)
            continue;
        if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
            return false;
        char owner[RESOLVER_NAME_MAX + 1];
        bool owned = false;
        if (packet_name_of(ldns_rr_owner(rr), owner) < 0)
            return false;
        for (unsigned n = 0; n <= chain->aliases && !owned; n++)
            owned = strcmp(owner, chain->names[n]) == 0;
        if (!owned)
            return false;
    }
    return true;
}

/* Does the record answer the question? */
static bool is_wanted(const struct chain *chain, const ldns_rr *rr, enum resolver_type type)
{
    return ldns_rr_get_type(rr) == (ldns_rr_type)type && packet_owned_by(rr, chain_end(chain));
}

/* So many records of a type are kept; more are never used. */
static size_t keep_max(enum resolver_type type)
{
    return type == RESOLVER_A || type == RESOLVER_AAAA ? RESOLVER_ADDRESSES_MAX
                                                       : RESOLVER_RECORDS_MAX;
}

/* An empty set with room for the answer's records: what the cache keeps carries no other. */
static struct resolver_set *set_for(const struct chain *chain, const ldns_rr_list *answer,
                                    enum resolver_type type)
{
    size_t count = 0, text_max = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(answer) && count < keep_max(type); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(answer, i);
        if (!is_wanted(chain, rr, type))
            continue;
        count++;
        text_max += packet_text_size(rr);
    }
    return resolver_set_alloc(type, count, text_max);
}

/* The records of `type` at the end of the chain; status STATUS_NODATA where there is none. */
static struct resolver_set *collect(const struct chain *chain, const ldns_rr_list *answer,
                                    enum resolver_type type)
{
    struct resolver_set *set = set_for(chain, answer, type);
    if (!set)
        return NULL;
    set->status = STATUS_NODATA;
    set->ttl_s = chain->ttl_s;
    size_t count = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(answer) && count < keep_max(type); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(answer, i);
        if (!is_wanted(chain, rr, type))
            continue;
        count++;
        set->status = 0;
        set->ttl_s = min32(set->ttl_s, packet_ttl_of(rr));
        if (packet_record_of(rr, set) == 0)
            set->count++;
    }
    return set;
}

/* ---- negative answers (RFC 2308) ---- */

/* The SOA of the zone that `name` is in, or NULL. */
static const ldns_rr *authority_soa(const ldns_rr_list *authority, const char *name)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(authority, i);
        char owner[RESOLVER_NAME_MAX + 1];
        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA && ldns_rr_rd_count(rr) == 7 &&
            packet_name_of(ldns_rr_owner(rr), owner) == 0 && resolver_name_is_within(name, owner))
            return rr;
    }
    return NULL;
}

/* Section 5: the smaller of the SOA's TTL and its MINIMUM; without SOA it must not be kept. */
static uint32_t negative_ttl(const ldns_rr *soa)
{
    return soa ? min32(packet_ttl_of(soa), ldns_rdf2native_int32(ldns_rr_rdf(soa, 6))) : 0;
}

static bool has_ns(const ldns_rr_list *authority)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++)
        if (ldns_rr_get_type(ldns_rr_list_rr(authority, i)) == LDNS_RR_TYPE_NS)
            return true;
    return false;
}

/* ---- the whole answer ---- */

static int reply_failed(struct resolver_reply *reply, const char *cause)
{
    reply->kind = RESOLVER_REPLY_FAILED;
    reply->cause = cause;
    return 0;
}

static int reply_answer(struct resolver_reply *reply, struct resolver_set *set)
{
    reply->kind = RESOLVER_REPLY_ANSWER;
    reply->set = set;
    return 0;
}

/* There are no records: does the server say so, or has it only nothing to say? */
static int decide_negative(const ldns_pkt *packet, const struct chain *chain,
                           struct resolver_set *set, struct resolver_reply *reply)
{
    const ldns_rr_list *authority = ldns_pkt_authority(packet);
    const ldns_rr *soa = authority_soa(authority, chain_end(chain));
    bool nxdomain = ldns_pkt_get_rcode(packet) == LDNS_RCODE_NXDOMAIN;
    if (!nxdomain && !soa && chain->aliases > 0) {
        reply->kind = RESOLVER_REPLY_ALIAS;
        reply->ttl_s = chain->ttl_s;
        memcpy(reply->alias, chain_end(chain), strlen(chain_end(chain)) + 1);
        resolver_set_unref(set);
        return 0;
    }
    if (!ldns_pkt_aa(packet) && (!ldns_pkt_ra(packet) || (!soa && has_ns(authority)))) {
        resolver_set_unref(set);
        return reply_failed(reply, "a referral instead of an answer");
    }
    set->status = nxdomain ? STATUS_NXDOMAIN : STATUS_NODATA;
    set->ttl_s = min32(set->ttl_s, negative_ttl(soa));
    return reply_answer(reply, set);
}

static const char *rcode_name(unsigned rcode)
{
    if (rcode == RCODE_BADVERS)
        return "BADVERS";
    const ldns_lookup_table *row = ldns_lookup_by_id(ldns_rcodes, (int)rcode);
    return row ? row->name : "an unknown RCODE";
}

static int decode_packet(const struct resolver_query *query, const ldns_pkt *packet,
                         struct resolver_reply *reply)
{
    const ldns_rr_list *answer = ldns_pkt_answer(packet);
    struct chain chain;
    unsigned upper = ldns_pkt_edns_extended_rcode(packet); /* RFC 6891 section 6.1.3 */
    if (upper != 0)
        return reply_failed(reply, rcode_name(upper << 4 | ldns_pkt_get_rcode(packet)));
    if (chain_follow(answer, query->name, &chain) < 0)
        return STATUS_MALFORMED;
    if (chain.fault)
        return reply_failed(reply, chain.fault);
    if (!chain_owns(&chain, answer, query->type))
        return STATUS_MALFORMED;
    reply->aliases = chain.aliases;
    reply->common = chain.common;

    struct resolver_set *set = collect(&chain, answer, query->type);
    if (!set)
        return -ENOMEM;
    if (set->status == STATUS_NODATA)
        return decide_negative(packet, &chain, set, reply);
    if (ldns_pkt_get_rcode(packet) == LDNS_RCODE_NXDOMAIN) {
        resolver_set_unref(set);
        return STATUS_MALFORMED;
    }
    return reply_answer(reply, set);
}

int resolver_answer_decode(const struct resolver_query *query, struct slice bytes,
                           struct resolver_reply *reply)
{
    struct resolver_reply decoded = {0};
    unsigned flags = get16(bytes, 2);
    unsigned rcode = flags & 0xf;
    decoded.authentic = flags & 0x20;
    if (((size_t)get16(bytes, 6) + get16(bytes, 8) + get16(bytes, 10)) * RR_MIN_LEN > bytes.len)
        return STATUS_MALFORMED;

    int status = 0;
    if (flags & 0x0200) {
        decoded.kind = RESOLVER_REPLY_TRUNCATED;
    } else if (is_error(rcode)) {
        status = reply_failed(&decoded, rcode_name(rcode));
    } else {
        ldns_pkt *packet = NULL;
        ldns_status parsed = ldns_wire2pkt(&packet, (const uint8_t *)bytes.p, bytes.len);
        if (parsed == LDNS_STATUS_MEM_ERR)
            return -ENOMEM;
        if (parsed != LDNS_STATUS_OK)
            return STATUS_MALFORMED;
        status = decode_packet(query, packet, &decoded);
        ldns_pkt_free(packet);
    }
    if (status == 0)
        *reply = decoded;
    return status;
}
