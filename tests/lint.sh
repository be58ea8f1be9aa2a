#!/bin/sh
# clang-format and clang-tidy over every source file; `make lint`. Says what to mend and fails.
#
#   tests/lint.sh [FILE...]   these files only
#
# Two clang-tidy run at a time (JOBS=N for another number).
set -u
export LC_ALL=C

: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}" "${JOBS:=2}"
cd "$top_srcdir" || exit 1
: "${LIB_CFLAGS:=$(pkg-config --cflags libuv lmdb ldns openssl libmicrohttpd gnutls jansson libcurl \
    libidn2 libconfuse cmocka)}"

for program in clang-format clang-tidy; do
    if ! command -v $program >/dev/null; then
        echo "lint: install the Debian package $program" >&2
        exit 1
    fi
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

if [ $# -gt 0 ]; then
    printf '%s\n' "$@" >"$work/all"
else
    find base store resolver peering api tools tests -name '*.[ch]' -print | sort >"$work/all"
fi
status=0

echo "lint: clang-format of $(wc -l <"$work/all") files"
xargs clang-format --dry-run -Werror <"$work/all" || status=1

# The options of the build, as far as they change what the code means, and a stand-in for config.h,
# so that an unbuilt tree can be looked at too.
mkdir "$work/include"
printf '#define %s "lint"\n' PACKAGE_NAME PACKAGE_STRING PACKAGE_VERSION >"$work/include/config.h"
export LIB_CFLAGS work
cat >"$work/tidy" <<'END'
file=$1
# A "quiet" clang-tidy still counts the warnings that it suppressed in system headers.
# shellcheck disable=SC2086 # a list of options
if ! clang-tidy --quiet "$file" -- -xc -std=gnu11 -pthread -D_GNU_SOURCE -I. -I"$work/include" \
    -DJUNCTOR_SYSCONFDIR='"/etc"' -DJUNCTOR_RUNSTATEDIR='"/run"' \
    -DJUNCTOR_LOCALSTATEDIR='"/var"' $LIB_CFLAGS \
    >"$work/$$.out" 2>"$work/$$.err"; then
    cat "$work/$$.out"
    grep -v 'warnings\{0,1\} generated\|treated as error' "$work/$$.err"
    exit 1
fi
END
echo "lint: clang-tidy of $(wc -l <"$work/all") files, $JOBS at a time"
xargs -n 1 -P "$JOBS" sh "$work/tidy" <"$work/all" || status=1

[ $status -eq 0 ] && echo "lint: clean"
exit $status
