#!/usr/bin/env bash
# Runs pjdfstest on a mount, or on another directory to compare with. As root.
#
#   tests/full/pjdfstest.sh                 on a mount of target/release/waxseal
#   tests/full/pjdfstest.sh /some/directory on that directory
#
# A plain directory on ext4 gives 385 passed, 13 skipped; a passthrough over FUSE 384, 14; none of them a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH="$PWD/target/tools/bin:$PATH"
scratch=$(mktemp -d)
chmod 755 "$scratch"
trap 'waxseal umount "$scratch/clear" 2>/dev/null || true; rm -rf --one-file-system "$scratch"' EXIT
waxseal() { "$PWD/target/release/waxseal" --home "$scratch/home" "$@"; }

if [ $# -gt 0 ]; then
    place=$1
else
    cargo build --release --bin waxseal
    place=$scratch/clear
    mkdir "$scratch/vault" "$place"
    waxseal mount --allow-other --log "$scratch/log" "$scratch/vault" "$place"
fi
pjdfstest -c tests/full/pjdfstest.toml -p "$place" -s /dev/shm
