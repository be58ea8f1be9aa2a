/* Names in canonical form, and the bounds of everything in the directory: see store/store.h. */
#ifndef JUNCTOR_STORE_NAMES_H
#define JUNCTOR_STORE_NAMES_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_DOMAIN_MAX          253 /* octets of a domain name in text (RFC 1035) */
#define STORE_USER_MAX            128 /* octets of a canonical user part */
#define STORE_CORES_MAX           8   /* next hops of one domain's core */
#define STORE_ACTOR_MAX           64
#define STORE_OWNER_MAX           64 /* octets of the name under which an operator knows a person */
#define STORE_DISPLAY_MAX         400 /* what the owner typed */
#define STORE_MAIL_MAX            254 /* octets of a mail address (RFC 5321 section 4.5.3.1.3) */
#define STORE_KEY_LEN             32  /* octets of a dialog token key */
#define STORE_HASH_LEN            32  /* SHA-256 */
#define STORE_NUMBER_MAX          15  /* digits of a telephone number (ITU-T E.164 section 6.2.1) */
#define STORE_PINS_MAX            4   /* keys a peer may be pinned to */
#define STORE_TARIFF_MAX          64
#define STORE_TOKEN_ID_LEN        12 /* characters of a token's public id */
#define STORE_TOKEN_DOMAINS_MAX   16 /* domains one operator token is good for */
#define STORE_CURSOR_NAME_MAX     64
#define STORE_IMPORT_MAX          1000 /* addresses of one import command */
#define STORE_ALIAS_HOPS          8    /* aliases one after the other */
#define STORE_CLAIMS_MAX          1000 /* claims_per_owner at most */
#define STORE_QUARANTINE_DAYS     90   /* default */
#define STORE_QUARANTINE_DAYS_MAX 3650

struct store_address {
    char user[STORE_USER_MAX + 1];
    char domain[STORE_DOMAIN_MAX + 1];
};

/* What is wrong with a name a person typed: a whole sentence naming the character and the rule,
 * such as "the user part contains ' ' at position 4; allowed are letters, digits and -_.+~...". */
struct store_fault {
    char text[200];
};

/* "Daniel@Kamailio.example" (also with a leading "sip:" or "sips:") -> canonical. Refuses, with
 * *fault: no or two '@'; a user part that contains '@' after unescaping (design 3.2), is empty,
 * over STORE_USER_MAX octets or has a bad escape, NUL, control characters or characters that a SIP
 * user part cannot carry unescaped; a domain that is no host name (labels of letters, digits and
 * inner
 * '-', 1 to 63 octets, the last one beginning with a letter; IDNA 2008 by libidn2 outside ASCII) or
 * an IP literal. Escaped octets above 0x7F are kept. `fault` may be NULL. Returns 0 or
 * STATUS_MALFORMED, *address then untouched. */
int store_address_parse(struct slice text, struct store_address *address,
                        struct store_fault *fault);

/* The user part alone, as it stands in a SIP URI (escaped). Returns 0 or STATUS_MALFORMED; also for
 * the user part of a port redirect (bob%40opb.example), which is no address of its own.
 * Fast path of messages: no allocation. `fault` may be NULL. */
int store_user_canonical(struct slice user, char out[STORE_USER_MAX + 1],
                         struct store_fault *fault);
/* Is the user part one that RFC 2142 reserves for the operator (postmaster, abuse, security ...)?
 * Nobody may claim these for himself. `user` is canonical. */
bool store_user_is_reserved(const char *user);
/* "+49 30 1234-567", "tel:+49301234567" -> "49301234567": visual separators (RFC 3966
 * section 5.1.1) are dropped. Refuses, with *fault, what does not begin with '+' and a country code
 * (1-9), has other characters or parameters, under 3 or over STORE_NUMBER_MAX digits. */
int store_number_parse(struct slice text, char digits[STORE_NUMBER_MAX + 1],
                       struct store_fault *fault);
/* May a zone of ENUM with this apex (canonical) hold the number? Its first labels, as far as they
 * are of one digit, are the number's first digits in reverse order (RFC 6116 section 3.2):
 * "9.4.e164.arpa" has "4930...", "e164.opa.example" any. */
bool store_number_fits(const char *digits, const char *zone);
/* The digits of an address such as "+4930123@9.4.e164.arpa", if it may be a number's in the ENUM
 * zone that its domain would be. False: `digits` is untouched. */
bool store_zone_number_digits(const struct store_address *address,
                              char digits[STORE_NUMBER_MAX + 1]);
/* An owner is 1 to STORE_OWNER_MAX printable ASCII characters without spaces. `fault` may be NULL.
 * Returns 0 or STATUS_MALFORMED. */
int store_owner_check(struct slice owner, struct store_fault *fault);
/* A mail address to write to, as "daniel@mail.example": the local part is kept as typed, the domain
 * becomes an A-label in lower case. Refuses, with *fault: no or two '@', more than STORE_MAIL_MAX
 * octets or 64 of them before the '@', a local part in quotes, one with spaces, control characters
 * or what is no dot-atom (RFC 5322 section 3.2.3; outside ASCII RFC 6531), a '-' in front, a domain
 * that is no host name. `fault` may be NULL. Returns 0 or STATUS_MALFORMED, `out` then untouched.
 */
int store_mail_canonical(struct slice text, char out[STORE_MAIL_MAX + 1],
                         struct store_fault *fault);
/* The domain alone; one final dot is dropped. ASCII names take a fast path without libidn2 and
 * without allocation. Same returns. */
int store_domain_canonical(struct slice domain, char out[STORE_DOMAIN_MAX + 1],
                           struct store_fault *fault);

#endif
