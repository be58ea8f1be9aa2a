/* Hosted domains that have no certificate: the directory takes them, but no peer will. */
#include "api/internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGGED_MAX 20 /* domains named in the log at once */

struct api_certificates {
    size_t count;
    char domains[][STORE_DOMAIN_MAX + 1];
};

void api_certificates_free(struct api_certificates *certificates)
{
    free(certificates);
}

static struct api_certificates *certificates_copy(const struct tls_conf *tls)
{
    struct api_certificates *copy;
    copy = calloc(1, sizeof(*copy) + tls->certificate_count * sizeof(copy->domains[0]));
    if (!copy)
        return NULL;
    copy->count = tls->certificate_count;
    for (size_t i = 0; i < copy->count; i++)
        snprintf(copy->domains[i], sizeof(copy->domains[i]), "%s", tls->certificates[i].domain);
    return copy;
}

static bool is_certified(struct api *api, const char *domain)
{
    pthread_mutex_lock(&api->lock);
    bool found = !api->certificates;
    for (size_t i = 0; !found && i < api->certificates->count; i++)
        found = strcmp(api->certificates->domains[i], domain) == 0;
    pthread_mutex_unlock(&api->lock);
    return found;
}

const char *api_domain_warning(struct api *api, const char *domain, char why[API_WARNING_MAX])
{
    why[0] = '\0';
    if (!is_certified(api, domain))
        snprintf(why, API_WARNING_MAX,
                 "%s is hosted here but has no certificate: calls to and from peers will fail; "
                 "add certificate \"%s\" { chain = \"FILE\" key = \"FILE\" } to the configuration",
                 domain, domain);
    return why;
}

json_t *api_domain_warn(struct api *api, const char *domain, json_t *record)
{
    char why[API_WARNING_MAX];
    if (!record || *api_domain_warning(api, domain, why) == '\0')
        return record;
    if (json_object_set_new(record, "warnings", json_pack("[s]", why)) == 0)
        return record;
    json_decref(record);
    return NULL;
}

/* ---- all of them, in the log ---- */

struct warned {
    struct api *api;
    size_t count;
};

static bool domain_log(const struct store_domain *domain, void *arg)
{
    struct warned *warned = arg;
    char why[API_WARNING_MAX];
    if (*api_domain_warning(warned->api, domain->name, why) && warned->count++ < LOGGED_MAX)
        log_write(warned->api->parts.log, LOG_WARNING, "api", "%s", why);
    return true;
}

static int domains_log(struct api *api)
{
    struct warned warned = {.api = api};
    struct store_reader *reader;
    int status = store_reader_alloc(api->parts.store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (!status) {
        status = store_domain_list(reader, NULL, SIZE_MAX, domain_log, &warned);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    if (warned.count > LOGGED_MAX)
        log_write(api->parts.log, LOG_WARNING, "api", "%zu more domains have no certificate",
                  warned.count - LOGGED_MAX);
    return status;
}

int api_certificates_set(struct api *api, const struct tls_conf *tls)
{
    struct api_certificates *fresh = certificates_copy(tls);
    if (!fresh)
        return -ENOMEM;
    pthread_mutex_lock(&api->lock);
    struct api_certificates *old = api->certificates;
    api->certificates = fresh;
    pthread_mutex_unlock(&api->lock);
    api_certificates_free(old);
    int status = domains_log(api);
    if (status)
        log_write(api->parts.log, LOG_WARNING, "api", "domains without certificate: not known: %s",
                  status_text(status));
    return 0;
}
