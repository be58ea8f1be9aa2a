# The Debian packages junctor needs, in one place: read by ./quickstart and ./check.
# `sh tests/lab/deps.sh` prints them.

packages_build="autoconf automake gcc libc6-dev make pkg-config
  libconfuse-dev libcmocka-dev libcurl4-openssl-dev libidn2-dev libjansson-dev libldns-dev
  liblmdb-dev libmicrohttpd-dev libssl-dev libuv1-dev"
# the lab: DNS servers, certificates, phones
packages_lab="baresip-core knot openssl python3 unbound"
# the tests: also real cores, and what runs the tests
packages_test="kamailio kamailio-tls-modules python3-pytest"

# missing PACKAGE...: prints those that are not installed
missing() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# A package of a server starts it. Ours are for the lab only: on an ordinary machine their services
# would take ports that belong to others.
services="knot unbound kamailio"

install_without_services() { # [sudo] package...
    as_root=$1
    shift
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e $policy ]; then
        made_policy=1
        printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
        $as_root chmod 755 $policy
    fi
    $as_root apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y --no-install-recommends install "$@"
    status=$?
    [ -z "$made_policy" ] || $as_root rm -f $policy
    [ "$status" = 0 ] || return "$status"
    [ -d /run/systemd/system ] || return 0
    for service in $services; do
        case " $* " in *" $service "*) $as_root systemctl disable --quiet "$service" || true ;; esac
    done
}

# install_missing NAME PACKAGE...: installs what is missing, as root or with sudo, and says so.
# NAME stands before its messages; the output of apt-get goes to the file $deps_log.
install_missing() {
    name=$1
    shift
    wanted=$(missing "$@")
    [ -n "$wanted" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "$name: these Debian packages are missing: $wanted" >&2
        return 1
    fi
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root=sudo
        if ! command -v sudo >/dev/null; then
            echo "$name: run as root: apt-get install $wanted" >&2
            return 1
        fi
    fi
    echo "$name: installing the Debian packages $wanted(their services stay off)"
    if ! install_without_services "$as_root" $wanted >"$deps_log" 2>&1; then
        tail -n 20 "$deps_log" >&2
        echo "$name: could not install them; the whole output is in $deps_log" >&2
        return 1
    fi
}

case ${0##*/} in
deps.sh) echo $packages_build $packages_lab $packages_test ;;
esac
