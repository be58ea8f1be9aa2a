/* Telephone numbers in DNS (ENUM, RFC 6116): from a number to the name that is asked, and from
 * NAPTR records to an address. Pure: no I/O, any thread. find.c asks. */
#ifndef JUNCTOR_RESOLVER_ENUM_H
#define JUNCTOR_RESOLVER_ENUM_H

#include "resolver/record.h"
#include "store/store.h"

#include <stddef.h>

#define ENUM_RULES_MAX 16 /* records of one name that are tried */

/* "441632960083" below "e164.arpa": "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa" (section 3.2).
 * Returns 0, or -EINVAL (not 1 to STORE_NUMBER_MAX digits) or STATUS_LIMIT (longer than a name may
 * be). */
int resolver_enum_name(const char *digits, const char *suffix, char name[RESOLVER_NAME_MAX + 1]);

/* Why this record does not lead to an address: half a sentence for people, or NULL where it may.
 * Those count that have flag "u" and a service E2U with the type sip, as in "E2U+sip",
 * "E2U+email:mailto+sip", "E2U+pstn:sip" or the older "sip+E2U"; and those without flag, which lead
 * to another name (section 3.4.3). */
const char *resolver_enum_refusal(const struct resolver_naptr *naptr);

/* Indexes of the records that count by order, then preference: the ENUM_RULES_MAX first. Returns
 * how many. */
size_t resolver_enum_order(const struct resolver_set *set, size_t order[ENUM_RULES_MAX]);

/* What a record makes of the number. */
struct enum_result {
    char next[RESOLVER_NAME_MAX + 1]; /* the name to ask next; "" for an address */
    struct store_address address;
};

/* Applies a record that counts. The result is believed to be nothing but an address: a sip: or
 * sips: URI without password, port, headers or IP address; its parameters are dropped. Returns NULL
 * with *result set, or half a sentence for people. */
const char *resolver_enum_apply(const struct resolver_naptr *naptr, const char *digits,
                                struct enum_result *result);

#endif
