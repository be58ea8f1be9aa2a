/* The names in a certificate: SIP domain identities (RFC 5922 section 7.1) and texts for people. */
#include "peering/transport/tls.h"
#include "peering/transport/tls_internal.h"

#include "base/chars.h"
#include "base/slice.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static struct slice asn1_bytes(const ASN1_STRING *string)
{
    int len = ASN1_STRING_length(string);

    return slice_make((const char *)ASN1_STRING_get0_data(string), len > 0 ? (size_t)len : 0);
}

/* A host name of at least one label whose last one is not a number: IP literals and wildcards
 * have no SIP domain identity. Bytes such as NUL end up here too, so nothing is cut short. */
static bool is_domain(struct slice name)
{
    bool label_empty = true, last_numeric = true;

    if (name.len == 0 || name.len > 253)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];

        if (c == '.') {
            if (label_empty)
                return false;
            label_empty = last_numeric = true;
            continue;
        }
        if (!char_is_alnum(c) && c != '-' && c != '_')
            return false;
        label_empty = false;
        last_numeric = last_numeric && char_is_digit(c);
    }
    return !label_empty && !last_numeric;
}

/* The host part of a `sip:` URI without user (RFC 5922 section 7.1, items 1 to 3); `sips:` and
 * URIs of users are no domain identities. */
static struct slice uri_domain(struct slice uri)
{
    struct slice host = slice_skip(uri, 4);
    size_t len = 0;

    if (!slice_starts_with_nocase(uri, SLICE("sip:")) || slice_find(host, '@') < host.len)
        return (struct slice){NULL, 0};
    while (len < host.len && host.p[len] != ':' && host.p[len] != ';' && host.p[len] != '?')
        len++;
    return slice_make(host.p, len);
}

static size_t add_identity(struct slice name, char identities[TLS_MAX_IDENTITIES][256],
                           size_t count)
{
    char *entry = identities[count < TLS_MAX_IDENTITIES ? count : 0];

    if (count == TLS_MAX_IDENTITIES || !is_domain(name))
        return count;
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_nocase(slice_of(identities[i]), name))
            return count;
    }
    for (size_t i = 0; i < name.len; i++)
        entry[i] = char_lower(name.p[i]);
    entry[name.len] = '\0';
    return count + 1;
}

size_t tls_identities(const X509 *certificate, char identities[TLS_MAX_IDENTITIES][256])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t count = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI)
            count = add_identity(uri_domain(asn1_bytes(name->d.uniformResourceIdentifier)),
                                 identities, count);
    }
    /* DNS names count if and only if no sip URI gave an identity. */
    for (int i = 0, uris = count > 0; !uris && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            count = add_identity(asn1_bytes(name->d.dNSName), identities, count);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return count;
}

bool tls_names_domain(const X509 *certificate, const char *domain)
{
    char identities[TLS_MAX_IDENTITIES][256];
    size_t count = tls_identities(certificate, identities);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(identities[i], domain) == 0)
            return true;
    }
    return false;
}

const char *tls_time_text(const ASN1_TIME *time, char text[TLS_TIME_TEXT])
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1 ||
        strftime(text, TLS_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, TLS_TIME_TEXT, "an unreadable date");
    return text;
}

/* Ends a text that was cut to `size` bytes with "...". */
static void mark_cut(char *text, size_t size)
{
    if (size > 4)
        memcpy(text + size - 4, "...", 4);
}

const char *tls_name_text(const X509_NAME *name, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    long len = 0;

    snprintf(text, size, "an unreadable name");
    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        len = BIO_get_mem_data(bio, &bytes);
        snprintf(text, size, "%.*s", (int)len, bytes ? bytes : "");
        if ((size_t)len >= size)
            mark_cut(text, size);
    }
    BIO_free(bio);
    if (text[0] == '\0')
        snprintf(text, size, "an empty name");
    return text;
}

/* Appends "KIND:bytes" at `used`; returns the new length, `size` once it no longer fits. */
static size_t append_alt_name(char *text, size_t size, size_t used, const char *kind,
                              struct slice name)
{
    int head;

    if (used >= size)
        return used;
    head = snprintf(text + used, size - used, "%s%s:", used ? ", " : "", kind);
    used += (size_t)head;
    for (size_t i = 0; i < name.len && used < size; i++, used++)
        text[used] = name.p[i] > ' ' && name.p[i] < 0x7f ? name.p[i] : '?';
    if (used >= size) {
        mark_cut(text, size);
        return size;
    }
    text[used] = '\0';
    return used;
}

const char *tls_alt_names_text(const X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI)
            used = append_alt_name(text, size, used, "URI",
                                   asn1_bytes(name->d.uniformResourceIdentifier));
        else if (name->type == GEN_DNS)
            used = append_alt_name(text, size, used, "DNS", asn1_bytes(name->d.dNSName));
    }
    if (used == 0)
        snprintf(text, size, names ? "no DNS or URI name" : "no subjectAltName");
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return text;
}

const char *tls_error_text(char *text, size_t size)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);

    if (ERR_SYSTEM_ERROR(error))
        reason = strerror((int)ERR_GET_REASON(error));
    snprintf(text, size, "%s", reason ? reason : "unknown error");
    ERR_clear_error();
    return text;
}
