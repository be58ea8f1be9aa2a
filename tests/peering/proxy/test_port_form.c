/* Which redirects are port data (design 3.3). */
#include "peering/proxy/port_form.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static const struct store_address bob = {.user = "bob", .domain = "opb.example"};

static void parse(const char *status, const char *contacts, char text[2048],
                  struct sip_header headers[16], struct sip_msg *msg)
{
    struct sip_fault fault;
    snprintf(text, 2048,
             "SIP/2.0 %s\r\nVia: SIP/2.0/TLS a.example;branch=z9hG4bK1\r\nFrom: <sip:a@b.example>"
             ";tag=1\r\nTo: <sip:bob@opb.example>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n%s"
             "Content-Length: 0\r\n\r\n",
             status, contacts);
    assert_int_equal(sip_msg_parse(slice_of(text), true, headers, 16, msg, &fault), 0);
}

#define CONTACT(text) "Contact: " text "\r\n"
#define OPC           "sip:bob%40opb.example@opc.example"

static void only_one_contact_of_the_exact_form_is_port_data(void **state)
{
    static const struct {
        const char *status, *contacts;
        bool sips;
        unsigned for_s; /* 0: no port data */
        bool poses;
    } rows[] = {
        {"302 Moved Temporarily", CONTACT("<" OPC ">;expires=60"), false, 60, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ">"), false, 300, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ">;expires=999999"), false, 3600, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ">;expires=x"), false, 300, true},
        {"302 Moved Temporarily", CONTACT("<sips:bob%40opb.example@opc.example>"), true, 300, true},
        {"302 Moved Temporarily", CONTACT("<sip:B%6fb%40OPB.example@Opc.Example.>"), false, 300,
         true},
        /* the header counts where the Contact says nothing (RFC 3261 section 21.3.3) */
        {"302 Moved Temporarily", CONTACT("<" OPC ">") "Expires: 60\r\n", false, 60, true},
        {"302 Moved Temporarily", "expires: 999999\r\n" CONTACT("<" OPC ">"), false, 3600, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ">;expires=7") "Expires: 60\r\n", false, 7, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ">") "Expires: soon\r\n", false, 300, true},
        /* sips: never leads to sip: */
        {"302 Moved Temporarily", CONTACT("<" OPC ">"), true, 0, true},
        {"301 Moved Permanently", CONTACT("<" OPC ">"), false, 0, true},
        {"200 OK", CONTACT("<" OPC ">"), false, 0, false},
        {"302 Moved Temporarily", CONTACT("<" OPC ">, <sip:x@opc.example>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ">") CONTACT("<" OPC ">"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ":5061>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ";maddr=192.0.2.1>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<" OPC ";m%61ddr=192.0.2.1>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<" OPC "?Subject=x>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<sip:bob%40opb.example@192.0.2.1>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<sip:eve%40opb.example@opc.example>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<sip:bob%40opd.example@opc.example>"), false, 0, true},
        {"302 Moved Temporarily", CONTACT("<sip:bob@opc.example>"), false, 0, false},
        {"302 Moved Temporarily", CONTACT("<tel:+4930123>"), false, 0, false},
        {"302 Moved Temporarily", "", false, 0, false},
        {"302 Moved Temporarily", CONTACT("<sip:x@y.example>, <" OPC ">"), false, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[2048];
        struct sip_header headers[16];
        struct sip_msg msg;
        struct port_form form = {.for_s = 0};
        parse(rows[i].status, rows[i].contacts, text, headers, &msg);
        bool is_data = port_form_read(&msg, &bob, rows[i].sips, &form);
        if (is_data != (rows[i].for_s > 0) || form.for_s != rows[i].for_s ||
            port_form_poses(&msg) != rows[i].poses)
            fail_msg("row %zu: %d, for %u s", i, is_data, form.for_s);
        if (is_data)
            assert_string_equal(form.host, "opc.example");
    }
}

static void an_address_in_a_user_part_is_split_at_its_last_at_sign(void **state)
{
    static const struct {
        const char *uri, *user, *domain;
    } rows[] = {
        {"sip:bob%40opb.example@opc.example", "bob", "opb.example"},
        {"sip:B%C3%A4r%40opb.example@opc.example", "b%C3%A4r", "opb.example"},
        {"sip:a%40b%40opb.example@opc.example", NULL, NULL}, /* a user part never holds one */
        {"sip:bob@opc.example", NULL, NULL},
        {"sip:%40opb.example@opc.example", NULL, NULL},
        {"sip:bob%40@opc.example", NULL, NULL},
        {"sip:bob%40127.0.0.1@opc.example", NULL, NULL},
        {"tel:+4930123", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sip_uri uri;
        struct store_address address;
        assert_int_equal(sip_uri_decode(slice_of(rows[i].uri), &uri), 0);
        bool holds = port_form_address(&uri, &address);
        if (holds != (rows[i].user != NULL))
            fail_msg("%s", rows[i].uri);
        if (!holds)
            continue;
        assert_string_equal(address.user, rows[i].user);
        assert_string_equal(address.domain, rows[i].domain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_contact_of_the_exact_form_is_port_data),
        cmocka_unit_test(an_address_in_a_user_part_is_split_at_its_last_at_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
