/* Completion scripts for bash and zsh, made from the tables. */
#include "tools/command.h"

#include <stdio.h>
#include <string.h>

#define CHOICES_MAX 128 /* the choices of two options of one name */

/* ---- what both say ---- */

/* "address auth-code" -> the words after "address", or all first words (group NULL). */
static void words_print(const char *group)
{
    const char *last = "";
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i].name;
        size_t len = strcspn(name, " ");
        if (group && (strlen(group) != len || strncmp(group, name, len) != 0))
            continue;
        const char *word = group ? name + len + (name[len] == ' ') : name;
        size_t end = strcspn(word, " ");
        if (!group && strncmp(last, name, len + 1) == 0)
            continue; /* commands of a group stand together */
        last = name;
        printf("%s%.*s", word == commands[0].name ? "" : " ", (int)end, word);
    }
}

static void group_lines(const char *format_before, const char *format_after)
{
    const char *last = "";
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i].name;
        size_t len = strcspn(name, " ");
        if (name[len] == '\0' || strncmp(last, name, len + 1) == 0)
            continue;
        char group[32];
        snprintf(group, sizeof(group), "%.*s", (int)len, name);
        printf(format_before, group);
        words_print(group);
        fputs(format_after, stdout);
        last = name;
    }
}

/* All options of the command (NULL: of every command). */
static void options_print(const struct command *command)
{
    for (int option = 0; option < OPT_COUNT; option++)
        if (command ? command_takes(command, (enum tool_option)option)
                    : option_rows[option].everywhere)
            printf(" --%s", option_rows[option].name);
}

/* A case for each command with options: of one word, whatever the next one is. */
static void option_lines(const char *before, const char *after)
{
    for (size_t i = 0; i < command_count; i++) {
        const char *name = commands[i].name;
        if (!commands[i].options[0])
            continue;
        printf(strchr(name, ' ') ? "        \"%s\") %s" : "        \"%s \"*) %s", name, before);
        options_print(&commands[i]);
        printf("%s ;;\n", after);
    }
}

/* "--unknown|--state|...": the options of a kind, or all that take a value. */
static void values_pattern(enum value_kind kind, bool any)
{
    bool first = true;
    for (int option = 0; option < OPT_COUNT; option++) {
        const struct option_row *row = &option_rows[option];
        if (!row->argument || (!any && row->kind != kind))
            continue;
        printf("%s--%s", first ? "" : "|", row->name);
        first = false;
    }
}

/* "backup|import|...": the commands whose first operand is a file. */
static void files_pattern(void)
{
    bool first = true;
    for (size_t i = 0; i < command_count; i++) {
        const struct operand *operand = commands[i].operands[0];
        if (!operand || operand->kind != VALUE_FILE)
            continue;
        printf("%s\"%s\"", first ? "" : "|", commands[i].name);
        first = false;
    }
}

/* The next option of the same name, or OPT_COUNT. */
static int option_namesake(int option)
{
    int other = option + 1;
    while (other < OPT_COUNT && strcmp(option_rows[other].name, option_rows[option].name) != 0)
        other++;
    return other;
}

/* The choices of both, where two options have this name. */
static const char *option_choices(int option, char choices[CHOICES_MAX])
{
    int other = option_namesake(option);
    snprintf(choices, CHOICES_MAX, "%s%s%s", option_rows[option].choices,
             other < OPT_COUNT ? " " : "", other < OPT_COUNT ? option_rows[other].choices : "");
    return choices;
}

/* A case for each fixed set of values: of options, and of operands. */
static void choice_lines(const char *format)
{
    bool told[OPT_COUNT] = {false};
    for (int option = 0; option < OPT_COUNT; option++) {
        char word[64], choices[CHOICES_MAX];
        if (option_rows[option].kind != VALUE_CHOICE || told[option])
            continue;
        if (option_namesake(option) < OPT_COUNT)
            told[option_namesake(option)] = true;
        snprintf(word, sizeof(word), "--%s", option_rows[option].name);
        printf(format, word, option_choices(option, choices));
    }
}

static void choice_operand_lines(const char *format)
{
    for (size_t i = 0; i < command_count; i++) {
        const struct operand *operand = commands[i].operands[0];
        if (operand && operand->kind == VALUE_CHOICE)
            printf(format, commands[i].name, operand->choices);
    }
}

/* Which words name the command: options and their values are passed over. The shells differ only in
 * the name of the array of words and where it begins. */
static void words_find_print(const char *begin, const char *end)
{
    printf("    local i word command='' sub='' skip=0\n"
           "    for ((i = %s; i < %s; i++)); do\n"
           "        word=${words[i]}\n"
           "        [[ $word == = ]] && { skip=1; continue; }\n"
           "        if ((skip)); then skip=0; continue; fi\n"
           "        case $word in\n"
           "            ",
           begin, end);
    values_pattern(VALUE_TEXT, true);
    puts(") skip=1 ;;\n"
         "            -*) ;;\n"
         "            *) if [[ -z $command ]]; then command=$word\n"
         "               elif [[ -z $sub ]]; then sub=$word; fi ;;\n"
         "        esac\n"
         "    done");
}

/* ---- bash ---- */

static void bash_values_print(void)
{
    puts("    case $previous in");
    choice_lines("        %s) COMPREPLY=($(compgen -W '%s' -- \"$current\")); return ;;\n");
    fputs("        ", stdout);
    values_pattern(VALUE_FILE, false);
    puts(") _junctor_files -f; return ;;");
    fputs("        ", stdout);
    values_pattern(VALUE_FOLDER, false);
    puts(") _junctor_files -d; return ;;");
    fputs("        ", stdout);
    values_pattern(VALUE_TEXT, true);
    puts(") return ;;\n    esac");
}

static void bash_words_print(void)
{
    fputs("    if [[ -z $command ]]; then\n        options='", stdout);
    words_print(NULL);
    puts(" help'\n    elif [[ -z $sub ]]; then\n        case $command in");
    group_lines("            %s) options='", "' ;;\n");
    choice_operand_lines("            %s) options='%s' ;;\n");
    fputs("            help) options='", stdout);
    words_print(NULL);
    puts("' ;;\n        esac\n    elif [[ $command == help ]]; then\n        case $sub in");
    group_lines("            %s) options='", "' ;;\n");
    puts("        esac\n    fi");
}

static int bash_print(void)
{
    puts("# bash completion of junctor(1); made by \"junctor completion bash\"\n"
         "_junctor_files() {\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
         "}\n"
         "_junctor() {\n"
         "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "    local options='' words=(\"${COMP_WORDS[@]}\")\n"
         "    COMPREPLY=()\n"
         "    # readline breaks --state=x at the =, which is a word of its own\n"
         "    [[ $current == = ]] && current=\n"
         "    [[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
         "    [[ ${COMP_WORDS[COMP_CWORD]} == = ]] && previous=${COMP_WORDS[COMP_CWORD - 1]}");
    words_find_print("1", "COMP_CWORD");
    bash_values_print();
    fputs("    if [[ $current == -* ]]; then\n        options='", stdout);
    options_print(NULL);
    puts("'\n        case \"$command $sub\" in");
    option_lines("options+='", "'");
    puts("        esac\n"
         "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "        return\n"
         "    fi");
    bash_words_print();
    fputs("    case $command in\n        ", stdout);
    files_pattern();
    puts(") _junctor_files -f; return ;;\n"
         "    esac\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "}\n"
         "complete -F _junctor junctor");
    return TOOL_DONE;
}

/* ---- zsh ---- */

static void zsh_values_print(void)
{
    puts("    case $previous in");
    choice_lines("        %s) compadd -- %s; return ;;\n");
    fputs("        ", stdout);
    values_pattern(VALUE_FILE, false);
    puts(") _files; return ;;");
    fputs("        ", stdout);
    values_pattern(VALUE_FOLDER, false);
    puts(") _files -/; return ;;");
    fputs("        ", stdout);
    values_pattern(VALUE_TEXT, true);
    puts(") return ;;\n    esac");
}

static void zsh_words_print(void)
{
    fputs("    if [[ -z $command ]]; then\n        compadd -- ", stdout);
    words_print(NULL);
    puts(" help\n        return\n    fi\n    case $command in");
    fputs("        ", stdout);
    files_pattern();
    puts(") _files; return ;;\n    esac\n"
         "    if [[ -n $sub && $command == help ]]; then\n"
         "        command=$sub sub=\n"
         "    fi\n"
         "    [[ -n $sub ]] && return\n"
         "    case $command in");
    group_lines("        %s) compadd -- ", " ;;\n");
    choice_operand_lines("        %s) compadd -- %s ;;\n");
    fputs("        help) compadd -- ", stdout);
    words_print(NULL);
    puts(" ;;\n    esac");
}

static int zsh_print(void)
{
    puts("#compdef junctor\n"
         "# zsh completion of junctor(1); made by \"junctor completion zsh\"\n"
         "_junctor() {\n"
         "    local current=${words[CURRENT]} previous=${words[CURRENT-1]}");
    words_find_print("2", "CURRENT");
    zsh_values_print();
    fputs("    if [[ $current == -* ]]; then\n        compadd --", stdout);
    options_print(NULL);
    puts("\n        case \"$command $sub\" in");
    option_lines("compadd --", "");
    puts("        esac\n        return\n    fi");
    zsh_words_print();
    puts("}\n"
         "# a file of fpath is the function; what is evaluated only defines it\n"
         "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
         "    _junctor \"$@\"\n"
         "else\n"
         "    compdef _junctor junctor\n"
         "fi");
    return TOOL_DONE;
}

int tool_completion(struct tool *tool)
{
    return strcmp(tool->operands[0], "bash") == 0 ? bash_print() : zsh_print();
}
