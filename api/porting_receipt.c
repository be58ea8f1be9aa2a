/* Receipts of ports between operators: the authority signs what it has decided, and the hosts hold
 * that against the key which they saw when the port began. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

json_t *porting_encode_signed(struct porting *porting, const struct store_port *port)
{
    char jws[RECEIPT_MAX];
    uint64_t now_ms = porting_now_ms(porting);
    json_t *document = porting_encode(port, now_ms);
    int status = porting->parts.receipts ? receipt_make(porting->parts.receipts, port, now_ms, jws)
                                         : STATUS_STATE;
    if (document && status == 0)
        json_object_set_new(document, "receipt", json_string(jws));
    else if (status && status != STATUS_STATE)
        log_write(porting->parts.log, LOG_ERROR, PORTING_SOURCE, "no receipt: port=%s: %s",
                  port->id, status_text(status));
    return document;
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

static int key_ask(struct porting *porting, const char *from, const char *authority,
                   uint8_t key[RECEIPT_KEY_LEN])
{
    struct federation_answer answer = {.status = 0};
    char why[RECEIPT_WHY_MAX];
    int status = porting_ask(porting, from, authority, "GET", PORTING_KEYS_PATH, NULL, &answer);
    if (status == 0)
        status = answer.status == 200 ? receipt_jwks_find(answer.body, authority, NULL, key, why)
                                      : STATUS_NOTFOUND;
    json_decref(answer.body);
    return status;
}

void porting_key_see(struct porting *porting, enum store_port_role role, struct store_port *told)
{
    struct store_port known;
    int status = porting_port_get(porting, role, told->id, &known);
    if (status == 0 && key_is_set(&known)) {
        memcpy(told->key_seen, known.key_seen, sizeof(told->key_seen));
        return;
    }
    status = key_ask(porting, role == STORE_PORT_GAINING ? told->gaining : told->losing,
                     told->address.domain, told->key_seen);
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

int porting_receipt_check(struct porting *porting, const struct store_port *told,
                          const json_t *document)
{
    const char *jws = porting_text_of(document, "receipt");
    char why[RECEIPT_WHY_MAX];
    struct receipt receipt;
    if (!key_is_set(told) || !jws)
        return 0;
    int status = receipt_verify(slice_of(jws), told->key_seen, &receipt, why);
    if (status == 0 && says_the_same(&receipt, told))
        return 0;
    log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
              "a receipt does not hold, so the port stays as it was: port=%s authority=%s: %s",
              told->id, told->address.domain, status ? why : "it says something else");
    return STATUS_UNPROVEN;
}
