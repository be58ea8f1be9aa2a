/* What proves a port by recovery key, for `junctor port` and `junctor address recovery-key`. */
#ifndef JUNCTOR_TOOLS_PORT_KEY_H
#define JUNCTOR_TOOLS_PORT_KEY_H

#include "tools/tool.h"

#define PORT_KEY_TEXT 64 /* hex digits of a public key */

/* Makes an Ed25519 key pair: the private half goes to the new file `path` in PEM, which its owner
 * alone can read, the public one to `public` in hex. Returns an exit code, after saying why. */
int port_key_make(const char *path, char public[PORT_KEY_TEXT + 1]);
/* Does the command line say that a recovery key proves it? */
bool port_key_is_given(const struct tool *tool);
/* Adds "signature", "nonce" and "expires" to the body of a port that is started (its operands are
 * address and gaining domain) or undone (its id): signed here with --recovery-key, or elsewhere,
 * with
 * --octets and --signature. Returns an exit code, after saying why. */
int port_key_prove(struct tool *tool, bool is_undo, json_t *body);

#endif
