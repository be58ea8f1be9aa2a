#include "store/text.h"

#include <stdarg.h>
#include <stdio.h>

void store_text_add(struct store_text *text, const char *format, ...)
{
    size_t room = sizeof(text->p) - text->len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text->p + text->len, room, format, args);
    va_end(args);
    if (len > 0)
        text->len += (size_t)len < room ? (size_t)len : room - 1;
}
