#!/bin/sh
# Do includes go only downward? Prints TAP; `tests/layers.sh [ROOT]` checks another tree.
#
#   base <- store <- resolver <- peering <- api <- tools; tests include anything
#   within peering: sip <- transport <- txn <- proxy <- files directly in peering/
#
# The environment may give CC, top_builddir and LIB_CFLAGS, as `make check` does.
set -u
export LC_ALL=C

root=${1:-${top_srcdir:-$(dirname "$0")/..}}
cd "$root" || exit 1
: "${CC:=cc}" "${top_builddir:=$root}" "${LIB_CFLAGS:=}"

folders=
for folder in base store resolver peering api tools tests; do
    [ -d "$folder" ] && folders="$folders $folder"
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# shellcheck disable=SC2086 # a list of folders
find $folders -name '*.[ch]' -print | sort >"$work/files"

# One line per include: FILE LINE QUOTE NAME, where QUOTE is " or <.
while read -r file; do
    awk -v file="$file" '
        match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]+/) {
            text = substr($0, RSTART, RLENGTH)
            sub(/^[ \t]*#[ \t]*include[ \t]*/, "", text)
            print file, NR, substr(text, 1, 1), substr(text, 2)
        }' "$file"
done <"$work/files" >"$work/includes"

count=0
failures=0

# report NAME: passes where nothing is in $work/bad, which says what is wrong, a line each.
report()
{
    count=$((count + 1))
    if [ -s "$work/bad" ]; then
        failures=$((failures + 1))
        echo "not ok $count - $1"
        sed 's/^/# /' "$work/bad"
    else
        echo "ok $count - $1"
    fi
}

echo 1..5

# An empty tree passes everything, which would hide that nothing was looked at.
: >"$work/bad"
[ -s "$work/files" ] || echo "no source file in $root" >"$work/bad"
report "there are sources to look at"

while read -r file line quote name; do
    case $quote$name in
    '"config.h') ;;
    '"./'* | '"../'* | '"'*/../*) echo "$file:$line: \"$name\" is not written from the root" ;;
    '"'*) [ -e "$name" ] || echo "$file:$line: \"$name\" is not a file, seen from the root" ;;
    '<base/'* | '<store/'* | '<resolver/'* | '<peering/'* | '<api/'* | '<tools/'* | '<tests/'*)
        echo "$file:$line: <$name> is ours and must be written in quotes"
        ;;
    esac
done <"$work/includes" >"$work/bad"
report "includes are written from the root"

awk '
    function rank(path) {
        if (path ~ /^base\//) return 1
        if (path ~ /^store\//) return 2
        if (path ~ /^resolver\//) return 3
        if (path ~ /^peering\/sip\//) return 4
        if (path ~ /^peering\/transport\//) return 5
        if (path ~ /^peering\/txn\//) return 6
        if (path ~ /^peering\/proxy\//) return 7
        if (path ~ /^peering\/[^\/]*$/) return 8
        if (path ~ /^api\//) return 9
        if (path ~ /^tools\//) return 10
        if (path ~ /^tests\//) return 11
        return 0
    }
    {
        own = rank($1)
        other = rank($4)
        if (own == 0)
            print $1 ": in no folder that this check knows"
        else if ($4 ~ /^peering\// && other == 0)
            print $1 ":" $2 ": \"" $4 "\" is in no folder that this check knows"
        else if (other > own)
            print $1 ":" $2 ": \"" $4 "\" is above this folder"
    }' "$work/includes" >"$work/bad"
report "includes go only downward between folders"

awk '
    function only(folder) {
        if ($1 !~ "^" folder "/")
            print $1 ":" $2 ": only " folder "/ includes " $4
    }
    $1 ~ /^tests\// { next }
    $4 ~ /(^|\/)(lmdb|idn2)\.h$/ { only("store") }
    $4 ~ /(^|\/)ldns(\/|\.h$)/ { only("resolver") }
    $4 ~ /(^|\/)microhttpd\.h$/ { only("api") }' "$work/includes" >"$work/bad"
report "each library is included by its folder only"

grep '\.h$' "$work/files" >"$work/headers"
while read -r header; do
    # shellcheck disable=SC2086 # lists of options
    $CC -x c -std=gnu11 -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -I. -I"$top_builddir" \
        $LIB_CFLAGS "$header" 2>&1 | head -n 5
done <"$work/headers" >"$work/bad"
report "each header compiles alone"

[ "$failures" -eq 0 ]
