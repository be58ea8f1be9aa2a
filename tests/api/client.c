#include "tests/api/client.h"

#include <stdio.h>

void add(const struct fixture *fixture, const char *path, const char *body)
{
    expect_status(fixture, POST(path, body), 201);
}

void token_make(const struct fixture *fixture, const char *body, char token[TOKEN_MAX])
{
    struct response response;
    http(fixture, POST("/v1/tokens", body), &response);
    assert_int_equal(response.status, 201);
    snprintf(token, TOKEN_MAX, "%s", text_of(response.json, "token"));
    response_done(&response);
}

const struct request *as(const char *token, const struct request *request)
{
    static struct request copy;
    copy = *request;
    copy.via = token ? VIA_HTTPS : VIA_SOCKET;
    copy.token = token && *token ? token : NULL;
    return &copy;
}

json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

void text_replace(char *text, size_t size, const char *from, const char *to)
{
    char out[2048] = "";
    size_t len = 0;
    for (const char *p = text; *p && len + 1 < sizeof(out);) {
        if (strncmp(p, from, strlen(from)) == 0) {
            len += (size_t)snprintf(out + len, sizeof(out) - len, "%s", to);
            p += strlen(from);
        } else {
            out[len++] = *p++;
            out[len] = '\0';
        }
    }
    snprintf(text, size, "%s", out);
}
