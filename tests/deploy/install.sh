#!/usr/bin/env bash
# Builds or installs what checks the files under deploy/, in the versions that are named here.
#
#   tests/deploy/install.sh            everything
#   tests/deploy/install.sh helm       one of: helm kustomize compose python servicemonitor cyclonedx buildah
#
# Each is had from an ordinary package registry, kept outside the source tree and reused, in the folder of
# tests/real/install.sh: $DRAGOMAN_REAL_DIR, or dragoman-real in the user's cache. A tool that is already
# there is left alone.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${DRAGOMAN_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dragoman-real}
mkdir -p "$dir/bin"

say() { printf 'install: %s\n' "$*" >&2; }

# Builds a Go program: go_program NAME PACKAGE@VERSION. The name is the one of the package's folder, or `cmd`.
go_program() {
    [ -x "$dir/bin/$1" ] && return 0
    command -v go >/dev/null || { say "$1: no Go toolchain on this machine"; return 1; }
    say "$1: building $2"
    local folder
    folder=$(mktemp -d)
    GOTOOLCHAIN=local GOBIN=$folder go install "$2"
    mv "$folder"/* "$dir/bin/$1"
    rmdir "$folder"
}

# 200 seconds of processor time.
helm() { go_program helm helm.sh/helm/v3/cmd/helm@v3.22.0; }

kustomize() { go_program kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1; }

# What `docker compose config` reads files with, as a program of its own.
compose() { go_program compose github.com/compose-spec/compose-go/v2/cmd@v2.16.2; }

# Kubernetes' own schemas of every minor version, CycloneDX's, and what reads them.
python() {
    local ready=$dir/deploy-python/.ready-$(cksum <"$here/requirements.txt" | cut -d' ' -f1)
    [ -e "$ready" ] && return 0
    say "python: schemas of Kubernetes and of CycloneDX"
    rm -rf "$dir/deploy-python"
    # Debian has the installer of packages apart from the interpreter.
    python3 -c 'import ensurepip' 2>/dev/null || debian python3-venv
    python3 -m venv "$dir/deploy-python"
    "$dir/deploy-python/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    touch "$ready"
}

# The definition of ServiceMonitor; of the Prometheus Operator's sources, which go.sum's database knows.
servicemonitor() {
    [ -s "$dir/servicemonitor.yaml" ] && return 0
    command -v go >/dev/null || { say "servicemonitor: no Go toolchain on this machine"; return 1; }
    local module=github.com/prometheus-operator/prometheus-operator@v0.85.0
    say "servicemonitor: from $module"
    GOTOOLCHAIN=local go mod download "$module"
    install -m 0644 \
        "$(go env GOMODCACHE)/$module/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml" \
        "$dir/servicemonitor.yaml"
}

# Writes the list of crates for deploy/release.sh.
cyclonedx() {
    [ -x "$dir/bin/cargo-cyclonedx" ] && return 0
    say "cyclonedx: building cargo-cyclonedx"
    cargo install --quiet --locked --root "$dir" cargo-cyclonedx@0.5.9
}

# Installs a Debian package: debian NAME.
debian() {
    command -v apt-get >/dev/null || { say "$1: install it by hand, this machine has no apt-get"; return 1; }
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    say "$1: installing the Debian package"
    $sudo apt-get update -qq
    $sudo env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq --no-install-recommends "$1" >/dev/null
}

buildah() {
    [ -n "$(type -P buildah)" ] || debian buildah
}

[ $# -gt 0 ] || set -- helm kustomize compose python servicemonitor cyclonedx buildah
for tool in "$@"; do
    case $tool in
    helm | kustomize | compose | python | servicemonitor | cyclonedx | buildah) "$tool" ;;
    *)
        say "unknown tool '$tool'; expected helm, kustomize, compose, python, servicemonitor, cyclonedx or buildah"
        exit 2
        ;;
    esac
done
echo "$dir"
