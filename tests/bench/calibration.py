#!/usr/bin/python3
"""How often an answer with confidence >= 0.5 is wrong: the hard suite's pairs (tests/lib/hard_cases.py) by the thousand, without brute
force beside them, until a time is up. An answer is good when it is the made shift, or, where parts of the scene moved otherwise, 1 px
beside it with a loss no larger.

usage: calibration.py [--minutes N] [--seed N] [--size WxH] [--max-shift N] [--method M] [--photos usual|fresh]
                      [--cases C,...] [--noises N,...]
(BUILD: the programs' folder; fresh: photographs no threshold was set by, see hard_cases.py)
"""

import argparse
import collections
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import hard_cases  # noqa: E402
import hard_judge  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", default="480x360")
    parser.add_argument("--max-shift", type=int, default=40)
    parser.add_argument("--method", default="hierarchical")
    parser.add_argument("--photos", default="usual")
    parser.add_argument("--cases", default=",".join(sorted(hard_cases.CASES)))
    parser.add_argument("--noises", default=",".join(sorted(hard_cases.NOISES)))
    args = parser.parse_args()
    cases, noises = args.cases.split(","), args.noises.split(",")
    size = tuple(int(v) for v in args.size.split("x"))
    draw = random.Random(args.seed)
    paths = hard_cases.photos(args.photos)
    tally = collections.defaultdict(lambda: [0, 0, 0, 0])  # case: pairs, exact, sure, sure but wrong
    end, seed, wrong = time.monotonic() + 60 * args.minutes, args.seed * 100000, []
    while time.monotonic() < end:
        path = draw.choice(paths)
        # Some pairs of each photograph: decoding it takes longer than aligning them.
        for case in draw.sample(cases, min(len(cases), 12)):
            if path not in hard_cases.photos_of(case, paths):
                continue
            noise = draw.choice(noises)
            seed += 1
            try:
                pair = hard_cases.make(case, noise, path, seed, args.max_shift, size)
            except ValueError:  # the photograph is too small for the size
                continue
            answer = hard_judge.answers_of(pair, [args.method])[args.method]
            v = hard_judge.verdict(pair, answer, answer)
            for key in (case, "all"):
                for i, value in enumerate((1, v["exact"], v["sure"], v["sure_wrong"])):
                    tally[key][i] += value
            if v["sure_wrong"]:
                wrong.append(f"{case} {noise} {hard_cases.short_name(path)} seed {seed}: made {pair.truth}, answered "
                             f"({v['dy']}, {v['dx']}), confidence {v['confidence']:.3f}")
    print(f"{args.method}, seed {args.seed}, {args.size}, +-{args.max_shift} px\n")
    print("| case | pairs | exact | sure | sure but wrong |\n|---|---|---|---|---|")
    for case in sorted(tally, key=lambda c: (c == "all", c)):
        print("| " + " | ".join(str(v) for v in (case, *tally[case])) + " |")
    print("\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
