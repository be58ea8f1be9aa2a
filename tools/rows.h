/* Addresses in a file: JSON Lines or CSV (RFC 4180), read row by row in bounded memory. The file
 * comes from outside: every row is checked on its own, and a bad one does not end the reading.
 *
 * The fields are those that the API takes for a new address, and those that an export also holds:
 * what only a directory says of itself (created, until, auth_until, version) is passed over. In
 * JSON Lines the first line may be an export's header; in CSV the first row names the columns. */
#ifndef JUNCTOR_TOOLS_ROWS_H
#define JUNCTOR_TOOLS_ROWS_H

#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define ROWS_LINE_MAX    65536 /* octets of a row */
#define ROWS_COLUMNS_MAX 32
#define ROWS_FAULT_MAX   512

enum rows_format { ROWS_JSONL, ROWS_CSV };

/* The fields of an address as an export writes them, in its order; a NULL name ends them. */
struct rows_field {
    const char *name;
    json_type type;  /* JSON_STRING (or null), JSON_TRUE (a boolean), JSON_INTEGER */
    bool is_setting; /* of a new address; the others are passed over */
};
extern const struct rows_field rows_fields[];

/* What --format says (NULL: nothing), else what the file's name ends in, in any case. */
enum rows_format rows_format_of(const char *format, const char *name);

/* Where a row begins: enough to read it again. */
struct rows_place {
    long offset;
    uint64_t line; /* from 1 */
};

struct row {
    struct rows_place place;
    struct store_address address; /* canonical */
    struct store_address target;  /* canonical, where is_alias */
    bool is_alias;
    json_t *fields; /* settings that are not null, as the API takes them; owned by the row */
};

struct rows {
    FILE *in; /* can be read again from any place */
    enum rows_format format;
    struct rows_place first; /* row */
    struct rows_place next;
    json_t *header; /* of an export with a domain: the domain; else NULL */
    char text[ROWS_LINE_MAX + 1];
    size_t columns[ROWS_COLUMNS_MAX]; /* CSV: which of rows_fields each is */
    size_t column_count;
};

struct rows_fault {
    uint64_t line;
    char text[ROWS_FAULT_MAX];
};

/* Reads what stands before the first row. `in` is at its start and stays the caller's. Returns 0 or
 * -EINVAL with *fault: then nothing can be read. */
int rows_open(struct rows *rows, FILE *in, enum rows_format format, struct rows_fault *fault);
void rows_close(struct rows *rows);
/* The next row. Returns 1, 0 at the end of the file, -EPROTO with *fault (the row is bad, the next
 * one can be read), or -EIO with *fault. The caller ends a row with row_done. */
int rows_next(struct rows *rows, struct row *row, struct rows_fault *fault);
void row_done(struct row *row);
/* Goes to a row that was read before. Returns 0 or -EIO. */
int rows_seek(struct rows *rows, struct rows_place place);

/* ---- rows_csv.c ---- */

/* Reads one record into rows->text, the fields one after the other, each ended by NUL. An empty
 * line has no field. Returns 1 with their number, 0 at the end of the file, -EPROTO or -EIO. */
int csv_read(struct rows *rows, size_t *count, struct rows_fault *fault);
/* Writes one field, quoted where it must be. */
void csv_write(FILE *out, const char *text);

/* Sets *fault about the line. Returns -EPROTO. */
int rows_refuse(struct rows_fault *fault, uint64_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
