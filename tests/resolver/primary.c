#include "tests/resolver/primary.h"

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

#define READY_TRIES 600 /* of 50 ms */
#define SECRET      "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTAwMDA="
#define OTHER       "b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldC1vdGhlcjA="

static const char zone_text[] = "$ORIGIN opa.example.\n"
                                "$TTL 300\n"
                                "@ SOA ns hostmaster 1 3600 600 86400 60\n"
                                "@ NS ns\n"
                                "ns A 127.0.0.1\n"
                                "alias CNAME ns\n"
                                "former CNAME ns\n"
                                "*.cname CNAME ns\n"
                                "sub NS ns\n"
                                "old A 192.0.2.99\n";

static const char *program_of(bool is_bind)
{
    return is_bind ? "/usr/sbin/named" : "/usr/sbin/knotd";
}

bool primary_is_there(bool is_bind)
{
    return access(program_of(is_bind), X_OK) == 0;
}

static void file_write(const struct primary *primary, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", primary->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void knot_configure(const struct primary *primary)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "server:\n  listen: 127.0.0.1@%u\n  rundir: %s\n"
             "database:\n  storage: %s\n"
             "log:\n  - target: stderr\n    any: info\n"
             "key:\n  - id: " PRIMARY_KEY "\n    algorithm: hmac-sha256\n    secret: " SECRET "\n"
             "  - id: " PRIMARY_OTHER "\n    algorithm: hmac-sha256\n    secret: " OTHER "\n"
             "acl:\n  - id: updates\n    key: " PRIMARY_KEY "\n    action: update\n"
             "zone:\n  - domain: opa.example\n    storage: %s\n    file: opa.example.zone\n"
             "    acl: updates\n",
             netaddr_port(&primary->place.primary), primary->dir, primary->dir, primary->dir);
    file_write(primary, "server.conf", text);
}

static void bind_configure(const struct primary *primary)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "options { directory \"%s\"; pid-file \"%s/pid\"; session-keyfile \"%s/session\";\n"
             "  listen-on port %u { 127.0.0.1; }; listen-on-v6 { none; }; recursion no;\n"
             "  allow-query { any; }; notify no; };\n"
             "controls { };\n"
             "key \"" PRIMARY_KEY "\" { algorithm hmac-sha256; secret \"" SECRET "\"; };\n"
             "key \"" PRIMARY_OTHER "\" { algorithm hmac-sha256; secret \"" OTHER "\"; };\n"
             "zone \"opa.example\" { type primary; file \"%s/opa.example.zone\";\n"
             "  update-policy { grant " PRIMARY_KEY " zonesub ANY; }; };\n",
             primary->dir, primary->dir, primary->dir, netaddr_port(&primary->place.primary),
             primary->dir);
    file_write(primary, "server.conf", text);
}

/* A port that is free on UDP and TCP now; whoever takes it in between makes the server fail. */
static uint16_t free_port(void)
{
    for (int tries = 0; tries < 20; tries++) {
        struct netaddr addr;
        socklen_t len = sizeof(addr);
        int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(netaddr_from_ip(&addr, SLICE("127.0.0.1"), 0), 0);
        assert_int_equal(bind(tcp, &addr.sa, netaddr_len(&addr)), 0);
        assert_int_equal(getsockname(tcp, &addr.sa, &len), 0);
        bool is_free = bind(udp, &addr.sa, netaddr_len(&addr)) == 0;
        close(tcp);
        close(udp);
        if (is_free)
            return netaddr_port(&addr);
    }
    fail_msg("no port is free");
    return 0;
}

static void server_run(struct primary *primary)
{
    char conf[128], log[128];
    const char *program = program_of(primary->is_bind);
    snprintf(conf, sizeof(conf), "%s/server.conf", primary->dir);
    snprintf(log, sizeof(log), "%s/server.log", primary->dir);
    primary->pid = fork();
    assert_true(primary->pid >= 0);
    if (primary->pid != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a test that crashed */
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (primary->is_bind)
        execl(program, program, "-g", "-c", conf, (char *)NULL);
    else
        execl(program, program, "-c", conf, (char *)NULL);
    _exit(127);
}

static bool server_answers(const struct primary *primary, char *why)
{
    struct update_link *link = NULL;
    struct update_change change = {.served = {.name = "ns.opa.example", .type = ZONE_A}};
    bool answers = update_link_open(&primary->place, &link, why) == 0 &&
                   update_link_read(link, &change, 1, why) == 0 && change.served.count == 1;
    update_link_close(link);
    update_set_clear(&change.served);
    return answers;
}

static void server_await(const struct primary *primary)
{
    char why[UPDATE_WHY_MAX] = "";
    for (int tries = 0; tries < READY_TRIES; tries++) {
        int status;
        if (server_answers(primary, why))
            return;
        if (waitpid(primary->pid, &status, WNOHANG) != 0)
            fail_msg("the server ended: see %s/server.log", primary->dir);
        usleep(50000);
    }
    fail_msg("the server does not answer: %s", why);
}

void primary_start(struct primary *primary, bool is_bind)
{
    *primary = (struct primary){.is_bind = is_bind};
    test_folder_make(primary->dir, sizeof(primary->dir));
    assert_int_equal(netaddr_from_ip(&primary->place.primary, SLICE("127.0.0.1"), free_port()), 0);
    primary->key = (struct update_key){PRIMARY_KEY, SECRET};
    primary->other = (struct update_key){PRIMARY_OTHER, OTHER};
    primary->place.zone = "opa.example";
    primary->place.key = &primary->key;
    primary->place.connect_ms = primary->place.timeout_ms = 20000;
    primary->place.cancel_fd = -1;
    file_write(primary, "opa.example.zone", zone_text);
    if (is_bind)
        bind_configure(primary);
    else
        knot_configure(primary);
    server_run(primary);
    server_await(primary);
}

void primary_stop(struct primary *primary)
{
    char command[128];
    kill(primary->pid, SIGKILL);
    waitpid(primary->pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf %s", primary->dir);
    assert_int_equal(system(command), 0); /* NOLINT(bugprone-command-processor): our own path */
}
