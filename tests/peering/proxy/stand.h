/* A whole edge in this process, with UDP and TCP cores played by the test. (TLS, DNS and real cores
 * are the integration tests' business.) */
#ifndef JUNCTOR_TESTS_PEERING_PROXY_STAND_H
#define JUNCTOR_TESTS_PEERING_PROXY_STAND_H

#include "peering/peering.h"
#include "tests/test.h"

#include <netinet/in.h>
#include <stdbool.h>

#define WAIT_MS  5000 /* an answer that must come; only a failure waits that long */
#define QUIET_MS 150  /* an answer that must not come */

#define STAND_TEST(name) cmocka_unit_test_setup_teardown(name, stand_set_up, stand_tear_down)

struct core {
    int fd;
    uint16_t port;
};

struct stand {
    char dir[64];
    struct store *store;
    struct edge *edge;
    struct edge_conf conf;
    uint16_t port;
    struct sockaddr_in edge_addr;
    struct core a, b1, b2; /* one.example: a; two.example: b1, then b2 */
    struct core c;         /* three.example, over TCP: a listening socket */
};

/* A request as a core would send it. What is NULL is left out, or as in a call of alice's. */
struct call {
    const char *method, *uri, *from, *headers, *body;
    char id[32];
    int cseq;
    const char *to_tag;
};

int stand_set_up(void **state);
/* Its two halves, for whoever changes `conf` or the directory before the edge is there. */
struct stand *stand_open(void);
void stand_start(struct stand *stand);

int stand_tear_down(void **state);

/* The edge anew, with `conf` as the test has changed it. */
void stand_restart(struct stand *stand);

/* Has the directory carry out a command; returns its verdict's status. */
int stand_submit(struct stand *stand, struct store_command *command);

/* The domain's core from now on: this name over UDP, by its SRV records. */
void stand_name_core(struct stand *stand, const char *domain, const char *name);

void send_text(struct stand *stand, const struct core *core, const char *text);

bool receive(const struct core *core, char text[8192], int wait_ms);

/* The next message that starts with `start`; others before it (retransmissions) are skipped. */
void expect(const struct core *core, const char *start, char text[8192]);

void expect_nothing(const struct core *core);

void request_text(const struct stand *stand, const struct core *core, const struct call *call,
                  char text[8192]);

void send_request(struct stand *stand, const struct core *core, const struct call *call);

struct call invite(const char *uri);

/* The lines of `request` whose names are in a response, with a To tag, as a UAS would copy them. */
void answer_text(const struct core *core, const char *request, const char *status, char text[8192]);

void answer(struct stand *stand, const struct core *core, const char *request, const char *status);

/* The nth value of a header, into out. */
void header_of(const char *text, const char *name, int nth, char out[1024]);

int lines_of(const char *text, const char *name);

/* Sends one request from core a and expects this refusal, its Warning holding `warning`. */
void expect_refusal(struct stand *stand, const struct call *call, const char *start,
                    const char *warning);

#endif
