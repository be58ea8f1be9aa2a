/* What is left of a request that was answered (RFC 3261 17, RFC 6026): its transactions wait out
 * their timers, and tell what is repeated from what is new. The request, the plan and the messages
 * are of no use to them. */
#include "peering/proxy/attempt.h"

#include <errno.h>

enum transport_side context_side(const struct context *context)
{
    return context->plan ? context->plan->side : context->side;
}

const char *context_peer(const struct context *context)
{
    return context->plan ? context->plan->peer : context->peer;
}

/* Has nobody else been asked who may still answer, or has to be cancelled? */
static bool is_asked_alone(const struct context *context)
{
    const struct list *first = list_first(&context->clients);
    if (!first)
        return true;
    return context->answered && first == &context->answered->client.link &&
           first->next == &context->clients && !context->answered->cancel_sent;
}

void context_settle(struct context *context)
{
    if (!is_asked_alone(context))
        return;
    const char *peer = arena_text(context->arena, context->plan->peer);
    if (!peer || (context->server && txn_server_settle(context->server) != 0) ||
        (context->answered && attempt_settle(context->answered) != 0))
        return;
    context->side = context->plan->side;
    context->peer = peer;
    context_search_free(context);
}
