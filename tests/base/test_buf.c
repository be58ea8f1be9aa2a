#include "base/buf.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static void bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    assert_int_equal(buf_len(&buf), 0);
    assert_int_equal(buf_append(&buf, SLICE("INVITE ")), 0);
    assert_int_equal(buf_append(&buf, slice_make(NULL, 0)), 0);
    assert_int_equal(buf_append(&buf, SLICE("sip:bob")), 0);
    assert_true(slice_eq(buf_bytes(&buf), SLICE("INVITE sip:bob")));
    buf_consume(&buf, 7);
    assert_true(slice_eq(buf_bytes(&buf), SLICE("sip:bob")));
    buf_consume(&buf, 7);
    assert_int_equal(buf_len(&buf), 0);
    buf_done(&buf);
}

static void bound_is_exact(void **state)
{
    (void)state;
    static const size_t bounds[] = {0, 1, 511, 512, 513, 1000, 4096, 5000};
    static const char bytes[5001];
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        struct buf buf;
        buf_init(&buf, bounds[i]);
        assert_null(buf_reserve(&buf, bounds[i] + 1));
        assert_null(buf_reserve(&buf, SIZE_MAX));
        assert_int_equal(buf_append(&buf, slice_make(bytes, bounds[i])), 0);
        assert_int_equal(buf_append(&buf, SLICE("x")), -ENOBUFS);
        assert_int_equal(buf_len(&buf), bounds[i]);
        assert_true(buf.size <= bounds[i]);
        if (bounds[i] > 0) {
            buf_consume(&buf, 1);
            assert_int_equal(buf_append(&buf, SLICE("x")), 0);
            assert_int_equal(buf_bytes(&buf).p[bounds[i] - 1], 'x');
        }
        buf_done(&buf);
    }
}

static void stream_of_odd_pieces_keeps_its_order(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3000);
    unsigned char in = 0;
    unsigned char out = 0;
    unsigned random = 1;
    for (int i = 0; i < 20000; i++) {
        random = random * 1103515245 + 12345;
        size_t len = (random >> 16) % 700;
        char *p = buf_reserve(&buf, len);
        assert_int_equal(p != NULL, len <= 3000 - buf_len(&buf) && (len > 0 || p));
        for (size_t k = 0; p && k < len; k++)
            p[k] = (char)in++;
        if (p)
            buf_commit(&buf, len);
        random = random * 1103515245 + 12345;
        len = (random >> 16) % 700;
        if (len > buf_len(&buf))
            len = buf_len(&buf);
        struct slice bytes = buf_bytes(&buf);
        for (size_t k = 0; k < len; k++)
            assert_int_equal((unsigned char)bytes.p[k], out++);
        buf_consume(&buf, len);
    }
    assert_true(buf.size <= 3000);
    buf_done(&buf);
}

static void less_than_reserved_may_be_committed(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    char *p = buf_reserve(&buf, 50);
    memcpy(p, "abc", 3);
    buf_commit(&buf, 3);
    p = buf_reserve(&buf, 97);
    assert_non_null(p);
    buf_commit(&buf, 0);
    assert_true(slice_eq(buf_bytes(&buf), SLICE("abc")));
    buf_done(&buf);
}

static void emptied_buffer_reuses_its_place(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000000);
    static const char bytes[400];
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_append(&buf, slice_make(bytes, sizeof(bytes))), 0);
        buf_consume(&buf, sizeof(bytes));
    }
    assert_true(buf.size < 1000);
    assert_ptr_equal(buf_reserve(&buf, 1), buf.p);
    buf_done(&buf);
    assert_int_equal(buf_append(&buf, SLICE("again")), 0);
    assert_true(slice_eq(buf_bytes(&buf), SLICE("again")));
    buf_done(&buf);
}

static void small_rest_does_not_make_the_buffer_grow(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000000);
    static const char bytes[400];
    buf_append(&buf, SLICE("x")); /* one byte is always left over */
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_append(&buf, slice_make(bytes, sizeof(bytes))), 0);
        buf_consume(&buf, sizeof(bytes));
    }
    assert_true(buf.size < 2000);
    buf_done(&buf);
}

/* Else every byte through an almost full buffer would move all others. */
static void crowded_buffer_grows_instead_of_moving(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000000);
    static const char bytes[1020];
    assert_int_equal(buf_append(&buf, slice_make(bytes, sizeof(bytes))), 0);
    for (int i = 0; i < 10; i++) {
        buf_consume(&buf, 1);
        assert_int_equal(buf_append(&buf, SLICE("x")), 0);
    }
    assert_in_range(buf.size, 2 * sizeof(bytes), 4 * sizeof(bytes));
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(bound_is_exact),
        cmocka_unit_test(stream_of_odd_pieces_keeps_its_order),
        cmocka_unit_test(less_than_reserved_may_be_committed),
        cmocka_unit_test(emptied_buffer_reuses_its_place),
        cmocka_unit_test(small_rest_does_not_make_the_buffer_grow),
        cmocka_unit_test(crowded_buffer_grows_instead_of_moving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
