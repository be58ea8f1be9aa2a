/* Records in binary form: what is packed is unpacked, and what is damaged is noticed. */
#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct slice sample_pack(char *buffer, size_t size, int *ret)
{
    struct store_pack pack;
    struct slice bytes = {0};
    store_pack_init(&pack, buffer, size);
    store_pack_u8(&pack, 1);
    store_pack_u16(&pack, 0x1234);
    store_pack_u32(&pack, 0x12345678);
    store_pack_u64(&pack, UINT64_MAX - 1);
    store_pack_string(&pack, "opa.example");
    store_pack_bytes(&pack, "xyz", 3);
    *ret = store_pack_done(&pack, &bytes);
    return bytes;
}

#define SAMPLE_LEN (1 + 2 + 4 + 8 + 1 + 11 + 3)

static int sample_unpack(struct slice bytes)
{
    struct store_unpack unpack;
    char text[12] = "", tail[3] = "";
    store_unpack_init(&unpack, bytes);
    store_unpack_version(&unpack, 1);
    bool is_same = store_unpack_u16(&unpack) == 0x1234;
    is_same = store_unpack_u32(&unpack) == 0x12345678 && is_same;
    is_same = store_unpack_u64(&unpack) == UINT64_MAX - 1 && is_same;
    store_unpack_string(&unpack, text, sizeof(text));
    store_unpack_bytes(&unpack, tail, sizeof(tail));
    int ret = store_unpack_done(&unpack);
    if (ret == 0)
        assert_true(is_same && strcmp(text, "opa.example") == 0 && memcmp(tail, "xyz", 3) == 0);
    return ret;
}

static void what_is_packed_is_unpacked(void **state)
{
    char buffer[SAMPLE_LEN];
    int ret;
    (void)state;
    struct slice bytes = sample_pack(buffer, sizeof(buffer), &ret);
    assert_int_equal(ret, 0);
    assert_int_equal(bytes.len, SAMPLE_LEN);
    assert_int_equal(sample_unpack(bytes), 0);
}

static void a_buffer_too_small_is_told(void **state)
{
    (void)state;
    for (size_t size = 0; size < SAMPLE_LEN; size++) {
        char *buffer = malloc(size ? size : 1);
        int ret;
        assert_non_null(buffer);
        sample_pack(buffer, size, &ret);
        assert_int_equal(ret, -ENOBUFS);
        free(buffer);
    }
}

static void a_record_cut_short_or_too_long_is_corrupt(void **state)
{
    char buffer[SAMPLE_LEN + 1] = "";
    int ret;
    (void)state;
    struct slice bytes = sample_pack(buffer, sizeof(buffer), &ret);
    for (size_t len = 0; len < bytes.len; len++) {
        char *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, bytes.p, len);
        assert_int_equal(sample_unpack(slice_make(copy, len)), STATUS_CORRUPT);
        free(copy);
    }
    assert_int_equal(sample_unpack(slice_make(buffer, SAMPLE_LEN + 1)), STATUS_CORRUPT);
}

static void strings_that_do_not_fit_or_hold_nul_are_corrupt(void **state)
{
    static const struct slice strings[] = {
        {"\x03"
         "abc",
         4},
        {"\x02"
         "a\0",
         3},
        {"\xff\x01"
         "ab",
         4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        struct store_unpack unpack;
        char dest[3] = "";
        store_unpack_init(&unpack, strings[i]);
        store_unpack_string(&unpack, dest, sizeof(dest));
        assert_int_equal(store_unpack_done(&unpack), STATUS_CORRUPT);
    }
}

/* As written before addresses and domains could be left out of DNS: the same bytes are still
 * written for those that are not. */
static void records_from_before_a_switch_came_have_its_default(void **state)
{
    static const char domain_bytes[] = "\x02"         /* form */
                                       "\x07\x01\x01" /* version, ask the core, one core */
                                       "\x01"
                                       "c"
                                       "\x13\xc4\x00"  /* c:5060, UDP */
                                       "\x00\x5a\x05"; /* claims, quarantine, created */
    static const char record_bytes[] = "\x02\x22"      /* form, ported out and locked */
                                       "\x01"
                                       "h"
                                       "\x07\x05"  /* hosting, version, created */
                                       "\x00\x00"; /* owner, display */
    struct store_domain domain = {.name = "opa.example"};
    struct store_record record = {.address = {"bob", "opa.example"}};
    struct store_unpack unpack;
    struct store_pack pack;
    char buffer[64];
    struct slice bytes;
    (void)state;

    store_unpack_init(&unpack, slice_make(domain_bytes, sizeof(domain_bytes) - 1));
    store_domain_unpack(&unpack, &domain);
    assert_int_equal(store_unpack_done(&unpack), 0);
    assert_false(domain.unpublished);
    assert_false(domain.ranked);
    assert_int_equal(domain.cores[0].priority, 0);
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_domain_pack(&pack, &domain);
    assert_int_equal(store_pack_done(&pack, &bytes), 0);
    assert_int_equal(bytes.len, sizeof(domain_bytes) - 1);
    assert_memory_equal(bytes.p, domain_bytes, bytes.len);

    store_unpack_init(&unpack, slice_make(record_bytes, sizeof(record_bytes) - 1));
    store_record_unpack(&unpack, &record);
    assert_int_equal(store_unpack_done(&unpack), 0);
    assert_true(record.locked);
    assert_false(record.unpublished);
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_record_pack(&pack, &record, true);
    assert_int_equal(store_pack_done(&pack, &bytes), 0);
    assert_int_equal(bytes.len, sizeof(record_bytes) - 1);
    assert_memory_equal(bytes.p, record_bytes, bytes.len);
}

/* Only a record that has one is of the form that older programs do not know. */
static void a_mail_address_makes_a_form_of_its_own(void **state)
{
    static const char bytes[] = "\x03\x02" /* form, ported out */
                                "\x01"
                                "h"
                                "\x07\x05" /* hosting, version, created */
                                "\x00\x00\x06"
                                "a@b.cd"; /* owner, display, mail address */
    struct store_record record = {.address = {"bob", "opa.example"}};
    struct store_unpack unpack;
    struct store_pack pack;
    char buffer[64];
    struct slice written;
    (void)state;
    store_unpack_init(&unpack, slice_make(bytes, sizeof(bytes) - 1));
    store_record_unpack(&unpack, &record);
    assert_int_equal(store_unpack_done(&unpack), 0);
    assert_string_equal(record.notify, "a@b.cd");
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_record_pack(&pack, &record, false);
    assert_int_equal(store_pack_done(&pack, &written), 0);
    assert_int_equal(written.len, sizeof(bytes) - 1);
    assert_memory_equal(written.p, bytes, written.len);
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_record_pack_new(&pack, &record, record.version, record.created_ms);
    assert_int_equal(store_pack_done(&pack, &written), 0);
    assert_memory_equal(written.p, bytes, written.len);
}

static void another_form_is_corrupt(void **state)
{
    char buffer[SAMPLE_LEN];
    int ret;
    (void)state;
    struct slice bytes = sample_pack(buffer, sizeof(buffer), &ret);
    buffer[0] = 2;
    assert_int_equal(sample_unpack(bytes), STATUS_CORRUPT);
}

static int key_compare(const struct table_key *a, const struct table_key *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->p, b->p, len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static void number_keys_sort_as_numbers(void **state)
{
    static const uint64_t numbers[] = {0, 1, 255, 256, 65535, 65536, UINT32_MAX, UINT64_MAX};
    (void)state;
    for (size_t i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct table_key low, high;
        uint64_t back = 0;
        table_key_u64(&low, numbers[i - 1]);
        table_key_u64(&high, numbers[i]);
        assert_true(key_compare(&low, &high) < 0);
        assert_int_equal(table_key_to_u64(table_key_bytes(&high), &back), 0);
        assert_true(back == numbers[i]);
    }
}

static void damaged_keys_are_corrupt(void **state)
{
    struct store_address address;
    char domain[STORE_DOMAIN_MAX + 1], big[300];
    uint64_t u64;
    uint32_t u32;
    uint8_t id[32];
    (void)state;
    memset(big, 'a', sizeof(big));
    assert_int_equal(table_key_to_address(SLICE("opa.example"), &address), STATUS_CORRUPT);
    assert_int_equal(table_key_to_address(SLICE("opa.example\0"), &address), STATUS_CORRUPT);
    assert_int_equal(table_key_to_address(SLICE("\0alice"), &address), STATUS_CORRUPT);
    assert_int_equal(table_key_to_address(SLICE("opa.example\0a\0b"), &address), STATUS_CORRUPT);
    assert_int_equal(table_key_to_domain(slice_make(big, sizeof(big)), domain), STATUS_CORRUPT);
    assert_int_equal(table_key_to_u64(SLICE("1234567"), &u64), STATUS_CORRUPT);
    assert_int_equal(table_key_to_u32(SLICE("12345"), &u32), STATUS_CORRUPT);
    assert_int_equal(table_key_to_age(slice_make(big, 39), &u64, id), STATUS_CORRUPT);
}

static void numbers_take_as_few_octets_as_they_can_and_have_one_form(void **state)
{
    static const struct {
        uint64_t value;
        size_t len;
    } cases[] = {{0, 1},
                 {127, 1},
                 {128, 2},
                 {16383, 2},
                 {16384, 3},
                 {1u << 21, 4},
                 {UINT64_MAX >> 1, 9},
                 {UINT64_MAX, 10}};
    static const struct slice bad[] = {{"\x80\x00", 2},
                                       {"\x80", 1},
                                       {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
                                       {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80", 10}};
    struct store_unpack unpack;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char buffer[10];
        struct store_pack pack;
        store_pack_init(&pack, buffer, sizeof(buffer));
        store_pack_number(&pack, cases[i].value);
        assert_int_equal(pack.len, cases[i].len);
        store_unpack_init(&unpack, slice_make(buffer, pack.len));
        assert_true(store_unpack_number(&unpack) == cases[i].value);
        assert_int_equal(store_unpack_done(&unpack), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        store_unpack_init(&unpack, bad[i]);
        store_unpack_number(&unpack);
        assert_int_equal(store_unpack_done(&unpack), STATUS_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_take_as_few_octets_as_they_can_and_have_one_form),
        cmocka_unit_test(what_is_packed_is_unpacked),
        cmocka_unit_test(a_buffer_too_small_is_told),
        cmocka_unit_test(a_record_cut_short_or_too_long_is_corrupt),
        cmocka_unit_test(strings_that_do_not_fit_or_hold_nul_are_corrupt),
        cmocka_unit_test(records_from_before_a_switch_came_have_its_default),
        cmocka_unit_test(a_mail_address_makes_a_form_of_its_own),
        cmocka_unit_test(another_form_is_corrupt),
        cmocka_unit_test(number_keys_sort_as_numbers),
        cmocka_unit_test(damaged_keys_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
