/* junctor port verify: is this receipt what it says? Without a daemon. */
#include "api/json.h"
#include "api/receipt.h"
#include "base/status.h"
#include "tools/offline.h"
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

#define NO_KEY                                                                                     \
    "no key to hold it against: --jwks FILE, with what the authority publishes at /v1/keys, or "   \
    "--store DIR, which knows the key that was seen at the start"

/* The first word; one that is too long stays so, as will be said. */
static void word_read(FILE *file, char text[RECEIPT_MAX + 1])
{
    size_t len = fread(text, 1, RECEIPT_MAX, file);
    text[len] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
}

/* The receipt as it was typed, or from a file; no receipt is a file's name, for that is shorter. */
static void receipt_take(const struct tool *tool, char text[RECEIPT_MAX + 1])
{
    const char *operand = tool->operands[0];
    bool is_stdin = strcmp(operand, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(operand, "re");
    if (file)
        word_read(file, text);
    else
        snprintf(text, RECEIPT_MAX + 1, "%s", operand);
    if (file && !is_stdin)
        fclose(file);
}

static int key_from_jwks(const char *file, const struct receipt *receipt,
                         uint8_t key[RECEIPT_KEY_LEN])
{
    char why[RECEIPT_WHY_MAX];
    json_error_t error;
    json_t *jwks = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    if (!jwks)
        return tool_fail(TOOL_REFUSED, "%s: %s", file, error.text);
    int status = receipt_jwks_find(jwks, receipt->authority, receipt->kid, key, why);
    json_decref(jwks);
    return status ? tool_fail(TOOL_REFUSED, "%s: %s", file, why) : TOOL_DONE;
}

/* At the gaining or the losing host: whichever of the two this store is. */
static int seen_read(struct store *store, const struct receipt *receipt, struct store_port *port)
{
    struct store_reader *reader;
    int status = store_reader_alloc(store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (status == 0) {
        status = store_port_get(reader, STORE_PORT_GAINING, receipt->port, port);
        if (status == STATUS_NOTFOUND)
            status = store_port_get(reader, STORE_PORT_LOSING, receipt->port, port);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status;
}

static int key_from_store(const struct tool *tool, const struct receipt *receipt,
                          uint8_t key[RECEIPT_KEY_LEN])
{
    static const uint8_t none[RECEIPT_KEY_LEN];
    struct store_conf conf;
    struct store_fault fault = {.text = ""};
    struct store_port port;
    struct store *store;
    int code = offline_conf(tool, &conf);
    if (code)
        return code;
    int status = store_open(&conf, STORE_READER, &store, &fault);
    if (status)
        return offline_fail(status, &fault, conf.path, "");
    status = seen_read(store, receipt, &port);
    store_close(store);
    if (status == STATUS_NOTFOUND)
        return tool_fail(TOOL_REFUSED, "port %s: the store does not know it", receipt->port);
    if (status)
        return tool_fail(TOOL_REFUSED, "%s: %s", conf.path, status_text(status));
    if (memcmp(port.key_seen, none, sizeof(none)) == 0)
        return tool_fail(TOOL_REFUSED, "port %s: no receipt key was seen at its start; " NO_KEY,
                         receipt->port);
    memcpy(key, port.key_seen, RECEIPT_KEY_LEN);
    return TOOL_DONE;
}

static int key_find(const struct tool *tool, const struct receipt *receipt,
                    uint8_t key[RECEIPT_KEY_LEN])
{
    if (tool_has(tool, OPT_JWKS))
        return key_from_jwks(tool_value(tool, OPT_JWKS), receipt, key);
    if (tool_has(tool, OPT_STORE))
        return key_from_store(tool, receipt, key);
    return tool_fail(TOOL_USAGE, NO_KEY);
}

static json_t *receipt_encode(const struct receipt *receipt)
{
    char address[API_ADDRESS_TEXT_MAX];
    const char *reason = store_port_reason_text(receipt->reason);
    return json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:s?, s:o, s:s, s:I}", "port",
                     receipt->port, "address", api_address_format(&receipt->address, address),
                     "losing", receipt->losing[0] ? receipt->losing : NULL, "gaining",
                     receipt->gaining, "authority", receipt->authority, "kind",
                     store_port_kind_text(receipt->kind), "decision",
                     store_port_state_text(receipt->decision), "reason", reason[0] ? reason : NULL,
                     "time", api_time_encode(receipt->time_ms), "kid", receipt->kid, "commit_order",
                     (json_int_t)receipt->commit_order);
}

int tool_port_verify(struct tool *tool)
{
    char text[RECEIPT_MAX + 1], why[RECEIPT_WHY_MAX];
    uint8_t key[RECEIPT_KEY_LEN];
    struct receipt receipt;
    receipt_take(tool, text);
    if (receipt_read(slice_of(text), &receipt, why))
        return tool_fail(TOOL_REFUSED, "this is no receipt: %s", why);
    int code = key_find(tool, &receipt, key);
    if (code)
        return code;
    if (receipt_verify(slice_of(text), key, &receipt, why))
        return tool_fail(TOOL_REFUSED, "the receipt does not hold: %s", why);
    json_t *json = receipt_encode(&receipt);
    if (tool->json)
        tool_json_print(json);
    else
        printf("%s certifies with key %s: %s from %s to %s was %s at %s (port %s)\n",
               receipt.authority, receipt.kid, tool_string(json, "address"),
               receipt.losing[0] ? receipt.losing : "nobody", receipt.gaining,
               tool_string(json, "decision"), tool_string(json, "time"), receipt.port);
    json_decref(json);
    return TOOL_DONE;
}
