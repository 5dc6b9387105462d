#!/bin/sh
# Files that change while they are queued, read, or published: the result that stays is that of the
# bytes that are there, whatever happened meanwhile. SEED=N repeats a storm.
. tests/lib/e2e.sh
need_shim
mkpairs "$T/made" 3 5 160x120 151
steps=120
[ "$slow" = 1 ] || steps=40
seed=${SEED:-151}

say "a storm of changes, seed $seed"
write_conf
daemon_start_ready
"$PYTHON" "$LIB/storm.py" "$T/made" "$IN" "$DB" --seed "$seed" --steps "$steps" \
    --wait $((90 * slow)) || fail "the storm left something wrong; SEED=$seed repeats it"
must_be 0 "select count(*) from failures"
check_outputs --expect 12
wait_for 30 "nothing settling" sql_is 0 "select settling from progress"
daemon_stop
check_clean

# One pair is held where SHIM_HOLD_AT says, its target "held.tif" is changed, then it is let go.
scene=$(find "$T/made" -mindepth 1 -maxdepth 1 -name '*-00')
first=$(find "$scene" -maxdepth 1 -name '*_01_*.tif')
second=$(find "$scene" -maxdepth 1 -name '*_02_*.tif')
shift_of() {
    awk -F, -v file="$(basename "$1")" '$3 ~ file "$" { print $4 "|" $5 }' "$T/made/truth.csv"
}
[ "$(shift_of "$first")" != "$(shift_of "$second")" ] || fail "choose another seed"

# begin NAME: a new scene whose pair is held.
begin() {
    here=$IN/$1
    touch "$T/hold"
    mkdir -p "$T/coming/gt"
    cp "$scene"/gt/*.tif "$T/coming/gt/g.tif"
    cp "$first" "$T/coming/held.tif"
    mv "$T/coming" "$here"
    wait_for 30 "the pair of $1 to be held" test -f "$T/hold.at"
    must_be running "$(state_of "$1")"
}

let_go() {
    rm "$T/hold.at" "$T/hold"
}

state_of() {
    echo "select j.state from job j join scene c on c.id = j.scene_id where c.name = '$1'"
}

revision_of() {
    echo "select t.revision from image t where t.name = '$1/held.tif'"
}

shift_in() {
    echo "select dy || '|' || dx from results where scene = '$1'"
}

for point in open rename; do
    rm -rf "$T/state" "$OUT" "$IN" "$T/hold" "$T/hold.at"
    mkdir "$T/state"
    : >"$LOG"
    write_conf
    export SHIM_HOLD="$T/hold" SHIM_HOLD_NAME=held.tif SHIM_HOLD_AT="$point"
    with_shim daemon_start_ready
    # What was read whole before it went is a result like any other; what was not is missing.
    left=missing
    [ "$point" = open ] || left=done

    say "held at $point: rewritten, let go at once"
    begin rewritten
    cat "$second" >"$here/held.tif"
    let_go
    wait_for 60 "the new shift" sql_is "$(shift_of "$second")" "$(shift_in rewritten)"

    say "held at $point: replaced, let go when that was noticed"
    begin replaced
    cp "$second" "$here/.held.tif.part"
    mv "$here/.held.tif.part" "$here/held.tif"
    wait_for 60 "a second revision" sql_is 2 "$(revision_of replaced)"
    let_go
    wait_for 60 "the new shift" sql_is "$(shift_of "$second")" "$(shift_in replaced)"

    say "held at $point: deleted, let go when that was noticed; back again"
    begin deleted
    rm "$here/held.tif"
    wait_for 60 "the file to be gone" sql_is gone \
        "select state from image where name = 'deleted/held.tif'"
    let_go
    wait_for 60 "the pair to be $left" sql_is "$left" "$(state_of deleted)"
    cp "$second" "$here/held.tif"
    wait_for 60 "the new shift" sql_is "$(shift_of "$second")" "$(shift_in deleted)"

    say "held at $point: its folder moved away, let go when that was noticed; back again"
    begin moved
    mv "$here" "$T/away"
    wait_for 60 "the file to be gone" sql_is gone \
        "select state from image where name = 'moved/held.tif'"
    let_go
    wait_for 60 "the pair to be $left" sql_is "$left" "$(state_of moved)"
    mv "$T/away" "$here"
    wait_for 60 "the pair to be done" sql_is done "$(state_of moved)"
    must_be "$(shift_of "$first")" "$(shift_in moved)"

    wait_done 4
    must_be 0 "select count(*) from failures"
    check_outputs --expect 4
    daemon_stop
    check_clean
done
