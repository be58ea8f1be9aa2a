/* The branches we make, and which worker owns a request. */
#include "peering/txn/internal.h"

#include "base/chars.h"

#include <errno.h>
#include <string.h>

#define COOKIE        "z9hG4bK"
#define COOKIE_LEN    (sizeof(COOKIE) - 1)
#define WORKER_DIGITS 4
#define RANDOM_BYTES  8
#define RANDOM_DIGITS 16
#define LOOP_DIGITS   16
#define BRANCH_LEN    (COOKIE_LEN + WORKER_DIGITS + RANDOM_DIGITS)

_Static_assert(BRANCH_LEN + LOOP_DIGITS < TXN_BRANCH_MAX, "a branch and its terminator must fit");

static const char hex_digits[16] = "0123456789abcdef";

void txn_branch_make(struct txn_layer *layer, unsigned worker, char branch[TXN_BRANCH_MAX])
{
    char *p = branch;
    memcpy(p, COOKIE, COOKIE_LEN);
    p += COOKIE_LEN;
    for (int shift = 4 * (WORKER_DIGITS - 1); shift >= 0; shift -= 4)
        *p++ = hex_digits[(worker >> shift) & 0xf];

    uint8_t random[RANDOM_BYTES];
    txn_layer_random(layer, random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        *p++ = hex_digits[random[i] >> 4];
        *p++ = hex_digits[random[i] & 0xf];
    }
    *p = '\0';
}

void txn_branch_add_loop(char branch[TXN_BRANCH_MAX], uint64_t loop)
{
    char *p = branch + BRANCH_LEN;
    for (int shift = 4 * (LOOP_DIGITS - 1); shift >= 0; shift -= 4)
        *p++ = hex_digits[(loop >> shift) & 0xf];
    *p = '\0';
}

int txn_branch_loop(struct slice branch, uint64_t *loop)
{
    unsigned worker;
    uint64_t number = 0;
    if (branch.len != BRANCH_LEN + LOOP_DIGITS || txn_branch_worker(branch, &worker) != 0)
        return -EINVAL;
    for (size_t i = BRANCH_LEN; i < branch.len; i++)
        number = number << 4 | (uint64_t)char_hex(branch.p[i]);
    *loop = number;
    return 0;
}

int txn_branch_worker(struct slice branch, unsigned *worker)
{
    if ((branch.len != BRANCH_LEN && branch.len != BRANCH_LEN + LOOP_DIGITS) ||
        !slice_starts_with(branch, SLICE(COOKIE)))
        return -EINVAL;

    unsigned number = 0;
    for (size_t i = COOKIE_LEN; i < branch.len; i++) {
        int digit = char_hex(branch.p[i]);
        if (digit < 0)
            return -EINVAL;
        if (i < COOKIE_LEN + WORKER_DIGITS)
            number = number << 4 | (unsigned)digit;
    }
    *worker = number;
    return 0;
}

unsigned txn_owner(const struct sip_msg *request, const uint8_t key[16], unsigned workers)
{
    const struct sip_via *via = &request->via;
    if (!sip_branch_is_rfc3261(via->branch))
        return (unsigned)(siphash(key, request->call_id) % workers);

    uint64_t hash = siphash(key, via->branch);
    char lower[TXN_LOWER];
    for (struct slice host = via->host; host.len > 0;)
        hash = siphash_after(key, hash, txn_lower_next(&host, lower));
    const char port[2] = {(char)(via->port >> 8), (char)via->port};
    hash = siphash_after(key, hash, slice_make(port, sizeof(port)));
    return (unsigned)(hash % workers);
}
