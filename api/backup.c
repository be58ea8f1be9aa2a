/* /v1/backups: a copy of the directory to a file of this machine, while everything goes on. */
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What the copy came to; lives in call->memory. */
struct backup {
    char file[PATH_MAX];
    long long bytes;
    struct store_fault fault;
};

static int file_decode(struct api_call *call, struct backup *backup)
{
    static const struct api_field fields[] = {
        {"file", JSON_STRING, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    const char *file = json_string_value(json_object_get(call->body, "file"));
    if (*file != '/')
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "file",
                               "file: is '%.256s'; it must be an absolute path, of a file that "
                               "does not exist yet",
                               file);
    if (strlen(file) >= PATH_MAX)
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "file",
                               "file: is over %d bytes long", PATH_MAX - 1);
    memcpy(backup->file, file, strlen(file) + 1);
    return 0;
}

/* On a thread of its own. Two copies at once would only slow each other. */
static int backup_make(struct api_call *call)
{
    struct backup *backup = call->memory;
    struct stat made;
    if (atomic_flag_test_and_set(&call->api->copying))
        return -EBUSY;
    int status = store_backup(call->api->parts.store, backup->file, &backup->fault);
    if (!status && stat(backup->file, &made))
        status = -errno;
    if (!status)
        backup->bytes = made.st_size;
    atomic_flag_clear(&call->api->copying);
    return status;
}

/* The disk of the copy is not the directory's: whoever asked chose it, and can choose another. */
static int backup_failed(struct api_call *call, int status)
{
    const struct backup *backup = call->memory;
    const char *why = *backup->fault.text ? backup->fault.text : status_text(status);
    enum api_problem_kind kind = API_PROBLEM_FIELD;
    if (status == -EBUSY || status == -EAGAIN || status == -ENOMEM || status == STATUS_LIMIT)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "%.512s: no backup can be made now: try again", backup->file);
    if (status == -EEXIST)
        kind = API_PROBLEM_EXISTS;
    else if (status == -ENOSPC || status == -EDQUOT || status == -EFBIG)
        kind = API_PROBLEM_FULL;
    else if (status == STATUS_CORRUPT)
        kind = API_PROBLEM_INTERNAL;
    if (*backup->fault.text)
        return api_problem_set(&call->problem, kind, "file", "%s", why); /* names the file */
    return api_problem_set(&call->problem, kind, "file", "%.512s: %s", backup->file, why);
}

static int backup_made(struct api_call *call, const struct store_verdict *verdict)
{
    const struct backup *backup = call->memory;
    if (verdict->status)
        return backup_failed(call, verdict->status);
    log_write(call->api->parts.log, LOG_NOTICE, "api", "backup done: actor=%s file=%s bytes=%lld",
              call->actor, backup->file, backup->bytes);
    return api_call_reply(
        call, 201,
        json_pack("{s:s, s:I}", "file", backup->file, "bytes", (json_int_t)backup->bytes), 0);
}

int api_backup_post(struct api_call *call)
{
    struct backup *backup = call->memory = calloc(1, sizeof(*backup));
    if (!backup)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    if (file_decode(call, backup))
        return -EPROTO;
    return api_run(call, backup->file, backup_make, backup_made);
}
