#!/bin/sh
# Guests of the database: a group member may ask with the daemon up and down, a stranger may not, a
# held read transaction delays nothing and a write lock held for 5 s fails nothing.
. tests/lib/e2e.sh
mkpairs "$T/made" 3 4 160x120 71
GUEST=60001 GROUP=60002 STRANGER=60003

write_conf
rm -rf "$IN"
mkdir "$IN"
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$T"
    chgrp "$GROUP" "$T/state"
    chmod 2750 "$T/state"
fi

guest() {
    as_user "$GUEST" "$GROUP" sqlite3 -batch -readonly "$DB" "$1"
}

# Each of the public views answers the guest.
guest_reads() {
    for view in progress throughput eta results failures unpaired stage_timings method_stats \
        cache_stats scenes slowest workers quarantine stale health; do
        guest "select * from $view" >/dev/null || fail "a group member cannot read $view, daemon $1"
    done
}

stranger_is_refused() {
    if as_user "$STRANGER" "$STRANGER" sqlite3 -batch -readonly "$DB" "select * from progress" \
        >"$T/stranger.out" 2>&1; then
        fail "a stranger can read the database, daemon $1"
    fi
    grep -qi 'unable to open' "$T/stranger.out" || fail "unexpected: $(cat "$T/stranger.out")"
}

daemon_start_ready
cp -R "$T"/made/*/ "$IN/"
wait_done 12
if [ "$(id -u)" = 0 ]; then
    say "a group member and a stranger, daemon up"
    guest_reads up
    [ "$(guest 'select sum(done) from progress')" = 12 ] || fail "the guest sees something else"
    stranger_is_refused up
    if guest "create table mine (a)" 2>/dev/null; then
        fail "a guest can write"
    fi
    daemon_stop
    say "and down"
    guest_reads down
    [ "$(guest 'select sum(done) from progress')" = 12 ] || fail "the guest sees something else"
    stranger_is_refused down
    daemon_start_ready
else
    say "not root: the other users are left out"
fi

# hold SQL: a shell that runs SQL and then stays, until told to go by removing $T/hold.
hold() {
    mkfifo "$T/hold"
    sqlite3 -batch "$DB" <"$T/hold" >"$T/hold.out" 2>&1 &
    holder=$!
    others="$others $holder"
    exec 9>"$T/hold"
    printf '%s\n' "$@" >&9
    wait_for 10 "the shell to hold its lock" grep -q held "$T/hold.out"
}

let_go() {
    printf '%s\n' "commit;" ".exit" >&9
    exec 9>&-
    wait "$holder" || fail "the guest's shell failed: $(cat "$T/hold.out")"
    rm "$T/hold" "$T/hold.out"
}

say "a held read transaction delays nothing"
hold "begin;" "select 'held', count(*) from results;"
mkpairs "$T/more" 1 4 160x120 72
mv "$T/more"/*/ "$IN/second-batch"
wait_done 16
let_go

say "a write lock held for 5 s fails nothing"
held_at=$(date +%s)
hold ".timeout 20000" "begin immediate;" "select 'held';"
mkpairs "$T/third" 1 4 160x120 73
mv "$T/third"/*/ "$IN/third-batch"
until [ $(($(date +%s) - held_at)) -ge 6 ]; do
    kill -0 "$daemon" || fail "the daemon died of a locked database"
    must_be 16 "select sum(done) from progress"
    sleep 0.2
done
let_go
wait_done 20
must_be 0 "select count(*) from failures"
check_outputs --expect 20
daemon_stop
check_clean
