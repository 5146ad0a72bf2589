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
. "$here/../support/install.bash"

# Builds a Go program: go_program NAME PACKAGE@VERSION. The name is the one of the package's folder, or `cmd`.
go_program() {
    [ -x "$dir/bin/$1" ] && return 0
    need_go "$1" || return 1
    say "$1: building $2"
    local folder
    folder=$(mktemp -d)
    retry env GOBIN="$folder" go install "$2"
    mv "$folder"/* "$dir/bin/$1"
    rmdir "$folder"
}

# 200 seconds of processor time.
helm() { go_program helm helm.sh/helm/v3/cmd/helm@v3.22.0; }

kustomize() { go_program kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1; }

# What `docker compose config` reads files with, as a program of its own.
compose() { go_program compose github.com/compose-spec/compose-go/v2/cmd@v2.16.2; }

# Kubernetes' own schemas of every minor version, CycloneDX's, and what reads them.
python() { environment deploy-python requirements.txt 'schemas of Kubernetes and of CycloneDX'; }

# The definition of ServiceMonitor; of the Prometheus Operator's sources, which go.sum's database knows.
servicemonitor() {
    [ -s "$dir/servicemonitor.yaml" ] && return 0
    need_go servicemonitor || return 1
    local module=github.com/prometheus-operator/prometheus-operator@v0.85.0
    say "servicemonitor: from $module"
    retry go mod download "$module"
    install -m 0644 \
        "$(go env GOMODCACHE)/$module/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml" \
        "$dir/servicemonitor.yaml"
}

# Writes the list of crates for deploy/release.sh.
cyclonedx() {
    [ -x "$dir/bin/cargo-cyclonedx" ] && return 0
    say "cyclonedx: building cargo-cyclonedx"
    retry cargo install --quiet --locked --root "$dir" cargo-cyclonedx@0.5.9
}

buildah() {
    [ -n "$(type -P buildah)" ] || debian buildah
}

install_tools "helm kustomize compose python servicemonitor cyclonedx buildah" "$@"
