#include "base/status.h"

#include <string.h>

const char *status_text(int status)
{
    switch (status) {
    case STATUS_OK:
        return "success";
#define STATUS_CASE(name, number, text)                                                            \
    case (number):                                                                                 \
        return text;
        STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    default:
        break;
    }
    if (status > 0 || status < STATUS_NOTFOUND)
        return "unknown status";

    /* Not strerror(), which shares one buffer and depends on the locale. */
    const char *text = strerrordesc_np(-status);
    return text ? text : "unknown error number";
}
