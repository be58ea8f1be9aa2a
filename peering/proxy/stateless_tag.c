/* To tags of responses that leave no state behind. */
#include "base/table.h"
#include "peering/proxy/token.h"

#include <inttypes.h>
#include <stdio.h>

void stateless_tag(const uint8_t key[16], struct slice via, struct slice from_tag,
                   struct slice call_id, uint32_t cseq, char tag[STATELESS_TAG_LEN])
{
    const char number[4] = {(char)(cseq >> 24), (char)(cseq >> 16), (char)(cseq >> 8), (char)cseq};
    uint64_t hash = siphash(key, via);
    hash = siphash_after(key, hash, from_tag);
    hash = siphash_after(key, hash, call_id);
    hash = siphash_after(key, hash, slice_make(number, sizeof(number)));
    snprintf(tag, STATELESS_TAG_LEN, "%016" PRIx64, hash);
}
