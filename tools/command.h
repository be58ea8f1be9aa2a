/* The command line of junctor(1) as two tables: its options, and its commands. Help, usage, the
 * check of what is typed and the completion scripts are all made from them; a test compares the
 * manual page with them. */
#ifndef JUNCTOR_TOOLS_COMMAND_H
#define JUNCTOR_TOOLS_COMMAND_H

#include "tools/tool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value is: for its check, and for completion. */
enum value_kind {
    VALUE_TEXT,
    VALUE_NUMBER, /* decimal, at most TOOL_NUMBER_MAX */
    VALUE_CHOICE,
    VALUE_FILE,
    VALUE_FOLDER
};

struct option_row {
    const char *name;     /* without the dashes */
    const char *argument; /* in usage lines; NULL: the option takes no value */
    enum value_kind kind;
    const char *choices; /* VALUE_CHOICE: words separated by spaces */
    bool repeat;         /* may be given several times */
    bool everywhere;     /* goes with every command */
    const char *help;
};
/* By enum tool_option; OPT_COUNT rows. */
extern const struct option_row option_rows[];

struct operand {
    const char *name;
    const char *words; /* what is expected, in words */
    enum value_kind kind;
    const char *choices;
};
#define COMMAND_MAX_OPERANDS 2
#define COMMAND_MAX_OPTIONS  16

struct command {
    const char *name; /* one or two words */
    const struct operand *operands[COMMAND_MAX_OPERANDS];
    int min; /* operands that must be there */
    /* Those of its own, and of these what must be there; ends with OPT_SOCKET (0), which every
     * command takes. */
    enum tool_option options[COMMAND_MAX_OPTIONS], required[COMMAND_MAX_OPTIONS];
    tool_command_h *run;
    const char *help;
};
extern const struct command commands[];
extern const size_t command_count;

/* Operands that the command knows. */
int command_operand_count(const struct command *command);
/* How many of the words name this command; 0 where they do not. */
int command_match(const struct command *command, char **words, int count);
/* The command that the words name, and how many of them do; or NULL. */
const struct command *command_find(char **words, int count, int *used);
/* Two commands may have options of one name with different values: the one that this command takes,
 * where `option` is another of that name; else `option`. */
enum tool_option command_option(const struct command *command, enum tool_option option);
/* Does the command take the option? Those that go with every command are not among them. */
bool command_takes(const struct command *command, enum tool_option option);
/* Must the option be there? */
bool command_requires(const struct command *command, enum tool_option option);
/* Is `word` one of `choices`? */
bool choice_is_known(const char *choices, const char *word);
/* "a, b or c". Returns `text`. */
const char *choices_text(const char *choices, char *text, size_t size);

/* ---- help ---- */

/* "usage: junctor COMMAND ..." of one command, or of the program (NULL), on standard error.
 * Returns TOOL_USAGE. */
int help_usage(const struct command *command);
/* That no command is named so, and which begin like that, on standard error. Returns TOOL_USAGE. */
int help_unknown(char **words, int count);
/* Everything, or what the words name or begin to name, on standard output. Returns an exit code. */
int help_all(void);
int help_words(char **words, int count);

#endif
