/* What comes out of a correct configuration, and what differs between two. */
#include "tests/tools/conf_fixture.h"

#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what comes out ---- */

static void assert_addr(const struct netaddr *addr, const char *expected)
{
    char text[NETADDR_TEXT_MAX];
    assert_string_equal(netaddr_format(addr, text), expected);
}

static const char every_setting[] =
    GOOD "workers = 3 log-level = debug log-format = json\n"
         "store { path = \"dir\" map-size = 64M max-readers = 200 journal-days = 3\n"
         "        journal-size = 2M journal-max = 5M }\n"
         "api { socket = \"a.sock\" mode = 0600 group = \"root\" max-connections = 9\n"
         "      timeout-s = 7 request-timeout-s = 8 listen = \"[::1]:8443\"\n"
         "      certificate = \"opb.pem\" key = \"opb.key\" health = \"127.0.0.1:9100\"\n"
         "      rate = 6 reserved = {\"Sales\", \"%41b\"} }\n"
         "allow = {\"127.0.21.0/24\", \"2001:db8::/32\"} fail-over = {\"500\", \"404\"}\n"
         "dns { upstreams = {\"192.0.2.53\", \"[::1]:5353\"} attempt-timeout-ms = 101\n"
         "      timeout-ms = 102 ttl-min-s = 114 ttl-max-s = 115 stale-s = 116 }\n"
         "timers { connect-ms = 103 first-response-ms = 104 search-ms = 105 idle-ms = 1106\n"
         "         message-ms = 107 t1-ms = 108 t2-ms = 109 t4-ms = 110 }\n"
         "limits { connections = 111 transactions = 112 dns-cache = 113\n"
         "         source-connections = 201 source-handshakes = 202 source-failures = 203\n"
         "         ban-s = 204 first-request-ms = 205 first-request-bytes = 206\n"
         "         peer-requests = 207 peer-messages = 208 peer-transactions = 209\n"
         "         first-contact = 210 called-calls = 211 peer-connections = 212 }\n"
         "peering = listed\n";

static void each_setting_of_the_directory_reaches_its_place(void **state)
{
    char path[256];
    (void)state;
    struct junctord_conf *conf = conf_load_good(every_setting);
    assert_int_equal(conf->log_level, LOG_DEBUG);
    assert_int_equal(conf->log_format, LOG_JSON);
    assert_string_equal(conf->store.path, conf_file("dir", path));
    assert_int_equal(conf->store.map_size, 64 << 20);
    assert_int_equal(conf->store.max_readers, 200);
    assert_string_equal(conf->api.socket, conf_file("a.sock", path));
    assert_int_equal(conf->api.mode, 0600);
    assert_int_equal(conf->api.group, 0);
    assert_int_equal(conf->api.max_connections, 9);
    assert_int_equal(conf->api.timeout_s, 7);
    assert_int_equal(conf->api.request_timeout_s, 8);
    assert_addr(&conf->api.listen, "[::1]:8443");
    assert_addr(&conf->api.health, "127.0.0.1:9100");
    assert_string_equal(conf->api.certificate, conf_file("opb.pem", path));
    assert_string_equal(conf->api.key, conf_file("opb.key", path));
    assert_int_equal(conf->api.rate, 6);
    assert_int_equal(conf->api.reserved_count, 2);
    assert_string_equal(conf->api.reserved[0], "sales"); /* canonical, as addresses are */
    assert_string_equal(conf->api.reserved[1], "ab");
    assert_true(conf->store.journal_age_ms == (uint64_t)3 * 86400000);
    assert_int_equal(conf->store.journal_size, 2 << 20);
    assert_int_equal(conf->store.journal_max, 5 << 20);
    conf_free(conf);
}

static void revocation_lists_are_found_beside_the_file_and_judged(void **state)
{
    static const char text[] =
        INSIDE OUTSIDE CERTIFICATE "trust { anchors = \"opb.pem\" crls = {\"new.crl\", \"%s\"} }\n";
    char path[256], conf_text[sizeof(text) + 32];
    (void)state;
    for (int old = 0; old <= 1; old++) {
        snprintf(conf_text, sizeof(conf_text), text, old ? "old.crl" : "new.crl");
        struct junctord_conf *conf = conf_load_good(conf_text);
        assert_int_equal(conf->edge.tls.crl_count, 2);
        assert_string_equal(conf->edge.tls.crl_files[0], conf_file("new.crl", path));
        if (old)
            assert_non_null(strstr(conf->crl_doubt, "of CN=federation was to be replaced by"));
        else
            assert_string_equal(conf->crl_doubt, "");
        conf_free(conf);
    }
}

static void each_setting_of_the_edge_reaches_its_place(void **state)
{
    char path[256];
    (void)state;
    struct junctord_conf *conf = conf_load_good(every_setting);
    const struct edge_conf *edge = &conf->edge;
    assert_int_equal(edge->workers, 3);
    assert_int_equal(edge->allow_count, 2);
    assert_int_equal(edge->allow[0].bits, 24);
    assert_int_equal(edge->allow[1].bits, 32);
    assert_int_equal(edge->fail_over_count, 2);
    assert_int_equal(edge->fail_over[0], 500);
    assert_int_equal(edge->fail_over[1], 404);
    assert_int_equal(edge->resolver.upstream_count, 2);
    assert_addr(&edge->resolver.upstreams[0].addr, "192.0.2.53:53");
    assert_addr(&edge->resolver.upstreams[1].addr, "[::1]:5353");
    assert_int_equal(edge->resolver.attempt_timeout_ms, 101);
    assert_int_equal(edge->resolver.lookup_timeout_ms, 102);
    assert_int_equal(edge->resolver.ttl_min_s, 114);
    assert_int_equal(edge->resolver.ttl_max_s, 115);
    assert_int_equal(edge->resolver.stale_s, 116);
    assert_int_equal(edge->transport.connect_timeout_ms, 103);
    assert_int_equal(edge->first_response_ms, 104);
    assert_int_equal(edge->search_ms, 105);
    assert_int_equal(edge->transport.idle_timeout_ms, 1106);
    assert_int_equal(edge->transport.message_timeout_ms, 107);
    assert_int_equal(edge->times.t1_ms, 108);
    assert_int_equal(edge->times.t2_ms, 109);
    assert_int_equal(edge->times.t4_ms, 110);
    assert_int_equal(edge->transport.max_connections, 111);
    assert_int_equal(edge->max_transactions, 112);
    assert_int_equal(edge->resolver.cache_max, 113);
    assert_int_equal(edge->guard.source_connections, 201);
    assert_int_equal(edge->guard.source_handshakes, 202);
    assert_int_equal(edge->guard.source_failures, 203);
    assert_int_equal(edge->guard.ban_s, 204);
    assert_int_equal(edge->guard.first_request_ms, 205);
    assert_int_equal(edge->guard.first_request_bytes, 206);
    assert_int_equal(edge->guard.peer_requests, 207);
    assert_int_equal(edge->guard.peer_messages, 208);
    assert_int_equal(edge->guard.peer_transactions, 209);
    assert_int_equal(edge->guard.first_contact, 210);
    assert_int_equal(edge->guard.called_calls, 211);
    assert_int_equal(edge->guard.peer_connections, 212);
    assert_int_equal(conf->look_s, 10);
    assert_int_equal(edge->peering, GUARD_LISTED);

    assert_int_equal(edge->tls.certificate_count, 1);
    assert_string_equal(edge->tls.certificates[0].domain, "opa.example");
    assert_string_equal(edge->tls.certificates[0].chain_file, conf_file("opa.pem", path));
    assert_string_equal(edge->tls.certificates[0].key_file, conf_file("opa.key", path));
    assert_string_equal(edge->tls.anchors_file, conf_file("opb.pem", path));
    conf_free(conf);
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct junctord_conf *conf = conf_load_good(GOOD);
    const struct edge_conf *edge = &conf->edge;
    assert_in_range(edge->workers, 1, EDGE_MAX_WORKERS);
    assert_int_equal(conf->log_level, LOG_INFO);
    assert_int_equal(conf->log_format, LOG_TEXT);
    assert_string_equal(conf->store.path, JUNCTOR_LOCALSTATEDIR "/lib/junctor");
    assert_int_equal(conf->store.map_size, 1 << 30);
    assert_string_equal(conf->api.socket, JUNCTOR_RUNSTATEDIR "/junctor/api.sock");
    assert_int_equal(conf->api.mode, 0660);
    assert_true(conf->api.group == (gid_t)-1);
    assert_int_equal(conf->api.listen.sa.sa_family, AF_UNSPEC);
    assert_int_equal(conf->api.health.sa.sa_family, AF_UNSPEC);
    assert_int_equal(conf->api.request_timeout_s, 60);
    assert_int_equal(conf->api.rate, 50);
    assert_int_equal(conf->api.reserved_count, 0);
    assert_true(conf->store.journal_age_ms == (uint64_t)365 * 86400000);
    assert_int_equal(conf->store.journal_size, 256 << 20);
    assert_int_equal(conf->store.journal_max, 0);
    assert_int_equal(edge->allow_count, 0);
    assert_int_equal(edge->fail_over_count, 0);
    assert_int_equal(edge->resolver.upstream_count, 1);
    assert_addr(&edge->resolver.upstreams[0].addr, "127.0.0.1:53");
    assert_true(edge->resolver.upstreams[0].trusted);
    assert_int_equal(edge->transport.connect_timeout_ms, 3000);
    assert_int_equal(edge->first_response_ms, 4000);
    assert_int_equal(edge->search_ms, 12000);
    assert_int_equal(edge->times.t1_ms, txn_times_default.t1_ms);
    assert_int_equal(edge->times.t2_ms, txn_times_default.t2_ms);
    assert_int_equal(edge->times.t4_ms, txn_times_default.t4_ms);
    conf_free(conf);
}

static void listeners_have_their_addresses_and_names(void **state)
{
    static const struct {
        const char *section;
        enum sip_transport transport;
        const char *bind, *host;
        unsigned port;
    } listeners[] = {
        {"inside \"udp:127.0.20.1:5060\" { }", SIP_UDP, "127.0.20.1:5060", "127.0.20.1", 5060},
        {"inside \"tcp:127.0.20.1\" { }", SIP_TCP, "127.0.20.1:5060", "127.0.20.1", 5060},
        {"inside \"tls:127.0.20.1\" { }", SIP_TLS, "127.0.20.1:5061", "127.0.20.1", 5061},
        {"inside \"TCP:[::1]:5070\" { }", SIP_TCP, "[::1]:5070", "[::1]", 5070},
        {"inside \"tls:[2001:db8::1]\" { }", SIP_TLS, "[2001:db8::1]:5061", "[2001:db8::1]", 5061},
        {"inside \"udp:*\" { advertise = \"Edge.OPA.example\" }", SIP_UDP, "0.0.0.0:5060",
         "edge.opa.example", 0},
        {"inside \"udp:*:5070\" { advertise = \"edge.opa.example:5071\" }", SIP_UDP, "0.0.0.0:5070",
         "edge.opa.example", 5071},
        {"inside \"udp:[::]:5070\" { advertise = \"[2001:db8::2]:5071\" }", SIP_UDP, "[::]:5070",
         "[2001:db8::2]", 5071},
        {"inside \"udp:127.0.20.9:5070\" { advertise = \"192.0.2.9\" }", SIP_UDP, "127.0.20.9:5070",
         "192.0.2.9", 0},
    };
    char text[4096];
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(listeners); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", listeners[i].section);
    snprintf(text + len, sizeof(text) - len, "%s", OUTSIDE CERTIFICATE TRUST);

    char other[COUNT_OF(text)];
    memcpy(other, text, sizeof(text));
    char *outside = strstr(other, "tls:127.0.20.1:5061");
    memcpy(outside, "tls:127.0.20.2:5061", strlen("tls:127.0.20.2:5061"));
    struct junctord_conf *conf = conf_load_good(other);
    assert_int_equal(conf->edge.transport.listener_count, COUNT_OF(listeners) + 1);
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        const struct transport_listener *listener = &conf->edge.transport.listeners[i];
        assert_int_equal(listener->side, TRANSPORT_INSIDE);
        assert_int_equal(listener->transport, listeners[i].transport);
        assert_addr(&listener->bind, listeners[i].bind);
        assert_string_equal(listener->advertise_host, listeners[i].host);
        assert_int_equal(listener->advertise_port, listeners[i].port);
    }
    assert_int_equal(conf->edge.transport.listeners[COUNT_OF(listeners)].side, TRANSPORT_OUTSIDE);
    conf_free(conf);
}

#define NEXT_KEY                                                                                   \
    "certificate \"opa.example\" { chain = \"opa.pem\" key = \"opa.key\" next-key = \"opb.key\" }\n"

static void what_is_published_follows_from_listeners_and_keys(void **state)
{
    (void)state;
    struct junctord_conf *conf = conf_load_good(
        INSIDE TRUST NEXT_KEY
        "outside \"tls:127.0.20.1\" { advertise = \"a.opa.example\" }\n"
        "outside \"tls:[::1]:5062\" { advertise = \"a.opa.example:5061\" }\n"
        "outside \"tls:*:5063\" { advertise = \"b.opa.example:5063\"\n"
        "    addresses = {\"192.0.2.10\", \"2001:db8::10\"} }\n"
        "outside \"tls:127.0.20.2\" { }\n" /* known by its address alone: no SRV leads to it */
        "publish { ttl = 60 address-ttl = 30 address-records = false }\n");
    const struct zone_conf *zone = &conf->zone;
    assert_int_equal(zone->ttl_s, 60);
    assert_int_equal(zone->address_ttl_s, 30);
    assert_false(zone->address_records);
    assert_int_equal(zone->target_count, 2);
    assert_string_equal(zone->targets[0].host, "a.opa.example");
    assert_int_equal(zone->targets[0].port, 5061);
    assert_int_equal(zone->targets[0].address_count, 2);
    assert_addr(&zone->targets[0].addresses[1], "[::1]:5062");
    assert_int_equal(zone->targets[1].port, 5063);
    assert_int_equal(zone->targets[1].address_count, 2);
    assert_addr(&zone->targets[1].addresses[0], "192.0.2.10:0");
    assert_int_equal(zone->key_count, 2);
    assert_string_equal(zone->porting.host, "");
    conf_free(conf);

    conf = conf_load_good(GOOD); /* the defaults */
    assert_int_equal(conf->zone.ttl_s, 3600);
    assert_int_equal(conf->zone.address_ttl_s, 300);
    assert_true(conf->zone.address_records);
    assert_int_equal(conf->zone.target_count, 0);
    assert_int_equal(conf->zone.key_count, 1);
    conf_free(conf);
}

static void the_rules_of_ports_reach_their_place(void **state)
{
    (void)state;
    struct junctord_conf *conf = conf_load_good(GOOD);
    assert_int_equal(conf->porting.terms.window, 0);
    assert_int_equal(conf->porting.terms.grace, 3 * 86400);
    assert_int_equal(conf->porting.terms.freeze, 3 * 86400);
    assert_int_equal(conf->porting.terms.wait, 14 * 86400);
    assert_int_equal(conf->porting.terms.dispute, 14 * 86400);
    assert_int_equal(conf->porting.moved, 7 * 86400);
    assert_int_equal(conf->porting.test_day_ms, PORTING_DAY_MS);
    conf_free(conf);
    conf = conf_load_good(GOOD "porting { window-s = 1 grace-s = 2 freeze-s = 3 wait-s = 604800 "
                               "dispute-s = 604801 moved-s = 4 }\n");
    assert_int_equal(conf->porting.terms.window, 1);
    assert_int_equal(conf->porting.terms.grace, 2);
    assert_int_equal(conf->porting.terms.freeze, 3);
    assert_int_equal(conf->porting.terms.wait, 604800);
    assert_int_equal(conf->porting.terms.dispute, 604801);
    assert_int_equal(conf->porting.moved, 4);
    conf_free(conf);
}

static void the_federation_api_is_published_where_it_is_advertised(void **state)
{
    (void)state;
    struct junctord_conf *conf = conf_load_good(
        GOOD "federation { listen = \"127.0.20.1:8444\" advertise = \"Move.opa.example\" }\n");
    assert_addr(&conf->federation.listen, "127.0.20.1:8444");
    assert_string_equal(conf->zone.porting.host, "move.opa.example");
    assert_int_equal(conf->zone.porting.port, 8444);
    assert_int_equal(conf->zone.porting.address_count, 1);
    conf_free(conf);

    conf = conf_load_good(INSIDE CERTIFICATE TRUST
                          "outside \"tls:127.0.20.1\" { advertise = \"a.opa.example\" }\n"
                          "federation { listen = \"127.0.20.1:8444\" "
                          "advertise = \"a.opa.example:443\" }\n");
    assert_int_equal(conf->zone.porting.port, 443);
    assert_int_equal(conf->zone.porting.address_count, 0); /* those of the outside listener */
    conf_free(conf);

    conf = conf_load_good(GOOD "federation { listen = \"127.0.20.1:8444\" }\n");
    assert_string_equal(conf->zone.porting.host, "");
    conf_free(conf);
}

static void trees_of_enum_are_in_order_and_trusted_by_name(void **state)
{
    (void)state;
    struct junctord_conf *conf = conf_load_good(GOOD);
    assert_int_equal(conf->edge.resolver.suffix_count, 0);
    assert_true(conf->edge.resolver.address_records);
    conf_free(conf);
    conf = conf_load_good(GOOD "dns { enum-trusted = {\"Own.example.\"} address-records = false\n"
                               "enum = {\"E164.arpa\", \"own.example\"} }\n");
    assert_int_equal(conf->edge.resolver.suffix_count, 2);
    assert_string_equal(conf->edge.resolver.suffixes[0].name, "e164.arpa");
    assert_false(conf->edge.resolver.suffixes[0].trusted);
    assert_string_equal(conf->edge.resolver.suffixes[1].name, "own.example");
    assert_true(conf->edge.resolver.suffixes[1].trusted);
    assert_false(conf->edge.resolver.address_records);
    conf_free(conf);
}

static void zones_have_their_primary_and_key(void **state)
{
    (void)state;
    struct junctord_conf *conf = conf_load_good(
        GOOD "zone \"Opa.example\" { primary = \"192.0.2.53\" tsig = \"tsig.key\" }\n"
             "zone \"_sipaddr.opa.example\" { primary = \"[::1]:5353\" tsig = \"tsig.key\" }\n");
    const struct publisher_zone_conf *zones = conf->publisher.zones;
    assert_int_equal(conf->publisher.zone_count, 2);
    assert_string_equal(zones[0].name, "opa.example");
    assert_addr(&zones[0].primary, "192.0.2.53:53");
    assert_string_equal(zones[0].key.name, "publisher");
    assert_string_equal(zones[0].key.secret, "AAECAwQFBgcICQoLDA0ODw==");
    assert_string_equal(zones[1].name, "_sipaddr.opa.example");
    assert_addr(&zones[1].primary, "[::1]:5353");
    conf_free(conf);
}

static void upstreams_on_loopback_are_trusted_unless_others_are_named(void **state)
{
    (void)state;
    struct junctord_conf *conf = conf_load_good(
        GOOD "dns { upstreams = {\"127.9.9.9\", \"192.0.2.1\", \"::1\", \"2001:db8::1\"} }\n");
    assert_true(conf->edge.resolver.upstreams[0].trusted);
    assert_false(conf->edge.resolver.upstreams[1].trusted);
    assert_true(conf->edge.resolver.upstreams[2].trusted);
    assert_false(conf->edge.resolver.upstreams[3].trusted);
    conf_free(conf);

    conf = conf_load_good(GOOD "dns { trusted = {\"192.0.2.1:53\"}\n"
                               "upstreams = {\"127.9.9.9\", \"192.0.2.1\", \"::1\"} }\n");
    assert_false(conf->edge.resolver.upstreams[0].trusted);
    assert_true(conf->edge.resolver.upstreams[1].trusted);
    assert_false(conf->edge.resolver.upstreams[2].trusted);
    conf_free(conf);

    conf = conf_load_good(GOOD "dns { upstreams = {\"127.9.9.9\", \"::1\"} trusted = {} }\n");
    assert_false(conf->edge.resolver.upstreams[0].trusted);
    assert_false(conf->edge.resolver.upstreams[1].trusted);
    conf_free(conf);
}

static void a_health_listener_for_everybody_is_doubted(void **state)
{
    static const struct {
        const char *address;
        bool doubted;
    } table[] = {
        {"127.0.0.1:9100", false}, {"[::1]:9100", false},    {"10.1.2.3:9100", false},
        {"[fd00::1]:9100", false}, {"172.31.0.1:9", false},  {"0.0.0.0:9100", true},
        {"[::]:9100", true},       {"192.0.2.1:9100", true}, {"[2001:db8::1]:9100", true},
        {"172.32.0.1:9", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char file[1024], text[CONF_MAX_WHY];
        snprintf(file, sizeof(file), GOOD "api { health = \"%s\" }\n", table[i].address);
        struct junctord_conf *conf = conf_load_good(file);
        assert_int_equal(*conf_doubt(conf, text) != '\0', table[i].doubted);
        if (table[i].doubted)
            assert_non_null(strstr(text, table[i].address));
        conf_free(conf);
    }
}

static void mail_needs_a_sender_and_a_program(void **state)
{
    char why[CONF_MAX_WHY];
    struct junctord_conf *conf;
    (void)state;
    conf_text_write("test.conf", GOOD "porting { sendmail = \"/bin/true\" }\n");
    assert_int_equal(conf_load_test(&conf, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "porting: sendmail: mail needs both"));
    conf_text_write("test.conf", GOOD "porting { mail-from = \"p@opa.example\" }\n");
    assert_int_equal(conf_load_test(&conf, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "porting: mail-from: mail needs both"));
    conf =
        conf_load_good(GOOD "porting { sendmail = \"/bin/true\" mail-from = \"p@Opa.example\" }\n");
    assert_string_equal(conf->mailer.sendmail, "/bin/true");
    assert_string_equal(conf->mailer.from, "p@opa.example");
    assert_string_equal(conf_doubt(conf, why), "");
    conf_free(conf);
    conf =
        conf_load_good(GOOD "porting { sendmail = \"/no/such\" mail-from = \"p@opa.example\" }\n");
    assert_non_null(strstr(conf_doubt(conf, why), "/no/such cannot be run"));
    conf_free(conf);
}

static void trees_of_numbers_without_a_trusted_upstream_are_doubted(void **state)
{
    static const struct {
        const char *dns;
        bool doubted;
    } table[] = {
        {"upstreams = {\"192.0.2.53\"} enum = {\"e164.arpa\"}", true},
        {"upstreams = {\"192.0.2.53\", \"127.0.0.1\"} enum = {\"e164.arpa\"}", false},
        {"upstreams = {\"192.0.2.53\"} trusted = {\"192.0.2.53\"} enum = {\"e164.arpa\"}", false},
        {"upstreams = {\"192.0.2.53\"}", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char config[1024], text[CONF_MAX_WHY];
        snprintf(config, sizeof(config), GOOD "dns { %s }\n", table[i].dns);
        struct junctord_conf *conf = conf_load_good(config);
        conf_doubt(conf, text);
        assert_int_equal(strstr(text, "dns: enum: no number is found in e164.arpa") != NULL,
                         table[i].doubted);
        conf_free(conf);
    }
}

/* ---- reload ---- */

/* Memory with something in it, so that a second load gets other memory than a fresh process. */
static void dirty_heap(void)
{
    void *pieces[64];
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        pieces[i] = malloc(sizeof(struct junctord_conf) / (i + 1));
        if (pieces[i])
            memset(pieces[i], 0xa5, sizeof(struct junctord_conf) / (i + 1));
    }
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        free(pieces[i]);
}

static void the_same_file_gives_the_same_bytes(void **state)
{
    (void)state;
    struct junctord_conf *one =
        conf_load_good(GOOD "dns { upstreams = {\"::1\", \"127.0.0.1\"} }\n");
    dirty_heap();
    struct junctord_conf *two =
        conf_load_good(GOOD "dns { upstreams = {\"::1\", \"127.0.0.1\"} }\n");
    char changes[CONF_MAX_WHY];
    assert_memory_equal(&one->edge.transport, &two->edge.transport, sizeof(one->edge.transport));
    assert_memory_equal(&one->edge.resolver, &two->edge.resolver, sizeof(one->edge.resolver));
    assert_string_equal(conf_fixed_changes(one, two, changes), "");
    conf_free(one);
    conf_free(two);
}

static void changes_that_need_a_restart_are_named(void **state)
{
    static const struct {
        const char *text, *expected;
    } changes[] = {
        {GOOD "log-level = debug allow = {\"10.0.0.0/8\"}\n", ""},
        {GOOD "certificate \"opb.example\" { chain = \"opb.pem\" key = \"opb.key\" }\n", ""},
        {GOOD "publish { ttl = 1 address-ttl = 2 address-records = false }\n", ""},
        {INSIDE
         "outside \"tls:127.0.20.1:5061\" { addresses = {\"192.0.2.1\"} }\n" CERTIFICATE TRUST,
         "outside: addresses"},
        {GOOD "workers = 63\n", "workers"},
        {GOOD "fail-over = {\"500\"}\n", "fail-over"},
        {GOOD "hep { server = \"udp:127.0.0.1\" id = 7 }\n", "hep: id, hep: server"},
        {GOOD "api { listen = \"127.0.0.1:8443\" certificate = \"opa.pem\" key = \"opa.key\" }\n",
         "api: listen"},
        {GOOD "api { health = \"127.0.0.1:9100\" rate = 3 }\n", "api: rate, api: health"},
        {GOOD "federation { listen = \"127.0.0.1:8444\" advertise = \"a.example\" }\n",
         "federation: listen, federation: advertise"},
        {GOOD "api { request-timeout-s = 3 reserved = {\"sales\"} }\n",
         "api: request-timeout-s, api: reserved"},
        {GOOD "store { journal-days = 3 journal-size = 2M journal-max = 4M }\n",
         "store: journal-days, store: journal-size, store: journal-max"},
        {GOOD "workers = 63 timers { t1-ms = 100 } store { map-size = 2G }\n",
         "workers, store: map-size, timers: t1-ms"},
        {GOOD "store { path = \"/other\" }\n", "store: path"},
        {GOOD "api { socket = \"/other\" mode = 0666 group = \"root\" }\n",
         "api: socket, api: mode, api: group"},
        {GOOD "inside \"tcp:127.0.20.1:5060\" { }\n", "inside \"tcp:127.0.20.1:5060\""},
        {"inside \"udp:127.0.20.1:5060\" { advertise = \"a.example\" }\n" OUTSIDE CERTIFICATE TRUST,
         "inside \"udp:127.0.20.1:5060\""},
        {INSIDE "outside \"tls:[::1]:5062\" { }\n" CERTIFICATE TRUST,
         "outside \"tls:127.0.20.1:5061\", outside \"tls:[::1]:5062\""},
        {OUTSIDE INSIDE CERTIFICATE TRUST, ""}, /* each kind has an order of its own */
        {"inside \"udp:127.0.20.1:5070\" { }\n" OUTSIDE CERTIFICATE TRUST
         "dns { upstreams = {\"127.0.0.2\"} }\n",
         "inside \"udp:127.0.20.1:5060\", inside \"udp:127.0.20.1:5070\", dns: upstreams"},
        {GOOD "dns { upstreams = {\"127.0.0.2\"} }\n", "dns: upstreams"},
        {GOOD "dns { upstreams = {\"127.0.0.1\", \"127.0.0.2\"} }\n", "dns: upstreams"},
        {GOOD "dns { upstreams = {\"127.0.0.1\", \"192.0.2.1\"} trusted = {\"192.0.2.1\"} }\n",
         "dns: upstreams, dns: trusted"},
        {GOOD "dns { enum = {\"e164.arpa\"} }\n", "dns: enum"},
        {GOOD "dns { address-records = false }\n", "dns: address-records"},
    };
    (void)state;
    struct junctord_conf *old = conf_load_good(GOOD);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct junctord_conf *new = conf_load_good(changes[i].text);
        char text[CONF_MAX_WHY];
        assert_string_equal(conf_fixed_changes(old, new, text), changes[i].expected);
        conf_free(new);
    }
    conf_free(old);
}

static void an_order_of_listeners_that_changes_is_named(void **state)
{
    static const char other[] = "inside \"udp:127.0.20.1:5070\" { }\n";
    char text[2][512], changes[CONF_MAX_WHY];
    (void)state;
    snprintf(text[0], sizeof(text[0]), "%s%s", other, GOOD);
    snprintf(text[1], sizeof(text[1]), "%s%s", GOOD, other);
    struct junctord_conf *old = conf_load_good(text[0]), *new = conf_load_good(text[1]);
    assert_string_equal(conf_fixed_changes(old, new, changes), "the order of listeners");
    conf_free(old);
    conf_free(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_setting_of_the_directory_reaches_its_place),
        cmocka_unit_test(each_setting_of_the_edge_reaches_its_place),
        cmocka_unit_test(revocation_lists_are_found_beside_the_file_and_judged),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(listeners_have_their_addresses_and_names),
        cmocka_unit_test(what_is_published_follows_from_listeners_and_keys),
        cmocka_unit_test(the_rules_of_ports_reach_their_place),
        cmocka_unit_test(the_federation_api_is_published_where_it_is_advertised),
        cmocka_unit_test(trees_of_enum_are_in_order_and_trusted_by_name),
        cmocka_unit_test(zones_have_their_primary_and_key),
        cmocka_unit_test(upstreams_on_loopback_are_trusted_unless_others_are_named),
        cmocka_unit_test(a_health_listener_for_everybody_is_doubted),
        cmocka_unit_test(mail_needs_a_sender_and_a_program),
        cmocka_unit_test(trees_of_numbers_without_a_trusted_upstream_are_doubted),
        cmocka_unit_test(the_same_file_gives_the_same_bytes),
        cmocka_unit_test(changes_that_need_a_restart_are_named),
        cmocka_unit_test(an_order_of_listeners_that_changes_is_named),
    };
    return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
