# restic over a tree of containers, and over a mount.
. "$(dirname "$0")/common"
needs restic "apt-get install restic"
needs fusermount3 "apt-get install fuse3"
[ -e /dev/fuse ] || fail "/dev/fuse is missing: nothing can be mounted here"
make_documents documents
echo "restic's own password" >"$scratch/password"
export RESTIC_REPOSITORY=$backup/restic RESTIC_PASSWORD_FILE=$scratch/password RESTIC_CACHE_DIR=$scratch/cache
restic -q init
# unchanged BLOCK: the backup finds nothing new and nothing changed.
unchanged() {
    documented "$1" >"$scratch/said" 2>&1 || { cat "$scratch/said"; fail "$1"; }
    grep -qE '^Files: +0 new, +0 changed' "$scratch/said" || { cat "$scratch/said"; fail "restic found changes"; }
}

step "containers: the first time, and the second"
documented restic-vault >/dev/null
unchanged restic-vault

step "one file has changed: one is stored"
echo "PS" >>documents/letters/nothing
documented restic-vault >"$scratch/said"
grep -qE '^Files: +0 new, +1 changed' "$scratch/said" || { cat "$scratch/said"; fail "not one file was stored"; }

step "the restore of containers"
documented restic-vault-restore >/dev/null
same documents restored

step "over a mount: the first time, and after another mount"
mkdir clear
documented restic-mount >/dev/null
unchanged restic-mount

step "the restore of what the mount showed"
restic -q restore latest --path "$PWD/clear" --target plain
same documents plain/clear

step "the repository is whole"
restic -q check --read-data
