/* /v1/self: who the client is, as the API sees it. */
#include "api/internal.h"

#include "api/json.h"

#include <errno.h>

int api_self_get(struct api_call *call)
{
    const struct api_principal *who = &call->who;
    json_t *json =
        json_pack("{s:s, s:s}", "scope", api_scope_text(who->scope), "actor", call->actor);
    if (json && who->scope == STORE_SCOPE_USER)
        json_object_set_new(json, "owner", json_string(who->owner));
    if (json && who->scope == STORE_SCOPE_OPERATOR)
        json_object_set_new(json, "domains", api_names_encode(who->domains, who->domain_count));
    if (json && who->until_ms)
        json_object_set_new(json, "until", api_time_encode(who->until_ms));
    return api_call_reply(call, 200, json, 0);
}
