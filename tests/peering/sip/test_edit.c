#include "tests/peering/sip/sip_test.h"

#include <stdlib.h>

/* The result of the edits as a string; the caller frees it. */
static char *gathered(struct sip_edits *edits)
{
    size_t len = sip_edits_len(edits);
    char *text = malloc(len + 1);

    assert_non_null(text);
    text[len] = '\0';
    sip_edits_gather(edits, text);
    return text;
}

static void assert_gathered(struct sip_edits *edits, const char *expected)
{
    char *text = gathered(edits);
    assert_int_equal(edits->overflow, false);
    assert_string_equal(text, expected);
    free(text);
}

static void no_edit_copies_the_message(void **state)
{
    (void)state;
    struct sip_edits edits;
    sip_edits_init(&edits, SLICE("abc"));
    assert_gathered(&edits, "abc");
}

static void edits_apply_by_place_whatever_their_order(void **state)
{
    (void)state;
    struct slice text = SLICE("0123456789");
    struct sip_edits edits;

    sip_edits_init(&edits, text);
    sip_edits_insert(&edits, slice_end(text), SLICE("end"));
    sip_edits_replace(&edits, slice_make(text.p + 4, 2), SLICE("xyz"));
    sip_edits_insert(&edits, text.p, SLICE("begin"));
    sip_edits_remove(&edits, slice_make(text.p + 8, 1));
    sip_edits_insert(&edits, text.p + 6, SLICE(","));
    assert_int_equal(sip_edits_len(&edits), strlen("begin0123xyz,679end"));
    assert_gathered(&edits, "begin0123xyz,679end");
}

static void edits_at_one_place_keep_their_order(void **state)
{
    (void)state;
    struct slice text = SLICE("0123");
    struct sip_edits edits;

    sip_edits_init(&edits, text);
    sip_edits_insert(&edits, text.p + 2, SLICE("a"));
    sip_edits_replace(&edits, slice_make(text.p + 2, 1), SLICE("b"));
    sip_edits_insert(&edits, text.p + 2, SLICE("c"));
    sip_edits_insert(&edits, text.p + 1, SLICE("-"));
    assert_gathered(&edits, "0-1abc3");
}

static void overlapping_removals_take_a_byte_once(void **state)
{
    (void)state;
    struct slice text = SLICE("0123456789");
    struct sip_edits edits;

    sip_edits_init(&edits, text);
    sip_edits_remove(&edits, slice_make(text.p + 2, 5));
    sip_edits_remove(&edits, slice_make(text.p + 3, 2));
    sip_edits_replace(&edits, slice_make(text.p + 6, 2), SLICE("x"));
    assert_gathered(&edits, "01x89");
    sip_edits_remove(&edits, text);
    assert_gathered(&edits, "x");
}

static void what_does_not_fit_is_remembered(void **state)
{
    (void)state;
    struct slice text = SLICE("0123");
    char out[4] = "same";
    struct sip_edits edits;

    sip_edits_init(&edits, text);
    for (int i = 0; i < SIP_MAX_EDITS; i++)
        sip_edits_insert(&edits, text.p + 1, SLICE("x"));
    assert_int_equal(sip_edits_len(&edits), 4 + SIP_MAX_EDITS);
    sip_edits_insert(&edits, text.p, SLICE("y"));
    assert_true(edits.overflow);
    assert_int_equal(sip_edits_len(&edits), 0);
    sip_edits_gather(&edits, out);
    assert_memory_equal(out, "same", 4);

    sip_edits_init(&edits, text);
    sip_edits_insert(&edits, text.p, slice_make(NULL, 0)); /* an exhausted arena's */
    assert_true(edits.overflow);
    sip_edits_init(&edits, slice_make(text.p, 2));
    sip_edits_remove(&edits, slice_make(text.p + 1, 2)); /* past the end */
    assert_true(edits.overflow);
    sip_edits_init(&edits, slice_make(text.p + 2, 2));
    sip_edits_insert(&edits, text.p + 1, SLICE("x")); /* before the beginning */
    assert_true(edits.overflow);
}

/* ---- elements ---- */

#define BEFORE                                                                                     \
    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"    \
    "To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
#define AFTER "X: y\r\n\r\n"

/* Removes the elements named by the digits of `which`, in this order. */
static void elements_remove(struct sip_edits *edits, const struct sip_header *header,
                            const char *which)
{
    for (; *which != '\0'; which++) {
        struct slice list = header->value;
        struct slice element;
        for (int i = 0; i <= *which - '0'; i++)
            assert_int_equal(sip_list_next(&list, &element), 0);
        sip_edits_remove_element(edits, header, element);
    }
}

static void elements_leave_a_well_formed_list(void **state)
{
    (void)state;
    static const struct {
        const char *line, *which, *expected;
    } table[] = {
        {"Route: <sip:a>\r\n", "0", ""},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "0", "Route: <sip:b>, <sip:c>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "1", "Route: <sip:a>,<sip:c>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "2", "Route: <sip:a>,<sip:b>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "01", "Route: <sip:c>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "10", "Route: <sip:c>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "12", "Route: <sip:a>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "21", "Route: <sip:a>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "02", "Route: <sip:b>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "20", "Route: <sip:b>\r\n"},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "012", ""},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "210", ""},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "102", ""},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "120", ""},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "201", ""},
        {"Route: <sip:a>,<sip:b>, <sip:c>\r\n", "021", ""},
        {"Route: <sip:a> ,\r\n <sip:b> \r\n", "0", "Route: <sip:b> \r\n"},
        {"Route: <sip:a> ,\r\n <sip:b> \r\n", "1", "Route: <sip:a> \r\n"},
        {"Route: <sip:a> ,\r\n <sip:b> \r\n", "10", ""},
        {"Route:\r\n <sip:a>\r\n ,<sip:b>\r\n", "0", "Route:\r\n <sip:b>\r\n"},
        {"Route: \"x,y\" <sip:a>;p=\"1,2\" , <sip:b>\r\n", "0", "Route: <sip:b>\r\n"},
        {"Route: \"x,y\" <sip:a>;p=\"1,2\" , <sip:b>\r\n", "1",
         "Route: \"x,y\" <sip:a>;p=\"1,2\"\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[512];
        char expected[512];
        struct parsed parsed;
        struct sip_edits edits;

        (void)snprintf(text, sizeof(text), BEFORE "%s" AFTER, table[i].line);
        (void)snprintf(expected, sizeof(expected), BEFORE "%s" AFTER, table[i].expected);
        parse_good(&parsed, text);
        sip_edits_init(&edits, parsed.msg.bytes);
        elements_remove(&edits, sip_msg_header(&parsed.msg, SIP_H_ROUTE, NULL), table[i].which);
        assert_gathered(&edits, expected);
    }
}

static void an_element_of_another_header_is_a_mistake(void **state)
{
    (void)state;
    struct parsed parsed;
    struct sip_edits edits;

    parse_good(&parsed, BEFORE "Route: <sip:a>, <sip:b>\r\n" AFTER);
    sip_edits_init(&edits, parsed.msg.bytes);
    sip_edits_remove_element(&edits, sip_msg_header(&parsed.msg, SIP_H_ROUTE, NULL),
                             parsed.msg.to.bytes);
    assert_true(edits.overflow);
}

/* ---- random edits against a model ---- */

#define MODEL_LEN    64
#define MODEL_ROUNDS 20000

/* What stays of each byte, and what is put before it (the last place: at the end). */
struct model {
    bool removed[MODEL_LEN];
    char put[MODEL_LEN + 1][SIP_MAX_EDITS * 4 + 1];
};

static void model_add(struct model *model, size_t at, size_t remove, const char *put)
{
    for (size_t i = at; i < at + remove; i++)
        model->removed[i] = true;
    memcpy(model->put[at] + strlen(model->put[at]), put, strlen(put) + 1);
}

static void model_gather(const struct model *model, const char *text, char *out)
{
    for (size_t i = 0; i <= MODEL_LEN; i++) {
        out = stpcpy(out, model->put[i]);
        if (i < MODEL_LEN && !model->removed[i])
            *out++ = text[i];
    }
    *out = '\0';
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void random_edits_agree_with_a_model(void **state)
{
    (void)state;
    static const char *const puts_[] = {"", "a", "bc", "def"};
    char text[MODEL_LEN + 1];
    uint32_t seed = 20061;

    for (size_t i = 0; i < MODEL_LEN; i++)
        text[i] = (char)('0' + i);
    text[MODEL_LEN] = '\0';
    for (int round = 0; round < MODEL_ROUNDS; round++) {
        struct model model = {.removed = {false}};
        struct sip_edits edits;
        char expected[MODEL_LEN + SIP_MAX_EDITS * 4 + 1];

        sip_edits_init(&edits, slice_make(text, MODEL_LEN));
        size_t count = random_next(&seed) % (round % 50 == 0 ? SIP_MAX_EDITS : 8);
        for (size_t i = 0; i < count; i++) {
            size_t at = random_next(&seed) % (MODEL_LEN + 1);
            size_t most = MODEL_LEN - at < 9 ? MODEL_LEN - at : 9;
            size_t remove = random_next(&seed) % (most + 1);
            const char *put = puts_[random_next(&seed) % COUNT_OF(puts_)];
            sip_edits_replace(&edits, slice_make(text + at, remove), slice_of(put));
            model_add(&model, at, remove, put);
        }
        model_gather(&model, text, expected);
        assert_int_equal(sip_edits_len(&edits), strlen(expected));
        assert_gathered(&edits, expected);
    }
}

/* ---- marking a Via ---- */

static void a_via_is_marked_with_where_it_came_from(void **state)
{
    (void)state;
    static const struct {
        const char *via, *received;
        unsigned rport;
        const char *expected;
    } table[] = {
        {"SIP/2.0/UDP h;branch=b", "192.0.2.7", 0, "SIP/2.0/UDP h;branch=b;received=192.0.2.7"},
        {"SIP/2.0/UDP h;branch=b", "", 5060, "SIP/2.0/UDP h;branch=b"},
        {"SIP/2.0/UDP h;rport;branch=b", "192.0.2.7", 5070,
         "SIP/2.0/UDP h;rport=5070;branch=b;received=192.0.2.7"},
        {"SIP/2.0/UDP h;branch=b;rport", "::1", 65535,
         "SIP/2.0/UDP h;branch=b;rport=65535;received=::1"},
        {"SIP/2.0/UDP h;rport=1", "", 2, "SIP/2.0/UDP h;rport=2"},
        {"SIP/2.0/UDP h;rport=1", "", 0, "SIP/2.0/UDP h;rport=1"},
        {"SIP/2.0/UDP h;received=9.9.9.9;x", "192.0.2.7", 0, "SIP/2.0/UDP h;received=192.0.2.7;x"},
        {"SIP/2.0/UDP h;received=[::9]", "192.0.2.7", 0, "SIP/2.0/UDP h;received=192.0.2.7"},
    };
    struct arena_pool *pool = arena_pool_alloc(4096, 0);
    struct arena *arena = arena_alloc(pool, 0);

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct slice list = slice_of(table[i].via);
        struct sip_via via;
        struct sip_edits edits;
        assert_int_equal(sip_via_next(&list, &via), 0);
        sip_edits_init(&edits, slice_of(table[i].via));
        sip_edits_mark_via(&edits, arena, &via, slice_of(table[i].received),
                           (uint16_t)table[i].rport);
        assert_gathered(&edits, table[i].expected);
    }
    arena_free(arena);
    arena_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_edit_copies_the_message),
        cmocka_unit_test(edits_apply_by_place_whatever_their_order),
        cmocka_unit_test(edits_at_one_place_keep_their_order),
        cmocka_unit_test(overlapping_removals_take_a_byte_once),
        cmocka_unit_test(what_does_not_fit_is_remembered),
        cmocka_unit_test(elements_leave_a_well_formed_list),
        cmocka_unit_test(an_element_of_another_header_is_a_mistake),
        cmocka_unit_test(random_edits_agree_with_a_model),
        cmocka_unit_test(a_via_is_marked_with_where_it_came_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
