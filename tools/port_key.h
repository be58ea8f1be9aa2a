/* What proves a port by recovery key, for `junctor port`. */
#ifndef JUNCTOR_TOOLS_PORT_KEY_H
#define JUNCTOR_TOOLS_PORT_KEY_H

#include "tools/tool.h"

/* Does the command line say that a recovery key proves it? */
bool port_key_is_given(const struct tool *tool);
/* Adds "signature", "nonce" and "expires" to the body of a port that is started (its operands are
 * address and gaining domain) or undone (its id): signed here with --recovery-key, or elsewhere,
 * with
 * --octets and --signature. Returns an exit code, after saying why. */
int port_key_prove(struct tool *tool, bool is_undo, json_t *body);

#endif
