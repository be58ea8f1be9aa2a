#include "peering/sip/sip.h"

void sip_edits_init(struct sip_edits *edits, struct slice bytes)
{
    edits->bytes = bytes;
    edits->count = 0;
    edits->overflow = false;
}

/* The list is kept sorted by place; equal places keep the order in which they were added. */
static void edit_add(struct sip_edits *edits, struct slice old, struct slice put)
{
    if (edits->count == SIP_MAX_EDITS || put.p == NULL || !slice_contains(edits->bytes, old)) {
        edits->overflow = true;
        return;
    }
    size_t i = edits->count++;
    for (; i > 0 && edits->edit[i - 1].at > old.p; i--)
        edits->edit[i] = edits->edit[i - 1];
    edits->edit[i] = (struct sip_edit){.at = old.p, .remove = old.len, .put = put};
}

void sip_edits_insert(struct sip_edits *edits, const char *at, struct slice put)
{
    edit_add(edits, slice_make(at, 0), put);
}

void sip_edits_replace(struct sip_edits *edits, struct slice old, struct slice put)
{
    edit_add(edits, old, put);
}

void sip_edits_remove(struct sip_edits *edits, struct slice old)
{
    edit_add(edits, old, SLICE(""));
}

static bool element_is_removed(const struct sip_edits *edits, struct slice element)
{
    for (size_t i = 0; i < edits->count; i++) {
        const struct sip_edit *edit = &edits->edit[i];
        if (edit->put.len == 0 && slice_contains(slice_make(edit->at, edit->remove), element))
            return true;
    }
    return false;
}

/* An element goes with the comma after it. Where nothing stays behind it in the line, it goes with
 * everything after the last element that stays before it; where none stays at all, the line goes.
 */
void sip_edits_remove_element(struct sip_edits *edits, const struct sip_header *header,
                              struct slice element)
{
    struct slice list = header->value;
    struct slice current;
    const char *kept_end = NULL;
    bool found = false;

    while (sip_list_next(&list, &current) == 0) {
        if (current.p == element.p) {
            found = true;
            element = current;
        } else if (!element_is_removed(edits, current)) {
            if (found) {
                sip_edits_remove(edits, slice_between(element.p, current.p));
                return;
            }
            kept_end = slice_end(current);
        }
    }
    if (!found)
        edits->overflow = true;
    else if (kept_end != NULL)
        sip_edits_remove(edits, slice_between(kept_end, slice_end(element)));
    else
        sip_edits_remove(edits, header->line);
}

size_t sip_edits_len(struct sip_edits *edits)
{
    const char *pos = edits->bytes.p;
    size_t len = edits->bytes.len;

    if (edits->overflow)
        return 0;
    for (size_t i = 0; i < edits->count; i++) {
        const struct sip_edit *edit = &edits->edit[i];
        const char *from = edit->at > pos ? edit->at : pos;
        const char *to = edit->at + edit->remove;
        if (to > from) {
            len -= (size_t)(to - from);
            pos = to;
        }
        len += edit->put.len;
    }
    return len;
}

void sip_edits_gather(struct sip_edits *edits, char *out)
{
    const char *pos = edits->bytes.p;

    if (edits->overflow)
        return;
    for (size_t i = 0; i < edits->count; i++) {
        const struct sip_edit *edit = &edits->edit[i];
        if (edit->at > pos) {
            memcpy(out, pos, (size_t)(edit->at - pos));
            out += edit->at - pos;
            pos = edit->at;
        }
        memcpy(out, edit->put.p, edit->put.len);
        out += edit->put.len;
        if (edit->at + edit->remove > pos)
            pos = edit->at + edit->remove;
    }
    memcpy(out, pos, (size_t)(slice_end(edits->bytes) - pos));
}

/* "received" that came with the request was not set by us and may be a lie. */
static void received_mark(struct sip_edits *edits, const struct sip_via *via, struct slice received)
{
    struct slice old = via->received;

    if (old.len == 0) {
        sip_edits_insert(edits, slice_end(via->bytes), SLICE(";received="));
        sip_edits_insert(edits, slice_end(via->bytes), received);
        return;
    }
    if (old.p[-1] == '[')
        old = slice_make(old.p - 1, old.len + 2);
    sip_edits_replace(edits, old, received);
}

/* In decimal, in the arena; p == NULL on exhaustion. */
static struct slice port_text(struct arena *arena, uint16_t port)
{
    enum { DIGITS = 5 };
    char *text = arena_get(arena, DIGITS);
    size_t begin = DIGITS;

    if (text == NULL)
        return slice_make(NULL, 0);
    do {
        text[--begin] = (char)('0' + port % 10);
        port /= 10;
    } while (port > 0);
    return slice_make(text + begin, DIGITS - begin);
}

void sip_edits_mark_via(struct sip_edits *edits, struct arena *arena, const struct sip_via *via,
                        struct slice received, uint16_t rport)
{
    if (via->bytes.len == 0)
        return;
    if (received.len > 0)
        received_mark(edits, via, received);
    if (rport != 0 && via->has_rport) {
        sip_edits_replace(edits, via->rport, SLICE("rport="));
        sip_edits_insert(edits, via->rport.p, port_text(arena, rport));
    }
}
