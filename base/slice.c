#include "base/slice.h"

#include "base/chars.h"

#include <errno.h>

static bool bytes_eq_nocase(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (char_lower(a[i]) != char_lower(b[i]))
            return false;
    }
    return true;
}

bool slice_eq(struct slice a, struct slice b)
{
    /* The pointers of empty slices may be NULL, which memcmp must not get. */
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && bytes_eq_nocase(a.p, b.p, a.len);
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
    if (s.len < prefix.len)
        return false;
    return prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0;
}

bool slice_starts_with_nocase(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && bytes_eq_nocase(s.p, prefix.p, prefix.len);
}

bool slice_contains(struct slice outer, struct slice inner)
{
    if (!outer.p || !inner.p)
        return false;

    /* As numbers: comparing pointers into different objects is undefined. */
    uintptr_t begin = (uintptr_t)outer.p;
    uintptr_t at = (uintptr_t)inner.p;
    if (at < begin || at - begin > outer.len)
        return false;
    return inner.len <= outer.len - (at - begin);
}

size_t slice_find(struct slice s, char byte)
{
    if (s.len == 0)
        return 0;
    const char *at = memchr(s.p, byte, s.len);
    return at ? (size_t)(at - s.p) : s.len;
}

struct slice slice_skip(struct slice s, size_t count)
{
    if (s.len == 0)
        return s;
    if (count > s.len)
        count = s.len;
    return slice_make(s.p + count, s.len - count);
}

static bool is_white(char c)
{
    return char_is_blank(c) || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_white(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_white(s.p[s.len - 1]))
        s.len--;
    return s;
}

int slice_to_u64(struct slice s, uint64_t max, uint64_t *value)
{
    if (s.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < s.len; i++) {
        if (!char_is_digit(s.p[i]))
            return -EINVAL;
    }

    uint64_t result = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (result > max / 10 || digit > max - result * 10)
            return -ERANGE;
        result = result * 10 + digit;
    }
    *value = result;
    return 0;
}

int slice_to_cstr(struct slice s, char *dest, size_t size)
{
    if (size == 0)
        return -ERANGE;
    if (s.len >= size || slice_find(s, '\0') < s.len) {
        dest[0] = '\0';
        return -ERANGE;
    }
    if (s.len > 0)
        memcpy(dest, s.p, s.len);
    dest[s.len] = '\0';
    return 0;
}
