/* Tables, records and documents on standard output. */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tool_text_print(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

void tool_json_print(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

/* Columns of the text: its UTF-8 characters. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static char *list_join(const json_t *array)
{
    char *text = NULL;
    size_t len = 0, i;
    json_t *item;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    json_array_foreach(array, i, item)
        fprintf(out, "%s%s", i ? " " : "", json_is_string(item) ? json_string_value(item) : "?");
    fclose(out);
    return text;
}

/* A field as a cell of a table; free() it. NULL without memory. */
static char *cell_make(const json_t *record, const char *key)
{
    const json_t *value = json_object_get(record, key);
    char *text = NULL;
    if (json_is_array(value))
        return list_join(value);
    if (json_is_integer(value))
        return asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0 ? NULL
                                                                                       : text;
    return strdup(json_is_string(value) ? json_string_value(value) : "");
}

static void cell_print(const char *text, size_t width)
{
    tool_text_print(text);
    for (size_t used = text_width(text); used < width; used++)
        putchar(' ');
}

void tool_record_print(const json_t *record, const struct tool_column *columns, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++)
        if (text_width(columns[i].title) > width)
            width = text_width(columns[i].title);
    for (size_t i = 0; i < count; i++) {
        char *cell = cell_make(record, columns[i].key);
        cell_print(columns[i].title, width + 2);
        tool_text_print(cell ? cell : "");
        putchar('\n');
        free(cell);
    }
}

/* ---- lists ---- */

/* A list while its pages come in. Widths only grow, so that later pages stay in line with earlier
 * ones as far as can be known. */
struct listing {
    const struct tool_list *list;
    size_t width[TOOL_MAX_COLUMNS];
    bool started; /* something was printed */
};

static void widths_grow(struct listing *listing, const json_t *records)
{
    size_t i;
    json_t *record;
    for (size_t c = 0; c < listing->list->column_count; c++) {
        const struct tool_column *column = &listing->list->columns[c];
        if (text_width(column->title) > listing->width[c])
            listing->width[c] = text_width(column->title);
        json_array_foreach(records, i, record)
        {
            char *cell = cell_make(record, column->key);
            if (cell && text_width(cell) > listing->width[c])
                listing->width[c] = text_width(cell);
            free(cell);
        }
    }
}

static void row_print(const struct listing *listing, const json_t *record)
{
    size_t count = listing->list->column_count;
    for (size_t c = 0; c < count; c++) {
        const struct tool_column *column = &listing->list->columns[c];
        size_t width = c + 1 < count ? listing->width[c] + 2 : 0; /* no spaces at the line's end */
        char *cell = record ? cell_make(record, column->key) : strdup(column->title);
        cell_print(cell ? cell : "", width);
        free(cell);
    }
    putchar('\n');
}

static void page_print(struct listing *listing, const json_t *records)
{
    size_t i;
    json_t *record;
    if (json_array_size(records) == 0)
        return;
    widths_grow(listing, records);
    if (!listing->started)
        row_print(listing, NULL);
    listing->started = true;
    json_array_foreach(records, i, record) row_print(listing, record);
}

static void page_print_json(struct listing *listing, const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        fputs(listing->started ? ",\n" : "\n", stdout);
        json_dumpf(record, stdout, JSON_COMPACT);
        listing->started = true;
    }
}

/* Asks for the page after `cursor` (NULL: the first). */
static int page_get(struct tool *tool, const char *path, const char *cursor,
                    struct client_answer *answer)
{
    char *url = NULL, *escaped = client_escape(cursor ? cursor : "");
    const char *mark = strchr(path, '?') ? "&" : "?";
    int len = escaped ? asprintf(&url, "%s%slimit=%d%s%s", path, mark, TOOL_PAGE,
                                 cursor ? "&cursor=" : "", escaped)
                      : -1;
    free(escaped);
    if (len < 0)
        return tool_fail(TOOL_REFUSED, "out of memory");
    int code = tool_call(tool, &(struct client_request){.method = "GET", .path = url}, answer);
    free(url);
    return code;
}

int tool_list_print(struct tool *tool, const struct tool_list *list)
{
    struct listing listing = {.list = list};
    char *cursor = NULL;
    int code;
    do {
        struct client_answer answer = {.json = NULL};
        code = page_get(tool, list->path, cursor, &answer);
        free(cursor);
        cursor = NULL;
        if (code)
            break;
        const json_t *records = json_object_get(answer.json, list->list);
        if (tool->json && !listing.started)
            printf("{\"%s\": [", list->list);
        if (tool->json)
            page_print_json(&listing, records);
        else
            page_print(&listing, records);
        const char *next = tool_string(answer.json, "next");
        cursor = *next ? strdup(next) : NULL;
        json_decref(answer.json);
    } while (cursor);
    if (tool->json && code == TOOL_DONE)
        puts(listing.started ? "\n]}" : "]}");
    return code;
}
