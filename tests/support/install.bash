# What the scripts that install tools for tests share; to be sourced, by a script that has set `here` to its
# own folder. Tools are kept outside the source tree, in $DRAGOMAN_REAL_DIR or dragoman-real in the user's
# cache, and one that is there already is left alone.
# shellcheck shell=bash

# shellcheck source=tests/support/retry.bash
. "$here/../support/retry.bash"

dir=${DRAGOMAN_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dragoman-real}
mkdir -p "$dir/bin"

say() { printf 'install: %s\n' "$*" >&2; }

# Whether there is a Go toolchain: need_go TOOL.
need_go() {
    command -v go >/dev/null || { say "$1: no Go toolchain on this machine"; return 1; }
    export GOTOOLCHAIN=local
}

# Installs a Debian package: debian NAME.
debian() {
    command -v apt-get >/dev/null || { say "$1: install it by hand, this machine has no apt-get"; return 1; }
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    say "$1: installing the Debian package"
    # Both together: what a stale list names is not there to be fetched, however often. A machine that has just
    # been started may be upgrading itself, and has the lock meanwhile.
    # shellcheck disable=SC2016 # for the inner shell
    retry $sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive sh -c '
        apt-get update -qq -o Acquire::Retries=3 &&
            apt-get install -qq --no-install-recommends -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$1" >/dev/null
    ' sh "$1"
}

# A Python environment of its own: environment NAME REQUIREMENTS WHAT.
environment() {
    local ready
    ready=$dir/$1/.ready-$(cksum <"$here/$2" | cut -d' ' -f1)
    [ -e "$ready" ] && return 0
    say "$1: $3"
    rm -rf "${dir:?}/$1"
    # Debian has the installer of packages apart from the interpreter.
    python3 -c 'import ensurepip' 2>/dev/null || debian python3-venv
    python3 -m venv "$dir/$1"
    retry "$dir/$1/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --retries 10 --timeout 60 \
        -r "$here/$2"
    touch "$ready"
}

# Installs tools by name, all without one, and says where: install_tools "ALL TOOLS" [TOOL...].
install_tools() {
    local all=$1 tool
    shift
    # shellcheck disable=SC2086 # a list of words
    [ $# -gt 0 ] || set -- $all
    for tool in "$@"; do
        case " $all " in
        *" $tool "*) "$tool" ;;
        *)
            say "unknown tool '$tool'; expected one of: $all"
            exit 2
            ;;
        esac
    done
    echo "$dir"
}
