#!/bin/sh
# One output, and inputs that change: a second one with the same names does not take the place of the
# first one's results; the first one moved, or under another name, is not done again.
. tests/lib/e2e.sh

DB=$OUT/pairmill.db
mkpairs "$T/made" 2 2 160x120 311
mkdir "$T/monday" "$T/tuesday"
cp -Rp "$T"/made/*/ "$T/monday/"
cp -R "$T"/made/*/ "$T/tuesday/"
# The names of monday, other pictures: each target under the name of the other of its scene.
for one in "$T"/tuesday/*/*_01_*.tif; do
    two=$(echo "${one%_01_*}"_02_*.tif)
    mv "$one" "$T/one" && mv "$two" "$one" && mv "$T/one" "$two"
done

run() { # INPUT EXIT: into the one output
    run_rc "$2" "$PAIRMILL" run --input_dir "$1" --output_dir "$OUT" --crop_size 64 \
        --crop_stride 64 --max_shift 24
}

says() {
    grep -qF -- "$1" "$T/run.out" || fail "output lacks '$1': $(cat "$T/run.out")"
}

stamps() {
    find "$OUT" -name pair.json -printf '%p %T@ %i\n' | sort
}

say "a second input: what has the same names is refused, pair by pair; the first one's results stay"
run "$T/monday" 0
stamps >"$T/before"
mkdir "$T/tuesday/new"
mv "$T"/tuesday/*-01/* "$T/tuesday/new/" # one scene of a name of its own
echo "no image" >"$(echo "$T"/tuesday/*-00/*_01_*.tif)"
run "$T/tuesday" 3
says "2 x EEXIST"
says "is the result of the input \"$T/monday\""
stamps | grep -v "/new/" | cmp - "$T/before" || fail "results of the first input were touched"
must_be "2|2" "select done || '|' || failed from progress where active"
must_be 6 "select count(*) from results"
run_rc 0 "$PAIRMILL" verify --db "$DB"

say "the first one again: nothing to do"
run "$T/monday" 0
says "4 were finished before"

say "reached through a link, moved, moved back: still the same"
ln -s monday "$T/link"
run "$T/link" 0
says "4 were finished before"
mv "$T/monday" "$T/archive"
run "$T/archive" 0
says "4 were finished before"
mv "$T/archive" "$T/monday"
run "$T/monday" 0
says "4 were finished before"
must_be 2 "select count(*) from progress"
stamps | grep -v "/new/" | cmp - "$T/before" || fail "done again"
check_outputs --expect 6

say "the whole of it moved, inputs, outputs and database: still the same, and known to lie there"
mkdir "$T/disk"
mv "$T/monday" "$OUT" "$T/disk/"
stamps_of() { # OUTPUT: as stamps, without where it lies
    find "$1" -name pair.json -printf '%P %T@ %i\n' | sort
}
stamps_of "$T/disk/out" >"$T/there"
run_rc 0 "$PAIRMILL" run --input_dir "$T/disk/monday" --output_dir "$T/disk/out" \
    --crop_size 64 --crop_stride 64 --max_shift 24
says "4 were finished before"
stamps_of "$T/disk/out" | cmp - "$T/there" || fail "done again"
DB=$T/disk/out/pairmill.db
must_be 6 "select count(*) from results where output_dir like '$T/disk/out/%'"
run_rc 0 "$PAIRMILL" verify --db "$DB"
mv "$T/disk/monday" "$T/"
mv "$T/disk/out" "$T/old-out"

say "another output for the same database: what lies elsewhere is told, --overwrite makes it here"
DB=$T/state/one.db
one() { # OUTPUT OPTION...
    out=$1
    shift
    run_rc 0 "$PAIRMILL" run --input_dir "$T/monday" --output_dir "$out" --db "$DB" \
        --crop_size 64 --crop_stride 64 --max_shift 24 "$@"
}
one "$T/first"
if grep -q elsewhere "$T/run.out"; then fail "elsewhere? $(cat "$T/run.out")"; fi
one "$T/second"
says "elsewhere 4 of them: they lie where an earlier run put them, as $T/first/"
one "$T/second" --overwrite
if grep -q elsewhere "$T/run.out"; then fail "elsewhere? $(cat "$T/run.out")"; fi
must_be 4 "select count(*) from results where output_dir like '$T/second/%'"

say "other settings: what is done stays done, and the summary says so"
one "$T/second" --loss_threshold 0.3
says "stale     4 of them were made with other settings"
run_rc 0 "$PAIRMILL" retry --stale --db "$DB"
one "$T/second" --loss_threshold 0.3
if grep -q "^stale" "$T/run.out"; then fail "stale? $(cat "$T/run.out")"; fi

say "a section of the settings renamed: still the same"
mv "$T/monday" "$IN"
DB=$T/state/pairmill.db
write_conf
run_rc 0 "$PAIRMILL" run --config "$CONF"
stamps >"$T/before"
sed 's/^\[source main\]/[source lab]/' "$CONF" >"$T/renamed.conf"
run_rc 0 "$PAIRMILL" run --config "$T/renamed.conf"
stamps | cmp - "$T/before" || fail "done again"
must_be "lab|4" "select source || '|' || done from progress"
check_clean
