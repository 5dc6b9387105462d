#!/usr/bin/python3
"""Changes the files of an input folder as fast and as badly as people and programs do.

usage: storm.py MADE INPUT DB --seed N --steps N [--wait S]

MADE is what make_pairs.py made: per scene one gt and several targets. INPUT gets the same scenes,
with names n0.tif ... for the targets, whose bytes are those of any target of the scene. Each step
rewrites, replaces, renames, swaps, deletes, brings back or touches a file, writes one slowly, or
moves a scene away or back. After the storm every pair whose files are there must be done, every
other one missing, or done before its file went; then all files come back and every pair must be
done. What was done must be of the bytes that are there now: check_outputs.py says so afterwards.
Prints its seed, and on failure the last steps.
"""

import argparse
import glob
import os
import random
import shutil
import sqlite3
import sys
import time


class Storm:
    def __init__(self, args):
        self.args, self.rng = args, random.Random(args.seed)
        self.made = sorted(d for d in glob.glob(os.path.join(args.made, "*")) if os.path.isdir(d))
        self.scenes = [os.path.basename(d) for d in self.made]
        self.bytes, self.log = {}, []
        self.staging = args.input + ".staging"
        os.makedirs(self.staging)
        self.names = ["n%d.tif" % i for i in range(args.names)]
        for folder, scene in zip(self.made, self.scenes):
            with open(glob.glob(folder + "/gt/*.tif")[0], "rb") as f:
                self.bytes[scene, "gt"] = f.read()
            targets = []
            for path in sorted(glob.glob(folder + "/*.tif")):
                with open(path, "rb") as f:
                    targets.append(f.read())
            self.bytes[scene, "targets"] = targets

    # --- where things are ---

    def scene_dir(self, scene):
        """Where the scene's folder is now, in the input or away."""
        here = os.path.join(self.args.input, scene)
        return here if os.path.isdir(here) else os.path.join(self.staging, scene)

    def path(self, scene, name):
        return os.path.join(self.scene_dir(scene), "gt" if name == "g.tif" else "", name)

    def content(self, scene, name):
        if name == "g.tif":
            return self.bytes[scene, "gt"]
        return self.rng.choice(self.bytes[scene, "targets"])

    def put(self, scene, name):
        path = self.path(scene, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(self.content(scene, name))

    # --- steps; each takes a scene and a name ---

    def rewrite(self, scene, name):
        self.put(scene, name)

    def in_pieces(self, scene, name):
        """Ten times opened, appended to and closed."""
        path, data = self.path(scene, name), self.content(scene, name)
        open(path, "wb").close()
        for i in range(10):
            with open(path, "ab") as f:
                f.write(data[len(data) * i // 10 : len(data) * (i + 1) // 10])
            time.sleep(0.005)

    def replace(self, scene, name):
        path = self.path(scene, name)
        with open(path + ".part", "wb") as f:
            f.write(self.content(scene, name))
        os.rename(path + ".part", path)

    def delete(self, scene, name):
        os.unlink(self.path(scene, name))

    def rename(self, scene, name):
        """Onto another name of the scene, which may be there or not."""
        other = self.rng.choice(self.names)
        if name != "g.tif" and other != name:
            os.rename(self.path(scene, name), self.path(scene, other))

    def swap(self, scene, name):
        other = self.rng.choice(self.names)
        if name != "g.tif" and other != name and os.path.exists(self.path(scene, other)):
            a, b = self.path(scene, name), self.path(scene, other)
            os.rename(a, a + ".tmp")
            os.rename(b, a)
            os.rename(a + ".tmp", b)

    def touch(self, scene, name):
        os.utime(self.path(scene, name))

    def move_scene(self, scene, _):
        here, away = os.path.join(self.args.input, scene), os.path.join(self.staging, scene)
        os.rename(*((here, away) if os.path.isdir(here) else (away, here)))

    def step(self):
        scene = self.rng.choice(self.scenes)
        name = self.rng.choice(self.names + ["g.tif"])
        if not os.path.exists(self.path(scene, name)):
            what = self.put
        else:
            what = self.rng.choice([self.rewrite, self.in_pieces, self.replace, self.replace,
                self.delete, self.rename, self.swap, self.touch, self.move_scene])
        self.log.append("%s %s/%s" % (what.__name__, scene, name))
        what(scene, name)
        # Mostly at once; now and then long enough for pairs to be begun, or to be done.
        time.sleep(self.rng.choice([0, 0, 0, 0.01, 0.05, 0.4, 0.8]))

    # --- what the database must say ---

    def stamp(self, path):
        """(size, mtime_ns) as the input has it now; None: not there."""
        try:
            st = os.stat(os.path.join(self.args.input, path))
        except FileNotFoundError:
            return None
        return st.st_size, st.st_mtime_ns

    def rows(self):
        """{(gt, target): (state, stamp of the gt, of the target)} as the database has them."""
        db = sqlite3.connect("file:%s?mode=ro" % self.args.db, uri=True, timeout=10)
        rows = db.execute("""select cast(g.path as text), cast(t.path as text), j.state,
                g.state, g.size, g.mtime_ns, t.state, t.size, t.mtime_ns
            from job j join image g on g.id = j.gt_id join image t on t.id = j.target_id""")
        known = lambda row: row[1:] if row[0] == "present" else None
        pairs = {row[:2]: (row[2], known(row[3:6]), known(row[6:9])) for row in rows}
        db.close()
        return pairs

    def wrong(self):
        """Pairs that are not as they must be; empty when all is well."""
        rows, wrong = self.rows(), []
        for scene in self.scenes:
            gt = scene + "/gt/g.tif"
            for name in self.names:
                target = scene + "/" + name
                here = self.stamp(gt), self.stamp(target)
                state, *known = rows.get((gt, target), (None, None, None))
                if None not in here:
                    fine = state == "done" and tuple(known) == here
                else:
                    fine = state is None or (
                        state in ("missing", "done") and tuple(known) == here)
                if not fine:
                    wrong.append("%s: %s, known as %s, is %s" % (target, state, known, here))
        return wrong

    def settle(self, what):
        until = time.monotonic() + self.args.wait
        while self.wrong():
            if time.monotonic() > until:
                print("FAIL: seed %d: %s:" % (self.args.seed, what))
                print("\n".join(self.wrong()))
                print("the last steps: " + "; ".join(self.log[-25:]))
                sys.exit(1)
            time.sleep(0.1)

    def run(self):
        print("storm: seed %d, %d steps" % (self.args.seed, self.args.steps))
        for scene in self.scenes:
            os.makedirs(os.path.join(self.args.input, scene, "gt"))
            for name in self.names + ["g.tif"]:
                self.put(scene, name)
        self.settle("before the storm")
        for _ in range(self.args.steps):
            self.step()
        self.settle("after the storm")
        for scene in self.scenes:
            if not os.path.isdir(os.path.join(self.args.input, scene)):
                self.move_scene(scene, None)
            for name in self.names + ["g.tif"]:
                if not os.path.exists(self.path(scene, name)):
                    self.put(scene, name)
        self.settle("after everything came back")
        shutil.rmtree(self.staging)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("made")
    parser.add_argument("input")
    parser.add_argument("db")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--names", type=int, default=4)
    parser.add_argument("--wait", type=float, default=90)
    Storm(parser.parse_args()).run()


if __name__ == "__main__":
    main()
