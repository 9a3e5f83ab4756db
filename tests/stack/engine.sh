#!/usr/bin/env bash
# A Docker Engine for the stack tests, on a machine that may have none.
#
#   tests/stack/engine.sh up      an answering engine, Compose v2, buildx and the images
#   tests/stack/engine.sh down    end the engine, if it was `up` that started it
#   tests/stack/engine.sh status  say what there is; 0 when nothing is missing
#
# What is there already is used as it is: where an engine and a registry answer, `up` does no
# more than pull the images. Otherwise it works as root on Debian 12, from Debian's packages
# alone. What it makes is kept in one state directory ($LOADLAB_ENGINE_STATE); to have an image
# made afresh, remove it and the directory's rootfs/ or haproxy/.
set -euo pipefail

# shellcheck source=tests/stack/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

suite=trixie
standin=python:3.13-slim-$suite
image=${PYTHON_IMAGE:-$standin}
haproxy_standin=haproxy:3.0 # the version that Debian has
haproxy_image=${HAPROXY_IMAGE:-$haproxy_standin}
state=${LOADLAB_ENGINE_STATE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/loadlab-engine}
pidfile=$state/dockerd.pid
log=$state/dockerd.log
plugins=/usr/libexec/docker/cli-plugins # one of the places every Docker client looks in
certificates=/etc/ssl/certs/ca-certificates.crt
start_limit_s=60
stop_limit_s=60
answer_limit_s=20

say() { printf 'engine: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

engine_answers() { timeout "$answer_limit_s" docker info >/dev/null 2>&1; }
plugins_work() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }
image_exists() { docker image inspect "$1" >/dev/null 2>&1; }

# The pid of the engine that `up` started, if it lives. The file may outlive the process and its
# number be given to another one: the name is compared too.
own_pid() {
    local pid
    pid=$(cat "$pidfile" 2>/dev/null) || return 1
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] && echo "$pid"
}

# Only one `up` or `down` at a time.
lock() {
    mkdir -p "$state"
    exec 9>"$state/lock"
    flock 9
}

start_engine() {
    [[ -z ${DOCKER_HOST:-} ]] || die "nothing answers at DOCKER_HOST=$DOCKER_HOST: start it, or unset DOCKER_HOST"
    install_packages docker.io iptables iproute2 ca-certificates
    [[ $EUID == 0 ]] || die "no engine answers and root is needed to start one"
    own_pid >/dev/null || rm -f "$pidfile" # dockerd does not start over a stale one
    say "starting dockerd (log: $log)"
    # Containers may not open more files than their engine: as many as the kernel allows here.
    ulimit -n "$(cat /proc/sys/fs/nr_open)" 2>/dev/null || true
    # A session of its own, to outlive the terminal; without the lock, which it would hold for
    # as long as it lives.
    setsid dockerd --pidfile "$pidfile" >"$log" 2>&1 </dev/null 9>&- &
    wait_for_engine "$!"
}

wait_for_engine() {
    local pid=$1 deadline=$((SECONDS + start_limit_s))
    until engine_answers; do
        if ((SECONDS >= deadline)) || ! kill -0 "$pid" 2>/dev/null; then
            kill "$pid" 2>/dev/null || true
            tail -n 30 "$log" >&2
            die "dockerd gave no answer within $start_limit_s s, or ended; the end of its log is above"
        fi
        sleep 0.2
    done
}

# Where this machine's own apt has Debian from.
debian_mirror() {
    # shellcheck disable=SC2016  # apt fills in the name, not the shell
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        sed -n 1p | grep . || die "apt-get update has not found Debian's main component"
}

# Debian 12 has neither Compose v2 nor buildx. Debian 13's run on it; they are fetched with a
# configuration apart from the machine's, whose own choice of packages stays as it was.
install_plugins() {
    [[ $EUID == 0 ]] || die "root is needed to install Compose v2 and buildx in $plugins"
    say "installing Compose v2 and buildx from Debian $suite"
    local mirror apt=$state/apt package
    mirror=$(debian_mirror)
    rm -rf "$apt"
    mkdir -p "$apt"/{lists/partial,cache/archives/partial,tree}
    echo "deb $mirror $suite main" >"$apt/sources.list"
    local -a private=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=-
        -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
    apt-get "${private[@]}" update
    (cd "$apt" && apt-get "${private[@]}" download docker-compose docker-buildx)
    for package in "$apt"/*.deb; do dpkg -x "$package" "$apt/tree"; done
    install -D -m 755 -t "$plugins" "$apt/tree$plugins"/*
    rm -rf "$apt"
    plugins_work || die "the plugins in $plugins do not run with $(command -v docker)"
}

# The registry is asked first, with a limit: without one there is no waiting for a pull's
# retries, and a slow download is not cut short.
pull_image() {
    timeout "$answer_limit_s" docker buildx imagetools inspect "$1" >/dev/null 2>&1 &&
        docker pull -q "$1" >/dev/null
}

# One of pip's settings on this machine, as far as it means something inside a container too:
# an index elsewhere does, a directory here does not.
pip_setting() {
    local variable=PIP_${1^^} value word
    variable=${variable//-/_}
    value=${!variable:-$(python3 -m pip config get "global.$1" 2>/dev/null)} || return 0
    for word in $value; do
        [[ $word == file:* || $word == /* ]] || printf '%s ' "$word"
    done
}

pip_conf() {
    local key value
    echo '[global]'
    for key in index-url extra-index-url trusted-host timeout; do
        value=$(pip_setting "$key")
        [[ -z $value ]] || echo "$key = $value"
    done
}

# A Debian with some packages, in DIR.part: whoever asked for it moves it to DIR when it is whole.
# debian DIR PACKAGES
debian() {
    local mirror
    install_packages debootstrap ca-certificates
    mirror=$(debian_mirror)
    rm -rf "$1.part"
    if ! debootstrap --variant=minbase --include="$2" "$suite" "$1.part" "$mirror" >"$state/debootstrap.log" 2>&1; then
        tail -n 20 "$state/debootstrap.log" >&2
        die "debootstrap failed; the end of its log is above"
    fi
    rm -rf "$1.part"/var/{cache/apt/archives/*.deb,lib/apt/lists/*}
}

# What stands in for the official image: the same Debian and Python 3.13, as Debian packages it.
make_rootfs() {
    local rootfs=$1
    say "making $standin by debootstrap"
    debian "$rootfs" python3,python3-venv,python3-pip,ca-certificates
    ln -s python3 "$rootfs.part/usr/bin/python"
    rm -rf "$rootfs.part"/usr/lib/python3*/EXTERNALLY-MANAGED
    mv "$rootfs.part" "$rootfs"
}

# Builds on the stand-in trust whom this machine trusts and use the package index it uses. Both
# may change, so they are put in anew at each import.
import_image() {
    [[ $image == "$standin" ]] || die "$image cannot be pulled, and only $standin can be made here"
    local rootfs=$state/rootfs index
    [[ -d $rootfs ]] || make_rootfs "$rootfs"
    say "importing $standin"
    cp "$certificates" "$rootfs$certificates"
    pip_conf >"$rootfs/etc/pip.conf"
    index=$(pip_setting index-url)
    tar -C "$rootfs" -c . | docker import -c 'CMD ["python3"]' \
        -c "ENV PIP_CERT=$certificates SSL_CERT_FILE=$certificates ${index:+UV_DEFAULT_INDEX=$index}" \
        - "$standin" >/dev/null
}

# HAProxy as Debian packages it.
import_haproxy() {
    [[ $haproxy_image == "$haproxy_standin" ]] ||
        die "$haproxy_image cannot be pulled, and only $haproxy_standin can be made here"
    local rootfs=$state/haproxy
    if [[ ! -d $rootfs ]]; then
        say "making $haproxy_standin by debootstrap"
        debian "$rootfs" haproxy
        mv "$rootfs.part" "$rootfs"
    fi
    say "importing $haproxy_standin"
    tar -C "$rootfs" -c . | docker import -c 'CMD ["haproxy"]' - "$haproxy_standin" >/dev/null
}

up() {
    lock
    engine_answers || start_engine
    plugins_work || install_plugins
    image_exists "$image" || pull_image "$image" || import_image
    image_exists "$haproxy_image" || pull_image "$haproxy_image" || import_haproxy
}

down() {
    lock
    local pid deadline=$((SECONDS + stop_limit_s))
    pid=$(own_pid) || return 0
    kill "$pid"
    while own_pid >/dev/null; do
        ((SECONDS < deadline)) || die "dockerd ($pid) is still there after $stop_limit_s s; see $log"
        sleep 0.2
    done
}

status() {
    local pid result=0
    engine_answers || { say "no engine answers"; result=1; }
    plugins_work || { say "Compose v2 or buildx is missing"; result=1; }
    image_exists "$image" || { say "$image is missing"; result=1; }
    image_exists "$haproxy_image" || { say "$haproxy_image is missing"; result=1; }
    ! pid=$(own_pid) || say "dockerd $pid was started by this script"
    ((result)) || say "all there"
    return "$result"
}

case ${1:-} in
    up | down | status) "$1" ;;
    *) die "usage: $0 up|down|status" ;;
esac
