#!/bin/sh
# pairmill verify: whole outputs are called whole, beside a busy service too; whatever is taken away
# or changed is found and made anew, what others put there is told and left alone; and a setting that
# changes makes exactly the older results stale.
. tests/lib/e2e.sh
mkpairs "$T/made" 2 4 200x150 201
write_conf pairmill.settle_s=0
cp -R "$T"/made/*/ "$IN/"

verify() { # RC OPTION...: what it says is in $T/run.out
    want=$1
    shift
    run_rc "$want" "$PAIRMILL" verify --db "$DB" "$@"
}

says() {
    grep -q "$1" "$T/run.out" || fail "verify does not say '$1': $(cat "$T/run.out")"
}

daemon_start
say "beside a busy service nothing is called wrong"
wait_for 60 "the first pair" sql_is 1 "select sum(done) > 0 from progress"
until all_settled 8 0; do
    verify 0
    kill -0 "$daemon" || fail "pairmilld died"
done
verify 0
says '^8 pairs, .*all as published$'

say "every kind of damage is found"
set -- $(find "$OUT" -name pair.json | sort | sed 's|/pair.json$||')
rm "$1/mask.png"
printf x | dd of="$2/mask.png" bs=1 seek=20 conv=notrunc status=none
rm -r "$3"
sed -i 's/"gain"/"pain"/' "$4/pair.json"
rm "$5/pair.json"
echo mine >"$6/notes.txt"
rm "$6/mask.png"
echo mine >"$OUT/README.txt"
mkdir "$OUT/somebodys"
cp -R "$7" "$OUT/somebodys/"
: >"$8/crops/$(ls "$8/crops" | head -n 1)"
verify 3
says "missing *$1/mask.png"
says "changed *$2/mask.png: another content"
says "missing *$3: not there"
says "changed *$4/pair.json"
says "missing *$5/pair.json"
says "missing *$6/mask.png"
says "orphan *$6/notes.txt"
says "changed *$8/crops/.*another size"
says "orphan *$OUT/README.txt"
says "orphan *$OUT/somebodys/$(basename "$7"): a result"
says '4 missing, 3 changed, 3 orphans, 0 unreadable'
must_be 8 "select sum(done) from progress"

say "--repair through the service makes it whole, and touches nothing of others"
verify 3 --repair
says '6 pairs queued again'
says 'not queued job .*files of others'
wait_done 8
[ "$(cat "$6/notes.txt" "$OUT/README.txt")" = "mine
mine" ] || fail "somebody's file was touched"
verify 3
says '1 missing, 0 changed, 3 orphans, 0 unreadable'
rm -r "$OUT/somebodys" "$OUT/README.txt" "$6/notes.txt"
verify 3 --repair --json
"$PYTHON" - "$T/run.out" "$6" <<'END'
import json, sys
said = json.load(open(sys.argv[1]))
assert said["requeued"] == 1 and said["not_queued"] == [], said
assert [f["path"] for f in said["findings"]] == [sys.argv[2] + "/mask.png"], said
END
wait_done 8
verify 0
check_outputs --expect 8
daemon_stop

say "with nobody running it goes straight into the database"
rm "$1/mask.png"
verify 3 --repair
says '1 pair queued again'
must_be 1 "select sum(queued) from progress"
daemon_start
wait_done 8
verify 0

say "a changed setting makes exactly the pairs made before it stale"
sed -i 's/^crop_size.*/crop_size = 80/' "$CONF"
mkpairs "$T/more" 1 2 160x120 202
must_be 0 "select count(*) from stale"
kill -HUP "$daemon"
wait_for 20 "the new settings" sql_is 8 "select count(*) from stale"
mv "$T/more"/*/ "$IN/second"
wait_done 10
must_be 8 "select count(*) from stale"
: >"$T/marker"
run_rc 0 "$PAIRMILL" retry --stale --config "$CONF"
says '^8 pairs queued again$'
wait_done 10
must_be 0 "select count(*) from stale"
[ "$(find "$OUT" -name pair.json -newer "$T/marker" | wc -l)" = 8 ] || fail "others were made anew"
verify 0
daemon_stop
check_clean

say "a user who may not read the outputs is told so, and nothing is queued"
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$T"
    chmod -R o+rX "$T/state" "$OUT"
    chmod 0 "$1/mask.png"
    cp "$PAIRMILL" "$T/pairmill"
    rc=0
    as_user 60001 60002 "$T/pairmill" verify --db "$DB" >"$T/run.out" 2>&1 || rc=$?
    [ "$rc" = 3 ] || fail "exit code $rc: $(cat "$T/run.out")"
    says "unreadable *$1/mask.png: permission denied"
fi
