#!/usr/bin/python3
"""Random actions against a model (churn.py): files come, grow, change, move and go, the daemon is started,
stopped, killed, paused and steered, guests hold transactions; at rest, the database must say what the model says.

usage: model.py [--actions N] [--seed N] [--round N]
BUILD names the programs' folder. Every --round actions all comes to rest and is checked. A failure names the seed and
keeps its folder.
"""

import argparse

import churn
import kit


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--actions", type=int, default=10000)
    parser.add_argument("--seed", type=kit.seed_from, default="")
    parser.add_argument("--round", type=int, default=500)
    args = parser.parse_args()
    print(f"SEED={args.seed} ACTIONS={args.actions}, at rest every {args.round}", flush=True)
    with kit.Scratch("model", args.seed) as root, churn.Churn(root, args.seed) as model:
        for done in range(1, args.actions + 1):
            model.act()
            if done % args.round == 0 or done == args.actions:
                model.come_to_rest()
                model.check_end()
                states = dict(model.ask("select state, count(*) from job group by state"))
                print(f"{done} actions: as the model says; {len(model.files)} files, jobs {states}", flush=True)
        print(", ".join(f"{name} {count}" for name, count in sorted(model.counts.items())))


if __name__ == "__main__":
    main()
