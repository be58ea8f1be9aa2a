/* Records as lines: of a zone file, and as commands of nsupdate(1). */
#include "tools/records.h"

#include "tools/tool.h"

#include <errno.h>
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

/* Notes its set in `seen`. Returns 1 where it is the first of it, 0, or -ENOMEM. */
static int set_note(json_t *seen, const json_t *record)
{
    char set[512]; /* a name has 253 octets, a type few */
    snprintf(set, sizeof(set), "%s %s", tool_string(record, "name"),
             is_address(record) ? "A" : tool_string(record, "type"));
    if (json_object_get(seen, set))
        return 0;
    return json_object_set_new(seen, set, json_true()) ? -ENOMEM : 1;
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

int records_print_nsupdate(const json_t *records)
{
    size_t i, count = json_array_size(records);
    json_t *record, *seen = json_object();
    int noted = 0;
    json_array_foreach(records, i, record)
    {
        noted = set_note(seen, record);
        if (noted < 0)
            break;
        if (noted)
            set_delete_print(record);
        add_print(record);
        if ((i + 1) % RECORDS_UPDATE_MAX == 0 || i + 1 == count)
            puts("send");
    }
    json_decref(seen);
    return noted < 0 ? noted : 0;
}
