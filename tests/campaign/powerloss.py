#!/usr/bin/python3
"""The power fails after every call: no done row may ever name a missing, short or wrong file.

usage: powerloss.py [--choices N] [--starts N] [--seed S]

Three lives are recorded by a shim (tests/preload/record.h): one killed between a rename and its
commit, one that recovers and ends it, one that finds a changed and a damaged file, so that a result is
replaced and one is taken away; before them an older database is migrated. After each recorded call the
disk may hold what the kernel showed, only what was synced, or any choice of the rest (disk.py); each
such state is put into an empty folder: the database must open and be sound, and its done rows true.
pairmill is started on some of the states and must bring everything to its end. --choices: states by
chance a call; --starts: on how many pairmill is started. Then come mutants, whose records lack the
syncs of the files, of the folder after the rename, of the log of the database: at each of them the
checker has to complain, or it is blind.
"""

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time

import crash
import disk
import kit

PAIRS = 3
MUTANTS = {"the files": "/out/.partial/", "the folder after the rename": "/out/life",
           "the database's log": "-wal"}
MAKE_OLD = """import crash, os, types
crash.make_old(types.SimpleNamespace(inputs=%(inputs)r, out=%(out)r, state=%(state)r, db=%(db)r))
for folder in (%(top)r, os.path.dirname(%(state)r)):
    os.fsync(os.open(folder, os.O_RDONLY))"""


def write_tree(tree, top):
    for path, data in sorted(tree.items()):
        if data is None:
            os.makedirs(os.path.join(top, path), exist_ok=True)
        else:
            os.makedirs(os.path.dirname(os.path.join(top, path)), exist_ok=True)
            with open(os.path.join(top, path), "wb") as f:
                f.write(data)


def read_tree(top):
    return {p: kit.read_file(os.path.join(top, p)) for p in kit.files_below(top)
            if not p.endswith("-shm") and os.path.isfile(os.path.join(top, p))}


class Checker:
    def __init__(self, args, top, dropped=None):
        self.dropped, self.args, self.rng = dropped, args, random.Random(args.seed)
        self.top, self.inputs = top, os.path.join(top, "in")
        self.record, self.log_path = os.path.join(top, "record"), os.path.join(top, "log")
        self.known, self.calls, self.states, self.databases, self.starts = {}, 0, 0, 0, 0
        self.length = 0
        kit.make_pairs(self.inputs, 1, PAIRS, 5)
        self.place = kit.Place(os.path.join(top, "disk"), self.inputs, workers=1, max_attempts=9)

    # --- recording ---

    def shim(self, **more):
        return dict(more, SHIM_RECORD=self.record, SHIM_ROOT=self.place.top,
                    **({"SHIM_DROP": self.dropped} if self.dropped else {}))

    def life(self, code, **more):
        with open(self.log_path, "ab") as log:
            got = self.place.start(log, **self.shim(**more)).wait()
        if got != code:
            raise kit.Wrong("a life ended with %d, not %d" % (got, code))

    def record_lives(self, old):
        if old:
            # The second library: Python loads SQLite where the shim would not find it.
            env = dict(os.environ, LD_PRELOAD=kit.PRELOAD + " libsqlite3.so.0", **self.shim())
            subprocess.run([sys.executable, "-c", MAKE_OLD % vars(self.place)], env=env, check=True,
                           cwd=os.path.dirname(os.path.abspath(__file__)))
        self.life(-9, SHIM_KILL="rename+:2:/out/")
        self.life(0)
        self.good_inputs = read_tree(self.inputs)
        scene, = os.listdir(self.inputs)
        targets = sorted(n for n in os.listdir(os.path.join(self.inputs, scene)) if n != "gt")
        first, second = (os.path.join(self.inputs, scene, t) for t in targets[:2])
        shutil.copyfile(os.path.join(self.inputs, scene, targets[2]), first)
        with open(second, "wb") as f:
            f.write(b"this is no image")
        self.life(3)

    # --- checking ---

    def replay(self):
        tape = disk.Disk()
        for number, what in tape.calls(self.record):
            self.length = number
            try:
                self.check(tape.as_shown())
                self.check(tape.as_synced())
                for _ in range(self.args.choices):
                    self.check(tape.by_chance(self.rng))
            except kit.Wrong as e:
                raise kit.Wrong("power lost after call %d (%s): %s" % (number, what, e))
        shown = {p: d for p, d in tape.as_shown().items() if d is not None}
        ends = read_tree(self.place.top)
        if shown != ends:
            raise kit.Wrong("the record is not what happened: %s differ" % sorted(
                p for p in set(shown) | set(ends) if shown.get(p) != ends.get(p))[:5])
        return tape

    def check(self, tree):
        self.states += 1
        files = {p: d for p, d in tree.items() if d is not None}
        for job, gt, target, folder, told in self.rows(files):
            inside = os.path.relpath(folder, self.place.top)
            kit.judge_result(folder, gt, target, told, lambda path: self.read(files, path),
                             lambda _: self.listing(files, inside))

    def read(self, files, path):
        data = files.get(os.path.relpath(path, self.place.top))
        if data is None:
            raise OSError("missing: " + path)
        return data

    def listing(self, files, folder):
        return [p[len(folder) + 1 :] for p in files if p.startswith(folder + "/")]

    def rows(self, files):
        """The done rows of this state's database, which must be sound."""
        names = ("state/db/pairmill.db", "state/db/pairmill.db-wal", "state/db/pairmill.db-journal")
        key = tuple(hash(files.get(n)) for n in names)
        if key not in self.known:
            self.databases += 1
            at = os.path.join(self.top, "look")
            shutil.rmtree(at, ignore_errors=True)
            write_tree({n: files[n] for n in names if n in files}, at)
            self.known[key] = self.ask(os.path.join(at, names[0]))
        return self.known[key]

    def ask(self, db):
        if not os.path.exists(db) or os.path.getsize(db) == 0 and not os.path.exists(db + "-wal"):
            return []
        con = sqlite3.connect(db)
        try:
            check, = con.execute("pragma integrity_check").fetchone()
            if check != "ok":
                raise kit.Wrong("integrity_check: " + check)
            if con.execute("select 1 from sqlite_schema where name = 'results'").fetchone() is None:
                return []  # from before the migration: nothing was done yet
            return con.execute(kit.DONE).fetchall()
        except sqlite3.Error as e:
            raise kit.Wrong("the database does not open: %s" % e)
        finally:
            con.close()

    # --- starting on what is left ---

    def start_on(self, tree):
        self.starts += 1
        self.place.empty()
        write_tree(tree, self.place.top)
        with open(self.log_path, "w+b") as log:
            kit.finish(self.place, log, PAIRS)
        kit.Judge(self.place).all_done(PAIRS)

    def start_on_some(self):
        """With the damaged inputs mended, so that all pairs can be done."""
        self.mend_inputs()
        chosen = set(self.rng.sample(range(1, self.length + 1), min(self.args.starts // 2, self.length)))
        tape = disk.Disk()
        for number, what in tape.calls(self.record):
            if number in chosen:
                ways = [tape.as_synced, tape.as_shown, lambda: tape.by_chance(self.rng)]
                try:
                    self.start_on(self.rng.choice(ways)())
                except kit.Wrong as e:
                    raise kit.Wrong("started after call %d (%s): %s" % (number, what, e))

    def mend_inputs(self):
        for path, data in self.good_inputs.items():
            with open(os.path.join(self.inputs, path), "wb") as f:
                f.write(data)

    def run(self, old):
        """One record, from an empty folder or an older database on."""
        self.record_lives(old)
        tape = self.replay()
        self.calls += self.length
        # The last life has ended well: what it called done must be on the disk for certain.
        left = len(self.rows(tape.as_synced()))
        if left != PAIRS - 1:
            raise kit.Wrong("%d of %d results are durable after a clean end" % (left, PAIRS - 1))
        self.start_on_some()
        os.remove(self.record)
        self.place.empty()
        self.mend_inputs()


def new_folder(top, name):
    path = os.path.join(top, name)
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--choices", type=int, default=8)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--seed", type=kit.seed_from, default="")
    args = parser.parse_args()
    print("SEED=%d" % args.seed, flush=True)
    began = time.monotonic()
    with kit.Scratch("powerloss", args.seed) as top:
        checker = Checker(args, new_folder(top, "true"))
        checker.run(old=False)
        checker.run(old=True)
        print("%d calls, %d states, %d different databases, %d starts, %.0f s" % (
            checker.calls, checker.states, checker.databases, checker.starts,
            time.monotonic() - began), flush=True)
        args.choices = 0  # what is shown and what is synced will do
        for what, dropped in MUTANTS.items():
            try:
                Checker(args, new_folder(top, "mutant"), dropped).run(old=False)
            except kit.Wrong as e:
                print("without syncs of %s: %s" % (what, e))
            else:
                raise kit.Wrong("nobody missed the syncs of %s: the checker is blind" % what)


if __name__ == "__main__":
    main()
