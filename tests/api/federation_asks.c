/* Asks another operator as a daemon with this configuration would, and prints what came of it:
 *
 *     federation_asks CONF FROM TO METHOD PATH
 *
 * One line: "answer STATUS JSON", or "failed SENTENCE". The directory is that of the running
 * daemon, read only. */
#include "api/federation.h"
#include "base/status.h"
#include "tools/conf.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask(struct federation *federation, char **argv)
{
    struct federation_answer answer;
    int status = federation_ask(federation, argv[2], argv[3], argv[4], argv[5], NULL, &answer);
    char *text = answer.body ? json_dumps(answer.body, JSON_COMPACT) : NULL;
    if (status)
        printf("failed %s: %s\n", status_text(status), answer.why);
    else
        printf("answer %u %s\n", answer.status, text ? text : "");
    free(text);
    federation_answer_done(&answer);
    return 0;
}

int main(int argc, char **argv)
{
    struct junctord_conf *conf;
    struct store *store;
    struct store_fault fault;
    struct federation *federation;
    char why[CONF_MAX_WHY];
    if (argc != 6 || conf_load(argv[1], &conf, why) ||
        store_open(&conf->store, STORE_READER, &store, &fault))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    const struct federation_parts parts = {.store = store,
                                           .resolver = &conf->edge.resolver,
                                           .tls = &conf->edge.tls,
                                           .peering = conf->edge.peering};
    int status = federation_start(&conf->federation, &parts, &federation, why);
    if (status) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    status = ask(federation, argv);
    federation_stop(federation);
    store_close(store);
    conf_free(conf);
    return status;
}
