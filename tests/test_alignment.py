#!/usr/bin/python3
"""Alignment on real photographs: every method finds the made shift, `original` is the old search.

60 pairs of 1-6 megapixels cut from real photographs, noise none/medium/heavy, shifts to +-128,
gains 0.25-4, all sample types: hierarchical, fft, bruteforce and auto all return the made shift;
where `original` stops elsewhere its loss is larger. 30 small pairs: `original` agrees with a numpy
version written from the description (RAWNIND.md 2.4, 2.5). Every reported loss agrees with numpy.

With PAIRMILL_SHORT=1, or a BUILD folder of a sanitizer, few and small pairs.
Drives $BUILD/tests/test_align in its `pair` mode, and $BUILD/pairmill align --json on some. Exit: 0 pass, 1 fail, 77 no photographs.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import make_pairs  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
ALIGN = os.path.join(BUILD, "tests", "test_align")
PAIRMILL = os.path.join(BUILD, "pairmill")
SHORT = os.environ.get("PAIRMILL_SHORT") == "1" or "asan" in BUILD or "tsan" in BUILD
SEARCHES = ["hierarchical", "fft", "bruteforce", "auto"]
NOISES = ["none", "medium", "heavy"]

# Corners and edges of the range, odd and even, then random ones.
EDGE_SHIFTS = [(128, -128), (-128, 128), (127, 127), (-128, -1), (0, 0), (1, 0), (0, -1), (-3, 2)]


def overlap(n, s):
    """RAWNIND.md 2.5, one axis, d = 1: the half-open ranges of gt and of f."""
    a = abs(s)
    if s == 0:
        return (0, n), (0, n)
    if s > 0:
        return ((s, n), (0, n - s)) if s % 2 == 0 else ((s, n - 1), (0, n - s - 1))
    return ((0, n - a), (a, n)) if s % 2 == 0 else ((1, n - a), (a + 1, n))


def overlaps(gt, f, dy, dx):
    (gy0, gy1), (fy0, fy1) = overlap(gt.shape[0], dy)
    (gx0, gx1), (fx0, fx1) = overlap(gt.shape[1], dx)
    return gt[gy0:gy1, gx0:gx1], f[fy0:fy1, fx0:fx1]


def scaled(samples, kind):
    """As float of the kind, full scale 1."""
    full = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(samples.dtype, 1)
    return samples.astype(kind) / kind(full)


def loss_of(gt, f, gain, dy, dx):
    """The reported loss in double precision."""
    a, b = overlaps(scaled(gt, np.float64), scaled(f, np.float64), dy, dx)
    return np.abs(a - gain * b).mean()


def original(gt, f, max_shift):
    """RAWNIND.md 2.4 from its description: the table, its order and its stop rules."""
    gt, f = scaled(gt, np.float32), scaled(f, np.float32)
    f = f * (gt.mean(dtype=np.float64) / f.mean(dtype=np.float64)).astype(np.float32)
    table = {}

    def evaluate(dy, dx):
        if (dy, dx) not in table:
            a, b = overlaps(gt, f, dy, dx)
            if a.size:
                table[(dy, dx)] = np.abs(a - b).mean()

    evaluate(0, 0)
    best = (0, 0)
    while table[best] > 0 and abs(best[0]) + abs(best[1]) < max_shift:
        for dy in range(best[0] - 3, best[0] + 4):
            for dx in range(best[1] - 3, best[1] + 4):
                evaluate(dy, dx)
        new = min(table, key=table.get)  # the earliest of equal ones
        if new == best:
            break
        best = new
    return best


def output_of(command):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )
    if done.returncode != 0:
        raise RuntimeError("%s: exit %d: %s" % (command, done.returncode, done.stderr))
    return done.stdout


def write_pair(folder, gt, f):
    paths = [os.path.join(folder, "gt.tif"), os.path.join(folder, "f.tif")]
    make_pairs.write_tiff(paths[0], gt)
    make_pairs.write_tiff(paths[1], f)
    return paths


def run_align(paths, methods, max_shift):
    """What test_align prints for the two files: {method asked: answer}."""
    text = output_of([ALIGN, "pair", *paths, ",".join(methods), str(max_shift)])
    return dict(zip(methods, (json.loads(line) for line in text.splitlines())))


def run_pairmill(paths, method, max_shift):
    """What a person gets."""
    return json.loads(output_of([PAIRMILL, "align", *paths, "--alignment_method", method,
                                 "--max_shift", str(max_shift), "--json"]))


def bad_loss(gt, f, answer):
    expected = loss_of(gt, f, answer["gain"], answer["dy"], answer["dx"])
    if abs(answer["loss"] - expected) <= 1e-6 * expected:
        return None
    return "%s: loss %.9g, numpy says %.9g" % (answer["method"], answer["loss"], expected)


def same(a, b):
    """Equal, numbers up to what a printed one may lose."""
    return a == b or (isinstance(a, float) and abs(a - b) <= 1e-6 * abs(b))


def search_pair(case):
    """One of the 60 pairs; returns what is wrong with it, and whether `original` got stuck."""
    gt, f = make_pairs.make_pair(**case["make"])
    truth = (case["make"]["dy"], case["make"]["dx"])
    methods = SEARCHES + (["original"] if case["original"] else [])
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        paths = write_pair(folder, gt, f)
        answers = run_align(paths, methods, case["max_shift"])
        if case["command"]:
            told = run_pairmill(paths, "auto", case["max_shift"])
            wrong += ["pairmill align: %s is %s, not %s" % (key, told[key], answers["auto"][key])
                      for key in ("dy", "dx", "method", "loss", "gain")
                      if not same(told[key], answers["auto"][key])]
    for method in SEARCHES:
        found = (answers[method]["dy"], answers[method]["dx"])
        if found != truth:
            wrong.append("%s: found %s, made %s" % (method, found, truth))
    wrong.append(bad_loss(gt, f, answers["bruteforce"]))
    stuck = False
    if case["original"]:
        old = answers["original"]
        stuck = (old["dy"], old["dx"]) != truth
        if stuck and not old["loss"] > answers["hierarchical"]["loss"]:
            wrong.append("original: got stuck, yet its loss is no larger")
        wrong.append(bad_loss(gt, f, old))
    return case["name"], [w for w in wrong if w], stuck


def original_pair(case):
    """One of the 30 pairs; is `original` the search of the description?"""
    gt, f = make_pairs.make_pair(**case["make"])
    with tempfile.TemporaryDirectory() as folder:
        paths = write_pair(folder, gt, f)
        answer = run_align(paths, ["original"], case["max_shift"])["original"]
    expected = original(gt, f, case["max_shift"])
    wrong = [bad_loss(gt, f, answer)]
    if (answer["dy"], answer["dx"]) != expected:
        wrong.append("original: (%d, %d), numpy says %s" % (answer["dy"], answer["dx"], expected))
    stuck = expected != (case["make"]["dy"], case["make"]["dx"])
    return case["name"], [w for w in wrong if w], stuck


def size_of(number):
    """Mostly 1 megapixel, odd and even; some of 2, 4 and 6."""
    if SHORT:
        return (331, 274)
    return {7: (1700, 1201), 17: (1636, 1223), 27: (2310, 1732), 37: (1632, 1224), 47: (1201, 1702),
            57: (2732, 1890)}.get(number, [(1152, 896), (1151, 901), (1024, 1024), (1277, 803)][number % 4])


def search_cases(count, reach):
    rng = np.random.default_rng(20260)
    cases = []
    for n in range(count):
        size = size_of(n)
        if n < len(EDGE_SHIFTS) and not SHORT:
            dy, dx = EDGE_SHIFTS[n]
        else:
            dy, dx = (int(v) for v in rng.integers(-reach, reach + 1, 2))
        fits = make_pairs.fitting_photos(size, reach)
        make = dict(photo=fits[n % len(fits)], size=size, dy=dy, dx=dx,
                    gain=make_pairs.random_gain(rng), noise=NOISES[n % 3],
                    dtype=["u16", "u16", "u8", "f32", "f16"][n % 5], channels=1 if n % 7 == 3 else 3,
                    seed=1000 + n)
        cases.append(dict(make=make, max_shift=reach, original=n % 2 == 0,
                          command=n % 6 == 0,
                          name="pair %d: %s" % (n, describe(make))))
    return cases


def original_cases(count):
    """Small windows, shifts the greedy search may reach, limits it may hit."""
    rng = np.random.default_rng(3)
    photos = make_pairs.photo_paths()
    cases = []
    for n in range(count):
        reach = [3, 9, 20][n % 3]
        dy, dx = (int(v) for v in rng.integers(-reach, reach + 1, 2))
        make = dict(photo=photos[n * 5 % len(photos)], size=(150 + n, 161 - 2 * n), dy=dy, dx=dx,
                    gain=make_pairs.random_gain(rng), noise=NOISES[n % 3] if n else "none",
                    dtype=["u16", "u8", "f32"][n // 3 % 3], channels=1 if n % 5 == 4 else 3, seed=n)
        cases.append(dict(make=make, max_shift=[128, 128, 12][n % 3],
                          name="original %d: %s" % (n, describe(make))))
    return cases


def describe(make):
    return "%s %dx%dx%d %s, noise %s, gain %.3g, shift (%d, %d)" % (
        os.path.basename(make["photo"]).split("_by_")[0], make["size"][0], make["size"][1],
        make["channels"], make["dtype"], make["noise"], make["gain"], make["dy"], make["dx"])


def run_all(pool, work, cases, what):
    failed = stuck = 0
    for name, wrong, was_stuck in pool.map(work, cases):
        stuck += was_stuck
        failed += bool(wrong)
        for line in wrong:
            print("FAIL %s: %s" % (name, line), flush=True)
    print("%s: %d pairs, %d wrong, `original` stuck on %d" % (what, len(cases), failed, stuck))
    return failed, stuck


def main():
    photos = make_pairs.photo_paths()
    if len(photos) < 6:
        print("fewer than 6 photographs in %s; run: make deps" % make_pairs.PHOTO_DIR)
        return 77
    for program in (ALIGN, PAIRMILL):
        if not os.path.exists(program):
            print("%s is missing; run: make all tests" % program)
            return 1
    searches = search_cases(6, 40) if SHORT else search_cases(60, 128)
    originals = original_cases(6 if SHORT else 30)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        failed, stuck = run_all(pool, search_pair, searches, "made shifts")
        failed_original, _ = run_all(pool, original_pair, originals, "numpy reference")
    if not SHORT and stuck == 0:
        print("FAIL `original` never got stuck: these pairs show nothing about that")
        return 1
    return 1 if failed or failed_original else 0


if __name__ == "__main__":
    sys.exit(main())
