# The systemd units: they are valid, and what they run does what a monitor is told.
. "$(dirname "$0")/common"
needs systemd-analyze "apt-get install systemd"
places=("/srv=$scratch/srv" "/etc/systemd/system=$scratch/units" "/var/log=$scratch/log")
mkdir -p "$scratch"/{units,log/waxseal,srv} "$backup/documents"
make_documents "$scratch/srv/documents"

step "the units are valid"
cd "$project"
documented timer-install "${places[@]}"
cd "$scratch/work"
cp "$project/docs/waxseal@.service" "$scratch/units/"
# The program is looked for where systemd looks; here it is elsewhere.
sed -i -E "s#^(Exec[A-Za-z]+=-?)waxseal #\1$scratch/bin/waxseal #" "$scratch"/units/*.service
systemd-analyze verify --man=no "$scratch"/units/waxseal{,-backup}@documents.{service,timer} 2>"$scratch/said" || true
for unit in 'waxseal@.service' 'waxseal-backup@.service' 'waxseal-backup@.timer'; do
    cp "$scratch/units/$unit" "$scratch/units/${unit/@./@documents.}"
    systemd-analyze verify --man=no "$scratch/units/${unit/@./@documents.}" 2>&1 | tee "$scratch/said"
    [ ! -s "$scratch/said" ] || fail "systemd has something to say about $unit"
done
systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' "$scratch/units/waxseal-backup@.timer")" >/dev/null

# Runs what the service runs, one after the other, until one fails.
run_service() (
    set -a
    eval "$(block timer-conf "${places[@]}")"
    set +a
    sed -n 's/^ExecStart=//p' "$scratch/units/waxseal-backup@.service" |
        sed "s#%L#$scratch/log#g; s#%i#documents#g; s#--sample 5 #--sample 100 #" >"$scratch/commands"
    [ "$(wc -l <"$scratch/commands")" = 2 ] || fail "the service runs something else"
    bash -eu "$scratch/commands"
)
verdict() { documented verdict "${places[@]}" | grep "needs attention" || true; }
good() { [ -z "$(verdict)" ] || fail "$(verdict)"; }
bad() { [ -n "$(verdict)" ] || fail "a monitor would not notice"; }

step "two nights"
run_service
good
before=$(state "$backup/documents/vault")
run_service
good
[ "$(state "$backup/documents/vault")" = "$before" ] || fail "something was written"

step "a container is damaged: the run fails, the report says which, and the verdict is bad"
damaged="$backup/documents/vault/letters/old/scan 1.pdf.wax"
touch -r "$damaged" time
printf 'x' | dd of="$damaged" bs=1 seek=5000 conv=notrunc status=none
# As a disk does it, which changes no times. With another time the next run would encrypt the file anew.
touch -r time "$damaged"
fails_with 10 run_service
grep -q '"code":6.*scan 1.pdf.wax' "$scratch/log/waxseal/documents.verify" || fail "the report does not say it"
bad

step "a run that was killed, and one of last week, are no good ones"
rm -r "$backup/documents/vault"
run_service
good
touch -d '8 days ago' "$scratch/log/waxseal/documents.verify"
bad
: >"$scratch/log/waxseal/documents.verify"
bad

step "the disk is not mounted: the run fails, and nothing is written below"
mv "$backup/documents" "$scratch/unmounted"
fails_with 4 run_service
[ -z "$(ls "$backup")" ] || fail "something was written"
