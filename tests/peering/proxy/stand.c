#include "tests/peering/proxy/stand.h"

#include "base/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PORT_TRIES 50

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

int stand_submit(struct stand *stand, struct store_command *command)
{
    struct store_verdict verdict;
    snprintf(command->actor, sizeof(command->actor), "test");
    assert_int_equal(store_submit(stand->store, command, &verdict), 0);
    return verdict.status;
}

static void add_domain(struct stand *stand, const char *name, const struct core *cores[],
                       unsigned count, enum sip_transport transport)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD, .expected_version = STORE_ANY_VERSION};
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", name);
    for (unsigned i = 0; i < count; i++) {
        struct store_core *core = &command.domain.cores[i];
        snprintf(core->host, sizeof(core->host), "127.0.0.1");
        core->port = cores[i]->port;
        core->transport = transport;
    }
    command.domain.core_count = count;
    assert_int_equal(stand_submit(stand, &command), 0);
}

void stand_name_core(struct stand *stand, const char *domain, const char *name)
{
    struct store_command command = {.op = STORE_DOMAIN_PUT, .expected_version = STORE_ANY_VERSION};
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", domain);
    snprintf(command.domain.cores[0].host, sizeof(command.domain.cores[0].host), "%s", name);
    command.domain.cores[0].transport = SIP_UDP;
    command.domain.core_count = 1;
    assert_int_equal(stand_submit(stand, &command), 0);
}

static void add_address(struct stand *stand, const char *text)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_fault fault;
    assert_int_equal(store_address_parse(slice_of(text), &command.record.address, &fault), 0);
    command.record.state = STORE_ADDRESS_HOSTED;
    snprintf(command.record.hosting, sizeof(command.record.hosting), "%s",
             command.record.address.domain);
    snprintf(command.record.display, sizeof(command.record.display), "%s", text);
    assert_int_equal(stand_submit(stand, &command), 0);
}

static void configure(struct stand *stand)
{
    struct edge_conf *conf = &stand->conf;
    conf->workers = 2;
    conf->times = (struct txn_times){100, 400, 500};
    conf->first_response_ms = 300;
    conf->search_ms = 3000;
    netaddr_from_ip(&conf->resolver.upstreams[0].addr, SLICE("127.0.0.1"), 9);
    conf->resolver.upstream_count = 1;
}

static void configure_port(struct stand *stand)
{
    struct transport_conf *conf = &stand->conf.transport;
    struct transport_listener *listener = &conf->listeners[0];
    struct core reserved = core_open(); /* a port that is free now */
    stand->port = reserved.port;
    close(reserved.fd);
    listener->side = TRANSPORT_INSIDE;
    listener->transport = SIP_UDP;
    netaddr_from_ip(&listener->bind, SLICE("127.0.0.1"), stand->port);
    snprintf(listener->advertise_host, sizeof(listener->advertise_host), "127.0.0.1");
    listener->advertise_port = stand->port;
    conf->listeners[1] = *listener;
    conf->listeners[1].transport = SIP_TCP;
    if (conf->listener_count < 2) /* a test may have added others */
        conf->listener_count = 2;
    stand->edge_addr = listener->bind.in4;
}

/* The edge wants one number for UDP and TCP. Somebody else may have it for TCP, or take it between
 * our look and the start: then another one. */
void stand_start(struct stand *stand)
{
    char why[EDGE_MAX_WHY] = "";
    int status = -EADDRINUSE;
    for (int tries = 0; tries < MAX_PORT_TRIES && status == -EADDRINUSE; tries++) {
        configure_port(stand);
        status = edge_start(&stand->conf, stand->store, NULL, &stand->edge, why);
    }
    if (status)
        fail_msg("edge_start: %s", why);
}

struct stand *stand_open(void)
{
    struct stand *stand = calloc(1, sizeof(*stand));
    struct store_fault fault;
    test_folder_make(stand->dir, sizeof(stand->dir));
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
    return stand;
}

int stand_set_up(void **state)
{
    struct stand *stand = stand_open();
    stand_start(stand);
    *state = stand;
    return 0;
}

int stand_tear_down(void **state)
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

void stand_restart(struct stand *stand)
{
    char why[EDGE_MAX_WHY] = "";
    edge_stop(stand->edge);
    stand->edge = NULL;
    if (edge_start(&stand->conf, stand->store, NULL, &stand->edge, why) != 0)
        fail_msg("edge_start: %s", why);
}

void send_text(struct stand *stand, const struct core *core, const char *text)
{
    sendto(core->fd, text, strlen(text), 0, (struct sockaddr *)&stand->edge_addr,
           sizeof(stand->edge_addr));
}

bool receive(const struct core *core, char text[8192], int wait_ms)
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
void expect(const struct core *core, const char *start, char text[8192])
{
    do {
        if (!receive(core, text, WAIT_MS))
            fail_msg("waited in vain for %s", start);
    } while (strncmp(text, start, strlen(start)) != 0);
}

void expect_nothing(const struct core *core)
{
    char text[8192];
    if (receive(core, text, QUIET_MS))
        fail_msg("not expected: %.200s", text);
}

void request_text(const struct stand *stand, const struct core *core, const struct call *call,
                  char text[8192])
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

void send_request(struct stand *stand, const struct core *core, const struct call *call)
{
    char text[8192];
    request_text(stand, core, call, text);
    send_text(stand, core, text);
}

struct call invite(const char *uri)
{
    static unsigned serial;
    struct call call = {.method = "INVITE", .uri = uri, .cseq = 1};
    snprintf(call.id, sizeof(call.id), "call%u", ++serial);
    return call;
}

/* The lines of `request` whose names are in a response, with a To tag, as a UAS would copy them. */
void answer_text(const struct core *core, const char *request, const char *status, char text[8192])
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

void answer(struct stand *stand, const struct core *core, const char *request, const char *status)
{
    char text[8192];
    answer_text(core, request, status, text);
    send_text(stand, core, text);
}

/* The nth value of a header, into out. */
void header_of(const char *text, const char *name, int nth, char out[1024])
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

int lines_of(const char *text, const char *name)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, "\r\n")); at += 2)
        count += strncmp(at + 2, name, strlen(name)) == 0;
    return count;
}

void expect_refusal(struct stand *stand, const struct call *call, const char *start,
                    const char *warning)
{
    char text[8192];
    send_request(stand, &stand->a, call);
    expect(&stand->a, start, text);
    if (warning && !strstr(text, warning))
        fail_msg("no \"%s\" in: %s", warning, text);
}
