/* Sets of records as text in one form, so that they can be compared. */
#include "base/status.h"
#include "base/table.h"
#include "resolver/update_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The data of a record as ldns writes it, one line; NULL without memory. free() it. */
static char *data_canonical(ldns_rr *rr)
{
    ldns_rr2canonical(rr);
    ldns_buffer *buffer = ldns_buffer_new(LDNS_MAX_PACKETLEN);
    ldns_status status = buffer ? LDNS_STATUS_OK : LDNS_STATUS_MEM_ERR;
    for (size_t i = 0; status == LDNS_STATUS_OK && i < ldns_rr_rd_count(rr); i++) {
        if (i > 0)
            ldns_buffer_printf(buffer, " ");
        status = ldns_rdf2buffer_str(buffer, ldns_rr_rdf(rr, i));
    }
    char *data = status == LDNS_STATUS_OK ? ldns_buffer_export2str(buffer) : NULL;
    ldns_buffer_free(buffer);
    return data;
}

/* Where `data` is among the lines, or would be: *found says which. */
static size_t line_place(const struct update_set *set, struct slice data, bool *found)
{
    size_t at = 0;
    *found = false;
    while (set->text && set->text[at] != '\0') {
        struct slice line = slice_make(set->text + at, strcspn(set->text + at, "\n"));
        size_t least = line.len < data.len ? line.len : data.len;
        int order = memcmp(line.p, data.p, least);
        *found = order == 0 && line.len == data.len;
        if (*found || order > 0 || (order == 0 && line.len > data.len))
            break;
        at += line.len + 1;
    }
    return at;
}

static int line_insert(struct update_set *set, struct slice data)
{
    bool found;
    size_t at = line_place(set, data, &found), len = set->text ? strlen(set->text) : 0;
    if (found)
        return 0;
    if (set->count == UPDATE_RECORDS_MAX)
        return STATUS_LIMIT;
    char *text = realloc(set->text, len + data.len + 2);
    if (!text)
        return -ENOMEM;
    memmove(text + at + data.len + 1, text + at, len - at);
    memcpy(text + at, data.p, data.len);
    text[at + data.len] = '\n';
    text[len + data.len + 1] = '\0';
    set->text = text;
    set->count++;
    return 0;
}

int update_set_add_rr(struct update_set *set, ldns_rr *rr)
{
    char *data = data_canonical(rr);
    if (!data)
        return -ENOMEM;
    int status = line_insert(set, slice_of(data));
    if (status == 0)
        set->ttl_s = ldns_rr_ttl(rr);
    free(data);
    return status;
}

int update_set_add(struct update_set *set, const struct zone_record *record)
{
    char line[ZONE_LINE_MAX];
    ldns_rr *rr = NULL;
    if (ldns_rr_new_frm_str(&rr, zone_record_line(record, line), 0, NULL, NULL) != LDNS_STATUS_OK)
        return STATUS_MALFORMED;
    int status = update_set_add_rr(set, rr);
    ldns_rr_free(rr);
    return status;
}

bool update_set_eq_data(const struct update_set *a, const struct update_set *b)
{
    if (a->is_alias || b->is_alias || a->count != b->count)
        return false;
    return a->count == 0 || strcmp(a->text, b->text) == 0;
}

bool update_set_eq(const struct update_set *a, const struct update_set *b)
{
    return update_set_eq_data(a, b) && (a->count == 0 || a->ttl_s == b->ttl_s);
}

/* Nobody gains by a collision of his own records. */
static const uint8_t hash_key[16];

uint64_t update_set_hash_data(const struct update_set *set)
{
    return set->count > 0 ? siphash(hash_key, slice_of(set->text)) : 0;
}

uint64_t update_set_hash(const struct update_set *set)
{
    return set->count > 0 ? siphash_after(hash_key, set->ttl_s, slice_of(set->text)) : 0;
}

void update_set_clear(struct update_set *set)
{
    free(set->text);
    set->text = NULL;
    set->count = 0;
    set->ttl_s = 0;
    set->is_alias = set->is_moved = false;
}
