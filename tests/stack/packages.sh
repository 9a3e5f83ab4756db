# shellcheck shell=bash
# Sourced by the scripts beside it: Debian packages, installed only where they are missing.

# install_packages NAME...
install_packages() {
    local package
    local -a lacking=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] || lacking+=("$package")
    done
    ((${#lacking[@]})) || return 0
    if [[ $EUID != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "missing: ${lacking[*]}. Install them, or run this as root on Debian" >&2
        return 1
    fi
    echo "installing ${lacking[*]}" >&2
    # One at a time: apt waits for nobody who is reading the package lists.
    # RUNLEVEL=1 keeps Debian from starting a service it installs: nobody would end it.
    (
        flock 8
        export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${lacking[@]}" >/dev/null
    ) 8>/run/lock/loadlab-packages
}
