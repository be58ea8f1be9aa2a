/* /v1/peers */
#include "api/records.h"

static int peer_get(struct store_reader *reader, const char *key, void *record)
{
    return store_peer_get(reader, key, record);
}

static bool peer_each(const struct store_peer *peer, void *arg)
{
    return api_page_add(arg, peer);
}

static int peer_list(struct store_reader *reader, const char *after, struct api_page *page)
{
    return store_peer_list(reader, after, SIZE_MAX, peer_each, page);
}

static int peer_decode(struct api_call *call, const char *key, void *record)
{
    return api_peer_decode(call->body, key, record, &call->problem);
}

static json_t *peer_encode(struct api_call *call, const void *record)
{
    (void)call;
    return api_peer_encode(record);
}

const struct api_kind api_kind_peer = {
    .plural = "peers",
    .parameter = "domain",
    .version_at = offsetof(struct store_peer, version),
    .created_at = offsetof(struct store_peer, created_ms),
    .add = STORE_PEER_ADD,
    .put = STORE_PEER_PUT,
    .del = STORE_PEER_DEL,
    .parse = store_domain_canonical,
    .key = api_key_first,
    .get = peer_get,
    .list = peer_list,
    .decode = peer_decode,
    .encode = peer_encode,
};
