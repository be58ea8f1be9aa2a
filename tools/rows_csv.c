/* CSV as RFC 4180 has it; lines may also end in LF alone. */
#include "tools/rows.h"

#include <errno.h>
#include <string.h>

enum csv_state {
    FIELD_START, /* at the first octet of a field */
    PLAIN,       /* inside a field without quotes */
    QUOTED,      /* inside quotes */
    QUOTE,       /* after a quote inside quotes: the end of the field, or the first of two */
    CARRIAGE     /* after CR: LF must come */
};

struct csv {
    struct rows *rows;
    struct rows_fault *fault;
    uint64_t line; /* where the record began */
    enum csv_state state;
    size_t len, count;
    bool empty; /* nothing was read of this record */
};

static int octet(struct rows *rows)
{
    int c = getc_unlocked(rows->in);
    if (c != EOF)
        rows->next.offset++;
    if (c == '\n')
        rows->next.line++;
    return c;
}

/* What follows a bad place is of no use: the next record begins on the next line. */
static int csv_refuse(struct csv *csv, const char *reason, bool at_end)
{
    rows_refuse(csv->fault, csv->line, "%s", reason);
    for (int c = at_end ? '\n' : 0; c != '\n' && c != EOF;)
        c = octet(csv->rows);
    return -EPROTO;
}

static int csv_put(struct csv *csv, char c)
{
    if (csv->len == ROWS_LINE_MAX)
        return csv_refuse(csv, "the row is longer than 65536 octets", c == '\n');
    csv->rows->text[csv->len++] = c;
    return 0;
}

static int field_end(struct csv *csv)
{
    if (csv->count == ROWS_COLUMNS_MAX)
        return csv_refuse(csv, "the row has more than 32 fields", false);
    csv->count++;
    csv->state = FIELD_START;
    return csv_put(csv, '\0');
}

/* Takes one octet. Returns 1 at the end of the record, 0 or -EPROTO. */
static int csv_take(struct csv *csv, int c)
{
    if (c == '\0')
        return csv_refuse(csv, "contains a NUL octet", false);
    if (csv->state == QUOTED && c != '"')
        return csv_put(csv, (char)c);
    if (csv->state == QUOTED) {
        csv->state = QUOTE;
        return 0;
    }
    if (csv->state == CARRIAGE && c != '\n')
        return csv_refuse(csv, "a carriage return stands inside a line", false);
    if (c == '\n') {
        int status = csv->empty ? 0 : field_end(csv);
        return status ? status : 1;
    }
    csv->empty = csv->empty && c == '\r';
    if (c == '\r') {
        csv->state = CARRIAGE;
        return 0;
    }
    if (c == ',')
        return field_end(csv);
    if (c == '"' && csv->state == PLAIN)
        return csv_refuse(csv, "a quote stands inside a field that is not quoted", false);
    if (csv->state == QUOTE && c != '"')
        return csv_refuse(csv, "after the closing quote of a field a comma must come", false);
    if (c == '"' && csv->state == FIELD_START) {
        csv->state = QUOTED;
        return 0;
    }
    csv->state = csv->state == QUOTE ? QUOTED : PLAIN;
    return csv_put(csv, (char)c);
}

int csv_read(struct rows *rows, size_t *count, struct rows_fault *fault)
{
    struct csv csv = {.rows = rows, .fault = fault, .line = rows->next.line, .empty = true};
    int status = 0;
    while (status == 0) {
        int c = octet(rows);
        if (c == EOF && ferror(rows->in)) {
            rows_refuse(fault, csv.line, "cannot be read: %s", strerror(errno));
            return -EIO;
        }
        if (c == EOF && csv.state == QUOTED)
            return csv_refuse(&csv, "the quote that begins a field is never closed", true);
        if (c == EOF && csv.empty)
            return 0;
        status = csv_take(&csv, c == EOF ? '\n' : c);
    }
    *count = csv.count;
    return status;
}

void csv_write(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n") && *text != ' ' && *text != '\t') {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}
