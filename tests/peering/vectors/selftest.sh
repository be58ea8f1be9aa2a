#!/bin/sh
# Does run-vectors fail where the index expects what the edge does not do?
set -u

vectors=$top_srcdir/tests/peering/sip/vectors
runner=$top_builddir/tests/run-vectors
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

cp "$vectors"/*.sip "$work"
head -n 1 "$vectors/INDEX.tsv" >"$work/head"
count=0
failures=0

# row FILE KIND PARSER UDP STREAM: adds one to the index.
row()
{
    printf '%s\t-\t-\t-\t%s\t-\t-\t%s\t%s\t%s\t-\n' "$@" >>"$work/INDEX.tsv"
}

# expect NAME STATUS TEXT: so ends the runner with the index, which is emptied then.
expect()
{
    count=$((count + 1))
    # from elsewhere, for the files are beside the index
    (cd / && "$runner" "$work/INDEX.tsv") >"$work/out" 2>&1
    status=$?
    if [ $status = "$2" ] && grep -qxF -- "$3" "$work/out"; then
        echo "ok $count - $1"
    else
        failures=$((failures + 1))
        echo "not ok $count - $1"
        echo "# exit status $status"
        sed 's/^/# /' "$work/out"
    fi
    cp "$work/head" "$work/INDEX.tsv"
}

cp "$work/head" "$work/INDEX.tsv"
echo 1..7
row invite.sip req accept forward '404|forward'
row two-tags.sip req reject 400 400
expect "what is as expected passes" 0 "2 passed, 0 failed"
row invite.sip req reject forward forward
expect "a parser that accepts is seen" 1 "invite.sip: parser: expected reject, seen accept"
row invite.sip req accept 400 forward
expect "a request that is forwarded is seen" 1 \
    "invite.sip: proxy_udp: expected 400, seen forwarded 1 answered 200"
row two-tags.sip req reject 400 'drop|consume'
expect "an answer is no silence" 1 \
    "two-tags.sip: proxy_stream: expected drop|consume, seen answered 400; proxy_stream (TLS): \
expected drop|consume, seen answered 400"
row response.sip rsp accept drop forward
row multicast.sip rsp accept drop drop
expect "a response that is passed on is seen" 1 \
    "response.sip: proxy_udp: expected drop, seen forwarded 1"
row multicast.sip rsp accept forward drop
row two-tags.sip req reject 400 400
expect "passed and failed vectors are counted" 1 "1 passed, 1 failed"
expect "an index without rows proves nothing" 1 "$work/INDEX.tsv: no such index, or it has no rows"
[ $failures = 0 ]
