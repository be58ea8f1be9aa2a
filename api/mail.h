/* A mail of ours to a holder, as bytes (RFC 5322). */
#ifndef JUNCTOR_API_MAIL_H
#define JUNCTOR_API_MAIL_H

#include "store/store.h"

#include <stddef.h>
#include <time.h>

#define MAIL_ID_MAX      80
#define MAIL_SUBJECT_MAX 400
#define MAIL_TEXT_MAX    2000
/* Bytes of the whole, with terminator: each line that is folded has one more than its text. */
#define MAIL_BYTES_MAX (2 * (MAIL_SUBJECT_MAX + MAIL_TEXT_MAX) + 4 * STORE_MAIL_MAX + 512)

struct mail {
    char id[MAIL_ID_MAX + 1];    /* another one for each mail, the same when it is sent again; atext
                                    and '.' (RFC 5322 section 3.2.3) */
    char to[STORE_MAIL_MAX + 1]; /* as store_mail_canonical makes it */
    char subject[MAIL_SUBJECT_MAX + 1]; /* ASCII, as is the text; else '?' is written */
    char text[MAIL_TEXT_MAX + 1];       /* paragraphs, each ended by LF; lines are made of them */
};

/* The whole message, with LF as sendmail(1) wants it: no answer is expected to it (RFC 3834
 * section 5). An address outside ASCII stands as it is (RFC 6532). `from` is as mail->to. Returns
 * the number of bytes, without the terminator. Any thread. */
size_t mail_format(const struct mail *mail, const char *from, time_t now, char out[MAIL_BYTES_MAX]);

#endif
