#include "api/json.h"

#include <errno.h>
#include <stdio.h>

static const char *const policy_names[] = {
    [STORE_UNKNOWN_REJECT] = "reject",
    [STORE_UNKNOWN_CORE] = "core",
};
#define POLICY_COUNT (sizeof(policy_names) / sizeof(policy_names[0]))

/* Some by rank and some by their place would be in no order that anybody meant. */
static int cores_rank(const struct store_domain *domain, const bool ranked[STORE_CORES_MAX],
                      struct api_problem *problem)
{
    for (unsigned i = 0; domain->ranked && i < domain->core_count; i++) {
        char field[API_FIELD_MAX];
        snprintf(field, sizeof(field), "cores[%u]", i);
        if (!ranked[i])
            return api_problem_set(problem, API_PROBLEM_FIELD, field,
                                   "%s: has neither priority nor weight, which another core of "
                                   "the domain has; give them to all of its cores or to none",
                                   field);
    }
    return 0;
}

static int cores_decode(const json_t *array, struct store_domain *domain,
                        struct api_problem *problem)
{
    size_t count = json_array_size(array);
    if (count == 0 || count > STORE_CORES_MAX)
        return api_problem_set(problem, API_PROBLEM_FIELD, "cores",
                               "cores: there are %zu; a domain has 1 to %d", count,
                               STORE_CORES_MAX);
    bool ranked[STORE_CORES_MAX];
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        char field[API_FIELD_MAX];
        int status = api_json_item(array, "cores", i, &text, field, problem);
        if (!status)
            status = api_core_decode(text, field, &domain->cores[i], &ranked[i], problem);
        if (status)
            return status;
        domain->ranked = domain->ranked || ranked[i];
    }
    domain->core_count = (unsigned)count;
    return cores_rank(domain, ranked, problem);
}

int api_domain_decode(const json_t *object, const char *name, struct store_domain *domain,
                      struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"name", JSON_STRING, 0},
        {"cores", JSON_ARRAY, API_REQUIRED},
        {"unknown", JSON_STRING, 0},
        {"claims_per_owner", JSON_INTEGER, 0},
        {"quarantine_days", JSON_INTEGER, 0},
        {"address_records", JSON_TRUE, 0},
        {"port_redirects", JSON_TRUE, 0},
        {"move", JSON_STRING, API_PRINTED},
        {"move_to", JSON_STRING, API_PRINTED},
        {"warnings", JSON_ARRAY, API_PRINTED},
        {"created", JSON_STRING, API_PRINTED},
        {"version", JSON_INTEGER, API_PRINTED},
        {NULL, JSON_NULL, 0},
    };
    size_t unknown = STORE_UNKNOWN_REJECT;
    struct store_domain result = {.version = 0};
    if (api_json_check(object, fields, name != NULL, problem) ||
        api_json_key(object, "name", name, store_domain_canonical, result.name, problem) ||
        cores_decode(json_object_get(object, "cores"), &result, problem) ||
        api_json_choice(object, "unknown", policy_names, POLICY_COUNT, &unknown, problem) ||
        api_json_number(object, "claims_per_owner", 0, STORE_CLAIMS_MAX, 0,
                        &result.claims_per_owner, problem) ||
        api_json_number(object, "quarantine_days", 0, STORE_QUARANTINE_DAYS_MAX,
                        STORE_QUARANTINE_DAYS, &result.quarantine_days, problem))
        return -EPROTO;
    result.unknown = (enum store_unknown_policy)unknown;
    result.unpublished = !api_json_bool(object, "address_records", true);
    result.redirects = api_json_bool(object, "port_redirects", false);
    *domain = result;
    return 0;
}

/* Said only of one that moves. Returns the record; accepts NULL. */
static json_t *move_encode(const struct store_domain *domain, json_t *json)
{
    if (json && domain->move)
        json_object_set_new(json, "move", json_string(store_domain_move_text(domain->move)));
    if (json && *domain->move_to)
        json_object_set_new(json, "move_to", json_string(domain->move_to));
    return json;
}

json_t *api_domain_encode(const struct store_domain *domain)
{
    json_t *cores = json_array();
    for (unsigned i = 0; i < domain->core_count; i++) {
        char text[API_CORE_TEXT_MAX];
        if (json_array_append_new(
                cores, json_string(api_core_encode(&domain->cores[i], domain->ranked, text)))) {
            json_decref(cores);
            return NULL;
        }
    }
    json_t *json = move_encode(
        domain, json_pack("{s:s, s:o, s:s, s:I, s:I, s:b, s:b}", "name", domain->name, "cores",
                          cores, "unknown", policy_names[domain->unknown], "claims_per_owner",
                          (json_int_t)domain->claims_per_owner, "quarantine_days",
                          (json_int_t)domain->quarantine_days, "address_records",
                          !domain->unpublished, "port_redirects", domain->redirects));
    return api_json_stamp(json, domain->created_ms, domain->version);
}
