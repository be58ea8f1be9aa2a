/* /v1/tokens */
#include "api/records.h"

#include "base/chars.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int token_parse(struct slice text, char *key, struct store_fault *fault)
{
    bool ok = text.len == STORE_TOKEN_ID_LEN;
    for (size_t i = 0; ok && i < text.len; i++)
        ok = char_is_alnum(text.p[i]) && text.p[i] == char_lower(text.p[i]);
    if (ok)
        return slice_to_cstr(text, key, STORE_TOKEN_ID_LEN + 1);
    snprintf(fault->text, sizeof(fault->text),
             "a token's id is %d lower-case letters and digits, as the list shows it",
             STORE_TOKEN_ID_LEN);
    return STATUS_MALFORMED;
}

static int token_get(struct store_reader *reader, const char *key, void *record)
{
    return store_token_get(reader, key, record);
}

static bool token_each(const struct store_token *token, void *arg)
{
    return api_page_add(arg, token);
}

static int token_list(struct store_reader *reader, const char *after, struct api_page *page)
{
    return store_token_list(reader, after, SIZE_MAX, token_each, page);
}

static int token_decode(struct api_call *call, const char *key, void *record)
{
    (void)key; /* tokens are not replaced */
    if (api_token_decode(call->body, api_now_ms(), record, &call->problem))
        return -EPROTO;
    return api_token_make(call, record);
}

static json_t *token_encode(struct api_call *call, const void *record)
{
    (void)call;
    return api_token_encode(record);
}

const struct api_kind api_kind_token = {
    .plural = "tokens",
    .parameter = "id",
    .version_at = offsetof(struct store_token, version),
    .add = STORE_TOKEN_ADD,
    .del = STORE_TOKEN_DEL,
    .parse = token_parse,
    .key = api_key_first,
    .get = token_get,
    .list = token_list,
    .decode = token_decode,
    .encode = token_encode,
};

static int token_made(struct api_call *call, const struct store_verdict *verdict)
{
    if (api_record_made(call, &api_kind_token, verdict))
        return -EPROTO;
    json_object_set_new(call->reply, "token", api_secret_encode(call, verdict));
    return 0;
}

int api_token_post(struct api_call *call)
{
    return api_record_add(call, &api_kind_token, token_made);
}
