/* Two operators in one process: opb.example hosts dan@opa.example, and its API is on a socket;
 * opa.example is the authority, whose engine answers what opb.example asks. */
#ifndef JUNCTOR_TESTS_API_GUEST_WORLD_H
#define JUNCTOR_TESTS_API_GUEST_WORLD_H

#include "tests/api/client.h"

#include "api/porting.h"

#define DAN "/v1/addresses/dan@opa.example"

enum place { A, B, PLACES };
#define AUTHORITY "opa.example"
#define HOST      "opb.example"

enum fault { NONE, LOSE, LOSE_ANSWER, GARBLE };

struct world {
    struct fixture *at[PLACES];
    struct porting *engines[PLACES];
    enum fault fault; /* of what opb.example asks */
    unsigned asked;   /* how often it did */
    char told[512];   /* what the holder was told last, at opb.example */
};

/* cmocka's setup and teardown; *state is the world. */
int guest_world_setup(void **state);
int guest_world_teardown(void **state);
/* The authority gives the losing host so long to reject a port, in s. */
void window_set(struct world *w, uint32_t window_s);

/* A member of the record at this path, as it is at one of them; "null", where it is that. Good
 * until the next call. */
const char *member_at(struct world *w, int place, const char *path, const char *name);
const char *member(struct world *w, int place, const char *name); /* of the address */
/* Of what protects the address, where that is kept. */
const char *guard_member(struct world *w, const char *name);

/* The authority answers whoever has proven this domain; takes over `body`. */
void expect_answer(struct world *w, const char *from, const char *method, const char *path,
                   json_t *body, unsigned status, const char *reason);
/* The holder's auth code, made at the host; `body` may bind it. */
void code_make_for(struct world *w, const char *body, char code[TOKEN_MAX]);
void code_make(struct world *w, char code[TOKEN_MAX]);
/* Somebody, or opc.example, asks for the address with this code. */
void expect_port_to(struct world *w, const char *gaining, const char *code, unsigned status,
                    const char *reason);
void expect_port(struct world *w, const char *code, unsigned status, const char *reason);

#endif
