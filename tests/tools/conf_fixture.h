/* A folder with certificates and the configuration file under test, and configurations to start
 * from. Every function fails the test where it cannot do its work. */
#ifndef JUNCTOR_TESTS_TOOLS_CONF_FIXTURE_H
#define JUNCTOR_TESTS_TOOLS_CONF_FIXTURE_H

#include "tests/test.h"
#include "tools/conf_internal.h"

/* opa.pem and opb.pem prove opa.example and opb.example, old.pem has expired,
 * code.pem is for codeSigning only, ca.pem is a CA's own; each has a .key. text.pem is none;
 * tsig.key has a key. new.crl and old.crl are revocation lists, the old one past its date.
 * test.conf is what the functions below write and load. */
extern char conf_folder[64];
int conf_set_up(void **state);
int conf_tear_down(void **state);

/* The path of a file in the folder; returns path. */
const char *conf_file(const char *name, char path[256]);
void conf_file_write(const char *name, const char *bytes, size_t len);
void conf_text_write(const char *name, const char *text);
/* Any file of less than 64 KiB; free it. */
char *conf_text_read(const char *path);

int conf_load_test(struct junctord_conf **conf, char why[CONF_MAX_WHY]);
/* Writes and loads what must be correct. */
struct junctord_conf *conf_load_good(const char *text);

#define INSIDE      "inside \"udp:127.0.20.1:5060\" { }\n"
#define OUTSIDE     "outside \"tls:127.0.20.1:5061\" { }\n"
#define CERTIFICATE "certificate \"opa.example\" { chain = \"opa.pem\" key = \"opa.key\" }\n"
#define TRUST       "trust { anchors = \"opb.pem\" }\n"
#define GOOD        INSIDE OUTSIDE CERTIFICATE TRUST

#endif
