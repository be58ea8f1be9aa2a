#include "tests/store/follow.h"

#include "base/status.h"
#include "tests/store/verify.h"

#include <errno.h>
#include <stdlib.h>

struct follow {
    struct store_record *records;
    follow_h *each;
    void *arg;
    uint64_t next;
};

static int follow_visit(uint64_t index, struct slice bytes, void *arg)
{
    struct follow *follow = arg;
    struct store_command command;
    if (index != follow->next++)
        return STATUS_CORRUPT;
    int ret = store_command_decode(bytes, follow->records, &command);
    if (ret)
        return ret;
    return !follow->each(index, &command, bytes, follow->arg);
}

bool follow_log(const struct store *store, uint64_t from, follow_h *each, void *arg)
{
    struct follow follow = {.each = each, .arg = arg, .next = from};
    struct store_log log = {.type = &store_log_embedded};
    struct store_txn txn;
    follow.records = calloc(STORE_IMPORT_MAX, sizeof(struct store_record));
    if (!follow.records)
        abort();
    int ret = store_txn_begin(store, MDB_RDONLY, &txn);
    if (ret == 0) {
        log.txn = &txn;
        ret = log.type->read(&log, from, SIZE_MAX, follow_visit, &follow);
        store_txn_abort(&txn);
    }
    free(follow.records);
    return ret == 0 || verify_fail("the log, before %llu: %s", (unsigned long long)follow.next,
                                   status_text(ret));
}

struct model_follow {
    struct model *model;
    follow_check_h *check;
    void *arg;
    bool is_good;
};

static bool model_visit(uint64_t index, const struct store_command *command, struct slice bytes,
                        void *arg)
{
    struct model_follow *follow = arg;
    struct model_outcome outcome;
    (void)bytes;
    model_apply(follow->model, command, &outcome, NULL);
    follow->is_good = follow->model->index == index &&
                      (!follow->check || follow->check(command, &outcome, follow->arg));
    return follow->is_good;
}

bool follow_model(const struct store *store, struct model *model, follow_check_h *check, void *arg)
{
    struct model_follow follow = {.model = model, .check = check, .arg = arg, .is_good = true};
    return follow_log(store, model->index + 1, model_visit, &follow) && follow.is_good;
}
