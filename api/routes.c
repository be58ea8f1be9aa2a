/* The one table of routes, and how a path finds its row. */
#include "api/moves.h"
#include "api/ports.h"
#include "api/records.h"

#include "base/chars.h"
#include "peering/sip/sip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ADMIN    API_ADMIN
#define OPERATOR (API_ADMIN | API_OPERATOR)
#define IMPORT   (OPERATOR | API_LARGE)
#define MOVE     (API_ALL | API_NO_DRY_RUN)
#define DECIDE   (OPERATOR | API_NO_DRY_RUN)
#define PROBE    (API_ANYONE | API_HEALTH)

#define PAGE "cursor limit"

static const struct api_route routes[] = {
    {API_GET, "/v1/keys", "", api_keys_get, API_ANYONE, NULL},
    {API_GET, "/v1/receipt-keys/{name}", "", api_receipt_key_get, OPERATOR, NULL},
    {API_POST, "/v1/receipt-keys/{name}", "", api_receipt_key_post, DECIDE, NULL},
    {API_GET, "/v1/self", "", api_self_get, API_ALL, NULL},

    {API_GET, "/v1/domains", PAGE, api_records_get, OPERATOR, &api_kind_domain},
    {API_POST, "/v1/domains", "", api_domain_post, ADMIN, NULL},
    {API_GET, "/v1/domains/{name}", "", api_record_get, OPERATOR, &api_kind_domain},
    {API_PUT, "/v1/domains/{name}", "", api_record_put, OPERATOR, &api_kind_domain},
    {API_DELETE, "/v1/domains/{name}", "", api_record_delete, ADMIN, &api_kind_domain},
    {API_GET, "/v1/domains/{name}/move", "", api_domain_move_get, ADMIN, NULL},
    {API_POST, "/v1/domains/{name}/move", "", api_domain_move_post, ADMIN, NULL},
    {API_GET, "/v1/domains/{name}/copy", PAGE, api_domain_copy_get, ADMIN, NULL},
    {API_POST, "/v1/domains/{name}/copy", "", api_domain_copy_post,
     API_ADMIN | API_LARGE | API_NO_DRY_RUN, NULL},
    {API_POST, "/v1/domains/{name}/clear", "", api_domain_clear_post, ADMIN, NULL},

    {API_GET, "/v1/addresses", "domain owner state cursor limit", api_addresses_get, API_ALL, NULL},
    {API_POST, "/v1/addresses", "", api_address_post, API_ALL, NULL},
    {API_GET, "/v1/addresses/{address}", "", api_record_get, API_ALL, &api_kind_address},
    {API_PATCH, "/v1/addresses/{address}", "", api_address_patch, API_ALL, NULL},
    {API_DELETE, "/v1/addresses/{address}", "purge", api_address_delete, API_ALL, NULL},
    {API_POST, "/v1/addresses/{address}/release", "", api_release_post, API_ALL, NULL},
    {API_POST, "/v1/addresses/{address}/auth-code", "", api_auth_code_post, API_ALL, NULL},
    {API_DELETE, "/v1/addresses/{address}/auth-code", "", api_auth_code_delete, API_ALL, NULL},

    {API_POST, "/v1/addresses/{address}/port-check", "", api_port_check_post, MOVE, NULL},
    {API_GET, "/v1/addresses/{address}/protection", "", api_protection_get, API_ALL, NULL},
    {API_PUT, "/v1/addresses/{address}/recovery-key", "", api_recovery_key_put, API_ALL, NULL},
    {API_DELETE, "/v1/addresses/{address}/recovery-key", "", api_recovery_key_delete, API_ALL,
     NULL},
    {API_PUT, "/v1/addresses/{address}/freeze", "", api_freeze_put, OPERATOR, NULL},

    {API_GET, "/v1/ports", "address state role cursor limit", api_ports_get, API_ALL, NULL},
    {API_POST, "/v1/ports", "", api_port_post, MOVE, NULL},
    {API_POST, "/v1/port-nonces", "", api_port_nonce_post, MOVE, NULL},
    {API_GET, "/v1/ports/{id}", "", api_port_get, API_ALL, NULL},
    {API_GET, "/v1/ports/{id}/receipt", "", api_port_receipt_get, API_ALL, NULL},
    {API_POST, "/v1/ports/{id}/cancel", "", api_port_cancel_post, MOVE, NULL},
    {API_POST, "/v1/ports/{id}/undo", "", api_port_undo_post, MOVE, NULL},
    {API_POST, "/v1/ports/{id}/object", "", api_port_object_post, MOVE, NULL},
    {API_POST, "/v1/ports/{id}/approve", "", api_port_approve_post, DECIDE, NULL},
    {API_POST, "/v1/ports/{id}/reject", "", api_port_reject_post, DECIDE, NULL},
    {API_POST, "/v1/ports/{id}/allow", "", api_port_allow_post, DECIDE, NULL},
    {API_GET, "/v1/ports/{id}/events", "", api_port_events_get, API_ALL, NULL},

    {API_POST, "/v1/import", "", api_import_post, IMPORT, NULL},
    {API_POST, "/v1/import/undo", "", api_import_undo_post, IMPORT, NULL},

    {API_GET, "/v1/numbers", PAGE, api_records_get, OPERATOR, &api_kind_number},
    {API_POST, "/v1/numbers", "", api_record_post, OPERATOR, &api_kind_number},
    {API_GET, "/v1/numbers/{number}", "", api_record_get, OPERATOR, &api_kind_number},
    {API_PUT, "/v1/numbers/{number}", "", api_record_put, OPERATOR, &api_kind_number},
    {API_DELETE, "/v1/numbers/{number}", "", api_record_delete, OPERATOR, &api_kind_number},

    {API_GET, "/v1/peers", PAGE, api_records_get, ADMIN, &api_kind_peer},
    {API_POST, "/v1/peers", "", api_record_post, ADMIN, &api_kind_peer},
    {API_GET, "/v1/peers/{domain}", "", api_record_get, ADMIN, &api_kind_peer},
    {API_PUT, "/v1/peers/{domain}", "", api_record_put, ADMIN, &api_kind_peer},
    {API_DELETE, "/v1/peers/{domain}", "", api_record_delete, ADMIN, &api_kind_peer},

    {API_GET, "/v1/bans", PAGE, api_bans_get, ADMIN, NULL},
    {API_POST, "/v1/bans", "", api_ban_post, ADMIN, NULL},
    {API_GET, "/v1/bans/{source}", "", api_ban_get, ADMIN, NULL},
    {API_DELETE, "/v1/bans/{source}", "", api_ban_delete, ADMIN, NULL},

    {API_GET, "/v1/tokens", PAGE, api_records_get, ADMIN, &api_kind_token},
    {API_POST, "/v1/tokens", "", api_token_post, ADMIN, NULL},
    {API_GET, "/v1/tokens/{id}", "", api_record_get, ADMIN, &api_kind_token},
    {API_DELETE, "/v1/tokens/{id}", "", api_record_delete, ADMIN, &api_kind_token},

    {API_POST, "/v1/token-keys", "", api_token_key_post, ADMIN, NULL},

    {API_GET, "/v1/journal", "from limit", api_journal_get, ADMIN, NULL},
    {API_GET, "/v1/journal/events", "from", api_events_get, ADMIN, NULL},
    {API_GET, "/v1/cursors", PAGE, api_records_get, ADMIN, &api_kind_cursor},
    {API_GET, "/v1/cursors/{name}", "", api_record_get, ADMIN, &api_kind_cursor},
    {API_DELETE, "/v1/cursors/{name}", "", api_record_delete, ADMIN, &api_kind_cursor},

    {API_GET, "/v1/traffic", "", api_traffic_get, ADMIN, NULL},
    {API_GET, "/v1/connections", "peer limit", api_connections_get, ADMIN, NULL},
    {API_GET, "/v1/trace", "match", api_trace_get, ADMIN, NULL},
    {API_POST, "/v1/backups", "", api_backup_post, API_LOCAL | API_NO_DRY_RUN, NULL},
    {API_POST, "/v1/dns/purge", "", api_dns_purge_post, ADMIN | API_NO_DRY_RUN, NULL},
    {API_GET, "/v1/route/{address}", "", api_walk_get, OPERATOR, NULL},
    {API_GET, "/v1/dns/records/{domain}", PAGE, api_dns_records_get, OPERATOR, NULL},
    {API_POST, "/v1/dns/sync", "", api_sync_post, OPERATOR, NULL},
    {API_GET, "/v1/cores", "", api_cores_get, ADMIN, NULL},
    {API_GET, "/v1/status", "", api_status_get, ADMIN, NULL},
    {API_GET, "/metrics", "", api_metrics_get, ADMIN | API_HEALTH, NULL},
    {API_GET, "/v1/openapi.json", "", api_openapi_get, API_ANYONE, NULL},
    {API_GET, "/healthz", "", api_health_get, PROBE, NULL},
    {API_GET, "/readyz", "", api_ready_get, PROBE, NULL},
};
#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))
_Static_assert(ROUTE_COUNT <= API_MAX_ROUTES, "the counters have no room for all routes");

static const char *const method_names[API_METHOD_COUNT] = {
    [API_GET] = "GET",     [API_POST] = "POST",     [API_PUT] = "PUT",
    [API_PATCH] = "PATCH", [API_DELETE] = "DELETE",
};

const char *api_method_text(enum api_method method)
{
    return method_names[method];
}

const struct api_route *api_route_at(size_t index)
{
    return index < ROUTE_COUNT ? &routes[index] : NULL;
}

bool api_route_writes(const struct api_route *route)
{
    return route->method != API_GET;
}

/* Does the path fit the pattern? *param is then its still escaped parameter, which may be empty
 * only where the pattern has none. */
static bool pattern_match(const char *pattern, const char *path, struct slice *param)
{
    const char *brace = strchr(pattern, '{');
    *param = SLICE("");
    if (!brace)
        return strcmp(pattern, path) == 0;
    size_t fixed = (size_t)(brace - pattern);
    if (strncmp(pattern, path, fixed) != 0)
        return false;
    *param = slice_make(path + fixed, strcspn(path + fixed, "/"));
    return param->len > 0 && strcmp(strchr(brace, '}') + 1, slice_end(*param)) == 0;
}

static int raw_unescape(struct slice raw, char *out, size_t size)
{
    int len = sip_unescape(raw, out, size - 1); /* RFC 3986 section 2.1, as in SIP */
    if (len < 0)
        return len;
    if (memchr(out, '\0', (size_t)len))
        return -EINVAL;
    out[len] = '\0';
    return 0;
}

static bool method_is(enum api_method method, const char *name)
{
    if (method == API_GET && strcmp(name, "HEAD") == 0)
        return true;
    return strcmp(method_names[method], name) == 0;
}

int api_route_find(const char *method, const char *path, const struct api_route **route,
                   char param[API_MAX_PARAM], struct api_problem *problem)
{
    struct slice raw;
    bool known = false;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!pattern_match(routes[i].pattern, path, &raw))
            continue;
        known = true;
        if (!method_is(routes[i].method, method))
            continue;
        if (raw_unescape(raw, param, API_MAX_PARAM))
            return api_problem_set(problem, API_PROBLEM_PARAMETER, NULL,
                                   "%.256s: is too long or has a bad %%-escape", raw.p);
        *route = &routes[i];
        return 0;
    }
    if (known)
        return api_problem_set(problem, API_PROBLEM_METHOD, NULL, "%s: does not work on %.256s",
                               method, path);
    return api_problem_set(problem, API_PROBLEM_NO_RESOURCE, NULL, "%.256s: there is nothing here",
                           path);
}

const char *api_route_methods(const char *path, char text[API_METHODS_TEXT])
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct slice raw;
        if (pattern_match(routes[i].pattern, path, &raw))
            len += (size_t)snprintf(text + len, API_METHODS_TEXT - len, "%s%s", len ? ", " : "",
                                    method_names[routes[i].method]);
    }
    return text;
}

bool api_route_has_arg(const struct api_route *route, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = route->args; *p; p += strspn(p, " ")) {
        size_t word = strcspn(p, " ");
        if (word == len && memcmp(p, name, len) == 0)
            return true;
        p += word;
    }
    return false;
}

int api_url_unescape(const char *raw, char *out, size_t size)
{
    return raw_unescape(slice_of(raw), out, size);
}

const char *api_url_escape(const char *text, char *out, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = 0;
    for (; *text && len + 4 <= size; text++) {
        unsigned char c = (unsigned char)*text;
        if (char_is_alnum(*text) || strchr("-._~", c)) {
            out[len++] = *text;
            continue;
        }
        out[len++] = '%';
        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    out[len] = '\0';
    return out;
}
