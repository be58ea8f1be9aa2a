/* HTTP to a junctord, over its Unix socket or by HTTPS: one request, one JSON answer; or a stream
 * that goes on. */
#ifndef JUNCTOR_TOOLS_CLIENT_H
#define JUNCTOR_TOOLS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CLIENT_MAX_ANSWER     (32 << 20) /* bytes; a page of 1000 records is far below */
#define CLIENT_TIMEOUT_S      60L
#define CLIENT_LONG_TIMEOUT_S 3600L /* of what copies a whole store */
#define CLIENT_SILENCE_S      60L   /* a stream says something every 15 s */
#define CLIENT_MAX_WHY        1024
#define CLIENT_MAX_KEY        48 /* octets of an Idempotency-Key of ours, with terminator */

struct client;

/* Where a daemon is. `server` NULL: at the socket, where no token is asked for. */
struct client_place {
    const char *socket;
    const char *server;     /* "https://HOST[:PORT]" */
    const char *token_file; /* which nobody but its owner may read */
    const char *ca_file;    /* NULL: the system's */
};

/* Does not connect yet. The texts of `place` are used as long as the client lives. Returns 0,
 * -EINVAL (the server's URL or the token file is not as it must be; *why says so, and never what is
 * in the file), or -ENOMEM. */
int client_open(const struct client_place *place, struct client **client, char why[CLIENT_MAX_WHY]);
struct client *client_close(struct client *client); /* accepts NULL */

struct client_request {
    const char *method;
    const char *path;     /* with query, escaped */
    const char *if_match; /* NULL: none */
    const char *key;      /* Idempotency-Key; NULL: a POST gets a fresh one */
    const char *body;     /* JSON; NULL: none */
    long timeout_s;       /* 0: CLIENT_TIMEOUT_S */
    bool dry_run;         /* adds dry_run=true to the query */
};

struct client_answer {
    long status;        /* of HTTP */
    json_t *json;       /* owned by the caller; NULL where the answer has no body */
    char etag[64];      /* "" if none */
    long retry_after_s; /* 0 if none */
    bool dry_run;       /* the daemon says that nothing was changed */
};

/* A request whose answer got lost with the connection is sent once more, if it is a GET, or a POST,
 * which the daemon then recognizes by its key. Returns 0 whatever the HTTP status is;
 * -ECONNREFUSED where no junctord answers, *why then says so in a sentence that names the place and
 * the remedy; -ENOMEM. Blocks at most the request's timeout, twice. */
int client_call(struct client *client, const struct client_request *request,
                struct client_answer *answer, char why[CLIENT_MAX_WHY]);

/* A key that was never used before. */
void client_key_make(struct client *client, char key[CLIENT_MAX_KEY]);

/* Some bytes of a stream; returns false to end it. */
typedef bool client_bytes_h(const char *bytes, size_t len, void *arg);
/* A GET of text/event-stream, until it ends. `last_id` is sent as Last-Event-ID; NULL: none. An
 * answer other than 200 is put into *answer and `each` not called. Returns 0 where `each` ended it
 * or the status is not 200; -ECONNRESET where the connection ended after it had answered;
 * -ECONNREFUSED and -ENOMEM as client_call. */
int client_follow(struct client *client, const char *path, const char *last_id,
                  client_bytes_h *each, void *arg, struct client_answer *answer,
                  char why[CLIENT_MAX_WHY]);

/* `text` escaped for a path or a query value; free() it. NULL without memory. */
char *client_escape(const char *text);

/* ---- client_place.c ---- */

#define CLIENT_TOKEN_LEN 60 /* "jct_", 12 characters, "_", 43 characters */

/* Is it "https://HOST[:PORT]", perhaps with a final slash? Returns 0 or -EINVAL with *why. */
int client_server_check(const char *server, char why[CLIENT_MAX_WHY]);
/* Reads the token in `file`. Returns 0 or -EINVAL with *why. */
int client_token_read(const char *file, char token[CLIENT_TOKEN_LEN + 1], char why[CLIENT_MAX_WHY]);

#endif
