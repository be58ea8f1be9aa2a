/* /metrics: the daemon in numbers, in Prometheus' text format 0.0.4.
 *
 * Names follow Prometheus' conventions: base units, _total for what only grows. A label has few
 * values: kinds, methods, patterns of routes, and the names of the journal's cursors. */
#include "api/metrics.h"

#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define METRICS_MAX  1048576 /* bytes of an answer; histograms of API_MAX_ROUTES fit */
#define METRICS_LINE 800

void metrics_line_add(struct metrics *metrics, const char *format, ...)
{
    char line[METRICS_LINE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(line) ||
        buf_append(&metrics->text, slice_make(line, (size_t)len)))
        metrics->failed = true;
}

void metrics_family_add(struct metrics *metrics, const char *name, const char *type,
                        const char *help)
{
    metrics_line_add(metrics, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_number_add(struct metrics *metrics, const char *name, const char *type,
                        const char *help, uint64_t value)
{
    metrics_family_add(metrics, name, type, help);
    metrics_line_add(metrics, "%s %" PRIu64 "\n", name, value);
}

void metrics_time_add(struct metrics *metrics, const char *name, const char *help, uint64_t time_ms)
{
    metrics_family_add(metrics, name, "gauge", help);
    metrics_line_add(metrics, "%s %" PRIu64 ".%03u\n", name, time_ms / 1000,
                     (unsigned)(time_ms % 1000));
}

static void process_add(struct metrics *metrics, const struct api *api)
{
    metrics_family_add(metrics, "junctor_build_info", "gauge", "Always 1; the version is a label.");
    metrics_line_add(metrics, "junctor_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    metrics_time_add(metrics, "process_start_time_seconds",
                     "When the process began to serve, Unix time.", api->started_unix_ms);
}

static int directory_add(struct api_call *call, struct metrics *metrics)
{
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = metrics_store_add(metrics, call->reader);
        if (!status)
            status = metrics_ports_add(metrics, call->reader);
        store_reader_end(call->reader);
    }
    return status ? api_problem_from_status(&call->problem, status, "directory") : 0;
}

int api_metrics_get(struct api_call *call)
{
    struct metrics metrics = {.failed = false};
    buf_init(&metrics.text, METRICS_MAX);
    process_add(&metrics, call->api);
    int status = directory_add(call, &metrics);
    if (!status) {
        metrics_edge_add(&metrics, &call->api->parts);
        metrics_publisher_add(&metrics, call->api->parts.publisher);
        metrics_porting_add(&metrics, call->api->parts.porting);
        metrics_federation_add(&metrics, call->api->parts.federation);
        metrics_notices_add(&metrics, &call->api->parts);
        metrics_api_add(&metrics, call->api);
    }
    if (!status && metrics.failed)
        status = api_problem_set(&call->problem, API_PROBLEM_INTERNAL, NULL,
                                 "metrics: no memory, or they outgrew %d bytes", METRICS_MAX);
    if (status) {
        buf_done(&metrics.text);
        return status;
    }
    /* Nothing was consumed at the front: the allocation is the text, and the call's from now on. */
    return api_call_reply_text(call, "text/plain; version=0.0.4; charset=utf-8", metrics.text.p,
                               buf_len(&metrics.text));
}
