/* A change: its connection sleeps while the store decides.
 *
 * No thread waits: `done` comes from the store's writer and wakes the connection, whose next turn
 * makes the answer. Until then nobody frees the exchange, for a sleeping connection has no end. */
#include "api/http.h"

#include "api/tally.h"

#include "base/status.h"

#include <errno.h>

static void submission_done(struct store_submission *submission)
{
    struct api_exchange *exchange = submission->arg;
    struct api_http *http = exchange->call.api->http;
    MHD_resume_connection(exchange->connection); /* from here on the exchange may be gone */
    pthread_mutex_lock(&http->lock);
    http->pending--;
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
}

/* Counts one more, unless everything is about to end. */
static bool pending_begin(struct api_http *http)
{
    pthread_mutex_lock(&http->lock);
    bool may = !http->closed;
    if (may)
        http->pending++;
    pthread_mutex_unlock(&http->lock);
    return may;
}

static void *work_run(void *arg)
{
    struct api_exchange *exchange = arg;
    struct api_call *call = &exchange->call;
    call->submission.ret = call->work(call);
    submission_done(&call->submission);
    return NULL;
}

/* Nobody joins the thread: what is pending is counted, and waited for. */
static int work_start(struct api_exchange *exchange)
{
    pthread_t thread;
    pthread_attr_t attr;
    api_connection_deadline(exchange->call.api->http, api_connection_of(exchange->connection), 0);
    if (pthread_attr_init(&attr))
        return -ENOMEM;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attr, work_run, exchange);
    pthread_attr_destroy(&attr);
    return -error;
}

void api_submission_start(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    struct store_submission *submission = &call->submission;
    submission->command = &call->command;
    submission->done = submission_done;
    submission->arg = exchange;
    exchange->phase = EXCHANGE_DECIDED;
    MHD_suspend_connection(exchange->connection); /* before anybody can wake it */
    if (!pending_begin(call->api->http)) {
        submission->ret = -EAGAIN;
        MHD_resume_connection(exchange->connection);
        return;
    }
    if (!call->work)
        api_tally_add(&call->api->tally->submitted);
    int status =
        call->work ? work_start(exchange) : store_submit_start(call->api->parts.store, submission);
    if (status == 0)
        return;
    submission->ret = status;
    submission_done(submission);
}

int api_submission_finish(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    struct store_verdict *verdict = &call->submission.verdict;
    if (call->submission.ret)
        *verdict = (struct store_verdict){.status = call->submission.ret};
    int status = verdict->status;
    if (call->work) /* which may have taken longer than any request */
        api_connection_deadline(call->api->http, api_connection_of(exchange->connection),
                                call->api->http->request_ms);
    if (status && !call->then_always)
        return api_problem_from_status(&call->problem, status, call->name);
    if (verdict->sequence && !call->dry_run)
        log_write(call->api->parts.log, LOG_INFO, "api",
                  "%s %s done: actor=%s record=%s sequence=%llu", call->method, call->path,
                  call->actor, call->name, (unsigned long long)verdict->sequence);
    if (!call->then) {
        call->status = 204;
        return 0;
    }
    call->reader = api_reader_lend(call->api);
    status = call->then(call, verdict);
    api_reader_return(call->api, call->reader);
    call->reader = NULL;
    api_call_forget(call);
    return status;
}
