#include "tools/offline.h"

#include "base/slice.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SIZE_MIN   (UINT64_C(1) << 20)
#define SIZE_LIMIT (UINT64_C(1) << 46) /* what LMDB can map on 64 bits */

/* "4G" -> bytes; K, M, G and T count in 1024s. */
static int size_parse(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    struct slice digits = slice_of(text);
    const char *unit = digits.len ? strchr(units, digits.p[digits.len - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t number;
    digits.len -= unit != NULL;
    if (slice_to_u64(digits, SIZE_LIMIT >> shift, &number) || number << shift < SIZE_MIN)
        return -EINVAL;
    *bytes = number << shift;
    return 0;
}

int offline_conf(const struct tool *tool, struct store_conf *conf)
{
    const char *size = tool_value(tool, OPT_MAP_SIZE);
    uint64_t bytes = 0;
    if (size && size_parse(size, &bytes))
        return tool_fail(TOOL_USAGE,
                         "--map-size: expected a size of 1M to 64T such as 4G, not \"%s\"", size);
    *conf = (struct store_conf){.path = tool_value(tool, OPT_STORE), .map_size = bytes};
    return TOOL_DONE;
}

int offline_fail(int status, const struct store_fault *fault, const char *name, const char *exists)
{
    const char *remedy = "";
    if (status == -EBUSY)
        remedy = "; a daemon has it open: stop that first";
    else if (status == -EEXIST)
        remedy = exists;
    else if (status == STATUS_FULL)
        remedy = "; it takes a larger --map-size (and map-size in junctord.conf)";
    if (*fault->text)
        return tool_fail(TOOL_REFUSED, "%s%s", fault->text, remedy);
    return tool_fail(TOOL_REFUSED, "%s: %s%s", name, status_text(status), remedy);
}

void offline_actor(char actor[STORE_ACTOR_MAX + 1])
{
    snprintf(actor, STORE_ACTOR_MAX + 1, "uid:%u", (unsigned)getuid());
}
