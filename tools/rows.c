#include "tools/rows.h"

#include "base/slice.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#define BOM           "\xef\xbb\xbf" /* what some programs write before the first octet */
#define EXPORT_KEY    "junctor"
#define EXPORT_FORMAT 1

const struct rows_field rows_fields[] = {
    {"address", JSON_STRING, true},     {"state", JSON_STRING, true},
    {"blocked", JSON_TRUE, true},       {"locked", JSON_TRUE, true},
    {"published", JSON_TRUE, true},     {"hosting", JSON_STRING, true},
    {"owner", JSON_STRING, true},       {"target", JSON_STRING, true},
    {"display", JSON_STRING, false},    {"notify", JSON_STRING, true},
    {"created", JSON_STRING, false},    {"until", JSON_STRING, false},
    {"auth_until", JSON_STRING, false}, {"version", JSON_INTEGER, false},
    {NULL, JSON_NULL, false},
};

enum rows_format rows_format_of(const char *format, const char *name)
{
    size_t len = strlen(name);
    bool is_csv =
        format ? strcmp(format, "csv") == 0 : len > 4 && strcasecmp(name + len - 4, ".csv") == 0;
    return is_csv ? ROWS_CSV : ROWS_JSONL;
}

int rows_refuse(struct rows_fault *fault, uint64_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fault->line = line;
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
    return -EPROTO;
}

static size_t field_find(const char *name)
{
    size_t i = 0;
    while (rows_fields[i].name && strcmp(rows_fields[i].name, name) != 0)
        i++;
    return i;
}

/* Why a column has no such name. */
static int column_refuse(const char *name, struct rows_fault *fault)
{
    size_t i = 0;
    while (rows_fields[i].name && strcasecmp(rows_fields[i].name, name) != 0)
        i++;
    if (rows_fields[i].name)
        rows_refuse(fault, 1, "%.64s: there is no such column; write it %s", name,
                    rows_fields[i].name);
    else if (strpbrk(name, ";\t"))
        rows_refuse(fault, 1, "%.64s: there is no such column; columns are separated by commas",
                    name);
    else
        rows_refuse(fault, 1, "%.64s: there is no such column", name);
    return -EINVAL;
}

/* ---- lines of JSON ---- */

/* Reads a line into rows->text. Returns 1 with its length, 0 at the end of the file, -EPROTO or
 * -EIO. */
static int line_read(struct rows *rows, size_t *len, struct rows_fault *fault)
{
    uint64_t line = rows->next.line;
    size_t used = 0;
    int c;
    while ((c = getc_unlocked(rows->in)) != EOF && c != '\n') {
        if (used < ROWS_LINE_MAX)
            rows->text[used] = (char)c;
        used++;
    }
    if (c == EOF && ferror(rows->in)) {
        rows_refuse(fault, line, "cannot be read: %s", strerror(errno));
        return -EIO;
    }
    rows->next.offset += (long)used + (c == '\n');
    rows->next.line += c == '\n';
    if (c == EOF && used == 0)
        return 0;
    if (used > ROWS_LINE_MAX)
        return rows_refuse(fault, line, "the line is longer than %d octets", ROWS_LINE_MAX);
    rows->text[used] = '\0';
    *len = used;
    return 1;
}

static int json_read(struct slice text, uint64_t line, json_t **object, struct rows_fault *fault)
{
    json_error_t error;
    if (memchr(text.p, '\0', text.len))
        return rows_refuse(fault, line, "contains a NUL octet");
    json_t *json = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json && json_error_code(&error) == json_error_null_character)
        return rows_refuse(fault, line, "contains a NUL character");
    if (!json)
        return rows_refuse(fault, line, "is not JSON: %s, at column %d", error.text, error.column);
    if (!json_is_object(json)) {
        json_decref(json);
        return rows_refuse(fault, line, "is not a JSON object");
    }
    *object = json;
    return 0;
}

/* ---- rows of CSV ---- */

static int cell_set(json_t *object, const struct rows_field *field, const char *text, uint64_t line,
                    struct rows_fault *fault)
{
    json_t *value;
    if (*text == '\0')
        return 0;
    if (field->type == JSON_TRUE && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return rows_refuse(fault, line, "%s: is \"%.64s\"; it must be true or false", field->name,
                           text);
    if (!field->is_setting && strcmp(field->name, "display") != 0)
        return 0;
    if (field->type == JSON_TRUE)
        value = json_boolean(*text == 't');
    else
        value = json_string(text);
    if (json_object_set_new(object, field->name, value))
        return rows_refuse(fault, line, "%s: is not UTF-8", field->name);
    return 0;
}

static int record_read(struct rows *rows, size_t count, uint64_t line, json_t **object,
                       struct rows_fault *fault)
{
    if (count != rows->column_count)
        return rows_refuse(fault, line, "has %zu fields, but the first row names %zu columns",
                           count, rows->column_count);
    json_t *json = json_object();
    const char *text = rows->text;
    for (size_t i = 0; i < count; i++) {
        if (cell_set(json, &rows_fields[rows->columns[i]], text, line, fault)) {
            json_decref(json);
            return -EPROTO;
        }
        text += strlen(text) + 1;
    }
    *object = json;
    return 0;
}

static int columns_read(struct rows *rows, struct rows_fault *fault)
{
    size_t count;
    uint64_t seen = 0;
    int status = csv_read(rows, &count, fault);
    if (status <= 0 || count == 0)
        return status < 0 ? -EINVAL
                          : (rows_refuse(fault, 1, "the first row must name the columns"), -EINVAL);
    const char *name = rows->text;
    for (size_t i = 0; i < count; i++, name += strlen(name) + 1) {
        size_t field = field_find(name);
        if (!rows_fields[field].name)
            return column_refuse(name, fault);
        if (seen & UINT64_C(1) << field) {
            rows_refuse(fault, 1, "%.64s: names two columns", name);
            return -EINVAL;
        }
        seen |= UINT64_C(1) << field;
        rows->columns[i] = field;
    }
    rows->column_count = count;
    if (seen & 1)
        return 0;
    rows_refuse(fault, 1, "there must be a column address");
    return -EINVAL;
}

/* ---- what a row says ---- */

static int field_check(const char *name, const json_t *value, uint64_t line,
                       struct rows_fault *fault)
{
    const struct rows_field *field = &rows_fields[field_find(name)];
    if (!field->name)
        return rows_refuse(fault, line, "%.64s: there is no such field here", name);
    if (field->type == JSON_TRUE && !json_is_boolean(value))
        return rows_refuse(fault, line, "%s: must be true or false", name);
    if (field->type == JSON_STRING && !json_is_string(value) && !json_is_null(value))
        return rows_refuse(fault, line, "%s: must be a string or null", name);
    if (field->type == JSON_INTEGER && !json_is_integer(value))
        return rows_refuse(fault, line, "%s: must be a whole number", name);
    return 0;
}

/* Keeps what a new address takes: null says nothing, and the rest is the directory's. */
static json_t *settings_keep(const json_t *object)
{
    json_t *kept = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)object, name, value)
    {
        if (rows_fields[field_find(name)].is_setting && !json_is_null(value))
            json_object_set(kept, name, value);
    }
    return kept;
}

static int address_parse(const json_t *value, const char *name, struct store_address *address,
                         uint64_t line, struct rows_fault *fault)
{
    struct store_fault why;
    struct slice text = slice_make(json_string_value(value), json_string_length(value));
    if (store_address_parse(text, address, &why))
        return rows_refuse(fault, line, "%s: %.200s: %s", name, json_string_value(value), why.text);
    return 0;
}

/* What its owner typed comes with it, where it is still the same address. */
static void display_take(const json_t *object, struct row *row)
{
    json_t *display = json_object_get(object, "display");
    struct store_address shown;
    struct slice text = slice_make(json_string_value(display), json_string_length(display));
    if (json_is_string(display) && store_address_parse(text, &shown, NULL) == 0 &&
        strcmp(shown.user, row->address.user) == 0 &&
        strcmp(shown.domain, row->address.domain) == 0)
        json_object_set(row->fields, "address", display);
}

static int row_make(const json_t *object, struct row *row, struct rows_fault *fault)
{
    const char *name;
    json_t *value;
    uint64_t line = row->place.line;
    json_object_foreach((json_t *)object, name, value)
    {
        if (field_check(name, value, line, fault))
            return -EPROTO;
    }
    if (!json_is_string(json_object_get(object, "address")))
        return rows_refuse(fault, line, "address: there is none");
    if (address_parse(json_object_get(object, "address"), "address", &row->address, line, fault))
        return -EPROTO;
    json_t *target = json_object_get(object, "target");
    row->is_alias = json_is_string(target);
    if (row->is_alias && address_parse(target, "target", &row->target, line, fault))
        return -EPROTO;
    row->fields = settings_keep(object);
    display_take(object, row);
    return 0;
}

/* ---- the file ---- */

static bool is_header(const json_t *object)
{
    return json_is_string(json_object_get(object, EXPORT_KEY));
}

static int header_take(struct rows *rows, const json_t *object, struct rows_fault *fault)
{
    json_t *domain = json_object_get(object, "domain");
    const char *kind = json_string_value(json_object_get(object, EXPORT_KEY));
    if (strcmp(kind, "export") != 0 ||
        json_integer_value(json_object_get(object, "version")) != EXPORT_FORMAT) {
        rows_refuse(fault, 1, "is not the header of an export that this program can read");
        return -EINVAL;
    }
    if (domain && !json_is_string(json_object_get(domain, "name"))) {
        rows_refuse(fault, 1, "domain: has no name");
        return -EINVAL;
    }
    rows->header = json_incref(domain);
    return 0;
}

/* The first line, if it is a header; else it is a row and is read again as one. */
static int header_read(struct rows *rows, struct rows_fault *fault)
{
    struct rows_place start = rows->next;
    size_t len;
    json_t *object;
    int status = line_read(rows, &len, fault);
    if (status == -EIO)
        return -EINVAL;
    if (status == 1 && json_read(slice_make(rows->text, len), 1, &object, fault) == 0) {
        bool found = is_header(object);
        status = found ? header_take(rows, object, fault) : 0;
        json_decref(object);
        if (found)
            return status;
    }
    return rows_seek(rows, start) ? -EINVAL : 0;
}

int rows_open(struct rows *rows, FILE *in, enum rows_format format, struct rows_fault *fault)
{
    char bom[sizeof(BOM) - 1];
    rows->in = in;
    rows->format = format;
    rows->header = NULL;
    rows->column_count = 0;
    size_t got = fread(bom, 1, sizeof(bom), in);
    bool marked = got == sizeof(bom) && memcmp(bom, BOM, sizeof(bom)) == 0;
    if (rows_seek(rows, (struct rows_place){marked ? (long)sizeof(bom) : 0, 1})) {
        rows_refuse(fault, 1, "cannot be read: %s", strerror(errno));
        return -EINVAL;
    }
    int status = format == ROWS_CSV ? columns_read(rows, fault) : header_read(rows, fault);
    rows->first = rows->next;
    return status;
}

void rows_close(struct rows *rows)
{
    json_decref(rows->header);
    rows->header = NULL;
}

int rows_seek(struct rows *rows, struct rows_place place)
{
    clearerr(rows->in);
    if (fseek(rows->in, place.offset, SEEK_SET))
        return -EIO;
    rows->next = place;
    return 0;
}

/* The next object. Returns as rows_next. */
static int object_read(struct rows *rows, json_t **object, struct rows_fault *fault)
{
    uint64_t line = rows->next.line;
    size_t count;
    bool is_csv = rows->format == ROWS_CSV;
    int status = is_csv ? csv_read(rows, &count, fault) : line_read(rows, &count, fault);
    if (status <= 0)
        return status;
    *object = NULL;
    if (count == 0 || (!is_csv && slice_trim(slice_make(rows->text, count)).len == 0))
        return 1; /* an empty line */
    status = is_csv ? record_read(rows, count, line, object, fault)
                    : json_read(slice_make(rows->text, count), line, object, fault);
    return status ? status : 1;
}

int rows_next(struct rows *rows, struct row *row, struct rows_fault *fault)
{
    json_t *object;
    int status;
    do {
        *row = (struct row){.place = rows->next};
        status = object_read(rows, &object, fault);
    } while (status == 1 && !object);
    if (status <= 0)
        return status;
    status = row_make(object, row, fault);
    json_decref(object);
    return status ? status : 1;
}

void row_done(struct row *row)
{
    json_decref(row->fields);
    row->fields = NULL;
}
