#include "peering/watch/hep.h"
#include "tests/test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct hep_packet packet_of(const char *from, const char *to)
{
    struct hep_packet packet = {.protocol = IPPROTO_TCP,
                                .time_us = 1795619779123456,
                                .call_id = SLICE("call"),
                                .message = SLICE("BYE")};
    assert_int_equal(netaddr_parse(&packet.from, slice_of(from), 0), 0);
    assert_int_equal(netaddr_parse(&packet.to, slice_of(to), 0), 0);
    return packet;
}

static void a_packet_has_every_chunk(void **state)
{
    static const char expected[] = "HEP3\0\x70"
                                   "\0\0\0\x01\0\x07\x02"
                                   "\0\0\0\x02\0\x07\x06"
                                   "\0\0\0\x03\0\x0a\xc0\0\x02\x01"
                                   "\0\0\0\x04\0\x0a\xc0\0\x02\x02"
                                   "\0\0\0\x07\0\x08\x13\xc4"
                                   "\0\0\0\x08\0\x08\x13\xc5"
                                   "\0\0\0\x09\0\x0a\x6b\x06\xfb\xc3"
                                   "\0\0\0\x0a\0\x0a\0\x01\xe2\x40"
                                   "\0\0\0\x0b\0\x07\x01"
                                   "\0\0\0\x0c\0\x0a\0\0\x07\xd1"
                                   "\0\0\0\x11\0\x0a"
                                   "call\0\0\0\x0f\0\x09"
                                   "BYE";
    struct hep_packet packet = packet_of("192.0.2.1:5060", "192.0.2.2:5061");
    char bytes[HEP_PACKET_MAX];
    (void)state;
    assert_int_equal(hep_pack(&packet, 2001, bytes), sizeof(expected) - 1);
    assert_memory_equal(bytes, expected, sizeof(expected) - 1);
}

static void the_longest_packet_fits_a_datagram(void **state)
{
    size_t len = (size_t)2 * HEP_PACKET_MAX;
    char *long_text = calloc(1, len), *bytes = malloc(HEP_PACKET_MAX);
    struct hep_packet packet = packet_of("[2001:db8::1]:5060", "[2001:db8::2]:5061");
    (void)state;
    assert_non_null(long_text);
    assert_non_null(bytes);
    packet.call_id = packet.message = slice_make(long_text, len);
    size_t made = hep_pack(&packet, 1, bytes);
    assert_in_range(made, HEP_MESSAGE_MAX, HEP_PACKET_MAX);
    assert_int_equal((unsigned char)bytes[4] << 8 | (unsigned char)bytes[5], made);
    free(long_text);
    free(bytes);
}

static void what_nobody_takes_is_lost_and_nothing_else(void **state)
{
    struct hep_packet packet = packet_of("192.0.2.1:5060", "192.0.2.2:5061");
    struct netaddr none = {.sa = {.sa_family = AF_UNSPEC}};
    struct hep hep;
    (void)state;
    assert_int_equal(hep_open(&hep, &none, 1), 0);
    assert_int_equal(hep.fd, -1);
    struct netaddr closed;
    assert_int_equal(netaddr_parse(&closed, SLICE("127.0.0.1:9"), 0), 0);
    assert_int_equal(hep_open(&hep, &closed, 1), 0);
    hep_send(&hep, &packet); /* the first one gets no error, later ones may */
    hep_send(&hep, &packet);
    assert_true(hep.lost <= 1);
    hep_close(&hep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_has_every_chunk),
        cmocka_unit_test(the_longest_packet_fits_a_datagram),
        cmocka_unit_test(what_nobody_takes_is_lost_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
