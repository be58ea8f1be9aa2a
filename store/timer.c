/* Whatever happens because time passes is a command like any other: here is only found out which.
 */
#include "store/writer.h"

#include "base/status.h"
#include "store/fault.h"
#include "store/table_key.h"

#include <stdio.h>
#include <sys/random.h>

void store_timer_init(struct store_timer *timer, const struct store_conf *conf)
{
    *timer = (struct store_timer){
        .key_age_ms = conf->key_age_ms ? conf->key_age_ms : STORE_KEY_AGE_MS,
        .journal_age_ms = conf->journal_age_ms ? conf->journal_age_ms : STORE_JOURNAL_AGE_MS,
        .journal_size = store_journal_size(conf),
        .journal_max = conf->journal_max,
    };
    uint64_t twice = 2 * timer->journal_size, most = store_map_size(conf) / 2;
    if (timer->journal_max == 0)
        timer->journal_max = twice;
    if (timer->journal_max > most)
        timer->journal_max = most;
}

static struct store_command timer_command(enum store_op op, uint64_t now_ms)
{
    return (struct store_command){
        .op = op, .actor = "timer", .time_ms = now_ms, .expected_version = STORE_ANY_VERSION};
}

/* ---- deadlines ---- */

static int deadline_first(struct slice key, struct slice value, void *arg)
{
    struct slice record;
    char kind;
    (void)value;
    int ret = table_key_to_deadline(key, arg, &kind, &record);
    return ret ? ret : 1;
}

static bool deadline_is_due(const struct store_txn *txn, uint64_t now_ms)
{
    uint64_t first = UINT64_MAX;
    int ret = store_scan(txn, TABLE_DEADLINES, SLICE(""), deadline_first, &first);
    return ret == 0 && first <= now_ms;
}

/* ---- the journal ---- */

/* The sequence before which the journal is over its age or size; 0: it is not. */
static int journal_excess(const struct store_timer *timer, const struct store_txn *txn,
                          uint64_t now_ms, uint64_t *excess)
{
    struct store_position position;
    uint64_t first = 0, bytes = 0, old = 0;
    uint64_t cutoff = now_ms > timer->journal_age_ms ? now_ms - timer->journal_age_ms : 0;
    int ret = store_position_get(txn, &position);
    if (ret == 0)
        ret = store_journal_first(txn, &first);
    if (ret == 0)
        ret = store_table_bytes(txn, TABLE_JOURNAL, &bytes);
    if (ret == 0)
        ret = store_journal_older(txn, cutoff, &old);
    if (ret)
        return ret;
    uint64_t next = first + STORE_EXPIRE_MAX;
    if (next > position.sequence + 1)
        next = position.sequence + 1;
    *excess = bytes > timer->journal_size ? next : old;
    return 0;
}

/* Cursors hold back what they have not read, up to the hard limit. */
static int journal_due(const struct store_timer *timer, const struct store_txn *txn,
                       uint64_t now_ms, uint64_t *sequence)
{
    uint64_t excess = 0, low = UINT64_MAX, bytes = 0, first = 0;
    int ret = journal_excess(timer, txn, now_ms, &excess);
    if (ret == 0)
        ret = store_cursors_low(txn, &low);
    if (ret == 0)
        ret = store_table_bytes(txn, TABLE_JOURNAL, &bytes);
    if (ret == 0)
        ret = store_journal_first(txn, &first);
    if (ret)
        return ret;
    bool is_held = bytes <= timer->journal_max && low < UINT64_MAX && excess > low + 1;
    if (is_held)
        excess = low + 1;
    *sequence = excess > first ? excess : 0;
    return 0;
}

/* ---- the key of dialog tokens ---- */

/* Is the current one old? The first one is made by the edge that needs it. */
static bool key_is_due(const struct store_timer *timer, const struct store_txn *txn,
                       uint64_t now_ms)
{
    struct store_key key;
    return store_token_key_last(txn, &key) == 0 && now_ms > key.created_ms &&
           now_ms - key.created_ms >= timer->key_age_ms;
}

/* Applying draws nothing, so that every replica gets the same key. */
static bool key_draw(struct store_key *key)
{
    return getrandom(key->secret, sizeof(key->secret), 0) == (ssize_t)sizeof(key->secret);
}

/* ---- looking ---- */

static size_t timer_collect(const struct store_timer *timer, const struct store_txn *txn,
                            uint64_t now_ms, struct store_command commands[STORE_TIMER_COMMANDS])
{
    uint64_t sequence = 0;
    size_t count = 0;
    if (deadline_is_due(txn, now_ms))
        commands[count++] = timer_command(STORE_EXPIRE, now_ms);
    if (journal_due(timer, txn, now_ms, &sequence) == 0 && sequence) {
        commands[count] = timer_command(STORE_JOURNAL_TRIM, now_ms);
        commands[count++].sequence = sequence;
    }
    if (key_is_due(timer, txn, now_ms)) {
        commands[count] = timer_command(STORE_KEY_ADD, now_ms);
        count += key_draw(&commands[count].key);
    }
    return count;
}

size_t store_timer_look(struct store_timer *timer, const struct store *store, uint64_t now_ms,
                        struct store_command commands[STORE_TIMER_COMMANDS])
{
    struct store_txn txn;
    if (store_txn_begin(store, MDB_RDONLY, &txn))
        return 0;
    size_t count = timer_collect(timer, &txn, now_ms, commands);
    store_txn_abort(&txn);
    return count;
}

bool store_timer_alarm(struct store_timer *timer, const struct store *store,
                       struct store_fault *text)
{
    struct store_txn txn;
    uint64_t lost = 0;
    if (store_txn_begin(store, MDB_RDONLY, &txn))
        return false;
    int ret = store_cursors_lost(&txn, &lost);
    store_txn_abort(&txn);
    if (ret)
        return false;
    bool is_worse = lost > timer->cursors_lost;
    timer->cursors_lost = lost;
    if (is_worse)
        store_fault_set(text, 0,
                        "the journal passed its hard limit: %llu cursors have lost entries they "
                        "had not read, and their readers must start anew",
                        (unsigned long long)lost);
    return is_worse;
}
