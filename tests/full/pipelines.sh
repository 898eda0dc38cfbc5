#!/usr/bin/env bash
# The pipelines of docs/pipelines.md, with the real programs: each is a script in pipelines/ that runs the document's own
# commands. What a pipeline needs and is not installed is a failure that says how to get it.
#
#   tests/full/pipelines.sh [NAME]...       all of them if none is named
#
# WAXSEAL_PROGRAM=FILE takes that program; otherwise the release build is made and taken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scripts=tests/full/pipelines
[ $# -gt 0 ] || set -- drill postgresql rclone restic rsync s3 tar timer
if [ -z "${WAXSEAL_PROGRAM:-}" ]; then
    cargo build --release -q -p waxseal
    export WAXSEAL_PROGRAM=$PWD/target/release/waxseal
fi

failed=()
for name in "$@"; do
    [ -f "$scripts/$name.sh" ] || { echo "there is no pipeline $name: $(ls $scripts)" >&2; exit 2; }
    printf '\n===== %s\n' "$name"
    if bash "$scripts/$name.sh"; then
        printf '===== %s: all as documented\n' "$name"
    else
        failed+=("$name")
        printf '===== %s: FAILED\n' "$name"
    fi
done
[ ${#failed[@]} -eq 0 ] || { printf '\nfailed: %s\n' "${failed[*]}" >&2; exit 1; }
