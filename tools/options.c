/* The options of junctor, and what was given of them. */
#include "tools/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YES_NO "yes no"
#define PORT_STATES                                                                                \
    "requesting cancelling pending waiting disputed committed completed undone rejected "          \
    "cancelled refused"

const struct option_row option_rows[OPT_COUNT] = {
    [OPT_SOCKET] = {"socket", "PATH", VALUE_FILE, .everywhere = true,
                    .help = "the daemon's API socket (else $JUNCTOR_SOCKET, else the standard "
                            "place)"},
    [OPT_SERVER] = {"server", "URL", VALUE_TEXT, .everywhere = true,
                    .help = "a daemon's HTTPS address, like https://edge.opa.example:8443 (else "
                            "$JUNCTOR_SERVER)"},
    [OPT_TOKEN_FILE] = {"token-file", "FILE", VALUE_FILE, .everywhere = true,
                        .help = "the file with the token for --server (else $JUNCTOR_TOKEN_FILE)"},
    [OPT_CA] = {"ca", "FILE", VALUE_FILE, .everywhere = true,
                .help = "certificates (PEM) that --server's must come from (else the system's)"},
    [OPT_JSON] = {"json", .everywhere = true,
                  .help = "print JSON, refusals of the daemon too (on standard error)"},
    [OPT_HELP] = {"help", .everywhere = true, .help = "show this, or how a command is used"},
    [OPT_VERSION] = {"version", .everywhere = true, .help = "print the version"},

    [OPT_CORE] = {"core", "URI", VALUE_TEXT, .repeat = true,
                  .help =
                      "a SIP server of the domain, like \"sip:192.0.2.1:5060;transport=udp\", in "
                      "order of preference, or by ;priority=N and ;weight=N"},
    [OPT_UNKNOWN] = {"unknown", "reject|core", VALUE_CHOICE, "reject core",
                     .help = "calls to addresses that are not in the directory: 404, or ask the "
                             "core"},
    [OPT_CLAIMS] = {"claims", "N", VALUE_NUMBER,
                    .help = "addresses that one owner may claim without an operator; 0: none"},
    [OPT_QUARANTINE] = {"quarantine", "DAYS", VALUE_NUMBER,
                        .help = "how long a released address is kept from others"},
    [OPT_ADDRESS_RECORDS] = {"address-records", "yes|no", VALUE_CHOICE, YES_NO,
                             .help = "DNS tells where its ported-out addresses live"},
    [OPT_PORT_REDIRECTS] = {"port-redirects", "yes|no", VALUE_CHOICE, YES_NO,
                            .help = "its core may redirect in the form of port data, else that is "
                                    "480"},
    [OPT_HOSTING] = {"hosting", "DOMAIN", VALUE_TEXT, .help = "the domain that serves the address"},
    [OPT_OWNER] = {"owner", "NAME", VALUE_TEXT,
                   .help = "the person it belongs to, by the name that you know"},
    [OPT_STATE] = {"state", "STATE", VALUE_CHOICE,
                   "hosted ported-in ported-out moved prepared alias tombstone",
                   .help = "hosted, ported-in, ported-out, moved, prepared, alias or tombstone"},
    [OPT_TARGET] = {"target", "ADDRESS", VALUE_TEXT,
                    .help = "the address that an alias stands for"},
    [OPT_BLOCKED] = {"blocked", "yes|no", VALUE_CHOICE, YES_NO, .help = "nothing from or to it"},
    [OPT_LOCKED] = {"locked", "yes|no", VALUE_CHOICE, YES_NO,
                    .help = "not to be released, ported or changed until unlocked"},
    [OPT_PUBLISHED] = {"published", "yes|no", VALUE_CHOICE, YES_NO,
                       .help = "DNS tells where it lives, if it was ported out"},
    [OPT_DISPLAY] = {"display", "TEXT", VALUE_TEXT, .help = "the address as people write it"},
    [OPT_NOTIFY] = {"notify", "MAIL|none", VALUE_TEXT,
                    .help = "the holder's mail address, to which he is told of ports"},
    [OPT_WITHDRAW] = {"withdraw", .help = "end the code that was made, and make none"},
    [OPT_TRUSTS_IDENTITY] = {"trusts-identity", "yes|no", VALUE_CHOICE, YES_NO,
                             .help = "our callers' asserted identities are told to it (RFC 3325)"},
    [OPT_REQUESTS] = {"requests", "N", VALUE_NUMBER,
                      .help = "requests per second it may send; 0: the default"},
    [OPT_CALLS] = {"calls", "N", VALUE_NUMBER,
                   .help = "calls it may start at once; 0: the default"},
    [OPT_PIN] = {"pin", "HEX", VALUE_TEXT, .repeat = true,
                 .help = "SHA-256 of a public key (SubjectPublicKeyInfo); one must match"},
    [OPT_TARIFF] = {"tariff", "TEXT", VALUE_TEXT, .help = "for billing, passed through"},
    [OPT_SCOPE] = {"scope", "admin|operator|user", VALUE_CHOICE, "admin operator user",
                   .help = "what the token is good for: everything, its domains, its owner's "
                           "addresses"},
    [OPT_DOMAIN] = {"domain", "DOMAIN", VALUE_TEXT, .repeat = true,
                    .help = "a domain of an operator's token; of import: the domain to add"},
    [OPT_NOTE] = {"note", "TEXT", VALUE_TEXT, .help = "what it is for"},
    [OPT_UNTIL] = {"until", "TIME", VALUE_TEXT, .help = "when it ends, like 2027-01-31T12:00:00Z"},
    [OPT_DAYS] = {"days", "N", VALUE_NUMBER, .help = "how long it is good"},
    [OPT_QUIET] = {"quiet", .help = "print the secret alone"},
    [OPT_FROM] = {"from", "N", VALUE_NUMBER, .help = "begin with this entry; 0: the oldest"},
    [OPT_LIMIT] = {"limit", "N", VALUE_NUMBER, .help = "at most so many entries, or messages"},
    [OPT_FOLLOW] = {"follow", .help = "go on with each entry as it comes"},
    [OPT_FORMAT] = {"format", "jsonl|csv", VALUE_CHOICE, "jsonl csv",
                    .help = "JSON Lines or CSV (else what the file's name ends in, else jsonl)"},
    [OPT_OUTPUT] = {"output", "FILE", VALUE_FILE,
                    .help = "write there, all or nothing (else to standard output)"},
    [OPT_TOMBSTONES] = {"tombstones", .help = "released addresses in quarantine, too"},
    [OPT_KEEP_GOING] = {"keep-going", .help = "add what can be added, say what cannot"},
    [OPT_STORE] = {"store", "DIR", VALUE_FOLDER,
                   .help = "work on the store in this folder, which no daemon may have open"},
    [OPT_MAP_SIZE] = {"map-size", "SIZE", VALUE_TEXT,
                      .help = "of the store, as in junctord.conf, like 4G (else 1G)"},
    [OPT_REPLACE] = {"replace", .help = "also where the store has records; they are kept beside"},
    [OPT_IF_VERSION] = {"if-version", "N", VALUE_NUMBER,
                        .help = "only if the record still has this version"},
    [OPT_FORCE] = {"force", .help = "replace also what somebody else changed"},
    [OPT_DRY_RUN] = {"dry-run", .help = "say what would come of it, and change nothing"},
    [OPT_RECORDS] = {"format", "zone|json|nsupdate|octodns", VALUE_CHOICE,
                     "zone json nsupdate octodns",
                     .help = "lines of a zone file, JSON, commands for nsupdate(1), or YAML for "
                             "octoDNS (else zone)"},
    [OPT_CONFIG] = {"config", "FILE", VALUE_FILE,
                    .help = "the daemon's configuration (else the standard place)"},
    [OPT_RESOLVER] = {"resolver", "ADDRESS", VALUE_TEXT,
                      .help = "a validating resolver, ADDRESS[:PORT] (else the first of the "
                              "configuration, else 127.0.0.1)"},
    [OPT_DNS_PORT] = {"dns-port", "PORT", VALUE_NUMBER,
                      .help = "at which the zone's name servers are asked (else 53)"},
    [OPT_SECONDS] = {"seconds", "N", VALUE_NUMBER, .help = "how long it lasts; else an hour"},
    [OPT_REASON] = {"reason", "TEXT", VALUE_TEXT, .help = "why, for those who read it later"},
    [OPT_SWITCH] = {"switch", .help = "serve the next key from now on, if that is safe"},
    [OPT_FULL] = {"full", .help = "each message whole, too"},
    [OPT_JWKS] = {"jwks", "FILE", VALUE_FILE,
                  .help = "what the authority publishes at /v1/keys, as it was saved"},
    [OPT_RECOVERY_KEY] = {"recovery-key", "FILE", VALUE_FILE,
                          .help = "sign with the private key (PEM) in this file, instead of a code "
                                  "or secret"},
    [OPT_NEW] = {"new", "FILE", VALUE_FILE,
                 .help = "make a key pair, and keep its private half in this new file"},
    [OPT_OCTETS] = {"octets", "FILE", VALUE_FILE,
                    .help = "what port octets has printed, and was signed elsewhere"},
    [OPT_SIGNATURE] = {"signature", "FILE", VALUE_FILE, .help = "its Ed25519 signature, 64 octets"},
    [OPT_PORT_STATE] = {"state", "STATE", VALUE_CHOICE, PORT_STATES,
                        .help = "only those in this state, such as disputed"},
    [OPT_ROLE] = {"role", "authority|gaining|losing", VALUE_CHOICE, "authority gaining losing",
                  .help = "only those in which we are this"},
    [OPT_FOR] = {"for", "DOMAIN", VALUE_TEXT, .help = "the new host for which alone it is good"},
    [OPT_ZONE] = {"zone", "APEX", VALUE_TEXT,
                  .help =
                      "the ENUM zone that holds it, whose operator ports it (else the domain of "
                      "ours that is one)"},
    [OPT_TO] = {"to", "ADDRESS", VALUE_TEXT,
                .help = "of a number: the address at the new host that it is to lead to"},
    [OPT_UNDO_SECRETS] = {"undo-secrets", "FILE", VALUE_FILE,
                          .help = "add the secrets that take the ports back to this file, which "
                                  "only you may read"},
    [OPT_MOVE_TO] = {"to", "OTHER", VALUE_TEXT,
                     .help = "a domain of the operator that it goes to, whose edge callers are led "
                             "to"},
};

bool tool_has(const struct tool *tool, enum tool_option option)
{
    return tool_value(tool, option) != NULL;
}

const char *tool_value(const struct tool *tool, enum tool_option option)
{
    for (size_t i = tool->given_count; i > 0; i--)
        if (tool->given[i - 1].option == option)
            return tool->given[i - 1].text;
    return NULL;
}

uint64_t tool_number(const struct tool *tool, enum tool_option option, uint64_t absent)
{
    const char *text = tool_value(tool, option);
    return text ? strtoull(text, NULL, 10) : absent;
}

bool choice_is_known(const char *choices, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = choices; *p; p += *p == ' ') {
        size_t end = strcspn(p, " ");
        if (end == len && strncmp(p, word, len) == 0)
            return true;
        p += end;
    }
    return false;
}

const char *choices_text(const char *choices, char *text, size_t size)
{
    size_t used = 0;
    *text = '\0';
    for (const char *p = choices; *p && used < size; p += *p == ' ') {
        size_t end = strcspn(p, " ");
        bool last = strchr(p, ' ') == NULL;
        used += (size_t)snprintf(text + used, size - used, "%s%.*s",
                                 p == choices ? "" : (last ? " or " : ", "), (int)end, p);
        p += end;
    }
    return text;
}
