/* How deep a body is, told before it is parsed: the parser itself goes as deep as it likes. */
#ifndef JUNCTOR_API_JSON_DEPTH_H
#define JUNCTOR_API_JSON_DEPTH_H

#include "api/problem.h"
#include "base/slice.h"

#define API_JSON_DEPTH 8 /* objects and arrays inside each other */

/* Returns 0, or -EPROTO where the bytes, JSON or not, go deeper. */
int api_json_depth(struct slice bytes, struct api_problem *problem);

#endif
