/* Comments out of the file's text, before libconfuse sees it.
 *
 * libconfuse 3.3 counts a comment's lines wrongly, and every refusal would name a wrong line. Here
 * comments become spaces; what is no comment, and every line end, stays where it is. This scanner
 * knows what libconfuse's knows: texts in double and single quotes with their backslashes, ${NAME},
 * and words, inside which "//" is no comment ("/var//lib"). */
#include "tools/conf_internal.h"

#include <string.h>

static int refuse_at(struct conf_load *load, const char *text, const char *place, const char *why)
{
    load->line = 1;
    for (const char *p = text; p < place; p++)
        load->line += *p == '\n';
    return conf_refuse(load, "%s", why);
}

/* The end of the ${...} that begins at `p`, behind its brace; NULL where it has none. */
static char *variable_end(char *p)
{
    char *end = p + strcspn(p, "}\n");
    return *end == '}' ? end + 1 : NULL;
}

/* From behind the quote to behind the closing one; NULL without one. Sets *variable where a
 * ${ in it has no end. */
static char *quoted_end(char *p, char quote, char **variable)
{
    while (*p && *p != quote) {
        if (*p == '\\' && p[1]) {
            p += 2;
        } else if (quote == '"' && p[0] == '$' && p[1] == '{') {
            char *end = variable_end(p);
            if (!end) {
                *variable = p;
                return NULL;
            }
            p = end;
        } else {
            p++;
        }
    }
    return *p ? p + 1 : NULL;
}

/* A word goes on over "//", but not over the beginning of a comment with an asterisk. */
static char *word_end(char *p)
{
    while (*p && !strchr(" #\"'\t\n\r={}()+,*", *p) && !(p[0] == '/' && p[1] == '*'))
        p++;
    return p;
}

static void blank(char *begin, const char *end)
{
    for (char *p = begin; p < end; p++)
        if (*p != '\n')
            *p = ' ';
}

int conf_blank_comments(struct conf_load *load, char *text)
{
    char *end, *variable = NULL;
    for (char *p = text; *p; p = end) {
        if (*p == '#' || (p[0] == '/' && p[1] == '/')) {
            end = p + strcspn(p, "\n");
            blank(p, end);
        } else if (p[0] == '/' && p[1] == '*') {
            end = strstr(p + 2, "*/");
            if (!end)
                return refuse_at(load, text, p, "a comment without its closing \"*/\"");
            end += 2;
            blank(p, end);
        } else if (*p == '"' || *p == '\'') {
            end = quoted_end(p + 1, *p, &variable);
            if (!end && !variable)
                return refuse_at(load, text, p, "a text without its closing quote");
        } else if (p[0] == '$' && p[1] == '{') {
            end = variable_end(p);
            variable = end ? NULL : p;
        } else {
            end = word_end(p);
            end += end == p; /* a brace, a blank ... */
        }
        if (variable)
            return refuse_at(load, text, variable, "\"${\" without its closing brace in this line");
    }
    load->line = 1;
    return 0;
}
