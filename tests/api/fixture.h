/* An API over an empty directory in a folder of its own, and an HTTP client for its listeners. */
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
    struct netaddr https, health;  /* of fixture_setup_https: on 127.0.0.1 */
    char certificate[96], key[96]; /* of 127.0.0.1, self-signed; the client's anchor too */
};

/* cmocka's setup and teardown; *state is the fixture. */
int fixture_setup(void **state);
int fixture_setup_https(void **state); /* on HTTPS and the health listener too; no rate */
int fixture_teardown(void **state);

/* Starts fixture->api with these parts; fails the test where that fails. */
void fixture_start(struct fixture *fixture, const struct api_parts *parts);
/* The same with another configuration, which fixture_conf_https begins; the running one ends. */
void fixture_restart(struct fixture *fixture, const struct api_conf *conf);
struct api_conf fixture_conf_https(const struct fixture *fixture);

/* A self-signed certificate for 127.0.0.1 and its key, as PEM files. */
void fixture_pair_write(const char *certificate, const char *key);

/* Puts a token into the directory. `id` has 12 characters; `who` is its owner or domain. Returns
 * its text, which is good until the next call. */
const char *token_add(const struct fixture *fixture, const char *id, enum store_scope scope,
                      const char *who, uint64_t until_ms);
void token_remove(const struct fixture *fixture, const char *id);

enum via { VIA_SOCKET, VIA_HTTPS, VIA_HEALTH };

struct request {
    const char *method, *path;
    const char *body;    /* NULL: none */
    const char *headers; /* further header lines, separated by "\n"; NULL: none */
    const char *type;    /* Content-Type; NULL: application/json */
    enum via via;
    const char *token;  /* NULL: none */
    const char *source; /* "127.0.0.2": the client's address; NULL: any */
    CURL *keep;         /* a handle whose connection is used again; NULL: one of its own */
};

struct response {
    long status;
    json_t *json; /* NULL where there is no body */
    char etag[40], location[300], allow[64], type[64], retry[8], auth[32], dry_run[8],
        connection[16];
};

/* Fails the test where no answer comes; done frees. */
void http(const struct fixture *fixture, const struct request *request, struct response *response);
void response_done(struct response *response);
/* The same without failing: CURLE_OK, or why no answer came. */
CURLcode http_try(const struct fixture *fixture, const struct request *request,
                  struct response *response);

/* A socket that is connected to a listener; `source` may be NULL. Fails the test. */
int raw_connect(const struct fixture *fixture, enum via via, const char *source);
void raw_send(int fd, const char *text);
/* Reads until the far side closes; returns the bytes read, of which `text` has the first ones. */
size_t raw_drain(int fd, char *text, size_t size);

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
