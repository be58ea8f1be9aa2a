#include "base/arena.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 1024

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 0);
    struct arena *arena = arena_alloc(pool, 0);
    enum { PIECES = 200 };
    unsigned char *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = arena_get(arena, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i);
        if (i > 0)
            assert_ptr_not_equal(pieces[i], pieces[i - 1]);
    }
    assert_null(arena_free(arena));
    assert_null(arena_pool_free(pool));
}

static void freeing_gives_every_block_back(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 0);
    assert_int_equal(arena_pool_in_use(pool), 0);
    struct arena *a = arena_alloc(pool, 0);
    struct arena *b = arena_alloc(pool, 0);
    assert_int_equal(arena_pool_in_use(pool), 2);
    for (int i = 0; i < 10; i++)
        assert_non_null(arena_get(a, BLOCK / 2));
    assert_true(arena_pool_in_use(pool) >= 6);
    assert_non_null(arena_get(b, 10 * (size_t)BLOCK));
    arena_free(a);
    arena_free(b);
    assert_int_equal(arena_pool_in_use(pool), 0);
    assert_null(arena_free(NULL));
    arena_pool_free(pool);
    assert_null(arena_pool_free(NULL));
}

static void freed_blocks_serve_the_next_arena(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 0);
    struct arena *first = arena_alloc(pool, 0);
    arena_free(first);
    void *other = malloc(BLOCK);
    assert_ptr_not_equal(other, first); /* the heap did not get the place back */
    struct arena *second = arena_alloc(pool, 0);
    assert_ptr_equal(second, first); /* the arena lives in its first block */
    arena_free(second);
    free(other);
    arena_pool_free(pool);
}

static void pool_bounds_the_blocks_of_all_arenas(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 3);
    struct arena *a = arena_alloc(pool, 0);
    struct arena *b = arena_alloc(pool, 0);
    struct arena *c = arena_alloc(pool, 0);
    assert_non_null(c);
    assert_null(arena_alloc(pool, 0));
    while (arena_get(a, 64)) {
    }
    assert_int_equal(arena_pool_in_use(pool), 3);
    assert_non_null(arena_get(b, 64)); /* b's own block has room */
    arena_free(c);
    assert_non_null(arena_get(a, 64)); /* and c's is free now */
    arena_free(a);
    arena_free(b);
    assert_int_equal(arena_pool_in_use(pool), 0);
    arena_pool_free(pool);
}

static void large_pieces_count_for_the_blocks_they_would_fill(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 10);
    struct arena *arena = arena_alloc(pool, 0);
    assert_null(arena_get(arena, 10 * (size_t)BLOCK));
    assert_null(arena_get(arena, SIZE_MAX));
    assert_null(arena_get(arena, SIZE_MAX - 8));
    assert_int_equal(arena_pool_in_use(pool), 1);
    char *large = arena_get(arena, 5 * (size_t)BLOCK);
    assert_non_null(large);
    memset(large, 'x', 5 * (size_t)BLOCK);
    assert_int_equal(arena_pool_in_use(pool), 1 + 6); /* with its header more than five */
    assert_null(arena_get(arena, 5 * (size_t)BLOCK));
    assert_non_null(arena_get(arena, 16)); /* the first block still serves small pieces */
    assert_int_equal(arena_pool_in_use(pool), 1 + 6);
    arena_free(arena);
    assert_int_equal(arena_pool_in_use(pool), 0);
    arena_pool_free(pool);
}

static void arena_bounds_its_bytes(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 0);
    struct arena *arena = arena_alloc(pool, 3000);
    assert_null(arena_get(arena, 3001));
    assert_non_null(arena_get(arena, 2000));
    assert_non_null(arena_get(arena, 900));
    assert_null(arena_get(arena, 200));
    assert_non_null(arena_get(arena, 10));
    arena_free(arena);

    arena = arena_alloc(pool, 1000);
    size_t count = 0;
    while (arena_get(arena, 1))
        count++;
    assert_in_range(count, 1000 / sizeof(max_align_t), 1000);
    arena_free(arena);
    arena_pool_free(pool);
}

static void zeroed_piece_of_a_used_block_is_zero(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 0);
    struct arena *arena = arena_alloc(pool, 0);
    memset(arena_get(arena, 500), 0xff, 500);
    arena_free(arena);
    arena = arena_alloc(pool, 0);
    const char *bytes = arena_zero(arena, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(bytes[i], 0);
    arena_free(arena);
    arena_pool_free(pool);
}

static void copy_has_its_own_bytes(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 0);
    struct arena *arena = arena_alloc(pool, 100);
    char text[] = "sip:bob";
    struct slice copy = arena_copy(arena, slice_of(text));
    text[0] = 'x';
    assert_true(slice_eq(copy, SLICE("sip:bob")));
    struct slice empty = arena_copy(arena, slice_make(NULL, 0));
    assert_int_equal(empty.len, 0);
    assert_non_null(empty.p);
    static const char big[200];
    struct slice none = arena_copy(arena, slice_make(big, sizeof(big)));
    assert_null(none.p);
    assert_int_equal(none.len, 0);
    arena_free(arena);
    arena_pool_free(pool);
}

static void printf_has_the_whole_text_or_none(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(BLOCK, 0);
    struct arena *arena = arena_alloc(pool, 100);
    struct slice s = arena_printf(arena, "%s-%d", "branch", 7);
    assert_true(slice_eq(s, SLICE("branch-7")));
    assert_int_equal(s.p[s.len], '\0');
    s = arena_printf(arena, "%200d", 7);
    assert_null(s.p);
    assert_int_equal(s.len, 0);
    s = arena_printf(arena, "%s", "");
    assert_string_equal(s.p, "");
    arena_free(arena);
    arena_pool_free(pool);
}

static void small_block_sizes_are_raised(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(1, 2);
    struct arena *arena = arena_alloc(pool, 0);
    assert_non_null(arena_get(arena, 16));
    assert_int_equal(arena_pool_in_use(pool), 1);
    arena_free(arena);
    arena_pool_free(pool);
    assert_null(arena_pool_alloc(SIZE_MAX, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(freeing_gives_every_block_back),
        cmocka_unit_test(freed_blocks_serve_the_next_arena),
        cmocka_unit_test(pool_bounds_the_blocks_of_all_arenas),
        cmocka_unit_test(large_pieces_count_for_the_blocks_they_would_fill),
        cmocka_unit_test(arena_bounds_its_bytes),
        cmocka_unit_test(zeroed_piece_of_a_used_block_is_zero),
        cmocka_unit_test(copy_has_its_own_bytes),
        cmocka_unit_test(printf_has_the_whole_text_or_none),
        cmocka_unit_test(small_block_sizes_are_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
