/* Ports in /metrics. No label is an address or a port's id, or there would be as many of them. */
#include "api/metrics.h"

#include "base/status.h"

#include <inttypes.h>

#define PORTS_MAX 100000 /* looked at; they are kept for 90 days */

struct ports {
    uint64_t count[STORE_PORT_ROLE_COUNT][STORE_PORT_STATE_COUNT];
    uint64_t owed[STORE_PORT_ROLE_COUNT];
    uint64_t disputed;
    uint64_t oldest; /* sequence of the change that somebody is owed the word of; 0: none */
    uint64_t oldest_ms;
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
    bool is_notice = (port->owed & ~(unsigned)STORE_PORT_OWES_OPERATOR) != 0;
    if (is_notice && (ports->oldest == 0 || port->version < ports->oldest)) {
        ports->oldest = port->version;
        ports->oldest_ms = port->created_ms;
    }
    ports->owed[port->role] += is_notice;
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

static bool entry_time(const struct store_journal_entry *entry, void *arg)
{
    uint64_t *time_ms = arg;
    *time_ms = entry->time_ms;
    return false;
}

/* A port has the number of its last change, so that the journal knows when that was; without it the
 * port's own age must do. */
static int oldest_add(struct metrics *metrics, struct store_reader *reader,
                      const struct ports *ports)
{
    const char *name = "junctor_ports_owed_oldest_seconds";
    uint64_t since_ms = ports->oldest_ms, now_ms = api_now_ms();
    int status =
        ports->oldest ? store_journal_read(reader, ports->oldest, 1, entry_time, &since_ms) : 0;
    if (status && status != STATUS_TRIMMED)
        return status;
    uint64_t age_ms = ports->oldest && now_ms > since_ms ? now_ms - since_ms : 0;
    metrics_time_add(metrics, name,
                     "How long the port of junctor_ports_owed that changed first has waited for "
                     "somebody to be told; 0: all are.",
                     age_ms);
    return 0;
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
    return oldest_add(metrics, reader, &ports);
}

static void wrong_add(struct metrics *metrics, const struct porting_stats *stats)
{
    const char *name = "junctor_porting_wrong_proofs_total";
    uint64_t others = stats->wrong_proofs;
    metrics_family_add(metrics, name, "counter",
                       "Wrong auth codes, undo secrets and signatures, by the peer that gave them; "
                       "the first 32 peers have their name, the rest is peer=\"other\".");
    for (size_t i = 0; i < stats->wrong_count; i++) {
        metrics_line_add(metrics, "%s{peer=\"%s\"} %" PRIu64 "\n", name, stats->wrong[i].peer,
                         stats->wrong[i].count);
        others -= stats->wrong[i].count;
    }
    metrics_line_add(metrics, "%s{peer=\"other\"} %" PRIu64 "\n", name, others);
}

void metrics_porting_add(struct metrics *metrics, struct porting *porting)
{
    struct porting_stats stats;
    if (!porting)
        return;
    porting_stats_get(porting, &stats);
    wrong_add(metrics, &stats);
    metrics_number_add(metrics, "junctor_porting_receipts_refused_total", "counter",
                       "Decisions of other authorities that were not followed, for their receipt "
                       "did not hold.",
                       stats.receipts_refused);
}

void metrics_notices_add(struct metrics *metrics, const struct api_parts *parts)
{
    const char *name = "junctor_holder_notices_total";
    struct edge_stats edge = {.workers = 0};
    struct mailer_stats mailer = {.sent = 0};
    if (parts->edge && parts->edge_stats)
        parts->edge_stats(parts->edge, &edge);
    if (parts->mailer)
        mailer_stats_get(parts->mailer, &mailer);
    const struct {
        const char *way, *outcome;
        uint64_t count;
    } rows[] = {
        {"message", "taken", edge.notices_taken}, {"message", "refused", edge.notices_refused},
        {"message", "lost", edge.notices_lost},   {"mail", "taken", mailer.sent},
        {"mail", "deferred", mailer.deferred},    {"mail", "refused", mailer.failed},
    };
    metrics_family_add(metrics, name, "counter",
                       "What holders were to be told, by SIP MESSAGE and by mail: the core or "
                       "sendmail took it, refused it, did not answer (lost), or is to be asked "
                       "again (deferred).");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metrics_line_add(metrics, "%s{way=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", name, rows[i].way,
                         rows[i].outcome, rows[i].count);
}
