/* junctor import: a file of addresses into a directory.
 *
 * The file is read several times. The first pass checks each row by itself, finds who is there
 * twice, and brings aliases into an order in which each comes after its target: level 0 are
 * addresses, level N aliases of what is at most of level N-1. Then, level by level, everything is
 * tried (a dry run of the daemon), and then added, a chunk at a time. What was added is undone in
 * reverse where the rest cannot be, unless --keep-going.
 *
 * With --store the addresses go into a store that no daemon has open (import_store.c). */
#ifndef JUNCTOR_TOOLS_IMPORT_H
#define JUNCTOR_TOOLS_IMPORT_H

#include "tools/progress.h"
#include "tools/rows.h"
#include "tools/seen.h"
#include "tools/tool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT_FAULTS_SHOWN 20        /* to people; programs get all */
#define IMPORT_BODY_MAX     1040000   /* octets of one request; the daemon takes 1 MiB */
#define IMPORT_TRIES        10        /* seconds that a chunk waits for a daemon that is away */
#define IMPORT_CHUNKS_MAX   (1 << 20) /* chunks of one file */

/* What a problem document would have as type. */
#define IMPORT_MALFORMED "urn:junctor:problem:invalid-field"
#define IMPORT_TWICE     "urn:junctor:problem:exists"
#define IMPORT_LOOP      "urn:junctor:problem:alias-loop"
#define IMPORT_UNKNOWN   "urn:junctor:problem:internal"
#define IMPORT_NO_TARGET "urn:junctor:problem:no-such-record"

struct import_refusal {
    uint64_t line;
    char *detail;
};

struct import {
    struct tool *tool;
    bool keep_going, dry_run;
    struct rows rows;
    struct seen seen;
    uint64_t size;    /* octets of the file */
    uint64_t count;   /* rows that may be added */
    uint64_t aliases; /* of them */
    bool by_octets;   /* progress is told by where the file is read */
    unsigned levels;  /* of aliases */
    unsigned turn;    /* passes over the file so far */
    uint64_t refused; /* rows */
    json_t *refusals; /* with --json */
    struct import_refusal shown[IMPORT_FAULTS_SHOWN]; /* the first lines, not said yet; sorted */
    size_t shown_count, said_count;
    uint64_t added;
    bool undone;
    uint64_t began_ms;
    struct progress progress;
    struct progress_state state;
    const char *domain; /* of the export's header, or --domain; NULL: none is named */
};

/* Takes one row; returns an exit code, TOOL_DONE to go on. */
typedef int import_row_h(struct import *import, struct row *row, void *arg);

/* One pass: the rows of a level, once each. Returns what `each` returned, or TOOL_REFUSED on a
 * signal and where the file cannot be read, after saying so. */
int import_walk(struct import *import, unsigned level, import_row_h *each, void *arg);
/* Begins a part of the work that the progress line names, over import->count rows. */
void import_phase(struct import *import, const char *what);
/* One row more is dealt with. */
void import_step(struct import *import);
/* Counts a row that cannot be added. It is said by import_refusals_say: passes do not meet rows in
 * the order of the file. */
void import_refuse(struct import *import, uint64_t line, const char *type, const char *detail);
/* The same, where the row is one that the first pass took. */
void import_refuse_row(struct import *import, const struct row *row, const char *type,
                       const char *detail);
/* Says the first of the rows that were refused, in the order of their lines. */
void import_refusals_say(struct import *import);
/* Is the alias's target an address of the file that was not refused? */
bool import_has_target(const struct import *import, const struct row *row);
/* What the domain to be added is made of: the header's settings, --core. A new reference; NULL
 * after saying that --core is missing. */
json_t *import_domain_make(const struct import *import);

/* Both ways: with everything checked so far, try and add. They return an exit code. */
int import_remote(struct import *import);
int import_store(struct import *import);

#endif
