/* The lives of addresses: aliases, claims, locks, release and quarantine, codes, imports, and what
 * the timer and the journal do about them. */
#include "base/status.h"
#include "store/writer.h"
#include "tests/store/fixture.h"

#include <setjmp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_MS      ((uint64_t)24 * 3600 * 1000)
#define PATIENCE_MS 20000 /* the timer looks every second */

/* imports whose commands would fill the map three times */
#define SMALL_MAP     ((size_t)4 << 20)
#define BATCH_RECORDS 100u
#define ROUNDS        800u

/* ---- in few words ---- */

static struct store_record record_get(struct fixture *f, const char *text)
{
    struct store_address address = address_of(text);
    struct store_record record = {.version = 0};
    assert_int_equal(store_reader_begin(f->reader), 0);
    int ret = store_address_get(f->reader, &address, &record);
    store_reader_end(f->reader);
    assert_true(ret == 0 || ret == STATUS_NOTFOUND);
    return record;
}

static struct store_route route_get(struct fixture *f, const char *text)
{
    struct store_address address = address_of(text);
    struct store_route route;
    memset(&route, 0, sizeof(route));
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_route(f->reader, &address, &route), 0);
    store_reader_end(f->reader);
    return route;
}

/* "opa.example": 90 days of quarantine, two claims for everybody. */
static void domain_make(struct fixture *f, enum store_op op, unsigned claims, unsigned days)
{
    struct store_command command = command_domain(op, "opa.example", "192.0.2.1");
    command.domain.claims_per_owner = claims;
    command.domain.quarantine_days = days;
    assert_int_equal(fixture_submit(f, &command), 0);
}

static struct store_command owned(const char *address, const char *owner)
{
    struct store_command command = command_address(STORE_ADDRESS_ADD, address, STORE_ADDRESS_HOSTED,
                                                   address_of(address).domain);
    snprintf(command.record.owner, sizeof(command.record.owner), "%s", owner);
    return command;
}

static struct store_command alias(const char *address, const char *target)
{
    struct store_command command = owned(address, "");
    command.record.state = STORE_ADDRESS_ALIAS;
    command.record.target = address_of(target);
    return command;
}

static int add(struct fixture *f, struct store_command command)
{
    return fixture_submit(f, &command);
}

static int act(struct fixture *f, enum store_op op, const char *address, uint64_t time_ms)
{
    struct store_command command = command_address(op, address, STORE_ADDRESS_HOSTED, "");
    command.time_ms = time_ms;
    return fixture_submit(f, &command);
}

static int claim(struct fixture *f, const char *address, const char *owner)
{
    struct store_command command = owned(address, owner);
    command.claim = true;
    return fixture_submit(f, &command);
}

static size_t owner_count(struct fixture *f, const char *owner);

/* ---- aliases ---- */

static void an_alias_leads_where_its_target_is(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    struct store_command out = command_address(STORE_ADDRESS_ADD, "gone@opa.example",
                                               STORE_ADDRESS_PORTED_OUT, "far.example");
    assert_int_equal(fixture_address_add(f, "bob@opa.example"), 0);
    assert_int_equal(add(f, out), 0);
    assert_int_equal(add(f, alias("robert@opa.example", "bob@opa.example")), 0);
    assert_int_equal(add(f, alias("bobby@opa.example", "robert@opa.example")), 0);
    assert_int_equal(add(f, alias("away@opa.example", "gone@opa.example")), 0);
    assert_int_equal(add(f, alias("else@opa.example", "carol@other.example")), 0);

    struct store_route route = route_get(f, "bobby@opa.example");
    assert_true(route.address_found && route.aliased && !route.blocked);
    assert_int_equal(route.state, STORE_ADDRESS_HOSTED);
    assert_string_equal(route.target.user, "bob");
    assert_string_equal(route.core.name, "opa.example");
    route = route_get(f, "away@opa.example");
    assert_true(route.aliased);
    assert_int_equal(route.state, STORE_ADDRESS_PORTED_OUT);
    assert_string_equal(route.hosting, "far.example");
    route = route_get(f, "else@opa.example");
    assert_true(route.address_found && route.aliased);
    assert_int_equal(route.state, STORE_ADDRESS_ALIAS);
    assert_string_equal(route.hosting, "other.example");
    assert_string_equal(route.target.user, "carol");
    assert_false(route_get(f, "bob@opa.example").aliased);
}

static void aliases_that_lead_back_or_nowhere_are_refused(void **state)
{
    struct fixture *f = *state;
    char name[64], target[64] = "a0@opa.example";
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    assert_int_equal(add(f, alias("self@opa.example", "self@opa.example")), STATUS_LOOP);
    assert_int_equal(add(f, alias("a@opa.example", "nobody@opa.example")), STATUS_NOTFOUND);
    assert_int_equal(fixture_address_add(f, target), 0);
    for (int i = 1; i <= STORE_ALIAS_HOPS; i++) {
        snprintf(name, sizeof(name), "a%d@opa.example", i);
        assert_int_equal(add(f, alias(name, target)), 0);
        snprintf(target, sizeof(target), "%s", name);
    }
    assert_string_equal(route_get(f, target).target.user, "a0");
    assert_int_equal(add(f, alias("one-more@opa.example", target)), STATUS_LOOP);
    struct store_command put = alias("a0@opa.example", "a3@opa.example");
    put.op = STORE_ADDRESS_PUT;
    assert_int_equal(fixture_submit(f, &put), STATUS_LOOP);
    put = owned("a0@opa.example", "");
    put.op = STORE_ADDRESS_PUT;
    put.record.target = address_of("a3@opa.example");
    assert_int_equal(fixture_submit(f, &put), STATUS_MALFORMED); /* a target, but no alias */
}

static bool number_count(const struct store_number *number, void *arg)
{
    (void)number;
    ++*(size_t *)arg;
    return true;
}

static size_t domain_numbers(struct fixture *f, const char *domain, const char *after)
{
    size_t count = 0;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_domain_number_list(f->reader, domain, after, 10, number_count, &count),
                     0);
    store_reader_end(f->reader);
    return count;
}

/* One more at the end would break those at the beginning. */
static void a_chain_does_not_grow_at_its_end(void **state)
{
    struct fixture *f = *state;
    char name[32], next[32];
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    assert_int_equal(add(f, owned("end@opa.example", "a")), 0);
    assert_int_equal(add(f, owned("k0@opa.example", "a")), 0);
    for (int i = 1; i <= STORE_ALIAS_HOPS; i++) {
        snprintf(name, sizeof(name), "k%d@opa.example", i);
        snprintf(next, sizeof(next), "k%d@opa.example", i - 1);
        assert_int_equal(add(f, alias(name, next)), 0);
    }
    struct store_command put = alias("k0@opa.example", "end@opa.example");
    put.op = STORE_ADDRESS_PUT;
    assert_int_equal(fixture_submit(f, &put), STATUS_LOOP);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, name, 2000), 0);
    assert_int_equal(fixture_submit(f, &put), 0);
}

/* Its target went when the target's domain became ours; the rest of it can be changed. */
static void an_alias_that_leads_nowhere_can_be_blocked(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    assert_int_equal(add(f, alias("fa@opa.example", "somebody@opb.example")), 0);
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    struct store_command put = alias("fa@opa.example", "somebody@opb.example");
    put.op = STORE_ADDRESS_PUT;
    put.record.blocked = true;
    assert_int_equal(fixture_submit(f, &put), 0);
    put = alias("fa@opa.example", "nobody@opb.example");
    put.op = STORE_ADDRESS_PUT;
    assert_int_equal(fixture_submit(f, &put), STATUS_NOTFOUND);
}

static void what_something_leads_to_is_not_released(void **state)
{
    struct fixture *f = *state;
    struct store_command number = {.op = STORE_NUMBER_ADD,
                                   .expected_version = STORE_ANY_VERSION,
                                   .number = {.digits = "4930123456"}};
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    assert_int_equal(fixture_address_add(f, "bob@opa.example"), 0);
    assert_int_equal(add(f, alias("robert@opa.example", "bob@opa.example")), 0);
    number.number.address = address_of("bob@opa.example");
    assert_int_equal(fixture_submit(f, &number), 0);
    assert_int_equal(domain_numbers(f, "opa.example", NULL), 1);
    assert_int_equal(domain_numbers(f, "opa.example", "4930123455"), 1);
    assert_int_equal(domain_numbers(f, "opa.example", "4930123456"), 0);
    assert_int_equal(domain_numbers(f, "opa", NULL), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 1000), STATUS_INUSE);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "robert@opa.example", 1000), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 1000), STATUS_INUSE);
    number.op = STORE_NUMBER_DEL;
    assert_int_equal(fixture_submit(f, &number), 0);
    assert_int_equal(domain_numbers(f, "opa.example", NULL), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 1000), 0);
    number.op = STORE_NUMBER_ADD;
    assert_int_equal(fixture_submit(f, &number), STATUS_NOTFOUND); /* of a tombstone */
}

/* ---- guests ---- */

struct seen {
    char users[400];
    size_t len;
};

static bool guest_see(const struct store_record *record, void *arg)
{
    struct seen *seen = arg;
    size_t len = strlen(record->address.user);
    assert_true(seen->len + len < sizeof(seen->users));
    memcpy(seen->users + seen->len, record->address.user, len + 1);
    seen->len += len;
    return true;
}

/* The users of the guests, behind each other. */
static void expect_guests(struct fixture *f, const char *hosting, const char *after,
                          const char *users)
{
    struct store_address address = address_of(after ? after : "x@far.example");
    struct seen seen = {.len = 0};
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_guest_list(f->reader, hosting, "far.example", after ? &address : NULL,
                                      10, guest_see, &seen),
                     0);
    store_reader_end(f->reader);
    assert_string_equal(seen.users, users);
}

static void guests_and_their_numbers_go_by_who_serves_them(void **state)
{
    struct fixture *f = *state;
    static const char *const names[][2] = {{"eve@far.example", "opa.example"},
                                           {"bob@far.example", "opb.example"},
                                           {"ann@far.example", "opa.example"},
                                           {"cat@farther.example", "opa.example"}};
    struct store_command number = {.op = STORE_NUMBER_ADD,
                                   .expected_version = STORE_ANY_VERSION,
                                   .number = {.digits = "4930123456"}};
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct store_command guest =
            command_address(STORE_ADDRESS_ADD, names[i][0],
                            i == 2 ? STORE_ADDRESS_PREPARED : STORE_ADDRESS_PORTED_IN, names[i][1]);
        assert_int_equal(fixture_submit(f, &guest), 0);
    }
    number.number.address = address_of("eve@far.example");
    assert_int_equal(fixture_submit(f, &number), 0);
    expect_guests(f, "opa.example", NULL, "anneve");
    expect_guests(f, "opa.example", "ann@far.example", "eve");
    expect_guests(f, "opb.example", NULL, "bob");
    expect_guests(f, "opc.example", NULL, "");
    assert_int_equal(domain_numbers(f, "opa.example", NULL), 1);
    assert_int_equal(domain_numbers(f, "far.example", NULL), 1);
    struct store_command port = command_address(STORE_ADDRESS_PUT, "eve@far.example",
                                                STORE_ADDRESS_PORTED_IN, "opb.example");
    assert_int_equal(fixture_submit(f, &port), 0);
    expect_guests(f, "opa.example", NULL, "ann");
    expect_guests(f, "opb.example", NULL, "bobeve");
    assert_int_equal(domain_numbers(f, "opa.example", NULL), 0);
    assert_int_equal(domain_numbers(f, "opb.example", NULL), 1);
    port =
        command_address(STORE_ADDRESS_PUT, "eve@far.example", STORE_ADDRESS_MOVED, "opc.example");
    port.record.until_ms = 5000;
    assert_int_equal(fixture_submit(f, &port), 0);
    expect_guests(f, "opb.example", NULL, "bob");
    assert_int_equal(domain_numbers(f, "opb.example", NULL), 0);
    struct store_command expire = {.op = STORE_EXPIRE, .time_ms = 6000};
    assert_int_equal(fixture_submit(f, &expire), 0); /* the address goes, its number stays */
    number.op = STORE_NUMBER_DEL;
    number.time_ms = 6000;
    assert_int_equal(fixture_submit(f, &number), 0);
    assert_int_equal(domain_numbers(f, "far.example", NULL), 0);
}

/* ---- blocked ---- */

static void a_blocked_address_is_found_and_goes_nowhere(void **state)
{
    struct fixture *f = *state;
    struct store_command put = owned("bob@opa.example", "");
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    assert_int_equal(fixture_address_add(f, "bob@opa.example"), 0);
    assert_int_equal(add(f, alias("robert@opa.example", "bob@opa.example")), 0);
    put.op = STORE_ADDRESS_PUT;
    put.record.blocked = true;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_true(route_get(f, "bob@opa.example").blocked);
    assert_true(route_get(f, "robert@opa.example").blocked);
    put.record.blocked = false;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_false(route_get(f, "robert@opa.example").blocked);
}

static void a_prepared_address_is_not_routed_yet(void **state)
{
    struct fixture *f = *state;
    struct store_command prepared = command_address(STORE_ADDRESS_ADD, "eve@far.example",
                                                    STORE_ADDRESS_PREPARED, "opa.example");
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    assert_int_equal(fixture_submit(f, &prepared), 0);
    struct store_route route = route_get(f, "eve@far.example");
    assert_false(route.address_found || route.domain_is_ours);
    struct store_command del = command_domain(STORE_DOMAIN_DEL, "opa.example", "");
    assert_int_equal(fixture_submit(f, &del), STATUS_INUSE);
    prepared.op = STORE_ADDRESS_PUT;
    prepared.record.state = STORE_ADDRESS_PORTED_IN;
    assert_int_equal(fixture_submit(f, &prepared), 0);
    assert_true(route_get(f, "eve@far.example").address_found);
}

/* ---- claims ---- */

static void people_claim_what_the_domain_lets_them(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    assert_int_equal(claim(f, "ann@opa.example", "ann"), STATUS_DENIED);
    domain_make(f, STORE_DOMAIN_PUT, 2, 90);
    assert_int_equal(claim(f, "ann@opa.example", "ann"), 0);
    assert_int_equal(claim(f, "ann@opa.example", "ben"), STATUS_EXISTS);
    assert_int_equal(claim(f, "postmaster@opa.example", "ann"), STATUS_DENIED);
    assert_int_equal(claim(f, "x@opa.example", ""), STATUS_DENIED);
    assert_int_equal(claim(f, "ann2@opa.example", "ann"), 0);
    assert_int_equal(claim(f, "ann3@opa.example", "ann"), STATUS_LIMIT);
    assert_int_equal(claim(f, "ben@opa.example", "ben"), 0);
    assert_int_equal(add(f, owned("ann3@opa.example", "ann")), 0); /* the operator gives */
    assert_int_equal(owner_count(f, "ann"), 3);
    assert_int_equal(owner_count(f, "an"), 0);
}

static bool count_each(const struct store_record *record, void *arg)
{
    (void)record;
    ++*(size_t *)arg;
    return true;
}

static size_t owner_count(struct fixture *f, const char *owner)
{
    size_t count = 0;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_owner_list(f->reader, owner, NULL, NULL, 100, count_each, &count), 0);
    store_reader_end(f->reader);
    return count;
}

/* ---- locks and codes ---- */

static void a_locked_address_only_lets_itself_be_unlocked(void **state)
{
    struct fixture *f = *state;
    struct store_command put = owned("bob@opa.example", "bob");
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    assert_int_equal(add(f, put), 0);
    put.op = STORE_ADDRESS_PUT;
    put.record.locked = true;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 1000), STATUS_LOCKED);
    put.record.blocked = true;
    assert_int_equal(fixture_submit(f, &put), STATUS_LOCKED);
    put.record.locked = false;
    assert_int_equal(fixture_submit(f, &put), STATUS_LOCKED); /* both at once */
    put.record.blocked = false;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 1000), 0);
}

static void an_auth_code_is_its_owners(void **state)
{
    struct fixture *f = *state;
    struct store_command put = owned("bob@opa.example", "bob"), auth = put;
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    assert_int_equal(add(f, put), 0);
    auth.op = STORE_ADDRESS_AUTH;
    auth.record.auth_until_ms = 5 * DAY_MS;
    memset(auth.record.auth_hash, 7, sizeof(auth.record.auth_hash));
    assert_int_equal(fixture_submit(f, &auth), 0);
    struct store_record record = record_get(f, "bob@opa.example");
    assert_true(record.has_auth && record.auth_until_ms == 5 * DAY_MS);
    assert_int_equal(record.auth_hash[31], 7);
    put.op = STORE_ADDRESS_PUT;
    snprintf(put.record.display, sizeof(put.record.display), "Bob@opa.example");
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_true(record_get(f, "bob@opa.example").has_auth);
    snprintf(put.record.owner, sizeof(put.record.owner), "carol");
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_false(record_get(f, "bob@opa.example").has_auth);
    auth.record.auth_until_ms = 0;
    assert_int_equal(fixture_submit(f, &auth), 0);
    assert_false(record_get(f, "bob@opa.example").has_auth);
}

static void a_mail_address_is_part_of_the_record(void **state)
{
    struct fixture *f = *state;
    struct store_command put = owned("bob@opa.example", "bob");
    domain_make(f, STORE_DOMAIN_ADD, 0, 90);
    strcpy(put.record.notify, "bob@mail");
    put.record.notify[3] = ' ';
    assert_int_equal(add(f, put), STATUS_MALFORMED);
    strcpy(put.record.notify, "bob@mail.example");
    assert_int_equal(add(f, put), 0);
    assert_string_equal(record_get(f, "bob@opa.example").notify, "bob@mail.example");

    put.op = STORE_ADDRESS_PUT;
    put.record.locked = true;
    assert_int_equal(fixture_submit(f, &put), 0);
    strcpy(put.record.notify, "mallory@mail.example");
    assert_int_equal(fixture_submit(f, &put), STATUS_LOCKED);
    put.record.notify[0] = '\0';
    assert_int_equal(fixture_submit(f, &put), STATUS_LOCKED);
    strcpy(put.record.notify, "bob@mail.example");
    put.record.locked = false;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 1000), 0);
    assert_string_equal(record_get(f, "bob@opa.example").notify, "");
}

/* ---- release ---- */

static void a_released_address_waits_for_its_quarantine(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    assert_int_equal(add(f, owned("bob@opa.example", "bob")), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 2000), 0);
    struct store_record record = record_get(f, "bob@opa.example");
    assert_int_equal(record.state, STORE_ADDRESS_TOMBSTONE);
    assert_true(record.until_ms == 2000 + 90 * DAY_MS);
    assert_true(route_get(f, "bob@opa.example").blocked);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 2000), STATUS_NOTFOUND);
    assert_int_equal(add(f, owned("bob@opa.example", "eve")), STATUS_QUARANTINED);
    assert_int_equal(add(f, owned("bob@opa.example", "")), STATUS_QUARANTINED);
    struct store_command put = owned("bob@opa.example", "eve");
    put.op = STORE_ADDRESS_PUT;
    assert_int_equal(fixture_submit(f, &put), STATUS_NOTFOUND);
    assert_int_equal(add(f, owned("bob@opa.example", "bob")), 0); /* his still */
    assert_int_equal(record_get(f, "bob@opa.example").state, STORE_ADDRESS_HOSTED);
}

struct values {
    int entries, erased, told;
};

static bool values_each(const struct store_journal_entry *entry, void *arg)
{
    struct values *values = arg;
    if (strcmp(entry->key, "bob@opa.example") != 0)
        return true;
    values->entries++;
    values->erased += entry->erased;
    values->told += entry->before || entry->after;
    return true;
}

static struct values values_count(struct fixture *f)
{
    struct values values = {0};
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_journal_read(f->reader, 0, SIZE_MAX, values_each, &values), 0);
    store_reader_end(f->reader);
    return values;
}

static void a_tombstone_takes_the_journal_values_with_it(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    assert_int_equal(add(f, owned("bob@opa.example", "bob")), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 2000), 0);
    assert_int_equal(add(f, owned("bob@opa.example", "bob")), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 3000), 0);
    assert_int_equal(act(f, STORE_EXPIRE, "bob@opa.example", 3000), 0); /* not yet */
    struct values values = values_count(f);
    assert_int_equal(values.entries, 4);
    assert_int_equal(values.told, 4);
    assert_int_equal(act(f, STORE_ADDRESS_PURGE, "bob@opa.example", 3000), 0);
    values = values_count(f);
    assert_int_equal(values.entries, 5);
    assert_int_equal(values.erased, 4);
    assert_int_equal(values.told, 0);
    assert_int_equal(record_get(f, "bob@opa.example").version, 0);
    assert_int_equal(owner_count(f, "bob"), 0);
    assert_int_equal(add(f, owned("bob@opa.example", "eve")), 0);
    assert_int_equal(act(f, STORE_ADDRESS_PURGE, "bob@opa.example", 3000), STATUS_NOTFOUND);
}

/* More entries than one transaction may erase: it goes on with the next. */
static void a_long_history_is_erased_in_steps(void **state)
{
    struct fixture *f = *state;
    struct store_command put = owned("bob@opa.example", "bob");
    int rounds = 0;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    assert_int_equal(add(f, put), 0);
    put.op = STORE_ADDRESS_PUT;
    for (int i = 0; i < 2100; i++) {
        put.record.blocked = i % 2 == 0;
        assert_int_equal(fixture_submit(f, &put), 0);
    }
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 2000), 0);
    while (act(f, STORE_ADDRESS_PURGE, "bob@opa.example", 2000) == 0)
        rounds++;
    assert_in_range(rounds, 1, 3); /* the timer helps */
    assert_int_equal(values_count(f).told, 0);
}

/* What cannot go at once is released at once all the same, and says so. */
static void a_long_history_without_quarantine_is_a_release_too(void **state)
{
    struct fixture *f = *state;
    struct store_verdict verdict;
    struct store_command put = owned("bob@opa.example", "bob");
    domain_make(f, STORE_DOMAIN_ADD, 2, 0);
    assert_int_equal(add(f, put), 0);
    put.op = STORE_ADDRESS_PUT;
    for (int i = 0; i < 1100; i++) {
        put.record.blocked = i % 2 == 0;
        assert_int_equal(fixture_submit(f, &put), 0);
    }
    uint64_t last = fixture_stats(f).last_sequence;
    struct store_command release = owned("bob@opa.example", "bob");
    release.op = STORE_ADDRESS_RELEASE;
    assert_int_equal(store_submit(f->store, &release, &verdict), 0);
    assert_int_equal(verdict.status, 0);
    assert_true(verdict.sequence == last + 1);
    for (int waited = 0; record_get(f, "bob@opa.example").version; waited += 20) {
        assert_true(waited < PATIENCE_MS);
        usleep(20000);
    }
    assert_int_equal(values_count(f).told, 0);
}

/* ---- the timer ---- */

static void the_timer_ends_quarantines_tokens_and_moves(void **state)
{
    struct fixture *f = *state;
    struct store_command moved =
        command_address(STORE_ADDRESS_ADD, "eve@far.example", STORE_ADDRESS_MOVED, "other.example");
    struct store_command token = {
        .op = STORE_TOKEN_ADD,
        .expected_version = STORE_ANY_VERSION,
        .token = {.id = "abcdefghijk1", .scope = STORE_SCOPE_ADMIN, .until_ms = 20 * DAY_MS}};
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    moved.record.until_ms = 17 * DAY_MS;
    assert_int_equal(add(f, owned("bob@opa.example", "bob")), 0);
    assert_int_equal(fixture_submit(f, &moved), 0);
    assert_int_equal(fixture_submit(f, &token), 0);
    assert_int_equal(act(f, STORE_ADDRESS_RELEASE, "bob@opa.example", 10 * DAY_MS), 0);
    atomic_store(&f->now_ms, 101 * DAY_MS);
    for (int waited = 0; record_get(f, "bob@opa.example").version; waited += 20) {
        assert_true(waited < PATIENCE_MS);
        usleep(20000);
    }
    assert_int_equal(record_get(f, "eve@far.example").version, 0);
    assert_int_equal(fixture_stats(f).tokens, 0);
    assert_int_equal(values_count(f).told, 0);
    assert_true(fixture_stats(f).store_time_ms == 101 * DAY_MS);
}

static struct store_key current_key(struct fixture *f)
{
    struct store_key key;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_key_current(f->reader, &key), 0);
    store_reader_end(f->reader);
    return key;
}

static void the_timer_renews_the_key_of_dialogs_each_day(void **state)
{
    struct fixture *f = *state;
    struct store_command first = {.op = STORE_KEY_ADD,
                                  .expected_version = STORE_ANY_VERSION,
                                  .time_ms = 1000,
                                  .key.secret = "a secret of thirty-two octets.."};
    struct store_command due[STORE_TIMER_COMMANDS];
    struct store_timer timer;
    fixture_close(f);
    f->conf.key_age_ms = 0; /* the default */
    atomic_store(&f->now_ms, 2000);
    fixture_open(f);
    store_timer_init(&timer, &f->conf);
    assert_int_equal(store_timer_look(&timer, f->store, DAY_MS + 1000, due), 0);
    assert_int_equal(fixture_submit(f, &first), 0);
    assert_int_equal(store_timer_look(&timer, f->store, DAY_MS + 999, due), 0);
    assert_int_equal(store_timer_look(&timer, f->store, DAY_MS + 1000, due), 1);
    assert_int_equal(due[0].op, STORE_KEY_ADD);
    atomic_store(&f->now_ms, DAY_MS + 1000);
    for (int waited = 0; current_key(f).id == 1; waited += 20) {
        assert_true(waited < PATIENCE_MS);
        usleep(20000);
    }
    struct store_key key = current_key(f);
    assert_int_equal(key.created_ms, DAY_MS + 1000);
    assert_memory_not_equal(key.secret, first.key.secret, STORE_KEY_LEN);
    assert_memory_not_equal(key.secret, due[0].key.secret, STORE_KEY_LEN); /* drawn anew */
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_key_get(f->reader, 1, &key), 0);
    store_reader_end(f->reader);
    assert_int_equal(key.retired_ms, DAY_MS + 1000);
    assert_int_equal(store_timer_look(&timer, f->store, DAY_MS + 1000, due), 0);
}

/* ---- many at once ---- */

static struct store_command batch_of(enum store_op op, const struct store_record *records,
                                     size_t count, int *statuses)
{
    return (struct store_command){
        .op = op,
        .expected_version = STORE_ANY_VERSION,
        .actor = "tester",
        .time_ms = 1000,
        .batch = {.records = records, .count = count, .statuses = statuses}};
}

static void an_import_is_whole_or_goes_on(void **state)
{
    struct fixture *f = *state;
    struct store_record records[4];
    struct store_verdict verdict;
    int statuses[4];
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    records[0] = owned("a@opa.example", "a").record;
    records[1] = alias("b@opa.example", "a@opa.example").record;
    records[2] = owned("a@opa.example", "a").record;
    records[3] = owned("c@foreign.example", "a").record;
    struct store_command command = batch_of(STORE_ADDRESS_IMPORT, records, 4, statuses);
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, STATUS_EXISTS);
    assert_int_equal(verdict.count, 0);
    const int expected[4] = {0, 0, STATUS_EXISTS, STATUS_NOTFOUND};
    assert_memory_equal(statuses, expected, sizeof(expected));
    assert_false(fixture_has(f, "a@opa.example"));
    assert_int_equal(fixture_stats(f).last_sequence, 1);
    command.dry_run = true;
    command.batch.keep_going = true;
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    assert_int_equal(verdict.count, 2);
    assert_int_equal(fixture_stats(f).last_sequence, 1);
    command.dry_run = false;
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
    assert_int_equal(verdict.count, 2);
    assert_int_equal(verdict.sequence, 3);
    assert_int_equal(record_get(f, "b@opa.example").version, 3);
}

static void an_import_is_undone_but_for_what_changed_since(void **state)
{
    struct fixture *f = *state;
    struct store_record records[3];
    struct store_verdict verdict;
    int statuses[3];
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    records[0] = owned("a@opa.example", "a").record;
    records[1] = alias("b@opa.example", "a@opa.example").record;
    records[2] = owned("c@opa.example", "a").record;
    struct store_command command = batch_of(STORE_ADDRESS_IMPORT, records, 3, NULL);
    assert_int_equal(fixture_submit(f, &command), 0);
    struct store_command put = owned("c@opa.example", "d");
    put.op = STORE_ADDRESS_PUT;
    assert_int_equal(fixture_submit(f, &put), 0);
    for (unsigned i = 0; i < 3; i++)
        records[i].version = 2 + i;
    command = batch_of(STORE_ADDRESS_UNDO, records, 3, statuses);
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    assert_int_equal(verdict.count, 2);
    const int expected[3] = {0, 0, STATUS_CONFLICT};
    assert_memory_equal(statuses, expected, sizeof(expected));
    assert_false(fixture_has(f, "a@opa.example"));
    assert_true(fixture_has(f, "c@opa.example"));
    assert_int_equal(record_get(f, "a@opa.example").version, 0); /* no tombstone */
}

static int undo_status(struct fixture *f, const char *address, uint64_t version)
{
    struct store_record record = owned(address, "").record;
    struct store_verdict verdict;
    int status = -1;
    record.version = version;
    struct store_command command = batch_of(STORE_ADDRESS_UNDO, &record, 1, &status);
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    return status;
}

static void an_undo_is_of_imports_only_and_brings_tombstones_back(void **state)
{
    struct fixture *f = *state;
    struct store_record record;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    struct store_command add = owned("own@opa.example", "a");
    assert_int_equal(fixture_submit(f, &add), 0);
    assert_int_equal(undo_status(f, "own@opa.example", 2), STATUS_CONFLICT);
    struct store_command release = owned("own@opa.example", "a");
    release.op = STORE_ADDRESS_RELEASE;
    assert_int_equal(fixture_submit(f, &release), 0);
    uint64_t until_ms = record_get(f, "own@opa.example").until_ms;
    record = owned("own@opa.example", "a").record;
    struct store_command import = batch_of(STORE_ADDRESS_IMPORT, &record, 1, NULL);
    assert_int_equal(fixture_submit(f, &import), 0);
    assert_int_equal(record_get(f, "own@opa.example").state, STORE_ADDRESS_HOSTED);
    assert_int_equal(undo_status(f, "own@opa.example", 4), 0);
    record = record_get(f, "own@opa.example");
    assert_int_equal(record.state, STORE_ADDRESS_TOMBSTONE);
    assert_true(record.until_ms == until_ms);
    assert_int_equal(record.version, 5);
}

/* Whoever may claim nothing does not hear what is there. */
static void a_claim_too_many_hears_the_same_of_every_address(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 1, 90);
    struct store_command claim = owned("mine@opa.example", "a");
    claim.claim = true;
    assert_int_equal(fixture_submit(f, &claim), 0);
    struct store_command add = owned("theirs@opa.example", "b");
    assert_int_equal(fixture_submit(f, &add), 0);
    claim = owned("theirs@opa.example", "a");
    claim.claim = true;
    assert_int_equal(fixture_submit(f, &claim), STATUS_LIMIT);
    claim = owned("nobodys@opa.example", "a");
    claim.claim = true;
    assert_int_equal(fixture_submit(f, &claim), STATUS_LIMIT);
}

/* ---- the journal's length ---- */

static int cursor_put(struct fixture *f, const char *name, uint64_t sequence)
{
    struct store_command command = {.op = STORE_CURSOR_PUT, .expected_version = STORE_ANY_VERSION};
    snprintf(command.cursor.name, sizeof(command.cursor.name), "%s", name);
    command.cursor.sequence = sequence;
    return fixture_submit(f, &command);
}

static bool entry_never(const struct store_journal_entry *entry, void *arg)
{
    (void)entry, (void)arg;
    return true;
}

static int journal_from(struct fixture *f, uint64_t from)
{
    assert_int_equal(store_reader_begin(f->reader), 0);
    int ret = store_journal_read(f->reader, from, 10, entry_never, NULL);
    store_reader_end(f->reader);
    return ret;
}

static void trimming_loses_the_cursors_it_leaves_behind(void **state)
{
    struct fixture *f = *state;
    struct store_cursor cursor;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    for (int i = 0; i < 9; i++)
        domain_make(f, STORE_DOMAIN_PUT, 2, 90);
    assert_int_equal(cursor_put(f, "publisher", 4), 0);
    assert_int_equal(cursor_put(f, "replica", 5), 0);
    assert_int_equal(cursor_put(f, "ahead", 11), STATUS_MALFORMED);
    struct store_command trim = {.op = STORE_JOURNAL_TRIM, .sequence = 6};
    struct store_verdict verdict;
    assert_int_equal(store_submit(f->store, &trim, &verdict), 0);
    assert_int_equal(verdict.count, 5);
    assert_int_equal(fixture_stats(f).first_sequence, 6);
    assert_int_equal(journal_from(f, 5), STATUS_TRIMMED);
    assert_int_equal(journal_from(f, 6), 0);
    assert_int_equal(journal_from(f, 0), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_cursor_get(f->reader, "publisher", &cursor), 0);
    assert_true(cursor.lost);
    assert_int_equal(store_cursor_get(f->reader, "replica", &cursor), 0);
    assert_false(cursor.lost);
    store_reader_end(f->reader);
    assert_int_equal(fixture_stats(f).cursors_lost, 1);
    assert_int_equal(cursor_put(f, "publisher", 4), STATUS_TRIMMED);
    assert_int_equal(cursor_put(f, "publisher", 10), 0);
    assert_int_equal(fixture_stats(f).cursors_lost, 0);
}

static void the_timer_trims_by_age_and_waits_for_cursors(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    for (int i = 0; i < 9; i++)
        domain_make(f, STORE_DOMAIN_PUT, 2, 90);
    assert_int_equal(cursor_put(f, "publisher", 4), 0);
    atomic_store(&f->now_ms, 400 * DAY_MS);
    for (int waited = 0; fixture_stats(f).first_sequence == 1; waited += 20) {
        assert_true(waited < PATIENCE_MS);
        usleep(20000);
    }
    assert_int_equal(fixture_stats(f).first_sequence, 5); /* all but what the cursor needs */
    assert_int_equal(cursor_put(f, "publisher", 10), 0);
    for (int waited = 0; fixture_stats(f).first_sequence != 11; waited += 20) {
        assert_true(waited < PATIENCE_MS);
        usleep(20000);
    }
    assert_int_equal(fixture_stats(f).cursors_lost, 0);
}

static void alarm_take(const char *text, void *arg)
{
    struct fixture *fixture = arg;
    assert_non_null(strstr(text, "1 cursors have lost entries"));
    fixture->alarms++;
}

/* Past the hard limit nobody is waited for. */
/* An empty directory whose log had filled the map would refuse everything for ever. */
static void the_log_fills_no_map(void **state)
{
    struct fixture *f = *state;
    struct store_record records[BATCH_RECORDS];
    struct store_verdict verdict;
    fixture_close(f);
    f->conf.map_size = SMALL_MAP;
    f->conf.journal_size = SMALL_MAP / 16;
    fixture_open(f);
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    for (unsigned i = 0; i < BATCH_RECORDS; i++) {
        char address[32];
        snprintf(address, sizeof(address), "u%u@opa.example", i);
        records[i] = owned(address, "somebody").record;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        f->now_ms += 60000;
        struct store_command command = batch_of(STORE_ADDRESS_IMPORT, records, BATCH_RECORDS, NULL);
        while (store_submit(f->store, &command, &verdict) == 0 && verdict.status == STATUS_FULL)
            sched_yield(); /* until the timer has trimmed the journal */
        assert_int_equal(verdict.status, 0);
        for (unsigned i = 0; i < BATCH_RECORDS; i++)
            records[i].version = verdict.sequence + 1 + i - BATCH_RECORDS;
        command = batch_of(STORE_ADDRESS_UNDO, records, BATCH_RECORDS, NULL);
        assert_int_equal(fixture_submit(f, &command), 0);
    }
}

/* It holds what the journal erases. */
static void the_log_is_a_day_long_even_where_nothing_happens(void **state)
{
    struct fixture *f = *state;
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    struct store_command add = owned("a@opa.example", "somebody");
    add.time_ms = f->now_ms;
    assert_int_equal(fixture_submit(f, &add), 0);
    uint64_t last = fixture_stats(f).log_last;
    assert_true(fixture_stats(f).log_first <= last);
    f->now_ms += (uint64_t)25 * 3600 * 1000;
    while (fixture_stats(f).log_first <= last)
        sched_yield();
}

static void a_cursor_that_sleeps_is_lost_with_an_alarm(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->conf.journal_size = 65536;
    f->conf.alarm = alarm_take;
    fixture_open(f);
    domain_make(f, STORE_DOMAIN_ADD, 2, 90);
    assert_int_equal(cursor_put(f, "replica", 1), 0);
    for (int i = 0; i < 100000 && fixture_stats(f).cursors_lost == 0; i++)
        domain_make(f, STORE_DOMAIN_PUT, 2, 90);
    assert_int_equal(fixture_stats(f).cursors_lost, 1);
    assert_true(fixture_stats(f).journal_bytes < (uint64_t)10 * 128 * 1024);
    fixture_close(f); /* the writer has ended: all it had to say is said */
    assert_int_equal(f->alarms, 1);
    f->conf.journal_size = 0;
    fixture_open(f);
}

/* ---- statistics ---- */

static bool usage_last(const struct store_usage *usage, void *arg)
{
    *(struct store_usage *)arg = *usage;
    return true;
}

static void usage_adds_up_and_does_not_grow_for_ever(void **state)
{
    struct fixture *f = *state;
    struct store_usage usage = {.node = "edge-1", .peer = "opb.example", .attempts = 2}, last;
    struct store_command add = {.op = STORE_USAGE_ADD, .usage = {.usages = &usage, .count = 1}};
    assert_int_equal(fixture_submit(f, &add), 0);
    assert_int_equal(fixture_submit(f, &add), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_usage_list(f->reader, 0, 10, usage_last, &last), 0);
    store_reader_end(f->reader);
    assert_int_equal(last.attempts, 4);
    assert_int_equal(fixture_stats(f).log_last, 0); /* this node's own */
    usage.period = 500 * DAY_MS / 1000;
    assert_int_equal(fixture_submit(f, &add), 0);
    memset(&last, 0, sizeof(last));
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_usage_list(f->reader, 0, 1, usage_last, &last), 0);
    store_reader_end(f->reader);
    assert_true(last.period == usage.period); /* the old one is gone */
    usage.peer[0] = '-';
    assert_int_equal(fixture_submit(f, &add), STATUS_MALFORMED);
}

/* ---- the command's envelope ---- */

static void the_same_id_with_another_body_is_told(void **state)
{
    struct fixture *f = *state;
    struct store_command command = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    struct store_verdict verdict;
    memset(command.id, 1, sizeof(command.id));
    memset(command.body_hash, 2, sizeof(command.body_hash));
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    assert_true(verdict.status == 0 && !verdict.repeated && verdict.count == 1);
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
    assert_true(verdict.status == 0 && verdict.repeated && verdict.sequence == 1);
    command.body_hash[0]++;
    assert_int_equal(fixture_submit(f, &command), STATUS_MISMATCH);
    assert_int_equal(fixture_stats(f).last_sequence, 1);
}

static void a_clock_that_is_ahead_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_command command = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    struct store_verdict verdict;
    command.time_ms = 10 * DAY_MS + STORE_CLOCK_AHEAD_MS + 1;
    assert_int_equal(store_submit(f->store, &command, &verdict), STATUS_CLOCK);
    assert_int_equal(fixture_stats(f).store_time_ms, 0);
    command.time_ms--;
    assert_int_equal(store_submit(f->store, &command, &verdict), 0);
}

static void a_dry_run_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    struct store_command command = command_domain(STORE_DOMAIN_ADD, "opa.example", "192.0.2.1");
    struct store_verdict verdict;
    command.id[0] = 1;
    command.dry_run = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_submit(f->store, &command, &verdict), 0);
        assert_true(verdict.status == 0 && !verdict.repeated && verdict.sequence == 1);
    }
    struct store_stats stats = fixture_stats(f);
    assert_true(stats.domains == 0 && stats.last_sequence == 0 && stats.verdicts == 0);
    assert_true(stats.log_last == 0);
    command.dry_run = false;
    assert_int_equal(fixture_submit(f, &command), 0);
    command.dry_run = true;
    command.id[0] = 2;
    assert_int_equal(fixture_submit(f, &command), STATUS_EXISTS);
}

#define LIVES_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVES_TEST(an_alias_leads_where_its_target_is),
        LIVES_TEST(aliases_that_lead_back_or_nowhere_are_refused),
        LIVES_TEST(a_chain_does_not_grow_at_its_end),
        LIVES_TEST(an_alias_that_leads_nowhere_can_be_blocked),
        LIVES_TEST(what_something_leads_to_is_not_released),
        LIVES_TEST(guests_and_their_numbers_go_by_who_serves_them),
        LIVES_TEST(a_blocked_address_is_found_and_goes_nowhere),
        LIVES_TEST(a_prepared_address_is_not_routed_yet),
        LIVES_TEST(people_claim_what_the_domain_lets_them),
        LIVES_TEST(a_locked_address_only_lets_itself_be_unlocked),
        LIVES_TEST(an_auth_code_is_its_owners),
        LIVES_TEST(a_mail_address_is_part_of_the_record),
        LIVES_TEST(a_released_address_waits_for_its_quarantine),
        LIVES_TEST(a_tombstone_takes_the_journal_values_with_it),
        LIVES_TEST(a_long_history_is_erased_in_steps),
        LIVES_TEST(a_long_history_without_quarantine_is_a_release_too),
        LIVES_TEST(the_timer_ends_quarantines_tokens_and_moves),
        LIVES_TEST(the_timer_renews_the_key_of_dialogs_each_day),
        LIVES_TEST(an_import_is_whole_or_goes_on),
        LIVES_TEST(an_import_is_undone_but_for_what_changed_since),
        LIVES_TEST(an_undo_is_of_imports_only_and_brings_tombstones_back),
        LIVES_TEST(a_claim_too_many_hears_the_same_of_every_address),
        LIVES_TEST(trimming_loses_the_cursors_it_leaves_behind),
        LIVES_TEST(the_timer_trims_by_age_and_waits_for_cursors),
        LIVES_TEST(the_log_fills_no_map),
        LIVES_TEST(the_log_is_a_day_long_even_where_nothing_happens),
        LIVES_TEST(a_cursor_that_sleeps_is_lost_with_an_alarm),
        LIVES_TEST(usage_adds_up_and_does_not_grow_for_ever),
        LIVES_TEST(the_same_id_with_another_body_is_told),
        LIVES_TEST(a_clock_that_is_ahead_is_refused),
        LIVES_TEST(a_dry_run_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
