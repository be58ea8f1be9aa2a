/* Receipts: made, read, verified. */
#include "api/receipt_internal.h"

#include "api/json.h"
#include "api/json_depth.h"
#include "base/hex.h"
#include "base/status.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "port-receipt"

static int refuse(char why[RECEIPT_WHY_MAX], int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(char why[RECEIPT_WHY_MAX], int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, RECEIPT_WHY_MAX, format, args);
    va_end(args);
    return status;
}

int receipt_thumbprint(const uint8_t key[RECEIPT_KEY_LEN], char thumbprint[RECEIPT_HASH_LEN + 1])
{
    char x[RECEIPT_X_LEN + 1], jwk[64 + RECEIPT_X_LEN];
    uint8_t digest[EVP_MAX_MD_SIZE];
    base64_encode(key, RECEIPT_KEY_LEN, x);
    /* The required members in the order of their names, without spaces (RFC 7638 section 3). */
    int len = snprintf(jwk, sizeof(jwk), "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", x);
    if (EVP_Digest(jwk, (size_t)len, digest, NULL, EVP_sha256(), NULL) != 1)
        return STATUS_CRYPTO;
    base64_encode(digest, STORE_HASH_LEN, thumbprint);
    return 0;
}

/* ---- making ---- */

/* Has somebody decided, so that there is something to keep? */
static bool is_decision(enum store_port_state state)
{
    return !store_port_is_open(state);
}

static json_t *payload_encode(const struct store_port *port, uint64_t time_ms, const char *kid)
{
    char address[API_ADDRESS_TEXT_MAX];
    const char *reason = store_port_reason_text(port->reason);
    return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:s?, s:o, s:I}", "kid", kid,
                     "port", port->id, "address", api_address_format(&port->address, address),
                     "losing", port->losing[0] ? port->losing : NULL, "gaining", port->gaining,
                     "authority", port->address.domain, "kind", store_port_kind_text(port->kind),
                     "decision", store_port_state_text(port->state), "reason",
                     reason[0] ? reason : NULL, "time", api_time_encode(time_ms), "commit_order",
                     (json_int_t)port->commit_order);
}

/* HEADER.PAYLOAD, what is signed (RFC 7515 section 5.1). Returns its length, or -ENOMEM, -ERANGE.
 */
static int input_make(const struct store_port *port, uint64_t time_ms, const char *kid,
                      char jws[RECEIPT_MAX])
{
    char header[80];
    int header_len = snprintf(header, sizeof(header),
                              "{\"alg\":\"EdDSA\",\"kid\":\"%s\",\"typ\":\"" TYPE "\"}", kid);
    json_t *json = payload_encode(port, time_ms, kid);
    char *payload = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!payload)
        return -ENOMEM;
    size_t payload_len = strlen(payload);
    int len = -ERANGE;
    if (BASE64_LEN((size_t)header_len) + BASE64_LEN(payload_len) +
            BASE64_LEN((size_t)RECEIPT_SIGNATURE_LEN) + 3 <=
        RECEIPT_MAX) {
        len = (int)base64_encode(header, (size_t)header_len, jws);
        jws[len++] = '.';
        len += (int)base64_encode(payload, payload_len, jws + len);
    }
    free(payload);
    return len;
}

int receipt_make(struct receipt_keys *keys, const struct store_port *port, uint64_t time_ms,
                 char jws[RECEIPT_MAX])
{
    uint8_t key[RECEIPT_KEY_LEN], signature[RECEIPT_SIGNATURE_LEN];
    char thumbprint[RECEIPT_HASH_LEN + 1], made[RECEIPT_MAX];
    if (!is_decision(port->state))
        return STATUS_STATE;
    int status = receipt_key_of(keys, port, key);
    if (status == 0)
        status = receipt_thumbprint(key, thumbprint);
    if (status)
        return status;
    thumbprint[RECEIPT_KID_LEN] = '\0';
    int len = input_make(port, time_ms, thumbprint, made);
    if (len < 0)
        return len;
    status =
        receipt_sign(keys, port->address.domain, key, slice_make(made, (size_t)len), signature);
    if (status)
        return status;
    made[len++] = '.';
    len += (int)base64_encode(signature, sizeof(signature), made + len);
    memcpy(jws, made, (size_t)len + 1);
    return 0;
}

/* ---- reading ---- */

struct parts {
    struct slice header, payload, signature; /* in base64url */
    struct slice input;                      /* header and payload, with the dot */
};

static int parts_split(struct slice jws, struct parts *parts, char why[RECEIPT_WHY_MAX])
{
    if (jws.len >= RECEIPT_MAX)
        return refuse(why, STATUS_MALFORMED, "it has more than %d characters", RECEIPT_MAX - 1);
    const char *first = memchr(jws.p, '.', jws.len);
    const char *second =
        first ? memchr(first + 1, '.', jws.len - (size_t)(first + 1 - jws.p)) : NULL;
    if (!second || memchr(second + 1, '.', jws.len - (size_t)(second + 1 - jws.p)))
        return refuse(why, STATUS_MALFORMED,
                      "it is not of three parts with a dot between them, as a JWS is (RFC 7515)");
    parts->header = slice_make(jws.p, (size_t)(first - jws.p));
    parts->payload = slice_make(first + 1, (size_t)(second - first - 1));
    parts->signature = slice_make(second + 1, jws.len - (size_t)(second + 1 - jws.p));
    parts->input = slice_make(jws.p, (size_t)(second - jws.p));
    return 0;
}

/* One part as an object that has these fields and no others. */
static int object_read(struct slice part, const char *name, const struct api_field *fields,
                       json_t **object, char why[RECEIPT_WHY_MAX])
{
    char bytes[RECEIPT_MAX];
    struct api_problem problem;
    int len = base64_decode(part, bytes, sizeof(bytes));
    if (len < 0)
        return refuse(why, STATUS_MALFORMED, "its %s is no base64url without padding (RFC 7515)",
                      name);
    struct slice text = slice_make(bytes, (size_t)len);
    json_t *json = NULL;
    if (api_json_depth(text, &problem) || api_json_parse(text, &json, &problem) ||
        api_json_check(json, fields, false, &problem)) {
        json_decref(json);
        return refuse(why, STATUS_MALFORMED, "its %s: %.300s", name, problem.detail);
    }
    *object = json;
    return 0;
}

static int header_read(struct slice part, char kid[RECEIPT_KID_LEN + 1], char why[RECEIPT_WHY_MAX])
{
    static const struct api_field fields[] = {{"alg", JSON_STRING, API_REQUIRED},
                                              {"kid", JSON_STRING, API_REQUIRED},
                                              {"typ", JSON_STRING, API_REQUIRED},
                                              {NULL, JSON_NULL, 0}};
    json_t *json = NULL;
    int status = object_read(part, "header", fields, &json, why);
    if (status)
        return status;
    struct slice alg = api_json_text(json, "alg"), typ = api_json_text(json, "typ");
    struct slice id = api_json_text(json, "kid");
    if (!slice_eq(alg, SLICE("EdDSA")))
        status = refuse(why, STATUS_MALFORMED, "its header: alg is '%.64s'; only EdDSA is believed",
                        alg.p);
    else if (!slice_eq(typ, SLICE(TYPE)))
        status = refuse(why, STATUS_MALFORMED, "its header: typ is '%.64s', not '" TYPE "'", typ.p);
    else if (id.len != RECEIPT_KID_LEN)
        status =
            refuse(why, STATUS_MALFORMED, "its header: kid has not %d characters", RECEIPT_KID_LEN);
    else
        snprintf(kid, RECEIPT_KID_LEN + 1, "%s", id.p);
    json_decref(json);
    return status;
}

static int member_wrong(const char *name, char why[RECEIPT_WHY_MAX])
{
    return refuse(why, STATUS_MALFORMED, "its payload: %s is not what a receipt has there", name);
}

static bool domain_read(const json_t *json, const char *name, char domain[STORE_DOMAIN_MAX + 1])
{
    struct slice text = api_json_text(json, name);
    return store_domain_canonical(text, domain, NULL) == 0 && slice_eq(text, slice_of(domain));
}

static int names_read(const json_t *json, struct receipt *receipt, char why[RECEIPT_WHY_MAX])
{
    struct slice address = api_json_text(json, "address"), port = api_json_text(json, "port");
    char text[API_ADDRESS_TEXT_MAX];
    if (store_address_parse(address, &receipt->address, NULL) ||
        !slice_eq(address, slice_of(api_address_format(&receipt->address, text))))
        return member_wrong("address", why);
    if (port.len != STORE_PORT_ID_LEN || !hex_is(port))
        return member_wrong("port", why);
    snprintf(receipt->port, sizeof(receipt->port), "%s", port.p);
    if (!domain_read(json, "gaining", receipt->gaining))
        return member_wrong("gaining", why);
    receipt->losing[0] = '\0';
    if (!json_is_null(json_object_get(json, "losing")) &&
        !domain_read(json, "losing", receipt->losing))
        return member_wrong("losing", why);
    if (!domain_read(json, "authority", receipt->authority) ||
        strcmp(receipt->authority, receipt->address.domain) != 0)
        return refuse(why, STATUS_MALFORMED,
                      "its payload: the authority is not the domain of the address");
    return 0;
}

static int decision_read(const json_t *json, struct receipt *receipt, char why[RECEIPT_WHY_MAX])
{
    struct api_problem problem;
    const json_t *reason = json_object_get(json, "reason");
    json_int_t order = json_integer_value(json_object_get(json, "commit_order"));
    receipt->reason = STORE_PORT_NO_REASON;
    if (store_port_kind_parse(api_json_text(json, "kind").p, &receipt->kind))
        return member_wrong("kind", why);
    if (store_port_state_parse(api_json_text(json, "decision").p, &receipt->decision) ||
        !is_decision(receipt->decision))
        return member_wrong("decision", why);
    if (!json_is_null(reason) &&
        store_port_reason_parse(json_string_value(reason), &receipt->reason))
        return member_wrong("reason", why);
    if (order < 0)
        return member_wrong("commit_order", why);
    receipt->commit_order = (uint64_t)order;
    if (api_time_decode(api_json_text(json, "time"), "time", &receipt->time_ms, &problem))
        return refuse(why, STATUS_MALFORMED, "its payload: %.300s", problem.detail);
    return 0;
}

static int payload_read(struct slice part, struct receipt *receipt, char why[RECEIPT_WHY_MAX])
{
    static const struct api_field fields[] = {{"kid", JSON_STRING, API_REQUIRED},
                                              {"port", JSON_STRING, API_REQUIRED},
                                              {"address", JSON_STRING, API_REQUIRED},
                                              {"losing", JSON_STRING, API_REQUIRED | API_NULLABLE},
                                              {"gaining", JSON_STRING, API_REQUIRED},
                                              {"authority", JSON_STRING, API_REQUIRED},
                                              {"kind", JSON_STRING, API_REQUIRED},
                                              {"decision", JSON_STRING, API_REQUIRED},
                                              {"reason", JSON_STRING, API_REQUIRED | API_NULLABLE},
                                              {"time", JSON_STRING, API_REQUIRED},
                                              {"commit_order", JSON_INTEGER, API_REQUIRED},
                                              {NULL, JSON_NULL, 0}};
    json_t *json = NULL;
    int status = object_read(part, "payload", fields, &json, why);
    if (status)
        return status;
    if (!slice_eq(api_json_text(json, "kid"), slice_of(receipt->kid)))
        status = refuse(why, STATUS_MALFORMED, "its header and its payload name different keys");
    if (status == 0)
        status = names_read(json, receipt, why);
    if (status == 0)
        status = decision_read(json, receipt, why);
    json_decref(json);
    return status;
}

int receipt_read(struct slice jws, struct receipt *receipt, char why[RECEIPT_WHY_MAX])
{
    struct parts parts = {.input = {NULL, 0}};
    struct receipt read = {.commit_order = 0};
    int status = parts_split(jws, &parts, why);
    if (status == 0)
        status = header_read(parts.header, read.kid, why);
    if (status == 0)
        status = payload_read(parts.payload, &read, why);
    if (status == 0)
        *receipt = read;
    return status;
}

/* ---- verifying ---- */

/* Returns 0, STATUS_UNPROVEN or STATUS_CRYPTO. */
static int signature_check(struct slice input, const uint8_t key[RECEIPT_KEY_LEN],
                           const uint8_t signature[RECEIPT_SIGNATURE_LEN])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, RECEIPT_KEY_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int status = STATUS_CRYPTO;
    if (pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1)
        status = EVP_DigestVerify(ctx, signature, RECEIPT_SIGNATURE_LEN, (const uint8_t *)input.p,
                                  input.len) == 1
                     ? 0
                     : STATUS_UNPROVEN;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return status;
}

int receipt_signature_verify(struct slice jws, const uint8_t key[RECEIPT_KEY_LEN],
                             char why[RECEIPT_WHY_MAX])
{
    uint8_t signature[RECEIPT_SIGNATURE_LEN];
    struct parts parts = {.input = {NULL, 0}};
    int status = parts_split(jws, &parts, why);
    if (status)
        return status;
    if (base64_decode(parts.signature, signature, sizeof(signature)) != RECEIPT_SIGNATURE_LEN)
        return refuse(why, STATUS_MALFORMED, "its signature is not of %d octets in base64url",
                      RECEIPT_SIGNATURE_LEN);
    status = signature_check(parts.input, key, signature);
    if (status == STATUS_UNPROVEN)
        return refuse(why, status,
                      "its signature does not fit: it was changed, or somebody else made it");
    return status ? refuse(why, status, "%s", status_text(status)) : 0;
}

int receipt_verify(struct slice jws, const uint8_t key[RECEIPT_KEY_LEN], struct receipt *receipt,
                   char why[RECEIPT_WHY_MAX])
{
    char thumbprint[RECEIPT_HASH_LEN + 1];
    struct receipt read;
    int status = receipt_read(jws, &read, why);
    if (status)
        return status;
    if (receipt_thumbprint(key, thumbprint))
        return refuse(why, STATUS_CRYPTO, "%s", status_text(STATUS_CRYPTO));
    if (strncmp(thumbprint, read.kid, RECEIPT_KID_LEN) != 0)
        return refuse(why, STATUS_UNPROVEN, "it names key %s, and was held against key %.*s",
                      read.kid, RECEIPT_KID_LEN, thumbprint);
    status = receipt_signature_verify(jws, key, why);
    if (status == 0)
        *receipt = read;
    return status;
}
