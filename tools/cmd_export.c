/* junctor export: addresses as JSON Lines or CSV, in the order of the directory. */
#include "tools/progress.h"
#include "tools/rows.h"
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT_VERSION 1

struct export
{
    struct tool *tool;
    FILE *out;
    const char *name; /* of what is written, for people */
    bool is_csv;
    struct progress progress;
    struct progress_state state;
};

static int output_failed(struct export *export)
{
    int reason = errno;
    progress_clear(&export->progress);
    return tool_fail(TOOL_REFUSED, "%s: cannot be written: %s", export->name, strerror(reason));
}

/* ---- one record ---- */

static void cell_write(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        csv_write(out, json_string_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", out);
    else if (json_is_integer(value))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

static void record_write_csv(FILE *out, const json_t *record)
{
    for (const struct rows_field *field = rows_fields; field->name; field++) {
        if (field != rows_fields)
            fputc(',', out);
        cell_write(out, json_object_get(record, field->name));
    }
    fputs("\r\n", out);
}

/* The fields in their order, whatever order and further fields the daemon has. */
static void record_write_json(FILE *out, const json_t *record)
{
    json_t *line = json_object();
    for (const struct rows_field *field = rows_fields; field->name; field++) {
        json_t *value = json_object_get(record, field->name);
        if (value)
            json_object_set(line, field->name, value);
    }
    json_dumpf(line, out, JSON_COMPACT);
    fputc('\n', out);
    json_decref(line);
}

static int page_write(struct export *export, const json_t *records)
{
    bool tombstones = tool_has(export->tool, OPT_TOMBSTONES);
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        if (!tombstones && strcmp(tool_string(record, "state"), "tombstone") == 0)
            continue;
        if (export->is_csv)
            record_write_csv(export->out, record);
        else
            record_write_json(export->out, record);
        export->state.count++;
    }
    progress_show(&export->progress, &export->state);
    return fflush(export->out) || ferror(export->out) ? output_failed(export) : TOOL_DONE;
}

/* ---- the whole ---- */

/* What an importer needs to know of the domain. Its cores are ours: he has his own. */
static int header_write(struct export *export)
{
    static const char *const kept[] = {"name", "unknown", "claims_per_owner", "quarantine_days",
                                       "address_records"};
    struct client_answer answer;
    char *path = tool_path("/v1/domains", export->tool->operands[0]);
    int code = path ? tool_get(export->tool, path, &answer) : TOOL_REFUSED;
    free(path);
    if (code)
        return code;
    json_t *domain = json_object();
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        json_t *value = json_object_get(answer.json, kept[i]);
        if (value)
            json_object_set(domain, kept[i], value);
    }
    json_decref(answer.json);
    json_t *header = json_pack("{s:s, s:i, s:o}", "junctor", "export", "version", EXPORT_VERSION,
                               "domain", domain);
    json_dumpf(header, export->out, JSON_COMPACT);
    fputc('\n', export->out);
    json_decref(header);
    return TOOL_DONE;
}

static void columns_write(FILE *out)
{
    for (const struct rows_field *field = rows_fields; field->name; field++)
        fprintf(out, "%s%s", field == rows_fields ? "" : ",", field->name);
    fputs("\r\n", out);
}

static int pages_write(struct export *export, const char *path)
{
    char *cursor = NULL;
    int code;
    do {
        struct client_answer answer;
        code = tool_page_get(export->tool, path, cursor, &answer);
        free(cursor);
        cursor = NULL;
        if (code)
            break;
        code = page_write(export, json_object_get(answer.json, "addresses"));
        const char *next = tool_page_next(&answer);
        cursor = *next ? strdup(next) : NULL;
        json_decref(answer.json);
        if (!code && tool_is_interrupted())
            code = tool_fail(TOOL_REFUSED, "interrupted");
    } while (cursor && code == TOOL_DONE);
    free(cursor);
    return code;
}

static int export_write(struct export *export)
{
    const struct tool *tool = export->tool;
    int code = TOOL_DONE;
    char *path = strdup("/v1/addresses");
    if (path && tool->operand_count > 0)
        path = tool_path_with(path, "domain", tool->operands[0]);
    if (export->is_csv)
        columns_write(export->out);
    else if (tool->operand_count > 0)
        code = header_write(export);
    if (!code)
        code = path ? pages_write(export, path) : TOOL_REFUSED;
    free(path);
    return code;
}

static void summary_print(struct export *export)
{
    char count[PROGRESS_NUMBER_MAX];
    uint64_t elapsed_ms = progress_elapsed_ms(&export->progress);
    fprintf(stderr, "junctor: %s addresses exported in %" PRIu64 ".%" PRIu64 " s\n",
            progress_number(export->state.count, count), elapsed_ms / 1000, elapsed_ms / 100 % 10);
}

/* ---- where it goes ---- */

/* On disk and under its own name, or not there. */
static int output_finish(struct export *export, const char *temporary, const char *name)
{
    FILE *out = export->out;
    if (fflush(out) || ferror(out) || fsync(fileno(out)) || rename(temporary, name))
        return output_failed(export);
    return TOOL_DONE;
}

static int export_beside(struct export *export, const char *name)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", name) < 0)
        return tool_fail(TOOL_REFUSED, "out of memory");
    int fd = mkostemp(temporary, O_CLOEXEC);
    export->out = fd < 0 ? NULL : fdopen(fd, "w");
    int code = export->out ? TOOL_DONE : output_failed(export);
    if (!code)
        code = export_write(export);
    progress_clear(&export->progress);
    if (!code)
        code = output_finish(export, temporary, name);
    if (code && fd >= 0)
        unlink(temporary);
    if (export->out)
        fclose(export->out);
    free(temporary);
    return code;
}

/* A pipe or a device is no file whose place another one could take. */
static int export_into(struct export *export, const char *name)
{
    export->out = fopen(name, "we");
    if (!export->out)
        return output_failed(export);
    int code = export_write(export);
    progress_clear(&export->progress);
    if (fclose(export->out) && !code)
        code = output_failed(export);
    return code;
}

/* A symbolic link stays one: what it leads to is replaced. */
static int export_to_file(struct export *export, const char *name)
{
    struct stat there, link;
    if (stat(name, &there) == 0 && !S_ISREG(there.st_mode))
        return S_ISDIR(there.st_mode) ? tool_fail(TOOL_REFUSED, "%s: %s", name, strerror(EISDIR))
                                      : export_into(export, name);
    if (lstat(name, &link) || !S_ISLNK(link.st_mode))
        return export_beside(export, name);
    char *real = realpath(name, NULL);
    int code = real ? export_beside(export, real) : output_failed(export);
    free(real);
    return code;
}

int tool_export(struct tool *tool)
{
    const char *name = tool_value(tool, OPT_OUTPUT);
    bool to_file = name && strcmp(name, "-") != 0;
    struct export export = {
        .tool = tool,
        .out = stdout,
        .name = to_file ? name : "standard output",
        .is_csv = rows_format_of(tool_value(tool, OPT_FORMAT), to_file ? name : "") == ROWS_CSV};
    tool_catch_interrupts();
    progress_begin(&export.progress, !to_file && isatty(STDOUT_FILENO), "exporting", 0);
    int code = to_file ? export_to_file(&export, name) : export_write(&export);
    progress_clear(&export.progress);
    if (code == TOOL_DONE)
        summary_print(&export);
    return code;
}
