#include "api/auth.h"

#include "api/tally.h"

#include "base/chars.h"
#include "base/status.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_PREFIX "jct_"
#define TOKEN_ACTOR  "token:" /* followed by its id */

int api_token_hash(struct slice text, uint8_t hash[STORE_HASH_LEN])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(text.p, text.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return STATUS_CRYPTO;
    memcpy(hash, digest, STORE_HASH_LEN);
    return 0;
}

static bool is_base64url(char c)
{
    return char_is_alnum(c) || c == '-' || c == '_';
}

bool api_token_id(struct slice text, char id[STORE_TOKEN_ID_LEN + 1])
{
    const char *start = text.p + strlen(TOKEN_PREFIX);
    if (text.len != API_TOKEN_LEN || !slice_starts_with(text, SLICE(TOKEN_PREFIX)))
        return false;
    for (size_t i = 0; i < STORE_TOKEN_ID_LEN; i++)
        if (!char_is_digit(start[i]) && !(start[i] >= 'a' && start[i] <= 'z'))
            return false;
    if (start[STORE_TOKEN_ID_LEN] != '_')
        return false;
    for (size_t i = strlen(TOKEN_PREFIX) + STORE_TOKEN_ID_LEN + 1; i < text.len; i++)
        if (!is_base64url(text.p[i]))
            return false;
    return slice_to_cstr(slice_make(start, STORE_TOKEN_ID_LEN), id, STORE_TOKEN_ID_LEN + 1) == 0;
}

/* The token in an Authorization header (RFC 6750 section 2.1); empty where there is none. */
static struct slice bearer_find(const char *authorization)
{
    static const struct slice scheme = {"Bearer ", 7};
    struct slice text = slice_trim(slice_of(authorization ? authorization : ""));
    if (!slice_starts_with_nocase(text, scheme))
        return slice_make(NULL, 0);
    return slice_trim(slice_skip(text, scheme.len));
}

static int refuse(struct api_call *call)
{
    return api_problem_set(&call->problem, API_PROBLEM_UNAUTHORIZED, NULL,
                           "a valid token is required: Authorization: Bearer TOKEN");
}

/* Returns 0, or the store's status; STATUS_NOTFOUND for an unknown one. */
static int token_read(struct api *api, const char *id, struct store_token *token)
{
    struct store_reader *reader = api_reader_lend(api);
    int status = store_reader_begin(reader);
    if (!status) {
        status = store_token_get(reader, id, token);
        store_reader_end(reader);
    }
    api_reader_return(api, reader);
    return status;
}

static bool is_over(const struct store_token *token)
{
    return token->until_ms != 0 && api_now_ms() >= token->until_ms;
}

/* Takes as long for an unknown token as for a wrong one. */
static bool token_is_good(struct slice text, const struct store_token *token)
{
    uint8_t hash[STORE_HASH_LEN];
    if (api_token_hash(text, hash))
        return false;
    bool same = CRYPTO_memcmp(hash, token->hash, sizeof(hash)) == 0;
    return same && !is_over(token);
}

static void principal_set(struct api_call *call, const struct store_token *token)
{
    static const unsigned bits[] = {
        [STORE_SCOPE_ADMIN] = API_ADMIN,
        [STORE_SCOPE_OPERATOR] = API_OPERATOR,
        [STORE_SCOPE_USER] = API_USER,
    };
    struct api_principal *who = &call->who;
    who->bits = bits[token->scope];
    who->scope = token->scope;
    who->until_ms = token->until_ms;
    who->domain_count = token->domain_count;
    memcpy(who->owner, token->owner, sizeof(who->owner));
    memcpy(who->domains, token->domains, sizeof(who->domains));
    snprintf(call->actor, sizeof(call->actor), TOKEN_ACTOR "%s", token->id);
}

static int slow_down(struct api_call *call, const char *why)
{
    return api_problem_set(&call->problem, API_PROBLEM_RATE, NULL, "%s: try again in %u s", why,
                           call->retry_after_s);
}

/* In the same words whatever is wrong, until it is too often. */
static int failed(struct api_call *call, const struct api_source *source, const char *id)
{
    struct api *api = call->api;
    if (api_guard_failed(api->guard, source, id, api_monotonic_us(), &call->retry_after_s)) {
        api_tally_add(&api->tally->auth_failures);
        return refuse(call);
    }
    api_tally_add(&api->tally->auth_slowed);
    return slow_down(call, "too many attempts with wrong tokens");
}

int api_authenticate(struct api_call *call, const struct api_source *source,
                     const char *authorization)
{
    struct slice text = bearer_find(authorization);
    if (text.len == 0)
        return refuse(call);
    char id[STORE_TOKEN_ID_LEN + 1] = "";
    struct store_token token = {.id = ""};
    int status = api_token_id(text, id) ? token_read(call->api, id, &token) : STATUS_NOTFOUND;
    if (status && status != STATUS_NOTFOUND)
        return api_problem_from_status(&call->problem, status, "directory");
    if (!token_is_good(text, &token) || status)
        return failed(call, source, id);
    principal_set(call, &token);
    return 0;
}

bool api_actor_is_good(struct store_reader *reader, const char *actor)
{
    struct store_token token;
    if (strncmp(actor, TOKEN_ACTOR, strlen(TOKEN_ACTOR)) != 0)
        return true;
    return store_token_get(reader, actor + strlen(TOKEN_ACTOR), &token) == 0 && !is_over(&token);
}

int api_authenticate_again(struct api_call *call)
{
    int status = store_reader_begin(call->reader);
    if (status)
        return api_problem_from_status(&call->problem, status, "directory");
    bool good = api_actor_is_good(call->reader, call->actor);
    store_reader_end(call->reader);
    if (good)
        return 0;
    api_tally_add(&call->api->tally->auth_failures);
    return refuse(call);
}

int api_rate_check(struct api_call *call, const struct api_source *source)
{
    struct api *api = call->api;
    if (api_guard_request(api->guard, source, call->actor, api_monotonic_us(),
                          &call->retry_after_s))
        return 0;
    api_tally_add(&api->tally->rate_limited);
    return slow_down(call, "too many requests");
}

int api_port_rate_check(struct api_call *call)
{
    if (!(call->who.bits & API_USER) ||
        api_guard_port(call->api->guard, call->actor, api_monotonic_us(), &call->retry_after_s))
        return 0;
    api_tally_add(&call->api->tally->rate_limited);
    return slow_down(call, "you have asked for too many ports");
}
