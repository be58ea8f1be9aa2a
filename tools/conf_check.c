/* What only the whole configuration can tell, and the files it names. */
#include "tools/cert_switch.h"
#include "tools/conf_internal.h"

#include "base/status.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS ((uint64_t)86400000)

void conf_look_at(struct conf_load *load, const char *section, const char *title, const char *name,
                  unsigned line)
{
    load->section = conf_section_find(section);
    load->setting = name ? conf_setting_find(section, name) : NULL;
    load->title = title;
    load->line = line > 0 ? line : 1;
}

/* Addresses that the Internet does not route (RFC 1918, 3927, 4193, 4291 section 2.5.6, 6598). */
static bool is_private(const struct netaddr *addr)
{
    static const char *const networks[] = {"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16",
                                           "169.254.0.0/16", "100.64.0.0/10", "fc00::/7",
                                           "fe80::/10"};
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        struct netprefix prefix;
        if (netprefix_parse(&prefix, slice_of(networks[i])) == 0 &&
            netprefix_contains(&prefix, addr))
            return true;
    }
    return false;
}

static unsigned processor_count(void)
{
    cpu_set_t set;
    unsigned count = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = (unsigned)CPU_COUNT(&set);
    return count > EDGE_MAX_WORKERS ? EDGE_MAX_WORKERS : count;
}

static int check_listeners(struct conf_load *load)
{
    const struct transport_conf *transport = &load->conf->edge.transport;
    size_t count[2] = {0, 0};
    for (size_t i = 0; i < transport->listener_count; i++)
        count[transport->listeners[i].side]++;
    load->line = load->last_line;
    if (count[TRANSPORT_INSIDE] == 0)
        return conf_refuse(load, "expected at least one listener towards the core, such as "
                                 "inside \"udp:192.0.2.1:5060\" { }");
    if (count[TRANSPORT_OUTSIDE] == 0)
        return conf_refuse(load, "expected at least one listener towards peers, such as "
                                 "outside \"tls:192.0.2.1:5061\" { }");
    return 0;
}

/* The files may be those of a switch that was killed half way. */
static int refuse_certificate(struct conf_load *load, const struct tls_certificate_conf *one,
                              const char *why)
{
    char marker[PATH_MAX];
    int len = snprintf(marker, sizeof(marker), "%s" CERT_SWITCH_SUFFIX, one->key_file);
    if (len < 0 || (size_t)len >= sizeof(marker) || access(marker, F_OK) != 0)
        return conf_refuse(load, "%s", why);
    return conf_refuse(load,
                       "%s; a switch to the next key was broken off: junctor cert next %s "
                       "finishes it",
                       why, one->domain);
}

/* One certificate at a time, so that the refusal has its line. */
static int check_certificates(struct conf_load *load)
{
    const struct tls_conf *tls = &load->conf->edge.tls;
    char why[TLS_MAX_WHY];
    struct tls_context *context;
    if (tls->certificate_count == 0)
        return conf_refuse(load, "expected a certificate for each domain hosted here, such as "
                                 "certificate \"example.org\" { chain = \"FILE\" key = \"FILE\" }");
    if (load->unjudged)
        return 0;
    for (size_t i = 0; i < tls->certificate_count; i++) {
        const struct tls_conf one = {.certificates = &tls->certificates[i], .certificate_count = 1};
        conf_look_at(load, "certificate", one.certificates->domain, NULL,
                     load->certificate_lines[i]);
        if (tls_context_load(&one, &context, why) != 0)
            return refuse_certificate(load, one.certificates, why);
        tls_context_unref(context);
    }
    struct tls_conf anchors = {.anchors_file = tls->anchors_file};
    conf_look_at(load, "trust", NULL, NULL, load->anchors_line);
    if (tls_context_load(&anchors, &context, why) != 0)
        return conf_refuse(load, "%s", why);
    tls_context_unref(context);
    anchors.anchors_file = tls->core_anchors_file;
    conf_look_at(load, "cores", NULL, "anchors", load->core_anchors_line);
    if (tls_context_load(&anchors, &context, why) != 0)
        return conf_refuse(load, "%s", why);
    tls_context_unref(context);
    anchors.anchors_file = tls->anchors_file;
    anchors.core_anchors_file = tls->core_anchors_file;
    anchors.crl_files = tls->crl_files;
    anchors.crl_count = tls->crl_count;
    conf_look_at(load, "trust", NULL, "crls", load->crls_line);
    if (tls_context_load(&anchors, &context, why) != 0)
        return conf_refuse(load, "%s", why);
    snprintf(load->conf->crl_doubt, sizeof(load->conf->crl_doubt), "%s",
             tls_context_doubt(context));
    tls_context_unref(context);
    load->section = NULL;
    return 0;
}

static int check_pair(struct conf_load *load)
{
    const struct api_conf *api = &load->conf->api;
    char why[API_MAX_WHY];
    conf_look_at(load, "api", NULL, "listen", load->listen_line);
    if (api->listen.sa.sa_family == AF_UNSPEC && !api->certificate && !api->key)
        return 0;
    if (!api->certificate || !api->key)
        return conf_refuse(load, "HTTPS needs both certificate = \"FILE\" and key = \"FILE\"");
    conf_look_at(load, "api", NULL, "key", load->pair_line);
    if (load->unjudged)
        return 0;
    if (api_pair_check(api->certificate, api->key, why) != 0)
        return conf_refuse(load, "%s", why);
    return 0;
}

static int check_mail(struct conf_load *load)
{
    const struct mailer_conf *mailer = &load->conf->mailer;
    conf_look_at(load, "porting", NULL, mailer->sendmail ? "sendmail" : "mail-from",
                 load->mail_line);
    if (!mailer->sendmail == !mailer->from)
        return 0;
    return conf_refuse(load, "mail needs both sendmail = \"FILE\" and mail-from = \"ADDRESS\"");
}

static void fill_store(struct junctord_conf *conf)
{
    conf->store.journal_age_ms = (uint64_t)conf->journal_days * DAY_MS;
    conf->store.journal_size = conf->journal_size;
    conf->store.journal_max = conf->journal_max;
}

static int check_journal(struct conf_load *load)
{
    const struct junctord_conf *conf = load->conf;
    conf_look_at(load, "store", NULL, "journal-max", load->journal_line);
    if (conf->journal_max == 0 || conf->journal_max >= conf->journal_size)
        return 0;
    return conf_refuse(load, "must not be under journal-size, or be 0");
}

int conf_check(struct conf_load *load)
{
    struct edge_conf *edge = &load->conf->edge;
    if (edge->workers == 0)
        edge->workers = processor_count();
    fill_store(load->conf);
    int status = check_listeners(load);
    if (status == 0)
        status = check_certificates(load);
    if (status == 0)
        status = conf_fill_zone(load);
    if (status == 0)
        status = check_pair(load);
    if (status == 0)
        status = check_mail(load);
    return status == 0 ? check_journal(load) : status;
}

static bool is_any_trusted(const struct resolver_conf *dns)
{
    for (size_t i = 0; i < dns->upstream_count; i++)
        if (dns->upstreams[i].trusted)
            return true;
    return false;
}

const char *conf_doubt(const struct junctord_conf *conf, char text[CONF_MAX_WHY])
{
    const struct netaddr *health = &conf->api.health;
    const struct resolver_conf *dns = &conf->edge.resolver;
    char addr[NETADDR_TEXT_MAX];
    size_t len = 0;
    text[0] = '\0';
    if (health->sa.sa_family != AF_UNSPEC && !conf_is_loopback(health) && !is_private(health))
        len = (size_t)snprintf(
            text, CONF_MAX_WHY,
            "api: health: %s can be reached by anybody, who then reads /metrics: better an "
            "address on loopback or of a private network",
            netaddr_format(health, addr));
    if (conf->mailer.sendmail && access(conf->mailer.sendmail, X_OK) != 0)
        len += (size_t)snprintf(text + len, CONF_MAX_WHY - len,
                                "%sporting: sendmail: %.300s cannot be run (%s): nobody is told of "
                                "ports by mail",
                                len ? "; " : "", conf->mailer.sendmail, status_text(-errno));
    if (dns->suffix_count > 0 && !is_any_trusted(dns))
        snprintf(text + len, CONF_MAX_WHY - len,
                 "%sdns: enum: no number is found in %s, for no upstream is trusted: list one that "
                 "validates in trusted",
                 len ? "; " : "", dns->suffixes[0].name);
    return text;
}

/* ---- places ---- */

/* The folder that `path` is in. */
static const char *parent_of(const char *path, char parent[PATH_MAX])
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    snprintf(parent, PATH_MAX, "%.*s", len > 0 ? (int)len : 1, len > 0 ? path : ".");
    return parent;
}

/* Is it a folder in which this process can make files? Returns 0 or why not. */
static int check_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    return access(path, R_OK | W_OK | X_OK) == 0 ? 0 : -errno;
}

static const char *folder_fault(int status)
{
    return status == -EACCES ? "the user who runs this cannot make files there"
                             : status_text(status);
}

static int check_store(struct conf_load *load, const char *path)
{
    char parent[PATH_MAX];
    int status = check_folder(path);
    if (status == 0)
        return 0;
    if (status != -ENOENT)
        return conf_refuse(load, "expected a folder for the directory's files, %s: %s", path,
                           folder_fault(status));
    status = check_folder(parent_of(path, parent));
    if (status == 0)
        return 0;
    return conf_refuse(load, "%s is missing and cannot be made: %s: %s", path, parent,
                       folder_fault(status));
}

static int check_socket(struct conf_load *load, const char *path, bool by_default)
{
    char parent[PATH_MAX];
    struct stat st;
    int status = check_folder(parent_of(path, parent));
    if (status == -ENOENT && by_default)
        return 0;
    if (status != 0)
        return conf_refuse(load, "expected a socket in a folder that exists, %s: %s", parent,
                           folder_fault(status));
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return conf_refuse(load, "%s is there already and is no socket", path);
    return 0;
}

int conf_check_places(const char *path, const struct junctord_conf *conf, char why[CONF_MAX_WHY])
{
    struct conf_load load = {.path = path, .why = why};
    conf_look_at(&load, "store", NULL, "path", conf->store_line);
    int status = check_store(&load, conf->store.path);
    if (status != 0)
        return status;
    conf_look_at(&load, "api", NULL, "socket", conf->socket_line);
    return check_socket(&load, conf->api.socket, conf->socket_line == 0);
}
