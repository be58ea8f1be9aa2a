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
    put store/internal.h '#include "store/store.h"'
    put store/store.c '#include "store/internal.h"' '#include <lmdb.h>' '#include <idn2.h>' \
        '#include <openssl/evp.h>'
    put resolver/resolver.h '#include "store/store.h"'
    put resolver/wire.c '#  include <ldns/ldns.h>' '#include "base/slice.h"' '#include <uv.h>'
    put peering/sip/sip.h '#include "base/slice.h"'
    put peering/transport/transport.h '#include "peering/sip/sip.h"'
    put peering/transport/tls.h 'struct tls;'
    put peering/transport/tls.c '#include "peering/transport/tls.h"' '#include <openssl/ssl.h>'
    put peering/txn/txn.h '#include "peering/transport/transport.h"' '#include "peering/sip/sip.h"'
    put peering/proxy/proxy.h '#include "peering/txn/txn.h"' '#include "resolver/resolver.h"'
    put peering/worker.c '#include "peering/proxy/proxy.h"' '#include "config.h"' \
        '#include "peering/transport/tls.h" /* the include of it */' '/* #include "x.h" */'
    put api/http.c '#include "peering/sip/sip.h"' '#include <microhttpd.h>' '#include <jansson.h>'
    put tools/main.c '#include "store/store.h"' '#include <confuse.h>' '#include <curl/curl.h>'
    put tests/test_all.c '#include "api/api.h"' '#include <lmdb.h>' '#include <ldns/wire2host.h>' \
        '#include "store/internal.h"' '#include <cmocka.h>'
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

echo 1..43

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
put tools/tools.h 'struct tool;'
put api/http.c '#include "tools/tools.h"'
refuses "api does not include tools" '"tools/tools.h" is above'
put tests/tests.h 'struct test;'
put tools/main.c '#include "tests/tests.h"'
refuses "tools do not include tests" '"tests/tests.h" is above'
put peering/sip/parse.c '#include "peering/transport/transport.h"'
refuses "sip does not include transport" '"peering/transport/transport.h" is above'
put peering/transport/conn.c '#include "peering/txn/txn.h"'
refuses "transport does not include txn" '"peering/txn/txn.h" is above'
put peering/txn/txn.c '#include "peering/proxy/proxy.h"'
refuses "txn does not include proxy" '"peering/proxy/proxy.h" is above'
put peering/peering.h 'struct worker;'
put peering/proxy/proxy.c '	#	include	"peering/peering.h"'
refuses "proxy does not include what is directly in peering" '"peering/peering.h" is above'
put peering/media/media.h 'struct media;'
put peering/worker.c '#include "peering/media/media.h"'
refuses "a room of peering without a place is noticed" '"peering/media/media.h" is in no folder'

put tools/main.c '#include "store/internal.h"'
refuses "another room's private header is refused" '"store/internal.h" is private to store/'
put store/text.h 'struct text;'
put resolver/wire.c '#include "store/text.h"'
refuses "so is any header that is not the room's own name" '"store/text.h" is private to store/'
put peering/transport/internal.h 'struct conn;'
put peering/txn/txn.c '#include "peering/transport/internal.h"'
refuses "so are those between the rooms of peering" 'is private to peering/transport/'

put base/slice.c '#define H "store/store.h"' '#include H'
refuses "a name in a macro is refused" 'base/slice.c:2: the name of the file must be written'
put base/slice.c '/* here */ # /* and here */ include "store/store.h"'
refuses "comments hide no include" 'base/slice.c:1: "store/store.h" is above'
put base/slice.c '#include \' '"store/store.h"'
refuses "an include in two lines is refused" 'base/slice.c:1: the name of the file must be written'
put base/slice.c '#inc\' 'lude "store/store.h"'
refuses "a directive in two lines is refused" 'base/slice.c:1: the name of the file must be written'
put base/slice.c '%:include "store/store.h"'
refuses "an include behind a digraph is refused" 'base/slice.c:1: the name of the file must be'
put base/slice.c '#include_next <store.h>'
refuses "include_next is refused" 'base/slice.c:1: the name of the file must be written'

# refuses_library HEADER FILE ROOMS: the file includes it, which only these rooms may.
refuses_library()
{
    put "$2" "#include <$1>"
    refuses "${2%%/*} does not include $1" "$2:1: $1 is for $3 only"
}
refuses_library lmdb.h api/http.c store
refuses_library idn2.h base/slice.c store
refuses_library ldns/rr.h peering/sip/sip.c resolver
refuses_library ldns.h store/store.c resolver
refuses_library openssl/evp.h base/slice.c "store peering api"
refuses_library openssl/evp.h tools/main.c "store peering api"
refuses_library openssl/ssl.h api/http.c peering
refuses_library openssl/x509.h store/store.c "peering api"
refuses_library uv.h store/store.c "resolver peering api tools"
refuses_library uv/unix.h base/slice.c "resolver peering api tools"
refuses_library microhttpd.h tools/main.c api
refuses_library jansson.h peering/worker.c "api tools"
refuses_library curl/curl.h peering/worker.c "api tools"
refuses_library gnutls/gnutls.h api/http.c api/federation_tls.c
refuses_library confuse.h api/http.c tools
refuses_library cmocka.h base/slice.c tests

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
