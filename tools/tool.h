/* What the commands of junctor share: the command line as parsed, and how they answer. */
#ifndef JUNCTOR_TOOLS_TOOL_H
#define JUNCTOR_TOOLS_TOOL_H

#include "tools/client.h"

#include <jansson.h>
#include <stdbool.h>

/* Exit codes of junctor(1). */
#define TOOL_DONE        0
#define TOOL_REFUSED     1 /* or not found */
#define TOOL_USAGE       2
#define TOOL_UNREACHABLE 3

#define TOOL_MAX_CORES 64   /* what the line may hold; the daemon says how many make sense */
#define TOOL_PAGE      1000 /* records asked for at once */

/* Options of single commands, as bits. */
#define TOOL_OPT_CORE    1u
#define TOOL_OPT_UNKNOWN 2u
#define TOOL_OPT_HOSTING 4u

struct tool {
    struct client *client;
    bool json;
    unsigned options; /* which of TOOL_OPT_* were given */
    const char *cores[TOOL_MAX_CORES];
    int core_count;
    const char *unknown;
    const char *hosting;
    char **operands; /* after the command's words */
    int operand_count;
};

/* Runs a command; returns an exit code, after saying what went wrong. */
typedef int tool_command_h(struct tool *tool);

tool_command_h tool_domain_add, tool_domain_list, tool_domain_show, tool_domain_del;
tool_command_h tool_address_add, tool_address_list, tool_address_show, tool_address_del;
tool_command_h tool_route, tool_status;

/* "junctor: TEXT" on standard error. Returns `code`. */
int tool_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One request; every answer but 2xx is said, with --json as the problem document, on standard error
 * and becomes an exit code. On TOOL_DONE the caller owns
 * answer->json. */
int tool_call(struct tool *tool, const struct client_request *request,
              struct client_answer *answer);

/* A GET of `folder` + escaped `name`. Returns as tool_call. */
int tool_get(struct tool *tool, const char *folder, const char *name, struct client_answer *answer);
/* A POST of `body`, whose reference it takes over. Returns as tool_call. */
int tool_post(struct tool *tool, const char *path, json_t *body, struct client_answer *answer);

/* Deletes a record as it is now: GET for its ETag, then DELETE with If-Match. `key` names the field
 * that holds its name. Prints and returns an exit code. */
int tool_delete(struct tool *tool, const char *folder, const char *key);

/* ---- printing ---- */

struct tool_column {
    const char *title;
    const char *key; /* of the field in the record */
};
#define TOOL_MAX_COLUMNS 6

/* A list, page by page, until the daemon says there is no next: a table, or with --json one
 * document {"LIST": [...]}. `path` is the resource with its query, if any. */
struct tool_list {
    const char *path;
    const char *list; /* the field that holds the records */
    const struct tool_column *columns;
    size_t column_count;
};
int tool_list_print(struct tool *tool, const struct tool_list *list);

/* One record, a line per field. */
void tool_record_print(const json_t *record, const struct tool_column *columns, size_t count);
/* The document, indented. */
void tool_json_print(const json_t *json);
/* Bytes that would steer a terminal are printed as "?". */
void tool_text_print(const char *text);
/* A field as text, "" where it is missing or null. */
const char *tool_string(const json_t *object, const char *key);

#endif
