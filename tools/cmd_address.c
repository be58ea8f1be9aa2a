/* junctor address ... */
#include "tools/tool.h"

#include "api/recovery_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct tool_resource addresses = {
    .folder = "/v1/addresses",
    .list = "addresses",
    .key = "address",
    .patch = true,
    .columns = {{"ADDRESS", "address"},
                {"STATE", "state"},
                {"HOSTING", "hosting"},
                {"OWNER", "owner"},
                {"TARGET", "target"},
                {"CREATED", "created"}},
    .fields = {{"address", "address"},
               {"state", "state"},
               {"hosting", "hosting"},
               {"display", "display"},
               {"notify", "notify"},
               {"owner", "owner"},
               {"target", "target"},
               {"blocked", "blocked"},
               {"locked", "locked"},
               {"published", "published"},
               {"auth code", "auth_until"},
               {"until", "until"},
               {"created", "created"},
               {"version", "version"}},
    .settings = {{OPT_HOSTING, "hosting", SETTING_TEXT},
                 {OPT_OWNER, "owner", SETTING_TEXT},
                 {OPT_STATE, "state", SETTING_TEXT},
                 {OPT_TARGET, "target", SETTING_TEXT},
                 {OPT_BLOCKED, "blocked", SETTING_YES_NO},
                 {OPT_LOCKED, "locked", SETTING_YES_NO},
                 {OPT_PUBLISHED, "published", SETTING_YES_NO},
                 {OPT_DISPLAY, "display", SETTING_TEXT},
                 {OPT_NOTIFY, "notify", SETTING_NONE}},
};

/* What is not told by the address itself. */
static void added_print(const struct tool *tool, const json_t *record)
{
    const char *address = tool_string(record, "address"), *state = tool_string(record, "state");
    const char *hosting = tool_string(record, "hosting"), *domain = strchr(address, '@');
    char done[1024] = "added";
    if (strcmp(state, "alias") == 0)
        snprintf(done, sizeof(done), "added, alias of %s", tool_string(record, "target"));
    else if (!domain || strcmp(domain + 1, hosting) != 0)
        snprintf(done, sizeof(done), "added, %s, hosting domain %s", state, hosting);
    tool_done_print(tool, address, tool_text_clean(done));
}

int tool_address_add(struct tool *tool)
{
    struct client_answer answer;
    int code = tool_resource_post(tool, &addresses, NULL, &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        added_print(tool, answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_address_list(struct tool *tool)
{
    char *path = strdup(addresses.folder);
    if (path && tool->operand_count > 0)
        path = tool_path_with(path, "domain", tool->operands[0]);
    if (path && tool_has(tool, OPT_OWNER))
        path = tool_path_with(path, "owner", tool_value(tool, OPT_OWNER));
    if (path && tool_has(tool, OPT_STATE))
        path = tool_path_with(path, "state", tool_value(tool, OPT_STATE));
    int code = path ? tool_list_print(tool, &addresses, path) : TOOL_REFUSED;
    free(path);
    return code;
}

int tool_address_show(struct tool *tool)
{
    return tool_resource_show(tool, &addresses);
}

int tool_address_set(struct tool *tool)
{
    return tool_resource_set(tool, &addresses, NULL);
}

/* ---- del, purge ---- */

static int release_post(struct tool *tool, const char *path)
{
    struct client_answer answer;
    char secret[130];
    int code = tool_secret_read("auth code", secret, sizeof(secret));
    if (code)
        return code;
    json_t *body = json_pack("{s:s}", "code", secret);
    explicit_bzero(secret, sizeof(secret));
    if (!body)
        return tool_fail(TOOL_USAGE, "the code is not UTF-8 text");
    code = tool_change(tool, "POST", path, NULL, body, &answer);
    if (code == TOOL_DONE)
        json_decref(answer.json);
    return code;
}

/* Another operator, its authority, releases it, with the holder's auth code. */
static int guest_release(struct tool *tool, const json_t *seen)
{
    char *path = NULL;
    if (tool_has(tool, OPT_IF_VERSION))
        return tool_fail(TOOL_USAGE, "address del: --if-version does not go with an address that "
                                     "another operator releases");
    char *record = tool_path(addresses.folder, tool_string(seen, "address"));
    int code = record && asprintf(&path, "%s/release", record) >= 0 ? release_post(tool, path)
                                                                    : TOOL_REFUSED;
    free(path);
    free(record);
    return code;
}

int tool_address_del(struct tool *tool)
{
    struct client_answer seen = {.json = NULL};
    int code = tool_resource_get(tool, &addresses, &seen);
    if (code)
        return code;
    if (strcmp(tool_string(seen.json, "state"), "ported-in") != 0) {
        code = tool_seen_delete(tool, &addresses, &seen, "", "released");
    } else {
        code = guest_release(tool, seen.json);
        if (code == TOOL_DONE)
            tool_gone_print(tool, &addresses, seen.json, "released");
    }
    json_decref(seen.json);
    return code;
}

int tool_address_purge(struct tool *tool)
{
    return tool_resource_delete(tool, &addresses, "?purge=true", "purged");
}

/* ---- auth-code ---- */

static int code_withdraw(struct tool *tool, const char *path, const struct client_answer *seen)
{
    char etag[TOOL_ETAG_MAX];
    struct client_answer answer = {.json = NULL};
    int code = tool_change(tool, "DELETE", path, tool_if_match(tool, seen, etag), NULL, &answer);
    if (code)
        return code;
    json_decref(answer.json);
    if (tool->json)
        tool_json_print(seen->json);
    else
        tool_done_print(tool, tool_string(seen->json, "address"), "without auth code");
    return TOOL_DONE;
}

/* The code alone on standard output, so that it can be piped; what goes with it on standard error.
 */
static int code_print(struct tool *tool, const char *address, const json_t *made)
{
    const char *code = tool_string(made, "auth_code"), *until = tool_string(made, "until");
    if (tool->json) {
        tool_json_print(made);
        return TOOL_DONE;
    }
    if (tool_has(tool, OPT_DRY_RUN)) {
        printf("an auth code would be made for ");
        tool_text_print(address);
        printf(", good until %s\n", until);
        return TOOL_DONE;
    }
    if (*code == '\0')
        return tool_fail(TOOL_REFUSED,
                         "%s: the code was made, but got lost with the connection: make another",
                         address);
    puts(code);
    if (!tool_has(tool, OPT_QUIET))
        tool_fail(TOOL_DONE, "this is the auth code of %s, good until %s; it is not shown again",
                  address, until);
    return TOOL_DONE;
}

static int code_make(struct tool *tool, const char *path, const struct client_answer *seen)
{
    struct client_answer answer;
    json_t *body = json_object();
    if (tool_has(tool, OPT_DAYS))
        json_object_set_new(body, "days", json_integer((json_int_t)tool_number(tool, OPT_DAYS, 0)));
    if (tool_has(tool, OPT_FOR))
        json_object_set_new(body, "for", json_string(tool_value(tool, OPT_FOR)));
    int code = tool_change(tool, "POST", path, NULL, body, &answer);
    if (code)
        return code;
    code = code_print(tool, tool_string(seen->json, "address"), answer.json);
    json_decref(answer.json);
    return code;
}

int tool_address_code(struct tool *tool)
{
    struct client_answer seen;
    char *path = NULL;
    bool withdraw = tool_has(tool, OPT_WITHDRAW);
    if (withdraw ? tool_has(tool, OPT_DAYS) || tool_has(tool, OPT_FOR)
                 : tool_has(tool, OPT_IF_VERSION))
        return tool_fail(TOOL_USAGE, "address auth-code: --days goes with a new code, as --for "
                                     "does, --if-version with --withdraw");
    int code = tool_resource_get(tool, &addresses, &seen);
    if (code)
        return code;
    char *record = tool_path(addresses.folder, tool_string(seen.json, "address"));
    if (!record || asprintf(&path, "%s/auth-code", record) < 0)
        code = TOOL_REFUSED;
    else if (withdraw)
        code = code_withdraw(tool, path, &seen);
    else
        code = code_make(tool, path, &seen);
    free(path);
    free(record);
    json_decref(seen.json);
    return code;
}

/* ---- recovery-key ---- */

static void key_print(const struct tool *tool, const json_t *guard)
{
    const char *address = tool_string(guard, "address");
    if (tool->json)
        tool_json_print(guard);
    else if (tool_has(tool, OPT_WITHDRAW))
        tool_done_print(tool, address, "without the new recovery key");
    else
        printf("%s has a recovery key that works from %s on\n", address,
               tool_string(guard, "next_recovery_key_from"));
}

/* The body of a key that is left; NULL after saying why, with what was made of the new file. */
static json_t *key_body(struct tool *tool, int *code)
{
    char secret[130], made[RECOVERY_KEY_TEXT + 1], why[RECOVERY_WHY_MAX];
    const char *file = tool_value(tool, OPT_NEW), *key = file ? made : tool->operands[1];
    *code = tool_secret_read("auth code", secret, sizeof(secret));
    if (*code == TOOL_DONE && file && recovery_key_make(file, made, why))
        *code = tool_fail(TOOL_REFUSED, "%s", why);
    if (*code)
        return NULL;
    json_t *body = json_pack("{s:s, s:s}", "key", key, "code", secret);
    explicit_bzero(secret, sizeof(secret));
    if (!body)
        *code = tool_fail(TOOL_USAGE, "the key or the code is not UTF-8 text");
    return body;
}

static int key_change(struct tool *tool, const char *path)
{
    struct client_answer answer;
    bool withdraw = tool_has(tool, OPT_WITHDRAW);
    const char *file = tool_value(tool, OPT_NEW);
    int code = TOOL_DONE;
    json_t *body = withdraw ? NULL : key_body(tool, &code);
    if (code == TOOL_DONE)
        code = tool_change(tool, withdraw ? "DELETE" : "PUT", path, "*", body, &answer);
    /* a key that is nobody's; where no answer came the authority may have it */
    if (code == TOOL_REFUSED && file && body)
        unlink(file);
    if (code)
        return code;
    key_print(tool, answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_address_key(struct tool *tool)
{
    char *path = NULL;
    int given = tool_has(tool, OPT_WITHDRAW) + tool_has(tool, OPT_NEW) + (tool->operand_count > 1);
    if (given != 1 || (tool_has(tool, OPT_NEW) && tool_has(tool, OPT_DRY_RUN)))
        return tool_fail(TOOL_USAGE, "address recovery-key: takes a key, or --new FILE without "
                                     "--dry-run, or --withdraw");
    char *record = tool_path(addresses.folder, tool->operands[0]);
    int code = record && asprintf(&path, "%s/recovery-key", record) >= 0 ? key_change(tool, path)
                                                                         : TOOL_REFUSED;
    free(path);
    free(record);
    return code;
}
