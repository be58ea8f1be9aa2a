/* What the holder of an address is told of its ports by mail, where he has left where to. */
#include "api/porting_internal.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

#define MAIL_TRIES 8 /* another change of the port may come between */

/* Where the holder is told by mail; false: nowhere, or it cannot be read. */
static bool address_find(struct porting *porting, const struct store_address *address,
                         char to[STORE_MAIL_MAX + 1])
{
    struct store_address holder;
    struct store_record record;
    porting_holder_find(porting, address, &holder);
    if (porting_record_get(porting, &holder, &record) || record.notify[0] == '\0')
        return false;
    memcpy(to, record.notify, sizeof(record.notify));
    return true;
}

/* Below what happened: what to do about it. `domain`, ours, is who speaks. */
static void text_format(struct mail *mail, const char *said, const char *domain)
{
    snprintf(
        mail->text, sizeof(mail->text),
        "%s\n\n"
        "If this is not what you want, somebody may be using your account: tell %s at once, "
        "change your password there, lock the address and withdraw its auth code.\n\n"
        "You are told at the mail address that was left with %s for that. Nobody reads answers "
        "to this mail.\n",
        said, domain, domain);
}

/* One of which there are no more after a restart. */
static void send_once(struct porting *porting, struct mail *mail, const char *what)
{
    char number[STORE_PORT_ID_LEN + 1];
    int status = porting_request_make(number);
    if (status == 0) {
        snprintf(mail->id, sizeof(mail->id), "%s/%s", what, number);
        status = porting->parts.mail(mail, NULL, NULL, porting->parts.mail_arg);
    }
    if (status && status != STATUS_NOTFOUND)
        log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
                  "a holder is not told by mail of his %s: %s", what, status_text(status));
}

void porting_code_mail(struct porting *porting, const struct porting_code *code, const char *domain,
                       const char *text)
{
    char name[API_ADDRESS_TEXT_MAX];
    struct mail mail;
    if (!porting->parts.mail || !address_find(porting, &code->address, mail.to))
        return;
    snprintf(mail.subject, sizeof(mail.subject),
             code->key_from_ms ? "A recovery key was left for %s"
                               : "An auth code of %s was asked for",
             porting_name_format(&code->address, name));
    text_format(&mail, text, domain);
    send_once(porting, &mail, "code");
}

void porting_notify_changed(struct porting *porting, const struct store_record *before,
                            const struct store_record *after)
{
    char name[API_ADDRESS_TEXT_MAX], said[PORTING_NOTICE_MAX];
    struct mail mail;
    if (!porting->parts.mail || before->notify[0] == '\0' ||
        strcmp(before->notify, after->notify) == 0)
        return;
    const char *address = porting_name_format(&before->address, name);
    const char *domain =
        porting_domain_is_ours(porting, before->hosting) ? before->hosting : before->address.domain;
    memcpy(mail.to, before->notify, sizeof(mail.to));
    snprintf(mail.subject, sizeof(mail.subject), "You are told of %s here no more", address);
    snprintf(said, sizeof(said), "%s: from now on its holder is told of moves %s.", address,
             after->notify[0] ? "at another mail address" : "by mail no more");
    text_format(&mail, said, domain);
    send_once(porting, &mail, "change");
}

/* ---- ports ---- */

/* mailer_done_h of a port's mail: it is owed no more, unless the port has gone on meanwhile and
 * owes another one. */
static void on_sent(const char *id, void *arg)
{
    struct porting *porting = arg;
    struct store_port port;
    char port_id[STORE_PORT_ID_LEN + 1], key[PORTING_RETRY_KEY];
    unsigned role;
    int status = STATUS_CONFLICT;
    if (sscanf(id, "%32[0-9a-f]/%u/", port_id, &role) != 2 || role >= STORE_PORT_ROLE_COUNT)
        return;
    for (int i = 0; status == STATUS_CONFLICT && i < MAIL_TRIES; i++) {
        status = porting_port_get(porting, (enum store_port_role)role, port_id, &port);
        if (status == 0 && strcmp(porting_retry_key(&port, STORE_PORT_OWES_MAIL, key), id) == 0)
            status = porting_paid(porting, &port, STORE_PORT_OWES_MAIL);
    }
    if (status && status != STATUS_NOTFOUND)
        log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
                  "a mail will be sent twice: id=%s: %s", id, status_text(status));
    porting_retry_done(porting, id);
}

static const char *domain_of(const struct store_port *port)
{
    switch (port->role) {
    case STORE_PORT_LOSING:
        return port->losing;
    case STORE_PORT_GAINING:
        return port->gaining;
    default:
        return port->address.domain;
    }
}

/* 0: it is on its way. STATUS_NOTFOUND: nobody is to be told, or there is no mail. */
static int port_mail(struct porting *porting, const struct store_port *port)
{
    char name[API_ADDRESS_TEXT_MAX], said[PORTING_NOTICE_MAX];
    struct mail mail;
    if (!porting->parts.mail || !address_find(porting, &port->address, mail.to))
        return STATUS_NOTFOUND;
    porting_retry_key(port, STORE_PORT_OWES_MAIL, mail.id);
    snprintf(mail.subject, sizeof(mail.subject), "The move of %s to %s: %s",
             porting_name_format(&port->address, name), port->gaining,
             store_port_state_text(port->state));
    text_format(&mail, porting_notice_format(port, said), domain_of(port));
    return porting->parts.mail(&mail, on_sent, porting, porting->parts.mail_arg);
}

void porting_mail_pay(struct porting *porting, struct store_port *port)
{
    char key[PORTING_RETRY_KEY];
    int status = port_mail(porting, port);
    porting_retry_key(port, STORE_PORT_OWES_MAIL, key);
    if (status == STATUS_NOTFOUND)
        status = porting_paid(porting, port, STORE_PORT_OWES_MAIL);
    else if (status == 0)
        porting_retry_after(porting, key,
                            PORTING_RETRY_MAX_MS); /* it is asked whether it still is */
    if (status && status != STATUS_CONFLICT)
        porting_retry_later(porting, key, PORTING_RETRY_MAX_MS, status_text(status));
}
