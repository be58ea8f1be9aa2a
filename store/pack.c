#include "store/pack.h"

#include "base/status.h"

#include <errno.h>

void store_pack_init(struct store_pack *pack, char *buffer, size_t size)
{
    *pack = (struct store_pack){.p = buffer, .size = size};
}

void store_pack_bytes(struct store_pack *pack, const void *bytes, size_t len)
{
    if (pack->failed || len > pack->size - pack->len) {
        pack->failed = true;
        return;
    }
    memcpy(pack->p + pack->len, bytes, len);
    pack->len += len;
}

/* The low `count` octets of `value`, highest first. */
static void pack_integer(struct store_pack *pack, uint64_t value, size_t count)
{
    uint8_t octets[8];
    for (size_t i = 0; i < count; i++)
        octets[i] = (uint8_t)(value >> (8 * (count - 1 - i)));
    store_pack_bytes(pack, octets, count);
}

/* Most of what is packed is one octet, hence apart. */
void store_pack_u8(struct store_pack *pack, uint8_t value)
{
    if (pack->failed || pack->len == pack->size) {
        pack->failed = true;
        return;
    }
    pack->p[pack->len++] = (char)value;
}

void store_pack_u16(struct store_pack *pack, uint16_t value)
{
    pack_integer(pack, value, 2);
}

void store_pack_u32(struct store_pack *pack, uint32_t value)
{
    pack_integer(pack, value, 4);
}

void store_pack_u64(struct store_pack *pack, uint64_t value)
{
    pack_integer(pack, value, 8);
}

void store_pack_number(struct store_pack *pack, uint64_t value)
{
    uint8_t octets[10];
    size_t len = 0;
    if (value < 0x80) {
        store_pack_u8(pack, (uint8_t)value);
        return;
    }
    for (; value >= 0x80; value >>= 7)
        octets[len++] = (uint8_t)(value | 0x80);
    octets[len++] = (uint8_t)value;
    store_pack_bytes(pack, octets, len);
}

void store_pack_string(struct store_pack *pack, const char *string)
{
    size_t len = strlen(string);
    store_pack_number(pack, len);
    if (len)
        store_pack_bytes(pack, string, len);
}

int store_pack_done(const struct store_pack *pack, struct slice *bytes)
{
    if (pack->failed)
        return -ENOBUFS;
    *bytes = slice_make(pack->p, pack->len);
    return 0;
}

void store_unpack_init(struct store_unpack *unpack, struct slice bytes)
{
    *unpack = (struct store_unpack){.left = bytes};
}

/* The next `len` octets, or NULL. */
static const char *unpack_take(struct store_unpack *unpack, size_t len)
{
    if (unpack->failed || len > unpack->left.len) {
        unpack->failed = true;
        return NULL;
    }
    const char *p = unpack->left.p;
    unpack->left = slice_make(p + len, unpack->left.len - len);
    return p;
}

static uint64_t unpack_integer(struct store_unpack *unpack, size_t count)
{
    const char *p = unpack_take(unpack, count);
    uint64_t value = 0;
    if (!p)
        return 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | (uint8_t)p[i];
    return value;
}

uint8_t store_unpack_u8(struct store_unpack *unpack)
{
    return (uint8_t)unpack_integer(unpack, 1);
}

uint16_t store_unpack_u16(struct store_unpack *unpack)
{
    return (uint16_t)unpack_integer(unpack, 2);
}

uint32_t store_unpack_u32(struct store_unpack *unpack)
{
    return (uint32_t)unpack_integer(unpack, 4);
}

uint64_t store_unpack_u64(struct store_unpack *unpack)
{
    return unpack_integer(unpack, 8);
}

void store_unpack_bytes(struct store_unpack *unpack, void *dest, size_t len)
{
    const char *p = unpack_take(unpack, len);
    if (p)
        memcpy(dest, p, len);
}

uint64_t store_unpack_number(struct store_unpack *unpack)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t octet = store_unpack_u8(unpack);
        if (shift == 63 && octet > 1)
            break;
        value |= (uint64_t)(octet & 0x7f) << shift;
        if (octet & 0x80)
            continue;
        if (octet == 0 && shift > 0)
            break;
        return value;
    }
    unpack->failed = true;
    return 0;
}

void store_unpack_string(struct store_unpack *unpack, char *dest, size_t size)
{
    size_t len = store_unpack_number(unpack);
    const char *p = unpack_take(unpack, len);
    if (!p)
        return;
    if (len >= size || (len && memchr(p, '\0', len))) {
        unpack->failed = true;
        return;
    }
    memcpy(dest, p, len);
    dest[len] = '\0';
}

void store_unpack_version(struct store_unpack *unpack, uint8_t expected)
{
    if (store_unpack_u8(unpack) != expected)
        unpack->failed = true;
}

int store_unpack_done(const struct store_unpack *unpack)
{
    return unpack->failed || unpack->left.len ? STATUS_CORRUPT : 0;
}
