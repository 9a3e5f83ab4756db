#!/usr/bin/env bash
# The browser of the UI tests: makes sure that Debian's chromium is there and prints its path.
set -euo pipefail

# shellcheck source=tests/stack/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

browser=/usr/bin/chromium
[[ -x $browser ]] || install_packages chromium
echo "$browser"
