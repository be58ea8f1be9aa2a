/* /v1/openapi.json */
#include "api/openapi.h"

#include "api/internal.h"

#include <stdlib.h>
#include <string.h>

int api_openapi_get(struct api_call *call)
{
    char *text = malloc(api_openapi_len);
    if (text)
        memcpy(text, api_openapi_text, api_openapi_len);
    return api_call_reply_text(call, "application/json", text, api_openapi_len);
}
