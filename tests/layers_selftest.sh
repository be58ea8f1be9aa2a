#!/bin/sh
# Can tests/layers.sh fail? It is run on tiny trees with one violation each and must name it.
set -u

layers=$(cd "$(dirname "$0")" && pwd)/layers.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

count=0
failures=0
tree=$work/tree

# put FILE LINE...: a source file of the tree.
put()
{
    mkdir -p "$tree/$(dirname "$1")"
    file=$tree/$1
    shift
    printf '%s\n' "$@" >"$file"
}

# A tree in which everything is as it should be.
good_tree()
{
    rm -rf "$tree"
    put base/slice.h '#include <stddef.h>' 'struct slice;'
    put store/store.h '#include "base/slice.h"' 'struct store;'
    put store/store.c '#include "store/store.h"' '#include <lmdb.h>' '#include <idn2.h>'
    put resolver/resolver.h '#include "store/store.h"'
    put resolver/wire.c '#  include <ldns/ldns.h>' '#include "base/slice.h"'
    put peering/sip/sip.h '#include "base/slice.h"'
    put peering/transport/conn.h '#include "peering/sip/sip.h"'
    put peering/txn/txn.h '#include "peering/transport/conn.h"' '#include "peering/sip/sip.h"'
    put peering/proxy/proxy.h '#include "peering/txn/txn.h"' '#include "resolver/resolver.h"'
    put peering/worker.c '#include "peering/proxy/proxy.h"' '#include "config.h"'
    put api/http.c '#include "peering/sip/sip.h"' '#include <microhttpd.h>'
    put tools/main.c '#include "store/store.h"'
    put tests/test_all.c '#include "api/api.h"' '#include <lmdb.h>' '#include <ldns/wire2host.h>'
    put api/api.h '#include "base/slice.h"'
}

result()
{
    count=$((count + 1))
    if [ "$1" = yes ]; then
        echo "ok $count - $2"
    else
        failures=$((failures + 1))
        echo "not ok $count - $2"
        sed 's/^/# /' "$work/out"
    fi
}

run_layers()
{
    top_builddir=$tree sh "$layers" "$tree" >"$work/out" 2>&1
}

# refuses NAME TEXT: the checker fails in exactly one check and says TEXT there.
refuses()
{
    refused=no
    if ! run_layers && [ "$(grep -c '^not ok' "$work/out")" -eq 1 ] &&
        grep -qF -- "$2" "$work/out"; then
        refused=yes
    fi
    result "$refused" "$1"
    good_tree
}

echo 1..22

good_tree
run_layers && accepted=yes || accepted=no
result "$accepted" "a good tree is accepted"

put base/slice.c '#include "store/store.h"'
refuses "base does not include store" 'base/slice.c:1: "store/store.h" is above'
put store/store.h '' '#include "resolver/resolver.h"'
put resolver/resolver.h 'struct store;'
refuses "store does not include resolver" 'store/store.h:2: "resolver/resolver.h" is above'
put resolver/locate.c '#include "peering/sip/sip.h"'
refuses "resolver does not include peering" '"peering/sip/sip.h" is above'
put peering/worker.c '#include "api/api.h"'
refuses "peering does not include api" '"api/api.h" is above'
put tools/tool.h 'struct tool;'
put api/http.c '#include "tools/tool.h"'
refuses "api does not include tools" '"tools/tool.h" is above'
put tests/test.h 'struct test;'
put tools/main.c '#include "tests/test.h"'
refuses "tools do not include tests" '"tests/test.h" is above'
put peering/sip/parse.c '#include "peering/transport/conn.h"'
refuses "sip does not include transport" '"peering/transport/conn.h" is above'
put peering/transport/conn.c '#include "peering/txn/txn.h"'
refuses "transport does not include txn" '"peering/txn/txn.h" is above'
put peering/txn/txn.c '#include "peering/proxy/proxy.h"'
refuses "txn does not include proxy" '"peering/proxy/proxy.h" is above'
put peering/internal.h 'struct worker;'
put peering/proxy/proxy.c '	#	include	"peering/internal.h"'
refuses "proxy does not include what is directly in peering" '"peering/internal.h" is above'
put peering/media/media.h 'struct media;'
put peering/worker.c '#include "peering/media/media.h"'
refuses "a room of peering without a place is noticed" '"peering/media/media.h" is in no folder'

put api/http.c '#include <lmdb.h>'
refuses "only store includes lmdb.h" 'only store/ includes lmdb.h'
put base/slice.c '#include <idn2.h>'
refuses "only store includes idn2.h" 'only store/ includes idn2.h'
put peering/sip/sip.c '#include <ldns/rr.h>'
refuses "only resolver includes ldns" 'only resolver/ includes ldns/rr.h'
put tools/main.c '#include <microhttpd.h>'
refuses "only api includes microhttpd.h" 'only api/ includes microhttpd.h'

put base/slice.c '#include "slice.h"'
refuses "includes next to the file are refused" '"slice.h" is not a file, seen from the root'
put store/store.c '#include "../base/slice.h"'
refuses "includes of the parent folder are refused" 'is not written from the root'
put store/store.c '#include "store/../base/slice.h"'
refuses "includes that climb are refused" 'is not written from the root'
put store/store.c '#include <base/slice.h>'
refuses "our headers in angle brackets are refused" 'must be written in quotes'
put base/netaddr.h 'struct netaddr { struct in_addr ip; };'
refuses "a header that leans on another's includes is refused" 'base/netaddr.h:1:'
rm -rf "$tree"
mkdir -p "$tree/base"
refuses "an empty tree is refused" 'no source file'

[ "$failures" -eq 0 ]
