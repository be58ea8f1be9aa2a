/* junctor dns records */
#include "tools/records.h"
#include "tools/tool.h"

#include "base/status.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum format { FORMAT_ZONE, FORMAT_JSON, FORMAT_NSUPDATE, FORMAT_OCTODNS };

struct listing {
    struct tool *tool;
    enum format format;
    char domain[STORE_DOMAIN_MAX + 1];
    struct records_octodns *octodns;
    bool started; /* a record was printed */
};

static enum format format_asked(const struct tool *tool)
{
    static const char *const names[] = {[FORMAT_ZONE] = "zone",
                                        [FORMAT_JSON] = "json",
                                        [FORMAT_NSUPDATE] = "nsupdate",
                                        [FORMAT_OCTODNS] = "octodns"};
    const char *asked = tool_value(tool, OPT_RECORDS);
    for (size_t i = 0; asked && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], asked) == 0)
            return (enum format)i;
    return tool->json ? FORMAT_JSON : FORMAT_ZONE;
}

static void json_print(struct listing *listing, const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        fputs(listing->started ? ",\n" : "\n", stdout);
        json_dumpf(record, stdout, JSON_COMPACT);
        listing->started = true;
    }
}

static int page_print(struct listing *listing, const json_t *records)
{
    int status = 0;
    switch (listing->format) {
    case FORMAT_ZONE:
        records_print_zone(records);
        break;
    case FORMAT_JSON:
        json_print(listing, records);
        break;
    case FORMAT_NSUPDATE:
        status = records_print_nsupdate(records);
        break;
    case FORMAT_OCTODNS:
        status = records_octodns_add(listing->octodns, records);
        break;
    }
    return status ? tool_fail(TOOL_REFUSED, "out of memory") : TOOL_DONE;
}

/* Page after page; what is wrong with them comes with the first. */
static int pages_print(struct listing *listing, const char *path)
{
    char *cursor = NULL;
    int code;
    do {
        struct client_answer answer = {.json = NULL};
        code = tool_page_get(listing->tool, path, cursor, &answer);
        if (code == TOOL_DONE && !cursor && listing->format == FORMAT_JSON)
            fputs("{\"records\": [", stdout);
        free(cursor);
        cursor = NULL;
        if (code)
            break;
        tool_warnings_print(answer.json);
        code = page_print(listing, json_object_get(answer.json, "records"));
        const char *next = tool_page_next(&answer);
        cursor = *next && !code ? strdup(next) : NULL;
        json_decref(answer.json);
    } while (cursor);
    return code;
}

static void end_print(struct listing *listing)
{
    if (listing->format == FORMAT_JSON)
        puts(listing->started ? "\n]}" : "]}");
    if (listing->format == FORMAT_OCTODNS)
        records_octodns_print(listing->octodns);
}

static int listing_print(struct listing *listing)
{
    char *path = tool_path("/v1/dns/records", listing->domain);
    int code = path ? pages_print(listing, path) : TOOL_REFUSED;
    free(path);
    if (code)
        return code;
    end_print(listing);
    if (fflush(stdout) || ferror(stdout))
        return tool_fail(TOOL_REFUSED, "standard output: %s", strerror(errno));
    return TOOL_DONE;
}

int tool_dns_records(struct tool *tool)
{
    struct listing listing = {.tool = tool, .format = format_asked(tool)};
    struct store_fault fault;
    if (store_domain_canonical(slice_of(tool->operands[0]), listing.domain, &fault))
        return tool_fail(TOOL_REFUSED, "%s: %s", tool->operands[0], fault.text);
    if (listing.format == FORMAT_OCTODNS) {
        listing.octodns = records_octodns_alloc(listing.domain);
        if (!listing.octodns)
            return tool_fail(TOOL_REFUSED, "out of memory");
    }
    int code = listing_print(&listing);
    records_octodns_free(listing.octodns);
    return code;
}
