/* The process that is killed: several threads submit random commands to a store whose clock runs
 * fast, and tell each acknowledgement through a pipe before they go on. */
#ifndef JUNCTOR_TESTS_STORE_CRASH_WRITER_H
#define JUNCTOR_TESTS_STORE_CRASH_WRITER_H

#include "store/store.h"

#define CRASH_THREADS  4
#define CRASH_COMMANDS 400 /* of one thread; then it waits to be killed */
#define CRASH_BACKUPS  8   /* of one process */

enum crash_ack_kind {
    CRASH_ACK_COMMAND,
    CRASH_ACK_CURSOR, /* `verdict.sequence` is where the thread's cursor is */
    CRASH_ACK_USAGE,  /* one attempt more */
    CRASH_ACK_BACKUP, /* backup `number` is complete */
};

/* One write to the pipe: it comes whole or not at all. */
struct crash_ack {
    enum crash_ack_kind kind;
    unsigned thread;
    unsigned long number; /* of the command: its actor is crash-ROUND-THREAD-NUMBER */
    bool is_dry_run;
    int ret;
    struct store_verdict verdict;
};

struct crash_writer {
    const char *path;
    uint64_t seed;
    unsigned round;
    bool backs_up;     /* all the while */
    uint64_t begin_ms; /* what the store's clock says at first */
    uint64_t began_us; /* what CLOCK_MONOTONIC said then */
    int pipe;
};

uint64_t crash_now_us(void);
/* The fast clock: `arg` is the struct crash_writer. */
store_clock_h crash_clock;
/* What the writer, and whoever looks at its store, opens it with. */
struct store_conf crash_conf(struct crash_writer *writer);
/* Names that belong to one thread alone, and the file of a backup. */
void crash_cursor_name(unsigned thread, char name[STORE_CURSOR_NAME_MAX + 1]);
void crash_usage(unsigned thread, struct store_usage *usage);
#define CRASH_BACKUP_PREFIX "backup-"
void crash_backup_name(const struct crash_writer *writer, unsigned long number, char *name,
                       size_t size);

/* Never returns. Exits with 1 where the store cannot be opened or fails. */
_Noreturn void crash_writer_main(struct crash_writer *writer);

#endif
