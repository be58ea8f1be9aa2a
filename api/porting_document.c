/* Ports and refusals as operators tell them each other: JSON, and nothing of people in it. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HASH_TEXT ((size_t)2 * STORE_HASH_LEN)

/* ---- hex ---- */

static int hex_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *place = c ? strchr(digits, c) : NULL;
    return place ? (int)(place - digits) : -1;
}

bool porting_hex_decode(const char *text, uint8_t *octets, size_t len)
{
    if (strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_of(text[2 * i]), low = hex_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        octets[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void porting_hex_encode(const uint8_t *octets, size_t len, char *text)
{
    for (size_t i = 0; i < 2 * len; i++)
        text[i] = "0123456789abcdef"[i % 2 ? octets[i / 2] & 15 : octets[i / 2] >> 4];
    text[2 * len] = '\0';
}

/* ---- out ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

json_t *porting_encode(const struct store_port *port, uint64_t now_ms)
{
    char address[API_ADDRESS_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:I}",
                     "id", port->id, "request", port->request, "kind",
                     store_port_kind_text(port->kind), "state", store_port_state_text(port->state),
                     "reason", text_or_null(store_port_reason_text(port->reason)), "address",
                     api_address_format(&port->address, address), "gaining", port->gaining,
                     "losing", text_or_null(port->losing), "deadline",
                     api_time_encode(port->deadline_ms), "left",
                     api_left_encode(port->deadline_ms, now_ms), "committed",
                     api_time_encode(port->committed_ms), "order", (json_int_t)port->version,
                     "commit_order", (json_int_t)port->commit_order, "undoes",
                     text_or_null(port->undoes), "reminder", (json_int_t)port->reminder);
}

static int member_set(json_t *document, const char *name, json_t *value)
{
    return json_object_set_new(document, name, value) ? -ENOMEM : 0;
}

int porting_encode_proof(json_t *document, const struct porting_proof *proof,
                         const uint8_t undo_hash[STORE_HASH_LEN])
{
    char hash[HASH_TEXT + 1], signature[2 * PORTING_SIGNATURE_LEN + 1];
    bool is_undo = strcmp(porting_text_of(document, "kind"), "undo") == 0;
    int status = 0;
    if (!is_undo) {
        porting_hex_encode(undo_hash, STORE_HASH_LEN, hash);
        status = member_set(document, "undo_hash", json_string(hash));
    }
    if (status || proof->code[0])
        return status ? status
                      : member_set(document, is_undo ? "undo_secret" : "code",
                                   json_string(proof->code));
    porting_hex_encode(proof->signature, PORTING_SIGNATURE_LEN, signature);
    status = member_set(document, "signature", json_string(signature));
    if (status == 0)
        status = member_set(document, "nonce", json_string(proof->nonce));
    return status ? status
                  : member_set(document, "expires", json_integer((json_int_t)proof->expires));
}

/* ---- in ---- */

const char *porting_text_of(const json_t *document, const char *name)
{
    return json_string_value(json_object_get(document, name));
}

bool porting_text_fits(const json_t *document, const char *name)
{
    const json_t *member = json_object_get(document, name);
    return !member || json_is_string(member) || json_is_null(member);
}

static bool text_copy(const json_t *document, const char *name, char *out, size_t size)
{
    const char *text = porting_text_of(document, name);
    if (!text || strlen(text) >= size)
        return false;
    snprintf(out, size, "%s", text);
    return true;
}

static bool domain_copy(const json_t *document, const char *name, char out[STORE_DOMAIN_MAX + 1])
{
    const char *text = porting_text_of(document, name);
    return text && store_domain_canonical(slice_of(text), out, NULL) == 0;
}

static bool number_copy(const json_t *document, const char *name, uint64_t *out)
{
    const json_t *member = json_object_get(document, name);
    json_int_t value = json_integer_value(member);
    if (!json_is_integer(member) || value < 0)
        return false;
    *out = (uint64_t)value;
    return true;
}

static bool time_copy(const json_t *document, const char *name, uint64_t *out)
{
    struct api_problem problem;
    const char *text = porting_text_of(document, name);
    return !text || api_time_decode(slice_of(text), name, out, &problem) == 0;
}

static bool decision_fits(const json_t *document)
{
    static const char *const names[] = {"state", "reason", "losing", "committed", "deadline"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!porting_text_fits(document, names[i]))
            return false;
    return true;
}

/* What only the authority says, where it is there. */
static const char *decode_decision(const json_t *document, struct store_port *port)
{
    const char *state = porting_text_of(document, "state");
    const char *reason = porting_text_of(document, "reason");
    uint64_t reminder;
    if (!decision_fits(document))
        return "state, reason, losing, committed, deadline: they must be texts or null";
    if (state && store_port_state_parse(state, &port->state))
        return "state: it is none of those that are known";
    if (reason && store_port_reason_parse(reason, &port->reason))
        port->reason = STORE_PORT_OPERATOR; /* of a later version */
    if (porting_text_of(document, "losing") && !domain_copy(document, "losing", port->losing))
        return "losing: it must be a domain";
    if (!time_copy(document, "committed", &port->committed_ms) ||
        !time_copy(document, "deadline", &port->deadline_ms))
        return "committed, deadline: they must be times as of RFC 3339 in UTC";
    number_copy(document, "order", &port->order);
    number_copy(document, "commit_order", &port->commit_order);
    if (number_copy(document, "reminder", &reminder) && reminder <= UINT32_MAX)
        port->reminder = (uint32_t)reminder;
    return NULL;
}

static const char *decode_request(const json_t *document, struct store_port *port)
{
    char id[STORE_PORT_ID_LEN + 1];
    uint8_t octets[STORE_PORT_ID_LEN / 2];
    const char *kind = porting_text_of(document, "kind");
    const char *address = porting_text_of(document, "address");
    if (!text_copy(document, "request", port->request, sizeof(port->request)) ||
        !porting_hex_decode(port->request, octets, sizeof(octets)))
        return "request: it must be 32 hex digits";
    if (!kind || store_port_kind_parse(kind, &port->kind))
        return "kind: it must be code, recovery or undo";
    if (!address || store_address_parse(slice_of(address), &port->address, NULL))
        return "address: it must be user@domain";
    if (!domain_copy(document, "gaining", port->gaining))
        return "gaining: it must be a domain";
    if (store_port_id(port->gaining, port->request, port->id))
        return "gaining, request: no id can be made of them";
    if (text_copy(document, "id", id, sizeof(id)) && strcmp(id, port->id) != 0)
        return "id: it is not the one of this gaining domain and request";
    if (port->kind == STORE_PORT_UNDO &&
        (!text_copy(document, "undoes", port->undoes, sizeof(port->undoes)) ||
         !porting_hex_decode(port->undoes, octets, sizeof(octets))))
        return "undoes: it must be the id of a port";
    return NULL;
}

bool porting_is_decision(enum store_port_state state)
{
    return state != STORE_PORT_REQUESTING && state != STORE_PORT_CANCELLING &&
           state != STORE_PORT_REFUSED;
}

int porting_decode(const json_t *document, struct store_port *port, const char **why)
{
    struct store_port made = {.state = STORE_PORT_REQUESTING};
    *why = json_is_object(document) ? decode_request(document, &made) : "there is no body";
    if (!*why)
        *why = decode_decision(document, &made);
    if (*why)
        return STATUS_MALFORMED;
    *port = made;
    return 0;
}

static bool decode_signature(const json_t *document, struct porting_proof *proof)
{
    uint8_t octets[PORTING_NONCE_LEN];
    const char *signature = porting_text_of(document, "signature");
    return signature && porting_hex_decode(signature, proof->signature, PORTING_SIGNATURE_LEN) &&
           text_copy(document, "nonce", proof->nonce, sizeof(proof->nonce)) &&
           porting_hex_decode(proof->nonce, octets, sizeof(octets)) &&
           number_copy(document, "expires", &proof->expires);
}

int porting_decode_proof(const json_t *document, struct porting_proof *proof,
                         uint8_t undo_hash[STORE_HASH_LEN], const char **why)
{
    const char *hash = porting_text_of(document, "undo_hash");
    struct porting_proof made = {.code = ""};
    if (!porting_text_fits(document, "undo_hash") ||
        (hash && !porting_hex_decode(hash, undo_hash, STORE_HASH_LEN))) {
        *why = "undo_hash: it must be 64 hex digits";
        return STATUS_MALFORMED;
    }
    if (!text_copy(document, "code", made.code, sizeof(made.code)) &&
        !text_copy(document, "undo_secret", made.code, sizeof(made.code)) &&
        !decode_signature(document, &made)) {
        *why = "code, undo_secret or signature with nonce and expires: one of them must be there";
        return STATUS_MALFORMED;
    }
    *proof = made;
    return 0;
}

enum store_port_reason porting_reason_of(const json_t *problem)
{
    enum store_port_reason reason;
    const char *text = porting_text_of(problem, "reason");
    return text && store_port_reason_parse(text, &reason) == 0 ? reason : STORE_PORT_NO_REASON;
}

/* ---- answers ---- */

int porting_reply(struct federation_answer *answer, json_t *body)
{
    answer->status = 200;
    answer->body = body;
    return body ? 0 : -ENOMEM;
}

int porting_refuse(struct federation_answer *answer, unsigned status, const char *reason,
                   const char *detail)
{
    answer->status = status;
    answer->body =
        json_pack("{s:s+, s:s, s:i, s:s, s:s}", "type", "urn:junctor:problem:", reason, "title",
                  "The port is refused", "status", (int)status, "reason", reason, "detail", detail);
    return answer->body ? 0 : -ENOMEM;
}

struct status_row {
    int status;
    unsigned http;
    enum store_port_reason reason;
    const char *detail;
};

static const struct status_row status_rows[] = {
    {STATUS_NOTFOUND, 404, STORE_PORT_NO_ADDRESS,
     "the address is not one of this authority that can be ported"},
    {STATUS_EXISTS, 409, STORE_PORT_ALREADY_THERE, "the gaining domain hosts the address already"},
    {STATUS_PORTING, 409, STORE_PORT_ALREADY_PENDING,
     "another port of the address is under way: wait for its end or cancel it"},
    {STATUS_LOCKED, 409, STORE_PORT_LOCKED_BY_HOLDER,
     "the holder has locked the address: he must unlock it first"},
    {STATUS_FROZEN, 409, STORE_PORT_FROZEN,
     "the address was ported a short time ago, or its operator has frozen it: wait"},
    {STATUS_STATE, 409, STORE_PORT_NOT_UNDOABLE,
     "there is no committed port of this address that can still be undone like this"},
};

int porting_refuse_status(struct federation_answer *answer, int status, enum store_port_kind kind)
{
    if (status == STATUS_PROOF)
        return porting_refuse(
            answer, 403,
            store_port_reason_text(kind == STORE_PORT_CODE ? STORE_PORT_BAD_CODE
                                                           : STORE_PORT_BAD_PROOF),
            kind == STORE_PORT_CODE ? "the auth code is wrong, used, expired, withdrawn or for "
                                      "another gaining domain: the holder must get a new one"
                                    : "the signature or undo secret does not prove the holder");
    for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++)
        if (status_rows[i].status == status)
            return porting_refuse(answer, status_rows[i].http,
                                  store_port_reason_text(status_rows[i].reason),
                                  status_rows[i].detail);
    if (status == STATUS_MISMATCH)
        return porting_refuse(answer, 422, "request-reused",
                              "this request id was used for another port");
    if (status == STATUS_MALFORMED)
        return porting_refuse(answer, 400, "malformed", "the port is not complete or canonical");
    return status;
}

bool porting_proves(const struct federation_request *request, const char *domain)
{
    for (size_t i = 0; i < request->proven_count; i++)
        if (strcmp(request->proven[i], domain) == 0)
            return true;
    return false;
}
