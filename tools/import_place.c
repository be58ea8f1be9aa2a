/* Rows of a domain that is not there yet, in a dry run: the daemon would judge them without that
 * domain, so they are judged here, as it will when it has it. */
#include "tools/import_remote.h"

#include "api/address_state.h"
#include "api/json.h"

#include <stdlib.h>
#include <string.h>

/* What the daemon answers to a GET: is it there? */
static int there_ask(struct remote *remote, const char *folder, const char *name, bool *is_there)
{
    struct client_answer answer;
    char *path = tool_path(folder, name);
    struct client_request request = {.method = "GET", .path = path};
    int code = path ? tool_ask(remote->import->tool, &request, &answer) : TOOL_REFUSED;
    if (code == TOOL_DONE) {
        *is_there =
            answer.status == 200 && strcmp(tool_string(answer.json, "state"), "tombstone") != 0;
        json_decref(answer.json);
    }
    free(path);
    return code;
}

/* The domain that was asked for last is remembered: rows name few. */
static int domain_is_ours(struct remote *remote, const char *name, bool *is_ours)
{
    *is_ours = strcmp(name, remote->new_domain) == 0;
    if (*is_ours)
        return TOOL_DONE;
    if (strcmp(name, remote->asked_domain) != 0) {
        int code = there_ask(remote, "/v1/domains", name, &remote->asked_is_ours);
        if (code)
            return code;
        snprintf(remote->asked_domain, sizeof(remote->asked_domain), "%s", name);
    }
    *is_ours = remote->asked_is_ours;
    return TOOL_DONE;
}

static bool has_default_host(const struct api_address_body *body)
{
    return body->has_state ? api_state_host(body->record.state) == API_AT_HOME : body->has_target;
}

/* Why the row would be refused; NULL where it would not for this. */
static const char *place_fault(struct api_address_body *body, bool home_is_ours, bool host_is_ours)
{
    struct store_record *record = &body->record;
    bool at_home = strcmp(record->hosting, record->address.domain) == 0;
    if (!body->has_state)
        record->state = api_state_derive(record, body->has_target, home_is_ours);
    if (record->state != STORE_ADDRESS_ALIAS && body->has_target)
        return "only an alias has a target";
    if (record->state == STORE_ADDRESS_ALIAS && !*record->target.user)
        return "an alias needs a target";
    enum api_host host = api_state_host(record->state);
    if (host == API_AT_HOME && !at_home)
        return "an address of this state is served by its own domain";
    if (api_state_home_is_ours(record->state) != home_is_ours)
        return home_is_ours ? "an address of this state is not of a domain of ours"
                            : "an address of this state is of a domain of ours";
    if (host == API_HOST_OTHER && at_home)
        return "an address of this state is served by another domain";
    if (host == API_HOST_FOREIGN && host_is_ours)
        return "an address of this state is served by another operator";
    if (host == API_HOST_OURS && !host_is_ours)
        return "an address of this state is served by a domain of ours";
    return NULL;
}

static int target_find(struct remote *remote, const struct row *row, bool *is_there)
{
    char text[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
    bool is_ours;
    *is_there = import_has_target(remote->import, row);
    if (*is_there)
        return TOOL_DONE;
    int code = domain_is_ours(remote, row->target.domain, &is_ours);
    *is_there = !is_ours; /* a foreign one is the business of others */
    if (code || !is_ours || strcmp(row->target.domain, remote->new_domain) == 0)
        return code;
    snprintf(text, sizeof(text), "%s@%s", row->target.user, row->target.domain);
    return there_ask(remote, "/v1/addresses", text, is_there);
}

static void refuse(struct remote *remote, const struct row *row,
                   const struct store_address *address, const char *why)
{
    char detail[STORE_USER_MAX + STORE_DOMAIN_MAX + 128];
    snprintf(detail, sizeof(detail), "%s@%s: %s", address->user, address->domain, why);
    import_refuse_row(remote->import, row, IMPORT_MALFORMED, detail);
}

static int row_judge(struct remote *remote, const struct row *row, struct api_address_body *body)
{
    bool home_is_ours, host_is_ours, has_target = true;
    int code = domain_is_ours(remote, row->address.domain, &home_is_ours);
    if (!code)
        code = domain_is_ours(remote, body->record.hosting, &host_is_ours);
    if (code)
        return code;
    const char *why = place_fault(body, home_is_ours, host_is_ours);
    if (!why && row->is_alias)
        code = target_find(remote, row, &has_target);
    if (code)
        return code;
    if (why)
        refuse(remote, row, &row->address, why);
    else if (!has_target)
        refuse(remote, row, &row->target, "there is no such address");
    else
        remote->import->added++;
    return TOOL_DONE;
}

bool remote_place_judge(struct remote *remote, const struct row *row, int *code)
{
    struct api_address_body body;
    struct api_problem problem;
    struct store_record *record = &body.record;
    bool is_fine = api_address_decode(row->fields, &body, &problem) == 0;
    bool is_new = strcmp(row->address.domain, remote->new_domain) == 0;
    if (is_fine && (!*record->hosting || (!body.has_hosting && has_default_host(&body))))
        memcpy(record->hosting, row->address.domain, sizeof(record->hosting));
    *code = TOOL_DONE;
    if (!is_new && (!is_fine || strcmp(record->hosting, remote->new_domain) != 0))
        return false;
    if (is_fine)
        *code = row_judge(remote, row, &body);
    else
        import_refuse_row(remote->import, row, IMPORT_MALFORMED, problem.detail);
    return true;
}
