#!/bin/sh
# Do includes go only downward? Prints TAP; `tests/layers.sh [ROOT]` checks another tree.
#
#   base <- store <- resolver <- peering <- api <- tools; tests include anything
#   within peering: guard, sip <- transport <- txn <- watch <- proxy <- files directly in peering/
#
# Which library is whose, and which headers of a room are for others, is in the two tables below.
# The environment may give CC, top_builddir and LIB_CFLAGS, as `make check` does.
set -u
export LC_ALL=C

. "$(dirname "$0")/tap.sh"

root=${1:-${top_srcdir:-$(dirname "$0")/..}}
cd "$root" || exit 1
: "${CC:=cc}" "${top_builddir:=$root}" "${LIB_CFLAGS:=}"

# A library's headers, and which rooms or files may include them; the first line that fits counts. Tests may anything.
libraries='
lmdb[.]h                                  store
idn2[.]h                                  store
ldns([.]h|/.*)                            resolver
openssl/(evp|sha|crypto|core_names)[.]h   store peering api
openssl/(err|pem|x509)[.]h                peering api
openssl/.*                                peering
uv([.]h|/.*)                              resolver peering api tools
microhttpd[.]h                            api
gnutls/.*                                 api/federation_tls.c
jansson(_config)?[.]h                     api tools
curl/.*                                   api tools
confuse[.]h                               tools
cmocka.*                                  tests
'

# The headers that other rooms may include: all of base, of each other room ROOM/ROOM.h, and these.
public_headers='
api/address_state.h
api/federation.h
api/json.h
api/mailer.h
api/porting.h
api/problem.h
api/publisher.h
api/receipt.h
api/recovery_key.h
peering/judge.h
peering/judge_client.h
peering/probe.h
peering/proxy/core_view.h
peering/transport/claims.h
peering/transport/tls.h
peering/transport/tls_dane.h
peering/transport/tls_next.h
peering/transport/trust.h
resolver/check.h
resolver/update.h
resolver/number_zone.h
resolver/zone.h
'

folders=
for folder in base store resolver peering api tools tests; do
    [ -d "$folder" ] && folders="$folders $folder"
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# shellcheck disable=SC2086 # a list of folders
find $folders -name '*.[ch]' -print | sort >"$work/files"

# One line per include: FILE LINE QUOTE NAME, where QUOTE is " or <. It is ? where the name is not to
# be seen: a macro, or a directive in the other spellings that C has (digraph, continued line).
while read -r file; do
    awk -v file="$file" '
        { gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, " ") }
        match($0, /^[ \t]*#[ \t]*include[ \t]*("[^"]+"|<[^>]+>)/) {
            text = substr($0, RSTART, RLENGTH)
            sub(/^[ \t]*#[ \t]*include[ \t]*/, "", text)
            print file, NR, substr(text, 1, 1), substr(text, 2, length(text) - 2)
            next
        }
        /^[ \t]*(#|%:|\?\?=)[ \t]*(include|import)/ ||
        /^[ \t]*(%:|\?\?=)/ || /^[ \t]*#[ \t]*[a-z_]*\\$/ {
            print file, NR, "?", $0
        }' "$file"
done <"$work/files" >"$work/includes"

echo 1..7

# An empty tree passes everything, which would hide that nothing was looked at.
: >"$work/bad"
[ -s "$work/files" ] || echo "no source file in $root" >"$work/bad"
report "there are sources to look at"

awk '$3 == "?" { print $1 ":" $2 ": the name of the file must be written here" }' \
    "$work/includes" >"$work/bad"
report "includes name their file"

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
        if (path ~ /^peering\/(guard|sip)\//) return 4
        if (path ~ /^peering\/transport\//) return 5
        if (path ~ /^peering\/txn\//) return 6
        if (path ~ /^peering\/watch\//) return 6.5
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

awk -v public="$public_headers" '
    function room(path) {
        sub(/\/[^\/]*$/, "", path)
        return path
    }
    BEGIN {
        count = split(public, names)
        for (i = 1; i <= count; i++)
            for_all[names[i]] = 1
    }
    $1 ~ /^tests\// || $3 != "\"" || $4 !~ /\// || $4 ~ /\.\./ { next }
    {
        other = room($4)
        own_name = other
        sub(/.*\//, "", own_name)
        if (other != room($1) && other != "base" && $4 != other "/" own_name ".h" &&
            !($4 in for_all))
            print $1 ":" $2 ": \"" $4 "\" is private to " other "/"
    }' "$work/includes" >"$work/bad"
report "a room includes of another what that room offers"

awk -v libraries="$libraries" '
    BEGIN {
        count = split(libraries, lines, "\n")
        for (i = 1; i <= count; i++)
            if (split(lines[i], words, " ") > 1) {
                header[++known] = "^(" words[1] ")$"
                rooms[known] = lines[i]
                sub(/^[^ ]+ +/, "", rooms[known])
            }
    }
    $1 ~ /^tests\// { next }
    {
        own = $1
        sub(/\/.*/, "", own)
        for (i = 1; i <= known && $4 !~ header[i]; i++)
            continue
        if (i <= known && index(" " rooms[i] " ", " " own " ") == 0 &&
            index(" " rooms[i] " ", " " $1 " ") == 0)
            print $1 ":" $2 ": " $4 " is for " rooms[i] " only"
    }' "$work/includes" >"$work/bad"
report "each library is included by its rooms only"

grep '\.h$' "$work/files" >"$work/headers"
while read -r header; do
    # shellcheck disable=SC2086 # lists of options
    $CC -x c -std=gnu11 -fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE -I. -I"$top_builddir" \
        $LIB_CFLAGS "$header" 2>&1 | head -n 5
done <"$work/headers" >"$work/bad"
report "each header compiles alone"

[ "$failures" -eq 0 ]
