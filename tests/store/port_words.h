/* What tests do with ports, in few words, always to ALICE. What returns a number returns the
 * store's verdict; the others assert that it is 0. */
#ifndef JUNCTOR_TESTS_STORE_PORT_WORDS_H
#define JUNCTOR_TESTS_STORE_PORT_WORDS_H

#include "tests/store/fixture.h"

#define ALICE     "alice@opa.example"
#define BEGIN_MS  ((uint64_t)1000 * 1000)
#define HOUR_MS   ((uint64_t)3600 * 1000)
#define DAY_MS    (24 * HOUR_MS)
#define DAY_S     86400u
#define REQUEST_A "000102030405060708090a0b0c0d0e0f"
#define REQUEST_B "101112131415161718191a1b1c1d1e1f"

extern const uint8_t code[STORE_HASH_LEN], secret[STORE_HASH_LEN], key[STORE_HASH_LEN];

/* The clock is no further than the commands: else the store's own timer would be. */
int submit(struct fixture *f, const struct store_command *command);
struct store_port port_of(const char *gaining, const char *request, unsigned window_s);
struct store_command order_of(enum store_op op, const struct store_port *port, uint64_t time_ms);
int step(struct fixture *f, const struct store_port *port, enum store_port_event event, unsigned by,
         uint64_t time_ms);
int open_port(struct fixture *f, const struct store_port *port, uint64_t time_ms);
int tell(struct fixture *f, enum store_port_role role, const struct store_port *port,
         enum store_port_state state, uint64_t order, uint64_t time_ms);
/* Time goes on to `time_ms`, and what is due then happens. */
void pass(struct fixture *f, uint64_t time_ms);
/* Of version 0: there is none. */
struct store_record record_get(struct fixture *f);
struct store_port port_get(struct fixture *f, enum store_port_role role, const char *id);
/* At the authority. */
void must_be(struct fixture *f, const struct store_port *port, enum store_port_state state,
             const char *hosting);
void code_give(struct fixture *f, const char *gaining, uint64_t time_ms);
void key_give(struct fixture *f, uint64_t from_ms);
/* Turns the port into one by recovery key, and asks for it. */
struct store_command recovery(struct store_port *port, uint64_t time_ms);
/* The gaining host begins it, for "holder-1". */
void start(struct fixture *f, struct store_port *port);
/* An authority with an auth code for any gaining domain; a host of opb.example and opd.example. */
int authority_setup(void **state);
int host_setup(void **state);

#endif
