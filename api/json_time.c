/* Times in bodies: RFC 3339 in UTC. */
#include "api/json.h"

#include "base/chars.h"

#include <errno.h>

struct civil {
    unsigned year, month, day, hour, minute, second, millisecond;
};

/* Takes `count` digits and what must stand behind them ('\0': nothing in particular). */
static bool part_take(struct slice *text, size_t count, char behind, unsigned *part)
{
    size_t len = count + (behind != '\0');
    if (text->len < len || (behind && text->p[count] != behind))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!char_is_digit(text->p[i]))
            return false;
        *part = *part * 10 + (unsigned)(text->p[i] - '0');
    }
    *text = slice_skip(*text, len);
    return true;
}

/* ".123Z" or "Z"; what is finer than a millisecond is dropped. */
static bool fraction_take(struct slice text, struct civil *civil)
{
    unsigned scale = 100;
    if (text.len > 1 && text.p[0] == '.') {
        text = slice_skip(text, 1);
        size_t digits = 0;
        for (; digits < text.len && char_is_digit(text.p[digits]); digits++, scale /= 10)
            civil->millisecond += (unsigned)(text.p[digits] - '0') * scale;
        if (digits == 0)
            return false;
        text = slice_skip(text, digits);
    }
    return slice_eq(text, SLICE("Z"));
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool civil_is_valid(const struct civil *civil)
{
    return civil->year >= 1970 && civil->month >= 1 && civil->month <= 12 && civil->day >= 1 &&
           civil->day <= month_days(civil->year, civil->month) && civil->hour < 24 &&
           civil->minute < 60 && civil->second < 60;
}

static uint64_t civil_ms(const struct civil *civil)
{
    uint64_t before = civil->year - 1;
    uint64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162; /* to 1970 */
    for (unsigned month = 1; month < civil->month; month++)
        days += month_days(civil->year, month);
    days += civil->day - 1;
    uint64_t seconds = ((days * 24 + civil->hour) * 60 + civil->minute) * 60 + civil->second;
    return seconds * 1000 + civil->millisecond;
}

int api_time_decode(struct slice text, const char *name, uint64_t *ms, struct api_problem *problem)
{
    struct civil civil = {.year = 0};
    struct slice rest = text;
    bool ok = part_take(&rest, 4, '-', &civil.year) && part_take(&rest, 2, '-', &civil.month) &&
              part_take(&rest, 2, 'T', &civil.day) && part_take(&rest, 2, ':', &civil.hour) &&
              part_take(&rest, 2, ':', &civil.minute) && part_take(&rest, 2, '\0', &civil.second);
    if (!ok || !fraction_take(rest, &civil) || !civil_is_valid(&civil))
        return api_problem_set(problem, API_PROBLEM_FIELD, name,
                               "%s: is '%.*s'; it must be a time in UTC like 2026-07-04T12:00:00Z",
                               name, (int)(text.len > 64 ? 64 : text.len), text.p);
    *ms = civil_ms(&civil);
    return 0;
}
