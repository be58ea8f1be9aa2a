/* The object: start, reload, end; and what answers are made of. */
#include "api/federation_internal.h"

#include "base/status.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers ---- */

bool federation_proves(const struct federation_request *request, const char *domain)
{
    for (size_t i = 0; i < request->proven_count; i++)
        if (strcmp(request->proven[i], domain) == 0)
            return true;
    return false;
}

int federation_refuse(struct federation_answer *answer, unsigned status, const char *reason,
                      const char *format, ...)
{
    char type[80], detail[FEDERATION_MAX_WHY + 200];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    snprintf(type, sizeof(type), "urn:junctor:federation:%s", reason);
    json_decref(answer->body);
    answer->status = status;
    answer->body = json_pack("{s:s, s:i, s:s, s:s}", "type", type, "status", (int)status, "reason",
                             reason, "detail", detail);
    return answer->body ? 0 : -ENOMEM;
}

void federation_answer_done(struct federation_answer *answer)
{
    json_decref(answer->body);
    *answer = (struct federation_answer){.status = 0};
}

/* As GET /v1/self of the REST API: who am I for you? Two operators see by it that they can talk. */
static void self_answer(const struct federation_request *request, struct federation_answer *answer)
{
    json_t *proven = json_array();
    answer->route = FEDERATION_SELF;
    if (strcmp(request->method, "GET") != 0) {
        json_decref(proven);
        federation_refuse(answer, 405, "method-not-allowed", "%s: only GET works here",
                          FEDERATION_SELF);
        return;
    }
    for (size_t i = 0; i < request->proven_count; i++)
        json_array_append_new(proven, json_string(request->proven[i]));
    answer->status = 200;
    answer->body = json_pack("{s:o, s:s}", "proven", proven, "served", request->served);
}

void federation_answer(federation_handle_h *handler, void *arg,
                       const struct federation_request *request, struct federation_answer *answer)
{
    int status = 0;
    if (strcmp(request->path, FEDERATION_SELF) == 0)
        self_answer(request, answer);
    else if (handler)
        status = handler(arg, request, answer);
    else
        federation_refuse(answer, 404, "no-such-resource", "%.256s: there is nothing at this URL",
                          request->path);
    if (status == -EAGAIN || status == STATUS_CLOSED)
        federation_refuse(answer, 503, "busy", "it cannot be done now; try again later");
    else if (status)
        federation_refuse(answer, 500, "internal", "it failed here: %s", status_text(status));
}

/* ---- what may be replaced ---- */

struct tls_context *federation_context(struct federation *federation)
{
    pthread_mutex_lock(&federation->lock);
    struct tls_context *context = tls_context_ref(federation->context);
    pthread_mutex_unlock(&federation->lock);
    return context;
}

struct federation_certs *federation_certs(struct federation *federation)
{
    pthread_mutex_lock(&federation->lock);
    struct federation_certs *certs = federation_certs_ref(federation->certs);
    pthread_mutex_unlock(&federation->lock);
    return certs;
}

bool federation_is_ours(struct federation *federation, const char *domain)
{
    struct tls_context *context = federation_context(federation);
    bool ours = tls_context_has_domain(context, domain);
    tls_context_unref(context);
    return ours;
}

static int files_load(const struct tls_conf *tls, struct tls_context **context,
                      struct federation_certs **certs, char *why)
{
    char text[TLS_MAX_WHY];
    int status = tls_context_load(tls, context, text);
    if (status) {
        snprintf(why, FEDERATION_MAX_WHY, "%s", text);
        return status;
    }
    status = federation_certs_load(tls, certs, why);
    if (status)
        *context = tls_context_unref(*context);
    return status;
}

int federation_reload(struct federation *federation, const struct tls_conf *tls,
                      enum guard_peering peering, char *why)
{
    struct tls_context *context;
    struct federation_certs *certs;
    int status = files_load(tls, &context, &certs, why);
    if (status)
        return status;
    judge_set(federation->judge, context, peering);
    pthread_mutex_lock(&federation->lock);
    struct tls_context *old_context = federation->context;
    struct federation_certs *old_certs = federation->certs;
    federation->context = context;
    federation->certs = certs;
    pthread_mutex_unlock(&federation->lock);
    tls_context_unref(old_context);
    federation_certs_unref(old_certs);
    return 0;
}

/* ---- begin and end ---- */

int federation_start(const struct federation_conf *conf, const struct federation_parts *parts,
                     struct federation **federation, char *why)
{
    const struct judge_conf judge = {parts->store, parts->resolver, parts->peering};
    struct federation *self = calloc(1, sizeof(*self));
    int status = -ENOMEM;
    snprintf(why, FEDERATION_MAX_WHY, "federation: out of memory");
    if (!self)
        return status;
    self->conf = *conf;
    self->parts = *parts;
    self->resolver = *parts->resolver;
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->tally.lock, NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        status = files_load(parts->tls, &self->context, &self->certs, why);
    if (status == 0 && !(self->judge = judge_alloc(&judge, self->context)))
        status = -ENOMEM;
    if (status) {
        federation_stop(self);
        return status;
    }
    *federation = self;
    return 0;
}

int federation_serve(struct federation *federation, federation_handle_h *handler, void *arg,
                     char *why)
{
    if (federation->conf.listen.sa.sa_family == AF_UNSPEC)
        return 0;
    return federation_server_start(federation, handler, arg, why);
}

void federation_bound(const struct federation *federation, struct netaddr *bound)
{
    *bound = (struct netaddr){.sa = {.sa_family = AF_UNSPEC}};
    if (federation->server)
        federation_server_bound(federation->server, bound);
}

void federation_close(struct federation *federation)
{
    if (!federation)
        return;
    atomic_store(&federation->closing, true);
    federation_server_stop(federation->server);
    federation->server = NULL;
}

void federation_stop(struct federation *federation)
{
    if (!federation)
        return;
    federation_close(federation);
    judge_free(federation->judge);
    tls_context_unref(federation->context);
    federation_certs_unref(federation->certs);
    pthread_mutex_destroy(&federation->lock);
    pthread_mutex_destroy(&federation->tally.lock);
    free(federation);
}
