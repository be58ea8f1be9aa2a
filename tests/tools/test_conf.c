/* What is refused, and how it is said. */
#include "tests/tools/conf_fixture.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is said about a file behind its name, such as "3: workers: expected ...". */
static const char *refusal_of(const char *text, char why[CONF_MAX_WHY])
{
    struct junctord_conf *conf = NULL;
    char path[256];
    size_t len = strlen(conf_file("test.conf", path));
    conf_text_write("test.conf", text);
    if (conf_load_test(&conf, why) == 0) {
        conf_free(conf);
        return "accepted";
    }
    assert_null(conf);
    assert_memory_equal(why, path, len);
    assert_int_equal(why[len], ':');
    return why + len + 1;
}

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
    {GOOD "/* store {", "", "5: a comment without its closing \"*/\""},
    {"workers 2\n", NULL, "1: expected \"=\" after \"workers\""},
    {"\nworkers += 2\n", NULL, "2: expected \"=\": \"workers\" is no list"},
    {"workers = {1, 2}\n", NULL,
     "1: workers: expected one value (number, 0 to 64), not a list in braces"},
    {"store { path = \"x\"\n map-size={1K}\n}\n", NULL,
     "2: store: map-size: expected one value (size, 1048576 to"},
    {"allow = {{\"x\"}}\n", NULL, "1: \"{\" was not expected here"},
    {"}\n", NULL, "1: a closing brace without an opening one"},
    {"store path = 1\n", NULL, "1: expected \"{\" after \"store\""},
    {"inside { }\n", NULL, "1: expected a title in quotes after \"inside\""},
    {"log-level = \"info\n", "", "1: a text without its closing quote"},
    {"\nlog-level = 'info\n\n", "", "2: a text without its closing quote"},
    {"\nlog-level = \"info\\\"\n\n", "", "2: a text without its closing quote"},
    {"\nlog-level = \"${X\n}\"\n", NULL, "2: \"${\" without its closing brace in this line"},
    {"log-level = info\nstore { path = ${X\n", NULL,
     "2: \"${\" without its closing brace in this line"},
    /* comments, which have no influence on lines */
    {"# a\n# b\n#c\n\nworker = 2\n", NULL, "5: unknown setting \"worker\""},
    {"#\n###\n## x ##\nworker = 2\n", NULL, "4: unknown setting \"worker\""},
    {"// a\n//b\n////\nworker = 2\n", NULL, "4: unknown setting \"worker\""},
    {"/* a */ /*b*/\n/*\n*\n** x\n\n **/ worker = 2\n", NULL, "6: unknown setting \"worker\""},
    {"/**/\n/***/\n/*/ */worker = 2\n", NULL, "3: unknown setting \"worker\""},
    {"workers = 2 # two\nlog-level = a//b # x\n", NULL,
     "2: log-level: expected error, warning, notice, info or debug, not \"a//b\""},
    {"hep { server = \"tcp:127.0.0.1\" }\n", NULL,
     "1: hep: server: expected \"udp:ADDRESS[:PORT]\""},
    {"hep { server = \"udp:0.0.0.0:9060\" }\n", NULL, "1: hep: server: expected"},
    {"log-format = xml\n", NULL, "1: log-format: expected text or json, not \"xml\""},
    {"workers = 2# two\nlog-level = loud/* x */\n", NULL, "2: log-level: expected error"},
    {"# \"\n// '\n/* \" ' ${ */\nworker = 2\n", NULL, "4: unknown setting \"worker\""},
    {"store { # a\n # b\n /* c\n */ path = \"x#y\" # d\n pth = \"\"\n}\n", NULL,
     "5: store: unknown setting \"pth\""},
    {"log-level = \"# // /* \n */\" # x\n", NULL, "2: log-level: expected error"},
    {"log-level = '# // /* \\' \\\n */' # x\nx = 1\n", NULL, "3: unknown setting \"x\""},
    {"log-level = \"in\\\nfo\" # x\nx = 1\n", NULL, "3: unknown setting \"x\""},
    {"log-level = \"${NO_SUCH:-#\"'}\" # x\nx = 1\n", NULL, "2: unknown setting \"x\""},
    {"# a\r\n# b\r\nworker = 2\r\n", NULL, "3: unknown setting \"worker\""},
    {"# a\n" INSIDE OUTSIDE CERTIFICATE "# b\n\n# no end of line", "",
     "7: trust: anchors: must be given"},
    {GOOD "# a\n} # b", "", "6: a closing brace without an opening one"},
    {GOOD "# a\nstore { # b\n# c", "", "7: the file ends inside a section"},
    {GOOD "# a\nworkers = # b", "", "6: the file ends where a value"}, /* names */
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
    {"porting {\n wait-s = 604799\n}\n", NULL,
     "2: porting: wait-s: expected a whole number from 604800 to 2592000, not \"604799\""},
    {"porting {\n wait-s = 2592001\n}\n", NULL,
     "2: porting: wait-s: expected a whole number from 604800 to 2592000, not \"2592001\""},
    {"porting {\n test-day-ms = 1\n wait-s = 604799\n}\n", NULL,
     "3: porting: wait-s: expected a whole number from 604800 to 2592000, not \"604799\""},
    {"porting {\n\n dispute-s = 604799\n}\n", NULL,
     "3: porting: dispute-s: expected a whole number from 604800 to 2592000, not \"604799\""},
    {"porting {\n test-day-ms = 0\n}\n", NULL,
     "2: porting: test-day-ms: expected a whole number from 1 to 86400000, not \"0\""},
    {"porting {\n mail-from = \"porting\"\n}\n", NULL,
     "2: porting: mail-from: expected a mail address: the mail address has no '@'"},
    {"porting {\n mail-from = \"-f@opa.example\"\n}\n", NULL,
     "2: porting: mail-from: expected a mail address: a mail address may not begin with '-'"},
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
    /* the API over the network, and the journal */
    {"api { listen = \"8443\" }\n", NULL, "1: api: listen: expected \"ADDRESS:PORT\" such as"},
    {"api { listen = \"127.0.0.1\" }\n", NULL, "1: api: listen: expected \"ADDRESS:PORT\" such as"},
    {"api { listen = \"::1:8443\" }\n", NULL, "1: api: listen: expected \"ADDRESS:PORT\" such as"},
    {"federation { listen = \"8444\" }\n", NULL,
     "1: federation: listen: expected \"ADDRESS:PORT\" such as"},
    {"federation { listen = \"127.0.0.1:1\"\nadvertise = \"192.0.2.1\" }\n", NULL,
     "2: federation: advertise: expected HOST[:PORT] with the name of a host, not \"192.0.2.1\""},
    {"federation { listen = \"127.0.0.1:1\"\nadvertise = \"a.example:0\" }\n", NULL,
     "2: federation: advertise: expected HOST[:PORT]"},
    {"federation { advertise = \"a.example\" }\n", NULL,
     "1: federation: advertise needs listen = "},
    {"api { health = \"localhost:1\" }\n", NULL,
     "1: api: health: expected \"ADDRESS:PORT\" such as"},
    {"api {\n listen = \"127.0.0.1:8443\"\n}\n", GOOD,
     "2: api: listen: HTTPS needs both certificate = \"FILE\" and key = \"FILE\""},
    {"api {\n listen = \"127.0.0.1:8443\"\n key = \"opa.key\"\n}\n", GOOD,
     "2: api: listen: HTTPS needs both certificate"},
    {"api {\n listen = \"127.0.0.1:1\"\n certificate = \"opa.pem\"\n key = \"no.key\"\n}\n", GOOD,
     "4: api: key: FOLDER/no.key: No such file or directory"},
    {"api {\n listen = \"127.0.0.1:1\"\n certificate = \"text.pem\"\n key = \"opa.key\"\n}\n", GOOD,
     "4: api: key: FOLDER/text.pem: holds no PEM certificate"},
    {"api {\n listen = \"127.0.0.1:1\"\n certificate = \"opa.pem\"\n key = \"opb.key\"\n}\n", GOOD,
     "4: api: key: FOLDER/opb.key: this key does not belong to the certificate"},
    {"api { rate = 100001 }\n", NULL, "1: api: rate: expected a whole number from 0 to 100000"},
    {"api { request-timeout-s = 0 }\n", NULL, "1: api: request-timeout-s: expected a whole number"},
    {"api { reserved = {\"a b\"} }\n", NULL,
     "1: api: reserved: expected the user part of an address: "},
    {"store { journal-days = 0 }\n", NULL, "1: store: journal-days: expected a whole number"},
    {"store { journal-size = 8M\n journal-max = 4M }\n", GOOD,
     "2: store: journal-max: must not be under journal-size, or be 0"},
    /* listeners */
    {"inside \"udp:*:5060\" { }\n", GOOD,
     "1: inside \"udp:*:5060\": a wildcard listener needs advertise = \"HOST[:PORT]\""},
    {"\noutside \"tls:[::]:5061\" {\n}\n", GOOD,
     "2: outside \"tls:[::]:5061\": a wildcard listener needs advertise = \"HOST[:PORT]\""},
    {"outside \"tcp:127.0.20.1:5061\" { }\n", INSIDE CERTIFICATE TRUST,
     "1: outside \"tcp:127.0.20.1:5061\": expected \"tls:ADDRESS[:PORT]\""},
    {"inside \"sctp:127.0.20.1:5060\" { }\n", NULL,
     "1: inside \"sctp:127.0.20.1:5060\": expected \"TRANSPORT:ADDRESS[:PORT]\" with udp, tcp or tls"},
    {"inside \"udp:::1:5060\" { }\n", NULL,
     "1: inside \"udp:::1:5060\": an IPv6 address stands in brackets: write [::1]:5060"},
    {"inside \"udp:::1\" { }\n", NULL, "1: inside \"udp:::1\": an IPv6 address stands in brackets"},
    {"inside \"udp:2001:db8::1\" { }\n", NULL,
     "1: inside \"udp:2001:db8::1\": an IPv6 address stands in brackets"},
    {"outside \"tls:::1:5061\" { }\n", INSIDE CERTIFICATE TRUST,
     "1: outside \"tls:::1:5061\": an IPv6 address stands in brackets"},
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
    {"outside \"tls:*\" {\n advertise = \"a.example\"\n addresses = {\"192.0.2.1\",\n\"192.0.2.1:5061\"}\n}\n",
     INSIDE CERTIFICATE TRUST,
     "4: outside \"tls:*\": addresses: expected an IP address without port, not \"192.0.2.1:5061\""},
    {"outside \"tls:*\" { advertise = \"a.example\" addresses = {\"::\"} }\n",
     INSIDE CERTIFICATE TRUST,
     "1: outside \"tls:*\": addresses: expected an IP address without port, not \"::\""},
    {"inside \"udp:127.0.20.1:5060\" { addresses = {\"192.0.2.1\"} }\n", OUTSIDE CERTIFICATE TRUST,
     "1: inside \"udp:127.0.20.1:5060\": unknown setting \"addresses\""},
    {OUTSIDE CERTIFICATE TRUST, "", "4: expected at least one listener towards the core"},
    {INSIDE CERTIFICATE TRUST, "", "4: expected at least one listener towards peers"},
    /* networks and resolvers */
    {"allow = {\"10.0.0.1/8\"}\n", NULL, "1: allow: expected an IP address or a network such as"},
    {"fail-over = {\"399\"}\n", NULL, "1: fail-over: expected a SIP status from 400 to 599"},
    {"fail-over = {\"600\"}\n", NULL, "1: fail-over: expected a SIP status from 400 to 599"},
    {"fail-over = {\"4xx\"}\n", NULL, "1: fail-over: expected a SIP status from 400 to 599"},
    {"allow = {\n \"10.0.0.0/8\",\n \"core.opa.example\"\n}\n", NULL,
     "3: allow: expected an IP address or a network such as"},
    {"dns { enum = {\"e164..arpa\"} }\n", NULL,
     "1: dns: enum: expected the name of a tree, such as \"e164.arpa\": label 2"},
    {"dns { enum = {\"e164.arpa\", \"E164.ARPA\"} }\n", NULL,
     "1: dns: enum: \"E164.ARPA\" is in the list twice"},
    {"dns { enum = {\"a.b\", \"b.b\", \"c.b\", \"d.b\",\n\"e.b\"} }\n", NULL,
     "2: dns: enum: more than 4 trees"},
    {"dns { enum = {\"e164.arpa\"}\n enum-trusted = {\"e164.example\"} }\n", NULL,
     "2: dns: enum-trusted: \"e164.example\" is none of the trees in enum"},
    {"dns { enum-trusted = {\"e164..arpa\"} }\n", NULL,
     "1: dns: enum-trusted: expected the name of a tree"},
    {"dns { upstreams = {} }\n", NULL, "1: dns: upstreams: expected at least 1, not {}"},
    {"dns { upstreams = {\"ns.example\"} }\n", NULL,
     "1: dns: upstreams: expected the IP address of a resolver, ADDRESS[:PORT]"},
    {"dns { upstreams = {\"127.0.0.1:0\"} }\n", NULL, "1: dns: upstreams: expected the IP address"},
    {"dns { upstreams = {\"0.0.0.0\"} }\n", NULL, "1: dns: upstreams: expected the IP address"},
    {"dns { upstreams = {\"224.0.0.1\"} }\n", NULL, "1: dns: upstreams: expected the IP address"},
    {"dns { upstreams = {\"ff02::fb\"} }\n", NULL, "1: dns: upstreams: expected the IP address"},
    {"\ndns { attempt-timeout-ms = 201 timeout-ms = 200 }\n", NULL,
     "2: dns: attempt-timeout-ms = 201 is above timeout-ms = 200"},
    {"dns { timeout-ms = 999 }\n", NULL,
     "1: dns: attempt-timeout-ms = 1000 is above timeout-ms = 999"},
    {"dns { ttl-min-s = 61 ttl-max-s = 60 }\n", NULL,
     "1: dns: ttl-min-s = 61 is above ttl-max-s = 60"},
    {"dns { upstreams = {\"::1\", \"[::1]:53\"} }\n", NULL,
     "1: dns: upstreams: \"[::1]:53\" is in the list twice"},
    {"dns {\n upstreams = {\"::1\",\n\"::2\", \"::3\",\n\"::4\", \"::5\"} }\n", NULL,
     "4: dns: upstreams: more than 4 upstreams"},
    {"dns { upstreams = {\"192.0.2.1\"}\n trusted = {\"192.0.2.2\"} }\n", NULL,
     "2: dns: trusted: \"192.0.2.2\" is none of the upstreams"},
    /* publishing */
    {"publish { ttl = 0 }\n", NULL, "1: publish: ttl: expected a whole number from 1 to 604800"},
    {"publish {\n address-records = yes\n}\n", NULL,
     "2: publish: address-records: expected true or false, not \"yes\""},
    {INSIDE OUTSIDE TRUST "certificate \"opa.example\" {\n chain = \"opa.pem\" key = \"opa.key\"\n"
                          " next-key = \"no.key\" }\n",
     "", "4: certificate \"opa.example\": FOLDER/no.key: cannot be read: No such file"},
    {INSIDE OUTSIDE TRUST "certificate \"opa.example\" {\n chain = \"opa.pem\" key = \"opa.key\"\n"
                          " next-key = \"text.pem\" }\n",
     "",
     "4: certificate \"opa.example\": FOLDER/text.pem: no key could be read; expected a private"},
    {"zone \"opa..example\" { primary = \"192.0.2.53\" tsig = \"tsig.key\" }\n", GOOD,
     "1: zone \"opa..example\": expected the name of a zone, such as \"opa.example\""},
    {"zone \"b\xc3\xbc"
     "cher.example\" { primary = \"192.0.2.53\" tsig = \"tsig.key\" }\n",
     GOOD,
     "1: zone \"b\xc3\xbc"
     "cher.example\": expected the name as it stands in DNS: "
     "\"xn--bcher-kva.example\""},
    {"zone \"opa.example\" {\n tsig = \"tsig.key\" }\n", GOOD,
     "1: zone \"opa.example\": primary: must be given"},
    {"zone \"opa.example\" {\n primary = \"ns.opa.example\" tsig = \"tsig.key\" }\n", GOOD,
     "2: zone \"opa.example\": primary: expected the IP address of the zone's primary server"},
    {"zone \"opa.example\" {\n primary = \"192.0.2.53\"\n tsig = \"text.pem\" }\n", GOOD,
     "3: zone \"opa.example\": tsig: FOLDER/text.pem: no key's name was found"},
    {"zone \"opa.example\" { primary = \"192.0.2.53\" tsig = \"tsig.key\" }\n"
     "zone \"OPA.example.\" { primary = \"192.0.2.53\" tsig = \"tsig.key\" }\n",
     GOOD, "2: zone \"OPA.example.\": a second section for this zone"},
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
    {INSIDE OUTSIDE TRUST
     "certificate \"opa.example\" { chain = \"code.pem\" key = \"code.key\" }\n",
     "",
     "4: certificate \"opa.example\": FOLDER/code.pem: the certificate of opa.example is meant for "
     "Code Signing only (extendedKeyUsage); it needs serverAuth"},
    {INSIDE OUTSIDE TRUST "certificate \"opa.example\" { chain = \"ca.pem\" key = \"ca.key\" }\n",
     "",
     "4: certificate \"opa.example\": FOLDER/ca.pem: the certificate of opa.example is a CA's own"},
    {INSIDE OUTSIDE CERTIFICATE "trust {\n anchors = \"no.pem\" }\n", "",
     "5: trust: FOLDER/no.pem: cannot be read: No such file"},
    {INSIDE OUTSIDE CERTIFICATE "trust { anchors = \"text.pem\" }\n", "",
     "4: trust: FOLDER/text.pem: no trust anchors could be read"},
    {INSIDE OUTSIDE CERTIFICATE "trust { anchors = \"opb.pem\"\n crls = {\"no.crl\"} }\n", "",
     "5: trust: crls: FOLDER/no.crl: cannot be read: No such file"},
    {INSIDE OUTSIDE CERTIFICATE "trust { anchors = \"opb.pem\"\n crls = {\"text.pem\"} }\n", "",
     "5: trust: crls: FOLDER/text.pem: no revocation list could be read"},
    {INSIDE OUTSIDE CERTIFICATE "trust { anchors = \"opb.pem\" crls = {\"\"} }\n", "",
     "4: trust: crls: expected the name of a file"},
};

/* The expected text with FOLDER as it is in this run. */
static const char *with_folder(const char *expected, char text[512])
{
    const char *at = strstr(expected, "FOLDER");
    if (!at)
        return expected;
    snprintf(text, 512, "%.*s%s%s", (int)(at - expected), expected, conf_folder, at + 6);
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
    conf_file_write("test.conf", nul, sizeof(nul) - 1);
    assert_int_equal(conf_load_test(&conf, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "test.conf:2: a NUL byte"));

    char *large = malloc(CONF_MAX_FILE + 1);
    assert_non_null(large);
    memset(large, '\n', CONF_MAX_FILE + 1);
    conf_file_write("test.conf", large, CONF_MAX_FILE + 1);
    free(large);
    assert_int_equal(conf_load_test(&conf, why), -EFBIG);
    assert_non_null(strstr(why, "test.conf: cannot be read: File too large"));

    assert_int_equal(conf_load(conf_file("none.conf", path), &conf, why), -ENOENT);
    assert_non_null(strstr(why, "none.conf: cannot be read: No such file"));
    assert_int_equal(conf_load(conf_folder, &conf, why), -EISDIR);
}

/* For programs that mend them: what the file names may be missing or unfit; the rest counts. */
static void files_that_it_names_are_not_looked_at_where_they_are_mended(void **state)
{
    struct junctord_conf *conf;
    char path[256], why[CONF_MAX_WHY];
    (void)state;
    conf_text_write("test.conf", INSIDE
                    "outside \"tls:192.0.2.1:5061\" { advertise = \"edge.opa.example\" }\n"
                    "trust { anchors = \"no.pem\" }\n"
                    "api { listen = \"127.0.0.1:1\" certificate = \"no.pem\" key = \"x\" }\n"
                    "certificate \"opa.example\" { chain = \"no.pem\" key = \"opb.key\" }\n");
    conf_file("test.conf", path);
    assert_int_not_equal(conf_load(path, &conf, why), 0);
    assert_int_equal(conf_load_unjudged(path, &conf, why), 0);
    assert_int_equal(conf->edge.tls.certificate_count, 1);
    assert_int_equal(conf->zone.target_count, 1);
    assert_int_equal(conf->zone.key_count, 0);
    conf_free(conf);

    conf_text_write("test.conf", INSIDE OUTSIDE TRUST "certificate \"opa.example\" { }\n");
    assert_int_equal(conf_load_unjudged(path, &conf, why), STATUS_MALFORMED);
    assert_non_null(strstr(why, "must be given"));
}

/* ---- places ---- */

static void expect_place(const char *text, const char *expected)
{
    char path[256], why[CONF_MAX_WHY] = "";
    struct junctord_conf *conf = conf_load_good(text);
    int status = conf_check_places(conf_file("test.conf", path), conf, why);
    conf_free(conf);
    if (expected[0] == '\0') {
        if (status != 0)
            fail_msg("refused: %s", why);
        return;
    }
    assert_int_equal(status, STATUS_MALFORMED);
    assert_memory_equal(why, path, strlen(path));
    if (!strstr(why + strlen(path), expected))
        fail_msg("expected %s got %s", expected, why);
}

#define SOCKET "api { socket = \"api.sock\" }\n"
#define STORE  "store { path = \"store\" }\n"

static void places_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    expect_place(GOOD SOCKET STORE, "");
    expect_place(GOOD SOCKET "store { path = \".\" }\n", "");
    expect_place(GOOD SOCKET "store { path = \"store/\" }\n", "");
    expect_place(GOOD SOCKET "# a\nstore {\n path = \"opa.pem\"\n}\n",
                 ":8: store: path: expected a folder for the directory's files, ");
    expect_place(GOOD SOCKET "store { path = \"opa.pem/store\" }\n", ":6: store: path: ");
    expect_place(GOOD SOCKET "store { path = \"none/store\" }\n",
                 "none/store is missing and cannot be made: ");
    expect_place(GOOD STORE "\napi { socket = \"none/api.sock\" }\n",
                 ":7: api: socket: expected a socket in a folder that exists, ");
    expect_place(GOOD STORE "api { socket = \"opa.pem/api.sock\" }\n",
                 ":6: api: socket: expected a socket in a folder that exists, ");
    expect_place(GOOD STORE "api { socket = \"opa.pem\" }\n", "opa.pem is there already and is no");
    expect_place(GOOD STORE "api { socket = \".\" }\n", "is there already and is no socket");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_refused_with_its_line_and_what_is_expected),
        cmocka_unit_test(what_is_no_text_file_is_refused),
        cmocka_unit_test(files_that_it_names_are_not_looked_at_where_they_are_mended),
        cmocka_unit_test(places_that_cannot_be_used_are_refused),
        cmocka_unit_test(limits_of_lists_are_refused_at_the_first_too_many),
    };
    return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
