#!/bin/sh
# Makes the hashed locks anew from the dependency groups of pyproject.toml. Needs uv on the PATH (or in $UV).
# dev.lock is resolved first and holds everything; the others are cut from it, so that a version is the same everywhere.
set -eu
cd "$(dirname "$0")/.."
UV="${UV:-uv}"
compile() {
    group=$1
    shift
    "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate \
        --custom-compile-command 'sh requirements/compile.sh' \
        --group "$group" --output-file "requirements/$group.lock" "$@"
}
compile dev "$@"
for group in rig api generator; do
    compile "$group" --constraints requirements/dev.lock
done
