# tar and zstd through a pipe, and what its exit codes tell.
. "$(dirname "$0")/common"
needs zstd "apt-get install zstd"
needs rsync "apt-get install rsync"
make_documents project

step "a backup and its restore"
documented tar-backup
documented tar-restore
same project restored/project

step "tar fails: the pipe does, and the backup before stays"
before=$(cksum <"$backup/project.tar.zst.wax")
mv project elsewhere
fails_with 2 documented tar-backup
[ "$(cksum <"$backup/project.tar.zst.wax")" = "$before" ] || fail "the old backup was replaced"
mv elsewhere project

step "tar is killed: encrypt sees an end like any other, and pipefail sees the difference"
codes=$(
    set +e +o pipefail
    (tar c project | head -c 100000; kill -KILL "$BASHPID") 2>/dev/null | waxseal encrypt -o died.wax
    echo "${PIPESTATUS[@]}"
)
[ "$codes" = "137 0" ] || fail "the codes were $codes"
waxseal verify died.wax
fails_with 2 tar tf <(waxseal decrypt <died.wax)

step "a container that is cut fails the pipe, also where tar has all it wanted"
# A long record, of which the end is nothing that tar needs.
tar c -b 1024 project | waxseal encrypt -o whole.wax
size=$(stat -c %s whole.wax)
all=
for left in $((size - 1)) $((size - 5000)) 100000; do
    head -c "$left" whole.wax >cut.wax
    mkdir "out-$left"
    codes=$(
        set +e +o pipefail
        waxseal decrypt <cut.wax 2>/dev/null | tar x -C "out-$left" 2>/dev/null
        echo "${PIPESTATUS[@]}"
    )
    printf '    %s of %s bytes: waxseal and tar end with %s\n' "$left" "$size" "$codes"
    [ "${codes% *}" = 6 ] || fail "the codes were $codes"
    all+=" ${codes#* }"
done
[ "${all:1:1}" = 0 ] || fail "tar had not all that it wanted: $all"
head -c $(($(stat -c %s "$backup/project.tar.zst.wax") - 1)) "$backup/project.tar.zst.wax" >cut.wax
mv cut.wax "$backup/project.tar.zst.wax"
rm -r restored
fails documented tar-restore

step "encrypt is killed: an output with -o does not appear, one of the shell is cut and opens for nobody"
mkfifo feed
killed_amid() {
    "$@" <feed &
    local process=$!
    exec 3>feed
    head -c 3000000 /dev/urandom >&3
    kill -KILL "$process"
    wait "$process" || true
    exec 3>&-
}
killed_amid waxseal encrypt -o killed.wax
[ ! -e killed.wax ] || fail "killed.wax is there"
# The shell is replaced by the program, which is what has to be killed.
killed_amid bash -c 'exec waxseal encrypt >shell.wax'
fails_with 6 waxseal verify shell.wax
