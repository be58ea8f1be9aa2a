/* What this node decides as the authority of an address. */
#include "api/porting_internal.h"

#include "base/status.h"
#include "base/waiting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what one peer may do so often only ---- */

/* Peers are counted, addresses are not: nobody can shut a holder out by guessing at his address. */
static struct slice peer_key(const struct federation_request *request, uint8_t hash[STORE_HASH_LEN])
{
    if (porting_hash(request->proven[0], hash))
        memset(hash, 0, STORE_HASH_LEN);
    return slice_make((const char *)hash, STORE_HASH_LEN);
}

static bool peer_take(struct porting *porting, struct api_rate *rate,
                      const struct federation_request *request)
{
    uint8_t hash[STORE_HASH_LEN];
    uint64_t wait_us;
    pthread_mutex_lock(&porting->lock);
    bool may =
        api_rate_take(rate, peer_key(request, hash), (uint64_t)waiting_now_ms() * 1000, &wait_us);
    pthread_mutex_unlock(&porting->lock);
    return may;
}

bool porting_wrong_take(struct porting *porting, const struct federation_request *request)
{
    return peer_take(porting, porting->wrong, request);
}

void porting_wrong_give(struct porting *porting, const struct federation_request *request)
{
    uint8_t hash[STORE_HASH_LEN];
    pthread_mutex_lock(&porting->lock);
    api_rate_give(porting->wrong, peer_key(request, hash));
    pthread_mutex_unlock(&porting->lock);
}

/* Names that come late are in the sum alone, or a flood of them would become one of time series. */
static struct porting_wrong *wrong_find(struct porting_stats *stats, const char *peer)
{
    for (size_t i = 0; i < stats->wrong_count; i++)
        if (strcmp(stats->wrong[i].peer, peer) == 0)
            return &stats->wrong[i];
    if (stats->wrong_count == PORTING_STATS_PEERS)
        return NULL;
    struct porting_wrong *wrong = &stats->wrong[stats->wrong_count++];
    snprintf(wrong->peer, sizeof(wrong->peer), "%s", peer);
    return wrong;
}

void porting_wrong_count(struct porting *porting, const struct federation_request *request)
{
    pthread_mutex_lock(&porting->lock);
    porting->stats.wrong_proofs++;
    struct porting_wrong *wrong = wrong_find(&porting->stats, request->proven[0]);
    if (wrong)
        wrong->count++;
    pthread_mutex_unlock(&porting->lock);
}

int porting_wrong_refuse(struct federation_answer *answer)
{
    return porting_refuse(answer, 429, "too-many-wrong-proofs",
                          "this peer has given too many wrong proofs: try again in a minute");
}

/* ---- requests ---- */

/* The port as it is now. */
static int port_reply(struct porting *porting, const char *id, struct federation_answer *answer)
{
    struct store_port port;
    int status = porting_port_get(porting, STORE_PORT_AUTHORITY, id, &port);
    return status ? status : porting_reply(answer, porting_encode_signed(porting, &port));
}

/* The proof as the store compares it. What is known already needs none: the store says what it is.
 */
static int proof_fill(struct porting *porting, const struct porting_proof *proof,
                      struct store_port_order *order)
{
    struct store_port known;
    if (porting_port_get(porting, STORE_PORT_AUTHORITY, order->port.id, &known) == 0)
        return 0;
    if (proof->code[0])
        return order->port.kind == STORE_PORT_RECOVERY ? STATUS_PROOF
                                                       : porting_hash(proof->code, order->proof);
    if (order->port.kind == STORE_PORT_CODE)
        return STATUS_PROOF;
    order->by_key = true;
    return porting_signature_check(porting, &order->port, proof, order->proof);
}

/* Who asks; 0: nobody who may. An undo may begin at the host that would lose the address. */
static unsigned party_of(struct porting *porting, const struct federation_request *request,
                         const struct store_port *port)
{
    struct store_record record;
    if (porting_proves(request, port->gaining))
        return STORE_PORT_BY_GAINING;
    if (port->kind != STORE_PORT_UNDO || porting_record_get(porting, &port->address, &record))
        return 0;
    return porting_proves(request, record.hosting) ? STORE_PORT_BY_LOSING : 0;
}

static int open_refused(struct porting *porting, const struct federation_request *request,
                        const struct store_port *port, int status, struct federation_answer *answer)
{
    char address[API_ADDRESS_TEXT_MAX];
    if (status == STATUS_PROOF) {
        porting_wrong_count(porting, request);
        log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
                  "a wrong proof was given to port an address: address=%s peer=%s port=%s",
                  api_address_format(&port->address, address), request->proven[0], port->id);
    } else {
        porting_wrong_give(porting, request);
    }
    return porting_refuse_status(answer, status, port->kind);
}

static int open_submit(struct porting *porting, const struct federation_request *request,
                       struct store_command *command, const struct porting_proof *proof,
                       struct federation_answer *answer)
{
    struct store_port_order *order = &command->order;
    if (!porting_wrong_take(porting, request))
        return porting_wrong_refuse(answer);
    order->port.terms = porting_terms_get(porting);
    porting_key_choose(porting, &order->port);
    int status = proof_fill(porting, proof, order);
    if (status == 0)
        status = porting_submit(porting, request->proven[0], command, NULL);
    if (status)
        return open_refused(porting, request, &order->port, status, answer);
    porting_wrong_give(porting, request);
    porting_kick(porting);
    return port_reply(porting, order->port.id, answer);
}

int porting_open_post(struct porting *porting, const struct federation_request *request,
                      struct federation_answer *answer)
{
    struct store_command command = {.op = STORE_PORT_OPEN, .expected_version = STORE_ANY_VERSION};
    struct store_port_order *order = &command.order;
    struct porting_proof proof;
    const char *why;
    if (porting_decode(request->body, &order->port, &why) ||
        porting_decode_proof(request->body, &proof, order->port.undo_hash, &why))
        return porting_refuse(answer, 400, "malformed", why);
    if (!porting_domain_is_ours(porting, order->port.address.domain))
        return porting_refuse_status(answer, STATUS_NOTFOUND, order->port.kind);
    order->port.role = STORE_PORT_AUTHORITY;
    order->by = party_of(porting, request, &order->port);
    int ret = order->by ? open_submit(porting, request, &command, &proof, answer)
                        : porting_refuse(answer, 403, "not-the-gaining-domain",
                                         "a port is asked for by the domain that gains the "
                                         "address; the certificate does not prove it");
    explicit_bzero(&proof, sizeof(proof));
    explicit_bzero(&command, sizeof(command));
    return ret;
}

/* ---- steps ---- */

/* Has it had this outcome already, or one that makes the wish void? */
static bool is_done(const struct store_port *port, enum store_port_event event)
{
    switch (event) {
    case STORE_PORT_APPROVE:
    case STORE_PORT_ALLOW:
        return port->committed_ms != 0;
    case STORE_PORT_REJECT:
        return port->state == STORE_PORT_REJECTED;
    case STORE_PORT_OBJECT:
        return port->state == STORE_PORT_DISPUTED;
    case STORE_PORT_CANCEL:
        return !store_port_is_open(port->state);
    default:
        return false;
    }
}

int porting_step(struct porting *porting, const struct store_port *port,
                 enum store_port_event event, unsigned by, enum store_port_reason reason,
                 const char *actor, struct federation_answer *answer)
{
    struct store_command command = {.op = STORE_PORT_STEP, .expected_version = STORE_ANY_VERSION};
    struct store_port now;
    command.order.port = *port;
    command.order.port.role = STORE_PORT_AUTHORITY;
    command.order.event = event;
    command.order.by = by;
    command.order.reason = reason;
    int status = porting_submit(porting, actor, &command, NULL);
    porting_kick(porting);
    if (status == STATUS_STATE &&
        porting_port_get(porting, STORE_PORT_AUTHORITY, port->id, &now) == 0 &&
        is_done(&now, event))
        status = 0;
    if (status == STATUS_STATE)
        return porting_refuse(answer, 409, "state",
                              "the port is not in a state in which this can happen");
    return status ? porting_refuse_status(answer, status, port->kind)
                  : port_reply(porting, port->id, answer);
}

static enum store_port_reason reason_given(const struct federation_request *request,
                                           enum store_port_event event)
{
    enum store_port_reason reason = porting_reason_of(request->body);
    if (store_port_reason_is_choice(reason))
        return reason;
    return event == STORE_PORT_REJECT   ? STORE_PORT_OPERATOR
           : event == STORE_PORT_CANCEL ? STORE_PORT_BY_HOLDER
                                        : STORE_PORT_NO_REASON;
}

static int unknown_refuse(struct federation_answer *answer)
{
    return porting_refuse(answer, 404, PORTING_UNKNOWN, "there is no such port, or not of yours");
}

/* A request that is given up may be unknown: then all of it stands in the body. */
static int step_find(struct porting *porting, const struct federation_request *request,
                     const char *id, enum store_port_event event, struct store_port *port)
{
    const char *why;
    int status = porting_port_get(porting, STORE_PORT_AUTHORITY, id, port);
    if (status != STATUS_NOTFOUND || event != STORE_PORT_CANCEL)
        return status;
    if (porting_decode(request->body, port, &why) || strcmp(port->id, id) != 0 ||
        !porting_domain_is_ours(porting, port->address.domain))
        return STATUS_NOTFOUND;
    port->terms = porting_terms_get(porting);
    porting_key_choose(porting, port);
    return 0;
}

int porting_step_post(struct porting *porting, const struct federation_request *request,
                      const char *id, enum store_port_event event, struct federation_answer *answer)
{
    struct store_port port;
    int status = step_find(porting, request, id, event, &port);
    if (status == STATUS_NOTFOUND)
        return unknown_refuse(answer);
    if (status)
        return status;
    bool is_cancel = event == STORE_PORT_CANCEL;
    if (!porting_proves(request, is_cancel ? port.gaining : port.losing))
        return unknown_refuse(answer);
    if (!port.version && !peer_take(porting, porting->vain, request))
        return porting_refuse(answer, 429, "too-many-unknown",
                              "this peer cancels too many ports that never came: try again in a "
                              "minute");
    return porting_step(porting, &port, event,
                        is_cancel ? STORE_PORT_BY_GAINING : STORE_PORT_BY_LOSING,
                        reason_given(request, event), request->proven[0], answer);
}

int porting_known_get(struct porting *porting, const struct federation_request *request,
                      const char *id, struct federation_answer *answer)
{
    struct store_port port;
    int status = porting_port_get(porting, STORE_PORT_AUTHORITY, id, &port);
    if (status && status != STATUS_NOTFOUND)
        return status;
    if (status || (!porting_proves(request, port.gaining) && !porting_proves(request, port.losing)))
        return unknown_refuse(answer);
    return porting_reply(answer, porting_encode_signed(porting, &port));
}

/* ---- addresses ---- */

struct address_view {
    const struct federation_request *request;
    char open[STORE_PORT_ID_LEN + 1];
    bool is_party;
};

static bool address_visit(const struct store_port *port, void *arg)
{
    struct address_view *view = arg;
    if (port->role != STORE_PORT_AUTHORITY)
        return true;
    if (store_port_is_open(port->state))
        snprintf(view->open, sizeof(view->open), "%s", port->id);
    if (porting_proves(view->request, port->gaining) || porting_proves(view->request, port->losing))
        view->is_party = true;
    return true;
}

static int address_read(struct porting *porting, const struct store_address *address,
                        struct address_view *view, struct store_record *record,
                        struct store_guard *guard)
{
    struct store_reader *reader;
    int status = store_reader_alloc(porting->parts.store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (status == 0) {
        status = store_address_get(reader, address, record);
        if (status == 0)
            status = store_port_address_list(reader, address, SIZE_MAX, address_visit, view);
        if (status == 0 && store_guard_get(reader, address, guard))
            *guard = (struct store_guard){.version = 0};
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status;
}

int porting_address_get(struct porting *porting, const struct federation_request *request,
                        const struct store_address *address, struct federation_answer *answer)
{
    struct address_view view = {.request = request};
    struct store_record record;
    struct store_guard guard;
    char text[API_ADDRESS_TEXT_MAX];
    int status = address_read(porting, address, &view, &record, &guard);
    if (status && status != STATUS_NOTFOUND)
        return status;
    if (status || !porting_domain_is_ours(porting, address->domain) ||
        (!view.is_party && !porting_proves(request, record.hosting)))
        return porting_refuse_status(answer, STATUS_NOTFOUND, STORE_PORT_CODE);
    return porting_reply(answer,
                         json_pack("{s:s, s:s, s:o, s:o}", "address",
                                   api_address_format(address, text), "hosting", record.hosting,
                                   "open", view.open[0] ? json_string(view.open) : json_null(),
                                   "frozen_until", api_time_encode(guard.frozen_until_ms)));
}

/* An undo may begin at the host that would lose the address. */
static bool is_its_host(struct porting *porting, const struct federation_request *request,
                        const struct store_address *address)
{
    struct store_record record;
    return porting_record_get(porting, address, &record) == 0 &&
           porting_proves(request, record.hosting);
}

int porting_nonce_post(struct porting *porting, const struct federation_request *request,
                       struct federation_answer *answer)
{
    struct store_address address;
    char gaining[STORE_DOMAIN_MAX + 1], nonce[2 * PORTING_NONCE_LEN + 1];
    const char *text = porting_text_of(request->body, "address");
    const char *domain = porting_text_of(request->body, "gaining");
    if (!text || store_address_parse(slice_of(text), &address, NULL) || !domain ||
        store_domain_canonical(slice_of(domain), gaining, NULL))
        return porting_refuse(answer, 400, "malformed",
                              "address, gaining: they must be user@domain and a domain");
    if (!porting_domain_is_ours(porting, address.domain) ||
        (!porting_proves(request, gaining) && !is_its_host(porting, request, &address)))
        return porting_refuse(answer, 404, "no-address",
                              "we are not the authority, or you did not prove the gaining domain");
    uint64_t expires = porting_now_ms(porting) / 1000 + PORTING_NONCE_S;
    int status = porting_nonce_make(porting, &address, gaining, expires, nonce);
    return status ? status
                  : porting_reply(answer, json_pack("{s:s, s:I}", "nonce", nonce, "expires",
                                                    (json_int_t)expires));
}
