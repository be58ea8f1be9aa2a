/* What an authority told one worker, and which hop failed there, all workers of the edge know: the
 * next call or caller may be another one's. Each has a table of its own, and the news goes through
 * the inboxes, so nobody waits for anybody. Where an inbox is full that worker does not hear of it,
 * and asks by itself; what it ought to have forgotten it forgets at its own next call. */
#include "peering/proxy/proxy.h"

#include "resolver/zone.h"

#include <stdio.h>

static void forget(struct proxy *proxy, const struct store_address *address)
{
    char name[ZONE_NAME_MAX + 1];
    told_forget(proxy->told, address);
    if (zone_address_name(address, name) == 0) /* what DNS said led there as well, perhaps */
        resolver_purge(proxy->resolver, name);
}

/* That an authority does not answer takes nothing away from what it said before. */
static bool is_silence(const struct proxy *proxy, const struct told_news *news, uint64_t now_ms)
{
    struct told before;
    uint64_t age_ms;
    return news->told.unknown && told_get(proxy->told, &news->address, now_ms, &before, &age_ms) &&
           before.host[0];
}

static void take(struct proxy *proxy, const struct told_news *news)
{
    uint64_t now_ms = txn_layer_now_ms(proxy->txns);
    if (news->for_s == 0)
        forget(proxy, &news->address);
    else if (!is_silence(proxy, news, now_ms))
        told_put(proxy->told, &news->address, &news->told, news->for_s, now_ms);
}

void news_spread(struct proxy *proxy, const struct told_news *news)
{
    take(proxy, news);
    proxy->tell(news, proxy->handover_arg);
}

void news_receive(struct proxy *proxy, const struct told_news *news)
{
    take(proxy, news);
    log_write(proxy->log, LOG_DEBUG, "proxy", "worker %u heard who serves %s@%s: %s", proxy->index,
              news->address.user, news->address.domain,
              news->for_s == 0     ? "not known any more"
              : news->told.unknown ? "not told"
              : news->told.host[0] ? news->told.host
                                   : "its own domain");
}

void news_hop_failed(struct proxy *proxy, const struct resolver_hop *hop, const char *domain)
{
    struct failed_hop failed = {.hop = *hop};
    if (!resolver_hop_failed(proxy->resolver, hop, domain))
        return;
    snprintf(failed.domain, sizeof(failed.domain), "%s", domain);
    proxy->tell_failed(&failed, proxy->handover_arg);
}

void news_receive_failed(struct proxy *proxy, const struct failed_hop *failed)
{
    resolver_hop_failed(proxy->resolver, &failed->hop, failed->domain);
}
