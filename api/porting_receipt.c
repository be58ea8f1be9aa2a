/* Receipts of ports between operators: the authority signs what it has decided, and the hosts hold
 * that against the key which they saw when the port began. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

/* What hosts hold the receipts of this port against from its start on. */
static int kid_add(struct receipt_keys *receipts, const struct store_port *port, json_t *document)
{
    uint8_t key[RECEIPT_KEY_LEN];
    char thumbprint[RECEIPT_HASH_LEN + 1];
    int status = receipt_key_of(receipts, port, key);
    if (status == 0)
        status = receipt_thumbprint(key, thumbprint);
    if (status)
        return status;
    return json_object_set_new(document, "kid", json_stringn(thumbprint, RECEIPT_KID_LEN));
}

static int receipt_add(struct receipt_keys *receipts, const struct store_port *port,
                       uint64_t now_ms, json_t *document)
{
    char jws[RECEIPT_MAX];
    int status = receipt_make(receipts, port, now_ms, jws);
    if (status)
        return status == STATUS_STATE ? 0 : status; /* nothing is decided yet */
    return json_object_set_new(document, "receipt", json_string(jws));
}

json_t *porting_encode_signed(struct porting *porting, const struct store_port *port)
{
    uint64_t now_ms = porting_now_ms(porting);
    struct receipt_keys *receipts = porting->parts.receipts;
    json_t *document = porting_encode(port, now_ms);
    int status = 0;
    if (document && receipts)
        status = kid_add(receipts, port, document);
    if (document && receipts && status == 0)
        status = receipt_add(receipts, port, now_ms, document);
    if (status)
        log_write(porting->parts.log, LOG_ERROR, PORTING_SOURCE, "no receipt: port=%s: %s",
                  port->id, status_text(status));
    return document;
}

void porting_key_choose(struct porting *porting, struct store_port *port)
{
    struct receipt_keys *receipts = porting->parts.receipts;
    if (!receipts || receipt_key_get(receipts, port->address.domain, port->key_seen))
        memset(port->key_seen, 0, sizeof(port->key_seen));
}

int porting_keys_get(struct porting *porting, const struct federation_request *request,
                     struct federation_answer *answer)
{
    uint8_t key[RECEIPT_KEY_LEN];
    struct receipt_keys *receipts = porting->parts.receipts;
    int status = receipts ? receipt_key_get(receipts, request->served, key) : 0;
    if (status)
        return status;
    return porting_reply(answer,
                         receipts ? receipt_keys_encode(receipts) : json_pack("{s:[]}", "keys"));
}

/* ---- at a host ---- */

static bool key_is_set(const struct store_port *port)
{
    static const uint8_t none[STORE_HASH_LEN];
    return memcmp(port->key_seen, none, sizeof(none)) != 0;
}

/* `kid` NULL: the one that signs now. */
static int key_ask(struct porting *porting, const char *from, const char *authority,
                   const char *kid, uint8_t key[RECEIPT_KEY_LEN])
{
    struct federation_answer answer = {.status = 0};
    char why[RECEIPT_WHY_MAX];
    int status = porting_ask(porting, from, authority, "GET", PORTING_KEYS_PATH, NULL, &answer);
    if (status == 0)
        status = answer.status == 200 ? receipt_jwks_find(answer.body, authority, kid, key, why)
                                      : STATUS_NOTFOUND;
    json_decref(answer.body);
    return status;
}

void porting_key_see(struct porting *porting, enum store_port_role role, struct store_port *told,
                     const json_t *document)
{
    struct store_port known;
    int status = porting_port_get(porting, role, told->id, &known);
    if (status == 0 && key_is_set(&known)) {
        memcpy(told->key_seen, known.key_seen, sizeof(told->key_seen));
        return;
    }
    status = key_ask(porting, role == STORE_PORT_GAINING ? told->gaining : told->losing,
                     told->address.domain, porting_text_of(document, "kid"), told->key_seen);
    if (status)
        memset(told->key_seen, 0, sizeof(told->key_seen));
}

/* A receipt of another port proves nothing of this one. */
static bool says_the_same(const struct receipt *receipt, const struct store_port *told)
{
    return strcmp(receipt->port, told->id) == 0 && receipt->decision == told->state &&
           receipt->kind == told->kind && receipt->commit_order == told->commit_order &&
           strcmp(receipt->gaining, told->gaining) == 0 &&
           strcmp(receipt->losing, told->losing) == 0 &&
           strcmp(receipt->address.user, told->address.user) == 0 &&
           strcmp(receipt->authority, told->address.domain) == 0;
}

/* NULL where the receipt holds, else what is wrong with it; `jws` may be NULL. */
static const char *receipt_fault(const struct store_port *told, const char *jws,
                                 char why[RECEIPT_WHY_MAX])
{
    struct receipt receipt;
    if (!jws)
        return store_port_is_open(told->state) ? NULL : "it is missing";
    if (receipt_verify(slice_of(jws), told->key_seen, &receipt, why))
        return why;
    return says_the_same(&receipt, told) ? NULL : "it says something else";
}

int porting_receipt_take(struct porting *porting, struct store_port *told, const json_t *document)
{
    const char *jws = porting_text_of(document, "receipt");
    char why[RECEIPT_WHY_MAX];
    if (!key_is_set(told))
        return 0;
    const char *fault = receipt_fault(told, jws, why);
    if (fault) {
        porting_count(porting, &porting->stats.receipts_refused);
        log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
                  "a receipt does not hold, so the port stays as it was: port=%s authority=%s: %s",
                  told->id, told->address.domain, fault);
        return STATUS_UNPROVEN;
    }
    snprintf(told->receipt, sizeof(told->receipt), "%s", jws ? jws : "");
    return 0;
}
