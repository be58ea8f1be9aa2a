/* The binary form of records: big-endian integers of fixed size, numbers of 7 bits per
 * octet (low bits first, the high bit says that more follow), strings with such a number in front.
 *
 * Both sides are sticky: after the first failure later steps do nothing, and the last call tells.
 * Reading checks every bound, so that a damaged record is STATUS_CORRUPT and never a crash. */
#ifndef JUNCTOR_STORE_PACK_H
#define JUNCTOR_STORE_PACK_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_pack {
    char *p;
    size_t size; /* of the buffer */
    size_t len;  /* written so far */
    bool failed; /* the buffer was too small */
};

void store_pack_init(struct store_pack *pack, char *buffer, size_t size);
void store_pack_u8(struct store_pack *pack, uint8_t value);
void store_pack_u16(struct store_pack *pack, uint16_t value);
void store_pack_u32(struct store_pack *pack, uint32_t value);
void store_pack_u64(struct store_pack *pack, uint64_t value);
void store_pack_bytes(struct store_pack *pack, const void *bytes, size_t len);
void store_pack_number(struct store_pack *pack, uint64_t value); /* 1 to 10 octets */
void store_pack_string(struct store_pack *pack, const char *string);
/* Returns 0 with the bytes written, or -ENOBUFS. */
int store_pack_done(const struct store_pack *pack, struct slice *bytes);

struct store_unpack {
    struct slice left;
    bool failed;
};

void store_unpack_init(struct store_unpack *unpack, struct slice bytes);
/* A failed read gives 0. */
uint8_t store_unpack_u8(struct store_unpack *unpack);
uint16_t store_unpack_u16(struct store_unpack *unpack);
uint32_t store_unpack_u32(struct store_unpack *unpack);
uint64_t store_unpack_u64(struct store_unpack *unpack);
void store_unpack_bytes(struct store_unpack *unpack, void *dest, size_t len);
uint64_t store_unpack_number(struct store_unpack *unpack); /* the shortest form only */
/* Into a terminated string of `size` bytes; too long a string or one with NUL is a failure. */
void store_unpack_string(struct store_unpack *unpack, char *dest, size_t size);
/* An octet that must be `expected`: the version of a record's form. */
void store_unpack_version(struct store_unpack *unpack, uint8_t expected);
/* Returns 0 where everything was read and nothing is left, else STATUS_CORRUPT. */
int store_unpack_done(const struct store_unpack *unpack);

#endif
