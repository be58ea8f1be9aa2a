#include "resolver/packet.h"

#include "base/chars.h"
#include "base/status.h"
#include "tests/resolver/dns.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Recorded from Knot DNS 3.2.6: the answers to questions with id 0x1234 in lower case. */
static const struct recording {
    const char *name;
    enum resolver_type type;
    const char *hex;
    int status;   /* of the set; 1: no set */
    size_t count; /* of its records */
} recordings[] = {
    {"opb.example", RESOLVER_NAPTR,
     "123485000001000200000001036f7062076578616d706c650000230001c00c002300010000012c0028000a000a0173"
     "08534950532b44325400055f73697073045f746370036f7062076578616d706c6500c00c002300010000012c002600"
     "14000a0173075349502b44325500045f736970045f756470036f7062076578616d706c650000002904d0000000000000",
     0, 2},
    {"_sips._tcp.opb.example", RESOLVER_SRV,
     "123485000001000200000003055f73697073045f746370036f7062076578616d706c650000210001c00c0021000100"
     "00012c0018000a003c13c50465646765036f7062076578616d706c6500c00c002100010000012c00190014000013c6"
     "057370617265036f7062076578616d706c6500c03a000100010000012c00047f001402c03a001c00010000012c0010"
     "0000000000000000000000000000000100002904d0000000000000",
     0, 2},
    {"edge.opb.example", RESOLVER_A,
     "1234850000010001000000010465646765036f7062076578616d706c650000010001c00c000100010000012c00047f"
     "00140200002904d0000000000000",
     0, 1},
    {"edge.opb.example", RESOLVER_AAAA,
     "1234850000010001000000010465646765036f7062076578616d706c6500001c0001c00c001c00010000012c001000"
     "00000000000000000000000000000100002904d0000000000000",
     0, 1},
    {"spare.opb.example", RESOLVER_A,
     "123485000001000200000001057370617265036f7062076578616d706c650000010001c00c000500010000012c0007"
     "0465646765c012c02f000100010000012c00047f00140200002904d0000000000000",
     0, 1},
    {"out.opb.example", RESOLVER_A,
     "123485000001000100000001036f7574036f7062076578616d706c650000010001c00c000500010000012c00100377"
     "777709656c73657768657265c01400002904d0000000000000",
     1, 0},
    {"edge.opb.example", RESOLVER_SRV,
     "1234850000010000000100010465646765036f7062076578616d706c650000210001c011000600010000003c002602"
     "6e73c0110a686f73746d6173746572c0110000000100000e1000000258000151800000003c00002904d0000000000000",
     STATUS_NODATA, 0},
    {"none.opb.example", RESOLVER_A,
     "123485030001000000010001046e6f6e65036f7062076578616d706c650000010001c011000600010000003c002602"
     "6e73c0110a686f73746d6173746572c0110000000100000e1000000258000151800000003c00002904d0000000000000",
     STATUS_NXDOMAIN, 0},
    {"opc.example", RESOLVER_A,
     "123481050001000000000001036f7063076578616d706c65000001000100002904d0000000000006000f00020014",
     1, 0},
    {"_sipaddr.opb.example", RESOLVER_TXT,
     "123485000001000100000001085f73697061646472036f7062076578616d706c650000100001c00c00100001000001"
     "2c00110a763d736970616464723105206d6f726500002904d0000000000000",
     0, 1},
    {"_5061._tcp.edge.opb.example", RESOLVER_TLSA,
     "123485000001000100000001055f35303631045f7463700465646765036f7062076578616d706c650000340001c00c"
     "003400010000012c00230301010d6fce13243aa7dcb6d2c0ff0b6f3cf4a6b8a2b1d3f44bb6c1d1e2f3a4b5c6d70000"
     "2904d0000000000000",
     0, 1},
    {"5.5.1.e.opb.example", RESOLVER_NAPTR,
     "1234850000010001000000010135013501310165036f7062076578616d706c650000230001c00c002300010000012c"
     "00310064000a0175074532552b73697021215e5c2b34343230282e2a2924217369703a5c31406f70622e6578616d70"
     "6c65210000002904d0000000000000",
     0, 1},
};

static const struct resolver_entropy plain = {.id = {0x12, 0x34}}; /* all letters stay lower case */

static size_t unhex(const char *hex, char *bytes)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)((unsigned)char_hex(hex[2 * i]) << 4 | (unsigned)char_hex(hex[2 * i + 1]));
    return len;
}

static void query_make(const char *name, enum resolver_type type, struct resolver_query *query)
{
    assert_int_equal(resolver_query_encode(name, type, &plain, query), 0);
}

/* The bytes again, with an unreadable page right after them. */
struct guarded {
    char *pages;
    size_t size;
};

static struct guarded guard_alloc(void)
{
    struct guarded guard = {.size = 8 * (size_t)sysconf(_SC_PAGESIZE)};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guard.pages =
        mmap(NULL, guard.size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guard.pages, MAP_FAILED);
    assert_int_equal(mprotect(guard.pages + guard.size, page, PROT_NONE), 0);
    return guard;
}

static void guard_free(struct guarded *guard)
{
    munmap(guard->pages, guard->size + (size_t)sysconf(_SC_PAGESIZE));
}

static struct slice guarded_copy(struct guarded *guard, const char *bytes, size_t len)
{
    char *at = guard->pages + guard->size - len;
    memcpy(at, bytes, len);
    return slice_make(at, len);
}

static int try_decode(const struct resolver_query *query, struct slice bytes,
                      struct resolver_reply *reply)
{
    if (resolver_answer_fit(query, bytes) != RESOLVER_FIT_WHOLE)
        return STATUS_NOTFOUND;
    return resolver_answer_decode(query, bytes, reply);
}

/* Decodes what must be accepted. */
static struct resolver_reply decode(const struct resolver_query *query, struct slice bytes)
{
    struct resolver_reply reply = {0};
    int status = try_decode(query, bytes, &reply);
    if (status < 0) {
        fail_msg("refused with %d", status);
        abort(); /* fail_msg does not return, but does not say so */
    }
    return reply;
}

/* Whatever was accepted must be fit for use. */
static void assert_sound(const struct resolver_reply *reply)
{
    if (reply->kind == RESOLVER_REPLY_FAILED)
        assert_non_null(reply->cause);
    if (reply->kind == RESOLVER_REPLY_ALIAS)
        assert_true(strlen(reply->alias) > 0 && strlen(reply->alias) <= RESOLVER_NAME_MAX);
    if (reply->kind != RESOLVER_REPLY_ANSWER) {
        assert_null(reply->set);
        return;
    }
    assert_true(reply->set->count <= RESOLVER_RECORDS_MAX);
    assert_true(reply->set->status == 0 || reply->set->count == 0);
    for (size_t i = 0; i < reply->set->count; i++) {
        char name[RESOLVER_NAME_MAX + 1];
        const char *target = reply->set->type == RESOLVER_SRV ? reply->set->records[i].srv.target
                             : reply->set->type == RESOLVER_NAPTR
                                 ? reply->set->records[i].naptr.replacement
                                 : "";
        if (*target)
            assert_int_equal(resolver_name_copy(slice_of(target), name), 0);
    }
}

/* ---- the question ---- */

static void query_has_what_the_rfcs_ask_for(void **state)
{
    (void)state;
    struct resolver_query query;
    query_make("opb.example", RESOLVER_NAPTR, &query);
    static const uint8_t want[] =
        "\x12\x34\x01\x20\0\1\0\0\0\0\0\1" /* RD, AD, one question, one OPT */
        "\3opb\7example\0\0\x23\0\1"
        "\0\0\x29\x04\xd0\0\0\0\0\0\0"; /* EDNS 0, 1232 octets, no DO */
    assert_int_equal(query.len, sizeof(want) - 1);
    assert_memory_equal(query.wire, want, query.len);
    assert_int_equal(query.question_end, 12 + 13 + 4);
}

static void letters_of_the_question_follow_the_random_bits(void **state)
{
    (void)state;
    struct resolver_entropy entropy;
    struct resolver_query query;
    memset(&entropy, 0xff, sizeof(entropy));
    assert_int_equal(resolver_query_encode("op-b1.example", RESOLVER_A, &entropy, &query), 0);
    assert_memory_equal(query.wire + 12, "\5OP-B1\7EXAMPLE\0", 15);
    entropy.letters[0] = 0xff - 4; /* the third octet is the "p" */
    assert_int_equal(resolver_query_encode("op-b1.example", RESOLVER_A, &entropy, &query), 0);
    assert_memory_equal(query.wire + 12, "\5Op-B1\7EXAMPLE\0", 15);
    assert_string_equal(query.name, "op-b1.example");
}

static void names_that_cannot_be_asked_are_refused(void **state)
{
    (void)state;
    char label64[70], long_name[300];
    memset(label64, 'a', 64);
    memcpy(label64 + 64, ".nl", 4);
    memset(long_name, 0, sizeof(long_name));
    for (int i = 0; i < 254; i++)
        long_name[i] = i % 2 ? '.' : 'a';
    const char *bad[] = {"",      ".",        "opb.example.", ".opb.example", "opb..example",
                         "o b",   "o\\.b.nl", "opb/example",  "b\xc3\xbc.de", "a@b.example",
                         label64, long_name};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct resolver_query query;
        assert_int_equal(resolver_query_encode(bad[i], RESOLVER_A, &plain, &query), -EINVAL);
    }
    long_name[253] = '\0'; /* 253 octets, the last one a letter */
    struct resolver_query query;
    query_make(long_name, RESOLVER_A, &query);
    assert_int_equal(query.question_end, 12 + 255 + 4);
}

static void names_are_kept_in_lower_case(void **state)
{
    (void)state;
    char name[RESOLVER_NAME_MAX + 1];
    assert_int_equal(resolver_name_copy(SLICE("_SIPS._Tcp.OpB.Example"), name), 0);
    assert_string_equal(name, "_sips._tcp.opb.example");
}

/* ---- real answers ---- */

static void recorded_answers_are_read(void **state)
{
    (void)state;
    struct guarded guard = guard_alloc();
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        const struct recording *r = &recordings[i];
        char bytes[1024];
        struct resolver_query query;
        struct resolver_reply reply;
        size_t len = unhex(r->hex, bytes);
        query_make(r->name, r->type, &query);
        reply = decode(&query, guarded_copy(&guard, bytes, len));
        assert_sound(&reply);
        assert_false(reply.authentic);
        assert_int_equal(reply.set != NULL, r->status != 1);
        if (reply.set) {
            assert_int_equal(reply.set->status, r->status);
            assert_int_equal(reply.set->count, r->count);
            assert_int_equal(reply.set->ttl_s, r->status == 0 ? 300 : 60);
        }
        resolver_set_unref(reply.set);
    }
    guard_free(&guard);
}

static struct resolver_reply decode_recording(size_t number)
{
    char bytes[1024];
    struct resolver_query query;
    struct resolver_reply reply;
    size_t len = unhex(recordings[number].hex, bytes);
    query_make(recordings[number].name, recordings[number].type, &query);
    reply = decode(&query, slice_make(bytes, len));
    return reply;
}

static void assert_slice(struct slice got, const char *want, size_t len)
{
    assert_int_equal(got.len, len);
    assert_memory_equal(got.p, want, len);
}

static void fields_of_records_are_read(void **state)
{
    (void)state;
    struct resolver_reply reply = decode_recording(0);
    const struct resolver_naptr *naptr = &reply.set->records[0].naptr;
    assert_int_equal(naptr->order, 10);
    assert_int_equal(naptr->preference, 10);
    assert_string_equal(naptr->flags, "s");
    assert_string_equal(naptr->service, "SIPS+D2T");
    assert_int_equal(naptr->regexp.len, 0);
    assert_string_equal(naptr->replacement, "_sips._tcp.opb.example");
    resolver_set_unref(reply.set);

    reply = decode_recording(1);
    const struct resolver_srv *srv = &reply.set->records[1].srv;
    assert_int_equal(srv->priority, 20);
    assert_int_equal(srv->weight, 0);
    assert_int_equal(srv->port, 5062);
    assert_string_equal(srv->target, "spare.opb.example");
    resolver_set_unref(reply.set);

    reply = decode_recording(2);
    assert_int_equal(reply.set->records[0].a.s_addr, htonl(0x7f001402));
    resolver_set_unref(reply.set);

    reply = decode_recording(3);
    assert_memory_equal(&reply.set->records[0].aaaa, &in6addr_loopback, 16);
    resolver_set_unref(reply.set);

    reply = decode_recording(5);
    assert_int_equal(reply.kind, RESOLVER_REPLY_ALIAS);
    assert_string_equal(reply.alias, "www.elsewhere.example");
    assert_int_equal(reply.aliases, 1);
    assert_int_equal(reply.ttl_s, 300);

    reply = decode_recording(8);
    assert_int_equal(reply.kind, RESOLVER_REPLY_FAILED);
    assert_string_equal(reply.cause, "REFUSED");

    reply = decode_recording(9);
    assert_slice(reply.set->records[0].txt.text, "v=sipaddr1 more", 15);
    resolver_set_unref(reply.set);

    reply = decode_recording(10);
    const struct resolver_tlsa *tlsa = &reply.set->records[0].tlsa;
    assert_int_equal(tlsa->usage, 3);
    assert_int_equal(tlsa->selector, 1);
    assert_int_equal(tlsa->matching, 1);
    assert_slice(tlsa->data,
                 "\x0d\x6f\xce\x13\x24\x3a\xa7\xdc\xb6\xd2\xc0\xff\x0b\x6f\x3c\xf4\xa6\xb8\xa2\xb1"
                 "\xd3\xf4\x4b\xb6\xc1\xd1\xe2\xf3\xa4\xb5\xc6\xd7",
                 32);
    resolver_set_unref(reply.set);

    reply = decode_recording(11);
    naptr = &reply.set->records[0].naptr;
    assert_string_equal(naptr->flags, "u");
    assert_string_equal(naptr->service, "E2U+sip");
    assert_slice(naptr->regexp, "!^\\+4420(.*)$!sip:\\1@opb.example!", 33);
    assert_string_equal(naptr->replacement, "");
    resolver_set_unref(reply.set);
}

/* ---- hostile bytes ---- */

static void no_prefix_of_an_answer_is_taken_for_one(void **state)
{
    (void)state;
    struct guarded guard = guard_alloc();
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        if (i == 8) /* a REFUSED is known by its header */
            continue;
        char bytes[1024];
        struct resolver_query query;
        struct resolver_reply reply;
        size_t len = unhex(recordings[i].hex, bytes);
        query_make(recordings[i].name, recordings[i].type, &query);
        for (size_t cut = 0; cut < len; cut++) {
            int status = try_decode(&query, guarded_copy(&guard, bytes, cut), &reply);
            assert_int_equal(status, cut < query.question_end ? STATUS_NOTFOUND : STATUS_MALFORMED);
        }
    }
    guard_free(&guard);
}

static void no_changed_octet_leads_out_of_bounds(void **state)
{
    (void)state;
    struct guarded guard = guard_alloc();
    size_t accepted = 0, refused = 0;
    for (size_t i = 0; i < COUNT_OF(recordings); i++) {
        char bytes[1024];
        struct resolver_query query;
        size_t len = unhex(recordings[i].hex, bytes);
        query_make(recordings[i].name, recordings[i].type, &query);
        for (size_t at = 0; at < len; at++) {
            for (unsigned value = 0; value < 256; value++) {
                struct resolver_reply reply;
                struct slice copy = guarded_copy(&guard, bytes, len);
                ((char *)copy.p)[at] = (char)value;
                if (try_decode(&query, copy, &reply) < 0) {
                    refused++;
                    continue;
                }
                accepted++;
                assert_sound(&reply);
                resolver_set_unref(reply.set);
            }
        }
    }
    assert_true(accepted > 0 && refused > 0);
    guard_free(&guard);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void no_heap_of_changes_leads_out_of_bounds(void **state)
{
    (void)state;
    struct guarded guard = guard_alloc();
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        const struct recording *r = &recordings[next_random(&seed) % COUNT_OF(recordings)];
        char bytes[1024];
        struct resolver_query query;
        struct resolver_reply reply;
        size_t len = unhex(r->hex, bytes);
        query_make(r->name, r->type, &query);
        for (uint32_t n = 1 + next_random(&seed) % 6; n > 0; n--) {
            /* Beyond the question, and the counters: the rest is compared byte for byte. */
            size_t at = query.question_end + next_random(&seed) % (len - query.question_end);
            if (next_random(&seed) % 8 == 0)
                at = 6 + next_random(&seed) % 6;
            bytes[at] = (char)next_random(&seed);
        }
        size_t cut = next_random(&seed) % 4 ? len : next_random(&seed) % len;
        if (try_decode(&query, guarded_copy(&guard, bytes, cut), &reply) == 0) {
            assert_sound(&reply);
            resolver_set_unref(reply.set);
        }
    }
    guard_free(&guard);
}

static enum resolver_fit fit(const struct resolver_query *query, const struct dns_packet *packet)
{
    return resolver_answer_fit(query, slice_make((const char *)packet->bytes, packet->len));
}

static void only_the_answer_to_this_question_matches(void **state)
{
    (void)state;
    struct resolver_entropy entropy = {.id = {1, 2}, .letters = {0x56, 0xa5}};
    struct resolver_query query;
    struct dns_packet packet;
    assert_int_equal(resolver_query_encode("opb.example", RESOLVER_A, &entropy, &query), 0);
    dns_begin(&packet, query.wire, query.len, DNS_AA);
    assert_int_equal(fit(&query, &packet), RESOLVER_FIT_WHOLE);
    static const struct {
        size_t at;
        uint8_t flip;
    } changes[] = {
        {0, 0x01},  {1, 0x80},                          /* id */
        {2, 0x80},  {2, 0x08},                          /* QR, opcode */
        {4, 0x01},  {5, 0x01},  {5, 0x03},              /* number of questions */
        {13, 0x01}, {25, 0x01}, {26, 0x1d}, {28, 0x02}, /* name, type, class */
        {12, 0x20}, {24, 0x20}, {26, 0x20}, {28, 0x20}, /* what is no letter */
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct dns_packet changed = packet;
        changed.bytes[changes[i].at] ^= changes[i].flip;
        assert_int_equal(fit(&query, &changed), RESOLVER_FIT_NONE);
    }
    static const size_t letters[] = {13, 14, 20};
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        struct dns_packet changed = packet;
        changed.bytes[letters[i]] ^= 0x20;
        assert_int_equal(fit(&query, &changed), RESOLVER_FIT_CASE);
    }
}

/* As unbound refuses whom it does not know. */
static void error_without_question_matches(void **state)
{
    static const struct {
        unsigned rcode;
        enum resolver_fit fit;
        const char *cause;
    } cases[] = {{0, RESOLVER_FIT_NONE, NULL},
                 {1, RESOLVER_FIT_WHOLE, "FORMERR"},
                 {DNS_SERVFAIL, RESOLVER_FIT_WHOLE, "SERVFAIL"},
                 {DNS_NXDOMAIN, RESOLVER_FIT_NONE, NULL},
                 {4, RESOLVER_FIT_WHOLE, "NOTIMPL"},
                 {DNS_REFUSED, RESOLVER_FIT_WHOLE, "REFUSED"}};
    (void)state;
    struct resolver_query query;
    query_make("opb.example", RESOLVER_A, &query);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct dns_packet packet = {.len = 12,
                                    .bytes = {0x12, 0x34, 0x81, (uint8_t)cases[i].rcode}};
        struct resolver_reply reply = {.cause = NULL};
        assert_int_equal(fit(&query, &packet), cases[i].fit);
        if (cases[i].fit == RESOLVER_FIT_NONE)
            continue;
        struct slice bytes = slice_make((char *)packet.bytes, packet.len);
        assert_int_equal(try_decode(&query, bytes, &reply), 0);
        assert_int_equal(reply.kind, RESOLVER_REPLY_FAILED);
        assert_string_equal(reply.cause, cases[i].cause);
        packet.bytes[1] ^= 1;
        assert_int_equal(fit(&query, &packet), RESOLVER_FIT_NONE);
        packet.bytes[1] ^= 1;
        packet.len--;
        assert_int_equal(fit(&query, &packet), RESOLVER_FIT_NONE);
    }
}

struct crafted {
    const char *name; /* what is asked is always A opb.example */
    unsigned flags;
    const char *answer[10];
    const char *authority[2];
    int status; /* of decoding */
    enum resolver_reply_kind kind;
    int set_status;
    size_t count;
    uint32_t ttl_s;
};

static const struct crafted crafted[] = {
    {"smallest TTL of the way counts",
     DNS_AA,
     {"opb.example 300 CNAME b.example", "b.example 50 A 192.0.2.1", "b.example 70 A 192.0.2.2"},
     {NULL},
     0,
     RESOLVER_REPLY_ANSWER,
     0,
     2,
     50},
    {"CNAME records may come in any order",
     DNS_AA,
     {"c.example 9 A 192.0.2.1", "b.example 9 CNAME c.example", "opb.example 9 CNAME b.example"},
     {NULL},
     0,
     RESOLVER_REPLY_ANSWER,
     0,
     1,
     9},
    {"case of owners does not count",
     DNS_AA,
     {"OPB.exAMPLE 9 A 192.0.2.1"},
     {NULL},
     0,
     RESOLVER_REPLY_ANSWER,
     0,
     1,
     9},
    {"record of somebody else",
     DNS_AA,
     {"opb.example 9 A 192.0.2.1", "evil.example 9 A 192.0.2.6"},
     {NULL},
     STATUS_MALFORMED,
     0,
     0,
     0,
     0},
    {"CNAME of somebody else",
     DNS_AA,
     {"opb.example 9 A 192.0.2.1", "x.example 9 CNAME y.example"},
     {NULL},
     STATUS_MALFORMED,
     0,
     0,
     0,
     0},
    {"records of other types do not matter",
     DNS_AA,
     {"opb.example 9 A 192.0.2.1", "opb.example 1 NS ns.example"},
     {NULL},
     0,
     RESOLVER_REPLY_ANSWER,
     0,
     1,
     9},
    {"CNAME to itself",
     DNS_AA,
     {"opb.example 9 CNAME opb.example"},
     {NULL},
     0,
     RESOLVER_REPLY_FAILED,
     0,
     0,
     0},
    {"CNAME circle",
     DNS_AA,
     {"opb.example 9 CNAME b.example", "b.example 9 CNAME opb.example"},
     {NULL},
     0,
     RESOLVER_REPLY_FAILED,
     0,
     0,
     0},
    {"eight CNAME records",
     DNS_AA,
     {"opb.example 9 CNAME a1", "a1 9 CNAME a2", "a2 9 CNAME a3", "a3 9 CNAME a4", "a4 9 CNAME a5",
      "a5 9 CNAME a6", "a6 9 CNAME a7", "a7 9 CNAME a8", "a8 9 A 192.0.2.1"},
     {NULL},
     0,
     RESOLVER_REPLY_ANSWER,
     0,
     1,
     9},
    {"nine CNAME records",
     DNS_AA,
     {"opb.example 9 CNAME a1", "a1 9 CNAME a2", "a2 9 CNAME a3", "a3 9 CNAME a4", "a4 9 CNAME a5",
      "a5 9 CNAME a6", "a6 9 CNAME a7", "a7 9 CNAME a8", "a8 9 CNAME a9", "a9 9 A 192.0.2.1"},
     {NULL},
     0,
     RESOLVER_REPLY_FAILED,
     0,
     0,
     0},
    {"CNAME target without the type",
     DNS_AA,
     {"opb.example 30 CNAME b.example"},
     {"example 900 SOA ns.example h.example 1 2 3 4 600"},
     0,
     RESOLVER_REPLY_ANSWER,
     STATUS_NODATA,
     0,
     30},
    {"CNAME target that does not exist",
     DNS_AA | DNS_NXDOMAIN,
     {"opb.example 9000 CNAME b.example"},
     {"example 900 SOA ns.example h.example 1 2 3 4 600"},
     0,
     RESOLVER_REPLY_ANSWER,
     STATUS_NXDOMAIN,
     0,
     600},
    {"negative TTL is the smaller of SOA's TTL and MINIMUM",
     DNS_RA,
     {NULL},
     {"opb.example 100 SOA ns.example h.example 1 2 3 4 600"},
     0,
     RESOLVER_REPLY_ANSWER,
     STATUS_NODATA,
     0,
     100},
    {"SOA of the root counts",
     DNS_RA | DNS_NXDOMAIN,
     {NULL},
     {". 100 SOA ns.example h.example 1 2 3 4 60"},
     0,
     RESOLVER_REPLY_ANSWER,
     STATUS_NXDOMAIN,
     0,
     60},
    {"SOA of another zone does not count",
     DNS_RA | DNS_NXDOMAIN,
     {NULL},
     {"b.example 100 SOA ns.example h.example 1 2 3 4 60"},
     0,
     RESOLVER_REPLY_ANSWER,
     STATUS_NXDOMAIN,
     0,
     0},
    {"zone whose name merely ends alike does not count",
     DNS_RA,
     {NULL},
     {"pb.example 100 SOA ns.example h.example 1 2 3 4 60"},
     0,
     RESOLVER_REPLY_ANSWER,
     STATUS_NODATA,
     0,
     0},
    {"TTL over 2^31 is 0",
     DNS_AA,
     {"opb.example 2147483648 A 192.0.2.1"},
     {NULL},
     0,
     RESOLVER_REPLY_ANSWER,
     0,
     1,
     0},
    {"NXDOMAIN together with records contradicts itself",
     DNS_AA | DNS_NXDOMAIN,
     {"opb.example 9 A 192.0.2.1"},
     {NULL},
     STATUS_MALFORMED,
     0,
     0,
     0,
     0},
    {"referral is no answer",
     0,
     {NULL},
     {"example 9 NS ns.example"},
     0,
     RESOLVER_REPLY_FAILED,
     0,
     0,
     0},
    {"referral of a recursive server is none either",
     DNS_RA,
     {NULL},
     {"example 9 NS ns.example"},
     0,
     RESOLVER_REPLY_FAILED,
     0,
     0,
     0},
    {"nothing from a server without authority or recursion",
     0,
     {NULL},
     {NULL},
     0,
     RESOLVER_REPLY_FAILED,
     0,
     0,
     0},
    {"CNAME to a name that is legal but no host's",
     DNS_RA,
     {"opb.example 300 CNAME a/b.evil.example", "a/b.evil.example 300 A 192.0.2.1"},
     {NULL},
     0,
     RESOLVER_REPLY_FAILED,
     0,
     0,
     0},
    {"SERVFAIL", DNS_RA | DNS_SERVFAIL, {NULL}, {NULL}, 0, RESOLVER_REPLY_FAILED, 0, 0, 0},
    {"truncated", DNS_AA | DNS_TC, {NULL}, {NULL}, 0, RESOLVER_REPLY_TRUNCATED, 0, 0, 0},
};

static void answers_mean_what_the_rfcs_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(crafted); i++) {
        const struct crafted *c = &crafted[i];
        struct resolver_query query;
        struct dns_packet packet;
        struct resolver_reply reply = {0};
        query_make("opb.example", RESOLVER_A, &query);
        dns_begin(&packet, query.wire, query.len, c->flags);
        for (size_t n = 0; n < COUNT_OF(c->answer) && c->answer[n]; n++)
            dns_add(&packet, DNS_ANSWER, c->answer[n]);
        for (size_t n = 0; n < COUNT_OF(c->authority) && c->authority[n]; n++)
            dns_add(&packet, DNS_AUTHORITY, c->authority[n]);
        int status = try_decode(&query, slice_make((char *)packet.bytes, packet.len), &reply);
        if (status != c->status || (status == 0 && reply.kind != c->kind))
            fail_msg("%s: status %d, kind %d", c->name, status, reply.kind);
        if (reply.set && (reply.set->status != c->set_status || reply.set->count != c->count ||
                          reply.set->ttl_s != c->ttl_s))
            fail_msg("%s: set %d of %zu, TTL %u", c->name, reply.set->status, reply.set->count,
                     reply.set->ttl_s);
        resolver_set_unref(reply.set);
    }
}

static void loops_and_wild_pointers_are_malformed(void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes[24];
        size_t len;
    } records[] = {
        {"owner points at itself", {0xc0, 29, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4}, 16},
        {"owner points beyond the end", {0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4}, 16},
        {"owner points forward into a loop",
         {0xc0, 41, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 29},
         14},
        {"target points at itself", {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 41}, 14},
        {"label of a reserved kind", {0x80, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4}, 16},
        {"RDATA longer than the packet", {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 9, 1, 2, 3, 4}, 16},
        {"address of three octets", {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 3, 1, 2, 3}, 15},
        {"address of another class", {0xc0, 12, 0, 1, 0, 3, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4}, 16},
    };
    (void)state;
    struct guarded guard = guard_alloc();
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        struct resolver_query query;
        struct dns_packet packet;
        struct resolver_reply reply;
        query_make("opb.example", RESOLVER_A, &query);
        dns_begin(&packet, query.wire, query.len, DNS_AA);
        assert_int_equal(packet.len, 29);
        dns_add_raw(&packet, DNS_ANSWER, records[i].bytes, records[i].len);
        struct slice bytes = guarded_copy(&guard, (char *)packet.bytes, packet.len);
        if (try_decode(&query, bytes, &reply) != STATUS_MALFORMED)
            fail_msg("%s: accepted", records[i].name);
    }
    guard_free(&guard);
}

static void number_of_records_kept_is_bounded(void **state)
{
    static const struct {
        enum resolver_type type;
        const char *record;
        size_t kept;
    } cases[] = {{RESOLVER_SRV, "o.example 300 SRV 1 1 1 a.example", RESOLVER_RECORDS_MAX},
                 {RESOLVER_AAAA, "o.example 300 AAAA 2001:db8::1", RESOLVER_ADDRESSES_MAX},
                 {RESOLVER_A, "o.example 300 A 192.0.2.1", RESOLVER_ADDRESSES_MAX}};
    (void)state;
    struct resolver_query query;
    struct dns_packet packet;
    struct resolver_reply reply;
    struct slice bytes;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        query_make("o.example", cases[i].type, &query);
        dns_begin(&packet, query.wire, query.len, DNS_AA);
        for (int n = 0; n < RESOLVER_RECORDS_MAX + 100; n++)
            dns_add(&packet, DNS_ANSWER, cases[i].record);
        bytes = slice_make((char *)packet.bytes, packet.len);
        reply = decode(&query, bytes);
        assert_int_equal(reply.kind, RESOLVER_REPLY_ANSWER);
        assert_int_equal(reply.set->count, cases[i].kept);
        resolver_set_unref(reply.set);
    }
    packet.bytes[DNS_ANSWER] = packet.bytes[DNS_ANSWER + 1] = 0xff; /* says that there are 65,535 */
    assert_int_equal(try_decode(&query, bytes, &reply), STATUS_MALFORMED);
}

/* Also the lengths at which a text fills its room to the last octet. */
static void every_text_finds_room_in_its_set(void **state)
{
    (void)state;
    char text[256], line[1000];
    memset(text, 'x', sizeof(text));
    for (int len = 1; len < 256; len++) {
        struct resolver_query query;
        struct dns_packet packet;
        struct resolver_reply reply;
        query_make("opb.example", RESOLVER_TXT, &query);
        dns_begin(&packet, query.wire, query.len, DNS_AA);
        snprintf(line, sizeof(line), "opb.example 9 TXT %.*s %.*s -", len, text, 256 - len, text);
        for (int i = 0; i < 3; i++)
            dns_add(&packet, DNS_ANSWER, line);
        reply = decode(&query, slice_make((char *)packet.bytes, packet.len));
        assert_int_equal(reply.set->count, 3);
        for (size_t i = 0; i < 3; i++)
            assert_slice(reply.set->records[i].txt.text, text, 256);
        resolver_set_unref(reply.set);

        query_make("opb.example", RESOLVER_NAPTR, &query);
        dns_begin(&packet, query.wire, query.len, DNS_AA);
        snprintf(line, sizeof(line), "opb.example 9 NAPTR 1 1 %.*s %.*s %.*s .", len, text, len,
                 text, len, text);
        for (int i = 0; i < 3; i++)
            dns_add(&packet, DNS_ANSWER, line);
        reply = decode(&query, slice_make((char *)packet.bytes, packet.len));
        assert_int_equal(reply.set->count, 3);
        for (size_t i = 0; i < 3; i++)
            assert_slice(reply.set->records[i].naptr.regexp, text, (size_t)len);
        resolver_set_unref(reply.set);
    }
}

static void unusable_targets_are_left_out_but_not_taken_for_none(void **state)
{
    (void)state;
    struct resolver_query query;
    struct dns_packet packet;
    struct resolver_reply reply;
    query_make("_sips._tcp.opb.example", RESOLVER_SRV, &query);
    dns_begin(&packet, query.wire, query.len, DNS_AA);
    dns_add(&packet, DNS_ANSWER, "_sips._tcp.opb.example 9 SRV 1 1 1 b?d.example");
    struct slice bytes = slice_make((char *)packet.bytes, packet.len);
    reply = decode(&query, bytes);
    assert_int_equal(reply.set->status, 0);
    assert_int_equal(reply.set->count, 0);
    resolver_set_unref(reply.set);
    dns_add(&packet, DNS_ANSWER, "_sips._tcp.opb.example 9 SRV 1 1 1 .");
    bytes = slice_make((char *)packet.bytes, packet.len);
    reply = decode(&query, bytes);
    assert_int_equal(reply.set->count, 1);
    assert_string_equal(reply.set->records[0].srv.target, "");
    resolver_set_unref(reply.set);
}

static void strings_of_naptr_are_cut_and_made_printable(void **state)
{
    (void)state;
    struct resolver_query query;
    struct dns_packet packet;
    struct resolver_reply reply;
    query_make("opb.example", RESOLVER_NAPTR, &query);
    dns_begin(&packet, query.wire, query.len, DNS_AA);
    dns_add(&packet, DNS_ANSWER,
            "opb.example 9 NAPTR 1 1 ssssssssssss a\"b\\c\x01\x7f\xff !^.*$!x! opb.example");
    struct slice bytes = slice_make((char *)packet.bytes, packet.len);
    reply = decode(&query, bytes);
    assert_string_equal(reply.set->records[0].naptr.flags, "ssssssss");
    assert_string_equal(reply.set->records[0].naptr.service, "a?b?c???");
    assert_slice(reply.set->records[0].naptr.regexp, "!^.*$!x!", 8);
    resolver_set_unref(reply.set);
}

/* The upper bits of the RCODE are in the OPT record. */
static void extended_rcode_is_a_failure(void **state)
{
    static const struct {
        unsigned flags;
        uint8_t upper;
        enum resolver_reply_kind kind;
        const char *cause;
    } cases[] = {{DNS_AA, 0, RESOLVER_REPLY_ANSWER, NULL},
                 {DNS_AA, 1, RESOLVER_REPLY_FAILED, "BADVERS"},
                 {DNS_AA | DNS_NXDOMAIN, 0, RESOLVER_REPLY_ANSWER, NULL},
                 {DNS_AA | DNS_NXDOMAIN, 1, RESOLVER_REPLY_FAILED, "an unknown RCODE"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const uint8_t opt[] = {0, 0, 41, 0x04, 0xd0, cases[i].upper, 0, 0, 0, 0, 0};
        struct resolver_query query;
        struct dns_packet packet;
        query_make("opb.example", RESOLVER_A, &query);
        dns_begin(&packet, query.wire, query.len, cases[i].flags);
        dns_add_raw(&packet, DNS_ADDITIONAL, opt, sizeof(opt));
        struct resolver_reply reply = decode(&query, slice_make((char *)packet.bytes, packet.len));
        assert_int_equal(reply.kind, cases[i].kind);
        if (cases[i].cause)
            assert_string_equal(reply.cause, cases[i].cause);
        resolver_set_unref(reply.set);
    }
}

static void ad_bit_is_reported(void **state)
{
    (void)state;
    struct resolver_query query;
    struct dns_packet packet;
    struct resolver_reply reply;
    query_make("opb.example", RESOLVER_A, &query);
    dns_begin(&packet, query.wire, query.len, DNS_RA | DNS_AD);
    dns_add(&packet, DNS_ANSWER, "opb.example 9 A 192.0.2.1");
    struct slice bytes = slice_make((char *)packet.bytes, packet.len);
    reply = decode(&query, bytes);
    assert_true(reply.authentic);
    resolver_set_unref(reply.set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_has_what_the_rfcs_ask_for),
        cmocka_unit_test(letters_of_the_question_follow_the_random_bits),
        cmocka_unit_test(names_that_cannot_be_asked_are_refused),
        cmocka_unit_test(names_are_kept_in_lower_case),
        cmocka_unit_test(recorded_answers_are_read),
        cmocka_unit_test(fields_of_records_are_read),
        cmocka_unit_test(no_prefix_of_an_answer_is_taken_for_one),
        cmocka_unit_test(no_changed_octet_leads_out_of_bounds),
        cmocka_unit_test(no_heap_of_changes_leads_out_of_bounds),
        cmocka_unit_test(only_the_answer_to_this_question_matches),
        cmocka_unit_test(error_without_question_matches),
        cmocka_unit_test(answers_mean_what_the_rfcs_say),
        cmocka_unit_test(loops_and_wild_pointers_are_malformed),
        cmocka_unit_test(number_of_records_kept_is_bounded),
        cmocka_unit_test(every_text_finds_room_in_its_set),
        cmocka_unit_test(unusable_targets_are_left_out_but_not_taken_for_none),
        cmocka_unit_test(strings_of_naptr_are_cut_and_made_printable),
        cmocka_unit_test(extended_rcode_is_a_failure),
        cmocka_unit_test(ad_bit_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
