#include "resolver/zone.h"

#include "base/status.h"
#include "resolver/address_label.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAROL_LABEL "4c26d9074c27d89ede59270c0ac14b71e071b15239519f75474b2f3b"

struct world {
    char path[64];
    struct store *store;
    struct store_reader *reader;
    struct zone_conf conf;
    char text[65536]; /* the records told, a line each */
    size_t len, told, most;
};

static void submit(struct world *world, struct store_command *command)
{
    struct store_verdict verdict;
    command->expected_version = STORE_ANY_VERSION;
    snprintf(command->actor, sizeof(command->actor), "%s", "test");
    assert_int_equal(store_submit(world->store, command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void add_domain(struct world *world, const char *name)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD};
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", name);
    command.domain.core_count = 1;
    command.domain.quarantine_days = STORE_QUARANTINE_DAYS;
    snprintf(command.domain.cores[0].host, sizeof(command.domain.cores[0].host), "%s", "127.0.0.1");
    submit(world, &command);
}

static void add_address(struct world *world, const char *text, enum store_address_state state,
                        const char *hosting, bool blocked)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD};
    struct store_record *record = &command.record;
    assert_int_equal(store_address_parse(slice_of(text), &record->address, NULL), 0);
    record->state = state;
    record->blocked = blocked;
    snprintf(record->hosting, sizeof(record->hosting), "%s", hosting);
    submit(world, &command);
}

static struct netaddr ip(const char *text)
{
    struct netaddr addr;
    assert_int_equal(netaddr_from_ip(&addr, slice_of(text), 5061), 0);
    return addr;
}

static void add_target(struct zone_conf *conf, const char *host, uint16_t port, const char *address)
{
    struct netaddr addr = ip(address);
    assert_int_equal(zone_target_add(conf, host, port, &addr, 1), 0);
}

static void add_key(struct zone_conf *conf, int octet)
{
    uint8_t key[ZONE_KEY_LEN];
    memset(key, octet, sizeof(key));
    assert_int_equal(zone_key_add(conf, key), 0);
}

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world)
        return -1;
    test_folder_make(world->path, sizeof(world->path));
    struct store_conf conf = {.path = world->path, .map_size = 16 << 20};
    struct store_fault fault;
    if (store_open(&conf, STORE_WRITER, &world->store, &fault) < 0)
        return -1;
    add_domain(world, "opa.example");
    add_domain(world, "sub.opa.example");
    add_domain(world, "opb.example");
    add_address(world, "alice@opa.example", STORE_ADDRESS_HOSTED, "opa.example", false);
    add_address(world, "carol@opa.example", STORE_ADDRESS_PORTED_OUT, "opc.example", false);
    add_address(world, "dave@opa.example", STORE_ADDRESS_PORTED_OUT, "opc.example", true);
    add_address(world, "emil@opd.example", STORE_ADDRESS_MOVED, "ope.example", false);
    add_address(world, "zoe@opa.example", STORE_ADDRESS_PORTED_OUT, "opd.example", false);
    world->conf = (struct zone_conf){.ttl_s = 3600, .address_ttl_s = 300, .address_records = true};
    return store_reader_alloc(world->store, &world->reader) || store_reader_begin(world->reader);
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    char command[128];
    store_reader_end(world->reader);
    store_reader_free(world->reader);
    store_close(world->store);
    snprintf(command, sizeof(command), "rm -rf %s", world->path);
    int status = system(command); /* NOLINT(bugprone-command-processor): a path of our own */
    free(world);
    return status;
}

static bool tell(const struct zone_record *record, void *arg)
{
    struct world *world = arg;
    char line[ZONE_LINE_MAX];
    int len = snprintf(world->text + world->len, sizeof(world->text) - world->len, "%s\n",
                       zone_record_line(record, line));
    world->len += (size_t)len;
    assert_true(world->len < sizeof(world->text));
    world->told++;
    return world->most == 0 || world->told < world->most;
}

static int domain_status(struct world *world, const char *domain)
{
    world->len = world->told = 0;
    world->text[0] = '\0';
    return zone_domain_records(&world->conf, world->reader, domain, tell, world);
}

static void assert_domain(struct world *world, const char *domain, const char *expected)
{
    assert_int_equal(domain_status(world, domain), 0);
    assert_string_equal(world->text, expected);
}

#define KEY_11 "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_22 "2222222222222222222222222222222222222222222222222222222222222222"

static void a_domain_has_exactly_these_records(void **state)
{
    struct world *world = *state;
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    add_target(&world->conf, "edge.opa.example", 5061, "2001:db8::10");
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    add_key(&world->conf, 0x11);
    add_key(&world->conf, 0x22);
    add_key(&world->conf, 0x11);
    assert_domain(
        world, "opa.example",
        "opa.example. 3600 IN NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.opa.example.\n"
        "_sips._tcp.opa.example. 3600 IN SRV 10 10 5061 edge.opa.example.\n"
        "_sipaddr.opa.example. 3600 IN TXT \"v=sipaddr1\"\n"
        "edge.opa.example. 3600 IN A 192.0.2.10\n"
        "edge.opa.example. 3600 IN AAAA 2001:db8::10\n"
        "_5061._tcp.edge.opa.example. 3600 IN TLSA 3 1 1 " KEY_11 "\n"
        "_5061._tcp.edge.opa.example. 3600 IN TLSA 3 1 1 " KEY_22 "\n");
}

static void a_hosts_records_stand_in_its_own_zone_only(void **state)
{
    struct world *world = *state;
    world->conf.address_records = false;
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    add_target(&world->conf, "edge.sub.opa.example", 5062, "192.0.2.11");
    add_target(&world->conf, "edge.net.example", 5061, "192.0.2.12");
    add_target(&world->conf, "notopa.example", 5061, "192.0.2.13");
    assert_domain(
        world, "opb.example",
        "opb.example. 3600 IN NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.opb.example.\n"
        "_sips._tcp.opb.example. 3600 IN SRV 10 10 5061 edge.opa.example.\n"
        "_sips._tcp.opb.example. 3600 IN SRV 10 10 5062 edge.sub.opa.example.\n"
        "_sips._tcp.opb.example. 3600 IN SRV 10 10 5061 edge.net.example.\n"
        "_sips._tcp.opb.example. 3600 IN SRV 10 10 5061 notopa.example.\n");
    assert_int_equal(domain_status(world, "opa.example"), 0);
    assert_non_null(strstr(world->text, "\nedge.opa.example. 3600 IN A 192.0.2.10\n"));
    assert_null(strstr(world->text, "192.0.2.11"));
    assert_null(strstr(world->text, "192.0.2.13"));
    assert_int_equal(domain_status(world, "sub.opa.example"), 0);
    assert_non_null(strstr(world->text, "\nedge.sub.opa.example. 3600 IN A 192.0.2.11\n"));
}

static void a_domain_that_is_not_ours_has_its_hosts_or_nothing(void **state)
{
    struct world *world = *state;
    add_target(&world->conf, "edge.net.example", 5061, "192.0.2.12");
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    add_key(&world->conf, 0x11);
    assert_domain(world, "net.example",
                  "edge.net.example. 3600 IN A 192.0.2.12\n"
                  "_5061._tcp.edge.net.example. 3600 IN TLSA 3 1 1 " KEY_11 "\n");
    assert_int_equal(domain_status(world, "et.example"), STATUS_NOTFOUND);
    assert_int_equal(domain_status(world, "opz.example"), STATUS_NOTFOUND);
}

static void two_ports_of_one_host_name_its_address_once(void **state)
{
    struct world *world = *state;
    world->conf.address_records = false;
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    add_target(&world->conf, "edge.opa.example", 5062, "192.0.2.10");
    add_key(&world->conf, 0x11);
    assert_domain(
        world, "opa.example",
        "opa.example. 3600 IN NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.opa.example.\n"
        "_sips._tcp.opa.example. 3600 IN SRV 10 10 5061 edge.opa.example.\n"
        "_sips._tcp.opa.example. 3600 IN SRV 10 10 5062 edge.opa.example.\n"
        "edge.opa.example. 3600 IN A 192.0.2.10\n"
        "_5061._tcp.edge.opa.example. 3600 IN TLSA 3 1 1 " KEY_11 "\n"
        "_5062._tcp.edge.opa.example. 3600 IN TLSA 3 1 1 " KEY_11 "\n");
}

/* Its host stands in its own zone, too, and names each address once; who it is, SIP's keys prove.
 */
static void the_federation_api_is_found_by_srv_of_each_domain(void **state)
{
    struct world *world = *state;
    struct zone_target *porting = &world->conf.porting;
    world->conf.address_records = false;
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    snprintf(porting->host, sizeof(porting->host), "edge.opa.example");
    porting->port = 8444;
    porting->addresses[0] = ip("192.0.2.10");
    porting->address_count = 1;
    assert_domain(
        world, "opa.example",
        "opa.example. 3600 IN NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.opa.example.\n"
        "_sips._tcp.opa.example. 3600 IN SRV 10 10 5061 edge.opa.example.\n"
        "_address-porting._tcp.opa.example. 3600 IN SRV 10 10 8444 edge.opa.example.\n"
        "edge.opa.example. 3600 IN A 192.0.2.10\n");
    snprintf(porting->host, sizeof(porting->host), "move.sub.opa.example");
    porting->addresses[0] = ip("192.0.2.11");
    assert_int_equal(domain_status(world, "opa.example"), 0);
    assert_non_null(strstr(world->text, "_address-porting._tcp.opa.example. 3600 IN SRV 10 10 8444 "
                                        "move.sub.opa.example.\n"));
    assert_null(strstr(world->text, "192.0.2.11"));
    assert_int_equal(domain_status(world, "sub.opa.example"), 0);
    assert_non_null(strstr(world->text, "\nmove.sub.opa.example. 3600 IN A 192.0.2.11\n"));
}

static void without_a_target_no_service_is_published(void **state)
{
    struct world *world = *state;
    assert_domain(world, "opa.example", "_sipaddr.opa.example. 3600 IN TXT \"v=sipaddr1\"\n");
    world->conf.address_records = false;
    assert_domain(world, "opa.example", "");
}

/* A name of `len` octets. */
static void long_name(char *name, size_t len)
{
    memset(name, 'a', len);
    name[len] = '\0';
    for (size_t i = 50; i < len - 1; i += 50)
        name[i] = '.';
}

static void a_name_that_dns_cannot_carry_is_refused(void **state)
{
    struct world *world = *state;
    char fits[ZONE_NAME_MAX + 1], too_long[ZONE_NAME_MAX + 1];
    long_name(fits, ZONE_NAME_MAX - strlen("_sips._tcp."));
    long_name(too_long, strlen(fits) + 1);
    store_reader_end(world->reader);
    add_domain(world, fits);
    add_domain(world, too_long);
    assert_int_equal(store_reader_begin(world->reader), 0);
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    assert_int_equal(domain_status(world, fits), 0);
    assert_null(strstr(world->text, "_sipaddr")); /* no label has room below this domain */
    assert_int_equal(domain_status(world, too_long), STATUS_LIMIT);
}

static void the_list_ends_where_its_reader_wants(void **state)
{
    struct world *world = *state;
    add_target(&world->conf, "edge.opa.example", 5061, "192.0.2.10");
    world->most = 2;
    assert_int_equal(domain_status(world, "opa.example"), 0);
    assert_int_equal(world->told, 2);
}

static void targets_addresses_and_keys_are_bounded(void **state)
{
    struct world *world = *state;
    struct zone_conf *conf = &world->conf;
    uint8_t key[ZONE_KEY_LEN] = {0};
    for (int i = 0; i < ZONE_TARGETS_MAX; i++)
        add_target(conf, "edge.opa.example", (uint16_t)(5061 + i), "192.0.2.10");
    assert_int_equal(zone_target_add(conf, "edge.opa.example", 1, NULL, 0), STATUS_LIMIT);
    for (int i = 0; i < ZONE_ADDRESSES_MAX; i++) {
        char text[20];
        snprintf(text, sizeof(text), "192.0.2.%d", 10 + i);
        add_target(conf, "edge.opa.example", 5061, text);
    }
    struct netaddr one_more = ip("192.0.2.99");
    assert_int_equal(zone_target_add(conf, "edge.opa.example", 5061, &one_more, 1), STATUS_LIMIT);
    for (int i = 0; i < ZONE_KEYS_MAX; i++) {
        key[0] = (uint8_t)i;
        key[1] = (uint8_t)(i >> 8);
        assert_int_equal(zone_key_add(conf, key), 0);
    }
    key[2] = 1;
    assert_int_equal(zone_key_add(conf, key), STATUS_LIMIT);
}

/* ---- addresses ---- */

/* Two keys, of opa.example only. */
static bool receipt_of(const char *domain, size_t index, char *text, size_t size, void *arg)
{
    if (strcmp(domain, arg) != 0 || index > 1)
        return false;
    snprintf(text, size, "v=sipkey1; kid=%zu; h=x", index);
    return true;
}

static void receipt_keys_are_published_at_a_name_of_their_own(void **state)
{
    struct world *world = *state;
    char ours[] = "opa.example";
    struct zone_conf later = {.ttl_s = 3600};
    world->conf.receipt = receipt_of;
    world->conf.receipt_arg = ours;
    zone_targets_take(&later, &world->conf); /* a reload keeps them */
    world->conf = later;
    assert_domain(world, "opa.example",
                  "_sipaddr-key.opa.example. 3600 IN TXT \"v=sipkey1; kid=0; h=x\"\n"
                  "_sipaddr-key.opa.example. 3600 IN TXT \"v=sipkey1; kid=1; h=x\"\n");
    assert_domain(world, "opb.example", "");
}

#define CAROL CAROL_LABEL "._sipaddr.opa.example"

static void the_label_is_of_the_canonical_user_part(void **state)
{
    char label[RESOLVER_LABEL_LEN + 1];
    (void)state;
    /* as `printf %s carol | sha256sum | cut -c 1-56` has it */
    assert_string_equal(resolver_address_label("carol", label), CAROL_LABEL);
}

static void only_addresses_ported_out_have_a_record(void **state)
{
    static const struct {
        const char *address;
        int status;
    } cases[] = {
        {"carol@opa.example", 0},
        {"alice@opa.example", STATUS_NOTFOUND}, /* hosted */
        {"dave@opa.example", STATUS_NOTFOUND},  /* blocked */
        {"emil@opd.example", STATUS_NOTFOUND},  /* another authority's */
        {"nobody@opa.example", STATUS_NOTFOUND},
    };
    struct world *world = *state;
    struct zone_record record;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_address address;
        assert_int_equal(store_address_parse(slice_of(cases[i].address), &address, NULL), 0);
        assert_int_equal(zone_address_record(&world->conf, world->reader, &address, &record),
                         cases[i].status);
    }
    assert_string_equal(record.name, CAROL);
    assert_string_equal(record.data, "10 10 \"\" \"SIP+host\" \"\" opc.example.");
    assert_int_equal(record.type, ZONE_NAPTR);
    assert_int_equal(record.ttl_s, 300);
}

static void an_address_has_a_name_even_without_a_record(void **state)
{
    struct store_address address = {"carol", "opa.example"};
    char name[ZONE_NAME_MAX + 1];
    (void)state;
    assert_int_equal(zone_address_name(&address, name), 0);
    assert_string_equal(name, CAROL);
    long_name(address.domain, ZONE_NAME_MAX - strlen(CAROL_LABEL "._sipaddr."));
    assert_int_equal(zone_address_name(&address, name), 0);
    assert_int_equal(strlen(name), ZONE_NAME_MAX);
    long_name(address.domain, strlen(address.domain) + 1);
    assert_int_equal(zone_address_name(&address, name), STATUS_LIMIT);
}

static void a_walk_in_any_steps_finds_all_of_them(void **state)
{
    struct world *world = *state;
    for (size_t max = 1; max < 7; max++) {
        for (world->most = 0; world->most < 3; world->most++) {
            struct zone_walk walk = {.more = true};
            size_t all = 0;
            world->len = 0;
            while (walk.more) {
                world->told = 0;
                assert_int_equal(zone_address_records(&world->conf, world->reader, "opa.example",
                                                      max, &walk, tell, world),
                                 0);
                all += world->told;
            }
            assert_int_equal(all, 2);
            assert_non_null(strstr(world->text, CAROL ". 300 IN NAPTR 10 10 \"\" \"SIP+host\" \"\" "
                                                      "opc.example.\n"));
            assert_non_null(strstr(world->text, "\"SIP+host\" \"\" opd.example.\n"));
        }
    }
}

static void no_address_is_published_where_that_is_switched_off(void **state)
{
    struct world *world = *state;
    struct store_address carol = {"carol", "opa.example"};
    struct zone_walk walk = {.more = true};
    struct zone_record record;
    world->conf.address_records = false;
    assert_int_equal(zone_address_record(&world->conf, world->reader, &carol, &record),
                     STATUS_NOTFOUND);
    assert_int_equal(
        zone_address_records(&world->conf, world->reader, "opa.example", 100, &walk, tell, world),
        0);
    assert_int_equal(world->told, 0);
    assert_false(walk.more);
}

/* A domain as it is, but for this. */
static void publish(struct world *world, const char *domain, bool on)
{
    struct store_command command = {.op = STORE_DOMAIN_PUT};
    assert_int_equal(store_domain_get(world->reader, domain, &command.domain), 0);
    command.domain.unpublished = !on;
    store_reader_end(world->reader);
    submit(world, &command);
    assert_int_equal(store_reader_begin(world->reader), 0);
}

static void a_domain_can_be_left_out(void **state)
{
    struct world *world = *state;
    struct store_address carol = {"carol", "opa.example"};
    struct zone_walk walk = {.more = true};
    struct zone_record record;
    publish(world, "opa.example", false);
    assert_domain(world, "opa.example", "");
    assert_domain(world, "opb.example", "_sipaddr.opb.example. 3600 IN TXT \"v=sipaddr1\"\n");
    assert_int_equal(zone_address_record(&world->conf, world->reader, &carol, &record),
                     STATUS_NOTFOUND);
    world->told = 0;
    assert_int_equal(
        zone_address_records(&world->conf, world->reader, "opa.example", 100, &walk, tell, world),
        0);
    assert_int_equal(world->told, 0);
    publish(world, "opa.example", true);
    assert_int_equal(zone_address_record(&world->conf, world->reader, &carol, &record), 0);
}

static void an_address_can_be_left_out(void **state)
{
    struct world *world = *state;
    struct store_address carol = {"carol", "opa.example"};
    struct store_command command = {.op = STORE_ADDRESS_PUT};
    struct zone_walk walk = {.more = true};
    struct zone_record record;
    assert_int_equal(store_address_get(world->reader, &carol, &command.record), 0);
    command.record.unpublished = true;
    store_reader_end(world->reader);
    submit(world, &command);
    assert_int_equal(store_reader_begin(world->reader), 0);
    assert_int_equal(zone_address_record(&world->conf, world->reader, &carol, &record),
                     STATUS_NOTFOUND);
    assert_int_equal(
        zone_address_records(&world->conf, world->reader, "opa.example", 100, &walk, tell, world),
        0);
    assert_int_equal(world->told, 1); /* the other one's */
    assert_null(strstr(world->text, CAROL));
}

static void a_walk_over_a_foreign_domain_is_refused(void **state)
{
    struct world *world = *state;
    struct zone_walk walk = {.more = true};
    assert_int_equal(
        zone_address_records(&world->conf, world->reader, "opd.example", 100, &walk, tell, world),
        STATUS_NOTFOUND);
    assert_false(walk.more);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_domain_has_exactly_these_records),
        IN_WORLD(receipt_keys_are_published_at_a_name_of_their_own),
        IN_WORLD(a_hosts_records_stand_in_its_own_zone_only),
        IN_WORLD(a_domain_that_is_not_ours_has_its_hosts_or_nothing),
        IN_WORLD(two_ports_of_one_host_name_its_address_once),
        IN_WORLD(the_federation_api_is_found_by_srv_of_each_domain),
        IN_WORLD(without_a_target_no_service_is_published),
        IN_WORLD(a_name_that_dns_cannot_carry_is_refused),
        IN_WORLD(the_list_ends_where_its_reader_wants),
        IN_WORLD(targets_addresses_and_keys_are_bounded),
        cmocka_unit_test(the_label_is_of_the_canonical_user_part),
        IN_WORLD(only_addresses_ported_out_have_a_record),
        cmocka_unit_test(an_address_has_a_name_even_without_a_record),
        IN_WORLD(a_walk_in_any_steps_finds_all_of_them),
        IN_WORLD(no_address_is_published_where_that_is_switched_off),
        IN_WORLD(a_domain_can_be_left_out),
        IN_WORLD(an_address_can_be_left_out),
        IN_WORLD(a_walk_over_a_foreign_domain_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
