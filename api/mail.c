#include "api/mail.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_SHOWN 72 /* columns; RFC 5322 section 2.1.1 advises at most 78 */

struct form {
    char *out;
    size_t len, column;
};

/* There is room: MAIL_BYTES_MAX is counted so. */
static void add(struct form *form, const char *text, size_t len)
{
    if (form->len + len >= MAIL_BYTES_MAX)
        return;
    memcpy(form->out + form->len, text, len);
    form->len += len;
    form->out[form->len] = '\0';
}

/* What is no printable ASCII ends no line and begins no header. */
static void add_word(struct form *form, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        add(form, word[i] > ' ' && word[i] <= '~' ? &word[i] : "?", 1);
    form->column += len;
}

/* One paragraph, or the value of a header: words with a space between, broken before the one that
 * passes the end of a line; `fold` begins the next one. */
static void add_words(struct form *form, const char *text, size_t len, const char *fold)
{
    for (size_t i = 0, word; i < len; i += word + 1) {
        word = strcspn(text + i, " \n");
        if (i + word > len)
            word = len - i;
        if (i > 0 && form->column + 1 + word > LINE_MAX_SHOWN) {
            add(form, fold, strlen(fold));
            form->column = 0;
        } else if (i > 0) {
            add(form, " ", 1);
            form->column++;
        }
        add_word(form, text + i, word);
    }
    add(form, "\n", 1);
    form->column = 0;
}

static void add_header(struct form *form, const char *name, const char *value)
{
    add(form, name, strlen(name));
    add(form, ": ", 2);
    add(form, value, strlen(value));
    add(form, "\n", 1);
}

static void add_subject(struct form *form, const char *subject)
{
    add(form, "Subject: ", 9);
    form->column = 9;
    add_words(form, subject, strlen(subject), "\n ");
}

size_t mail_format(const struct mail *mail, const char *from, time_t now, char out[MAIL_BYTES_MAX])
{
    struct form form = {.out = out};
    char value[MAIL_ID_MAX + STORE_MAIL_MAX + 4];
    struct tm utc;
    const char *at = strchr(from, '@');
    gmtime_r(&now, &utc);
    strftime(value, sizeof(value), "%a, %d %b %Y %H:%M:%S +0000", &utc);
    add_header(&form, "Date", value);
    snprintf(value, sizeof(value), "<%s%s>", mail->id, at ? at : "@localhost");
    add_header(&form, "Message-ID", value);
    add_header(&form, "From", from);
    add_header(&form, "To", mail->to);
    add_subject(&form, mail->subject);
    add_header(&form, "Auto-Submitted", "auto-generated");
    add_header(&form, "MIME-Version", "1.0");
    add_header(&form, "Content-Type", "text/plain; charset=us-ascii");
    add(&form, "\n", 1);
    for (const char *text = mail->text; *text;) {
        size_t len = strcspn(text, "\n");
        add_words(&form, text, len, "\n");
        text += len + (text[len] == '\n');
    }
    return form.len;
}
