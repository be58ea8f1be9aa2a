#include "tools/journal_words.h"

#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 1200 /* bytes */

/* Its state, where that or its deadline is new. */
static void state_say(FILE *out, const json_t *before, const json_t *after)
{
    const char *was = tool_string(before, "state"), *is = tool_string(after, "state");
    const char *reason = tool_string(after, "reason"), *deadline = tool_string(after, "deadline");
    bool is_same = strcmp(was, is) == 0;
    if (is_same && strcmp(deadline, tool_string(before, "deadline")) == 0)
        return;
    if (*was && !is_same)
        fprintf(out, "%s -> ", was);
    fputs(is, out);
    if (*reason)
        fprintf(out, " (%s)", reason);
    if (*deadline)
        fprintf(out, ", until %s", deadline);
    fputs("; ", out);
}

static bool names(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return false;
}

/* Those who were still to be told, and are not any more. */
static void told_say(FILE *out, const json_t *before, const json_t *after)
{
    const json_t *owed = json_object_get(after, "owes");
    bool any = false;
    size_t i;
    json_t *who;
    json_array_foreach(json_object_get(before, "owes"), i, who)
    {
        const char *name = json_string_value(who);
        if (!name || names(owed, name))
            continue;
        fprintf(out, "%s%s", any ? ", " : "told ", name);
        any = true;
    }
    if (any)
        fputs("; ", out);
}

static void port_say(FILE *out, const json_t *before, const json_t *after)
{
    const json_t *port = json_is_object(after) ? after : before;
    const char *losing = tool_string(port, "losing"), *undoes = tool_string(port, "undoes");
    fprintf(out, "%s, %s%sto %s", tool_string(port, "address"), losing, *losing ? " " : "",
            tool_string(port, "gaining"));
    if (!json_is_object(before))
        fprintf(out, ", by %s%s%s", tool_string(port, "kind"), *undoes ? " of " : "", undoes);
    fputs(": ", out);
    if (!json_is_object(after)) {
        fputs("forgotten", out);
        return;
    }
    state_say(out, before, after);
    told_say(out, before, after);
}

static void guard_say(FILE *out, const json_t *before, const json_t *after)
{
    static const char *const fields[][2] = {{"frozen_until", "frozen until"},
                                            {"code_for", "auth code for"},
                                            {"recovery_key", "recovery key"},
                                            {"next_recovery_key_from", "new recovery key from"}};
    bool was = json_is_true(json_object_get(before, "frozen"));
    bool is = json_is_true(json_object_get(after, "frozen"));
    if (!json_is_object(after)) {
        fputs("nothing protects it any more", out);
        return;
    }
    if (was != is)
        fputs(is ? "frozen by its operator; " : "not frozen by its operator any more; ", out);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *value = tool_string(after, fields[i][0]);
        if (strcmp(value, tool_string(before, fields[i][0])) != 0)
            fprintf(out, "%s %s; ", fields[i][1], *value ? value : "none");
    }
}

void journal_words_add(json_t *entry)
{
    char words[WORDS_MAX] = "";
    const char *kind = tool_string(entry, "kind");
    const json_t *before = json_object_get(entry, "before");
    const json_t *after = json_object_get(entry, "after");
    if (!json_is_object(before) && !json_is_object(after))
        return;
    FILE *out = fmemopen(words, sizeof(words), "w");
    if (!out)
        return;
    if (strcmp(kind, "port") == 0)
        port_say(out, before, after);
    else if (strcmp(kind, "guard") == 0)
        guard_say(out, before, after);
    fclose(out);
    size_t len = strlen(words);
    if (len > 2 && strcmp(words + len - 2, "; ") == 0)
        words[len - 2] = '\0';
    json_object_set_new(entry, JOURNAL_WORDS, json_string(words));
}
