#!/usr/bin/python3
"""Makes aligned-by-construction image pairs from real photographs, for tests and the demo.

usage: make_pairs.py OUTDIR [--scenes N] [--targets K] [--size WxH] [--seed S] [--max-shift PX]
                     [--dtype u8|u16|f16|f32] [--channels 1|3] [--noise LEVEL[,LEVEL...]]

Writes OUTDIR/<scene>/gt/<file>.tif, OUTDIR/<scene>/<file>.tif, and truth.json and truth.csv
(scene, gt, target, dy, dx, gain, noise) in OUTDIR. Paths in the truth are relative to OUTDIR.

Sign of a shift, here as everywhere: gt[y+dy, x+dx] = gain * (clean target)[y, x].

The photographs are those of Debian's lomiri-wallpapers-16.04 and -20.04 (`make deps`), taken as
scene light: sRGB values are made linear, windows are cut at full resolution, never resampled, so a
made shift is exact. Noise is a sensor's: photon noise growing with the signal and a constant read
noise, added to the target only, before it is rounded to its sample type.
"""

import argparse
import csv
import json
import os
import sys

import numpy as np

PHOTO_DIR = os.environ.get("PAIRMILL_PHOTOS", "/usr/share/backgrounds")

# Photographs with enough texture to decide a shift under heavy noise, strongest first. Not here:
# flat drawings, and photographs that are mostly sky or wall (see WEAK).
PHOTOS = (
    "life_by_Aitzol_Berasategi.jpg",
    "Dragonfly_by_Bolly.jpg",
    "picosdeeuropa_by_Aitzol_Berasategi.jpg",
    "Picture_0B_by_freespace.jpg",
    "aitzgorri_by_Aitzol_Berasategi.jpg",
    "friends_by_Aitzol_Berasategi.jpg",
    "Kleiber_by_Lukas_Baubkus.jpg",
    "seeding_by_Clements_Engelhardt.jpg",
    "Wine_by_Jakkub_Mede.jpg",
    "analogpattern_by_Peter_Nerlich.jpg",
    "sunset_by_Aitzol_Berasategi.jpg",
    "Picture_1A_by_freespace.jpg",
)
# Large even areas: for tests of what happens when there is little to hold on to.
WEAK = (
    "Bridge_by_Sander_Klootwijk.jpg",
    "greentock_by_Peter_Nerlich.jpg",
    "free_by_Peter_Nerlich.jpg",
)

# Variance of the noise, as a share of the gt's full scale: photon * signal + read^2.
NOISE = {
    "none": (0.0, 0.0),
    "medium": (0.0004, 0.004),
    "heavy": (0.004, 0.02),
    "veryheavy": (0.03, 0.08),
}

# name: numpy type, full scale (0: a float whose 1.0 is full scale)
DTYPES = {
    "u8": (np.uint8, 255),
    "u16": (np.uint16, 65535),
    "f16": (np.float16, 0),
    "f32": (np.float32, 0),
}

# Brightest value in either image; the rest is room for noise, so that hardly a pixel clips.
HEADROOM = 0.9
# Stray light: keeps the darkest values off 0, where integer samples would cut noise one-sidedly.
FLOOR = 0.02

_decoded = {}


def photo_paths(weak=False):
    """The photographs that are installed, strongest first."""
    names = PHOTOS + (WEAK if weak else ())
    return [p for p in (os.path.join(PHOTO_DIR, n) for n in names) if os.path.exists(p)]


def load_photo(path):
    """8-bit sRGB pixels [y][x][3]; the last few are kept, since decoding is the slow part."""
    from PIL import Image

    if path not in _decoded:
        if len(_decoded) >= 2:
            _decoded.pop(next(iter(_decoded)))
        with Image.open(path) as im:
            _decoded[path] = np.asarray(im.convert("RGB"))
    return _decoded[path]


def linear(srgb):
    """Scene light in FLOOR..1 of 8-bit values."""
    table = (np.arange(256, dtype=np.float32) / 255) ** 2.2
    return (FLOOR + (1 - FLOOR) * table)[srgb]


def texture(window):
    """How much a window has to hold on to: mean step of its brightness over 4 px."""
    grey = window[::4, ::4, 1].astype(np.int16)
    return np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()


def pick_window(pixels, w, h, margin, rng, tries=8):
    """Origin of a textured w x h window that keeps `margin` px to every border."""
    room_y, room_x = pixels.shape[0] - h - 2 * margin, pixels.shape[1] - w - 2 * margin
    if room_y < 0 or room_x < 0:
        raise ValueError(
            "a %dx%d photograph is too small for %dx%d windows shifted by up to %d"
            % (pixels.shape[1], pixels.shape[0], w, h, margin)
        )
    spots = [
        (margin + int(rng.integers(room_y + 1)), margin + int(rng.integers(room_x + 1)))
        for _ in range(tries)
    ]
    return max(spots, key=lambda s: texture(pixels[s[0] : s[0] + h, s[1] : s[1] + w]))


def to_samples(values, dtype):
    """Full-scale-1 floats as samples of the type; integers are rounded and clipped."""
    kind, full = DTYPES[dtype]
    if full == 0:
        return values.astype(kind)
    return np.clip(np.rint(values * full), 0, full).astype(kind)


def add_noise(light, noise, rng):
    """Photon noise (Gaussian of the signal's own variance) and read noise."""
    photon, read = NOISE[noise]
    if photon == 0 and read == 0:
        return light
    deviation = np.sqrt(photon * light + np.float32(read * read))
    return light + deviation * rng.standard_normal(light.shape, dtype=np.float32)


def cut(pixels, y, x, w, h, channels):
    window = linear(pixels[y : y + h, x : x + w])
    return window if channels == 3 else window.mean(axis=2, dtype=np.float32)


def make_gt(pixels, origin, w, h, exposure, dtype, channels):
    """The clean image of the window at origin."""
    light = cut(pixels, origin[0], origin[1], w, h, channels)
    return to_samples(light * np.float32(exposure), dtype)


def make_target(pixels, origin, w, h, dy, dx, gain, noise, exposure, dtype, channels, rng):
    """The noisy image of the window (dy, dx) further on, darker than the gt by gain."""
    light = cut(pixels, origin[0] + dy, origin[1] + dx, w, h, channels)
    noisy = add_noise(light, noise, rng)
    return to_samples(noisy * np.float32(exposure / gain), dtype)


def exposure_of(gains):
    """The gt's scale at which neither it nor any target of these gains clips."""
    return HEADROOM * min([1.0] + list(gains))


def make_pair(photo, size, dy, dx, gain=1.0, noise="none", dtype="u16", channels=3, seed=0):
    """(gt, target) with gt[y+dy, x+dx] = gain * clean target[y, x]; size is (w, h).

    photo: a path, or 8-bit sRGB pixels [y][x][3].
    """
    pixels = load_photo(photo) if isinstance(photo, str) else photo
    rng = np.random.default_rng(seed)
    w, h = size
    origin = pick_window(pixels, w, h, max(abs(dy), abs(dx)), rng)
    exposure = exposure_of([gain])
    gt = make_gt(pixels, origin, w, h, exposure, dtype, channels)
    target = make_target(
        pixels, origin, w, h, dy, dx, gain, noise, exposure, dtype, channels, rng
    )
    return gt, target


def write_tiff(path, samples):
    import tifffile

    os.makedirs(os.path.dirname(path), exist_ok=True)
    kind = "rgb" if samples.ndim == 3 else "minisblack"
    tifffile.imwrite(path, samples, photometric=kind)


def random_gain(rng):
    """0.25..4, even on a logarithmic scale."""
    return round(float(2.0 ** rng.uniform(-2, 2)), 3)


def make_scene(outdir, number, photo, args, rng):
    """One gt and its targets; returns the truth's rows."""
    w, h = args.size
    pixels = load_photo(photo)
    origin = pick_window(pixels, w, h, args.max_shift, rng)
    name = os.path.basename(photo).split("_by_")[0].lower()
    scene = "%s-%02d" % (name, number)
    gains = [random_gain(rng) for _ in range(args.targets)]
    exposure = exposure_of(gains)
    gt_path = os.path.join(scene, "gt", "%s_ISO100.tif" % name)
    gt = make_gt(pixels, origin, w, h, exposure, args.dtype, args.channels)
    write_tiff(os.path.join(outdir, gt_path), gt)
    rows = []
    for k, gain in enumerate(gains):
        noise = args.noise[(number + k) % len(args.noise)]
        dy, dx = (int(v) for v in rng.integers(-args.max_shift, args.max_shift + 1, 2))
        target_path = os.path.join(scene, "%s_%02d_%s.tif" % (name, k + 1, noise))
        target = make_target(
            pixels, origin, w, h, dy, dx, gain, noise, exposure, args.dtype, args.channels, rng
        )
        write_tiff(os.path.join(outdir, target_path), target)
        rows.append(
            dict(scene=scene, gt=gt_path, target=target_path, dy=dy, dx=dx, gain=gain, noise=noise)
        )
    return rows


def write_truth(outdir, rows):
    with open(os.path.join(outdir, "truth.json"), "w") as f:
        json.dump(rows, f, indent=1)
    with open(os.path.join(outdir, "truth.csv"), "w", newline="") as f:
        out = csv.DictWriter(f, ["scene", "gt", "target", "dy", "dx", "gain", "noise"])
        out.writeheader()
        out.writerows(rows)


def fitting_photos(size, max_shift):
    """The photographs large enough; tells sizes by the header only."""
    from PIL import Image

    need_w, need_h = size[0] + 2 * max_shift, size[1] + 2 * max_shift
    found = []
    for path in photo_paths():
        with Image.open(path) as im:
            if im.size[0] >= need_w and im.size[1] >= need_h:
                found.append(path)
    return found


def parse_size(text):
    w, h = text.lower().split("x")
    return int(w), int(h)


def parse_noise(text):
    levels = text.split(",")
    for level in levels:
        if level not in NOISE:
            raise argparse.ArgumentTypeError("noise is one of " + ", ".join(NOISE))
    return levels


def main():
    doc = __doc__.split("\n\n")
    parser = argparse.ArgumentParser(description=doc[0])
    parser.add_argument("outdir")
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--targets", type=int, default=3)
    parser.add_argument("--size", type=parse_size, default=(1200, 900), metavar="WxH")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-shift", type=int, default=100, metavar="PX")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="u16")
    parser.add_argument("--channels", type=int, choices=(1, 3), default=3)
    parser.add_argument(
        "--noise", type=parse_noise, default=["none", "medium", "heavy"], metavar="LEVELS"
    )
    args = parser.parse_args()
    photos = fitting_photos(args.size, args.max_shift)
    if not photos:
        sys.exit(
            "make_pairs.py: no photograph of at least %dx%d in %s; run: make deps"
            % (args.size[0] + 2 * args.max_shift, args.size[1] + 2 * args.max_shift, PHOTO_DIR)
        )
    rows = []
    for number in range(args.scenes):
        rng = np.random.default_rng([args.seed, number])
        rows += make_scene(args.outdir, number, photos[number % len(photos)], args, rng)
    write_truth(args.outdir, rows)


if __name__ == "__main__":
    main()
