/* What the files of the configuration share: the table of settings and a load under way. */
#ifndef JUNCTOR_TOOLS_CONF_INTERNAL_H
#define JUNCTOR_TOOLS_CONF_INTERNAL_H

#include "base/slice.h"
#include "tools/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_load;
struct conf_setting;

/* ---- the table ---- */

enum conf_type {
    CONF_NUMBER, /* a whole number min..max, kept as unsigned */
    CONF_SIZE,   /* bytes min..max, with K, M, G or T behind; kept as size_t */
    CONF_SWITCH, /* true or false, kept as bool */
    CONF_FILE,   /* the name of a file or folder, kept as string */
    CONF_TEXT,   /* kept by its `take` */
    CONF_LIST    /* min..max texts, each kept by `take` */
};

enum conf_flag {
    CONF_MUST = 1, /* has no default and must be there */
    CONF_FIXED = 2 /* takes effect at the next start only */
};

/* Checks one value and keeps it. Returns 0 or what conf_refuse returned. */
typedef int conf_take_h(struct conf_load *load, const char *text);

#define CONF_TYPE_TEXT 96 /* bytes of conf_type_text */

struct conf_setting {
    const char *section; /* "" outside of all sections */
    const char *name;
    enum conf_type type;
    uint64_t min, max;
    const char *fallback; /* the default as it would stand in the file; NULL: none */
    unsigned flags;       /* of enum conf_flag */
    size_t offset;        /* for types that keep their value themselves: where, in the section's
                             object */
    conf_take_h *take;    /* for the others; may look at a size or file too */
    const char *help;
};

/* A kind of section. One with a title may appear many times, once with each title. */
struct conf_section {
    const char *name;
    const char *title;  /* what it stands for, such as "DOMAIN"; NULL: none */
    conf_take_h *begin; /* takes the title and sets load->object; NULL: the object is the conf */
    conf_take_h *end; /* checks the section as a whole; NULL: nothing to check; text is the title */
    const char *help;
};

extern const struct conf_section conf_sections[];
extern const size_t conf_section_count;
extern const struct conf_setting conf_settings[]; /* those of one section stand together */
extern const size_t conf_setting_count;

/* ---- a load under way ---- */

struct conf_load {
    const char *path;
    const char *text; /* without comments */
    char *why;        /* CONF_MAX_WHY bytes */
    struct junctord_conf *conf;

    /* Where we are; conf_refuse says it. */
    const struct conf_section *section;
    const char *title;
    const struct conf_setting *setting;
    unsigned line;
    void *object; /* whose `offset` the settings of this section are */

    /* Lines of what later checks may complain about. */
    unsigned listener_lines[TRANSPORT_MAX_LISTENERS];
    unsigned certificate_lines[TLS_MAX_DOMAINS];
    unsigned anchors_line, core_anchors_line, crls_line, last_line;
    unsigned mail_line;              /* porting: sendmail, or else mail-from */
    unsigned listen_line, pair_line; /* api: listen, and key or else certificate */
    unsigned journal_line;           /* store: journal-max */
    bool by_default;                 /* what is taken is the table's default */
    bool unjudged;                   /* certificates, keys and anchors are not looked at */

    bool trust_listed; /* dns: trusted was given */
};

/* Writes "FILE:LINE: SECTION: SETTING: " and the sentence to load->why. Returns STATUS_MALFORMED.
 */
int conf_refuse(struct conf_load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A copy that lives as long as the conf; NULL without memory. */
const char *conf_keep(struct conf_load *load, const char *text);
/* The same of the name of a file, which if relative is so to the folder of the configuration. */
const char *conf_keep_file(struct conf_load *load, const char *text);

/* Keeps a value of load->setting: checks what its type asks for, then calls `take`. */
int conf_take_value(struct conf_load *load, const char *text);
/* Keeps its default, or refuses where it must be given. `empty`: it is there as {}. */
int conf_take_default(struct conf_load *load, bool empty);

/* Makes spaces of the comments, keeping line ends: libconfuse counts lines in comments wrongly.
 * Refuses what does not end: a comment, a text in quotes, a ${. */
int conf_blank_comments(struct conf_load *load, char *text);

/* Reads the file with libconfuse and takes its sections and settings in the table's order, then
 * the defaults. */
int conf_parse(struct conf_load *load, const char *text);

/* "number, 0 to 64": what a setting takes. Returns text. */
const char *conf_type_text(const struct conf_setting *setting, char text[CONF_TYPE_TEXT]);

/* 127.0.0.0/8 or ::1 (conf_take.c). */
bool conf_is_loopback(const struct netaddr *addr);

/* Looks at the result as a whole, and at the files it names (conf_check.c). */
int conf_check(struct conf_load *load);

/* What is to be published, from listeners and certificates (conf_zone.c). */
int conf_fill_zone(struct conf_load *load);

/* Later refusals are of this section; `title` may be NULL, and so may `name`, of its setting. Line
 * 0, where the file has none: the first (conf_check.c). */
void conf_look_at(struct conf_load *load, const char *section, const char *title, const char *name,
                  unsigned line);

/* NULL where there is no section of that name. */
const struct conf_section *conf_section_find(const char *name);

/* NULL where the section has no setting of that name. */
const struct conf_setting *conf_setting_find(const char *section, const char *name);

/* The known name that is most like this one, or NULL where none is near. */
const char *conf_nearest(const char *section, const char *name);

/* ---- what the table's rows name (conf_take.c) ---- */

conf_take_h conf_take_log_level;
conf_take_h conf_take_log_format;
conf_take_h conf_take_mode;
conf_take_h conf_take_group;
conf_take_h conf_take_advertise;
conf_take_h conf_take_allow;
conf_take_h conf_take_fail_over;
conf_take_h conf_take_upstream;
conf_take_h conf_take_trusted;
conf_take_h conf_take_enum;
conf_take_h conf_take_enum_trusted;
conf_take_h conf_take_socket;
conf_take_h conf_take_store;
conf_take_h conf_take_anchors;
conf_take_h conf_take_crl;
conf_take_h conf_take_listen;
conf_take_h conf_take_health;
conf_take_h conf_take_federation, conf_take_federation_advertise, conf_end_federation;
conf_take_h conf_take_peering;
conf_take_h conf_take_pair;
conf_take_h conf_take_sendmail, conf_take_mail_from;
conf_take_h conf_take_reserved;
conf_take_h conf_take_journal;
conf_take_h conf_take_address;
conf_take_h conf_take_pstn, conf_take_core_anchors;
conf_take_h conf_take_hep;
conf_take_h conf_begin_zone, conf_take_primary, conf_take_tsig; /* conf_publisher.c */
conf_take_h conf_begin_inside, conf_begin_outside, conf_begin_certificate, conf_end_listener,
    conf_end_dns;
/* No upstream's validation counts. Returns 0. */
int conf_trust_nobody(struct conf_load *load);

#endif
