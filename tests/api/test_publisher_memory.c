/* What a zone's publisher remembers, over restarts and crashes. */
#include "api/publisher_internal.h"

#include "base/status.h"
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE "opa.example"

struct place {
    char folder[64], path[96];
    struct publisher_memory memory;
};

static void reopen(struct place *place)
{
    publisher_memory_close(&place->memory);
    assert_int_equal(publisher_memory_open(&place->memory, place->folder, ZONE), 0);
}

static int setup(void **state)
{
    static struct place place;
    *state = &place;
    test_folder_make(place.folder, sizeof(place.folder));
    snprintf(place.path, sizeof(place.path), "%s/published.%s", place.folder, ZONE);
    return publisher_memory_open(&place.memory, place.folder, ZONE);
}

static int teardown(void **state)
{
    struct place *place = *state;
    publisher_memory_close(&place->memory);
    unlink(place->path);
    return rmdir(place->folder);
}

static struct update_set set_of(const char *name, enum zone_type type)
{
    struct update_set set = {.type = type};
    snprintf(set.name, sizeof(set.name), "%s", name);
    return set;
}

static void what_was_sent_is_known_after_a_restart(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    struct update_set a = set_of("opa.example", ZONE_NAPTR), b = set_of("opa.example", ZONE_A);
    assert_int_equal(memory->done, UINT64_MAX);
    publisher_memory_sent(memory, &a, "opa.example", 0, 17);
    publisher_memory_sent(memory, &b, "opa.example", 5, 6);
    publisher_memory_sent(memory, &b, "opa.example", 6, 6);
    publisher_memory_done(memory, 42);
    publisher_memory_compared(memory,
                              &(struct zone_conf){.address_ttl_s = 300, .address_records = true});
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    for (int times = 0; times < 2; times++) { /* as added lines, and as the file written anew */
        reopen(place);
        const struct publisher_entry *entry = publisher_memory_find(memory, "opa.example", ZONE_A);
        assert_non_null(entry);
        assert_int_equal(entry->before, 6);
        assert_int_equal(entry->after, 6);
        entry = publisher_memory_find(memory, "opa.example", ZONE_NAPTR);
        assert_non_null(entry);
        assert_int_equal(entry->before, 0);
        assert_int_equal(entry->after, 17);
        assert_string_equal(entry->about, "opa.example");
        assert_int_equal(memory->count, 2);
        assert_int_equal(memory->done, 42);
        assert_int_equal(memory->gap, PUBLISHER_GAP_NONE);
        assert_true(memory->compared_records);
        assert_int_equal(memory->ttl_count, 1);
        assert_true(publisher_memory_has_ttl(memory, 300));
    }
}

static void what_was_never_answered_may_come_late(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    struct update_set a = set_of("a.opa.example", ZONE_A);
    publisher_memory_sent(memory, &a, "opa.example", 1, 2);
    publisher_memory_sent(memory, &a, "opa.example", 1, 3); /* 2 was not there */
    publisher_memory_sent(memory, &a, "opa.example", 1, 1); /* nor 3, which is not wanted now */
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    for (int times = 0; times < 3; times++) { /* lines that were added, and written anew */
        const struct publisher_entry *entry = publisher_memory_find(memory, a.name, a.type);
        assert_int_equal(entry->before, 1);
        assert_int_equal(entry->after, 1);
        assert_int_equal(entry->late_count, 2);
        assert_int_equal(entry->late[0], 2);
        assert_int_equal(entry->late[1], 3);
        reopen(place);
    }
    publisher_memory_made(memory, &a, "opa.example", 4);
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(publisher_memory_find(memory, a.name, a.type)->late_count, 0);
        assert_int_equal(publisher_memory_find(memory, a.name, a.type)->after, 4);
        reopen(place);
    }
    for (uint64_t i = 0; i < 50; i++)
        publisher_memory_sent(memory, &a, "opa.example", 4, 100 + i);
    const struct publisher_entry *entry = publisher_memory_find(memory, a.name, a.type);
    assert_int_equal(entry->late_count, PUBLISHER_LATE_MAX);
    assert_int_equal(entry->late[PUBLISHER_LATE_MAX - 1], 148); /* and 149 is the last one */
}

static void a_ttl_of_somebody_elses_is_known_after_a_restart(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    struct update_set a = set_of("a.opa.example", ZONE_A);
    a.ttl_s = 60;
    publisher_memory_ttl_kept(memory, &a, true); /* of what was never sent: says nothing */
    assert_int_equal(memory->count, 0);
    publisher_memory_sent(memory, &a, "opa.example", 1, 1);
    publisher_memory_ttl_kept(memory, &a, true);
    for (int times = 0; times < 3; times++) {
        assert_true(publisher_memory_find(memory, a.name, a.type)->has_ttl);
        assert_int_equal(publisher_memory_find(memory, a.name, a.type)->ttl_s, 60);
        reopen(place);
    }
    publisher_memory_ttl_kept(memory, &a, false);
    reopen(place);
    assert_false(publisher_memory_find(memory, a.name, a.type)->has_ttl);
}

static void what_is_gone_is_forgotten(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    struct update_set a = set_of("a.opa.example", ZONE_A);
    publisher_memory_sent(memory, &a, "opa.example", 1, 2);
    publisher_memory_sent(memory, &a, "opa.example", 2, 0);
    assert_int_equal(memory->count, 1); /* it may be there still */
    publisher_memory_sent(memory, &a, "opa.example", 0, 0);
    assert_int_equal(memory->count, 0);
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    reopen(place);
    assert_int_equal(memory->count, 0);
}

static void what_differs_is_counted_until_it_agrees(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    struct update_set a = set_of("a.opa.example", ZONE_A), b = set_of("b.opa.example", ZONE_NAPTR);
    publisher_memory_sent(memory, &a, "opa.example", 1, 1);
    for (int times = 0; times < 2; times++) {
        publisher_memory_differs(memory, &a, "opa.example", true);
        publisher_memory_differs(memory, &b, "bob@opa.example", true);
    }
    assert_int_equal(memory->differing, 2);
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    reopen(place);
    assert_int_equal(memory->differing, 2);
    assert_true(publisher_memory_find(memory, "a.opa.example", ZONE_A)->is_sent);
    assert_false(publisher_memory_find(memory, "b.opa.example", ZONE_NAPTR)->is_sent);
    publisher_memory_differs(memory, &a, "opa.example", false);
    publisher_memory_differs(memory, &b, "bob@opa.example", false);
    assert_int_equal(memory->differing, 0);
    assert_int_equal(memory->count, 1);
    reopen(place);
    assert_int_equal(memory->differing, 0);
    assert_int_equal(memory->count, 1);
}

static void why_all_are_compared_is_known_until_they_were(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    assert_int_equal(memory->gap, PUBLISHER_GAP_LOST); /* there was no file */
    publisher_memory_done(memory, 7);
    assert_int_equal(publisher_memory_published(memory), 0);
    publisher_memory_compared(memory, &(struct zone_conf){.address_ttl_s = 300});
    assert_int_equal(publisher_memory_published(memory), 7);
    publisher_memory_ttl(memory, 60);
    publisher_memory_gap(memory, PUBLISHER_GAP_TTL);
    publisher_memory_ttl(memory, 90);
    for (int times = 0; times < 2; times++) { /* as added lines, and as the file written anew */
        reopen(place);
        assert_int_equal(memory->gap, PUBLISHER_GAP_TTL);
        assert_true(publisher_memory_has_ttl(memory, 300));
        assert_true(publisher_memory_has_ttl(memory, 60));
        assert_true(publisher_memory_has_ttl(memory, 90));
        assert_false(publisher_memory_has_ttl(memory, 91));
    }
    publisher_memory_gap(memory, PUBLISHER_GAP_LOST);
    publisher_memory_done(memory, 50);
    publisher_memory_gap(memory, PUBLISHER_GAP_LOST);
    publisher_memory_gap(memory, PUBLISHER_GAP_MISSING);
    for (int times = 0; times < 2; times++) {
        reopen(place);
        assert_int_equal(memory->gap, PUBLISHER_GAP_LOST);
        assert_int_equal(memory->done, 50);
        assert_int_equal(publisher_memory_published(memory), 7);
    }
    publisher_memory_compared(memory, &(struct zone_conf){.address_ttl_s = 90});
    assert_int_equal(publisher_memory_published(memory), 50);
    assert_false(publisher_memory_has_ttl(memory, 300));
}

static void more_ttls_than_can_be_told_apart_are_all_ours(void **state)
{
    struct publisher_memory *memory = &((struct place *)*state)->memory;
    for (uint32_t ttl_s = 1; ttl_s < PUBLISHER_TTLS_MAX; ttl_s++)
        publisher_memory_ttl(memory, ttl_s);
    assert_false(publisher_memory_has_ttl(memory, 900));
    publisher_memory_ttl(memory, 800);
    assert_true(publisher_memory_has_ttl(memory, 900));
    publisher_memory_ttl(memory, 900);
    assert_int_equal(memory->ttl_count, PUBLISHER_TTLS_MAX);
}

static void file_append(const struct place *place, const char *text)
{
    FILE *file = fopen(place->path, "a");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The line that a crash cut short is none, and later ones stand alone. */
static void a_line_without_end_does_not_count(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    publisher_memory_done(memory, 7);
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    file_append(place, "done 7123456");
    reopen(place);
    assert_int_equal(memory->done, 7);
    publisher_memory_done(memory, 8);
    reopen(place);
    assert_int_equal(memory->done, 8);
}

static void lines_of_nobody_do_no_harm(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    publisher_memory_done(memory, 7);
    file_append(place, "\nsent\ndone\nsent a 1 x y z\nsent a.opa.example 1 0 zz opa.example\n"
                       "differs a\n\xff\xfe\n");
    reopen(place);
    assert_int_equal(memory->done, 7);
    assert_int_equal(memory->count, 0);
    assert_int_equal(memory->differing, 0);
}

static void many_sets_are_remembered(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    char name[64];
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "n%u.opa.example", i);
        struct update_set set = set_of(name, ZONE_A);
        publisher_memory_sent(memory, &set, "opa.example", i + 1, i + 1);
        if (i % 2)
            publisher_memory_sent(memory, &set, "opa.example", 0, 0);
    }
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    reopen(place);
    assert_int_equal(memory->count, 2500);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "n%u.opa.example", i);
        const struct publisher_entry *entry = publisher_memory_find(memory, name, ZONE_A);
        assert_int_equal(entry != NULL, i % 2 == 0);
        assert_true(!entry || entry->after == i + 1);
    }
}

/* Files may not grow beyond `bytes`, as on a disk that is full. */
static void disk_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* What cannot be written is told each time, and nothing is lost or goes astray meanwhile. */
static void a_full_disk_is_told_and_overcome(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    struct update_set a = set_of("a.opa.example", ZONE_A), b = set_of("b.opa.example", ZONE_A);
    char beside[128];
    snprintf(beside, sizeof(beside), "%s.new", place->path);
    publisher_memory_sent(memory, &a, "opa.example", 3, 4);
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    disk_limit(20);
    publisher_memory_sent(memory, &b, "opa.example", 5, 6);
    for (int times = 0; times < 3; times++) {
        assert_int_not_equal(publisher_memory_flush(memory, true), 0);
        assert_false(is_there(beside));
    }
    disk_limit(RLIM_INFINITY);
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    publisher_memory_done(memory, 9);
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    reopen(place);
    assert_int_equal(memory->done, 9);
    assert_int_equal(publisher_memory_find(memory, a.name, a.type)->after, 4);
    assert_int_equal(publisher_memory_find(memory, b.name, b.type)->after, 6);
    assert_false(is_there(beside));
}

static void a_file_that_cannot_be_written_anew_is_told(void **state)
{
    struct place *place = *state;
    struct publisher_memory *memory = &place->memory;
    struct update_set a = set_of("a.opa.example", ZONE_A);
    char beside[128];
    snprintf(beside, sizeof(beside), "%s.new", place->path);
    assert_int_equal(mkdir(beside, 0700), 0);
    for (unsigned i = 0; i < 20000; i++) /* until it is due */
        publisher_memory_sent(memory, &a, "opa.example", i, i + 1);
    assert_int_equal(publisher_memory_flush(memory, true), -EISDIR);
    assert_int_equal(publisher_memory_flush(memory, true), -EISDIR);
    assert_int_equal(rmdir(beside), 0);
    assert_int_equal(publisher_memory_flush(memory, true), 0);
    reopen(place);
    assert_int_equal(publisher_memory_find(memory, a.name, a.type)->after, 20000);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct publisher_memory memory;
    assert_int_equal(publisher_memory_open(&memory, "/no/such/folder", ZONE), -ENOENT);
    publisher_memory_close(&memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sent_is_known_after_a_restart),
        TEST(what_was_never_answered_may_come_late),
        TEST(a_ttl_of_somebody_elses_is_known_after_a_restart),
        TEST(what_is_gone_is_forgotten),
        TEST(what_differs_is_counted_until_it_agrees),
        TEST(why_all_are_compared_is_known_until_they_were),
        TEST(more_ttls_than_can_be_told_apart_are_all_ours),
        TEST(a_line_without_end_does_not_count),
        TEST(lines_of_nobody_do_no_harm),
        TEST(many_sets_are_remembered),
        TEST(a_full_disk_is_told_and_overcome),
        TEST(a_file_that_cannot_be_written_anew_is_told),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests_name("publisher_memory", tests, NULL, NULL);
}
