# The Debian packages junctor needs, in one place: read by ./quickstart and ./check.
# `sh tests/lab/deps.sh` prints them.

packages_build="autoconf automake gcc libc6-dev make pkg-config
  libconfuse-dev libcmocka-dev libcurl4-openssl-dev libgnutls28-dev libidn2-dev libjansson-dev libldns-dev
  liblmdb-dev libmicrohttpd-dev libssl-dev libuv1-dev"
# the lab: DNS servers, certificates, phones
packages_lab="baresip-core knot openssl python3 unbound"
# the tests: also real cores and SIPp, what runs the tests, what judges the API's description,
# metrics and zones, and what the resolver is measured against
packages_test="curl kamailio kamailio-tls-modules libevent-dev libunbound-dev msmtp
  prometheus iproute2 python3-jsonschema python3-pytest python3-pytest-xdist sip-tester zsh"
# and the DNS tools and servers that judge what is to be published
packages_test="$packages_test bind9 bind9-dnsutils bind9-utils knot-dnssecutils ldnsutils nsd
  python3-yaml"
# npm fetches the validator of tests/openapi; another one than Debian's, with a node of its own, will do
command -v npm >/dev/null || packages_test="$packages_test nodejs npm"

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
# would take ports that belong to others. Debian's packages ask this program whether they may
# (invoke-rc.d(8)); one that is there already is the administrator's and stays as it is.
policy=/usr/sbin/policy-rc.d
services="knot unbound kamailio prometheus bind9 nsd"

# Where nobody could remove it (a power cut), it forbids nothing, as process $$ is gone.
make_policy() {
    printf '#!/bin/sh\n# no services while process %s installs\n[ ! -d /proc/%s ] || exit 101\n' \
        $$ $$ | $as_root sh -c 'set -C; cat >"$0" && chmod 755 "$0"' $policy
}

remove_policy() {
    ! grep -qs "^# no services while process $$ installs" $policy || $as_root rm -f $policy
}

# In a subshell, for the traps are its own.
install_without_services() ( # [sudo] package...
    as_root=$1
    shift
    trap remove_policy EXIT
    trap 'exit 1' INT TERM HUP
    [ -e $policy ] || make_policy || exit 1
    $as_root apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y --no-install-recommends install "$@" || exit
    [ -d /run/systemd/system ] || exit 0
    for service in $services; do
        case " $* " in *" $service "*) ;; *) continue ;; esac
        [ "$service" = bind9 ] && service=named # what the unit is called
        $as_root systemctl disable --quiet "$service" || true
    done
)

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
