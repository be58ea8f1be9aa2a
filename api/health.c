/* /healthz: the process answers. /readyz: it can do its work. */
#include "api/internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>

#define READY_MS 1000 /* for which a proof that the directory can be written counts */

int api_health_get(struct api_call *call)
{
    return api_call_reply(call, 200, json_pack("{s:s}", "status", "ok"), 0);
}

static int not_ready(struct api_call *call, const char *status, const char *why)
{
    return api_call_reply(call, 503, json_pack("{s:s, s:s}", "status", status, "why", why), 0);
}

static int directory_read(struct api_call *call)
{
    uint64_t sequence;
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_sequence_get(call->reader, &sequence);
        store_reader_end(call->reader);
    }
    return status;
}

/* There is no such cursor, or there is: both were judged. */
static int ready_then(struct api_call *call, const struct store_verdict *verdict)
{
    call->dry_run = false; /* the client asked for none */
    if (verdict->status && verdict->status != STATUS_NOTFOUND)
        return not_ready(call, "directory", status_text(verdict->status));
    atomic_store(&call->api->ready_until_ms, api_now_ms() + READY_MS);
    return api_health_get(call);
}

/* The directory can be written where its writer judges a command; this one is only tried. Whoever
 * asks often, and anybody may, hears what was true a moment ago. */
int api_ready_get(struct api_call *call)
{
    if (atomic_load(&call->api->draining))
        return not_ready(call, "draining", "the daemon is finishing what runs");
    int status = directory_read(call);
    if (status)
        return not_ready(call, "directory", status_text(status));
    uint64_t now_ms = api_now_ms(), until_ms = atomic_load(&call->api->ready_until_ms);
    if (now_ms < until_ms && until_ms <= now_ms + READY_MS)
        return api_health_get(call);
    call->command.op = STORE_CURSOR_DEL;
    snprintf(call->command.cursor.name, sizeof(call->command.cursor.name), "readyz");
    call->dry_run = true;
    call->then_always = true;
    return api_submit(call, "directory", ready_then);
}
