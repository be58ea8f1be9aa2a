/* What the host of an address has its authority do for the holder: one request for each kind. */
#include "api/porting_internal.h"

#include "api/internal.h"

#include <stdio.h>
#include <string.h>

static json_t *code_body(const struct porting_errand *errand)
{
    char hex[2 * STORE_HASH_LEN + 1];
    porting_hex_encode(errand->hash, STORE_HASH_LEN, hex);
    return json_pack("{s:s, s:o, s:o}", "hash", hex, "until", api_time_encode(errand->until_ms),
                     "for", errand->only[0] ? json_string(errand->only) : json_null());
}

static json_t *lock_body(const struct porting_errand *errand)
{
    return json_pack("{s:b}", "locked", errand->locked);
}

static json_t *key_body(const struct porting_errand *errand)
{
    char hex[2 * STORE_HASH_LEN + 1];
    porting_hex_encode(errand->key, STORE_HASH_LEN, hex);
    return errand->code[0] ? json_pack("{s:s, s:s}", "key", hex, "code", errand->code)
                           : json_pack("{s:n}", "key");
}

/* A time, 0 where it says none. Returns whether it is one or null. */
static bool time_read(const json_t *answer, const char *name, uint64_t *ms)
{
    struct api_problem problem;
    const char *text = porting_text_of(answer, name);
    *ms = 0;
    return text ? api_time_decode(slice_of(text), name, ms, &problem) == 0
                : !json_object_get(answer, name) || json_is_null(json_object_get(answer, name));
}

static bool key_read(struct porting_errand *errand, const json_t *answer)
{
    return time_read(answer, "from", &errand->from_ms);
}

static bool octets_read(const json_t *answer, const char *name, bool *is_there,
                        uint8_t octets[STORE_HASH_LEN])
{
    const char *text = porting_text_of(answer, name);
    *is_there = text != NULL;
    return text ? porting_hex_decode(text, octets, STORE_HASH_LEN)
                : json_is_null(json_object_get(answer, name));
}

static bool protection_read(struct porting_errand *errand, const json_t *answer)
{
    struct store_guard *guard = &errand->guard;
    const char *bound = porting_text_of(answer, "code_for");
    *guard = (struct store_guard){.address = errand->address};
    guard->frozen = json_is_true(json_object_get(answer, "frozen"));
    return json_is_boolean(json_object_get(answer, "frozen")) &&
           time_read(answer, "frozen_until", &guard->frozen_until_ms) &&
           (!bound || store_domain_canonical(slice_of(bound), guard->code_for, NULL) == 0) &&
           octets_read(answer, "key", &guard->has_key, guard->key) &&
           octets_read(answer, "next_key", &guard->has_next_key, guard->next_key) &&
           time_read(answer, "next_key_from", &guard->next_key_ms);
}

static json_t *release_body(const struct porting_errand *errand)
{
    return json_pack("{s:s}", "code", errand->code);
}

static const struct {
    const char *method, *name;                            /* of the path, below the address */
    json_t *(*body)(const struct porting_errand *errand); /* NULL: there is none */
    bool (*read)(struct porting_errand *errand, const json_t *answer); /* NULL: says nothing */
} rows[PORTING_ERRAND_KIND_COUNT] = {
    [PORTING_ERRAND_CODE] = {"PUT", "auth-code", code_body, NULL},
    [PORTING_ERRAND_LOCK] = {"PUT", "lock", lock_body, NULL},
    [PORTING_ERRAND_KEY] = {"PUT", "recovery-key", key_body, key_read},
    [PORTING_ERRAND_RELEASE] = {"POST", "release", release_body, NULL},
    [PORTING_ERRAND_SHOW] = {"GET", "protection", NULL, protection_read},
};

int porting_errand_do(struct porting *porting, struct porting_errand *errand,
                      struct api_problem *problem)
{
    struct federation_answer answer = {.status = 0};
    char text[API_ADDRESS_TEXT_MAX], escaped[3 * API_ADDRESS_TEXT_MAX];
    char path[sizeof(PORTING_ADDRESS_PATH) + sizeof(escaped) + 16];
    api_url_escape(api_address_format(&errand->address, text), escaped, sizeof(escaped));
    snprintf(path, sizeof(path), PORTING_ADDRESS_PATH "%s/%s", escaped, rows[errand->kind].name);
    json_t *body = rows[errand->kind].body ? rows[errand->kind].body(errand) : NULL;
    int status = porting_demand(porting, errand->hosting, errand->address.domain,
                                rows[errand->kind].method, path, body, &answer, problem);
    if (status == 0 && rows[errand->kind].read && !rows[errand->kind].read(errand, answer.body))
        status = api_problem_set(problem, API_PROBLEM_BUSY, NULL,
                                 "%s answers what is not understood here", errand->address.domain);
    json_decref(answer.body);
    json_decref(body);
    return status;
}
