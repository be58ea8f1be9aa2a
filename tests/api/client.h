/* Requests in one line, and what many tests begin with. */
#ifndef JUNCTOR_TESTS_API_CLIENT_H
#define JUNCTOR_TESTS_API_CLIENT_H

#include "tests/api/fixture.h"

#define GET(p)                                                                                     \
    &(struct request)                                                                              \
    {                                                                                              \
        .method = "GET", .path = (p)                                                               \
    }
#define POST(p, b)                                                                                 \
    &(struct request)                                                                              \
    {                                                                                              \
        .method = "POST", .path = (p), .body = (b)                                                 \
    }
/* `h`: further headers, If-Match among them. */
#define PUT(p, h, b)                                                                               \
    &(struct request)                                                                              \
    {                                                                                              \
        .method = "PUT", .path = (p), .headers = (h), .body = (b)                                  \
    }
#define PATCH(p, h, b)                                                                             \
    &(struct request)                                                                              \
    {                                                                                              \
        .method = "PATCH", .path = (p), .headers = (h), .body = (b)                                \
    }
#define DELETE(p, h)                                                                               \
    &(struct request)                                                                              \
    {                                                                                              \
        .method = "DELETE", .path = (p), .headers = (h)                                            \
    }
#define ANY "If-Match: *"

/* Adds a record, which must succeed. */
void add(const struct fixture *fixture, const char *path, const char *body);

#define TOKEN_MAX 80
/* Makes a token over the API; `body` says of what scope. */
void token_make(const struct fixture *fixture, const char *body, char token[TOKEN_MAX]);
/* The request over HTTPS with this token ("": without any); NULL: by the Unix socket. Good until
 * the next call. */
const struct request *as(const char *token, const struct request *request);

json_int_t number_of(const json_t *object, const char *key);

/* Replaces every `from` by `to` in a text of less than 2048 bytes. */
void text_replace(char *text, size_t size, const char *from, const char *to);

#endif
