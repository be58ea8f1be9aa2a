/* Who is owed a notice is told; what the far side answers is known here from then on. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define PATH_SIZE (sizeof(PORTING_PATH) + STORE_PORT_ID_LEN + 16)

static const unsigned everybody[] = {STORE_PORT_OWES_AUTHORITY, STORE_PORT_OWES_GAINING,
                                     STORE_PORT_OWES_LOSING,    STORE_PORT_OWES_HOLDER,
                                     STORE_PORT_OWES_OPERATOR,  STORE_PORT_OWES_MAIL};

/* ---- whom, and whether now ---- */

const char *porting_target_of(const struct store_port *port, unsigned whom)
{
    switch (whom) {
    case STORE_PORT_OWES_AUTHORITY:
        return port->address.domain;
    case STORE_PORT_OWES_GAINING:
        return port->gaining;
    case STORE_PORT_OWES_LOSING:
        return port->losing;
    case STORE_PORT_OWES_OPERATOR:
        return "operator";
    default:
        return "holders";
    }
}

const char *porting_retry_key(const struct store_port *port, unsigned whom,
                              char key[PORTING_RETRY_KEY])
{
    int len = snprintf(key, PORTING_RETRY_KEY, "%s/%u/%u", port->id, (unsigned)port->role, whom);
    if (whom == STORE_PORT_OWES_MAIL)
        snprintf(key + len, PORTING_RETRY_KEY - (size_t)len, ".%u.%u", (unsigned)port->state,
                 (unsigned)port->reminder);
    return key;
}

static bool is_due(struct porting *porting, const struct store_port *port, unsigned whom)
{
    char key[PORTING_RETRY_KEY];
    return (port->owed & whom) && porting_retry_is_due(porting, porting_target_of(port, whom)) &&
           porting_retry_is_due(porting, porting_retry_key(port, whom, key));
}

bool porting_is_due(struct porting *porting, const struct store_port *port)
{
    for (size_t i = 0; i < sizeof(everybody) / sizeof(everybody[0]); i++)
        if (is_due(porting, port, everybody[i]))
            return true;
    return false;
}

/* What somebody said instead of doing it. */
static void refusal_note(struct porting *porting, const char *who,
                         const struct federation_answer *answer)
{
    const char *detail = porting_text_of(answer->body, "detail");
    snprintf(porting->turn_why, sizeof(porting->turn_why), "%.253s answers %u%s%.300s", who,
             answer->status, detail ? ": " : "", detail ? detail : "");
}

/* Who cannot be reached is left alone for a while, with all that he is owed. */
static int ask(struct porting *porting, const char *from, const char *to, const char *method,
               const char *path, const json_t *body, struct federation_answer *answer)
{
    int status = porting_ask(porting, from, to, method, path, body, answer);
    if (status) {
        snprintf(porting->turn_why, sizeof(porting->turn_why), "%s",
                 answer->why[0] ? answer->why : status_text(status));
        porting_retry_later(porting, to, PORTING_DOMAIN_MAX_MS, porting->turn_why);
        return status;
    }
    porting_retry_done(porting, to);
    if (answer->status != 200)
        refusal_note(porting, to, answer);
    return 0;
}

/* ---- what is known from an answer ---- */

int porting_tell(struct porting *porting, enum store_port_role role, struct store_port *told,
                 const json_t *document, const char *actor)
{
    struct store_command command = {.op = STORE_PORT_TELL, .expected_version = STORE_ANY_VERSION};
    told->role = role;
    if (document) {
        porting_key_see(porting, role, told, document);
        if (porting_receipt_take(porting, told, document))
            return STATUS_UNPROVEN;
    }
    command.order.port = *told;
    command.order.moved = porting_conf_get(porting).moved;
    int status = porting_submit(porting, actor, &command, NULL);
    if (status == 0 && told->state != STORE_PORT_REQUESTING)
        porting_drop(porting, told->id);
    porting_kick(porting);
    return status;
}

/* The authority refuses for good: it gives one of the reasons that are known. */
static int refused(struct porting *porting, const struct store_port *port,
                   const struct federation_answer *answer)
{
    struct store_port told = *port;
    told.reason = porting_reason_of(answer->body);
    if (answer->status < 400 || answer->status >= 500 || told.reason == STORE_PORT_NO_REASON)
        return STATUS_UNPROVEN;
    told.state = STORE_PORT_REFUSED;
    return porting_tell(porting, STORE_PORT_GAINING, &told, NULL, port->address.domain);
}

/* What the authority knows of our port. */
static int answered(struct porting *porting, const struct store_port *port,
                    const struct federation_answer *answer)
{
    struct store_port told;
    const char *why;
    if (answer->status != 200)
        return refused(porting, port, answer);
    if (porting_decode(answer->body, &told, &why) || strcmp(told.id, port->id) != 0 ||
        !porting_is_decision(told.state))
        return STATUS_MALFORMED;
    return porting_tell(porting, STORE_PORT_GAINING, &told, answer->body, port->address.domain);
}

/* ---- the gaining host asks ---- */

static int give_up(struct porting *porting, const struct store_port *port)
{
    struct store_command command = {.op = STORE_PORT_STEP, .expected_version = port->version};
    command.order.port = *port;
    command.order.event = STORE_PORT_CANCEL;
    command.order.by = STORE_PORT_BY_GAINING;
    command.order.reason = STORE_PORT_NO_ANSWER;
    return porting_submit(porting, PORTING_SOURCE, &command, NULL);
}

int porting_ask_known(struct porting *porting, const struct store_port *port)
{
    struct federation_answer answer = {.status = 0};
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), PORTING_PATH "/%s", port->id);
    int status =
        porting_ask(porting, port->gaining, port->address.domain, "GET", path, NULL, &answer);
    if (status == 0)
        status = answered(porting, port, &answer);
    json_decref(answer.body);
    return status;
}

/* What the holder gave is gone with a restart: did the request come there before? */
static int ask_whether_known(struct porting *porting, const struct store_port *port)
{
    struct federation_answer answer = {.status = 0};
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), PORTING_PATH "/%s", port->id);
    int status = ask(porting, port->gaining, port->address.domain, "GET", path, NULL, &answer);
    const char *reason = porting_text_of(answer.body, "reason");
    if (status == 0 && answer.status == 404 && reason && strcmp(reason, PORTING_UNKNOWN) == 0)
        status = give_up(porting, port);
    else if (status == 0)
        status = answered(porting, port, &answer);
    json_decref(answer.body);
    return status;
}

static int ask_with(struct porting *porting, const struct store_port *port,
                    const struct porting_proof *proof)
{
    struct federation_answer answer = {.status = 0};
    json_t *body = porting_encode(port, porting_now_ms(porting));
    int status = body ? porting_encode_proof(body, proof, port->undo_hash) : -1;
    if (status == 0)
        status =
            ask(porting, port->gaining, port->address.domain, "POST", PORTING_PATH, body, &answer);
    if (status == 0)
        status = answered(porting, port, &answer);
    json_decref(answer.body);
    json_decref(body);
    return status;
}

static int ask_to_cancel(struct porting *porting, const struct store_port *port)
{
    struct federation_answer answer = {.status = 0};
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), PORTING_PATH "/%s/cancel", port->id);
    json_t *body = porting_encode(port, porting_now_ms(porting));
    int status = ask(porting, port->gaining, port->address.domain, "POST", path, body, &answer);
    if (status == 0)
        status = answered(porting, port, &answer);
    json_decref(answer.body);
    json_decref(body);
    return status;
}

static int pay_authority(struct porting *porting, const struct store_port *port)
{
    struct porting_proof proof;
    if (port->state != STORE_PORT_REQUESTING)
        return ask_to_cancel(porting, port);
    if (!porting_held_get(porting, port->id, &proof))
        return ask_whether_known(porting, port);
    int status = ask_with(porting, port, &proof);
    explicit_bzero(&proof, sizeof(proof));
    return status;
}

/* ---- the authority tells ---- */

int porting_paid(struct porting *porting, struct store_port *port, unsigned whom)
{
    struct store_command command = {.op = STORE_PORT_PAID, .expected_version = port->version};
    struct store_verdict verdict;
    command.order.port.role = port->role;
    snprintf(command.order.port.id, sizeof(command.order.port.id), "%s", port->id);
    command.order.paid = whom;
    int status = porting_submit(porting, PORTING_SOURCE, &command, &verdict);
    if (status == 0 && verdict.sequence)
        port->version = verdict.sequence;
    return status;
}

/* What has gone on meanwhile is owed anew. */
static int paid(struct porting *porting, struct store_port *port, unsigned whom)
{
    int status = porting_paid(porting, port, whom);
    return status == STATUS_CONFLICT ? 0 : status;
}

static int pay_host(struct porting *porting, struct store_port *port, unsigned whom)
{
    struct federation_answer answer = {.status = 0};
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), PORTING_PATH "/%s", port->id);
    json_t *body = porting_encode_signed(porting, port);
    int status = ask(porting, port->address.domain, porting_target_of(port, whom), "PUT", path,
                     body, &answer);
    if (status == 0)
        status = answer.status == 200 ? paid(porting, port, whom) : STATUS_UNPROVEN;
    json_decref(answer.body);
    json_decref(body);
    return status;
}

/* ---- the host tells the holder ---- */

static int pay_holder(struct porting *porting, struct store_port *port)
{
    char text[PORTING_NOTICE_MAX];
    const char *domain = port->role == STORE_PORT_GAINING ? port->gaining : port->losing;
    int status = 0;
    if (porting->parts.notice && domain[0])
        status =
            porting_holder_tell(porting, domain, &port->address, porting_notice_format(port, text));
    return status ? status : paid(porting, port, STORE_PORT_OWES_HOLDER);
}

/* ---- the authority's operator decides ---- */

/* What he owes is paid by his decision alone; until then it is said each day, and again after a
 * restart. */
static void alarm_raise(struct porting *porting, const struct store_port *port)
{
    char key[PORTING_RETRY_KEY], address[API_ADDRESS_TEXT_MAX];
    json_t *until = api_time_encode(port->deadline_ms);
    const char *when = json_string_value(until);
    log_write(
        porting->parts.log, LOG_ERROR, PORTING_SOURCE,
        "a recovery is disputed, decide by %s: junctor port allow %s, or reject; else the key "
        "wins: address=%s gaining=%s losing=%s port=%s",
        when ? when : "its deadline", port->id, api_address_format(&port->address, address),
        port->gaining, port->losing, port->id);
    json_decref(until);
    porting_retry_after(porting, porting_retry_key(port, STORE_PORT_OWES_OPERATOR, key),
                        PORTING_DAY_MS);
}

/* ---- all of a port ---- */

static int pay(struct porting *porting, struct store_port *port, unsigned whom)
{
    if (whom == STORE_PORT_OWES_AUTHORITY)
        return pay_authority(porting, port);
    return whom == STORE_PORT_OWES_HOLDER ? pay_holder(porting, port)
                                          : pay_host(porting, port, whom);
}

/* Its turn comes again: where the far side cannot be reached, with all the others that wait for it.
 */
static void later(struct porting *porting, const struct store_port *port, unsigned whom, int status)
{
    char key[PORTING_RETRY_KEY];
    const char *why = porting->turn_why[0] ? porting->turn_why : status_text(status);
    if (porting_retry_is_due(porting, porting_target_of(port, whom)))
        porting_retry_later(porting, porting_retry_key(port, whom, key), PORTING_RETRY_MAX_MS, why);
    log_write(porting->parts.log, LOG_INFO, PORTING_SOURCE,
              "not told yet: port=%s role=%s to=%s: %s", port->id, store_port_role_text(port->role),
              porting_target_of(port, whom), why);
}

static void pay_one(struct porting *porting, struct store_port *port, unsigned whom)
{
    char key[PORTING_RETRY_KEY];
    if (whom == STORE_PORT_OWES_OPERATOR) {
        alarm_raise(porting, port);
        return;
    }
    if (whom == STORE_PORT_OWES_MAIL) {
        porting_mail_pay(porting, port);
        return;
    }
    porting->turn_why[0] = '\0';
    int status = pay(porting, port, whom);
    if (status)
        later(porting, port, whom, status);
    else
        porting_retry_done(porting, porting_retry_key(port, whom, key));
}

size_t porting_pay(struct porting *porting, struct store_port *port)
{
    size_t tried = 0;
    for (size_t i = 0; i < sizeof(everybody) / sizeof(everybody[0]); i++) {
        if (!is_due(porting, port, everybody[i]))
            continue;
        tried++;
        pay_one(porting, port, everybody[i]);
    }
    return tried;
}
