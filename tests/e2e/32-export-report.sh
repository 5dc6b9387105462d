#!/bin/sh
# pairmill export, read by Python: every pair and every crop with its files, names of any kind, and the
# same text for the same work.
. tests/lib/e2e.sh

DB=$OUT/pairmill.db
mkpairs "$IN" 2 2 160x120 321
scene=$(basename "$(find "$IN" -maxdepth 1 -name '*-00')")
mv "$IN/$scene" "$IN/a, \"quoted\" scene"
run() { # OUTPUT
    run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$1" --crop_size 64 --crop_stride 64 \
        --max_shift 24
}

export_to() { # FILE OPTION...
    file=$1
    shift
    run_rc 0 "$PAIRMILL" export "$@"
    mv "$T/run.out" "$file"
}

say "pairs and crops as CSV and as JSON say what the database says"
run "$OUT"
export_to "$T/pairs.csv" --db "$DB"
export_to "$T/pairs.json" --json --db "$DB"
export_to "$T/crops.csv" --crops --db "$DB"
export_to "$T/crops.json" --crops --json --db "$DB"
"$PYTHON" - "$T" "$DB" <<'END' || fail "the export is wrong"
import csv, json, os, sqlite3, sys
import numpy, tifffile
top, db = sys.argv[1:]
read = lambda name: list(csv.DictReader(open(os.path.join(top, name + ".csv"), newline="")))
load = lambda name: json.load(open(os.path.join(top, name + ".json")))
pairs, crops = read("pairs"), read("crops")
text = lambda v: "" if v is None else v if isinstance(v, str) else repr(v)
for rows, objects in ((pairs, load("pairs")), (crops, load("crops"))):
    assert len(rows) == len(objects) > 0
    for row, told in zip(rows, objects):
        assert list(row) == list(told)
        for key, value in told.items():
            same = row[key] == text(value) or float(row[key]) == value
            assert same, (key, row[key], value)
ask = sqlite3.connect("file:%s?mode=ro" % db, uri=True)
known = ask.execute("select scene, gt_path, target_path, dy, dx, loss, gain, recipe from results "
                    "order by 1, 2, 3").fetchall()
assert len(known) == 4 == len(pairs)
for row, (scene, gt, target, dy, dx, loss, gain, recipe) in zip(pairs, known):
    assert (row["scene"], row["gt_path"], row["target_path"]) == (scene, gt, target)
    assert (int(row["dy"]), int(row["dx"])) == (dy, dx)
    assert (float(row["loss"]), float(row["gain"])) == (loss, gain)
    told = json.load(open(os.path.join(row["output_dir"], "pair.json")))
    assert row["gt_xxh3"] == told["inputs"]["gt"]["xxh3"] and row["recipe_xxh3"] == recipe
    assert row["target_xxh3"] == told["inputs"]["target"]["xxh3"]
assert sum(int(p["crops"]) for p in pairs) == len(crops)
for row in crops:
    for column in ("gt_file", "target_file"):
        image = tifffile.imread(row[column])
        assert image.shape[:2] == (int(row["height"]), int(row["width"])), row
    assert os.path.exists(row["mask_file"])
END

say "the same work elsewhere, in another order, gives the same text but for where it lies"
run_rc 0 "$PAIRMILL" run --input_dir "$IN" --output_dir "$T/other" --crop_size 64 \
    --crop_stride 64 --max_shift 24 --workers 1 --overwrite
export_to "$T/again.csv" --db "$T/other/pairmill.db"
sed "s|$T/other/|$OUT/|" "$T/again.csv" | cmp - "$T/pairs.csv" || fail "not the same text"

say "one scene, none, a pipe that is closed"
export_to "$T/one.csv" --db "$DB" --scene "a, \"quoted\" scene"
[ "$(wc -l <"$T/one.csv")" = 3 ] || fail "one scene: $(cat "$T/one.csv")"
export_to "$T/none.csv" --db "$DB" --scene "no such"
head -n 1 "$T/pairs.csv" | cmp - "$T/none.csv" || fail "no heading"
"$PAIRMILL" export --crops --db "$DB" | head -n 1 >"$T/first"
[ "$(wc -l <"$T/first")" = 1 ] || fail "no first line"

say "the report as text, as a page and as an object, with what failed and what is doubtful"
# A file that is none, and a wall nothing can be told from.
echo "no image" >"$IN/a, \"quoted\" scene/<bad> & \"ugly\".tif"
"$PYTHON" - "$IN" <<'END'
import os, sys, numpy, tifffile
top = os.path.join(sys.argv[1], "wall")
os.makedirs(os.path.join(top, "gt"))
noise = numpy.random.default_rng(1).normal(0, 90, (120, 160, 3))
for path, image in (("gt/wall.tif", 0 * noise), ("noisy.tif", noise)):
    tifffile.imwrite(os.path.join(top, path), (20000 + image).astype("uint16"), photometric="rgb")
END
run_rc 3 "$PAIRMILL" run --input_dir "$IN" --output_dir "$OUT" --crop_size 64 --crop_stride 64 \
    --max_shift 24
run_rc 0 "$PAIRMILL" report --db "$DB"
grep -q '^EFORMAT *decode *1 *.*<bad> & "ugly".tif' "$T/run.out" || fail "$(cat "$T/run.out")"
grep -q 'ambiguous .*wall/noisy.tif$' "$T/run.out" || fail "not doubtful: $(cat "$T/run.out")"
run_rc 0 "$PAIRMILL" report --json --db "$DB"
"$PYTHON" - "$T/run.out" <<'END' || fail "the object is wrong: $(cat "$T/run.out")"
import json, sys
told = json.load(open(sys.argv[1]))
assert told["head"][0]["pairs"] == 5 and told["head"][0]["doubtful"] == 1
assert sum(row["pairs"] for row in told["shifts"]) == 5
assert told["flags"] == [{"flag": "ambiguous", "pairs": 1}]
assert [scene["scene"] for scene in told["scenes"]] == sorted(s["scene"] for s in told["scenes"])
END
run_rc 0 "$PAIRMILL" report --html --db "$DB"
"$PYTHON" - "$T/run.out" <<'END' || fail "the page is wrong: $(cat "$T/run.out")"
import sys, xml.dom.minidom
text = open(sys.argv[1]).read()
head, body = text.split("</head>")
page = xml.dom.minidom.parseString(body.replace("</html>", ""))  # well-formed
cells = [cell.firstChild.data for cell in page.getElementsByTagName("td") if cell.firstChild]
assert any('<bad> & "ugly".tif' in cell for cell in cells)
END
