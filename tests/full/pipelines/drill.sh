# The restore drill: what was encrypted on one machine is restored on another, from the disk and a passphrase.
. "$(dirname "$0")/common"
needs rsync "apt-get install rsync"

# on HOST COMMAND...: as on a machine of that name, with nothing but its own home.
on() {
    local home=$scratch/hosts/$1
    shift
    mkdir -p "$home"
    as=(env -i HOME="$home" PATH="$PATH" LC_ALL=C.UTF-8)
    cd "$home"
    "$@"
    cd "$scratch/work"
}
run() { "${as[@]}" "$@"; }

mkdir -p "$scratch"/hosts/{first,second}
make_documents "$scratch/hosts/first/documents"
(umask 077; echo "correct horse battery staple" | tee "$scratch"/hosts/{first,second}/passphrase-of-backup >/dev/null)

step "on the first machine: a backup of the keys, and of the files"
on first run waxseal encrypt -q documents/letters/nothing -o before.wax
on first documented drill-backup
on first documented drill-backup

step "another machine cannot open it without the keys"
on second fails_with 8 run waxseal verify -r "$backup/vault"
on second fails_with 8 run waxseal verify "$backup/vault/letters/anna.txt.wax"

step "nor with another passphrase"
echo "correct horse battery stable" >"$scratch/hosts/second/wrong"
on second fails run waxseal kms restore --backup-passphrase-file wrong "$backup/waxseal-keys.backup"

step "with the backup of the keys it can"
on second documented drill-restore
same "$scratch/hosts/first/documents" "$scratch/hosts/second/restored"
