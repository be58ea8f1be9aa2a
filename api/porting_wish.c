/* What holders and operators of this node want of a port. */
#include "api/porting_internal.h"

#include "api/internal.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE (sizeof(PORTING_PATH) + STORE_PORT_ID_LEN + 16)

/* Something else than a port keeps it as it is: what leads to the address, or a key that works. */
static bool is_held(const struct federation_answer *answer)
{
    const char *reason = porting_text_of(answer->body, "reason");
    return reason && (strcmp(reason, "in-use") == 0 || strcmp(reason, "key-works") == 0);
}

static enum api_problem_kind problem_kind(const struct federation_answer *answer)
{
    switch (porting_reason_of(answer->body)) {
    case STORE_PORT_LOCKED_BY_HOLDER:
        return API_PROBLEM_LOCKED;
    case STORE_PORT_FROZEN:
        return API_PROBLEM_FROZEN;
    case STORE_PORT_ALREADY_PENDING:
        return API_PROBLEM_PORTING;
    case STORE_PORT_ALREADY_THERE:
        return API_PROBLEM_EXISTS;
    case STORE_PORT_BAD_CODE:
    case STORE_PORT_BAD_PROOF:
        return API_PROBLEM_PROOF;
    default:
        return answer->status == 404   ? API_PROBLEM_NO_RECORD
               : answer->status == 403 ? API_PROBLEM_FORBIDDEN
               : answer->status == 429 ? API_PROBLEM_RATE
               : is_held(answer)       ? API_PROBLEM_IN_USE
               : answer->status < 500  ? API_PROBLEM_STATE
                                       : API_PROBLEM_BUSY;
    }
}

/* What the authority answered, as a problem of our own. */
static int answer_problem(const struct federation_answer *answer, struct api_problem *problem)
{
    const char *detail = porting_text_of(answer->body, "detail");
    const char *reason = porting_text_of(answer->body, "reason");
    return api_problem_set(problem, problem_kind(answer), NULL, "the authority refuses: %s%s%s",
                           detail ? detail : "it gives no reason", reason ? "; reason: " : "",
                           reason ? reason : "");
}

int porting_demand(struct porting *porting, const char *from, const char *to, const char *method,
                   const char *path, const json_t *body, struct federation_answer *answer,
                   struct api_problem *problem)
{
    int status = porting_ask(porting, from, to, method, path, body, answer);
    if (status)
        return api_problem_set(problem, API_PROBLEM_BUSY, NULL, "%s cannot be asked: %s", to,
                               answer->why[0] ? answer->why : status_text(status));
    return answer->status == 200 ? 0 : answer_problem(answer, problem);
}

static int port_find(struct porting *porting, enum store_port_role role, const char *id,
                     struct store_port *port, struct api_problem *problem)
{
    int status = porting_port_get(porting, role, id, port);
    if (status)
        return api_problem_from_status(problem, status, id);
    return 0;
}

/* ---- a new port ---- */

static struct porting_proof proof_of(const struct porting_wish *wish)
{
    struct porting_proof proof = {.expires = wish->expires};
    if (!wish->by_key && wish->kind != STORE_PORT_RECOVERY)
        snprintf(proof.code, sizeof(proof.code), "%s", wish->code);
    memcpy(proof.signature, wish->signature, sizeof(proof.signature));
    snprintf(proof.nonce, sizeof(proof.nonce), "%s", wish->nonce);
    return proof;
}

/* The port that is wished, with its own number and the hash of its undo secret. */
static int port_make(const struct porting_wish *wish, struct store_port *port,
                     struct porting_made *made)
{
    int status = 0;
    port->kind = wish->kind;
    snprintf(port->owner, sizeof(port->owner), "%s", wish->owner);
    snprintf(port->display, sizeof(port->display), "%s", wish->display);
    snprintf(port->request, sizeof(port->request), "%s", wish->request);
    if (port->request[0] == '\0')
        status = porting_request_make(port->request);
    if (status == 0)
        status = store_port_id(port->gaining, port->request, port->id);
    if (status == 0 && wish->kind != STORE_PORT_UNDO)
        status = porting_secret_make(made->undo_secret);
    if (status == 0 && wish->kind != STORE_PORT_UNDO)
        status = porting_hash(made->undo_secret, port->undo_hash);
    snprintf(made->id, sizeof(made->id), "%s", port->id);
    return status;
}

static const char *actor_of(const struct porting_wish *wish)
{
    return *wish->actor ? wish->actor : PORTING_SOURCE;
}

/* Why the store does not let it begin. */
static int start_refused(int status, const struct store_port *port, bool has_nonce,
                         struct api_problem *problem)
{
    if (status == STATUS_PORTING)
        return api_problem_set(problem, API_PROBLEM_PORTING, "address",
                               "address: another port of it is under way: it ends first, or is "
                               "cancelled");
    if (status == STATUS_EXISTS)
        return api_problem_set(problem, API_PROBLEM_EXISTS, "address",
                               "address: %s hosts it already", port->gaining);
    if (status == STATUS_MISMATCH && has_nonce)
        return api_problem_set(problem, API_PROBLEM_EXISTS, "nonce",
                               "nonce: %s has asked for another port with it already (%s): draw a "
                               "new one, and sign that",
                               port->gaining, port->id);
    return api_problem_from_status(problem, status,
                                   status == STATUS_NOTFOUND ? port->gaining : port->address.user);
}

/* `target`: whom a number is to lead to; NULL: it is none, or comes back. */
static int port_start(struct porting *porting, const char *actor, const struct store_port *port,
                      const struct porting_proof *proof, const struct store_address *target,
                      struct api_problem *problem)
{
    struct store_command command = {.op = STORE_PORT_START, .expected_version = STORE_ANY_VERSION};
    command.order.port = *port;
    if (target)
        command.order.target = *target;
    int status = porting_hold(porting, port->id, proof);
    if (status)
        return api_problem_set(problem, API_PROBLEM_BUSY, NULL,
                               "too many ports are being asked for at once: try again");
    status = porting_submit(porting, actor, &command, NULL);
    if (status) {
        porting_drop(porting, port->id);
        return start_refused(status, port, *proof->nonce != '\0', problem);
    }
    porting_kick(porting);
    return 0;
}

/* The port to be undone, as the old host knows it, or as the new one does. */
static int undone_find(struct porting *porting, const struct porting_wish *wish,
                       struct store_port *undone, struct api_problem *problem)
{
    int status = porting_port_get(porting, STORE_PORT_LOSING, wish->undoes, undone);
    if (status == STATUS_NOTFOUND)
        status = porting_port_get(porting, STORE_PORT_GAINING, wish->undoes, undone);
    if (status)
        return api_problem_from_status(problem, status, wish->undoes);
    if (undone->losing[0] == '\0')
        return api_problem_set(problem, API_PROBLEM_STATE, "undoes",
                               "undoes: this port was not committed, so there is nothing to undo");
    return 0;
}

/* The old host begins with a port of its own; the new one asks the authority in its place. */
static int undo_begin(struct porting *porting, const struct porting_wish *wish,
                      struct porting_made *made, struct api_problem *problem)
{
    struct federation_answer answer = {.status = 0};
    struct porting_proof proof = proof_of(wish);
    struct store_port undone, port = {.state = STORE_PORT_REQUESTING};
    if (undone_find(porting, wish, &undone, problem))
        return -EPROTO;
    port.address = undone.address;
    snprintf(port.gaining, sizeof(port.gaining), "%s", undone.losing);
    snprintf(port.undoes, sizeof(port.undoes), "%s", undone.id);
    int status = port_make(wish, &port, made);
    if (status)
        return api_problem_from_status(problem, status, "port");
    if (undone.role == STORE_PORT_LOSING)
        return port_start(porting, actor_of(wish), &port, &proof, NULL, problem);
    json_t *body = porting_encode(&port, porting_now_ms(porting));
    if (!body || porting_encode_proof(body, &proof, port.undo_hash))
        status = api_problem_from_status(problem, -ENOMEM, "port");
    else
        status = porting_demand(porting, undone.gaining, port.address.domain, "POST", PORTING_PATH,
                                body, &answer, problem);
    json_decref(answer.body);
    json_decref(body);
    return status;
}

static int port_begin(struct porting *porting, const struct porting_wish *wish,
                      struct porting_made *made, struct api_problem *problem)
{
    struct porting_proof proof = proof_of(wish);
    struct store_port port = {.state = STORE_PORT_REQUESTING, .address = wish->address};
    snprintf(port.gaining, sizeof(port.gaining), "%s", wish->gaining);
    int status = port_make(wish, &port, made);
    status = status ? api_problem_from_status(problem, status, "port")
                    : port_start(porting, actor_of(wish), &port, &proof, &wish->target, problem);
    explicit_bzero(&proof, sizeof(proof));
    return status;
}

/* ---- a port under way ---- */

static int cancel_begin(struct porting *porting, const struct porting_wish *wish,
                        struct api_problem *problem)
{
    struct store_command command = {.op = STORE_PORT_STEP, .expected_version = STORE_ANY_VERSION};
    struct store_port_order *order = &command.order;
    order->port.role = STORE_PORT_GAINING;
    snprintf(order->port.id, sizeof(order->port.id), "%s", wish->id);
    order->event = STORE_PORT_CANCEL;
    order->by = STORE_PORT_BY_GAINING;
    order->reason = wish->reason ? wish->reason : STORE_PORT_BY_HOLDER;
    int status = porting_submit(porting, actor_of(wish), &command, NULL);
    if (status == STATUS_STATE)
        return api_problem_set(problem, API_PROBLEM_STATE, NULL,
                               "%s: it is over already, or committed; a committed port can be "
                               "undone",
                               wish->id);
    if (status)
        return api_problem_from_status(problem, status, wish->id);
    porting_kick(porting);
    return 0;
}

/* The losing host's word goes to the authority. */
static int losing_begin(struct porting *porting, const struct porting_wish *wish,
                        struct api_problem *problem)
{
    struct federation_answer answer = {.status = 0};
    struct store_port port;
    char path[PATH_SIZE];
    if (port_find(porting, STORE_PORT_LOSING, wish->id, &port, problem))
        return -EPROTO;
    snprintf(path, sizeof(path), PORTING_PATH "/%s/%s", port.id,
             store_port_event_text(wish->event));
    json_t *body = json_pack("{s:s}", "reason", store_port_reason_text(wish->reason));
    int status = porting_demand(porting, port.losing, port.address.domain, "POST", path, body,
                                &answer, problem);
    json_decref(answer.body);
    json_decref(body);
    return status;
}

static int operator_begin(struct porting *porting, const struct porting_wish *wish,
                          struct api_problem *problem)
{
    struct federation_answer answer = {.status = 0};
    struct store_port port;
    if (port_find(porting, STORE_PORT_AUTHORITY, wish->id, &port, problem))
        return -EPROTO;
    int status = porting_step(porting, &port, wish->event,
                              wish->as_owner ? STORE_PORT_BY_OWNER : STORE_PORT_BY_OPERATOR,
                              wish->reason, actor_of(wish), &answer);
    if (status)
        status = api_problem_from_status(problem, status, wish->id);
    else if (answer.status != 200)
        status = answer_problem(&answer, problem);
    json_decref(answer.body);
    return status;
}

int porting_begin(struct porting *porting, const struct porting_wish *wish,
                  struct porting_made *made, struct api_problem *problem)
{
    switch (wish->event) {
    case STORE_PORT_ASK:
        *made = (struct porting_made){.id = ""};
        return wish->kind == STORE_PORT_UNDO ? undo_begin(porting, wish, made, problem)
                                             : port_begin(porting, wish, made, problem);
    case STORE_PORT_CANCEL:
        return cancel_begin(porting, wish, problem);
    case STORE_PORT_ALLOW:
        return operator_begin(porting, wish, problem);
    case STORE_PORT_REJECT:
    case STORE_PORT_OBJECT:
        if (wish->as_operator)
            return operator_begin(porting, wish, problem);
        return losing_begin(porting, wish, problem);
    case STORE_PORT_APPROVE:
        return losing_begin(porting, wish, problem);
    default:
        return api_problem_set(problem, API_PROBLEM_FIELD, "event",
                               "event: nobody can wish for this");
    }
}

/* ---- questions to the authority ---- */

int porting_number_zone(struct porting *porting, struct store_address *address,
                        struct api_problem *problem)
{
    char zone[STORE_DOMAIN_MAX + 1], why[FEDERATION_MAX_WHY] = "";
    if (!porting->parts.zone)
        return api_problem_set(problem, API_PROBLEM_BUSY, NULL,
                               "%s: this node does not ask in DNS which ENUM zone holds it",
                               address->user);
    int status = porting->parts.zone(address->user + 1, zone, why, porting->parts.zone_arg);
    if (status)
        return api_problem_set(problem,
                               status == STATUS_NOHOP || status == STATUS_UNPROVEN
                                   ? API_PROBLEM_NO_ZONE
                                   : API_PROBLEM_BUSY,
                               NULL, "%s", why);
    memcpy(address->domain, zone, sizeof(zone));
    return 0;
}

static int nonce_get(struct porting *porting, const char *from, struct porting_draw *draw,
                     struct api_problem *problem)
{
    struct federation_answer answer = {.status = 0};
    char text[API_ADDRESS_TEXT_MAX];
    const char *authority = draw->address.domain;
    json_t *body = json_pack("{s:s, s:s}", "address", api_address_format(&draw->address, text),
                             "gaining", draw->gaining);
    int status = porting_demand(porting, from, authority, "POST", PORTING_NONCE_PATH, body, &answer,
                                problem);
    const char *made = porting_text_of(answer.body, "nonce");
    uint8_t octets[PORTING_NONCE_LEN];
    if (status == 0 && (!made || !porting_hex_decode(made, octets, sizeof(octets))))
        status = api_problem_set(problem, API_PROBLEM_BUSY, NULL,
                                 "%s answers with what is no nonce", authority);
    if (status == 0) {
        snprintf(draw->nonce, sizeof(draw->nonce), "%s", made);
        draw->expires = (uint64_t)json_integer_value(json_object_get(answer.body, "expires"));
    }
    json_decref(answer.body);
    json_decref(body);
    return status;
}

int porting_draw(struct porting *porting, const struct porting_wish *wish,
                 struct porting_draw *draw, struct api_problem *problem)
{
    struct store_port undone;
    char from[STORE_DOMAIN_MAX + 1], request[STORE_PORT_ID_LEN + 1];
    bool is_undo = wish->kind == STORE_PORT_UNDO;
    if (is_undo && undone_find(porting, wish, &undone, problem))
        return -EPROTO;
    draw->address = is_undo ? undone.address : wish->address;
    snprintf(draw->gaining, sizeof(draw->gaining), "%s", is_undo ? undone.losing : wish->gaining);
    snprintf(from, sizeof(from), "%s",
             is_undo && undone.role == STORE_PORT_GAINING ? undone.gaining : draw->gaining);
    if (nonce_get(porting, from, draw, problem))
        return -EPROTO;
    porting_request_of(draw->nonce, request);
    int status = store_port_id(draw->gaining, request, draw->id);
    if (status)
        return api_problem_from_status(problem, status, "port");
    porting_text(wish->kind, &draw->address, draw->gaining, draw->id, draw->nonce, draw->expires,
                 draw->text);
    return 0;
}
