/* junctor(1): the directory and the daemon from the command line. */
#include "tools/command.h"

#include "base/slice.h"
#include "config.h"

#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET JUNCTOR_RUNSTATEDIR "/junctor/api.sock"
#define OPTION_BASE    256 /* what getopt answers for the first row of the table */

static int option_take(struct tool *tool, enum tool_option option, const char *text)
{
    if (tool->given_count == TOOL_MAX_GIVEN)
        return tool_fail(TOOL_USAGE, "there are more than %d options", TOOL_MAX_GIVEN);
    tool->given[tool->given_count++] = (struct tool_given){option, text ? text : ""};
    return TOOL_DONE;
}

/* getopt's own table, made from ours. */
static void options_list(struct option list[OPT_COUNT + 1])
{
    for (int i = 0; i < OPT_COUNT; i++)
        list[i] = (struct option){option_rows[i].name,
                                  option_rows[i].argument ? required_argument : no_argument, NULL,
                                  OPTION_BASE + i};
    list[OPT_COUNT] = (struct option){NULL, 0, NULL, 0};
}

static int options_parse(struct tool *tool, int argc, char **argv)
{
    struct option list[OPT_COUNT + 1];
    int got;
    options_list(list);
    while ((got = getopt_long(argc, argv, "h", list, NULL)) != -1) {
        if (got == '?')
            return help_usage(NULL); /* getopt_long has said what is wrong */
        int option = got == 'h' ? OPT_HELP : got - OPTION_BASE;
        int code = option_take(tool, (enum tool_option)option, optarg);
        if (code)
            return code;
    }
    return TOOL_DONE;
}

/* ---- is what was given what the command takes? ---- */

static int refuse(const struct command *command, const char *what, const char *expected,
                  const char *text)
{
    tool_fail(TOOL_USAGE, "%s: expected %s, not \"%s\"", what, expected, text);
    return help_usage(command);
}

static int value_check(const struct command *command, const struct option_row *row,
                       const char *text)
{
    char name[64], expected[128];
    uint64_t number;
    snprintf(name, sizeof(name), "--%s", row->name);
    snprintf(expected, sizeof(expected), "a number of at most %" PRIu64, TOOL_NUMBER_MAX);
    if (row->kind == VALUE_NUMBER && slice_to_u64(slice_of(text), TOOL_NUMBER_MAX, &number))
        return refuse(command, name, expected, text);
    if (row->kind == VALUE_CHOICE && !choice_is_known(row->choices, text))
        return refuse(command, name, choices_text(row->choices, expected, sizeof(expected)), text);
    if ((row->kind == VALUE_FILE || row->kind == VALUE_FOLDER) && *text == '\0')
        return refuse(command, name, "the name of a file", text);
    return TOOL_DONE;
}

static int options_check(const struct command *command, struct tool *tool)
{
    bool seen[OPT_COUNT] = {false};
    for (size_t i = 0; i < tool->given_count; i++) {
        struct tool_given *given = &tool->given[i];
        given->option = command_option(command, given->option);
        const struct option_row *row = &option_rows[given->option];
        if (!row->everywhere && !command_takes(command, given->option)) {
            tool_fail(TOOL_USAGE, "%s: does not take --%s", command->name, row->name);
            return help_usage(command);
        }
        if (row->argument && !row->repeat && seen[given->option]) {
            tool_fail(TOOL_USAGE, "--%s is given twice", row->name);
            return help_usage(command);
        }
        seen[given->option] = true;
        int code = row->argument ? value_check(command, row, given->text) : TOOL_DONE;
        if (code)
            return code;
    }
    for (int option = 0; option < OPT_COUNT; option++) {
        if (command_requires(command, (enum tool_option)option) && !seen[option]) {
            tool_fail(TOOL_USAGE, "%s: --%s %s is missing: %s", command->name,
                      option_rows[option].name, option_rows[option].argument,
                      option_rows[option].help);
            return help_usage(command);
        }
    }
    return TOOL_DONE;
}

static int operands_check(const struct command *command, const struct tool *tool)
{
    int max = command_operand_count(command), count = tool->operand_count;
    if (count > max) {
        tool_fail(TOOL_USAGE, "%s: \"%s\" is too much", command->name, tool->operands[max]);
        return help_usage(command);
    }
    if (count < command->min) {
        tool_fail(TOOL_USAGE, "%s: %s is missing: %s", command->name,
                  command->operands[count]->name, command->operands[count]->words);
        return help_usage(command);
    }
    for (int i = 0; i < count; i++) {
        const struct operand *operand = command->operands[i];
        const char *text = tool->operands[i];
        if (*text == '\0') {
            tool_fail(TOOL_USAGE, "%s: expected %s, not an empty text", command->name,
                      operand->words);
            return help_usage(command);
        }
        if (operand->kind == VALUE_CHOICE && !choice_is_known(operand->choices, text))
            return refuse(command, command->name, operand->words, text);
    }
    return TOOL_DONE;
}

/* ---- where the daemon is ---- */

static const char *environment(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

/* What is said on the line counts before what the environment says. */
static int place_choose(struct tool *tool, const struct command *command)
{
    const char *socket = tool_value(tool, OPT_SOCKET), *server = tool_value(tool, OPT_SERVER);
    const char *token = tool_value(tool, OPT_TOKEN_FILE), *ca = tool_value(tool, OPT_CA);
    if (socket && server) {
        tool_fail(TOOL_USAGE, "--socket and --server name two daemons");
        return help_usage(command);
    }
    if (!socket && !server)
        server = environment("JUNCTOR_SERVER");
    if (!server && (token || ca)) {
        tool_fail(TOOL_USAGE, "--%s goes with --server URL: the local socket asks for no token",
                  token ? "token-file" : "ca");
        return help_usage(command);
    }
    if (!socket)
        socket = environment("JUNCTOR_SOCKET");
    tool->place = (struct client_place){
        .socket = socket ? socket : DEFAULT_SOCKET,
        .server = server,
        .token_file = token ? token : environment("JUNCTOR_TOKEN_FILE"),
        .ca_file = ca,
    };
    return TOOL_DONE;
}

static int command_check(const struct command *command, struct tool *tool)
{
    int code = options_check(command, tool);
    if (!code)
        code = operands_check(command, tool);
    return code ? code : place_choose(tool, command);
}

static int command_run(struct tool *tool, char **words, int count)
{
    int used;
    bool asks = count > 0 && strcmp(words[0], "help") == 0, help = tool_has(tool, OPT_HELP);
    if ((help || asks) && count == asks)
        return help_all();
    if (help || asks)
        return help_words(words + asks, count - asks);
    if (count == 0)
        return help_usage(NULL);
    const struct command *command = command_find(words, count, &used);
    if (!command)
        return help_unknown(words, count);
    tool->operands = words + used;
    tool->operand_count = count - used;
    tool->json = tool_has(tool, OPT_JSON);
    int code = command_check(command, tool);
    if (code)
        return code;
    code = command->run(tool);
    if (code == TOOL_USAGE)
        help_usage(command);
    client_close(tool->client);
    return code;
}

int main(int argc, char **argv)
{
    struct tool tool = {.client = NULL};
    setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters; nothing else depends on it */
    int code = options_parse(&tool, argc, argv);
    if (code)
        return code;
    if (tool_has(&tool, OPT_VERSION)) {
        puts("junctor " PACKAGE_VERSION);
        return TOOL_DONE;
    }
    code = command_run(&tool, argv + optind, argc - optind);
    if ((fflush(stdout) || ferror(stdout)) && code == TOOL_DONE)
        return tool_fail(TOOL_REFUSED, "the output could not be written");
    return code;
}
