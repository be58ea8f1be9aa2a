/* A DNS server in the test's own loop that does what it is told: what no real server can be made to
 * do on demand (silence, forged answers, answers that come too late). UDP and TCP on one port of
 * 127.0.0.1. */
#ifndef JUNCTOR_TESTS_RESOLVER_SERVER_H
#define JUNCTOR_TESTS_RESOLVER_SERVER_H

#include "base/netaddr.h"
#include "tests/resolver/dns.h"

#include <stdbool.h>
#include <uv.h>

#define SERVER_LINES_MAX 40

/* What it does with a question, besides or instead of answering. */
enum server_act {
    SERVER_SILENT = 1,          /* no answer */
    SERVER_HOLD = 2,            /* the answer waits for server_release */
    SERVER_TRUNCATE = 4,        /* TC over UDP, the answer over TCP */
    SERVER_WRONG_ID = 8,        /* first an answer with another id */
    SERVER_WRONG_CASE = 16,     /* ... with the question in other letters */
    SERVER_WRONG_QUESTION = 32, /* ... to another question */
    SERVER_WRONG_OWNER = 64,    /* ... with a record of somebody else */
    SERVER_LOOP = 128,          /* ... with a compression loop */
    SERVER_CUT = 256,           /* ... cut in the middle of its last record */
    SERVER_QUERY = 512,         /* ... that is a query */
    SERVER_HUGE = 1024,         /* ... of 5000 octets */
    SERVER_DRIP = 2048,         /* over TCP: octet by octet */
    SERVER_TCP_CLOSE = 4096,    /* TCP: closed without an answer */
    SERVER_TCP_LONG = 8192,     /* TCP: announces 65535 octets, and closes before */
    SERVER_HEADER = 16384,      /* the answer's header, as if no question had been in the query */
    SERVER_LOWER = 32768        /* all letters of the question become small, also over TCP */
};

struct server_rule {
    const char *name;
    const char *type;
    unsigned act;
    unsigned flags;                       /* besides QR: 0 means AA */
    const char *answer[SERVER_LINES_MAX]; /* up to the first NULL */
    const char *authority[2];
};

struct server {
    uv_loop_t *loop;
    uv_udp_t udp;
    uv_tcp_t tcp;
    struct netaddr addr;
    const struct server_rule *rules; /* up to the one without name; no rule: REFUSED */
    unsigned asked;                  /* questions that came, over UDP and TCP */
    unsigned asked_tcp;
    struct server_held *held; /* the last answer held */
    unsigned char last_query[512];
    uint16_t last_port; /* it came from */
    unsigned closed;    /* handles, while it looks for a free port */
};

void server_start(struct server *server, uv_loop_t *loop, const struct server_rule *rules);
/* Sends the answer that was held. */
void server_release(struct server *server);
/* Closes the handles; run the loop until they are gone. */
void server_stop(struct server *server);

#endif
