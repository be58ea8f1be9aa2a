/* Is a file a whole store? Every record is read, and so is what is derived from it.
 *
 * LMDB trusts its files: a damaged page can lead it anywhere in memory. So the looking is done by a
 * process of its own, whose death is an answer too. */
#include "base/status.h"
#include "store/fault.h"
#include "store/internal.h"
#include "store/table_key.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROWTH_MAX ((size_t)1 << 20) /* of a file that gets new tables */

struct verify {
    struct store_reader *reader;
    const struct store_txn *txn;
    struct store_record *records; /* room for a command's batch */
    /* what the records say there must be */
    uint64_t owned, links, numbers, deadlines, ports, owed, journaled;
    uint64_t left; /* records that may yet come, in all tables */
    int ret;       /* of a callback that cannot say it */
};

/* In a damaged file the way from page to page may be a circle. */
static int record_count(struct verify *verify)
{
    if (verify->left == 0)
        return STATUS_CORRUPT;
    verify->left--;
    return 0;
}

/* What a list's callback found. */
static bool result_keep(struct verify *verify, int ret)
{
    verify->ret = ret ? ret : record_count(verify);
    return verify->ret == 0;
}

/* ---- records ---- */

static bool domain_see(const struct store_domain *domain, void *arg)
{
    struct verify *verify = arg;
    return result_keep(verify, store_domain_check(domain));
}

static int owner_must_be(const struct verify *verify, const struct store_record *record)
{
    struct table_key key;
    struct slice value;
    int ret = table_key_owner(&key, record->owner, &record->address);
    return ret ? ret : store_get(verify->txn, TABLE_OWNERS, table_key_bytes(&key), &value);
}

static bool record_see(const struct store_record *record, void *arg)
{
    struct verify *verify = arg;
    int ret = store_record_check(record);
    verify->links += record->state == STORE_ADDRESS_ALIAS;
    verify->deadlines += record->until_ms != 0;
    if (ret == 0 && record->owner[0]) {
        verify->owned++;
        ret = owner_must_be(verify, record);
    }
    return result_keep(verify, ret);
}

static int number_must_be(const struct verify *verify, const struct store_number *number)
{
    struct table_key key;
    struct slice value;
    int ret = table_key_domain_number(&key, number->address.domain, number->digits);
    return ret ? ret : store_get(verify->txn, TABLE_DOMAIN_NUMBERS, table_key_bytes(&key), &value);
}

static bool number_see(const struct store_number *number, void *arg)
{
    struct verify *verify = arg;
    int ret = store_number_check(number);
    verify->links++;
    verify->numbers++;
    return result_keep(verify, ret ? ret : number_must_be(verify, number));
}

static bool peer_see(const struct store_peer *peer, void *arg)
{
    struct verify *verify = arg;
    return result_keep(verify, store_peer_check(peer));
}

static bool token_see(const struct store_token *token, void *arg)
{
    struct verify *verify = arg;
    verify->deadlines += token->until_ms != 0;
    return result_keep(verify, store_token_check(token));
}

static bool port_see(const struct store_port *port, void *arg)
{
    struct verify *verify = arg;
    verify->ports++;
    verify->owed += port->owed != 0;
    verify->deadlines += store_port_due_ms(port) != 0;
    return result_keep(verify, store_port_check(port));
}

static bool cursor_see(const struct store_cursor *cursor, void *arg)
{
    struct verify *verify = arg;
    return result_keep(verify, store_cursor_check(cursor));
}

static bool usage_see(const struct store_usage *usage, void *arg)
{
    struct verify *verify = arg;
    return result_keep(verify, store_usage_check(usage));
}

/* Sequences have no gaps. */
static bool entry_see(const struct store_journal_entry *entry, void *arg)
{
    struct verify *verify = arg;
    bool is_next = verify->journaled == 0 || entry->sequence == verify->journaled + 1;
    verify->journaled = entry->sequence;
    return result_keep(verify, is_next ? 0 : STATUS_CORRUPT);
}

/* ---- what has no list ---- */

static int owner_see(struct slice key, struct slice value, void *arg)
{
    struct store_address address;
    (void)value;
    int ret = table_key_to_owner_address(key, &address);
    return ret ? ret : record_count(arg);
}

static int guest_see(struct slice key, struct slice value, void *arg)
{
    int ret = store_guest_check(key, value);
    return ret ? ret : record_count(arg);
}

static int guard_see(struct slice key, struct slice value, void *arg)
{
    struct verify *verify = arg;
    struct store_address address;
    struct store_guard guard;
    (void)value;
    int ret = table_key_to_address(key, &address);
    if (ret == 0)
        ret = store_guard_read(verify->txn, &address, &guard);
    if (ret == 0)
        ret = store_guard_check(&guard);
    return ret ? ret : record_count(verify);
}

static int deadline_see(struct slice key, struct slice value, void *arg)
{
    struct slice record;
    uint64_t time_ms;
    char kind;
    (void)value;
    int ret = table_key_to_deadline(key, &time_ms, &kind, &record);
    return ret ? ret : record_count(arg);
}

static int token_key_see(struct slice key, struct slice value, void *arg)
{
    struct verify *verify = arg;
    struct store_key token_key;
    uint32_t id;
    (void)value;
    int ret = table_key_to_u32(key, &id);
    if (ret == 0)
        ret = store_key_get(verify->reader, id, &token_key);
    return ret ? ret : record_count(verify);
}

static int verdict_see(struct slice key, struct slice value, void *arg)
{
    struct verify *verify = arg;
    struct store_command command = {.op = STORE_EXPIRE};
    struct store_verdict verdict;
    (void)value;
    if (key.len != sizeof(command.id))
        return STATUS_CORRUPT;
    memcpy(command.id, key.p, key.len);
    int ret = store_verdict_get(verify->txn, &command, &verdict);
    return ret ? ret : record_count(verify);
}

static int verdict_age_see(struct slice key, struct slice value, void *arg)
{
    uint64_t time_ms;
    uint8_t id[32];
    (void)value;
    int ret = table_key_to_age(key, &time_ms, id);
    return ret ? ret : record_count(arg);
}

static int command_see(struct slice key, struct slice value, void *arg)
{
    struct verify *verify = arg;
    struct store_command command;
    uint64_t index;
    int ret = table_key_to_u64(key, &index);
    if (ret == 0)
        ret = store_command_decode(value, verify->records, &command);
    return ret ? ret : record_count(verify);
}

/* ---- all of it ---- */

static int lists_verify(struct verify *verify)
{
    struct store_reader *reader = verify->reader;
    int ret = store_domain_list(reader, NULL, SIZE_MAX, domain_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_address_list(reader, NULL, NULL, SIZE_MAX, record_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_number_list(reader, NULL, SIZE_MAX, number_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_peer_list(reader, NULL, SIZE_MAX, peer_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_token_list(reader, NULL, SIZE_MAX, token_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_port_list(reader, NULL, SIZE_MAX, port_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_cursor_list(reader, cursor_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_usage_list(reader, 0, SIZE_MAX, usage_see, verify);
    if (ret == 0 && verify->ret == 0)
        ret = store_journal_read(reader, 0, SIZE_MAX, entry_see, verify);
    return ret ? ret : verify->ret;
}

static const struct {
    enum store_table table;
    store_scan_h *see;
} scans[] = {
    {TABLE_OWNERS, owner_see},       {TABLE_GUESTS, guest_see},
    {TABLE_DEADLINES, deadline_see}, {TABLE_TOKEN_KEYS, token_key_see},
    {TABLE_VERDICTS, verdict_see},   {TABLE_VERDICT_AGES, verdict_age_see},
    {TABLE_LOG, command_see},        {TABLE_GUARDS, guard_see},
};

static int count_must_be(const struct verify *verify, enum store_table table, uint64_t expected)
{
    uint64_t count;
    int ret = store_count(verify->txn, table, &count);
    return ret == 0 && count != expected ? STATUS_CORRUPT : ret;
}

static int records_add(struct verify *verify)
{
    int ret = 0;
    for (int i = 0; ret == 0 && i < TABLE_COUNT; i++) {
        uint64_t count = 0;
        ret = store_count(verify->txn, (enum store_table)i, &count);
        verify->left += count;
    }
    return ret;
}

static int tables_verify(struct verify *verify)
{
    struct store_position position;
    int ret = store_position_get(verify->txn, &position);
    if (ret == 0)
        ret = records_add(verify);
    if (ret == 0)
        ret = lists_verify(verify);
    for (size_t i = 0; ret == 0 && i < sizeof(scans) / sizeof(scans[0]); i++)
        ret = store_scan(verify->txn, scans[i].table, SLICE(""), scans[i].see, verify);
    if (ret == 0)
        ret = count_must_be(verify, TABLE_OWNERS, verify->owned);
    if (ret == 0)
        ret = count_must_be(verify, TABLE_LINKS, verify->links);
    if (ret == 0)
        ret = count_must_be(verify, TABLE_DOMAIN_NUMBERS, verify->numbers);
    if (ret == 0)
        ret = count_must_be(verify, TABLE_DEADLINES, verify->deadlines);
    if (ret == 0)
        ret = count_must_be(verify, TABLE_PORT_ADDRESSES, verify->ports);
    if (ret == 0)
        ret = count_must_be(verify, TABLE_PORTS_OWED, verify->owed);
    if (ret == 0 && verify->journaled && verify->journaled != position.sequence)
        ret = STATUS_CORRUPT;
    return ret;
}

static int store_see(struct store *store, struct store_fault *fault)
{
    struct verify verify = {.records = calloc(STORE_IMPORT_MAX, sizeof(struct store_record))};
    int ret = verify.records ? store_schema_open(store, NULL, fault) : -ENOMEM;
    if (ret == 0)
        ret = store_reader_alloc(store, &verify.reader);
    if (ret == 0)
        ret = store_reader_begin(verify.reader);
    if (ret == 0) {
        verify.txn = &verify.reader->txn;
        ret = tables_verify(&verify);
        store_reader_end(verify.reader);
        if (ret)
            store_fault_set(fault, ret, "a record in it cannot be read, or lacks another");
    }
    store_reader_free(verify.reader);
    free(verify.records);
    return ret;
}

static int version_read(const char *file, uint32_t *version, struct store_fault *fault)
{
    struct store store;
    int ret = store_copy_open(&store, file, MDB_RDONLY, 0, fault);
    if (ret)
        return ret;
    ret = store_schema_read(&store, version, fault);
    store_copy_close(&store);
    return ret;
}

/* The map of the file may have been full. */
static int file_grow(const char *file, struct store_fault *fault)
{
    struct store store;
    uint32_t version;
    struct stat st;
    if (stat(file, &st))
        return store_fault_set(fault, -errno, "cannot open %.120s: %s", file, status_text(-errno));
    int ret = store_copy_open(&store, file, 0, (size_t)st.st_size + GROWTH_MAX, fault);
    if (ret)
        return ret;
    ret = store_schema_read(&store, &version, fault);
    if (ret == 0)
        ret = store_schema_grow(&store, version, fault);
    store_copy_close(&store);
    return ret;
}

static int file_see(const char *file, struct store_fault *fault)
{
    struct store store;
    uint32_t version;
    int ret = version_read(file, &version, fault);
    if (ret == 0 && store_schema_can_grow(version))
        ret = file_grow(file, fault);
    if (ret == 0)
        ret = store_copy_open(&store, file, MDB_RDONLY, 0, fault);
    if (ret)
        return ret;
    ret = store_schema_read(&store, &version, fault);
    if (ret == 0)
        ret = version == STORE_SCHEMA_VERSION ? store_see(&store, fault)
                                              : store_migrate_check(&store, version, fault);
    store_copy_close(&store);
    return ret;
}

/* What LMDB and the records' own rules say of a damaged file is much; all of it means this. */
static int damage_of(int ret)
{
    bool is_told =
        ret == 0 || ret == STATUS_SCHEMA || ret == -ENOMEM || ret == -EIO || ret == -EACCES;
    return is_told ? ret : STATUS_CORRUPT;
}

/* ---- the process ---- */

#define ANSWER_FD 3

struct verify_answer {
    int ret;
    struct store_fault fault;
};

/* What the program does about a crash is for the program. */
static void signals_reset(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
        signal(fatal[i], SIG_DFL);
}

/* The process keeps none of its parent's descriptors, which hold locks, and does not outlive it. */
static void child_main(const char *file, int fd)
{
    const struct rlimit no_core = {.rlim_cur = 0};
    struct verify_answer answer = {.fault.text = ""};
    if (dup2(fd, ANSWER_FD) < 0)
        _exit(1);
    close_range(ANSWER_FD + 1, ~0u, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &no_core);
    signals_reset();
    answer.ret = damage_of(file_see(file, &answer.fault));
    _exit(write(ANSWER_FD, &answer, sizeof(answer)) != sizeof(answer));
}

static int child_answer(pid_t child, int fd, struct store_fault *fault)
{
    struct verify_answer answer;
    ssize_t len = read(fd, &answer, sizeof(answer));
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (len != sizeof(answer))
        return store_fault_set(fault, STATUS_CORRUPT, "it is damaged");
    if (answer.ret && fault)
        *fault = answer.fault;
    return answer.ret;
}

int store_verify(const char *file, struct store_fault *fault)
{
    int ends[2];
    if (pipe(ends))
        return store_fault_set(fault, -errno, "no pipe: %s", status_text(-errno));
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        child_main(file, ends[1]);
    }
    int ret = child < 0 ? -errno : 0;
    close(ends[1]);
    if (ret == 0)
        ret = child_answer(child, ends[0], fault);
    else
        store_fault_set(fault, ret, "no process: %s", status_text(ret));
    close(ends[0]);
    return ret;
}
