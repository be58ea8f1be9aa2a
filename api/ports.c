/* /v1/ports: listing and showing. A node keeps a port once for each role it has in it, so that one
 * id may stand there three times. */
#include "api/ports.h"

#include "api/number_place.h"
#include "api/receipt.h"
#include "base/chars.h"
#include "base/hex.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- who may ---- */

static const char *role_domain(const struct store_port *port)
{
    switch (port->role) {
    case STORE_PORT_GAINING:
        return port->gaining;
    case STORE_PORT_LOSING:
        return port->losing;
    case STORE_PORT_AUTHORITY:
    case STORE_PORT_ROLE_COUNT:
        break;
    }
    return port->address.domain;
}

/* Whoever gets a released address later hears nothing of the ports before him. */
static bool is_holder(const char *owner, struct store_reader *reader, const struct store_port *port)
{
    struct store_record record;
    if (port->role == STORE_PORT_GAINING)
        return strcmp(owner, port->owner) == 0;
    return store_address_get(reader, &port->address, &record) == 0 &&
           strcmp(owner, record.owner) == 0 && record.created_ms <= port->created_ms;
}

bool api_may_port(const struct api_principal *who, struct store_reader *reader,
                  const struct store_port *port)
{
    if (who->bits & API_USER)
        return is_holder(who->owner, reader, port);
    return api_principal_has(who, role_domain(port));
}

/* ---- one port ---- */

/* "ID", or, as the cursor of a list, "ROLE:ID": role and id of `port`. */
static bool key_split(struct slice text, struct store_port *port)
{
    size_t colon = slice_find(text, ':');
    char role[16];
    port->role = STORE_PORT_AUTHORITY;
    if (colon < text.len) {
        if (slice_to_cstr(slice_make(text.p, colon), role, sizeof(role)) ||
            store_port_role_parse(role, &port->role))
            return false;
        text = slice_skip(text, colon + 1);
    }
    return text.len == STORE_PORT_ID_LEN && hex_is(text) &&
           slice_to_cstr(text, port->id, sizeof(port->id)) == 0;
}

static int port_parse(struct slice text, char *key, struct store_fault *fault)
{
    struct store_port port;
    if (key_split(text, &port))
        return slice_to_cstr(text, key, API_MAX_KEY_TEXT);
    snprintf(fault->text, sizeof(fault->text),
             "a port's id is %d lower-case hex digits, as the list shows it", STORE_PORT_ID_LEN);
    return STATUS_MALFORMED;
}

static const char *port_key(const void *record, char key[API_MAX_KEY_TEXT])
{
    const struct store_port *port = record;
    snprintf(key, API_MAX_KEY_TEXT, "%s:%s", store_port_role_text(port->role), port->id);
    return key;
}

json_t *api_port_show(const struct store_port *port)
{
    json_t *json = api_port_encode(port);
    if (json)
        json_object_set_new(json, "left", api_left_encode(api_port_deadline(port), api_now_ms()));
    return json;
}

/* The authority signs what it has decided, anew for everyone who asks; hosts have what it gave
 * them. NULL: there is none. */
static json_t *receipt_encode(const struct api_call *call, const struct store_port *port)
{
    char jws[RECEIPT_MAX];
    struct receipt_keys *receipts = call->api->parts.receipts;
    if (port->role != STORE_PORT_AUTHORITY)
        return port->receipt[0] ? json_string(port->receipt) : NULL;
    if (!receipts || receipt_make(receipts, port, api_now_ms(), jws))
        return NULL;
    return json_string(jws);
}

/* Who waits for somebody sees why. */
static void trouble_add(const struct api_call *call, const struct store_port *port, json_t *json)
{
    struct porting_trouble trouble;
    struct porting *porting = call->api->parts.porting;
    if (!porting || !porting_trouble_get(porting, port, &trouble))
        return;
    json_t *why =
        json_string(trouble.why); /* NULL: an answer's words were cut inside of a letter */
    json_object_set_new(json, "last_error", why ? why : json_string("the answer was no success"));
    json_object_set_new(json, "next_try", api_time_encode(trouble.next_ms));
}

static json_t *port_signed(const struct api_call *call, const struct store_port *port)
{
    json_t *json = api_port_show(port), *receipt = receipt_encode(call, port);
    if (json && receipt)
        json_object_set_new(json, "receipt", receipt);
    else
        json_decref(receipt);
    if (json)
        trouble_add(call, port, json);
    return json;
}

static json_t *port_encode(struct api_call *call, const void *record)
{
    return port_signed(call, record);
}

const struct api_kind api_kind_port = {
    .plural = "ports",
    .parameter = "id",
    .version_at = offsetof(struct store_port, version),
    .parse = port_parse,
    .key = port_key,
    .encode = port_encode,
};

int api_port_read(const struct api_principal *who, struct store_reader *reader,
                  enum store_port_role role, const char *id, struct store_port *port)
{
    int status = store_port_get(reader, role, id, port);
    if (!status && !api_may_port(who, reader, port))
        status = STATUS_NOTFOUND;
    return status;
}

static int first_find(struct api_call *call, const char *id, struct store_port *port)
{
    int status = STATUS_NOTFOUND;
    for (int role = 0; role < STORE_PORT_ROLE_COUNT && status == STATUS_NOTFOUND; role++)
        status = api_port_read(&call->who, call->reader, (enum store_port_role)role, id, port);
    return status;
}

int api_port_find(struct api_call *call, struct store_port *port)
{
    char id[API_MAX_KEY_TEXT];
    if (api_record_name(call, &api_kind_port, id))
        return -EPROTO;
    if (strlen(id) != STORE_PORT_ID_LEN)
        return api_not_yours(call, id);
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = first_find(call, id, port);
        store_reader_end(call->reader);
    }
    return status ? api_problem_from_status(&call->problem, status, id) : 0;
}

int api_port_get(struct api_call *call)
{
    struct store_port port = {.version = 0};
    if (api_port_find(call, &port))
        return -EPROTO;
    return api_call_reply(call, 200, port_signed(call, &port), port.version);
}

int api_port_receipt_get(struct api_call *call)
{
    struct store_port port = {.version = 0};
    if (api_port_find(call, &port))
        return -EPROTO;
    json_t *receipt = receipt_encode(call, &port);
    if (!receipt)
        return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, NULL,
                               "%s: has no receipt: nothing is decided yet, or its authority, %s, "
                               "signs none",
                               port.id, port.address.domain);
    return api_call_reply(call, 200,
                          json_pack("{s:s, s:s, s:o}", "id", port.id, "role",
                                    store_port_role_text(port.role), "receipt", receipt),
                          0);
}

/* ---- the list ---- */

struct port_query {
    bool has_address, has_state, has_role;
    struct store_address address;
    enum store_port_state state;
    enum store_port_role role;
    bool has_after;
    struct store_port after; /* role and id of the last one of the page before */
};

static int query_address(struct api_call *call, struct port_query *query)
{
    const char *text = api_call_arg(call, "address");
    struct store_fault fault;
    query->has_address = text != NULL;
    if (text && api_text_is_number(text))
        return api_number_name(call, text, "address", &query->address);
    if (text && store_address_parse(slice_of(text), &query->address, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "address", "%.512s: %s", text,
                               fault.text);
    return 0;
}

static int query_decode(struct api_call *call, struct port_query *query)
{
    const char *state = api_call_arg(call, "state"), *role = api_call_arg(call, "role");
    *query = (struct port_query){.has_state = state != NULL, .has_role = role != NULL};
    if (state && store_port_state_parse(state, &query->state))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "state",
                               "state: there is no state '%.40s'", state);
    if (role && store_port_role_parse(role, &query->role))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "role",
                               "role: is '%.40s'; it must be authority, gaining or losing", role);
    return query_address(call, query);
}

static bool port_is_wanted(const struct api_page *page, const void *record)
{
    const struct port_query *query = page->filter;
    const struct store_port *port = record;
    return (!query->has_state || query->state == port->state) &&
           (!query->has_role || query->role == port->role);
}

static bool is_after(const struct store_port *port, const struct store_port *last)
{
    return port->role > last->role || (port->role == last->role && strcmp(port->id, last->id) > 0);
}

/* The ports of one address come all at once, whatever page is wanted. */
static bool port_each(const struct store_port *port, void *arg)
{
    struct api_page *page = arg;
    const struct port_query *query = page->filter;
    if ((query->has_after && !is_after(port, &query->after)) ||
        !api_may_port(&page->call->who, page->call->reader, port))
        return true;
    return api_page_add(page, port);
}

static int ports_list(struct api_page *page, struct port_query *query)
{
    struct store_reader *reader = page->call->reader;
    query->has_after = *page->after && key_split(slice_of(page->after), &query->after);
    if (query->has_address)
        return store_port_address_list(reader, &query->address, SIZE_MAX, port_each, page);
    return store_port_list(reader, query->has_after ? &query->after : NULL, SIZE_MAX, port_each,
                           page);
}

int api_ports_get(struct api_call *call)
{
    struct port_query query;
    struct api_page page;
    if (query_decode(call, &query) || api_page_begin(&page, call, &api_kind_port))
        return -EPROTO;
    page.is_wanted = port_is_wanted;
    page.filter = &query;
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = ports_list(&page, &query);
        store_reader_end(call->reader);
    }
    return api_page_reply(&page, status);
}
