"""Runs the methods on a hard pair and says how each did, for tests/bench/hard_suite.py and
tests/test_hard.py. Brute force is the referee: it tries every shift of the range."""

import os
import sys
import tempfile

import hard_cases

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import test_alignment  # noqa: E402  the numpy loss, and how test_align is driven

REFEREE = "bruteforce"
FAST = ("hierarchical", "fft", "auto")
METHODS = (REFEREE,) + FAST
SURE = 0.5  # confidence from which an answer is to be relied on
SAME_LOSS = 1e-9  # relative; losses are double sums of the same samples
FLAGS = ("ambiguous", "no_overlap_match", "not_translation", "gain_drift", "shift_at_limit",
         "non_finite", "alpha_dropped")


def flag_names(bits):
    return "+".join(name for i, name in enumerate(FLAGS) if bits >> i & 1) or "-"


def answers_of(pair, methods=METHODS):
    """{method: what it answered}"""
    with tempfile.TemporaryDirectory() as folder:
        paths = test_alignment.write_pair(folder, pair.gt, pair.target)
        return test_alignment.run_align(paths, list(methods), pair.max_shift)


def no_worse_than_made(pair, answer):
    made = test_alignment.loss_of(pair.gt, pair.target, answer["gain"], *pair.truth)
    return bool(answer["loss"] <= made * (1 + SAME_LOSS))


def verdict(pair, answer, referee):
    """How one method did on one pair."""
    exact = pair.truth is not None and (answer["dy"], answer["dx"]) == pair.truth
    beside = not exact and not pair.whole and pair.truth is not None and max(
        abs(answer["dy"] - pair.truth[0]), abs(answer["dx"] - pair.truth[1])) <= 1
    as_good = exact or (beside and no_worse_than_made(pair, answer))
    sure = answer["confidence"] >= SURE
    return {
        "dy": answer["dy"],
        "dx": answer["dx"],
        "loss": answer["loss"],
        "confidence": answer["confidence"],
        "flags": flag_names(answer["flags"]),
        "ms": answer["elapsed_ms"],
        "exact": exact,
        "as_good": as_good,
        "brute": (answer["dy"], answer["dx"]) == (referee["dy"], referee["dx"]),
        "above": answer["loss"] > referee["loss"] * (1 + SAME_LOSS),
        "below": answer["loss"] < referee["loss"] * (1 - SAME_LOSS),
        "sure": sure,
        "sure_wrong": sure and not as_good,
    }


def judge(case, noise, path, seed, max_shift=128, size=hard_cases.SIZE):
    """One row of a report: the pair's parameters and {method: verdict}."""
    pair = hard_cases.make(case, noise, path, seed, max_shift, size)
    row = {
        "case": case,
        "noise": noise,
        "photo": hard_cases.short_name(path),
        "held_out": hard_cases.held_out(path),
        "seed": seed,
        "truth": pair.truth or ("none", "none"),
        "size": (pair.gt.shape[1], pair.gt.shape[0]),
        "max_shift": pair.max_shift,
        "whole": pair.whole,
        "answerless": pair.truth is None,
    }
    try:
        answers = answers_of(pair)
    except RuntimeError as error:
        row["error"] = str(error)
        return row
    row["by"] = {m: verdict(pair, answers[m], answers[REFEREE]) for m in METHODS}
    return row


def describe(row):
    """One line with every number, and how to make the pair again."""
    text = "%s/%s %s seed %d %dx%d max %d made %s,%s" % (
        row["case"], row["noise"], row["photo"], row["seed"], *row["size"], row["max_shift"],
        *row["truth"])
    if "error" in row:
        return text + ": " + row["error"]
    return text + ":" + ";".join(
        " %s %+d,%+d L %.9g c %.3f %s" % (
            m, v["dy"], v["dx"], v["loss"], v["confidence"], v["flags"])
        for m, v in row["by"].items())


# What a method must not do, by name; each takes the verdicts of a pair and a method's name.
FAULTS = {
    # Whatever the scene: the answer of each is the smallest loss of the range.
    "loss above brute force": lambda by, m: by[m]["above"],
    # A brute force that is undercut did not try every shift.
    "loss below brute force": lambda by, m: by[m]["below"],
    "misses what brute force finds": lambda by, m: by[REFEREE]["exact"] and not by[m]["exact"],
    "confident and wrong": lambda by, m: by[m]["sure_wrong"],
    "wrong and not flagged": lambda by, m: not by[m]["as_good"] and by[m]["flags"] == "-",
}


def faults_of(row):
    """[(fault, method)]"""
    if "error" in row:
        return [("error", "-")]
    return [(name, m) for name, is_so in FAULTS.items() for m in METHODS if is_so(row["by"], m)]
