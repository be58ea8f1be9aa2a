/* A borrowed run of bytes: pointer and length, not terminated, owned by somebody else.
 *
 * A slice is valid as long as the bytes it points into; every function that returns one says
 * whose bytes those are. The empty slice may have a NULL pointer. Comparisons are on bytes;
 * "nocase" folds ASCII letters only and does not depend on the locale. */
#ifndef JUNCTOR_BASE_SLICE_H
#define JUNCTOR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p;
    size_t len;
};

/* A slice of a string literal. */
#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

/* For printf: "%.*s", SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).len, (s).p

static inline struct slice slice_of(const char *string)
{
    return (struct slice){string, strlen(string)};
}

static inline struct slice slice_make(const char *p, size_t len)
{
    return (struct slice){p, len};
}

/* The bytes from `begin` up to, not including, `end`. */
static inline struct slice slice_between(const char *begin, const char *end)
{
    return (struct slice){begin, (size_t)(end - begin)};
}

static inline const char *slice_end(struct slice s)
{
    return s.len == 0 ? s.p : s.p + s.len; /* nothing may be added to NULL, not even 0 */
}

bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts_with(struct slice s, struct slice prefix);
bool slice_starts_with_nocase(struct slice s, struct slice prefix);

/* Does the memory of `inner` lie inside the memory of `outer`? */
bool slice_contains(struct slice outer, struct slice inner);

/* Offset of the first `byte`, or s.len where there is none. */
size_t slice_find(struct slice s, char byte);

/* The slice without its first `count` bytes (all of it where it is shorter). */
struct slice slice_skip(struct slice s, size_t count);

/* Without spaces, tabs, CR and LF at both ends (SIP's linear white space). */
struct slice slice_trim(struct slice s);

/* Decimal digits only, at least one, at most `max` as value.
 * Returns 0, or -EINVAL (not digits, empty) or -ERANGE (over max); *value untouched then. */
int slice_to_u64(struct slice s, uint64_t max, uint64_t *value);

/* Copy into a terminated string of `size` bytes. Returns 0, or -ERANGE where it does not fit or
 * contains a NUL byte (dest is then the empty string). */
int slice_to_cstr(struct slice s, char *dest, size_t size);

#endif
