/* Usage and help, made from the tables. */
#include "tools/command.h"

#include <stdio.h>
#include <string.h>

#define SYNOPSIS   "junctor [--server URL --token-file FILE | --socket PATH] [--json] COMMAND ..."
#define LINE_WIDTH 79
#define UNIT_MAX   96

/* A line that is wrapped between its units. */
struct wrap {
    FILE *out;
    int column, indent;
    bool begun; /* a unit stands on this line */
};

static void wrap_unit(struct wrap *wrap, const char *unit)
{
    int len = (int)strlen(unit);
    if (wrap->begun && wrap->column + 1 + len > LINE_WIDTH) {
        fprintf(wrap->out, "\n%*s", wrap->indent, "");
        wrap->column = wrap->indent;
    } else if (wrap->begun) {
        fputc(' ', wrap->out);
        wrap->column++;
    }
    fputs(unit, wrap->out);
    wrap->column += len;
    wrap->begun = true;
}

/* Prose: each word is a unit. */
static void wrap_words(struct wrap *wrap, const char *text)
{
    char word[UNIT_MAX];
    for (const char *p = text; *p; p += *p == ' ') {
        size_t len = strcspn(p, " ");
        snprintf(word, sizeof(word), "%.*s", (int)len, p);
        wrap_unit(wrap, word);
        p += len;
    }
}

/* "--core URI", as the option stands in help and manual. */
static void option_text(const struct option_row *row, char text[UNIT_MAX])
{
    snprintf(text, UNIT_MAX, "--%s%s%s", row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
}

static void option_unit(struct wrap *wrap, const struct option_row *row, bool required)
{
    char text[UNIT_MAX], unit[UNIT_MAX + 8];
    option_text(row, text);
    snprintf(unit, sizeof(unit), "%s%s%s%s", required ? "" : "[", text, row->repeat ? " ..." : "",
             required ? "" : "]");
    wrap_unit(wrap, unit);
}

static void operand_unit(struct wrap *wrap, const struct command *command, int i)
{
    char unit[UNIT_MAX];
    bool optional = i >= command->min;
    snprintf(unit, sizeof(unit), "%s%s%s", optional ? "[" : "", command->operands[i]->name,
             optional ? "]" : "");
    wrap_unit(wrap, unit);
}

/* "domain add DOMAIN --core URI ... [--unknown reject|core]", and a line's end. */
static void command_print(FILE *out, const char *before, const struct command *command)
{
    struct wrap wrap = {.out = out, .indent = (int)strlen(before)};
    fputs(before, out);
    wrap.column = wrap.indent;
    wrap_unit(&wrap, command->name);
    wrap.indent += 6;
    for (int i = 0; i < command_operand_count(command); i++)
        operand_unit(&wrap, command, i);
    for (int option = 0; option < OPT_COUNT; option++)
        if (command_requires(command, (enum tool_option)option))
            option_unit(&wrap, &option_rows[option], true);
    for (int option = 0; option < OPT_COUNT; option++)
        if (command_takes(command, (enum tool_option)option) &&
            !command_requires(command, (enum tool_option)option))
            option_unit(&wrap, &option_rows[option], false);
    fputc('\n', out);
}

static void help_print(const char *help, int indent)
{
    struct wrap wrap = {.out = stdout, .indent = indent, .column = indent};
    printf("%*s", indent, "");
    wrap_words(&wrap, help);
    putchar('\n');
}

static void option_print(const struct option_row *row)
{
    char text[UNIT_MAX];
    option_text(row, text);
    printf("  %s%s\n", strcmp(row->name, "help") == 0 ? "-h, " : "", text);
    help_print(row->help, 6);
}

static void command_help(const struct command *command)
{
    command_print(stdout, "usage: junctor ", command);
    help_print(command->help, 6);
    bool first = true;
    for (int option = 0; option < OPT_COUNT; option++) {
        if (!command_takes(command, (enum tool_option)option))
            continue;
        if (first)
            putchar('\n');
        first = false;
        option_print(&option_rows[option]);
    }
}

int help_usage(const struct command *command)
{
    if (command)
        command_print(stderr, "usage: junctor ", command);
    else
        fputs("usage: " SYNOPSIS "\n\"junctor help\" lists the commands\n", stderr);
    return TOOL_USAGE;
}

static void command_line(const struct command *command)
{
    command_print(stdout, "  ", command);
    help_print(command->help, 6);
}

int help_all(void)
{
    puts("usage: " SYNOPSIS "\n");
    for (size_t i = 0; i < command_count; i++)
        command_line(&commands[i]);
    puts("  help [COMMAND]\n      show this; with COMMAND, or as COMMAND --help, show that "
         "command\n");
    for (int option = 0; option < OPT_COUNT; option++)
        if (option_rows[option].everywhere)
            option_print(&option_rows[option]);
    puts("\nexit codes: 0 done, 1 refused or not found, 2 usage, 3 daemon not reachable");
    return TOOL_DONE;
}

/* "add, list, show": the second words that follow the first one. Returns `text`. */
static const char *group_text(const char *group, char *text, size_t size)
{
    size_t used = 0, len = strlen(group);
    *text = '\0';
    for (size_t i = 0; i < command_count && used < size; i++) {
        const char *name = commands[i].name;
        if (strncmp(name, group, len) == 0 && name[len] == ' ')
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     name + len + 1);
    }
    return text;
}

int help_unknown(char **words, int count)
{
    char follow[256];
    if (!*group_text(words[0], follow, sizeof(follow)))
        tool_fail(TOOL_USAGE, "there is no command \"%s%s%s\"", words[0], count > 1 ? " " : "",
                  count > 1 ? words[1] : "");
    else if (count == 1)
        tool_fail(TOOL_USAGE, "%s: what follows is missing: %s", words[0], follow);
    else
        tool_fail(TOOL_USAGE, "there is no command \"%s %s\"; %s is followed by %s", words[0],
                  words[1], words[0], follow);
    return help_usage(NULL);
}

int help_words(char **words, int count)
{
    int used, found = 0;
    const struct command *one = command_find(words, count, &used);
    if (one) {
        command_help(one);
        return TOOL_DONE;
    }
    for (size_t i = 0; i < command_count; i++) {
        size_t len = strcspn(commands[i].name, " ");
        if (count != 1 || strlen(words[0]) != len || strncmp(words[0], commands[i].name, len) != 0)
            continue;
        command_line(&commands[i]);
        found++;
    }
    if (found > 0)
        return TOOL_DONE;
    return help_unknown(words, count);
}
