#!/bin/sh
# One pair, through `pairmill run` and through the daemon: the outputs are complete, are bit-exact
# cuts of the sources at the made shift, and are the same both ways.
. tests/lib/e2e.sh

say "three kinds of input through pairmill run"
mkpairs "$T/u16" 1 1 300x220 11
mkpairs "$T/f32" 1 1 300x220 12 --dtype f32
mkpairs "$T/grey" 1 1 300x220 13 --dtype u8 --channels 1
for kind in u16 f32 grey; do
    OUT=$T/out-$kind DB=$T/out-$kind/pairmill.db
    run_rc 0 "$PAIRMILL" run --input_dir "$T/$kind" --output_dir "$OUT" --max_shift 24 \
        --crop_size 64 --crop_stride 48
    check_outputs --truth "$T/$kind/truth.csv" --expect 1 \
        --crop-size 64 --crop-stride 48
    check_clean
done

say "the same pair through the daemon"
IN=$T/in OUT=$T/out DB=$T/state/pairmill.db
write_conf crop.crop_stride=48
daemon_start_ready
mkdir -p "$T/stage"
cp -R "$T"/u16/*/ "$T/stage/"
mv "$T"/stage/* "$IN/"
wait_done 1
check_outputs --truth "$T/u16/truth.csv" --expect 1 --crop-size 64 --crop-stride 48
daemon_stop
check_clean
"$PYTHON" "$LIB/check_outputs.py" --same "$OUT" "$T/out-u16" || fail "run and daemon differ"
