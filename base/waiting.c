#include "base/waiting.h"

#include "base/status.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

int64_t waiting_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int waiting_ready(const struct waiting *waiting, int fd, short events)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = events},
                               {.fd = waiting->cancel_fd, .events = POLLIN}};
        int64_t left_ms = waiting->until_ms - waiting_now_ms();
        if (left_ms <= 0)
            return -ETIMEDOUT;
        int got = poll(fds, 2, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0)
            return fds[1].revents != 0 ? STATUS_CANCELLED : 0;
    }
}

static int connect_to(const struct waiting *waiting, int fd, const struct netaddr *addr)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (connect(fd, &addr->sa, netaddr_len(addr)) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    int status = waiting_ready(waiting, fd, POLLOUT);
    if (status == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        status = -errno;
    return status == 0 ? -error : status;
}

int waiting_connect(const struct waiting *waiting, const struct netaddr *addr, int type)
{
    int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    int status = connect_to(waiting, fd, addr);
    if (status == 0)
        return fd;
    close(fd);
    return status;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

int waiting_send(const struct waiting *waiting, int fd, const void *bytes, size_t len)
{
    const char *next = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, next, len, MSG_NOSIGNAL);
        if (sent < 0 && !is_passing(errno))
            return -errno;
        int status = sent < 0 ? waiting_ready(waiting, fd, POLLOUT) : 0;
        if (status != 0)
            return status;
        next += sent < 0 ? 0 : sent;
        len -= sent < 0 ? 0 : (size_t)sent;
    }
    return 0;
}

int waiting_receive(const struct waiting *waiting, int fd, void *bytes, size_t len)
{
    char *next = bytes;
    while (len > 0) {
        ssize_t got = recv(fd, next, len, 0);
        if (got == 0)
            return STATUS_CLOSED;
        if (got < 0 && !is_passing(errno))
            return -errno;
        int status = got < 0 ? waiting_ready(waiting, fd, POLLIN) : 0;
        if (status != 0)
            return status;
        next += got < 0 ? 0 : got;
        len -= got < 0 ? 0 : (size_t)got;
    }
    return 0;
}
