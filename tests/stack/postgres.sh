#!/usr/bin/env bash
# PostgreSQL for the store tests: makes sure that its server programs are there and prints their
# directory. The tests start a server of their own; none is left running here.
set -euo pipefail

# shellcheck source=tests/stack/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

# Debian keeps each major version apart and off the PATH; the newest wins.
newest_bin() {
    local initdb
    initdb=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [[ -x $initdb ]] || initdb=$(readlink -f "$(command -v initdb)") || return 1
    dirname "$initdb"
}

newest_bin 2>/dev/null && exit

# The package makes a cluster unless told beforehand not to.
setting=/etc/postgresql-common/createcluster.d/loadlab.conf
trap 'rm -f "$setting"' EXIT
install -D -m 644 /dev/stdin "$setting" <<<'create_main_cluster = false'
install_packages postgresql
newest_bin
