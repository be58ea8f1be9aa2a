/* A DNS server in a process of its own, for benchmarks: on a free port of 127.0.0.1 it knows every
 * domain NAME with
 *     NAME             NAPTR 10 10 s SIPS+D2T _sips._tcp.NAME
 *     _sips._tcp.NAME  SRV   10 60 5061 a.NAME and SRV 10 40 5061 b.NAME
 *     a.NAME, b.NAME   2 A and 2 AAAA */
#ifndef JUNCTOR_TESTS_BENCH_UPSTREAM_H
#define JUNCTOR_TESTS_BENCH_UPSTREAM_H

#include "base/netaddr.h"

#include <sys/types.h>

struct upstream {
    pid_t pid;
    struct netaddr addr;
};

/* It ends with this process at the latest. */
void upstream_start(struct upstream *upstream);
void upstream_stop(struct upstream *upstream);

#endif
