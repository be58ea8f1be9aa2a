#include "base/base64.h"

#include "base/status.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_encode(const void *bytes, size_t len, char *text)
{
    const uint8_t *raw = bytes;
    char *p = text;
    unsigned bits = 0, bit_count = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | raw[i];
        for (bit_count += 8; bit_count >= 6; bit_count -= 6)
            *p++ = digits[(bits >> (bit_count - 6)) & 0x3f];
    }
    if (bit_count > 0)
        *p++ = digits[(bits << (6 - bit_count)) & 0x3f];
    *p = '\0';
    return (size_t)(p - text);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

int base64_decode(struct slice text, void *bytes, size_t size)
{
    uint8_t *raw = bytes;
    size_t len = 0;
    unsigned bits = 0, bit_count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.p[i]);
        if (value < 0)
            return STATUS_MALFORMED;
        bits = bits << 6 | (unsigned)value;
        bit_count += 6;
        if (bit_count < 8)
            continue;
        bit_count -= 8;
        if (len == size)
            return STATUS_MALFORMED;
        raw[len++] = (uint8_t)(bits >> bit_count);
    }
    if (bit_count == 6 || (bits & ((1U << bit_count) - 1)) != 0)
        return STATUS_MALFORMED;
    return (int)len;
}
