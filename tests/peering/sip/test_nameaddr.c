#include "base/status.h"
#include "tests/peering/sip/sip_test.h"

static void good_addresses_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *display, *uri;
        bool brackets;
        const char *params;
    } table[] = {
        {"sip:a@b", "", "sip:a@b", false, ""},
        {"sip:a@b;tag=1", "", "sip:a@b", false, ";tag=1"},
        {"  sip:a@b\r\n  ;  tag =  1  ", "", "sip:a@b", false, ";  tag =  1"},
        {"<sip:a@b>", "", "sip:a@b", true, ""},
        {"<sip:a@b;user=phone>;tag=1", "", "sip:a@b;user=phone", true, ";tag=1"},
        {"<sip:a@b?X=y>", "", "sip:a@b?X=y", true, ""},
        {"caller<sip:a@b>", "caller", "sip:a@b", true, ""},
        {"A. G. Bell <sip:a@b> ;tag=x", "A. G. Bell", "sip:a@b", true, ";tag=x"},
        {"T\xc3\xb6ne <sip:a@b>", "T\xc3\xb6ne", "sip:a@b", true, ""},
        {"\"Bell, \\\"A\\\\\" <sip:a@b>", "\"Bell, \\\"A\\\\\"", "sip:a@b", true, ""},
        {"\"<sip:x@y>\"<sip:a@b>", "\"<sip:x@y>\"", "sip:a@b", true, ""},
        {"\"\"<sip:a@b>", "\"\"", "sip:a@b", true, ""},
        {"\"folded\r\n name\" <sip:a@b>", "\"folded\r\n name\"", "sip:a@b", true, ""},
        {"<sip:a@b>;p=\"q;r,s\";flag", "", "sip:a@b", true, ";p=\"q;r,s\";flag"},
        {"<sip:a@b>;+sip.instance=\"<urn:uuid:x>\"", "", "sip:a@b", true,
         ";+sip.instance=\"<urn:uuid:x>\""},
        {"<sip:a@b>;addr=[::1]:5060", "", "sip:a@b", true, ";addr=[::1]:5060"},
        {"isbn:2983792873", "", "isbn:2983792873", false, ""},
        {"<http://www.example.com/a;b,c>;tag=3", "", "http://www.example.com/a;b,c", true,
         ";tag=3"},
        {"<tel:+49123>", "", "tel:+49123", true, ""},
        {"sip:%75se%72@example.com", "", "sip:%75se%72@example.com", false, ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sip_nameaddr got;
        assert_row(sip_nameaddr_decode(slice_of(table[i].text), &got) == 0, table[i].text);
        assert_slice(got.display, table[i].display);
        assert_slice(got.uri.bytes, table[i].uri);
        assert_int_equal(got.brackets, table[i].brackets);
        assert_slice(got.params, table[i].params);
        assert_true(slice_eq(got.bytes, slice_trim(slice_of(table[i].text))));
    }
}

static void malformed_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        " ",
        "*",
        "<>",
        "<sip:a@b",
        "sip:a@b>",
        "\"Mr. J. User <sip:j.user@example.com>", /* RFC 4475 section 3.1.2.6 */
        "\"a\\",
        "\"a\\\r\n b\" <sip:a@b>",
        "\"a\001b\" <sip:a@b>",
        "\"a\" sip:a@b",
        "Bell, Alexander <sip:a@b>", /* 3.1.2.15 */
        "a@b <sip:a@b>",
        "\"x\" y <sip:a@b>",
        "< sip:a@b >",     /* 3.1.2.14 */
        "sip:a@b?Route=x", /* 3.1.2.13 */
        "sip:a@b c",
        "sip:a@b,sip:c@d",
        "<sip:a@b> x",
        "<sip:a@b>x=y",
        "<sip:a@b>;",
        "<sip:a@b>;;tag=1",
        "<sip:a@b>;tag=",
        "<sip:a@b>;tag=1 2",
        "<sip:a@b>;tag=1;",
        "<sip:a@b>;=1",
        "<sip:a@b>;x=\"y",
        "<sip:a@b>;x=\"y\"z",
        "<sip:a@b>;x=<y>",
        "<sip:a@b>,",
        "<<sip:a@b>>",
        "<sip:a@b>>",
        "nonsense",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sip_nameaddr got = {.brackets = true};
        assert_row(sip_nameaddr_decode(slice_of(table[i]), &got) == STATUS_MALFORMED, table[i]);
        assert_null(got.bytes.p);
    }
}

static void elements_come_off_a_list_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *elements[4]; /* NULL ends them */
        int status;              /* after the last one */
    } table[] = {
        {"", {NULL}, STATUS_NOTFOUND},
        {" \r\n ", {NULL}, STATUS_NOTFOUND},
        {"a", {"a"}, STATUS_NOTFOUND},
        {" a , b,c ", {"a", "b", "c"}, STATUS_NOTFOUND},
        {"\"x,\\\",y\" <sip:a,b@c>;p=\"q,r\" , z",
         {"\"x,\\\",y\" <sip:a,b@c>;p=\"q,r\"", "z"},
         STATUS_NOTFOUND},
        {"<sip:a@b>;x,\r\n\t<sip:c@d>", {"<sip:a@b>;x", "<sip:c@d>"}, STATUS_NOTFOUND},
        {"a,,b", {"a"}, STATUS_MALFORMED},
        {",a", {NULL}, STATUS_MALFORMED},
        {"a,", {NULL}, STATUS_MALFORMED},
        {"a, \"b", {"a"}, STATUS_MALFORMED},
        {"a,<b", {"a"}, STATUS_MALFORMED},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct slice list = slice_of(table[i].list);
        struct slice element;
        for (size_t k = 0; table[i].elements[k] != NULL; k++) {
            assert_row(sip_list_next(&list, &element) == 0, table[i].list);
            assert_slice(element, table[i].elements[k]);
        }
        assert_row(sip_list_next(&list, &element) == table[i].status, table[i].list);
    }
}

static void routes_come_off_a_list_one_by_one(void **state)
{
    (void)state;
    struct slice list = SLICE("<sip:a;lr>,\r\n \"b, c\" <sip:d@e;lr> ;x=\"1,2\" , sip:f@g;y");
    struct sip_nameaddr got;

    assert_int_equal(sip_nameaddr_next(&list, &got), 0);
    assert_slice(got.bytes, "<sip:a;lr>");
    assert_true(sip_uri_param(&got.uri, "lr", NULL));
    assert_int_equal(sip_nameaddr_next(&list, &got), 0);
    assert_slice(got.bytes, "\"b, c\" <sip:d@e;lr> ;x=\"1,2\"");
    assert_int_equal(sip_nameaddr_next(&list, &got), 0);
    assert_slice(got.uri.bytes, "sip:f@g");
    assert_slice(got.params, ";y");
    assert_int_equal(sip_nameaddr_next(&list, &got), STATUS_NOTFOUND);

    list = SLICE("<sip:a;lr>, bad");
    assert_int_equal(sip_nameaddr_next(&list, &got), 0);
    assert_int_equal(sip_nameaddr_next(&list, &got), STATUS_MALFORMED);
    list = SLICE("<sip:a;lr>, ");
    assert_int_equal(sip_nameaddr_next(&list, &got), STATUS_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_are_taken_apart),
        cmocka_unit_test(malformed_addresses_are_refused),
        cmocka_unit_test(elements_come_off_a_list_one_by_one),
        cmocka_unit_test(routes_come_off_a_list_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
