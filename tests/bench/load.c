#include "tests/bench/load.h"

#include "base/status.h"
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void digits_write(uint32_t number, char *text, int count)
{
    for (int i = count - 1; i >= 0; i--, number /= 10)
        text[i] = (char)('0' + number % 10);
}

void load_init(struct load *load, uint32_t count)
{
    uint64_t random = 88172645463325252u;
    load->count = count;
    load->users = malloc(count * sizeof(*load->users));
    load->owners = malloc(count * sizeof(*load->owners));
    if (!load->users || !load->owners)
        bench_fail("no memory for %u names", count);
    for (uint32_t i = 0; i < count; i++) {
        load->users[i][0] = 'u';
        digits_write(i, load->users[i] + 1, LOAD_USER_LEN - 1);
        digits_write(i, load->owners[i], LOAD_OWNER_LEN);
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t other = (uint32_t)(bench_random(&random) % (i + 1));
        char owner[LOAD_OWNER_LEN];
        memcpy(owner, load->owners[i], LOAD_OWNER_LEN);
        memcpy(load->owners[i], load->owners[other], LOAD_OWNER_LEN);
        memcpy(load->owners[other], owner, LOAD_OWNER_LEN);
    }
}

void load_done(struct load *load)
{
    free(load->users);
    free(load->owners);
    *load = (struct load){.count = 0};
}

void load_address(const struct load *load, uint32_t i, struct store_address *address)
{
    memcpy(address->user, load->users[i], LOAD_USER_LEN);
    address->user[LOAD_USER_LEN] = '\0';
    memcpy(address->domain, LOAD_DOMAIN, sizeof(LOAD_DOMAIN));
}

void load_record(const struct load *load, uint32_t i, struct store_record *record)
{
    load_address(load, i, &record->address);
    memcpy(record->hosting, LOAD_DOMAIN, sizeof(LOAD_DOMAIN));
    memcpy(record->display, record->address.user, LOAD_USER_LEN);
    memcpy(record->display + LOAD_USER_LEN, "@" LOAD_DOMAIN, sizeof("@" LOAD_DOMAIN));
    memcpy(record->owner, load->owners[i], LOAD_OWNER_LEN);
    record->owner[LOAD_OWNER_LEN] = '\0';
    record->state = STORE_ADDRESS_HOSTED;
}

struct store_conf load_conf(const char *path)
{
    return (struct store_conf){.path = path, .map_size = LOAD_MAP_SIZE};
}

static struct store_domain load_domain(void)
{
    struct store_domain domain = {.name = LOAD_DOMAIN, .core_count = 1};
    snprintf(domain.cores[0].host, sizeof(domain.cores[0].host), "192.0.2.1");
    domain.cores[0].port = 5060;
    domain.quarantine_days = STORE_QUARANTINE_DAYS;
    return domain;
}

void load_store(const struct load *load, const struct store_conf *conf)
{
    struct store_fault fault = {""};
    struct store_domain domain = load_domain();
    struct store_record record = {.locked = false};
    struct store_bulk *bulk;
    int ret = store_bulk_begin(conf, "bench", 1700000000000u, &bulk, &fault);
    if (ret)
        bench_fail("%s", fault.text);
    ret = store_bulk_domain(bulk, &domain);
    for (uint32_t i = 0; ret == 0 && i < load->count; i++) {
        load_record(load, i, &record);
        ret = store_bulk_address(bulk, &record);
    }
    if (ret)
        bench_fail("a bulk load of %u addresses: %s", load->count, status_text(ret));
    ret = store_bulk_commit(bulk, &fault);
    if (ret)
        bench_fail("%s", fault.text);
}
