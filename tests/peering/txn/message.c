#include "tests/peering/txn/message.h"

#include "base/chars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 128

enum field { BRANCH, HOST, PORT, URI, FROM_TAG, TO_TAG, CALL_ID, CSEQ, FIELD_COUNT };

static const struct {
    const char *name;
    const char *usual;
} fields[FIELD_COUNT] = {
    [BRANCH] = {"branch", "z9hG4bK-1"},  [HOST] = {"host", "client.example"},
    [PORT] = {"port", "none"},           [URI] = {"uri", "sip:bob@opb.example"},
    [FROM_TAG] = {"from-tag", "caller"}, [TO_TAG] = {"to-tag", "callee"},
    [CALL_ID] = {"call-id", "call-1"},   [CSEQ] = {"cseq", "1"},
};

struct parts {
    unsigned status; /* 0: a request */
    char method[32];
    char value[FIELD_COUNT][VALUE_MAX];
};

/* Only a response and the ACK have a To tag where nothing else is said. */
static const char *usual_value(const struct parts *parts, enum field field)
{
    if (field == TO_TAG && parts->status == 0 && strcmp(parts->method, "ACK") != 0)
        return "none";
    return fields[field].usual;
}

static bool is_none(const char *value)
{
    return strcmp(value, "none") == 0;
}

static bool take_value(struct parts *parts, const char *word)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        size_t len = strlen(fields[i].name);
        if (strncmp(word, fields[i].name, len) == 0 && word[len] == '=') {
            snprintf(parts->value[i], VALUE_MAX, "%s", word + len + 1);
            return true;
        }
    }
    return false;
}

static bool parts_of(const char *text, struct parts *parts)
{
    char copy[MESSAGE_TEXT_MAX];
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = NULL;
    const char *word = strtok_r(copy, " ", &rest);
    *parts = (struct parts){0};
    if (word && char_is_digit(word[0])) {
        parts->status = (unsigned)strtoul(word, NULL, 10);
        word = strtok_r(NULL, " ", &rest);
    }
    if (!word)
        return false;
    snprintf(parts->method, sizeof(parts->method), "%s", word);
    for (int i = 0; i < FIELD_COUNT; i++)
        snprintf(parts->value[i], VALUE_MAX, "%s", usual_value(parts, (enum field)i));
    while ((word = strtok_r(NULL, " ", &rest))) {
        if (!take_value(parts, word))
            return false;
    }
    return true;
}

static struct slice start_line(struct arena *arena, const struct parts *parts)
{
    if (parts->status == 0)
        return arena_printf(arena, "%s %s SIP/2.0\r\n", parts->method, parts->value[URI]);
    return arena_printf(arena, "SIP/2.0 %u %s\r\n", parts->status, sip_reason(parts->status));
}

static struct slice param(struct arena *arena, const char *name, const char *value)
{
    return is_none(value) ? SLICE("") : arena_printf(arena, ";%s=%s", name, value);
}

static struct slice message_bytes(struct arena *arena, const struct parts *parts)
{
    const char(*value)[VALUE_MAX] = parts->value;
    const char *port = is_none(value[PORT]) ? "" : value[PORT];
    return arena_printf(arena,
                        "%.*s"
                        "Via: SIP/2.0/UDP %s%s%s%.*s\r\n"
                        "Max-Forwards: 70\r\n"
                        "From: <sip:alice@opa.example>%.*s\r\n"
                        "To: <sip:bob@opb.example>%.*s\r\n"
                        "Call-ID: %s\r\n"
                        "CSeq: %s %s\r\n"
                        "Content-Length: 0\r\n\r\n",
                        SLICE_ARG(start_line(arena, parts)), value[HOST], *port ? ":" : "", port,
                        SLICE_ARG(param(arena, "branch", value[BRANCH])),
                        SLICE_ARG(param(arena, "tag", value[FROM_TAG])),
                        SLICE_ARG(param(arena, "tag", value[TO_TAG])), value[CALL_ID], value[CSEQ],
                        parts->method);
}

const struct sip_msg *message_of(struct arena *arena, const char *text)
{
    struct parts parts;
    if (!parts_of(text, &parts))
        return NULL;
    struct slice bytes = message_bytes(arena, &parts);
    struct sip_header *headers = arena_get(arena, SIP_MAX_HEADERS * sizeof(*headers));
    struct sip_msg *msg = arena_get(arena, sizeof(*msg));
    struct sip_fault fault;
    if (!bytes.p || !headers || !msg ||
        sip_msg_parse(bytes, false, headers, SIP_MAX_HEADERS, msg, &fault) < 0)
        return NULL;
    return msg;
}

static void put(char value[VALUE_MAX], struct slice s)
{
    if (s.len == 0)
        s = SLICE("none");
    snprintf(value, VALUE_MAX, "%.*s", SLICE_ARG(s));
}

const char *message_text(const struct sip_msg *msg, char text[MESSAGE_TEXT_MAX])
{
    struct parts parts = {.status = msg->is_request ? 0 : msg->status};
    snprintf(parts.method, sizeof(parts.method), "%.*s", SLICE_ARG(msg->cseq_method_text));
    put(parts.value[BRANCH], msg->via.branch);
    put(parts.value[HOST], msg->via.host);
    snprintf(parts.value[PORT], VALUE_MAX, "%u", msg->via.port);
    if (msg->via.port == 0)
        put(parts.value[PORT], SLICE("none"));
    put(parts.value[URI], msg->is_request ? msg->uri_text : slice_of(fields[URI].usual));
    put(parts.value[FROM_TAG], msg->from_tag);
    put(parts.value[TO_TAG], msg->to_tag);
    put(parts.value[CALL_ID], msg->call_id);
    snprintf(parts.value[CSEQ], VALUE_MAX, "%u", msg->cseq);

    int len = parts.status > 0
                  ? snprintf(text, MESSAGE_TEXT_MAX, "%u %s", parts.status, parts.method)
                  : snprintf(text, MESSAGE_TEXT_MAX, "%s", parts.method);
    for (int i = 0; i < FIELD_COUNT && len < MESSAGE_TEXT_MAX; i++) {
        if (strcmp(parts.value[i], usual_value(&parts, (enum field)i)) != 0)
            len += snprintf(text + len, (size_t)(MESSAGE_TEXT_MAX - len), " %s=%s", fields[i].name,
                            parts.value[i]);
    }
    return text;
}

const char *message_bytes_text(struct slice bytes, char text[MESSAGE_TEXT_MAX])
{
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg msg;
    struct sip_fault fault;
    if (sip_msg_parse(bytes, false, headers, SIP_MAX_HEADERS, &msg, &fault) < 0)
        return "garbage";
    return message_text(&msg, text);
}
