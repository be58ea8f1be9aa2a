#!/bin/sh
# limited.sh SECONDS PROGRAM ARGUMENT...: how test programs are run. One that hangs is ended, with what
# it started, and reported; what it left in $TMPDIR, or in $JUNCTOR_MEMORY (a folder in memory, ""
# where the machine has no place for it), is gone afterwards, however it ended.
set -u

limit_s=$1
shift
base=${TMPDIR:-/tmp}
[ ${#base} -le 30 ] || base=/tmp # the path of a socket has 108 bytes
TMPDIR=$(mktemp -d "$base/junctor-check-XXXXXX") || exit 99
export TMPDIR
JUNCTOR_MEMORY=$(mktemp -d /dev/shm/junctor-check-XXXXXX 2>/dev/null) || JUNCTOR_MEMORY=
export JUNCTOR_MEMORY
trap 'rm -rf "$TMPDIR" ${JUNCTOR_MEMORY:+"$JUNCTOR_MEMORY"}' EXIT
chmod 711 "$TMPDIR" # some tests try what other users may do

# In the background, for a shell takes no signal while it waits for a program in the foreground.
timeout -k 10 "$limit_s" "$@" &
program=$!
trap 'kill $program; wait $program; exit 1' INT TERM HUP
wait $program
status=$?
# 124: the limit; 137: killed, by timeout where it would not end or by somebody else
if [ $status = 124 ] || [ $status = 137 ]; then
    printf '\nBail out! killed, or no end after %s s\n' "$limit_s"
fi
exit $status
