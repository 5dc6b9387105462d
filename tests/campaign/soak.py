#!/usr/bin/python3
"""One daemon under random load for a long time: files come, grow, change, move and go, guests hold transactions, people
pause, steer and reload; it is never killed. Its memory, descriptors and threads must stay flat; at the end the database
must say what the model (churn.py) says.

usage: soak.py [--minutes N] [--seed N]
BUILD names the programs' folder. A failure names the seed and keeps its folder.
"""

import argparse
import os
import statistics
import time

import churn
import kit

WEIGHTS = {name: weight for name, weight in churn.Churn.WEIGHTS.items() if name not in ("start", "stop", "kill")}
# Less than the decoded ground truths of all scenes together, so that the cache is full, and evicts, from the first
# seconds on. Every new revision of a ground truth is another entry: with the 2 GiB of the default the cache would, as
# it should, go on filling for days, and hide any other growth.
CACHE_BYTES = 256 << 10
SAMPLES = 240  # over the whole time
# What the allocator keeps may add this much. A quarter of an hour is some 15,000 pairs: 70 bytes lost with each are more.
SLACK_KB = 1024


def look(pid):
    """(resident kB, of these not of files, descriptors, threads) of a process."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    resident, own = (int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon"))
    return resident, own, len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])


def busy(model, until):
    """Actions until then."""
    while time.monotonic() < until:
        model.act(WEIGHTS)


def check_flat(samples):
    """Third quarter against the last one: the first half fills caches and pools. Of descriptors the fewest count: a
    worker has a pair's files open until they are synced."""
    third, last = samples[len(samples) // 2 : 3 * len(samples) // 4], samples[3 * len(samples) // 4 :]
    wrong = []
    limits = (("kB resident", statistics.median, SLACK_KB), ("kB of heap and stacks", statistics.median, SLACK_KB),
              ("descriptors", min, 2), ("threads", statistics.median, 0))
    for i, (name, of, slack) in enumerate(limits):
        before, after = (of([s[i] for s in part]) for part in (third, last))
        print(f"{name}: {of.__name__} {before:.0f} in the third quarter, {after:.0f} in the last, "
              f"most {max(s[i] for s in samples)}")
        if after > before + slack:
            wrong.append(f"{name} grew from {before:.0f} to {after:.0f}")
    if wrong:
        raise kit.Wrong("; ".join(wrong))


def check_load(model):
    """A load of failures, or one the cache holds whole, would be flat whatever leaks."""
    done, failed = model.ask("select done, failed from rate_total")[0]
    evictions, held = model.ask("select evictions, bytes from cache_stats")[0]
    print(f"{done} pairs done, {failed} failed; {evictions} ground truths evicted from a cache of {CACHE_BYTES} bytes")
    if done < failed / 4 or evictions < done / 100:
        raise kit.Wrong("that is not the load the service is made for")
    if held > CACHE_BYTES:
        raise kit.Wrong(f"the cache holds {held} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=kit.seed_from, default="")
    args = parser.parse_args()
    print(f"SEED={args.seed}, {args.minutes:g} minutes", flush=True)
    with kit.Scratch("soak", args.seed) as root, churn.Churn(root, args.seed, cache_bytes=CACHE_BYTES) as model:
        samples = []
        model.start()
        model.wait_for("the start", lambda: [] if model.serving() else ["not yet"], 60)
        begin, seconds = time.monotonic(), args.minutes * 60
        for i in range(SAMPLES):
            busy(model, begin + seconds * (i + 1) / SAMPLES)
            model.check_alive()
            samples.append(look(model.daemon.pid))
        model.come_to_rest()
        check_load(model)
        lag, wal = model.ask("select loop_lag_max_ms, wal_bytes from health")[0]
        model.check_end()
        check_flat(samples)
        print(f"{sum(model.counts.values())} actions, loop blocked at most {lag} ms, WAL {wal} bytes at the end")


if __name__ == "__main__":
    main()
