/* What other operators ask: which request it is, and what a host makes of the authority's word. */
#include "api/porting_internal.h"

#include "api/internal.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

/* ---- the authority speaks ---- */

/* As which host we are addressed. */
static int role_of(const struct federation_request *request, const struct store_port *port,
                   enum store_port_role *role)
{
    bool is_gaining = strcmp(port->gaining, request->served) == 0;
    if (!is_gaining && strcmp(port->losing, request->served) != 0)
        return STATUS_NOTFOUND;
    *role = is_gaining ? STORE_PORT_GAINING : STORE_PORT_LOSING;
    return 0;
}

static bool is_of(const struct store_port *port, const struct store_address *address)
{
    return strcmp(port->address.user, address->user) == 0 &&
           strcmp(port->address.domain, address->domain) == 0;
}

/* The gaining host follows what it has begun itself, or an undo of a port that it has lost by; the
 * losing one what has to do with an address that it knows. Nobody can push addresses at us, nor
 * fill our store with ports of them. */
static bool is_expected(struct porting *porting, const struct store_port *told)
{
    struct store_port known;
    struct store_record record;
    if (porting_port_get(porting, told->role, told->id, &known) == 0)
        return is_of(&known, &told->address);
    if (told->role == STORE_PORT_LOSING)
        return porting_record_get(porting, &told->address, &record) == 0;
    return told->kind == STORE_PORT_UNDO &&
           porting_port_get(porting, STORE_PORT_LOSING, told->undoes, &known) == 0 &&
           is_of(&known, &told->address) && strcmp(known.losing, told->gaining) == 0;
}

static int told_put(struct porting *porting, const struct federation_request *request,
                    const char *id, struct federation_answer *answer)
{
    struct store_port told;
    const char *why;
    if (porting_decode(request->body, &told, &why) || strcmp(told.id, id) != 0)
        return porting_refuse(answer, 400, "malformed", why ? why : "id: not that of the path");
    if (!porting_is_decision(told.state))
        return porting_refuse(answer, 400, "malformed",
                              "state: it must be one that an authority gives a port");
    if (!porting_proves(request, told.address.domain))
        return porting_refuse(answer, 403, "not-the-authority",
                              "only the authority of the address tells what became of a port");
    if (role_of(request, &told, &told.role) || !porting_domain_is_ours(porting, request->served) ||
        !is_expected(porting, &told))
        return porting_refuse(answer, 404, PORTING_UNKNOWN, "we have no part in this port");
    int status = porting_tell(porting, told.role, &told, request->body, request->proven[0]);
    if (status == STATUS_UNPROVEN)
        return porting_refuse(answer, 422, "bad-receipt",
                              "the receipt is not signed with the key that was published at the "
                              "start, or does not say what the document says");
    return status ? porting_refuse_status(answer, status, told.kind)
                  : porting_reply(answer, json_object());
}

/* ---- which request ---- */

#define PORT_ROUTE    PORTING_PATH "/{id}"
#define ADDRESS_ROUTE PORTING_ADDRESS_PATH "{address}"

static const struct {
    const char *route;
    enum store_port_event event;
} verbs[] = {
    {PORT_ROUTE "/cancel", STORE_PORT_CANCEL},
    {PORT_ROUTE "/approve", STORE_PORT_APPROVE},
    {PORT_ROUTE "/reject", STORE_PORT_REJECT},
    {PORT_ROUTE "/object", STORE_PORT_OBJECT},
};

static int nothing_here(struct federation_answer *answer)
{
    return porting_refuse(answer, 404, "no-such-resource", "there is nothing at this path");
}

static int wrong_method(struct federation_answer *answer)
{
    return porting_refuse(answer, 405, "method", "this method does not work here");
}

static int verb_handle(struct porting *porting, const struct federation_request *request,
                       const char *id, const char *verb, struct federation_answer *answer)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].route + sizeof(PORT_ROUTE "/") - 1, verb) == 0) {
            answer->route = verbs[i].route;
            return strcmp(request->method, "POST") == 0
                       ? porting_step_post(porting, request, id, verbs[i].event, answer)
                       : wrong_method(answer);
        }
    return nothing_here(answer);
}

/* `rest` is what follows the path of ports: "", "/ID" or "/ID/VERB". */
static int ports_handle(struct porting *porting, const struct federation_request *request,
                        const char *rest, struct federation_answer *answer)
{
    char id[STORE_PORT_ID_LEN + 1];
    uint8_t octets[STORE_PORT_ID_LEN / 2];
    if (rest[0] == '\0') {
        answer->route = PORTING_PATH;
        return strcmp(request->method, "POST") == 0 ? porting_open_post(porting, request, answer)
                                                    : wrong_method(answer);
    }
    size_t len = strcspn(rest + 1, "/");
    snprintf(id, sizeof(id), "%.*s", (int)(len > STORE_PORT_ID_LEN ? 0 : len), rest + 1);
    if (rest[0] != '/' || !porting_hex_decode(id, octets, sizeof(octets)))
        return nothing_here(answer);
    if (rest[1 + len] == '/')
        return verb_handle(porting, request, id, rest + 2 + len, answer);
    answer->route = PORT_ROUTE;
    if (strcmp(request->method, "GET") == 0)
        return porting_known_get(porting, request, id, answer);
    return strcmp(request->method, "PUT") == 0 ? told_put(porting, request, id, answer)
                                               : wrong_method(answer);
}

/* What the host of an address asks for its holder. */
static const struct {
    const char *route, *method;
    porting_holder_h *handler;
} holder_rows[] = {
    {ADDRESS_ROUTE "/auth-code", "PUT", porting_code_put},
    {ADDRESS_ROUTE "/lock", "PUT", porting_lock_put},
    {ADDRESS_ROUTE "/recovery-key", "PUT", porting_key_put},
    {ADDRESS_ROUTE "/release", "POST", porting_release_post},
    {ADDRESS_ROUTE "/protection", "GET", porting_protection_get},
};

static int holder_handle(struct porting *porting, const struct federation_request *request,
                         const struct store_address *address, const char *name,
                         struct federation_answer *answer)
{
    for (size_t i = 0; i < sizeof(holder_rows) / sizeof(holder_rows[0]); i++)
        if (strcmp(holder_rows[i].route + sizeof(ADDRESS_ROUTE) - 1, name) == 0) {
            answer->route = holder_rows[i].route;
            return strcmp(request->method, holder_rows[i].method) == 0
                       ? holder_rows[i].handler(porting, request, address, answer)
                       : wrong_method(answer);
        }
    return nothing_here(answer);
}

static int address_handle(struct porting *porting, const struct federation_request *request,
                          const char *rest, struct federation_answer *answer)
{
    char raw[API_ADDRESS_TEXT_MAX * 3], text[API_ADDRESS_TEXT_MAX];
    struct store_address address;
    size_t len = strcspn(rest, "/");
    if (len >= sizeof(raw))
        return nothing_here(answer);
    snprintf(raw, sizeof(raw), "%.*s", (int)len, rest);
    if (api_url_unescape(raw, text, sizeof(text)) ||
        store_address_parse(slice_of(text), &address, NULL))
        return porting_refuse(answer, 400, "malformed", "the path must name an address");
    if (rest[len] == '\0') {
        answer->route = ADDRESS_ROUTE;
        return strcmp(request->method, "GET") == 0
                   ? porting_address_get(porting, request, &address, answer)
                   : wrong_method(answer);
    }
    return holder_handle(porting, request, &address, rest + len, answer);
}

static const char *behind(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(path, prefix, len) == 0 ? path + len : NULL;
}

int porting_handle(void *arg, const struct federation_request *request,
                   struct federation_answer *answer)
{
    struct porting *porting = arg;
    const char *rest;
    if ((rest = behind(request->path, PORTING_PATH)) != NULL)
        return ports_handle(porting, request, rest, answer);
    if ((rest = behind(request->path, PORTING_ADDRESS_PATH)) != NULL)
        return address_handle(porting, request, rest, answer);
    if (strcmp(request->path, PORTING_KEYS_PATH) == 0) {
        answer->route = PORTING_KEYS_PATH;
        return strcmp(request->method, "GET") == 0 ? porting_keys_get(porting, request, answer)
                                                   : wrong_method(answer);
    }
    if (strcmp(request->path, PORTING_NONCE_PATH) == 0) {
        answer->route = PORTING_NONCE_PATH;
        return strcmp(request->method, "POST") == 0 ? porting_nonce_post(porting, request, answer)
                                                    : wrong_method(answer);
    }
    return nothing_here(answer);
}
