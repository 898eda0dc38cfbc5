# PostgreSQL: pg_dump, WAL archiving and point-in-time recovery through waxseal, with a real cluster.
. "$(dirname "$0")/common"
postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
PATH=$PATH:$postgres
needs initdb "apt-get install postgresql"
[ "$(id -u)" = 0 ] || fail "run it as root: the server is to run as another user"
chown -R nobody:nogroup "$scratch"/{home,work,backup}
as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
run() { "${as[@]}" "$@"; }
export PGHOST=$PWD/socket PGUSER=nobody
log=$PWD/log
run mkdir socket "$backup/wal"
sql() { run psql -d app -XAtq -c "$1"; }
start() { run pg_ctl -D "$1" -l "$log" -w -t 60 start >/dev/null; }
stop() { run pg_ctl -D "$1" -w -m fast stop >/dev/null; }
count() { sql "select count(*) from entries"; }
finish_server() {
    code=$?
    for place in cluster restored; do
        [ ! -f "$place/postmaster.pid" ] || run pg_ctl -D "$place" -m immediate stop >/dev/null 2>&1 || true
    done
    (exit "$code")
    finish
}
trap finish_server EXIT

step "a cluster that archives through waxseal"
run initdb -A trust -U nobody -D cluster >/dev/null
{
    block wal-archive
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$PGHOST'"
} | tee -a cluster/postgresql.conf
start cluster
run createdb app
sql "create table entries (n int primary key, text text)"
sql "insert into entries select n, md5(n::text) from generate_series(1, 10000) n"

step "pg_dump"
documented pg-dump
documented pg-restore
[ "$(run psql -d app_again -XAtq -c 'select count(*), md5(string_agg(text, $$,$$ order by n)) from entries')" = \
    "$(sql 'select count(*), md5(string_agg(text, $$,$$ order by n)) from entries')" ] || fail "the dump has something else"
# A database that is gone: the dump before stays.
before=$(cksum <"$backup/app.dump.wax")
run psql -d postgres -Xq -c "alter database app rename to elsewhere"
fails_with 1 documented pg-dump
run psql -d postgres -Xq -c "alter database elsewhere rename to app"
[ "$(cksum <"$backup/app.dump.wax")" = "$before" ] || fail "the old dump was replaced"

step "a base backup, and transactions after it"
documented base-backup
sql "insert into entries select n, md5(n::text) from generate_series(10001, 20000) n"
good=$(sql "select clock_timestamp()")
sql "delete from entries where n % 2 = 0"
sql "select pg_switch_wal()" >/dev/null
sql "insert into entries values (30000, 'the last one')"
last=$(sql "select pg_walfile_name(pg_switch_wal())")
for _ in $(seq 300); do
    [ ! -e "$backup/wal/$last.wax" ] || break
    sleep 0.1
done
run waxseal verify -q -r "$backup/wal"
all=$(count)
[ "$(sql "select failed_count from pg_stat_archiver")" = 0 ] || fail "archiving has failed: $(tail -5 log)"

step "a segment that is handed over twice is accepted if it is the same, and never replaced"
archive_command=$(sed -n "s/^archive_command = '\(.*\)'$/\1/p" cluster/postgresql.conf)
run waxseal decrypt -q "$backup/wal/$last.wax" -o segment
again() { run sh -c "$(sed "s#%p#segment#g; s#%f#$last#g" <<<"$archive_command")"; }
before=$(cksum <"$backup/wal/$last.wax")
again
printf 'x' | run dd of=segment bs=1 seek=5000 conv=notrunc status=none
fails again
[ "$(cksum <"$backup/wal/$last.wax")" = "$before" ] || fail "the segment was replaced"
stop cluster

# recovered LINES: a cluster of the base backup that recovers with these settings; its server is started.
recovered() {
    [ ! -d restored ] || rm -r restored
    documented base-restore
    { block wal-restore; printf '%s\n' "$@"; } | tee -a restored/postgresql.conf
    start restored
    # A server can be read before its recovery has ended, well or not.
    for _ in $(seq 600); do
        [ "$(sql 'select pg_is_in_recovery()' 2>/dev/null || echo down)" = t ] || break
        sleep 0.1
    done
    [ "$(sql 'select pg_is_in_recovery()')" = f ]
}

step "recovery of everything"
recovered
[ "$(count)" = "$all" ] || fail "$(count) entries instead of $all"
[ "$(sql 'select text from entries where n = 30000')" = "the last one" ] || fail "the last transaction is not there"
stop restored

step "recovery to a point in time, before the mistake"
recovered "recovery_target_time = '$good'" "recovery_target_action = promote"
[ "$(count)" = 20000 ] || fail "$(count) entries instead of 20000"
stop restored

step "a segment is damaged: the server does not open a database that lacks what came after"
rm "$backup"/wal/00000002* "$backup"/wal/00000003*
printf 'x' | dd of="$backup/wal/$last.wax" bs=1 seek=100000 conv=notrunc status=none
fails recovered
grep -q "could not restore file .* from archive: child process exited with exit code 200" log || { tail log; fail "the log says something else"; }
fails sql "select 1"
[ -f restored/recovery.signal ] || fail "the recovery counts as ended"
