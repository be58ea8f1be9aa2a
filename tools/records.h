/* Printing the records that should exist in DNS, as they come from the daemon, for a name server,
 * nsupdate(1) or octoDNS. */
#ifndef JUNCTOR_TOOLS_RECORDS_H
#define JUNCTOR_TOOLS_RECORDS_H

#include <jansson.h>
#include <stddef.h>

#define RECORDS_UPDATE_MAX 100 /* records of one update: a message has 64 KiB */

/* What octoDNS needs is known at the end only: its names must be in order. */
struct records_octodns;

/* A line each, as in a zone file. */
void records_print_zone(const json_t *records);
/* Commands that put the records of a page in the place of whatever has their names and types (A and
 * AAAA are one set here). All of one set must be on the same page. Returns 0 or -ENOMEM. */
int records_print_nsupdate(const json_t *records);

/* `domain` is canonical and outlives it. NULL without memory. */
struct records_octodns *records_octodns_alloc(const char *domain);
struct records_octodns *records_octodns_free(struct records_octodns *octodns); /* accepts NULL */
/* Returns 0 or -ENOMEM. */
int records_octodns_add(struct records_octodns *octodns, const json_t *records);
/* All of them as a YAML document for octoDNS's YamlProvider. */
void records_octodns_print(struct records_octodns *octodns);

/* The order of names that octoDNS insists on: runs of digits compare as numbers, the rest as bytes.
 */
int records_natural_compare(const char *a, const char *b);

#endif
