#!/usr/bin/env bash
# PostgreSQL on a mount: a cluster with page checksums, pgbench, a kill of the mount amid a load, recovery, pg_checksums.
#
#   tests/full/postgresql.sh [SECONDS]      how long each load runs; 20 if it is not said
#
# Needs root (the server runs as nobody), /dev/fuse, and Debian's package postgresql.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-20}
postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -x "$postgres/initdb" ] || { echo "postgresql is missing: apt-get install postgresql" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "run it as root: the server is to run as another user" >&2; exit 1; }

cargo build --release -q -p waxseal
waxseal=$PWD/target/release/waxseal
scratch=$(mktemp -d)
export WAXSEAL_HOME=$scratch/home
vault=$scratch/vault clear=$scratch/clear
mkdir "$vault" "$clear"
chmod 755 "$scratch"

finish() {
    as_nobody "$postgres/pg_ctl" -D "$clear/cluster" -m immediate stop >/dev/null 2>&1 || true
    umount -l "$clear" 2>/dev/null || true
    rm -rf "$scratch"
}
trap finish EXIT

step() { printf '== %s\n' "$*"; }
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
mount_vault() { "$waxseal" mount --allow-other "$vault" "$clear"; }
start() { as_nobody "$postgres/pg_ctl" -D "$clear/cluster" -l "$scratch/log/server" -w -t 120 -o "-k $scratch/log -h ''" start >/dev/null; }
stop() { as_nobody "$postgres/pg_ctl" -D "$clear/cluster" -w -t 120 -m "$1" stop >/dev/null; }
sql() { as_nobody "$postgres/psql" -h "$scratch/log" -d postgres -X -A -t -q -c "$1"; }
bench() { as_nobody "$postgres/pgbench" -h "$scratch/log" -d postgres "$@" 2>&1; }

install -d -o nobody -g nogroup "$scratch/log"
mount_vault
install -d -o nobody -g nogroup -m 700 "$clear/cluster"

step "initdb with page checksums"
as_nobody "$postgres/initdb" -k -D "$clear/cluster" -A trust -U nobody >"$scratch/initdb.log" 2>&1 || { cat "$scratch/initdb.log"; exit 1; }
start

step "pgbench, $seconds s"
bench -i -q -s 5 >/dev/null
bench -c 4 -j 2 -T "$seconds" -P 5 | grep -E "^(number of transactions actually|tps|number of failed)"
sum_holds() {
    [ "$(sql 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
              and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)')" = t ]
}
sum_holds || { echo "balances and history differ" >&2; exit 1; }

step "a stop, pg_checksums on the mount, and again after a remount"
stop fast
as_nobody "$postgres/pg_checksums" -c -D "$clear/cluster" | grep -E "^(Blocks scanned|Bad checksums)"
"$waxseal" umount "$clear"
mount_vault
as_nobody "$postgres/pg_checksums" -c -D "$clear/cluster" | grep -E "^(Blocks scanned|Bad checksums)"
start

step "the mount is killed amid a load; the server recovers from its log"
acknowledged=$(mktemp -p "$scratch")
# Without -n it would empty the history that the balances are held against.
bench -n -c 4 -j 2 -T "$seconds" >"$scratch/bench.log" 2>&1 &
load=$!
# Each number is printed when its transaction has been acknowledged, and not before.
sql "create table acknowledged (n int primary key)"
(
    for n in $(seq 1 100000); do
        sql "insert into acknowledged values ($n)" >/dev/null 2>&1 || break
        echo "$n" >"$acknowledged"
    done
) &
writer=$!
sleep $((seconds / 2))
pkill -KILL -f "waxseal --in-background mount --allow-other $vault" || { echo "no mount to kill" >&2; exit 1; }
wait "$load" || true
wait "$writer" || true
as_nobody "$postgres/pg_ctl" -D "$clear/cluster" -m immediate stop >/dev/null 2>&1 || true
pkill -KILL -u nobody postgres || true
sleep 1
umount -l "$clear"
mount_vault
# What the server that was killed says of itself; nobody is left who could.
rm -f "$clear/cluster/postmaster.pid" "$scratch"/log/.s.PGSQL.*
start
last=$(cat "$acknowledged")
found=$(sql "select coalesce(max(n), 0) from acknowledged where n <= ${last:-0}")
[ "${last:-0}" -gt 0 ] && [ "$found" = "$last" ] || { echo "acknowledged $last, found $found" >&2; exit 1; }
sum_holds || { echo "balances and history differ after recovery" >&2; exit 1; }
echo "$last transactions acknowledged before the kill, all of them there"

step "pg_checksums after recovery, dump and restore"
sql "vacuum full"
sql "reindex database postgres"
as_nobody "$postgres/pg_dump" -h "$scratch/log" -d postgres -f "$clear/cluster/dump.sql"
sql "create database again"
as_nobody "$postgres/psql" -h "$scratch/log" -d again -X -q -f "$clear/cluster/dump.sql" >/dev/null
stop fast
as_nobody "$postgres/pg_checksums" -c -D "$clear/cluster" | grep -E "^(Blocks scanned|Bad checksums)"
"$waxseal" umount "$clear"

step "every container, one by one"
find "$vault" -name '*.wax' -print0 | xargs -0 "$waxseal" verify -q
echo "all $(find "$vault" -name '*.wax' | wc -l) of them are whole"
