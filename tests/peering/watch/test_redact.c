#include "peering/watch/watch.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN "AQEBb3BhLmV4YW1wbGUAb3BiLmV4YW1wbGUAAAECAwQFBgcICQoLDA0ODw"

static const struct {
    const char *in, *out;
} cases[] = {
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
        out[watch_redact(slice_of(cases[i].in), out, len, &cut)] = '\0';
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
    assert_int_equal(watch_redact(SLICE("INVITE sip:b"), out, sizeof(out), &cut), 8);
    assert_memory_equal(out, "INVITE s", 8);
    assert_true(cut);
    assert_int_equal(watch_redact(SLICE("A\r\n\r\nbody"), out, sizeof(out), &cut), 8);
    assert_true(cut);
    assert_int_equal(watch_redact(SLICE("A\r\n\r\nbod"), out, sizeof(out), &cut), 8);
    assert_false(cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_left_out_and_nothing_else),
        cmocka_unit_test(what_has_no_room_is_cut_and_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
