#include "api/json.h"

#include <errno.h>
#include <stdio.h>

const char *api_address_format(const struct store_address *address, char text[API_ADDRESS_TEXT_MAX])
{
    snprintf(text, API_ADDRESS_TEXT_MAX, "%s@%s", address->user, address->domain);
    return text;
}

int api_address_field(const json_t *object, const char *name, struct store_address *address,
                      struct api_problem *problem)
{
    struct slice typed = api_json_text(object, name);
    struct store_fault fault;
    if (store_address_parse(typed, address, &fault) == 0)
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, name, "%.*s: %s", SLICE_ARG(typed),
                           fault.text);
}

/* What is kept for display is what was typed, without the scheme. */
static int display_take(struct slice typed, const char *name, char display[STORE_DISPLAY_MAX + 1],
                        struct api_problem *problem)
{
    if (slice_starts_with_nocase(typed, SLICE("sip:")))
        typed = slice_skip(typed, strlen("sip:"));
    else if (slice_starts_with_nocase(typed, SLICE("sips:")))
        typed = slice_skip(typed, strlen("sips:"));
    if (slice_to_cstr(typed, display, STORE_DISPLAY_MAX + 1) == 0)
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, name,
                           "%s: is %zu bytes long; at most %d are kept", name, typed.len,
                           STORE_DISPLAY_MAX);
}

/* ---- what both a new address and a patch may say ---- */

static int hosting_decode(const json_t *object, struct api_address_body *body,
                          struct api_problem *problem)
{
    struct slice text = api_json_text(object, "hosting");
    struct store_fault fault;
    body->has_hosting = json_is_string(json_object_get(object, "hosting"));
    if (!body->has_hosting) {
        if (json_object_get(object, "hosting"))
            body->record.hosting[0] = '\0';
        return 0;
    }
    if (store_domain_canonical(text, body->record.hosting, &fault) == 0)
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, "hosting", "%.*s: %s", SLICE_ARG(text),
                           fault.text);
}

static int target_decode(const json_t *object, struct api_address_body *body,
                         struct api_problem *problem)
{
    body->has_target = json_is_string(json_object_get(object, "target"));
    if (body->has_target)
        return api_address_field(object, "target", &body->record.target, problem);
    if (json_object_get(object, "target"))
        body->record.target = (struct store_address){.user = ""};
    return 0;
}

int api_owner_decode(const json_t *object, char owner[STORE_OWNER_MAX + 1],
                     struct api_problem *problem)
{
    struct slice text = api_json_text(object, "owner");
    struct store_fault fault;
    if (!json_object_get(object, "owner"))
        return 0;
    owner[0] = '\0';
    if (json_is_null(json_object_get(object, "owner")))
        return 0;
    if (store_owner_check(text, &fault))
        return api_problem_set(problem, API_PROBLEM_FIELD, "owner", "owner: %s", fault.text);
    return slice_to_cstr(text, owner, STORE_OWNER_MAX + 1);
}

/* "notify": untouched where absent, "" where null. */
static int notify_decode(const json_t *object, char notify[STORE_MAIL_MAX + 1],
                         struct api_problem *problem)
{
    struct slice text = api_json_text(object, "notify");
    struct store_fault fault;
    if (!json_object_get(object, "notify"))
        return 0;
    if (json_is_null(json_object_get(object, "notify"))) {
        notify[0] = '\0';
        return 0;
    }
    if (store_mail_canonical(text, notify, &fault) == 0)
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, "notify", "notify: %s", fault.text);
}

/* A tombstone is what a release leaves; nobody makes one. */
static int state_decode(const json_t *object, struct api_address_body *body,
                        struct api_problem *problem)
{
    const char *texts[STORE_ADDRESS_TOMBSTONE];
    size_t state = body->record.state;
    for (size_t i = 0; i < STORE_ADDRESS_TOMBSTONE; i++)
        texts[i] = store_address_state_text((enum store_address_state)i);
    if (api_json_choice(object, "state", texts, STORE_ADDRESS_TOMBSTONE, &state, problem))
        return -EPROTO;
    body->has_state = json_object_get(object, "state") != NULL;
    body->record.state = (enum store_address_state)state;
    return 0;
}

static int common_decode(const json_t *object, struct api_address_body *body,
                         struct api_problem *problem)
{
    struct store_record *record = &body->record;
    if (hosting_decode(object, body, problem) || target_decode(object, body, problem) ||
        api_owner_decode(object, record->owner, problem) || state_decode(object, body, problem) ||
        notify_decode(object, record->notify, problem))
        return -EPROTO;
    record->blocked = api_json_bool(object, "blocked", record->blocked);
    record->locked = api_json_bool(object, "locked", record->locked);
    record->unpublished = !api_json_bool(object, "published", !record->unpublished);
    body->moves = json_object_get(object, "hosting") || json_object_get(object, "target");
    return 0;
}

/* ---- a new address ---- */

int api_address_decode(const json_t *object, struct api_address_body *body,
                       struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"address", JSON_STRING, API_REQUIRED},
        {"hosting", JSON_STRING, 0},
        {"owner", JSON_STRING, API_NULLABLE},
        {"target", JSON_STRING, API_NULLABLE},
        {"state", JSON_STRING, 0},
        {"blocked", JSON_TRUE, 0},
        {"locked", JSON_TRUE, 0},
        {"published", JSON_TRUE, 0},
        {"notify", JSON_STRING, API_NULLABLE},
        {NULL, JSON_NULL, 0},
    };
    struct api_address_body result = {.moves = false};
    struct slice typed = api_json_text(object, "address");
    if (api_json_check(object, fields, false, problem) ||
        api_address_field(object, "address", &result.record.address, problem) ||
        display_take(typed, "address", result.record.display, problem) ||
        common_decode(object, &result, problem))
        return -EPROTO;
    *body = result;
    return 0;
}

/* ---- a patch ---- */

/* Another way to write the same address; else one could be shown as another. */
static int display_patch(const json_t *object, struct store_record *record,
                         struct api_problem *problem)
{
    struct slice typed = api_json_text(object, "display");
    struct store_address shown;
    char text[API_ADDRESS_TEXT_MAX];
    api_address_format(&record->address, text);
    if (!json_object_get(object, "display"))
        return 0;
    if (json_is_null(json_object_get(object, "display"))) {
        memcpy(record->display, text, strlen(text) + 1);
        return 0;
    }
    if (api_address_field(object, "display", &shown, problem))
        return -EPROTO;
    if (strcmp(shown.user, record->address.user) != 0 ||
        strcmp(shown.domain, record->address.domain) != 0)
        return api_problem_set(problem, API_PROBLEM_FIELD, "display",
                               "display: is another address; it must be a way to write %s", text);
    return display_take(typed, "display", record->display, problem);
}

int api_address_merge(const json_t *object, struct api_address_body *body,
                      struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"hosting", JSON_STRING, API_NULLABLE},
        {"owner", JSON_STRING, API_NULLABLE},
        {"target", JSON_STRING, API_NULLABLE},
        {"state", JSON_STRING, 0},
        {"blocked", JSON_TRUE, 0},
        {"locked", JSON_TRUE, 0},
        {"published", JSON_TRUE, 0},
        {"display", JSON_STRING, API_NULLABLE},
        {"notify", JSON_STRING, API_NULLABLE},
        {NULL, JSON_NULL, 0},
    };
    struct api_address_body result = *body;
    if (api_json_check(object, fields, false, problem) || common_decode(object, &result, problem) ||
        display_patch(object, &result.record, problem))
        return -EPROTO;
    if (strcmp(result.record.owner, body->record.owner) != 0 && !json_object_get(object, "notify"))
        result.record.notify[0] = '\0';
    *body = result;
    return 0;
}

json_t *api_address_encode_public(const struct store_record *record)
{
    char address[API_ADDRESS_TEXT_MAX], target[API_ADDRESS_TEXT_MAX];
    bool is_alias = record->state == STORE_ADDRESS_ALIAS;
    json_t *json =
        json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:s?, s:s?, s:s, s:o, s:o}", "address",
                  api_address_format(&record->address, address), "state",
                  store_address_state_text(record->state), "blocked", record->blocked, "locked",
                  record->locked, "published", !record->unpublished, "hosting", record->hosting,
                  "owner", *record->owner ? record->owner : NULL, "target",
                  is_alias ? api_address_format(&record->target, target) : NULL, "display",
                  record->display, "until", api_time_encode(record->until_ms), "auth_until",
                  api_time_encode(record->has_auth ? record->auth_until_ms : 0));
    return api_json_stamp(json, record->created_ms, record->version);
}

json_t *api_address_encode(const struct store_record *record)
{
    json_t *json = api_address_encode_public(record);
    json_t *notify = *record->notify ? json_string(record->notify) : json_null();
    if (json_object_set_new(json, "notify", notify) == 0)
        return json;
    json_decref(json);
    return NULL;
}
