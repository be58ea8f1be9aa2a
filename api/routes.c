/* The one table of routes, and how a path finds its row. */
#include "api/internal.h"

#include "base/chars.h"
#include "peering/sip/sip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct api_route routes[] = {
    {API_GET, "/v1/domains", "cursor limit", api_domains_get},
    {API_POST, "/v1/domains", "", api_domains_post},
    {API_GET, "/v1/domains/{name}", "", api_domain_get},
    {API_PUT, "/v1/domains/{name}", "", api_domain_put},
    {API_DELETE, "/v1/domains/{name}", "", api_domain_delete},
    {API_GET, "/v1/addresses", "domain cursor limit", api_addresses_get},
    {API_POST, "/v1/addresses", "", api_addresses_post},
    {API_GET, "/v1/addresses/{address}", "", api_address_get},
    {API_DELETE, "/v1/addresses/{address}", "", api_address_delete},
    {API_GET, "/v1/route/{address}", "", api_walk_get},
    {API_GET, "/v1/status", "", api_status_get},
    {API_GET, "/healthz", "", api_health_get},
};
#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

static const char *const method_names[API_METHOD_COUNT] = {
    [API_GET] = "GET",
    [API_POST] = "POST",
    [API_PUT] = "PUT",
    [API_DELETE] = "DELETE",
};

/* Does the path fit the pattern? *param is then the still escaped parameter, or "". */
static bool pattern_match(const char *pattern, const char *path, const char **param)
{
    const char *brace = strchr(pattern, '{');
    *param = "";
    if (!brace)
        return strcmp(pattern, path) == 0;
    size_t fixed = (size_t)(brace - pattern);
    if (strncmp(pattern, path, fixed) != 0)
        return false;
    *param = path + fixed;
    return **param != '\0' && strchr(*param, '/') == NULL;
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
    const char *raw;
    bool known = false;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!pattern_match(routes[i].pattern, path, &raw))
            continue;
        known = true;
        if (!method_is(routes[i].method, method))
            continue;
        if (api_url_unescape(raw, param, API_MAX_PARAM))
            return api_problem_set(problem, API_PROBLEM_PARAMETER, NULL,
                                   "%.256s: is too long or has a bad %%-escape", raw);
        *route = &routes[i];
        return 0;
    }
    if (known)
        return api_problem_set(problem, API_PROBLEM_METHOD, NULL, "%s: does not work on %.256s",
                               method, path);
    return api_problem_set(problem, API_PROBLEM_NO_RESOURCE, NULL, "%.256s: there is nothing here",
                           path);
}

const char *api_route_methods(const char *path, char text[40])
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const char *raw;
        if (pattern_match(routes[i].pattern, path, &raw))
            len += (size_t)snprintf(text + len, 40 - len, "%s%s", len ? ", " : "",
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
    int len = sip_unescape(slice_of(raw), out, size - 1); /* RFC 3986 section 2.1, as in SIP */
    if (len < 0)
        return len;
    if (memchr(out, '\0', (size_t)len))
        return -EINVAL;
    out[len] = '\0';
    return 0;
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
