#include "api/mailer.h"

#include "api/mail_process.h"
#include "base/list.h"
#include "base/status.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define SOURCE "mail"

/* Only the mailer's thread changes one, and takes it off. */
struct job {
    struct list link;
    struct mailer *mailer;
    struct mail mail;
    mailer_done_h *done;
    void *arg;
    uint64_t since_ms, due_ms, wait_ms;
    struct mail_process *process; /* NULL: does not run */
};

struct mailer {
    struct log *log;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    pthread_t thread;
    unsigned running; /* of the thread alone */

    pthread_mutex_t lock; /* guards what follows */
    struct list jobs;
    size_t count;
    struct mailer_stats stats;
    bool stopping;
    char sendmail[PATH_MAX]; /* "": no mail is sent */
    char from[STORE_MAIL_MAX + 1];
};

/* ---- the queue ---- */

static struct job *job_find(struct mailer *mailer, const char *id)
{
    list_each (link, next, &mailer->jobs) {
        struct job *job = container_of(link, struct job, link);
        if (strcmp(job->mail.id, id) == 0)
            return job;
    }
    return NULL;
}

static int job_add(struct mailer *mailer, const struct mail *mail, mailer_done_h *done, void *arg)
{
    if (mailer->stopping)
        return -ESHUTDOWN;
    if (mailer->sendmail[0] == '\0')
        return STATUS_NOTFOUND;
    if (job_find(mailer, mail->id))
        return 0;
    if (mailer->count == MAILER_QUEUE_MAX)
        return STATUS_LIMIT;
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return -ENOMEM;
    job->mailer = mailer;
    job->mail = *mail;
    job->done = done;
    job->arg = arg;
    job->since_ms = uv_hrtime() / 1000000;
    list_append(&mailer->jobs, &job->link);
    mailer->count++;
    uv_async_send(&mailer->wake);
    return 0;
}

int mailer_send(const struct mail *mail, mailer_done_h *done, void *done_arg, void *arg)
{
    struct mailer *mailer = arg;
    pthread_mutex_lock(&mailer->lock);
    int status = job_add(mailer, mail, done, done_arg);
    pthread_mutex_unlock(&mailer->lock);
    return status;
}

/* It stays on the queue until who gave it has heard, so that it cannot be given again meanwhile. */
static void job_end(struct job *job)
{
    struct mailer *mailer = job->mailer;
    if (job->done)
        job->done(job->mail.id, job->arg);
    pthread_mutex_lock(&mailer->lock);
    list_remove(&job->link);
    mailer->count--;
    pthread_mutex_unlock(&mailer->lock);
    free(job);
}

/* ---- turns ---- */

/* Tried again later, unless that was done for long enough. */
static bool job_wait(struct job *job, const char *words)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    bool is_first = job->wait_ms == 0;
    if (now_ms - job->since_ms >= MAILER_KEEP_MS)
        return false;
    job->wait_ms = is_first ? MAILER_RETRY_MS : 2 * job->wait_ms;
    if (job->wait_ms > MAILER_RETRY_MAX_MS)
        job->wait_ms = MAILER_RETRY_MAX_MS;
    job->due_ms = now_ms + job->wait_ms;
    log_write(job->mailer->log, is_first ? LOG_WARNING : LOG_INFO, SOURCE,
              "not sent yet, and tried again: id=%s: %s", job->mail.id, words);
    return true;
}

static void result_count(struct mailer_stats *stats, bool is_sent, bool waits)
{
    stats->sent += is_sent;
    stats->deferred += waits;
    stats->failed += !is_sent && !waits;
}

static void turn(struct mailer *mailer);

/* mail_process_h */
static void on_done(enum mail_result result, const char *words, void *arg)
{
    struct job *job = arg;
    struct mailer *mailer = job->mailer;
    job->process = NULL;
    mailer->running--;
    pthread_mutex_lock(&mailer->lock);
    bool waits = mailer->stopping || (result == MAIL_LATER && job_wait(job, words));
    if (!mailer->stopping)
        result_count(&mailer->stats, result == MAIL_SENT, waits);
    pthread_mutex_unlock(&mailer->lock);
    if (!waits) {
        log_write(mailer->log, result == MAIL_SENT ? LOG_INFO : LOG_WARNING, SOURCE,
                  result == MAIL_SENT ? "sent: id=%s: %s" : "not sent, and given up: id=%s: %s",
                  job->mail.id, words);
        job_end(job);
    }
    turn(mailer);
}

static void job_start(struct job *job, uint64_t now_ms)
{
    struct mailer *mailer = job->mailer;
    job->process = mail_process_start(&mailer->loop, mailer->sendmail, mailer->from, &job->mail,
                                      MAILER_TIMEOUT_MS, on_done, job);
    if (job->process)
        mailer->running++;
    else
        job->due_ms = now_ms + MAILER_RETRY_MS;
}

/* At most MAILER_PROCESS_MAX at once; returns in how many ms the next one is due, UINT64_MAX: none
 * is. */
static uint64_t jobs_start(struct mailer *mailer)
{
    uint64_t now_ms = uv_hrtime() / 1000000, next_ms = UINT64_MAX;
    if (mailer->stopping || mailer->sendmail[0] == '\0')
        return next_ms;
    list_each (link, next, &mailer->jobs) {
        struct job *job = container_of(link, struct job, link);
        if (job->process || mailer->running == MAILER_PROCESS_MAX)
            continue;
        if (job->due_ms <= now_ms)
            job_start(job, now_ms);
        if (!job->process && job->due_ms - now_ms < next_ms)
            next_ms = job->due_ms - now_ms;
    }
    return next_ms;
}

static void on_timer(uv_timer_t *timer)
{
    turn(timer->data);
}

static void turn(struct mailer *mailer)
{
    pthread_mutex_lock(&mailer->lock);
    bool stopping = mailer->stopping;
    uint64_t next_ms = jobs_start(mailer);
    pthread_mutex_unlock(&mailer->lock);
    if (!stopping && next_ms != UINT64_MAX)
        uv_timer_start(&mailer->timer, on_timer, next_ms, 0);
}

/* The loop ends when nothing is open in it any more. */
static void end(struct mailer *mailer)
{
    uv_close((uv_handle_t *)&mailer->wake, NULL);
    uv_close((uv_handle_t *)&mailer->timer, NULL);
    list_each (link, next, &mailer->jobs) {
        struct job *job = container_of(link, struct job, link);
        if (job->process)
            mail_process_kill(job->process);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct mailer *mailer = wake->data;
    pthread_mutex_lock(&mailer->lock);
    bool stopping = mailer->stopping;
    pthread_mutex_unlock(&mailer->lock);
    if (stopping)
        end(mailer);
    else
        turn(mailer);
}

static void *thread_main(void *arg)
{
    struct mailer *mailer = arg;
    uv_run(&mailer->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- life ---- */

void mailer_reload(struct mailer *mailer, const struct mailer_conf *conf)
{
    pthread_mutex_lock(&mailer->lock);
    snprintf(mailer->sendmail, sizeof(mailer->sendmail), "%s",
             conf->sendmail ? conf->sendmail : "");
    snprintf(mailer->from, sizeof(mailer->from), "%s", conf->from ? conf->from : "");
    pthread_mutex_unlock(&mailer->lock);
    uv_async_send(&mailer->wake);
}

/* A handle that was begun is closed by the loop. */
static void loop_close(struct mailer *mailer)
{
    uv_run(&mailer->loop, UV_RUN_DEFAULT);
    uv_loop_close(&mailer->loop);
}

static int loop_open(struct mailer *mailer)
{
    int rc = uv_loop_init(&mailer->loop);
    if (rc)
        return rc;
    rc = uv_async_init(&mailer->loop, &mailer->wake, on_wake);
    if (rc) {
        loop_close(mailer);
        return rc;
    }
    uv_timer_init(&mailer->loop, &mailer->timer);
    mailer->wake.data = mailer->timer.data = mailer;
    return 0;
}

int mailer_open(const struct mailer_conf *conf, struct log *log, struct mailer **mailer)
{
    struct mailer *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->log = log;
    list_init(&made->jobs);
    pthread_mutex_init(&made->lock, NULL);
    int status = loop_open(made);
    if (status == 0) {
        mailer_reload(made, conf);
        status = -pthread_create(&made->thread, NULL, thread_main, made);
        if (status) {
            end(made);
            loop_close(made);
        }
    }
    if (status) {
        mailer_free(made);
        return status;
    }
    *mailer = made;
    return 0;
}

void mailer_stats_get(struct mailer *mailer, struct mailer_stats *stats)
{
    pthread_mutex_lock(&mailer->lock);
    *stats = mailer->stats;
    pthread_mutex_unlock(&mailer->lock);
}

void mailer_stop(struct mailer *mailer)
{
    if (!mailer)
        return;
    pthread_mutex_lock(&mailer->lock);
    mailer->stopping = true;
    pthread_mutex_unlock(&mailer->lock);
    uv_async_send(&mailer->wake);
    pthread_join(mailer->thread, NULL);
    uv_loop_close(&mailer->loop);
}

void mailer_free(struct mailer *mailer)
{
    struct list *link;
    if (!mailer)
        return;
    while ((link = list_pop(&mailer->jobs)))
        free(container_of(link, struct job, link));
    pthread_mutex_destroy(&mailer->lock);
    free(mailer);
}
