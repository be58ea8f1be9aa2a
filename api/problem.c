#include "api/problem.h"

#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct problem_row {
    unsigned status;
    const char *type;
    const char *title;
};

static const struct problem_row problem_rows[] = {
#define PROBLEM_ROW(name, status, type, title)                                                     \
    [API_PROBLEM_##name] = {status, "urn:junctor:problem:" type, title},
    API_PROBLEM_LIST(PROBLEM_ROW)
#undef PROBLEM_ROW
};

/* What a status means to a client; `text` replaces the status's own where people need more. */
static const struct {
    int status;
    enum api_problem_kind kind;
    const char *text;
} status_rows[] = {
    {STATUS_NOTFOUND, API_PROBLEM_NO_RECORD, NULL},
    {STATUS_EXISTS, API_PROBLEM_EXISTS, NULL},
    {-EEXIST, API_PROBLEM_EXISTS, NULL},
    {STATUS_CONFLICT, API_PROBLEM_CHANGED, NULL},
    {STATUS_INUSE, API_PROBLEM_IN_USE,
     "others still lead to it (addresses, also released ones in quarantine, aliases or numbers): "
     "delete them first, and purge the released ones; or a port brings an address to it, or back"},
    {STATUS_QUARANTINED, API_PROBLEM_QUARANTINED,
     "was released; until its quarantine ends only its last owner can have it"},
    {STATUS_LOCKED, API_PROBLEM_LOCKED, "is locked: unlock it first"},
    {STATUS_LOOP, API_PROBLEM_LOOP,
     "the alias would lead back to itself, or over too many aliases"},
    {STATUS_PORTING, API_PROBLEM_PORTING,
     "a port of it is under way, or can still be undone: that ends first"},
    {STATUS_FROZEN, API_PROBLEM_FROZEN,
     "is frozen: it was ported a short time ago, its operator froze it, or its domain moves to "
     "another operator"},
    {STATUS_PROOF, API_PROBLEM_PROOF,
     "the auth code, secret or signature is wrong, used, expired or for another gaining domain"},
    {STATUS_STATE, API_PROBLEM_STATE, "the port is in no state in which that can be done"},
    {STATUS_DENIED, API_PROBLEM_DENIED,
     "may not be claimed: its domain allows no claims, or the name is reserved"},
    {STATUS_LIMIT, API_PROBLEM_CLAIM_LIMIT,
     "this owner has as many addresses there as the domain allows"},
    {STATUS_TRIMMED, API_PROBLEM_TRIMMED, NULL},
    {STATUS_MISMATCH, API_PROBLEM_KEY_REUSED,
     "this Idempotency-Key was used for a request with another body"},
    {STATUS_MALFORMED, API_PROBLEM_FIELD, "the store refuses this record as malformed"},
    {STATUS_FULL, API_PROBLEM_FULL, NULL},
    {-ENOSPC, API_PROBLEM_FULL, "the disk is full"},
    {-EDQUOT, API_PROBLEM_FULL, "the daemon's user has used up his quota of the disk"},
    {-EFBIG, API_PROBLEM_FULL, "the daemon may write no larger file"},
    {STATUS_CLOCK, API_PROBLEM_CLOCK,
     "the daemon's clock is behind the directory's: nothing is changed before that is mended"},
    {-EROFS, API_PROBLEM_READ_ONLY, "the directory cannot be written by this process"},
    {-EAGAIN, API_PROBLEM_BUSY, "too many changes are waiting: try again"},
    {-ENOMEM, API_PROBLEM_BUSY, NULL},
    {-EIO, API_PROBLEM_INTERNAL,
     "the disk failed, and whether this was done is not known: send it again with the same "
     "Idempotency-Key"},
};

int api_problem_set(struct api_problem *problem, enum api_problem_kind kind, const char *field,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    problem->kind = kind;
    vsnprintf(problem->detail, sizeof(problem->detail), format, args);
    snprintf(problem->field, sizeof(problem->field), "%s", field ? field : "");
    va_end(args);
    return -EPROTO;
}

/* The part of the request that a problem is about, where that is always the same. */
static const char *field_of(enum api_problem_kind kind)
{
    if (kind == API_PROBLEM_CHANGED)
        return "If-Match";
    return kind == API_PROBLEM_KEY_REUSED ? "Idempotency-Key" : NULL;
}

int api_problem_from_status(struct api_problem *problem, int status, const char *name)
{
    for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
        if (status_rows[i].status != status)
            continue;
        const char *text = status_rows[i].text ? status_rows[i].text : status_text(status);
        return api_problem_set(problem, status_rows[i].kind, field_of(status_rows[i].kind),
                               "%s: %s", name, text);
    }
    return api_problem_set(problem, API_PROBLEM_INTERNAL, NULL, "%s: %s", name,
                           status_text(status));
}

unsigned api_problem_status(enum api_problem_kind kind)
{
    return problem_rows[kind].status;
}

/* A detail may quote bytes of the request, or have been cut inside a character. */
static json_t *text_encode(const char *text)
{
    json_t *json = json_string(text);
    if (json)
        return json;
    char escaped[4 * API_DETAIL_MAX + 1];
    size_t len = 0;
    for (const char *p = text; *p && len + 5 < sizeof(escaped); p++) {
        if ((unsigned char)*p < 0x80)
            escaped[len++] = *p;
        else
            len += (size_t)snprintf(escaped + len, 5, "\\x%02x", (unsigned char)*p);
    }
    escaped[len] = '\0';
    return json_string(escaped);
}

json_t *api_problem_encode(const struct api_problem *problem)
{
    const struct problem_row *row = &problem_rows[problem->kind];
    json_t *json = json_pack("{s:s, s:s, s:i, s:o}", "type", row->type, "title", row->title,
                             "status", (int)row->status, "detail", text_encode(problem->detail));
    if (json && *problem->field &&
        json_object_set_new(json, "field", text_encode(problem->field))) {
        json_decref(json);
        return NULL;
    }
    return json;
}
