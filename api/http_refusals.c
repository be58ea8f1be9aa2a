/* Refusals in the log. Anybody with a token can cause them, so they get through as those of peers
 * do: some at once, then a few a minute, and the number of the others. */
#include "api/http.h"

#include <errno.h>

int api_refusals_start(struct api_http *http, struct log *log)
{
    static const char *const names[API_REFUSAL_KINDS] = {
        [API_FORBIDDEN] = "requests forbidden",
        [API_FAILED] = "requests failed",
    };
    http->timers = timers_alloc(API_REFUSAL_KINDS);
    if (!http->timers)
        return -ENOMEM;
    for (int i = 0; i < API_REFUSAL_KINDS; i++)
        log_limit_start(&http->refusals[i], log, http->timers, "api", names[i]);
    return 0;
}

void api_refusals_stop(struct api_http *http)
{
    for (int i = 0; http->timers && i < API_REFUSAL_KINDS; i++)
        log_limit_stop(&http->refusals[i]);
    http->timers = timers_free(http->timers);
}

void api_refusals_tick(struct api_http *http)
{
    pthread_mutex_lock(&http->refusals_lock);
    timers_run(http->timers, api_monotonic_ms());
    pthread_mutex_unlock(&http->refusals_lock);
}

static void refusal_limit(struct api_http *http, const struct api_call *call)
{
    bool forbidden = call->status == 403;
    pthread_mutex_lock(&http->refusals_lock);
    log_limit_write(&http->refusals[forbidden ? API_FORBIDDEN : API_FAILED], api_monotonic_ms(),
                    forbidden ? LOG_WARNING : LOG_ERROR,
                    "%s %s refused: status=%u actor=%s why=\"%s\"", call->method, call->path,
                    call->status, call->actor, call->problem.detail);
    pthread_mutex_unlock(&http->refusals_lock);
}

/* Whoever can connect can cause a 401 or a 429: that is no news. */
void api_refusal_log(const struct api_call *call)
{
    if (call->status == 403 || call->status >= 500)
        refusal_limit(call->api->http, call);
    else
        log_write(call->api->parts.log, LOG_DEBUG, "api",
                  "%s %s refused: status=%u actor=%s why=\"%s\"", call->method, call->path,
                  call->status, call->actor, call->problem.detail);
}
