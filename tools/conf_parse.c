/* From the file's text to values with lines, by libconfuse.
 *
 * libconfuse does the grammar alone. Every setting is declared to it as a pointer made by
 * value_make, which keeps text and line; types and bounds are checked afterwards by the table
 * (conf.c), because only then a refusal can name the line. */
#include "tools/conf_internal.h"

#include "base/status.h"

#include <confuse.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct value {
    unsigned line;
    char text[];
};

/* A setting that nobody writes: its default makes libconfuse call value_make where a section
 * begins. The section itself counts its line up to its end. */
#define BEGIN "{"

/* Where libconfuse's complaints go: its error function gets no argument of ours. Set during the
 * parse only; its scanner is static as well, so one load runs at a time anyway. */
static _Thread_local struct conf_load *complaining;

/* ---- what libconfuse calls ---- */

#define UNKNOWN_OPTION   "no such option '%s'"
#define UNEXPECTED_TOKEN "unexpected token '%s'"

/* Its messages, told by their format, and what we say instead. */
static const struct {
    const char *theirs, *ours;
} sentences[] = {
    {"found duplicate title '%s'", "a second section with the title \"%s\""},
    {"missing title for section '%s'", "expected a title in quotes after \"%s\""},
    {"missing opening brace for section '%s'", "expected \"{\" after \"%s\""},
    {"missing equal sign after option '%s'", "expected \"=\" after \"%s\""},
    {"attempt to append to non-list option '%s'", "expected \"=\": \"%s\" is no list"},
    {UNEXPECTED_TOKEN, "\"%s\" was not expected here"},
    {"unexpected closing brace", "a closing brace without an opening one"},
    {"premature end of file", "the file ends where a value, a quote or a brace was expected"},
    {"unterminated string constant", "a text without its closing quote"},
};

static void refuse_unknown(struct conf_load *load, const char *name)
{
    const char *near = conf_nearest(load->section ? load->section->name : "", name);
    if (near)
        conf_refuse(load, "unknown setting \"%s\"; the nearest known one is \"%s\"", name, near);
    else
        conf_refuse(load, "unknown setting \"%s\"; junctord --help-config lists those there are",
                    name);
}

/* The setting of this section, no list, that is given a list in this line; NULL: none. */
static const struct conf_setting *given_a_list(const struct conf_load *load)
{
    static const char blanks[] = " \t\r", words_end[] = " \t\r=+{}";
    const char *section = load->section ? load->section->name : "";
    const char *line = load->text;
    for (unsigned i = 1; i < load->line && *line; i++)
        line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
    for (size_t i = 0; i < conf_setting_count; i++) {
        const struct conf_setting *setting = &conf_settings[i];
        size_t len = strlen(setting->name);
        if (setting->type == CONF_LIST || strcmp(setting->section, section) != 0)
            continue;
        for (const char *p = line; *p && *p != '\n'; p++) {
            bool begins = p == line || strchr(words_end, p[-1]);
            if (!begins || strncmp(p, setting->name, len) != 0)
                continue;
            const char *rest = p + len + strspn(p + len, blanks);
            if (*rest == '=' && rest[1 + strspn(rest + 1, blanks)] == '{')
                return setting;
        }
    }
    return NULL;
}

static bool refuse_list(struct conf_load *load)
{
    char type[CONF_TYPE_TEXT];
    load->setting = given_a_list(load);
    if (!load->setting)
        return false;
    conf_refuse(load, "expected one value (%s), not a list in braces",
                conf_type_text(load->setting, type));
    load->setting = NULL;
    return true;
}

static void complain(cfg_t *cfg, const char *format, va_list args)
{
    struct conf_load *load = complaining;
    char text[512];
    if (load->why[0] != '\0')
        return; /* the first complaint is the cause of the others */
    load->section = conf_section_find(cfg->name);
    load->title = cfg->title;
    load->setting = NULL;
    load->line = cfg->line > 0 ? (unsigned)cfg->line : 1;

    if (strcmp(format, UNKNOWN_OPTION) == 0) {
        refuse_unknown(load, va_arg(args, const char *));
        return;
    }
    if (strcmp(format, UNEXPECTED_TOKEN) == 0 && refuse_list(load))
        return;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        if (strcmp(format, sentences[i].theirs) == 0)
            format = sentences[i].ours;
    vsnprintf(text, sizeof(text), format, args);
    conf_refuse(load, "%s", text);
}

static void value_free(void *value)
{
    free(value);
}

/* opt->def.number, which libconfuse does not use for pointers, is the line of the first value. */
static int value_make(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    if (opt->def.number > 0 && strcmp(opt->name, BEGIN) == 0) {
        cfg_error(cfg, UNKNOWN_OPTION, opt->name);
        return -1;
    }
    if (opt->def.number > 0 && opt->nvalues <= 1) {
        cfg_error(cfg, "\"%s\" is set in line %ld already", opt->name, opt->def.number);
        return -1;
    }
    size_t size = strlen(text) + 1;
    struct value *value = malloc(sizeof(*value) + size);
    if (!value) {
        cfg_error(cfg, "out of memory");
        return -1;
    }
    value->line = cfg->line > 0 ? (unsigned)cfg->line : 1;
    memcpy(value->text, text, size);
    if (opt->def.number == 0)
        opt->def.number = value->line;
    *(void **)result = value;
    return 0;
}

/* ---- the grammar, made from the table ---- */

static void declare_setting(cfg_opt_t *opt, const struct conf_setting *setting)
{
    cfg_flag_t flags = CFGF_NODEFAULT | (setting->type == CONF_LIST ? CFGF_LIST : 0);
    *opt = (cfg_opt_t)CFG_PTR_CB(setting->name, NULL, flags, value_make, value_free);
}

/* The settings of one section, at *opts; *opts is then behind their end. */
static void declare_settings(cfg_opt_t **opts, const char *section)
{
    for (size_t i = 0; i < conf_setting_count; i++)
        if (strcmp(conf_settings[i].section, section) == 0)
            declare_setting((*opts)++, &conf_settings[i]);
}

static void declare_section(cfg_opt_t *opt, cfg_opt_t **opts, const struct conf_section *section)
{
    cfg_flag_t titled = section->title ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0;
    *opt = (cfg_opt_t)CFG_SEC(section->name, *opts, CFGF_MULTI | titled);
    *(*opts)++ = (cfg_opt_t)CFG_PTR_CB(BEGIN, "begin", CFGF_NONE, value_make, value_free);
    declare_settings(opts, section->name);
    *(*opts)++ = (cfg_opt_t)CFG_END();
}

/* A parser for the table's grammar; NULL without memory. */
static cfg_t *grammar_alloc(void)
{
    size_t root = conf_setting_count + conf_section_count + 1;
    size_t rest = conf_setting_count + 2 * conf_section_count;
    cfg_opt_t *opts = calloc(root + rest, sizeof(*opts));
    if (!opts)
        return NULL;
    cfg_opt_t *next = opts, *below = opts + root;
    declare_settings(&next, "");
    for (size_t i = 0; i < conf_section_count; i++)
        if (conf_sections[i].name[0] != '\0')
            declare_section(next++, &below, &conf_sections[i]);
    *next = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(opts, CFGF_NONE); /* copies them */
    free(opts);
    return cfg;
}

/* ---- taking what was read ---- */

/* `cfg` is NULL for a section that the file does not have. */
static int take_setting(struct conf_load *load, cfg_t *cfg, const struct conf_setting *setting)
{
    cfg_opt_t *opt = cfg ? cfg_getopt(cfg, setting->name) : NULL;
    unsigned section_line = load->line, count = opt ? cfg_opt_size(opt) : 0;
    int status = 0;
    load->setting = setting;
    for (unsigned i = 0; status == 0 && i < count; i++) {
        const struct value *value = cfg_opt_getnptr(opt, i);
        load->line = value->line;
        status = conf_take_value(load, value->text);
    }
    if (count == 0)
        status = conf_take_default(load, opt && (opt->flags & CFGF_MODIFIED));
    load->setting = NULL;
    load->line = section_line;
    return status;
}

static int take_section(struct conf_load *load, cfg_t *cfg)
{
    const struct conf_section *section = load->section;
    int status = 0;
    load->object = load->conf;
    if (section->begin)
        status = section->begin(load, load->title);
    for (size_t i = 0; status == 0 && i < conf_setting_count; i++)
        if (strcmp(conf_settings[i].section, section->name) == 0)
            status = take_setting(load, cfg, &conf_settings[i]);
    if (status == 0 && section->end)
        status = section->end(load, load->title);
    return status;
}

/* The sections of one kind. Their own line is that of the value that BEGIN's default made. */
static int take_sections(struct conf_load *load, cfg_t *root)
{
    unsigned count = cfg_size(root, load->section->name);
    int status = 0;
    if (count == 0 && !load->section->title)
        return take_section(load, NULL);
    for (unsigned i = 0; status == 0 && i < count; i++) {
        cfg_t *section = cfg_getnsec(root, load->section->name, i);
        const struct value *begin = cfg_getptr(section, BEGIN);
        load->title = section->title;
        load->line = begin->line;
        if (i > 0 && !load->section->title)
            return conf_refuse(load, "a second section of this name; it can be there once");
        status = take_section(load, section);
    }
    return status;
}

static int take_all(struct conf_load *load, cfg_t *root)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < conf_section_count; i++) {
        load->section = &conf_sections[i];
        load->title = NULL;
        load->line = load->last_line;
        if (load->section->name[0] == '\0')
            status = take_section(load, root);
        else
            status = take_sections(load, root);
    }
    load->section = NULL;
    load->title = NULL;
    return status;
}

static void ignore(cfg_t *cfg, const char *format, va_list args)
{
    (void)cfg;
    (void)format;
    (void)args;
}

/* libconfuse takes the file's end for the end of a section too. Whether one was open shows when a
 * further closing brace is no mistake. */
static bool is_unclosed(const char *text)
{
    size_t len = strlen(text);
    char *closed = malloc(len + sizeof("\n}"));
    cfg_t *root = closed ? grammar_alloc() : NULL;
    bool unclosed = false;
    if (root) {
        memcpy(closed, text, len);
        memcpy(closed + len, "\n}", sizeof("\n}"));
        cfg_set_error_function(root, ignore);
        unclosed = cfg_parse_buf(root, closed) == CFG_SUCCESS;
        cfg_free(root);
    }
    free(closed);
    return unclosed;
}

int conf_parse(struct conf_load *load, const char *text)
{
    cfg_t *root = grammar_alloc();
    if (!root) {
        conf_refuse(load, "out of memory");
        return -ENOMEM;
    }
    load->text = text;
    cfg_set_error_function(root, complain);
    complaining = load;
    int status = cfg_parse_buf(root, text) == CFG_SUCCESS ? 0 : STATUS_MALFORMED;
    complaining = NULL;
    load->last_line = root->line > 0 ? (unsigned)root->line : 1;
    load->line = load->last_line;
    if (status != 0 && load->why[0] == '\0')
        status = conf_refuse(load, "this cannot be read as a configuration");
    if (status == 0 && is_unclosed(text))
        status = conf_refuse(load, "the file ends inside a section: a closing brace is missing");
    if (status == 0)
        status = take_all(load, root);
    cfg_free(root);
    return status;
}
