/* The receipt keys of our domains: a directory of PEM files, read once and kept in memory. */
#include "api/receipt_internal.h"

#include "base/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX   ".pem"
#define PATH_LEN 4096

struct entry {
    char domain[STORE_DOMAIN_MAX + 1];
    bool signs;    /* what begins now, and has a seed */
    bool has_seed; /* so it signs for the ports that began with it */
    uint8_t key[RECEIPT_KEY_LEN];
    uint8_t seed[RECEIPT_SEED_LEN];
};

/* As one reading of the directory found them; `signs` before the others of a domain. */
struct shelf {
    struct entry *entries;
    size_t count, size;
};

struct receipt_keys {
    char *dir;
    pthread_mutex_t lock; /* guards the shelf, and the making of keys */
    struct shelf shelf;
};

static void shelf_free(struct shelf *shelf)
{
    if (shelf->entries)
        explicit_bzero(shelf->entries, shelf->size * sizeof(*shelf->entries));
    free(shelf->entries);
    *shelf = (struct shelf){.count = 0};
}

static int shelf_grow(struct shelf *shelf)
{
    size_t size = shelf->size ? 2 * shelf->size : 16;
    struct entry *entries = calloc(size, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    if (shelf->count)
        memcpy(entries, shelf->entries, shelf->count * sizeof(*entries));
    size_t count = shelf->count;
    shelf_free(shelf);
    *shelf = (struct shelf){entries, count, size};
    return 0;
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *one = a, *other = b;
    int order = strcmp(one->domain, other->domain);
    return order ? order : other->signs - one->signs;
}

static int shelf_add(struct shelf *shelf, const struct entry *entry)
{
    if (shelf->count == RECEIPT_KEYS_MAX)
        return STATUS_LIMIT;
    if (shelf->count == shelf->size && shelf_grow(shelf))
        return -ENOMEM;
    shelf->entries[shelf->count++] = *entry;
    qsort(shelf->entries, shelf->count, sizeof(*entry), entry_order);
    return 0;
}

/* ---- files ---- */

static int refuse(char why[RECEIPT_WHY_MAX], int status, const char *file, const char *what)
{
    snprintf(why, RECEIPT_WHY_MAX, "%.250s: %s", file, what);
    return status;
}

/* A key with a passphrase is none that a daemon can use: nobody is asked for it. */
static int no_passphrase(char *buffer, int size, int is_for_writing, void *arg)
{
    (void)buffer, (void)size, (void)is_for_writing, (void)arg;
    return 0;
}

/* The domain that a file name stands for, and whether its key signs; false: it is no key's. */
static bool name_read(const char *name, struct entry *entry)
{
    size_t len = strlen(name), domain_len = strcspn(name, "+");
    if (len < sizeof(SUFFIX) || strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) != 0)
        return false;
    entry->signs = domain_len == len;
    if (entry->signs)
        domain_len -= sizeof(SUFFIX) - 1;
    struct slice text = slice_make(name, domain_len);
    return store_domain_canonical(text, entry->domain, NULL) == 0 &&
           slice_eq(text, slice_of(entry->domain));
}

static int key_take(EVP_PKEY *pkey, struct entry *entry, const char *path,
                    char why[RECEIPT_WHY_MAX])
{
    size_t len = sizeof(entry->key), seed_len = sizeof(entry->seed);
    if (!pkey)
        return refuse(why, STATUS_MALFORMED, path,
                      entry->signs ? "is no private key in PEM without passphrase"
                                   : "is no key in PEM without passphrase");
    if (EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(pkey, entry->key, &len) != 1)
        return refuse(why, STATUS_MALFORMED, path,
                      "is not of Ed25519; make one with: openssl genpkey -algorithm ed25519");
    entry->has_seed = EVP_PKEY_get_raw_private_key(pkey, entry->seed, &seed_len) == 1;
    ERR_clear_error();
    if (entry->signs && !entry->has_seed)
        return refuse(why, STATUS_CRYPTO, path, status_text(STATUS_CRYPTO));
    return 0;
}

static int file_read(const char *path, struct entry *entry, char why[RECEIPT_WHY_MAX])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return refuse(why, -errno, path, strerror(errno));
    EVP_PKEY *pkey = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    if (!pkey && !entry->signs) { /* of one that signs nothing the public half is enough */
        rewind(file);
        pkey = PEM_read_PUBKEY(file, NULL, no_passphrase, NULL);
    }
    fclose(file);
    ERR_clear_error();
    int status = key_take(pkey, entry, path, why);
    EVP_PKEY_free(pkey);
    return status;
}

static int dir_read(const char *dir, DIR *list, struct shelf *shelf, char why[RECEIPT_WHY_MAX])
{
    char path[PATH_LEN];
    int status = 0;
    for (struct dirent *item; status == 0 && (item = readdir(list));) {
        struct entry entry = {.signs = false};
        if (!name_read(item->d_name, &entry))
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, item->d_name);
        status = file_read(path, &entry, why);
        if (status == 0 && (status = shelf_add(shelf, &entry)))
            refuse(why, status, dir, status_text(status));
        explicit_bzero(&entry, sizeof(entry));
    }
    return status;
}

/* The lock is held. */
static int shelf_read(struct receipt_keys *keys, char why[RECEIPT_WHY_MAX])
{
    struct shelf fresh = {.count = 0};
    DIR *list = opendir(keys->dir);
    int status = list ? dir_read(keys->dir, list, &fresh, why)
                      : refuse(why, -errno, keys->dir, strerror(errno));
    if (list)
        closedir(list);
    if (status == 0) {
        shelf_free(&keys->shelf);
        keys->shelf = fresh;
    } else {
        shelf_free(&fresh);
    }
    return status;
}

int receipt_keys_reload(struct receipt_keys *keys, char why[RECEIPT_WHY_MAX])
{
    pthread_mutex_lock(&keys->lock);
    int status = shelf_read(keys, why);
    pthread_mutex_unlock(&keys->lock);
    return status;
}

int receipt_keys_open(const char *dir, struct receipt_keys **keys, char why[RECEIPT_WHY_MAX])
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return refuse(why, -errno, dir, strerror(errno));
    struct receipt_keys *made = calloc(1, sizeof(*made));
    if (made)
        made->dir = strdup(dir);
    if (!made || !made->dir) {
        free(made);
        return refuse(why, -ENOMEM, dir, status_text(-ENOMEM));
    }
    pthread_mutex_init(&made->lock, NULL); /* cannot fail */
    int status = receipt_keys_reload(made, why);
    if (status)
        receipt_keys_close(made);
    else
        *keys = made;
    return status;
}

void receipt_keys_close(struct receipt_keys *keys)
{
    if (!keys)
        return;
    shelf_free(&keys->shelf);
    pthread_mutex_destroy(&keys->lock);
    free(keys->dir);
    free(keys);
}

/* ---- a new key ---- */

static int pem_write(int fd, EVP_PKEY *pkey)
{
    FILE *file = fdopen(fd, "w");
    if (!file) {
        close(fd);
        return -errno;
    }
    bool written = PEM_write_PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
                   fflush(file) == 0 && fsync(fileno(file)) == 0;
    written = fclose(file) == 0 && written;
    return written ? 0 : -EIO;
}

/* That the file is there must last as long as receipts that are signed with it. */
static int dir_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
    if (fd >= 0)
        close(fd);
    return status;
}

static int file_make(const char *dir, const char *domain, EVP_PKEY *pkey)
{
    char path[PATH_LEN], fresh[PATH_LEN];
    snprintf(path, sizeof(path), "%s/%s" SUFFIX, dir, domain);
    if (snprintf(fresh, sizeof(fresh), "%s/.new", dir) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    unlink(fresh); /* of a start that was cut off; the lock keeps others of ours away */
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int status = pem_write(fd, pkey);
    if (status == 0 && link(fresh, path) != 0) /* never over a key that came meanwhile */
        status = -errno;
    unlink(fresh);
    return status ? status : dir_sync(dir);
}

static int key_make(struct receipt_keys *keys, const char *domain, struct entry *entry)
{
    char why[RECEIPT_WHY_MAX];
    struct entry made = {.signs = true};
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int status = pkey ? key_take(pkey, &made, domain, why) : STATUS_CRYPTO;
    if (status == 0)
        status = file_make(keys->dir, domain, pkey);
    EVP_PKEY_free(pkey);
    snprintf(made.domain, sizeof(made.domain), "%s", domain);
    if (status == 0)
        status = shelf_add(&keys->shelf, &made);
    if (status == 0)
        *entry = made;
    explicit_bzero(&made, sizeof(made));
    return status;
}

/* ---- finding ---- */

/* The `index`th key of a domain; NULL: it has fewer. The lock is held. */
static const struct entry *entry_find(const struct receipt_keys *keys, const char *domain,
                                      size_t index)
{
    const struct shelf *shelf = &keys->shelf;
    for (size_t i = 0; i < shelf->count; i++)
        if (strcmp(shelf->entries[i].domain, domain) == 0 && index-- == 0)
            return &shelf->entries[i];
    return NULL;
}

/* The one that signs, made where there is none. The lock is held. */
static int signing_take(struct receipt_keys *keys, const char *domain, struct entry *entry)
{
    const struct entry *found = entry_find(keys, domain, 0);
    if (!found || !found->signs)
        return key_make(keys, domain, entry);
    *entry = *found;
    return 0;
}

static int signing_find(struct receipt_keys *keys, const char *domain, struct entry *entry)
{
    pthread_mutex_lock(&keys->lock);
    int status = signing_take(keys, domain, entry);
    pthread_mutex_unlock(&keys->lock);
    return status;
}

/* The one whose public half this is, with its private one. */
static int seed_find(struct receipt_keys *keys, const char *domain,
                     const uint8_t key[RECEIPT_KEY_LEN], struct entry *entry)
{
    const struct entry *found;
    int status = STATUS_NOTFOUND;
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; status && (found = entry_find(keys, domain, i)) != NULL; i++)
        if (found->has_seed && memcmp(found->key, key, RECEIPT_KEY_LEN) == 0) {
            *entry = *found;
            status = 0;
        }
    pthread_mutex_unlock(&keys->lock);
    return status;
}

int receipt_key_get(struct receipt_keys *keys, const char *domain, uint8_t key[RECEIPT_KEY_LEN])
{
    struct entry entry;
    int status = signing_find(keys, domain, &entry);
    if (status)
        return status;
    memcpy(key, entry.key, RECEIPT_KEY_LEN);
    explicit_bzero(&entry, sizeof(entry));
    return 0;
}

int receipt_key_of(struct receipt_keys *keys, const struct store_port *port,
                   uint8_t key[RECEIPT_KEY_LEN])
{
    struct entry entry;
    if (seed_find(keys, port->address.domain, port->key_seen, &entry))
        return receipt_key_get(keys, port->address.domain, key);
    memcpy(key, entry.key, RECEIPT_KEY_LEN);
    explicit_bzero(&entry, sizeof(entry));
    return 0;
}

bool receipt_key_txt(const char *domain, size_t index, char *text, size_t size, void *arg)
{
    struct receipt_keys *keys = arg;
    uint8_t key[RECEIPT_KEY_LEN];
    char thumbprint[RECEIPT_HASH_LEN + 1];
    if (index == 0 && receipt_key_get(keys, domain, key))
        return false;
    pthread_mutex_lock(&keys->lock);
    const struct entry *entry = entry_find(keys, domain, index);
    if (entry)
        memcpy(key, entry->key, sizeof(key));
    pthread_mutex_unlock(&keys->lock);
    if (!entry || receipt_thumbprint(key, thumbprint))
        return false;
    snprintf(text, size, "v=sipkey1; kid=%.*s; h=%s", RECEIPT_KID_LEN, thumbprint, thumbprint);
    return true;
}

int receipt_sign(struct receipt_keys *keys, const char *domain, const uint8_t key[RECEIPT_KEY_LEN],
                 struct slice text, uint8_t signature[RECEIPT_SIGNATURE_LEN])
{
    struct entry entry;
    size_t len = RECEIPT_SIGNATURE_LEN;
    int status = seed_find(keys, domain, key, &entry);
    if (status)
        return status; /* it went between the two calls */
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, entry.seed, sizeof(entry.seed));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!pkey || !ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) != 1 ||
        EVP_DigestSign(ctx, signature, &len, (const uint8_t *)text.p, text.len) != 1)
        status = STATUS_CRYPTO;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    explicit_bzero(&entry, sizeof(entry));
    return status;
}

/* ---- rotation ---- */

/* The present key's file, and what it is called when it signs for old ports only. */
static int names_make(const struct receipt_keys *keys, const struct entry *entry,
                      char present[PATH_LEN], char past[PATH_LEN])
{
    char thumbprint[RECEIPT_HASH_LEN + 1];
    int status = receipt_thumbprint(entry->key, thumbprint);
    if (status)
        return status;
    snprintf(present, PATH_LEN, "%s/%s" SUFFIX, keys->dir, entry->domain);
    int len = snprintf(past, PATH_LEN, "%s/%s+%.*s" SUFFIX, keys->dir, entry->domain,
                       RECEIPT_KID_LEN, thumbprint);
    return len < PATH_LEN ? 0 : -ENAMETOOLONG;
}

static void next_name(const struct receipt_keys *keys, const char *domain, char next[PATH_LEN])
{
    snprintf(next, PATH_LEN, "%s/%s+next" SUFFIX, keys->dir, domain);
}

/* The one that was published beforehand can sign, or there is none: a public half would do in its
 * place, and in that of the signing key make the folder unreadable. */
static int next_check(const struct receipt_keys *keys, const char *domain,
                      char why[RECEIPT_WHY_MAX])
{
    struct entry next = {.signs = true};
    char path[PATH_LEN];
    next_name(keys, domain, path);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    int status = file_read(path, &next, why);
    explicit_bzero(&next, sizeof(next));
    return status;
}

/* The one that was published beforehand, or a new one. */
static int next_take(const struct receipt_keys *keys, const char *domain, const char *present)
{
    char next[PATH_LEN];
    next_name(keys, domain, next);
    if (rename(next, present) == 0)
        return dir_sync(keys->dir);
    if (errno != ENOENT)
        return -errno;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int status = pkey ? file_make(keys->dir, domain, pkey) : STATUS_CRYPTO;
    EVP_PKEY_free(pkey);
    return status;
}

/* The lock is held. Cut off in the middle, there is no present key: the next need makes one. */
static int rotate(struct receipt_keys *keys, const struct entry *old, char why[RECEIPT_WHY_MAX])
{
    char present[PATH_LEN], past[PATH_LEN];
    int status = names_make(keys, old, present, past);
    if (status == 0 && rename(present, past) != 0)
        status = -errno;
    if (status)
        return refuse(why, status, old->domain, status_text(status));
    status = next_take(keys, old->domain, present);
    if (status && rename(past, present) == 0)
        return refuse(why, status, old->domain, status_text(status));
    return shelf_read(keys, why);
}

/* Read first, as it will be afterwards: what cannot be read then must not be touched now. */
static int rotation_check(struct receipt_keys *keys, const char *domain, struct entry *old,
                          char why[RECEIPT_WHY_MAX])
{
    int status = shelf_read(keys, why);
    if (status == 0)
        status = next_check(keys, domain, why);
    if (status)
        return status;
    status = signing_take(keys, domain, old);
    return status ? refuse(why, status, domain, status_text(status)) : 0;
}

int receipt_key_rotate(struct receipt_keys *keys, const char *domain, char why[RECEIPT_WHY_MAX])
{
    struct entry old;
    pthread_mutex_lock(&keys->lock);
    int status = rotation_check(keys, domain, &old, why);
    if (status == 0)
        status = rotate(keys, &old, why);
    pthread_mutex_unlock(&keys->lock);
    explicit_bzero(&old, sizeof(old));
    return status;
}

/* ---- what is published ---- */

json_t *receipt_keys_encode(struct receipt_keys *keys)
{
    json_t *array = json_array();
    int failed = array ? 0 : -1;
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; !failed && i < keys->shelf.count; i++)
        failed = json_array_append_new(
            array, receipt_jwk_encode(keys->shelf.entries[i].domain, keys->shelf.entries[i].key));
    pthread_mutex_unlock(&keys->lock);
    if (failed) {
        json_decref(array);
        return NULL;
    }
    return json_pack("{s:o}", "keys", array);
}
