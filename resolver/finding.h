/* One search under way (private to finding.c and find.c). finding.c is its life: it asks what a
 * step needs, waits for the answer, keeps the deadline and tells the end. find.c is the steps. */
#ifndef JUNCTOR_RESOLVER_FINDING_H
#define JUNCTOR_RESOLVER_FINDING_H

#include "resolver/enum.h"
#include "resolver/explain.h"
#include "resolver/internal.h"

#define FIND_LEVELS_MAX                                                                            \
    6 /* names of one suffix at once: five records without flag in a row, as many                  \
         as RFC 6116 section 5.2.1 asks for */

enum find_step {
    FIND_DIRECTORY, /* entered at the start, and with the address that a number led to */
    FIND_SUFFIX,    /* a number: the next suffix is to be asked */
    FIND_RULES,     /* ENUM answered, or a record led nowhere: the next record is to be tried */
    FIND_PARENT,    /* the TXT record of a foreign domain was asked */
    FIND_HOST,      /* its record of the one address was asked */
    FIND_END        /* `status` and `found` are final */
};

/* The records of one name of ENUM, and how far they were tried. */
struct level {
    struct resolver_set *set;
    size_t order[ENUM_RULES_MAX];
    size_t count, next;
};

/* Owned by the resolver's list of searches until it has ended or is cancelled; then spare. */
struct resolver_finding {
    struct list link;
    struct resolver *resolver;
    struct store_reader *reader;
    const struct resolver_directory *directory;
    resolver_find_h *done;
    struct resolver_teller teller; /* its arg is the user's */
    struct timer timer;            /* the deadline */
    enum find_step step;
    bool known_only;     /* the cache answers, or nobody */
    bool running;        /* inside finding_run: an answer is taken up there */
    const char *no_more; /* why no further questions are asked; NULL: they are */

    char digits[STORE_NUMBER_MAX + 1]; /* "": no number, or it has led to an address */
    size_t suffix;                     /* the next one */
    struct level levels[FIND_LEVELS_MAX];
    size_t depth;

    char name[RESOLVER_NAME_MAX + 1]; /* asked last */
    enum resolver_type type;
    struct resolver_wait wait;
    bool waiting;
    unsigned questions, expressions;
    struct resolver_outcome
        outcome; /* of the question asked last; its set is a reference of ours */

    int failure; /* status of the first question without answer, or 0; found.why tells it */
    int status;
    struct resolver_found found;
};

/* ---- find.c ---- */

/* Takes the search one step further: it waits then, has ended, or is at another step. */
void resolver_finding_step(struct resolver_finding *finding);

/* ---- finding.c ---- */

/* Asks for finding->name; `step` takes up the answer. */
void resolver_finding_ask(struct resolver_finding *finding, enum resolver_type type,
                          enum find_step step);
/* Forgets the records of ENUM. */
void resolver_finding_levels_drop(struct resolver_finding *finding);
/* The search ends with `status` and finding->found. */
void resolver_finding_end(struct resolver_finding *finding, int status);

#endif
