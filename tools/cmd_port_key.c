/* Recovery keys at the command line: a key pair is made, and what the daemon draws is signed with
 * it here or elsewhere. The private half never leaves the machine that it is on. */
#include "tools/port_key.h"

#include "api/recovery_key.h"
#include "base/hex.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX   1024
#define OCTETS_LINES 7
#define NONCE_LINE   5 /* counted from 0 */
#define EXPIRES_LINE 6

/* ---- signing here ---- */

/* The key is the holder's, the daemon the operator's: nothing is signed but what was typed. */
static bool text_is_wanted(const struct tool *tool, bool is_undo, const char *text)
{
    char begin[OCTETS_MAX], gaining[STORE_DOMAIN_MAX + 1];
    struct store_address address;
    if (is_undo)
        return strncmp(text, "junctor-undo-v1\n", strlen("junctor-undo-v1\n")) == 0;
    if (store_address_parse(slice_of(tool->operands[0]), &address, NULL) ||
        store_domain_canonical(slice_of(tool->operands[1]), gaining, NULL))
        return false;
    int len = snprintf(begin, sizeof(begin), "junctor-port-v1\n%s\n%s@%s\n%s\n", address.domain,
                       address.user, address.domain, gaining);
    return strncmp(text, begin, (size_t)len) == 0;
}

static json_t *ask_of(const struct tool *tool, bool is_undo)
{
    return is_undo ? json_pack("{s:s}", "undoes", tool->operands[0])
                   : json_pack("{s:s, s:s}", "address", tool->operands[0], "gaining",
                               tool->operands[1]);
}

static int draw(struct tool *tool, bool is_undo, struct client_answer *answer)
{
    json_t *ask = ask_of(tool, is_undo);
    return ask ? tool_change(tool, "POST", "/v1/port-nonces", NULL, ask, answer)
               : tool_fail(TOOL_USAGE, "the command line is not UTF-8 text");
}

static int proof_add(json_t *body, const uint8_t signature[RECOVERY_SIGNATURE_LEN],
                     const char *nonce, json_int_t expires)
{
    char text[2 * RECOVERY_SIGNATURE_LEN + 1];
    hex_encode(signature, RECOVERY_SIGNATURE_LEN, text);
    bool failed = json_object_set_new(body, "signature", json_string(text)) ||
                  json_object_set_new(body, "nonce", json_string(nonce)) ||
                  json_object_set_new(body, "expires", json_integer(expires));
    return failed ? tool_fail(TOOL_USAGE, "the nonce is not UTF-8 text") : TOOL_DONE;
}

static int sign_here(struct tool *tool, bool is_undo, json_t *body)
{
    struct client_answer answer = {.json = NULL};
    uint8_t signature[RECOVERY_SIGNATURE_LEN] = {0};
    int code = draw(tool, is_undo, &answer);
    if (code)
        return code;
    const char *text = tool_string(answer.json, "text");
    char why[RECOVERY_WHY_MAX];
    if (!text_is_wanted(tool, is_undo, text))
        code = tool_fail(TOOL_REFUSED, "the daemon wants something else to be signed than what was "
                                       "asked for; nothing was");
    else if (recovery_key_sign(tool_value(tool, OPT_RECOVERY_KEY), text, signature, why))
        code = tool_fail(TOOL_USAGE, "%s", why);
    if (code == TOOL_DONE)
        code = proof_add(body, signature, tool_string(answer.json, "nonce"),
                         json_integer_value(json_object_get(answer.json, "expires")));
    json_decref(answer.json);
    return code;
}

/* ---- signed elsewhere ---- */

/* All of it, at most `size`. Returns its length, or -1 after saying why not. */
static ssize_t file_read(const char *path, void *bytes, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        tool_fail(TOOL_USAGE, "%s: %s", path, strerror(errno));
        return -1;
    }
    size_t len = fread(bytes, 1, size, file);
    bool is_whole = !ferror(file) && fgetc(file) == EOF;
    fclose(file);
    if (is_whole)
        return (ssize_t)len;
    tool_fail(TOOL_USAGE, "%s: cannot be read, or has more than %zu octets", path, size);
    return -1;
}

/* Ends each line where it ends. */
static bool lines_split(char *text, char *lines[OCTETS_LINES])
{
    for (size_t i = 0; i < OCTETS_LINES; i++) {
        char *end = strchr(text, '\n');
        if (!end)
            return false;
        lines[i] = text;
        *end = '\0';
        text = end + 1;
    }
    return *text == '\0';
}

static int take_signed(const struct tool *tool, json_t *body)
{
    const char *octets = tool_value(tool, OPT_OCTETS), *path = tool_value(tool, OPT_SIGNATURE);
    char text[OCTETS_MAX + 1], *lines[OCTETS_LINES];
    uint8_t signature[RECOVERY_SIGNATURE_LEN];
    if (!octets || !path)
        return tool_fail(TOOL_USAGE, "--octets and --signature go together");
    ssize_t text_len = file_read(octets, text, OCTETS_MAX);
    ssize_t len = text_len < 0 ? -1 : file_read(path, signature, sizeof(signature));
    if (len < 0)
        return TOOL_USAGE;
    text[text_len] = '\0';
    if (!lines_split(text, lines))
        return tool_fail(TOOL_USAGE, "%s: is not what port octets has printed", octets);
    if (len != RECOVERY_SIGNATURE_LEN)
        return tool_fail(TOOL_USAGE, "%s: has %zd octets; an Ed25519 signature has %d", path, len,
                         RECOVERY_SIGNATURE_LEN);
    return proof_add(body, signature, lines[NONCE_LINE], strtoll(lines[EXPIRES_LINE], NULL, 10));
}

/* ---- for the commands ---- */

bool port_key_is_given(const struct tool *tool)
{
    return tool_has(tool, OPT_RECOVERY_KEY) || tool_has(tool, OPT_OCTETS) ||
           tool_has(tool, OPT_SIGNATURE);
}

int port_key_prove(struct tool *tool, bool is_undo, json_t *body)
{
    bool is_elsewhere = tool_has(tool, OPT_OCTETS) || tool_has(tool, OPT_SIGNATURE);
    if (is_elsewhere && tool_has(tool, OPT_RECOVERY_KEY))
        return tool_fail(TOOL_USAGE, "--recovery-key signs here; it does not go with --octets and "
                                     "--signature");
    return is_elsewhere ? take_signed(tool, body) : sign_here(tool, is_undo, body);
}

int tool_port_octets(struct tool *tool)
{
    struct client_answer answer = {.json = NULL};
    bool is_undo = tool->operand_count == 1;
    int code = draw(tool, is_undo, &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        fputs(tool_string(answer.json, "text"), stdout);
    json_decref(answer.json);
    return fflush(stdout) == 0 ? TOOL_DONE : tool_fail(TOOL_REFUSED, "cannot write the octets");
}
