/* DNS messages written by hand, independent of the library under test. */
#ifndef JUNCTOR_TESTS_RESOLVER_DNS_H
#define JUNCTOR_TESTS_RESOLVER_DNS_H

#include <stddef.h>
#include <stdint.h>

#define DNS_PACKET_MAX 40000

#define DNS_QR       0x8000U
#define DNS_AA       0x0400U
#define DNS_TC       0x0200U
#define DNS_RA       0x0080U
#define DNS_AD       0x0020U
#define DNS_SERVFAIL 2U
#define DNS_NXDOMAIN 3U
#define DNS_REFUSED  5U

enum dns_section { DNS_ANSWER = 6, DNS_AUTHORITY = 8, DNS_ADDITIONAL = 10 }; /* header offsets */

struct dns_packet {
    uint8_t bytes[DNS_PACKET_MAX];
    size_t len;
};

/* A response that repeats the id and the question of `query`. */
void dns_begin(struct dns_packet *packet, const uint8_t *query, size_t query_len, unsigned flags);
/* Appends a record written as in a zone file: "edge.opb.example 300 A 192.0.2.1". Names are
 * absolute without final dot, "." is the root; strings are not quoted, "-" is the empty one. Types:
 * A, AAAA, SRV, NAPTR, TXT, TLSA (data in hex), CNAME, NS, SOA. */
void dns_add(struct dns_packet *packet, enum dns_section section, const char *line);
/* Appends raw bytes (a record of one's own; the count is raised by one). */
void dns_add_raw(struct dns_packet *packet, enum dns_section section, const void *bytes,
                 size_t len);

/* The name asked in a query, lower case, and the type. */
void dns_question(const uint8_t *query, size_t len, char name[256], unsigned *type);
/* The number of a type's name. */
unsigned dns_type_number(const char *type);

#endif
