/* Puts a reader of the journal into a directory that nobody has open: the API only shows and
 * forgets them.
 *
 *   cursor_put STORE NAME SEQUENCE */
#include "base/status.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

static int cursor_put(struct store *store, const char *name, const char *sequence)
{
    struct store_command command = {
        .op = STORE_CURSOR_PUT, .expected_version = STORE_ANY_VERSION, .actor = "cursor_put"};
    struct store_verdict verdict;
    snprintf(command.cursor.name, sizeof(command.cursor.name), "%s", name);
    command.cursor.sequence = strtoull(sequence, NULL, 10);
    int status = store_submit(store, &command, &verdict);
    return status ? status : verdict.status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: cursor_put STORE NAME SEQUENCE\n");
        return 2;
    }
    struct store_conf conf = {.path = argv[1]};
    struct store *store;
    struct store_fault fault;
    if (store_open(&conf, STORE_WRITER, &store, &fault)) {
        fprintf(stderr, "cursor_put: %s\n", fault.text);
        return 1;
    }
    int status = cursor_put(store, argv[2], argv[3]);
    if (status)
        fprintf(stderr, "cursor_put: %s: %s\n", argv[2], status_text(status));
    store_close(store);
    return status ? 1 : 0;
}
