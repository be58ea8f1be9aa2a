/* junctord(8): starts everything, waits for signals, ends everything.
 *
 * The order is that of the rooms: configuration, log, store, edge, publisher, federation,
 * porting, API; down again in reverse. The main thread is the control thread of peering.h and runs
 * a small loop of its own: SIGTERM and SIGINT drain, SIGHUP reloads. */
#include "api/api.h"
#include "api/federation.h"
#include "api/porting.h"
#include "api/publisher.h"
#include "api/receipt.h"
#include "base/log.h"
#include "base/status.h"
#include "peering/peering.h"
#include "store/store.h"
#include "tools/conf.h"
#include "tools/file_watch.h"
#include "tools/notify.h"

#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define SOURCE        "junctord"
#define DEFAULT_CONF  JUNCTOR_SYSCONFDIR "/junctor/junctord.conf"
#define DRAIN_MAX_MS  32000 /* 64*T1 of RFC 3261: nothing that runs can end later */
#define DRAIN_LOOK_MS 50    /* how often to look whether all is done */

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    const char *path;
    bool test;
};

struct daemon {
    const char *path;
    struct junctord_conf *conf; /* as started: what a reload cannot change is compared with it */
    struct junctord_conf *last; /* as read last with success; `conf` or another one */
    struct file_watch files;
    struct log *log;
    struct store *store;
    struct edge *edge;
    struct receipt_keys *receipts; /* NULL: none are made */
    struct publisher *publisher;
    struct api *api;
    struct federation *federation;
    struct mailer *mailer;
    struct porting *porting;

    uv_loop_t loop; /* signals and the drain's clock, nothing else */
    uv_signal_t term, interrupt, hangup;
    uv_timer_t drain, look;
    uint64_t drain_until_ms; /* 0: not draining */
};

/* ---- options ---- */

static void print_usage(FILE *out)
{
    fprintf(
        out,
        "usage: junctord [-c FILE] [-t]\n"
        "\n"
        "The edge of a SIP operator: connects the operator's core with its peers.\n"
        "\n"
        "  -c, --config FILE  configuration; default %s\n"
        "  -t, --test         check the configuration with all files it names, and exit\n"
        "      --help-config  list all settings\n"
        "      --help         this text\n"
        "      --version      the version\n"
        "\n"
        "SIGTERM, SIGINT: finish what runs and exit; once more: exit at once.\n"
        "SIGHUP: read configuration and certificates again. Certificates that have changed are\n"
        "read without it.\n",
        DEFAULT_CONF);
}

/* True where there is nothing more to do than to exit with *code. */
static bool read_options(int argc, char **argv, struct options *options, int *code)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'}, {"test", no_argument, NULL, 't'},
        {"help-config", no_argument, NULL, 'C'},  {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0},
    };
    *options = (struct options){.path = DEFAULT_CONF};
    *code = EXIT_DONE;
    for (int option; (option = getopt_long(argc, argv, "c:th", names, NULL)) != -1;) {
        switch (option) {
        case 'c':
            options->path = optarg;
            break;
        case 't':
            options->test = true;
            break;
        case 'C':
            conf_print_help(stdout);
            return true;
        case 'h':
            print_usage(stdout);
            return true;
        case 'V':
            puts("junctord " PACKAGE_VERSION);
            return true;
        default:
            print_usage(stderr);
            *code = EXIT_USAGE;
            return true;
        }
    }
    if (optind == argc)
        return false;
    fprintf(stderr, "junctord: unexpected argument \"%s\"\n", argv[optind]);
    print_usage(stderr);
    *code = EXIT_USAGE;
    return true;
}

/* ---- the process ---- */

/* A connection costs a descriptor; the soft limit of 1024 is made for programs that select(). */
static void raise_descriptor_limit(struct log *log)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
            return;
    }
    log_write(log, LOG_WARNING, SOURCE, "the limit of open files stays as it is");
}

/* A peer that closes its connection while we write must cost an EPIPE, not the daemon. OpenSSL
 * writes to sockets without MSG_NOSIGNAL. */
static void ignore_broken_pipes(void)
{
    signal(SIGPIPE, SIG_IGN);
}

/* ---- reload ---- */

static void warn_of_doubt(const struct daemon *daemon, const struct junctord_conf *conf)
{
    char text[CONF_MAX_WHY];
    if (conf_doubt(conf, text)[0] != '\0')
        log_write(daemon->log, LOG_WARNING, SOURCE, "%s", text);
}

/* What fails here leaves the API as it was, and the edge with what it has already taken. */
static void reload_api(struct daemon *daemon, const struct junctord_conf *conf)
{
    char why[API_MAX_WHY];
    if (api_certificates_set(daemon->api, &conf->edge.tls) != 0)
        log_write(daemon->log, LOG_WARNING, SOURCE,
                  "out of memory: the API warns of certificates as before");
    if (api_zone_set(daemon->api, &conf->zone) != 0)
        log_write(daemon->log, LOG_WARNING, SOURCE,
                  "out of memory: what is to be published stays as it was");
    if (conf->api.certificate &&
        api_pair_reload(daemon->api, conf->api.certificate, conf->api.key, why) != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "the API keeps its certificate: %s", why);
    porting_reload(daemon->porting, &conf->porting);
    mailer_reload(daemon->mailer, &conf->mailer);
    char fault[FEDERATION_MAX_WHY];
    if (federation_reload(daemon->federation, &conf->edge.tls, conf->edge.peering, fault) != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "the federation API keeps its certificates: %s",
                  fault);
    if (publisher_reload(daemon->publisher, &conf->publisher, &conf->zone) != 0)
        log_write(daemon->log, LOG_WARNING, SOURCE,
                  "out of memory: what is published is as before");
    warn_of_doubt(daemon, conf);
}

static void conf_keep(struct daemon *daemon, struct junctord_conf *conf)
{
    if (daemon->last != daemon->conf)
        conf_free(daemon->last);
    daemon->last = conf;
}

static void on_look(uv_timer_t *timer);

/* From now on: what was read last. */
static void watch_files(struct daemon *daemon)
{
    uint64_t ms = (uint64_t)daemon->last->look_s * 1000;
    file_watch_take(&daemon->files, daemon->path, daemon->last);
    uv_timer_stop(&daemon->look);
    if (ms > 0)
        uv_timer_start(&daemon->look, on_look, ms, ms);
}

static void reload_receipts(const struct daemon *daemon)
{
    char why[RECEIPT_WHY_MAX];
    if (daemon->receipts && receipt_keys_reload(daemon->receipts, why) != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "receipt keys stay as they were: %s", why);
}

/* Returns 0, or a status with everything as it was. */
static int reload(struct daemon *daemon)
{
    struct junctord_conf *conf;
    char why[CONF_MAX_WHY];
    int status = conf_load(daemon->path, &conf, why);
    if (status == 0) {
        status = edge_reload(daemon->edge, &conf->edge, why);
        if (status != 0)
            conf_free(conf);
    }
    if (status != 0) {
        log_write(daemon->log, LOG_ERROR, SOURCE, "reload refused, the old configuration stays: %s",
                  why);
        file_watch_take(&daemon->files, daemon->path, daemon->last);
        return status;
    }

    zone_targets_take(&conf->zone, &daemon->conf->zone); /* its listeners are those that run */
    log_set_level(daemon->log, conf->log_level);
    log_set_format(daemon->log, conf->log_format);
    if (conf_fixed_changes(daemon->conf, conf, why)[0] != '\0')
        log_write(daemon->log, LOG_WARNING, SOURCE, "%s: these changes need a restart: %s",
                  daemon->path, why);
    log_write(daemon->log, LOG_NOTICE, SOURCE, "reloaded config=%s certificates=%zu", daemon->path,
              conf->edge.tls.certificate_count);
    reload_receipts(daemon);
    reload_api(daemon, conf);
    conf_keep(daemon, conf);
    watch_files(daemon);
    return 0;
}

static void reload_and_notify(struct daemon *daemon)
{
    char state[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    notify_send(state);
    int status = reload(daemon);
    notify_send(status == 0 ? "READY=1\nSTATUS=running"
                            : "READY=1\nSTATUS=the last reload was refused, see the log");
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    reload_and_notify(handle->data);
}

/* Nothing of the configuration has changed, so that reading it again takes the files alone. */
static void on_look(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    switch (file_watch_look(&daemon->files, daemon->path, daemon->last)) {
    case FILES_SAME:
        return;
    case FILES_CHANGED:
        log_write(daemon->log, LOG_NOTICE, SOURCE, "certificates, keys or lists have changed");
        reload_and_notify(daemon);
        return;
    case FILES_NOT_ALONE:
        log_write(daemon->log, LOG_WARNING, SOURCE,
                  "certificates, keys or lists have changed, and %s, too: SIGHUP reads them all",
                  daemon->path);
    }
}

/* ---- end ---- */

static void on_drain_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    if (edge_idle(daemon->edge)) {
        uv_stop(&daemon->loop);
    } else if (uv_now(&daemon->loop) >= daemon->drain_until_ms) {
        struct edge_stats stats;
        edge_stats_get(daemon->edge, &stats);
        log_write(daemon->log, LOG_WARNING, SOURCE, "%d s over, %zu transactions are given up",
                  DRAIN_MAX_MS / 1000, stats.transactions);
        uv_stop(&daemon->loop);
    }
}

static void on_terminate(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    if (daemon->drain_until_ms != 0) {
        log_write(daemon->log, LOG_NOTICE, SOURCE, "%s again: ending at once", strsignal(number));
        uv_stop(&daemon->loop);
        return;
    }
    notify_send("STOPPING=1");
    api_drain(daemon->api);
    edge_drain(daemon->edge);
    log_write(daemon->log, LOG_NOTICE, SOURCE, "%s: finishing what runs, at most %d s",
              strsignal(number), DRAIN_MAX_MS / 1000);
    uv_update_time(&daemon->loop);
    daemon->drain_until_ms = uv_now(&daemon->loop) + DRAIN_MAX_MS;
    uv_timer_start(&daemon->drain, on_drain_tick, DRAIN_LOOK_MS, DRAIN_LOOK_MS);
}

/* ---- the life of the daemon ---- */

static int open_loop(struct daemon *daemon)
{
    int status = uv_loop_init(&daemon->loop);
    if (status != 0)
        return status;
    uv_signal_init(&daemon->loop, &daemon->term);
    uv_signal_init(&daemon->loop, &daemon->interrupt);
    uv_signal_init(&daemon->loop, &daemon->hangup);
    uv_timer_init(&daemon->loop, &daemon->drain);
    uv_timer_init(&daemon->loop, &daemon->look);
    daemon->term.data = daemon->interrupt.data = daemon->hangup.data = daemon;
    daemon->drain.data = daemon->look.data = daemon;
    status = uv_signal_start(&daemon->term, on_terminate, SIGTERM);
    if (status == 0)
        status = uv_signal_start(&daemon->interrupt, on_terminate, SIGINT);
    if (status == 0)
        status = uv_signal_start(&daemon->hangup, on_hangup, SIGHUP);
    return status;
}

static void close_loop(struct daemon *daemon)
{
    uv_close((uv_handle_t *)&daemon->term, NULL);
    uv_close((uv_handle_t *)&daemon->interrupt, NULL);
    uv_close((uv_handle_t *)&daemon->hangup, NULL);
    uv_close((uv_handle_t *)&daemon->drain, NULL);
    uv_close((uv_handle_t *)&daemon->look, NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
}

/* store_alarm_h; from the store's writer. */
static void on_alarm(const char *text, void *arg)
{
    const struct daemon *daemon = arg;
    log_write(daemon->log, LOG_WARNING, "store", "%s", text);
}

static int start_store(struct daemon *daemon)
{
    struct store_conf conf = daemon->conf->store;
    struct store_fault fault;
    conf.alarm = on_alarm;
    conf.arg = daemon;
    int status = store_open(&conf, STORE_WRITER, &daemon->store, &fault);
    if (status != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot open the store %s: %s",
                  daemon->conf->store.path, fault.text);
    return status;
}

static int start_edge(struct daemon *daemon)
{
    char why[EDGE_MAX_WHY];
    int status = edge_start(&daemon->conf->edge, daemon->store, daemon->log, &daemon->edge, why);
    if (status != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot start the edge: %s", why);
    return status;
}

/* What signs receipts is published too. */
static int start_receipts(struct daemon *daemon)
{
    char why[RECEIPT_WHY_MAX];
    if (!daemon->conf->receipt_keys)
        return 0;
    int status = receipt_keys_open(daemon->conf->receipt_keys, &daemon->receipts, why);
    if (status != 0) {
        log_write(daemon->log, LOG_ERROR, SOURCE, "porting: receipt-keys: %s", why);
        return status;
    }
    daemon->conf->zone.receipt = receipt_key_txt;
    daemon->conf->zone.receipt_arg = daemon->receipts;
    return 0;
}

static int start_publisher(struct daemon *daemon)
{
    const struct junctord_conf *conf = daemon->conf;
    int status = publisher_start(&conf->publisher, &conf->zone, daemon->store, conf->store.path,
                                 daemon->log, &daemon->publisher);
    if (status != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot start the publisher: %s",
                  status_text(status));
    return status;
}

static int start_api(struct daemon *daemon)
{
    const struct api_parts parts = {.store = daemon->store,
                                    .edge = daemon->edge,
                                    .edge_stats = edge_stats_get,
                                    .dns_purge = edge_dns_purge,
                                    .cores_get = edge_cores_get,
                                    .listens = edge_listens,
                                    .peers_get = edge_peers_get,
                                    .connections_get = edge_connections_get,
                                    .guard = edge_guard(daemon->edge),
                                    .resolver = &daemon->conf->edge.resolver,
                                    .tls = &daemon->conf->edge.tls,
                                    .zone = &daemon->conf->zone,
                                    .receipts = daemon->receipts,
                                    .publisher = daemon->publisher,
                                    .porting = daemon->porting,
                                    .federation = daemon->federation,
                                    .mailer = daemon->mailer,
                                    .log = daemon->log};
    char why[API_MAX_WHY];
    int status = api_start(&daemon->conf->api, &parts, &daemon->api, why);
    if (status != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot start the API: %s", why);
    return status;
}

/* porting_ask_h */
static int ask_operator(const char *from_domain, const char *to_domain, const char *method,
                        const char *path, const json_t *body, struct federation_answer *answer,
                        void *arg)
{
    struct daemon *daemon = arg;
    return federation_ask(daemon->federation, from_domain, to_domain, method, path, body, answer);
}

/* porting_zone_h */
static int find_zone(const char *digits, char zone[STORE_DOMAIN_MAX + 1],
                     char why[FEDERATION_MAX_WHY], void *arg)
{
    const struct daemon *daemon = arg;
    return federation_number_zone(daemon->federation, digits, zone, why);
}

/* porting_notice_h. Who cannot be told at all is not owed it for ever. */
static int tell_holder(const char *domain, const struct store_address *address, const char *text,
                       void *arg)
{
    const struct daemon *daemon = arg;
    int status = edge_message(daemon->edge, domain, address, text);
    if (status != STATUS_NOTFOUND && status != STATUS_MALFORMED)
        return status;
    log_write(daemon->log, LOG_WARNING, "porting", "holder not told by %s: %s@%s: %s", domain,
              address->user, address->domain,
              status == STATUS_NOTFOUND ? "the domain has no core to send it to"
                                        : status_text(status));
    return 0;
}

/* porting_arrived_h */
static size_t take_arrived(struct store_address *list, size_t max, void *arg)
{
    const struct daemon *daemon = arg;
    return edge_arrived_take(daemon->edge, list, max);
}

/* Able to take wishes and to answer; nobody is told anything before serve_federation. */
static int open_porting(struct daemon *daemon)
{
    int status = mailer_open(&daemon->conf->mailer, daemon->log, &daemon->mailer);
    if (status != 0) {
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot start the mailer: %s",
                  status_text(status));
        return status;
    }
    const struct porting_parts parts = {.store = daemon->store,
                                        .ask = ask_operator,
                                        .ask_arg = daemon,
                                        .zone = find_zone,
                                        .zone_arg = daemon,
                                        .notice = tell_holder,
                                        .notice_arg = daemon,
                                        .mail = mailer_send,
                                        .mail_arg = daemon->mailer,
                                        .receipts = daemon->receipts,
                                        .arrived = take_arrived,
                                        .arrived_arg = daemon,
                                        .log = daemon->log};
    status = porting_open(&daemon->conf->porting, &parts, &daemon->porting);
    if (status != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot start porting: %s", status_text(status));
    return status;
}

static int start_federation(struct daemon *daemon)
{
    const struct federation_parts parts = {.store = daemon->store,
                                           .resolver = &daemon->conf->edge.resolver,
                                           .tls = &daemon->conf->edge.tls,
                                           .peering = daemon->conf->edge.peering,
                                           .guard = edge_guard(daemon->edge),
                                           .log = daemon->log};
    char why[FEDERATION_MAX_WHY];
    int status = federation_start(&daemon->conf->federation, &parts, &daemon->federation, why);
    if (status != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot start the federation API: %s", why);
    return status;
}

/* Other operators are answered, and told what they are owed. */
static int serve_federation(struct daemon *daemon)
{
    char why[FEDERATION_MAX_WHY];
    int status = federation_serve(daemon->federation, porting_handle, daemon->porting, why);
    if (status != 0)
        log_write(daemon->log, LOG_ERROR, SOURCE, "cannot start the federation API: %s", why);
    return status ? status : porting_start(daemon->porting);
}

/* From the first socket to the last; the exit code. */
static int run(struct daemon *daemon)
{
    int status = start_store(daemon);
    if (status == 0)
        status = start_edge(daemon);
    if (status == 0)
        status = start_receipts(daemon);
    if (status == 0)
        status = start_publisher(daemon);
    if (status == 0)
        status = start_federation(daemon);
    if (status == 0)
        status = open_porting(daemon);
    if (status == 0)
        status = start_api(daemon);
    if (status == 0)
        status = serve_federation(daemon);
    if (status == 0) {
        log_write(daemon->log, LOG_NOTICE, SOURCE,
                  "running version=%s config=%s workers=%u listeners=%zu certificates=%zu api=%s",
                  PACKAGE_VERSION, daemon->path, daemon->conf->edge.workers,
                  daemon->conf->edge.transport.listener_count,
                  daemon->conf->edge.tls.certificate_count, daemon->conf->api.socket);
        warn_of_doubt(daemon, daemon->conf);
        watch_files(daemon);
        notify_send("READY=1\nSTATUS=running");
        uv_run(&daemon->loop, UV_RUN_DEFAULT);
    }
    federation_close(daemon->federation); /* nobody waits for another operator any more */
    publisher_stop(daemon->publisher);    /* who waits for it in the API ends */
    api_stop(daemon->api);
    mailer_stop(daemon->mailer); /* which tells the engine what was sent */
    porting_stop(daemon->porting);
    mailer_free(daemon->mailer);
    federation_stop(daemon->federation);
    publisher_free(daemon->publisher);
    receipt_keys_close(daemon->receipts);
    edge_stop(daemon->edge);
    store_close(daemon->store);
    if (status == 0)
        log_write(daemon->log, LOG_NOTICE, SOURCE, "ended");
    return status == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* What conf_load does not see because a reload does not touch it. */
static int test_places(const struct options *options, const struct junctord_conf *conf)
{
    char why[CONF_MAX_WHY];
    if (conf_check_places(options->path, conf, why) != 0) {
        fprintf(stderr, "%s\n", why);
        return EXIT_FAILED;
    }
    if (conf_doubt(conf, why)[0] != '\0')
        fprintf(stderr, "%s: warning: %s\n", options->path, why);
    if (conf->crl_doubt[0] != '\0')
        fprintf(stderr, "%s: warning: %s\n", options->path, conf->crl_doubt);
    printf("%s: configuration is correct\n", options->path);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct options options;
    struct daemon daemon = {.path = NULL};
    char why[CONF_MAX_WHY];
    int code;
    if (read_options(argc, argv, &options, &code))
        return code;

    if (conf_load(options.path, &daemon.conf, why) != 0) {
        fprintf(stderr, "%s\n", why); /* begins with FILE:LINE: */
        return EXIT_FAILED;
    }
    if (options.test) {
        code = test_places(&options, daemon.conf);
        conf_free(daemon.conf);
        return code;
    }

    daemon.path = options.path;
    daemon.last = daemon.conf;
    daemon.log = log_alloc(STDERR_FILENO, daemon.conf->log_level);
    if (!daemon.log || open_loop(&daemon) != 0) {
        fprintf(stderr, "junctord: out of memory or descriptors\n");
        return EXIT_FAILED;
    }
    log_set_format(daemon.log, daemon.conf->log_format);
    ignore_broken_pipes();
    raise_descriptor_limit(daemon.log);
    code = run(&daemon);

    close_loop(&daemon);
    conf_keep(&daemon, NULL);
    conf_free(daemon.conf);
    log_free(daemon.log);
    return code;
}
