/* Sets of records as packet.c would make them of an answer. */
#ifndef JUNCTOR_TESTS_RESOLVER_RECORDS_H
#define JUNCTOR_TESTS_RESOLVER_RECORDS_H

#include "resolver/record.h"
#include "tests/test.h"

#define RECORDS_MAX      64
#define RECORDS_TEXT_MAX 16384

static inline struct resolver_set *records_make(enum resolver_type type)
{
    struct resolver_set *set = resolver_set_alloc(type, RECORDS_MAX, RECORDS_TEXT_MAX);
    assert_non_null(set);
    return set;
}

static inline void records_add_naptr(struct resolver_set *set, unsigned order, unsigned preference,
                                     const char *flags, const char *service, const char *regexp,
                                     const char *replacement)
{
    assert_true(set->count < RECORDS_MAX);
    set->records[set->count++].naptr =
        (struct resolver_naptr){.order = (uint16_t)order,
                                .preference = (uint16_t)preference,
                                .flags = resolver_set_text(set, slice_of(flags)),
                                .service = resolver_set_text(set, slice_of(service)),
                                .regexp = resolver_set_bytes(set, slice_of(regexp)),
                                .replacement = resolver_set_text(set, slice_of(replacement))};
}

static inline void records_add_txt(struct resolver_set *set, const char *text)
{
    assert_true(set->count < RECORDS_MAX);
    set->records[set->count++].txt.text = resolver_set_bytes(set, slice_of(text));
}

#endif
