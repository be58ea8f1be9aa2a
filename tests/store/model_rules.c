/* What a record must look like, after store.h. */
#include "tests/store/model.h"

#include <arpa/inet.h>
#include <stdio.h>

static bool text_ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool domain_is_canonical(const char name[STORE_DOMAIN_MAX + 1])
{
    char canonical[STORE_DOMAIN_MAX + 1];
    return text_ends(name, STORE_DOMAIN_MAX + 1) &&
           store_domain_canonical(slice_of(name), canonical, NULL) == 0 &&
           strcmp(name, canonical) == 0;
}

bool model_address_is_canonical(const struct store_address *address)
{
    char user[STORE_USER_MAX + 1];
    return text_ends(address->user, sizeof(address->user)) &&
           store_user_canonical(slice_of(address->user), user, NULL) == 0 &&
           strcmp(user, address->user) == 0 && domain_is_canonical(address->domain);
}

static bool mail_is_canonical(const char mail[STORE_MAIL_MAX + 1])
{
    char canonical[STORE_MAIL_MAX + 1];
    return text_ends(mail, STORE_MAIL_MAX + 1) &&
           store_mail_canonical(slice_of(mail), canonical, NULL) == 0 &&
           strcmp(canonical, mail) == 0;
}

/* Of the tests' own texts: ASCII is all that they have. */
static bool text_is_printable(const char *text, size_t size)
{
    if (!text_ends(text, size))
        return false;
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return false;
    return true;
}

static bool core_is_valid(const struct store_core *core)
{
    struct in6_addr ip;
    if (!text_ends(core->host, sizeof(core->host)))
        return false;
    return inet_pton(AF_INET, core->host, &ip) == 1 || inet_pton(AF_INET6, core->host, &ip) == 1 ||
           domain_is_canonical(core->host);
}

static bool domain_is_valid(const struct store_domain *domain)
{
    if (!domain_is_canonical(domain->name) || domain->core_count < 1 ||
        domain->core_count > STORE_CORES_MAX || domain->claims_per_owner > STORE_CLAIMS_MAX ||
        domain->quarantine_days > STORE_QUARANTINE_DAYS_MAX ||
        (domain->unknown != STORE_UNKNOWN_REJECT && domain->unknown != STORE_UNKNOWN_CORE))
        return false;
    for (unsigned i = 0; i < domain->core_count; i++)
        if (!core_is_valid(&domain->cores[i]))
            return false;
    return true;
}

static bool owner_is_valid(const char owner[STORE_OWNER_MAX + 1])
{
    return text_ends(owner, STORE_OWNER_MAX + 1) && store_owner_check(slice_of(owner), NULL) == 0;
}

static bool address_is_valid(const struct store_record *record)
{
    bool is_alias = record->state == STORE_ADDRESS_ALIAS;
    bool ends = record->state == STORE_ADDRESS_MOVED || record->state == STORE_ADDRESS_TOMBSTONE;
    bool has_target = record->target.user[0] || record->target.domain[0];
    if (!model_address_is_canonical(&record->address) || !domain_is_canonical(record->hosting) ||
        (unsigned)record->state >= STORE_ADDRESS_STATE_COUNT)
        return false;
    if (record->owner[0] && !owner_is_valid(record->owner))
        return false;
    if (!text_ends(record->display, sizeof(record->display)) || is_alias != has_target)
        return false;
    if (record->notify[0] && !mail_is_canonical(record->notify))
        return false;
    return (!is_alias || model_address_is_canonical(&record->target)) &&
           (ends || record->until_ms == 0);
}

static bool number_is_valid(const struct store_number *number)
{
    char text[STORE_NUMBER_MAX + 2], digits[STORE_NUMBER_MAX + 1];
    if (!text_ends(number->digits, sizeof(number->digits)) ||
        !model_address_is_canonical(&number->address))
        return false;
    snprintf(text, sizeof(text), "+%s", number->digits);
    return store_number_parse(slice_of(text), digits, NULL) == 0 &&
           strcmp(digits, number->digits) == 0;
}

static bool peer_is_valid(const struct store_peer *peer)
{
    return domain_is_canonical(peer->domain) && peer->pin_count <= STORE_PINS_MAX &&
           text_is_printable(peer->tariff, sizeof(peer->tariff));
}

static bool token_id_is_valid(const char id[STORE_TOKEN_ID_LEN + 1])
{
    return text_ends(id, STORE_TOKEN_ID_LEN + 1) && strlen(id) == STORE_TOKEN_ID_LEN &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == STORE_TOKEN_ID_LEN;
}

static bool token_domains_are_valid(const struct store_token *token)
{
    if (token->domain_count < 1 || token->domain_count > STORE_TOKEN_DOMAINS_MAX)
        return false;
    for (unsigned i = 0; i < token->domain_count; i++) {
        if (!domain_is_canonical(token->domains[i]))
            return false;
        for (unsigned k = 0; k < i; k++)
            if (strcmp(token->domains[i], token->domains[k]) == 0)
                return false;
    }
    return true;
}

static bool token_scope_is_valid(const struct store_token *token)
{
    switch (token->scope) {
    case STORE_SCOPE_ADMIN:
        return !token->owner[0] && token->domain_count == 0;
    case STORE_SCOPE_USER:
        return owner_is_valid(token->owner) && token->domain_count == 0;
    case STORE_SCOPE_OPERATOR:
        return !token->owner[0] && token_domains_are_valid(token);
    }
    return false;
}

bool model_record_is_valid(enum store_kind kind, const void *record)
{
    const struct store_token *token = record;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return domain_is_valid(record);
    case STORE_KIND_ADDRESS:
        return address_is_valid(record);
    case STORE_KIND_NUMBER:
        return number_is_valid(record);
    case STORE_KIND_PEER:
        return peer_is_valid(record);
    case STORE_KIND_TOKEN:
        return token_id_is_valid(token->id) && token_scope_is_valid(token) &&
               text_is_printable(token->note, sizeof(token->note));
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_PORT: /* model_ports.c has them */
    case STORE_KIND_GUARD:
    case STORE_KIND_COUNT:
        break;
    }
    return false;
}

bool model_cursor_is_valid(const struct store_cursor *cursor)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return text_ends(cursor->name, sizeof(cursor->name)) && cursor->name[0] &&
           cursor->name[strspn(cursor->name, allowed)] == '\0';
}

bool model_usage_is_valid(const struct store_usage *usage)
{
    return owner_is_valid(usage->node) && domain_is_canonical(usage->peer);
}
