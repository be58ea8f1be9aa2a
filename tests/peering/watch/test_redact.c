#include "peering/watch/watch.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN "AQEBb3BhLmV4YW1wbGUAb3BiLmV4YW1wbGUAAAECAwQFBgcICQoLDA0ODw"

static const struct {
    const char *in, *out;
} cases[] = {
    {"BYE sip:" TOKEN "@opa.example;lr SIP/2.0\r\nTo: <sip:" TOKEN "@h>\r\n\r\n",
     "BYE sip:AQEBb3Bh...@opa.example;lr SIP/2.0\r\nTo: <sip:" TOKEN "@h>\r\n\r\n"},
    {"R\r\nWarning: 399 h \"no such address: sip:" TOKEN "@h\"\r\n\r\n",
     "R\r\nWarning: 399 h \"no such address: sip:AQEBb3Bh...@h\"\r\n\r\n"},
    {"\r\nR\r\nAuthorization: x y-and-z\r\n\r\n", "\r\nR\r\nAuthorization: x ...\r\n\r\n"},
    {"R\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
     "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4;inline:Q0==\r\n"
     "A=CRYPTO:2 F8 INLINE:Q0== FEC_ORDER=FEC_SRTP\na=x inline:kept\r\n",
     "R\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
     "inline:****************************************|2^20|1:4;inline:****\r\n"
     "A=CRYPTO:2 F8 INLINE:**** FEC_ORDER=FEC_SRTP\na=x inline:kept\r\n"},
    {"R\n\n a body\nk=base64:c2VjcmV0\nk=prompt\nk=clear:1\na=key-mgmt:mikey AQAF\na=crypto:",
     "R\n\n a body\nk=base64:********\nk=prompt\nk=clear:*\na=key-mgmt:mikey ****\na=crypto:"},
    {"R\r\n\r\na=crypto:1 X inline:", "R\r\n\r\na=crypto:1 X inline:"},
    {"INVITE sip:b@x SIP/2.0\r\nauthorization : Digest username=\"a\",\r\n response=\"b\" \r\nX: 1\r\n\r\n",
     "INVITE sip:b@x SIP/2.0\r\nauthorization : Digest ... \r\nX: 1\r\n\r\n"},
    {"R\r\nProxy-Authorization: Basic QTpC\r\n\r\n", "R\r\nProxy-Authorization: Basic ...\r\n\r\n"},
    {"R\r\nAuthorization:secret-alone\r\n\r\n", "R\r\nAuthorization:...\r\n\r\n"},
    {"R\r\nAuthorization:\r\nAuthorization: x y\r\n\r\n",
     "R\r\nAuthorization:\r\nAuthorization: x y\r\n\r\n"},
    {"R\r\nAuthorization-Info: keep it\r\nProxy-Authenticate: Digest nonce=\"keep\"\r\n\r\n",
     "R\r\nAuthorization-Info: keep it\r\nProxy-Authenticate: Digest nonce=\"keep\"\r\n\r\n"},
    {"R\r\nRoute: <sip:" TOKEN "@opa.example;lr>, <sips:" TOKEN "@h;lr>\r\n\r\n",
     "R\r\nRoute: <sip:AQEBb3Bh...@opa.example;lr>, <sips:AQEBb3Bh...@h;lr>\r\n\r\n"},
    {"R\r\nrecord-route: <sip:short@h;lr>\r\nContact: <sip:" TOKEN "@h>\r\n\r\n",
     "R\r\nrecord-route: <sip:short@h;lr>\r\nContact: <sip:" TOKEN "@h>\r\n\r\n"},
    {"R\r\n\r\nAuthorization: Digest of the body\r\n",
     "R\r\n\r\nAuthorization: Digest of the body\r\n"},
    {"Authorization: Digest never ending", "Authorization: Digest ..."},
    {"Authorization", "Authorization"},
    {"", ""},
};

static void secrets_are_left_out_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].in);
        char *out = malloc(len + 1); /* not longer than what it was */
        bool cut;
        assert_non_null(out);
        out[watch_redact(slice_of(cases[i].in), false, out, len, &cut)] = '\0';
        assert_string_equal(out, cases[i].out);
        assert_false(cut);
        free(out);
    }
}

static void what_has_no_room_is_cut_and_said(void **state)
{
    char out[8];
    bool cut;
    (void)state;
    assert_int_equal(watch_redact(SLICE("INVITE sip:b"), false, out, sizeof(out), &cut), 8);
    assert_memory_equal(out, "INVITE s", 8);
    assert_true(cut);
    assert_int_equal(watch_redact(SLICE("A\r\n\r\nbody"), false, out, sizeof(out), &cut), 8);
    assert_true(cut);
    assert_int_equal(watch_redact(SLICE("A\r\n\r\nbod"), false, out, sizeof(out), &cut), 8);
    assert_false(cut);
}

static void a_key_that_is_cut_is_covered_as_far_as_it_is_there(void **state)
{
    struct slice message = SLICE("R\r\n\r\na=crypto:1 X inline:secret\r\n");
    char out[64];
    bool cut;
    (void)state;
    for (size_t max = 0; max <= message.len; max++) {
        size_t len = watch_redact(message, false, out, max, &cut);
        assert_int_equal(len, max);
        assert_int_equal(cut, max < message.len);
        for (size_t i = 25; i < len && i < 31; i++)
            assert_int_equal(out[i], '*');
    }
}

static void keys_are_shown_to_whom_they_are_for(void **state)
{
    struct slice message = SLICE("R\r\nAuthorization: a bcd\r\n\r\na=crypto:1 X inline:key\r\n");
    char out[128];
    bool cut;
    (void)state;
    size_t len = watch_redact(message, true, out, sizeof(out), &cut);
    assert_non_null(memmem(out, len, "inline:key\r\n", 12));
    assert_null(memmem(out, len, "bcd", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_left_out_and_nothing_else),
        cmocka_unit_test(a_key_that_is_cut_is_covered_as_far_as_it_is_there),
        cmocka_unit_test(keys_are_shown_to_whom_they_are_for),
        cmocka_unit_test(what_has_no_room_is_cut_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
