#!/usr/bin/python3
"""Copies a tree as slow, careless writers do: out of order, in pieces, closing and reopening.

usage: drip.py FROM TO [--seed N] [--open N] [--step-ms MS] [--gap-ms MS]

Every file arrives in one of four ways: appended in pieces through one open descriptor; appended in
pieces, closed and reopened each time; written in full under a hidden name and renamed; written
beside TO and moved in. About --open files are in progress at a time, one piece every --step-ms.
Prints the files whose pieces came further apart than --gap-ms, because this machine stalled: of
those, and only those, nobody can expect that they were never taken for complete.
"""

import argparse
import os
import random
import sys
import time


class Slow:
    """One file on its way, a piece at a time."""

    def __init__(self, source, target, reopen, rng):
        with open(source, "rb") as f:
            self.data = f.read()
        self.target, self.reopen, self.file = target, reopen, None
        pieces = rng.randint(2, 6)
        self.cuts = sorted(rng.randint(1, len(self.data) - 1) for _ in range(pieces - 1))
        self.cuts.append(len(self.data))
        self.at, self.last, self.gap = 0, None, 0.0

    def piece(self):
        """Writes the next piece; True when it was the last."""
        now = time.monotonic()
        if self.last is not None:
            self.gap = max(self.gap, now - self.last)
        if self.file is None:
            self.file = open(self.target, "ab", buffering=0)
        end = self.cuts.pop(0)
        self.file.write(self.data[self.at : end])
        self.at = end
        if self.reopen or not self.cuts:
            self.file.close()
            self.file = None
        # After the write: what counts is how long the file looked unchanged.
        self.last = time.monotonic()
        self.gap = max(self.gap, self.last - now)
        return not self.cuts


class Moved:
    """One file that appears complete, by rename."""

    def __init__(self, source, target, staging, hidden):
        name = os.path.basename(target)
        self.source, self.target, self.gap = source, target, 0.0
        self.via = os.path.join(os.path.dirname(target), "." + name + ".part")
        if not hidden:
            self.via = os.path.join(staging, name + ".%d" % id(self))

    def piece(self):
        with open(self.source, "rb") as src, open(self.via, "wb") as dst:
            dst.write(src.read())
        os.rename(self.via, self.target)
        return True


def files_below(top):
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(".tif"):
                yield os.path.relpath(os.path.join(folder, name), top)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--open", type=int, default=30)
    parser.add_argument("--step-ms", type=float, default=5)
    parser.add_argument("--gap-ms", type=float, default=1000)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    waiting = sorted(files_below(args.source))
    rng.shuffle(waiting)
    staging = args.target.rstrip("/") + ".staging"
    os.makedirs(staging, exist_ok=True)
    active, stalled = [], []
    while waiting or active:
        while waiting and len(active) < args.open:
            name = waiting.pop()
            source, target = os.path.join(args.source, name), os.path.join(args.target, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            way = rng.randrange(4)
            if way < 2:
                active.append((name, Slow(source, target, way == 1, rng)))
            else:
                active.append((name, Moved(source, target, staging, way == 2)))
        # Each in turn, in a new order every round: no file waits longer than two rounds.
        rng.shuffle(active)
        for entry in list(active):
            time.sleep(args.step_ms / 1000)
            if entry[1].piece():
                active.remove(entry)
                if entry[1].gap * 1000 > args.gap_ms:
                    stalled.append(entry[0])
    os.rmdir(staging)
    for name in stalled:
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
