/* Ports that a recovery key proves: POST /v1/port-nonces draws what its holder is to sign, and what
 * he signed then stands in the body of POST /v1/ports or /v1/ports/{id}/undo. */
#include "api/ports.h"

#include "base/hex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int api_hex_take(struct api_call *call, const char *name, const char *what, uint8_t *octets,
                 size_t len)
{
    if (hex_decode(api_json_text(call->body, name), octets, len))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, name,
                           "%s: must be %s, %zu lower-case hex digits", name, what, 2 * len);
}

/* ---- what was signed ---- */

int api_signature_take(struct api_call *call, struct porting_wish *wish)
{
    uint8_t nonce[PORTING_NONCE_LEN];
    json_int_t expires = json_integer_value(json_object_get(call->body, "expires"));
    if (api_hex_take(call, "signature", "an Ed25519 signature", wish->signature,
                     sizeof(wish->signature)) ||
        api_hex_take(call, "nonce", "the nonce that was drawn", nonce, sizeof(nonce)))
        return -EPROTO;
    if (expires <= 0)
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "expires",
                               "expires: must be the number that came with the nonce");
    wish->by_key = true;
    wish->expires = (uint64_t)expires;
    struct slice text = api_json_text(call->body, "nonce");
    snprintf(wish->nonce, sizeof(wish->nonce), "%.*s", (int)text.len, text.p);
    porting_request_of(wish->nonce, wish->request);
    return 0;
}

int api_proof_choose(struct api_call *call, const char *secret, bool *is_signed)
{
    *is_signed = json_object_get(call->body, "signature") != NULL;
    if (*is_signed == (json_object_get(call->body, secret) == NULL))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, secret,
                           "%s: either this or signature, with nonce and expires, must be there",
                           secret);
}

/* ---- drawing ---- */

/* Lives in call->memory. */
struct draw {
    struct porting_wish wish;
    struct porting_draw drawn;
    struct api_problem problem;
};

static int draw_do(struct api_call *call)
{
    struct draw *draw = call->memory;
    return porting_draw(call->api->parts.porting, &draw->wish, &draw->drawn, &draw->problem);
}

static int draw_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct draw *draw = call->memory;
    const struct porting_draw *drawn = &draw->drawn;
    char address[API_ADDRESS_TEXT_MAX];
    if (verdict->status == -EPROTO)
        call->problem = draw->problem;
    else if (verdict->status)
        api_problem_from_status(&call->problem, verdict->status, call->name);
    if (verdict->status)
        return -EPROTO;
    return api_call_reply(call, 200,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "id", drawn->id, "kind",
                                    store_port_kind_text(draw->wish.kind), "address",
                                    api_address_format(&drawn->address, address), "gaining",
                                    drawn->gaining, "nonce", drawn->nonce, "expires",
                                    (json_int_t)drawn->expires, "text", drawn->text),
                          0);
}

static int undoes_take(struct api_call *call, struct porting_wish *wish)
{
    struct slice text = api_json_text(call->body, "undoes");
    struct store_port port;
    wish->kind = STORE_PORT_UNDO;
    if (json_object_get(call->body, "address") || json_object_get(call->body, "gaining"))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "undoes",
                               "undoes: the port knows its address and its hosts; they must not be "
                               "there");
    if (slice_to_cstr(text, wish->undoes, sizeof(wish->undoes)))
        wish->undoes[0] = '\0';
    if (api_port_role_find(call, STORE_PORT_LOSING, wish->undoes, &port))
        return api_port_role_find(call, STORE_PORT_GAINING, wish->undoes, &port);
    return 0;
}

static int wish_decode(struct api_call *call, struct porting_wish *wish)
{
    static const struct api_field fields[] = {
        {"address", JSON_STRING, 0},
        {"gaining", JSON_STRING, 0},
        {"undoes", JSON_STRING, 0},
        {NULL, JSON_NULL, 0},
    };
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    if (json_object_get(call->body, "undoes"))
        return undoes_take(call, wish);
    wish->kind = STORE_PORT_RECOVERY;
    if (api_address_field(call->body, "address", &wish->address, &call->problem))
        return -EPROTO;
    return api_gaining_take(call, wish->gaining);
}

int api_port_nonce_post(struct api_call *call)
{
    char name[API_ADDRESS_TEXT_MAX];
    if (!call->api->parts.porting)
        return api_problem_set(&call->problem, API_PROBLEM_READ_ONLY, NULL,
                               "ports: this daemon has no part in them");
    struct draw *draw = call->memory = calloc(1, sizeof(*draw));
    if (!draw)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    if (wish_decode(call, &draw->wish))
        return -EPROTO;
    bool is_undo = draw->wish.kind == STORE_PORT_UNDO;
    return api_run(call,
                   is_undo ? draw->wish.undoes : api_address_format(&draw->wish.address, name),
                   draw_do, draw_done);
}
