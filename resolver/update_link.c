/* One connection to a primary: DNS over TCP (RFC 7766), each step with a time limit. */
#include "base/status.h"
#include "base/waiting.h"
#include "resolver/update_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define QUESTIONS_AHEAD 64

struct update_link {
    const struct update_place *place;
    int fd;
    unsigned timeout_ms;    /* of the present step, */
    struct waiting waiting; /* which ends then */
    uint16_t next_id;
    uint8_t *bytes; /* UPDATE_MESSAGE_MAX, of the message that was received last */
};

int update_explain(char *why, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, UPDATE_WHY_MAX, format, args);
    va_end(args);
    return status;
}

const char *update_place_text(const struct update_place *place, char text[UPDATE_PLACE_MAX])
{
    char addr[NETADDR_TEXT_MAX];
    snprintf(text, UPDATE_PLACE_MAX, "%s (zone %s)", netaddr_format(&place->primary, addr),
             place->zone);
    return text;
}

static void step_begin(struct update_link *link, unsigned timeout_ms)
{
    link->timeout_ms = timeout_ms;
    link->waiting.until_ms = waiting_now_ms() + timeout_ms;
}

/* A message goes behind its length of two octets, in one write. */
static int message_write(struct update_link *link, const uint8_t *wire, size_t len)
{
    uint8_t *framed = malloc(len + 2);
    if (!framed)
        return -ENOMEM;
    framed[0] = (uint8_t)(len >> 8);
    framed[1] = (uint8_t)len;
    memcpy(framed + 2, wire, len);
    int status = waiting_send(&link->waiting, link->fd, framed, len + 2);
    free(framed);
    return status;
}

static int message_read(struct update_link *link, struct slice *bytes)
{
    uint8_t head[2];
    int status = waiting_receive(&link->waiting, link->fd, head, sizeof(head));
    size_t len = (size_t)head[0] << 8 | head[1];
    if (status == 0)
        status = waiting_receive(&link->waiting, link->fd, link->bytes, len);
    if (status == 0)
        *bytes = slice_make((const char *)link->bytes, len);
    return status;
}

static int link_failed(const struct update_link *link, int status, char *why)
{
    char text[UPDATE_PLACE_MAX];
    update_place_text(link->place, text);
    if (status == -ETIMEDOUT)
        return update_explain(why, status, "%s: no answer over TCP within %u ms", text,
                              link->timeout_ms);
    if (status == -ECONNREFUSED)
        return update_explain(why, status, "%s: no server takes TCP connections there", text);
    if (status == STATUS_MALFORMED)
        return update_explain(why, status, "%s: what it sent is no answer to our question", text);
    return update_explain(why, status, "%s: %s", text, status_text(status));
}

/* ---- opening and closing ---- */

int update_link_open(const struct update_place *place, struct update_link **link,
                     char why[UPDATE_WHY_MAX])
{
    struct update_link *made = calloc(1, sizeof(*made));
    int status = made && (made->bytes = malloc(UPDATE_MESSAGE_MAX)) ? 0 : -ENOMEM;
    if (status != 0) {
        free(made);
        return update_explain(why, status, "out of memory");
    }
    made->place = place;
    made->fd = -1;
    made->waiting.cancel_fd = place->cancel_fd;
    step_begin(made, place->connect_ms);
    if (getrandom(&made->next_id, sizeof(made->next_id), 0) != sizeof(made->next_id))
        status = -errno;
    if (status == 0)
        made->fd = waiting_connect(&made->waiting, &place->primary, SOCK_STREAM);
    if (made->fd >= 0) {
        *link = made;
        return 0;
    }
    status = status == 0 ? made->fd : status;
    link_failed(made, status, why);
    update_link_close(made);
    return status;
}

struct update_link *update_link_close(struct update_link *link)
{
    if (!link)
        return NULL;
    if (link->fd >= 0)
        close(link->fd);
    free(link->bytes);
    free(link);
    return NULL;
}

/* ---- reading ---- */

static int query_write(struct update_link *link, const struct update_set *set, uint16_t id)
{
    uint8_t *wire = NULL;
    size_t len;
    int status = update_query_encode(set, id, &wire, &len);
    if (status == 0)
        status = message_write(link, wire, len);
    free(wire);
    return status;
}

/* Answers may come in any order. The id tells which question one is for, counted from `first`. */
static int answer_read(struct update_link *link, struct update_change *changes, size_t count,
                       uint16_t first, bool *answered, char *why)
{
    struct slice bytes;
    int status = message_read(link, &bytes);
    if (status != 0)
        return link_failed(link, status, why);
    size_t index = SIZE_MAX;
    if (bytes.len >= 2)
        index = (uint16_t)(((uint8_t)bytes.p[0] << 8 | (uint8_t)bytes.p[1]) - first);
    if (index >= count || answered[index])
        return link_failed(link, STATUS_MALFORMED, why);
    answered[index] = true;
    status = update_answer_decode(link->place, bytes, &changes[index].served, why);
    changes[index].is_refused = status == -EPERM;
    return status == -EPERM ? 0 : status;
}

/* Questions go ahead of the answers, but not so far that both sides wait for the other to read. */
int update_link_read(struct update_link *link, struct update_change *changes, size_t count,
                     char why[UPDATE_WHY_MAX])
{
    bool answered[UPDATE_BATCH_MAX] = {false};
    uint16_t first = link->next_id;
    int status = count <= UPDATE_BATCH_MAX ? 0 : STATUS_LIMIT;
    link->next_id = (uint16_t)(first + count);
    step_begin(link, link->place->timeout_ms);
    if (status != 0)
        return link_failed(link, status, why);
    for (size_t i = 0; status == 0 && i < count + QUESTIONS_AHEAD; i++) {
        if (i < count && (status = query_write(link, &changes[i].served, (uint16_t)(first + i))))
            return link_failed(link, status, why);
        if (i >= QUESTIONS_AHEAD) /* the answer to one of those before */
            status = answer_read(link, changes, count, first, answered, why);
    }
    return status;
}

/* ---- sending ---- */

static int request_send(struct update_link *link, const struct update_request *request, char *why)
{
    struct slice bytes;
    int status = message_write(link, request->wire, request->len);
    if (status == 0)
        status = message_read(link, &bytes);
    if (status != 0)
        return link_failed(link, status, why);
    return update_reply_decode(link->place, request, bytes, why);
}

int update_link_absent(struct update_link *link, const struct update_change *changes, size_t count,
                       char why[UPDATE_WHY_MAX])
{
    struct update_change asked[UPDATE_BATCH_MAX];
    if (count > UPDATE_BATCH_MAX)
        return link_failed(link, STATUS_LIMIT, why);
    for (size_t i = 0; i < count; i++) {
        const struct update_set *served = &changes[i].served;
        /* Where an alias is made up its name does not exist: then there are no records either. */
        enum zone_type type = served->is_alias ? (enum zone_type)LDNS_RR_TYPE_CNAME : served->type;
        asked[i] = (struct update_change){.served.type = type, .wanted.type = type};
        memcpy(asked[i].served.name, served->name, sizeof(served->name));
    }
    return update_link_send(link, asked, count, why);
}

int update_link_send(struct update_link *link, const struct update_change *changes, size_t count,
                     char why[UPDATE_WHY_MAX])
{
    struct update_request request;
    int status = update_request_encode(link->place, changes, count, link->next_id++, &request);
    if (status != 0)
        return link_failed(link, status, why);
    step_begin(link, link->place->timeout_ms);
    status = request_send(link, &request, why);
    update_request_done(&request);
    return status;
}
