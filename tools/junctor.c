/* junctor(1): the directory and the daemon from the command line. */
#include "tools/tool.h"

#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET JUNCTOR_RUNSTATEDIR "/junctor/api.sock"
#define SYNOPSIS       "junctor [--socket PATH] [--json] COMMAND ..."

struct command {
    const char *name; /* one or two words */
    const char *operands;
    const char *operand; /* the first of them, in words */
    int min, max;        /* operands */
    unsigned options;    /* TOOL_OPT_* */
    tool_command_h *run;
    const char *help;
};

static const struct command commands[] = {
    {"domain add", "NAME --core URI [--core URI ...] [--unknown reject|core]",
     "a domain such as opa.example", 1, 1, TOOL_OPT_CORE | TOOL_OPT_UNKNOWN, tool_domain_add,
     "serve a domain with the core at URI, like \"sip:192.0.2.1:5060;transport=udp\""},
    {"domain list", "", NULL, 0, 0, 0, tool_domain_list, "list the domains"},
    {"domain show", "NAME", "a domain such as opa.example", 1, 1, 0, tool_domain_show,
     "show a domain"},
    {"domain del", "NAME", "a domain such as opa.example", 1, 1, 0, tool_domain_del,
     "delete a domain that has no addresses"},
    {"address add", "ADDRESS [--hosting DOMAIN]", "an address such as bob@opb.example", 1, 1,
     TOOL_OPT_HOSTING, tool_address_add,
     "add an address; --hosting where another domain than its own serves it"},
    {"address list", "[DOMAIN]", "a domain such as opa.example", 0, 1, 0, tool_address_list,
     "list addresses"},
    {"address show", "ADDRESS", "an address such as bob@opb.example", 1, 1, 0, tool_address_show,
     "show an address"},
    {"address del", "ADDRESS", "an address such as bob@opb.example", 1, 1, 0, tool_address_del,
     "delete an address"},
    {"route", "ADDRESS", "an address such as bob@opb.example", 1, 1, 0, tool_route,
     "show each step a call would take, and why"},
    {"status", "", NULL, 0, 0, 0, tool_status, "show how the daemon is"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

enum {
    OPTION_SOCKET = 256,
    OPTION_JSON,
    OPTION_CORE,
    OPTION_UNKNOWN,
    OPTION_HOSTING,
    OPTION_VERSION,
    OPTION_HELP = 'h'
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"core", required_argument, NULL, OPTION_CORE},
    {"unknown", required_argument, NULL, OPTION_UNKNOWN},
    {"hosting", required_argument, NULL, OPTION_HOSTING},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const struct {
    unsigned bit;
    const char *name;
} option_names[] = {
    {TOOL_OPT_CORE, "--core"},
    {TOOL_OPT_UNKNOWN, "--unknown"},
    {TOOL_OPT_HOSTING, "--hosting"},
};

struct line {
    struct tool tool;
    const char *socket;
    bool help, version;
};

static void command_print(const struct command *command)
{
    printf("  %s%s%s\n      %s\n", command->name, *command->operands ? " " : "", command->operands,
           command->help);
}

static int help_print(void)
{
    puts("usage: " SYNOPSIS "\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        command_print(&commands[i]);
    puts("  help\n      show this; COMMAND --help shows that command\n");
    puts("  --socket PATH  the daemon's API socket (else $JUNCTOR_SOCKET, else\n"
         "                 " DEFAULT_SOCKET ")\n"
         "  --json         print JSON, refusals of the daemon too (on standard error)\n"
         "  -h, --help     print this, or with COMMAND its usage\n"
         "  --version      print the version\n\n"
         "exit codes: 0 done, 1 refused or not found, 2 usage, 3 daemon not reachable");
    return TOOL_DONE;
}

static int usage(const struct command *command)
{
    if (command)
        fprintf(stderr, "usage: junctor %s %s\n", command->name, command->operands);
    else
        fputs("usage: " SYNOPSIS "\n\"junctor help\" lists the commands\n", stderr);
    return TOOL_USAGE;
}

static int option_take(struct line *line, int option)
{
    struct tool *tool = &line->tool;
    switch (option) {
    case OPTION_SOCKET:
        line->socket = optarg;
        return TOOL_DONE;
    case OPTION_JSON:
        tool->json = true;
        return TOOL_DONE;
    case OPTION_CORE:
        if (tool->core_count == TOOL_MAX_CORES)
            return tool_fail(TOOL_USAGE, "--core: there are more than %d", TOOL_MAX_CORES);
        tool->cores[tool->core_count++] = optarg;
        tool->options |= TOOL_OPT_CORE;
        return TOOL_DONE;
    case OPTION_UNKNOWN:
        tool->unknown = optarg;
        tool->options |= TOOL_OPT_UNKNOWN;
        return TOOL_DONE;
    case OPTION_HOSTING:
        tool->hosting = optarg;
        tool->options |= TOOL_OPT_HOSTING;
        return TOOL_DONE;
    case OPTION_VERSION:
        line->version = true;
        return TOOL_DONE;
    case OPTION_HELP:
        line->help = true;
        return TOOL_DONE;
    default:
        return usage(NULL); /* getopt_long has said what is wrong */
    }
}

/* How many of the words name this command; 0 where they do not. */
static int command_match(const struct command *command, char **words, int count)
{
    const char *second = strchr(command->name, ' ');
    size_t len = second ? (size_t)(second - command->name) : strlen(command->name);
    if (count < 1 || strlen(words[0]) != len || strncmp(words[0], command->name, len) != 0)
        return 0;
    if (!second)
        return 1;
    return count > 1 && strcmp(words[1], second + 1) == 0 ? 2 : 0;
}

static const struct command *command_find(char **words, int count, int *used)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        *used = command_match(&commands[i], words, count);
        if (*used)
            return &commands[i];
    }
    return NULL;
}

static int command_unknown(char **words, int count)
{
    tool_fail(TOOL_USAGE, "there is no command \"%s%s%s\"", words[0], count > 1 ? " " : "",
              count > 1 ? words[1] : "");
    return usage(NULL);
}

/* The commands that these words name, or begin to name. */
static int command_help(char **words, int count)
{
    int used, found = 0;
    const struct command *one = command_find(words, count, &used);
    if (one) {
        printf("usage: junctor %s%s%s\n      %s\n", one->name, *one->operands ? " " : "",
               one->operands, one->help);
        return TOOL_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t len = strcspn(commands[i].name, " ");
        if (count == 1 && strlen(words[0]) == len &&
            strncmp(words[0], commands[i].name, len) == 0) {
            command_print(&commands[i]);
            found++;
        }
    }
    return found > 0 ? TOOL_DONE : command_unknown(words, count);
}

static int command_check(const struct command *command, const struct tool *tool)
{
    unsigned stray = tool->options & ~command->options;
    for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++) {
        if (stray & option_names[i].bit) {
            tool_fail(TOOL_USAGE, "%s: does not take %s", command->name, option_names[i].name);
            return usage(command);
        }
    }
    if (tool->operand_count < command->min || tool->operand_count > command->max) {
        tool_fail(TOOL_USAGE, "%s: %s", command->name,
                  tool->operand_count < command->min ? "something is missing"
                                                     : "there is too much");
        return usage(command);
    }
    for (int i = 0; i < tool->operand_count; i++) {
        if (*tool->operands[i] == '\0') {
            tool_fail(TOOL_USAGE, "%s: expected %s, not an empty text", command->name,
                      command->operand);
            return usage(command);
        }
    }
    return TOOL_DONE;
}

static int command_run(struct line *line, char **words, int count)
{
    int used;
    bool asks = count > 0 && strcmp(words[0], "help") == 0;
    if ((line->help || asks) && count == asks)
        return help_print();
    if (line->help || asks)
        return command_help(words + asks, count - asks);
    const struct command *command = command_find(words, count, &used);
    if (!command)
        return count > 0 ? command_unknown(words, count) : usage(NULL);
    line->tool.operands = words + used;
    line->tool.operand_count = count - used;
    int code = command_check(command, &line->tool);
    if (code)
        return code;
    line->tool.client = client_open(line->socket);
    if (!line->tool.client)
        return tool_fail(TOOL_REFUSED, "out of memory");
    code = command->run(&line->tool);
    if (code == TOOL_USAGE)
        usage(command);
    client_close(line->tool.client);
    return code;
}

int main(int argc, char **argv)
{
    const char *environment = getenv("JUNCTOR_SOCKET");
    struct line line = {.socket = environment && *environment ? environment : DEFAULT_SOCKET};
    int option;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        int code = option_take(&line, option);
        if (code)
            return code;
    }
    if (line.version) {
        puts("junctor " PACKAGE_VERSION);
        return TOOL_DONE;
    }
    int code = command_run(&line, argv + optind, argc - optind);
    if (fflush(stdout) || ferror(stdout))
        return tool_fail(TOOL_REFUSED, "the output could not be written");
    return code;
}
