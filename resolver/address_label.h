/* The hashed name of an address in DNS (design section 5): nobody learns addresses by walking a
 * zone, and any user part fits one label. */
#ifndef JUNCTOR_RESOLVER_ADDRESS_LABEL_H
#define JUNCTOR_RESOLVER_ADDRESS_LABEL_H

#define RESOLVER_LABEL_OCTETS 28 /* of SHA-256 that are kept, as in RFC 7929 and RFC 8162 */
#define RESOLVER_LABEL_LEN    56 /* in hex */

/* The first 28 octets of SHA-256 over the canonical user part, in lower-case hex. Pure; returns
 * `label`. */
const char *resolver_address_label(const char *user, char label[RESOLVER_LABEL_LEN + 1]);

#endif
