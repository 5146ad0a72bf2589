# How what comes over the network is asked for; to be sourced. What is tried again is a download, never a test.
# shellcheck shell=bash

# Cargo has an own count for every file: a registry that is away for half a minute is no reason to give up.
export CARGO_NET_RETRY=${CARGO_NET_RETRY:-10}

# Runs a program, and again if it fails: retry PROGRAM [ARGUMENT...]. Four times in all, within some three
# minutes beside what it takes itself. Not for shell functions, in which errors would be passed over.
retry() {
    local pause
    for pause in 10 40 120; do
        "$@" && return 0
        printf 'failed, and tried again in %s s: %s\n' "$pause" "$*" >&2
        sleep "$pause"
    done
    "$@"
}
