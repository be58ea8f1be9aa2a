#include "base/table.h"

#include "base/list.h"
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>

/* Aumasson and Bernstein, "SipHash", appendix A: key 00 01 ... 0f, input 00 01 ... 0e. */
static void siphash_gives_the_value_of_the_paper(void **state)
{
    (void)state;
    uint8_t key[16];
    char bytes[15];
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    assert_true(siphash(key, slice_make(bytes, sizeof(bytes))) == 0xa129ca6149be45e5);
    /* From the authors' test vectors: the empty input, one whole word, a word and one byte. */
    assert_true(siphash(key, slice_make(NULL, 0)) == 0x726fdb47dd0e0e31);
    assert_true(siphash(key, slice_make(bytes, 8)) == 0x93f5f5799a932462);
    assert_true(siphash(key, slice_make(bytes, 9)) == 0x9e0082df0ba9e4b0);
}

static void continued_hash_is_that_of_hash_and_bytes(void **state)
{
    (void)state;
    static const uint8_t key[16] = "0123456789abcdef";
    static const char both[] = "\x08\x07\x06\x05\x04\x03\x02\x01more bytes";
    for (size_t len = 8; len < sizeof(both); len++) {
        uint64_t more = siphash_after(key, 0x0102030405060708, slice_make(both + 8, len - 8));
        assert_true(more == siphash(key, slice_make(both, len)));
    }
}

struct item {
    unsigned number;
    struct table_link link;
};

static bool number_matches(const struct table_link *link, const void *key)
{
    return container_of(link, const struct item, link)->number == *(const unsigned *)key;
}

static struct item *find(const struct table *table, uint64_t hash, unsigned number)
{
    struct table_link *link = table_find(table, hash, number_matches, &number);
    return link ? container_of(link, struct item, link) : NULL;
}

static uint64_t hash_of(const struct table *table, unsigned number)
{
    return table_hash(table, slice_make((const char *)&number, sizeof(number)));
}

enum { ITEMS = 5000 };

static struct item *items_put(struct table *table)
{
    struct item *items = calloc(ITEMS, sizeof(*items));
    assert_non_null(items);
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i].number = i;
        assert_int_equal(table_put(table, &items[i].link, hash_of(table, i)), 0);
    }
    return items;
}

static void everything_put_is_found_while_the_table_grows(void **state)
{
    (void)state;
    struct table *table = table_alloc(ITEMS);
    struct item *items = calloc(ITEMS, sizeof(*items));
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i].number = i;
        assert_null(find(table, hash_of(table, i), i));
        assert_int_equal(table_put(table, &items[i].link, hash_of(table, i)), 0);
        assert_int_equal(table_count(table), i + 1);
        for (unsigned k = 0; k <= i; k += 1 + i / 16) /* some of those before */
            assert_ptr_equal(find(table, hash_of(table, k), k), &items[k]);
        assert_ptr_equal(find(table, hash_of(table, i), i), &items[i]);
    }
    table_free(table);
    free(items);
}

static void removed_objects_are_gone_and_others_stay(void **state)
{
    (void)state;
    struct table *table = table_alloc(ITEMS);
    struct item *items = items_put(table);
    for (unsigned i = 0; i < ITEMS; i += 3)
        table_remove(table, &items[i].link);
    table_remove(table, &items[0].link); /* not there any more: harmless */
    for (unsigned i = 0; i < ITEMS; i++)
        assert_ptr_equal(find(table, hash_of(table, i), i), i % 3 == 0 ? NULL : &items[i]);
    assert_int_equal(table_count(table), ITEMS - (ITEMS + 2) / 3);
    table_free(table);
    free(items);
}

static void bound_on_objects_holds(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    struct table *table = table_alloc(2);
    assert_int_equal(table_put(table, &items[0].link, 0), 0);
    assert_int_equal(table_put(table, &items[1].link, 1), 0);
    assert_int_equal(table_put(table, &items[2].link, 2), -ENOMEM);
    assert_null(find(table, 2, 2));
    table_remove(table, &items[0].link);
    assert_int_equal(table_put(table, &items[2].link, 2), 0);
    assert_ptr_equal(find(table, 2, 2), &items[2]);
    table_free(table);
}

static void equal_hashes_are_told_apart_by_key(void **state)
{
    (void)state;
    struct table *table = table_alloc(ITEMS);
    static struct item items[300];
    for (unsigned i = 0; i < COUNT_OF(items); i++) {
        items[i].number = i;
        assert_int_equal(table_put(table, &items[i].link, UINT64_MAX), 0);
    }
    for (unsigned i = 0; i < COUNT_OF(items); i++)
        assert_ptr_equal(find(table, UINT64_MAX, i), &items[i]);
    assert_null(find(table, UINT64_MAX, 300));
    assert_null(find(table, UINT64_MAX >> 1, 7)); /* the right bucket and key, another hash */
    table_free(table);
}

static void chains_stay_short_as_the_table_grows(void **state)
{
    (void)state;
    struct table *table = table_alloc(ITEMS);
    struct item *items = items_put(table);
    size_t longest = 0;
    for (unsigned i = 0; i < ITEMS; i++) {
        size_t len = 0;
        for (const struct table_link *link = &items[i].link; link; link = link->next)
            len++;
        if (len > longest)
            longest = len;
    }
    assert_in_range(longest, 1, 20); /* more has a chance below one in 10^12 */
    table_free(table);
    free(items);
}

static void two_tables_hash_differently(void **state)
{
    (void)state;
    struct table *a = table_alloc(1);
    struct table *b = table_alloc(1);
    assert_false(table_hash(a, SLICE("x")) == table_hash(b, SLICE("x")));
    assert_true(table_hash(a, SLICE("x")) == table_hash(a, SLICE("x")));
    uint64_t hash = table_hash(a, SLICE("x"));
    assert_false(table_hash_more(a, hash, SLICE("y")) == table_hash_more(a, hash, SLICE("z")));
    assert_null(table_free(a));
    assert_null(table_free(b));
    assert_null(table_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_value_of_the_paper),
        cmocka_unit_test(continued_hash_is_that_of_hash_and_bytes),
        cmocka_unit_test(everything_put_is_found_while_the_table_grows),
        cmocka_unit_test(removed_objects_are_gone_and_others_stay),
        cmocka_unit_test(bound_on_objects_holds),
        cmocka_unit_test(equal_hashes_are_told_apart_by_key),
        cmocka_unit_test(chains_stay_short_as_the_table_grows),
        cmocka_unit_test(two_tables_hash_differently),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
