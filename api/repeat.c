/* Requests that are repeated with their Idempotency-Key: answered by the first one's verdict, and
 * by what the journal tells of what it made. Nothing is judged again: what was there then may be
 * gone, or be out of its client's reach. */
#include "api/records.h"

#include "base/status.h"

#include <string.h>

static int key_failed(struct api_call *call, int status)
{
    return api_problem_from_status(&call->problem, status, "Idempotency-Key");
}

int api_repeat_find(struct api_call *call)
{
    struct store_verdict *verdict = &call->submission.verdict;
    struct store_command *command = &call->command;
    if (!call->idempotency_key)
        return 0;
    int status = api_command_id(call, command->id);
    if (!status)
        status = store_reader_begin(call->reader);
    if (status)
        return key_failed(call, status);
    memcpy(command->body_hash, call->body_hash, sizeof(command->body_hash));
    status = store_verdict_find(call->reader, command, verdict);
    store_reader_end(call->reader);
    if (status)
        return status == STATUS_NOTFOUND ? 0 : key_failed(call, status);
    call->repeated = true;
    return verdict->status == STATUS_MISMATCH ? key_failed(call, verdict->status) : 0;
}

int api_repeat_answer(struct api_call *call)
{
    const struct store_verdict *verdict = &call->submission.verdict;
    if (verdict->status && !call->then_always)
        return api_problem_from_status(&call->problem, verdict->status, call->name);
    return call->then(call, verdict);
}

/* ---- what a change made ---- */

struct outcome {
    union store_any *made;
    bool found;
};

static bool outcome_take(const struct store_journal_entry *entry, void *arg)
{
    struct outcome *outcome = arg;
    outcome->found = entry->after != NULL;
    if (outcome->found)
        *outcome->made = *entry->after;
    return false;
}

int api_outcome_read(struct api_call *call, uint64_t sequence, union store_any *made)
{
    struct outcome outcome = {.made = made};
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = store_journal_read(call->reader, sequence, 1, outcome_take, &outcome);
    store_reader_end(call->reader);
    return !status && !outcome.found ? STATUS_TRIMMED : status;
}

int api_outcome_gone(struct api_call *call, int status, uint64_t sequence)
{
    if (status != STATUS_TRIMMED)
        return key_failed(call, status);
    return api_problem_set(&call->problem, API_PROBLEM_TRIMMED, "Idempotency-Key",
                           "Idempotency-Key: the request was done as change %llu, and what it made "
                           "is gone, from the journal too",
                           (unsigned long long)sequence);
}
