/* What a request has until it is answered: its message, its plan, and what finds who answers. */
#include "peering/proxy/context.h"

#include <errno.h>

/* How many targets the plan has, or may get. */
static size_t plan_room(const struct plan *plan)
{
    return plan->in_dns ? PLAN_MAX_TARGETS : plan->target_count;
}

/* Without the places for targets that are not used. */
static struct plan *plan_copy(struct arena *arena, const struct plan *plan)
{
    size_t size = offsetof(struct plan, targets) + plan_room(plan) * sizeof(plan->targets[0]);
    struct plan *copy = arena_get(arena, size);
    if (copy) {
        memcpy(copy, plan, size);
        copy->refusal = NULL;
    }
    return copy;
}

int context_search_begin(struct context *context, const struct sip_msg *request,
                         const struct plan *plan)
{
    struct arena *arena = arena_alloc(context->proxy->pool, PROXY_CONTEXT_LIMIT);
    struct search *search = arena ? arena_zero(arena, sizeof(*search)) : NULL;
    if (!search || !(context->request = sip_msg_copy(arena, request)) ||
        !(context->plan = plan_copy(arena, plan)) ||
        !(search->searches = arena_zero(arena, plan_room(plan) * sizeof(*search->searches)))) {
        arena_free(arena);
        return -ENOMEM;
    }
    search->arena = arena;
    ask_wait_init(&search->verify.wait);
    ask_wait_init(&search->arrival);
    search_time_init(&search->time, context->proxy->search_ms);
    context->search = search;
    return 0;
}

void context_search_waits(struct context *context)
{
    if (context->search)
        search_time_stop(&context->search->time, context->proxy->timers,
                         txn_layer_now_ms(context->proxy->txns));
}

void context_searches_drop(struct context *context)
{
    struct search *search = context->search;
    if (search->location)
        resolver_locate_cancel(search->location);
    search->location = NULL;
    for (size_t i = 0; i < search->target_next; i++)
        resolver_search_done(&search->searches[i]);
    memset(search->searches, 0, search->target_next * sizeof(*search->searches));
    search->target_next = 0;
}

void context_search_free(struct context *context)
{
    if (!context->search)
        return;
    context_mark_decided(context);
    context_search_waits(context);
    context_searches_drop(context);
    context->request = NULL;
    context->plan = NULL;
    context->causes = NULL;
    context->kept_bytes = slice_make(NULL, 0);
    arena_free(context->search->arena);
    context->search = NULL;
}

int context_replan(struct context *context)
{
    struct arena *arena = context->search->arena;
    struct plan *plan = arena_get(arena, sizeof(*plan));
    struct resolver_search *searches = arena_zero(arena, PLAN_MAX_TARGETS * sizeof(*searches));
    if (!plan || !searches)
        return -ENOMEM;
    context_searches_drop(context);
    memcpy(plan, context->plan, offsetof(struct plan, targets));
    plan->target_count = 0;
    context->plan = plan;
    context->search->searches = searches;
    context->hop_again = context->retried = false;
    return context_search_runs(context);
}
