/* The status codes of every function that can fail in more than one way.
 *
 * 0 is success; a failure is -errno or one of the codes below, which start at -1000 so that they
 * never meet an errno. Codes of libraries (LMDB, ldns, OpenSSL, libmicrohttpd) are translated
 * where the library is called and never travel further. One list makes both enum and text. */
#ifndef JUNCTOR_BASE_STATUS_H
#define JUNCTOR_BASE_STATUS_H

/* X(name, number, text): the text reads after "NAME: " in a log line or an error message. */
#define STATUS_LIST(X)                                                                             \
    X(NOTFOUND, -1000, "no such record")                                                           \
    X(EXISTS, -1001, "exists already")                                                             \
    X(CONFLICT, -1002, "changed in the meantime")                                                  \
    X(MALFORMED, -1003, "malformed")                                                               \
    X(INCOMPLETE, -1004, "incomplete")                                                             \
    X(LIMIT, -1005, "a limit is reached")                                                          \
    X(FULL, -1006, "the store is full")                                                            \
    X(SCHEMA, -1007, "the store has a newer schema than this program")                             \
    X(CORRUPT, -1008, "the store is damaged")                                                      \
    X(INUSE, -1009, "still in use by other records")                                               \
    X(NXDOMAIN, -1010, "the domain does not exist in DNS")                                         \
    X(NODATA, -1011, "no such record in DNS")                                                      \
    X(NOHOP, -1012, "the domain offers no SIP over TLS")                                           \
    X(SERVFAIL, -1013, "DNS could not find out")                                                   \
    X(UNPROVEN, -1014, "the far side did not prove its domain")                                    \
    X(CLOSED, -1015, "the connection was closed")                                                  \
    X(CANCELLED, -1016, "cancelled")                                                               \
    X(CRYPTO, -1017, "a cryptographic operation failed")                                           \
    X(QUARANTINED, -1018, "released, and not free before its quarantine ends")                     \
    X(LOCKED, -1019, "locked")                                                                     \
    X(LOOP, -1020, "the alias leads back to itself")                                               \
    X(DENIED, -1021, "may not be claimed")                                                         \
    X(TRIMMED, -1022, "no longer in the journal")                                                  \
    X(MISMATCH, -1023, "the same id was used for another command")                                 \
    X(CLOCK, -1024, "the time is too far ahead of the clock")                                      \
    X(PORTING, -1025, "a port of the address is under way")                                        \
    X(FROZEN, -1026, "may not be ported yet")                                                      \
    X(PROOF, -1027, "the proof of the holder's will does not hold")                                \
    X(STATE, -1028, "the port is not in a state in which this can happen")

enum status {
    STATUS_OK = 0,
#define STATUS_ENUM(name, number, text) STATUS_##name = (number),
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
};

/* The text of a status code or of a negative errno; never NULL. Thread-safe. */
const char *status_text(int status);

#endif
