/* Tables, records and documents on standard output. */
#include "tools/tool.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

char *tool_text_clean(char *text)
{
    for (char *p = text; *p;) {
        size_t len = utf8_printable_len(p);
        if (len == 0)
            *p = '?';
        p += len ? len : 1;
    }
    return text;
}

void tool_text_print(const char *text)
{
    while (*text) {
        size_t len = utf8_printable_len(text);
        if (len)
            fwrite(text, 1, len, stdout);
        else
            putchar('?');
        text += len ? len : 1;
    }
}

void tool_json_print(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
}

void tool_done_print(const struct tool *tool, const char *name, const char *done)
{
    tool_text_print(name);
    printf(" %s%s\n", tool_has(tool, OPT_DRY_RUN) ? "would be " : "", done);
}

void tool_warnings_print(const json_t *record)
{
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(record, "warnings"), i, warning)
        tool_fail(TOOL_DONE, "warning: %s", json_string_value(warning));
}

/* ---- cells ---- */

/* Columns that the character at `p` takes on a terminal; one that is not printed becomes "?". */
static size_t char_width(const char *p, size_t len)
{
    wchar_t c;
    mbstate_t state = {0};
    if (len == 0 || mbrtowc(&c, p, len, &state) != len)
        return 1;
    int width = wcwidth(c);
    return width < 0 ? 1 : (size_t)width;
}

static size_t text_width(const char *text)
{
    size_t width = 0;
    while (*text) {
        size_t len = utf8_printable_len(text);
        width += char_width(text, len);
        text += len ? len : 1;
    }
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
    if (json_is_boolean(value))
        return strdup(json_is_true(value) ? "yes" : "no");
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

/* One line, unless there is nothing to say. */
static void field_print(const struct tool_column *field, const json_t *record, size_t width)
{
    char *cell = cell_make(record, field->key);
    if (cell && *cell) {
        cell_print(field->title, width + 2);
        tool_text_print(cell);
        putchar('\n');
    }
    free(cell);
}

void tool_record_print(const struct tool *tool, const struct tool_resource *resource,
                       const json_t *record)
{
    size_t width = 0;
    if (tool->json) {
        tool_json_print(record);
        return;
    }
    for (const struct tool_column *field = resource->fields; field->title; field++) {
        const json_t *value = json_object_get(record, field->key);
        if (value && !json_is_null(value) && text_width(field->title) > width)
            width = text_width(field->title);
    }
    for (const struct tool_column *field = resource->fields; field->title; field++)
        field_print(field, record, width);
    tool_warnings_print(record);
}

/* ---- tables ---- */

static void widths_grow(struct tool_table *table, const json_t *records)
{
    size_t i;
    json_t *record;
    for (size_t c = 0; c < TOOL_MAX_COLUMNS && table->columns[c].title; c++) {
        const struct tool_column *column = &table->columns[c];
        if (text_width(column->title) > table->width[c])
            table->width[c] = text_width(column->title);
        json_array_foreach(records, i, record)
        {
            char *cell = cell_make(record, column->key);
            if (cell && text_width(cell) > table->width[c])
                table->width[c] = text_width(cell);
            free(cell);
        }
    }
}

/* Spaces come before a cell, as many as the line still needs, so that no line ends in one. */
static void row_print(const struct tool_table *table, const json_t *record)
{
    size_t due = 0;
    for (size_t c = 0; c < TOOL_MAX_COLUMNS && table->columns[c].title; c++) {
        const struct tool_column *column = &table->columns[c];
        char *cell = record ? cell_make(record, column->key) : strdup(column->title);
        if (cell && *cell) {
            printf("%*s", (int)due, "");
            tool_text_print(cell);
            due = 0;
        }
        due += table->width[c] + 2 - (cell ? text_width(cell) : 0);
        free(cell);
    }
    putchar('\n');
}

void tool_table_print(struct tool_table *table, const json_t *records)
{
    size_t i;
    json_t *record;
    if (json_array_size(records) == 0)
        return;
    widths_grow(table, records);
    if (!table->started)
        row_print(table, NULL);
    table->started = true;
    json_array_foreach(records, i, record) row_print(table, record);
}

/* ---- lists ---- */

int tool_page_get(struct tool *tool, const char *path, const char *cursor,
                  struct client_answer *answer)
{
    char limit[16];
    snprintf(limit, sizeof(limit), "%d", TOOL_PAGE);
    char *copy = strdup(path);
    char *url = tool_path_with(copy, "limit", limit);
    if (url && cursor)
        url = tool_path_with(url, "cursor", cursor);
    int code = url ? tool_get(tool, url, answer) : TOOL_REFUSED;
    free(url);
    return code;
}

const char *tool_page_next(const struct client_answer *answer)
{
    return tool_string(answer->json, "next");
}

static void page_print_json(bool *started, const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        fputs(*started ? ",\n" : "\n", stdout);
        json_dumpf(record, stdout, JSON_COMPACT);
        *started = true;
    }
}

int tool_list_print(struct tool *tool, const struct tool_resource *resource, const char *path)
{
    struct tool_table table = {.columns = resource->columns};
    char *cursor = NULL;
    bool started = false, first = true;
    int code;
    do {
        struct client_answer answer = {.json = NULL};
        code = tool_page_get(tool, path, cursor, &answer);
        free(cursor);
        cursor = NULL;
        if (code)
            break;
        const json_t *records = json_object_get(answer.json, resource->list);
        if (tool->json && first)
            printf("{\"%s\": [", resource->list);
        if (tool->json)
            page_print_json(&started, records);
        else
            tool_table_print(&table, records);
        first = false;
        const char *next = tool_page_next(&answer);
        cursor = *next ? strdup(next) : NULL;
        json_decref(answer.json);
    } while (cursor);
    if (tool->json && code == TOOL_DONE)
        puts(started ? "\n]}" : "]}");
    return code;
}
