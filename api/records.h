/* What the kinds of records have in common for the API: they are listed in pages, shown, made,
 * replaced and deleted by the same handlers, each told by a struct api_kind how.
 *
 * A `record` is the store's own struct of the kind; a key is its name as people see it
 * ("opa.example", "bob@opb.example", "+49301234567"), in canonical form. */
#ifndef JUNCTOR_API_RECORDS_H
#define JUNCTOR_API_RECORDS_H

#include "api/internal.h"
#include "api/json.h"

#define API_MAX_KEY_TEXT API_ADDRESS_TEXT_MAX /* the longest key, with terminator */
#define API_MAX_SCAN     10000 /* records looked at for one page, however few of them are wanted */

/* One record of any kind. */
union api_record {
    union store_any any;
    struct store_cursor cursor;
};

struct api_page;

struct api_kind {
    const char *plural;    /* in paths and lists: "domains" */
    const char *parameter; /* of the path: "name" */
    size_t version_at;     /* offset of the record's version */
    size_t created_at;     /* the same of created_ms, where there is a `put` */
    enum store_op add, put, del;

    api_canonical_h *parse; /* what somebody typed -> key, of at most API_MAX_KEY_TEXT */
    const char *(*key)(const void *record, char key[API_MAX_KEY_TEXT]); /* returns `key` */
    int (*get)(struct store_reader *reader, const char *key, void *record);
    /* Gives the page each record after this key (NULL: from the start) until it wants no more: only
     * those that the caller's scope reaches, and without looking at others. */
    int (*list)(struct store_reader *reader, const char *after, struct api_page *page);
    /* Does the caller's scope reach it? NULL: whoever may use the route sees all of them. */
    bool (*is_visible)(struct api_call *call, const void *record);
    /* call->body -> record. `key` is the one in the URL of a PUT, NULL for a POST. */
    int (*decode)(struct api_call *call, const char *key, void *record);
    json_t *(*encode)(struct api_call *call, const void *record);
};

extern const struct api_kind api_kind_domain, api_kind_address, api_kind_number, api_kind_peer,
    api_kind_token, api_kind_cursor;

/* The key of records that begin with it. */
const char *api_key_first(const void *record, char key[API_MAX_KEY_TEXT]);

/* ---- one record ---- */

/* The record of the call's command: all members of its union begin there. */
void *api_command_record(struct api_call *call);

/* Copies what the directory has. What is outside the caller's scope is answered like what does not
 * exist. */
int api_record_read(struct api_call *call, const struct api_kind *kind, const char *key,
                    void *record);
/* The key that the {parameter} of the path is. */
int api_record_name(struct api_call *call, const struct api_kind *kind, char key[API_MAX_KEY_TEXT]);
/* The record of that key. */
int api_record_find(struct api_call *call, const struct api_kind *kind, void *record,
                    char key[API_MAX_KEY_TEXT]);
/* If-Match against the version that was read, which the command then expects: so that what was
 * judged is what is changed. "*" of an administrator expects any. */
int api_record_expect(struct api_call *call, uint64_t version, const char *key);

/* The ends of handlers: decode, submit. */
int api_record_add(struct api_call *call, const struct api_kind *kind, api_then_h *then);
int api_record_remove(struct api_call *call, const struct api_kind *kind, enum store_op op);

/* Answers a change with the record that it made: 201 with its place, or 200. The same again to a
 * key that was used before, unless the journal has lost it. */
int api_record_made(struct api_call *call, const struct api_kind *kind,
                    const struct store_verdict *verdict);
int api_record_changed(struct api_call *call, const struct api_kind *kind,
                       const struct store_verdict *verdict);

/* What change `sequence` made. Secrets and their hashes are zero. Returns 0, STATUS_TRIMMED (also
 * where it was erased) or another status. */
int api_outcome_read(struct api_call *call, uint64_t sequence, union store_any *made);
/* The problem that a repeated request has then. Returns -EPROTO. */
int api_outcome_gone(struct api_call *call, int status, uint64_t sequence);

/* ---- pages ---- */

/* One page of a list. Cursors name the last record that was looked at, so a list is stable however
 * the directory changes between two pages. What the caller may not see never comes to a
 * page: neither its cursor nor its time tells of that. */
struct api_page {
    struct api_call *call;
    const struct api_kind *kind;
    bool (*is_wanted)(const struct api_page *page, const void *record); /* NULL: all are */
    const void *filter;                                                 /* for is_wanted */
    char after[API_MAX_KEY_TEXT];                                       /* "": from the start */
    size_t limit, looked_at;
    char last[API_MAX_KEY_TEXT];
    bool more, failed;
    json_t *array;
};

/* Takes "limit" and "cursor". On success page->array is to be given to api_page_reply. */
int api_page_begin(struct api_page *page, struct api_call *call, const struct api_kind *kind);
/* A record's turn; false: the page wants no more. */
bool api_page_add(struct api_page *page, const void *record);
/* Answers with the page; `status` is how the reading ended. */
int api_page_reply(struct api_page *page, int status);

/* ---- addresses ---- */

/* Sets state, hosting and target of what a body said, and judges them before the store does: so
 * that the refusal can name the field, and tells nobody of what is outside his scope. `derive`: the
 * state follows from who serves it. `is_batch`: a target of our own domains may come earlier in the
 * same command; else it must be there. */
int api_address_place(struct api_call *call, struct api_address_body *body, bool derive,
                      bool is_batch, struct api_problem *problem);
/* An address that somebody has, and that the caller may see. */
bool api_address_is_there(struct api_call *call, const struct store_address *address);
/* "bob@opa.example: there is no such address", in the field `name`. */
int api_target_missing(const struct store_address *target, const char *name,
                       struct api_problem *problem);

/* ---- the journal ---- */

/* The directory in numbers. */
int api_stats_read(struct api_call *call, struct store_stats *stats);
/* A sequence number; untouched where the argument is absent. */
int api_sequence_arg(struct api_call *call, const char *name, uint64_t *sequence);
/* The problem that entry `from` is gone. Returns -EPROTO. */
int api_journal_trimmed(struct api_call *call, uint64_t from, uint64_t first);

/* ---- secrets ---- */

/* `count` characters of `alphabet`, each as likely as the others; terminated. Returns 0 or
 * STATUS_CRYPTO. */
int api_random_text(const char *alphabet, size_t count, char *out);
/* Makes call->secret; the record has only its hash. Return 0 or -EPROTO. */
int api_auth_code_make(struct api_call *call, uint8_t hash[STORE_HASH_LEN]);
int api_token_make(struct api_call *call, struct store_token *token);
/* call->secret; null where none was made now. */
json_t *api_secret_encode(const struct api_call *call, const struct store_verdict *verdict);

/* ---- handlers ---- */

/* Of the kind that the route names. */
api_handler_h api_records_get, api_record_get, api_record_post, api_record_put, api_record_delete;

api_handler_h api_domain_post;
api_handler_h api_addresses_get, api_address_post, api_address_patch, api_address_delete;
api_handler_h api_release_post;
api_handler_h api_auth_code_post, api_auth_code_delete;
api_handler_h api_import_post, api_import_undo_post;
api_handler_h api_token_post, api_backup_post;
api_handler_h api_dns_purge_post, api_dns_records_get;
api_handler_h api_journal_get, api_events_get, api_trace_get;
api_handler_h api_traffic_get, api_connections_get;
api_handler_h api_sync_post;

/* ---- cores ---- */

#define API_MAX_CORES 1024 /* next hops of cores that are told of */

api_handler_h api_cores_get;

#endif
