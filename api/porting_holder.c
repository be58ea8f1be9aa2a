/* What the host of an address of ours asks for its holder. Only the host that the record names is
 * heard; whoever else asks is told no more of an address that is there than of one that is not. */
#include "api/porting_internal.h"

#include "api/protection.h"
#include "base/status.h"

#include <errno.h>
#include <string.h>

/* No code is good for longer; the day is for the clocks of others. */
#define CODE_MAX_MS ((API_AUTH_DAYS_MAX + 1) * API_DAY_MS)

/* Whether the answer is made already, *ret is what the handler returns. */
static bool host_is_refused(struct porting *porting, const struct federation_request *request,
                            const struct store_address *address, struct store_record *record,
                            struct federation_answer *answer, int *ret)
{
    int status = porting_record_get(porting, address, record);
    *ret = status;
    if (status && status != STATUS_NOTFOUND)
        return true;
    if (status == 0 && porting_domain_is_ours(porting, address->domain) &&
        porting_proves(request, record->hosting))
        return false;
    *ret = porting_refuse(answer, 403, "not-the-host",
                          "there is no such address of ours that the certificate's domain hosts");
    return true;
}

/* The record may have changed since it was read: then the host asks again. */
static int change_answer(struct federation_answer *answer, int status)
{
    if (status == STATUS_CONFLICT)
        return -EAGAIN;
    return status ? porting_refuse_status(answer, status, STORE_PORT_CODE)
                  : porting_reply(answer, json_object());
}

/* ---- the hash of a code that the host made ---- */

static const char *code_decode(const json_t *body, uint64_t now_ms, struct store_guard *guard)
{
    struct api_problem problem;
    const char *hash = porting_text_of(body, "hash"), *until = porting_text_of(body, "until");
    const char *bound = porting_text_of(body, "for");
    bool is_there = json_object_get(body, "until") && porting_text_fits(body, "until");
    if (!is_there ||
        (until && api_time_decode(slice_of(until), "until", &guard->code_until_ms, &problem)))
        return "until: it must be a time as of RFC 3339 in UTC, or null to withdraw the code";
    if (guard->code_until_ms > now_ms + CODE_MAX_MS)
        return "until: no code is good for so long";
    if (until && (!hash || !porting_hex_decode(hash, guard->code_hash, STORE_HASH_LEN)))
        return "hash: it must be 64 hex digits";
    if (!porting_text_fits(body, "for") ||
        (bound && store_domain_canonical(slice_of(bound), guard->code_for, NULL)))
        return "for: it must be a domain, or null";
    return NULL;
}

int porting_code_put(struct porting *porting, const struct federation_request *request,
                     const struct store_address *address, struct federation_answer *answer)
{
    struct store_command command = {.op = STORE_GUARD_CODE};
    struct store_record record;
    int ret;
    if (host_is_refused(porting, request, address, &record, answer, &ret))
        return ret;
    command.guard.address = *address;
    command.expected_version = record.version;
    const char *why = code_decode(request->body, porting_now_ms(porting), &command.guard);
    if (why)
        return porting_refuse(answer, 400, "malformed", why);
    int status = porting_submit(porting, request->proven[0], &command, NULL);
    if (status == 0 && command.guard.code_until_ms)
        porting_code_made(porting, record.hosting, address, command.guard.code_for);
    return change_answer(answer, status);
}

/* ---- the holder's lock ---- */

int porting_lock_put(struct porting *porting, const struct federation_request *request,
                     const struct store_address *address, struct federation_answer *answer)
{
    struct store_command command = {.op = STORE_ADDRESS_PUT};
    struct store_record *record = &command.record;
    const json_t *locked = json_object_get(request->body, "locked");
    int ret;
    if (host_is_refused(porting, request, address, record, answer, &ret))
        return ret;
    if (!json_is_boolean(locked))
        return porting_refuse(answer, 400, "malformed", "locked: it must be true or false");
    if (record->locked == json_is_true(locked))
        return change_answer(answer, 0);
    command.expected_version = record->version;
    record->locked = json_is_true(locked);
    return change_answer(answer, porting_submit(porting, request->proven[0], &command, NULL));
}

/* ---- the recovery key ---- */

/* An empty one where nothing protects the address yet. */
static int guard_read(struct porting *porting, const struct store_address *address,
                      struct store_guard *guard)
{
    *guard = (struct store_guard){.address = *address};
    int status = porting_guard_get(porting, address, guard);
    return status == STATUS_NOTFOUND ? 0 : status;
}

static int proof_refuse(struct porting *porting, const struct federation_request *request,
                        const struct store_address *address, struct federation_answer *answer)
{
    char name[API_ADDRESS_TEXT_MAX];
    porting_wrong_count(porting, request);
    log_write(porting->parts.log, LOG_WARNING, PORTING_SOURCE,
              "a wrong auth code was given for an address: address=%s peer=%s",
              api_address_format(address, name), request->proven[0]);
    return porting_refuse(answer, 403, store_port_reason_text(STORE_PORT_BAD_CODE),
                          "the auth code is wrong, used, expired, withdrawn, or for one gaining "
                          "domain only: the holder must get a new one");
}

/* Whether the answer is made already, as host_is_refused. */
static bool code_is_refused(struct porting *porting, const struct federation_request *request,
                            const struct store_record *record, const struct store_guard *guard,
                            struct federation_answer *answer, int *ret)
{
    const char *code = porting_text_of(request->body, "code");
    bool may = porting_wrong_take(porting, request);
    if (!may)
        *ret = porting_wrong_refuse(answer);
    else if (!code || !api_code_is_good(record, guard, slice_of(code), porting_now_ms(porting)))
        *ret = proof_refuse(porting, request, &record->address, answer);
    else {
        porting_wrong_give(porting, request);
        return false;
    }
    return true;
}

static int key_answer(struct federation_answer *answer, const struct store_guard *guard, int status)
{
    if (status)
        return change_answer(answer, status);
    return porting_reply(answer, json_pack("{s:o}", "from", api_time_encode(guard->next_key_ms)));
}

static int key_leave(struct porting *porting, const struct federation_request *request,
                     const struct store_record *record, const struct store_guard *guard,
                     const uint8_t key[STORE_HASH_LEN], struct federation_answer *answer)
{
    struct api_key_order order = {.use = {.claim = false}};
    int ret;
    if (guard->has_next_key && memcmp(guard->next_key, key, STORE_HASH_LEN) == 0)
        return key_answer(answer, guard, 0); /* a host that did not hear it asks again */
    if (code_is_refused(porting, request, record, guard, answer, &ret))
        return ret;
    api_key_order_fill(&order, record, guard, key, porting_now_ms(porting),
                       porting_key_delay_ms(porting));
    ret = porting_submit(porting, request->proven[0], &order.use, NULL);
    if (ret == 0)
        ret = porting_submit(porting, request->proven[0], &order.put, NULL);
    return key_answer(answer, &order.put.guard, ret);
}

static int key_withdraw(struct porting *porting, const struct federation_request *request,
                        const struct store_guard *guard, struct federation_answer *answer)
{
    struct store_command command = {.op = STORE_GUARD_PUT};
    if (!guard->has_next_key)
        return change_answer(answer, 0);
    if (!api_key_is_new(guard, porting_now_ms(porting)))
        return porting_refuse(answer, 409, "key-works",
                              "the recovery key works already: it can only be replaced");
    command.expected_version = guard->version;
    command.guard = *guard;
    api_key_take_back(&command.guard);
    return change_answer(answer, porting_submit(porting, request->proven[0], &command, NULL));
}

int porting_key_put(struct porting *porting, const struct federation_request *request,
                    const struct store_address *address, struct federation_answer *answer)
{
    const char *text = porting_text_of(request->body, "key");
    struct store_record record;
    struct store_guard guard;
    uint8_t key[STORE_HASH_LEN];
    int ret;
    if (host_is_refused(porting, request, address, &record, answer, &ret))
        return ret;
    ret = guard_read(porting, address, &guard);
    if (ret)
        return ret;
    if (json_is_null(json_object_get(request->body, "key")))
        return key_withdraw(porting, request, &guard, answer);
    if (!text || !porting_hex_decode(text, key, sizeof(key)))
        return porting_refuse(answer, 400, "malformed",
                              "key: it must be 64 hex digits, or null to take a new key back");
    return key_leave(porting, request, &record, &guard, key, answer);
}

/* ---- what protects it ---- */

static json_t *key_encode(bool is_there, const uint8_t key[STORE_HASH_LEN])
{
    char text[2 * STORE_HASH_LEN + 1];
    porting_hex_encode(key, STORE_HASH_LEN, text);
    return is_there ? json_string(text) : json_null();
}

int porting_protection_get(struct porting *porting, const struct federation_request *request,
                           const struct store_address *address, struct federation_answer *answer)
{
    struct store_record record;
    struct store_guard guard;
    int ret;
    if (host_is_refused(porting, request, address, &record, answer, &ret))
        return ret;
    ret = guard_read(porting, address, &guard);
    if (ret)
        return ret;
    return porting_reply(
        answer, json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "frozen", guard.frozen, "frozen_until",
                          api_time_encode(guard.frozen_until_ms), "code_for",
                          guard.code_for[0] ? json_string(guard.code_for) : json_null(), "key",
                          key_encode(guard.has_key, guard.key), "next_key",
                          key_encode(guard.has_next_key, guard.next_key), "next_key_from",
                          api_time_encode(guard.has_next_key ? guard.next_key_ms : 0)));
}

/* ---- release ---- */

/* Was it released while whoever asks was its host? */
struct host_find {
    const struct federation_request *request;
    bool found;
};

/* The change that made the tombstone. */
static bool release_visit(const struct store_journal_entry *entry, void *arg)
{
    struct host_find *find = arg;
    find->found = entry->before && porting_proves(find->request, entry->before->address.hosting);
    return false;
}

/* What had a host by a port is known longer than what the journal has. */
static bool commit_visit(const struct store_port *port, void *arg)
{
    struct host_find *find = arg;
    find->found = port->role == STORE_PORT_AUTHORITY && port->committed_ms &&
                  porting_proves(find->request, port->gaining);
    return !find->found;
}

static int host_find(struct store_reader *reader, const struct store_address *address,
                     struct host_find *find)
{
    struct store_record record;
    int status = store_address_get(reader, address, &record);
    if (status == 0 && record.state != STORE_ADDRESS_TOMBSTONE)
        return 0;
    if (status == 0)
        status = store_journal_read(reader, record.version, 1, release_visit, find);
    if (find->found || (status && status != STATUS_NOTFOUND && status != STATUS_TRIMMED))
        return status;
    return store_port_address_list(reader, address, SIZE_MAX, commit_visit, find);
}

static int was_released(struct porting *porting, const struct federation_request *request,
                        const struct store_address *address, bool *was)
{
    struct host_find find = {.request = request};
    struct store_reader *reader;
    int status = store_reader_alloc(porting->parts.store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (status == 0) {
        status = host_find(reader, address, &find);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    *was = find.found;
    return status;
}

static int release_submit(struct porting *porting, const struct federation_request *request,
                          const struct store_record *record, bool dry_run)
{
    struct store_command command = {
        .op = STORE_ADDRESS_RELEASE, .expected_version = record->version, .dry_run = dry_run};
    command.record.address = record->address;
    return porting_submit(porting, request->proven[0], &command, NULL);
}

static int release_answer(struct federation_answer *answer, int status)
{
    if (status == STATUS_INUSE)
        return porting_refuse(answer, 409, "in-use",
                              "aliases or numbers of its authority lead to the address: they must "
                              "go first");
    return change_answer(answer, status);
}

static bool open_visit(const struct store_port *port, void *arg)
{
    bool *is_open = arg;
    *is_open = port->role == STORE_PORT_AUTHORITY && store_port_is_open(port->state);
    return !*is_open;
}

/* A host that will not let its holder go would end his recovery by a release with a code of its
 * own. */
static int port_is_open(struct porting *porting, const struct store_address *address, bool *is_open)
{
    struct store_reader *reader;
    int status = store_reader_alloc(porting->parts.store, &reader);
    if (status)
        return status;
    *is_open = false;
    status = store_reader_begin(reader);
    if (status == 0) {
        status = store_port_address_list(reader, address, SIZE_MAX, open_visit, is_open);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status;
}

int porting_release_post(struct porting *porting, const struct federation_request *request,
                         const struct store_address *address, struct federation_answer *answer)
{
    struct store_record record;
    struct store_guard guard;
    bool was = false, is_open;
    int ret = was_released(porting, request, address, &was);
    if (ret)
        return ret;
    if (was && porting_domain_is_ours(porting, address->domain))
        return change_answer(answer, 0); /* a host that did not hear it asks again */
    if (host_is_refused(porting, request, address, &record, answer, &ret))
        return ret;
    ret = port_is_open(porting, address, &is_open); /* before the code, which it may have used up */
    if (ret == 0)
        ret = is_open ? STATUS_PORTING : release_submit(porting, request, &record, true);
    if (ret)
        return release_answer(answer, ret);
    ret = guard_read(porting, address, &guard);
    if (ret || code_is_refused(porting, request, &record, &guard, answer, &ret))
        return ret;
    ret = release_submit(porting, request, &record, false);
    porting_kick(porting); /* what could still be undone is over */
    return release_answer(answer, ret);
}
