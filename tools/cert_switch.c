#include "tools/cert_switch.h"

#include "peering/transport/tls.h"
#include "tools/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct places {
    char key[CERT_PATH_MAX], chain[CERT_PATH_MAX]; /* themselves, behind all links */
    char new_key[CERT_PATH_MAX], new_chain[CERT_PATH_MAX];
    char old_key[CERT_PATH_MAX], old_chain[CERT_PATH_MAX];
    char marker[CERT_PATH_MAX];
};

static int path_make(char path[CERT_PATH_MAX], const char *file, const char *suffix)
{
    if (snprintf(path, CERT_PATH_MAX, "%s%s", file, suffix) < CERT_PATH_MAX)
        return TOOL_DONE;
    return tool_fail(TOOL_REFUSED, "%s: the name is too long", file);
}

static int path_resolve(char path[CERT_PATH_MAX], const char *file)
{
    char *real = realpath(file, NULL);
    if (!real)
        return tool_fail(TOOL_REFUSED, "%s: %s", file, strerror(errno));
    int code = path_make(path, real, "");
    free(real);
    return code;
}

static int places_make(const struct cert_switch *change, struct places *places)
{
    int code = path_resolve(places->key, change->present.key);
    if (code == TOOL_DONE)
        code = path_resolve(places->chain, change->present.chain);
    if (code == TOOL_DONE)
        code = path_make(places->new_key, places->key, ".switched");
    if (code == TOOL_DONE)
        code = path_make(places->new_chain, places->chain, ".switched");
    if (code == TOOL_DONE)
        code = path_make(places->old_key, change->present.key, ".old");
    if (code == TOOL_DONE)
        code = path_make(places->old_chain, change->present.chain, ".old");
    return code ? code : path_make(places->marker, change->present.key, CERT_SWITCH_SUFFIX);
}

static bool key_is(const char *file, const char *hex)
{
    uint8_t hash[TLS_KEY_HASH_LEN];
    char text[CERT_HEX_LEN + 1], why[TLS_MAX_WHY];
    return tls_next_key_hash(file, hash, why) == 0 && strcmp(cert_hex(hash, text), hex) == 0;
}

static bool chain_is(const char *file, const char *hex)
{
    uint8_t hash[TLS_KEY_HASH_LEN];
    char text[CERT_HEX_LEN + 1], why[TLS_MAX_WHY];
    return tls_chain_key_hash(file, hash, why) == 0 && strcmp(cert_hex(hash, text), hex) == 0;
}

/* ---- once it has begun ---- */

static void next_remove(const struct places *places)
{
    unlink(places->new_key);
    unlink(places->new_chain);
}

static int switch_end(const struct places *places)
{
    next_remove(places);
    if (unlink(places->marker))
        return tool_fail(TOOL_REFUSED, "%s: %s", places->marker, strerror(errno));
    return cert_folder_sync(places->marker);
}

static int switch_take_back(const struct cert_switch *change, const struct places *places)
{
    int code = TOOL_DONE;
    if (!key_is(places->key, change->was))
        code = cert_file_copy(places->old_key, places->key, places->key);
    if (code == TOOL_DONE && !chain_is(places->chain, change->was))
        code = cert_file_copy(places->old_chain, places->chain, places->chain);
    return code ? code : switch_end(places);
}

/* The marker goes when both renames will outlast a loss of power. */
static int switch_finish(const struct cert_switch *change, const struct places *places)
{
    const char *failed = NULL;
    if (!key_is(places->key, change->becomes) && rename(places->new_key, places->key))
        failed = change->present.key;
    else if (!chain_is(places->chain, change->becomes) && rename(places->new_chain, places->chain))
        failed = change->present.chain;
    if (failed) {
        int error = errno;
        bool back = switch_take_back(change, places) == TOOL_DONE;
        return tool_fail(TOOL_REFUSED, "not switched: %s: %s%s", failed, strerror(error),
                         back ? "; key and certificate are as before" : "");
    }
    int code = cert_folder_sync(places->key);
    if (code == TOOL_DONE)
        code = cert_folder_sync(places->chain);
    return code ? code : switch_end(places);
}

/* ---- beginning ---- */

static int present_keep(const struct cert_switch *change, const struct places *places)
{
    int code = TOOL_DONE;
    if (key_is(places->key, change->was))
        code = cert_file_copy(places->key, places->old_key, places->key);
    else if (!key_is(places->key, change->becomes))
        code = tool_fail(TOOL_REFUSED,
                         "not switched: %s is neither the key of the certificate in %s nor the "
                         "next one, and would be lost; put the right one there",
                         change->present.key, change->present.chain);
    return code ? code : cert_file_copy(places->chain, places->old_chain, places->chain);
}

static int next_place(const struct cert_switch *change, const struct places *places)
{
    int code = cert_file_copy(change->next.key, places->new_key, places->key);
    if (code == TOOL_DONE)
        code = cert_file_copy(change->next.chain, places->new_chain, places->chain);
    if (code == TOOL_DONE &&
        !(key_is(places->new_key, change->becomes) && chain_is(places->new_chain, change->becomes)))
        code = tool_fail(TOOL_REFUSED, "not switched: %s or %s was changed meanwhile",
                         change->next.key, change->next.chain);
    return code;
}

static int marker_write(const struct cert_switch *change, const struct places *places)
{
    char text[512 + 2 * CERT_HEX_LEN];
    snprintf(text, sizeof(text),
             "A switch is under way, or was broken off: junctor cert next %.253s finishes it.\n"
             "%s\n%s\n",
             change->domain, change->was, change->becomes);
    return cert_file_write(places->marker, text, places->key);
}

int cert_switch_run(const struct cert_switch *change)
{
    struct places *places = calloc(1, sizeof(*places));
    if (!places)
        return tool_fail(TOOL_REFUSED, "out of memory");
    int code = places_make(change, places);
    if (code == TOOL_DONE)
        code = present_keep(change, places);
    if (code == TOOL_DONE)
        code = next_place(change, places);
    if (code == TOOL_DONE)
        code = marker_write(change, places);
    if (code == TOOL_DONE)
        code = switch_finish(change, places);
    else if (!cert_switch_is_open(change->present.key))
        next_remove(places);
    free(places);
    return code;
}

/* ---- what was broken off ---- */

bool cert_switch_is_open(const char *key_file)
{
    char path[CERT_PATH_MAX];
    return snprintf(path, sizeof(path), "%s" CERT_SWITCH_SUFFIX, key_file) < CERT_PATH_MAX &&
           access(path, F_OK) == 0;
}

static int marker_read(struct cert_switch *change, const struct places *places)
{
    FILE *file = fopen(places->marker, "re");
    bool read = file && fscanf(file, "%*[^\n] %64s %64s", change->was, change->becomes) == 2;
    if (file)
        fclose(file);
    return read ? TOOL_DONE
                : tool_fail(TOOL_REFUSED,
                            "%s: is not what a switch leaves; see that %s is the key of the "
                            "certificate in %s, and take the file away",
                            places->marker, change->present.key, change->present.chain);
}

static int open_settle(const struct cert_switch *change, const struct places *places)
{
    const char *to = change->becomes, *from = change->was;
    if ((key_is(places->key, to) || key_is(places->new_key, to)) &&
        (chain_is(places->chain, to) || chain_is(places->new_chain, to)))
        return switch_finish(change, places);
    if (!((key_is(places->key, from) || key_is(places->old_key, from)) &&
          (chain_is(places->chain, from) || chain_is(places->old_chain, from))))
        return tool_fail(TOOL_REFUSED,
                         "not switched: the switch that %s tells of can neither be finished nor "
                         "taken back, for files are gone; put a key and its certificate in %s and "
                         "%s, and take the file away",
                         places->marker, change->present.key, change->present.chain);
    int code = switch_take_back(change, places);
    return code ? code
                : tool_fail(TOOL_REFUSED,
                            "not switched: the switch that was broken off could not be finished, "
                            "for files are gone; %s and %s are as before it",
                            change->present.key, change->present.chain);
}

int cert_switch_resume(struct cert_switch *change)
{
    struct places *places = calloc(1, sizeof(*places));
    if (!places)
        return tool_fail(TOOL_REFUSED, "out of memory");
    int code = places_make(change, places);
    if (code == TOOL_DONE)
        code = marker_read(change, places);
    if (code == TOOL_DONE)
        code = open_settle(change, places);
    free(places);
    return code;
}
