/* junctor import: reading, checking, and what is said about it. */
#include "tools/import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is said ---- */

/* Keeps it where it is one of the first lines. */
static void shown_add(struct import *import, uint64_t line, const char *detail)
{
    size_t at = import->shown_count;
    if (at == IMPORT_FAULTS_SHOWN && import->shown[at - 1].line <= line)
        return;
    char *copy = strdup(detail);
    if (!copy)
        return;
    if (at == IMPORT_FAULTS_SHOWN)
        free(import->shown[--at].detail);
    import->shown_count = at + 1;
    for (; at > 0 && import->shown[at - 1].line > line; at--)
        import->shown[at] = import->shown[at - 1];
    import->shown[at] = (struct import_refusal){line, copy};
}

void import_refuse(struct import *import, uint64_t line, const char *type, const char *detail)
{
    import->refused++;
    import->state.refused = import->refused;
    if (import->tool->json) {
        json_array_append_new(
            import->refusals,
            json_pack("{s:I, s:s, s:s}", "line", (json_int_t)line, "type", type, "detail", detail));
        return;
    }
    shown_add(import, line, detail);
}

void import_refusals_say(struct import *import)
{
    progress_clear(&import->progress);
    for (size_t i = 0; i < import->shown_count; i++) {
        tool_fail(TOOL_REFUSED, "line %" PRIu64 ": %s", import->shown[i].line,
                  import->shown[i].detail);
        free(import->shown[i].detail);
    }
    import->said_count += import->shown_count;
    import->shown_count = 0;
}

void import_refuse_row(struct import *import, const struct row *row, const char *type,
                       const char *detail)
{
    struct seen_entry *entry = seen_find(&import->seen, &row->address);
    if (entry)
        entry->refused = 1;
    import_refuse(import, row->place.line, type, detail);
}

void import_phase(struct import *import, const char *what)
{
    progress_clear(&import->progress);
    progress_begin(&import->progress, false, what, import->count);
    import->state = (struct progress_state){.refused = import->refused};
}

void import_step(struct import *import)
{
    import->state.at++;
    import->state.count++;
    progress_show(&import->progress, &import->state);
}

/* One row more of the file is read. */
static void read_step(struct import *import)
{
    import->state.at = (uint64_t)import->rows.next.offset;
    import->state.count++;
    progress_show(&import->progress, &import->state);
}

/* One bad row spoils all, unless --keep-going. */
static uint64_t added_count(const struct import *import)
{
    bool spoiled = import->dry_run && !import->keep_going && import->refused > 0;
    return spoiled ? 0 : import->added;
}

static int lines_compare(const void *a, const void *b)
{
    json_int_t first = json_integer_value(json_object_get(*(json_t *const *)a, "line"));
    json_int_t second = json_integer_value(json_object_get(*(json_t *const *)b, "line"));
    return (first > second) - (first < second);
}

/* In the order of the file; without memory as they came. */
static void refusals_sort(json_t *refusals)
{
    size_t count = json_array_size(refusals);
    json_t **sorted = calloc(count ? count : 1, sizeof(json_t *));
    if (!sorted)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_incref(json_array_get(refusals, i));
    qsort(sorted, count, sizeof(json_t *), lines_compare);
    for (size_t i = 0; i < count; i++)
        json_array_set_new(refusals, i, sorted[i]);
    free(sorted);
}

static void summary_print_json(const struct import *import)
{
    refusals_sort(import->refusals);
    json_t *summary = json_pack("{s:b, s:I, s:b, s:O}", "dry_run", import->dry_run, "added",
                                (json_int_t)added_count(import), "undone", import->undone,
                                "refused", import->refusals);
    tool_json_print(summary);
    json_decref(summary);
}

/* An import of all or none that could be neither. */
static bool has_leftovers(const struct import *import, int code)
{
    return code != TOOL_DONE && !import->keep_going && !import->dry_run && import->added > 0;
}

static void summary_print(const struct import *import, int code, uint64_t elapsed_ms)
{
    char added[PROGRESS_NUMBER_MAX], rate[PROGRESS_NUMBER_MAX], refused[PROGRESS_NUMBER_MAX];
    const char *would = import->dry_run ? "would be " : "";
    uint64_t count = added_count(import);
    progress_number(count, added);
    progress_number(count * 1000 / (elapsed_ms ? elapsed_ms : 1), rate);
    progress_number(import->refused, refused);
    if (import->refused > IMPORT_FAULTS_SHOWN)
        fprintf(stderr, "junctor: and %" PRIu64 " more\n", import->refused - import->said_count);
    if (has_leftovers(import, code))
        fprintf(stderr,
                "junctor: the import failed, and %s addresses are left behind: they could not be "
                "taken back\n",
                added);
    else if (count == 0 && import->refused > 0)
        fprintf(stderr, "junctor: nothing %simported: %s refused\n",
                import->dry_run ? would : "was ", refused);
    else
        fprintf(stderr,
                "junctor: %s addresses %simported in %" PRIu64 ".%" PRIu64
                " s (%s/s), %s refused\n",
                added, would, elapsed_ms / 1000, elapsed_ms / 100 % 10, rate, refused);
}

/* ---- passes ---- */

static int read_failed(struct import *import, const struct rows_fault *fault)
{
    progress_clear(&import->progress);
    return tool_fail(TOOL_REFUSED, "line %" PRIu64 ": %s", fault->line, fault->text);
}

static int interrupted(struct import *import)
{
    progress_clear(&import->progress);
    return tool_fail(TOOL_REFUSED, "interrupted");
}

/* Is the row one of this level, and the first of its address in this pass? */
static bool row_is_due(struct import *import, const struct row *row, unsigned level)
{
    struct seen_entry *entry = seen_find(&import->seen, &row->address);
    if (!entry || entry->refused || entry->level != level || entry->turn == import->turn)
        return false;
    entry->turn = import->turn & 0x3f;
    return true;
}

int import_walk(struct import *import, unsigned level, import_row_h *each, void *arg)
{
    struct rows_fault fault;
    struct row row;
    int status, code = TOOL_DONE;
    import->turn++;
    while (code == TOOL_DONE && (status = rows_next(&import->rows, &row, &fault)) != 0) {
        if (status == -EIO)
            return read_failed(import, &fault);
        if (status == 1 && row_is_due(import, &row, level))
            code = each(import, &row, arg);
        row_done(&row);
        if (import->by_octets)
            read_step(import);
        if (code == TOOL_DONE && tool_is_interrupted())
            code = interrupted(import);
    }
    return code;
}

/* ---- the first pass ---- */

static void row_scan(struct import *import, const struct row *row)
{
    char detail[STORE_USER_MAX + STORE_DOMAIN_MAX + 64];
    int status =
        seen_add(&import->seen, &row->address, row->is_alias ? SEEN_UNKNOWN : SEEN_ADDRESS);
    if (status == 0) {
        import->count++;
        import->aliases += row->is_alias;
        return;
    }
    snprintf(detail, sizeof(detail), "%s@%s: %s", row->address.user, row->address.domain,
             status == -EEXIST ? "is in the file twice" : "there are too many addresses");
    import_refuse(import, row->place.line, IMPORT_TWICE, detail);
}

static int scan(struct import *import)
{
    struct rows_fault fault;
    struct row row;
    int status;
    progress_begin(&import->progress, false, "reading", import->size);
    while ((status = rows_next(&import->rows, &row, &fault)) != 0) {
        if (status == -EIO)
            return read_failed(import, &fault);
        if (status == 1)
            row_scan(import, &row);
        else
            import_refuse(import, fault.line, IMPORT_MALFORMED, fault.text);
        row_done(&row);
        read_step(import);
        if (tool_is_interrupted())
            return interrupted(import);
    }
    return TOOL_DONE;
}

/* ---- the order of aliases ---- */

static int alias_level(struct import *import, struct row *row, void *arg)
{
    size_t *found = arg;
    const struct seen_entry *target = seen_find(&import->seen, &row->target);
    if (target && target->level >= import->levels)
        return TOOL_DONE;
    seen_find(&import->seen, &row->address)->level = import->levels & 0xff;
    (*found)++;
    return TOOL_DONE;
}

static int alias_refuse(struct import *import, struct row *row, void *arg)
{
    char detail[2 * (STORE_USER_MAX + STORE_DOMAIN_MAX) + 64];
    (void)arg;
    snprintf(detail, sizeof(detail),
             "%s@%s: the alias leads back to itself, or over more than %d others",
             row->address.user, row->address.domain, STORE_ALIAS_HOPS);
    import_refuse_row(import, row, IMPORT_LOOP, detail);
    import->count--;
    return TOOL_DONE;
}

static bool is_end(struct import *import, struct rows_place start, int *code)
{
    if (*code == TOOL_DONE && rows_seek(&import->rows, start))
        *code = tool_fail(TOOL_REFUSED, "the file cannot be read again");
    return *code != TOOL_DONE;
}

static void round_begin(struct import *import)
{
    progress_clear(&import->progress);
    progress_begin(&import->progress, false, "ordering", import->size);
    import->state = (struct progress_state){.refused = import->refused};
}

/* Each round finds the aliases of what the rounds before it found. */
static int aliases_order(struct import *import, struct rows_place start)
{
    int code = TOOL_DONE;
    size_t found = import->aliases;
    import->by_octets = true;
    while (found > 0 && import->levels < STORE_ALIAS_HOPS && !is_end(import, start, &code)) {
        found = 0;
        import->levels++;
        round_begin(import);
        code = import_walk(import, SEEN_UNKNOWN, alias_level, &found);
    }
    if (import->aliases > 0 && !is_end(import, start, &code)) {
        round_begin(import);
        code = import_walk(import, SEEN_UNKNOWN, alias_refuse, NULL);
    }
    import->by_octets = false;
    return code;
}

bool import_has_target(const struct import *import, const struct row *row)
{
    const struct seen_entry *target = seen_find(&import->seen, &row->target);
    return target && !target->refused;
}

/* ---- the domain ---- */

static json_t *cores_make(const struct tool *tool)
{
    json_t *cores = json_array();
    for (size_t i = 0; i < tool->given_count; i++)
        if (tool->given[i].option == OPT_CORE)
            json_array_append_new(cores, json_string(tool->given[i].text));
    return cores;
}

json_t *import_domain_make(const struct import *import)
{
    static const char *const settings[] = {"unknown", "claims_per_owner", "quarantine_days",
                                           "address_records"};
    if (!tool_has(import->tool, OPT_CORE)) {
        tool_fail(TOOL_REFUSED,
                  "%s is not one of your domains: name its core with --core URI, and it is added",
                  import->domain);
        return NULL;
    }
    json_t *domain =
        json_pack("{s:s, s:o}", "name", import->domain, "cores", cores_make(import->tool));
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        json_t *value = json_object_get(import->rows.header, settings[i]);
        if (value)
            json_object_set(domain, settings[i], value);
    }
    return domain;
}

static int domain_choose(struct import *import)
{
    size_t given = 0;
    for (size_t i = 0; i < import->tool->given_count; i++)
        given += import->tool->given[i].option == OPT_DOMAIN;
    if (given > 1)
        return tool_fail(TOOL_USAGE, "--domain: a file is imported into one domain");
    const char *header = tool_string(import->rows.header, "name");
    const char *named = tool_value(import->tool, OPT_DOMAIN);
    import->domain = named ? named : (*header ? header : NULL);
    if (!import->domain && tool_has(import->tool, OPT_CORE))
        return tool_fail(TOOL_USAGE, "--core is of a domain: name that with --domain DOMAIN");
    return TOOL_DONE;
}

/* ---- the file ---- */

/* What cannot be read twice is copied to a file without a name. */
static FILE *spool(FILE *in)
{
    char bytes[65536];
    size_t len;
    FILE *copy = tmpfile();
    while (copy && (len = fread(bytes, 1, sizeof(bytes), in)) > 0) {
        if (fwrite(bytes, 1, len, copy) != len || tool_is_interrupted()) {
            fclose(copy);
            return NULL;
        }
    }
    if (!copy || ferror(in) || fflush(copy)) {
        if (copy)
            fclose(copy);
        return NULL;
    }
    rewind(copy);
    return copy;
}

static int file_open(const char *name, FILE **in, uint64_t *size)
{
    struct stat stat;
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (!file || fstat(fileno(file), &stat))
        return tool_fail(TOOL_REFUSED, "%s: %s", name, strerror(errno));
    if (S_ISDIR(stat.st_mode)) {
        fclose(file);
        return tool_fail(TOOL_REFUSED, "%s: %s", name, strerror(EISDIR));
    }
    if (!S_ISREG(stat.st_mode)) {
        FILE *copy = spool(file);
        fclose(file);
        if (!copy || fstat(fileno(copy), &stat))
            return tool_fail(TOOL_REFUSED, "%s: cannot be copied to a temporary file", name);
        file = copy;
    }
    *size = (uint64_t)stat.st_size;
    *in = file;
    return TOOL_DONE;
}

/* ---- the command ---- */

static int import_checked(struct import *import, struct rows_place start)
{
    int code = domain_choose(import);
    if (!code)
        code = scan(import);
    if (!code)
        code = aliases_order(import, start);
    if (code)
        return code;
    if (import->refused > 0 && !import->keep_going && !import->dry_run)
        return TOOL_REFUSED;
    return tool_has(import->tool, OPT_STORE) ? import_store(import) : import_remote(import);
}

static int import_run(struct import *import, FILE *in)
{
    const struct tool *tool = import->tool;
    struct rows_fault fault;
    struct progress whole;
    progress_begin(&whole, true, "", 0);
    if (rows_open(&import->rows, in,
                  rows_format_of(tool_value(tool, OPT_FORMAT), tool->operands[0]), &fault))
        return read_failed(import, &fault);
    int code = seen_init(&import->seen) ? tool_fail(TOOL_REFUSED, "out of memory")
                                        : import_checked(import, import->rows.first);
    import_refusals_say(import);
    if (code != TOOL_USAGE && code != TOOL_UNREACHABLE && tool->json)
        summary_print_json(import);
    else if (code == TOOL_DONE || import->refused > 0 || import->added > 0)
        summary_print(import, code, progress_elapsed_ms(&whole));
    seen_done(&import->seen);
    rows_close(&import->rows);
    return code == TOOL_DONE && import->refused > 0 ? TOOL_REFUSED : code;
}

int tool_import(struct tool *tool)
{
    struct import *import = calloc(1, sizeof(*import));
    FILE *in = NULL;
    if (!import)
        return tool_fail(TOOL_REFUSED, "out of memory");
    tool_catch_interrupts();
    import->tool = tool;
    import->keep_going = tool_has(tool, OPT_KEEP_GOING);
    import->dry_run = tool_has(tool, OPT_DRY_RUN);
    import->refusals = json_array();
    int code = file_open(tool->operands[0], &in, &import->size);
    if (code == TOOL_DONE) {
        code = import_run(import, in);
        fclose(in);
    }
    json_decref(import->refusals);
    free(import);
    return code;
}
