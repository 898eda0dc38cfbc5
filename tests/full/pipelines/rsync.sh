# rsync of a tree of containers: the second time there is nothing to write and nothing to send.
. "$(dirname "$0")/common"
needs rsync "apt-get install rsync"
make_documents documents
to_send() { rsync -aHXni --delete vault/ "$backup/vault/"; }

step "the first time"
documented rsync-backup
same vault "$backup/vault"

step "the second time"
before=$(state vault; state "$backup/vault")
documented rsync-backup
[ "$(state vault; state "$backup/vault")" = "$before" ] || fail "something was written"

step "one file has changed: one file is sent"
echo "PS" >>documents/letters/anna.txt
waxseal encrypt -q -r --update --delete documents -o vault
[ "$(to_send | grep -c '^>f')" = 1 ] || fail "to be sent: $(to_send)"
documented rsync-backup

step "one is gone, one is new"
rm "documents/letters/old/scan 1.pdf"
echo new >documents/letters/new
documented rsync-backup
[ ! -e "$backup/vault/letters/old/scan 1.pdf.wax" ] && [ -e "$backup/vault/letters/new.wax" ] || fail "the backup is another"

step "the restore"
waxseal verify -q -r "$backup/vault"
documented rsync-restore
same documents restored
