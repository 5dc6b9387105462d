#!/usr/bin/python3
"""Checks an output tree against its sources, from outside: numpy, scipy and tifffile only.

usage: check_outputs.py --db FILE --output DIR [--truth CSV [--truth-exact]] [--expect N]
                        [--crop-size N] [--crop-stride N] [--crop-min-valid SHARE] [--no-mask]
       check_outputs.py --same DIR DIR

For every row of the `results` view: one folder, complete, nothing in it that does not belong;
pair.json says what the database says; the overlap is that of the shift; every crop is a bit-exact
cut of its source; the windows cover the overlap; mask.png equals the definition (RAWNIND.md 2.6)
pixel for pixel. No folder without a row. With --truth, the shift is the one that was
made or (not with --truth-exact) has a smaller loss.
--same: two trees hold the same results, byte for byte.
"""

import argparse
import csv
import json
import os
import sqlite3
import sys

import numpy as np
import tifffile
from PIL import Image
from scipy import ndimage

FULL_SCALE = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0}

problems = []


def complain(text, *args):
    problems.append(text % args if args else text)


def shown(path):
    """A path of any bytes, fit for printing."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


# --- what must be there ---------------------------------------------------------------------------


def overlap_of(w, h, dy, dx):
    """All pixels both images share: gt[y+dy, x+dx] = target[y, x]."""
    return {
        "gt_x": max(0, dx),
        "gt_y": max(0, dy),
        "target_x": max(0, -dx),
        "target_y": max(0, -dy),
        "width": w - abs(dx),
        "height": h - abs(dy),
    }


def origins(length, size, stride):
    """Where windows begin on one axis: every stride, the last one snapped to the border."""
    if length <= size:
        return [0]
    begins = list(range(0, length - size + 1, stride))
    if begins[-1] != length - size:
        begins.append(length - size)
    return begins


def gamma(v):
    return np.where(v > 0, np.power(np.abs(v), 1 / 2.2), v)


def mask_of(gt, target, threshold=0.4, quantile=0.9999, overexposure=1.0):
    """RAWNIND.md 2.6 on the two aligned overlaps, [y][x][c] in full scale 1."""
    with np.errstate(invalid="ignore"):
        ok = np.all(gt < overexposure, axis=2)
    k = gt.mean() / target.mean()
    loss = np.abs(gamma(gt) - gamma(k * target)).sum(axis=2)
    limit = min(threshold, np.quantile(loss, quantile))
    keep = loss < (limit if limit > 0 else 1.0)
    return ndimage.binary_opening(keep) & ok


def read_image(path):
    with open(path, "rb") as f:  # a handle, since tifffile would take * and ? for a pattern
        image = tifffile.imread(f)
    return image if image.ndim == 3 else image[:, :, None]


def scaled(image):
    return image.astype(np.float64) / FULL_SCALE[image.dtype.name]


# --- one pair -------------------------------------------------------------------------------------


class Pair:
    def __init__(self, folder, row, args):
        self.folder, self.row, self.args = folder, row, args
        self.name = shown(os.path.relpath(folder, args.output))

    def complain(self, text, *args):
        complain(self.name + ": " + text, *args)

    def cut(self, image, prefix):
        o = self.overlap
        x, y = o[prefix + "_x"], o[prefix + "_y"]
        return image[y : y + o["height"], x : x + o["width"]]

    def check(self):
        with open(os.path.join(self.folder, "pair.json"), encoding="utf-8") as f:
            told = json.load(f)
        gt, target = read_image(self.row["gt"]), read_image(self.row["target"])
        h, w = gt.shape[:2]
        self.overlap = overlap_of(w, h, self.row["dy"], self.row["dx"])
        if told["overlap"] != self.overlap:
            self.complain("overlap is %s, should be %s", told["overlap"], self.overlap)
            return
        for key in ("dy", "dx", "loss", "gain", "method", "backend"):
            if told[key] != self.row[key]:
                self.complain("pair.json says %s=%s, the database %s", key, told[key], self.row[key])
        self.whole_gt, self.whole_target = gt, target
        self.gt, self.target = self.cut(gt, "gt"), self.cut(target, "target")
        self.check_loss()
        mask = self.check_mask()
        if mask is not None:
            self.check_crops(mask, told)

    def check_loss(self):
        if not np.isclose(self.loss(self.row["dy"], self.row["dx"]), self.row["loss"], rtol=1e-5, atol=1e-9):
            self.complain("loss is %.9g, should be %.9g", self.row["loss"],
                self.loss(self.row["dy"], self.row["dx"]))

    def loss(self, dy, dx):
        """RAWNIND.md 2.4 over the overlap of 2.5: an odd shift costs one more row or column."""
        gt, target = scaled(self.whole_gt), scaled(self.whole_target)
        for axis, s in ((0, dy), (1, dx)):
            n, a, odd = gt.shape[axis], abs(s), abs(s) % 2
            lead, trail = (slice(a, n - odd), slice(0, n - a - odd))
            if s < 0:
                lead, trail = slice(odd, n - a), slice(a + odd, n)
            gt = gt[lead] if axis == 0 else gt[:, lead]
            target = target[trail] if axis == 0 else target[:, trail]
        return np.abs(gt - self.row["gain"] * target).mean()

    def check_made(self, made):
        """The made shift, or one that explains the pair better by the definition of the loss: in a
        small image the gain of the whole frames is not exactly that of the shared part."""
        if made == (self.row["dy"], self.row["dx"]):
            return
        loss = self.loss(*made)
        if self.args.truth_exact or loss <= self.row["loss"]:
            self.complain("shift %s with loss %.6g, made was %s with loss %.6g",
                (self.row["dy"], self.row["dx"]), self.row["loss"], made, loss)

    def check_mask(self):
        with Image.open(os.path.join(self.folder, "mask.png")) as im:
            mode, mask = im.mode, np.asarray(im)
        size = (self.overlap["height"], self.overlap["width"])
        if mode != "L" or mask.shape != size or not np.isin(mask, (0, 255)).all():
            self.complain("mask.png is %s %s, not 8-bit 0/255 of %s", mode, mask.shape, size)
            return None
        if not np.isclose((mask == 255).mean(), self.row["mask_mean"], atol=1e-9):
            self.complain("mask_mean is %s, the mask's is %s", self.row["mask_mean"],
                (mask == 255).mean())
        if self.args.mask:
            should = mask_of(scaled(self.gt), scaled(self.target))
            wrong = np.argwhere((mask == 255) != should)
            if len(wrong):
                self.complain("mask.png differs from the definition in %d of %d pixels, first (y, x) = %s",
                    len(wrong), mask.size, tuple(wrong[0]))
        return mask

    def check_crops(self, mask, told):
        size, stride = self.args.crop_size, self.args.crop_stride
        h, w = mask.shape
        windows = [(x, y) for y in origins(h, size, stride) for x in origins(w, size, stride)]
        ch, cw = min(size, h), min(size, w)
        wanted, written = {"pair.json", "mask.png"}, 0
        listed = {(c["x"], c["y"]): c for c in told["crops"]}
        if sorted(listed) != sorted(windows):
            self.complain("windows are %s, should be %s", sorted(listed), sorted(windows))
            return
        for x, y in windows:
            part = mask[y : y + ch, x : x + cw]
            crop = listed[x, y]
            share = (part == 255).mean()
            if not np.isclose(crop["valid"], share, atol=1e-9):
                self.complain("crop %d_%d: usable share %s, should be %s", x, y, crop["valid"], share)
            if crop["written"] != (share >= self.args.crop_min_valid):
                self.complain("crop %d_%d: written is %s at a share of %s", x, y, crop["written"], share)
            if crop["written"]:
                written += 1
                wanted |= self.check_crop(x, y, ch, cw, part)
        if written != self.row["crops"]:
            self.complain("%d crops, the database says %s", written, self.row["crops"])
        there = {
            os.path.relpath(os.path.join(folder, name), self.folder)
            for folder, _, names in os.walk(self.folder)
            for name in names
        }
        if there != wanted:
            self.complain("missing files: %s, surplus: %s", wanted - there, there - wanted)

    def check_crop(self, x, y, ch, cw, part):
        names = {}
        for role, source in (("gt", self.gt), ("target", self.target)):
            names[role] = os.path.join("crops", "%d_%d.%s.tif" % (x, y, role))
            crop = read_image(os.path.join(self.folder, names[role]))
            cut = source[y : y + ch, x : x + cw]
            if crop.dtype != cut.dtype or crop.shape != cut.shape or crop.tobytes() != cut.tobytes():
                self.complain("%s is not a bit-exact cut of its source", names[role])
        names["mask"] = os.path.join("crops", "%d_%d.mask.png" % (x, y))
        with Image.open(os.path.join(self.folder, names["mask"])) as im:
            if not np.array_equal(np.asarray(im), part):
                self.complain("%s is not a cut of mask.png", names["mask"])
        return set(names.values())


# --- the tree -------------------------------------------------------------------------------------


def pair_folders(output):
    """Folders that hold a pair.json; anything under .partial is nobody's result."""
    for folder, folders, names in os.walk(output):
        folders[:] = [f for f in folders if not (folder == output and f == ".partial")]
        if "pair.json" in names:
            yield folder


def name_in(told, key):
    """A name of pair.json as bytes; one that is not UTF-8 stands beside it in hex."""
    if key + "_hex" in told:
        return bytes.fromhex(told[key + "_hex"])
    return told[key].encode()


def rows_of(db):
    """The results, with the paths' own bytes (the view's are made printable)."""
    con = sqlite3.connect("file:%s?mode=ro" % db.replace("%", "%25").replace("?", "%3f"), uri=True)
    con.text_factory = bytes
    names = "gt_path target_path dy dx method backend loss gain mask_mean crops input".split()
    rows = []
    for values in con.execute(
        """select g.path, t.path, r.dy, r.dx, r.method, r.backend, r.loss, r.gain, r.mask_mean,
            r.crops, s.input
        from results r join job j on j.id = r.job_id join source s on s.id = j.source_id
        join image g on g.id = j.gt_id join image t on t.id = j.target_id order by r.job_id"""
    ):
        row = dict(zip(names, values))
        row["method"], row["backend"] = row["method"].decode(), row["backend"].decode()
        row["gt"] = os.fsdecode(os.path.join(row["input"], row["gt_path"]))
        row["target"] = os.fsdecode(os.path.join(row["input"], row["target_path"]))
        rows.append(row)
    con.close()
    return rows


def folder_of(args, row):
    """Where the pair must lie; None when its name has to be marked or shortened."""
    gt, target = os.path.basename(row["gt_path"]), os.path.basename(row["target_path"])
    name = gt + b"--" + target
    if len(name) > 255 or b"--" in gt or gt.endswith(b"-") or b"/gt/" in b"/" + row["target_path"]:
        return None
    return os.path.join(args.output, os.fsdecode(os.path.dirname(row["target_path"])), os.fsdecode(name))


def check_tree(args):
    rows = rows_of(args.db)
    if args.expect is not None and len(rows) != args.expect:
        complain("%d rows in results, expected %d", len(rows), args.expect)
    made = truth_of(args.truth) if args.truth else None
    folders = {}
    for folder in pair_folders(args.output):
        with open(os.path.join(folder, "pair.json"), encoding="utf-8") as f:
            told = json.load(f)
        scene = b"" if told["scene"] == "." else name_in(told, "scene")
        sub = b"gt" if told["target_is_gt"] else b""
        key = (
            os.path.join(scene, b"gt", name_in(told, "gt")),
            os.path.join(scene, sub, name_in(told, "target")),
        )
        if key in folders:
            complain("%s and %s hold the same pair", shown(folder), shown(folders[key]))
        folders[key] = folder
    for row in rows:
        folder = folders.pop((row["gt_path"], row["target_path"]), None)
        if folder is None:
            complain("no folder for %s with %s", shown(row["gt"]), shown(row["target"]))
            continue
        if folder_of(args, row) not in (None, folder):
            complain("%s should be %s", shown(folder), shown(folder_of(args, row)))
        pair = Pair(folder, row, args)
        try:
            pair.check()
            if made:
                pair.check_made(made[row["gt_path"], row["target_path"]])
        except (OSError, ValueError, KeyError) as e:  # a file that is missing or no image, a key
            pair.complain("%s: %s", type(e).__name__, e)
    for folder in folders.values():
        complain("%s has no row", shown(folder))
def truth_of(path):
    """{(gt, target): (dy, dx)}, names as bytes."""
    with open(path, newline="") as f:
        return {
            (line["gt"].encode(), line["target"].encode()): (int(line["dy"]), int(line["dx"]))
            for line in csv.DictReader(f)
        }


# --- two trees ------------------------------------------------------------------------------------


def contents(top):
    """{relative path: bytes} of the pairs' folders. pair.json holds no times, so all must agree."""
    found = {}
    for folder in pair_folders(top):
        for below, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(below, name)
                with open(path, "rb") as f:
                    found[os.path.relpath(path, top)] = f.read()
    return found


def check_same(one, other):
    a, b = contents(one), contents(other)
    if not a:
        complain("%s holds no results", shown(one))
    for path in sorted(set(a) | set(b)):
        if path not in a or path not in b:
            complain("%s is only in %s", shown(path), shown(one if path in a else other))
        elif a[path] != b[path]:
            complain("%s differs", shown(path))


def main():
    doc = __doc__.split("\n\n")
    parser = argparse.ArgumentParser(description=doc[0], usage=doc[1].replace("usage: ", "", 1))
    parser.add_argument("--db")
    parser.add_argument("--output")
    parser.add_argument("--truth")
    parser.add_argument("--truth-exact", action="store_true")
    parser.add_argument("--expect", type=int)
    parser.add_argument("--crop-size", type=int, default=64)
    parser.add_argument("--crop-stride", type=int, default=64)
    parser.add_argument("--crop-min-valid", type=float, default=0.5)
    parser.add_argument("--no-mask", dest="mask", action="store_false")
    parser.add_argument("--same", nargs=2)
    args = parser.parse_args()
    if args.same:
        check_same(*args.same)
    elif args.db and args.output:
        check_tree(args)
    else:
        parser.error("give --db and --output, or --same")
    for line in problems[:20]:
        print("check_outputs: " + line, file=sys.stderr)
    if len(problems) > 20:
        print("check_outputs: and %d more" % (len(problems) - 20), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
