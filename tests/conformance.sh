#!/bin/sh
# Does each test that docs/conformance.md names exist? Prints TAP; `tests/conformance.sh [ROOT]`
# checks another tree.
#
# A line of a table names at least one test, or begins its last column with one of the words none,
# exception, open. A test is `FILE:NAME` below tests/: a cmocka test that is defined and run, a
# function of pytest, or a scenario by the beginning of its title.
set -u
export LC_ALL=C

. "$(dirname "$0")/tap.sh"

root=${1:-${top_srcdir:-$(dirname "$0")/..}}
cd "$root" || exit 1
page=docs/conformance.md

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# exists FILE NAME
exists()
{
    [ -f "tests/$1" ] || return 1
    case $1 in
    *.c) grep -q "^static void $2(void \*\*state)" "tests/$1" &&
        grep -Eq "[( ]$2[,)]" "tests/$1" ;;
    *.py) grep -q "^def $2(" "tests/$1" ;;
    *.txt) awk -v title="scenario $2" 'index($0, title) == 1 { found = 1 }
        END { exit !found }' "tests/$1" ;;
    *) return 1 ;;
    esac
}

echo 1..3

# NUMBER, tab, last column: of each line of a table but its head.
awk -F ' [|] ' '/^[|]/ && !/^[|] (section|---)/ {
    last = $NF
    sub(/ [|]$/, "", last)
    print FNR "\t" last
}' "$page" >"$work/rows"

: >"$work/bad"
[ -s "$work/rows" ] || echo "no line of a table in $page" >"$work/bad"
report "there are requirements to look at"

awk -F '\t' -v page="$page" '
    $2 !~ /^(none|exception|open): / && $2 !~ /^`[^`:]+:[^`]+`/ {
        print page ":" $1 ": neither a test nor none, exception or open"
    }' "$work/rows" >"$work/bad"
report "each requirement has a test or a reason"

awk -F '`' '{
    split($0, number, "\t")
    for (i = 2; i <= NF; i += 2)
        if ($i ~ /:/ && $i ~ /^[a-z_\/]+[.](c|py|txt):/)
            print number[1] "\t" $i
}' "$work/rows" >"$work/named"
while IFS='	' read -r line named; do
    exists "${named%%:*}" "${named#*:}" || echo "$page:$line: there is no $named"
done <"$work/named" >"$work/bad"
report "each test that is named exists and is run"

[ "$failures" -eq 0 ]
