#!/usr/bin/python3
"""Random actions against a model (tests/lib/churn.py): files come, grow, change, move and go, the daemon is started,
stopped, killed, paused and steered, guests hold transactions; at rest, the database must say what the model says.

usage: model.py [--actions N] [--seed N] [--round N]
BUILD names the programs' folder. Every --round actions all comes to rest and is checked. A failure names the seed and
keeps its folder.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import churn  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--actions", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--round", type=int, default=500)
    args = parser.parse_args()
    root = tempfile.mkdtemp(prefix="pairmill-model.")
    model = churn.Churn(root, os.path.abspath(os.environ.get("BUILD", "build")), args.seed)
    print(f"seed {args.seed}, {args.actions} actions, in {root}", flush=True)
    try:
        for done in range(1, args.actions + 1):
            model.act()
            if done % args.round == 0 or done == args.actions:
                model.come_to_rest()
                model.check_end()
                states = dict(model.ask("select state, count(*) from job group by state"))
                print(f"{done} actions: as the model says; {len(model.files)} files, jobs {states}", flush=True)
    except churn.Wrong as wrong:
        print(f"FAIL: {wrong}\nrepeat: tests/campaign/model.py --actions {args.actions} --seed {args.seed} "
              f"--round {args.round}\nkept: {root}", file=sys.stderr)
        if model.daemon is not None:
            model.daemon.kill()
        return 1
    print(", ".join(f"{name} {count}" for name, count in sorted(model.counts.items())))
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
