/* What only the whole configuration can tell, and the files it names. */
#include "tools/conf_internal.h"

#include "base/status.h"

#include <sched.h>
#include <string.h>

static unsigned processor_count(void)
{
    cpu_set_t set;
    unsigned count = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = (unsigned)CPU_COUNT(&set);
    return count > EDGE_MAX_WORKERS ? EDGE_MAX_WORKERS : count;
}

static int check_listeners(struct conf_load *load)
{
    const struct transport_conf *transport = &load->conf->edge.transport;
    size_t count[2] = {0, 0};
    for (size_t i = 0; i < transport->listener_count; i++)
        count[transport->listeners[i].side]++;
    load->line = load->last_line;
    if (count[TRANSPORT_INSIDE] == 0)
        return conf_refuse(load, "expected at least one listener towards the core, such as "
                                 "inside \"udp:192.0.2.1:5060\" { }");
    if (count[TRANSPORT_OUTSIDE] == 0)
        return conf_refuse(load, "expected at least one listener towards peers, such as "
                                 "outside \"tls:192.0.2.1:5061\" { }");
    return 0;
}

/* One certificate at a time, so that the refusal has its line. */
static int check_certificates(struct conf_load *load)
{
    const struct tls_conf *tls = &load->conf->edge.tls;
    char why[TLS_MAX_WHY];
    struct tls_context *context;
    if (tls->certificate_count == 0)
        return conf_refuse(load, "expected a certificate for each domain hosted here, such as "
                                 "certificate \"example.org\" { chain = \"FILE\" key = \"FILE\" }");
    for (size_t i = 0; i < tls->certificate_count; i++) {
        const struct tls_conf one = {&tls->certificates[i], 1, NULL};
        load->line = load->certificate_lines[i];
        load->section = conf_section_find("certificate");
        load->title = tls->certificates[i].domain;
        if (tls_context_load(&one, &context, why) != 0)
            return conf_refuse(load, "%s", why);
        tls_context_unref(context);
    }
    const struct tls_conf anchors = {NULL, 0, tls->anchors_file};
    load->line = load->anchors_line;
    load->section = conf_section_find("trust");
    load->title = NULL;
    if (tls_context_load(&anchors, &context, why) != 0)
        return conf_refuse(load, "%s", why);
    tls_context_unref(context);
    load->section = NULL;
    return 0;
}

int conf_check(struct conf_load *load)
{
    struct edge_conf *edge = &load->conf->edge;
    if (edge->workers == 0)
        edge->workers = processor_count();
    int status = check_listeners(load);
    return status == 0 ? check_certificates(load) : status;
}
