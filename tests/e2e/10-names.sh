#!/bin/sh
# Names that break tools: every one is its own pair with its own folder; links out of the folder and
# FIFOs are left alone.
. tests/lib/e2e.sh
mkpairs "$T/made" 1 2 160x120 101
write_conf

say "hostile names"
"$PYTHON" - "$T/made" "$IN" >"$T/count" <<'END'
import glob, os, shutil, sys
made, top = (os.fsencode(a) for a in sys.argv[1:])
gt = glob.glob(made + b"/*/gt/*.tif")[0]
target = sorted(glob.glob(made + b"/*/*.tif"))[0]
targets = [
    b"a space.tif", b" leading and trailing .tif", b"it's.tif", b'double "quotes".tif',
    b"new\nline.tif", b"tab\there.tif", b"-rf.tif", b"--.tif", b"invalid \xff\xfe utf-8.tif",
    b"back\\slash.tif", b"per%cent%s%n.tif", b"star*?[a].tif", b"$(touch pwned).tif",
    "caf\u00e9.tif".encode(), "cafe\u0301.tif".encode(),
    b"n" * 251 + b".tif", b"x" * 250 + b"1.tif", b"x" * 250 + b"2.tif",
    "\u00e9".encode() * 125 + b".tif", b"a--b.tif", b"UPPER.TIF", b"two.dots.tiff",
]
scene = os.path.join(top, b"scene 'of' \"many\"\nnames \xff")
os.makedirs(os.path.join(scene, b"gt"))
shutil.copy(gt, os.path.join(scene, b"gt", b"g t\n.tif"))
for name in targets:
    shutil.copy(target, os.path.join(scene, name))
# gt "a" with target "b--c" and gt "a--b" with target "c" would share a plain name.
twins = os.path.join(top, b"twins")
os.makedirs(os.path.join(twins, b"gt"))
for name in (b"a.tif", b"a.tif--b.tif"):
    shutil.copy(gt, os.path.join(twins, b"gt", name))
for name in (b"b.tif--c.tif", b"c.tif"):
    shutil.copy(target, os.path.join(twins, name))
# Not to be followed, read or waited for.
os.symlink(target, os.path.join(twins, b"link.tif"))
os.symlink(os.path.dirname(gt), os.path.join(top, b"linked scene"))
os.symlink(os.path.dirname(os.path.dirname(gt)), os.path.join(top, b"linked folder"))
os.symlink(b".", os.path.join(top, b"circle"))
os.mkfifo(os.path.join(twins, b"pipe.tif"))
print(len(targets) + 4)
END
pairs=$(cat "$T/count")
daemon_start_ready
wait_done "$pairs"
must_be 0 "select count(*) from failures"
must_be 0 "select count(*) from results where cast(target_path as text) like '%link%'"
[ "$(find "$OUT" -name pair.json -printf x | wc -c)" = "$pairs" ] || fail "not one folder a pair"
[ -z "$(find "$T" . -maxdepth 1 -name 'pwned*')" ] || fail "a name was run by a shell"
check_outputs --expect "$pairs"

say "the tools show them on one line each"
run_rc 0 "$PAIRMILL" status --db "$DB"
daemon_stop
check_clean

say "a failure with such a name is one line that can be read"
printf 'no image' >"$IN/twins/bad
name.tif"
run_rc 3 "$PAIRMILL" run --config "$CONF"
must_be 2 "select count(*) from failures"
must_be 0 "select count(*) from failures where instr(message, char(10)) > 0"
