/* What holders and operators do with ports: POST /v1/ports and /v1/ports/{id}/... What it is that
 * follows is the engine's (api/porting.h); here is who may wish for it. */
#include "api/ports.h"

#include "api/auth.h"
#include "api/number_place.h"
#include "base/hex.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lives in call->memory. */
struct move {
    struct porting_wish wish;
    struct porting_made made;
    struct api_problem problem;
};

/* Codes and undo secrets. */
static void move_wipe(void *memory)
{
    explicit_bzero(memory, sizeof(struct move));
}

static struct move *move_begin(struct api_call *call, enum store_port_event event)
{
    if (!call->api->parts.porting) {
        api_problem_set(&call->problem, API_PROBLEM_READ_ONLY, NULL,
                        "ports: this daemon has no part in them");
        return NULL;
    }
    struct move *move = call->memory = calloc(1, sizeof(*move));
    if (!move) {
        api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
        return NULL;
    }
    call->memory_done = move_wipe;
    move->wish.event = event;
    memcpy(move->wish.actor, call->actor, sizeof(move->wish.actor));
    return move;
}

/* On a thread of its own, for another operator may have to answer. */
static int move_do(struct api_call *call)
{
    struct move *move = call->memory;
    struct store_address *address = &move->wish.address;
    if (address->user[0] && !address->domain[0] &&
        porting_number_zone(call->api->parts.porting, address, &move->problem))
        return -EPROTO;
    return porting_begin(call->api->parts.porting, &move->wish, &move->made, &move->problem);
}

static int move_check(struct api_call *call, const struct store_verdict *verdict)
{
    const struct move *move = call->memory;
    if (verdict->status == -EPROTO)
        call->problem = move->problem;
    else if (verdict->status)
        return api_problem_from_status(&call->problem, verdict->status, call->name);
    return verdict->status;
}

/* ---- a new port ---- */

static int made_reply(struct api_call *call, const char *id, const char *secret)
{
    snprintf(call->location, sizeof(call->location), "/v1/ports/%s", id);
    return api_call_reply(call, 201,
                          json_pack("{s:s, s:o}", "id", id, "undo_secret",
                                    *secret ? json_string(secret) : json_null()),
                          0);
}

static int port_made(struct api_call *call, const struct store_verdict *verdict)
{
    const struct move *move = call->memory;
    if (move_check(call, verdict))
        return -EPROTO;
    return made_reply(call, move->made.id, move->made.undo_secret);
}

static int secret_take(struct api_call *call, const char *name, char code[PORTING_CODE_MAX + 1])
{
    struct slice text = api_json_text(call->body, name);
    if (text.len && !slice_to_cstr(text, code, PORTING_CODE_MAX + 1))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, name,
                           "%s: must have 1 to %d characters", name, PORTING_CODE_MAX);
}

int api_gaining_take(struct api_call *call, char gaining[STORE_DOMAIN_MAX + 1])
{
    struct slice text = api_json_text(call->body, "gaining");
    struct store_domain domain;
    struct store_fault fault;
    if (store_domain_canonical(text, gaining, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "gaining", "gaining: %s",
                               fault.text);
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_domain_get(call->reader, gaining, &domain);
        store_reader_end(call->reader);
    }
    bool is_his = (call->who.bits & API_USER) || api_may_domain(call, gaining);
    if (!status && is_his)
        return 0;
    if (status && status != STATUS_NOTFOUND)
        return api_problem_from_status(&call->problem, status, gaining);
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, "gaining",
                           "%s: is not one of our domains; a port is asked for at the operator "
                           "that is to host the address",
                           gaining);
}

/* A user ports for himself. */
static int owner_take(struct api_call *call, char owner[STORE_OWNER_MAX + 1])
{
    if (!(call->who.bits & API_USER))
        return api_owner_decode(call->body, owner, &call->problem);
    if (json_object_get(call->body, "owner"))
        return api_problem_set(&call->problem, API_PROBLEM_FORBIDDEN, "owner",
                               "owner: is the operator's to set");
    memcpy(owner, call->who.owner, STORE_OWNER_MAX + 1);
    return 0;
}

/* An address, or a number: then "+digits" of the ENUM zone that our directory knows, or of no
 * domain yet. */
static int whom_take(struct api_call *call, struct porting_wish *wish)
{
    char text[API_ADDRESS_TEXT_MAX], digits[STORE_NUMBER_MAX + 1];
    struct store_fault fault;
    if (slice_to_cstr(api_json_text(call->body, "address"), text, sizeof(text)) ||
        !api_text_is_number(text))
        return api_address_field(call->body, "address", &wish->address, &call->problem);
    if (store_number_parse(slice_of(text), digits, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "address", "address: %s",
                               fault.text);
    snprintf(wish->address.user, sizeof(wish->address.user), "+%s", digits);
    wish->address.domain[0] = '\0';
    int status = api_number_place(call, digits, &wish->address);
    return status && status != STATUS_NOTFOUND
               ? api_problem_from_status(&call->problem, status, text)
               : 0;
}

/* Does this domain serve the address, which the caller may see? */
static int target_check(struct api_call *call, const struct porting_wish *wish)
{
    struct store_record record;
    char key[API_ADDRESS_TEXT_MAX];
    api_address_format(&wish->target, key);
    bool serves =
        api_record_read(call, &api_kind_address, key, &record) == 0 &&
        (record.state == STORE_ADDRESS_HOSTED || record.state == STORE_ADDRESS_PORTED_IN) &&
        strcmp(record.hosting, wish->gaining) == 0;
    if (serves)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, "to",
                           "to: %s is no address that %s serves; a number leads to one there", key,
                           wish->gaining);
}

/* Whom a number is to lead to at the gaining host: as it says, or as the number table does. */
static int target_take(struct api_call *call, struct porting_wish *wish)
{
    bool is_number = !wish->address.domain[0] || api_address_is_number(call->api, &wish->address);
    struct slice text = api_json_text(call->body, "to");
    struct store_number known;
    if (text.len && !is_number)
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "to",
                               "to: is for numbers; an address moves under its own name");
    if (!is_number)
        return 0;
    if (text.len && api_address_field(call->body, "to", &wish->target, &call->problem))
        return -EPROTO;
    if (!text.len) {
        int status = store_reader_begin(call->reader);
        if (!status) {
            status = store_number_get(call->reader, wish->address.user + 1, &known);
            store_reader_end(call->reader);
        }
        if (status)
            return api_problem_set(&call->problem, API_PROBLEM_FIELD, "to",
                                   "to: is missing: name the address at %s that %s is to lead to",
                                   wish->gaining, wish->address.user);
        wish->target = known.address;
    }
    return target_check(call, wish);
}

static int start_decode(struct api_call *call, struct porting_wish *wish)
{
    static const struct api_field fields[] = {
        {"address", JSON_STRING, API_REQUIRED},
        {"gaining", JSON_STRING, API_REQUIRED},
        {"code", JSON_STRING, 0},
        {"signature", JSON_STRING, 0},
        {"nonce", JSON_STRING, 0},
        {"expires", JSON_INTEGER, 0},
        {"owner", JSON_STRING, API_NULLABLE},
        {"to", JSON_STRING, API_NULLABLE},
        {NULL, JSON_NULL, 0},
    };
    bool is_signed;
    if (api_json_check(call->body, fields, false, &call->problem) || whom_take(call, wish) ||
        api_proof_choose(call, "code", &is_signed) ||
        (is_signed ? api_signature_take(call, wish) : secret_take(call, "code", wish->code)) ||
        api_gaining_take(call, wish->gaining) || owner_take(call, wish->owner) ||
        target_take(call, wish))
        return -EPROTO;
    wish->kind = is_signed ? STORE_PORT_RECOVERY : STORE_PORT_CODE;
    struct slice typed = api_json_text(call->body, "address");
    if (slice_to_cstr(typed, wish->display, sizeof(wish->display)))
        api_address_format(&wish->address, wish->display);
    return 0;
}

/* The same key is the same request, so that one whose answer was lost begins no second port. What
 * was signed is for one request anyway. */
static int request_of_key(struct api_call *call, struct porting_wish *wish)
{
    uint8_t id[32];
    if (!call->idempotency_key || wish->by_key)
        return 0;
    if (api_command_id(call, id))
        return api_problem_set(&call->problem, API_PROBLEM_INTERNAL, NULL,
                               "Idempotency-Key: cannot be hashed");
    hex_encode(id, STORE_PORT_ID_LEN / 2, wish->request);
    return 0;
}

/* Is it known already? Its undo secret was shown with the first answer, and is not kept. */
static bool known_find(struct api_call *call, const struct porting_wish *wish,
                       struct store_port *port)
{
    char id[STORE_PORT_ID_LEN + 1];
    if (!*wish->request || store_port_id(wish->gaining, wish->request, id) ||
        store_reader_begin(call->reader))
        return false;
    int status = store_port_get(call->reader, STORE_PORT_GAINING, id, port);
    store_reader_end(call->reader);
    return status == 0;
}

static bool is_of(const struct store_port *port, const struct porting_wish *wish)
{
    const char *domain = wish->address.domain; /* "": of a number whose zone is not known */
    return strcmp(port->address.user, wish->address.user) == 0 &&
           (!domain[0] || strcmp(port->address.domain, domain) == 0);
}

int api_port_post(struct api_call *call)
{
    struct move *move = move_begin(call, STORE_PORT_ASK);
    struct store_port known;
    char name[API_ADDRESS_TEXT_MAX];
    if (!move || start_decode(call, &move->wish) || request_of_key(call, &move->wish))
        return -EPROTO;
    if (move->wish.address.domain[0])
        api_address_format(&move->wish.address, name);
    else
        snprintf(name, sizeof(name), "%s", move->wish.address.user);
    bool is_known = known_find(call, &move->wish, &known);
    bool is_same = is_known && is_of(&known, &move->wish);
    if (!is_known || (!is_same && move->wish.by_key)) /* the store refuses a nonce used twice */
        return api_port_rate_check(call) ? -EPROTO : api_run(call, name, move_do, port_made);
    if (!is_same)
        return api_problem_from_status(&call->problem, STATUS_MISMATCH, "Idempotency-Key");
    return made_reply(call, known.id, "");
}

/* ---- what is done with one ---- */

int api_port_role_find(struct api_call *call, enum store_port_role role, const char *id,
                       struct store_port *port)
{
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = api_port_read(&call->who, call->reader, role, id, port);
        store_reader_end(call->reader);
    }
    return status ? api_problem_from_status(&call->problem, status, id) : 0;
}

/* That of the path. */
static int role_find(struct api_call *call, enum store_port_role role, struct store_port *port)
{
    return api_port_role_find(call, role, call->param, port);
}

static int port_stepped(struct api_call *call, const struct store_verdict *verdict)
{
    struct store_port port;
    if (move_check(call, verdict) || api_port_find(call, &port))
        return -EPROTO;
    return api_call_reply(call, 200, api_port_show(&port), port.version);
}

static int reason_take(struct api_call *call, enum store_port_reason *reason)
{
    static const struct api_field fields[] = {
        {"reason", JSON_STRING, 0},
        {NULL, JSON_NULL, 0},
    };
    char text[32];
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    struct slice given = api_json_text(call->body, "reason");
    if (!given.len)
        return 0;
    if (slice_to_cstr(given, text, sizeof(text)) || store_port_reason_parse(text, reason) ||
        !store_port_reason_is_choice(*reason))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "reason",
                               "reason: is none of fraud, not-the-holder, contract, legal, "
                               "operator and by-holder");
    return 0;
}

/* We are its authority, and the losing host, ours too, is about to be told of it. */
static bool is_on_its_way(struct api_call *call, enum store_port_role role)
{
    struct store_port port;
    struct store_domain domain;
    if (role != STORE_PORT_LOSING || store_reader_begin(call->reader))
        return false;
    bool is_it =
        api_port_read(&call->who, call->reader, STORE_PORT_AUTHORITY, call->param, &port) == 0 &&
        (port.owed & STORE_PORT_OWES_LOSING) &&
        store_domain_get(call->reader, port.losing, &domain) == 0;
    store_reader_end(call->reader);
    return is_it && api_may_domain(call, port.losing);
}

static int step_find(struct api_call *call, enum store_port_role role, struct store_port *port)
{
    if (role_find(call, role, port) == 0)
        return 0;
    if (!is_on_its_way(call, role))
        return -EPROTO;
    return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                           "%s: has not reached the host that would lose the address yet: try "
                           "again in a moment",
                           call->param);
}

static int step_run(struct api_call *call, enum store_port_event event, enum store_port_role role,
                    enum store_port_reason reason)
{
    struct store_port port;
    if (step_find(call, role, &port) || reason_take(call, &reason))
        return -EPROTO;
    struct move *move = move_begin(call, event);
    if (!move)
        return -EPROTO;
    memcpy(move->wish.id, port.id, sizeof(move->wish.id));
    move->wish.reason = reason;
    move->wish.as_operator = role == STORE_PORT_AUTHORITY;
    move->wish.as_owner = (call->who.bits & API_USER) != 0;
    return api_run(call, port.id, move_do, port_stepped);
}

int api_port_cancel_post(struct api_call *call)
{
    return step_run(call, STORE_PORT_CANCEL, STORE_PORT_GAINING, STORE_PORT_BY_HOLDER);
}

int api_port_approve_post(struct api_call *call)
{
    return step_run(call, STORE_PORT_APPROVE, STORE_PORT_LOSING, STORE_PORT_NO_REASON);
}

/* By the host that would lose it, or by whoever has it there; else by who has it at the authority,
 * and the authority's operator. */
int api_port_object_post(struct api_call *call)
{
    struct store_port port;
    bool is_user = (call->who.bits & API_USER) != 0;
    bool is_losing = role_find(call, STORE_PORT_LOSING, &port) == 0;
    return step_run(call, STORE_PORT_OBJECT, is_losing ? STORE_PORT_LOSING : STORE_PORT_AUTHORITY,
                    is_user ? STORE_PORT_NOT_THE_HOLDER : STORE_PORT_OPERATOR);
}

int api_port_allow_post(struct api_call *call)
{
    return step_run(call, STORE_PORT_ALLOW, STORE_PORT_AUTHORITY, STORE_PORT_NO_REASON);
}

/* A disputed one is its authority's to decide, every other the losing host's. */
int api_port_reject_post(struct api_call *call)
{
    struct store_port port = {.version = 0};
    bool is_disputed =
        role_find(call, STORE_PORT_AUTHORITY, &port) == 0 && port.state == STORE_PORT_DISPUTED;
    return step_run(call, STORE_PORT_REJECT, is_disputed ? STORE_PORT_AUTHORITY : STORE_PORT_LOSING,
                    STORE_PORT_OPERATOR);
}

int api_port_undo_post(struct api_call *call)
{
    static const struct api_field fields[] = {
        {"secret", JSON_STRING, 0},   {"signature", JSON_STRING, 0}, {"nonce", JSON_STRING, 0},
        {"expires", JSON_INTEGER, 0}, {NULL, JSON_NULL, 0},
    };
    struct store_port port;
    bool is_signed;
    if (role_find(call, STORE_PORT_LOSING, &port) && role_find(call, STORE_PORT_GAINING, &port))
        return -EPROTO;
    struct move *move = move_begin(call, STORE_PORT_ASK);
    if (!move || api_json_check(call->body, fields, false, &call->problem) ||
        api_proof_choose(call, "secret", &is_signed) ||
        (is_signed ? api_signature_take(call, &move->wish)
                   : secret_take(call, "secret", move->wish.code)))
        return -EPROTO;
    if (api_port_rate_check(call))
        return -EPROTO;
    move->wish.kind = STORE_PORT_UNDO;
    memcpy(move->wish.undoes, port.id, sizeof(move->wish.undoes));
    memcpy(move->wish.owner, port.owner, sizeof(move->wish.owner));
    return api_run(call, port.id, move_do, port_made);
}
