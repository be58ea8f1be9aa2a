/* /v1/journal: who changed what. */
#include "api/records.h"

#include "base/status.h"

#include <errno.h>

struct journal_page {
    json_t *array;
    size_t limit;
    uint64_t next; /* 0: this is all there is */
    bool failed;
};

/* One entry more than the page holds is asked for, to know whether there is a next. */
static bool journal_each(const struct store_journal_entry *entry, void *arg)
{
    struct journal_page *page = arg;
    if (json_array_size(page->array) == page->limit) {
        page->next = entry->sequence;
        return false;
    }
    page->failed = json_array_append_new(page->array, api_entry_encode(entry)) != 0;
    return !page->failed;
}

int api_sequence_arg(struct api_call *call, const char *name, uint64_t *sequence)
{
    const char *text = api_call_arg(call, name);
    if (!text || slice_to_u64(slice_of(text), INT64_MAX, sequence) == 0)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, name,
                           "%s: is '%.40s'; it must be a sequence number", name, text);
}

int api_journal_trimmed(struct api_call *call, uint64_t from, uint64_t first)
{
    return api_problem_set(&call->problem, API_PROBLEM_TRIMMED, "from",
                           "from: entry %llu is gone; the journal begins at %llu",
                           (unsigned long long)from, (unsigned long long)first);
}

static int journal_read(struct api_call *call, uint64_t from, struct journal_page *page,
                        struct store_stats *stats)
{
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = store_stats_get(call->reader, stats);
    if (!status)
        status = store_journal_read(call->reader, from, page->limit + 1, journal_each, page);
    store_reader_end(call->reader);
    return !status && page->failed ? -ENOMEM : status;
}

int api_journal_get(struct api_call *call)
{
    struct journal_page page = {.next = 0};
    struct store_stats stats;
    uint64_t from = 0;
    if (api_call_limit(call, &page.limit) || api_sequence_arg(call, "from", &from))
        return -EPROTO;
    page.array = json_array();
    int status = journal_read(call, from, &page, &stats);
    if (status) {
        json_decref(page.array);
        if (status == STATUS_TRIMMED)
            return api_journal_trimmed(call, from, stats.first_sequence);
        return api_problem_from_status(&call->problem, status, "journal");
    }
    json_t *next = page.next ? json_integer((json_int_t)page.next) : json_null();
    return api_call_reply(call, 200,
                          json_pack("{s:o, s:I, s:I, s:o}", "entries", page.array, "first",
                                    (json_int_t)stats.first_sequence, "last",
                                    (json_int_t)stats.last_sequence, "next", next),
                          0);
}
