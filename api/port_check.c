/* POST /v1/addresses/{address}/port-check: what would keep this address from being ported, what
 * comes along and what stays, before anybody asks for a port. Changes nothing.
 *
 * Who may not see the address hears only what he, as its new host, has to know of himself: nothing
 * of its lock, freeze, ports or aliases. */
#include "api/ports.h"

#include "api/number_place.h"
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_LINKS_MAX 200 /* aliases and numbers that are told */
#define CHECK_LINE      640

struct check {
    struct api_call *call;
    struct store_address address;
    char text[API_ADDRESS_TEXT_MAX];
    char gaining[STORE_DOMAIN_MAX + 1]; /* "": was not said */
    bool authority_is_ours, is_known;   /* and the caller may see it */
    struct store_record record;
    struct store_guard guard;
    struct store_port open; /* id "": none is under way */
    json_t *findings, *aliases, *numbers, *stays;
    bool possible;
};

/* A step without memory, or of bytes that are no text, is left out. */
__attribute__((format(printf, 4, 5))) static void finding(struct check *check, const char *what,
                                                          bool ok, const char *format, ...)
{
    char why[CHECK_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    check->possible = check->possible && ok;
    json_array_append_new(check->findings,
                          json_pack("{s:s, s:b, s:s}", "what", what, "ok", ok, "why", why));
}

static void stays(struct check *check, const char *why)
{
    json_array_append_new(check->stays, json_string(why));
}

/* ---- what is asked ---- */

static int check_decode(struct check *check)
{
    static const struct api_field fields[] = {
        {"gaining", JSON_STRING, 0},
        {NULL, JSON_NULL, 0},
    };
    struct api_call *call = check->call;
    struct slice gaining;
    struct store_fault fault;
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    gaining = api_json_text(call->body, "gaining");
    if (gaining.len && store_domain_canonical(gaining, check->gaining, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "gaining", "gaining: %s",
                               fault.text);
    return 0;
}

/* ---- what the directory says ---- */

static bool open_keep(const struct store_port *port, void *arg)
{
    struct check *check = arg;
    if (!store_port_is_open(port->state))
        return true;
    check->open = *port;
    return false;
}

static bool link_keep(const char *text, void *arg)
{
    struct check *check = arg;
    json_array_append_new(*text == '+' ? check->numbers : check->aliases, json_string(text));
    return true;
}

static int absent_is_fine(int status)
{
    return status == STATUS_NOTFOUND ? 0 : status;
}

static int record_read(struct check *check)
{
    struct store_reader *reader = check->call->reader;
    struct store_domain domain;
    int status = store_domain_get(reader, check->address.domain, &domain);
    check->authority_is_ours = status == 0;
    if (absent_is_fine(status))
        return status;
    status = store_address_get(reader, &check->address, &check->record);
    check->is_known = status == 0 && api_may_record(check->call, &check->record);
    return absent_is_fine(status);
}

static int directory_read(struct check *check)
{
    struct store_reader *reader = check->call->reader;
    int status = record_read(check);
    if (status || !check->is_known)
        return status;
    status = absent_is_fine(store_guard_get(reader, &check->address, &check->guard));
    if (!status)
        status = store_port_address_list(reader, &check->address, SIZE_MAX, open_keep, check);
    if (!status)
        status = store_link_list(reader, &check->address, CHECK_LINKS_MAX, link_keep, check);
    return status;
}

/* ---- what follows ---- */

static bool can_move(enum store_address_state state)
{
    return state == STORE_ADDRESS_HOSTED || state == STORE_ADDRESS_PORTED_OUT ||
           state == STORE_ADDRESS_PORTED_IN;
}

static void address_judge(struct check *check)
{
    const struct store_record *record = &check->record;
    if (can_move(record->state))
        finding(check, "address", true, "%s is served by %s", check->text, record->hosting);
    else if (record->state == STORE_ADDRESS_ALIAS)
        finding(check, "address", false,
                "%s is an alias; aliases stay at their domain: port the address it leads to",
                check->text);
    else
        finding(check, "address", false, "%s is %s: there is nothing to port", check->text,
                store_address_state_text(record->state));
    if (record->blocked)
        finding(check, "blocked", false, "%s is blocked by its operator", check->text);
}

static void lock_judge(struct check *check)
{
    const struct store_guard *guard = &check->guard;
    char until[32] = "";
    json_t *time = api_time_encode(guard->frozen_until_ms);
    if (json_is_string(time))
        snprintf(until, sizeof(until), "%s", json_string_value(time));
    json_decref(time);
    finding(check, "lock", !check->record.locked, "%s",
            check->record.locked ? "the holder's lock is set: unlock the address first"
                                 : "no lock is set");
    if (guard->frozen)
        finding(check, "freeze", false, "the operator of the address's domain froze it");
    else if (guard->frozen_until_ms > api_now_ms())
        finding(check, "freeze", false, "it was ported a short time ago; it may move again from %s",
                until);
    else
        finding(check, "freeze", true, "it is not frozen");
}

static void pending_judge(struct check *check)
{
    if (*check->open.id)
        finding(check, "pending", false, "port %s to %s is under way (%s): it ends first",
                check->open.id, check->open.gaining, store_port_state_text(check->open.state));
    else
        finding(check, "pending", true, "no other port is under way");
}

static void code_judge(struct check *check)
{
    const struct store_record *record = &check->record;
    const char *only = check->guard.code_for;
    if (!record->has_auth || record->auth_until_ms <= api_now_ms())
        finding(check, "auth-code", false,
                "there is no auth code that is still good: make one and give it to the new host");
    else if (*only && *check->gaining && strcmp(only, check->gaining) != 0)
        finding(check, "auth-code", false, "the auth code is good for %s only", only);
    else
        finding(check, "auth-code", true, "an auth code was made%s%s", *only ? ", for " : "", only);
}

/* Of another operator's directory nothing is known here but what it told. */
static void holder_judge(struct check *check)
{
    address_judge(check);
    lock_judge(check);
    pending_judge(check);
    code_judge(check);
    if (!check->authority_is_ours)
        finding(check, "authority", true,
                "%s is another operator's: it decides, and may know of a freeze that this one "
                "does not",
                check->address.domain);
}

/* Is the new host ready? Whether the account of the person is there only its core knows. */
static int gaining_judge(struct check *check)
{
    struct store_domain domain;
    if (!*check->gaining)
        return 0;
    int status = store_domain_get(check->call->reader, check->gaining, &domain);
    if (absent_is_fine(status))
        return status;
    bool is_there = check->is_known && strcmp(check->record.hosting, check->gaining) == 0 &&
                    check->record.state != STORE_ADDRESS_PREPARED;
    if (is_there)
        finding(check, "gaining", false, "%s serves the address already", check->gaining);
    else if (status)
        finding(check, "gaining", true,
                "%s is another operator's: whether the account there is ready, it must say",
                check->gaining);
    else
        finding(check, "gaining", true,
                "%s is ours, with %u core%s; the core must know the account before the port is "
                "committed",
                check->gaining, domain.core_count, domain.core_count == 1 ? "" : "s");
    return 0;
}

static void stays_tell(struct check *check)
{
    char line[CHECK_LINE];
    bool is_number = api_address_is_number(check->call->api, &check->address);
    snprintf(line, sizeof(line),
             is_number
                 ? "The number stays in the ENUM zone %s, whose operator remains its "
                   "authority; the address that it leads to now does not come along."
                 : "The address keeps its name: it lives as long as the domain %s does, whose "
                   "operator remains its authority.",
             check->address.domain);
    stays(check, line);
    stays(check, "What the old host keeps for its holder does not move: voicemail, call history, "
                 "contacts, telephones' settings and credit.");
    if (json_array_size(check->aliases))
        stays(check,
              "The aliases stay at their domain, and lead to the address wherever it lives.");
    if (json_array_size(check->numbers))
        stays(check, "The numbers still lead to the address; a number itself is ported on its own, "
                     "by the operator of its ENUM zone.");
}

static int check_judge(struct check *check)
{
    if (check->is_known)
        holder_judge(check);
    else if (check->authority_is_ours)
        finding(check, "address", true,
                "of %s nothing is told to you: its holder can check that at its present host",
                check->text);
    else
        finding(check, "authority", true,
                "%s is another operator's: it decides on lock, freeze and auth code when it is "
                "asked for the port",
                check->address.domain);
    stays_tell(check);
    return gaining_judge(check);
}

static json_t *check_encode(struct check *check)
{
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:b, s:O, s:O, s:O, s:O}", "address", check->text,
                     "authority", check->address.domain, "authority_is_ours",
                     check->authority_is_ours, "hosting",
                     check->is_known ? json_string(check->record.hosting) : json_null(), "gaining",
                     *check->gaining ? json_string(check->gaining) : json_null(), "possible",
                     check->possible, "findings", check->findings, "aliases", check->aliases,
                     "numbers", check->numbers, "stays", check->stays);
}

/* The address is known. */
static int check_answer(struct check *check)
{
    struct api_call *call = check->call;
    api_address_format(&check->address, check->text);
    check->findings = json_array();
    check->aliases = json_array();
    check->numbers = json_array();
    check->stays = json_array();
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = directory_read(check);
        if (!status)
            status = check_judge(check);
        store_reader_end(call->reader);
    }
    json_t *json = status ? NULL : check_encode(check);
    json_decref(check->findings);
    json_decref(check->aliases);
    json_decref(check->numbers);
    json_decref(check->stays);
    if (status)
        return api_problem_from_status(&call->problem, status, check->text);
    return api_call_reply(call, 200, json, 0);
}

/* ---- a number whose zone DNS knows ---- */

/* Lives in call->memory. */
struct zone_search {
    struct check check;
    struct api_problem problem;
};

/* On a thread of its own. */
static int zone_do(struct api_call *call)
{
    struct zone_search *search = call->memory;
    return porting_number_zone(call->api->parts.porting, &search->check.address, &search->problem);
}

static int zone_done(struct api_call *call, const struct store_verdict *verdict)
{
    struct zone_search *search = call->memory;
    if (verdict->status == -EPROTO)
        call->problem = search->problem;
    else if (verdict->status)
        api_problem_from_status(&call->problem, verdict->status, call->name);
    return verdict->status ? -EPROTO : check_answer(&search->check);
}

static int zone_search(struct check *check, const char *digits)
{
    struct api_call *call = check->call;
    if (!call->api->parts.porting)
        return api_problem_set(&call->problem, API_PROBLEM_READ_ONLY, NULL,
                               "ports: this daemon has no part in them");
    struct zone_search *search = call->memory = calloc(1, sizeof(*search));
    if (!search)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    search->check = *check;
    snprintf(search->check.address.user, sizeof(search->check.address.user), "+%s", digits);
    return api_run(call, search->check.address.user, zone_do, zone_done);
}

static int number_check(struct check *check)
{
    struct api_call *call = check->call;
    char digits[STORE_NUMBER_MAX + 1];
    struct store_fault fault;
    if (store_number_parse(slice_of(call->param), digits, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "address", "%.512s: %s",
                               call->param, fault.text);
    int status = api_number_place(call, digits, &check->address);
    if (status == STATUS_NOTFOUND)
        return zone_search(check, digits);
    return status ? api_problem_from_status(&call->problem, status, call->param)
                  : check_answer(check);
}

int api_port_check_post(struct api_call *call)
{
    struct check check = {.call = call, .possible = true};
    struct store_fault fault;
    if (check_decode(&check))
        return -EPROTO;
    if (api_text_is_number(call->param))
        return number_check(&check);
    if (store_address_parse(slice_of(call->param), &check.address, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "address", "%.512s: %s",
                               call->param, fault.text);
    return check_answer(&check);
}
