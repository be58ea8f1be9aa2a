/* Receipt keys as JWKs (RFC 7517, of Ed25519: RFC 8037): made, and found in what others publish. */
#include "api/receipt_internal.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

json_t *receipt_jwk_encode(const char *domain, const uint8_t key[RECEIPT_KEY_LEN])
{
    char x[RECEIPT_X_LEN + 1], thumbprint[RECEIPT_HASH_LEN + 1];
    if (receipt_thumbprint(key, thumbprint))
        return NULL;
    thumbprint[RECEIPT_KID_LEN] = '\0';
    base64_encode(key, RECEIPT_KEY_LEN, x);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "x", x,
                     "kid", thumbprint, "use", "sig", "alg", "EdDSA", "domain", domain);
}

static int refuse(char why[RECEIPT_WHY_MAX], int status, const char *domain, const char *what)
{
    snprintf(why, RECEIPT_WHY_MAX, "%.250s: %s", domain, what);
    return status;
}

static struct slice text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return slice_of(text ? text : "");
}

/* Is it a key of this domain? What it is for, and of what curve, is looked at afterwards. */
static bool is_wanted(const json_t *jwk, const char *domain, const char *kid)
{
    return slice_eq(text_of(jwk, "domain"), slice_of(domain)) &&
           (!kid || slice_eq(text_of(jwk, "kid"), slice_of(kid)));
}

int receipt_jwks_find(const json_t *jwks, const char *domain, const char *kid,
                      uint8_t key[RECEIPT_KEY_LEN], char why[RECEIPT_WHY_MAX])
{
    const json_t *array = json_object_get(jwks, "keys");
    uint8_t x[RECEIPT_KEY_LEN];
    size_t i;
    json_t *jwk;
    if (!json_is_array(array))
        return refuse(why, STATUS_MALFORMED, domain, "what it publishes is no JWKS (RFC 7517)");
    json_array_foreach(array, i, jwk)
    {
        if (!is_wanted(jwk, domain, kid))
            continue;
        if (!slice_eq(text_of(jwk, "kty"), SLICE("OKP")) ||
            !slice_eq(text_of(jwk, "crv"), SLICE("Ed25519")) ||
            base64_decode(text_of(jwk, "x"), x, sizeof(x)) != RECEIPT_KEY_LEN)
            return refuse(why, STATUS_MALFORMED, domain, "its key is not of Ed25519 (RFC 8037)");
        memcpy(key, x, sizeof(x));
        return 0;
    }
    return refuse(why, STATUS_NOTFOUND, domain,
                  kid ? "it publishes no key with the id that is asked for"
                      : "it publishes no receipt key");
}
