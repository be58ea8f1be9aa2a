/* What an entry of the journal says of a port, or of what protects an address, in words. */
#ifndef JUNCTOR_TOOLS_JOURNAL_WORDS_H
#define JUNCTOR_TOOLS_JOURNAL_WORDS_H

#include <jansson.h>

#define JOURNAL_WORDS "words" /* the member that is added */

/* Adds the words to an entry as the API gives it: "" where it is of another kind. An entry whose
 * values were erased stays as it is. */
void journal_words_add(json_t *entry);

#endif
