#!/bin/sh
# See pairmill work: real photographs in, aligned crops and SQL out. `make demo` runs this.
# usage: BUILD=build PYTHON=/usr/bin/python3 tests/demo.sh     [SCENES=4 TARGETS=3 SIZE=1500x1000]
set -eu
BUILD=${BUILD:-build} PYTHON=${PYTHON:-/usr/bin/python3}
SCENES=${SCENES:-4} TARGETS=${TARGETS:-3} SIZE=${SIZE:-1500x1000}
PAIRS=$((SCENES * TARGETS))
T=$(mktemp -d)
IN=$T/in OUT=$T/out DB=$T/out/pairmill.db CONF=$T/pairmill.conf LOG=$T/pairmilld.log
STAGE=$T/stage
daemon=

at_end() {
    rc=$?
    trap - EXIT
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true
    if [ "$rc" != 0 ]; then
        echo "demo: FAILED. The service's last words ($LOG):" >&2
        tail -n 15 "$LOG" >&2 || true
    fi
    exit "$rc"
}
trap at_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    echo "demo: $*" >&2
    exit 1
}

step() {
    echo
    echo "--- $*"
}

# Boxes only where they can be seen.
look=-column
case ${LC_ALL:-${LC_CTYPE:-${LANG:-}}} in
*[Uu][Tt][Ff]*8*) [ ! -t 1 ] || look=-box ;;
esac

show() {
    echo "\$ sqlite3 -readonly pairmill.db \"$1\""
    sqlite3 -batch -readonly -header "$look" -cmd '.timeout 10000' "$DB" "$1"
}

ask() {
    sqlite3 -batch -readonly -cmd '.timeout 10000' "$DB" "$1" 2>/dev/null || true
}

step "Making $PAIRS pairs of $SIZE px from photographs: shifts to +-100 px, gains 0.25-4, noise"
mkdir -p "$IN" "$OUT" "$STAGE"
"$PYTHON" tests/lib/make_pairs.py "$STAGE" --scenes "$SCENES" --targets "$TARGETS" --size "$SIZE" \
    --seed 2026
echo "$(find "$STAGE" -name '*.tif' | wc -l) files, $(du -sh "$STAGE" | cut -f 1)"

step "Starting pairmilld on an empty folder"
cat >"$CONF" <<END
[pairmill]
db = $DB
settle_s = 0.5
min_free = 100M
[crop]
crop_size = 256
crop_stride = 256
[source demo]
input = $IN
output = $OUT
END
cat "$CONF"
"$BUILD/pairmilld" --config "$CONF" >"$LOG" 2>&1 &
daemon=$!

step "Copying the files in while it runs, targets before their ground truth in every other scene"
odd=0
for scene in "$STAGE"/*/; do
    name=$(basename "$scene")
    mkdir -p "$IN/$name/gt"
    [ "$odd" = 1 ] || cp "$scene"/gt/*.tif "$IN/$name/gt/"
    for file in "$scene"*.tif; do
        cp "$file" "$IN/$name/"
        sleep 0.3
    done
    [ "$odd" = 0 ] || cp "$scene"/gt/*.tif "$IN/$name/gt/"
    odd=$((1 - odd))
    echo "copied $name; done so far: $(ask 'select sum(done) from progress')"
done

# A condition, bounded: every pair is in a state that no longer changes by itself.
tries=1200
until [ "$(ask 'select sum(done + failed + quarantined) from progress')" = "$PAIRS" ]; do
    kill -0 "$daemon" 2>/dev/null || die "pairmilld died"
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || die "not finished after two minutes"
    sleep 0.1
done

step "What anyone may ask the database, now and while it works"
show "select source, waiting, settling, queued, running, done, failed, missing, total, percent from progress"
[ "$(ask 'select sum(done) from progress')" = "$PAIRS" ] || {
    show "select * from failures" >&2
    die "not every pair was done"
}

step "Shift made and shift found"
joined="from pm.results r join truth t on t.target = r.target_path or '$IN/' || t.target = r.target_path"
exact="cast(t.dy as int) = r.dy and cast(t.dx as int) = r.dx"
truth() {
    sqlite3 -batch "$@" -cmd '.timeout 10000' -cmd ".import --csv '$STAGE/truth.csv' truth" \
        -cmd "attach 'file:$DB?mode=ro' as pm" 'file::memory:' "$query"
}
query="select r.scene, t.noise, printf('%4d,%4d', t.dy, t.dx) as made,
    printf('%4d,%4d', r.dy, r.dx) as found, case when $exact then 'yes' else 'NO' end as exact,
    t.gain as gain_made, printf('%.3f', r.gain) as gain_found, r.method,
    printf('%.4f', r.loss) as loss, printf('%.1f%%', 100 * r.mask_mean) as usable, r.crops
    $joined order by r.scene, r.target_path"
truth -header "$look"
query="select count(*) $joined where $exact"
right=$(truth)
[ "$right" = "$PAIRS" ] || die "only $right of $PAIRS shifts are exact"
echo "all $PAIRS shifts exact"

step "Where the time goes"
show "select * from stage_timings"

step "Stopping it (SIGTERM: finish what runs, then leave)"
kill -TERM "$daemon"
rc=0
wait "$daemon" || rc=$?
daemon=
[ "$rc" = 0 ] || die "pairmilld ended with $rc"
echo "pairmilld ended with 0"
rm -rf "$STAGE"

step "Yours to look at"
pair=$(find "$OUT" -name pair.json | sort | head -n 1)
echo "crops     $OUT ($(find "$OUT" -path '*/crops/*.gt.tif' | wc -l) windows)"
echo "a pair    ${pair%/pair.json}"
echo "database  $DB"
echo "remove    rm -rf $T"
