/* The folder of a run: certificates, and the configuration under test. */
#include "tests/tools/conf_fixture.h"

#include "tests/peering/transport/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char conf_folder[64];

const char *conf_file(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", conf_folder, name);
    return path;
}

void conf_file_write(const char *name, const char *bytes, size_t len)
{
    char path[256];
    FILE *file = fopen(conf_file(name, path), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

void conf_text_write(const char *name, const char *text)
{
    conf_file_write(name, text, strlen(text));
}

char *conf_text_read(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static void make_certificate(const char *name, const struct cert_spec *spec)
{
    char file[64], chain[256], key[256];
    struct cert cert = cert_make(spec, NULL);
    snprintf(file, sizeof(file), "%s.pem", name);
    conf_file(file, chain);
    snprintf(file, sizeof(file), "%s.key", name);
    conf_file(file, key);
    cert_write(&cert, NULL, chain, key);
    cert_free(&cert);
}

/* Revocation lists: one that is current, one that is not. */
static void make_lists(void)
{
    char path[256];
    struct cert issuer = cert_make(&(struct cert_spec){.cn = "federation"}, NULL);
    crl_write(crl_make(&issuer, &issuer, NULL, 9), false, conf_file("new.crl", path));
    crl_write(crl_make(&issuer, &issuer, NULL, -1), false, conf_file("old.crl", path));
    cert_free(&issuer);
}

int conf_set_up(void **state)
{
    (void)state;
    test_folder_make(conf_folder, sizeof(conf_folder));
    make_certificate("opa", &(struct cert_spec){.cn = "opa", .alt = "URI:sip:opa.example"});
    make_certificate("opb", &(struct cert_spec){.cn = "opb", .alt = "DNS:opb.example"});
    make_certificate("old", &(struct cert_spec){.cn = "opa",
                                                .alt = "DNS:opa.example",
                                                .begin_s = -30 * CERT_DAY_S,
                                                .end_s = -2 * CERT_DAY_S});
    make_certificate(
        "code",
        &(struct cert_spec){.cn = "opa", .alt = "URI:sip:opa.example", .usage = "codeSigning"});
    make_certificate(
        "ca",
        &(struct cert_spec){.cn = "opa", .alt = "URI:sip:opa.example", .constraints = "CA:TRUE"});
    make_lists();
    conf_text_write("text.pem", "no certificate at all\n");
    conf_text_write("tsig.key", "key \"publisher\" {\n\talgorithm hmac-sha256;\n"
                                "\tsecret \"AAECAwQFBgcICQoLDA0ODw==\";\n};\n");
    return 0;
}

int conf_tear_down(void **state)
{
    static const char *const names[] = {"opa.pem",  "opa.key",  "opb.pem",   "opb.key",  "old.pem",
                                        "old.key",  "text.pem", "test.conf", "tsig.key", "code.pem",
                                        "code.key", "ca.pem",   "ca.key",    "new.crl",  "old.crl"};
    char path[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unlink(conf_file(names[i], path));
    return rmdir(conf_folder);
}

int conf_load_test(struct junctord_conf **conf, char why[CONF_MAX_WHY])
{
    char path[256];
    return conf_load(conf_file("test.conf", path), conf, why);
}

struct junctord_conf *conf_load_good(const char *text)
{
    struct junctord_conf *conf;
    char why[CONF_MAX_WHY];
    conf_text_write("test.conf", text);
    if (conf_load_test(&conf, why) != 0)
        fail_msg("refused: %s", why);
    return conf;
}
