/* The table of settings. `junctord --help-config` prints it, junctord.conf(5) and the sample tell
 * it at length; a test compares the three. */
#include "tools/conf_internal.h"

#include <string.h>

const struct conf_section conf_sections[] = {
    {"", NULL, NULL, NULL, ""},
    {"store", NULL, NULL, NULL, "the directory on disk"},
    {"api", NULL, NULL, NULL, "where the junctor tool and other REST clients connect"},
    {"federation", NULL, NULL, conf_end_federation,
     "where other operators reach us over HTTPS, to move addresses; with the certificates of our "
     "domains, and who connects is proven as peers are"},
    {"porting", NULL, NULL, NULL, "how addresses move from and to other operators"},
    {"inside", "TRANSPORT:ADDRESS[:PORT]", conf_begin_inside, conf_end_listener,
     "a listener towards our own core: udp, tcp or tls; once per listener, at least one. Without "
     "PORT it is 5060, for tls 5061"},
    {"outside", "tls:ADDRESS[:PORT]", conf_begin_outside, conf_end_listener,
     "a listener towards peers, always tls; once per listener, at least one. Without PORT it "
     "is 5061"},
    {"cores", NULL, NULL, NULL, "how our own cores are known and watched"},
    {"certificate", "DOMAIN", conf_begin_certificate, NULL,
     "what proves a domain we host; once per domain, at least one. Far sides that name no domain "
     "get the first"},
    {"trust", NULL, NULL, NULL, "whom we believe"},
    {"dns", NULL, NULL, conf_end_dns, "how the domains of peers are looked up"},
    {"pstn", NULL, NULL, NULL, "where telephone numbers go that lead to no address"},
    {"publish", NULL, NULL, NULL, "the records that should exist in DNS (junctor dns records)"},
    {"zone", "ZONE", conf_begin_zone, NULL,
     "a zone whose primary server takes these records as signed updates; once per zone"},
    {"timers", NULL, NULL, NULL, "how long to wait"},
    {"hep", NULL, NULL, NULL,
     "a capture server that gets a copy of every SIP message, decrypted (HEP version 3)"},
    {"limits", NULL, NULL, NULL,
     "how much at once, per worker; and how much strangers and peers may use, of all workers "
     "together, where 0 is no bound"},
};
const size_t conf_section_count = sizeof(conf_sections) / sizeof(conf_sections[0]);

#define CONF(member)        offsetof(struct junctord_conf, member)
#define ZONE(member)        offsetof(struct publisher_zone_conf, member)
#define CERTIFICATE(member) offsetof(struct tls_certificate_conf, member)

#define GUARD(member) offsetof(struct junctord_conf, edge.guard.member)

#define MANY 1000000 /* more is none */

#define MIB ((uint64_t)1 << 20)
#define TIB ((uint64_t)1 << 40)

#define MONTH_S ((uint64_t)2592000) /* 30 days */
#define WEEK_S  ((uint64_t)604800)  /* longer, and a mistake takes too long to mend */
#define DAY_MS  ((uint64_t)86400000)
#define HOUR_MS ((uint64_t)3600000) /* to wait longer is a typing error */

/* section, name, type, min, max, default, flags, offset, take, help */
const struct conf_setting conf_settings[] = {
    {"", "workers", CONF_NUMBER, 0, EDGE_MAX_WORKERS, "0", CONF_FIXED, CONF(edge.workers), NULL,
     "SIP worker threads; 0: one per processor core"},
    {"", "log-level", CONF_TEXT, 0, 0, "info", 0, 0, conf_take_log_level,
     "how much is logged, to standard error: error, warning, notice, info or debug (every SIP "
     "message)"},
    {"", "log-format", CONF_TEXT, 0, 0, "text", 0, 0, conf_take_log_format,
     "what a line of the log is: text, or json (an object with a member for each thing it says)"},
    {"", "allow", CONF_LIST, 0, EDGE_MAX_ALLOW, NULL, 0, 0, conf_take_allow,
     "networks that may send to inside listeners, and answer for any core, besides the next hops of "
     "our cores, such as {\"192.0.2.0/24\"}"},
    {"", "fail-over", CONF_LIST, 0, EDGE_MAX_FAIL_OVER, NULL, CONF_FIXED, 0, conf_take_fail_over,
     "answers that lead to the next target of a request, besides 503, such as {\"500\", \"504\"}"},

    {"", "peering", CONF_TEXT, 0, 0, "open", 0, 0, conf_take_peering,
     "whom we talk to: open, every domain that proves itself; listed, those that have an entry "
     "(junctor peer add); closed, nobody. Calls that run may end"},

    {"store", "path", CONF_FILE, 0, 0, JUNCTOR_LOCALSTATEDIR "/lib/junctor", CONF_FIXED,
     CONF(store.path), conf_take_store, "folder of the directory; made if it is missing"},
    {"store", "map-size", CONF_SIZE, MIB, TIB, "1G", CONF_FIXED, CONF(store.map_size), NULL,
     "how large the directory may grow; address space, not memory"},
    {"store", "max-readers", CONF_NUMBER, 16, 4096, "126", CONF_FIXED, CONF(store.max_readers),
     NULL, "threads that may read at once, of all processes that open it"},

    {"store", "journal-days", CONF_NUMBER, 1, 36500, "365", CONF_FIXED, CONF(journal_days), NULL,
     "days after which an entry of the journal is dropped"},
    {"store", "journal-size", CONF_SIZE, MIB, TIB, "256M", CONF_FIXED, CONF(journal_size), NULL,
     "size of the journal past which its oldest entries are dropped, as far as the cursors of its "
     "readers allow"},
    {"store", "journal-max", CONF_SIZE, 0, TIB, "0", CONF_FIXED, CONF(journal_max),
     conf_take_journal, "size past which no reader's cursor keeps an entry; 0: twice journal-size"},

    {"api", "socket", CONF_FILE, 0, 0, JUNCTOR_RUNSTATEDIR "/junctor/api.sock", CONF_FIXED,
     CONF(api.socket), conf_take_socket, "Unix socket of the REST API; its folder must exist"},
    {"api", "mode", CONF_TEXT, 0, 0, "0660", CONF_FIXED, 0, conf_take_mode,
     "permissions of the socket, octal"},
    {"api", "group", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_group,
     "the members of this group may use it, besides root and the daemon's own user"},
    {"api", "max-connections", CONF_NUMBER, API_THREADS, 4096, "64", CONF_FIXED,
     CONF(api.max_connections), NULL,
     "connections open at once, on the socket and on HTTPS each; one source address has at most "
     "a quarter of those on HTTPS"},
    {"api", "timeout-s", CONF_NUMBER, 1, 3600, "15", CONF_FIXED, CONF(api.timeout_s), NULL,
     "seconds of silence after which a connection is closed"},
    {"api", "request-timeout-s", CONF_NUMBER, 1, 3600, "60", CONF_FIXED,
     CONF(api.request_timeout_s), NULL,
     "seconds in which a request must have come and its answer be taken"},
    {"api", "listen", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_listen,
     "ADDRESS:PORT of HTTPS; clients need a token there"},
    {"api", "certificate", CONF_FILE, 0, 0, NULL, 0, CONF(api.certificate), conf_take_pair,
     "PEM file: the certificate of HTTPS, then those of its issuers; must be given with listen"},
    {"api", "key", CONF_FILE, 0, 0, NULL, 0, CONF(api.key), conf_take_pair,
     "PEM file: its private key, without passphrase; must be given with listen"},
    {"api", "health", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_health,
     "ADDRESS:PORT of plain HTTP for /healthz, /readyz and /metrics only, for whoever reaches it"},
    {"api", "rate", CONF_NUMBER, 0, API_MAX_RATE, "50", CONF_FIXED, CONF(api.rate), NULL,
     "requests per second of one token or source address, twice as many in a burst; 0: no bound. "
     "Not on the socket"},
    {"api", "reserved", CONF_LIST, 0, API_MAX_RESERVED, NULL, CONF_FIXED, 0, conf_take_reserved,
     "user parts of addresses that nobody may claim for himself, besides those of RFC 2142, such "
     "as {\"sales\"}"},

    {"federation", "listen", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_federation,
     "ADDRESS:PORT of HTTPS with mutual TLS; without it no other operator reaches us"},
    {"federation", "advertise", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0,
     conf_take_federation_advertise,
     "HOST[:PORT] under which other operators find it: published as SRV "
     "_address-porting._tcp.DOMAIN of each of our domains; without PORT it is that of listen"},

    {"porting", "window-s", CONF_NUMBER, 0, MONTH_S, "0", 0, CONF(porting.terms.window), NULL,
     "seconds in which the host that loses an address of ours may approve or reject its port; it is "
     "approved when they are over; 0: at once"},
    {"porting", "grace-s", CONF_NUMBER, 0, MONTH_S, "259200", 0, CONF(porting.terms.grace), NULL,
     "seconds after it in which the holder may undo a port of an address of ours"},
    {"porting", "freeze-s", CONF_NUMBER, 0, MONTH_S, "259200", 0, CONF(porting.terms.freeze), NULL,
     "seconds after it in which an address of ours may not be ported again"},
    {"porting", "wait-s", CONF_NUMBER, WEEK_S, MONTH_S, "1209600", 0, CONF(porting.terms.wait),
     NULL, "seconds until a port by recovery key is done, if nobody objects"},
    {"porting", "dispute-s", CONF_NUMBER, WEEK_S, MONTH_S, "1209600", 0,
     CONF(porting.terms.dispute), NULL,
     "seconds in which the operator decides about an objection; the key wins when they are over"},
    {"porting", "test-day-ms", CONF_NUMBER, 1, DAY_MS, "86400000", 0, CONF(porting.test_day_ms),
     NULL,
     "for tests alone: a day has so many milliseconds where wait-s, dispute-s, the daily reminders "
     "and the 14 days of a new recovery key are counted"},
    {"porting", "moved-s", CONF_NUMBER, 0, MONTH_S, "604800", 0, CONF(porting.moved), NULL,
     "seconds for which an address that was served here is remembered, and its callers are led on"},
    {"porting", "receipt-keys", CONF_FILE, 0, 0, NULL, CONF_FIXED, CONF(receipt_keys), NULL,
     "folder of the keys that sign receipts of ports, DOMAIN.pem; made, as the keys are, where it is "
     "missing. Without it there are no receipts"},
    {"porting", "sendmail", CONF_FILE, 0, 0, NULL, 0, CONF(mailer.sendmail), conf_take_sendmail,
     "program like sendmail(1), by which holders are told of ports by mail; without it they are told "
     "on their phones alone"},
    {"porting", "mail-from", CONF_TEXT, 0, 0, NULL, 0, 0, conf_take_mail_from,
     "mail address from which that is sent, such as \"porting@opa.example\"; must be given with "
     "sendmail"},

    {"inside", "advertise", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_advertise,
     "HOST[:PORT] under which the core reaches this listener (Via, Record-Route); must be given "
     "for a wildcard ADDRESS, else it is the bound address and port"},
    {"outside", "advertise", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_advertise,
     "HOST[:PORT] under which peers reach this listener (Via); must be given for a wildcard "
     "ADDRESS, else it is the bound address and port"},

    {"outside", "addresses", CONF_LIST, 0, ZONE_ADDRESSES_MAX, NULL, CONF_FIXED, 0,
     conf_take_address,
     "IP addresses at which peers reach this listener, for DNS, where they are not the bound one "
     "(behind NAT, or for a wildcard ADDRESS), such as {\"192.0.2.10\"}"},

    {"cores", "anchors", CONF_FILE, 0, 0, NULL, 0, CONF(edge.tls.core_anchors_file),
     conf_take_core_anchors,
     "PEM file: the CA certificates that may prove our cores. Cores that connect to an inside tls "
     "listener are then asked for a certificate; one that names their domain, or the host of one of "
     "its cores, makes them a core of it whatever their address is"},
    {"cores", "check-ms", CONF_NUMBER, 0, HOUR_MS, "10000", CONF_FIXED, CONF(edge.core_check_ms),
     NULL,
     "how often each next hop of a core is asked OPTIONS; one that does not answer, or answers "
     "503, twice in a row is passed over until it answers; 0: never"},

    {"certificate", "chain", CONF_FILE, 0, 0, NULL, CONF_MUST, CERTIFICATE(chain_file), NULL,
     "PEM file: the domain's own certificate first, then those of its issuers"},
    {"certificate", "key", CONF_FILE, 0, 0, NULL, CONF_MUST, CERTIFICATE(key_file), NULL,
     "PEM file: its private key, without passphrase"},
    {"certificate", "next-key", CONF_FILE, 0, 0, NULL, 0, CERTIFICATE(next_key_file), NULL,
     "PEM file: the private or public key that will be served next, so that DNS names it in time"},

    {"trust", "anchors", CONF_FILE, 0, 0, NULL, CONF_MUST, CONF(edge.tls.anchors_file),
     conf_take_anchors, "PEM file: the CA certificates that may prove a peer's domain"},
    {"trust", "crls", CONF_LIST, 0, TLS_MAX_CRLS, NULL, 0, 0, conf_take_crl,
     "files of revocation lists, PEM or DER, such as {\"federation.crl\"}: whom they name is refused"},
    {"trust", "look-s", CONF_NUMBER, 0, 86400, "10", 0, CONF(look_s), NULL,
     "seconds between looks at these files and those of certificates and keys; changed ones are read "
     "again; 0: on SIGHUP only"},

    {"dns", "upstreams", CONF_LIST, 1, RESOLVER_MAX_UPSTREAMS, "127.0.0.1:53", CONF_FIXED, 0,
     conf_take_upstream, "validating resolvers, ADDRESS[:PORT], asked in this order"},
    {"dns", "trusted", CONF_LIST, 0, RESOLVER_MAX_UPSTREAMS, NULL, CONF_FIXED, 0, conf_take_trusted,
     "those of the upstreams whose DNSSEC validation counts; without it, those on loopback; {}: none"},
    {"dns", "attempt-timeout-ms", CONF_NUMBER, 50, 60000, "1000", CONF_FIXED,
     CONF(edge.resolver.attempt_timeout_ms), NULL, "wait for one answer of one upstream"},
    {"dns", "timeout-ms", CONF_NUMBER, 50, 60000, "3000", CONF_FIXED,
     CONF(edge.resolver.lookup_timeout_ms), NULL, "wait for the whole lookup of a domain"},
    {"dns", "ttl-min-s", CONF_NUMBER, 0, 3600, "1", CONF_FIXED, CONF(edge.resolver.ttl_min_s), NULL,
     "an answer with a shorter TTL is kept so long; 0: an answer with TTL 0 is not kept"},
    {"dns", "ttl-max-s", CONF_NUMBER, 1, 604800, "86400", CONF_FIXED, CONF(edge.resolver.ttl_max_s),
     NULL, "an answer with a longer TTL is kept so long"},
    {"dns", "stale-s", CONF_NUMBER, 0, 2592000, "86400", CONF_FIXED, CONF(edge.resolver.stale_s),
     NULL, "SRV, A and AAAA records are used so long beyond their TTL while no upstream answers"},
    {"dns", "enum", CONF_LIST, 0, RESOLVER_MAX_SUFFIXES, NULL, CONF_FIXED, 0, conf_take_enum,
     "trees of telephone numbers (ENUM), such as {\"e164.arpa\"}, asked in this order for numbers "
     "that our table does not have; they count where they are validated"},
    {"dns", "enum-trusted", CONF_LIST, 0, RESOLVER_MAX_SUFFIXES, NULL, CONF_FIXED, 0,
     conf_take_enum_trusted, "those of the trees that count without validation"},
    {"dns", "address-records", CONF_SWITCH, 0, 0, "true", CONF_FIXED,
     CONF(edge.resolver.address_records), NULL,
     "ask foreign domains who serves their single addresses"},

    {"pstn", "domain", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_pstn,
     "a hosted domain whose core leads to the telephone network; without it, such a call from a core "
     "is answered 404. Calls of peers never go there"},

    {"publish", "ttl", CONF_NUMBER, 1, WEEK_S, "3600", 0, CONF(zone.ttl_s), NULL,
     "seconds for which resolvers may keep a record"},
    {"publish", "address-ttl", CONF_NUMBER, 1, WEEK_S, "300", 0, CONF(zone.address_ttl_s), NULL,
     "the same for the records of single addresses, which change when one is ported"},
    {"publish", "address-records", CONF_SWITCH, 0, 0, "true", 0, CONF(zone.address_records), NULL,
     "publish where addresses live that were ported out; a domain, or an address, can be left out "
     "by its own record"},

    {"zone", "primary", CONF_TEXT, 0, 0, NULL, CONF_MUST, 0, conf_take_primary,
     "ADDRESS[:PORT] of the zone's primary server; without PORT it is 53"},
    {"zone", "tsig", CONF_FILE, 0, 0, NULL, CONF_MUST, ZONE(key_file), conf_take_tsig,
     "file with the key that may update it (hmac-sha256), as tsig-keygen or keymgr writes it"},

    {"timers", "connect-ms", CONF_NUMBER, 50, 60000, "3000", CONF_FIXED,
     CONF(edge.transport.connect_timeout_ms), NULL, "connecting and TLS handshake, per target"},
    {"timers", "first-response-ms", CONF_NUMBER, 50, 60000, "4000", CONF_FIXED,
     CONF(edge.first_response_ms), NULL,
     "first response to an INVITE; then the next target is tried"},
    {"timers", "search-ms", CONF_NUMBER, 50, 180000, "12000", CONF_FIXED, CONF(edge.search_ms),
     NULL, "all targets of one request"},
    {"timers", "idle-ms", CONF_NUMBER, 1000, 24 * HOUR_MS, "600000", CONF_FIXED,
     CONF(edge.transport.idle_timeout_ms), NULL, "a connection without traffic is closed"},
    {"timers", "message-ms", CONF_NUMBER, 100, HOUR_MS, "10000", CONF_FIXED,
     CONF(edge.transport.message_timeout_ms), NULL,
     "a message begun on a connection must be complete"},
    {"timers", "t1-ms", CONF_NUMBER, 10, 60000, "500", CONF_FIXED, CONF(edge.times.t1_ms), NULL,
     "T1 of RFC 3261 17.1.1.1: estimate of a round trip"},
    {"timers", "t2-ms", CONF_NUMBER, 10, 60000, "4000", CONF_FIXED, CONF(edge.times.t2_ms), NULL,
     "T2: longest interval between retransmissions"},
    {"timers", "t4-ms", CONF_NUMBER, 10, 60000, "5000", CONF_FIXED, CONF(edge.times.t4_ms), NULL,
     "T4: how long a message stays in the network"},

    {"hep", "server", CONF_TEXT, 0, 0, NULL, CONF_FIXED, 0, conf_take_hep,
     "udp:ADDRESS[:PORT], without PORT 9060; without this setting nothing is copied"},
    {"hep", "id", CONF_NUMBER, 0, UINT32_MAX, "2001", CONF_FIXED, CONF(edge.hep_id), NULL,
     "the number by which the server tells this edge from its other sources"},
    {"hep", "media-keys", CONF_SWITCH, 0, 0, "false", CONF_FIXED, CONF(edge.hep_media_keys), NULL,
     "copy the keys of media in SDP too, so that the server can decrypt recordings"},

    {"limits", "connections", CONF_SIZE, 1, 1000000, "8192", CONF_FIXED,
     CONF(edge.transport.max_connections), NULL,
     "connections open; the last eighth is for cores and our own calls"},
    {"limits", "transactions", CONF_SIZE, 1, 10000000, "262144", CONF_FIXED,
     CONF(edge.max_transactions), NULL, "transactions under way"},
    {"limits", "dns-cache", CONF_SIZE, 1, 10000000, "65536", CONF_FIXED,
     CONF(edge.resolver.cache_max), NULL, "record sets remembered"},
    {"limits", "source-connections", CONF_NUMBER, 0, MANY, "64", CONF_FIXED,
     GUARD(source_connections), NULL,
     "connections of one address (IPv6: /64) that have proven no domain; our cores have no such "
     "bound, and an address with a peer in good standing four times as many"},
    {"limits", "source-handshakes", CONF_NUMBER, 0, MANY, "50", CONF_FIXED,
     GUARD(source_handshakes), NULL,
     "the same, new connections per second, twice as many in a burst"},
    {"limits", "source-failures", CONF_NUMBER, 0, MANY, "30", CONF_FIXED, GUARD(source_failures),
     NULL, "failed handshakes and first requests in a minute; after more an address is banned"},
    {"limits", "source-excess-s", CONF_NUMBER, 0, 60, "20", CONF_FIXED, GUARD(source_excess_s),
     NULL,
     "seconds of a minute in which an address exceeds the two bounds above; after more it is "
     "banned"},
    {"limits", "ban-s", CONF_NUMBER, 0, GUARD_MAX_BAN_S, "600", CONF_FIXED, GUARD(ban_s), NULL,
     "seconds for which it is; 0: it is not"},
    {"limits", "first-request-ms", CONF_NUMBER, 0, HOUR_MS, "30000", CONF_FIXED,
     GUARD(first_request_ms), NULL,
     "a connection that was accepted must have brought its first request by then"},
    {"limits", "first-request-bytes", CONF_NUMBER, 0, MIB, "131072", CONF_FIXED,
     GUARD(first_request_bytes), NULL, "bytes received until then, those of TLS included"},
    {"limits", "peer-connections", CONF_NUMBER, 0, MANY, "256", CONF_FIXED, GUARD(peer_connections),
     NULL, "connections at once that one peer opened"},
    {"limits", "peer-requests", CONF_NUMBER, 0, MANY, "1000", CONF_FIXED, GUARD(peer_requests),
     NULL,
     "requests, OPTIONS and CANCELs among them, per second of one peer, twice as many in a burst, "
     "unless its entry says another number; what ends a call always passes"},
    {"limits", "peer-messages", CONF_NUMBER, 0, MANY, "10000", CONF_FIXED, GUARD(peer_messages),
     NULL,
     "messages of any kind per second of one peer, and at least ten times its requests; more are "
     "read later"},
    {"limits", "peer-transactions", CONF_NUMBER, 0, MANY, "20000", CONF_FIXED,
     GUARD(peer_transactions), NULL,
     "requests of one peer under way at once, unless its entry says another number"},
    {"limits", "first-contact", CONF_NUMBER, 0, MANY, "200", CONF_FIXED, GUARD(first_contact), NULL,
     "requests outside dialogs in a minute of a peer without entry; each answered call allows as "
     "many more, and after ten there is no such bound"},
    {"limits", "called-calls", CONF_NUMBER, 0, MANY, "600", CONF_FIXED, GUARD(called_calls), NULL,
     "calls in a minute of one peer to one address"},
};
const size_t conf_setting_count = sizeof(conf_settings) / sizeof(conf_settings[0]);

/* ---- printing it ---- */

const char *conf_type_text(const struct conf_setting *setting, char text[CONF_TYPE_TEXT])
{
    switch (setting->type) {
    case CONF_NUMBER:
        snprintf(text, CONF_TYPE_TEXT, "number, %ju to %ju", (uintmax_t)setting->min,
                 (uintmax_t)setting->max);
        break;
    case CONF_SIZE:
        snprintf(text, CONF_TYPE_TEXT, "size, %ju to %ju, K, M, G or T may follow",
                 (uintmax_t)setting->min, (uintmax_t)setting->max);
        break;
    case CONF_SWITCH:
        snprintf(text, CONF_TYPE_TEXT, "true or false");
        break;
    case CONF_FILE:
        snprintf(text, CONF_TYPE_TEXT, "file");
        break;
    case CONF_TEXT:
        snprintf(text, CONF_TYPE_TEXT, "text");
        break;
    case CONF_LIST:
        snprintf(text, CONF_TYPE_TEXT, "list of %ju to %ju texts", (uintmax_t)setting->min,
                 (uintmax_t)setting->max);
        break;
    }
    return text;
}

/* Words of `text` on lines of at most 79 columns, each after `indent` spaces. */
static void print_wrapped(FILE *out, int indent, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > 79) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%*s%.*s", column > 0 ? 1 : indent, "", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_setting(FILE *out, const struct conf_setting *setting, int indent)
{
    char type[CONF_TYPE_TEXT];
    fprintf(out, "%*s%s    (%s; ", indent, "", setting->name, conf_type_text(setting, type));
    if (setting->flags & CONF_MUST)
        fprintf(out, "must be given");
    else if (!setting->fallback)
        fprintf(out, "may be left out");
    else if (setting->type == CONF_LIST)
        fprintf(out, "default {\"%s\"}", setting->fallback);
    else if (setting->type == CONF_NUMBER || setting->type == CONF_SIZE ||
             setting->type == CONF_SWITCH)
        fprintf(out, "default %s", setting->fallback);
    else
        fprintf(out, "default \"%s\"", setting->fallback);
    fprintf(out, "%s)\n", setting->flags & CONF_FIXED ? "; a change needs a restart" : "");
    print_wrapped(out, indent + 8, setting->help);
}

void conf_print_help(FILE *out)
{
    for (size_t i = 0; i < conf_section_count; i++) {
        const struct conf_section *section = &conf_sections[i];
        bool named = section->name[0] != '\0';
        if (named && section->title)
            fprintf(out, "\n%s \"%s\" { }\n", section->name, section->title);
        else if (named)
            fprintf(out, "\n%s { }\n", section->name);
        if (named)
            print_wrapped(out, 4, section->help);
        for (size_t j = 0; j < conf_setting_count; j++)
            if (strcmp(conf_settings[j].section, section->name) == 0)
                print_setting(out, &conf_settings[j], named ? 4 : 0);
    }
}
