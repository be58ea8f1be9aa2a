/* The commands of junctor. */
#include "tools/command.h"

#include <string.h>

#define B(name) OPT_##name

#define WRITES  B(DRY_RUN)
#define CHANGES B(DRY_RUN), B(IF_VERSION)

#define OF_DOMAIN                                                                                  \
    B(CORE), B(UNKNOWN), B(CLAIMS), B(QUARANTINE), B(ADDRESS_RECORDS), B(PORT_REDIRECTS)
#define OF_ADDRESS B(HOSTING), B(OWNER), B(STATE), B(TARGET), B(BLOCKED), B(LOCKED), B(PUBLISHED)
#define BY_KEY     B(RECOVERY_KEY), B(OCTETS), B(SIGNATURE)
#define OF_PEER    B(BLOCKED), B(TRUSTS_IDENTITY), B(REQUESTS), B(CALLS), B(PIN), B(TARIFF)
#define OF_TOKEN   B(SCOPE), B(OWNER), B(DOMAIN), B(NOTE), B(UNTIL), B(DAYS), B(QUIET)
#define OF_IMPORT  B(FORMAT), B(KEEP_GOING), B(STORE), B(MAP_SIZE), B(DOMAIN), B(CORE), WRITES

static const struct operand domain = {"DOMAIN", "a domain such as opa.example", VALUE_TEXT, NULL};
static const struct operand address = {"ADDRESS", "an address such as bob@opb.example", VALUE_TEXT,
                                       NULL};
static const struct operand move_step = {"leave|stay|copy|take|arrive|go|return|clear",
                                         "a step of the move", VALUE_CHOICE,
                                         "leave stay copy take arrive go return clear"};
static const struct operand number = {"NUMBER", "a telephone number such as +49301234567",
                                      VALUE_TEXT, NULL};
static const struct operand source = {"SOURCE", "an IP address, or a network such as 192.0.2.0/24",
                                      VALUE_TEXT, NULL};
static const struct operand token = {"ID", "the id of a token", VALUE_TEXT, NULL};
static const struct operand cursor = {"NAME", "the name of a cursor", VALUE_TEXT, NULL};
static const struct operand dns_name = {"NAME", "a domain name such as opb.example", VALUE_TEXT,
                                        NULL};
static const struct operand file = {"FILE", "the name of a file", VALUE_FILE, NULL};
static const struct operand shell = {"bash|zsh", "bash or zsh", VALUE_CHOICE, "bash zsh"};
static const struct operand way = {"ADDRESS|NUMBER", "an address such as bob@opb.example",
                                   VALUE_TEXT, NULL};

static const struct operand peer = {"PEER", "a peer's domain such as opb.example", VALUE_TEXT,
                                    NULL};
static const struct operand traced = {
    "ADDRESS|PEER", "an address such as bob@opb.example or a peer's domain", VALUE_TEXT, NULL};

static const struct operand receipt = {
    "RECEIPT", "a receipt, a file that has one, or - to read it from standard input", VALUE_FILE,
    NULL};
static const struct operand gaining = {"DOMAIN", "the domain that is to host it", VALUE_TEXT, NULL};
static const struct operand port = {"ID", "the id of a port", VALUE_TEXT, NULL};
static const struct operand address_or_port = {
    "ADDRESS|ID", "an address to take over, or the id of a port to undo", VALUE_TEXT, NULL};
static const struct operand public_key = {"KEY", "an Ed25519 public key, 64 hex digits", VALUE_TEXT,
                                          NULL};

const struct command commands[] = {
    {"domain add",
     {&domain},
     .min = 1,
     .run = tool_domain_add,
     .options = {OF_DOMAIN, WRITES},
     .required = {B(CORE)},
     .help = "serve a domain with the core at URI"},
    {"domain list", .run = tool_domain_list, .help = "list the domains"},
    {"domain show", {&domain}, .min = 1, .run = tool_domain_show, .help = "show a domain"},
    {"domain set",
     {&domain},
     .min = 1,
     .run = tool_domain_set,
     .options = {OF_DOMAIN, CHANGES},
     .help = "change a domain; --core replaces all its cores"},
    {"domain del",
     {&domain},
     .min = 1,
     .run = tool_domain_del,
     .options = {CHANGES},
     .help = "delete a domain that has no addresses"},
    {"domain move",
     {&domain, &move_step},
     .min = 1,
     .run = tool_domain_move,
     .options = {B(OUTPUT), B(DRY_RUN), B(MOVE_TO)},
     .help = "take a step of the move of a whole domain to another operator; without one: show "
             "where it stands, and when the next one is safe"},

    {"core list", .run = tool_core_list,
     .help = "show how the next hops of all cores are, as the edge has found out"},

    {"address add",
     {&address},
     .min = 1,
     .run = tool_address_add,
     .options = {OF_ADDRESS, B(NOTIFY), WRITES},
     .help = "add an address; --hosting where another domain than its own serves it"},
    {"address list",
     {&domain},
     .run = tool_address_list,
     .options = {B(OWNER), B(STATE)},
     .help = "list addresses"},
    {"address show", {&address}, .min = 1, .run = tool_address_show, .help = "show an address"},
    {"address set",
     {&address},
     .min = 1,
     .run = tool_address_set,
     .options = {OF_ADDRESS, B(DISPLAY), B(NOTIFY), CHANGES},
     .help = "change an address; an empty value takes away what was there"},
    {"address del",
     {&address},
     .min = 1,
     .run = tool_address_del,
     .options = {CHANGES},
     .help = "release an address; others get it when its quarantine is over. Of another operator's "
             "the auth code comes from standard input"},
    {"address purge",
     {&address},
     .min = 1,
     .run = tool_address_purge,
     .options = {CHANGES},
     .help = "end the quarantine of a released address now, or serve another operator's no more "
             "without asking"},
    {"address auth-code",
     {&way},
     .min = 1,
     .run = tool_address_code,
     .options = {B(DAYS), B(FOR), B(WITHDRAW), B(QUIET), CHANGES},
     .help = "make the code with which its owner can take it to another operator"},
    {"address auth-codes",
     {&domain},
     .min = 1,
     .run = tool_address_codes,
     .options = {B(DAYS), B(OUTPUT), B(FOR)},
     .required = {B(FOR)},
     .help = "make such codes for all that is hosted here of a domain, as port batch reads them"},
    {"address recovery-key",
     {&address, &public_key},
     .min = 1,
     .run = tool_address_key,
     .options = {B(NEW), B(WITHDRAW), B(DRY_RUN)},
     .help = "leave the key that ports it though its host is gone; the auth code comes from "
             "standard input"},
    {"address protection",
     {&way},
     .min = 1,
     .run = tool_address_protection,
     .help = "show what keeps an address from being ported"},
    {"address freeze",
     {&way},
     .min = 1,
     .run = tool_address_freeze,
     .options = {B(DRY_RUN)},
     .help = "let no port of an address of our domain begin, but an undo, as its operator"},
    {"address unfreeze",
     {&way},
     .min = 1,
     .run = tool_address_unfreeze,
     .options = {B(DRY_RUN)},
     .help = "end that"},

    {"port check",
     {&way, &gaining},
     .min = 1,
     .run = tool_port_check,
     .help = "say what stands against porting an address, what comes along and what stays"},
    {"port start",
     {&way, &gaining},
     .min = 2,
     .run = tool_port_start,
     .options = {B(OWNER), B(TO), BY_KEY},
     .help = "take an address over for a domain of ours; the auth code comes from standard input"},
    {"port batch",
     {&gaining, &file},
     .min = 2,
     .run = tool_port_batch,
     .options = {B(UNDO_SECRETS)},
     .help = "take the addresses in FILE (\"-\": standard input) over, a line each with its auth "
             "code; again to go on"},
    {"port octets",
     {&address_or_port, &gaining},
     .min = 1,
     .run = tool_port_octets,
     .help = "print what a recovery key has to sign, for port start or port undo"},
    {"port list",
     {&way},
     .run = tool_port_list,
     .options = {B(PORT_STATE), B(ROLE)},
     .help = "list the ports, or those of an address"},
    {"port show", {&port}, .min = 1, .run = tool_port_show, .help = "show a port"},
    {"port receipt",
     {&port},
     .min = 1,
     .run = tool_port_receipt,
     .help = "print what the authority certifies of a port, for whom it concerns"},
    {"port watch",
     {&port},
     .min = 1,
     .run = tool_port_watch,
     .help = "show each state of a port as it comes, to the last"},
    {"port cancel",
     {&port},
     .min = 1,
     .run = tool_port_cancel,
     .help = "give a port up that was asked for here"},
    {"port undo",
     {&port},
     .min = 1,
     .run = tool_port_undo,
     .options = {BY_KEY},
     .help = "take a port back; the undo secret comes from standard input"},
    {"port approve",
     {&port},
     .min = 1,
     .run = tool_port_approve,
     .help = "let an address go that is hosted here, before the window ends"},
    {"port reject",
     {&port},
     .min = 1,
     .run = tool_port_reject,
     .options = {B(REASON)},
     .help = "refuse a port: fraud, not-the-holder, contract, legal or operator"},
    {"port object",
     {&port},
     .min = 1,
     .run = tool_port_object,
     .options = {B(REASON)},
     .help = "object to the recovery of an address that is hosted here"},
    {"port allow",
     {&port},
     .min = 1,
     .run = tool_port_allow,
     .help = "overrule an objection, as the operator of the address's domain"},
    {"port verify",
     {&receipt},
     .min = 1,
     .run = tool_port_verify,
     .options = {B(JWKS), B(STORE), B(MAP_SIZE)},
     .help = "is this receipt of a port what it says? Needs no daemon"},
    {"receipt-key show",
     {&domain},
     .min = 1,
     .run = tool_receipt_key_show,
     .help = "print the TXT records of the keys that sign a domain's receipts"},
    {"receipt-key rotate",
     {&domain},
     .min = 1,
     .run = tool_receipt_key_rotate,
     .help = "sign with another key from now on; ports under way keep theirs"},

    {"number add",
     {&number, &address},
     .min = 2,
     .run = tool_number_add,
     .options = {B(ZONE), WRITES},
     .help = "lead a telephone number to an address"},
    {"number list", .run = tool_number_list, .help = "list the telephone numbers"},
    {"number show",
     {&number},
     .min = 1,
     .run = tool_number_show,
     .help = "show a telephone number"},
    {"number set",
     {&number, &address},
     .min = 2,
     .run = tool_number_set,
     .options = {B(ZONE), CHANGES},
     .help = "lead it to another address"},
    {"number del",
     {&number},
     .min = 1,
     .run = tool_number_del,
     .options = {CHANGES},
     .help = "delete a telephone number"},

    {"peer add",
     {&domain},
     .min = 1,
     .run = tool_peer_add,
     .options = {OF_PEER, WRITES},
     .help = "keep a policy for the operator of a domain"},
    {"peer list", .run = tool_peer_list, .help = "list the peers that have a policy"},
    {"peer show", {&domain}, .min = 1, .run = tool_peer_show, .help = "show a peer"},
    {"peer set",
     {&domain},
     .min = 1,
     .run = tool_peer_set,
     .options = {OF_PEER, CHANGES},
     .help = "change a peer; --pin replaces all its pins, an empty value takes them away"},
    {"peer del",
     {&domain},
     .min = 1,
     .run = tool_peer_del,
     .options = {CHANGES},
     .help = "forget the policy for a peer"},

    {"ban add",
     {&source},
     .min = 1,
     .run = tool_ban_add,
     .options = {B(SECONDS), B(REASON), WRITES},
     .help = "shut out an address or network, but not peers in good standing there"},
    {"ban list", .run = tool_ban_list, .help = "list who is shut out, why, and until when"},
    {"ban del",
     {&source},
     .min = 1,
     .run = tool_ban_del,
     .options = {CHANGES},
     .help = "end a ban"},

    {"token add", .run = tool_token_add, .options = {OF_TOKEN, WRITES}, .required = {B(SCOPE)},
     .help = "make a token for the API and show it, once"},
    {"token list", .run = tool_token_list, .help = "list the tokens"},
    {"token show",
     {&token},
     .min = 1,
     .run = tool_token_show,
     .help = "show a token (never its secret)"},
    {"token del",
     {&token},
     .min = 1,
     .run = tool_token_del,
     .options = {CHANGES},
     .help = "revoke a token at once"},
    {"token-key rotate", .run = tool_token_key_rotate, .options = {WRITES},
     .help = "change the key of dialog tokens now; calls in progress go on"},
    {"self", .run = tool_self, .help = "show who you are for the daemon, and what you may"},

    {"journal", .run = tool_journal, .options = {B(FROM), B(LIMIT), B(FOLLOW)},
     .help = "show what was changed, when and by whom: the last 100 changes, or those --from N on"},
    {"cursor list", .run = tool_cursor_list,
     .help = "list the readers that hold the journal's trimming back"},
    {"cursor show", {&cursor}, .min = 1, .run = tool_cursor_show, .help = "show such a reader"},
    {"cursor del",
     {&cursor},
     .min = 1,
     .run = tool_cursor_del,
     .options = {CHANGES},
     .help = "forget such a reader"},

    {"peers",
     {&peer},
     .run = tool_peers,
     .help = "show what passes between us and each peer, or the connections with one"},
    {"trace",
     {&traced},
     .run = tool_trace,
     .options = {B(FULL), B(LIMIT)},
     .help =
         "show the messages of calls as they pass, as a ladder: of one address or peer, or all"},

    {"backup",
     {&file},
     .min = 1,
     .run = tool_backup,
     .help = "have the daemon write a copy of its whole store to FILE, which must not exist"},
    {"restore",
     {&file},
     .min = 1,
     .run = tool_restore,
     .options = {B(STORE), B(MAP_SIZE), B(REPLACE)},
     .required = {B(STORE)},
     .help = "put such a copy in the place of the store in a folder"},
    {"export",
     {&domain},
     .run = tool_export,
     .options = {B(FORMAT), B(OUTPUT), B(TOMBSTONES)},
     .help = "write the addresses of a domain, or all, for another directory or program"},
    {"import",
     {&file},
     .min = 1,
     .run = tool_import,
     .options = {OF_IMPORT},
     .help = "add the addresses in FILE (\"-\": standard input), all or none"},

    {"dns records",
     {&domain},
     .min = 1,
     .run = tool_dns_records,
     .options = {B(RECORDS)},
     .help = "print the records that should exist in DNS for a domain"},
    {"dns sync",
     {&domain},
     .min = 1,
     .run = tool_dns_sync,
     .options = {B(FORCE), WRITES},
     .help = "compare a domain's records with what its primary serves, and send the difference"},
    {"dns check",
     {&domain},
     .min = 1,
     .run = tool_dns_check,
     .options = {B(CONFIG), B(RESOLVER), B(DNS_PORT)},
     .help = "find what keeps callers from a domain, ours or any: DNS, certificates, reachability"},

    {"cert next",
     {&domain},
     .min = 1,
     .run = tool_cert_next,
     .options = {B(CONFIG), B(RESOLVER), B(DNS_PORT), B(SWITCH)},
     .help = "prepare the key that is served after the present one, or --switch to it"},

    {"route",
     {&way},
     .min = 1,
     .run = tool_route,
     .help = "show each step a call would take, and why"},
    {"dns purge",
     {&dns_name},
     .min = 1,
     .run = tool_dns_purge,
     .help = "forget what DNS said of a name and of all names below it"},
    {"status", .run = tool_status, .help = "show how the daemon is"},
    {"completion",
     {&shell},
     .min = 1,
     .run = tool_completion,
     .help = "print the completion script of a shell"},
};
const size_t command_count = sizeof(commands) / sizeof(commands[0]);

enum tool_option command_option(const struct command *command, enum tool_option option)
{
    for (int i = 0; i < OPT_COUNT && !command_takes(command, option); i++)
        if (command_takes(command, (enum tool_option)i) &&
            strcmp(option_rows[i].name, option_rows[option].name) == 0)
            return (enum tool_option)i;
    return option;
}

int command_operand_count(const struct command *command)
{
    int count = 0;
    while (count < COMMAND_MAX_OPERANDS && command->operands[count])
        count++;
    return count;
}

int command_match(const struct command *command, char **words, int count)
{
    const char *second = strchr(command->name, ' ');
    size_t len = second ? (size_t)(second - command->name) : strlen(command->name);
    if (count < 1 || strlen(words[0]) != len || strncmp(words[0], command->name, len) != 0)
        return 0;
    if (!second)
        return 1;
    return count > 1 && strcmp(words[1], second + 1) == 0 ? 2 : 0;
}

const struct command *command_find(char **words, int count, int *used)
{
    for (size_t i = 0; i < command_count; i++) {
        *used = command_match(&commands[i], words, count);
        if (*used)
            return &commands[i];
    }
    return NULL;
}

static bool is_listed(const enum tool_option list[COMMAND_MAX_OPTIONS], enum tool_option option)
{
    for (int i = 0; i < COMMAND_MAX_OPTIONS && list[i]; i++)
        if (list[i] == option)
            return true;
    return false;
}

bool command_takes(const struct command *command, enum tool_option option)
{
    return is_listed(command->options, option);
}

bool command_requires(const struct command *command, enum tool_option option)
{
    return is_listed(command->required, option);
}
