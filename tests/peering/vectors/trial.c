#include "tests/peering/vectors/trial.h"

#include "base/arena.h"
#include "tests/peering/sip/sip_test.h"
#include "tests/peering/vectors/house.h"
#include "tests/peering/vectors/passed.h"
#include "tests/peering/vectors/peer.h"
#include "tests/peering/vectors/wire.h"

#include <arpa/inet.h>
#include <unistd.h>

#define CORE_PORT_TRIES 50
#define LAST            "last-of-the-trial" /* Call-ID or To tag of what is sent after a vector */
#define CORE_TAG        "core"
#define COMPOSED_MAX    (SIP_MAX_MESSAGE + 512)
#define OWN_MAX         8192 /* bytes of a request of our own */

enum side { CALLER, CORE, CORE_STREAM, SIDES };

struct run {
    const struct trial *trial;
    struct seen *seen;
    struct stand *stand;
    struct wire wire[SIDES];
    struct arena_pool *pool;
    struct arena *arena;
    uint64_t sent_ms;
    bool is_response; /* the vector; then: */
    bool answered;    /* the core has sent it */
    bool last_came;   /* what was sent after the vector has had its effect */
};

static void note(struct run *run, const char *fault)
{
    snprintf(run->seen->fault, sizeof(run->seen->fault), "%s", fault);
}

/* ---- the octets ---- */

/* The messages in them: on a stream there may be several, with keep-alives between them. */
static bool next_message(struct slice *octets, bool stream, struct slice *message)
{
    struct sip_frame frame = {.kind = SIP_FRAME_INCOMPLETE};
    size_t scanned = 0;
    if (stream)
        frame = sip_frame(*octets, &scanned);
    *octets = slice_skip(*octets, frame.skip);
    if (frame.kind == SIP_FRAME_PING)
        return next_message(octets, stream, message);
    *message = *octets;
    if (frame.kind == SIP_FRAME_MESSAGE)
        message->len = frame.len;
    *octets = slice_skip(*octets, message->len);
    return message->len > 0;
}

/* The message in the octets that this one was before it was passed on. */
static bool find_original(const struct run *run, const struct sip_msg *passed,
                          struct parsed *original)
{
    struct slice octets = vector_bytes(run->trial->vector), message;
    while (next_message(&octets, run->trial->stream, &message)) {
        parse(original, message, run->trial->stream);
        if (original->status == 0 && original->msg.is_request == passed->is_request &&
            original->msg.cseq == passed->cseq && slice_eq(original->msg.call_id, passed->call_id))
            return true;
    }
    return false;
}

static void provide_for(struct run *run, const struct sip_msg *request)
{
    const struct called_core core = {ntohs(wire_addr(&run->wire[CORE]).sin_port),
                                     run->trial->stream ? SIP_TCP : SIP_UDP,
                                     run->trial->peer != NULL};
    house_provide(run->stand, request, &core);
}

static void read_octets(struct run *run)
{
    struct slice octets = vector_bytes(run->trial->vector), message;
    struct parsed parsed;
    while (next_message(&octets, run->trial->stream, &message)) {
        parse(&parsed, message, run->trial->stream);
        if (!parsed.msg.is_request)
            continue;
        provide_for(run, &parsed.msg);
        run->seen->requests += parsed.msg.method != SIP_ACK;
    }
}

/* ---- what is sent ---- */

/* A request of the harness's own: `headers` are From, To, Call-ID and CSeq. */
static void write_own(const struct run *run, const char *method, const char *uri,
                      const char *headers, char text[OWN_MAX])
{
    char ip[INET_ADDRSTRLEN];
    struct sockaddr_in addr = wire_addr(&run->wire[CALLER]);
    inet_ntop(AF_INET, &addr.sin_addr, ip, sizeof(ip));
    snprintf(text, OWN_MAX,
             "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s:%u;branch=z9hG4bKown;rport\r\n"
             "Max-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n",
             method, uri,
             run->trial->peer     ? "TLS"
             : run->trial->stream ? "TCP"
                                  : "UDP",
             ip, ntohs(addr.sin_port), headers);
}

/* The edge answers it itself. It takes messages of one source in the order in which they came, so
 * whatever the vector has led to has happened then. */
static void send_last(struct run *run)
{
    char uri[64], text[OWN_MAX];
    snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u", run->stand->port);
    write_own(run, "OPTIONS", uri,
              "From: <sip:caller@" HOUSE_CALLERS ">;tag=f\r\nTo: <sip:edge@" HOUSE_CALLERS ">\r\n"
              "Call-ID: " LAST "\r\nCSeq: 1 OPTIONS\r\n",
              text);
    wire_send(&run->wire[CALLER], slice_of(text));
}

/* The request that the vector answers; one of our own where that cannot be told. */
static void write_request_answered(const struct run *run, char text[OWN_MAX])
{
    char headers[OWN_MAX / 2], method[128] = "INVITE";
    struct parsed response;
    parse(&response, vector_bytes(run->trial->vector), run->trial->stream);
    const struct sip_msg *msg = &response.msg;
    if (response.status == 0) {
        slice_to_cstr(msg->cseq_method_text, method, sizeof(method));
        snprintf(headers, sizeof(headers),
                 "From: %.*s\r\nTo: <%.*s>\r\nCall-ID: %.*s\r\nCSeq: %u %s\r\n",
                 SLICE_ARG(msg->from.bytes), SLICE_ARG(msg->to.uri.bytes), SLICE_ARG(msg->call_id),
                 msg->cseq, method);
    } else {
        snprintf(headers, sizeof(headers),
                 "From: <sip:caller@example.net>;tag=f\r\nTo: <sip:called@example.com>\r\n"
                 "Call-ID: own\r\nCSeq: 1 INVITE\r\n");
    }
    write_own(run, method, "sip:called@called.example", headers, text);
}

static void provide_for_answered(struct run *run)
{
    char text[OWN_MAX];
    struct parsed request;
    write_request_answered(run, text);
    parse(&request, slice_of(text), false);
    provide_for(run, &request.msg);
}

/* The vector with the edge's Via, as it is in `request`, on top. */
static void send_answer(struct run *run, struct wire *wire, const struct sip_msg *request)
{
    static char text[COMPOSED_MAX];
    struct slice octets = vector_bytes(run->trial->vector);
    struct slice via = sip_msg_header(request, SIP_H_VIA, NULL)->line;
    size_t start = slice_find(octets, '\n') + 1;
    if (start > octets.len || octets.len + via.len > sizeof(text)) {
        note(run, "the vector has no start line, or is too long");
        return;
    }
    memcpy(text, octets.p, start);
    memcpy(text + start, via.p, via.len);
    memcpy(text + start + via.len, octets.p + start, octets.len - start);
    wire_send(wire, slice_make(text, octets.len + via.len));
}

static void send_reply(struct run *run, struct wire *wire, const struct sip_msg *request,
                       unsigned status, const char *tag)
{
    const struct sip_reply reply = {.status = status, .to_tag = slice_of(tag)};
    wire_send(wire, sip_reply_build(run->arena, request, &reply));
}

/* ---- what comes ---- */

static void core_received(struct run *run, struct wire *wire, const struct parsed *parsed)
{
    struct parsed original;
    const struct sip_msg *msg = &parsed->msg;
    if (parsed->status != 0) {
        note(run, parsed->fault.reason);
    } else if (!msg->is_request || msg->method == SIP_CANCEL) {
        return;
    } else if (run->is_response) {
        if (!run->answered)
            send_answer(run, wire, msg);
        run->answered = true;
        send_reply(run, wire, msg, 486, LAST);
        return;
    } else if (find_original(run, msg, &original)) {
        passed_request(&original.msg, msg, run->seen->fault);
    }
    run->seen->forwards++;
    if (msg->method != SIP_ACK)
        send_reply(run, wire, msg, 200, CORE_TAG);
}

/* Refused by routing or policy, or answered by the edge in its own name. */
static bool is_policy(const struct sip_msg *answer)
{
    static const unsigned statuses[] = {302, 403, 404, 480};
    if (answer->status == 200 && answer->cseq_method == SIP_OPTIONS)
        return !slice_eq(answer->to_tag, SLICE(CORE_TAG)); /* the edge's own */
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (answer->status == statuses[i])
            return sip_msg_header_named(answer, "Warning") != NULL;
    return false;
}

static void caller_received(struct run *run, const struct parsed *parsed)
{
    const struct sip_msg *msg = &parsed->msg;
    struct seen *seen = run->seen;
    struct parsed original;
    if (parsed->status != 0) {
        if (msg->status == 0) /* an answer to a request that lacks headers lacks them too */
            note(run, parsed->fault.reason);
    } else if (slice_eq(msg->call_id, SLICE(LAST)) || slice_eq(msg->to_tag, SLICE(LAST))) {
        run->last_came = true;
        return;
    } else if (run->answered && find_original(run, msg, &original) &&
               original.msg.status == msg->status && slice_eq(original.msg.reason, msg->reason)) {
        passed_response(&original.msg, msg, seen->fault);
        seen->forwards++;
        run->last_came = msg->status >= 200;
        return;
    }
    if (msg->status < 200)
        return;
    seen->answers++;
    seen->status = msg->status;
    seen->policies += is_policy(msg);
}

static void take_all(struct run *run)
{
    struct parsed parsed;
    struct slice message;
    for (size_t i = 0; i < SIDES; i++)
        while (wire_take(&run->wire[i], &message)) {
            parse(&parsed, message, run->wire[i].stream);
            if (i == CALLER)
                caller_received(run, &parsed);
            else
                core_received(run, &run->wire[i], &parsed);
        }
}

/* Is there nothing more to come that could tell one outcome from another? */
static bool is_over(const struct run *run)
{
    const struct trial *trial = run->trial;
    const struct seen *seen = run->seen;
    if (trial->awaits == TRIAL_ALL)
        return seen->forwards + seen->policies >= seen->requests;
    if (seen->closed || run->last_came)
        return true;
    if (run->is_response)
        return seen->answers > 0; /* in the place of the vector */
    if (trial->awaits == TRIAL_CLOSE || trial->awaits == TRIAL_SILENCE)
        return false;
    if (seen->requests == 0) /* ACK */
        return seen->forwards > 0;
    return seen->answers >= seen->requests;
}

static void watch(struct run *run)
{
    struct wire *const wires[] = {&run->wire[CALLER], &run->wire[CORE], &run->wire[CORE_STREAM]};
    const struct wire *sender = &run->wire[run->is_response ? CORE_STREAM : CALLER];
    uint64_t until_ms = wire_now_ms() + TRIAL_WAIT_MS;
    while (!is_over(run) && wires_wait(wires, SIDES, until_ms)) {
        take_all(run);
        run->seen->closed = sender->closed;
        run->seen->after_ms = wire_now_ms() - run->sent_ms;
    }
    if (run->trial->awaits == TRIAL_SILENCE && !run->last_came && !run->seen->closed)
        note(run, "not even what was sent later was answered");
}

/* ---- beginning and end ---- */

/* An address of 127/8 that no other process uses, for the port is not ours to choose. */
static in_addr_t own_ip(void)
{
    uint32_t pid = (uint32_t)getpid();
    return htonl(0x7f400001 + ((pid & 0x1fffff) << 1));
}

/* The same number for UDP and TCP, for requests over the size limit may change over. */
static bool open_core(struct run *run)
{
    in_addr_t ip = htonl(INADDR_LOOPBACK);
    for (int tries = 0; tries < CORE_PORT_TRIES; tries++) {
        if (wire_open_udp(&run->wire[CORE], ip, 0) &&
            wire_listen(&run->wire[CORE_STREAM], ip, wire_addr(&run->wire[CORE]).sin_port))
            return true;
        wire_close(&run->wire[CORE]);
        wire_close(&run->wire[CORE_STREAM]);
    }
    return false;
}

static bool open_caller(struct run *run)
{
    struct wire *wire = &run->wire[CALLER];
    struct parsed parsed;
    if (run->trial->peer)
        return wire_connect_tls(wire, own_ip(), &run->stand->conf.transport.listeners[2].bind.in4,
                                run->trial->peer->ctx);
    if (run->trial->stream)
        return wire_connect(wire, own_ip(), &run->stand->edge_addr);
    parse(&parsed, vector_bytes(run->trial->vector), false);
    uint16_t port = parsed.msg.is_request && parsed.msg.via.port ? parsed.msg.via.port : 5060;
    bool opened = wire_open_udp(wire, own_ip(), htons(run->is_response ? 0 : port));
    wire->peer = run->stand->edge_addr;
    return opened;
}

/* Nothing but an answer that does not come may take long: the machine may be busy. */
static void configure(struct run *run)
{
    struct edge_conf *conf = &run->stand->conf;
    conf->workers = 1; /* messages of one source are taken in their order */
    conf->times = (struct txn_times){TRIAL_LONG_MS, TRIAL_LONG_MS, TRIAL_LONG_MS};
    conf->first_response_ms = conf->search_ms = TRIAL_LONG_MS;
    conf->max_transactions = 64;
    conf->transport.message_timeout_ms =
        run->trial->awaits == TRIAL_TIMEOUT ? TRIAL_BRIEF_MS : TRIAL_LONG_MS;
    netprefix_parse(&conf->allow[0], SLICE("127.0.0.0/8"));
    conf->allow_count = 1;
    conf->transport.connect_timeout_ms = TRIAL_LONG_MS;
    if (run->trial->peer)
        peer_welcome(run->trial->peer, own_ip(), conf);
    if (run->is_response)
        provide_for_answered(run);
    else
        read_octets(run);
}

static void send_vector(struct run *run)
{
    char text[OWN_MAX];
    run->sent_ms = wire_now_ms();
    if (run->is_response) {
        write_request_answered(run, text);
        wire_send(&run->wire[CALLER], slice_of(text));
    } else if (!wire_send(&run->wire[CALLER], vector_bytes(run->trial->vector))) {
        note(run, "the octets cannot be sent");
    } else if (run->trial->awaits == TRIAL_SILENCE) {
        send_last(run);
    }
}

void trial_run(const struct trial *trial, struct seen *seen)
{
    struct run run = {.trial = trial, .seen = seen, .stand = stand_open()};
    void *stand = run.stand;
    *seen = (struct seen){.requests = 0};
    run.is_response = strcmp(trial->vector->column[COL_KIND], "rsp") == 0;
    run.pool = arena_pool_alloc(4096, 0);
    run.arena = arena_alloc(run.pool, 0);
    for (size_t i = 0; i < SIDES; i++)
        run.wire[i].fd = -1;
    if (open_core(&run)) {
        configure(&run);
        stand_start(run.stand);
    }
    if (run.stand->edge && open_caller(&run)) {
        send_vector(&run);
        watch(&run);
    } else {
        note(&run, "the port that Via names cannot be bound");
    }
    for (size_t i = 0; i < SIDES; i++)
        wire_close(&run.wire[i]);
    arena_free(run.arena);
    arena_pool_free(run.pool);
    stand_tear_down(&stand);
}
