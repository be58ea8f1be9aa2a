/* Questions and updates as bytes, and what answers say. */
#include "base/status.h"
#include "resolver/update_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALGORITHM      "hmac-sha256."
#define FUDGE_S        300  /* RFC 8945 section 10 */
#define HEADER_LEN     12   /* RFC 1035 section 4.1.1 */
#define ANSWER_RRS_MAX 1024 /* records of all sections; more is hostile */

/* TSIG's own errors (RFC 8945 section 3). */
enum tsig_error { TSIG_BADSIG = 16, TSIG_BADKEY = 17, TSIG_BADTIME = 18 };

/* ---- questions ---- */

static int packet_export(const ldns_pkt *packet, uint8_t **wire, size_t *len)
{
    ldns_status status = ldns_pkt2wire(wire, packet, len);
    if (status == LDNS_STATUS_OK)
        return *len <= UPDATE_MESSAGE_MAX ? 0 : STATUS_LIMIT;
    return status == LDNS_STATUS_MEM_ERR ? -ENOMEM : STATUS_LIMIT;
}

int update_query_encode(const struct update_set *set, uint16_t id, uint8_t **wire, size_t *len)
{
    ldns_rdf *name = ldns_dname_new_frm_str(set->name);
    if (!name)
        return -EINVAL;
    ldns_pkt *packet = ldns_pkt_query_new(name, (ldns_rr_type)set->type, LDNS_RR_CLASS_IN, 0);
    if (!packet) {
        ldns_rdf_deep_free(name);
        return -ENOMEM;
    }
    ldns_pkt_set_id(packet, id);
    int status = packet_export(packet, wire, len);
    ldns_pkt_free(packet);
    return status;
}

/* ---- updates ---- */

/* NAME TYPE of another class and without data, which says something of the whole set. */
static ldns_rr *mark_make(const struct update_set *set, ldns_rr_class class)
{
    ldns_rr *rr = ldns_rr_new();
    ldns_rdf *name = ldns_dname_new_frm_str(set->name);
    if (!rr || !name) {
        ldns_rr_free(rr);
        ldns_rdf_deep_free(name);
        return NULL;
    }
    ldns_rr_set_owner(rr, name);
    ldns_rr_set_type(rr, (ldns_rr_type)set->type);
    ldns_rr_set_class(rr, class);
    ldns_rr_set_ttl(rr, 0);
    return rr;
}

static bool section_add(ldns_pkt *packet, ldns_pkt_section section, ldns_rr *rr)
{
    if (rr && ldns_pkt_push_rr(packet, section, rr))
        return true;
    ldns_rr_free(rr);
    return false;
}

/* One record of a set, from its line. */
static ldns_rr *line_make(const struct update_set *set, uint32_t ttl_s, struct slice line)
{
    char *text;
    ldns_rr *rr = NULL;
    if (asprintf(&text, "%s. %u IN %s %.*s", set->name, ttl_s, zone_type_name(set->type),
                 SLICE_ARG(line)) < 0)
        return NULL;
    if (ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) != LDNS_STATUS_OK)
        rr = NULL;
    free(text);
    return rr;
}

static bool lines_add(ldns_pkt *packet, ldns_pkt_section section, const struct update_set *set,
                      uint32_t ttl_s)
{
    const char *text = set->count > 0 ? set->text : "";
    while (*text != '\0') {
        struct slice line = slice_make(text, strcspn(text, "\n"));
        if (!section_add(packet, section, line_make(set, ttl_s, line)))
            return false;
        text += line.len + 1;
    }
    return true;
}

static ldns_rr *alias_mark_make(const struct update_set *set)
{
    ldns_rr *rr = mark_make(set, LDNS_RR_CLASS_ANY);
    if (rr)
        ldns_rr_set_type(rr, LDNS_RR_TYPE_CNAME);
    return rr;
}

/* RFC 2136 section 2.4.2: exactly these records; 2.4.3: none of this type; 2.4.1: an alias. */
static bool condition_add(ldns_pkt *packet, const struct update_set *served)
{
    if (served->is_alias)
        return section_add(packet, LDNS_SECTION_ANSWER, alias_mark_make(served));
    if (served->count > 0)
        return lines_add(packet, LDNS_SECTION_ANSWER, served, 0);
    return section_add(packet, LDNS_SECTION_ANSWER, mark_make(served, LDNS_RR_CLASS_NONE));
}

/* RFC 2136 section 2.5.2: the whole set goes; 2.5.1: these records come. */
static bool change_add(ldns_pkt *packet, const struct update_change *change)
{
    if (change->served.is_alias &&
        !section_add(packet, LDNS_SECTION_AUTHORITY, alias_mark_make(&change->served)))
        return false;
    if (change->served.count > 0 &&
        !section_add(packet, LDNS_SECTION_AUTHORITY, mark_make(&change->served, LDNS_RR_CLASS_ANY)))
        return false;
    return lines_add(packet, LDNS_SECTION_AUTHORITY, &change->wanted, change->wanted.ttl_s);
}

static bool zone_add(ldns_pkt *packet, const char *zone)
{
    ldns_rdf *name = ldns_dname_new_frm_str(zone);
    ldns_rr *rr = ldns_rr_new();
    if (!name || !rr) {
        ldns_rdf_deep_free(name);
        ldns_rr_free(rr);
        return false;
    }
    ldns_rr_set_owner(rr, name);
    ldns_rr_set_type(rr, LDNS_RR_TYPE_SOA);
    ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
    ldns_rr_set_question(rr, true);
    return section_add(packet, LDNS_SECTION_QUESTION, rr);
}

static int packet_fill(ldns_pkt *packet, const struct update_place *place,
                       const struct update_change *changes, size_t count)
{
    ldns_pkt_set_opcode(packet, LDNS_PACKET_UPDATE);
    bool made = zone_add(packet, place->zone);
    for (size_t i = 0; made && i < count; i++)
        made = condition_add(packet, &changes[i].served);
    for (size_t i = 0; made && i < count; i++)
        made = change_add(packet, &changes[i]);
    return made ? 0 : -EINVAL;
}

static int packet_sign(ldns_pkt *packet, const struct update_key *key, ldns_rdf **mac)
{
    if (ldns_pkt_tsig_sign(packet, key->name, key->secret, FUDGE_S, ALGORITHM, NULL) !=
        LDNS_STATUS_OK)
        return STATUS_CRYPTO;
    *mac = ldns_rdf_clone(ldns_rr_rdf(ldns_pkt_tsig(packet), 3));
    return *mac ? 0 : -ENOMEM;
}

int update_request_encode(const struct update_place *place, const struct update_change *changes,
                          size_t count, uint16_t id, struct update_request *request)
{
    ldns_pkt *packet = ldns_pkt_new();
    *request = (struct update_request){.id = id};
    if (!packet)
        return -ENOMEM;
    ldns_pkt_set_id(packet, id);
    int status = packet_fill(packet, place, changes, count);
    if (status == 0)
        status = packet_sign(packet, place->key, &request->mac);
    if (status == 0)
        status = packet_export(packet, &request->wire, &request->len);
    ldns_pkt_free(packet);
    if (status != 0)
        update_request_done(request);
    return status;
}

void update_request_done(struct update_request *request)
{
    ldns_rdf_deep_free(request->mac);
    free(request->wire);
    *request = (struct update_request){.id = 0};
}

/* ---- answers ---- */

static unsigned get16(struct slice bytes, size_t at)
{
    return (unsigned)(uint8_t)bytes.p[at] << 8 | (uint8_t)bytes.p[at + 1];
}

/* NULL where the bytes are no answer of this kind; how many records it says to have is bounded
 * before ldns makes room for them. */
static ldns_pkt *answer_parse(struct slice bytes, ldns_pkt_opcode opcode)
{
    ldns_pkt *packet = NULL;
    if (bytes.len < HEADER_LEN ||
        get16(bytes, 4) + get16(bytes, 6) + get16(bytes, 8) + get16(bytes, 10) > ANSWER_RRS_MAX)
        return NULL;
    if (ldns_wire2pkt(&packet, (const uint8_t *)bytes.p, bytes.len) != LDNS_STATUS_OK)
        return NULL;
    if (ldns_pkt_qr(packet) && ldns_pkt_get_opcode(packet) == opcode)
        return packet;
    ldns_pkt_free(packet);
    return NULL;
}

static int no_answer(const struct update_place *place, char *why)
{
    char text[UPDATE_PLACE_MAX];
    return update_explain(why, STATUS_MALFORMED, "%s: what it sent is no answer to our question",
                          update_place_text(place, text));
}

/* Is the answer about this name and type? */
static bool is_about(const ldns_pkt *packet, const struct update_set *set)
{
    const ldns_rr_list *question = ldns_pkt_question(packet);
    if (ldns_rr_list_rr_count(question) != 1)
        return false;
    const ldns_rr *rr = ldns_rr_list_rr(question, 0);
    ldns_rdf *name = ldns_dname_new_frm_str(set->name);
    bool is_it = name && ldns_rr_get_type(rr) == (ldns_rr_type)set->type &&
                 ldns_dname_compare(ldns_rr_owner(rr), name) == 0;
    ldns_rdf_deep_free(name);
    return is_it;
}

/* The records of the name itself; what a CNAME leads to is not there. */
static int records_take(const ldns_pkt *packet, struct update_set *set)
{
    const ldns_rr_list *list = ldns_pkt_answer(packet);
    ldns_rdf *name = ldns_dname_new_frm_str(set->name);
    int status = name ? 0 : -ENOMEM;
    update_set_clear(set);
    for (size_t i = 0; status == 0 && i < ldns_rr_list_rr_count(list); i++) {
        ldns_rr *rr = ldns_rr_list_rr(list, i);
        set->is_moved = set->is_moved || ldns_rr_get_type(rr) == LDNS_RR_TYPE_DNAME;
        if (ldns_dname_compare(ldns_rr_owner(rr), name) != 0)
            continue;
        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME)
            set->is_alias = true;
        else if (ldns_rr_get_type(rr) == (ldns_rr_type)set->type)
            status = update_set_add_rr(set, rr);
    }
    ldns_rdf_deep_free(name);
    return status;
}

static int read_refused(const struct update_place *place, const struct update_set *set,
                        unsigned rcode, char *why)
{
    char text[UPDATE_PLACE_MAX];
    update_place_text(place, text);
    if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN)
        return update_explain(why, -EPERM,
                              "%s: it has no authority for %s: the zone is not loaded there, or "
                              "the name is in a zone of its own, which needs a section of its own",
                              text, set->name);
    if (rcode == LDNS_RCODE_REFUSED || rcode == LDNS_RCODE_NOTAUTH)
        return update_explain(why, STATUS_DENIED,
                              "%s: it refuses to tell its records of %s: it must serve this zone, "
                              "and answer questions from here (REFUSED)",
                              text, set->name);
    return update_explain(
        why, STATUS_SERVFAIL, "%s: asked for %s it answers error %u (%s)", text, set->name, rcode,
        rcode == LDNS_RCODE_SERVFAIL ? "SERVFAIL: its own log says why" : "unexpected");
}

int update_answer_decode(const struct update_place *place, struct slice bytes,
                         struct update_set *set, char why[UPDATE_WHY_MAX])
{
    ldns_pkt *packet = answer_parse(bytes, LDNS_PACKET_QUERY);
    if (!packet)
        return no_answer(place, why);
    unsigned rcode = ldns_pkt_get_rcode(packet);
    int status;
    if (!is_about(packet, set))
        status = no_answer(place, why);
    else if (!ldns_pkt_aa(packet) || (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN))
        status = read_refused(place, set, rcode, why);
    else if ((status = records_take(packet, set)) != 0)
        update_explain(why, status, "%s: more than %d records, or no memory for them", set->name,
                       UPDATE_RECORDS_MAX);
    ldns_pkt_free(packet);
    return status;
}

/* ---- what became of an update ---- */

static unsigned tsig_error(const ldns_pkt *packet)
{
    const ldns_rr *tsig = ldns_pkt_tsig(packet);
    const ldns_rdf *error = tsig && ldns_rr_rd_count(tsig) > 5 ? ldns_rr_rdf(tsig, 5) : NULL;
    return error && ldns_rdf_size(error) == 2 ? ldns_rdf2native_int16(error) : 0;
}

/* The server's clock, which BADTIME tells (RFC 8945 section 5.2.3); 0 where it does not. */
static uint64_t tsig_clock(const ldns_pkt *packet)
{
    const ldns_rr *tsig = ldns_pkt_tsig(packet);
    const ldns_rdf *other = tsig && ldns_rr_rd_count(tsig) > 6 ? ldns_rr_rdf(tsig, 6) : NULL;
    uint64_t clock = 0;
    if (!other || ldns_rdf_size(other) != 8) /* a length of two octets, then six of time */
        return 0;
    for (size_t i = 2; i < 8; i++)
        clock = clock << 8 | ldns_rdf_data(other)[i];
    return clock;
}

static int clock_refused(const struct update_place *place, const ldns_pkt *packet, char *why)
{
    char text[UPDATE_PLACE_MAX];
    uint64_t clock = tsig_clock(packet);
    long long ahead = (long long)time(NULL) - (long long)clock;
    if (clock == 0)
        return update_explain(why, STATUS_DENIED,
                              "%s: its clock and ours differ by over %d s: both machines need the "
                              "right time, by NTP (BADTIME)",
                              update_place_text(place, text), FUDGE_S);
    return update_explain(why, STATUS_DENIED,
                          "%s: our clock is %lld s %s its: both machines need the right time, by "
                          "NTP (BADTIME)",
                          update_place_text(place, text), ahead < 0 ? -ahead : ahead,
                          ahead < 0 ? "behind" : "ahead of");
}

static int key_refused(const struct update_place *place, const ldns_pkt *packet, char *why)
{
    char text[UPDATE_PLACE_MAX];
    const char *key = place->key->name;
    update_place_text(place, text);
    switch (tsig_error(packet)) {
    case TSIG_BADSIG:
        return update_explain(why, STATUS_DENIED,
                              "%s: its key \"%s\" has another secret than our key file (BADSIG)",
                              text, key);
    case TSIG_BADKEY:
        return update_explain(why, STATUS_DENIED,
                              "%s: it has no key \"%s\" of algorithm hmac-sha256 that may update "
                              "the zone from here: put the key into its configuration, and let it "
                              "update (BIND: update-policy, Knot: acl) (BADKEY)",
                              text, key);
    case TSIG_BADTIME:
        return clock_refused(place, packet, why);
    default:
        return update_explain(why, STATUS_DENIED,
                              "%s: it is not a primary server of this zone: name the one that is "
                              "(NOTAUTH)",
                              text);
    }
}

/* An answer that is no success needs no signature to be believed: nothing was changed, or that is
 * not known. */
static int update_refused(const struct update_place *place, const ldns_pkt *packet, char *why)
{
    char text[UPDATE_PLACE_MAX];
    unsigned rcode = ldns_pkt_get_rcode(packet);
    update_place_text(place, text);
    switch (rcode) {
    case LDNS_RCODE_NOTAUTH:
        return key_refused(place, packet, why);
    case LDNS_RCODE_REFUSED:
        return update_explain(why, -EPERM,
                              "%s: it does not let key \"%s\" make this change: allow it, in BIND "
                              "by update-policy { grant %s zonesub ANY; }, in Knot by an acl with "
                              "this key and action: update (REFUSED)",
                              text, place->key->name, place->key->name);
    case LDNS_RCODE_NOTIMPL:
        return update_explain(why, STATUS_DENIED,
                              "%s: it takes no updates at all: a server that does is needed as "
                              "primary, such as BIND or Knot (NOTIMP)",
                              text);
    case LDNS_RCODE_NOTZONE:
        return update_explain(why, -EPERM,
                              "%s: a name to be changed is not in this zone: parts of it are "
                              "delegated and need a section of their own (NOTZONE)",
                              text);
    case LDNS_RCODE_SERVFAIL:
        return update_explain(why, STATUS_SERVFAIL,
                              "%s: it could not make the change; its own log says why (SERVFAIL)",
                              text);
    default:
        return update_explain(why, STATUS_SERVFAIL, "%s: it answered an update with error %u", text,
                              rcode);
    }
}

/* RFC 2136 section 3.2: a prerequisite did not hold. */
static bool is_conflict(unsigned rcode)
{
    return rcode == LDNS_RCODE_YXDOMAIN || rcode == LDNS_RCODE_YXRRSET ||
           rcode == LDNS_RCODE_NXRRSET || rcode == LDNS_RCODE_NXDOMAIN;
}

static int update_judge(const struct update_place *place, const struct update_request *request,
                        ldns_pkt *packet, struct slice bytes, char *why)
{
    char text[UPDATE_PLACE_MAX];
    unsigned rcode = ldns_pkt_get_rcode(packet);
    if (ldns_pkt_id(packet) != request->id)
        return no_answer(place, why);
    if (rcode != LDNS_RCODE_NOERROR && !is_conflict(rcode))
        return update_refused(place, packet, why);
    if (tsig_error(packet) != 0 ||
        !ldns_pkt_tsig_verify(packet, (const uint8_t *)bytes.p, bytes.len, place->key->name,
                              place->key->secret, request->mac))
        return update_explain(why, STATUS_MALFORMED,
                              "%s: its answer is not signed with key \"%s\": what it did is not "
                              "known",
                              update_place_text(place, text), place->key->name);
    if (rcode == LDNS_RCODE_NOERROR)
        return 0;
    return update_explain(why, STATUS_CONFLICT, "%s: its records were changed meanwhile",
                          update_place_text(place, text));
}

int update_reply_decode(const struct update_place *place, const struct update_request *request,
                        struct slice bytes, char why[UPDATE_WHY_MAX])
{
    ldns_pkt *packet = answer_parse(bytes, LDNS_PACKET_UPDATE);
    if (!packet)
        return no_answer(place, why);
    int status = update_judge(place, request, packet, bytes, why);
    ldns_pkt_free(packet);
    return status;
}
