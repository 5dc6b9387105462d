#!/bin/sh
# What people do to the whole database: .backup and VACUUM while the service runs, VACUUM while it is
# stopped, a copy taken elsewhere, every job queued by hand in the middle of the work.
. tests/lib/e2e.sh
mkpairs "$T/made" 2 4 160x120 231
mkpairs "$T/more" 1 3 160x120 232
write_conf pairmill.settle_s=0
cp -R "$T"/made/*/ "$IN/"

person() { # SQL: typed into the stock shell, which may write
    sqlite3 -batch -cmd '.timeout 20000' "$DB" "$1" >"$T/person.out" 2>&1 ||
        fail "the shell: $(cat "$T/person.out")"
}

say ".backup while pairs are worked on is a whole database"
mkdir "$T/elsewhere"
daemon_start
wait_for 60 "the first pair" sql_is 1 "select sum(done) > 0 from progress"
person ".backup $T/elsewhere/copy.db"
[ "$(sqlite3 "$T/elsewhere/copy.db" 'pragma integrity_check')" = ok ] || fail "the copy is damaged"
wait_done 8

say "the copy answers elsewhere, and what is done with it leaves the service alone"
person ".backup $T/elsewhere/copy.db"
run_rc 0 "$PAIRMILL" status --db "$T/elsewhere/copy.db"
run_rc 0 "$PAIRMILL" verify --db "$T/elsewhere/copy.db"
run_rc 0 "$PAIRMILL" retry --done --db "$T/elsewhere/copy.db"
[ "$(sqlite3 "$T/elsewhere/copy.db" 'select sum(queued) from progress')" = 8 ] || fail "the copy"
must_be 8 "select sum(done) from progress"

say "VACUUM while it runs"
person "vacuum"
mv "$T/more"/*/ "$IN/more"
wait_done 11

say "every job queued by hand: all are done again, by themselves"
person "update job set state = 'queued'"
wait_done 11
must_be 11 "select count(*) from results"
run_rc 0 "$PAIRMILL" verify --db "$DB"

say "and again in the middle of the work"
person "update job set state = 'queued'"
wait_for 60 "some to run" sql_is 1 "select sum(running) > 0 or sum(done) = 11 from progress"
person "update job set state = 'queued'"
wait_done 11
run_rc 0 "$PAIRMILL" verify --db "$DB"
must_be 0 "select count(*) from failures"

say "deleted while they run: forgotten, no more"
person "update job set state = 'queued'"
wait_for 60 "some to run" sql_is 1 "select sum(running) > 0 or sum(done) = 11 from progress"
person "delete from job where id in (select id from job order by state = 'running' desc limit 2)"
left=9
wait_done "$left"
daemon_stop

say "VACUUM while it is stopped, the files of the log taken along or not"
person "vacuum"
cp "$DB" "$T/elsewhere/alone.db" # stopped in order: everything is in the one file
[ "$(sqlite3 "$T/elsewhere/alone.db" 'select sum(done) from progress')" = "$left" ] ||
    fail "the file alone is not the whole database"
daemon_start_ready
all_settled "$left" 0 || wait_done "$left"
daemon_stop
check_clean

# harm TABLE...: overwrites the first page of each, and of each index of it.
harm() {
    cp "$DB" "$T/elsewhere/harmed.db"
    size=$(sql "pragma page_size")
    for table; do
        for page in $(sql "select rootpage from sqlite_schema where tbl_name = '$table' and rootpage > 0"); do
            head -c "$size" /dev/zero | tr '\0' 'X' | dd of="$T/elsewhere/harmed.db" bs="$size" \
                seek=$((page - 1)) conv=notrunc status=none
        done
    done
}

# The run ends by itself, at once, with one line that says what to do.
refused() {
    start=$(date +%s)
    run_rc 1 "$@"
    [ $(($(date +%s) - start)) -lt $((20 * slow)) ] || fail "took $(($(date +%s) - start)) s: $*"
    [ "$(grep -vc 'pairs, .* failed' "$T/run.err")" = 1 ] || fail "not one line: $(cat "$T/run.err")"
    grep -q "harmed.db.*damaged.*copy.*move it away" "$T/run.err" || fail "$(cat "$T/run.err")"
}

say "a damaged database ends the work with one line, and nobody waits for ever"
harm image
refused "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" --db "$T/elsewhere/harmed.db"
harm job
refused "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" --db "$T/elsewhere/harmed.db"
refused "$PAIRMILL" retry --done --db "$T/elsewhere/harmed.db"
refused "$PAIRMILL" verify --db "$T/elsewhere/harmed.db"
harm image
write_conf pairmill.db="$T/elsewhere/harmed.db" log.log_level=err
refused "$PAIRMILLD" --config "$CONF"
