/* /v1/receipt-keys/{name}: what DNS is to have of a domain's receipt keys, and another key signs
 * from now on. They are files of this node, not records: nothing of them is in the journal. */
#include "api/records.h"

#include "api/receipt.h"
#include "base/status.h"

#include <stdlib.h>

/* Lives in call->memory. */
struct rotation {
    char domain[STORE_DOMAIN_MAX + 1];
    char why[RECEIPT_WHY_MAX]; /* of a failure */
    int published;             /* of publisher_sync */
};

static int domain_take(struct api_call *call, char domain[STORE_DOMAIN_MAX + 1])
{
    struct store_domain found;
    char key[API_MAX_KEY_TEXT];
    if (api_record_find(call, &api_kind_domain, &found, key))
        return -EPROTO;
    memcpy(domain, found.name, sizeof(found.name));
    if (call->api->parts.receipts)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, NULL,
                           "%s: has no receipt keys: porting { receipt-keys = ... } is missing in "
                           "the configuration",
                           domain);
}

/* A new reference, or NULL without memory. */
static json_t *keys_encode(struct receipt_keys *receipts, const char *domain)
{
    char text[RECEIPT_TXT_MAX];
    json_t *keys = json_array();
    for (size_t i = 0; receipt_key_txt(domain, i, text, sizeof(text), receipts); i++)
        json_array_append_new(keys, json_pack("{s:b, s:s}", "signs", i == 0, "txt", text));
    return json_pack("{s:s, s:s+, s:o}", "domain", domain, "name", "_sipaddr-key.", domain, "keys",
                     keys);
}

int api_receipt_key_get(struct api_call *call)
{
    char domain[STORE_DOMAIN_MAX + 1];
    if (domain_take(call, domain))
        return -EPROTO;
    return api_call_reply(call, 200, keys_encode(call->api->parts.receipts, domain), 0);
}

/* ---- rotation ---- */

/* On a thread of its own, for it waits for the disk and the primary. */
static int rotate(struct api_call *call)
{
    struct rotation *rotation = call->memory;
    const struct publisher_order order = {.domain = rotation->domain};
    struct publisher_report report = {.row_count = 0};
    int status = receipt_key_rotate(call->api->parts.receipts, rotation->domain, rotation->why);
    if (status)
        return status;
    rotation->published = STATUS_NOTFOUND;
    if (call->api->parts.publisher) {
        rotation->published = publisher_sync(call->api->parts.publisher, &order, &report);
        publisher_report_done(&report);
    }
    return 0;
}

static int rotated(struct api_call *call, const struct store_verdict *verdict)
{
    const struct rotation *rotation = call->memory;
    if (verdict->status)
        return api_problem_set(&call->problem, API_PROBLEM_INTERNAL, NULL,
                               "%s: its receipt key stays: %s", rotation->domain, rotation->why);
    log_write(call->api->parts.log, LOG_NOTICE, "api",
              "another receipt key signs: actor=%s domain=%s dns=%s", call->actor, rotation->domain,
              rotation->published ? status_text(rotation->published) : "published");
    json_t *json = keys_encode(call->api->parts.receipts, rotation->domain);
    if (json)
        json_object_set_new(json, "published", json_boolean(rotation->published == 0));
    return api_call_reply(call, 200, json, 0);
}

int api_receipt_key_post(struct api_call *call)
{
    static const struct api_field fields[] = {{NULL, JSON_NULL, 0}};
    struct rotation *rotation = call->memory = calloc(1, sizeof(*rotation));
    if (!rotation)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    if (api_json_check(call->body, fields, false, &call->problem) ||
        domain_take(call, rotation->domain))
        return -EPROTO;
    call->then_always = true;
    return api_run(call, rotation->domain, rotate, rotated);
}
