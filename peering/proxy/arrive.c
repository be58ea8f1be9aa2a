/* Calls to an address that is about to come to us (design section 8): it stands in our directory as
 * prepared. Its authority commits, and may lead the next call here before we hear of that. So the
 * authority is asked, once for all calls that come together, and where it says that the address is
 * ours by now the call goes to our core at once. Whoever follows ports is told, and does the
 * rest. */
#include "peering/proxy/context.h"

#include "base/ring.h"
#include "base/status.h"

#include <string.h>

bool arrive_expected(struct proxy *proxy, const struct store_address *address,
                     struct store_domain *hosting)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_record record;
    return reader && store_address_get(reader, address, &record) == 0 && !record.blocked &&
           record.state == STORE_ADDRESS_PREPARED &&
           store_domain_get(reader, record.hosting, hosting) == 0;
}

/* Towards the core that will serve it, as if it were there. */
static void plan_arrival(const struct sip_msg *request, const struct store_address *address,
                         const struct store_domain *hosting, struct plan *plan)
{
    plan->side = TRANSPORT_INSIDE;
    plan->called = *address;
    memcpy(plan->hosted, hosting->name, sizeof(hosting->name));
    plan_core_targets(plan, hosting, NULL);
    plan_keep_tls(request, plan);
}

void arrive_plan(struct proxy *proxy, const struct sip_msg *request,
                 const struct store_address *address, struct plan *plan)
{
    struct store_domain hosting;
    if (!arrive_expected(proxy, address, &hosting)) {
        refusal_set(plan->refusal, 403, "%s is not hosted here, and this edge does not relay",
                    address->domain);
        return;
    }
    plan_arrival(request, address, &hosting, plan);
    plan->arrives = true;
}

/* What finds no room is told by the next call. */
static void note(struct proxy *proxy, const struct store_address *address)
{
    struct store_address *noted = ring_reserve(proxy->arrived, sizeof(*noted));
    if (!noted)
        return;
    *noted = *address;
    ring_commit(proxy->arrived, sizeof(*noted));
}

/* Our core knows by what it leads to the number that came. */
static void number_name(struct proxy *proxy, struct plan *plan)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_number number;
    if (!reader || store_zone_number_get(reader, &plan->called, &number) != 0)
        return;
    plan->called = number.address;
    plan->renamed = true;
}

/* A number is called at the domain that served it; prepared is its address in its ENUM zone. */
static void number_zone(struct proxy *proxy, struct store_address *address)
{
    struct store_reader *reader = proxy_reader(proxy);
    char digits[STORE_NUMBER_MAX + 1];
    struct store_number number;
    if (reader && address->user[0] == '+' &&
        store_number_parse(slice_of(address->user), digits, NULL) == 0 &&
        store_number_get(reader, digits, &number) == 0 && number.zone[0])
        memcpy(address->domain, number.zone, sizeof(number.zone));
}

static void arrived(struct context *context)
{
    context->plan->arrives = false;
    note(context->proxy, &context->plan->called);
    number_name(context->proxy, context->plan);
    context_try_targets(context);
}

static void refuse_arrival(struct context *context, unsigned status, const char *what)
{
    const struct store_address *called = &context->plan->called;
    struct refusal refusal;
    refusal_set(&refusal, status, "%s@%s may come to be served here, and %s", called->user,
                called->domain, what);
    context_refuse(context, &refusal);
}

static bool on_told(const struct told *told, void *arg)
{
    struct context *context = arg;
    bool is_ours = strcmp(told->host, context->plan->hosted) == 0;
    context_enter(context);
    if (is_ours)
        arrived(context);
    else if (told->unknown)
        refuse_arrival(context, 480, "its authority does not tell whether it does yet");
    else
        refuse_arrival(context, 404, "its authority says that it does not yet");
    context_leave(context);
    return is_ours;
}

void arrive_start(struct context *context)
{
    struct proxy *proxy = context->proxy;
    const struct plan *plan = context->plan;
    struct told told;
    uint64_t age_ms;
    if (told_get(proxy->told, &plan->called, txn_layer_now_ms(proxy->txns), &told, &age_ms) &&
        strcmp(told.host, plan->hosted) == 0) {
        arrived(context);
        return;
    }
    /* That it was elsewhere a moment ago says nothing: it may have been committed since. */
    if (ask_authority(proxy, &plan->called, plan->hosted, &context->search->arrival, on_told,
                      context) != 0)
        refuse_arrival(context, 480, "its authority was asked too much lately");
}

void arrive_stop(struct context *context)
{
    ask_cancel(&context->search->arrival);
}

bool arrive_turn(struct context *context, const char *host)
{
    struct refusal refusal = {.status = 0};
    struct store_address whom = context->plan->whom;
    struct store_domain hosting;
    number_zone(context->proxy, &whom);
    if (!arrive_expected(context->proxy, &whom, &hosting) || strcmp(hosting.name, host) != 0 ||
        strcmp(host, context->plan->caller_group) == 0)
        return false;
    if (context_replan(context) != 0)
        return false;
    context->plan->refusal = &refusal;
    plan_arrival(context->request, &whom, &hosting, context->plan);
    context->plan->refusal = NULL;
    context->plan->whom.user[0] = context->plan->peer[0] = '\0';
    if (refusal.status)
        context_refuse(context, &refusal);
    else
        arrived(context);
    return true;
}
