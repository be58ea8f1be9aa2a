#include "tests/resolver/dns.h"

#include "base/chars.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 10

static void put(struct dns_packet *packet, const void *bytes, size_t len)
{
    assert_true(packet->len + len <= sizeof(packet->bytes));
    memcpy(packet->bytes + packet->len, bytes, len);
    packet->len += len;
}

static void put8(struct dns_packet *packet, size_t value)
{
    uint8_t byte = (uint8_t)value;
    put(packet, &byte, 1);
}

static void put16(struct dns_packet *packet, size_t value)
{
    put8(packet, value >> 8);
    put8(packet, value);
}

static void put16_text(struct dns_packet *packet, const char *text)
{
    put16(packet, strtoul(text, NULL, 10));
}

static void put32_text(struct dns_packet *packet, const char *text)
{
    unsigned long value = strtoul(text, NULL, 10);
    put16(packet, value >> 16);
    put16(packet, value);
}

static void put_name(struct dns_packet *packet, const char *name)
{
    while (*name && strcmp(name, ".") != 0) {
        size_t len = strcspn(name, ".");
        put8(packet, len);
        put(packet, name, len);
        name += len + (name[len] == '.');
    }
    put8(packet, 0);
}

static void put_string(struct dns_packet *packet, const char *text)
{
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text);
    put8(packet, len);
    put(packet, text, len);
}

unsigned dns_type_number(const char *type)
{
    static const struct {
        const char *name;
        unsigned number;
    } types[] = {{"A", 1},     {"NS", 2},   {"CNAME", 5},  {"SOA", 6},  {"TXT", 16},
                 {"AAAA", 28}, {"SRV", 33}, {"NAPTR", 35}, {"TLSA", 52}};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].number;
    fail_msg("no such type: %s", type);
    return 0;
}

static void put_ip(struct dns_packet *packet, int family, const char *text)
{
    uint8_t ip[16];
    assert_int_equal(inet_pton(family, text, ip), 1);
    put(packet, ip, family == AF_INET ? 4 : 16);
}

static void put_hex(struct dns_packet *packet, const char *text)
{
    for (; text[0] && text[1]; text += 2)
        put8(packet, (size_t)char_hex(text[0]) << 4 | (size_t)char_hex(text[1]));
}

static void put_rdata(struct dns_packet *packet, unsigned type, char *const *field)
{
    switch (type) {
    case 16:
        for (int i = 0; *field[i]; i++)
            put_string(packet, field[i]);
        return;
    case 1:
        put_ip(packet, AF_INET, field[0]);
        return;
    case 28:
        put_ip(packet, AF_INET6, field[0]);
        return;
    case 2:
    case 5:
        put_name(packet, field[0]);
        return;
    case 6:
        put_name(packet, field[0]);
        put_name(packet, field[1]);
        for (int i = 2; i < 7; i++)
            put32_text(packet, field[i]);
        return;
    case 33:
        for (int i = 0; i < 3; i++)
            put16_text(packet, field[i]);
        put_name(packet, field[3]);
        return;
    case 35:
        for (int i = 0; i < 2; i++)
            put16_text(packet, field[i]);
        for (int i = 2; i < 5; i++)
            put_string(packet, field[i]);
        put_name(packet, field[5]);
        return;
    case 52:
        for (int i = 0; i < 3; i++)
            put8(packet, strtoul(field[i], NULL, 10));
        put_hex(packet, field[3]);
        return;
    }
}

static size_t question_end(const uint8_t *query, size_t len)
{
    size_t at = 12;
    while (at < len && query[at] != 0)
        at += query[at] + 1U;
    assert_true(at + 5 <= len);
    return at + 5;
}

void dns_begin(struct dns_packet *packet, const uint8_t *query, size_t query_len, unsigned flags)
{
    packet->len = 0;
    put(packet, query, 2);
    put16(packet, flags | DNS_QR);
    put16(packet, 1);
    put(packet, "\0\0\0\0\0\0", 6);
    put(packet, query + 12, question_end(query, query_len) - 12);
}

static void count_up(struct dns_packet *packet, enum dns_section section)
{
    unsigned count = (unsigned)packet->bytes[section] << 8 | packet->bytes[section + 1];
    count++;
    packet->bytes[section] = (uint8_t)(count >> 8);
    packet->bytes[section + 1] = (uint8_t)count;
}

void dns_add(struct dns_packet *packet, enum dns_section section, const char *line)
{
    char text[1024];
    assert_true(strlen(line) < sizeof(text));
    snprintf(text, sizeof(text), "%s", line);
    char none[] = "";
    char *fields[FIELDS_MAX];
    for (size_t i = 0; i < FIELDS_MAX; i++)
        fields[i] = none;
    size_t count = 0;
    char *rest = NULL;
    for (char *f = strtok_r(text, " ", &rest); f && count < FIELDS_MAX;
         f = strtok_r(NULL, " ", &rest))
        fields[count++] = f;
    if (count < 4)
        fail_msg("too few fields: %s", line);

    unsigned type = dns_type_number(fields[2]);
    put_name(packet, fields[0]);
    put16(packet, type);
    put16(packet, 1);
    put32_text(packet, fields[1]);
    size_t length_at = packet->len;
    put16(packet, 0);
    put_rdata(packet, type, fields + 3);
    size_t rdata_len = packet->len - length_at - 2;
    packet->bytes[length_at] = (uint8_t)(rdata_len >> 8);
    packet->bytes[length_at + 1] = (uint8_t)rdata_len;
    count_up(packet, section);
}

void dns_add_raw(struct dns_packet *packet, enum dns_section section, const void *bytes, size_t len)
{
    put(packet, bytes, len);
    count_up(packet, section);
}

void dns_question(const uint8_t *query, size_t len, char name[256], unsigned *type)
{
    size_t end = question_end(query, len);
    size_t out = 0;
    for (size_t at = 12; query[at] != 0; at += query[at] + 1U) {
        if (out > 0)
            name[out++] = '.';
        for (size_t i = 1; i <= query[at]; i++)
            name[out++] = char_lower((char)query[at + i]);
    }
    name[out] = '\0';
    *type = (unsigned)query[end - 4] << 8 | query[end - 3];
}
