#!/usr/bin/python3
"""What must happen to the answer when a pair is changed in a way whose effect is known.

Every method but `original` (greedy: where it stops depends on where it starts) answers the smallest
L1 of the range, so transposing, turning, mirroring and scaling a pair must change the answer
exactly so, on any pair, decided or not: the table of losses is the same one, rearranged. Swapping
gt and target and cropping the windows differently compare a few other pixels (at odd shifts
RAWNIND.md 2.5 drops the last row of a pair, but the first of the swapped one), so decided pairs
only are asked. No answer has a larger loss than that of `original`.

With PAIRMILL_SHORT=1, or a BUILD folder of a sanitizer, two photographs and two methods.
Drives $BUILD/tests/test_align in its `pair` mode. Exit: 0 pass, 1 fail, 77 no photographs.
"""

import concurrent.futures
import os
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import hard_cases  # noqa: E402
import hard_judge  # noqa: E402
import test_alignment  # noqa: E402

SHORT = test_alignment.SHORT
METHODS = ("hierarchical", "fft") if SHORT else hard_judge.METHODS
MAX_SHIFT = 24
SIZE = (200, 150) if SHORT else (331, 270)
SEED = 5
# (case, noise): two that decide the shift, and two that may not.
KINDS = (("plain", "medium"), ("float32", "heavy"), ("sky", "veryheavy"), ("tiled", "heavy"))
DECIDED = ("plain", "float32")
# Float samples are summed for the gain in float pieces, whose rounding depends on their order.
RELATIVE = {"u2": 1e-9, "f4": 1e-6}
CROP = 9  # px cut from one window more than from the other


def swapped_channels(image):
    return image[:, :, ::-1] if image.ndim == 3 else image


# name: (gt, target) -> (gt, target); (dy, dx) -> the answer then; factor on loss; on gain, given g
EXACT = {
    "swap": (lambda a, b: (b, a), lambda dy, dx: (-dy, -dx), lambda g: 1 / g, lambda g: 1 / g),
    "transpose": (
        lambda a, b: (a.swapaxes(0, 1), b.swapaxes(0, 1)),
        lambda dy, dx: (dx, dy),
        lambda g: 1,
        lambda g: g,
    ),
    "turn by 180 degrees": (
        lambda a, b: (a[::-1, ::-1], b[::-1, ::-1]),
        lambda dy, dx: (-dy, -dx),
        lambda g: 1,
        lambda g: g,
    ),
    "mirror": (
        lambda a, b: (a[:, ::-1], b[:, ::-1]),
        lambda dy, dx: (dy, -dx),
        lambda g: 1,
        lambda g: g,
    ),
    "channels in reverse": (
        lambda a, b: (swapped_channels(a), swapped_channels(b)),
        lambda dy, dx: (dy, dx),
        lambda g: 1,
        lambda g: g,
    ),
}


def scaled(kind):
    """Target times, or gt times, a power of two: exact in floats, so that only gain may change."""
    if kind != np.float32:
        return {}
    keep = lambda dy, dx: (dy, dx)  # noqa: E731
    return {
        "target / 4": (lambda a, b: (a, b / 4), keep, lambda g: 1, lambda g: 4 * g),
        "target * 2": (lambda a, b: (a, b * 2), keep, lambda g: 1, lambda g: g / 2),
        "gt / 8": (lambda a, b: (a / 8, b), keep, lambda g: 1 / 8, lambda g: g / 8),
    }


# The windows moved over the scene: gt by (a, b), target by (c, d); dy then grows by c - a.
CROPS = ((CROP, 0, 0, 0), (0, 0, 0, CROP), (3, CROP, CROP, 2), (0, CROP - 1, 1, 0))


def crop(image, y, x):
    return image[y : image.shape[0] - CROP + y, x : image.shape[1] - CROP + x]


def answers(gt, target, max_shift, methods=METHODS):
    with tempfile.TemporaryDirectory() as folder:
        paths = test_alignment.write_pair(
            folder, np.ascontiguousarray(gt), np.ascontiguousarray(target))
        return test_alignment.run_align(paths, list(methods), max_shift)


def near(a, b, relative):
    return abs(a - b) <= relative * abs(b)


def check_exact(pair, base, decided, wrong):
    tests = {k: v for k, v in EXACT.items() if decided or k != "swap"}
    tests.update(scaled(pair.gt.dtype))
    relative = RELATIVE[pair.gt.dtype.str[1:]]
    for name, (change, moved, on_loss, on_gain) in tests.items():
        new = answers(*change(pair.gt, pair.target), pair.max_shift)
        for m in METHODS:
            a, b = base[m], new[m]
            want = moved(a["dy"], a["dx"])
            if (b["dy"], b["dx"]) != want:
                wrong.append("%s, %s: (%d,%d) loss %.12g, wanted %s; before (%d,%d) loss %.12g" % (
                    name, m, b["dy"], b["dx"], b["loss"], want, a["dy"], a["dx"], a["loss"]))
            elif (name != "swap" or want[0] % 2 == want[1] % 2 == 0) and not near(
                b["loss"], a["loss"] * on_loss(a["gain"]), relative
            ):
                wrong.append("%s, %s: loss %.12g after %.12g" % (name, m, b["loss"], a["loss"]))
            if not near(b["gain"], on_gain(a["gain"]), relative):
                wrong.append("%s, %s: gain %.12g after %.12g" % (name, m, b["gain"], a["gain"]))


def check_crops(pair, wrong):
    for a, b, c, d in CROPS:
        want = (pair.truth[0] + c - a, pair.truth[1] + d - b)
        new = answers(
            crop(pair.gt, a, b), crop(pair.target, c, d), pair.max_shift + CROP)
        for m in METHODS:
            if (new[m]["dy"], new[m]["dx"]) != want:
                wrong.append("windows moved by %s, %s: (%d,%d), wanted %s" % (
                    (a, b, c, d), m, new[m]["dy"], new[m]["dx"], want))


def check_itself(pair, wrong):
    for m, a in answers(pair.gt, pair.gt, pair.max_shift).items():
        if (a["dy"], a["dx"], a["loss"], a["gain"]) != (0, 0, 0, 1):
            wrong.append("itself, %s: (%d,%d) loss %g gain %g" % (
                m, a["dy"], a["dx"], a["loss"], a["gain"]))


def check_original(pair, base, wrong):
    """No method returns a larger loss than the old search, whose range is a little larger."""
    old = answers(pair.gt, pair.target, pair.max_shift, ("original",))["original"]
    if max(abs(old["dy"]), abs(old["dx"])) <= pair.max_shift:
        for m in METHODS:
            if base[m]["loss"] > old["loss"] * (1 + 1e-9):
                wrong.append("%s: loss %.12g, original's is %.12g" % (m, base[m]["loss"], old["loss"]))


def check(task):
    path, case, noise = task
    pair = hard_cases.make(case, noise, path, SEED, MAX_SHIFT, SIZE)
    base = answers(pair.gt, pair.target, pair.max_shift)
    wrong = []
    if case in DECIDED:
        for m in METHODS:
            if (base[m]["dy"], base[m]["dx"]) != pair.truth:
                wrong.append("as made, %s: (%d,%d), made %s" % (
                    m, base[m]["dy"], base[m]["dx"], pair.truth))
        check_crops(pair, wrong)
        check_itself(pair, wrong)
    check_exact(pair, base, case in DECIDED, wrong)
    check_original(pair, base, wrong)
    label = "%s %s %s" % (hard_cases.short_name(path), case, noise)
    return ["%s: %s" % (label, w) for w in wrong]


def main():
    paths = [p for p in hard_cases.photos() if os.sep + "mate" + os.sep not in p]
    if not paths:
        print("no photographs in %s; run: make deps" % hard_cases.make_pairs.PHOTO_DIR)
        return 77
    paths = paths[:2] if SHORT else paths[:6]
    tasks = [(path, case, noise) for path in paths for case, noise in KINDS]
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        wrong = [line for lines in pool.map(check, tasks) for line in lines]
    for line in wrong:
        print(line)
    print("%d pairs of %d photographs, %s: %d broken properties" % (
        len(tasks), len(paths), ", ".join(METHODS), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
