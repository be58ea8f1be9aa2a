/* A whole edge in this process, with UDP cores played by the test: what comes out for what goes in.
 * (TLS, DNS and real cores are the integration tests' business.) */
#include "peering/peering.h"

#include "base/status.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS  5000 /* an answer that must come; only a failure waits that long */
#define QUIET_MS 150  /* an answer that must not come */

struct core {
    int fd;
    uint16_t port;
};

struct stand {
    char dir[64];
    struct store *store;
    struct edge *edge;
    struct edge_conf conf;
    uint16_t port;
    struct sockaddr_in edge_addr;
    struct core a, b1, b2; /* one.example: a; two.example: b1, then b2 */
    struct core c;         /* three.example, over TCP: a listening socket */
};

static struct core core_open(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    struct core core = {socket(AF_INET, SOCK_DGRAM, 0), 0};
    assert_int_equal(bind(core.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(core.fd, (struct sockaddr *)&addr, &len), 0);
    core.port = ntohs(addr.sin_port);
    return core;
}

static struct core core_listen(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    struct core core = {socket(AF_INET, SOCK_STREAM, 0), 0};
    assert_int_equal(bind(core.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(core.fd, 0), 0);
    assert_int_equal(getsockname(core.fd, (struct sockaddr *)&addr, &len), 0);
    core.port = ntohs(addr.sin_port);
    return core;
}

static void submit(struct stand *stand, const struct store_command *command)
{
    struct store_verdict verdict;
    assert_int_equal(store_submit(stand->store, command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void add_domain(struct stand *stand, const char *name, const struct core *cores[],
                       unsigned count, enum sip_transport transport)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD, .expected_version = STORE_ANY_VERSION};
    snprintf(command.actor, sizeof(command.actor), "test");
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", name);
    for (unsigned i = 0; i < count; i++) {
        struct store_core *core = &command.domain.cores[i];
        snprintf(core->host, sizeof(core->host), "127.0.0.1");
        core->port = cores[i]->port;
        core->transport = transport;
    }
    command.domain.core_count = count;
    submit(stand, &command);
}

static void add_address(struct stand *stand, const char *text)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_fault fault;
    snprintf(command.actor, sizeof(command.actor), "test");
    assert_int_equal(store_address_parse(slice_of(text), &command.record.address, &fault), 0);
    command.record.state = STORE_ADDRESS_HOSTED;
    snprintf(command.record.hosting, sizeof(command.record.hosting), "%s",
             command.record.address.domain);
    snprintf(command.record.display, sizeof(command.record.display), "%s", text);
    submit(stand, &command);
}

static void configure(struct stand *stand)
{
    struct edge_conf *conf = &stand->conf;
    struct core reserved = core_open(); /* a port that is free now */
    stand->port = reserved.port;
    close(reserved.fd);
    conf->workers = 2;
    conf->times = (struct txn_times){100, 400, 500};
    conf->first_response_ms = 300;
    conf->search_ms = 3000;
    conf->transport.listener_count = 2;
    struct transport_listener *listener = &conf->transport.listeners[0];
    listener->side = TRANSPORT_INSIDE;
    listener->transport = SIP_UDP;
    netaddr_from_ip(&listener->bind, SLICE("127.0.0.1"), stand->port);
    snprintf(listener->advertise_host, sizeof(listener->advertise_host), "127.0.0.1");
    listener->advertise_port = stand->port;
    conf->transport.listeners[1] = *listener;
    conf->transport.listeners[1].transport = SIP_TCP;
    netaddr_from_ip(&conf->resolver.upstreams[0].addr, SLICE("127.0.0.1"), 9);
    conf->resolver.upstream_count = 1;
    stand->edge_addr = listener->bind.in4;
}

static int set_up(void **state)
{
    struct stand *stand = calloc(1, sizeof(*stand));
    char why[EDGE_MAX_WHY];
    struct store_fault fault;
    snprintf(stand->dir, sizeof(stand->dir), "/tmp/junctor-test-XXXXXX");
    assert_non_null(mkdtemp(stand->dir));
    const struct store_conf conf = {.path = stand->dir};
    assert_int_equal(store_open(&conf, STORE_WRITER, &stand->store, &fault), 0);
    stand->a = core_open();
    stand->b1 = core_open();
    stand->b2 = core_open();
    stand->c = core_listen();
    add_domain(stand, "one.example", (const struct core *[]){&stand->a}, 1, SIP_UDP);
    add_domain(stand, "two.example", (const struct core *[]){&stand->b1, &stand->b2}, 2, SIP_UDP);
    add_domain(stand, "three.example", (const struct core *[]){&stand->c}, 1, SIP_TCP);
    add_address(stand, "carol@three.example");
    add_address(stand, "alice@one.example");
    add_address(stand, "bob@two.example");
    configure(stand);
    assert_int_equal(edge_start(&stand->conf, stand->store, NULL, &stand->edge, why), 0);
    *state = stand;
    return 0;
}

static int tear_down(void **state)
{
    struct stand *stand = *state;
    char command[128];
    edge_stop(stand->edge);
    store_close(stand->store);
    close(stand->a.fd);
    close(stand->b1.fd);
    close(stand->b2.fd);
    close(stand->c.fd);
    snprintf(command, sizeof(command), "rm -rf %s", stand->dir);
    int status = system(command);
    free(stand);
    return status;
}

/* ---- sending and expecting ---- */

static void send_text(struct stand *stand, const struct core *core, const char *text)
{
    sendto(core->fd, text, strlen(text), 0, (struct sockaddr *)&stand->edge_addr,
           sizeof(stand->edge_addr));
}

static bool receive(const struct core *core, char text[8192], int wait_ms)
{
    struct pollfd pollfd = {.fd = core->fd, .events = POLLIN};
    if (poll(&pollfd, 1, wait_ms) != 1)
        return false;
    ssize_t len = recv(core->fd, text, 8191, 0);
    if (len == 0) /* the end of a stream */
        return false;
    assert_true(len > 0);
    text[len] = '\0';
    return true;
}

/* The next message that starts with `start`; others before it (retransmissions) are skipped. */
static void expect(const struct core *core, const char *start, char text[8192])
{
    do {
        if (!receive(core, text, WAIT_MS))
            fail_msg("waited in vain for %s", start);
    } while (strncmp(text, start, strlen(start)) != 0);
}

static void expect_nothing(const struct core *core)
{
    char text[8192];
    if (receive(core, text, QUIET_MS))
        fail_msg("not expected: %.200s", text);
}

struct call {
    const char *method, *uri, *from, *headers, *body;
    char id[32];
    int cseq;
    const char *to_tag;
};

static void request_text(const struct stand *stand, const struct core *core,
                         const struct call *call, char text[8192])
{
    (void)stand;
    snprintf(text, 8192,
             "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%s%d%s;rport\r\n"
             "Max-Forwards: 70\r\nFrom: <%s>;tag=f%s\r\nTo: <sip:bob@two.example>%s%s\r\n"
             "Call-ID: %s\r\nCSeq: %d %s\r\n%s%s%s",
             call->method, call->uri, core->port, call->id, call->cseq,
             strcmp(call->method, "CANCEL") == 0 || strcmp(call->method, "ACK") == 0 ? "INVITE"
                                                                                     : call->method,
             call->from ? call->from : "sip:alice@one.example", call->id,
             call->to_tag ? ";tag=" : "", call->to_tag ? call->to_tag : "", call->id, call->cseq,
             call->method, call->headers ? call->headers : "", call->body ? "" : "\r\n",
             call->body ? call->body : "");
}

static void send_request(struct stand *stand, const struct core *core, const struct call *call)
{
    char text[8192];
    request_text(stand, core, call, text);
    send_text(stand, core, text);
}

static struct call invite(const char *uri)
{
    static unsigned serial;
    struct call call = {.method = "INVITE", .uri = uri, .cseq = 1};
    snprintf(call.id, sizeof(call.id), "call%u", ++serial);
    return call;
}

/* The lines of `request` whose names are in a response, with a To tag, as a UAS would copy them. */
static void answer_text(const struct core *core, const char *request, const char *status,
                        char text[8192])
{
    static const char *const copied[] = {
        "Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"};
    char *out = text;
    out += sprintf(out, "SIP/2.0 %s\r\n", status);
    for (const char *line = strstr(request, "\r\n") + 2; *line != '\r';
         line = strstr(line, "\r\n") + 2)
        for (size_t i = 0; i < COUNT_OF(copied); i++)
            if (strncmp(line, copied[i], strlen(copied[i])) == 0) {
                int len = (int)(strstr(line, "\r\n") - line);
                bool tag = i == 2 && !memmem(line, (size_t)len, ";tag=", 5);
                out += sprintf(out, "%.*s%s\r\n", len, line, tag ? ";tag=bobs" : "");
            }
    sprintf(out, "Contact: <sip:bob@127.0.0.1:%u>\r\nContent-Length: 0\r\n\r\n", core->port);
}

static void answer(struct stand *stand, const struct core *core, const char *request,
                   const char *status)
{
    char text[8192];
    answer_text(core, request, status, text);
    send_text(stand, core, text);
}

/* The nth value of a header, into out. */
static void header_of(const char *text, const char *name, int nth, char out[1024])
{
    const char *at = text;
    for (;;) {
        at = strstr(at, "\r\n");
        assert_non_null(at);
        at += 2;
        if (strncmp(at, name, strlen(name)) == 0 && nth-- == 0)
            break;
    }
    at += strlen(name) + 2;
    snprintf(out, 1024, "%.*s", (int)(strstr(at, "\r\n") - at), at);
}

static int lines_of(const char *text, const char *name)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, "\r\n")); at += 2)
        count += strncmp(at + 2, name, strlen(name)) == 0;
    return count;
}

/* Sends one request from core a and expects this refusal, its Warning holding `warning`. */
static void expect_refusal(struct stand *stand, const struct call *call, const char *start,
                           const char *warning)
{
    char text[8192];
    send_request(stand, &stand->a, call);
    expect(&stand->a, start, text);
    if (warning && !strstr(text, warning))
        fail_msg("no \"%s\" in: %s", warning, text);
}

/* ---- the tests ---- */

static void a_call_between_two_cores_is_set_up_and_ended_from_either_side(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192], towards_b[1024], towards_a[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 100", text);
    expect(&stand->b1, "INVITE sip:bob@two.example SIP/2.0", sent);
    assert_int_equal(lines_of(sent, "Via:"), 2);
    assert_int_equal(lines_of(sent, "Record-Route:"), 2);
    assert_non_null(strstr(sent, "Max-Forwards: 69\r\n"));
    assert_non_null(strstr(sent, ";received=127.0.0.1"));
    assert_non_null(strstr(sent, "Content-Length: 0\r\n"));
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    assert_int_equal(lines_of(text, "Via:"), 1);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);

    /* the ACK follows the route set to the address b gave */
    snprintf(routes, sizeof(routes), "Route: %s\r\nRoute: %s\r\n", towards_a, towards_b);
    struct call ack = call;
    ack.method = "ACK";
    ack.uri = "sip:bob@127.0.0.1";
    ack.headers = routes;
    ack.to_tag = "bobs";
    snprintf(ack.id, sizeof(ack.id), "%s", call.id);
    char ack_text[8192];
    request_text(stand, &stand->a, &ack, ack_text);
    memcpy(strstr(ack_text, "INVITE;"), "ACKACK", 6); /* an ACK to a 2xx has a branch of its own */
    send_text(stand, &stand->a, ack_text);
    expect(&stand->b1, "ACK sip:bob@127.0.0.1 SIP/2.0", text);
    assert_int_equal(lines_of(text, "Route:"), 0);

    /* b hangs up: its route set is in the order of the request */
    char bye[8192], from[1024], to[1024];
    header_of(sent, "From", 0, from);
    header_of(sent, "To", 0, to);
    snprintf(
        bye, sizeof(bye),
        "BYE sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKbye\r\n"
        "Max-Forwards: 70\r\nFrom: %s;tag=bobs\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 7 BYE\r\n"
        "Route: %s, %s\r\n\r\n",
        stand->b1.port, to, from, call.id, towards_b, towards_a);
    send_text(stand, &stand->b1, bye);
    expect(&stand->a, "BYE sip:alice@127.0.0.1 SIP/2.0", text);
    answer(stand, &stand->a, text, "200 OK");
    expect(&stand->b1, "SIP/2.0 200", text);
}

static void a_token_is_refused_in_another_dialog_or_without_its_tag(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), other;
    char sent[8192], text[8192], towards_a[1024], routes[1100];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
    expect(&stand->b1, "ACK", text);
    snprintf(routes, sizeof(routes), "Route: %s\r\n", towards_a);
    other = invite("sip:bob@127.0.0.1");
    other.method = "INFO";
    other.headers = routes;
    other.to_tag = "bobs";
    expect_refusal(stand, &other, "SIP/2.0 403", "not valid for this dialog");
}

static void refusals_say_why(void **state)
{
    struct stand *stand = *state;
    static const struct {
        struct call call;
        const char *start, *warning;
    } rows[] = {
        {{"INVITE", "sip:nobody@two.example", .id = "r1"}, "SIP/2.0 404", "no such address"},
        {{"INVITE", "sip:alice@one.example", .id = "r2"}, "SIP/2.0 404", "the core that asks"},
        {{"INVITE", "sip:bob@two.example", "sip:eve@far.example", .id = "r3"},
         "SIP/2.0 403",
         "not an address hosted here"},
        {{"INVITE", "sip:bob@192.0.2.1", .id = "r4"}, "SIP/2.0 403", "is an IP address"},
        {{"INVITE", "sip:bob@two.example;maddr=192.0.2.1", .id = "r5"}, "SIP/2.0 403", "maddr"},
        {{"INVITE", "sip:bob@two.example;m%61ddr=192.0.2.1", .id = "r5a"}, "SIP/2.0 403", "maddr"},
        {{"INVITE", "sip:bob@two.example", .headers = "Route: <sip:192.0.2.1;lr>\r\n", .id = "r6"},
         "SIP/2.0 403",
         "preloaded Route"},
        {{"INVITE", "tel:+4930123", .id = "r7"}, "SIP/2.0 404", "telephone numbers"},
        {{"INVITE", "http://two.example/", .id = "r8"}, "SIP/2.0 416", "scheme http"},
        {{"INVITE", "sip:bob@two.example", .headers = "Proxy-Require: foo, bar\r\n", .id = "r9"},
         "SIP/2.0 420",
         "Unsupported: foo, bar\r\n"},
        {{"INVITE", "sips:bob@two.example", .id = "r10"}, "SIP/2.0 480", "over TLS"},
        {{"CANCEL", "sip:bob@two.example", .id = "r11"}, "SIP/2.0 481", "no transaction"},
        {{"INVITE", "sip:bob@two.example", .headers = "Max-Forwards: 1\r\n", .id = "r12"},
         "SIP/2.0 400",
         "Max-Forwards"},
        {{"OPTIONS", "sip:one.example", .id = "r13"}, "SIP/2.0 200", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_refusal(stand, &rows[i].call, rows[i].start, rows[i].warning);
    expect_nothing(&stand->b1);
}

static void options_to_our_address_are_answered(void **state)
{
    struct stand *stand = *state;
    char uri[64];
    struct call call = {.method = "OPTIONS", .uri = uri, .id = "options"};
    snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u", stand->port);
    expect_refusal(stand, &call, "SIP/2.0 200", NULL);
}

/* The port is not ours, though the address is: what has no port has 5060. */
static void the_route_of_a_core_on_our_own_address_stays(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), info;
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(routes, sizeof(routes), "Route: %s,%s, <sip:127.0.0.1;lr>\r\n", towards_a, towards_b);
    info = call;
    info.method = "INFO";
    info.cseq = 2;
    info.headers = routes;
    info.to_tag = "bobs";
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INFO", text);
    assert_non_null(strstr(text, "Route: <sip:127.0.0.1;lr>\r\n"));
}

static void sips_needs_tls_in_a_dialog_too(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), info;
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    info = call;
    info.method = "INFO";
    info.uri = "sips:bob@two.example";
    info.cseq = 2;
    info.headers = routes;
    info.to_tag = "bobs";
    expect_refusal(stand, &info, "SIP/2.0 480", "over TLS");
}

/* The caller could not make anything of it, and would wait for ever. */
static void a_response_without_the_callers_via_is_not_passed_on(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call.method = "MESSAGE";
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    char *second = strstr(strstr(sent, "Via:") + 1, "Via:"), *after = strstr(second, "\r\n") + 2;
    memmove(second, after, strlen(after) + 1);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 480", text);
}

static void a_refusal_keeps_no_state_and_absorbs_its_ack(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:nobody@two.example"), ack;
    char first[8192], second[8192], tag[1024];
    struct edge_stats stats;
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 404", first);
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 404", second);
    assert_string_equal(first, second);
    header_of(first, "To", 0, tag);
    ack = call;
    ack.method = "ACK";
    ack.to_tag = strstr(tag, ";tag=") + 5;
    send_request(stand, &stand->a, &ack);
    expect_nothing(&stand->a);
    edge_stats_get(stand->edge, &stats);
    assert_int_equal(stats.transactions, 0);
}

static void a_silent_or_full_core_is_passed_over(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent); /* and stays silent */
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b2, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);

    while (receive(&stand->b1, text, QUIET_MS))
        ; /* retransmissions of the first */
    call = invite("sip:bob@two.example");
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "503 Service Unavailable");
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b2, sent, "503 Service Unavailable");
    expect(&stand->a, "SIP/2.0 480", text);
    assert_non_null(strstr(text, "Warning: 399 127.0.0.1 \"127.0.0.1 answered 503; "));
}

static void a_late_ringing_of_a_target_given_up_is_cancelled(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char late[8192], sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", late);
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b1, late, "180 Ringing");
    expect(&stand->b1, "CANCEL sip:bob@two.example", text);
    answer(stand, &stand->b2, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void a_cancel_reaches_the_core_that_rings(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), cancel;
    char sent[8192], text[8192], invite_via[1024], cancel_via[1024];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->a, "SIP/2.0 200", text);
    assert_non_null(strstr(text, "CSeq: 1 CANCEL\r\n"));
    expect(&stand->b1, "CANCEL sip:bob@two.example", text);
    header_of(sent, "Via", 0, invite_via);
    header_of(text, "Via", 0, cancel_via);
    assert_string_equal(invite_via, cancel_via);
    answer(stand, &stand->b1, text, "200 OK");
    answer(stand, &stand->b1, sent, "487 Request Terminated");
    expect(&stand->b1, "ACK", text);
    expect(&stand->a, "SIP/2.0 487", text);
}

/* The edge anew, with times so short that a test can see their ends. */
static void restart_hurried(struct stand *stand)
{
    char why[EDGE_MAX_WHY];
    edge_stop(stand->edge);
    stand->conf.times = (struct txn_times){10, 40, 50};
    assert_int_equal(edge_start(&stand->conf, stand->store, NULL, &stand->edge, why), 0);
}

static void expect_no_transactions(struct stand *stand)
{
    struct edge_stats stats;
    for (int waited_ms = 0; waited_ms < 2 * WAIT_MS; waited_ms += 20) {
        edge_stats_get(stand->edge, &stats);
        if (stats.transactions == 0)
            return;
        poll(NULL, 0, 20);
    }
    fail_msg("%zu transactions never end", (size_t)stats.transactions);
}

static void a_core_that_ignores_a_cancel_is_not_waited_for_for_ever(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), cancel;
    char sent[8192], text[8192];
    restart_hurried(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->b1, "CANCEL", text);
    expect(&stand->a, "SIP/2.0 487", text);
    expect_no_transactions(stand);
}

static void a_flood_of_ringing_does_not_drown_the_answer(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192], headers[6100] = "X-Padding: ", ringing[8192];
    memset(headers + 11, 'x', 6000);
    strcpy(headers + 6011, "\r\n");
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    char via[1024], via2[1024], from[1024], to[1024], id[1024];
    header_of(sent, "Via", 0, via);
    header_of(sent, "Via", 1, via2);
    header_of(sent, "From", 0, from);
    header_of(sent, "To", 0, to);
    header_of(sent, "Call-ID", 0, id);
    snprintf(ringing, sizeof(ringing),
             "SIP/2.0 183 Progress\r\nVia: %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=bobs\r\n"
             "Call-ID: %s\r\nCSeq: 1 INVITE\r\n%sContent-Length: 0\r\n\r\n",
             via, via2, from, to, id, headers);
    for (int i = 0; i < 60; i++) {
        send_text(stand, &stand->b1, ringing);
        while (receive(&stand->a, text, 5))
            ;
    }
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void the_core_that_has_the_dialog_gets_its_requests(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), ack;
    char sent[8192], text[8192], uri[64], towards_a[1024], towards_b[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent); /* and stays silent */
    expect(&stand->b2, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b2, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(uri, sizeof(uri), "sip:bob@127.0.0.1:%u", stand->b2.port);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    ack = call;
    ack.method = "ACK"; /* no answer could make the edge turn to another core */
    ack.cseq = 2;
    ack.uri = uri;
    ack.headers = routes;
    ack.to_tag = "bobs";
    send_request(stand, &stand->a, &ack);
    expect(&stand->b2, "ACK", text);
}

/* ---- a core over TCP ---- */

static struct core core_accept(const struct core *listening)
{
    struct pollfd pollfd = {.fd = listening->fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    return (struct core){accept(listening->fd, NULL, NULL), listening->port};
}

static void answer_stream(const struct core *core, const char *request, const char *status)
{
    char text[8192];
    answer_text(core, request, status, text);
    assert_int_equal(send(core->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void a_cancel_reaches_a_core_whose_connection_broke(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:carol@three.example"), cancel;
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    struct core first = core_accept(&stand->c);
    expect(&first, "INVITE", sent);
    answer_stream(&first, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    close(first.fd);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    struct core second = core_accept(&stand->c);
    expect(&second, "CANCEL", text);
    answer_stream(&second, text, "200 OK");
    answer_stream(&second, sent, "487 Request Terminated");
    expect(&stand->a, "SIP/2.0 487", text);
    expect(&second, "ACK", text);
    close(second.fd);
}

/* Connects until the kernel takes no more, so that the edge's connection stays on its way. */
static bool fill_backlog(const struct core *core, int fds[8])
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons(core->port)};
    for (int i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fds[i], (struct sockaddr *)&addr, sizeof(addr));
        struct pollfd pollfd = {.fd = fds[i], .events = POLLOUT};
        if (poll(&pollfd, 1, QUIET_MS) == 0)
            return true;
    }
    return false;
}

static void a_call_cancelled_before_its_connection_is_up_never_rings(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:carol@three.example"), cancel;
    char text[8192];
    int fds[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    bool full = fill_backlog(&stand->c, fds);
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 100", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->a, "SIP/2.0 487", text);
    struct pollfd pollfd = {.fd = stand->c.fd, .events = POLLIN};
    while (full && poll(&pollfd, 1, 1500) == 1) { /* the kernel's next try comes within 1 s */
        struct core core = core_accept(&stand->c);
        if (receive(&core, text, QUIET_MS))
            fail_msg("not expected: %.200s", text);
        close(core.fd);
    }
    for (int i = 0; i < 8; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (!full)
        skip();
}

static void an_unknown_method_passes_unchanged(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:Bob@two.example;x-parameter=1");
    char text[8192], original[8192];
    call.method = "FROBNICATE";
    call.headers = "X-Strange :  some \r\n  folded value\r\nContent-Type: a/b\r\n";
    call.body = "\r\nbody of \x01\x02 octets";
    request_text(stand, &stand->a, &call, original);
    send_text(stand, &stand->a, original);
    expect(&stand->b1, "FROBNICATE sip:Bob@two.example;x-parameter=1 SIP/2.0", text);
    assert_non_null(strstr(text, "X-Strange :  some \r\n  folded value\r\nContent-Type: a/b\r\n"));
    assert_non_null(strstr(text, "Content-Length: 17\r\n\r\nbody of \x01\x02 octets"));
    answer(stand, &stand->b1, text, "299 Frobnicated");
    expect(&stand->a, "SIP/2.0 299 Frobnicated", text);
}

static void malformed_requests_are_told_what_is_wrong(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char text[8192];
    request_text(stand, &stand->a, &call, text);
    char *cseq = strstr(text, "CSeq: 1 INVITE");
    memcpy(cseq, "CSeq: x INVITE", 14);
    send_text(stand, &stand->a, text);
    expect(&stand->a, "SIP/2.0 400", text);
    assert_non_null(strstr(text, "CSeq"));
}

static void draining_refuses_new_calls_only(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), again = invite("sip:bob@two.example");
    struct call options = {.method = "OPTIONS", .uri = "sip:one.example", .id = "drain"};
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    edge_drain(stand->edge);
    expect_refusal(stand, &options, "SIP/2.0 480", "draining");
    expect_refusal(stand, &again, "SIP/2.0 503", "Retry-After: ");
    assert_false(edge_idle(stand->edge));
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void a_second_edge_on_the_same_address_is_refused(void **state)
{
    struct stand *stand = *state;
    struct edge *second;
    char why[EDGE_MAX_WHY];
    assert_int_equal(edge_start(&stand->conf, stand->store, NULL, &second, why), -EADDRINUSE);
    assert_non_null(strstr(why, "cannot bind: Address already in use"));
}

int main(void)
{
#define EDGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        EDGE_TEST(a_call_between_two_cores_is_set_up_and_ended_from_either_side),
        EDGE_TEST(a_token_is_refused_in_another_dialog_or_without_its_tag),
        EDGE_TEST(refusals_say_why),
        EDGE_TEST(sips_needs_tls_in_a_dialog_too),
        EDGE_TEST(a_response_without_the_callers_via_is_not_passed_on),
        EDGE_TEST(options_to_our_address_are_answered),
        EDGE_TEST(the_route_of_a_core_on_our_own_address_stays),
        EDGE_TEST(a_refusal_keeps_no_state_and_absorbs_its_ack),
        EDGE_TEST(a_silent_or_full_core_is_passed_over),
        EDGE_TEST(a_late_ringing_of_a_target_given_up_is_cancelled),
        EDGE_TEST(a_cancel_reaches_the_core_that_rings),
        EDGE_TEST(a_core_that_ignores_a_cancel_is_not_waited_for_for_ever),
        EDGE_TEST(a_flood_of_ringing_does_not_drown_the_answer),
        EDGE_TEST(the_core_that_has_the_dialog_gets_its_requests),
        EDGE_TEST(a_cancel_reaches_a_core_whose_connection_broke),
        EDGE_TEST(a_call_cancelled_before_its_connection_is_up_never_rings),
        EDGE_TEST(an_unknown_method_passes_unchanged),
        EDGE_TEST(malformed_requests_are_told_what_is_wrong),
        EDGE_TEST(draining_refuses_new_calls_only),
        EDGE_TEST(a_second_edge_on_the_same_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
