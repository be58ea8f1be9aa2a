/* Listening sockets. The Unix one is made without a moment in which the wrong people could connect.
 */
#include "api/internal.h"

#include "base/netaddr.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 64

static int listen_fail(char why[API_MAX_WHY], const char *path, int status, const char *advice)
{
    snprintf(why, API_MAX_WHY, "API socket %s: %s%s", path, status_text(status), advice);
    return status;
}

static int socket_address(const char *path, struct sockaddr_un *sun, char why[API_MAX_WHY])
{
    *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof(sun->sun_path)) {
        memcpy(sun->sun_path, path, strlen(path) + 1);
        return 0;
    }
    snprintf(why, API_MAX_WHY, "API socket %.100s...: the path has %zu bytes, at most %zu work",
             path, strlen(path), sizeof(sun->sun_path) - 1);
    return -ENAMETOOLONG;
}

/* A socket file nobody listens on is what a killed daemon left. */
static int stale_remove(const struct sockaddr_un *sun, char why[API_MAX_WHY])
{
    struct stat st;
    if (lstat(sun->sun_path, &st))
        return errno == ENOENT ? 0 : listen_fail(why, sun->sun_path, -errno, "");
    if (!S_ISSOCK(st.st_mode))
        return listen_fail(why, sun->sun_path, -EEXIST, ", and it is not a socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return listen_fail(why, sun->sun_path, -errno, "");
    int result = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ? errno : 0;
    close(fd);
    if (result == 0 || result == EAGAIN)
        return listen_fail(why, sun->sun_path, -EADDRINUSE, ": a running daemon answers there");
    if (result != ECONNREFUSED)
        return listen_fail(why, sun->sun_path, -result, "");
    if (unlink(sun->sun_path) && errno != ENOENT)
        return listen_fail(why, sun->sun_path, -errno, "");
    return 0;
}

/* Nobody can connect before listen(2), so rights set until then were never wrong. */
static int socket_bind(int fd, const struct sockaddr_un *sun, const struct api_conf *conf)
{
    if (bind(fd, (const struct sockaddr *)sun, sizeof(*sun)))
        return -errno;
    if (conf->group != (gid_t)-1 && lchown(sun->sun_path, (uid_t)-1, conf->group))
        return -errno;
    if (chmod(sun->sun_path, conf->mode ? conf->mode : 0660))
        return -errno;
    if (listen(fd, LISTEN_BACKLOG))
        return -errno;
    return 0;
}

int api_listen(const struct api_conf *conf, int *fd, struct stat *made, char why[API_MAX_WHY])
{
    struct sockaddr_un sun;
    int status = socket_address(conf->socket, &sun, why);
    if (!status)
        status = stale_remove(&sun, why);
    if (status)
        return status;
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock < 0)
        return listen_fail(why, conf->socket, -errno, "");
    status = socket_bind(sock, &sun, conf);
    if (!status && lstat(conf->socket, made))
        status = -errno;
    if (status) {
        close(sock);
        return listen_fail(why, conf->socket, status, status == -ENOENT ? ": make its folder" : "");
    }
    *fd = sock;
    return 0;
}

static int tcp_bind(int fd, const struct netaddr *addr)
{
    static const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, &addr->sa, netaddr_len(addr)) || listen(fd, LISTEN_BACKLOG))
        return -errno;
    return 0;
}

int api_listen_tcp(const struct netaddr *addr, const char *what, int *fd, char why[API_MAX_WHY])
{
    char text[NETADDR_TEXT_MAX];
    int sock = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int status = sock < 0 ? -errno : tcp_bind(sock, addr);
    if (!status) {
        *fd = sock;
        return 0;
    }
    if (sock >= 0)
        close(sock);
    snprintf(why, API_MAX_WHY, "API %s %s: %s", what, netaddr_format(addr, text),
             status_text(status));
    return status;
}
