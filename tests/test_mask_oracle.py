"""Masks, pixel for pixel, against numpy and scipy: RAWNIND.md 2.6 written down once more, in float64.

A pair goes through the worker (test_worker run); mask.png and the numbers in pair.json must equal
what the formulas below give for the shift that was found. Profile aligned: the whole overlap.
What 2.6 leaves open: a loss that is not finite is never kept and does not count for the quantile;
the means of the gain are over finite samples; a grey image's loss map is its one channel.
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
    from scipy import ndimage
except ImportError as error:
    print(f"needs {error.name} (make deps)")
    sys.exit(77)

WORKER = os.path.join(os.environ.get("BUILD", "build"), "tests", "test_worker")
FULL = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0}


def g(v):
    with np.errstate(invalid="ignore"):
        return np.where(v > 0, np.abs(v) ** (1 / 2.2), v)


def overlap(a, s):
    """Rows (or columns) [y + s] of gt against [y] of the target: all they share."""
    n = a
    return (slice(max(s, 0), n + min(s, 0)), slice(max(-s, 0), n - max(s, 0)))


def oracle(gt, target, dy, dx, threshold=0.4, quantile=0.9999, overexposure=1.0):
    gy, ty = overlap(gt.shape[0], dy)
    gx, tx = overlap(gt.shape[1], dx)
    a = gt.astype(np.float64)[gy, gx] / FULL[str(gt.dtype)]
    b = target.astype(np.float64)[ty, tx] / FULL[str(target.dtype)]
    if a.ndim == 2:
        a, b = a[..., None], b[..., None]
    ok = np.all(a < overexposure, axis=2)
    k = a[np.isfinite(a)].mean() / b[np.isfinite(b)].mean()
    with np.errstate(invalid="ignore"):
        channels = np.abs(g(a) - g(k * b))
    loss = channels[..., 0].copy()
    for c in range(1, channels.shape[2]):
        loss = loss + channels[..., c]
    finite = np.isfinite(loss)
    used = threshold
    if quantile < 1:
        used = min(used, np.quantile(loss[finite], quantile))
    used = 1.0 if used == 0 else used
    keep = np.zeros(loss.shape, bool)
    keep[finite] = loss[finite] < used
    keep = ndimage.binary_opening(keep)  # its default structure is the 3x3 cross
    return keep & ok, used, k, loss


def scene(rng, h, w, channels):
    """Smooth shapes with detail, 0..0.9, a little larger than needed for any shift."""
    base = rng.random((h // 8 + 2, w // 8 + 2, channels))
    big = ndimage.zoom(base, (8, 8, 1), order=1)[:h, :w]
    return 0.03 + 0.75 * big + 0.12 * rng.random((h, w, channels))


def make_pair(rng, dtype, channels, shape, shift, gain=0.6, noise=0.01):
    h, w = shape
    dy, dx = shift
    all_ = scene(rng, h + 40, w + 40, channels)
    gt = all_[20 : 20 + h, 20 : 20 + w]
    target = all_[20 + dy : 20 + dy + h, 20 + dx : 20 + dx + w] * gain
    target = target + noise * rng.standard_normal(target.shape) * np.sqrt(target)
    return quantise(gt, dtype), quantise(target, dtype)


def quantise(image, dtype):
    if image.shape[2] == 1:
        image = image[..., 0]
    if np.dtype(dtype).kind == "u":
        return np.clip(np.rint(image * FULL[dtype]), 0, FULL[dtype]).astype(dtype)
    return image.astype(dtype)


def save(path, image):
    photometric = "rgb" if image.ndim == 3 else "minisblack"
    tifffile.imwrite(path, image, photometric=photometric)


def run(folder, gt, target, options):
    paths = [os.path.join(folder, name) for name in ("gt.tif", "target.tif")]
    save(paths[0], gt)
    save(paths[1], target)
    out = subprocess.run(
        [WORKER, "run", *paths, os.path.join(folder, "out"), "16"] + options,
        capture_output=True,
        text=True,
    )
    if out.returncode != 0:
        raise SystemExit(f"worker failed: {out.stderr}")
    made = out.stdout.strip()
    with open(os.path.join(made, "pair.json"), encoding="utf-8") as f:
        record = json.load(f)
    return np.asarray(Image.open(os.path.join(made, "mask.png"))), record


def check(name, gt, target, shift=None, **settings):
    options = ["on_flag=keep", "crop_size=256", "crop_stride=256"]
    keys = {"threshold": "loss_threshold", "quantile": "loss_quantile"}
    options += [f"{keys.get(key, key)}={value!r}" for key, value in settings.items()]
    with tempfile.TemporaryDirectory() as folder:
        mask, record = run(folder, gt, target, options)
    dy, dx = record["dy"], record["dx"]
    if shift is not None:
        assert (dy, dx) == shift, f"{name}: shift {dy},{dx}, made {shift}"
    want, used, k, loss = oracle(gt, target, dy, dx, **settings)
    assert mask.shape == want.shape, f"{name}: mask {mask.shape}, overlap {want.shape}"
    assert set(np.unique(mask)) <= {0, 255}, f"{name}: values {np.unique(mask)}"
    wrong = int(np.count_nonzero((mask == 255) != want))
    assert wrong == 0, f"{name}: {wrong} of {want.size} pixels differ"
    assert abs(record["mask_mean"] - want.mean()) < 1e-12, f"{name}: mask_mean"
    assert abs(record["mask_gain"] - k) < 1e-12 * k, f"{name}: k {record['mask_gain']} {k}"
    assert abs(record["mask_threshold"] - used) < 1e-12, f"{name}: threshold"
    rejected = np.count_nonzero(~(loss < used))
    print(f"ok {name}: {want.shape} thr {used:.6f} mean {want.mean():.6f} rejected {rejected}")
    return want


def main():
    rng = np.random.default_rng(20250115)
    shape = (211, 197)
    for dtype in FULL:
        for channels in (1, 3):
            for shift in ((0, 0), (5, -3), (-7, 12)):
                gt, target = make_pair(rng, dtype, channels, shape, shift)
                check(f"{dtype} x{channels} {shift}", gt, target, shift)
    for dtype in FULL:  # overexposed patches, a lower limit, an object that moved
        gt, target = make_pair(rng, dtype, 3, shape, (2, 1))
        gt[30:60, 40:90] = int(FULL[dtype]) if np.dtype(dtype).kind == "u" else 1.0
        gt[100, 100, 1] = gt[30, 40, 0]
        target[120:160, 20:70] = 0
        want = check(f"{dtype} clipped and moved", gt, target, (2, 1))
        assert want.mean() < 0.95
        check(f"{dtype} overexposure 0.5", gt, target, (2, 1), overexposure=0.5)
        # A limit that is a sample value exactly: strictly below is fine, the value itself is not.
        limit = 51 / 255
        gt[10:20, 10:20] = np.array(limit * FULL[dtype]).astype(dtype)
        check(f"{dtype} limit on a value", gt, target, (2, 1), overexposure=limit)
    gt, target = make_pair(rng, "uint8", 3, shape, (0, 0))
    check("identical u8", gt, gt.copy(), (0, 0))
    gt, _ = make_pair(rng, "float32", 3, shape, (0, 0))
    want = check("identical f32", gt, gt.copy(), (0, 0))
    assert np.count_nonzero(~want) == 4  # the corners, RAWNIND.md 2.6
    # Exact ties by the thousand: both halves of the image have one loss each.
    gt, target = make_pair(rng, "uint16", 1, shape, (0, 0), gain=0.5, noise=0)
    target = (gt // 2).astype(np.uint16)
    target[:, :100] = (gt[:, :100] // 4 * 3).astype(np.uint16)
    check("ties u16", gt, target)
    gt8 = (rng.integers(0, 8, (211, 197, 3)) * 30 + 10).astype(np.uint8)
    check("ties u8", gt8, (gt8 // 2 + rng.integers(0, 2, gt8.shape)).astype(np.uint8), (0, 0))
    for quantile in (1.0, 0.99, 0.5, 0.0):
        gt, target = make_pair(rng, "uint16", 3, shape, (1, 4), noise=0.05)
        check(f"quantile {quantile}", gt, target, (1, 4), quantile=quantile)
    gt, target = make_pair(rng, "uint16", 3, shape, (1, 4), noise=0.2)
    check("threshold 0.05", gt, target, (1, 4), threshold=0.05)
    # Floats that are NaN, infinite, negative, far above 1, and too small for a normal number.
    for dtype in ("float16", "float32"):
        gt, target = make_pair(rng, dtype, 3, shape, (-4, -6))
        gt[50, 60, 1] = np.nan
        gt[51, 90] = np.inf
        gt[70:72, 20:30] *= -1
        target[80, 80, 0] = np.nan
        target[81, 81, 2] = -np.inf
        target[90:95, 100:110] = 300.0
        target[5, 5] = 6e-8 if dtype == "float16" else 1e-42
        gt[110, 110] = 0
        # No shift asked for: the bright patch spoils the gain, by which every shift is judged.
        check(f"{dtype} odd samples", gt, target, overexposure=2.0)
    # Sizes around the 64-pixel words and the 512-pixel pieces.
    for w in (63, 64, 65, 511, 513, 577):
        gt, target = make_pair(rng, "uint16", 3, (71, w), (0, 1))
        check(f"width {w}", gt, target, (0, 1))
    print("all equal")


main()
