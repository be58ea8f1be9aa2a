/* Names of zones, and files with a TSIG key. */
#include "base/chars.h"
#include "base/status.h"
#include "resolver/record.h"
#include "resolver/update_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALGORITHM "hmac-sha256"

_Static_assert(ZONE_NAME_MAX == RESOLVER_NAME_MAX, "names are as long everywhere");

int update_zone_name(struct slice text, char zone[ZONE_NAME_MAX + 1])
{
    if (text.len > 0 && text.p[text.len - 1] == '.')
        text.len--;
    return resolver_name_copy(text, zone);
}

/* Skips a comment: from # or // to the end of the line, or as in C. Returns whether one was there.
 */
static bool comment_skip(struct slice *rest)
{
    bool is_block = slice_starts_with(*rest, SLICE("/*"));
    if (!is_block && !slice_starts_with(*rest, SLICE("#")) &&
        !slice_starts_with(*rest, SLICE("// ")))
        return false;
    if (is_block) {
        *rest = slice_skip(*rest, 2);
        while (rest->len > 0 && !slice_starts_with(*rest, SLICE("*/")))
            *rest = slice_skip(*rest, 1);
        *rest = slice_skip(*rest, 2);
    } else {
        *rest = slice_skip(*rest, slice_find(*rest, '\n'));
    }
    return true;
}

/* A word, a text in quotes, or one of the marks; comments and blanks are left out. */
static struct slice token_take(struct slice *rest)
{
    static const char marks[] = "{};:", blanks[] = " \t\r\n";
    do
        while (rest->len > 0 && strchr(blanks, rest->p[0]))
            *rest = slice_skip(*rest, 1);
    while (comment_skip(rest));
    size_t len = rest->len > 0 ? 1 : 0;
    if (len == 1 && rest->p[0] == '"') {
        struct slice text = slice_skip(*rest, 1);
        text.len = slice_find(text, '"');
        *rest = slice_skip(*rest, text.len + 2);
        return text;
    }
    if (len == 1 && !strchr(marks, rest->p[0]))
        while (len < rest->len && !strchr(marks, rest->p[len]) && !strchr(blanks, rest->p[len]))
            len++;
    struct slice token = slice_make(rest->p, len);
    *rest = slice_skip(*rest, len);
    return token;
}

/* The word after `name`, and after ':' where there is one. Empty where there is none. */
static struct slice value_of(struct slice text, const char *name)
{
    struct slice token;
    while ((token = token_take(&text)).len > 0) {
        if (!slice_eq(token, slice_of(name)))
            continue;
        token = token_take(&text);
        return slice_eq(token, SLICE(":")) ? token_take(&text) : token;
    }
    return SLICE("");
}

/* BIND writes key "NAME" {, Knot key: - id: NAME. */
static struct slice name_of(struct slice text)
{
    struct slice name = value_of(text, "id");
    if (name.len == 0)
        name = value_of(text, "key");
    return name;
}

/* Two '=' may fill the last four characters up. */
static bool is_base64(struct slice text)
{
    size_t len = text.len;
    while (len > 0 && text.len - len < 2 && text.p[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++)
        if (!char_is_alnum(text.p[i]) && !strchr("+/", text.p[i]))
            return false;
    return text.len >= 4 && text.len % 4 == 0;
}

static size_t count_of(struct slice text, const char *name)
{
    struct slice token;
    size_t count = 0;
    while ((token = token_take(&text)).len > 0)
        count += slice_eq(token, slice_of(name)) ? 1 : 0;
    return count;
}

static int key_parse(const char *file, struct slice text, struct update_key *key, char *why)
{
    struct slice algorithm = value_of(text, "algorithm"), secret = value_of(text, "secret");
    struct update_key made;
    if (count_of(text, "secret") > 1)
        return update_explain(why, STATUS_MALFORMED,
                              "%s: has more than one key: which one is meant is not clear; put the "
                              "one that signs the updates into a file of its own",
                              file);
    if (update_zone_name(name_of(text), made.name) != 0)
        return update_explain(
            why, STATUS_MALFORMED,
            "%s: no key's name was found; expected key \"NAME\" { algorithm " ALGORITHM
            "; secret \"...\"; }; as tsig-keygen writes it",
            file);
    if (!slice_eq_nocase(algorithm, SLICE(ALGORITHM)))
        return update_explain(why, STATUS_MALFORMED,
                              "%s: the algorithm of key %s must be " ALGORITHM ", not \"%.*s\"",
                              file, made.name, SLICE_ARG(algorithm));
    if (!is_base64(secret) || slice_to_cstr(secret, made.secret, sizeof(made.secret)) != 0)
        return update_explain(why, STATUS_MALFORMED,
                              "%s: the secret of key %s must be base64, at most %d characters",
                              file, made.name, UPDATE_SECRET_MAX);
    *key = made;
    explicit_bzero(&made, sizeof(made));
    return 0;
}

static int file_read(const char *file, char text[UPDATE_KEY_MAX + 1], size_t *len)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat stat;
    int status = fstat(fd, &stat) == 0 ? 0 : -errno;
    ssize_t got = status ? 0 : read(fd, text, UPDATE_KEY_MAX + 1);
    if (got < 0)
        status = -errno;
    else if (status == 0 && (stat.st_mode & S_IWOTH)) /* anybody could choose the key */
        status = -EPERM;
    close(fd);
    if (status == 0 && got > UPDATE_KEY_MAX)
        status = -EFBIG;
    *len = status == 0 ? (size_t)got : 0;
    return status;
}

int update_key_read(const char *file, struct update_key *key, char why[UPDATE_WHY_MAX])
{
    char text[UPDATE_KEY_MAX + 1];
    size_t len = 0;
    int status = file_read(file, text, &len);
    if (status == -EPERM)
        return update_explain(why, status, "%s: everybody may write it: run chmod o= %s", file,
                              file);
    if (status != 0)
        return update_explain(why, status, "%s: cannot be read: %s", file, status_text(status));
    status = key_parse(file, slice_make(text, len), key, why);
    explicit_bzero(text, sizeof(text));
    return status;
}
