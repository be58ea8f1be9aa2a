#include "api/json.h"

#include "base/chars.h"
#include "base/hex.h"

#include <errno.h>

#define PIN_TEXT_LEN ((size_t)2 * STORE_HASH_LEN)

static bool pin_take(struct slice text, uint8_t pin[STORE_HASH_LEN])
{
    if (text.len != PIN_TEXT_LEN)
        return false;
    for (size_t i = 0; i < STORE_HASH_LEN; i++) {
        int high = char_hex(text.p[2 * i]), low = char_hex(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        pin[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int pins_decode(const json_t *array, struct store_peer *peer, struct api_problem *problem)
{
    size_t count = json_array_size(array);
    if (count > STORE_PINS_MAX)
        return api_problem_set(problem, API_PROBLEM_FIELD, "pins",
                               "pins: there are %zu; a peer has at most %d", count, STORE_PINS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        char field[API_FIELD_MAX];
        if (api_json_item(array, "pins", i, &text, field, problem))
            return -EPROTO;
        if (!pin_take(text, peer->pins[i]))
            return api_problem_set(problem, API_PROBLEM_FIELD, field,
                                   "%s: must be the SHA-256 of a SubjectPublicKeyInfo, %zu hex "
                                   "digits",
                                   field, PIN_TEXT_LEN);
    }
    peer->pin_count = (unsigned)count;
    return 0;
}

int api_peer_decode(const json_t *object, const char *domain, struct store_peer *peer,
                    struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"domain", JSON_STRING, 0},
        {"blocked", JSON_TRUE, 0},
        {"trusts_identity", JSON_TRUE, 0},
        {"requests_per_s", JSON_INTEGER, 0},
        {"calls_max", JSON_INTEGER, 0},
        {"pins", JSON_ARRAY, 0},
        {"tariff", JSON_STRING, 0},
        {"created", JSON_STRING, API_PRINTED},
        {"version", JSON_INTEGER, API_PRINTED},
        {NULL, JSON_NULL, 0},
    };
    struct store_peer result = {.version = 0};
    if (api_json_check(object, fields, domain != NULL, problem) ||
        api_json_key(object, "domain", domain, store_domain_canonical, result.domain, problem) ||
        api_json_number(object, "requests_per_s", 0, API_BUDGET_MAX, 0, &result.requests_per_s,
                        problem) ||
        api_json_number(object, "calls_max", 0, API_BUDGET_MAX, 0, &result.calls_max, problem) ||
        pins_decode(json_object_get(object, "pins"), &result, problem) ||
        api_json_note(object, "tariff", result.tariff, sizeof(result.tariff), problem))
        return -EPROTO;
    result.blocked = api_json_bool(object, "blocked", false);
    result.trusts_identity = api_json_bool(object, "trusts_identity", false);
    *peer = result;
    return 0;
}

static json_t *pins_encode(const struct store_peer *peer)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < peer->pin_count; i++) {
        char text[PIN_TEXT_LEN + 1];
        hex_encode(peer->pins[i], STORE_HASH_LEN, text);
        if (json_array_append_new(array, json_string(text))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *api_peer_encode(const struct store_peer *peer)
{
    json_t *json =
        json_pack("{s:s, s:b, s:b, s:I, s:I, s:o, s:s}", "domain", peer->domain, "blocked",
                  peer->blocked, "trusts_identity", peer->trusts_identity, "requests_per_s",
                  (json_int_t)peer->requests_per_s, "calls_max", (json_int_t)peer->calls_max,
                  "pins", pins_encode(peer), "tariff", peer->tariff);
    return api_json_stamp(json, peer->created_ms, peer->version);
}
