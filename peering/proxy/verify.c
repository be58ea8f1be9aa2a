/* The backward check (design sections 2 and 3.4): a peer may speak for an address exactly when a
 * call to that address would be routed to that peer. Our directory knows, or what an authority told
 * lately, or a validated address record; else the authority is asked, within budgets. */
#include "peering/proxy/context.h"
#include "peering/proxy/identity.h"

#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* A peer is refused without asking if it was refused on an answer that is no older than this. What
 * is known otherwise, as by a call to that address, may be from before it moved to that peer. */
#define ASK_AFRESH_MS 10000

/* ---- what is known ---- */

bool verify_address(const struct sip_uri *uri, struct store_address *address)
{
    struct store_address read;
    if ((uri->scheme != SIP_SCHEME_SIP && uri->scheme != SIP_SCHEME_SIPS) ||
        uri->host_kind != SIP_HOST_NAME ||
        store_domain_canonical(uri->host, read.domain, NULL) != 0 ||
        store_user_canonical(uri->user, read.user, NULL) != 0)
        return false;
    *address = read;
    return true;
}

/* The same; of a tel: URI the number as user "+49..." of no domain. */
static bool verify_speaker(const struct sip_uri *uri, struct store_address *speaker)
{
    char digits[STORE_NUMBER_MAX + 1];
    if (uri->scheme != SIP_SCHEME_TEL)
        return verify_address(uri, speaker);
    if (store_number_parse(uri->user, digits, NULL) != 0)
        return false;
    memset(speaker, 0, sizeof(*speaker));
    snprintf(speaker->user, sizeof(speaker->user), "+%s", digits);
    return true;
}

int verify_name(const struct sip_uri *uri, uint8_t name[TOKEN_SPEAKER_LEN])
{
    struct store_address address;
    const char *end = uri->params.len ? uri->params.p : slice_end(uri->bytes);
    return verify_speaker(uri, &address) ? token_speaker(&address, name)
                                         : token_name(slice_between(uri->bytes.p, end), name);
}

static enum verify_verdict no(struct verified *verified, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum verify_verdict no(struct verified *verified, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(verified->why, sizeof(verified->why), format, args);
    va_end(args);
    return VERIFY_NO;
}

/* The domain that serves the caller is known; is it this peer's? */
static enum verify_verdict served_by(const struct conn *conn, const char *host,
                                     struct verified *verified, const char *who_says)
{
    if (!conn_proves(conn, host))
        return no(verified, "%s that %s serves it", who_says, host);
    snprintf(verified->host, sizeof(verified->host), "%s", host);
    return VERIFY_YES;
}

/* The host that a validated address record, or a number's records, name. Returns whether DNS has
 * said so lately. */
static bool in_dns(struct proxy *proxy, const struct resolver_asked *caller,
                   struct resolver_found *found)
{
    const struct resolver_find_user user = {.reader = proxy->reader, .known_only = true};
    struct resolver_finding *none;
    return resolver_find(proxy->resolver, caller, &user, found, &none) == 0 && !found->unknown &&
           found->answer.rule == RESOLVER_PUBLISHED;
}

/* An authority speaks for its own addresses, unless it lately said itself that another serves it.
 */
static enum verify_verdict authority_known(struct proxy *proxy, const struct conn *conn,
                                           bool just_asked, struct verified *verified)
{
    struct resolver_found found;
    const char *domain = verified->caller.address.domain;
    if (!just_asked && resolver_conf_get(proxy->resolver)->address_records &&
        in_dns(proxy, &verified->caller, &found) && !conn_proves(conn, found.answer.hosting))
        return VERIFY_OPEN;
    return served_by(conn, domain, verified, "it is taken");
}

/* An address of a domain that is not ours, which our directory does not know. */
static enum verify_verdict foreign_known(struct proxy *proxy, const struct conn *conn,
                                         struct verified *verified)
{
    const struct store_address *address = &verified->caller.address;
    struct told told;
    struct resolver_found found;
    uint64_t age_ms, now_ms = txn_layer_now_ms(proxy->txns);
    bool is_told = told_get(proxy->told, address, now_ms, &told, &age_ms);
    bool is_fresh = is_told && age_ms < ASK_AFRESH_MS;
    bool is_refused = is_told && told_refused_get(proxy->told, address, conn_proven_domain(conn),
                                                  now_ms, ASK_AFRESH_MS);
    if (is_told && told.host[0])
        return is_refused || conn_proves(conn, told.host)
                   ? served_by(conn, told.host, verified, "its authority said")
                   : VERIFY_OPEN;
    if (conn_proves(conn, address->domain))
        return authority_known(proxy, conn, is_fresh && !told.unknown, verified);
    if (resolver_conf_get(proxy->resolver)->address_records &&
        in_dns(proxy, &verified->caller, &found) && conn_proves(conn, found.answer.hosting))
        return served_by(conn, found.answer.hosting, verified, "a validated address record says");
    if (is_told && told.unknown ? !is_fresh : !is_refused)
        return VERIFY_OPEN;
    return told.unknown ? no(verified, "%s did not tell who serves it", address->domain)
                        : no(verified, "%s serves it and has not ported it out", address->domain);
}

static enum verify_verdict address_known(struct proxy *proxy, const struct conn *conn,
                                         struct verified *verified)
{
    struct store_reader *reader = proxy_reader(proxy);
    const struct store_address *address = &verified->caller.address;
    struct resolver_answer answer;
    if (!reader || resolver_lookup(reader, address, &answer) != 0)
        return no(verified, "the directory cannot be read");
    switch (answer.rule) {
    case RESOLVER_HOSTED:
        return no(verified, "our directory says that our own core serves it");
    case RESOLVER_PORTED_OUT:
    case RESOLVER_ALIAS:
        return served_by(conn, answer.hosting, verified, "our directory says");
    case RESOLVER_MOVED:
        return conn_proves(conn, answer.hosting)
                   ? served_by(conn, answer.hosting, verified, "our directory says")
                   : foreign_known(proxy, conn, verified);
    case RESOLVER_AUTHORITY:
        return foreign_known(proxy, conn, verified);
    case RESOLVER_BLOCKED:
        return no(verified, "it is blocked or released in our directory");
    case RESOLVER_UNKNOWN_CORE:
    case RESOLVER_UNKNOWN:
    case RESOLVER_PUBLISHED:
    case RESOLVER_NO_NUMBER:
    case RESOLVER_PSTN:
        break;
    }
    return no(verified,
              "the domain is ours, and our directory does not say that another serves it");
}

/* A number is as good as the address that it leads to. */
static enum verify_verdict number_leads(struct proxy *proxy, const struct conn *conn,
                                        const struct resolver_found *found,
                                        struct verified *verified)
{
    enum verify_verdict verdict;
    memset(verified, 0, sizeof(*verified));
    verified->caller.address = found->address;
    if (found->unknown || found->answer.rule == RESOLVER_NO_NUMBER ||
        found->answer.rule == RESOLVER_PSTN)
        return no(verified, "the number leads to no address%s%s", found->why[0] ? ": " : "",
                  found->why);
    if (found->answer.rule == RESOLVER_PUBLISHED)
        return served_by(conn, found->answer.hosting, verified, "a validated address record says");
    verdict = address_known(proxy, conn, verified);
    return verdict == VERIFY_OPEN
               ? no(verified, "the number leads to %s@%s, which this peer does not serve",
                    found->address.user, found->address.domain)
               : verdict;
}

/* What leads from a number to the peer may be known already. */
static enum verify_verdict number_known(struct proxy *proxy, const struct conn *conn,
                                        struct slice number, struct verified *verified)
{
    const struct resolver_find_user user = {.reader = proxy_reader(proxy), .known_only = true};
    struct verified led_to = {.why = ""};
    struct resolver_found found;
    struct resolver_finding *none;
    if (store_number_parse(number, verified->caller.digits, NULL) != 0)
        return no(verified, "it is no whole telephone number");
    if (!user.reader ||
        resolver_find(proxy->resolver, &verified->caller, &user, &found, &none) != 0 ||
        number_leads(proxy, conn, &found, &led_to) != VERIFY_YES)
        return VERIFY_OPEN;
    memcpy(verified->host, led_to.host, sizeof(verified->host));
    return VERIFY_YES;
}

bool verify_names_two(const struct sip_uri *uri)
{
    for (struct slice rest = uri->user; rest.len >= 3; rest = slice_skip(rest, 1))
        if (slice_starts_with(rest, SLICE("%40")))
            return true;
    return false;
}

enum verify_verdict verify_known(struct proxy *proxy, const struct conn *conn,
                                 const struct sip_uri *uri, struct verified *verified)
{
    struct store_address *address = &verified->caller.address;
    memset(verified, 0, sizeof(*verified));
    if (uri->scheme == SIP_SCHEME_TEL)
        return number_known(proxy, conn, uri->user, verified);
    if (verify_names_two(uri))
        return no(verified, "its user part contains '@' (%%40), and no address does");
    if (verify_address(uri, address))
        return address_known(proxy, conn, verified);
    if (!identity_is_proven(conn, uri))
        return no(verified, "it is no address that could be asked about");
    store_domain_canonical(uri->host, verified->host, NULL);
    return VERIFY_YES;
}

enum verify_verdict verify_asserted(struct proxy *proxy, const struct conn *conn,
                                    const struct sip_uri *uri, struct verified *verified)
{
    struct slice user_is = SLICE("");
    sip_uri_param(uri, "user", &user_is);
    if (uri->scheme == SIP_SCHEME_TEL || !slice_eq_nocase(user_is, SLICE("phone")))
        return verify_known(proxy, conn, uri, verified);
    memset(verified, 0, sizeof(*verified));
    return number_known(proxy, conn, uri->user, verified);
}

void verify_refuse(const struct conn *conn, const struct sip_uri *caller, const char *why,
                   struct refusal *refusal)
{
    char proven[256];
    conn_proven_text(conn, proven, sizeof(proven));
    refusal_set(refusal, 403,
                "the caller %.*s could not be verified: %s; this connection has proven %s",
                SLICE_ARG(caller->bytes), why, proven[0] ? proven : "no SIP domain");
}

/* ---- what must be asked ---- */

static void verify_over(struct context *context, bool is_success)
{
    context->search->verify.under_way = false;
    budget_give(context->proxy->budgets, BUDGET_LOOKUPS, context->search->verify.peer, is_success);
}

/* From now on the host is the peer of this request, and of its dialog. */
static void accept_caller(struct context *context, const struct verified *verified)
{
    verify_over(context, true);
    memcpy(context->plan->peer, verified->host, sizeof(verified->host));
    context_admitted(context);
}

static void refuse_caller(struct context *context, const char *why)
{
    struct refusal refusal;
    verify_over(context, false);
    verify_refuse(context->origin.conn, &context->request->from.uri, why, &refusal);
    context_refuse(context, &refusal);
}

static void judge(struct context *context, enum verify_verdict verdict,
                  const struct verified *verified)
{
    if (verdict == VERIFY_YES)
        accept_caller(context, verified);
    else
        refuse_caller(context, verified->why);
}

static bool on_told(const struct told *told, void *arg)
{
    struct context *context = arg;
    struct verified verified = {.caller = context->plan->caller};
    const char *domain = verified.caller.address.domain;
    enum verify_verdict verdict;
    context_enter(context);
    if (told->unknown)
        verdict = no(&verified, "%s was asked and did not tell who serves it", domain);
    else
        verdict = served_by(context->origin.conn, told->host[0] ? told->host : domain, &verified,
                            "its authority was asked and says");
    if (verdict == VERIFY_NO)
        told_refused_put(context->proxy->told, &verified.caller.address,
                         context->search->verify.peer, txn_layer_now_ms(context->proxy->txns));
    judge(context, verdict, &verified);
    context_leave(context);
    return verdict == VERIFY_YES && told->host[0];
}

static void ask(struct context *context)
{
    const struct plan *plan = context->plan;
    int status = ask_authority(context->proxy, &plan->caller.address, plan->hosted,
                               &context->search->verify.wait, on_told, context);
    if (status == STATUS_LIMIT)
        refuse_caller(context, "its authority was asked too much lately");
    else if (status != 0)
        refuse_caller(context, "this edge has no memory to ask its authority");
}

static void number_found(struct context *context, const struct resolver_found *found)
{
    struct verified verified;
    enum verify_verdict verdict =
        number_leads(context->proxy, context->origin.conn, found, &verified);
    judge(context, verdict, &verified);
}

static void find_ended(struct context *context, int status, const struct resolver_found *found)
{
    struct verified verified = {.caller = context->plan->caller};
    bool is_number = verified.caller.digits[0] != '\0';
    if (is_number && status == 0)
        number_found(context, found);
    else if (is_number)
        refuse_caller(context, found->why[0] ? found->why : status_text(status));
    else if (status == 0 && !found->unknown && found->answer.rule == RESOLVER_PUBLISHED &&
             served_by(context->origin.conn, found->answer.hosting, &verified, "") == VERIFY_YES)
        accept_caller(context, &verified);
    else
        ask(context);
}

static void on_found(int status, const struct resolver_found *found, void *arg)
{
    struct context *context = arg;
    context_enter(context);
    context->search->verify.finding = NULL;
    find_ended(context, status, found);
    context_leave(context);
}

/* DNS first, where callers' domains may say more of them. */
static void find(struct context *context)
{
    struct proxy *proxy = context->proxy;
    const struct resolver_asked *caller = &context->plan->caller;
    const struct resolver_find_user user = {
        .reader = proxy->reader, .done = on_found, .arg = context};
    struct resolver_found found;
    if (!caller->digits[0] && !resolver_conf_get(proxy->resolver)->address_records) {
        ask(context);
        return;
    }
    int status =
        resolver_find(proxy->resolver, caller, &user, &found, &context->search->verify.finding);
    if (status != -EINPROGRESS)
        find_ended(context, status, &found);
}

void verify_start(struct context *context)
{
    char *peer = context->search->verify.peer;
    snprintf(peer, sizeof(context->search->verify.peer), "%s",
             conn_proven_domain(context->origin.conn));
    struct refusal refusal;
    if (!budget_take(context->proxy->budgets, BUDGET_LOOKUPS, peer,
                     txn_layer_now_ms(context->proxy->txns))) {
        verify_refuse(context->origin.conn, &context->request->from.uri,
                      "this peer named too many callers lately that it has not proven", &refusal);
        context_refuse(context, &refusal);
        return;
    }
    context->search->verify.under_way = true;
    find(context);
}

void verify_stop(struct context *context)
{
    if (context->search->verify.finding)
        resolver_find_cancel(context->search->verify.finding);
    context->search->verify.finding = NULL;
    ask_cancel(&context->search->verify.wait);
    if (context->search->verify.under_way)
        verify_over(context, false);
}
