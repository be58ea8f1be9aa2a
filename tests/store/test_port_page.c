/* The table of transitions in docs/porting.md is the one that the store obeys. */
#include "store/porting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINE_MAX_LEN 300
#define PAGE_MAX     65536

struct name {
    unsigned bit;
    const char *text;
};

static const struct name parties[] = {
    {STORE_PORT_BY_GAINING, "gaining host"},
    {STORE_PORT_BY_LOSING, "losing host"},
    {STORE_PORT_BY_OPERATOR, "operator"},
    {STORE_PORT_BY_TIMER, "time"},
    {STORE_PORT_BY_PORT, "the authority"},
    {STORE_PORT_BY_OWNER, "holder"},
    {0, NULL},
};
static const struct name kinds[] = {
    {1u << STORE_PORT_CODE, "code"},
    {1u << STORE_PORT_RECOVERY, "recovery"},
    {1u << STORE_PORT_UNDO, "undo"},
    {0, NULL},
};
static const struct name writes[] = {
    {STORE_PORT_USES_CODE, "uses the code up"},
    {STORE_PORT_MOVES, "hosting domain, freeze"},
    {0, NULL},
};
static const struct name tells[] = {
    {STORE_PORT_TELLS_GAINING, "gaining host"},
    {STORE_PORT_TELLS_LOSING, "losing host"},
    {STORE_PORT_TELLS_HOLDER, "holder"},
    {0, NULL},
};

/* Those names whose bits are set, with commas; "-": none. */
static void names_add(char *line, const struct name *names, unsigned bits)
{
    size_t begin = strlen(line);
    for (; names->text; names++)
        if (bits & names->bit)
            snprintf(line + strlen(line), LINE_MAX_LEN - strlen(line), "%s%s",
                     strlen(line) > begin ? ", " : "", names->text);
    if (strlen(line) == begin)
        snprintf(line + begin, LINE_MAX_LEN - begin, "-");
    snprintf(line + strlen(line), LINE_MAX_LEN - strlen(line), " | ");
}

/* The row as it stands on the page. */
static void line_make(const struct store_port_row *row, char line[LINE_MAX_LEN])
{
    const char *from =
        row->from < 0 ? "none" : store_port_state_text((enum store_port_state)row->from);
    snprintf(line, LINE_MAX_LEN, "| %s | %s | ", from, store_port_event_text(row->event));
    names_add(line, parties, row->by);
    names_add(line, kinds, row->kinds);
    snprintf(line + strlen(line), LINE_MAX_LEN - strlen(line), "%s | ",
             store_port_state_text(row->to));
    names_add(line, writes, row->effects);
    names_add(line, tells, row->effects);
    line[strlen(line) - 1] = '\n';
}

static char *page_read(void)
{
    char path[500];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/docs/porting.md", root ? root : ".");
    FILE *file = fopen(path, "r");
    char *page = calloc(1, PAGE_MAX);
    assert_non_null(file);
    assert_non_null(page);
    size_t len = fread(page, 1, PAGE_MAX - 1, file);
    assert_true(len > 0 && len < PAGE_MAX - 1);
    fclose(file);
    return page;
}

/* One after the other, and no row besides. */
static void the_page_shows_the_table(void **state)
{
    (void)state;
    char *page = page_read(), line[LINE_MAX_LEN];
    const char *head = "| from | event | by | kinds | to | writes | tells |\n"
                       "| --- | --- | --- | --- | --- | --- | --- |\n";
    const char *place = strstr(page, head);
    assert_non_null(place);
    place += strlen(head);
    const struct store_port_row *row;
    for (size_t i = 0; (row = store_port_row(i)) != NULL; i++) {
        line_make(row, line);
        if (strncmp(place, line, strlen(line)) != 0)
            fail_msg("row %zu of the page must be\n%sand is\n%.*s", i, line,
                     (int)strcspn(place, "\n"), place);
        place += strlen(line);
    }
    assert_int_equal(*place, '\n');
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_shows_the_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
