/* Updates of real primaries, and what a hostile one may answer. */
#include "resolver/update.h"

#include "base/status.h"
#include "tests/resolver/primary.h"
#include "tests/test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/eventfd.h>
#include <unistd.h>

static char why[UPDATE_WHY_MAX];

static struct zone_record record(const char *name, enum zone_type type, uint32_t ttl_s,
                                 const char *data)
{
    struct zone_record made = {.type = type, .ttl_s = ttl_s};
    snprintf(made.name, sizeof(made.name), "%s", name);
    snprintf(made.data, sizeof(made.data), "%s", data);
    return made;
}

static void set_name(struct update_set *set, const char *name, enum zone_type type)
{
    *set = (struct update_set){.type = type};
    snprintf(set->name, sizeof(set->name), "%s", name);
}

static void set_add(struct update_set *set, uint32_t ttl_s, const char *data)
{
    struct zone_record one = record(set->name, set->type, ttl_s, data);
    assert_int_equal(update_set_add(set, &one), 0);
}

/* ---- sets ---- */

static void the_order_of_records_does_not_matter(void **state)
{
    (void)state;
    struct update_set a, b;
    set_name(&a, "_sips._tcp.opa.example", ZONE_SRV);
    set_name(&b, "_sips._tcp.opa.example", ZONE_SRV);
    set_add(&a, 60, "10 10 5061 edge.opa.example.");
    set_add(&a, 60, "10 10 5061 b.opa.example.");
    set_add(&b, 60, "10  10 5061 B.opa.example.");
    assert_false(update_set_eq(&a, &b));
    set_add(&b, 60, "10 10 5061 EDGE.opa.example.");
    set_add(&b, 60, "10 10 5061 edge.opa.example.");
    assert_int_equal(b.count, 2);
    assert_true(update_set_eq(&a, &b));
    assert_int_equal(update_set_hash(&a), update_set_hash(&b));
    b.ttl_s = 61;
    assert_false(update_set_eq(&a, &b));
    assert_true(update_set_eq_data(&a, &b));
    assert_int_not_equal(update_set_hash(&a), update_set_hash(&b));
    update_set_clear(&a);
    update_set_clear(&b);
    assert_true(update_set_eq(&a, &b));
}

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    struct update_set set;
    set_name(&set, "opa.example", ZONE_A);
    struct zone_record bad = record("opa.example", ZONE_A, 60, "192.0.2.256");
    assert_int_equal(update_set_add(&set, &bad), STATUS_MALFORMED);
    assert_int_equal(set.count, 0);
}

/* ---- key files ---- */

static int key_of_mode(const char *text, mode_t mode, struct update_key *key)
{
    char dir[64], path[96];
    test_folder_make(dir, sizeof(dir));
    snprintf(path, sizeof(path), "%s/key", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    int status = update_key_read(path, key, why);
    unlink(path);
    rmdir(dir);
    return status;
}

static int key_of(const char *text, struct update_key *key)
{
    return key_of_mode(text, 0600, key);
}

static void keys_of_tsig_keygen_and_keymgr_are_read(void **state)
{
    (void)state;
    struct update_key key;
    assert_int_equal(key_of("key \"Publisher.\" {\n\talgorithm hmac-sha256;\n"
                            "\tsecret \"//ECAwQFBgc=\";\n};\n",
                            &key),
                     0);
    assert_string_equal(key.name, "publisher");
    assert_string_equal(key.secret, "//ECAwQFBgc=");
    assert_int_equal(key_of("# hmac-sha256:publisher:AAECAwQFBgc=\nkey:\n  - id: publisher\n"
                            "    algorithm: hmac-sha256\n    secret: //ECAwQFBgc=\n",
                            &key),
                     0);
    assert_string_equal(key.name, "publisher");
    assert_string_equal(key.secret, "//ECAwQFBgc=");
}

static void comments_are_no_keys(void **state)
{
    (void)state;
    struct update_key key;
    assert_int_equal(key_of("/* key \"old\" { algorithm hmac-sha512; secret \"AAAA\"; }; */\n"
                            "// key \"older\" { secret \"BBBB\"; };\n# secret \"CCCC\"\n"
                            "key \"k\" { algorithm hmac-sha256; /* secret \"D\"; */ secret "
                            "\"//ECAwQFBgc=\"; }; /* never ends",
                            &key),
                     0);
    assert_string_equal(key.name, "k");
    assert_string_equal(key.secret, "//ECAwQFBgc=");
}

static void a_key_that_everybody_may_write_is_refused(void **state)
{
    (void)state;
    struct update_key key;
    const char *text = "key \"k\" { algorithm hmac-sha256; secret \"AAAA\"; };";
    assert_int_equal(key_of_mode(text, 0666, &key), -EPERM);
    assert_non_null(strstr(why, "chmod o="));
    assert_int_equal(key_of_mode(text, 0644, &key), 0);
}

static void other_keys_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "no key's name was found"},
        {"key \"a b\" { }", "no key's name was found"},
        {"key \"k\" { algorithm hmac-md5; secret \"AAAA\"; };", "must be hmac-sha256"},
        {"key \"k\" { algorithm hmac-sha256; };", "must be base64"},
        {"key \"k\" { algorithm hmac-sha256; secret \"x y\"; };", "must be base64"},
        {"key \"k\" { algorithm hmac-sha256; secret \"a===abcd\"; };", "must be base64"},
        {"key \"k\" { algorithm hmac-sha256; secret \"A===\"; };", "must be base64"},
        {"key \"a\" { algorithm hmac-sha256; secret \"AAAA\"; };\n"
         "key \"b\" { algorithm hmac-sha256; secret \"BBBB\"; };",
         "more than one key"},
        {"key \"k\" { algorithm hmac-sha256; secret \"AAAA", "" /* read to its end: is one */},
    };
    struct update_key key;
    for (size_t i = 0; i + 1 < COUNT_OF(rows); i++) {
        assert_int_equal(key_of(rows[i].text, &key), STATUS_MALFORMED);
        if (!strstr(why, rows[i].why))
            fail_msg("%s: %s", rows[i].text, why);
    }
    assert_int_equal(key_of(rows[COUNT_OF(rows) - 1].text, &key), 0);
    assert_int_equal(update_key_read("/no/such/key", &key, why), -ENOENT);
}

/* ---- real servers ---- */

/* Makes it `data` (NULL: nothing) where it is `before`. */
static int change(const struct primary *primary, const char *name, enum zone_type type,
                  const char *const *before, const char *const *data, uint32_t ttl_s)
{
    struct update_change one;
    struct update_link *link;
    set_name(&one.served, name, type);
    set_name(&one.wanted, name, type);
    for (size_t i = 0; before && before[i]; i++)
        set_add(&one.served, ttl_s, before[i]);
    for (size_t i = 0; data && data[i]; i++)
        set_add(&one.wanted, ttl_s, data[i]);
    assert_int_equal(update_link_open(&primary->place, &link, why), 0);
    int status = update_link_send(link, &one, 1, why);
    update_link_close(link);
    update_set_clear(&one.served);
    update_set_clear(&one.wanted);
    return status;
}

static void expect_served(const struct primary *primary, const char *name, enum zone_type type,
                          const char *text, uint32_t ttl_s)
{
    struct update_change one;
    struct update_link *link;
    set_name(&one.served, name, type);
    assert_int_equal(update_link_open(&primary->place, &link, why), 0);
    assert_int_equal(update_link_read(link, &one, 1, why), 0);
    update_link_close(link);
    assert_string_equal(one.served.text ? one.served.text : "", text);
    if (one.served.count > 0)
        assert_int_equal(one.served.ttl_s, ttl_s);
    update_set_clear(&one.served);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void sets_are_made_replaced_and_taken_away(void **state)
{
    const struct primary *primary = *state;
    const char *name = "_sips._tcp.opa.example";
    const char *a = "10 10 5061 a.opa.example.", *b = "10 10 5062 b.opa.example.";
    assert_int_equal(change(primary, name, ZONE_SRV, NULL, LIST(a), 60), 0);
    expect_served(primary, name, ZONE_SRV, "10 10 5061 a.opa.example.\n", 60);
    assert_int_equal(change(primary, name, ZONE_SRV, LIST(a), LIST(b, a), 60), 0);
    expect_served(primary, name, ZONE_SRV, "10 10 5061 a.opa.example.\n10 10 5062 b.opa.example.\n",
                  60);
    assert_int_equal(change(primary, name, ZONE_SRV, LIST(a, b), LIST(a, b), 30), 0);
    expect_served(primary, name, ZONE_SRV, "10 10 5061 a.opa.example.\n10 10 5062 b.opa.example.\n",
                  30);
    assert_int_equal(change(primary, name, ZONE_SRV, LIST(b, a), NULL, 60), 0);
    expect_served(primary, name, ZONE_SRV, "", 0);
}

static void every_type_of_ours_comes_back_as_it_was_sent(void **state)
{
    const struct primary *primary = *state;
    static const struct {
        const char *name;
        enum zone_type type;
        const char *data;
    } rows[] = {
        {"edge.opa.example", ZONE_A, "192.0.2.10"},
        {"edge.opa.example", ZONE_AAAA, "2001:db8::10"},
        {"opa.example", ZONE_NAPTR, "10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.opa.example."},
        {"_sipaddr.opa.example", ZONE_TXT, "\"v=sipaddr1\""},
        {"_5061._tcp.edge.opa.example", ZONE_TLSA,
         "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
        {"4c26d9074c27d89ede59270c0ac14b71e071b15239519f75474b2f3b._sipaddr.opa.example",
         ZONE_NAPTR, "10 10 \"\" \"SIP+host\" \"\" opb.example."},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct update_set wanted;
        set_name(&wanted, rows[i].name, rows[i].type);
        set_add(&wanted, 300, rows[i].data);
        assert_int_equal(change(primary, rows[i].name, rows[i].type, NULL, LIST(rows[i].data), 300),
                         0);
        expect_served(primary, rows[i].name, rows[i].type, wanted.text, 300);
        assert_int_equal(change(primary, rows[i].name, rows[i].type, LIST(rows[i].data), NULL, 300),
                         0);
        expect_served(primary, rows[i].name, rows[i].type, "", 0);
        update_set_clear(&wanted);
    }
}

static void what_somebody_else_changed_is_not_overwritten(void **state)
{
    const struct primary *primary = *state;
    const char *name = "old.opa.example";
    assert_int_equal(change(primary, name, ZONE_A, NULL, LIST("192.0.2.1"), 60), STATUS_CONFLICT);
    assert_int_equal(change(primary, name, ZONE_A, LIST("192.0.2.2"), LIST("192.0.2.1"), 60),
                     STATUS_CONFLICT);
    assert_int_equal(
        change(primary, name, ZONE_A, LIST("192.0.2.99", "192.0.2.2"), LIST("192.0.2.1"), 60),
        STATUS_CONFLICT);
    expect_served(primary, name, ZONE_A, "192.0.2.99\n", 300);
}

static void a_batch_is_made_whole_or_not_at_all(void **state)
{
    const struct primary *primary = *state;
    struct update_change changes[UPDATE_BATCH_MAX];
    struct update_link *link;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        char name[64];
        snprintf(name, sizeof(name), "n%zu.opa.example", i);
        set_name(&changes[i].served, name, ZONE_A);
        set_name(&changes[i].wanted, name, ZONE_A);
        set_add(&changes[i].wanted, 60, "192.0.2.1");
    }
    set_add(&changes[COUNT_OF(changes) - 1].served, 60, "192.0.2.7"); /* which it does not serve */
    assert_int_equal(update_link_open(&primary->place, &link, why), 0);
    assert_int_equal(update_link_send(link, changes, COUNT_OF(changes), why), STATUS_CONFLICT);
    assert_int_equal(update_link_read(link, changes, COUNT_OF(changes), why), 0);
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        assert_int_equal(changes[i].served.count, 0);
    assert_int_equal(update_link_send(link, changes, COUNT_OF(changes), why), 0);
    assert_int_equal(update_link_read(link, changes, COUNT_OF(changes), why), 0);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        assert_true(update_set_eq(&changes[i].served, &changes[i].wanted));
        update_set_clear(&changes[i].wanted);
    }
    assert_int_equal(update_link_send(link, changes, COUNT_OF(changes), why), 0);
    update_link_close(link);
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        update_set_clear(&changes[i].served);
}

static void an_alias_is_told_as_one(void **state)
{
    const struct primary *primary = *state;
    struct update_change one;
    struct update_link *link;
    set_name(&one.served, "alias.opa.example", ZONE_A);
    assert_int_equal(update_link_open(&primary->place, &link, why), 0);
    assert_int_equal(update_link_read(link, &one, 1, why), 0);
    assert_true(one.served.is_alias);
    assert_int_equal(one.served.count, 0);
    set_name(&one.served, "x.sub.opa.example", ZONE_A);
    assert_int_equal(update_link_read(link, &one, 1, why), 0);
    assert_true(one.is_refused);
    assert_non_null(strstr(why, "a zone of its own"));
    update_link_close(link);
}

/* Is the set of this name and type absent, whatever is answered? */
static int absent(const struct primary *primary, const char *name, enum zone_type type, bool alias)
{
    struct update_change one;
    struct update_link *link;
    set_name(&one.served, name, type);
    assert_int_equal(update_link_open(&primary->place, &link, why), 0);
    assert_int_equal(update_link_read(link, &one, 1, why), 0);
    assert_int_equal(one.served.is_alias, alias);
    int status = update_link_absent(link, &one, 1, why);
    update_link_close(link);
    update_set_clear(&one.served);
    return status;
}

static void what_a_wildcard_makes_up_is_not_there(void **state)
{
    const struct primary *primary = *state;
    const char *name = "made-up.wild.opa.example", *wild = "*.wild.opa.example";
    assert_int_equal(change(primary, wild, ZONE_A, NULL, LIST("192.0.2.1"), 60), 0);
    expect_served(primary, name, ZONE_A, "192.0.2.1\n", 60);
    assert_int_equal(absent(primary, name, ZONE_A, false), 0);
    assert_int_equal(absent(primary, wild, ZONE_A, false), STATUS_CONFLICT);
    expect_served(primary, name, ZONE_A, "192.0.2.1\n", 60); /* asking changed nothing */
    assert_int_equal(change(primary, wild, ZONE_A, LIST("192.0.2.1"), NULL, 60), 0);
    assert_int_equal(absent(primary, "old.opa.example", ZONE_A, false), STATUS_CONFLICT);
    assert_int_equal(absent(primary, "alias.opa.example", ZONE_A, true), STATUS_CONFLICT);
    assert_int_equal(absent(primary, "any.cname.opa.example", ZONE_A, true), 0);
}

static void an_alias_is_replaced_where_it_was_read(void **state)
{
    const struct primary *primary = *state;
    struct update_change one;
    struct update_link *link;
    set_name(&one.served, "former.opa.example", ZONE_A);
    set_name(&one.wanted, "former.opa.example", ZONE_A);
    set_add(&one.wanted, 60, "192.0.2.1");
    assert_int_equal(update_link_open(&primary->place, &link, why), 0);
    assert_int_equal(update_link_read(link, &one, 1, why), 0);
    assert_true(one.served.is_alias);
    assert_int_equal(update_link_send(link, &one, 1, why), 0);
    assert_int_equal(update_link_send(link, &one, 1, why), STATUS_CONFLICT);
    update_link_close(link);
    update_set_clear(&one.wanted);
    expect_served(primary, "former.opa.example", ZONE_A, "192.0.2.1\n", 60);
}

/* As long as no address has the name, nothing of ours is there to be changed. */
static void refusals_are_told_in_words(void **state)
{
    struct primary *primary = *state;
    struct update_key wrong = {.name = "nobody"};
    snprintf(wrong.secret, sizeof(wrong.secret), "%s", primary->key.secret);
    primary->place.key = &wrong;
    assert_int_equal(change(primary, "a.opa.example", ZONE_A, NULL, LIST("192.0.2.1"), 60),
                     STATUS_DENIED);
    assert_non_null(strstr(why, "it has no key \"nobody\""));

    wrong = primary->key;
    wrong.secret[0] = 'A';
    assert_int_equal(change(primary, "a.opa.example", ZONE_A, NULL, LIST("192.0.2.1"), 60),
                     STATUS_DENIED);
    assert_non_null(strstr(why, "(BADSIG)"));

    primary->place.key = &primary->other;
    int status = change(primary, "a.opa.example", ZONE_A, NULL, LIST("192.0.2.1"), 60);
    assert_true(status == STATUS_DENIED || status == -EPERM); /* as the server sees it */
    assert_non_null(strstr(why, "key \"reader\""));

    primary->place.key = &primary->key;
    primary->place.zone = "opb.example";
    assert_int_equal(change(primary, "a.opb.example", ZONE_A, NULL, LIST("192.0.2.1"), 60),
                     STATUS_DENIED);
    assert_non_null(strstr(why, "(zone opb.example)"));
    primary->place.zone = "opa.example";
    assert_int_equal(change(primary, "a.opb.example", ZONE_A, NULL, LIST("192.0.2.1"), 60), -EPERM);
    assert_non_null(strstr(why, "(NOTZONE)"));
}

/* ---- hostile servers ---- */

/* Answers each message with what `answer` makes of it. */
struct hostile {
    struct update_place place;
    struct update_key key;
    int listener;
    pthread_t thread;
    size_t (*answer)(const uint8_t *question, size_t len, uint8_t *answer);
};

static bool read_all(int fd, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t got = read(fd, bytes, len);
        if (got <= 0)
            return false;
        bytes += got;
        len -= (size_t)got;
    }
    return true;
}

static void *hostile_run(void *arg)
{
    const struct hostile *hostile = arg;
    static uint8_t question[65537], answer[65537];
    int fd;
    while ((fd = accept(hostile->listener, NULL, NULL)) >= 0) {
        while (read_all(fd, question, 2)) {
            size_t len = (size_t)question[0] << 8 | question[1];
            if (!read_all(fd, question + 2, len))
                break;
            size_t out = hostile->answer(question + 2, len, answer + 2);
            answer[0] = (uint8_t)(out >> 8);
            answer[1] = (uint8_t)out;
            if (out == 0 || write(fd, answer, out + 2) != (ssize_t)(out + 2))
                break;
        }
        close(fd);
    }
    return NULL;
}

static void hostile_start(struct hostile *hostile,
                          size_t (*answer)(const uint8_t *, size_t, uint8_t *))
{
    socklen_t len = sizeof(hostile->place.primary);
    *hostile = (struct hostile){.answer = answer, .key = {"publisher", "AAECAwQFBgc="}};
    hostile->place = (struct update_place){.zone = "opa.example",
                                           .key = &hostile->key,
                                           .connect_ms = 20000,
                                           .timeout_ms = 20000,
                                           .cancel_fd = -1};
    assert_int_equal(netaddr_from_ip(&hostile->place.primary, SLICE("127.0.0.1"), 0), 0);
    hostile->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(hostile->listener, &hostile->place.primary.sa, netaddr_len(&hostile->place.primary)),
        0);
    assert_int_equal(getsockname(hostile->listener, &hostile->place.primary.sa, &len), 0);
    assert_int_equal(listen(hostile->listener, 8), 0);
    assert_int_equal(pthread_create(&hostile->thread, NULL, hostile_run, hostile), 0);
}

static void hostile_stop(struct hostile *hostile)
{
    shutdown(hostile->listener, SHUT_RDWR);
    pthread_join(hostile->thread, NULL);
    close(hostile->listener);
}

static int hostile_read(const struct hostile *hostile)
{
    struct update_change one;
    struct update_link *link;
    set_name(&one.served, "a.opa.example", ZONE_A);
    assert_int_equal(update_link_open(&hostile->place, &link, why), 0);
    int status = update_link_read(link, &one, 1, why);
    update_link_close(link);
    update_set_clear(&one.served);
    return status;
}

static int hostile_send(const struct hostile *hostile)
{
    struct update_change one;
    struct update_link *link;
    set_name(&one.served, "a.opa.example", ZONE_A);
    set_name(&one.wanted, "a.opa.example", ZONE_A);
    set_add(&one.wanted, 60, "192.0.2.1");
    assert_int_equal(update_link_open(&hostile->place, &link, why), 0);
    int status = update_link_send(link, &one, 1, why);
    update_link_close(link);
    update_set_clear(&one.wanted);
    return status;
}

static size_t answer_short(const uint8_t *question, size_t len, uint8_t *answer)
{
    (void)len;
    memcpy(answer, question, 5);
    return 5;
}

static size_t answer_echo(const uint8_t *question, size_t len, uint8_t *answer)
{
    memcpy(answer, question, len);
    return len;
}

/* QR set, NOERROR: success without a signature. */
static size_t answer_unsigned(const uint8_t *question, size_t len, uint8_t *answer)
{
    memcpy(answer, question, len);
    answer[2] |= 0x80;
    memset(answer + 6, 0, 6);
    return 12 + 13 + 4; /* header, the zone's name, type and class */
}

/* QR and AA, and more records than there are. */
static size_t answer_boast(const uint8_t *question, size_t len, uint8_t *answer)
{
    memcpy(answer, question, len);
    answer[2] |= 0x84;
    answer[6] = answer[7] = 0xff;
    return len;
}

/* The right id, another question. */
static size_t answer_other(const uint8_t *question, size_t len, uint8_t *answer)
{
    memcpy(answer, question, len);
    answer[2] |= 0x84;
    answer[13] ^= 1;
    return len;
}

static size_t answer_wrong_id(const uint8_t *question, size_t len, uint8_t *answer)
{
    memcpy(answer, question, len);
    answer[2] |= 0x84;
    answer[0] ^= 1;
    return len;
}

static size_t answer_nothing(const uint8_t *question, size_t len, uint8_t *answer)
{
    (void)question;
    (void)len;
    (void)answer;
    return 0;
}

static void hostile_answers_are_no_answers(void **state)
{
    (void)state;
    static const struct {
        size_t (*answer)(const uint8_t *, size_t, uint8_t *);
        int read, send;
    } rows[] = {
        {answer_short, STATUS_MALFORMED, STATUS_MALFORMED},
        {answer_echo, STATUS_MALFORMED, STATUS_MALFORMED},
        {answer_unsigned, STATUS_MALFORMED /* it is too short for this */, STATUS_MALFORMED},
        {answer_boast, STATUS_MALFORMED, STATUS_MALFORMED},
        {answer_other, STATUS_MALFORMED, STATUS_MALFORMED},
        {answer_wrong_id, STATUS_MALFORMED, STATUS_MALFORMED},
        {answer_nothing, STATUS_CLOSED, STATUS_CLOSED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct hostile hostile;
        hostile_start(&hostile, rows[i].answer);
        assert_int_equal(hostile_read(&hostile), rows[i].read);
        if (rows[i].read == STATUS_MALFORMED)
            assert_non_null(strstr(why, "what it sent is no answer to our question"));
        assert_int_equal(hostile_send(&hostile), rows[i].send);
        hostile_stop(&hostile);
    }
}

static void waiting_has_an_end_and_can_be_given_up(void **state)
{
    (void)state;
    struct hostile hostile;
    struct update_change one;
    struct update_link *link;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* accepts nothing */
    socklen_t len = sizeof(hostile.place.primary);
    hostile_start(&hostile, answer_nothing);
    hostile_stop(&hostile);
    netaddr_set_port(&hostile.place.primary, 0);
    assert_int_equal(bind(listener, &hostile.place.primary.sa, netaddr_len(&hostile.place.primary)),
                     0);
    assert_int_equal(getsockname(listener, &hostile.place.primary.sa, &len), 0);
    assert_int_equal(listen(listener, 8), 0);

    set_name(&one.served, "a.opa.example", ZONE_A);
    hostile.place.timeout_ms = 20;
    assert_int_equal(update_link_open(&hostile.place, &link, why), 0);
    assert_int_equal(update_link_read(link, &one, 1, why), -ETIMEDOUT);
    assert_non_null(strstr(why, "no answer over TCP within 20 ms"));
    update_link_close(link);

    hostile.place.timeout_ms = 600000;
    hostile.place.cancel_fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(update_link_open(&hostile.place, &link, why), 0);
    assert_int_equal(eventfd_write(hostile.place.cancel_fd, 1), 0);
    assert_int_equal(update_link_read(link, &one, 1, why), STATUS_CANCELLED);
    update_link_close(link);
    close(hostile.place.cancel_fd);
    hostile.place.cancel_fd = -1;
    close(listener);
    assert_int_equal(update_link_open(&hostile.place, &link, why), -ECONNREFUSED);
    assert_non_null(strstr(why, "(zone opa.example): no server takes TCP connections there"));
}

static struct primary servers[2]; /* Knot and BIND */

static void skip_test(void **state)
{
    (void)state;
    skip();
}

static int servers_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(servers); i++)
        if (primary_is_there(i == 1))
            primary_start(&servers[i], i == 1);
    return 0;
}

static int servers_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(servers); i++)
        if (primary_is_there(i == 1))
            primary_stop(&servers[i]);
    return 0;
}

#define REAL(test, name, server)                                                                   \
    {                                                                                              \
        name ": " #test, test, NULL, NULL, server                                                  \
    }
#define EACH(test) REAL(test, "Knot", &servers[0]), REAL(test, "BIND", &servers[1])

/* Those of servers that are not installed. */
static void skip_missing(struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < COUNT_OF(servers); k++)
            if (tests[i].initial_state == &servers[k] && !primary_is_there(k == 1))
                tests[i].test_func = skip_test;
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_records_does_not_matter),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(keys_of_tsig_keygen_and_keymgr_are_read),
        cmocka_unit_test(comments_are_no_keys),
        cmocka_unit_test(a_key_that_everybody_may_write_is_refused),
        cmocka_unit_test(other_keys_are_refused_in_words),
        EACH(sets_are_made_replaced_and_taken_away),
        EACH(every_type_of_ours_comes_back_as_it_was_sent),
        EACH(what_somebody_else_changed_is_not_overwritten),
        EACH(a_batch_is_made_whole_or_not_at_all),
        EACH(an_alias_is_told_as_one),
        EACH(what_a_wildcard_makes_up_is_not_there),
        EACH(an_alias_is_replaced_where_it_was_read),
        EACH(refusals_are_told_in_words),
        cmocka_unit_test(hostile_answers_are_no_answers),
        cmocka_unit_test(waiting_has_an_end_and_can_be_given_up),
    };
    skip_missing(tests, COUNT_OF(tests));
    return cmocka_run_group_tests_name("update", tests, servers_start, servers_stop);
}
