#include "base/utf8.h"

#include <stdint.h>

/* Characters of valid UTF-8 that would still do harm: C1 controls, line separators, and those that
 * reorder the text around them. */
static bool is_harmful(uint32_t c)
{
    return (c >= 0x80 && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* RFC 3629 section 4: no overlong forms, surrogates or values over U+10FFFF. */
size_t utf8_printable_len(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;

    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = p[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0; /* stops at the terminator too */
        c = c << 6 | (p[i] & 0x3fU);
    }
    static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || is_harmful(c))
        return 0;
    return len;
}

bool utf8_is_printable(const char *text)
{
    size_t len;
    while ((len = utf8_printable_len(text)) > 0)
        text += len;
    return *text == '\0';
}
