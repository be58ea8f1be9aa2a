/* Commands that work on a store itself, without a daemon. */
#ifndef JUNCTOR_TOOLS_OFFLINE_H
#define JUNCTOR_TOOLS_OFFLINE_H

#include "store/store.h"
#include "tools/tool.h"

/* The store that --store and --map-size name. Returns an exit code. */
int offline_conf(const struct tool *tool, struct store_conf *conf);
/* Says why the store refuses, in its own words where it has some, else about `name`. `exists` is
 * the remedy where it has records already. Returns TOOL_REFUSED. */
int offline_fail(int status, const struct store_fault *fault, const char *name, const char *exists);
/* "uid:N": who does it. */
void offline_actor(char actor[STORE_ACTOR_MAX + 1]);

#endif
