#!/bin/sh
# Does tests/limited.sh end what hangs, say so, and leave nothing behind?
set -u

limited=$(cd "$(dirname "$0")" && pwd)/limited.sh
work=$(mktemp -d /tmp/limited-XXXXXX) || exit 1 # a short path, see limited.sh
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

count=0
failures=0

# expect NAME STATUS TEXT SECONDS COMMAND...: it ends with that status, says TEXT (nothing, where that
# is empty), and its temporary folder is gone.
expect()
{
    name=$1 wanted=$2 text=$3
    shift 3
    count=$((count + 1))
    mkdir "$work/tmp"
    TMPDIR=$work/tmp sh "$limited" "$@" >"$work/out" 2>&1
    status=$?
    if [ $status = "$wanted" ] && rmdir "$work/tmp" &&
        if [ -n "$text" ]; then grep -qF -- "$text" "$work/out"; else [ ! -s "$work/out" ]; fi; then
        echo "ok $count - $name"
    else
        failures=$((failures + 1))
        echo "not ok $count - $name"
        echo "# exit status $status"
        sed 's/^/# /' "$work/out"
        rm -rf "$work/tmp"
    fi
}

echo 1..6
expect "a program that ends well is not touched" 0 '' 60 true
expect "the status of a failing program is kept" 3 '' 60 sh -c 'exit 3'
expect "arguments come through as they are" 0 'a  b' 60 printf '%s\n' 'a  b'
expect "a program that hangs is ended and reported" 124 \
    'Bail out! killed, or no end after 1 s' 1 sleep 1000
# were its child not ended too, the pipe would stay open and this would take as long as the child
expect "what a hanging program started is ended too" 0 'no end after 1 s' 60 \
    sh -c 'sh "$1" 1 sh -c "sleep 1000 & wait" | cat' sh "$limited"
expect "what a program leaves in its folder is removed" 1 '' 60 \
    sh -c 'echo x >"$TMPDIR/left" && mkdir "$TMPDIR/folder" && exit 1'
[ "$failures" -eq 0 ]
