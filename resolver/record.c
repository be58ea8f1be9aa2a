#include "resolver/record.h"

#include "base/chars.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct resolver_set *resolver_set_alloc(enum resolver_type type, size_t max, size_t text_max)
{
    size_t size = sizeof(struct resolver_set) + max * sizeof(struct resolver_record) + text_max;
    struct resolver_set *set = calloc(1, size);
    if (!set)
        return NULL;
    set->size = size;
    set->refs = 1;
    set->type = type;
    set->text = (char *)&set->records[max];
    set->text_left = text_max;
    return set;
}

struct slice resolver_set_bytes(struct resolver_set *set, struct slice bytes)
{
    assert(bytes.len <= set->text_left);
    struct slice kept = slice_make(set->text, bytes.len);
    if (bytes.len > 0)
        memcpy(set->text, bytes.p, bytes.len);
    set->text += bytes.len;
    set->text_left -= bytes.len;
    return kept;
}

const char *resolver_set_text(struct resolver_set *set, struct slice text)
{
    struct slice kept = resolver_set_bytes(set, text);
    resolver_set_bytes(set, slice_make("", 1));
    return kept.p;
}

struct resolver_set *resolver_set_ref(struct resolver_set *set)
{
    set->refs++;
    return set;
}

struct resolver_set *resolver_set_unref(struct resolver_set *set)
{
    if (!set)
        return NULL;
    assert(set->refs > 0);
    if (--set->refs == 0)
        free(set);
    return NULL;
}

const char *resolver_type_name(enum resolver_type type)
{
    switch (type) {
    case RESOLVER_A:
        return "A";
    case RESOLVER_AAAA:
        return "AAAA";
    case RESOLVER_SRV:
        return "SRV";
    case RESOLVER_NAPTR:
        return "NAPTR";
    case RESOLVER_TXT:
        return "TXT";
    case RESOLVER_TLSA:
        return "TLSA";
    }
    return "?";
}

bool resolver_naptr_before(const struct resolver_naptr *a, const struct resolver_naptr *b)
{
    return a->order != b->order ? a->order < b->order : a->preference < b->preference;
}

bool resolver_name_is_within(const char *name, const char *zone)
{
    size_t len = strlen(name), zone_len = strlen(zone);
    if (zone_len > len || strcmp(name + len - zone_len, zone) != 0)
        return false;
    return zone_len == 0 || len == zone_len || name[len - zone_len - 1] == '.';
}

int resolver_name_copy(struct slice text, char name[RESOLVER_NAME_MAX + 1])
{
    if (text.len == 0 || text.len > RESOLVER_NAME_MAX)
        return -EINVAL;
    size_t label = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == '.' ? label == 0 : !char_is_alnum(c) && c != '-' && c != '_')
            return -EINVAL;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return -EINVAL;
    }
    if (label == 0)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i++)
        name[i] = char_lower(text.p[i]);
    name[text.len] = '\0';
    return 0;
}

size_t resolver_name_common(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), common = 0, i = 0;
    while (i < a_len && i < b_len && a[a_len - i - 1] == b[b_len - i - 1]) {
        if (a[a_len - i - 1] == '.')
            common = i;
        i++;
    }
    bool a_ends = i == a_len || a[a_len - i - 1] == '.';
    bool b_ends = i == b_len || b[b_len - i - 1] == '.';
    return a_ends && b_ends ? i : common;
}
