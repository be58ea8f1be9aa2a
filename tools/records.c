/* Records as lines: of a zone file, and as commands of nsupdate(1). */
#include "tools/records.h"

#include "tools/tool.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int64_t ttl_of(const json_t *record)
{
    return (int64_t)json_integer_value(json_object_get(record, "ttl"));
}

/* They come from a daemon: what would steer a terminal, or begin a new line, is no record. */
static void part_print(const json_t *record, const char *key)
{
    tool_text_print(tool_string(record, key));
}

void records_print_zone(const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        part_print(record, "name");
        printf(". %" PRId64 " IN ", ttl_of(record));
        part_print(record, "type");
        putchar(' ');
        part_print(record, "data");
        putchar('\n');
    }
}

/* ---- nsupdate ---- */

static bool is_address(const json_t *record)
{
    const char *type = tool_string(record, "type");
    return strcmp(type, "A") == 0 || strcmp(type, "AAAA") == 0;
}

static bool is_one_set(const json_t *a, const json_t *b)
{
    if (strcmp(tool_string(a, "name"), tool_string(b, "name")) != 0)
        return false;
    return strcmp(tool_string(a, "type"), tool_string(b, "type")) == 0 ||
           (is_address(a) && is_address(b));
}

static bool is_first_of_set(const json_t *records, size_t index)
{
    const json_t *record = json_array_get(records, index);
    for (size_t i = 0; i < index; i++)
        if (is_one_set(json_array_get(records, i), record))
            return false;
    return true;
}

static void delete_print(const json_t *record, const char *type)
{
    fputs("update delete ", stdout);
    part_print(record, "name");
    fputs(". ", stdout);
    tool_text_print(type);
    putchar('\n');
}

/* An AAAA record is taken away, too, where there is only an A now. */
static void set_delete_print(const json_t *record)
{
    if (!is_address(record)) {
        delete_print(record, tool_string(record, "type"));
        return;
    }
    delete_print(record, "A");
    delete_print(record, "AAAA");
}

static void add_print(const json_t *record)
{
    fputs("update add ", stdout);
    part_print(record, "name");
    printf(". %" PRId64 " ", ttl_of(record));
    part_print(record, "type");
    putchar(' ');
    part_print(record, "data");
    putchar('\n');
}

void records_print_nsupdate(const json_t *records)
{
    size_t i, count = json_array_size(records);
    json_t *record;
    json_array_foreach(records, i, record)
    {
        if (is_first_of_set(records, i))
            set_delete_print(record);
        add_print(record);
        if ((i + 1) % RECORDS_UPDATE_MAX == 0 || i + 1 == count)
            puts("send");
    }
}
