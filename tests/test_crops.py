"""Crops, bit for bit: cut again from the sources with numpy at the reported shift.

Also: every window of the plan is there or listed as not written, with its usable share; the crop's
mask is that part of mask.png; the hashes in pair.json are those of the files.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import tifffile
    from PIL import Image
except ImportError as error:
    print(f"needs {error.name} (make deps)")
    sys.exit(77)

WORKER = os.path.join(os.environ.get("BUILD", "build"), "tests", "test_worker")


def windows(n, size, stride):
    if n <= size:
        return [(0, n)]
    starts = list(range(0, n - size + 1, stride))
    if starts[-1] != n - size:
        starts.append(n - size)
    return [(s, size) for s in starts]


def scene(rng, h, w, channels):
    coarse = rng.random((h // 4 + 1, w // 4 + 1, channels)).repeat(4, 0).repeat(4, 1)[:h, :w]
    return 0.05 + 0.7 * coarse + 0.2 * rng.random((h, w, channels))


def make(rng, dtype, channels, h, w, dy, dx):
    all_ = scene(rng, h + 40, w + 40, channels)
    gt = all_[20 : 20 + h, 20 : 20 + w]
    target = all_[20 + dy : 20 + dy + h, 20 + dx : 20 + dx + w] * 0.7
    full = {"uint8": 255, "uint16": 65535}.get(dtype)
    pair = [(np.rint(i * full) if full else i).astype(dtype) for i in (gt, target)]
    return [i[..., 0] if channels == 1 else i for i in pair]


def check(name, gt, target, shift, size, stride, min_valid, write=None, extra=()):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, n) for n in ("gt.tif", "target.tif")]
        for path, image in zip(paths, (gt, target)):
            (write or plain)(path, image)
        options = [f"crop_size={size}", f"crop_stride={stride}", f"crop_min_valid={min_valid}",
                   "on_flag=keep", *extra]
        out = subprocess.run([WORKER, "run", *paths, os.path.join(folder, "out"), "16", *options],
                             capture_output=True, text=True)
        if out.returncode != 0:
            raise SystemExit(f"{name}: worker failed: {out.stderr}")
        compare(name, out.stdout.strip(), gt, target, shift, size, stride, min_valid)


def plain(path, image):
    tifffile.imwrite(path, image, photometric="rgb" if image.ndim == 3 else "minisblack")


def compare(name, made, gt, target, shift, size, stride, min_valid):
    with open(os.path.join(made, "pair.json"), encoding="utf-8") as f:
        record = json.load(f)
    dy, dx = record["dy"], record["dx"]
    assert (dy, dx) == shift, f"{name}: shift {dy},{dx}, made {shift}"
    o = record["overlap"]
    h, w = gt.shape[:2]
    assert o == {"gt_x": max(dx, 0), "gt_y": max(dy, 0), "target_x": max(-dx, 0),
                 "target_y": max(-dy, 0), "width": w - abs(dx), "height": h - abs(dy)}, f"{name}: {o}"
    mask = np.asarray(Image.open(os.path.join(made, "mask.png")))
    assert mask.shape == (o["height"], o["width"])
    plan = [(x, y, cw, ch) for y, ch in windows(o["height"], size, stride)
            for x, cw in windows(o["width"], size, stride)]
    assert [(c["x"], c["y"], c["w"], c["h"]) for c in record["crops"]] == plan, f"{name}: plan"
    names = {"mask.png"}
    for crop in record["crops"]:
        x, y, cw, ch = crop["x"], crop["y"], crop["w"], crop["h"]
        part = mask[y : y + ch, x : x + cw]
        assert crop["valid"] == np.count_nonzero(part) / part.size, f"{name}: share of {x}_{y}"
        assert crop["written"] == (crop["valid"] >= min_valid), f"{name}: {x}_{y} written"
        if not crop["written"]:
            continue
        base = f"crops/{x}_{y}"
        names |= {f"{base}.gt.tif", f"{base}.target.tif", f"{base}.mask.png"}
        for kind, source in (("gt", gt), ("target", target)):
            read = tifffile.imread(os.path.join(made, f"{base}.{kind}.tif"))
            sy, sx = y + o[f"{kind}_y"], x + o[f"{kind}_x"]
            want = source[sy : sy + ch, sx : sx + cw]
            assert read.dtype == source.dtype, f"{name}: {base} is {read.dtype}"
            assert read.shape == want.shape, f"{name}: {base} {read.shape}"
            assert read.tobytes() == want.tobytes(), f"{name}: {base}.{kind}.tif differs"
        assert np.array_equal(np.asarray(Image.open(os.path.join(made, f"{base}.mask.png"))), part)
    found = {os.path.relpath(os.path.join(d, n), made) for d, _, ns in os.walk(made) for n in ns}
    assert found == names | {"pair.json"}, f"{name}: files {found ^ names}"
    listed = {f["name"]: f["bytes"] for f in record["files"]}
    assert listed == {n: os.path.getsize(os.path.join(made, n)) for n in names}, f"{name}: files"
    written = sum(c["written"] for c in record["crops"])
    print(f"ok {name}: {written} of {len(plan)} crops")
    return written


def main():
    rng = np.random.default_rng(7)
    for dtype in ("uint8", "uint16", "float16", "float32"):
        for channels in (1, 3):
            gt, target = make(rng, dtype, channels, 150, 170, 3, -5)
            check(f"{dtype} x{channels}", gt, target, (3, -5), 64, 48, 0.5)
    gt, target = make(rng, "uint16", 3, 150, 170, -2, 7)
    check("one window larger than the overlap", gt, target, (-2, 7), 1024, 768, 0.5)
    check("a window that fits exactly", gt, target, (-2, 7), 148, 100, 0.5)
    gt[40:120, 30:100] = 65535  # clipped: the windows there are listed, not written
    check("clipped", gt, target, (-2, 7), 32, 32, 0.6)
    check("deflate", gt, target, (-2, 7), 64, 64, 0.0, extra=["crop_compression=deflate"])
    mixed = (target / 65535).astype(np.float32)
    check("u16 with f32", gt, mixed, (-2, 7), 64, 64, 0.0)
    check("tiles, big endian", gt, target, (-2, 7), 64, 64, 0.0,
          write=lambda p, i: tifffile.imwrite(p, i, photometric="rgb", tile=(32, 48), byteorder=">"))
    print("all equal")


main()
