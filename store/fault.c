#include "store/fault.h"

#include <stdarg.h>
#include <stdio.h>

int store_fault_set(struct store_fault *fault, int status, const char *format, ...)
{
    va_list args;
    if (!fault)
        return status;
    va_start(args, format);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
    return status;
}

const char *store_fault_char(char c, char text[FAULT_CHAR_MAX])
{
    if (c >= ' ' && c <= '~')
        snprintf(text, FAULT_CHAR_MAX, "'%c'", c);
    else
        snprintf(text, FAULT_CHAR_MAX, "byte 0x%02X", (unsigned char)c);
    return text;
}
