#include "tests/peering/sip/vectors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *path, const char *what)
{
    printf("Bail out! %s %s\n", path, what);
    exit(1);
}

static void *claim(void *memory)
{
    if (memory == NULL)
        fail("memory", "is exhausted");
    return memory;
}

/* The whole file, with a NUL after it; NULL where it cannot be read. */
static char *file_read(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    (void)fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *bytes = claim(malloc((size_t)(size < 0 ? 0 : size) + 1));
    *len = fread(bytes, 1, (size_t)(size < 0 ? 0 : size), file);
    bytes[*len] = '\0';
    (void)fclose(file);
    return bytes;
}

static void vector_load(struct vector *vector, const char *index, char *row)
{
    const char *slash = strrchr(index, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - index);
    char path[PATH_MAX];

    for (size_t i = 0; i < VECTOR_COLUMNS && row != NULL; i++)
        vector->column[i] = strsep(&row, "\t");
    if (vector->column[COL_STREAM] == NULL)
        fail(index, "has a row with fewer than ten columns");
    (void)snprintf(path, sizeof(path), "%.*s%s", folder, index, vector->column[COL_FILE]);
    vector->bytes = file_read(path, &vector->len);
    if (vector->bytes == NULL)
        fail(path, "cannot be read");
}

bool vectors_load(struct vectors *vectors, const char *index)
{
    size_t len, rows = 1;
    char *rest = NULL;

    *vectors = (struct vectors){.index = file_read(index, &len)};
    if (vectors->index == NULL)
        return false;
    for (const char *p = vectors->index; (p = strchr(p, '\n')) != NULL; p++)
        rows++;
    vectors->vector = claim(calloc(rows, sizeof(*vectors->vector)));
    (void)strtok_r(vectors->index, "\r\n", &rest); /* the names of the columns */
    for (char *row; (row = strtok_r(NULL, "\r\n", &rest)) != NULL; vectors->count++)
        vector_load(&vectors->vector[vectors->count], index, row);
    return vectors->count > 0;
}

void vectors_done(struct vectors *vectors)
{
    for (size_t i = 0; i < vectors->count; i++)
        free(vectors->vector[i].bytes);
    free(vectors->vector);
    free(vectors->index);
}

static const char *source_folder(void)
{
    const char *top = getenv("top_srcdir");
    return top == NULL ? "." : top;
}

void vectors_own_index(char *path, size_t size)
{
    (void)snprintf(path, size, "%s/tests/peering/sip/vectors/INDEX.tsv", source_folder());
}

void vectors_shared_index(char *path, size_t size)
{
    const char *shared = getenv("JUNCTOR_SHARED");
    if (shared != NULL)
        (void)snprintf(path, size, "%s/vectors/sip/INDEX.tsv", shared);
    else
        (void)snprintf(path, size, "%s/../shared/vectors/sip/INDEX.tsv", source_folder());
}

bool outcome_next(const char **outcomes, struct slice *word)
{
    if (**outcomes == '\0')
        return false;
    *word = slice_make(*outcomes, strcspn(*outcomes, "|"));
    *outcomes += word->len;
    *outcomes += **outcomes == '|';
    return true;
}

bool outcome_has(const char *outcomes, const char *word)
{
    struct slice alternative;
    while (outcome_next(&outcomes, &alternative))
        if (slice_eq(alternative, slice_of(word)))
            return true;
    return false;
}
