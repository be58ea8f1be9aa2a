/* The configuration of junctord: what is refused and how it is said, what comes out, the sample. */
#include "tests/test.h"

#include "base/status.h"
#include "tests/peering/transport/certs.h"
#include "tools/conf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64]; /* of this run: certificates and the file under test */

/* ---- helpers ---- */

static const char *in_folder(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *name, const char *bytes, size_t len)
{
    char path[256];
    FILE *file = fopen(in_folder(name, path), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static void make_certificate(const char *name, const struct cert_spec *spec)
{
    char file[64], chain[256], key[256];
    struct cert cert = cert_make(spec, NULL);
    snprintf(file, sizeof(file), "%s.pem", name);
    in_folder(file, chain);
    snprintf(file, sizeof(file), "%s.key", name);
    in_folder(file, key);
    cert_write(&cert, NULL, chain, key);
    cert_free(&cert);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/junctor-conf-XXXXXX");
    assert_non_null(mkdtemp(folder));
    make_certificate("opa", &(struct cert_spec){.cn = "opa", .alt = "URI:sip:opa.example"});
    make_certificate("opb", &(struct cert_spec){.cn = "opb", .alt = "DNS:opb.example"});
    make_certificate("old", &(struct cert_spec){.cn = "opa",
                                                .alt = "DNS:opa.example",
                                                .begin_s = -30 * CERT_DAY_S,
                                                .end_s = -2 * CERT_DAY_S});
    write_text("text.pem", "no certificate at all\n");
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"opa.pem", "opa.key", "opb.pem",  "opb.key",
                                        "old.pem", "old.key", "text.pem", "test.conf"};
    char path[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unlink(in_folder(names[i], path));
    return rmdir(folder);
}

static int load(struct junctord_conf **conf, char why[CONF_MAX_WHY])
{
    char path[256];
    return conf_load(in_folder("test.conf", path), conf, why);
}

/* What is said about a file behind its name, such as "3: workers: expected ...". */
static const char *refusal_of(const char *text, char why[CONF_MAX_WHY])
{
    struct junctord_conf *conf = NULL;
    char path[256];
    size_t len = strlen(in_folder("test.conf", path));
    write_text("test.conf", text);
    if (load(&conf, why) == 0) {
        conf_free(conf);
        return "accepted";
    }
    assert_null(conf);
    assert_memory_equal(why, path, len);
    assert_int_equal(why[len], ':');
    return why + len + 1;
}

static struct junctord_conf *load_good(const char *text)
{
    struct junctord_conf *conf;
    char why[CONF_MAX_WHY];
    write_text("test.conf", text);
    if (load(&conf, why) != 0)
        fail_msg("refused: %s", why);
    return conf;
}

#define INSIDE      "inside \"udp:127.0.20.1:5060\" { }\n"
#define OUTSIDE     "outside \"tls:127.0.20.1:5061\" { }\n"
#define CERTIFICATE "certificate \"opa.example\" { chain = \"opa.pem\" key = \"opa.key\" }\n"
#define TRUST       "trust { anchors = \"opb.pem\" }\n"
#define GOOD        INSIDE OUTSIDE CERTIFICATE TRUST

/* ---- refusals ---- */

struct refusal {
    const char *text;     /* from line 1 on; GOOD follows it where `rest` is NULL */
    const char *rest;     /* what follows instead; "" where the text is the whole file */
    const char *expected; /* the refusal begins with it, behind "FILE:" */
};

static const struct refusal refusals[] = {
    /* grammar */
    {"workers = ", "", "1: the file ends where a value, a quote or a brace was expected"},
    {"store {\n path = \"x\"\n", "",
     "3: the file ends inside a section: a closing brace is missing"},
    {GOOD "store {", "", "5: the file ends inside a section: a closing brace is missing"},
    {GOOD "/* store {", "", "5: the file ends inside a section"},
    {"workers 2\n", NULL, "1: expected \"=\" after \"workers\""},
    {"\nworkers += 2\n", NULL, "2: expected \"=\": \"workers\" is no list"},
    {"workers = {1, 2}\n", NULL, "1: \"{\" was not expected here"},
    {"}\n", NULL, "1: a closing brace without an opening one"},
    {"store path = 1\n", NULL, "1: expected \"{\" after \"store\""},
    {"inside { }\n", NULL, "1: expected a title in quotes after \"inside\""},
    {"log-level = \"info\n", "", "2: the file ends where a value, a quote or a brace was expected"},
    /* names */
    {"\n\nworker = 2\n", NULL,
     "3: unknown setting \"worker\"; the nearest known one is \"workers\""},
    {"loglevel = \"info\"\n", NULL,
     "1: unknown setting \"loglevel\"; the nearest known one is \"log-level\""},
    {"tmers { }\n", NULL, "1: unknown setting \"tmers\"; the nearest known one is \"timers\""},
    {"timers {\n conect-ms = 5\n}\n", NULL,
     "2: timers: unknown setting \"conect-ms\"; the nearest known one is \"connect-ms\""},
    {"inside \"udp:127.0.0.1:1\" {\n\n advertize = \"x\" }\n", NULL,
     "3: inside \"udp:127.0.0.1:1\": unknown setting \"advertize\"; the nearest known one is "
     "\"advertise\""},
    {"colour = \"red\"\n", NULL,
     "1: unknown setting \"colour\"; junctord --help-config lists those there are"},
    {"\"{\" = \"x\"\n", NULL, "1: unknown setting \"{\""},
    {"store { \"{\" = \"x\" }\n", NULL, "1: store: unknown setting \"{\""},
    {"a\033[2J = 1\n", NULL, "1: unknown setting \"a?[2J\""},
    /* twice */
    {"workers = 1\nlog-level = info\nworkers = 2\n", NULL,
     "3: \"workers\" is set in line 1 already"},
    {"allow = {\"10.0.0.1\"}\nallow = {\"10.0.0.2\"}\n", NULL,
     "2: \"allow\" is set in line 1 already"},
    {"store {\n}\nstore {\n}\n", NULL, "3: store: a second section of this name"},
    {INSIDE INSIDE, OUTSIDE CERTIFICATE TRUST,
     "2: a second section with the title \"udp:127.0.20.1:5060\""},
    {INSIDE "inside \"udp:127.0.20.1\" { }\n", OUTSIDE CERTIFICATE TRUST,
     "2: inside \"udp:127.0.20.1\": the listener in line 1 has this address and port"},
    {"inside \"tcp:127.0.20.1:5061\" { }\n", GOOD,
     "3: outside \"tls:127.0.20.1:5061\": the listener in line 1 has this address and port"},
    {CERTIFICATE "certificate \"OPA.example.\" { }\n", INSIDE OUTSIDE TRUST,
     "2: certificate \"OPA.example.\": line 1 has a certificate for this domain already"},
    /* numbers */
    {"workers = many\n", NULL, "1: workers: expected a whole number from 0 to 64, not \"many\""},
    {"workers = \"\"\n", NULL, "1: workers: expected a whole number from 0 to 64, not \"\""},
    {"workers = 65\n", NULL, "1: workers: expected a whole number from 0 to 64, not \"65\""},
    {"workers = -1\n", NULL, "1: workers: expected a whole number from 0 to 64, not \"-1\""},
    {"workers = 1.5\n", NULL, "1: workers: expected a whole number from 0 to 64, not \"1.5\""},
    {"workers = 18446744073709551617\n", NULL, "1: workers: expected a whole number from 0 to 64"},
    {"timers {\n idle-ms = 1\n}\n", NULL,
     "2: timers: idle-ms: expected a whole number from 1000 to"},
    {"store { map-size = 4K }\n", NULL, "1: store: map-size: expected a size from 1048576 to"},
    {"store { map-size = 2T }\n", NULL, "1: store: map-size: expected a size from 1048576 to"},
    {"store { map-size = K }\n", NULL, "1: store: map-size: expected a size from 1048576 to"},
    {"store { map-size = 1GB }\n", NULL, "1: store: map-size: expected a size from 1048576 to"},
    {"limits { connections = 0 }\n", NULL, "1: limits: connections: expected a size from 1 to"},
    /* words */
    {"log-level = loud\n", NULL,
     "1: log-level: expected error, warning, notice, info or debug, not \"loud\""},
    {"store { path = \"\" }\n", NULL, "1: store: path: expected the name of a file"},
    {"api { mode = 0088 }\n", NULL,
     "1: api: mode: expected permissions such as 0660, not \"0088\""},
    {"api { mode = 07777 }\n", NULL, "1: api: mode: expected permissions such as 0660"},
    {"api { mode = 066 }\n", NULL, "1: api: mode: expected permissions such as 0660"},
    {"api { group = \"no such group\" }\n", NULL,
     "1: api: group: there is no group \"no such group\""},
    {"api { socket = \"/1234567890123456789012345678901234567890123456789012345678901234567890"
     "12345678901234567890123456789012345678\" }\n",
     NULL, "1: api: socket: a socket's name can have 107 bytes, this one has 109"},
    /* listeners */
    {"inside \"udp:*:5060\" { }\n", GOOD,
     "1: inside \"udp:*:5060\": a wildcard listener needs advertise = \"HOST[:PORT]\""},
    {"\noutside \"tls:[::]:5061\" {\n}\n", GOOD,
     "2: outside \"tls:[::]:5061\": a wildcard listener needs advertise = \"HOST[:PORT]\""},
    {"outside \"tcp:127.0.20.1:5061\" { }\n", INSIDE CERTIFICATE TRUST,
     "1: outside \"tcp:127.0.20.1:5061\": expected \"tls:ADDRESS:PORT\""},
    {"inside \"sctp:127.0.20.1:5060\" { }\n", NULL,
     "1: inside \"sctp:127.0.20.1:5060\": expected \"TRANSPORT:ADDRESS:PORT\" with udp, tcp or tls"},
    {"inside \"127.0.20.1:5060\" { }\n", NULL,
     "1: inside \"127.0.20.1:5060\": expected \"TRANSPORT:"},
    {"inside \"udp:edge.opa.example\" { }\n", NULL, "1: inside \"udp:edge.opa.example\": expected"},
    {"inside \"udp:127.0.20.1:0\" { }\n", NULL,
     "1: inside \"udp:127.0.20.1:0\": expected \"TRANSPORT:"},
    {"inside \"udp:127.0.20.1:65536\" { }\n", NULL, "1: inside \"udp:127.0.20.1:65536\": expected"},
    {"inside \"udp:*x\" { }\n", NULL, "1: inside \"udp:*x\": expected \"TRANSPORT:"},
    {"inside \"udp:\" { }\n", NULL, "1: inside \"udp:\": expected \"TRANSPORT:"},
    {"inside \"\" { }\n", NULL, "1: inside \"\": expected \"TRANSPORT:"},
    {"inside \"udp:*:5060\" {\n advertise = \"a b\"\n}\n", GOOD,
     "2: inside \"udp:*:5060\": advertise: expected HOST[:PORT], not \"a b\": "},
    {"inside \"udp:*:5060\" {\n advertise = \"0.0.0.0:5060\"\n}\n", GOOD,
     "2: inside \"udp:*:5060\": advertise: expected HOST[:PORT], a host name or an IP address"},
    {"inside \"udp:*:5060\" {\n advertise = \"edge.opa.example:99999\"\n}\n", GOOD,
     "2: inside \"udp:*:5060\": advertise: expected HOST[:PORT], a host name or an IP address"},
    {"inside \"udp:*:5060\" {\n advertise = \"edge.opa.example:\"\n}\n", GOOD,
     "2: inside \"udp:*:5060\": advertise: expected HOST[:PORT], a host name or an IP address"},
    {OUTSIDE CERTIFICATE TRUST, "", "4: expected at least one listener towards the core"},
    {INSIDE CERTIFICATE TRUST, "", "4: expected at least one listener towards peers"},
    /* networks and resolvers */
    {"allow = {\"10.0.0.1/8\"}\n", NULL, "1: allow: expected an IP address or a network such as"},
    {"allow = {\n \"10.0.0.0/8\",\n \"core.opa.example\"\n}\n", NULL,
     "3: allow: expected an IP address or a network such as"},
    {"dns { upstreams = {} }\n", NULL, "1: dns: upstreams: expected at least 1, not {}"},
    {"dns { upstreams = {\"ns.example\"} }\n", NULL,
     "1: dns: upstreams: expected the IP address of a resolver, ADDRESS[:PORT]"},
    {"dns { upstreams = {\"127.0.0.1:0\"} }\n", NULL, "1: dns: upstreams: expected the IP address"},
    {"dns { upstreams = {\"0.0.0.0\"} }\n", NULL, "1: dns: upstreams: expected the IP address"},
    {"dns { upstreams = {\"::1\", \"[::1]:53\"} }\n", NULL,
     "1: dns: upstreams: \"[::1]:53\" is in the list twice"},
    {"dns {\n upstreams = {\"::1\",\n\"::2\", \"::3\",\n\"::4\", \"::5\"} }\n", NULL,
     "4: dns: upstreams: more than 4 upstreams"},
    {"dns { upstreams = {\"192.0.2.1\"}\n trusted = {\"192.0.2.2\"} }\n", NULL,
     "2: dns: trusted: \"192.0.2.2\" is none of the upstreams"},
    /* what must be there */
    {INSIDE OUTSIDE TRUST, "", "4: expected a certificate for each domain hosted here"},
    {INSIDE OUTSIDE CERTIFICATE, "", "4: trust: anchors: must be given: PEM file"},
    {INSIDE OUTSIDE CERTIFICATE "trust {\n}\n", "", "4: trust: anchors: must be given: PEM file"},
    {"\ncertificate \"opb.example\" {\n chain = \"opb.pem\"\n}\n", GOOD,
     "2: certificate \"opb.example\": key: must be given: PEM file"},
    {"", "", "1: trust: anchors: must be given: PEM file"},
    /* certificates */
    {"certificate \"not a domain\" { }\n", NULL,
     "1: certificate \"not a domain\": expected a domain: "},
    {INSIDE OUTSIDE TRUST
     "certificate \"opa.example\" {\n chain = \"no.pem\" key = \"opa.key\" }\n",
     "", "4: certificate \"opa.example\": FOLDER/no.pem: cannot be read: No such file"},
    {INSIDE OUTSIDE TRUST "certificate \"opa.example\" { chain = \"opa.pem\" key = \"/no.key\" }\n",
     "", "4: certificate \"opa.example\": /no.key: cannot be read: No such file"},
    {INSIDE OUTSIDE TRUST
     "certificate \"opa.example\" { chain = \"text.pem\" key = \"opa.key\" }\n",
     "", "4: certificate \"opa.example\": FOLDER/text.pem: no certificate could be read"},
    {INSIDE OUTSIDE TRUST "certificate \"opa.example\" { chain = \"opb.pem\" key = \"opb.key\" }\n",
     "",
     "4: certificate \"opa.example\": FOLDER/opb.pem: the certificate does not prove the SIP domain"},
    {INSIDE OUTSIDE TRUST "certificate \"opa.example\" { chain = \"opa.pem\" key = \"opb.key\" }\n",
     "", "4: certificate \"opa.example\": FOLDER/opb.key: the private key does not belong"},
    {INSIDE OUTSIDE TRUST "certificate \"opa.example\" { chain = \"old.pem\" key = \"old.key\" }\n",
     "", "4: certificate \"opa.example\": FOLDER/old.pem: the certificate of opa.example expired"},
    {INSIDE OUTSIDE CERTIFICATE "trust {\n anchors = \"no.pem\" }\n", "",
     "5: trust: FOLDER/no.pem: cannot be read: No such file"},
    {INSIDE OUTSIDE CERTIFICATE "trust { anchors = \"text.pem\" }\n", "",
     "4: trust: FOLDER/text.pem: no trust anchors could be read"},
};

/* The expected text with FOLDER as it is in this run. */
static const char *with_folder(const char *expected, char text[512])
{
    const char *at = strstr(expected, "FOLDER");
    if (!at)
        return expected;
    snprintf(text, 512, "%.*s%s%s", (int)(at - expected), expected, folder, at + 6);
    return text;
}

static void each_mistake_is_refused_with_its_line_and_what_is_expected(void **state)
{
    int failed = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        char text[4096], why[CONF_MAX_WHY], expected_text[512];
        snprintf(text, sizeof(text), "%s%s", refusal->text, refusal->rest ? refusal->rest : GOOD);
        const char *expected = with_folder(refusal->expected, expected_text);
        const char *got = refusal_of(text, why);
        if (strncmp(got, expected, strlen(expected)) == 0)
            continue;
        print_error("%s-- expected: %s\n-- got:      %s\n", text, expected, got);
        failed++;
    }
    assert_int_equal(failed, 0);
}

static void what_is_no_text_file_is_refused(void **state)
{
    static const char nul[] = "workers = 1\nlog\0level\n";
    struct junctord_conf *conf;
    char why[CONF_MAX_WHY], path[256];
    (void)state;
    write_bytes("test.conf", nul, sizeof(nul) - 1);
    assert_int_equal(load(&conf, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "test.conf:2: a NUL byte"));

    char *large = malloc(CONF_MAX_FILE + 1);
    assert_non_null(large);
    memset(large, '\n', CONF_MAX_FILE + 1);
    write_bytes("test.conf", large, CONF_MAX_FILE + 1);
    free(large);
    assert_int_equal(load(&conf, why), -EFBIG);
    assert_non_null(strstr(why, "test.conf: cannot be read: File too large"));

    assert_int_equal(conf_load(in_folder("none.conf", path), &conf, why), -ENOENT);
    assert_non_null(strstr(why, "none.conf: cannot be read: No such file"));
    assert_int_equal(conf_load(folder, &conf, why), -EISDIR);
}

static void limits_of_lists_are_refused_at_the_first_too_many(void **state)
{
    char text[8192] = "", why[CONF_MAX_WHY];
    size_t len = 0;
    (void)state;
    for (unsigned i = 0; i <= TRANSPORT_MAX_LISTENERS; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "inside \"udp:127.0.0.1:%u\" { }\n",
                                6000 + i);
    assert_memory_equal(refusal_of(text, why), "17: inside \"udp:127.0.0.1:6016\": more than 16",
                        strlen("17: inside \"udp:127.0.0.1:6016\": more than 16"));

    len = (size_t)snprintf(text, sizeof(text), "allow = {");
    for (unsigned i = 0; i <= EDGE_MAX_ALLOW; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"10.0.0.%u\",\n", i + 1);
    snprintf(text + len, sizeof(text) - len, "\"10.1.0.0/16\"}\n");
    assert_memory_equal(refusal_of(text, why), "65: allow: more than 64 networks",
                        strlen("65: allow: more than 64 networks"));
}

/* ---- what comes out ---- */

static void assert_addr(const struct netaddr *addr, const char *expected)
{
    char text[NETADDR_TEXT_MAX];
    assert_string_equal(netaddr_format(addr, text), expected);
}

static void each_setting_reaches_its_place(void **state)
{
    char path[256];
    (void)state;
    struct junctord_conf *conf = load_good(
        GOOD "workers = 3 log-level = debug\n"
             "store { path = \"dir\" map-size = 64M max-readers = 200 }\n"
             "api { socket = \"a.sock\" mode = 0600 group = \"root\" max-connections = 9\n"
             "      timeout-s = 7 }\n"
             "allow = {\"127.0.21.0/24\", \"2001:db8::/32\"}\n"
             "dns { upstreams = {\"192.0.2.53\", \"[::1]:5353\"} attempt-timeout-ms = 101\n"
             "      timeout-ms = 102 }\n"
             "timers { connect-ms = 103 first-response-ms = 104 search-ms = 105 idle-ms = 1106\n"
             "         message-ms = 107 t1-ms = 108 t2-ms = 109 t4-ms = 110 }\n"
             "limits { connections = 111 transactions = 112 dns-cache = 113 }\n");
    const struct edge_conf *edge = &conf->edge;
    assert_int_equal(edge->workers, 3);
    assert_int_equal(conf->log_level, LOG_DEBUG);
    assert_string_equal(conf->store.path, in_folder("dir", path));
    assert_int_equal(conf->store.map_size, 64 << 20);
    assert_int_equal(conf->store.max_readers, 200);
    assert_string_equal(conf->api.socket, in_folder("a.sock", path));
    assert_int_equal(conf->api.mode, 0600);
    assert_int_equal(conf->api.group, 0);
    assert_int_equal(conf->api.max_connections, 9);
    assert_int_equal(conf->api.timeout_s, 7);

    assert_int_equal(edge->allow_count, 2);
    assert_int_equal(edge->allow[0].bits, 24);
    assert_int_equal(edge->allow[1].bits, 32);
    assert_int_equal(edge->resolver.upstream_count, 2);
    assert_addr(&edge->resolver.upstreams[0].addr, "192.0.2.53:53");
    assert_addr(&edge->resolver.upstreams[1].addr, "[::1]:5353");
    assert_int_equal(edge->resolver.attempt_timeout_ms, 101);
    assert_int_equal(edge->resolver.lookup_timeout_ms, 102);
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

    assert_int_equal(edge->tls.certificate_count, 1);
    assert_string_equal(edge->tls.certificates[0].domain, "opa.example");
    assert_string_equal(edge->tls.certificates[0].chain_file, in_folder("opa.pem", path));
    assert_string_equal(edge->tls.certificates[0].key_file, in_folder("opa.key", path));
    assert_string_equal(edge->tls.anchors_file, in_folder("opb.pem", path));
    conf_free(conf);
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct junctord_conf *conf = load_good(GOOD);
    const struct edge_conf *edge = &conf->edge;
    assert_in_range(edge->workers, 1, EDGE_MAX_WORKERS);
    assert_int_equal(conf->log_level, LOG_INFO);
    assert_string_equal(conf->store.path, JUNCTOR_LOCALSTATEDIR "/lib/junctor");
    assert_int_equal(conf->store.map_size, 1 << 30);
    assert_string_equal(conf->api.socket, JUNCTOR_RUNSTATEDIR "/junctor/api.sock");
    assert_int_equal(conf->api.mode, 0660);
    assert_true(conf->api.group == (gid_t)-1);
    assert_int_equal(edge->allow_count, 0);
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
    struct junctord_conf *conf = load_good(other);
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

static void upstreams_on_loopback_are_trusted_unless_others_are_named(void **state)
{
    (void)state;
    struct junctord_conf *conf = load_good(
        GOOD "dns { upstreams = {\"127.9.9.9\", \"192.0.2.1\", \"::1\", \"2001:db8::1\"} }\n");
    assert_true(conf->edge.resolver.upstreams[0].trusted);
    assert_false(conf->edge.resolver.upstreams[1].trusted);
    assert_true(conf->edge.resolver.upstreams[2].trusted);
    assert_false(conf->edge.resolver.upstreams[3].trusted);
    conf_free(conf);

    conf = load_good(GOOD "dns { trusted = {\"192.0.2.1:53\"}\n"
                          "upstreams = {\"127.9.9.9\", \"192.0.2.1\", \"::1\"} }\n");
    assert_false(conf->edge.resolver.upstreams[0].trusted);
    assert_true(conf->edge.resolver.upstreams[1].trusted);
    assert_false(conf->edge.resolver.upstreams[2].trusted);
    conf_free(conf);
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
    struct junctord_conf *one = load_good(GOOD "dns { upstreams = {\"::1\", \"127.0.0.1\"} }\n");
    dirty_heap();
    struct junctord_conf *two = load_good(GOOD "dns { upstreams = {\"::1\", \"127.0.0.1\"} }\n");
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
        {GOOD "workers = 63\n", "workers"},
        {GOOD "workers = 63 timers { t1-ms = 100 } store { map-size = 2G }\n",
         "workers, store: map-size, timers: t1-ms"},
        {GOOD "store { path = \"/other\" }\n", "store: path"},
        {GOOD "api { socket = \"/other\" mode = 0666 group = \"root\" }\n",
         "api: socket, api: mode, api: group"},
        {GOOD "inside \"tcp:127.0.20.1:5060\" { }\n", "inside, outside"},
        {"inside \"udp:127.0.20.1:5060\" { advertise = \"a.example\" }\n" OUTSIDE CERTIFICATE TRUST,
         "inside, outside"},
        {GOOD "dns { upstreams = {\"127.0.0.2\"} }\n", "dns: upstreams, trusted"},
    };
    (void)state;
    struct junctord_conf *old = load_good(GOOD);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct junctord_conf *new = load_good(changes[i].text);
        char text[CONF_MAX_WHY];
        assert_string_equal(conf_fixed_changes(old, new, text), changes[i].expected);
        conf_free(new);
    }
    conf_free(old);
}

/* ---- sample and help ---- */

/* The sample with its files, which are on no machine, replaced by ours. `all`: lines that begin
 * with "#" and a name are settings. */
static char *sample_text(bool all)
{
    static const char *const files[][2] = {
        {"\"example.org.pem\"", "\"opa.pem\""},
        {"\"example.org.key\"", "\"opa.key\""},
        {"\"example.org\"", "\"opa.example\""},
        {"\"/etc/ssl/certs/ca-certificates.crt\"", "\"opb.pem\""},
    };
    char path[512];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/packaging/junctord.conf.sample", root ? root : ".");
    char *text = read_text(path);
    for (char *p = text; all && (p = strchr(p, '#')); p++)
        if (p[1] >= 'a' && p[1] <= 'z')
            *p = ' ';
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char *at = strstr(text, files[i][0]);
        size_t was = strlen(files[i][0]), is = strlen(files[i][1]);
        assert_non_null(at);
        memmove(at + is, at + was, strlen(at + was) + 1);
        memcpy(at, files[i][1], is);
    }
    return text;
}

static void the_sample_is_correct_and_shows_the_defaults(void **state)
{
    (void)state;
    char *plain_text = sample_text(false), *all_text = sample_text(true);
    struct junctord_conf *plain = load_good(plain_text), *all = load_good(all_text);
    char changes[CONF_MAX_WHY];
    all->api.group = (gid_t)-1; /* an example there; so are the networks of `allow` */
    all->store.path = plain->store.path;
    all->api.socket = plain->api.socket; /* those of --prefix=/usr */
    assert_string_equal(conf_fixed_changes(plain, all, changes), "");
    assert_int_equal(plain->log_level, all->log_level);
    assert_int_equal(plain->edge.allow_count, 0);
    assert_int_equal(all->edge.allow_count, 2);
    conf_free(plain);
    conf_free(all);
    free(plain_text);
    free(all_text);
}

/* Does the sample set this setting, in a section of its kind? */
static bool sample_has(const char *text, const struct conf_setting *setting)
{
    char begin[64], line[64];
    const char *at = text, *end = text + strlen(text);
    if (setting->section[0] != '\0') {
        snprintf(begin, sizeof(begin), "\n%s ", setting->section);
        at = strstr(text, begin);
        if (!at)
            return false;
        end = strstr(at, "\n}");
    }
    snprintf(line, sizeof(line), " %s = ", setting->name);
    const char *found = strstr(at, line);
    return found && found < end;
}

static void the_sample_has_every_setting(void **state)
{
    char *text = sample_text(true);
    (void)state;
    for (size_t i = 0; i < conf_setting_count; i++)
        if (!sample_has(text, &conf_settings[i]))
            fail_msg("the sample lacks %s: %s", conf_settings[i].section, conf_settings[i].name);
    free(text);
}

static void manual_and_help_have_every_setting(void **state)
{
    char path[512], *help = NULL, name[64];
    size_t size;
    (void)state;
    FILE *out = open_memstream(&help, &size);
    assert_non_null(out);
    conf_print_help(out);
    fclose(out);
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/packaging/junctord.conf.5.in", root ? root : ".");
    char *manual = read_text(path);
    for (size_t i = 0; i < conf_setting_count; i++) {
        char escaped[64];
        size_t len = 0;
        for (const char *p = conf_settings[i].name; *p; p++)
            len += (size_t)snprintf(escaped + len, sizeof(escaped) - len, *p == '-' ? "\\-" : "%c",
                                    *p);
        if (!strstr(manual, escaped))
            fail_msg("junctord.conf(5) lacks %s", conf_settings[i].name);
        snprintf(name, sizeof(name), "%s    (", conf_settings[i].name);
        assert_non_null(strstr(help, name));
        assert_non_null(conf_section_find(conf_settings[i].section));
    }
    free(manual);
    free(help);
}

/* ---- mutated files ---- */

#define MUTANTS 2000

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223; /* Numerical Recipes */
    return *seed >> 8;
}

/* One of: another byte, a piece taken out, a piece doubled, the end cut off. */
static void mutate(char *text, size_t size, uint32_t *seed)
{
    static const char bytes[] = "{}\"'=+,#$\\\n ()*/\177\200az09\t";
    size_t len = strlen(text), at = next_random(seed) % (len + 1);
    size_t piece = next_random(seed) % 40;
    if (piece > len - at)
        piece = len - at;
    switch (next_random(seed) % 4) {
    case 0:
        if (at < len)
            text[at] = bytes[next_random(seed) % (sizeof(bytes) - 1)];
        break;
    case 1:
        memmove(text + at, text + at + piece, len - at - piece + 1);
        break;
    case 2:
        if (len + piece < size)
            memmove(text + at + piece, text + at, len - at + 1);
        break;
    default:
        text[next_random(seed) % 8 == 0 ? at : len] = '\0';
        break;
    }
}

static void a_mutated_file_is_taken_or_refused_with_its_line(void **state)
{
    char *original = sample_text(true), text[65536], path[256];
    uint32_t seed = 2026;
    unsigned refused = 0;
    (void)state;
    size_t prefix = strlen(in_folder("test.conf", path));
    for (unsigned i = 0; i < MUTANTS; i++) {
        struct junctord_conf *conf = NULL;
        char why[CONF_MAX_WHY];
        snprintf(text, sizeof(text), "%s", original);
        for (uint32_t count = 1 + next_random(&seed) % 4; count > 0; count--)
            mutate(text, sizeof(text), &seed);
        write_text("test.conf", text);
        if (load(&conf, why) == 0) {
            conf_free(conf);
            continue;
        }
        refused++;
        assert_memory_equal(why, path, prefix);
        assert_int_equal(why[prefix], ':');
        assert_in_range(why[prefix + 1], '1', '9');
    }
    assert_in_range(refused, MUTANTS / 10, MUTANTS - 1);
    free(original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_refused_with_its_line_and_what_is_expected),
        cmocka_unit_test(what_is_no_text_file_is_refused),
        cmocka_unit_test(limits_of_lists_are_refused_at_the_first_too_many),
        cmocka_unit_test(each_setting_reaches_its_place),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(listeners_have_their_addresses_and_names),
        cmocka_unit_test(upstreams_on_loopback_are_trusted_unless_others_are_named),
        cmocka_unit_test(the_same_file_gives_the_same_bytes),
        cmocka_unit_test(changes_that_need_a_restart_are_named),
        cmocka_unit_test(the_sample_is_correct_and_shows_the_defaults),
        cmocka_unit_test(the_sample_has_every_setting),
        cmocka_unit_test(manual_and_help_have_every_setting),
        cmocka_unit_test(a_mutated_file_is_taken_or_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
