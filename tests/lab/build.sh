# How ./quickstart and ./check build.

# configure_in DIRECTORY OPTION...: (re)generates and configures where that is needed.
configure_in() {
    directory=$1
    shift
    if [ ! -x configure ]; then
        autoreconf -fi || return 1
    fi
    mkdir -p "$directory"
    # a build directory made with other options is configured anew
    if [ ! -f "$directory/Makefile" ] || [ "$(cat "$directory/.options" 2>/dev/null)" != "$*" ]; then
        rm -f "$directory/.options"
        source_dir=$PWD
        (cd "$directory" && "$source_dir/configure" --quiet "$@") || return 1
        echo "$*" >"$directory/.options"
    fi
}

make_jobs() { nproc 2>/dev/null || echo 2; }
