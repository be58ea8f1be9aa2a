/* Socket calls that wait, for programs and threads that may: each ends at a deadline, or before it
 * when the thread is to stop. Never on a worker's loop.
 *
 * The sockets are non-blocking. Thread-safe: a struct waiting is only read. */
#ifndef JUNCTOR_BASE_WAITING_H
#define JUNCTOR_BASE_WAITING_H

#include "base/netaddr.h"

#include <stddef.h>
#include <stdint.h>

/* Until when to wait, by waiting_now_ms(), and what ends it sooner: a descriptor that becomes
 * readable, or -1. */
struct waiting {
    int64_t until_ms;
    int cancel_fd;
};

/* CLOCK_MONOTONIC in milliseconds. */
int64_t waiting_now_ms(void);

/* Until `fd` is ready for `events` (of poll). Returns 0, -ETIMEDOUT, STATUS_CANCELLED or -errno. */
int waiting_ready(const struct waiting *waiting, int fd, short events);
/* A socket of type SOCK_STREAM (without Nagle's delay) or SOCK_DGRAM, connected; close it. Returns
 * it, or the failures above. */
int waiting_connect(const struct waiting *waiting, const struct netaddr *addr, int type);
/* All `len` octets. Returns 0, STATUS_CLOSED where the far side ended the stream, or the above. */
int waiting_send(const struct waiting *waiting, int fd, const void *bytes, size_t len);
int waiting_receive(const struct waiting *waiting, int fd, void *bytes, size_t len);

#endif
