/* HTTP to a junctord over its Unix socket: one request, one JSON answer. */
#ifndef JUNCTOR_TOOLS_CLIENT_H
#define JUNCTOR_TOOLS_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#define CLIENT_MAX_ANSWER                                                                          \
    (32 << 20) /* bytes of one answer: a page of 1000 records is far below                         \
                */
#define CLIENT_TIMEOUT_S 60L
#define CLIENT_MAX_WHY   512

struct client;

/* `socket` is used as long as the client lives. NULL without memory. */
struct client *client_open(const char *socket);
struct client *client_close(struct client *client); /* accepts NULL */

struct client_request {
    const char *method;
    const char *path;     /* with query, escaped */
    const char *if_match; /* NULL: none */
    json_t *body;         /* NULL: none; borrowed */
};

struct client_answer {
    long status;   /* of HTTP */
    json_t *json;  /* owned by the caller; NULL where the answer has no body */
    char etag[64]; /* "" if none */
};

/* Returns 0 whatever the HTTP status is; -ECONNREFUSED where no junctord answers, *why then says
 * so in a sentence that names the socket and the remedy; -ENOMEM. Blocks at most CLIENT_TIMEOUT_S.
 */
int client_call(struct client *client, const struct client_request *request,
                struct client_answer *answer, char why[CLIENT_MAX_WHY]);

/* `text` escaped for a path or a query value; free() it. NULL without memory. */
char *client_escape(const char *text);

#endif
