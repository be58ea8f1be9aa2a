/* The regexp field of NAPTR, and the expressions in it: RFC examples, each delimiter and escape,
 * the choice between matches, and what hostile zones may hold. */
#include "resolver/pattern.h"
#include "resolver/regexp.h"

#include "tests/test.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

/* ---- substitution ---- */

static void substitutes_as_the_rfcs_show(void **state)
{
    static const struct {
        const char *field, *input, *result;
    } cases[] = {
        /* RFC 6116 section 3.6 and 6.1 */
        {"!^.*$!sip:info@example.com!", "+441632960083", "sip:info@example.com"},
        {"!^\\+44(.*)$!sip:\\1@example.com!", "+441632960083", "sip:1632960083@example.com"},
        /* RFC 3403 section 6.1, shortened to the length an expression takes */
        {"!^urn:cid:.+@([^\\.]+\\.)(.*)$!\\2!i", "URN:cid:1851.1@bar.example.com", "example.com"},
        /* RFC 3403 section 6.2 */
        {"!^http://([^/:]+)!\\1!i", "http://www.foo.com/software", "www.foo.com"},
        /* each part may be empty */
        {"!!!", "+49", ""},
        {"!!sip:a@b.example!", "+49", "sip:a@b.example"},
        {"!x*!<\\0>!", "+49", NULL},
        /* what is not matched is no part of the result */
        {"!30!sip:x@y.example!", "+493012", "sip:x@y.example"},
        {"!(9)(3)!\\2\\1\\2!", "+493012", "393"},
        /* a group that took no part is empty */
        {"!^(\\+1)?(\\+49)?(.*)$!\\1|\\2|\\3!", "+4930", "|+49|30"},
        {"!^(a)|b$!<\\1>!", "b", "<>"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[64] = "untouched";
        const char *fault = resolver_regexp_apply(slice_of(cases[i].field),
                                                  slice_of(cases[i].input), out, sizeof(out));
        if (cases[i].result ? fault != NULL || strcmp(out, cases[i].result) != 0
                            : fault == NULL || strcmp(out, "untouched") != 0)
            fail_msg("%s of %s: '%s', %s", cases[i].field, cases[i].input, out, fault);
    }
}

static void every_delimiter_that_may_be_is_taken(void **state)
{
    unsigned taken = 0;
    (void)state;
    for (int c = 0; c < 256; c++) {
        char delim = (char)c;
        char field[] = {delim, 'x', '(', '.', ')', delim, '<', '\\', '1', '>', delim};
        char escaped[] = {delim, '\\', delim, '(', 'z', ')', delim, '\\', delim, '\\', '1', delim};
        char input[] = {delim, 'z'};
        char out[16] = "";
        bool may = c != '\\' && !(c >= '1' && c <= '9') && c != 'i' && c != 'I';
        bool in_field = memchr("x(.)<>", c, 6) && c;
        const char *fault =
            resolver_regexp_apply(slice_make(field, sizeof(field)), SLICE("xy"), out, sizeof(out));
        assert_int_equal(fault == NULL, may && !in_field);
        if (!fault)
            assert_string_equal(out, "<y>");
        /* as itself, in both parts */
        if (!may || strchr("(z)", c))
            continue;
        fault = resolver_regexp_apply(slice_make(escaped, sizeof(escaped)), slice_make(input, 2),
                                      out, sizeof(out));
        assert_null(fault);
        assert_int_equal(out[0], delim);
        assert_string_equal(out + 1, "z");
        taken++;
    }
    assert_int_equal(taken, 256 - 1 - 9 - 2 - 3 - 1); /* and NUL, with which strchr ends */
}

static void escapes_stand_for_what_the_rfc_says(void **state)
{
    static const struct {
        const char *field, *input, *result; /* NULL: refused */
    } cases[] = {
        {"!a!\\!!", "a", "!"},
        {"!a!\\\\!", "a", "\\"},
        {"!(a)!\\\\1!", "a", "\\1"},
        {"!a!\\0!", "a", NULL},
        {"!(a)!\\2!", "a", NULL},
        {"!a!\\n!", "a", NULL},
        {"!\\!!x!", "!", "x"},
        {"![\\!]!x!", "!", "x"},
        {"![\\!]!x!", "\\", NULL},
        {"![\\/]!x!", "\\", "x"},
        {"|a\\|b|x|", "a|b", "x"},
        {"|a\\|b|x|", "a", NULL},
        {"!\\.!x!", ".", "x"},
        {"!\\.!x!", "a", NULL},
        {"!\\\\!x!", "\\", "x"},
        {"!\\d!x!", "d", NULL},
        {"!(a)\\1!x!", "aa", NULL},
        {"!a!x!i", "A", "x"},
        {"!a!x!ii", "A", "x"},
        {"!a!x!I", "A", "x"},
        {"!a!x!g", "a", NULL},
        {"!a!x!i!", "a", NULL},
        {"!a!x", "a", NULL},
        {"!a", "a", NULL},
        {"!", "a", NULL},
        {"", "a", NULL},
        {"!a\\!x!", "a", NULL},
        {"!a!x\\!", "a", NULL},
        {"!a!\\", "a", NULL},
        {"!a\\", "a", NULL},
        {"!((((((((((a))))))))))!\\9!", "a", "a"},
        {"!(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)!\\9\\1\\10!", "1234567890", "9110"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[64] = "untouched";
        const char *fault = resolver_regexp_apply(slice_of(cases[i].field),
                                                  slice_of(cases[i].input), out, sizeof(out));
        if (cases[i].result ? fault != NULL || strcmp(out, cases[i].result) != 0
                            : fault == NULL || strcmp(out, "untouched") != 0)
            fail_msg("%s of %s: '%s', %s", cases[i].field, cases[i].input, out, fault);
    }
}

static void results_fit_or_are_refused(void **state)
{
    char out[8];
    char nul[] = "!a!x\0y!";
    (void)state;
    assert_null(resolver_regexp_apply(SLICE("!(.*)!\\1!"), SLICE("1234567"), out, sizeof(out)));
    assert_string_equal(out, "1234567");
    assert_string_equal(
        resolver_regexp_apply(SLICE("!(.*)!\\1\\1!"), SLICE("1234"), out, sizeof(out)),
        "the result is too long");
    assert_string_equal(
        resolver_regexp_apply(slice_make(nul, sizeof(nul) - 1), SLICE("a"), out, sizeof(out)),
        "the result contains NUL");
    char field[257], input[40];
    memset(field, 'a', sizeof(field));
    memset(input, 'a', sizeof(input));
    assert_non_null(resolver_regexp_apply(slice_make(field, 256), SLICE("a"), out, sizeof(out)));
    assert_non_null(resolver_regexp_apply(SLICE("!a!b!"), slice_make(input, 32), out, sizeof(out)));
    assert_null(resolver_regexp_apply(SLICE("!a!b!"), slice_make(input, 31), out, sizeof(out)));
}

/* ---- expressions ---- */

static const char *compile_error(const char *expression)
{
    struct pattern pattern;
    return pattern_compile(slice_of(expression), '!', false, &pattern);
}

static void what_posix_leaves_undefined_is_refused(void **state)
{
    static const char *const cases[] = {
        "*",       "+a",      "?",
        "{1}",     "a|*b",    "(*a)",
        "a**",     "a+?",     "a{2}{3}",
        "a{",      "a{1",     "a{,3}",
        "a{3,2}",  "a{256}",  "a{1,256}",
        "a{x}",    "a{1,x}",  "a{1;2}",
        "(",       "(a",      ")",
        "a)",      "(a))",    "[",
        "[a",      "[]",      "[^]",
        "[z-a]",   "[[:x:]]", "[[:alpha]",
        "[[.a.]]", "[[=a=]]", "[a-[:digit:]]",
        "\\",      "a\\",     "\\w",
        "\\b",     "\\1",     "\\<(a\\",
        "^*",      "$+",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (!compile_error(cases[i]))
            fail_msg("%s was taken", cases[i]);
}

/* The text of each part, "-" for one that took none, up to the last group. */
static void match_text(const char *expression, const char *text, bool fold, char *out, size_t size)
{
    struct pattern pattern;
    struct pattern_match match;
    const char *fault = pattern_compile(slice_of(expression), '!', fold, &pattern);
    if (fault)
        fail_msg("%s: %s", expression, fault);
    out[0] = '\0';
    if (!pattern_match(&pattern, slice_of(text), &match)) {
        snprintf(out, size, "no");
        return;
    }
    size_t len = 0;
    for (size_t i = 0; i <= pattern.groups && i <= PATTERN_GROUPS_MAX; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%.*s", i ? "," : "",
                                match.parts[i].p ? (int)match.parts[i].len : 1,
                                match.parts[i].p ? match.parts[i].p : "-");
}

static void the_leftmost_longest_match_is_taken(void **state)
{
    static const struct {
        const char *expression, *text, *parts;
        bool fold;
    } cases[] = {
        {"b+", "abbbc", "bbb", false},
        {"a|ab|abc", "abcd", "abc", false},
        {"x*", "aax", "", false},
        {"(a|ab)(c|bcd)(d*)", "abcd", "abcd,ab,c,d", false},
        {"(a|ab)(bcd|c)(d*)", "abcd", "abcd,ab,c,d", false},
        {"(a*)(a*)", "aaa", "aaa,aaa,", false},
        {"(a?)(ab)?", "ab", "ab,,ab", false},
        {"(a?)(ab)?(b)?", "abb", "abb,,ab,b", false},
        {"(a|b)*", "abab", "abab,b", false},
        {"(ab|a|b)*", "abab", "abab,ab", false},
        {"(ab|a)(bc|c)?", "abc", "abc,ab,c", false},
        {"((a)|b)*", "ab", "ab,b,a", false},
        {"^(.{2})(.{3})(.*)$", "+493012", "+493012,+4,930,12", false},
        {"^\\+49(30|3)(.*)$", "+49301", "+49301,30,1", false},
        {"a{0}b", "ab", "b", false},
        {"a{2,3}", "aaaa", "aaa", false},
        {"a{2,}", "aaaa", "aaaa", false},
        {"a{2}", "a", "no", false},
        {"(a*){255}", "aa", "aa,", false},
        {"(a|$){3,4}", "aa", "aa,", false},
        {"(){255}a", "a", "a,", false},
        {"(^a|b)+", "aba", "ab,b", false},
        {"a$|^b", "ba", "b", false},
        {"a^b", "ab", "no", false},
        {"[a-c]+", "xbcad", "bca", false},
        {"[^a-c]+", "abxyc", "xy", false},
        {"[]a]+", "x]a]", "]a]", false},
        {"[^]a]+", "]xa", "x", false},
        {"[a-]+", "b-a-", "-a-", false},
        {"[%--]+", "/%-", "%-", false},
        {"[[:digit:]x]+", "a1x2b", "1x2", false},
        {"[^[:digit:]]+", "12ab3", "ab", false},
        {"[\\d]+", "\\d", "\\d", false},
        {"AbC", "xaBc", "aBc", true},
        {"[a-c]+", "ABC", "ABC", true},
        {"[^a]+", "Ab", "b", true},
        {"]}", "]}", "]}", false},
        {"a||b", "b", "b", false},
        {"(|a)b", "ab", "ab,a", false},
        {"()", "a", ",", false},
        {"", "a", "", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char parts[128];
        match_text(cases[i].expression, cases[i].text, cases[i].fold, parts, sizeof(parts));
        if (strcmp(parts, cases[i].parts) != 0)
            fail_msg("%s of %s: %s instead of %s", cases[i].expression, cases[i].text, parts,
                     cases[i].parts);
    }
}

static void classes_are_those_of_the_posix_locale(void **state)
{
    static const struct {
        const char *name;
        unsigned members;
    } cases[] = {{"alnum", 62}, {"alpha", 52}, {"blank", 2},  {"cntrl", 33},
                 {"digit", 10}, {"graph", 94}, {"lower", 26}, {"print", 95},
                 {"punct", 32}, {"space", 6},  {"upper", 26}, {"xdigit", 22}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char expression[32];
        struct pattern pattern;
        struct pattern_match match;
        unsigned members = 0;
        snprintf(expression, sizeof(expression), "[[:%s:]]", cases[i].name);
        assert_null(pattern_compile(slice_of(expression), '!', false, &pattern));
        for (int c = 0; c < 256; c++)
            members += pattern_match(&pattern, slice_make((char[]){(char)c}, 1), &match);
        assert_int_equal(members, cases[i].members - (i == 3 ? 1 : 0)); /* NUL cannot come */
    }
}

/* ---- hostile and random ---- */

/* Each makes regcomp or a backtracking matcher take for ever. That this test ends is the proof. */
static void hostile_expressions_end(void **state)
{
    static const char *const cases[] = {
        "((((((((a*)*)*)*)*)*)*)*)*b",
        "(a|a|a|a|a)*(a|a|a|a|a)*(a|a|a|a|a)*b",
        "(((((((a{1,255}){1,255}){1,255}){1,255}){1,255}){1,255}){1,255})",
        "((((((((a{0,255}){0,255}){0,255}){0,255}){0,255}){0,255}){0,255}){0,255})b",
        "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)x",
        "(a?){255}a{31}",
        "((a*){200}(a*){200}(a*){200}(a*){200}(a*){200}(a*){200}(a*){200}(a*){200}(a*){200})*",
        "((a|b|)*|(a|b)*|(ab)*|)*",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char parts[512];
        match_text(cases[i], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, parts, sizeof(parts));
        match_text(cases[i], "ababababababababababababababa", false, parts, sizeof(parts));
    }
    char deep[256] = "";
    memset(deep, '(', 127);
    assert_non_null(compile_error(deep));
    for (int i = 0; i < 254; i += 2)
        memcpy(deep + i, "a*", 3);
    match_text(deep, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, deep, sizeof(deep));
    assert_string_equal(deep, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    char many[PATTERN_NODES_MAX + 2];
    memset(many, 'a', sizeof(many));
    many[sizeof(many) - 1] = '\0';
    assert_non_null(compile_error(many));
    /* What has the most parts for its length still fits: each three octets are four. */
    for (int i = 0; i < 255; i += 3)
        memcpy(many + i, "(|)", 3);
    many[255] = '\0';
    assert_null(compile_error(many));
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

/* Any octets: no crash, no undefined behaviour (the sanitizers' run is the judge), and no result
 * without its terminator. */
static void random_fields_do_no_harm(void **state)
{
    static const char common[] = "ab1+.*?(){}[]|^$\\!-,:0123456789";
    uint32_t seed = 1;
    unsigned applied = 0;
    (void)state;
    for (int run = 0; run < 30000; run++) {
        char field[40], input[16], out[32];
        size_t len = random_next(&seed) % sizeof(field);
        size_t input_len = random_next(&seed) % sizeof(input);
        for (size_t i = 0; i < len; i++)
            field[i] = run % 3 == 0 ? (char)random_next(&seed)
                                    : common[random_next(&seed) % (sizeof(common) - 1)];
        if (run % 2 && len > 8) {
            memcpy(field, "!(", 2);
            memcpy(field + len - 6, ")!\\1x!", 6);
        }
        for (size_t i = 0; i < input_len; i++)
            input[i] = common[random_next(&seed) % 5];
        if (!resolver_regexp_apply(slice_make(field, len), slice_make(input, input_len), out,
                                   sizeof(out))) {
            applied++;
            assert_true(strlen(out) < sizeof(out));
        }
    }
    assert_true(applied > 100);
}

static void append(char *out, size_t size, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s", text);
}

/* An expression that both matchers understand alike. */
static void random_expression(uint32_t *seed, int depth, char *out, size_t size)
{
    size_t len = strlen(out);
    unsigned pieces = 1 + random_next(seed) % 3;
    for (unsigned i = 0; i < pieces && len + 24 < size; i++) {
        if (i && random_next(seed) % 4 == 0)
            append(out, size, "|");
        if (depth > 0 && random_next(seed) % 3 == 0) {
            append(out, size, "(");
            random_expression(seed, depth - 1, out, size - 16); /* room for what ends it */
            append(out, size, ")");
        } else {
            static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "c"};
            append(out, size, atoms[random_next(seed) % COUNT_OF(atoms)]);
        }
        static const char *const repeats[] = {"", "", "", "*", "+", "?", "{1,2}", "{2}"};
        append(out, size, repeats[random_next(seed) % COUNT_OF(repeats)]);
        len = strlen(out);
    }
}

/* The C library's matcher finds the same match. (Which part a group took is left out: there it does
 * not keep to the standard itself.) */
static void matches_are_those_of_the_c_library(void **state)
{
    uint32_t seed = 7;
    unsigned matched = 0;
    (void)state;
    for (int run = 0; run < 5000; run++) {
        char expression[160] = "", text[12];
        random_expression(&seed, 3, expression, sizeof(expression));
        size_t len = random_next(&seed) % sizeof(text);
        for (size_t i = 0; i < len; i++)
            text[i] = "abcd"[random_next(&seed) % 4];
        text[len ? len - 1 : 0] = '\0';

        struct pattern pattern;
        struct pattern_match match;
        const char *fault = pattern_compile(slice_of(expression), '!', run & 1, &pattern);
        if (fault)
            fail_msg("%s: %s", expression, fault);
        regex_t regex;
        regmatch_t found;
        assert_int_equal(regcomp(&regex, expression, REG_EXTENDED | (run & 1 ? REG_ICASE : 0)), 0);
        bool theirs = regexec(&regex, text, 1, &found, 0) == 0;
        bool ours = pattern_match(&pattern, slice_of(text), &match);
        regfree(&regex);
        if (ours != theirs || (ours && (match.parts[0].p != text + found.rm_so ||
                                        match.parts[0].len != (size_t)(found.rm_eo - found.rm_so))))
            fail_msg("%s of %s: ours %d %.*s, theirs %d", expression, text, ours,
                     ours ? (int)match.parts[0].len : 0, ours ? match.parts[0].p : "", theirs);
        matched += ours;
    }
    assert_true(matched > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(substitutes_as_the_rfcs_show),
        cmocka_unit_test(every_delimiter_that_may_be_is_taken),
        cmocka_unit_test(escapes_stand_for_what_the_rfc_says),
        cmocka_unit_test(results_fit_or_are_refused),
        cmocka_unit_test(what_posix_leaves_undefined_is_refused),
        cmocka_unit_test(the_leftmost_longest_match_is_taken),
        cmocka_unit_test(classes_are_those_of_the_posix_locale),
        cmocka_unit_test(hostile_expressions_end),
        cmocka_unit_test(random_fields_do_no_harm),
        cmocka_unit_test(matches_are_those_of_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
