#include "api/json_depth.h"

#include <stdbool.h>

/* Where a text is in its body, for people. */
struct place {
    int line, column;
};

static void place_step(struct place *place, char c)
{
    place->column++;
    if (c != '\n')
        return;
    place->line++;
    place->column = 0;
}

/* Past the text in quotes that begins at `i`; its end where it has none. */
static size_t string_skip(struct slice bytes, size_t i, struct place *place)
{
    for (i++; i < bytes.len && bytes.p[i] != '"'; i++) {
        place_step(place, bytes.p[i]);
        if (bytes.p[i] == '\\' && i + 1 < bytes.len)
            place_step(place, bytes.p[++i]);
    }
    place->column++;
    return i;
}

static int too_deep(const struct place *place, struct api_problem *problem)
{
    return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL,
                           "line %d, column %d: too deep: at most %d objects and arrays may be "
                           "inside each other",
                           place->line, place->column, API_JSON_DEPTH);
}

static int too_many(const struct place *place, struct api_problem *problem)
{
    return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL,
                           "line %d, column %d: too much: at most %d objects, arrays and values "
                           "may be in one body",
                           place->line, place->column, API_JSON_VALUES);
}

/* A value is the whole body, the first of an object or array, or comes after a comma: there are
 * never more than these together. */
int api_json_depth(struct slice bytes, struct api_problem *problem)
{
    struct place place = {1, 0};
    int depth = 0, values = 1;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.p[i];
        bool opens = c == '{' || c == '[';
        place_step(&place, c);
        if (c == '"')
            i = string_skip(bytes, i, &place);
        else if (c == '}' || c == ']')
            depth--;
        else if (opens && ++depth > API_JSON_DEPTH)
            return too_deep(&place, problem);
        else if ((opens || c == ',') && ++values > API_JSON_VALUES)
            return too_many(&place, problem);
    }
    return 0;
}
