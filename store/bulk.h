/* What a bulk load puts into the new file, in the caller's thread or in the lane's. */
#ifndef JUNCTOR_STORE_BULK_H
#define JUNCTOR_STORE_BULK_H

#include "store/internal.h"
#include "store/lane.h"
#include "store/sorter.h"
#include "store/table_key.h"

#include <openssl/evp.h>

/* Records on their way into the file. Whoever calls owns it meanwhile: the lane, or, after
 * store_lane_settle, the caller of the bulk load. */
struct bulk_file {
    struct store store; /* on the new file */
    struct store_txn txn;
    MDB_cursor *cursor; /* of the table of addresses, the transaction's */
    size_t txn_count;   /* records in the transaction */
    struct store_sorter owners;
    EVP_MD_CTX *digest;
    uint64_t addresses;
};

/* One address, encoded. */
struct bulk_address {
    struct slice key, value, owner;
};
/* As octets with the lengths in front, which is how it travels and what the digest is over. */
#define BULK_FRAME_MAX (5 + TABLE_KEY_MAX + STORE_ANY_SIZE_MAX + STORE_OWNER_MAX)
size_t bulk_frame_len(const struct bulk_address *address);
void bulk_frame_write(const struct bulk_address *address, char *frame);

/* `store` is open. Returns 0 or a status; bulk_file_done in any case. */
int bulk_file_begin(struct bulk_file *file);
void bulk_file_done(struct bulk_file *file);

/* A store_lane_h: frames of addresses that all come behind what is there. */
int bulk_file_append(struct slice frames, void *arg);
/* One that may be there (STATUS_EXISTS), or comes before others unless it `is_last`. */
int bulk_file_insert(struct bulk_file *file, const struct bulk_address *address, bool is_last);
int bulk_file_digest(struct bulk_file *file, struct slice bytes);

/* Writes the owners' keys; the transaction is open behind it as before. */
int bulk_file_owners(struct bulk_file *file);
/* Commits what is left. */
int bulk_file_commit(struct bulk_file *file);

#endif
