#!/bin/sh
# pairmill bench align from outside: every method on tiny pairs, all exact, sound JSON, a table that
# can be pasted; and run --benchmark, which processes nothing. No speed is asserted.
. tests/lib/e2e.sh

one_line() {
    [ "$(wc -l <"$T/run.err")" = 1 ] || fail "not one line: $(cat "$T/run.err")"
    grep -qF -- "$1" "$T/run.err" || fail "'$(cat "$T/run.err")' does not say '$1'"
}

# holds EXPRESSION: true of the JSON output as j, its rows as rows, by Python.
holds() {
    "$PYTHON" -c 'import json, sys
j = json.load(open(sys.argv[1]), parse_constant=lambda word: sys.exit("not JSON: " + word))
rows = j["rows"]
sys.exit(0 if eval("(" + sys.argv[2] + ")") else "not so: " + sys.argv[2])' "$T/run.out" "$1" ||
        fail "the JSON does not hold"
}

say "all methods on generated pairs"
run_rc 0 "$PAIRMILL" bench align --sizes 96x64,128x128,64x160 --noise none,heavy --pairs 2 \
    --repeat 2 --max_shift 8 --methods original,bruteforce,fft,hierarchical --workers 1,2 --fit --json
holds 'len(rows) == 3 * 2 * 4'
holds '{r["method"] for r in rows} == {"original", "bruteforce", "fft", "hierarchical"}'
holds 'all(r["exact_share"] == 1 for r in rows if r["method"] != "original")'
holds 'all(r["pairs"] == 2 and r["repeats"] == 2 for r in rows)'
for key in ms streaming_ms times_streaming best_ms times_hierarchical megapixels_per_s quality_ms \
    first_ms evaluations pair_bytes; do
    holds "all(r['$key'] > 0 for r in rows)"
done
holds 'all(r["loss"] >= 0 for r in rows)'
holds 'all(r["peak_bytes"] is None or r["peak_bytes"] > 0 for r in rows)'
holds '[(s["pair"], s["threads"]) for s in j["scaling"] if s["method"] == "fft"] ==
    [(p, n) for p in ("96x64", "128x128", "64x160") for n in (1, 2)]'
holds 'all(s["pairs_per_s"] > 0 and s["times_one_thread"] > 0 for s in j["scaling"])'
holds '[f["noise"] for f in j["fit"]] == ["none", "heavy"]'
holds 'j["machine"]["cpu"] and j["machine"]["cores"] >= 1 and j["machine"]["kernels"]'

say "the same seed makes the same pairs, another one others"
for seed in 5 5 6; do
    run_rc 0 "$PAIRMILL" bench align --sizes 96x64 --noise medium --repeat 1 --max_shift 8 \
        --methods bruteforce --json --seed $seed
    "$PYTHON" -c 'import json, sys; r = json.load(sys.stdin)["rows"][0]; print(r["dy"], r["dx"], r["loss"])' \
        <"$T/run.out" >>"$T/answers"
done
[ "$(sort -u "$T/answers" | wc -l)" = 2 ] || fail "seeds 5, 5, 6: $(cat "$T/answers")"
[ "$(sed -n 1p "$T/answers")" = "$(sed -n 2p "$T/answers")" ] || fail "one seed, two answers"

say "the table is Markdown, and says what was left out"
run_rc 0 "$PAIRMILL" bench align --sizes 96x64 --noise none --repeat 1 --max_shift 8
grep -q '^| pair .*| x streaming |.*| exact |' "$T/run.out" || fail "no heading: $(cat "$T/run.out")"
grep -q '^|:-*-|' "$T/run.out" || fail "no line below the heading: $(cat "$T/run.out")"
grep -q '^| 96x64 | none  | hierarchical ' "$T/run.out" || fail "no row: $(cat "$T/run.out")"
grep -Eq '^\| 96x64 .*\| gpu |^left out: gpu \(' "$T/run.out" || fail "gpu was dropped silently"
run_rc 0 "$PAIRMILL" bench align --sizes 640x480 --noise none --repeat 1 --limit 0.001
grep -q '^left out: bruteforce on 640x480: ' "$T/run.out" || fail "no word about bruteforce"

say "opencv beside it, or one line that it is not here"
run_rc 0 "$PAIRMILL" bench align --sizes 256x192 --noise none --repeat 1 --max_shift 16 \
    --methods hierarchical --compare opencv --json
holds '[r["exact_share"] for r in rows if r["method"] == "opencv"] == [1] or
    any(n.startswith("left out: opencv") for n in j["notes"])'

say "given pairs, right when bruteforce says so; run --benchmark on a folder"
mkpairs "$IN" 1 2 400x300 5 >/dev/null
set --
for target in "$IN"/*/*.tif; do
    set -- "$@" "$(ls "$(dirname "$target")"/gt/*.tif)" "$target"
done
run_rc 0 "$PAIRMILL" bench align "$@" --check --repeat 1 --max_shift 16 \
    --methods fft,hierarchical --json
holds 'len(rows) == 4 and all(r["exact_share"] == 1 for r in rows)'
run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" --benchmark --max_shift 16
[ "$(grep -c '^| .*| hierarchical ' "$T/run.out")" = 2 ] || fail "not a row a pair: $(cat "$T/run.out")"
[ ! -e "$OUT" ] || fail "--benchmark made $OUT"

say "wrong usage"
run_rc 2 "$PAIRMILL" bench && one_line "pairmill bench align"
run_rc 2 "$PAIRMILL" bench align --sizes 3x3 && one_line '"3x3" is not WxH'
run_rc 2 "$PAIRMILL" bench align "$1" && one_line "has no target"
run_rc 1 "$PAIRMILL" run --input_dir "$T/state" --benchmark && one_line "no pairs in $T/state"
