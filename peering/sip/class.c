#include "peering/sip/internal.h"

#define VISIBLE    (SIP_C_WORD | SIP_C_OPAQUE | SIP_C_VALUE | SIP_C_QTEXT)
#define UNRESERVED (SIP_C_USER | SIP_C_PASS | SIP_C_UPARAM | SIP_C_UHDR)
#define NAME       (SIP_C_TOKEN | SIP_C_DISPLAY)
#define BLANK      (SIP_C_LWS | SIP_C_QTEXT)
#define LETTER     (VISIBLE | UNRESERVED | NAME | SIP_C_HOST)
#define HEXDIGIT   (LETTER | SIP_C_TEL)

const uint16_t sip_class_of[256] = {
    ['\t'] = BLANK,
    ['\n'] = BLANK,
    ['\r'] = BLANK,
    [' '] = BLANK,
    ['!'] = VISIBLE | UNRESERVED | NAME,
    ['"'] = SIP_C_WORD,
    ['#'] = VISIBLE | SIP_C_TEL,
    ['$'] = VISIBLE | SIP_C_USER | SIP_C_PASS | SIP_C_UPARAM | SIP_C_UHDR,
    ['%'] = VISIBLE | NAME,
    ['&'] = VISIBLE | SIP_C_USER | SIP_C_PASS | SIP_C_UPARAM | SIP_C_UHDR,
    ['\''] = VISIBLE | UNRESERVED | NAME,
    ['('] = VISIBLE | UNRESERVED | SIP_C_TEL,
    [')'] = VISIBLE | UNRESERVED | SIP_C_TEL,
    ['*'] = VISIBLE | UNRESERVED | NAME | SIP_C_TEL,
    ['+'] = VISIBLE | UNRESERVED | NAME | SIP_C_TEL,
    [','] = SIP_C_WORD | SIP_C_OPAQUE | SIP_C_QTEXT | SIP_C_USER | SIP_C_PASS,
    ['-'] = VISIBLE | UNRESERVED | NAME | SIP_C_HOST | SIP_C_TEL,
    ['.'] = VISIBLE | UNRESERVED | NAME | SIP_C_HOST | SIP_C_TEL,
    ['/'] = VISIBLE | SIP_C_USER | SIP_C_UPARAM | SIP_C_UHDR,
    ['0' ... '9'] = HEXDIGIT,
    [':'] = VISIBLE | SIP_C_UPARAM | SIP_C_UHDR,
    [';'] = SIP_C_WORD | SIP_C_OPAQUE | SIP_C_QTEXT | SIP_C_USER,
    ['<'] = SIP_C_WORD | SIP_C_QTEXT,
    ['='] = VISIBLE | SIP_C_USER | SIP_C_PASS | SIP_C_UHDR,
    ['>'] = SIP_C_WORD | SIP_C_QTEXT,
    ['?'] = VISIBLE | SIP_C_USER | SIP_C_UHDR,
    ['@'] = VISIBLE,
    ['A' ... 'F'] = HEXDIGIT,
    ['G' ... 'Z'] = LETTER,
    ['['] = VISIBLE | SIP_C_UPARAM | SIP_C_UHDR,
    ['\\'] = SIP_C_WORD,
    [']'] = VISIBLE | SIP_C_UPARAM | SIP_C_UHDR,
    ['^'] = VISIBLE,
    ['_'] = VISIBLE | UNRESERVED | NAME | SIP_C_HOST,
    ['`'] = VISIBLE | NAME,
    ['a' ... 'f'] = HEXDIGIT,
    ['g' ... 'z'] = LETTER,
    ['{'] = VISIBLE,
    ['|'] = VISIBLE,
    ['}'] = VISIBLE,
    ['~'] = VISIBLE | UNRESERVED | NAME,
    [0x80 ... 0xff] = SIP_C_QTEXT | SIP_C_DISPLAY,
};

const char *sip_span_escaped(const char *p, const char *end, unsigned classes)
{
    for (;;) {
        p = sip_span(p, end, classes);
        if (end - p < 3 || p[0] != '%' || char_hex(p[1]) < 0 || char_hex(p[2]) < 0)
            return p;
        p += 3;
    }
}

const char *sip_quoted_end(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (sip_is(*p, SIP_C_QTEXT))
            continue;
        if (*p == '"')
            return p + 1;
        /* quoted-pair takes any ASCII character, NUL among them, but CR and LF. */
        if (*p != '\\' || end - p < 2 || p[1] == '\r' || p[1] == '\n')
            return NULL;
        p++;
    }
    return NULL;
}
