#!/bin/sh
# make guests MINUTES=10: a person's read transaction held for so long under load, then write locks of
# 5 s and 60 s: nothing fails, nothing is lost, the log file is small again afterwards, and health
# warns exactly while it is large. SQLite waits 10 s for a lock, so 60 s is for the ledger to endure.
. tests/lib/e2e.sh
MINUTES=${MINUTES:-10} FILES=${FILES:-60000}
WAIT_S=600
mkpairs "$T/made" 2 6 160x120 "${SEED:-251}"
write_conf pairmill.settle_s=0 pairmill.rescan_s=5
daemon_start_ready

hold() { # SQL...: a shell that runs it and stays
    mkfifo "$T/hold"
    sqlite3 -batch "$DB" <"$T/hold" >"$T/hold.out" 2>&1 &
    holder=$!
    others="$others $holder"
    exec 9>"$T/hold"
    printf '%s\n' ".timeout 60000" "$@" >&9
    wait_for 60 "the shell to hold its lock" grep -q held "$T/hold.out"
}

let_go() {
    printf '%s\n' "commit;" ".exit" >&9
    exec 9>&-
    wait "$holder" || fail "the guest's shell failed: $(cat "$T/hold.out")"
    rm "$T/hold" "$T/hold.out"
}

batches=0
drop_batch() {
    batches=$((batches + 1))
    for scene in "$T"/made/*/; do
        cp -R "$scene" "$IN/$(basename "$scene")-$batches"
    done
}

wal() {
    stat -c %s "$DB-wal"
}

say "a read transaction held for $MINUTES min, pairs and $FILES files arriving"
hold "begin;" "select 'held', count(*) from results;"
end=$(($(date +%s) + ${MINUTES%.*} * 60))
largest=0 warned=no
"$PYTHON" - "$IN/many" "$FILES" <<'END'
import os, sys
for i in range(int(sys.argv[2])):
    folder = f"{sys.argv[1]}/{i % 200:03d}"
    if i < 200:
        os.makedirs(folder)
    with open(f"{folder}/file-{i * 7919 % 1000003:06d}.tif", "wb") as file:
        file.write(b"x")
END
while [ "$(date +%s)" -lt "$end" ] || ! sql_is "$FILES" "select sum(waiting) from progress"; do
    [ "$batches" -ge 200 ] || drop_batch
    kill -0 "$daemon" || fail "pairmilld died"
    size=$(wal)
    [ "$size" -le "$largest" ] || largest=$size
    must_be 1 "select (warning is not null) = (wal_bytes > 67108864) from health"
    [ "$(sql "select warning is null from health")" = 1 ] || warned=yes
    sleep 2
done
echo "log file: $largest bytes at most, warned: $warned; $((batches * 12)) pairs dropped"
[ "$largest" -le 83886080 ] || [ "$warned" = yes ] || fail "no warning"
let_go
wait_done $((batches * 12))
wait_for 60 "the log to be emptied" sh -c "[ \$(stat -c %s '$DB-wal') -le 4194304 ]"
wait_for 30 "health to say so" sql_is 1 "select warning is null from health"

for seconds in 5 60; do
    say "a write lock of $seconds s"
    drop_batch
    hold "begin immediate;" "select 'held';"
    from=$(date +%s)
    done_before=$(sql "select sum(done) from progress")
    while [ $(($(date +%s) - from)) -lt "$seconds" ]; do
        kill -0 "$daemon" || fail "pairmilld died of a locked database"
        must_be "$done_before" "select sum(done) from progress"
        sleep 1
    done
    let_go
    wait_done $((batches * 12))
done
must_be 1 "select busy_waits > 0 from health"
must_be "0|1" "select (select count(*) from failures), max(attempts) from job"
run_rc 0 "$PAIRMILL" verify --db "$DB"
daemon_stop
check_clean
say "all well"
