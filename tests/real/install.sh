#!/usr/bin/env bash
# Builds or installs the real servers and clients that the tests in this folder talk to.
#
#   tests/real/install.sh            everything
#   tests/real/install.sh jaeger     one of: jaeger prometheus python node phoenix mlflow
#
# phoenix and mlflow take 850 MB of disk each and about two minutes of processor time; jaeger ten
# minutes. The others are small.
#
# Each is had from an ordinary package registry, kept outside the source tree and reused:
# the folder is $DRAGOMAN_REAL_DIR, or dragoman-real in the user's cache. A tool that is
# already there is left alone.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/install.bash"

# Jaeger v2.13.0 (tag v1.76.0 of the same repository). Its go.mod holds a replace directive,
# so `go install` refuses it; a main module of our own with the release's go.mod and go.sum
# builds the same thing with checksum verification on.
jaeger() {
    [ -x "$dir/bin/jaeger" ] && return 0
    need_go jaeger || return 1
    say "jaeger: building from source, about ten minutes of processor time"
    retry go mod download github.com/jaegertracing/jaeger@v1.76.0
    local src work
    src=$(go env GOMODCACHE)/github.com/jaegertracing/jaeger@v1.76.0
    work=$(mktemp -d)
    sed 's#^module .*#module example.invalid/jaegerbuild#' "$src/go.mod" >"$work/go.mod"
    install -m 0644 "$src/go.sum" "$work/go.sum"
    (
        cd "$work"
        go mod edit -require=github.com/jaegertracing/jaeger@v1.76.0
        echo 'package jaegerbuild' >doc.go
        # Fetches several hundred modules first; what is compiled already is not compiled again.
        retry go build -mod=mod -trimpath -o "$dir/bin/jaeger.new" github.com/jaegertracing/jaeger/cmd/jaeger
    )
    rm -rf "$work"
    mv "$dir/bin/jaeger.new" "$dir/bin/jaeger"
}

# Prometheus and promtool. The package's service is not started: the tests start their own on
# free ports.
prometheus() {
    if [ -x "$(type -P prometheus)" ] && [ -x "$(type -P promtool)" ]; then return 0; fi
    debian prometheus
}

# The official Python SDK with its two OTLP exporters, and the reference OpenMetrics parser.
python() { environment python requirements.txt 'OpenTelemetry SDK and OpenMetrics parser'; }

# Phoenix and MLflow show traces of LLM calls. Their tests run in network namespaces of their own,
# in which the loopback device has to be brought up.
phoenix() {
    environment phoenix requirements-phoenix.txt 'Phoenix 20.26.1, 850 MB, some minutes'
    type -P ip >/dev/null || debian iproute2
}
mlflow() {
    environment mlflow requirements-mlflow.txt 'MLflow 3.17.2, 850 MB, some minutes'
    type -P ip >/dev/null || debian iproute2
}

# The official JavaScript SDK, whose OTLP/HTTP exporter speaks JSON.
node() {
    [ -e "$dir/node/.ready-$(cksum <"$here/package.json" | cut -d' ' -f1)" ] && return 0
    say "node: OpenTelemetry SDK"
    rm -rf "$dir/node"
    mkdir -p "$dir/node"
    cp "$here/package.json" "$dir/node/"
    (cd "$dir/node" && retry npm install --silent --no-audit --no-fund --ignore-scripts --fetch-retries=5)
    touch "$dir/node/.ready-$(cksum <"$here/package.json" | cut -d' ' -f1)"
}

install_tools "prometheus python node phoenix mlflow jaeger" "$@"
