/* The sample, the manual and the help tell of every setting; mutants of the sample do no harm. */
#include "tests/tools/conf_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sample and help ---- */

/* The sample with its files, which are on no machine, replaced by ours. `all`: lines that begin
 * with "#" and a name are settings. */
static char *sample_text(bool all)
{
    static const char *const files[][2] = {
        {"\"api.pem\"", "\"opb.pem\""},
        {"\"api.key\"", "\"opb.key\""},
        {"\"example.org.pem\"", "\"opa.pem\""},
        {"\"example.org.key\"", "\"opa.key\""},
        {"\"example.org.next.key\"", "\"opb.key\""},
        {"\"example.org\"", "\"opa.example\""},
        {"\"/etc/ssl/certs/ca-certificates.crt\"", "\"opb.pem\""},
        {"\"/etc/junctor/core-ca.pem\"", "\"opb.pem\""},
        {"\"federation.crl\"", "\"new.crl\""},
    };
    char path[512];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/packaging/junctord.conf.sample", root ? root : ".");
    char *text = conf_text_read(path);
    for (char *p = text; all && (p = strchr(p, '#')); p++)
        if (p[1] >= 'a' && p[1] <= 'z')
            *p = ' ';
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char *at = strstr(text, files[i][0]);
        size_t was = strlen(files[i][0]), is = strlen(files[i][1]);
        assert_non_null(at);
        memmove(at + is, at + was, strlen(at + was) + 1);
        memcpy(at, files[i][1], is);
    }
    return text;
}

static void the_sample_is_correct_and_shows_the_defaults(void **state)
{
    (void)state;
    char *plain_text = sample_text(false), *all_text = sample_text(true);
    struct junctord_conf *plain = conf_load_good(plain_text), *all = conf_load_good(all_text);
    char changes[CONF_MAX_WHY];
    all->api.group = (gid_t)-1; /* an example there; so are the networks of `allow`, */
    assert_int_equal(all->api.reserved_count, 2);
    all->api.reserved_count = 0; /* these, */
    assert_non_null(all->receipt_keys);
    all->receipt_keys = NULL; /* this folder, */
    assert_int_equal(all->edge.resolver.suffix_count, 2);
    assert_true(all->edge.resolver.suffixes[1].trusted);
    assert_string_equal(all->edge.resolver.pstn, "pstn.example.org");
    all->edge.resolver.pstn[0] = '\0';   /* who takes numbers, */
    all->edge.resolver.suffix_count = 0; /* the trees of ENUM, */
    assert_int_equal(all->edge.fail_over_count, 2);
    all->edge.fail_over_count = 0; /* the answers that lead on */
    assert_int_equal(netaddr_port(&all->api.listen), 8443);
    assert_int_equal(netaddr_port(&all->api.health), 9100);
    assert_int_equal(netaddr_port(&all->edge.hep_server), 9060);
    all->edge.hep_server = plain->edge.hep_server;
    assert_int_equal(netaddr_port(&all->federation.listen), 8444);
    assert_string_equal(all->zone.porting.host, "edge.example.org");
    all->federation = plain->federation;                   /* where other operators reach us, */
    all->api.listen = all->api.health = plain->api.listen; /* and where the API listens */
    for (size_t i = 0; i < COUNT_OF(all->addresses); i++)
        all->addresses[i].count = 0; /* where peers reach it, */
    all->store.path = plain->store.path;
    all->api.socket = plain->api.socket; /* those of --prefix=/usr */
    assert_string_equal(conf_fixed_changes(plain, all, changes), "");
    assert_int_equal(plain->log_level, all->log_level);
    assert_int_equal(plain->log_format, all->log_format);
    assert_int_equal(plain->zone.ttl_s, all->zone.ttl_s);
    assert_int_equal(plain->zone.address_ttl_s, all->zone.address_ttl_s);
    assert_int_equal(plain->zone.address_records, all->zone.address_records);
    assert_int_equal(plain->edge.allow_count, 0);
    assert_int_equal(all->edge.allow_count, 2);
    conf_free(plain);
    conf_free(all);
    free(plain_text);
    free(all_text);
}

/* Does the sample set this setting, in a section of its kind? */
static bool sample_has(const char *text, const struct conf_setting *setting)
{
    char begin[64], line[64];
    const char *at = text, *end = text + strlen(text);
    if (setting->section[0] != '\0') {
        snprintf(begin, sizeof(begin), "\n%s ", setting->section);
        at = strstr(text, begin);
        if (!at) { /* a section that is commented out as a whole */
            snprintf(begin, sizeof(begin), "\n %s ", setting->section);
            at = strstr(text, begin);
        }
        if (!at)
            return false;
        end = strstr(at, "\n}");
    }
    snprintf(line, sizeof(line), " %s = ", setting->name);
    const char *found = strstr(at, line);
    return found && found < end;
}

static void the_sample_has_every_setting(void **state)
{
    char *text = sample_text(true);
    (void)state;
    for (size_t i = 0; i < conf_setting_count; i++)
        if (!sample_has(text, &conf_settings[i]))
            fail_msg("the sample lacks %s: %s", conf_settings[i].section, conf_settings[i].name);
    free(text);
}

static void manual_and_help_have_every_setting(void **state)
{
    char path[512], *help = NULL, name[64];
    size_t size;
    (void)state;
    FILE *out = open_memstream(&help, &size);
    assert_non_null(out);
    conf_print_help(out);
    fclose(out);
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s/packaging/junctord.conf.5.in", root ? root : ".");
    char *manual = conf_text_read(path);
    for (size_t i = 0; i < conf_setting_count; i++) {
        char escaped[64];
        size_t len = 0;
        for (const char *p = conf_settings[i].name; *p; p++)
            len += (size_t)snprintf(escaped + len, sizeof(escaped) - len, *p == '-' ? "\\-" : "%c",
                                    *p);
        if (!strstr(manual, escaped))
            fail_msg("junctord.conf(5) lacks %s", conf_settings[i].name);
        snprintf(name, sizeof(name), "%s    (", conf_settings[i].name);
        assert_non_null(strstr(help, name));
        assert_non_null(conf_section_find(conf_settings[i].section));
    }
    free(manual);
    free(help);
}

/* A mistake before the line that begins at `at`. */
static void a_mistake_is_found_in_its_line(const char *text, size_t at, unsigned line)
{
    struct junctord_conf *conf = NULL;
    char mistaken[65536], path[256], why[CONF_MAX_WHY], expected[320];
    snprintf(mistaken, sizeof(mistaken), "%.*sno-such-thing = 1\n%s", (int)at, text, text + at);
    conf_text_write("test.conf", mistaken);
    assert_int_not_equal(conf_load_test(&conf, why), 0);
    snprintf(expected, sizeof(expected), "%s:%u: ", conf_file("test.conf", path), line);
    if (strncmp(why, expected, strlen(expected)) != 0 || !strstr(why, "no-such-thing"))
        fail_msg("expected %s got %s", expected, why);
}

static void a_mistake_anywhere_in_the_sample_has_the_true_line(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        char *text = sample_text(all);
        unsigned line = 1;
        for (size_t at = 0; text[at]; at++) {
            if (at == 0 || text[at - 1] == '\n')
                a_mistake_is_found_in_its_line(text, at, line++);
        }
        assert_true(line > 50);
        free(text);
    }
}

/* ---- mutated files ---- */

#define MUTANTS 2000

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223; /* Numerical Recipes */
    return *seed >> 8;
}

/* One of: another byte, a piece taken out, a piece doubled, the end cut off. */
static void mutate(char *text, size_t size, uint32_t *seed)
{
    static const char bytes[] = "{}\"'=+,#$\\\n ()*/\177\200az09\t";
    size_t len = strlen(text), at = next_random(seed) % (len + 1);
    size_t piece = next_random(seed) % 40;
    if (piece > len - at)
        piece = len - at;
    switch (next_random(seed) % 4) {
    case 0:
        if (at < len)
            text[at] = bytes[next_random(seed) % (sizeof(bytes) - 1)];
        break;
    case 1:
        memmove(text + at, text + at + piece, len - at - piece + 1);
        break;
    case 2:
        if (len + piece < size)
            memmove(text + at + piece, text + at, len - at + 1);
        break;
    default:
        text[next_random(seed) % 8 == 0 ? at : len] = '\0';
        break;
    }
}

static void a_mutated_file_is_taken_or_refused_with_its_line(void **state)
{
    char *original = sample_text(true), text[65536], path[256];
    uint32_t seed = 2026;
    unsigned refused = 0;
    (void)state;
    size_t prefix = strlen(conf_file("test.conf", path));
    for (unsigned i = 0; i < MUTANTS; i++) {
        struct junctord_conf *conf = NULL;
        char why[CONF_MAX_WHY];
        snprintf(text, sizeof(text), "%s", original);
        for (uint32_t count = 1 + next_random(&seed) % 4; count > 0; count--)
            mutate(text, sizeof(text), &seed);
        conf_text_write("test.conf", text);
        if (conf_load_test(&conf, why) == 0) {
            conf_free(conf);
            continue;
        }
        refused++;
        assert_memory_equal(why, path, prefix);
        assert_int_equal(why[prefix], ':');
        assert_in_range(why[prefix + 1], '1', '9');
    }
    assert_in_range(refused, MUTANTS / 10, MUTANTS - 1);
    free(original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_is_correct_and_shows_the_defaults),
        cmocka_unit_test(the_sample_has_every_setting),
        cmocka_unit_test(manual_and_help_have_every_setting),
        cmocka_unit_test(a_mistake_anywhere_in_the_sample_has_the_true_line),
        cmocka_unit_test(a_mutated_file_is_taken_or_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
