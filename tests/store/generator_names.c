#include "tests/store/generator.h"

#include <string.h>

#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONGEST_DOMAIN                                                                             \
    LABEL_63 "." LABEL_63 "." LABEL_63 ".bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"    \
             ".example"

/* A choice of texts; where `bad` is chosen and last, the array is filled without an end. */
struct choice {
    const char *const *good, *const *bad;
    unsigned good_count, bad_count;
};

#define CHOICE(good, bad)                                                                          \
    (&(struct choice){good, bad, sizeof(good) / sizeof((good)[0]), sizeof(bad) / sizeof((bad)[0])})

static void text_choose(struct dice *dice, unsigned valid, const struct choice *choice, char *text,
                        size_t size)
{
    memset(text, 0, size);
    if (dice_percent(dice, valid)) {
        snprintf(text, size, "%s", choice->good[dice_roll(dice, choice->good_count)]);
        return;
    }
    unsigned i = dice_roll(dice, choice->bad_count + 1);
    if (i < choice->bad_count)
        snprintf(text, size, "%s", choice->bad[i]);
    else
        memset(text, 'a', size);
}

static const char *const domains[] = {"opa.example", "opb.example",     "xn--bcher-kva.example",
                                      "opc.example", "opa.example.net", LONGEST_DOMAIN};
static const char *const foreign_domains[] = {"far.example", "far.example.org", "fas.example"};
static const char *const bad_domains[] = {"",           "Opa.example",      "opa.example.",
                                          "192.0.2.1",  "opa..example",     "opa_.example",
                                          "-a.example", "b\xC3\xBC.example"};

void generator_domain_name(struct dice *dice, unsigned valid, char name[STORE_DOMAIN_MAX + 1])
{
    text_choose(dice, valid, CHOICE(domains, bad_domains), name, STORE_DOMAIN_MAX + 1);
}

void generator_foreign_name(struct dice *dice, char name[STORE_DOMAIN_MAX + 1])
{
    text_choose(dice, 100, CHOICE(foreign_domains, bad_domains), name, STORE_DOMAIN_MAX + 1);
}

#define LETTERS_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

#define LETTERS_128 (LETTERS_64 LETTERS_64)

static const char *const users[] = {"alice",      "bob",        "carol",       "dave",     "erin",
                                    "frank",      "postmaster", "abuse",       "a+b&c",    "%E4x",
                                    "a%40b%20.c", "i-j_k.",     "alice.smith", LETTERS_128};
static const char *const bad_users[] = {"", "Alice", "a b", "%61", "%e4", "a%", "a@b", "a\x01"};

/* What has an unescaped '@' within is no address, whatever else it is. */
void generator_address(struct dice *dice, unsigned valid, struct store_address *address)
{
    unsigned sound = dice_percent(dice, valid) ? 100 : 50;
    text_choose(dice, sound, CHOICE(users, bad_users), address->user, sizeof(address->user));
    if (dice_percent(dice, 80))
        generator_domain_name(dice, sound, address->domain);
    else
        generator_foreign_name(dice, address->domain);
}

static const char *const owners[] = {"daniel", "maria", "o-17", LETTERS_64};
static const char *const bad_owners[] = {"two words", "\xC3\xBC", "tab\t"};

void generator_owner(struct dice *dice, unsigned valid, char owner[STORE_OWNER_MAX + 1])
{
    text_choose(dice, valid, CHOICE(owners, bad_owners), owner, STORE_OWNER_MAX + 1);
}

static const char *const mails[] = {"daniel@mail.example", "D.M+sip@xn--bcher-kva.example",
                                    "\xC3\xBC@mail.example"};
static const char *const bad_mails[] = {"daniel",           "-f@mail.example",  "a b@mail.example",
                                        "a@Mail.example",   "a@mail.example\n", "a..b@mail.example",
                                        "a@b@mail.example", "\xC3@mail.example"};

void generator_mail(struct dice *dice, unsigned valid, char mail[STORE_MAIL_MAX + 1])
{
    text_choose(dice, valid, CHOICE(mails, bad_mails), mail, STORE_MAIL_MAX + 1);
}

static const char *const numbers[] = {"493012345", "493012346", "4930", "123456789012345",
                                      "123",       "441134960", "815"};
static const char *const bad_numbers[] = {"", "0123", "12", "49a30", "+4930"};

void generator_digits(struct dice *dice, unsigned valid, char digits[STORE_NUMBER_MAX + 1])
{
    text_choose(dice, valid, CHOICE(numbers, bad_numbers), digits, STORE_NUMBER_MAX + 1);
}

static const char *const texts[] = {"", "flat", "night rate, 2026", "x"};
static const char *const bad_texts[] = {"\x01", "line\n"};

void generator_text(struct dice *dice, unsigned valid, char *text, size_t size)
{
    text_choose(dice, valid, CHOICE(texts, bad_texts), text, size);
}

static const char *const token_ids[] = {"abcdefghijkl", "000000000000", "zzzzzzzzzzzz",
                                        "a1b2c3d4e5f6", "abcdefghijkm"};
static const char *const bad_token_ids[] = {"", "abc", "ABCDEFGHIJKL", "abcdefghij l"};

void generator_token_id(struct dice *dice, unsigned valid, char id[STORE_TOKEN_ID_LEN + 1])
{
    text_choose(dice, valid, CHOICE(token_ids, bad_token_ids), id, STORE_TOKEN_ID_LEN + 1);
}

static const char *const cursors[] = {"publisher", "replica-1", "replica_2", "A.b"};
static const char *const bad_cursors[] = {"", "a b", "a/b"};

void generator_cursor_name(struct dice *dice, unsigned valid, char name[STORE_CURSOR_NAME_MAX + 1])
{
    text_choose(dice, valid, CHOICE(cursors, bad_cursors), name, STORE_CURSOR_NAME_MAX + 1);
}
