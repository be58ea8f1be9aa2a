#include "base/list.h"

#include "tests/test.h"

struct item {
    int number;
    struct list link;
};

static int number_of(struct list *link)
{
    return container_of(link, struct item, link)->number;
}

static void links_keep_their_order(void **state)
{
    (void)state;
    struct list list;
    struct item items[5];
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_first(&list));
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        list_append(&list, &items[i].link);
    }
    assert_false(list_is_empty(&list));
    int expected = 0;
    list_each (it, next, &list)
        assert_int_equal(number_of(it), expected++);
    assert_int_equal(expected, 5);
    assert_int_equal(number_of(list_first(&list)), 0);
}

static void removing_while_looping_is_safe(void **state)
{
    (void)state;
    struct list list;
    struct item items[6];
    list_init(&list);
    for (int i = 0; i < 6; i++) {
        items[i].number = i;
        list_append(&list, &items[i].link);
    }
    list_each (it, next, &list) {
        if (number_of(it) % 2 == 0)
            list_remove(it);
    }
    int expected = 1;
    list_each (it, next, &list) {
        assert_int_equal(number_of(it), expected);
        expected += 2;
    }
    assert_int_equal(expected, 7);
}

static void removing_twice_is_harmless(void **state)
{
    (void)state;
    struct list list;
    struct item a = {.number = 1};
    list_init(&list);
    list_init(&a.link);
    list_remove(&a.link);
    list_append(&list, &a.link);
    list_remove(&a.link);
    list_remove(&a.link);
    assert_true(list_is_empty(&list));
    list_append(&list, &a.link);
    assert_ptr_equal(list_first(&list), &a.link);
}

static void popping_empties_from_the_front(void **state)
{
    (void)state;
    struct list list;
    struct item items[3];
    list_init(&list);
    assert_null(list_pop(&list));
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        list_append(&list, &items[i].link);
    }
    for (int i = 0; i < 3; i++) {
        struct list *link = list_pop(&list);
        assert_ptr_equal(link, &items[i].link);
        list_remove(link); /* on no list: harmless */
        list_each (it, next, &list) {
            assert_true(number_of(it) > i);
        }
    }
    assert_null(list_pop(&list));
    assert_true(list_is_empty(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_keep_their_order),
        cmocka_unit_test(removing_while_looping_is_safe),
        cmocka_unit_test(popping_empties_from_the_front),
        cmocka_unit_test(removing_twice_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
