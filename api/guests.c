#include "api/guests.h"

#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Lives in call->memory. */
struct order {
    struct porting_errand errand;
    api_then_h *then; /* NULL: 204 */
    bool has_command;
    struct store_verdict verdict;
    struct api_problem problem;
    void *kept;
};

bool api_is_guest(const struct api_call *call, enum store_address_state state)
{
    return (state == STORE_ADDRESS_PORTED_IN || state == STORE_ADDRESS_PREPARED) &&
           call->api->parts.porting;
}

bool api_is_guest_here(const struct api_call *call, enum store_address_state state)
{
    return state == STORE_ADDRESS_PORTED_IN && api_is_guest(call, state);
}

static int command_do(struct api_call *call, bool dry_run, struct store_verdict *verdict)
{
    call->command.dry_run = dry_run;
    int status = store_submit(call->api->parts.store, &call->command, verdict);
    return status ? status : verdict->status;
}

static int order_do(struct api_call *call)
{
    struct order *order = call->memory;
    int status = order->has_command ? command_do(call, true, &order->verdict) : 0;
    if (status)
        return status;
    if (porting_errand_do(call->api->parts.porting, &order->errand, &order->problem))
        return -EPROTO;
    return order->has_command ? command_do(call, false, &order->verdict) : 0;
}

static int order_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct order *order = call->memory;
    if (verdict->status == -EPROTO)
        call->problem = order->problem;
    else if (verdict->status)
        api_problem_from_status(&call->problem, verdict->status, call->name);
    if (verdict->status)
        return -EPROTO;
    if (order->then)
        return order->then(call, &order->verdict);
    call->status = 204;
    return 0;
}

static void order_wipe(void *memory)
{
    free(((struct order *)memory)->kept);
    explicit_bzero(memory, sizeof(struct order));
}

static int order_make(struct api_call *call, const struct porting_errand *errand, api_then_h *then,
                      bool has_command)
{
    struct order *order = calloc(1, sizeof(*order));
    if (!order)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    order->kept = call->memory;
    call->memory = order;
    call->memory_done = order_wipe;
    order->errand = *errand;
    order->then = then;
    order->has_command = has_command;
    return 0;
}

int api_errand_submit(struct api_call *call, const char *key, const struct porting_errand *errand,
                      api_then_h *then)
{
    if (order_make(call, errand, then, true))
        return -EPROTO;
    int status = api_submit(call, key, then);
    if (status != API_PENDING || call->dry_run)
        return status;
    return api_run(call, key, order_do, order_done);
}

int api_errand_run(struct api_call *call, const char *key, const struct porting_errand *errand,
                   api_then_h *then)
{
    const struct store_verdict nothing = {.status = 0};
    if (order_make(call, errand, then, false))
        return -EPROTO;
    return call->dry_run ? then(call, &nothing) : api_run(call, key, order_do, order_done);
}

const void *api_errand_kept(const struct api_call *call)
{
    return ((const struct order *)call->memory)->kept;
}

const struct porting_errand *api_errand_done(const struct api_call *call)
{
    return &((const struct order *)call->memory)->errand;
}
