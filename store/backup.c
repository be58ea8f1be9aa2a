/* Hot backup: a compact copy of one snapshot, while everything goes on. */
#include "base/status.h"
#include "store/fault.h"
#include "store/file.h"
#include "store/internal.h"

#include <errno.h>

int store_backup(struct store *store, const char *file, struct store_fault *fault)
{
    struct store_file copy;
    if (file[0] != '/')
        return store_fault_set(fault, -EINVAL, "the backup's name must begin with '/'");
    int ret = store_file_begin(&copy, file, fault);
    if (ret)
        return ret;
    ret = store_copy_write(store->env, copy.fd);
    if (ret == 0)
        return store_file_commit(&copy, false, fault);
    store_file_abort(&copy);
    return store_fault_set(fault, ret, "cannot write the backup %.100s: %s", file,
                           ret == STATUS_LIMIT ? "too many readers have the store open"
                                               : status_text(ret));
}
