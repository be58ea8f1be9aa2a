#include "base/chars.h"
#include "base/status.h"
#include "base/utf8.h"
#include "store/internal.h"
#include "store/table_key.h"

#include <errno.h>

#define TOKEN_FORM 1
#define TOKEN_SIZE_MAX                                                                             \
    (64 + STORE_HASH_LEN + STORE_OWNER_MAX + STORE_TARIFF_MAX +                                    \
     STORE_TOKEN_DOMAINS_MAX * (2 + STORE_DOMAIN_MAX))

/* ---- the record: form, scope with flag, hash, owner, domains, note, version, creation, end; the
 * id is the key ---- */

#define SCOPE_MASK 0x0fu
#define FLAG_HASH  0x10u /* the hash is there */

void store_token_pack(struct store_pack *pack, const struct store_token *token, bool secrets)
{
    store_pack_u8(pack, TOKEN_FORM);
    store_pack_u8(pack, (uint8_t)((unsigned)token->scope | (secrets ? FLAG_HASH : 0)));
    if (secrets)
        store_pack_bytes(pack, token->hash, STORE_HASH_LEN);
    store_pack_string(pack, token->owner);
    store_pack_u8(pack, (uint8_t)token->domain_count);
    for (unsigned i = 0; i < token->domain_count; i++)
        store_pack_string(pack, token->domains[i]);
    store_pack_string(pack, token->note);
    store_pack_number(pack, token->version);
    store_pack_number(pack, token->created_ms);
    store_pack_number(pack, token->until_ms);
}

/* Form, scope and hash. */
static void unpack_scope(struct store_unpack *unpack, struct store_token *token)
{
    store_unpack_version(unpack, TOKEN_FORM);
    unsigned octet = store_unpack_u8(unpack), scope = octet & SCOPE_MASK;
    if (octet & ~(SCOPE_MASK | FLAG_HASH) || scope > STORE_SCOPE_USER) {
        unpack->failed = true;
        return;
    }
    token->scope = (enum store_scope)scope;
    memset(token->hash, 0, sizeof(token->hash));
    if (octet & FLAG_HASH)
        store_unpack_bytes(unpack, token->hash, STORE_HASH_LEN);
}

void store_token_unpack(struct store_unpack *unpack, struct store_token *token)
{
    unpack_scope(unpack, token);
    store_unpack_string(unpack, token->owner, sizeof(token->owner));
    unsigned count = store_unpack_u8(unpack);
    if (count > STORE_TOKEN_DOMAINS_MAX) {
        unpack->failed = true;
        return;
    }
    token->domain_count = count;
    for (unsigned i = 0; i < count; i++)
        store_unpack_string(unpack, token->domains[i], sizeof(token->domains[i]));
    store_unpack_string(unpack, token->note, sizeof(token->note));
    token->version = store_unpack_number(unpack);
    token->created_ms = store_unpack_number(unpack);
    token->until_ms = store_unpack_number(unpack);
}

static int token_key(struct table_key *key, const char *id)
{
    return table_key_text(key, id, STORE_TOKEN_ID_LEN);
}

static int token_decode(struct slice key, struct slice value, struct store_token *token)
{
    struct store_token decoded = {.domain_count = 0};
    struct store_unpack unpack;
    int ret = table_key_to_text(key, decoded.id, sizeof(decoded.id));
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_token_unpack(&unpack, &decoded);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *token = decoded;
    return ret;
}

int store_token_read(const struct store_txn *txn, const char *id, struct store_token *token)
{
    struct table_key key;
    struct slice value;
    int ret = token_key(&key, id);
    if (ret == 0)
        ret = store_get(txn, TABLE_TOKENS, table_key_bytes(&key), &value);
    return ret ? ret : token_decode(table_key_bytes(&key), value, token);
}

int store_token_write(const struct store_txn *txn, const struct store_token *token)
{
    char buffer[TOKEN_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_token_pack(&pack, token, true);
    int ret = token_key(&key, token->id);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_TOKENS, table_key_bytes(&key), bytes);
}

int store_token_remove(const struct store_txn *txn, const char *id)
{
    struct table_key key;
    int ret = token_key(&key, id);
    return ret ? ret : store_del(txn, TABLE_TOKENS, table_key_bytes(&key));
}

/* ---- rules ---- */

static bool id_is_valid(const char id[STORE_TOKEN_ID_LEN + 1])
{
    for (size_t i = 0; i < STORE_TOKEN_ID_LEN; i++)
        if (!char_is_digit(id[i]) && !(id[i] >= 'a' && id[i] <= 'z'))
            return false;
    return id[STORE_TOKEN_ID_LEN] == '\0';
}

static bool domains_are_valid(const struct store_token *token)
{
    for (unsigned i = 0; i < token->domain_count; i++) {
        if (store_name_check(token->domains[i]))
            return false;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(token->domains[i], token->domains[k]) == 0)
                return false;
    }
    return true;
}

static bool scope_is_valid(const struct store_token *token)
{
    size_t len = strnlen(token->owner, sizeof(token->owner));
    bool has_domains = token->domain_count > 0;
    switch (token->scope) {
    case STORE_SCOPE_ADMIN:
        return len == 0 && !has_domains;
    case STORE_SCOPE_OPERATOR:
        return len == 0 && has_domains && token->domain_count <= STORE_TOKEN_DOMAINS_MAX &&
               domains_are_valid(token);
    case STORE_SCOPE_USER:
        return !has_domains && store_owner_check(slice_make(token->owner, len), NULL) == 0;
    }
    return false;
}

int store_token_check(const struct store_token *token)
{
    if (!id_is_valid(token->id) || !scope_is_valid(token) ||
        strnlen(token->note, sizeof(token->note)) == sizeof(token->note) ||
        !utf8_is_printable(token->note))
        return STATUS_MALFORMED;
    return 0;
}

/* ---- reading ---- */

int store_token_get(struct store_reader *reader, const char *id, struct store_token *token)
{
    return store_token_read(&reader->txn, id, token);
}

struct token_list {
    store_token_h *each;
    void *arg;
};

static int token_list_visit(struct slice key, struct slice value, void *arg)
{
    struct token_list *list = arg;
    struct store_token token;
    int ret = token_decode(key, value, &token);
    return ret ? ret : !list->each(&token, list->arg);
}

int store_token_list(struct store_reader *reader, const char *after, size_t max,
                     store_token_h *each, void *arg)
{
    struct token_list list = {.each = each, .arg = arg};
    struct table_key from = {.len = 0};
    if (after && token_key(&from, after))
        return -EINVAL;
    return store_list(&reader->txn, TABLE_TOKENS, SLICE(""), table_key_bytes(&from), max,
                      token_list_visit, &list);
}
