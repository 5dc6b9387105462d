#!/bin/sh
# Names that break tools: every one is its own pair with its own folder, and nothing is written
# anywhere else; links out of the folder, FIFOs, sockets and devices are left alone; the input may
# itself be a link; a closed folder costs only what is in it.
if [ -z "${PM_MOUNTS:-}" ]; then
    export PM_MOUNTS=no
    if unshare -m sh -c 'd=$(mktemp -d) && mount --bind "$d" "$d" && umount "$d" &&
        rmdir "$d"' 2>/dev/null; then
        PM_MOUNTS=yes exec unshare -m sh "$0"
    fi
fi
. tests/lib/e2e.sh
mkpairs "$T/made" 1 2 160x120 101
# The input is named by a link, and with ".." in its path.
mkdir "$T/real"
ln -s real "$T/in"
write_conf "source main.input=$T/out/../in"
mkdir -p "$OUT"

# Everything but the input, the output and the database, with its contents.
others_there() {
    find "$T" \( -path "$T/real" -o -path "$OUT" -o -path "$T/state" -o -path "$T/secret" \) -prune \
        -o -printf '%P %y %s %l\n' | grep -vE '^(pairmilld.log|count|run\.|before|after)' | sort
    find "$T/secret" -printf '%P %y %s %T@\n' | sort
}

say "hostile names"
"$PYTHON" - "$T/made" "$IN" >"$T/count" <<'END'
import glob, os, shutil, socket, stat, sys
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
    b"..not hidden as it ends.tif"[2:], b"a..tif", b"x...tif", b"a\\..\\b.tif", b"CON.tif", b"~.tif",
    b"\x01\x7f\x1b[31m.tif", b"\xe2\x80\xae rtl.tif",
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
# Folders that look like files, like results, and like the way out; names as long as they may be.
pairs = len(targets) + 4
def scene_of(*parts):
    global pairs
    folder = os.path.join(top, *parts)
    os.makedirs(os.path.join(folder, b"gt"))
    shutil.copy(gt, os.path.join(folder, b"gt", b"g.tif"))
    shutil.copy(target, os.path.join(folder, b"t.tif"))
    pairs += 1
    return folder
scene_of(b"x.tif")
scene_of(b"x.tif", b"y.tif")
scene_of(b"s")
scene_of(b"s", b"pair.json", b"crops", b"mask.png")
scene_of(b"- -", b"--", b"-rf")
scene_of(b"d" * 255, b"e" * 255)
scene_of(*[b"deep%d" % i for i in range(30)])
long_gts = scene_of(b"long")
for end in (b"1", b"2"):  # with "t.tif" these fit; with a name as long, both are cut
    shutil.copy(gt, os.path.join(long_gts, b"gt", b"g" * 250 + end + b".tif"))
shutil.copy(target, os.path.join(long_gts, b"t" * 251 + b".tif"))
pairs += 5
# Passed over: hidden by a leading dot, "..x.tif" too.
for name in (b"..x.tif", b"...", b".. ", b".hidden.tif"):
    shutil.copy(target, os.path.join(twins, name))
# Not to be followed, read or waited for.
os.symlink(target, os.path.join(twins, b"link.tif"))
os.symlink(os.path.dirname(gt), os.path.join(top, b"linked scene"))
os.symlink(os.path.dirname(os.path.dirname(gt)), os.path.join(top, b"linked folder"))
os.symlink(b".", os.path.join(top, b"circle"))
secret = os.path.join(os.path.dirname(os.fsencode(sys.argv[1])), b"secret")
os.makedirs(os.path.join(secret, b"gt"))
shutil.copy(gt, os.path.join(secret, b"gt", b"secret.tif"))
shutil.copy(target, os.path.join(secret, b"secret.tif"))
os.symlink(secret, os.path.join(top, b"way out"))
os.symlink(b"../../secret", os.path.join(twins, b"way out"))
os.symlink(os.path.join(secret, b"secret.tif"), os.path.join(twins, b"link2.tif"))
os.symlink(b"nowhere", os.path.join(twins, b"dangling.tif"))
os.symlink(b"self.tif", os.path.join(twins, b"self.tif"))
os.symlink(b"..", os.path.join(twins, b"gt", b"up"))
os.mkfifo(os.path.join(twins, b"pipe.tif"))
os.chdir(twins)  # a socket's address is short
socket.socket(socket.AF_UNIX).bind("socket.tif")
for name, kind, device in ((b"null.tif", stat.S_IFCHR, (1, 3)), (b"disk.tif", stat.S_IFBLK, (7, 99))):
    try:
        os.mknod(name, kind | 0o600, os.makedev(*device))
    except PermissionError:
        print("no device nodes may be made here", file=sys.stderr)
print(pairs)
END
pairs=$(cat "$T/count")
others_there >"$T/before"
daemon_start_ready
wait_done "$pairs"
others_there >"$T/after"
cmp "$T/before" "$T/after" || fail "something outside the output was written"
grep -q 'event=walked.* links=10 ' "$LOG" || fail "the links were not counted: $(grep walked "$LOG")"
[ -z "$(find "$OUT" ! -type d ! -type f)" ] || fail "a link or worse in the output"
must_be 0 "select count(*) from image where instr(cast(path as text), 'secret') > 0"
must_be 0 "select count(*) from failures"
must_be 0 "select count(*) from results where cast(target_path as text) like '%link%'
    or cast(target_path as text) like '%way out%'"
[ "$(find "$OUT" -type f -name pair.json -printf x | wc -c)" = "$pairs" ] || fail "not one folder a pair"
[ -z "$(find "$T" . -maxdepth 1 -name 'pwned*')" ] || fail "a name was run by a shell"
check_outputs --expect "$pairs"

say "the tools show them on one line each"
run_rc 0 "$PAIRMILL" status --db "$DB"
daemon_stop
check_clean

say "a scene named like another scene's result costs neither its results"
mkdir -p "$IN/twins/a.tif--c.tif/gt"
cp "$T"/made/*/gt/*.tif "$IN/twins/a.tif--c.tif/gt/"
cp "$(find "$T/made" -maxdepth 2 -name '*_01_*.tif' | head -n 1)" "$IN/twins/a.tif--c.tif/t.tif"
run_rc 3 "$PAIRMILL" run --config "$CONF"
must_be "EEXIST|1" "select max(code) || '|' || count(*) from failures
    where message like '%is in the way%'"
must_be "$pairs" "select done from progress"
check_outputs --expect "$pairs"
rm -r "$IN/twins/a.tif--c.tif"

if [ "$PM_MOUNTS" = yes ]; then
    say "a folder mounted into itself ends, and counts by both names"
    mkdir -p "$IN/twins/again"
    mount --bind "$IN/twins" "$IN/twins/again"
    run_rc 0 "$PAIRMILL" run --config "$CONF"
    must_be "$((pairs + 4))" "select done from progress"
    umount "$IN/twins/again"
fi

say "a failure with such a name is one line that can be read"
printf 'no image' >"$IN/twins/bad
name.tif"
run_rc 3 "$PAIRMILL" run --config "$CONF"
must_be 2 "select count(*) from failures where stage = 'decode'"
must_be 0 "select count(*) from failures where instr(message, char(10)) > 0"

if [ "$(id -u)" = 0 ]; then
    say "a closed folder costs only what is in it; what was there is not gone; it comes back"
    IN=$T/mixed OUT=$T/out2 DB=$T/state2/pairmill.db
    mkdir -p "$IN" "$OUT" "$T/state2"
    cp -R "$T"/made/*/ "$IN/shut"
    cp -R "$T"/made/*/ "$IN/open"
    chown -R 65534:65534 "$IN" "$OUT" "$T/state2"
    chmod 755 "$T"
    write_conf
    chmod 644 "$CONF"
    set -- setpriv --reuid 65534 --regid 65534 --clear-groups -- "$PAIRMILL"
    if ! "$@" --version >"$T/run.out" 2>&1; then
        echo "nobody may not run $PAIRMILL: that part was left out"
        exit 0
    fi
    run_rc 0 "$@" run --config "$CONF"
    must_be 4 "select done from progress"
    chmod 000 "$IN/shut"
    rm "$(find "$IN/open" -maxdepth 1 -name '*_02_*.tif')"
    run_rc 0 "$@" run --config "$CONF"
    grep -q 'event=walk_incomplete unseen=1.*shut' "$T/run.err" || fail "not a word of the folder"
    must_be "open 1" "select group_concat(c.name || ' ' || i.n, ',') from
        (select scene_id, count(*) as n from image where state = 'gone' group by 1) i
        join scene c on c.id = i.scene_id"
    chmod 755 "$IN/shut"
    touch "$(find "$IN/shut" -maxdepth 1 -name '*_01_*.tif')"
    run_rc 0 "$@" run --config "$CONF"
    must_be "4|0" "select done || '|' || failed from progress"
    must_be 2 "select max(revision) from image"
fi
