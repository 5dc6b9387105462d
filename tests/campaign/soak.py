#!/usr/bin/python3
"""One daemon under random load for a long time: files come, grow, change, move and go, guests hold transactions, people
pause, steer and reload; it is never killed. Its memory, descriptors and threads must stay flat; at the end the database
must say what the model (tests/lib/churn.py) says.

usage: soak.py [--minutes N] [--seed N]
BUILD names the programs' folder. A failure names the seed and keeps its folder.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import churn  # noqa: E402

WEIGHTS = {name: weight for name, weight in churn.Churn.WEIGHTS.items() if name not in ("start", "stop", "kill")}
SAMPLES = 240  # over the whole time
# What the allocator keeps and what grows with the number of files seen for the first time may add this much; a leak
# of a few bytes an action is far above it in an hour, and a leaked buffer in two minutes.
RSS_SLACK_KB = 8192


def look(pid):
    """(resident kB, descriptors, threads) of a process."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])


def busy(model, until):
    """Actions until then."""
    while time.monotonic() < until:
        model.act(WEIGHTS)


def check_flat(samples):
    """Third quarter against the last one: the first half fills caches and pools."""
    third, last = samples[len(samples) // 2 : 3 * len(samples) // 4], samples[3 * len(samples) // 4 :]
    wrong = []
    for i, (name, slack) in enumerate((("kB resident", RSS_SLACK_KB), ("descriptors", 6), ("threads", 0))):
        before, after = (statistics.median(s[i] for s in part) for part in (third, last))
        print(f"{name}: median {before:.0f} in the third quarter, {after:.0f} in the last, "
              f"most {max(s[i] for s in samples)}")
        if after > before + slack:
            wrong.append(f"{name} grew from {before:.0f} to {after:.0f}")
    if wrong:
        raise churn.Wrong("; ".join(wrong))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    root = tempfile.mkdtemp(prefix="pairmill-soak.")
    model = churn.Churn(root, os.path.abspath(os.environ.get("BUILD", "build")), args.seed)
    print(f"seed {args.seed}, {args.minutes:g} minutes, in {root}", flush=True)
    samples = []
    try:
        model.start()
        model.wait_for("the start", lambda: [] if model.serving() else ["not yet"], 60)
        begin, seconds = time.monotonic(), args.minutes * 60
        for i in range(SAMPLES):
            busy(model, begin + seconds * (i + 1) / SAMPLES)
            model.check_alive()
            samples.append(look(model.daemon.pid))
        model.come_to_rest()
        done = model.ask("select done + failed from rate_total")[0][0]
        lag = model.ask("select loop_lag_max_ms, wal_bytes from health")[0]
        model.check_end()
        check_flat(samples)
    except churn.Wrong as wrong:
        print(f"FAIL: {wrong}\nrepeat: tests/campaign/soak.py --minutes {args.minutes:g} --seed {args.seed}\n"
              f"kept: {root}", file=sys.stderr)
        if model.daemon is not None:
            model.daemon.kill()
        return 1
    print(f"{sum(model.counts.values())} actions, {done} pairs worked on, loop blocked at most {lag[0]} ms, "
          f"WAL {lag[1]} bytes at the end")
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
