/* Where a request from the core goes, when the directory does not know (design 3.1): DNS is asked
 * whom a number names and who serves a foreign address. Then the plan is made as if the directory
 * had known. */
#include "peering/proxy/context.h"

#include "base/status.h"

#include <errno.h>

static void found_take(struct context *context, const struct resolver_found *found)
{
    struct refusal refusal = {.status = 0};
    context->plan->refusal = &refusal;
    admit_found(context->proxy, context->request, found, context->plan);
    policy_to_peer(context->proxy, context->plan);
    context->plan->refusal = NULL;
    if (refusal.status)
        context_refuse(context, &refusal);
    else
        context_try_targets(context);
}

static void find_ended(struct context *context, int status, const struct resolver_found *found)
{
    struct refusal refusal;
    if (status == 0) {
        found_take(context, found);
    } else {
        admit_not_found_out(context->request, found->why[0] ? found->why : status_text(status),
                            &refusal);
        context_refuse(context, &refusal);
    }
}

static void on_found(int status, const struct resolver_found *found, void *arg)
{
    struct context *context = arg;
    context_enter(context);
    context->search->finding = NULL;
    find_ended(context, status, found);
    context_leave(context);
}

void find_start(struct context *context)
{
    struct proxy *proxy = context->proxy;
    const struct resolver_find_user user = {
        .reader = proxy->reader, .done = on_found, .arg = context};
    struct resolver_found found;
    int status = resolver_find(proxy->resolver, &context->plan->asked, &user, &found,
                               &context->search->finding);
    if (status != -EINPROGRESS)
        find_ended(context, status, &found);
}

void find_stop(struct context *context)
{
    if (context->search->finding)
        resolver_find_cancel(context->search->finding);
    context->search->finding = NULL;
}
