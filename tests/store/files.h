/* Data files as a whole: what is in them, what lies beside them, and a disk that is full. */
#ifndef JUNCTOR_TESTS_STORE_FILES_H
#define JUNCTOR_TESTS_STORE_FILES_H

#include "tests/store/fixture.h"

/* "FOLDER/NAME", in one of a few buffers that take turns. */
const char *file_in(const struct fixture *fixture, const char *name);

/* Every key and value of the tables named, or of all (NULL), in order; freed by the caller. */
struct dump {
    char *p;
    size_t len;
};
struct dump file_dump(const char *file, const char *const *tables);
struct dump dump_free(struct dump dump); /* for one line with the next */
/* Both are freed. */
bool dumps_are_same(struct dump a, struct dump b);

bool file_is_there(const char *file);
void file_remove(const char *file); /* must be there */
void file_write(const char *file, struct slice bytes);
struct dump file_read(const char *file);
/* How many names a folder has. */
size_t folder_count(const char *path);
/* Removes the store's three files and the folder, which must then be empty. */
void folder_remove(const char *path);

/* No file of the process may grow beyond `size`, as on a full disk. */
void growth_limit(size_t size);
void growth_allow(void);

#endif
