/* What commands do to domains, addresses, keys, journal and verdicts, seen through a reader. */
#include "base/status.h"
#include "tests/store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct store_domain domain_get(struct fixture *f, const char *name)
{
    struct store_domain domain;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_domain_get(f->reader, name, &domain), 0);
    store_reader_end(f->reader);
    return domain;
}

static struct store_record record_get(struct fixture *f, const char *text)
{
    struct store_address address = address_of(text);
    struct store_record record;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_address_get(f->reader, &address, &record), 0);
    store_reader_end(f->reader);
    return record;
}

static struct store_route route_get(struct fixture *f, const char *text)
{
    struct store_address address = address_of(text);
    struct store_route route = {0};
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_route(f->reader, &address, &route), 0);
    store_reader_end(f->reader);
    return route;
}

/* ---- domains ---- */

static void a_domain_is_read_back_as_written(void **state)
{
    struct fixture *f = *state;
    struct store_command command = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    struct store_domain *in = &command.domain;
    in->unknown = STORE_UNKNOWN_CORE;
    in->unpublished = true;
    in->redirects = true;
    in->ranked = true;
    for (unsigned i = 0; i < STORE_CORES_MAX; i++) {
        snprintf(in->cores[i].host, sizeof(in->cores[i].host),
                 i % 2 ? "2001:db8::%u" : "c%u.example", i);
        in->cores[i].port = (uint16_t)(i * 5000);
        in->cores[i].transport = (uint8_t)i;
        in->cores[i].priority = (uint16_t)(UINT16_MAX - i);
        in->cores[i].weight = (uint16_t)(i * 9000);
    }
    in->core_count = STORE_CORES_MAX;
    assert_int_equal(fixture_submit(f, &command), 0);

    struct store_domain out = domain_get(f, "opa.example");
    assert_string_equal(out.name, "opa.example");
    assert_int_equal(out.unknown, STORE_UNKNOWN_CORE);
    assert_true(out.unpublished);
    assert_true(out.redirects);
    assert_true(out.ranked);
    assert_int_equal(out.core_count, STORE_CORES_MAX);
    assert_int_equal(out.version, 1);
    for (unsigned i = 0; i < STORE_CORES_MAX; i++) {
        assert_string_equal(out.cores[i].host, in->cores[i].host);
        assert_int_equal(out.cores[i].port, in->cores[i].port);
        assert_int_equal(out.cores[i].transport, in->cores[i].transport);
        assert_int_equal(out.cores[i].priority, in->cores[i].priority);
        assert_int_equal(out.cores[i].weight, in->cores[i].weight);
    }
}

static void domain_commands_are_judged(void **state)
{
    struct fixture *f = *state;
    struct store_command put = command_domain(STORE_DOMAIN_PUT, "opa.example", "192.0.2.2");
    struct store_command del = command_domain(STORE_DOMAIN_DEL, "opa.example", "");
    assert_int_equal(fixture_submit(f, &put), STATUS_NOTFOUND);
    assert_int_equal(fixture_submit(f, &del), STATUS_NOTFOUND);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example"), STATUS_EXISTS);
    put.expected_version = 7;
    assert_int_equal(fixture_submit(f, &put), STATUS_CONFLICT);
    put.expected_version = 1;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_int_equal(fixture_submit(f, &put), STATUS_CONFLICT);
    assert_string_equal(domain_get(f, "opa.example").cores[0].host, "192.0.2.2");
    assert_int_equal(domain_get(f, "opa.example").version, 2);
    del.expected_version = 1;
    assert_int_equal(fixture_submit(f, &del), STATUS_CONFLICT);
    del.expected_version = 2;
    assert_int_equal(fixture_submit(f, &del), 0);
    assert_int_equal(fixture_stats(f).domains, 0);
}

static void malformed_domains_are_refused(void **state)
{
    static const char *const names[] = {
        "",          "Opa.example",  "opa.example.",     "opa..example",
        "192.0.2.1", "opa_.example", "b\xC3\xBC.example"};
    static const char *const cores[] = {"", "[2001:db8::1]", "Core.example", "a_b", "192.0.2"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(fixture_domain_add(f, names[i]), STATUS_MALFORMED);
    for (size_t i = 0; i < sizeof(cores) / sizeof(cores[0]); i++) {
        struct store_command command = command_domain(STORE_DOMAIN_ADD, "opa.example", cores[i]);
        assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    }
    struct store_command command = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    command.domain.core_count = 0;
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    command.domain.core_count = STORE_CORES_MAX + 1;
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    command.domain.core_count = 1;
    memset(command.domain.name, 'a', sizeof(command.domain.name));
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    command.op = STORE_DOMAIN_DEL;
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    command = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    memset(command.actor, 'a', sizeof(command.actor));
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    command.op = (enum store_op)99;
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    assert_int_equal(fixture_stats(f).last_sequence, 0);
}

static void a_domain_with_addresses_stays(void **state)
{
    struct fixture *f = *state;
    struct store_command del = command_domain(STORE_DOMAIN_DEL, "opa.example", "");
    struct store_command guest = command_address(STORE_ADDRESS_ADD, "eve@far.example",
                                                 STORE_ADDRESS_PORTED_IN, "opa.example");
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example.org"), 0);
    assert_int_equal(fixture_address_add(f, "bob@opa.example.org"), 0);
    assert_int_equal(fixture_address_add(f, "alice@opa.example"), 0);
    assert_int_equal(fixture_submit(f, &guest), 0);
    assert_int_equal(fixture_submit(f, &del), STATUS_INUSE);
    struct store_command alice = command_address(STORE_ADDRESS_RELEASE, "alice@opa.example", 0, "");
    assert_int_equal(fixture_submit(f, &alice), 0);
    assert_int_equal(fixture_submit(f, &del), STATUS_INUSE);
    guest.op = STORE_ADDRESS_RELEASE;
    assert_int_equal(fixture_submit(f, &guest), 0);
    assert_int_equal(fixture_submit(f, &del), 0);
}

/* ---- addresses ---- */

static void an_address_is_read_back_as_written(void **state)
{
    struct fixture *f = *state;
    struct store_command command = command_address(STORE_ADDRESS_ADD, "Daniel@opa.example",
                                                   STORE_ADDRESS_HOSTED, "opa.example");
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    command.time_ms = 5000;
    command.record.unpublished = true;
    strcpy(command.record.notify, "Daniel@mail.example");
    assert_int_equal(fixture_submit(f, &command), 0);
    struct store_record record = record_get(f, "daniel@opa.example");
    assert_true(record.unpublished);
    assert_string_equal(record.notify, "Daniel@mail.example");
    assert_false(record.blocked || record.locked);
    assert_string_equal(record.address.user, "daniel");
    assert_string_equal(record.address.domain, "opa.example");
    assert_string_equal(record.hosting, "opa.example");
    assert_string_equal(record.display, "Daniel@opa.example");
    assert_int_equal(record.state, STORE_ADDRESS_HOSTED);
    assert_int_equal(record.version, 2);
    assert_int_equal(record.created_ms, 5000);
    assert_int_equal(fixture_submit(f, &command), STATUS_EXISTS);
}

struct home_case {
    const char *address;
    enum store_address_state state;
    const char *hosting;
    int status;
};

static void an_address_lives_where_we_can_say_so(void **state)
{
    static const struct home_case cases[] = {
        {"a@opa.example", STORE_ADDRESS_HOSTED, "opa.example", 0},
        {"b@opa.example", STORE_ADDRESS_PORTED_OUT, "far.example", 0},
        {"c@far.example", STORE_ADDRESS_PORTED_IN, "opa.example", 0},
        {"n@far.example", STORE_ADDRESS_PREPARED, "opa.example", 0},
        {"o@far.example", STORE_ADDRESS_MOVED, "other.example", 0},
        {"p@far.example", STORE_ADDRESS_MOVED, "far.example", 0},
        {"q@far.example", STORE_ADDRESS_MOVED, "opa.example", STATUS_MALFORMED},
        {"r@opa.example", STORE_ADDRESS_MOVED, "far.example", STATUS_MALFORMED},
        {"s@opa.example", STORE_ADDRESS_PORTED_IN, "own.example", STATUS_MALFORMED},
        {"t@far.example", STORE_ADDRESS_PORTED_IN, "other.example", STATUS_NOTFOUND},
        {"u@opa.example", STORE_ADDRESS_TOMBSTONE, "opa.example", STATUS_MALFORMED},
        {"v@far.example", STORE_ADDRESS_HOSTED, "opa.example", STATUS_MALFORMED},
        {"d@opa.example", STORE_ADDRESS_HOSTED, "far.example", STATUS_MALFORMED},
        {"e@opa.example", STORE_ADDRESS_HOSTED, "own.example", STATUS_MALFORMED},
        {"f@opa.example", STORE_ADDRESS_PORTED_OUT, "opa.example", STATUS_MALFORMED},
        {"g@opa.example", STORE_ADDRESS_PORTED_OUT, "own.example", 0},
        {"h@far.example", STORE_ADDRESS_HOSTED, "far.example", STATUS_NOTFOUND},
        {"i@far.example", STORE_ADDRESS_HOSTED, "other.example", STATUS_MALFORMED},
        {"j@far.example", STORE_ADDRESS_PORTED_OUT, "other.example", STATUS_NOTFOUND},
        {"k@opa.example", STORE_ADDRESS_HOSTED, "", STATUS_MALFORMED},
        {"l@opa.example", STORE_ADDRESS_PORTED_OUT, "Far.example", STATUS_MALFORMED},
        {"m@opa.example", (enum store_address_state)99, "opa.example", STATUS_MALFORMED},
    };
    struct fixture *f = *state;
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_domain_add(f, "own.example"), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct home_case *c = &cases[i];
        struct store_command command =
            command_address(STORE_ADDRESS_ADD, c->address, c->state, c->hosting);
        int status = fixture_submit(f, &command);
        if (status != c->status)
            fail_msg("%s: %d instead of %d", c->address, status, c->status);
        assert_int_equal(fixture_has(f, c->address), status == 0);
    }
}

static void addresses_that_are_not_canonical_are_refused(void **state)
{
    static const char *const users[] = {"", "Alice", "a%61", "a%2b", "a%c3", "a b", "a@b", "a%40b"};
    struct fixture *f = *state;
    struct store_command command = command_address(STORE_ADDRESS_ADD, "alice@opa.example",
                                                   STORE_ADDRESS_HOSTED, "opa.example");
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        snprintf(command.record.address.user, sizeof(command.record.address.user), "%s", users[i]);
        assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    }
    memset(command.record.address.user, 'a', sizeof(command.record.address.user));
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    command.op = STORE_ADDRESS_RELEASE;
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    command = command_address(STORE_ADDRESS_ADD, "alice@opa.example", STORE_ADDRESS_HOSTED,
                              "opa.example");
    memset(command.record.display, 'a', sizeof(command.record.display));
    assert_int_equal(fixture_submit(f, &command), STATUS_MALFORMED);
    assert_int_equal(fixture_stats(f).addresses, 0);
}

static void deleting_asks_for_the_version(void **state)
{
    struct fixture *f = *state;
    struct store_command del = command_address(STORE_ADDRESS_RELEASE, "alice@opa.example", 0, "");
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_submit(f, &del), STATUS_NOTFOUND);
    assert_int_equal(fixture_address_add(f, "alice@opa.example"), 0);
    del.expected_version = 1;
    assert_int_equal(fixture_submit(f, &del), STATUS_CONFLICT);
    del.expected_version = 2;
    assert_int_equal(fixture_submit(f, &del), 0);
    assert_false(fixture_has(f, "alice@opa.example"));
    assert_int_equal(fixture_address_add(f, "alice@opa.example"), 0);
    assert_int_equal(record_get(f, "alice@opa.example").version, 4);
}

static void the_longest_names_fit(void **state)
{
    struct fixture *f = *state;
    char label[64], domain[STORE_DOMAIN_MAX + 1], text[STORE_DOMAIN_MAX + STORE_USER_MAX + 2];
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(domain, sizeof(domain), "%s.%s.%s.%.61s", label, label, label, label);
    assert_int_equal(strlen(domain), STORE_DOMAIN_MAX);
    snprintf(text, sizeof(text), "%s%s%.2s@%s", label, label, label, domain);
    struct store_command command = command_domain(STORE_DOMAIN_ADD, domain, domain);
    for (unsigned i = 0; i < STORE_CORES_MAX; i++)
        command.domain.cores[i] = command.domain.cores[0];
    command.domain.core_count = STORE_CORES_MAX;
    assert_int_equal(fixture_submit(f, &command), 0);
    command.op = STORE_DOMAIN_PUT;
    assert_int_equal(fixture_submit(f, &command), 0);
    assert_int_equal(fixture_address_add(f, text), 0);
    assert_string_equal(route_get(f, text).core.cores[7].host, domain);
}

/* ---- routes ---- */

static void a_route_says_who_serves_an_address(void **state)
{
    struct fixture *f = *state;
    struct store_command out = command_address(STORE_ADDRESS_ADD, "out@opa.example",
                                               STORE_ADDRESS_PORTED_OUT, "far.example");
    struct store_command in = command_address(STORE_ADDRESS_ADD, "in@far.example",
                                              STORE_ADDRESS_PORTED_IN, "opa.example");
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_address_add(f, "alice@opa.example"), 0);
    assert_int_equal(fixture_submit(f, &out), 0);
    assert_int_equal(fixture_submit(f, &in), 0);

    struct store_route route = route_get(f, "alice@opa.example");
    assert_true(route.domain_is_ours && route.address_found);
    assert_int_equal(route.state, STORE_ADDRESS_HOSTED);
    assert_string_equal(route.hosting, "opa.example");
    assert_string_equal(route.core.name, "opa.example");
    assert_string_equal(route.core.cores[0].host, "192.0.2.1");

    route = route_get(f, "unknown@opa.example");
    assert_true(route.domain_is_ours && !route.address_found);
    assert_string_equal(route.core.name, "opa.example");

    route = route_get(f, "out@opa.example");
    assert_true(route.domain_is_ours && route.address_found);
    assert_int_equal(route.state, STORE_ADDRESS_PORTED_OUT);
    assert_string_equal(route.hosting, "far.example");

    route = route_get(f, "in@far.example");
    assert_true(!route.domain_is_ours && route.address_found);
    assert_int_equal(route.state, STORE_ADDRESS_PORTED_IN);
    assert_string_equal(route.hosting, "opa.example");
    assert_string_equal(route.core.name, "opa.example");

    route = route_get(f, "else@far.example");
    assert_false(route.domain_is_ours || route.address_found);

    /* Its addresses here would have states of a foreign domain. */
    assert_int_equal(fixture_domain_add(f, "far.example"), STATUS_INUSE);
}

/* ---- lists ---- */

struct names {
    char text[1024];
    size_t stop_after;
};

static bool names_add(struct names *names, const char *a, const char *b)
{
    size_t len = strlen(names->text);
    snprintf(names->text + len, sizeof(names->text) - len, "%s%s%s ", a, *b ? "@" : "", b);
    return --names->stop_after != 0;
}

static bool domain_name_add(const struct store_domain *domain, void *arg)
{
    return names_add(arg, domain->name, "");
}

static bool record_name_add(const struct store_record *record, void *arg)
{
    return names_add(arg, record->address.user, record->address.domain);
}

struct list_case {
    const char *domain, *after;
    size_t max, stop_after;
    const char *expected;
};

static void addresses_are_listed_in_order_and_in_pages(void **state)
{
    static const struct list_case cases[] = {
        {NULL, NULL, 9, 9, "a@opa.example b@opa.example a@opa.example.org a@opb.example "},
        {NULL, NULL, 2, 9, "a@opa.example b@opa.example "},
        {NULL, "b@opa.example", 9, 9, "a@opa.example.org a@opb.example "},
        {NULL, "aa@opa.example", 1, 9, "b@opa.example "},
        {NULL, NULL, 9, 1, "a@opa.example "},
        {"opa.example", NULL, 9, 9, "a@opa.example b@opa.example "},
        {"opa.example", "a@opa.example", 9, 9, "b@opa.example "},
        {"opa.example", "b@opa.example", 9, 9, ""},
        {"opb.example", NULL, 9, 9, "a@opb.example "},
        {"none.example", NULL, 9, 9, ""},
        {NULL, "z@zz.example", 9, 9, ""},
        {NULL, NULL, 0, 9, ""},
    };
    struct fixture *f = *state;
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example.org"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_address_add(f, "a@opb.example"), 0);
    assert_int_equal(fixture_address_add(f, "a@opa.example.org"), 0);
    assert_int_equal(fixture_address_add(f, "b@opa.example"), 0);
    assert_int_equal(fixture_address_add(f, "a@opa.example"), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct list_case *c = &cases[i];
        struct names names = {.stop_after = c->stop_after};
        struct store_address after;
        if (c->after)
            after = address_of(c->after);
        assert_int_equal(store_address_list(f->reader, c->domain, c->after ? &after : NULL, c->max,
                                            record_name_add, &names),
                         0);
        assert_string_equal(names.text, c->expected);
    }
    store_reader_end(f->reader);
}

static void domains_are_listed_in_order_and_in_pages(void **state)
{
    static const struct list_case cases[] = {
        {NULL, NULL, 9, 9, "opa.example opa.example.org opb.example "},
        {NULL, NULL, 2, 9, "opa.example opa.example.org "},
        {NULL, "opa.example", 9, 9, "opa.example.org opb.example "},
        {NULL, "opb", 9, 9, "opb.example "},
        {NULL, "opb.example", 9, 9, ""},
        {NULL, NULL, 9, 1, "opa.example "},
    };
    struct fixture *f = *state;
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example.org"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct names names = {.stop_after = cases[i].stop_after};
        assert_int_equal(
            store_domain_list(f->reader, cases[i].after, cases[i].max, domain_name_add, &names), 0);
        assert_string_equal(names.text, cases[i].expected);
    }
    store_reader_end(f->reader);
}

/* ---- journal and store time ---- */

struct journal_text {
    char text[2048];
};

/* What the tests look at of a record. */
static void any_text(enum store_kind kind, const union store_any *any, char text[400])
{
    text[0] = '\0';
    if (any && kind == STORE_KIND_DOMAIN)
        snprintf(text, 400, "unknown=%d cores=%u core=%.100s:%u/%u", any->domain.unknown,
                 any->domain.core_count, any->domain.cores[0].host, any->domain.cores[0].port,
                 any->domain.cores[0].transport);
    else if (any && kind == STORE_KIND_ADDRESS)
        snprintf(text, 400, "%s %.60s %.60s", store_address_state_text(any->address.state),
                 any->address.hosting, any->address.display);
}

static bool journal_add(const struct store_journal_entry *entry, void *arg)
{
    struct journal_text *journal = arg;
    size_t len = strlen(journal->text);
    char before[400], after[400];
    any_text(entry->kind, entry->before, before);
    any_text(entry->kind, entry->after, after);
    snprintf(journal->text + len, sizeof(journal->text) - len, "%u %u %s %s %s [%s] [%s]\n",
             (unsigned)entry->sequence, (unsigned)entry->time_ms, entry->actor, entry->what,
             entry->key, before, after);
    return true;
}

static const char *journal_read(struct fixture *f, uint64_t from, size_t max,
                                struct journal_text *journal)
{
    journal->text[0] = '\0';
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_journal_read(f->reader, from, max, journal_add, journal), 0);
    store_reader_end(f->reader);
    return journal->text;
}

static void the_journal_tells_every_change_and_no_secret(void **state)
{
    struct fixture *f = *state;
    struct journal_text journal;
    struct store_command put = command_domain(STORE_DOMAIN_PUT, "opa.example", "2001:db8::1");
    struct store_command address = command_address(STORE_ADDRESS_ADD, "Bob@opa.example",
                                                   STORE_ADDRESS_PORTED_OUT, "far.example");
    struct store_command del = command_domain(STORE_DOMAIN_DEL, "opa.example", "");
    struct store_command key = command_key('K');
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example"), STATUS_EXISTS);
    put.domain.unknown = STORE_UNKNOWN_CORE;
    put.domain.quarantine_days = 90;
    put.domain.cores[0].transport = 3;
    put.time_ms = 2000;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_int_equal(fixture_submit(f, &address), 0);
    address.op = STORE_ADDRESS_RELEASE;
    address.time_ms = 3000;
    assert_int_equal(fixture_submit(f, &address), 0);
    assert_int_equal(fixture_submit(f, &del), STATUS_INUSE);
    assert_int_equal(fixture_submit(f, &key), 0);
    assert_string_equal(
        journal_read(f, 0, 100, &journal),
        "1 1000 tester domain_add opa.example [] [unknown=0 cores=1 core=192.0.2.1:5060/0]\n"
        "2 2000 tester domain_put opa.example [unknown=0 cores=1 core=192.0.2.1:5060/0] "
        "[unknown=1 cores=1 core=2001:db8::1:5060/3]\n"
        "3 2000 tester address_add bob@opa.example [] [ported-out far.example Bob@opa.example]\n"
        "4 3000 tester address_release bob@opa.example [ported-out far.example Bob@opa.example] "
        "[tombstone opa.example bob@opa.example]\n"
        "5 3000 tester key_add token key 1 [] []\n");
    assert_string_equal(journal_read(f, 5, 100, &journal),
                        "5 3000 tester key_add token key 1 [] []\n");
    assert_string_equal(
        journal_read(f, 1, 1, &journal),
        "1 1000 tester domain_add opa.example [] [unknown=0 cores=1 core=192.0.2.1:5060/0]\n");
    assert_string_equal(journal_read(f, 6, 100, &journal), "");
}

/* ---- verdicts ---- */

static struct store_verdict submit_with_id(struct fixture *f, struct store_command command,
                                           uint8_t id, uint64_t time_ms)
{
    struct store_verdict verdict;
    memset(command.id, id, sizeof(command.id));
    command.time_ms = time_ms;
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    return verdict;
}

static void a_repeated_command_gets_the_first_verdict(void **state)
{
    struct fixture *f = *state;
    struct store_command add = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    struct store_command del = command_domain(STORE_DOMAIN_DEL, "opa.example", "");
    struct store_verdict verdict = submit_with_id(f, del, 1, 1000);
    assert_int_equal(verdict.status, STATUS_NOTFOUND);
    assert_int_equal(verdict.sequence, 0);
    verdict = submit_with_id(f, add, 2, 1000);
    assert_int_equal(verdict.status, 0);
    assert_int_equal(verdict.sequence, 1);
    assert_int_equal(submit_with_id(f, del, 1, 2000).status, STATUS_NOTFOUND);
    verdict = submit_with_id(f, add, 2, 2000);
    assert_int_equal(verdict.status, 0);
    assert_int_equal(verdict.sequence, 1);
    assert_int_equal(fixture_stats(f).last_sequence, 1);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(submit_with_id(f, add, 2, 3000).status, 0);
    assert_int_equal(submit_with_id(f, add, 3, 3000).status, STATUS_EXISTS);
    assert_int_equal(fixture_submit(f, &add), STATUS_EXISTS);
    assert_int_equal(fixture_submit(f, &del), 0);
    assert_int_equal(fixture_submit(f, &add), 0);
}

static void verdicts_are_forgotten_after_a_day_of_store_time(void **state)
{
    const uint64_t day_ms = (uint64_t)24 * 3600 * 1000;
    struct fixture *f = *state;
    struct store_command add = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    struct store_command del = command_domain(STORE_DOMAIN_DEL, "opa.example", "");
    assert_int_equal(submit_with_id(f, del, 1, 1000).status, STATUS_NOTFOUND);
    assert_int_equal(submit_with_id(f, add, 2, 2000).status, 0);
    assert_int_equal(submit_with_id(f, add, 3, 999 + day_ms).status, STATUS_EXISTS);
    assert_int_equal(submit_with_id(f, del, 1, 0).status, STATUS_NOTFOUND); /* kept still */
    assert_int_equal(submit_with_id(f, add, 4, 1000 + day_ms).status, STATUS_EXISTS);
    assert_int_equal(submit_with_id(f, add, 2, 0).status, 0); /* kept still */
    assert_int_equal(submit_with_id(f, del, 1, 0).status, 0); /* judged anew */
}

/* ---- keys of dialog tokens ---- */

static void a_new_key_retires_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct store_command first = command_key('a'), second = command_key('b');
    struct store_key key;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_key_current(f->reader, &key), STATUS_NOTFOUND);
    store_reader_end(f->reader);
    assert_int_equal(fixture_submit(f, &first), 0);
    second.time_ms = 9000;
    assert_int_equal(fixture_submit(f, &second), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_key_current(f->reader, &key), 0);
    assert_int_equal(key.id, 2);
    assert_int_equal(key.secret[STORE_KEY_LEN - 1], 'b');
    assert_int_equal(key.created_ms, 9000);
    assert_int_equal(key.retired_ms, 0);
    assert_int_equal(store_key_get(f->reader, 1, &key), 0);
    assert_int_equal(key.id, 1);
    assert_int_equal(key.secret[0], 'a');
    assert_int_equal(key.created_ms, 1000);
    assert_int_equal(key.retired_ms, 9000);
    assert_int_equal(store_key_get(f->reader, 3, &key), STATUS_NOTFOUND);
    store_reader_end(f->reader);
}

/* ---- snapshots ---- */

static void a_reader_sees_the_moment_it_began(void **state)
{
    struct fixture *f = *state;
    struct store_domain domain;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(store_domain_get(f->reader, "opa.example", &domain), STATUS_NOTFOUND);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_domain_get(f->reader, "opa.example", &domain), STATUS_NOTFOUND);
    store_reader_end(f->reader);
    assert_int_equal(store_domain_get(f->reader, "opa.example", &domain), STATUS_NOTFOUND);
    store_reader_end(f->reader);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_domain_get(f->reader, "opa.example", &domain), 0);
    store_reader_end(f->reader);
}

static uint64_t domains_version(struct fixture *f)
{
    uint64_t version = 0;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_domains_version_get(f->reader, &version), 0);
    store_reader_end(f->reader);
    return version;
}

static void only_a_change_of_a_domain_changes_the_domains_version(void **state)
{
    struct fixture *f = *state;
    uint64_t seen = domains_version(f);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_true(domains_version(f) != seen);
    seen = domains_version(f);
    assert_int_equal(fixture_address_add(f, "alice@opa.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opa.example"), STATUS_EXISTS);
    assert_int_equal(domains_version(f), seen);
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    struct store_command command = command_domain(STORE_DOMAIN_PUT, "opb.example", "192.0.2.9");
    assert_true(domains_version(f) != seen);
    seen = domains_version(f);
    assert_int_equal(fixture_submit(f, &command), 0);
    assert_true(domains_version(f) != seen);
    seen = domains_version(f);
    command = command_domain(STORE_DOMAIN_DEL, "opb.example", "192.0.2.9");
    assert_int_equal(fixture_submit(f, &command), 0);
    assert_true(domains_version(f) != seen);
    seen = domains_version(f);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(domains_version(f), seen);
}

#define DIRECTORY_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIRECTORY_TEST(a_domain_is_read_back_as_written),
        DIRECTORY_TEST(domain_commands_are_judged),
        DIRECTORY_TEST(malformed_domains_are_refused),
        DIRECTORY_TEST(a_domain_with_addresses_stays),
        DIRECTORY_TEST(an_address_is_read_back_as_written),
        DIRECTORY_TEST(an_address_lives_where_we_can_say_so),
        DIRECTORY_TEST(addresses_that_are_not_canonical_are_refused),
        DIRECTORY_TEST(deleting_asks_for_the_version),
        DIRECTORY_TEST(the_longest_names_fit),
        DIRECTORY_TEST(a_route_says_who_serves_an_address),
        DIRECTORY_TEST(addresses_are_listed_in_order_and_in_pages),
        DIRECTORY_TEST(domains_are_listed_in_order_and_in_pages),
        DIRECTORY_TEST(the_journal_tells_every_change_and_no_secret),
        DIRECTORY_TEST(a_repeated_command_gets_the_first_verdict),
        DIRECTORY_TEST(verdicts_are_forgotten_after_a_day_of_store_time),
        DIRECTORY_TEST(a_new_key_retires_the_one_before),
        DIRECTORY_TEST(a_reader_sees_the_moment_it_began),
        DIRECTORY_TEST(only_a_change_of_a_domain_changes_the_domains_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
