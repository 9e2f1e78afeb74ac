# Shared by deploy/up, deploy/down and tests/run: packages and the service's user. Sourced, never run.
# shellcheck shell=bash

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command as root: directly, or through sudo where we are somebody else.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: $*"
    fi
}

# Runs a command as the person who called: a build must not leave files of root in somebody's clone.
as_caller() {
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        sudo -u "$SUDO_USER" -- "$@"
    else
        "$@"
    fi
}

# Builds build/release/sundog of the clone; what the compiler says is shown only if it fails.
build_release() { # clone
    local log status=0
    log=$(mktemp)
    say "building"
    (cd "$1" && as_caller sh -c 'cmake --preset release && cmake --build --preset release --target sundog --parallel "$(nproc)"') \
        >"$log" 2>&1 || status=$?
    [ "$status" = 0 ] || cat "$log" >&2
    rm -f "$log"
    [ "$status" = 0 ] || die "the build failed"
}

listed() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@"; }

# Prints those packages of the given list files that are not installed.
missing_packages() {
    local package
    for package in $(listed "$@"); do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            printf '%s\n' "$package"
    done
}

# Keeps Debian from making and starting a cluster of PostgreSQL: Sundog runs a private one of its own.
no_main_cluster() {
    local conf=/etc/postgresql-common/createcluster.d/sundog.conf
    dpkg-query -W -f '${db:Status-Status}' postgresql-common 2>/dev/null | grep -qx installed && return
    as_root mkdir -p "${conf%/*}"
    printf '%s\n' '# Written by deploy/up: Sundog brings a private PostgreSQL of its own.' \
        'create_main_cluster = false' | as_root tee "$conf" >/dev/null
}

# Installs what the given list files name and the machine lacks, and starts no service with it.
install_packages() {
    local missing policy=/usr/sbin/policy-rc.d made=no status=0
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null ||
        die "please install what corresponds to these Debian packages:" $missing
    say "installing" $missing
    no_main_cluster
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made=yes
    fi
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y --no-install-recommends install $missing >&2 || status=$?
    [ "$made" = no ] || as_root rm -f "$policy"
    return "$status"
}

# The service drops to this user when it is started as root.
make_user() {
    id sundog >/dev/null 2>&1 && return
    say "creating the system user sundog"
    as_root useradd --system --user-group --home-dir /nonexistent --no-create-home \
        --shell /usr/sbin/nologin sundog
}

# Where deploy/up --detach leaves the process id, the data folder and the log for deploy/down.
state_dir() {
    if [ -n "${DEPLOY_STATE:-}" ]; then
        printf '%s\n' "$DEPLOY_STATE"
    elif [ "$(id -u)" = 0 ]; then
        printf '/run/sundog\n'
    else
        printf '%s/sundog\n' "${XDG_STATE_HOME:-$HOME/.local/state}"
    fi
}

default_data_dir() {
    if [ "$(id -u)" = 0 ]; then
        printf '/var/lib/sundog\n'
    else
        printf '%s/sundog\n' "${XDG_DATA_HOME:-$HOME/.local/share}"
    fi
}
