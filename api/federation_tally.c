/* What other operators have asked, by route and by what was answered. */
#include "api/federation_internal.h"

#include <string.h>

/* One of a few words: a client may name what it likes. */
static const char *method_of(const char *method)
{
    static const char *const all[] = {"GET", "POST", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(method, all[i]) == 0)
            return all[i];
    return "other";
}

/* The row of them; the last one is for what finds no room. The lock is held. */
static struct federation_count *row_find(struct federation_tally *tally, const char *method,
                                         const char *route)
{
    for (size_t i = 0; i < tally->count; i++)
        if (strcmp(tally->rows[i].method, method) == 0 && strcmp(tally->rows[i].route, route) == 0)
            return &tally->rows[i];
    if (tally->count == FEDERATION_COUNTS_MAX)
        return &tally->rows[FEDERATION_COUNTS_MAX - 1];
    struct federation_count *row = &tally->rows[tally->count++];
    *row = (struct federation_count){.method = method, .route = route};
    if (tally->count == FEDERATION_COUNTS_MAX)
        row->method = row->route = "other";
    return row;
}

void federation_tally_add(struct federation_tally *tally, const char *method, const char *route,
                          unsigned status)
{
    pthread_mutex_lock(&tally->lock);
    struct federation_count *row =
        route ? row_find(tally, method_of(method), route) : row_find(tally, "any", "none");
    row->answers[status / 100 % 6]++;
    pthread_mutex_unlock(&tally->lock);
}

size_t federation_counts_get(struct federation *federation,
                             struct federation_count list[FEDERATION_COUNTS_MAX])
{
    struct federation_tally *tally = &federation->tally;
    pthread_mutex_lock(&tally->lock);
    size_t count = tally->count;
    memcpy(list, tally->rows, count * sizeof(*list));
    pthread_mutex_unlock(&tally->lock);
    return count;
}
