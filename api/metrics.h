/* What the files of /metrics share. */
#ifndef JUNCTOR_API_METRICS_H
#define JUNCTOR_API_METRICS_H

#include "api/internal.h"
#include "base/buf.h"

/* The text as far as it is written; once a line did not fit, `failed` stays. */
struct metrics {
    struct buf text;
    bool failed;
};

void metrics_line_add(struct metrics *metrics, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void metrics_family_add(struct metrics *metrics, const char *name, const char *type,
                        const char *help);
void metrics_number_add(struct metrics *metrics, const char *name, const char *type,
                        const char *help, uint64_t value);
/* A gauge in seconds, with their thousandths. */
void metrics_time_add(struct metrics *metrics, const char *name, const char *help,
                      uint64_t time_ms);

/* ---- each file: what it measures ---- */

/* The directory. Needs a snapshot. Returns 0 or a store status. */
int metrics_store_add(struct metrics *metrics, struct store_reader *reader);
/* Nothing of it where no edge runs in this process. */
void metrics_edge_add(struct metrics *metrics, const struct api_parts *parts);
void metrics_publisher_add(struct metrics *metrics, struct publisher *publisher);    /* or NULL */
void metrics_federation_add(struct metrics *metrics, struct federation *federation); /* or NULL */
void metrics_api_add(struct metrics *metrics, const struct api *api);

/* ---- metrics_porting.c ---- */

/* The ports of the directory, and who is still to be told of them. Needs a snapshot. Returns 0 or a
 * store status. */
int metrics_ports_add(struct metrics *metrics, struct store_reader *reader);
/* What the engine has counted; accepts NULL. */
void metrics_porting_add(struct metrics *metrics, struct porting *porting);
/* What holders were told, by those who carry it. */
void metrics_notices_add(struct metrics *metrics, const struct api_parts *parts);

#endif
