/* Messages of other workers: handed over, or dropped where the owner's inbox is full. */
#include "peering/proxy/proxy.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define WORKERS 4

/* The other workers, of which only the inbox is there. */
struct others {
    bool full;
    unsigned messages, last_owner;
};

static bool take(unsigned owner, const struct origin *origin, const struct proven *proven,
                 struct slice bytes, void *arg)
{
    struct others *others = arg;
    (void)origin, (void)proven, (void)bytes;
    others->messages++;
    others->last_owner = owner;
    return !others->full;
}

struct intake {
    struct proxy proxy;
    struct proxy_counters counters;
    struct others others;
    struct transport_listener listener;
};

static void set_up(struct intake *intake)
{
    memset(intake, 0, sizeof(*intake));
    intake->proxy.workers = WORKERS;
    intake->proxy.counters = &intake->counters;
    intake->proxy.handover = take;
    intake->proxy.handover_arg = &intake->others;
    intake->listener.side = TRANSPORT_INSIDE;
}

static void receive(struct intake *intake, const char *text)
{
    const struct transport_source source = {.listener = &intake->listener};
    proxy_receive(&source, slice_of(text), &intake->proxy);
}

/* A request of another worker's: branches are tried until one is. */
static void receive_request(struct intake *intake, const char *method)
{
    unsigned before = intake->others.messages;
    for (unsigned i = 0; intake->others.messages == before; i++) {
        struct sip_header headers[16];
        struct sip_msg msg;
        struct sip_fault fault;
        char text[512];
        snprintf(text, sizeof(text),
                 "%s sip:bob@two.example SIP/2.0\r\n"
                 "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK%u\r\nMax-Forwards: 70\r\n"
                 "From: <sip:alice@one.example>;tag=f\r\nTo: <sip:bob@two.example>\r\n"
                 "Call-ID: c\r\nCSeq: 1 %s\r\n\r\n",
                 method, i, method);
        assert_int_equal(
            sip_msg_parse(slice_of(text), false, headers, COUNT_OF(headers), &msg, &fault), 0);
        unsigned owner = txn_owner(&msg, intake->proxy.owner_key, WORKERS);
        if (owner == 0)
            continue;
        receive(intake, text);
        assert_int_equal(intake->others.messages, before + 1);
        assert_int_equal(intake->others.last_owner, owner);
    }
}

static void receive_response(struct intake *intake, unsigned owner)
{
    char text[512], branch[TXN_BRANCH_MAX];
    struct timers *timers = timers_alloc(4);
    const struct txn_times times = {500, 4000, 5000};
    struct txn_layer *txns = txn_layer_alloc(timers, &times, 1);
    txn_branch_make(txns, owner, branch);
    snprintf(text, sizeof(text),
             "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=%s\r\n"
             "From: <sip:alice@one.example>;tag=f\r\nTo: <sip:bob@two.example>;tag=t\r\n"
             "Call-ID: c\r\nCSeq: 1 MESSAGE\r\n\r\n",
             branch);
    receive(intake, text);
    txn_layer_free(txns);
    timers_free(timers);
}

static void requests_of_others_are_handed_over(void **state)
{
    static const char *const methods[] = {"INVITE", "ACK", "CANCEL", "MESSAGE", "OPTIONS"};
    struct intake intake;
    (void)state;
    set_up(&intake);
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        receive_request(&intake, methods[i]);
    assert_int_equal(intake.counters.handed_over, COUNT_OF(methods));
    assert_int_equal(intake.counters.dropped, 0);
    assert_int_equal(intake.counters.requests, 0); /* their owner counts them */
}

static void responses_to_others_are_handed_over(void **state)
{
    struct intake intake;
    (void)state;
    set_up(&intake);
    for (unsigned owner = 1; owner < WORKERS; owner++) {
        receive_response(&intake, owner);
        assert_int_equal(intake.others.last_owner, owner);
    }
    assert_int_equal(intake.counters.handed_over, WORKERS - 1);
    assert_int_equal(intake.counters.dropped, 0);
}

/* UDP: whoever sent it sends it again. */
static void a_full_inbox_drops_and_counts(void **state)
{
    struct intake intake;
    (void)state;
    set_up(&intake);
    intake.others.full = true;
    receive_request(&intake, "INVITE");
    receive_response(&intake, 1);
    assert_int_equal(intake.others.messages, 2);
    assert_int_equal(intake.counters.handed_over, 0);
    assert_int_equal(intake.counters.dropped, 2);
}

/* Our own branch tells which side was asked: who saw it further down cannot answer from here. */
static void responses_from_the_other_side_are_dropped(void **state)
{
    struct intake intake;
    (void)state;
    set_up(&intake);
    receive_response(&intake, WORKERS + 1); /* worker 1, towards the outside */
    assert_int_equal(intake.others.messages, 0);
    assert_int_equal(intake.counters.dropped, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_others_are_handed_over),
        cmocka_unit_test(responses_to_others_are_handed_over),
        cmocka_unit_test(a_full_inbox_drops_and_counts),
        cmocka_unit_test(responses_from_the_other_side_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
