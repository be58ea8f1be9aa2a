/* What the holder of an address is told of its ports, in one line of plain words, by whoever hosts
 * it: so that he hears of what he did not ask for while it can still be stopped. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHEN_MAX       32
#define NAME_MAX_SHOWN 200 /* characters of an address; a longer one is not named */

static const char *const reasons[STORE_PORT_REASON_COUNT] = {
    [STORE_PORT_NO_REASON] = "no reason was given",
    [STORE_PORT_BY_HOLDER] = "its holder asked for that",
    [STORE_PORT_NO_ANSWER] = "the operator of the address's domain did not answer",
    [STORE_PORT_BAD_CODE] = "the auth code was not right",
    [STORE_PORT_BAD_PROOF] = "the proof was not right",
    [STORE_PORT_LOCKED_BY_HOLDER] = "its holder has locked it",
    [STORE_PORT_FROZEN] = "it has moved a short time ago, or is frozen",
    [STORE_PORT_ALREADY_PENDING] = "another move of it is under way",
    [STORE_PORT_ALREADY_THERE] = "it is there already",
    [STORE_PORT_NO_ADDRESS] = "there is no such address",
    [STORE_PORT_NOT_UNDOABLE] = "it cannot be undone any more",
    [STORE_PORT_RELEASED] = "the address was released, or has another holder",
    [STORE_PORT_FRAUD] = "it looks like fraud",
    [STORE_PORT_NOT_THE_HOLDER] = "it was not asked for by its holder",
    [STORE_PORT_CONTRACT] = "a contract stands against it",
    [STORE_PORT_LEGAL] = "the law stands against it",
    [STORE_PORT_OPERATOR] = "its operator decided so",
};

/* "2026-11-28 19:20 UTC", or "" for none. */
static const char *when_format(uint64_t ms, char when[WHEN_MAX])
{
    json_t *time = api_time_encode(ms);
    const char *text = json_string_value(time);
    when[0] = '\0';
    if (ms && text)
        snprintf(when, WHEN_MAX, "%.10s %.5s UTC", text, text + 11);
    json_decref(time);
    return when;
}

/* Ends where the room does: every part is ASCII. */
static void __attribute__((format(printf, 2, 3))) put(char *text, const char *format, ...)
{
    va_list args;
    size_t len = strlen(text);
    va_start(args, format);
    vsnprintf(text + len, PORTING_NOTICE_MAX - len, format, args);
    va_end(args);
}

/* A number's by its digits. */
const char *porting_name_format(const struct store_address *address,
                                char name[API_ADDRESS_TEXT_MAX])
{
    char digits[STORE_NUMBER_MAX + 1];
    if (store_zone_number_digits(address, digits))
        return address->user;
    api_address_format(address, name);
    return strlen(name) > NAME_MAX_SHOWN ? "your address" : name;
}

/* When its state ends, as far as this record knows. */
static const char *end_format(const struct store_port *port, char when[WHEN_MAX])
{
    return when_format(port->role == STORE_PORT_AUTHORITY ? port->deadline_ms : port->told_ms,
                       when);
}

static void pending_format(const struct store_port *port, const char *address, char *text)
{
    char when[WHEN_MAX];
    end_format(port, when);
    put(text, "%s: a move to %s %s%s%s.", address, port->gaining,
        port->reminder ? "is still under way" : "was started", when[0] ? "; it happens at " : "",
        when);
    if (port->role != STORE_PORT_GAINING)
        put(text, " If you did not ask for it, %s at once at %s.",
            port->state == STORE_PORT_WAITING ? "object to it" : "have it rejected", port->losing);
}

static void committed_format(const struct store_port *port, const char *address, char *text)
{
    char when[WHEN_MAX];
    end_format(port, when);
    put(text, "%s: it has moved to %s, which serves it from now on.", address, port->gaining);
    if (port->role != STORE_PORT_GAINING && port->kind != STORE_PORT_UNDO)
        put(text, " If you did not ask for that, have it undone at %s%s%s.", port->losing,
            when[0] ? " until " : "", when);
}

static void plain_format(const struct store_port *port, const char *address, char *text)
{
    static const char *const words[STORE_PORT_STATE_COUNT] = {
        [STORE_PORT_DISPUTED] = ("somebody objected to its move to %s; the operator of its domain "
                                 "decides"),
        [STORE_PORT_COMPLETED] = "its move to %s is complete and cannot be undone any more",
        [STORE_PORT_UNDONE] = "its move to %s was undone",
        [STORE_PORT_REJECTED] = "its move to %s was rejected",
        [STORE_PORT_CANCELLED] = "its move to %s was cancelled",
        [STORE_PORT_REFUSED] = "its move to %s was refused",
    };
    bool has_reason = port->state == STORE_PORT_REJECTED || port->state == STORE_PORT_CANCELLED ||
                      port->state == STORE_PORT_REFUSED;
    const char *said = words[port->state] ? words[port->state] : "its move to %s goes on";
    size_t before = (size_t)(strstr(said, "%s") - said);
    put(text, "%s: %.*s%s%s%s%s.", address, (int)before, said, port->gaining, said + before + 2,
        has_reason ? ": " : "", has_reason ? reasons[port->reason] : "");
}

const char *porting_notice_format(const struct store_port *port, char text[PORTING_NOTICE_MAX])
{
    char name[API_ADDRESS_TEXT_MAX];
    const char *address = porting_name_format(&port->address, name);
    text[0] = '\0';
    if (port->state == STORE_PORT_PENDING || port->state == STORE_PORT_WAITING)
        pending_format(port, address, text);
    else if (port->state == STORE_PORT_COMMITTED)
        committed_format(port, address, text);
    else
        plain_format(port, address, text);
    return text;
}

/* ---- whom ---- */

/* Whoever has a number is told at the address that it leads to. */
void porting_holder_find(struct porting *porting, const struct store_address *address,
                         struct store_address *holder)
{
    struct store_reader *reader;
    struct store_number number;
    *holder = *address;
    if (store_reader_alloc(porting->parts.store, &reader))
        return;
    if (store_reader_begin(reader) == 0) {
        if (store_zone_number_get(reader, address, &number) == 0)
            *holder = number.address;
        store_reader_end(reader);
    }
    store_reader_free(reader);
}

int porting_holder_tell(struct porting *porting, const char *domain,
                        const struct store_address *address, const char *text)
{
    struct store_address holder;
    porting_holder_find(porting, address, &holder);
    return porting->parts.notice(domain, &holder, text, porting->parts.notice_arg);
}

/* ---- codes and keys ---- */

static void code_add(struct porting *porting, const struct porting_code *code)
{
    pthread_mutex_lock(&porting->lock);
    bool has_room = porting->code_count < PORTING_CODES_MAX;
    if (has_room) {
        porting->codes[porting->code_count++] = *code;
        porting->kicked = true;
        pthread_cond_signal(&porting->news);
    }
    pthread_mutex_unlock(&porting->lock);
    if (!has_room)
        log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
                  "the holder is not told of his auth code or key: %d others wait to be told",
                  PORTING_CODES_MAX);
}

void porting_code_made(struct porting *porting, const char *hosting,
                       const struct store_address *address, const char *gaining)
{
    struct porting_code code = {.address = *address};
    snprintf(code.hosting, sizeof(code.hosting), "%s", hosting);
    snprintf(code.gaining, sizeof(code.gaining), "%s", gaining);
    code_add(porting, &code);
}

void porting_key_left(struct porting *porting, const char *hosting,
                      const struct store_address *address, uint64_t from_ms)
{
    struct porting_code code = {.address = *address, .key_from_ms = from_ms};
    snprintf(code.hosting, sizeof(code.hosting), "%s", hosting);
    code_add(porting, &code);
}

static bool code_take(struct porting *porting, struct porting_code *code)
{
    pthread_mutex_lock(&porting->lock);
    bool is_there = porting->code_count > 0;
    if (is_there) {
        *code = porting->codes[0];
        porting->code_count--;
        memmove(porting->codes, porting->codes + 1, porting->code_count * sizeof(*code));
    }
    pthread_mutex_unlock(&porting->lock);
    return is_there;
}

static void code_format(const struct porting_code *code, char text[PORTING_NOTICE_MAX])
{
    char name[API_ADDRESS_TEXT_MAX], when[WHEN_MAX];
    text[0] = '\0';
    put(text, "%s: ", porting_name_format(&code->address, name));
    if (code->key_from_ms)
        put(text,
            "a recovery key was left for it, which can move it from %s on. If you did not do that, "
            "have it taken back before at %s.",
            when_format(code->key_from_ms, when), code->hosting);
    else
        put(text,
            "an auth code to move it to %s was asked for. If you did not do that, have it "
            "withdrawn at once at %s.",
            code->gaining[0] ? code->gaining : "another operator", code->hosting);
}

static void code_tell(struct porting *porting, const struct porting_code *code)
{
    char text[PORTING_NOTICE_MAX], name[API_ADDRESS_TEXT_MAX];
    bool is_host = porting_domain_is_ours(porting, code->hosting);
    code_format(code, text);
    porting_code_mail(porting, code, is_host ? code->hosting : code->address.domain, text);
    if (!porting->parts.notice || !is_host)
        return;
    int status = porting_holder_tell(porting, code->hosting, &code->address, text);
    if (status)
        log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
                  "the holder is not told of his auth code or key: address=%s: %s",
                  api_address_format(&code->address, name), status_text(status));
}

void porting_codes_tell(struct porting *porting)
{
    struct porting_code code;
    while (code_take(porting, &code))
        code_tell(porting, &code);
}
