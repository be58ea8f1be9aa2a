/* /v1/keys: by which keys our receipts of ports are signed, for anybody who holds one. */
#include "api/internal.h"

#include "api/receipt.h"
#include "base/status.h"

#define PAGE 64 /* domains read at once */

/* Names of hosted domains, copied: a key is made without a read transaction around it. */
struct page {
    char names[PAGE][STORE_DOMAIN_MAX + 1];
    size_t count;
};

static bool name_take(const struct store_domain *domain, void *arg)
{
    struct page *page = arg;
    memcpy(page->names[page->count++], domain->name, sizeof(domain->name));
    return page->count < PAGE;
}

static int page_read(struct store_reader *reader, const char *after, struct page *page)
{
    page->count = 0;
    int status = store_reader_begin(reader);
    if (status)
        return status;
    status = store_domain_list(reader, after, PAGE, name_take, page);
    store_reader_end(reader);
    return status;
}

/* Every hosted domain has a key from now on: whoever begins a port keeps the one that he sees. */
static int keys_ensure(struct store_reader *reader, struct receipt_keys *receipts)
{
    char after[STORE_DOMAIN_MAX + 1] = "";
    uint8_t key[RECEIPT_KEY_LEN];
    struct page page = {.count = PAGE};
    int status = 0;
    while (status == 0 && page.count == PAGE) {
        status = page_read(reader, after[0] ? after : NULL, &page);
        for (size_t i = 0; status == 0 && i < page.count; i++)
            status = receipt_key_get(receipts, page.names[i], key);
        if (page.count)
            memcpy(after, page.names[page.count - 1], sizeof(after));
    }
    return status;
}

int api_keys_get(struct api_call *call)
{
    struct receipt_keys *receipts = call->api->parts.receipts;
    int status = receipts ? keys_ensure(call->reader, receipts) : 0;
    if (status)
        return api_problem_from_status(&call->problem, status, "receipt keys");
    return api_call_reply(
        call, 200, receipts ? receipt_keys_encode(receipts) : json_pack("{s:[]}", "keys"), 0);
}
