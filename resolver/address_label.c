#include "resolver/address_label.h"

#include <ldns/ldns.h>
#include <string.h>

const char *resolver_address_label(const char *user, char label[RESOLVER_LABEL_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[LDNS_SHA256_DIGEST_LENGTH];
    ldns_sha256_CTX context;
    ldns_sha256_init(&context);
    ldns_sha256_update(&context, (const uint8_t *)user, strlen(user));
    ldns_sha256_final(digest, &context);
    for (size_t i = 0; i < RESOLVER_LABEL_OCTETS; i++) {
        label[2 * i] = hex[digest[i] >> 4];
        label[2 * i + 1] = hex[digest[i] & 15];
    }
    label[RESOLVER_LABEL_LEN] = '\0';
    return label;
}
