/* Following port data (design 3.3): the authority of an address says in a 302 which domain serves
 * it. That is followed here, and remembered; the Request-URI stays. A host that does not serve the
 * address after all is forgotten, and the authority asked once more. Every other redirect is the
 * caller's to follow. (A deliberate exception to RFC 3261 16.5.) */
#include "peering/proxy/context.h"

#include "peering/proxy/port_form.h"

#include <stdio.h>

/* The search begins anew, towards another peer. */
static void turn_to(struct context *context, const char *domain, uint16_t port)
{
    struct plan *plan = context->plan;
    struct proxy *proxy = context->proxy;
    context_searches_drop(context);
    context->hop_again = context->retried = false;
    snprintf(plan->peer, sizeof(plan->peer), "%s", domain);
    plan->targets[0] = (struct resolver_target){.profile = RESOLVER_PEER, .port = port};
    snprintf(plan->targets[0].host, sizeof(plan->targets[0].host), "%s", domain);
    plan->target_count = 1;
    context_search_runs(context); /* a response had stopped it */
    log_write(proxy->log, LOG_INFO, "proxy", "redirected %.*s %s@%s to %s call-id=%.*s",
              SLICE_ARG(context->request->method_text), plan->whom.user, plan->whom.domain, domain,
              SLICE_ARG(context->request->call_id));
    struct refusal refusal = {.status = 0};
    plan->refusal = &refusal;
    policy_to_peer(proxy, plan);
    plan->refusal = NULL;
    if (refusal.status)
        context_refuse(context, &refusal);
    else
        context_try_targets(context);
}

/* The authority stands by a host that did not serve the address a moment ago. */
static void refuse_host(struct context *context, const char *host)
{
    const struct store_address *whom = &context->plan->whom;
    unsigned status = context->search->redirect.failed_status;
    struct refusal refusal;
    if (status)
        refusal_set(&refusal, status == 302 ? 480 : status,
                    "%s says that %s serves %s@%s, which answered %u", whom->domain, host,
                    whom->user, whom->domain, status);
    else
        refusal_set(&refusal, 480, "%s says that %s serves %s@%s: %s", whom->domain, host,
                    whom->user, whom->domain,
                    context->causes ? context->causes : "it could not be reached");
    context_refuse(context, &refusal);
}

static bool authority_said(struct context *context, const struct sip_msg *response)
{
    const struct store_address *whom = &context->plan->whom;
    bool sips = context->request->uri.scheme == SIP_SCHEME_SIPS;
    struct proxy *proxy = context->proxy;
    struct port_form form;
    struct refusal refusal;
    if (!port_form_read(response, whom, sips, &form) || strcmp(form.host, whom->domain) == 0)
        return false;
    if (proxy_hosts(proxy, form.host) && arrive_turn(context, form.host))
        return true;
    if (proxy_hosts(proxy, form.host)) {
        refusal_set(&refusal, 480, "%s says that %s serves %s@%s, but our directory does not",
                    whom->domain, form.host, whom->user, whom->domain);
        context_refuse(context, &refusal);
        return true;
    }
    if (strcmp(form.host, context->search->redirect.failed) == 0) {
        refuse_host(context, form.host);
        return true;
    }
    struct told_news news = {.address = *whom, .for_s = form.for_s};
    memcpy(news.told.host, form.host, sizeof(news.told.host));
    news_spread(proxy, &news);
    turn_to(context, form.host, 0);
    return true;
}

/* What led to this host is forgotten; once per request. Returns whether the authority is asked. */
static bool ask_again(struct context *context, unsigned status)
{
    const struct plan *plan = context->plan;
    if (context->search->redirect.asked_again)
        return false;
    context->search->redirect.asked_again = true;
    context->search->redirect.failed_status = status;
    memcpy(context->search->redirect.failed, plan->peer, sizeof(plan->peer));
    news_spread(context->proxy, &(struct told_news){.address = plan->whom});
    turn_to(context, plan->whom.domain, plan->whom_port);
    return true;
}

/* Is this a search for an address elsewhere that goes on? */
static bool is_open(const struct context *context)
{
    return context->plan->side == TRANSPORT_OUTSIDE && context->plan->whom.user[0] &&
           !context->cancelled && !context->final_sent;
}

static bool is_at_authority(const struct plan *plan)
{
    return strcmp(plan->peer, plan->whom.domain) == 0;
}

/* Has the operator said that this core gives port data? */
static bool core_is_trusted(struct proxy *proxy, const char *hosted)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_domain domain;
    return reader && store_domain_get(reader, hosted, &domain) == 0 && domain.redirects;
}

/* Nobody's call forwarding may pose as a port. */
static bool core_said(struct context *context, const struct sip_msg *response)
{
    struct refusal refusal;
    if (!port_form_poses(response) || core_is_trusted(context->proxy, context->plan->hosted))
        return false;
    refusal_set(&refusal, 480,
                "the core of %s redirects in the form of port data, which only the "
                "directory may give (junctor domain set %s --port-redirects)",
                context->plan->hosted, context->plan->hosted);
    context_refuse(context, &refusal);
    return true;
}

/* Does a host that is not the authority say that it does not serve the address? (Its own redirect
 * of a call that it serves, somebody's call forwarding, is the caller's to follow.) */
static bool is_disowned(const struct context *context, const struct sip_msg *response)
{
    struct port_form form;
    return response->status == 403 || response->status == 404 ||
           port_form_read(response, &context->plan->whom, false, &form);
}

bool redirect_take(struct context *context, const struct sip_msg *response)
{
    if (context->plan->side == TRANSPORT_INSIDE)
        return core_said(context, response);
    if (!is_open(context))
        return false;
    if (is_at_authority(context->plan))
        return authority_said(context, response);
    return is_disowned(context, response) && ask_again(context, response->status);
}

bool redirect_lost(struct context *context)
{
    return is_open(context) && !context->search_over && !is_at_authority(context->plan) &&
           ask_again(context, 0);
}
