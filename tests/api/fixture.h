/* An API over an empty directory in a folder of its own, and an HTTP client for its socket. */
#ifndef JUNCTOR_TESTS_API_FIXTURE_H
#define JUNCTOR_TESTS_API_FIXTURE_H

#include "tests/test.h"

#include "api/api.h"

#include <curl/curl.h>
#include <jansson.h>

struct fixture {
    char folder[64];
    char socket[96];
    struct store *store;
    struct resolver_conf resolver; /* its upstream never answers */
    int silent;                    /* the socket of that upstream */
    struct api *api;
};

/* cmocka's setup and teardown; *state is the fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Starts fixture->api with these parts; fails the test where that fails. */
void fixture_start(struct fixture *fixture, const struct api_parts *parts);

struct request {
    const char *method, *path;
    const char *body;    /* NULL: none */
    const char *headers; /* further header lines, separated by "\n"; NULL: none */
    const char *type;    /* Content-Type; NULL: application/json */
};

struct response {
    long status;
    json_t *json; /* NULL where there is no body */
    char etag[40], location[300], allow[64], type[64], retry[8];
};

/* Fails the test where no answer comes; done frees. */
void http(const struct fixture *fixture, const struct request *request, struct response *response);
void response_done(struct response *response);

/* In one line: sends, checks the status, forgets the rest. */
void expect_status(const struct fixture *fixture, const struct request *request, long status);
/* The same for a refusal: its type, field ("" for none) and a part of its detail. */
void expect_problem(const struct fixture *fixture, const struct request *request, long status,
                    const char *type, const char *field, const char *detail);

/* The journal's last sequence: unchanged means that nothing was written. */
json_int_t last_sequence(const struct fixture *fixture);

const char *text_of(const json_t *object, const char *key);

#define OPA "{\"name\": \"opa.example\", \"cores\": [\"sip:127.0.21.2:5060;transport=udp\"]}"
#define OPB "{\"name\": \"opb.example\", \"cores\": [\"sip:127.0.22.2:5060;transport=tcp\"]}"

#endif
