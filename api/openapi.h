/* The description of the API (OpenAPI 3.1), made of api/openapi.json by the build. */
#ifndef JUNCTOR_API_OPENAPI_H
#define JUNCTOR_API_OPENAPI_H

#include <stddef.h>

extern const char api_openapi_text[]; /* a JSON document in ASCII, ended by NUL */
extern const size_t api_openapi_len;  /* without the NUL */

#endif
