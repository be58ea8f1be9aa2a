/* The whole way NAPTR, SRV, AAAA and A against a real server: Knot DNS on loopback with a zone of
 * ours. Skipped where knotd is not installed. */
#include "resolver/resolver.h"

#include "base/status.h"
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TRIES 300 /* ... of at least 50 ms until knotd must answer */

/* A stream of lookups, in which the server dies. */
#define STREAM_LOOKUPS 1500
#define STREAM_DEATH   500
#define STREAM_PACE_MS 2

struct world {
    const char *knotd;
    char dir[64];
    pid_t pid;
    struct netaddr addr;
    uv_loop_t loop;
    struct resolver *resolver;

    bool done;
    int status;
    char hops[1024];
    char why[1024];
    char trace[8192];

    uv_timer_t pace; /* of a stream */
    unsigned started, ended, failed;
};

static const char zone_text[] = "$ORIGIN opb.example.\n"
                                "$TTL 300\n"
                                "@ SOA ns hostmaster 1 3600 600 86400 60\n"
                                "@ NS ns\n"
                                "ns A 127.0.0.1\n"
                                "@ NAPTR 20 10 \"s\" \"SIP+D2U\" \"\" _sip._udp\n"
                                "@ NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp\n"
                                "_sips._tcp SRV 10 60 5061 edge\n"
                                "_sips._tcp SRV 20 0 5062 spare\n"
                                "edge A 127.0.20.2\n"
                                "edge AAAA ::1\n"
                                "spare CNAME far\n"
                                "far A 127.0.20.3\n"
                                "plain A 127.0.20.4\n"
                                "_sips._tcp.none SRV 0 0 0 .\n"
                                "brief NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.brief\n"
                                "_sips._tcp.brief 1 SRV 10 60 5061 edge.brief\n"
                                "edge.brief 1 A 127.0.20.5\n"
                                "edge.brief 1 AAAA ::1\n";

static void write_zone(FILE *file)
{
    fputs(zone_text, file);
    /* Far more than 1232 octets: the answer is truncated over UDP and complete over TCP. */
    for (int i = 1; i <= 200; i++)
        fprintf(file, "big A 10.0.0.%d\n", i);
}

static FILE *create(const struct world *world, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", world->dir, name);
    FILE *file = fopen(path, "w");
    if (!file) {
        fail_msg("%s: cannot be written", path);
        abort(); /* fail_msg does not return, but does not say so */
    }
    return file;
}

/* A port that is free on UDP and TCP now; whoever takes it in between makes knotd fail. */
static uint16_t free_port(void)
{
    struct netaddr addr;
    socklen_t len = sizeof(addr);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int tcp = -1;
    for (int tries = 0; tries < 20; tries++) {
        assert_int_equal(netaddr_from_ip(&addr, SLICE("127.0.0.1"), 0), 0);
        tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(tcp, &addr.sa, netaddr_len(&addr)), 0);
        assert_int_equal(getsockname(tcp, &addr.sa, &len), 0);
        if (bind(udp, &addr.sa, netaddr_len(&addr)) == 0)
            break;
        close(tcp);
        tcp = -1;
    }
    assert_true(tcp >= 0);
    close(tcp);
    close(udp);
    return netaddr_port(&addr);
}

static const char *find_knotd(void)
{
    static const char *const paths[] = {"/usr/sbin/knotd", "/usr/local/sbin/knotd"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

static void knotd_start(struct world *world)
{
    char conf[128], log[128];
    uint16_t port = free_port();
    assert_int_equal(netaddr_from_ip(&world->addr, SLICE("127.0.0.1"), port), 0);
    FILE *file = create(world, "opb.example.zone");
    write_zone(file);
    fclose(file);
    file = create(world, "knot.conf");
    fprintf(file,
            "server:\n  listen: 127.0.0.1@%u\n  rundir: %s\n"
            "database:\n  storage: %s\n"
            "log:\n  - target: stderr\n    any: info\n"
            "zone:\n  - domain: opb.example\n    storage: %s\n    file: opb.example.zone\n",
            port, world->dir, world->dir, world->dir);
    fclose(file);

    snprintf(conf, sizeof(conf), "%s/knot.conf", world->dir);
    snprintf(log, sizeof(log), "%s/knot.log", world->dir);
    world->pid = fork();
    assert_true(world->pid >= 0);
    if (world->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a test that crashed */
        int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execl(world->knotd, world->knotd, "-c", conf, (char *)NULL);
        _exit(127);
    }
}

static void located(int status, const struct resolver_hop *hops, size_t count, const char *why,
                    void *arg)
{
    struct world *world = arg;
    size_t len = 0;
    world->done = true;
    world->status = status;
    world->hops[0] = '\0';
    snprintf(world->why, sizeof(world->why), "%s", why);
    for (size_t i = 0; i < count; i++) {
        char addr[NETADDR_TEXT_MAX];
        len += (size_t)snprintf(world->hops + len, sizeof(world->hops) - len, "%s%s=%s",
                                i ? " " : "", hops[i].host, netaddr_format(&hops[i].addr, addr));
    }
    uv_stop(&world->loop);
}

static void traced(const char *line, void *arg)
{
    struct world *world = arg;
    size_t len = strlen(world->trace);
    snprintf(world->trace + len, sizeof(world->trace) - len, "%s\n", line);
}

static void locate(struct world *world, const char *host, uint16_t port)
{
    struct resolver_target target = {.profile = RESOLVER_PEER, .port = port};
    struct resolver_location *location;
    snprintf(target.host, sizeof(target.host), "%s", host);
    world->done = false;
    world->trace[0] = '\0';
    assert_int_equal(resolver_locate(world->resolver, &target, located, traced, world, &location),
                     0);
    while (!world->done)
        uv_run(&world->loop, UV_RUN_ONCE);
}

/* Asks until knotd has loaded its zone. */
static void knotd_await(struct world *world)
{
    for (int tries = 0; tries < READY_TRIES; tries++) {
        locate(world, "plain.opb.example", 1);
        if (world->status == 0)
            return;
        int status;
        if (waitpid(world->pid, &status, WNOHANG) != 0)
            fail_msg("knotd ended: see %s/knot.log", world->dir);
        usleep(50000);
    }
    fail_msg("knotd does not answer: %s", world->why);
}

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    world->knotd = find_knotd();
    test_folder_make(world->dir, sizeof(world->dir));
    knotd_start(world);
    struct resolver_conf conf = {
        .upstream_count = 1, .lookup_timeout_ms = 20000, .ttl_min_s = 1, .stale_s = 86400};
    conf.upstreams[0].addr = world->addr;
    if (resolver_alloc(&world->loop, &conf, &world->resolver) < 0)
        return -1;
    knotd_await(world);
    return 0;
}

static void knotd_end(struct world *world, int signal_number)
{
    int status;
    if (world->pid <= 0)
        return;
    kill(world->pid, signal_number);
    waitpid(world->pid, &status, 0);
    world->pid = 0;
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    knotd_end(world, SIGTERM);
    if (*world->dir) {
        char command[128];
        snprintf(command, sizeof(command), "rm -rf %s", world->dir);
        if (system(command) !=
            0) /* NOLINT(cert-env33-c,bugprone-command-processor): our own path */
            return -1;
    }
    resolver_free(world->resolver);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0)
        continue;
    int status = uv_loop_close(&world->loop);
    free(world);
    return status;
}

static void whole_chain_is_followed(void **state)
{
    struct world *world = *state;
    locate(world, "opb.example", 0);
    assert_int_equal(world->status, 0);
    assert_string_equal(world->hops, "edge.opb.example=[::1]:5061 edge.opb.example=127.0.20.2:5061 "
                                     "spare.opb.example=127.0.20.3:5062");
    assert_non_null(
        strstr(world->trace, "SRV _sips._tcp.opb.example: 20 0 5062 spare.opb.example"));
}

static void domain_without_service_records_is_its_own_host(void **state)
{
    struct world *world = *state;
    locate(world, "plain.opb.example", 0);
    assert_int_equal(world->status, 0);
    assert_string_equal(world->hops, "plain.opb.example=127.0.20.4:5061");
}

static void names_are_told_apart_that_lead_nowhere(void **state)
{
    static const struct {
        const char *host;
        int status;
    } cases[] = {
        {"nobody.opb.example", STATUS_NXDOMAIN}, /* its zone says so */
        {"none.opb.example", STATUS_NOHOP},      /* SRV target "." */
        {"opz.example", STATUS_SERVFAIL},        /* REFUSED: not a zone of this server */
    };
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        locate(world, cases[i].host, 0);
        if (world->status != cases[i].status)
            fail_msg("%s: %d: %s", cases[i].host, world->status, world->why);
    }
}

static void answer_too_long_for_udp_comes_over_tcp(void **state)
{
    struct world *world = *state;
    struct resolver_stats before, after;
    resolver_stats_get(world->resolver, &before);
    locate(world, "big.opb.example", 5061);
    resolver_stats_get(world->resolver, &after);
    assert_int_equal(world->status, 0);
    assert_int_equal(after.questions - before.questions, 3); /* AAAA, A, and A over TCP */
    assert_non_null(strstr(world->hops, "big.opb.example=10.0.0."));
}

static void second_lookup_comes_from_the_cache(void **state)
{
    struct world *world = *state;
    struct resolver_stats before, after;
    locate(world, "opb.example", 0);
    resolver_stats_get(world->resolver, &before);
    locate(world, "opb.example", 0);
    resolver_stats_get(world->resolver, &after);
    assert_int_equal(world->status, 0);
    assert_int_equal(after.questions, before.questions);
    assert_int_equal(after.hostile, 0);
}

static void streamed(int status, const struct resolver_hop *hops, size_t count, const char *why,
                     void *arg)
{
    struct world *world = arg;
    (void)hops, (void)count;
    if (status != 0 && world->failed++ == 0)
        snprintf(world->why, sizeof(world->why), "%s", why);
    world->ended++;
}

static void stream_due(uv_timer_t *pace)
{
    struct world *world = pace->data;
    struct resolver_target target = {.profile = RESOLVER_PEER, .host = "brief.opb.example"};
    struct resolver_location *location;
    if (world->started == STREAM_DEATH)
        knotd_end(world, SIGKILL);
    assert_int_equal(resolver_locate(world->resolver, &target, streamed, NULL, world, &location),
                     0);
    if (++world->started == STREAM_LOOKUPS)
        uv_close((uv_handle_t *)pace, NULL);
}

/* The last test, for the server does not come back. */
static void server_that_dies_fails_no_lookup_that_had_an_answer(void **state)
{
    struct world *world = *state;
    struct resolver_stats stats;
    uv_timer_init(&world->loop, &world->pace);
    world->pace.data = world;
    uv_timer_start(&world->pace, stream_due, 0, STREAM_PACE_MS);
    while (world->ended < STREAM_LOOKUPS)
        uv_run(&world->loop, UV_RUN_ONCE);
    if (world->failed > 0)
        fail_msg("%u of %u failed, the first: %s", world->failed, world->ended, world->why);
    resolver_stats_get(world->resolver, &stats);
    assert_true(stats.failures > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_chain_is_followed),
        cmocka_unit_test(domain_without_service_records_is_its_own_host),
        cmocka_unit_test(names_are_told_apart_that_lead_nowhere),
        cmocka_unit_test(answer_too_long_for_udp_comes_over_tcp),
        cmocka_unit_test(second_lookup_comes_from_the_cache),
        cmocka_unit_test(server_that_dies_fails_no_lookup_that_had_an_answer),
    };
    if (!find_knotd()) {
        puts("1..0 # SKIP knotd is not installed: install the Debian package knot");
        return 0;
    }
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
