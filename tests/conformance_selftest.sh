#!/bin/sh
# Can tests/conformance.sh fail? It is run on tiny trees with one fault each and must name it.

# shellcheck disable=SC2016 # backquotes are those of the page
set -u

conformance=$(cd "$(dirname "$0")" && pwd)/conformance.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

count=0
failures=0
tree=$work/tree
mkdir -p "$tree/docs" "$tree/tests/a"
printf '%s\n' 'static void it_holds(void **state)' '{' '}' 'static void it_is_not_run(void **state)' \
    '    cmocka_unit_test(it_holds),' >"$tree/tests/a/test_c.c"
printf '%s\n' 'def test_it_holds(lab):' >"$tree/tests/a/test_p.py"
printf '%s\n' 'scenario INVITE over UDP: it holds' >"$tree/tests/a/s.txt"

# page LAST_COLUMN...: the page has one line for each.
page()
{
    echo '| section | what is asked | proof |'
    echo '| --- | --- | --- |'
    for column in "$@"; do
        echo "| 1.2 | something | $column |"
    done
}

# expect_line NAME LINE LAST_COLUMN: what the check says of such a page has this line.
expect_line()
{
    count=$((count + 1))
    page "$3" >"$tree/docs/conformance.md"
    sh "$conformance" "$tree" >"$work/out" 2>&1
    if grep -qxF "$2" "$work/out"; then
        echo "ok $count - $1"
    else
        failures=$((failures + 1))
        echo "not ok $count - $1"
        sed 's/^/# /' "$work/out"
    fi
}

echo 1..11

count=1
page '`a/test_c.c:it_holds`' '`a/test_p.py:test_it_holds` `a/test_c.c:it_holds`; and more' \
    '`a/s.txt:INVITE over UDP`' 'none: no matter' 'exception: see `a/test_c.c:it_holds`' \
    'open: not yet' >"$tree/docs/conformance.md"
if sh "$conformance" "$tree" >"$work/out" 2>&1; then
    echo "ok 1 - a page whose tests exist passes"
else
    failures=1
    echo "not ok 1 - a page whose tests exist passes"
    sed 's/^/# /' "$work/out"
fi

absent='# docs/conformance.md:3: there is no'
expect_line "a test that is not defined" "$absent a/test_c.c:it_never_was" '`a/test_c.c:it_never_was`'
expect_line "a test that is not run" "$absent a/test_c.c:it_is_not_run" '`a/test_c.c:it_is_not_run`'
expect_line "the beginning of a name" "$absent a/test_c.c:it_hold" '`a/test_c.c:it_hold`'
expect_line "a function that pytest has not" "$absent a/test_p.py:test_it" '`a/test_p.py:test_it`'
expect_line "a title that no scenario has" "$absent a/s.txt:over UDP" '`a/s.txt:over UDP`'
expect_line "a file that is not there" "$absent b/test_c.c:it_holds" '`b/test_c.c:it_holds`'
expect_line "the second of two tests" "$absent a/test_c.c:no" '`a/test_c.c:it_holds` `a/test_c.c:no`'
expect_line "a test of an exception" "$absent a/test_c.c:no" 'exception: but `a/test_c.c:no`'
expect_line "a requirement without anything" \
    '# docs/conformance.md:3: neither a test nor none, exception or open' 'surely'
expect_line "a requirement without a reason" \
    '# docs/conformance.md:3: neither a test nor none, exception or open' 'none'

[ "$failures" -eq 0 ]
