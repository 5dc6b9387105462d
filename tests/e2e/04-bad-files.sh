#!/bin/sh
# Five kinds of bad file among 20 good pairs: 20 done, 5 failure rows that say which file, at which
# step and why; exit code 3; the originals are untouched; once repaired, only the five run again.
. tests/lib/e2e.sh

mkpairs "$IN" 4 6 160x120 41
chmod -R a+rX "$T"
# Four of the 24 targets become bad in four ways; a fifth bad file joins them.
set -- "$IN"/*/*_06_*.tif
[ $# = 4 ] || fail "expected four sixth targets, got $#"
mkdir "$T/good"
cp "$1" "$2" "$3" "$4" "$T/good/"
truncated=$1 empty=$2 secret=$3 words=$4
size=$(($(wc -c <"$truncated") * 2 / 5))
head -c "$size" "$T/good/$(basename "$truncated")" >"$truncated"
: >"$empty"
echo "these are words, not an image" >"$words"
other=$(dirname "$1")/other_size.tif
"$PYTHON" -c 'import sys, numpy, tifffile
tifffile.imwrite(sys.argv[1], numpy.full((90, 160, 3), 9000, "uint16"), photometric="rgb")' "$other"
echo "a note, and no image by its name" >"$(dirname "$1")/notes.txt"
(cd "$IN" && find . -type f -exec sha256sum {} + | sort) >"$T/before"

# Root may read everything, so as root the work is done by somebody else.
pairmill=$PAIRMILL as=
if [ "$(id -u)" = 0 ]; then
    mkdir "$T/bin" "$OUT"
    cp "$PAIRMILL" "$T/bin/"
    chmod 711 "$T"
    chmod 755 "$T/bin"
    chown 65534:65534 "$OUT"
    chmod 750 "$OUT"
    pairmill=$T/bin/pairmill
    as="setpriv --reuid 65534 --regid 65534 --clear-groups --"
fi
chmod 000 "$secret"
DB=$OUT/pairmill.db
# shellcheck disable=SC2086 # as is words
set -- $as "$pairmill" run --input_dir "$IN" --output_dir "$OUT" --max_shift 24 --crop_size 64 \
    --crop_stride 64

say "20 good, 5 bad"
run_rc 3 "$@"
must_be "20|5|0|0|0" "$totals"

# failure FILE STAGE CODE WORDS: the row of this file says step, reason and file.
failure() {
    name=$(basename "$1")
    row=$(sql "select stage || '|' || code || '|' || message from failures
        where target_path like '%$name'")
    case $row in
    "$2|$3|"*) ;;
    *) fail "$name: wanted $2 and $3, got: $row" ;;
    esac
    case $row in
    *"$name"*) ;;
    *) fail "the message does not name $name: $row" ;;
    esac
    echo "$row" | grep -qiE "$4" || fail "$name: the reason is not told ($4): $row"
}
must_be 5 "select count(*) from failures where attempts = 1 and at is not null"
failure "$truncated" decode EFORMAT 'truncat|end of file|short|damaged'
failure "$empty" decode EFORMAT 'empty|0 bytes|zero'
failure "$secret" decode EACCES 'permission'
failure "$words" decode EFORMAT 'not a'
failure "$other" decode ESIZE '160.*90|90.*160'

say "the originals are as they were"
chmod 644 "$secret"
(cd "$IN" && find . -type f -exec sha256sum {} + | sort) >"$T/after"
cmp "$T/before" "$T/after" || fail "originals changed"
grep -qi 'fail' "$T/run.out" "$T/run.err" || fail "the summary does not mention the failures"

say "repaired files run again by themselves, rights given need a retry, nothing else runs"
stamps() {
    find "$OUT" -name pair.json -printf '%p %T@\n' | sort
}
stamps >"$T/stamps.before"
cp "$T/good/$(basename "$truncated")" "$truncated"
cp "$T/good/$(basename "$empty")" "$empty"
cp "$T/good/$(basename "$words")" "$words"
rm "$other"
# The rights of a file are no new revision of it: this one is asked for.
run_rc 3 "$@"
must_be "EACCES" "select code from failures"
# shellcheck disable=SC2086 # as is words
run_rc 0 $as "$pairmill" retry --db "$DB"
run_rc 0 "$@"
must_be "24|0|0" "select sum(done)||'|'||sum(failed)||'|'||sum(quarantined) from progress"
stamps >"$T/stamps.after"
[ "$(comm -12 "$T/stamps.before" "$T/stamps.after" | wc -l)" = 20 ] || fail "done pairs ran again"
check_outputs --truth "$IN/truth.csv" --expect 24
check_clean
