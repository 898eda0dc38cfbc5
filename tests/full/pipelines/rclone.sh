# rclone of a tree of containers: the second time there is nothing to send.
. "$(dirname "$0")/common"
needs rclone "apt-get install rclone"
# The remote is a directory: what is sent, and whether, does not depend on where to.
mkdir "$scratch/cloud"
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_REMOTE_TYPE=alias RCLONE_CONFIG_REMOTE_REMOTE=$scratch/cloud
make_documents documents
# What rclone does, of what it says with -v.
sent() { documented rclone-backup 2>&1 | tee "$scratch/said" >/dev/null; grep -cE ': (Copied|Deleted|Removed)' "$scratch/said" || true; }
export RCLONE_VERBOSE=1

step "the first time"
[ "$(sent)" -gt 3 ] || { cat "$scratch/said"; fail "rclone sent nothing"; }

step "the second time nothing is sent"
[ "$(sent)" = 0 ] || { cat "$scratch/said"; fail "something was sent"; }

step "one file has changed: its container is sent, and nothing else"
echo "PS" >>documents/letters/nothing
[ "$(sent)" = 1 ] || { cat "$scratch/said"; fail "not one file was sent"; }

step "the restore"
export RCLONE_VERBOSE=0
documented rclone-restore
files() { (cd "$1" && find . ! -type d -printf '%p %y %m %T@ %l\n' | LC_ALL=C sort); }
diff <(files documents) <(files restored) || fail "files differ in name, mode, time or target"
diff -r --no-dereference documents restored
