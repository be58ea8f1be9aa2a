/* Sends mail to holders by the local sendmail(1), on a thread of its own.
 *
 * What is taken is tried at once, and while that fails for the time being again, after 1 s at first
 * and at last once an hour, for two days. Nothing of it survives the process: who must be sure
 * keeps in mind what he gave until `done` says that it is over. */
#ifndef JUNCTOR_API_MAILER_H
#define JUNCTOR_API_MAILER_H

#include "api/mail.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

#define MAILER_QUEUE_MAX    256                   /* mails taken and not yet sent */
#define MAILER_PROCESS_MAX  4                     /* sendmails at once */
#define MAILER_TIMEOUT_MS   ((uint64_t)30 * 1000) /* of one of them, which is then killed */
#define MAILER_RETRY_MS     ((uint64_t)1000)
#define MAILER_RETRY_MAX_MS ((uint64_t)3600 * 1000)
#define MAILER_KEEP_MS      ((uint64_t)2 * 86400 * 1000)

struct mailer;

/* Of the section `porting` of junctord.conf. */
struct mailer_conf {
    const char *sendmail; /* absolute path of a program like sendmail(1); NULL: no mail is sent */
    const char *from;     /* sender in envelope and header, as store_mail_canonical makes it */
};

/* That mail was sent, or given up for good, which was logged. From the mailer's thread; may call
 * mailer_send. */
typedef void mailer_done_h(const char *id, void *arg);

/* Makes it and starts its thread. `log` may be NULL. Returns 0, -ENOMEM or -errno. */
int mailer_open(const struct mailer_conf *conf, struct log *log, struct mailer **mailer);
/* Other settings from now on, for what waits too. Any thread. */
void mailer_reload(struct mailer *mailer, const struct mailer_conf *conf);
/* Takes a mail; one of the same id that was taken and is not done is not taken twice, and has the
 * first one's `done`. Runs `sendmail -i -f FROM -- TO` with the message on standard input; no
 * shell. Exit status 0: it is sent; 75 (EX_TEMPFAIL of sysexits.h), no end in time, and a program
 * that cannot be started: tried again; any other: given up. `done` may be NULL. Any thread; waits
 * for nobody. Returns 0, STATUS_NOTFOUND (no mail is sent), STATUS_LIMIT, -ENOMEM or -ESHUTDOWN. */
int mailer_send(const struct mail *mail, mailer_done_h *done, void *done_arg, void *mailer);
/* Since the start: mails that sendmail took, runs that are tried again, mails that were given up.
 */
struct mailer_stats {
    uint64_t sent, deferred, failed;
};
void mailer_stats_get(struct mailer *mailer, struct mailer_stats *stats); /* any thread */
/* Its thread has ended when it returns, its processes are killed, and no `done` comes any more.
 * Accepts NULL. */
void mailer_stop(struct mailer *mailer);
/* After mailer_stop, when nobody calls mailer_send any more. Accepts NULL. */
void mailer_free(struct mailer *mailer);

#endif
