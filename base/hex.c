#include "base/hex.h"

static const char digits[] = "0123456789abcdef";

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *hex_encode(const void *octets, size_t len, char *text)
{
    const uint8_t *from = octets;
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    text[2 * len] = '\0';
    return text;
}

bool hex_decode(struct slice text, void *octets, size_t len)
{
    uint8_t *to = octets;
    if (text.len != HEX_LEN(len))
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = nibble(text.p[2 * i]), low = nibble(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

bool hex_is(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (nibble(text.p[i]) < 0)
            return false;
    return true;
}
