/* /v1/cursors: who reads the journal, and how far. They are made by their readers; here they are
 * seen, and taken away from a reader that does not come back. */
#include "api/records.h"

#include "base/chars.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

static int cursor_parse(struct slice text, char *key, struct store_fault *fault)
{
    bool ok = text.len > 0 && text.len <= STORE_CURSOR_NAME_MAX;
    for (size_t i = 0; ok && i < text.len; i++)
        ok = char_is_alnum(text.p[i]) || memchr("-_.", text.p[i], 3);
    if (ok)
        return slice_to_cstr(text, key, STORE_CURSOR_NAME_MAX + 1);
    snprintf(fault->text, sizeof(fault->text),
             "a cursor's name is 1 to %d letters, digits and - _ .", STORE_CURSOR_NAME_MAX);
    return STATUS_MALFORMED;
}

static int cursor_get(struct store_reader *reader, const char *key, void *record)
{
    return store_cursor_get(reader, key, record);
}

/* There are few: the directory gives all of them. */
struct cursor_walk {
    const char *after;
    struct api_page *page;
};

static bool cursor_each(const struct store_cursor *cursor, void *arg)
{
    const struct cursor_walk *walk = arg;
    if (walk->after && strcmp(cursor->name, walk->after) <= 0)
        return true;
    return api_page_add(walk->page, cursor);
}

static int cursor_list(struct store_reader *reader, const char *after, struct api_page *page)
{
    struct cursor_walk walk = {.after = after, .page = page};
    return store_cursor_list(reader, cursor_each, &walk);
}

static json_t *cursor_encode(struct api_call *call, const void *record)
{
    (void)call;
    return api_cursor_encode(record);
}

const struct api_kind api_kind_cursor = {
    .plural = "cursors",
    .parameter = "name",
    .version_at = offsetof(struct store_cursor, sequence),
    .del = STORE_CURSOR_DEL,
    .parse = cursor_parse,
    .key = api_key_first,
    .get = cursor_get,
    .list = cursor_list,
    .encode = cursor_encode,
};
