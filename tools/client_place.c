/* Where a daemon is, and the token that opens it: checked before anything is sent. */
#include "tools/client.h"

#include "base/chars.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_PREFIX "jct_"
#define TOKEN_ID_LEN 12
#define PORT_MAX     65535

static int server_refuse(const char *server, const char *reason, char why[CLIENT_MAX_WHY])
{
    snprintf(why, CLIENT_MAX_WHY,
             "%.400s: %s; a server is written like https://edge.opa.example "
             "or https://192.0.2.1:8443",
             server, reason);
    return -EINVAL;
}

static bool host_is_plain(struct slice host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!char_is_alnum(host.p[i]) && !strchr("-._", host.p[i]))
            return false;
    return host.len > 0;
}

static bool host_is_ipv6(struct slice host)
{
    if (host.len < 4 || host.p[0] != '[' || host.p[host.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < host.len; i++)
        if (char_hex(host.p[i]) < 0 && host.p[i] != ':' && host.p[i] != '.')
            return false;
    return true;
}

int client_server_check(const char *server, char why[CLIENT_MAX_WHY])
{
    struct slice text = slice_of(server), port = {NULL, 0};
    uint64_t number = 1;
    if (slice_starts_with_nocase(text, SLICE("http://")))
        return server_refuse(server, "the token would travel in the clear: only https works", why);
    if (!slice_starts_with_nocase(text, SLICE("https://")))
        return server_refuse(server, "does not begin with https://", why);
    text = slice_skip(text, strlen("https://"));
    if (text.len && text.p[text.len - 1] == '/')
        text.len--;
    size_t end = text.len;
    while (end > 0 && char_is_digit(text.p[end - 1]))
        end--;
    if (end > 0 && text.p[end - 1] == ':') {
        port = slice_skip(text, end);
        text.len = end - 1;
        if (slice_to_u64(port, PORT_MAX, &number) || number == 0)
            return server_refuse(server, "the port must be 1 to 65535", why);
    }
    if (!host_is_plain(text) && !host_is_ipv6(text))
        return server_refuse(server, "there must be a host, perhaps a port, and nothing else", why);
    return 0;
}

static int token_refuse(const char *file, const char *reason, char why[CLIENT_MAX_WHY])
{
    snprintf(why, CLIENT_MAX_WHY, "%.400s: %s", file, reason);
    return -EINVAL;
}

/* jct_ID_SECRET, with nothing that could end a header line. */
static bool token_is_one(struct slice text)
{
    size_t id = strlen(TOKEN_PREFIX), secret = id + TOKEN_ID_LEN + 1;
    if (text.len != CLIENT_TOKEN_LEN || !slice_starts_with(text, SLICE(TOKEN_PREFIX)) ||
        text.p[secret - 1] != '_')
        return false;
    for (size_t i = id; i < text.len; i++)
        if (i != secret - 1 && !char_is_alnum(text.p[i]) &&
            (i < secret || !strchr("-_", text.p[i])))
            return false;
    return true;
}

static int token_take(int fd, const char *file, char token[CLIENT_TOKEN_LEN + 1],
                      char why[CLIENT_MAX_WHY])
{
    struct stat stat;
    char text[2 * CLIENT_TOKEN_LEN], reason[512];
    if (fstat(fd, &stat) || !S_ISREG(stat.st_mode))
        return token_refuse(file, "is no regular file", why);
    if (stat.st_mode & (S_IRWXG | S_IRWXO)) {
        snprintf(reason, sizeof(reason),
                 "others than its owner may use this token file: run chmod 600 %.400s", file);
        return token_refuse(file, reason, why);
    }
    ssize_t len = read(fd, text, sizeof(text));
    if (len < 0)
        return token_refuse(file, strerror(errno), why);
    struct slice found = slice_trim(slice_make(text, (size_t)len));
    int status = token_is_one(found) ? slice_to_cstr(found, token, CLIENT_TOKEN_LEN + 1) : -EINVAL;
    explicit_bzero(text, sizeof(text));
    if (status)
        return token_refuse(file, "holds no token: a token is one line that begins with jct_", why);
    return 0;
}

int client_token_read(const char *file, char token[CLIENT_TOKEN_LEN + 1], char why[CLIENT_MAX_WHY])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return token_refuse(file, strerror(errno), why);
    int status = token_take(fd, file, token, why);
    close(fd);
    return status;
}
