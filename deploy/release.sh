#!/usr/bin/env bash
# Builds what a release consists of. Needs the Rust toolchain and a C compiler; `sbom` also
# cargo-cyclonedx, `image` also buildah or docker (tests/deploy/install.sh installs the two that it can).
#
#   deploy/release.sh                 binary docs sbom archive
#   deploy/release.sh STEP...         some of:
#
#     binary    the static binary: target/TARGET/dist/dragoman
#     docs      shell completions and the manual page, as the binary prints them
#     sbom      every crate in the binary, CycloneDX as JSON
#     archive   all of it with licence and unit: target/release-files/dragoman-VERSION-TARGET.tar.gz, .sha256
#     rootfs    the image's files: target/dist-image/root, and what belongs to its user: target/dist-image/data
#     image     the image, from them: target/release-files/dragoman-VERSION-TARGET.image.tar, or in Docker's store
#
# TARGET is the host's, or $DRAGOMAN_TARGET. A -gnu target is linked statically by a compiler flag, a -musl one
# is static by itself (`rustup target add` it first, and have musl-gcc).
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'release: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# What the image may weigh, in bytes: it is pulled before any pod with the sidecar starts.
MAX_SIZE=15000000

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
target=${DRAGOMAN_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
build=${CARGO_TARGET_DIR:-target}
binary=$build/$target/dist/dragoman
files=target/release-files
name=dragoman-$version-$target
stage=$files/$name
rootfs=target/dist-image/root
data=target/dist-image/data

# The same sources give the same archive: no path of this machine is in the binary, no time but the commit's.
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

binary() {
    local home=${CARGO_HOME:-$HOME/.cargo}
    local flags="-C target-feature=+crt-static --remap-path-prefix=$home=/cargo --remap-path-prefix=$PWD=/dragoman"
    RUSTFLAGS="$flags" cargo build --locked --profile dist --target "$target" --bin dragoman
    # A binary that asks for an interpreter or a library does not start in an image that has none.
    if command -v readelf >/dev/null; then
        if readelf -ld "$binary" | grep -E 'INTERP|\(NEEDED\)'; then die "$binary is not static"; fi
    fi
    local size
    size=$(stat -c %s "$binary")
    [ "$size" -le "$MAX_SIZE" ] || die "$binary has $size bytes; expected $MAX_SIZE at most"
    say "$binary: static, $size bytes"
}

need_binary() { [ -x "$binary" ] || die "there is no $binary; run \`deploy/release.sh binary\` first"; }

docs() {
    need_binary
    mkdir -p "$stage/completions" "$stage/man"
    "$binary" completions bash >"$stage/completions/dragoman.bash"
    "$binary" completions zsh >"$stage/completions/_dragoman"
    "$binary" completions fish >"$stage/completions/dragoman.fish"
    "$binary" man --out "$stage/man"
    say "$stage/completions, $stage/man"
}

# The crates of this target's binary. Those that only tests and benchmarks ask for would come in with their
# features, so the manifest is read without them, in a folder of its own.
sbom() {
    cargo cyclonedx --version >/dev/null 2>&1 || die 'there is no cargo-cyclonedx; tests/deploy/install.sh installs it'
    mkdir -p "$stage"
    local work
    work=$(mktemp -d)
    awk '/^\[/ { left_out = /^\[dev-dependencies\]|^\[\[(test|bench)\]\]/ } !left_out' Cargo.toml >"$work/Cargo.toml"
    cp Cargo.lock rust-toolchain.toml README.md "$work"
    ln -s "$PWD/src" "$work/src"
    (cd "$work" && cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --override-filename sbom)
    # It says where the manifest lay.
    sed "s#path+file://$work#path+file:///dragoman#g" "$work/sbom.json" >"$stage/dragoman.cdx.json"
    rm -rf "$work"
    say "$stage/dragoman.cdx.json"
}

archive() {
    need_binary
    [ -e "$stage/man/dragoman.1" ] || docs
    [ -e "$stage/dragoman.cdx.json" ] || sbom
    install -m 0755 "$binary" "$stage/dragoman"
    install -m 0644 README.md LICENSE CHANGELOG.md config.example.yaml deploy/systemd/dragoman.service "$stage/"
    (
        cd "$files"
        tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$name" |
            gzip -n -9 >"$name.tar.gz"
        sha256sum "$name.tar.gz" >"$name.tar.gz.sha256"
    )
    say "$files/$name.tar.gz, $(stat -c %s "$files/$name.tar.gz") bytes"
}

# The folder for queues on disk is given to the image's user by the Dockerfile, and a new volume inherits that. Only
# what lies in a folder that is copied changes its owner, so it lies apart.
rootfs() {
    need_binary
    local authorities=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
    [ -s "$authorities" ] || die "there are no certificate authorities at $authorities; install ca-certificates, or set SSL_CERT_FILE"
    rm -rf "$rootfs" "$data"
    install -d -m 0755 "$rootfs/etc/dragoman" "$rootfs/etc/ssl/certs" "$rootfs/var/lib"
    install -m 0755 "$binary" "$rootfs/dragoman"
    install -m 0644 deploy/docker/config.yaml "$rootfs/etc/dragoman/config.yaml"
    install -m 0644 deploy/docker/passwd "$rootfs/etc/passwd"
    install -m 0644 deploy/docker/nsswitch.conf "$rootfs/etc/nsswitch.conf"
    install -m 0644 "$authorities" "$rootfs/etc/ssl/certs/ca-certificates.crt"
    install -d -m 0750 "$data/dragoman"
    local size
    size=$(du -sb "$rootfs" | cut -f1)
    [ "$size" -le "$MAX_SIZE" ] || die "$rootfs has $size bytes; expected $MAX_SIZE at most"
    say "$rootfs, $size bytes"
}

image() {
    [ -x "$rootfs/dragoman" ] || rootfs
    mkdir -p "$files"
    local arguments=(--target prebuilt --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
        -t "dragoman:$version" -f deploy/docker/Dockerfile .)
    if command -v buildah >/dev/null; then
        # Storage of its own: needs no daemon, and leaves nothing behind but the archive.
        local store image=$files/$name.image.tar
        store=$(mktemp -d)
        local own=(--root "$store/root" --runroot "$store/run" --storage-driver vfs)
        buildah "${own[@]}" build --isolation chroot --format docker --timestamp "$SOURCE_DATE_EPOCH" "${arguments[@]}"
        rm -f "$image"
        buildah "${own[@]}" push "dragoman:$version" "docker-archive:$image:dragoman:$version"
        buildah "${own[@]}" rmi --all >/dev/null
        rm -rf "$store"
        say "$image, $(stat -c %s "$image") bytes; \`docker load\` takes it"
    elif command -v docker >/dev/null; then
        docker build "${arguments[@]}"
    else
        die 'there is neither buildah nor docker'
    fi
}

[ $# -gt 0 ] || set -- binary docs sbom archive
for step in "$@"; do
    case $step in
    binary | docs | sbom | archive | rootfs | image) "$step" ;;
    *) die "unknown step '$step'; expected binary, docs, sbom, archive, rootfs or image" ;;
    esac
done
