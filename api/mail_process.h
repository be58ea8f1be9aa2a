/* One run of sendmail(1) on a loop; for api/mailer.c. */
#ifndef JUNCTOR_API_MAIL_PROCESS_H
#define JUNCTOR_API_MAIL_PROCESS_H

#include "api/mail.h"

#include <stdint.h>
#include <uv.h>

#define MAIL_PROCESS_WORDS 300

struct mail_process;

enum mail_result { MAIL_SENT, MAIL_LATER, MAIL_FAILED };

/* How it ended; `words`: what the program said last, or why it was not run, for the log. Called
 * once, from the loop, never from within mail_process_start. */
typedef void mail_process_h(enum mail_result result, const char *words, void *arg);

/* Starts `program -i -f FROM -- TO`, gives it the message, and kills it, with all that it has
 * started, when it has not ended in timeout_ms. Returns it, valid until `done`; NULL without
 * memory. The loop's thread, as the next. */
struct mail_process *mail_process_start(uv_loop_t *loop, const char *program, const char *from,
                                        const struct mail *mail, uint64_t timeout_ms,
                                        mail_process_h *done, void *arg);
void mail_process_kill(struct mail_process *process);

#endif
