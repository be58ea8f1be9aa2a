/* The directory in /metrics: its records, its file, its journal and who reads that. */
#include "api/metrics.h"

#include <inttypes.h>

#define CURSORS_MAX 64 /* told one by one; all of them count in junctor_journal_cursors */

static void records_add(struct metrics *metrics, const struct store_stats *stats)
{
    const struct {
        const char *kind;
        uint64_t count;
    } rows[] = {
        {"domain", stats->domains}, {"address", stats->addresses}, {"number", stats->numbers},
        {"peer", stats->peers},     {"token", stats->tokens},      {"verdict", stats->verdicts},
    };
    const char *name = "junctor_store_records";
    metrics_family_add(
        metrics, name, "gauge",
        "Records in the directory; addresses with their tombstones, verdicts kept for "
        "Idempotency-Key.");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metrics_line_add(metrics, "%s{kind=\"%s\"} %" PRIu64 "\n", name, rows[i].kind,
                         rows[i].count);
}

static void stats_add(struct metrics *metrics, const struct store_stats *stats)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"junctor_store_map_used_bytes", "Bytes of the directory's file in use.", stats->map_used},
        {"junctor_store_map_size_bytes", "Bytes that the directory's file may grow to.",
         stats->map_size},
        {"junctor_store_readers", "Reader slots in use at the busiest time, over all processes.",
         stats->readers},
        {"junctor_store_oldest_reader_commits",
         "Commits since the oldest snapshot in use was taken; a high number makes the file grow.",
         stats->oldest_reader},
        {"junctor_journal_first_sequence",
         "Oldest entry of the journal; more than the newest where the journal is empty.",
         stats->first_sequence},
        {"junctor_journal_last_sequence", "Newest entry of the journal.", stats->last_sequence},
        {"junctor_journal_bytes", "Size of the journal, in whole pages.", stats->journal_bytes},
        {"junctor_journal_cursors_lost", "Readers of the journal that must start anew.",
         stats->cursors_lost},
        {"junctor_log_first_index", "Oldest command in the log.", stats->log_first},
        {"junctor_log_last_index", "Newest command in the log.", stats->log_last},
    };
    records_add(metrics, stats);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metrics_number_add(metrics, rows[i].name, "gauge", rows[i].help, rows[i].value);
    metrics_time_add(metrics, "junctor_store_time_seconds",
                     "Store time, Unix time: the highest time of all changes.",
                     stats->store_time_ms);
}

/* ---- cursors ---- */

struct cursors {
    struct store_cursor list[CURSORS_MAX];
    size_t count; /* in the list */
    size_t total;
};

static bool cursor_keep(const struct store_cursor *cursor, void *arg)
{
    struct cursors *cursors = arg;
    if (cursors->count < CURSORS_MAX)
        cursors->list[cursors->count++] = *cursor;
    cursors->total++;
    return true;
}

/* Their names need no escaping: letters, digits and -_. */
static void cursors_add(struct metrics *metrics, const struct cursors *cursors,
                        const struct store_stats *stats)
{
    const char *lag = "junctor_journal_cursor_lag_entries", *lost = "junctor_journal_cursor_lost";
    metrics_number_add(metrics, "junctor_journal_cursors", "gauge",
                       "Readers of the journal that hold its trimming back.", cursors->total);
    metrics_family_add(metrics, lag, "gauge",
                       "Entries of the journal that a reader has yet to deal with.");
    for (size_t i = 0; i < cursors->count; i++) {
        const struct store_cursor *cursor = &cursors->list[i];
        uint64_t behind =
            stats->last_sequence > cursor->sequence ? stats->last_sequence - cursor->sequence : 0;
        metrics_line_add(metrics, "%s{cursor=\"%s\"} %" PRIu64 "\n", lag, cursor->name, behind);
    }
    metrics_family_add(
        metrics, lost, "gauge",
        "1 where entries that a reader had not read were trimmed: it must start anew.");
    for (size_t i = 0; i < cursors->count; i++)
        metrics_line_add(metrics, "%s{cursor=\"%s\"} %d\n", lost, cursors->list[i].name,
                         cursors->list[i].lost);
}

int metrics_store_add(struct metrics *metrics, struct store_reader *reader)
{
    struct store_stats stats;
    struct cursors cursors = {.count = 0};
    int status = store_stats_get(reader, &stats);
    if (!status)
        status = store_cursor_list(reader, cursor_keep, &cursors);
    if (status)
        return status;
    stats_add(metrics, &stats);
    cursors_add(metrics, &cursors, &stats);
    return 0;
}
