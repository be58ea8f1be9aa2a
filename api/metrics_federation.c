/* What other operators have asked of us in /metrics. */
#include "api/metrics.h"

#include <inttypes.h>

void metrics_federation_add(struct metrics *metrics, struct federation *federation)
{
    const char *name = "junctor_federation_requests_total";
    struct federation_count counts[FEDERATION_COUNTS_MAX];
    if (!federation)
        return;
    size_t count = federation_counts_get(federation, counts);
    metrics_family_add(metrics, name, "counter",
                       "Requests of other operators answered, by route and class of status; "
                       "route=\"none\": refused before, or of nothing that there is.");
    for (size_t i = 0; i < count; i++)
        for (size_t digit = 2; digit <= 5; digit++)
            metrics_line_add(metrics, "%s{method=\"%s\",route=\"%s\",code=\"%zuxx\"} %" PRIu64 "\n",
                             name, counts[i].method, counts[i].route, digit,
                             counts[i].answers[digit]);
}
