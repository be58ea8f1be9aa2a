/* Ports in /metrics. No label is an address or a port's id, or there would be as many of them. */
#include "api/metrics.h"

#include <inttypes.h>

#define PORTS_MAX 100000 /* looked at; they are kept for 90 days */

struct ports {
    uint64_t count[STORE_PORT_ROLE_COUNT][STORE_PORT_STATE_COUNT];
    uint64_t owed[STORE_PORT_ROLE_COUNT];
    uint64_t disputed;
};

static bool port_count(const struct store_port *port, void *arg)
{
    struct ports *ports = arg;
    ports->count[port->role][port->state]++;
    return true;
}

static bool owed_count(const struct store_port *port, void *arg)
{
    struct ports *ports = arg;
    ports->owed[port->role] += (port->owed & ~(unsigned)STORE_PORT_OWES_OPERATOR) != 0;
    ports->disputed += (port->owed & STORE_PORT_OWES_OPERATOR) != 0;
    return true;
}

static void counts_add(struct metrics *metrics, const struct ports *ports)
{
    const char *name = "junctor_ports";
    metrics_family_add(metrics, name, "gauge",
                       "Ports of the last 90 days by our part in them and their state; the first "
                       "100000 count.");
    for (int role = 0; role < STORE_PORT_ROLE_COUNT; role++)
        for (int state = 0; state < STORE_PORT_STATE_COUNT; state++)
            metrics_line_add(metrics, "%s{role=\"%s\",state=\"%s\"} %" PRIu64 "\n", name,
                             store_port_role_text((enum store_port_role)role),
                             store_port_state_text((enum store_port_state)state),
                             ports->count[role][state]);
}

static void owed_add(struct metrics *metrics, const struct ports *ports)
{
    const char *name = "junctor_ports_owed";
    metrics_family_add(metrics, name, "gauge",
                       "Ports of which another operator or the holder is still to be told, by our "
                       "part in them.");
    for (int role = 0; role < STORE_PORT_ROLE_COUNT; role++)
        metrics_line_add(metrics, "%s{role=\"%s\"} %" PRIu64 "\n", name,
                         store_port_role_text((enum store_port_role)role), ports->owed[role]);
    metrics_number_add(metrics, "junctor_ports_disputed", "gauge",
                       "Recoveries of our addresses that somebody objected to: ours to decide.",
                       ports->disputed);
}

int metrics_ports_add(struct metrics *metrics, struct store_reader *reader)
{
    struct ports ports = {.disputed = 0};
    int status = store_port_list(reader, NULL, PORTS_MAX, port_count, &ports);
    if (status == 0)
        status = store_port_owed_list(reader, SIZE_MAX, owed_count, &ports);
    if (status)
        return status;
    counts_add(metrics, &ports);
    owed_add(metrics, &ports);
    return 0;
}

void metrics_porting_add(struct metrics *metrics, struct porting *porting)
{
    struct porting_stats stats;
    if (!porting)
        return;
    porting_stats_get(porting, &stats);
    metrics_number_add(metrics, "junctor_porting_wrong_proofs_total", "counter",
                       "Wrong auth codes, undo secrets and signatures that peers have given.",
                       stats.wrong_proofs);
    metrics_number_add(metrics, "junctor_porting_receipts_refused_total", "counter",
                       "Decisions of other authorities that were not followed, for their receipt "
                       "did not hold.",
                       stats.receipts_refused);
}
