/* What may happen to a port at its authority, and the names of everything about ports. */
#include "store/porting.h"

#include "base/hex.h"
#include "base/status.h"

#include <openssl/evp.h>
#include <string.h>

#define NONE        (-1)
#define CODE        (1u << STORE_PORT_CODE)
#define RECOVERY    (1u << STORE_PORT_RECOVERY)
#define UNDO        (1u << STORE_PORT_UNDO)
#define EVERY_KIND  (CODE | RECOVERY | UNDO)
#define TELLS_ALL   (STORE_PORT_TELLS_GAINING | STORE_PORT_TELLS_LOSING | STORE_PORT_TELLS_HOLDER)
#define TELLS_HOSTS (STORE_PORT_TELLS_GAINING | STORE_PORT_TELLS_LOSING)
#define COMMITS     (STORE_PORT_MOVES | TELLS_ALL)

/* The rows that begin with STORE_PORT_ASK: which of those of its kind it is depends on the terms (a
 * window or none). */
static const struct store_port_row rows[] = {
    {NONE, STORE_PORT_ASK, STORE_PORT_BY_GAINING, CODE, STORE_PORT_PENDING,
     STORE_PORT_USES_CODE | TELLS_ALL},
    {NONE, STORE_PORT_ASK, STORE_PORT_BY_GAINING, CODE, STORE_PORT_COMMITTED,
     STORE_PORT_USES_CODE | COMMITS},
    {NONE, STORE_PORT_ASK, STORE_PORT_BY_GAINING, RECOVERY, STORE_PORT_WAITING, TELLS_ALL},
    {NONE, STORE_PORT_ASK, STORE_PORT_BY_GAINING | STORE_PORT_BY_LOSING, UNDO, STORE_PORT_COMPLETED,
     COMMITS},
    {NONE, STORE_PORT_CANCEL, STORE_PORT_BY_GAINING, EVERY_KIND, STORE_PORT_CANCELLED, 0},

    {STORE_PORT_PENDING, STORE_PORT_APPROVE, STORE_PORT_BY_LOSING, CODE, STORE_PORT_COMMITTED,
     COMMITS},
    {STORE_PORT_PENDING, STORE_PORT_REJECT, STORE_PORT_BY_LOSING, CODE, STORE_PORT_REJECTED,
     TELLS_ALL},
    {STORE_PORT_PENDING, STORE_PORT_CANCEL, STORE_PORT_BY_GAINING, CODE, STORE_PORT_CANCELLED,
     TELLS_ALL},
    {STORE_PORT_PENDING, STORE_PORT_DUE, STORE_PORT_BY_TIMER, CODE, STORE_PORT_COMMITTED, COMMITS},

    {STORE_PORT_WAITING, STORE_PORT_APPROVE, STORE_PORT_BY_LOSING, RECOVERY, STORE_PORT_COMMITTED,
     COMMITS},
    {STORE_PORT_WAITING, STORE_PORT_OBJECT,
     STORE_PORT_BY_LOSING | STORE_PORT_BY_OPERATOR | STORE_PORT_BY_OWNER, RECOVERY,
     STORE_PORT_DISPUTED, TELLS_ALL},
    {STORE_PORT_WAITING, STORE_PORT_CANCEL, STORE_PORT_BY_GAINING, RECOVERY, STORE_PORT_CANCELLED,
     TELLS_ALL},
    {STORE_PORT_WAITING, STORE_PORT_GO, STORE_PORT_BY_PORT, RECOVERY, STORE_PORT_CANCELLED,
     TELLS_ALL},
    {STORE_PORT_WAITING, STORE_PORT_DUE, STORE_PORT_BY_TIMER, RECOVERY, STORE_PORT_COMMITTED,
     COMMITS},

    {STORE_PORT_DISPUTED, STORE_PORT_ALLOW, STORE_PORT_BY_OPERATOR, RECOVERY, STORE_PORT_COMMITTED,
     COMMITS},
    {STORE_PORT_DISPUTED, STORE_PORT_REJECT, STORE_PORT_BY_OPERATOR, RECOVERY, STORE_PORT_REJECTED,
     TELLS_ALL},
    {STORE_PORT_DISPUTED, STORE_PORT_CANCEL, STORE_PORT_BY_GAINING, RECOVERY, STORE_PORT_CANCELLED,
     TELLS_ALL},
    {STORE_PORT_DISPUTED, STORE_PORT_GO, STORE_PORT_BY_PORT, RECOVERY, STORE_PORT_CANCELLED,
     TELLS_ALL},
    {STORE_PORT_DISPUTED, STORE_PORT_DUE, STORE_PORT_BY_TIMER, RECOVERY, STORE_PORT_COMMITTED,
     COMMITS},

    {STORE_PORT_COMMITTED, STORE_PORT_TAKE_BACK, STORE_PORT_BY_PORT, CODE | RECOVERY,
     STORE_PORT_UNDONE, TELLS_HOSTS},
    {STORE_PORT_COMMITTED, STORE_PORT_GO, STORE_PORT_BY_PORT, CODE | RECOVERY, STORE_PORT_COMPLETED,
     TELLS_HOSTS},
    {STORE_PORT_COMMITTED, STORE_PORT_DUE, STORE_PORT_BY_TIMER, CODE | RECOVERY,
     STORE_PORT_COMPLETED, TELLS_HOSTS},
};

const struct store_port_row *store_port_row(size_t i)
{
    return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

/* ---- names ---- */

static const char *const roles[STORE_PORT_ROLE_COUNT] = {
    [STORE_PORT_AUTHORITY] = "authority",
    [STORE_PORT_GAINING] = "gaining",
    [STORE_PORT_LOSING] = "losing",
};

static const char *const kinds[STORE_PORT_KIND_COUNT] = {
    [STORE_PORT_CODE] = "code",
    [STORE_PORT_RECOVERY] = "recovery",
    [STORE_PORT_UNDO] = "undo",
};

static const char *const states[STORE_PORT_STATE_COUNT] = {
    [STORE_PORT_REQUESTING] = "requesting", [STORE_PORT_CANCELLING] = "cancelling",
    [STORE_PORT_PENDING] = "pending",       [STORE_PORT_WAITING] = "waiting",
    [STORE_PORT_DISPUTED] = "disputed",     [STORE_PORT_COMMITTED] = "committed",
    [STORE_PORT_COMPLETED] = "completed",   [STORE_PORT_UNDONE] = "undone",
    [STORE_PORT_REJECTED] = "rejected",     [STORE_PORT_CANCELLED] = "cancelled",
    [STORE_PORT_REFUSED] = "refused",
};

static const char *const reasons[STORE_PORT_REASON_COUNT] = {
    [STORE_PORT_NO_REASON] = "",
    [STORE_PORT_BY_HOLDER] = "by-holder",
    [STORE_PORT_NO_ANSWER] = "no-answer",
    [STORE_PORT_BAD_CODE] = "bad-code",
    [STORE_PORT_BAD_PROOF] = "bad-proof",
    [STORE_PORT_LOCKED_BY_HOLDER] = "locked",
    [STORE_PORT_FROZEN] = "frozen",
    [STORE_PORT_ALREADY_PENDING] = "port-pending",
    [STORE_PORT_ALREADY_THERE] = "already-there",
    [STORE_PORT_NO_ADDRESS] = "no-address",
    [STORE_PORT_NOT_UNDOABLE] = "not-undoable",
    [STORE_PORT_RELEASED] = "released",
    [STORE_PORT_FRAUD] = "fraud",
    [STORE_PORT_NOT_THE_HOLDER] = "not-the-holder",
    [STORE_PORT_CONTRACT] = "contract",
    [STORE_PORT_LEGAL] = "legal",
    [STORE_PORT_OPERATOR] = "operator",
};

static const char *const events[STORE_PORT_EVENT_COUNT] = {
    [STORE_PORT_ASK] = "ask",       [STORE_PORT_APPROVE] = "approve",
    [STORE_PORT_REJECT] = "reject", [STORE_PORT_CANCEL] = "cancel",
    [STORE_PORT_OBJECT] = "object", [STORE_PORT_ALLOW] = "allow",
    [STORE_PORT_DUE] = "due",       [STORE_PORT_TAKE_BACK] = "take-back",
    [STORE_PORT_GO] = "go",
};

static const char *name_of(const char *const *names, unsigned count, unsigned number)
{
    return number < count ? names[number] : "?";
}

/* The number of the name, or -1. */
static int number_of(const char *const *names, int count, const char *text)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

const char *store_port_role_text(enum store_port_role role)
{
    return name_of(roles, STORE_PORT_ROLE_COUNT, role);
}

const char *store_port_kind_text(enum store_port_kind kind)
{
    return name_of(kinds, STORE_PORT_KIND_COUNT, kind);
}

const char *store_port_state_text(enum store_port_state state)
{
    return name_of(states, STORE_PORT_STATE_COUNT, state);
}

const char *store_port_reason_text(enum store_port_reason reason)
{
    return name_of(reasons, STORE_PORT_REASON_COUNT, reason);
}

const char *store_port_event_text(enum store_port_event event)
{
    return name_of(events, STORE_PORT_EVENT_COUNT, event);
}

int store_port_role_parse(const char *text, enum store_port_role *role)
{
    int number = number_of(roles, STORE_PORT_ROLE_COUNT, text);
    if (number < 0)
        return STATUS_MALFORMED;
    *role = (enum store_port_role)number;
    return 0;
}

int store_port_kind_parse(const char *text, enum store_port_kind *kind)
{
    int number = number_of(kinds, STORE_PORT_KIND_COUNT, text);
    if (number < 0)
        return STATUS_MALFORMED;
    *kind = (enum store_port_kind)number;
    return 0;
}

int store_port_state_parse(const char *text, enum store_port_state *state)
{
    int number = number_of(states, STORE_PORT_STATE_COUNT, text);
    if (number < 0)
        return STATUS_MALFORMED;
    *state = (enum store_port_state)number;
    return 0;
}

bool store_port_reason_is_choice(enum store_port_reason reason)
{
    return reason == STORE_PORT_BY_HOLDER ||
           (reason >= STORE_PORT_FRAUD && reason <= STORE_PORT_OPERATOR);
}

int store_port_reason_parse(const char *text, enum store_port_reason *reason)
{
    int number = number_of(reasons, STORE_PORT_REASON_COUNT, text);
    if (number < 0)
        return STATUS_MALFORMED;
    *reason = (enum store_port_reason)number;
    return 0;
}

int store_port_event_parse(const char *text, enum store_port_event *event)
{
    int number = number_of(events, STORE_PORT_EVENT_COUNT, text);
    if (number < 0)
        return STATUS_MALFORMED;
    *event = (enum store_port_event)number;
    return 0;
}

uint64_t store_port_due_ms(const struct store_port *port)
{
    bool is_before = port->remind_ms && port->remind_ms < port->deadline_ms;
    return is_before ? port->remind_ms : port->deadline_ms;
}

bool store_port_is_open(enum store_port_state state)
{
    return state <= STORE_PORT_DISPUTED;
}

/* ---- ids ---- */

int store_port_id(const char *gaining, const char *request, char id[STORE_PORT_ID_LEN + 1])
{
    char text[STORE_DOMAIN_MAX + 1 + STORE_PORT_ID_LEN];
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t domain = strlen(gaining), len = strlen(request);
    if (domain > STORE_DOMAIN_MAX || len > STORE_PORT_ID_LEN)
        return STATUS_MALFORMED;
    memcpy(text, gaining, domain + 1);
    memcpy(text + domain + 1, request, len);
    if (!EVP_Digest(text, domain + 1 + len, digest, NULL, EVP_sha256(), NULL))
        return STATUS_CRYPTO;
    hex_encode(digest, STORE_PORT_ID_LEN / 2, id);
    return 0;
}
