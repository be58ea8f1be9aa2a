/* Who serves an address, and what another address it may name: judged with the caller's eyes. */
#include "api/address_state.h"
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One placing. "Mine": ours, and within the caller's scope; a user's own addresses can be in every
 * domain of ours. To an operator only what is his is ours, as host. */
struct place {
    struct api_call *call;
    struct api_address_body *body;
    struct store_record *record; /* the body's */
    struct api_problem *problem;
    bool home_is_ours, home_is_mine, host_is_ours, host_is_mine;
};

static int domain_look(struct place *place, const char *name, bool *is_ours, bool *is_mine)
{
    struct api_call *call = place->call;
    struct store_domain domain;
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_domain_get(call->reader, name, &domain);
        store_reader_end(call->reader);
    }
    *is_ours = status == 0;
    *is_mine = *is_ours && ((call->who.bits & API_USER) || api_may_domain(call, name));
    if (!status || status == STATUS_NOTFOUND)
        return 0;
    return api_problem_from_status(place->problem, status, name);
}

static int refuse(struct place *place, const char *field, const char *name, const char *reason)
{
    return api_problem_set(place->problem, API_PROBLEM_FIELD, field, "%s: %s", name, reason);
}

/* ---- the state ---- */

static bool is_at_home(const struct store_record *record)
{
    return strcmp(record->hosting, record->address.domain) == 0;
}

static enum store_address_state state_derive(const struct place *place)
{
    const struct store_record *record = place->record;
    bool has_target = record->target.user[0] != '\0';
    return api_state_derive(record, place->body->has_target || (has_target && is_at_home(record)),
                            place->home_is_mine);
}

/* The domain that is ours where the state says so must be one that the caller may use; and what
 * the state calls foreign must be foreign. */
static int state_check(struct place *place)
{
    const struct store_record *record = place->record;
    bool home = api_state_home_is_ours(record->state);
    enum api_host host = api_state_host(record->state);
    if (home && !place->home_is_mine && (place->call->who.bits & API_USER))
        return refuse(place, "address", record->address.domain,
                      "is not one of our domains: addresses can be claimed in domains of this "
                      "operator only");
    if (home && !place->home_is_mine)
        return refuse(place, "address", record->address.domain,
                      "is not one of our domains: add it first, or name the one of ours that "
                      "hosts the address");
    if (host == API_AT_HOME && !is_at_home(record))
        return refuse(place, "hosting", record->hosting,
                      "an address of this state is served by its own domain");
    if (host == API_HOST_OURS && !place->host_is_mine)
        return refuse(place, "hosting", record->hosting,
                      "neither this domain nor the address's own is one of ours");
    if (!home && place->home_is_ours)
        return refuse(place, host == API_HOST_OURS ? "hosting" : "state",
                      host == API_HOST_OURS ? record->hosting : record->address.domain,
                      "is ours, as the address's own domain is, which serves it already");
    if (host == API_HOST_OTHER && is_at_home(record))
        return refuse(place, "hosting", record->hosting,
                      "is the address's own domain; an address of this state is served by another");
    if (host == API_HOST_FOREIGN && place->host_is_ours)
        return refuse(place, "hosting", record->hosting,
                      "is ours; an address of this state is served by another operator");
    return 0;
}

/* An address of neither domain of his is no operator's. */
static int scope_check(struct place *place)
{
    const struct store_record *record = place->record;
    if ((place->call->who.bits & API_USER) || api_may_record(place->call, record))
        return 0;
    return refuse(place, "hosting", record->hosting,
                  "neither this domain nor the address's own is one of ours");
}

/* ---- the target of an alias ---- */

bool api_address_is_there(struct api_call *call, const struct store_address *address)
{
    struct store_record record;
    int status = store_reader_begin(call->reader);
    if (status)
        return false;
    status = store_address_get(call->reader, address, &record);
    store_reader_end(call->reader);
    return status == 0 && record.state != STORE_ADDRESS_TOMBSTONE && api_may_record(call, &record);
}

int api_target_missing(const struct store_address *target, const char *name,
                       struct api_problem *problem)
{
    char text[API_ADDRESS_TEXT_MAX];
    return api_problem_set(problem, API_PROBLEM_FIELD, name, "%s: there is no such address",
                           api_address_format(target, text));
}

/* A foreign target is its authority's business; one of ours must be within the caller's scope. */
static int target_check(struct place *place, bool is_batch)
{
    const struct store_address *target = &place->record->target;
    bool is_ours, is_mine;
    if (place->record->state != STORE_ADDRESS_ALIAS)
        return 0;
    if (!*target->user)
        return api_problem_set(place->problem, API_PROBLEM_FIELD, "target",
                               "target: an alias needs one");
    if (domain_look(place, target->domain, &is_ours, &is_mine))
        return -EPROTO;
    bool is_fine = !is_ours || (is_batch && is_mine) || api_address_is_there(place->call, target);
    return is_fine ? 0 : api_target_missing(target, "target", place->problem);
}

/* ---- all of it ---- */

/* Who serves it follows from the state where nothing was said: an alias, and what is hosted, is at
 * home. */
static void hosting_default(struct place *place, bool derive)
{
    struct store_record *record = place->record;
    bool at_home = derive ? place->body->has_target : api_state_host(record->state) == API_AT_HOME;
    if (!*record->hosting || (!place->body->has_hosting && at_home))
        memcpy(record->hosting, record->address.domain, sizeof(record->hosting));
}

int api_address_place(struct api_call *call, struct api_address_body *body, bool derive,
                      bool is_batch, struct api_problem *problem)
{
    struct store_record *record = &body->record;
    struct place place = {.call = call, .body = body, .record = record, .problem = problem};
    hosting_default(&place, derive);
    if (domain_look(&place, record->address.domain, &place.home_is_ours, &place.home_is_mine) ||
        domain_look(&place, record->hosting, &place.host_is_ours, &place.host_is_mine))
        return -EPROTO;
    if (call->who.bits & API_OPERATOR) /* whom another's domain here is as foreign as any */
        place.host_is_ours = place.host_is_mine;
    if (derive)
        record->state = state_derive(&place);
    if (record->state != STORE_ADDRESS_ALIAS) {
        if (body->has_target)
            return refuse(&place, "target", "target", "only an alias has one");
        record->target = (struct store_address){.user = ""};
    }
    if (record->state != STORE_ADDRESS_MOVED)
        record->until_ms = 0;
    if (state_check(&place) || scope_check(&place))
        return -EPROTO;
    return target_check(&place, is_batch);
}
