/* The holder's side of a recovery key (Ed25519, RFC 8032): the tool makes the pair and signs, the
 * daemon never has the private half. Thread-safe: nothing is kept. */
#ifndef JUNCTOR_API_RECOVERY_KEY_H
#define JUNCTOR_API_RECOVERY_KEY_H

#include <stdint.h>

#define RECOVERY_KEY_TEXT      64 /* hex digits of the public half */
#define RECOVERY_SIGNATURE_LEN 64 /* octets */
#define RECOVERY_WHY_MAX       512

/* Makes a pair: the private half goes to the new file `path` in PEM (PKCS #8), which its owner
 * alone can read, the public one to `half` in hex. A file that is there is not written over.
 * Returns 0, -errno or STATUS_CRYPTO, with a sentence in `why`. */
int recovery_key_make(const char *path, char half[RECOVERY_KEY_TEXT + 1],
                      char why[RECOVERY_WHY_MAX]);
/* Signs the octets of `text` with the private key in the file `path`; asks the terminal for its
 * passphrase where it has one. Returns 0, -errno, STATUS_MALFORMED (no such key) or STATUS_CRYPTO,
 * with a sentence in `why`. */
int recovery_key_sign(const char *path, const char *text, uint8_t signature[RECOVERY_SIGNATURE_LEN],
                      char why[RECOVERY_WHY_MAX]);

#endif
