/* Names of owners, and the user parts that nobody may own. */
#include "base/status.h"
#include "store/fault.h"
#include "store/store.h"

int store_owner_check(struct slice owner, struct store_fault *fault)
{
    char quoted[FAULT_CHAR_MAX];
    if (owner.len == 0)
        return store_fault_set(fault, STATUS_MALFORMED, "the owner is empty");
    if (owner.len > STORE_OWNER_MAX)
        return store_fault_set(fault, STATUS_MALFORMED, "the owner is longer than %d characters",
                               STORE_OWNER_MAX);
    for (size_t i = 0; i < owner.len; i++)
        if (owner.p[i] <= ' ' || owner.p[i] > '~')
            return store_fault_set(fault, STATUS_MALFORMED,
                                   "the owner contains %s at position %zu; allowed are printable "
                                   "ASCII characters without spaces",
                                   store_fault_char(owner.p[i], quoted), i + 1);
    return 0;
}

bool store_user_is_reserved(const char *user)
{
    static const char *const reserved[] = {
        "info",       "marketing", "sales", "support",   "abuse", "noc",  "security", "postmaster",
        "hostmaster", "usenet",    "news",  "webmaster", "www",   "uucp", "ftp",
    }; /* RFC 2142 sections 2 to 5 */
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
        if (strcmp(user, reserved[i]) == 0)
            return true;
    return false;
}
