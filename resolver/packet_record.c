#include "resolver/packet_record.h"

#include "base/status.h"

#include <string.h>

int packet_name_of(const ldns_rdf *rdf, char name[RESOLVER_NAME_MAX + 1])
{
    const uint8_t *wire = ldns_rdf_data(rdf);
    size_t size = ldns_rdf_size(rdf);
    char text[RESOLVER_NAME_MAX + 2];
    size_t len = 0;
    size_t at = 0;
    while (at < size && wire[at] != 0) {
        size_t label = wire[at++];
        if (label > 63 || label > size - at || len + label + 1 > sizeof(text))
            return STATUS_MALFORMED;
        if (memchr(wire + at, '.', label))
            return STATUS_MALFORMED;
        memcpy(text + len, wire + at, label);
        len += label;
        text[len++] = '.';
        at += label;
    }
    if (len == 0) {
        name[0] = '\0';
        return 0;
    }
    return resolver_name_copy(slice_make(text, len - 1), name) < 0 ? STATUS_MALFORMED : 0;
}

bool packet_owned_by(const ldns_rr *rr, const char *name)
{
    char owner[RESOLVER_NAME_MAX + 1];
    return packet_name_of(ldns_rr_owner(rr), owner) == 0 && strcmp(owner, name) == 0;
}

uint32_t packet_ttl_of(const ldns_rr *rr)
{
    uint32_t ttl_s = ldns_rr_ttl(rr);
    return ttl_s > INT32_MAX ? 0 : ttl_s; /* RFC 2181 section 8 */
}

static struct slice bytes_of(const ldns_rdf *rdf)
{
    return slice_make((const char *)ldns_rdf_data(rdf), ldns_rdf_size(rdf));
}

/* The octets of a <character-string>, without the length before them. */
static struct slice string_of(const ldns_rdf *rdf)
{
    return slice_skip(bytes_of(rdf), 1);
}

/* A word of a NAPTR, cut where it is longer; bytes that no service or flag has become '?'. */
static const char *word_keep(struct resolver_set *set, const ldns_rdf *rdf, size_t max)
{
    struct slice string = string_of(rdf);
    char word[UINT8_MAX];
    size_t len = string.len < max ? string.len : max;
    for (size_t i = 0; i < len; i++) {
        char c = string.p[i];
        word[i] = c > ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '?';
    }
    return resolver_set_text(set, slice_make(word, len));
}

/* NULL where it is no name we could ask for. */
static const char *name_keep(struct resolver_set *set, const ldns_rdf *rdf)
{
    char name[RESOLVER_NAME_MAX + 1];
    return packet_name_of(rdf, name) == 0 ? resolver_set_text(set, slice_of(name)) : NULL;
}

static int srv_of(const ldns_rr *rr, struct resolver_set *set, struct resolver_srv *srv)
{
    srv->priority = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
    srv->weight = ldns_rdf2native_int16(ldns_rr_rdf(rr, 1));
    srv->port = ldns_rdf2native_int16(ldns_rr_rdf(rr, 2));
    srv->target = name_keep(set, ldns_rr_rdf(rr, 3));
    return srv->target ? 0 : STATUS_MALFORMED;
}

static int naptr_of(const ldns_rr *rr, struct resolver_set *set, struct resolver_naptr *naptr)
{
    naptr->order = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
    naptr->preference = ldns_rdf2native_int16(ldns_rr_rdf(rr, 1));
    naptr->flags = word_keep(set, ldns_rr_rdf(rr, 2), RESOLVER_FLAGS_MAX);
    naptr->service = word_keep(set, ldns_rr_rdf(rr, 3), RESOLVER_SERVICE_MAX);
    naptr->regexp = resolver_set_bytes(set, string_of(ldns_rr_rdf(rr, 4)));
    naptr->replacement = name_keep(set, ldns_rr_rdf(rr, 5));
    return naptr->replacement ? 0 : STATUS_MALFORMED;
}

/* The strings are kept one behind the other, so together they are one run of bytes. */
static int txt_of(const ldns_rr *rr, struct resolver_set *set, struct resolver_txt *txt)
{
    txt->text = resolver_set_bytes(set, slice_make(NULL, 0));
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
        txt->text.len += resolver_set_bytes(set, string_of(ldns_rr_rdf(rr, i))).len;
    return 0;
}

static int tlsa_of(const ldns_rr *rr, struct resolver_set *set, struct resolver_tlsa *tlsa)
{
    tlsa->usage = ldns_rdf2native_int8(ldns_rr_rdf(rr, 0));
    tlsa->selector = ldns_rdf2native_int8(ldns_rr_rdf(rr, 1));
    tlsa->matching = ldns_rdf2native_int8(ldns_rr_rdf(rr, 2));
    tlsa->data = resolver_set_bytes(set, bytes_of(ldns_rr_rdf(rr, 3)));
    return 0;
}

static int address_of(const ldns_rr *rr, void *address, size_t size)
{
    if (ldns_rdf_size(ldns_rr_rdf(rr, 0)) != size)
        return STATUS_MALFORMED;
    memcpy(address, ldns_rdf_data(ldns_rr_rdf(rr, 0)), size);
    return 0;
}

/* The types' RDATA as ldns splits it. */
static const struct shape {
    enum resolver_type type;
    size_t fields;     /* TXT: at least */
    size_t text_field; /* the first one that is kept as text */
} shapes[] = {{RESOLVER_A, 1, 1},   {RESOLVER_AAAA, 1, 1},  {RESOLVER_SRV, 4, 3},
              {RESOLVER_TXT, 1, 0}, {RESOLVER_NAPTR, 6, 2}, {RESOLVER_TLSA, 4, 3}};

static const struct shape *shape_of(enum resolver_type type)
{
    size_t i = 0;
    while (shapes[i].type != type)
        i++;
    return &shapes[i];
}

/* No field is longer in text than on the wire, and each may need an end. */
size_t packet_text_size(const ldns_rr *rr)
{
    size_t size = 0;
    for (size_t i = shape_of((enum resolver_type)ldns_rr_get_type(rr))->text_field;
         i < ldns_rr_rd_count(rr); i++)
        size += ldns_rdf_size(ldns_rr_rdf(rr, i)) + 1;
    return size;
}

int packet_record_of(const ldns_rr *rr, struct resolver_set *set)
{
    struct resolver_record *record = &set->records[set->count];
    size_t fields = shape_of(set->type)->fields, count = ldns_rr_rd_count(rr);
    if (set->type == RESOLVER_TXT ? count < fields : count != fields)
        return STATUS_MALFORMED;

    switch (set->type) {
    case RESOLVER_A:
        return address_of(rr, &record->a, sizeof(record->a));
    case RESOLVER_AAAA:
        return address_of(rr, &record->aaaa, sizeof(record->aaaa));
    case RESOLVER_SRV:
        return srv_of(rr, set, &record->srv);
    case RESOLVER_NAPTR:
        return naptr_of(rr, set, &record->naptr);
    case RESOLVER_TXT:
        return txt_of(rr, set, &record->txt);
    case RESOLVER_TLSA:
        return tlsa_of(rr, set, &record->tlsa);
    }
    return STATUS_MALFORMED;
}
