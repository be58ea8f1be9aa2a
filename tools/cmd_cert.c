/* junctor cert next */
#include "tools/cert_switch.h"
#include "tools/check.h"

#include "base/waiting.h"
#include "peering/transport/tls_next.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct roll {
    struct tool *tool;
    struct check_place place;
    char domain[STORE_DOMAIN_MAX + 1];
    const struct tls_certificate_conf *certificate;
    char next_key[CERT_PATH_MAX], next_chain[CERT_PATH_MAX], request[CERT_PATH_MAX],
        seen_file[CERT_PATH_MAX];
    uint8_t key[TLS_KEY_HASH_LEN], next[TLS_KEY_HASH_LEN]; /* hashes */
    bool made;                                             /* the next key, just now */
    struct cert_seen seen;
    bool validated;                   /* the resolver believes the records of the next key */
    char unanchored[TLS_MAX_VERDICT]; /* why no anchor proves its certificate; "": one does */
    char missing[CHECK_WHERE_MAX + ZONE_NAME_MAX + 64]; /* then: where it is not */
};

/* ---- what is there ---- */

static int certificate_find(struct roll *roll)
{
    const struct tls_conf *tls = &roll->place.conf->edge.tls;
    const char *text = roll->tool->operands[0];
    struct store_fault fault;
    if (store_domain_canonical(slice_of(text), roll->domain, &fault))
        return tool_fail(TOOL_REFUSED, "%s: %s", text, fault.text);
    for (size_t i = 0; i < tls->certificate_count && !roll->certificate; i++)
        if (strcmp(tls->certificates[i].domain, roll->domain) == 0)
            roll->certificate = &tls->certificates[i];
    if (!roll->certificate)
        return tool_fail(TOOL_REFUSED, "%s: the configuration has no certificate of that domain",
                         roll->domain);
    if (strcmp(roll->certificate->key_file, roll->certificate->chain_file) == 0)
        return tool_fail(TOOL_REFUSED,
                         "%s: holds both key and certificate; give them a file each, for only "
                         "then can the next key be prepared without its certificate",
                         roll->certificate->key_file);
    return TOOL_DONE;
}

static int names_make(struct roll *roll)
{
    const struct tls_certificate_conf *conf = roll->certificate;
    const size_t size = CERT_PATH_MAX - sizeof(".new");
    int lens[4];
    lens[0] = conf->next_key_file ? snprintf(roll->next_key, size, "%s", conf->next_key_file)
                                  : snprintf(roll->next_key, size, "%s.next", conf->key_file);
    lens[1] = snprintf(roll->next_chain, size, "%s.next", conf->chain_file);
    lens[2] = snprintf(roll->request, size, "%s.csr", roll->next_key);
    lens[3] = snprintf(roll->seen_file, size, "%s.seen", roll->next_key);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
        if (lens[i] < 0 || (size_t)lens[i] >= size)
            return tool_fail(TOOL_REFUSED, "%s: the name is too long", conf->key_file);
    return TOOL_DONE;
}

static int hashes_read(struct roll *roll, bool *has_next)
{
    char why[TLS_MAX_WHY];
    if (tls_chain_key_hash(roll->certificate->chain_file, roll->key, why))
        return tool_fail(TOOL_REFUSED, "%s", why);
    *has_next = access(roll->next_key, F_OK) == 0;
    if (*has_next && tls_next_key_hash(roll->next_key, roll->next, why))
        return tool_fail(TOOL_REFUSED, "%s", why);
    /* after a switch the next key's file is the present one's */
    *has_next = *has_next && memcmp(roll->key, roll->next, sizeof(roll->key)) != 0;
    return TOOL_DONE;
}

/* ---- preparing ---- */

static int key_make(struct roll *roll)
{
    char why[TLS_MAX_WHY], *pem;
    const char *present = roll->certificate->key_file;
    if (tls_next_key_make(present, &pem, why))
        return tool_fail(TOOL_REFUSED, "%s", why);
    int code = cert_file_write(roll->next_key, pem, present);
    tls_pem_free(pem);
    if (code)
        return code;
    roll->made = true;
    unlink(roll->seen_file);
    unlink(roll->request); /* of an earlier key */
    if (tls_next_key_hash(roll->next_key, roll->next, why))
        return tool_fail(TOOL_REFUSED, "%s", why);
    return TOOL_DONE;
}

static int request_make(struct roll *roll)
{
    char why[TLS_MAX_WHY], *pem;
    if (access(roll->request, F_OK) == 0)
        return TOOL_DONE;
    if (tls_next_request_make(roll->next_key, roll->domain, &pem, why))
        return tool_fail(TOOL_REFUSED, "%s", why);
    int code = cert_file_write(roll->request, pem, roll->certificate->chain_file);
    tls_pem_free(pem);
    return code;
}

/* ---- is it in DNS, and how long has it been? ---- */

static struct check_conf conf_make(const struct roll *roll)
{
    return (struct check_conf){.domain = roll->domain,
                               .resolver = roll->place.resolver,
                               .trusted = roll->place.trusted,
                               .port = roll->place.port,
                               .deadline_ms = waiting_now_ms() + CHECK_BUDGET_MS,
                               .now_s = (int64_t)time(NULL)};
}

static uint32_t longer(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Has each server of each target's zone the key? Whatever hinders the question is a no. */
static int served_ask(struct roll *roll, bool *served, uint32_t *ttl_s)
{
    const struct zone_conf *zone = &roll->place.conf->zone;
    struct check_conf conf = conf_make(roll);
    *served = roll->validated = zone->target_count > 0;
    *ttl_s = 0;
    if (zone->target_count == 0)
        snprintf(roll->missing, sizeof(roll->missing),
                 "no outside listener is known by a host name");
    for (size_t i = 0; i < zone->target_count; i++) {
        struct check_key found;
        char name[ZONE_NAME_MAX + 32];
        snprintf(name, sizeof(name), "_%u._tcp.%s", zone->targets[i].port, zone->targets[i].host);
        if (check_key_served(&conf, name, roll->next, &found))
            return tool_fail(TOOL_REFUSED, "out of memory");
        if (*served && !found.everywhere)
            snprintf(roll->missing, sizeof(roll->missing), "%s: %s", name, found.missing);
        *served = *served && found.everywhere;
        roll->validated = roll->validated && found.validated;
        *ttl_s = longer(*ttl_s, found.ttl_s);
    }
    return TOOL_DONE;
}

/* Since when every server has had it: a file remembers, for we look only now and then. A server
 * that once lacks it makes the wait begin anew, and so does a clock that was set back. What is
 * waited for is the longest TTL that any run saw: callers may remember the set as it was before the
 * key came in (RFC 7671 section 8.1). Where no run saw that, it is taken to have been ours. */
static int seen_note(struct roll *roll)
{
    struct cert_seen before, *seen = &roll->seen;
    bool served;
    int64_t now_s = (int64_t)time(NULL);
    int code = served_ask(roll, &served, &seen->ttl_s);
    if (code)
        return code;
    cert_hex(roll->next, seen->key);
    bool known = cert_seen_read(roll->seen_file, &before) && strcmp(before.key, seen->key) == 0;
    seen->since_s = served ? now_s : 0;
    if (served && known && before.since_s > 0 && before.since_s <= now_s)
        seen->since_s = before.since_s;
    uint32_t ttl_s = known ? before.ttl_s : 0;
    seen->ttl_s = longer(seen->ttl_s, served && ttl_s == 0 ? roll->place.conf->zone.ttl_s : ttl_s);
    return cert_seen_write(roll->seen_file, seen, roll->certificate->key_file);
}

static int64_t safe_from(const struct roll *roll)
{
    return roll->seen.since_s + roll->seen.ttl_s;
}

static const char *time_text(int64_t time_s, char text[32])
{
    time_t time = (time_t)time_s;
    struct tm parts;
    if (!gmtime_r(&time, &parts) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(text, 32, "later");
    return text;
}

/* ---- telling ---- */

static json_t *records_json(const struct roll *roll, const char *key)
{
    const struct zone_conf *zone = &roll->place.conf->zone;
    json_t *list = json_array();
    for (size_t i = 0; i < zone->target_count; i++) {
        char line[ZONE_LINE_MAX];
        snprintf(line, sizeof(line), "_%u._tcp.%s. %" PRIu32 " IN TLSA 3 1 1 %s",
                 zone->targets[i].port, zone->targets[i].host, zone->ttl_s, key);
        json_array_append_new(list, json_string(line));
    }
    return list;
}

static void list_print(const json_t *list)
{
    size_t i;
    json_t *line;
    json_array_foreach(list, i, line)
    {
        fputs("  ", stdout);
        tool_text_print(json_string_value(line));
        putchar('\n');
    }
}

static void prepared_print(const struct roll *roll, const json_t *records)
{
    char when[32];
    printf("next key      %s%s\n", roll->next_key, roll->made ? " (made now)" : "");
    printf("request       %s\n", roll->request);
    printf("its chain     %s (put the certificate there when you have it)\n", roll->next_chain);
    if (!roll->certificate->next_key_file)
        printf("to publish it, add to certificate \"%s\" in the configuration, and reload:\n"
               "  next-key = \"%s\"\n",
               roll->domain, roll->next_key);
    puts("DNS must have, beside the records of the present key:");
    list_print(records);
    if (roll->seen.since_s == 0)
        printf("not yet everywhere: %s\n", roll->missing);
    else
        printf("every name server has it; the switch is safe from %s on\n",
               time_text(safe_from(roll), when));
}

static int prepared_tell(const struct roll *roll)
{
    char when[32], key[CERT_HEX_LEN + 1];
    json_t *records = records_json(roll, cert_hex(roll->next, key));
    if (roll->tool->json) {
        json_t *json = json_pack(
            "{s:s, s:s, s:s, s:s, s:b, s:O, s:s?, s:s?}", "domain", roll->domain, "next_key",
            roll->next_key, "request", roll->request, "next_chain", roll->next_chain, "made",
            roll->made, "records", records, "missing", roll->seen.since_s ? NULL : roll->missing,
            "safe_from", roll->seen.since_s ? time_text(safe_from(roll), when) : NULL);
        tool_json_print(json);
        json_decref(json);
    } else {
        prepared_print(roll, records);
    }
    json_decref(records);
    return TOOL_DONE;
}

static int prepare(struct roll *roll, bool has_next)
{
    int code = has_next ? TOOL_DONE : key_make(roll);
    if (code == TOOL_DONE)
        code = request_make(roll);
    if (code == TOOL_DONE)
        code = seen_note(roll);
    return code ? code : prepared_tell(roll);
}

/* ---- switching ---- */

/* What the configuration will have in these files: several domains may share them. */
static int certificates_list(const struct roll *roll,
                             struct tls_certificate_conf list[TLS_MAX_DOMAINS], size_t *count)
{
    const struct tls_conf *tls = &roll->place.conf->edge.tls;
    *count = 0;
    for (size_t i = 0; i < tls->certificate_count; i++) {
        const struct tls_certificate_conf *one = &tls->certificates[i];
        bool chain = strcmp(one->chain_file, roll->certificate->chain_file) == 0;
        bool key = strcmp(one->key_file, roll->certificate->key_file) == 0;
        if (chain && key)
            list[(*count)++] = (struct tls_certificate_conf){
                .domain = one->domain, .chain_file = roll->next_chain, .key_file = roll->next_key};
        else if (chain || key)
            return tool_fail(TOOL_REFUSED,
                             "not switched: certificate \"%s\" uses %s too, but not %s, and would "
                             "be left with a key that does not fit; give it files of its own",
                             one->domain, chain ? one->chain_file : one->key_file,
                             chain ? roll->certificate->key_file : roll->certificate->chain_file);
    }
    return TOOL_DONE;
}

/* The files are judged as the daemon will, and as its peers do. */
static int certificate_judge(struct roll *roll)
{
    struct tls_certificate_conf list[TLS_MAX_DOMAINS];
    struct tls_conf tls = {.certificates = list,
                           .anchors_file = roll->place.conf->edge.tls.anchors_file,
                           .crl_files = roll->place.conf->edge.tls.crl_files,
                           .crl_count = roll->place.conf->edge.tls.crl_count};
    struct tls_context *context;
    struct tls_verdict verdict;
    char why[TLS_MAX_WHY];
    int code = certificates_list(roll, list, &tls.certificate_count);
    if (code)
        return code;
    if (tls_context_load(&tls, &context, why))
        return tool_fail(TOOL_REFUSED, "not switched: %s", why);
    if (tls_judge_own(context, roll->domain, &verdict))
        snprintf(roll->unanchored, sizeof(roll->unanchored), "%s", verdict.why);
    tls_context_unref(context);
    return TOOL_DONE;
}

/* A certificate that no trust anchor proves is believed for its TLSA records, where these count. */
static int belief_judge(const struct roll *roll)
{
    struct check_conf conf = conf_make(roll);
    bool proven = true;
    if (!*roll->unanchored)
        return TOOL_DONE;
    if (roll->validated && check_service_proven(&conf, &proven))
        return tool_fail(TOOL_REFUSED, "out of memory");
    if (roll->validated && proven)
        return TOOL_DONE;
    return tool_fail(TOOL_REFUSED,
                     "not switched: no caller would believe it: %s; and its TLSA records prove "
                     "nothing, for the resolver does not say that it validated the %s records "
                     "(DNSSEC)",
                     roll->unanchored, roll->validated ? "NAPTR and SRV" : "TLSA");
}

static int dns_judge(struct roll *roll)
{
    char since[32], from[32];
    int code = seen_note(roll);
    if (code)
        return code;
    if (roll->seen.since_s == 0)
        return tool_fail(TOOL_REFUSED,
                         "not switched: the next key is not on every name server yet, and callers "
                         "would refuse it: %s; see junctor cert next %s for the records",
                         roll->missing, roll->domain);
    if ((int64_t)time(NULL) >= safe_from(roll))
        return TOOL_DONE;
    return tool_fail(TOOL_REFUSED,
                     "not switched: every name server has the next key, seen first at %s, but "
                     "callers may remember the records without it for another TTL of %" PRIu32
                     " s; switch from %s on",
                     time_text(roll->seen.since_s, since), roll->seen.ttl_s,
                     time_text(safe_from(roll), from));
}

static int switched_tell(const struct roll *roll, const struct cert_switch *change, bool resumed)
{
    json_t *records = records_json(roll, change->was);
    if (roll->tool->json) {
        json_t *json = json_pack(
            "{s:s, s:s, s:s, s:b, s:O}", "domain", roll->domain, "key", roll->certificate->key_file,
            "chain", roll->certificate->chain_file, "resumed", resumed, "remove", records);
        tool_json_print(json);
        json_decref(json);
    } else {
        if (resumed)
            puts("A switch that was broken off is now finished:");
        printf("%s switched to its next key; what was there is in %s.old and %s.old\n"
               "Now have every daemon that serves it reload: systemctl reload junctord\n"
               "Then take out of DNS:\n",
               roll->domain, roll->certificate->key_file, roll->certificate->chain_file);
        list_print(records);
    }
    json_decref(records);
    return TOOL_DONE;
}

static struct cert_switch change_make(const struct roll *roll)
{
    struct cert_switch change = {
        .domain = roll->domain,
        .present = {roll->certificate->key_file, roll->certificate->chain_file},
        .next = {roll->next_key, roll->next_chain}};
    cert_hex(roll->key, change.was);
    cert_hex(roll->next, change.becomes);
    return change;
}

static int switched(const struct roll *roll, const struct cert_switch *change, bool resumed)
{
    unlink(roll->seen_file);
    return switched_tell(roll, change, resumed);
}

/* DNS was asked before it began. */
static int switch_resume(const struct roll *roll)
{
    struct cert_switch change = change_make(roll);
    int code = cert_switch_resume(&change);
    return code ? code : switched(roll, &change, true);
}

static int switch_keys(struct roll *roll, bool has_next)
{
    if (!has_next)
        return tool_fail(TOOL_REFUSED,
                         "not switched: there is no next key of %s; junctor cert next %s prepares "
                         "one",
                         roll->domain, roll->domain);
    int code = certificate_judge(roll);
    if (code == TOOL_DONE)
        code = dns_judge(roll);
    if (code == TOOL_DONE)
        code = belief_judge(roll);
    struct cert_switch change = change_make(roll);
    if (code == TOOL_DONE)
        code = cert_switch_run(&change);
    return code ? code : switched(roll, &change, false);
}

static int roll_run(struct roll *roll)
{
    bool has_next = false;
    int code = check_place_choose(roll->tool, true, &roll->place);
    if (code == TOOL_DONE)
        code = certificate_find(roll);
    if (code == TOOL_DONE)
        code = names_make(roll);
    if (code == TOOL_DONE && cert_switch_is_open(roll->certificate->key_file))
        return switch_resume(roll);
    if (code == TOOL_DONE)
        code = hashes_read(roll, &has_next);
    if (code)
        return code;
    return tool_has(roll->tool, OPT_SWITCH) ? switch_keys(roll, has_next) : prepare(roll, has_next);
}

int tool_cert_next(struct tool *tool)
{
    struct roll *roll = calloc(1, sizeof(*roll));
    if (!roll)
        return tool_fail(TOOL_REFUSED, "out of memory");
    roll->tool = tool;
    int code = roll_run(roll);
    check_place_free(&roll->place);
    free(roll);
    return code;
}
