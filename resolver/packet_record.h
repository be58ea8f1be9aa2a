/* One record of a message as plain values (private to packet.c; knows ldns). */
#ifndef JUNCTOR_RESOLVER_PACKET_RECORD_H
#define JUNCTOR_RESOLVER_PACKET_RECORD_H

#include "resolver/record.h"

#include <ldns/ldns.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An uncompressed name of ldns as text. STATUS_MALFORMED where it is no name we could ask for. */
int packet_name_of(const ldns_rdf *rdf, char name[RESOLVER_NAME_MAX + 1]);
/* Is the record's owner this name? A name that we cannot spell is nobody's. */
bool packet_owned_by(const ldns_rr *rr, const char *name);
uint32_t packet_ttl_of(const ldns_rr *rr);
/* At most so many octets the record's text takes in a set. */
size_t packet_text_size(const ldns_rr *rr);
/* Writes the record behind the last one of the set, without counting it. STATUS_MALFORMED where it
 * cannot be used; its text stays behind then, for it has its room. */
int packet_record_of(const ldns_rr *rr, struct resolver_set *set);

#endif
