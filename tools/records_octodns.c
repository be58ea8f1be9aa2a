/* Records as YAML for octoDNS: a mapping of names below the domain, in order, to what they have. */
#include "tools/records.h"

#include "tools/tool.h"

#include "base/chars.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 8 /* words of a record's data */

/* One allocation: name, type and data follow each other, each terminated. */
struct item {
    int64_t ttl;
    const char *type, *data;
    char name[];
};

struct records_octodns {
    const char *domain;
    struct item **items;
    size_t count, size;
};

struct records_octodns *records_octodns_alloc(const char *domain)
{
    struct records_octodns *octodns = calloc(1, sizeof(*octodns));
    if (octodns)
        octodns->domain = domain;
    return octodns;
}

struct records_octodns *records_octodns_free(struct records_octodns *octodns)
{
    if (!octodns)
        return NULL;
    for (size_t i = 0; i < octodns->count; i++)
        free(octodns->items[i]);
    free(octodns->items);
    free(octodns);
    return NULL;
}

/* ---- collecting ---- */

/* Octets of `name` without the domain at its end. */
static size_t relative_len(const char *name, const char *domain)
{
    size_t len = strlen(name), domain_len = strlen(domain);
    if (len < domain_len || strcmp(name + len - domain_len, domain) != 0)
        return len;
    len -= domain_len;
    return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

static struct item *item_make(const char *domain, const json_t *record)
{
    const char *name = tool_string(record, "name"), *type = tool_string(record, "type");
    const char *data = tool_string(record, "data");
    size_t name_len = relative_len(name, domain), type_size = strlen(type) + 1;
    size_t data_size = strlen(data) + 1;
    struct item *item = malloc(sizeof(*item) + name_len + 1 + type_size + data_size);
    if (!item)
        return NULL;
    memcpy(item->name, name, name_len);
    item->name[name_len] = '\0';
    item->type = memcpy(item->name + name_len + 1, type, type_size);
    item->data = memcpy(item->name + name_len + 1 + type_size, data, data_size);
    item->ttl = (int64_t)json_integer_value(json_object_get(record, "ttl"));
    return item;
}

static int items_grow(struct records_octodns *octodns)
{
    if (octodns->count < octodns->size)
        return 0;
    size_t size = octodns->size ? 2 * octodns->size : 1024;
    struct item **items = realloc(octodns->items, size * sizeof(struct item *));
    if (!items)
        return -ENOMEM;
    octodns->items = items;
    octodns->size = size;
    return 0;
}

int records_octodns_add(struct records_octodns *octodns, const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        struct item *item = items_grow(octodns) ? NULL : item_make(octodns->domain, record);
        if (!item)
            return -ENOMEM;
        octodns->items[octodns->count++] = item;
    }
    return 0;
}

/* ---- order ---- */

static size_t digits_len(const char *text)
{
    size_t len = 0;
    while (char_is_digit(text[len]))
        len++;
    return len;
}

static size_t other_len(const char *text)
{
    size_t len = 0;
    while (text[len] && !char_is_digit(text[len]))
        len++;
    return len;
}

static int bytes_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int digits_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    for (; a_len > 0 && *a == '0'; a_len--)
        a++;
    for (; b_len > 0 && *b == '0'; b_len--)
        b++;
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

int records_natural_compare(const char *a, const char *b)
{
    const char *a_all = a, *b_all = b;
    while (*a || *b) {
        size_t a_len = other_len(a), b_len = other_len(b);
        int order = bytes_compare(a, a_len, b, b_len);
        if (order)
            return order;
        a += a_len;
        b += b_len;
        a_len = digits_len(a);
        b_len = digits_len(b);
        if (a_len == 0 || b_len == 0)
            order = (a_len > 0) - (b_len > 0);
        else
            order = digits_compare(a, a_len, b, b_len);
        if (order)
            return order;
        a += a_len;
        b += b_len;
    }
    return strcmp(a_all, b_all); /* they differ in leading zeros at most */
}

static int item_compare(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
    int order = records_natural_compare(x->name, y->name);
    if (order == 0)
        order = strcmp(x->type, y->type);
    return order ? order : strcmp(x->data, y->data);
}

/* ---- YAML ---- */

/* The words of a record's data without their quotes; no text of ours has a space in it. Returns how
 * many there are. `copy` is cut into pieces. */
static size_t data_split(char *copy, char *parts[PARTS_MAX])
{
    size_t count = 0;
    for (char *word = copy; word && count < PARTS_MAX;) {
        char *space = strchr(word, ' ');
        if (space)
            *space = '\0';
        size_t len = strlen(word);
        if (len >= 2 && word[0] == '"' && word[len - 1] == '"') {
            word[len - 1] = '\0';
            word++;
        }
        parts[count++] = word;
        word = space ? space + 1 : NULL;
    }
    return count;
}

/* How octoDNS calls the words of a type's data, in alphabetical order, and where they stand there.
 * A type with one word only has no names. */
static const struct {
    const char *type;
    struct {
        const char *key;
        unsigned at;
        bool is_text;
    } fields[6];
} shapes[] = {
    {"NAPTR",
     {{"flags", 2, true},
      {"order", 0, false},
      {"preference", 1, false},
      {"regexp", 4, true},
      {"replacement", 5, true},
      {"service", 3, true}}},
    {"SRV",
     {{"port", 2, false}, {"priority", 0, false}, {"target", 3, true}, {"weight", 1, false}}},
    {"TLSA",
     {{"certificate_association_data", 3, true},
      {"certificate_usage", 0, false},
      {"matching_type", 2, false},
      {"selector", 1, false}}},
};
#define SHAPE_COUNT  (sizeof(shapes) / sizeof(shapes[0]))
#define SHAPE_FIELDS (sizeof(shapes[0].fields) / sizeof(shapes[0].fields[0]))

/* In single quotes, in which only these themselves mean something. */
static void quoted_print(const char *text)
{
    putchar('\'');
    for (; *text; text++)
        printf(*text == '\'' ? "''" : "%c", *text);
    putchar('\'');
}

static void fields_print(size_t shape, char *const parts[PARTS_MAX], size_t count)
{
    const char *before = "    - ";
    for (size_t i = 0; i < SHAPE_FIELDS && shapes[shape].fields[i].key; i++) {
        unsigned at = shapes[shape].fields[i].at;
        printf("%s%s: ", before, shapes[shape].fields[i].key);
        if (shapes[shape].fields[i].is_text)
            quoted_print(at < count ? parts[at] : "");
        else
            fputs(at < count ? parts[at] : "0", stdout);
        putchar('\n');
        before = "      ";
    }
}

static void value_print(const struct item *item)
{
    char copy[1024];
    char *parts[PARTS_MAX];
    snprintf(copy, sizeof(copy), "%s", item->data);
    tool_text_clean(copy);
    size_t count = data_split(copy, parts), shape = 0;
    while (shape < SHAPE_COUNT && strcmp(shapes[shape].type, item->type) != 0)
        shape++;
    if (shape < SHAPE_COUNT) {
        fields_print(shape, parts, count);
        return;
    }
    fputs("    - ", stdout);
    quoted_print(parts[0]);
    putchar('\n');
}

/* NAPTR without flags, as those of addresses are: RFC 3403 section 4.1 allows that, octoDNS only
 * where it is told to be lenient. */
static bool has_no_flags(const struct item *item)
{
    char copy[1024];
    char *parts[PARTS_MAX];
    if (strcmp(item->type, "NAPTR") != 0)
        return false;
    snprintf(copy, sizeof(copy), "%s", item->data);
    return data_split(copy, parts) > 2 && parts[2][0] == '\0';
}

/* Those of one name and type. */
static void set_print(struct item *const *items, size_t count)
{
    bool is_lenient = false;
    for (size_t i = 0; i < count; i++)
        is_lenient = is_lenient || has_no_flags(items[i]);
    fputs(is_lenient ? "  - octodns:\n      lenient: true\n    " : "  - ", stdout);
    printf("ttl: %" PRId64 "\n    type: %s\n    values:\n", items[0]->ttl, items[0]->type);
    for (size_t i = 0; i < count; i++)
        value_print(items[i]);
}

void records_octodns_print(struct records_octodns *octodns)
{
    struct item **items = octodns->items;
    if (octodns->count)
        qsort(items, octodns->count, sizeof(struct item *), item_compare);
    puts(octodns->count ? "---" : "--- {}");
    for (size_t i = 0, end; i < octodns->count; i = end) {
        if (i == 0 || strcmp(items[i]->name, items[i - 1]->name) != 0) {
            quoted_print(items[i]->name);
            puts(":");
        }
        end = i + 1;
        while (end < octodns->count && strcmp(items[end]->name, items[i]->name) == 0 &&
               strcmp(items[end]->type, items[i]->type) == 0)
            end++;
        set_print(items + i, end - i);
    }
}
