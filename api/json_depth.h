/* How deep a body is and how much is in it, told before it is parsed: the parser itself goes as
 * deep as it likes, and makes of each value some hundred times what it had in bytes. */
#ifndef JUNCTOR_API_JSON_DEPTH_H
#define JUNCTOR_API_JSON_DEPTH_H

#include "api/problem.h"
#include "base/slice.h"

#define API_JSON_DEPTH  8     /* objects and arrays inside each other */
#define API_JSON_VALUES 16000 /* of all kinds: STORE_IMPORT_MAX addresses with 15 fields each */

/* Returns 0, or -EPROTO where the bytes, JSON or not, go deeper or hold more. */
int api_json_depth(struct slice bytes, struct api_problem *problem);

#endif
