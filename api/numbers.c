/* /v1/numbers. A number belongs to whoever has the domain of its address, or serves that address.
 */
#include "api/records.h"

#include "base/status.h"
#include "resolver/number_zone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int number_parse(struct slice text, char *key, struct store_fault *fault)
{
    key[0] = '+';
    return store_number_parse(text, key + 1, fault);
}

static const char *number_key(const void *record, char key[API_MAX_KEY_TEXT])
{
    const struct store_number *number = record;
    snprintf(key, API_MAX_KEY_TEXT, "+%s", number->digits);
    return key;
}

static int number_get(struct store_reader *reader, const char *key, void *record)
{
    return store_number_get(reader, key + 1, record);
}

static bool number_each(const struct store_number *number, void *arg)
{
    return api_page_add(arg, number);
}

static bool number_keep(const struct store_number *number, void *arg)
{
    *(struct store_number *)arg = *number;
    return false;
}

/* The next number of each domain of an operator; no digits: there is none. */
struct number_heads {
    struct store_number of[STORE_TOKEN_DOMAINS_MAX];
};

static int head_advance(struct store_reader *reader, const char *domain, const char *after,
                        struct store_number *head)
{
    head->digits[0] = '\0';
    return store_domain_number_list(reader, domain, after, 1, number_keep, head);
}

static struct store_number *head_least(struct number_heads *heads, size_t count)
{
    struct store_number *least = NULL;
    for (size_t i = 0; i < count; i++) {
        struct store_number *head = &heads->of[i];
        if (head->digits[0] && (!least || strcmp(head->digits, least->digits) < 0))
            least = head;
    }
    return least;
}

/* Past the number of `least`, which may be of two domains: its address's, and the one that serves
 * that. */
static int heads_advance(struct store_reader *reader, const struct api_principal *who,
                         struct number_heads *heads, const struct store_number *least)
{
    char last[sizeof least->digits];
    memcpy(last, least->digits, sizeof last);
    for (size_t i = 0; i < who->domain_count; i++) {
        struct store_number *head = &heads->of[i];
        int status =
            strcmp(head->digits, last) == 0 ? head_advance(reader, who->domains[i], last, head) : 0;
        if (status)
            return status;
    }
    return 0;
}

/* What an operator may see is found by its domains, as the others' numbers may be millions. */
static int number_list_of(struct store_reader *reader, const struct api_principal *who,
                          const char *after, struct api_page *page)
{
    struct number_heads heads;
    struct store_number *head;
    for (size_t i = 0; i < who->domain_count; i++) {
        int status = head_advance(reader, who->domains[i], after, &heads.of[i]);
        if (status)
            return status;
    }
    while ((head = head_least(&heads, who->domain_count)) && api_page_add(page, head)) {
        int status = heads_advance(reader, who, &heads, head);
        if (status)
            return status;
    }
    return 0;
}

static int number_list(struct store_reader *reader, const char *after, struct api_page *page)
{
    const struct api_principal *who = &page->call->who;
    const char *digits = after ? after + 1 : NULL;
    if (who->scope == STORE_SCOPE_OPERATOR)
        return number_list_of(reader, who, digits, page);
    return store_number_list(reader, digits, SIZE_MAX, number_each, page);
}

static bool number_is_visible(struct api_call *call, const void *record)
{
    const struct store_number *number = record;
    return api_may_domain(call, number->address.domain) ||
           api_address_is_there(call, &number->address);
}

/* The zone that was not named: of a known number the one it has, of a new one that domain of ours
 * which holds it. */
static int zone_find(struct api_call *call, bool is_known, struct store_number *number)
{
    struct store_number known = {.zone = ""};
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = is_known ? store_number_get(call->reader, number->digits, &known)
                      : resolver_number_zone_ours(&call->api->resolver, call->reader,
                                                  number->digits, known.zone);
    store_reader_end(call->reader);
    if (status && status != STATUS_NOTFOUND)
        return status;
    if (is_known || api_may_domain(call, known.zone))
        memcpy(number->zone, known.zone, sizeof(known.zone));
    return 0;
}

/* A zone of ours is for those who have it as a domain; of another operator's the claim that a
 * number in it lives here is worth what he says when he is asked. */
static int zone_check(struct api_call *call, const struct store_number *number)
{
    struct store_domain domain;
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = store_domain_get(call->reader, number->zone, &domain);
    store_reader_end(call->reader);
    if (status == STATUS_NOTFOUND || (status == 0 && api_may_domain(call, number->zone)))
        return 0;
    return status ? status
                  : api_problem_set(&call->problem, API_PROBLEM_FIELD, "zone",
                                    "zone: %s is not one of your domains", number->zone);
}

static int zone_take(struct api_call *call, bool is_known, struct store_number *number)
{
    int status = json_object_get(call->body, "zone") ? 0 : zone_find(call, is_known, number);
    if (!status && number->zone[0])
        status = zone_check(call, number);
    call->command.claim = number->zone[0] != '\0';
    return status == 0 || status == -EPROTO
               ? status
               : api_problem_from_status(&call->problem, status, number->digits);
}

/* It must lead to an address that is there and that the caller may see. */
static int number_decode(struct api_call *call, const char *key, void *record)
{
    struct store_number *number = record;
    if (api_number_decode(call->body, key ? key + 1 : NULL, number, &call->problem) ||
        zone_take(call, key != NULL, number))
        return -EPROTO;
    if (call->repeated || api_address_is_there(call, &number->address))
        return 0;
    return api_target_missing(&number->address, "address", &call->problem);
}

static json_t *number_encode(struct api_call *call, const void *record)
{
    (void)call;
    return api_number_encode(record);
}

const struct api_kind api_kind_number = {
    .plural = "numbers",
    .parameter = "number",
    .version_at = offsetof(struct store_number, version),
    .created_at = offsetof(struct store_number, created_ms),
    .add = STORE_NUMBER_ADD,
    .put = STORE_NUMBER_PUT,
    .del = STORE_NUMBER_DEL,
    .parse = number_parse,
    .key = number_key,
    .get = number_get,
    .list = number_list,
    .is_visible = number_is_visible,
    .decode = number_decode,
    .encode = number_encode,
};
