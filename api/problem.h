/* Refusals as problem+json (RFC 9457). One table gives each kind its type, title and status. */
#ifndef JUNCTOR_API_PROBLEM_H
#define JUNCTOR_API_PROBLEM_H

#include <jansson.h>

#define API_DETAIL_MAX 1024
#define API_FIELD_MAX  64

/* X(name, HTTP status, type after "urn:junctor:problem:", title). Types are stable: programs
 * compare them. */
#define API_PROBLEM_LIST(X)                                                                        \
    X(MALFORMED, 400, "malformed-json", "The body is not valid JSON")                              \
    X(FIELD, 400, "invalid-field", "A field of the body is not acceptable")                        \
    X(PARAMETER, 400, "invalid-parameter", "A parameter of the URL is not acceptable")             \
    X(HEADER, 400, "invalid-header", "A header of the request is not acceptable")                  \
    X(UNAUTHORIZED, 401, "unauthorized", "A valid token is required")                              \
    X(FORBIDDEN, 403, "forbidden", "You may not do this")                                          \
    X(DENIED, 403, "claim-denied", "The address may not be claimed")                               \
    X(PROOF, 403, "bad-proof", "The auth code, secret or signature is not good")                   \
    X(NO_RESOURCE, 404, "no-such-resource", "There is nothing at this URL")                        \
    X(NO_RECORD, 404, "no-such-record", "There is no such record")                                 \
    X(METHOD, 405, "method-not-allowed", "This method does not work here")                         \
    X(EXISTS, 409, "exists", "The record exists already")                                          \
    X(IN_USE, 409, "in-use", "The record is still needed by others")                               \
    X(QUARANTINED, 409, "quarantined", "The address was released and is not free yet")             \
    X(LOCKED, 409, "locked", "The address is locked")                                              \
    X(LOOP, 409, "alias-loop", "The alias would lead back to itself")                              \
    X(PORTING, 409, "port-pending", "A port of the address is under way")                          \
    X(FROZEN, 409, "frozen", "The address may not be ported now")                                  \
    X(STATE, 409, "port-state", "The port is in no state for that")                                \
    X(CLAIM_LIMIT, 409, "claim-limit", "No further address may be claimed")                        \
    X(NO_ZONE, 409, "no-enum-zone", "The number cannot be ported here")                            \
    X(TRIMMED, 410, "trimmed", "This part of the journal is gone")                                 \
    X(CHANGED, 412, "changed", "The record changed in the meantime")                               \
    X(TOO_LARGE, 413, "body-too-large", "The body is too large")                                   \
    X(URL_TOO_LONG, 414, "url-too-long", "The URL is too long")                                    \
    X(MEDIA_TYPE, 415, "not-json", "The body must be application/json")                            \
    X(KEY_REUSED, 422, "key-reused", "The Idempotency-Key was used for another request")           \
    X(NO_IF_MATCH, 428, "if-match-required", "If-Match is required")                               \
    X(RATE, 429, "rate-limited", "Too many requests")                                              \
    X(HEADERS, 431, "too-many-headers", "The request has too many headers")                        \
    X(INTERNAL, 500, "internal", "The daemon failed")                                              \
    X(PRIMARY, 502, "primary-failed", "The primary server of the zone did not do it")              \
    X(BUSY, 503, "busy", "The daemon is busy")                                                     \
    X(READ_ONLY, 503, "read-only", "The directory cannot be written here")                         \
    X(CLOCK, 503, "clock", "The daemon's clock cannot be trusted")                                 \
    X(FULL, 507, "full", "There is no room left")

enum api_problem_kind {
#define API_PROBLEM_ENUM(name, status, type, title) API_PROBLEM_##name,
    API_PROBLEM_LIST(API_PROBLEM_ENUM)
#undef API_PROBLEM_ENUM
};

struct api_problem {
    enum api_problem_kind kind;
    char detail[API_DETAIL_MAX]; /* a sentence that begins with the thing it is about */
    char field[API_FIELD_MAX];   /* place in the body or name of the parameter; "" if none */
};

/* Fills the problem; `field` may be NULL. Returns -EPROTO, for `return api_problem_set(...)`: the
 * code of every function here that tells why in a problem. */
int api_problem_set(struct api_problem *problem, enum api_problem_kind kind, const char *field,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The problem that a store's or resolver's status is, about the record `name`. Returns -EPROTO. */
int api_problem_from_status(struct api_problem *problem, int status, const char *name);

unsigned api_problem_status(enum api_problem_kind kind);

/* The document; a detail that is not UTF-8 has its bytes escaped. NULL without memory. */
json_t *api_problem_encode(const struct api_problem *problem);

#endif
