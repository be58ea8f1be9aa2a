/* A load from beginning to end, and the values by type. */
#include "tools/conf_internal.h"

#include "base/chars.h"
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define STRINGS_BLOCK 4096

/* ---- refusing ---- */

/* What a file contains may come from anywhere; it must not steer a terminal. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f)
            *text = '?';
}

static void why_add(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void why_add(char *why, const char *format, ...)
{
    size_t len = strlen(why);
    va_list args;
    va_start(args, format);
    vsnprintf(why + len, CONF_MAX_WHY - len, format, args);
    va_end(args);
}

int conf_refuse(struct conf_load *load, const char *format, ...)
{
    char text[CONF_MAX_WHY];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    snprintf(load->why, CONF_MAX_WHY, "%.400s:%u: ", load->path, load->line);
    if (load->section && load->section->name[0] != '\0')
        why_add(load->why, "%s", load->section->name);
    if (load->title)
        why_add(load->why, " \"%.300s\"", load->title);
    if (load->section && load->section->name[0] != '\0')
        why_add(load->why, ": ");
    if (load->setting)
        why_add(load->why, "%s: ", load->setting->name);
    why_add(load->why, "%s", text);
    make_printable(load->why);
    return STATUS_MALFORMED;
}

/* ---- names ---- */

const struct conf_section *conf_section_find(const char *name)
{
    for (size_t i = 0; i < conf_section_count; i++)
        if (strcmp(conf_sections[i].name, name) == 0)
            return &conf_sections[i];
    return NULL;
}

const struct conf_setting *conf_setting_find(const char *section, const char *name)
{
    for (size_t i = 0; i < conf_setting_count; i++)
        if (strcmp(conf_settings[i].section, section) == 0 &&
            strcmp(conf_settings[i].name, name) == 0)
            return &conf_settings[i];
    return NULL;
}

#define NAME_MAX_LEN 32

/* Levenshtein's distance; names longer than NAME_MAX_LEN are far from everything. */
static size_t name_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1], a_len = strlen(a), b_len = strlen(b);
    if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

const char *conf_nearest(const char *section, const char *name)
{
    const char *nearest = NULL;
    size_t least = strlen(name) / 2 + 1; /* more than half of it wrong is another word */
    for (size_t i = 0; i < conf_setting_count; i++) {
        size_t distance = name_distance(name, conf_settings[i].name);
        if (strcmp(conf_settings[i].section, section) == 0 && distance < least) {
            least = distance;
            nearest = conf_settings[i].name;
        }
    }
    for (size_t i = 0; section[0] == '\0' && i < conf_section_count; i++) {
        size_t distance = name_distance(name, conf_sections[i].name);
        if (conf_sections[i].name[0] != '\0' && distance < least) {
            least = distance;
            nearest = conf_sections[i].name;
        }
    }
    return nearest;
}

/* ---- values by type ---- */

const char *conf_keep(struct conf_load *load, const char *text)
{
    return arena_copy(load->conf->strings, slice_make(text, strlen(text) + 1)).p;
}

static int refuse_memory(struct conf_load *load)
{
    conf_refuse(load, "out of memory");
    return -ENOMEM;
}

static int take_number(struct conf_load *load, const char *text)
{
    const struct conf_setting *setting = load->setting;
    uint64_t value;
    if (slice_to_u64(slice_of(text), setting->max, &value) < 0 || value < setting->min)
        return conf_refuse(load, "expected a whole number from %ju to %ju, not \"%s\"",
                           (uintmax_t)setting->min, (uintmax_t)setting->max, text);
    *(unsigned *)((char *)load->object + setting->offset) = (unsigned)value;
    return 0;
}

/* How far the unit shifts a size: "K" 10, "M" 20 ..., none 0. Cuts it off. */
static unsigned size_unit(struct slice *text)
{
    static const char units[] = "KMGT";
    const char *unit = text->len > 1 ? strchr(units, text->p[text->len - 1]) : NULL;
    if (!unit)
        return 0;
    text->len--;
    return 10 * (unsigned)(unit - units + 1);
}

static int take_size(struct conf_load *load, const char *text)
{
    const struct conf_setting *setting = load->setting;
    struct slice digits = slice_of(text);
    unsigned shift = size_unit(&digits);
    uint64_t value;
    if (slice_to_u64(digits, setting->max >> shift, &value) < 0 || value << shift < setting->min)
        return conf_refuse(load, "expected a size from %ju to %ju such as 64K or 4G, not \"%s\"",
                           (uintmax_t)setting->min, (uintmax_t)setting->max, text);
    *(size_t *)((char *)load->object + setting->offset) = (size_t)(value << shift);
    return setting->take ? setting->take(load, text) : 0;
}

static int take_switch(struct conf_load *load, const char *text)
{
    bool on = strcmp(text, "true") == 0;
    if (!on && strcmp(text, "false") != 0)
        return conf_refuse(load, "expected true or false, not \"%s\"", text);
    *(bool *)((char *)load->object + load->setting->offset) = on;
    return 0;
}

const char *conf_keep_file(struct conf_load *load, const char *text)
{
    const char *slash = strrchr(load->path, '/');
    if (text[0] == '/' || !slash)
        return conf_keep(load, text);
    return arena_printf(load->conf->strings, "%.*s%s", (int)(slash - load->path + 1), load->path,
                        text)
        .p;
}

static int take_file(struct conf_load *load, const char *text)
{
    if (text[0] == '\0')
        return conf_refuse(load, "expected the name of a file");
    const char *name = conf_keep_file(load, text);
    if (!name)
        return refuse_memory(load);
    *(const char **)((char *)load->object + load->setting->offset) = name;
    return load->setting->take ? load->setting->take(load, name) : 0;
}

int conf_take_value(struct conf_load *load, const char *text)
{
    switch (load->setting->type) {
    case CONF_NUMBER:
        return take_number(load, text);
    case CONF_SIZE:
        return take_size(load, text);
    case CONF_SWITCH:
        return take_switch(load, text);
    case CONF_FILE:
        return take_file(load, text);
    case CONF_TEXT:
    case CONF_LIST:
        break;
    }
    return load->setting->take(load, text);
}

int conf_take_default(struct conf_load *load, bool empty)
{
    if (empty && load->setting->min == 0) /* the only one whose {} is not as if it was not there */
        return load->setting->take == conf_take_trusted ? conf_trust_nobody(load) : 0;
    if (empty)
        return conf_refuse(load, "expected at least %ju, not {}", (uintmax_t)load->setting->min);
    if (load->setting->fallback) {
        load->by_default = true;
        int status = conf_take_value(load, load->setting->fallback);
        load->by_default = false;
        return status;
    }
    if (load->setting->flags & CONF_MUST)
        return conf_refuse(load, "must be given: %s", load->setting->help);
    return 0;
}

/* ---- the whole ---- */

static struct junctord_conf *conf_alloc(void)
{
    struct junctord_conf *conf = calloc(1, sizeof(*conf));
    if (!conf)
        return NULL;
    conf->pool = arena_pool_alloc(STRINGS_BLOCK, 0);
    conf->strings = conf->pool ? arena_alloc(conf->pool, 0) : NULL;
    conf->edge.tls.certificates = conf->certificates;
    conf->edge.tls.crl_files = conf->crls;
    conf->api.group = (gid_t)-1;
    conf->api.reserved = conf->reserved;
    return conf->strings ? conf : conf_free(conf);
}

struct junctord_conf *conf_free(struct junctord_conf *conf)
{
    if (!conf)
        return NULL;
    arena_free(conf->strings);
    explicit_bzero(&conf->publisher, sizeof(conf->publisher)); /* keys */
    arena_pool_free(conf->pool);
    free(conf);
    return NULL;
}

/* The file's bytes as a terminated string, or NULL with errno set (EFBIG: over CONF_MAX_FILE). */
static char *read_file(const char *path, size_t *len)
{
    char *text = malloc(CONF_MAX_FILE + 1);
    FILE *file = text ? fopen(path, "re") : NULL;
    int error = errno;
    if (file) {
        errno = 0;
        *len = fread(text, 1, CONF_MAX_FILE + 1, file);
        error = ferror(file) ? errno : 0;
        fclose(file);
        if (*len > CONF_MAX_FILE)
            error = EFBIG;
    }
    if (!file || error != 0) {
        free(text);
        errno = error;
        return NULL;
    }
    text[*len] = '\0';
    return text;
}

static int load_text(struct conf_load *load, char *text, size_t len)
{
    const char *nul = memchr(text, '\0', len);
    if (nul) {
        for (const char *p = text; p < nul; p++)
            load->line += *p == '\n';
        return conf_refuse(load, "a NUL byte: this is no text file");
    }
    int status = conf_blank_comments(load, text);
    if (status == 0)
        status = conf_parse(load, text);
    return status == 0 ? conf_check(load) : status;
}

static int load_file(const char *path, bool unjudged, struct junctord_conf **conf,
                     char why[CONF_MAX_WHY])
{
    struct conf_load load = {.path = path, .why = why, .line = 1, .unjudged = unjudged};
    size_t len = 0;
    why[0] = '\0';
    char *text = read_file(path, &len);
    if (!text) {
        int error = errno;
        snprintf(why, CONF_MAX_WHY, "%.400s: cannot be read: %s", path, strerror(error));
        return -error;
    }
    load.conf = conf_alloc();
    int status = load.conf ? load_text(&load, text, len) : refuse_memory(&load);
    free(text);
    if (status != 0) {
        conf_free(load.conf);
        return status;
    }
    *conf = load.conf;
    return 0;
}

int conf_load(const char *path, struct junctord_conf **conf, char why[CONF_MAX_WHY])
{
    return load_file(path, false, conf, why);
}

int conf_load_unjudged(const char *path, struct junctord_conf **conf, char why[CONF_MAX_WHY])
{
    return load_file(path, true, conf, why);
}
