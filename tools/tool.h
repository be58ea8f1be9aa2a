/* What the commands of junctor share: the command line as parsed, requests, and how they answer. */
#ifndef JUNCTOR_TOOLS_TOOL_H
#define JUNCTOR_TOOLS_TOOL_H

#include "tools/client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit codes of junctor(1). */
#define TOOL_DONE        0
#define TOOL_REFUSED     1 /* or not found */
#define TOOL_USAGE       2
#define TOOL_UNREACHABLE 3

#define TOOL_MAX_GIVEN  128                     /* options on one command line */
#define TOOL_NUMBER_MAX UINT64_C(9999999999999) /* of an option's value */
#define TOOL_PAGE       1000                    /* records asked for at once */
#define TOOL_WAIT_MAX_S 10 /* at most this long for a daemon that says it has too much to do */
#define TOOL_WAITS      6  /* and so often */

enum tool_option {
    OPT_SOCKET,
    OPT_SERVER,
    OPT_TOKEN_FILE,
    OPT_CA,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION,

    OPT_CORE,
    OPT_UNKNOWN,
    OPT_CLAIMS,
    OPT_QUARANTINE,
    OPT_ADDRESS_RECORDS,
    OPT_PORT_REDIRECTS,
    OPT_HOSTING,
    OPT_OWNER,
    OPT_STATE,
    OPT_TARGET,
    OPT_BLOCKED,
    OPT_LOCKED,
    OPT_PUBLISHED,
    OPT_DISPLAY,
    OPT_NOTIFY,
    OPT_WITHDRAW,
    OPT_TRUSTS_IDENTITY,
    OPT_REQUESTS,
    OPT_CALLS,
    OPT_PIN,
    OPT_TARIFF,
    OPT_SCOPE,
    OPT_DOMAIN,
    OPT_NOTE,
    OPT_UNTIL,
    OPT_DAYS,
    OPT_SECONDS,
    OPT_REASON,
    OPT_QUIET,
    OPT_FROM,
    OPT_LIMIT,
    OPT_FOLLOW,
    OPT_FORMAT,
    OPT_OUTPUT,
    OPT_TOMBSTONES,
    OPT_KEEP_GOING,
    OPT_STORE,
    OPT_MAP_SIZE,
    OPT_REPLACE,
    OPT_IF_VERSION,
    OPT_DRY_RUN,
    OPT_FORCE,
    OPT_RECORDS, /* --format of another command */
    OPT_CONFIG,
    OPT_RESOLVER,
    OPT_DNS_PORT,
    OPT_SWITCH,
    OPT_FULL,
    OPT_JWKS,
    OPT_FOR,
    OPT_RECOVERY_KEY,
    OPT_NEW,
    OPT_OCTETS,
    OPT_SIGNATURE,
    OPT_PORT_STATE, /* --state of another command */
    OPT_ROLE,
    OPT_ZONE,
    OPT_TO,
    OPT_UNDO_SECRETS,
    OPT_MOVE_TO, /* --to of another command */
    OPT_COUNT
};

struct tool_given {
    enum tool_option option;
    const char *text; /* "" for an option without value */
};

struct tool {
    struct client_place place; /* where the daemon is */
    struct client *client;     /* opened by the first request */
    bool json;
    struct tool_given given[TOOL_MAX_GIVEN]; /* in the order of the line, checked */
    size_t given_count;
    char **operands; /* after the command's words */
    int operand_count;
};

/* Runs a command; returns an exit code, after saying what went wrong. */
typedef int tool_command_h(struct tool *tool);

tool_command_h tool_domain_add, tool_domain_list, tool_domain_show, tool_domain_set,
    tool_domain_del, tool_domain_move;
tool_command_h tool_address_add, tool_address_list, tool_address_show, tool_address_set,
    tool_address_del, tool_address_purge, tool_address_code, tool_address_codes;
tool_command_h tool_address_key, tool_address_protection, tool_address_freeze,
    tool_address_unfreeze;
tool_command_h tool_port_check, tool_port_start, tool_port_list, tool_port_show, tool_port_receipt,
    tool_port_watch, tool_port_cancel, tool_port_undo, tool_port_approve, tool_port_reject,
    tool_port_object, tool_port_allow, tool_port_batch;
tool_command_h tool_number_add, tool_number_list, tool_number_show, tool_number_set,
    tool_number_del;
tool_command_h tool_peer_add, tool_peer_list, tool_peer_show, tool_peer_set, tool_peer_del;
tool_command_h tool_ban_add, tool_ban_list, tool_ban_del;
tool_command_h tool_token_add, tool_token_list, tool_token_show, tool_token_del, tool_self;
tool_command_h tool_token_key_rotate, tool_receipt_key_show, tool_receipt_key_rotate;
tool_command_h tool_core_list;
tool_command_h tool_cursor_list, tool_cursor_show, tool_cursor_del;
tool_command_h tool_peers, tool_trace, tool_journal, tool_backup, tool_restore, tool_export,
    tool_import;
tool_command_h tool_dns_purge, tool_dns_records, tool_dns_sync, tool_dns_check, tool_cert_next;
tool_command_h tool_port_verify, tool_port_octets;
tool_command_h tool_route, tool_status, tool_completion;

/* ---- options ---- */

bool tool_has(const struct tool *tool, enum tool_option option);
/* The option's value, the last one given; NULL where it is absent. */
const char *tool_value(const struct tool *tool, enum tool_option option);
/* The value of a number; `absent` where it is not there. */
uint64_t tool_number(const struct tool *tool, enum tool_option option, uint64_t absent);

/* ---- requests ---- */

/* "junctor: TEXT" on standard error. Returns `code`. */
int tool_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Opens tool->client, if it is not yet. Returns an exit code. */
int tool_connect(struct tool *tool);

/* One request; every answer but 2xx is said, with --json as the problem document, on standard error
 * and becomes an exit code. Waits and tries again where the daemon says 429. On TOOL_DONE the
 * caller owns answer->json. */
int tool_call(struct tool *tool, const struct client_request *request,
              struct client_answer *answer);
/* The same, but only what is no answer at all becomes an exit code: the caller looks at the status,
 * and owns answer->json. */
int tool_ask(struct tool *tool, const struct client_request *request, struct client_answer *answer);
/* The same, saying nothing: returns as client_call. tool->client must be open. */
int tool_try(struct tool *tool, const struct client_request *request, struct client_answer *answer,
             char why[CLIENT_MAX_WHY]);
/* Says a refusal as tool_call does. Returns TOOL_REFUSED. */
int tool_refusal(struct tool *tool, const struct client_request *request,
                 const struct client_answer *answer);

/* A GET of `path`. */
int tool_get(struct tool *tool, const char *path, struct client_answer *answer);
/* One change; --dry-run is added to the path. `body` may be NULL, else its reference is taken
 * over; `if_match` may be NULL. Returns as tool_call. */
int tool_change(struct tool *tool, const char *method, const char *path, const char *if_match,
                json_t *body, struct client_answer *answer);

/* FOLDER/NAME with the name escaped; free() it. NULL without memory, which was said. */
char *tool_path(const char *folder, const char *name);
/* The path with one more query argument, escaped; frees `path`, accepts NULL. As tool_path. */
char *tool_path_with(char *path, const char *name, const char *value);

/* One line of standard input, without its end: a secret, named `what`. Returns TOOL_DONE, or
 * TOOL_USAGE after saying that there is none. */
int tool_secret_read(const char *what, char *secret, size_t size);

/* ---- signals ---- */

/* From now on SIGINT, SIGTERM and SIGHUP only set what tool_is_interrupted answers. */
void tool_catch_interrupts(void);
bool tool_is_interrupted(void);

/* ---- resources: what is alike for domains, addresses, numbers ... ---- */

struct tool_column {
    const char *title;
    const char *key; /* of the field in the record */
};
#define TOOL_MAX_COLUMNS 8
#define TOOL_MAX_FIELDS  20

/* How an option sets a field. An empty text takes the value away. */
enum tool_setting_kind {
    SETTING_TEXT,   /* empty: null */
    SETTING_STRING, /* empty: an empty text */
    SETTING_NONE,   /* empty or "none": null */
    SETTING_NUMBER,
    SETTING_YES_NO,
    SETTING_LIST /* of all that were given; one empty text: none */
};
struct tool_setting {
    enum tool_option option;
    const char *key;
    enum tool_setting_kind kind;
};
#define TOOL_MAX_SETTINGS 9

struct tool_resource {
    const char *folder; /* "/v1/domains" */
    const char *list;   /* the field of a page that holds the records */
    const char *key;    /* the field that names the record */
    bool patch;         /* changed by PATCH with what differs, else by PUT of the whole */
    struct tool_column columns[TOOL_MAX_COLUMNS];        /* of a list; a NULL title ends them */
    struct tool_column fields[TOOL_MAX_FIELDS];          /* of one record */
    struct tool_setting settings[TOOL_MAX_SETTINGS + 1]; /* a NULL key ends them */
};

/* Puts what the options say into `body`. Returns the number of fields set, or a negative exit code
 * after saying that a text is not UTF-8. */
int tool_settings_take(const struct tool *tool, const struct tool_resource *resource, json_t *body);

/* `extra` holds fields that no option names; its reference is taken over; NULL: none. They print
 * what came of it, and return an exit code. */
int tool_resource_add(struct tool *tool, const struct tool_resource *resource, json_t *extra);
int tool_resource_set(struct tool *tool, const struct tool_resource *resource, json_t *extra);
int tool_resource_list(struct tool *tool, const struct tool_resource *resource);
int tool_resource_show(struct tool *tool, const struct tool_resource *resource);

/* The request part of tool_resource_add; on TOOL_DONE the caller owns answer->json. */
int tool_resource_post(struct tool *tool, const struct tool_resource *resource, json_t *extra,
                       struct client_answer *answer);
/* The record that the first operand names. As tool_get. */
int tool_resource_get(struct tool *tool, const struct tool_resource *resource,
                      struct client_answer *answer);
/* If-Match: --if-version, else what the answer's ETag says. Returns `text`. */
#define TOOL_ETAG_MAX 64
const char *tool_if_match(const struct tool *tool, const struct client_answer *seen,
                          char text[TOOL_ETAG_MAX]);
/* Deletes the record as it is now (or at --if-version); `query` such as "?purge=true" or "". Prints
 * "NAME done". */
int tool_resource_delete(struct tool *tool, const struct tool_resource *resource, const char *query,
                         const char *done);
/* The same of a record that was got already. */
int tool_seen_delete(struct tool *tool, const struct tool_resource *resource,
                     const struct client_answer *seen, const char *query, const char *done);
/* "NAME done", or with --json the record that is gone. */
void tool_gone_print(const struct tool *tool, const struct tool_resource *resource,
                     const json_t *seen, const char *done);

/* ---- printing ---- */

/* A list, page by page, until the daemon says there is no next: a table, or with --json one
 * document {"LIST": [...]}. `path` is the resource with its query, if any. */
int tool_list_print(struct tool *tool, const struct tool_resource *resource, const char *path);
/* The page after `cursor` (NULL: the first). */
int tool_page_get(struct tool *tool, const char *path, const char *cursor,
                  struct client_answer *answer);
/* The cursor of the next page, "" where this is the last one. */
const char *tool_page_next(const struct client_answer *answer);

/* A table row by row. Widths only grow, so that later rows stay in line with earlier ones as far as
 * can be known. */
struct tool_table {
    const struct tool_column *columns;
    size_t width[TOOL_MAX_COLUMNS];
    bool started; /* the titles were printed */
};
void tool_table_print(struct tool_table *table, const json_t *records);

/* One record: with --json the document, else a line per field that says something. */
void tool_record_print(const struct tool *tool, const struct tool_resource *resource,
                       const json_t *record);
/* "NAME done", or with --dry-run "NAME would be done". */
void tool_done_print(const struct tool *tool, const char *name, const char *done);
/* What the daemon has to say against the record, on standard error. */
void tool_warnings_print(const json_t *record);
/* The document, indented. */
void tool_json_print(const json_t *json);
/* Bytes that would steer a terminal are printed as "?". */
void tool_text_print(const char *text);
/* The same in place, for texts that go to standard error. Returns `text`. */
char *tool_text_clean(char *text);
/* A field as text, "" where it is missing or null. */
const char *tool_string(const json_t *object, const char *key);

#endif
