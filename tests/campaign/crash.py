#!/usr/bin/python3
"""kill -9 at seeded instants, start again, and in the end nothing is lost and nothing done twice.

usage: crash.py [--kills N] [--pairs N] [--seed S]

Half of the kills come from outside after a random time; the other half from a shim inside the
process (tests/preload), at the n-th call of a random kind, so that instants too short to be met by
chance are met as well: between a rename and the commit that tells of it, in a recovery, in the sweep
of .partial, in the migration of an older database. After every kill, before the next start, each
`done` row must name a complete folder with the right hashes. Whenever all pairs are done, all of it is
judged, and the next round begins, at times with a database of the oldest schema that has jobs in it.
"""

import argparse
import collections
import os
import random
import re
import sqlite3
import time

import kit

STEPS = ["decode", "gain", "align", "mask", "crop", "publish"]
DEADLINE_S = 0.5  # a shim's instant that does not come: the process is killed from outside

# Where the shim kills: rule, the n's to draw from, and how often. A + kills after the call. A worker
# reads its CPU clock where each step begins and ends.
AIMS = [
    ("clock:%d", range(1, 60), 6),
    ("rename:%d:/out/.partial/", range(1, 5), 3),  # all synced, not yet in place
    ("rename+:%d:/out/", range(1, 5), 5),  # in place, not yet told
    ("sync:%d:/out/", range(1, 30), 2),
    ("sync:%d:-wal", range(1, 12), 2),  # a commit that is written, not yet durable
    ("sync+:%d:-wal", range(1, 12), 2),
    ("write:%d:-wal", range(1, 200), 2),
    ("write:%d:/out/.partial/", range(1, 20), 2),
    ("write:%d:.db.lock", range(1, 12), 1),
    ("unlink:%d:/out/.partial/", range(1, 12), 2),
    ("unlink+:%d:/out/.partial/", range(1, 12), 2),
    ("mkdir:%d:/out/", range(1, 20), 1),
    ("read:%d:/in/", range(1, 40), 1),
    ("open:%d", range(1, 150), 1),
    ("malloc:%d", range(1, 30000), 2),
    ("poll:%d:@main", range(1, 30), 2),
    ("malloc:%d:@pm-ledger", range(1, 4000), 2),
    ("inotify:%d", range(1, 8), 1),
    ("thread:%d", range(1, 6), 1),
]
# The same for what only some starts do, and for phases that no kill has met yet.
SPECIAL = {
    "migration": [("write:%d:pairmill.db", range(1, 130), 3), ("step:%d", range(1, 30), 1),
                  ("sync:%d:pairmill.db", range(1, 8), 1), ("sync+:%d:pairmill.db", range(1, 8), 1)],
    "recovery": [("write:%d:-wal", range(1, 14), 1), ("sync+:%d:-wal", range(1, 2), 1),
                 ("step:%d", range(1, 40), 1)],
    "sweep": [("unlink:%d:/out/.partial", range(1, 14), 1),
              ("unlink+:%d:/out/.partial", range(1, 14), 1)],
    "start-up": [("open:%d", range(1, 8), 1)],
    "loop": [("poll:%d:@main", range(1, 30), 1), ("inotify:%d:@main", range(1, 6), 1)],
    "ledger": [("malloc:%d:@pm-ledger", range(1, 4000), 1)],
    "published": [("rename+:%d:/out/", range(1, 5), 1)],
}
for index, step in enumerate(STEPS):
    SPECIAL[step] = [("clock:%d:@pm-worker-0", range(2 * index + 1, 48, 2 * len(STEPS)), 1)]
PHASES = list(SPECIAL)


def draw(rng, aims):
    rule, numbers, _ = rng.choices(aims, [a[2] for a in aims])[0]
    return rule % rng.choice(numbers)


# --- the database of an older version -------------------------------------------------------------


def make_old(place):
    """Schema 1 with every file known and every pair queued."""
    os.makedirs(place.state, exist_ok=True)
    con = sqlite3.connect(place.db)
    with open(os.path.join(kit.REPO, "sql", "schema", "001.sql")) as f:
        con.executescript("begin; %s; commit" % f.read())  # whole or not at all, as pairmill does
    con.execute("pragma journal_mode = wal")
    con.execute("insert into source (id, name, input, input_text, output, output_text)"
                " values (1, 'main', ?, ?, ?, ?)",
                (place.inputs.encode(), place.inputs, place.out.encode(), place.out))
    jobs = sum(add_scene(con, place, scene) for scene in sorted(os.listdir(place.inputs)))
    con.execute("insert into source_count (source_id, queued, ready) values (1, ?, ?)", (jobs, jobs))
    con.commit()
    con.close()


def add_scene(con, place, scene):
    def add_image(role, path):
        st = os.stat(os.path.join(place.inputs, path))
        return con.execute(
            "insert into image (source_id, scene_id, role, path, name, size, mtime_ns, inode, since_us)"
            " values (1, ?, ?, ?, ?, ?, ?, ?, 1)",
            (scene_id, role, path.encode(), path, st.st_size, st.st_mtime_ns, st.st_ino)).lastrowid

    folder = os.path.join(place.inputs, scene)
    targets = sorted(n for n in os.listdir(folder) if n != "gt")
    scene_id = con.execute(
        "insert into scene (source_id, path, name, gts, targets, queued) values (1, ?, ?, 1, ?, ?)",
        (scene.encode(), scene, len(targets), len(targets))).lastrowid
    gt, = os.listdir(os.path.join(folder, "gt"))
    gt_id = add_image("gt", os.path.join(scene, "gt", gt))
    for name in targets:
        con.execute(
            "insert into job (source_id, scene_id, gt_id, target_id, gt_revision, target_revision,"
            " state, queued_us) values (1, ?, ?, ?, 1, 1, 'queued', 1)",
            (scene_id, gt_id, add_image("target", os.path.join(scene, name))))
    return len(targets)


# --- one life -------------------------------------------------------------------------------------


class Before:
    """What a start finds."""

    def __init__(self, place):
        self.version, self.running, self.left = None, 0, bool(place.partial())
        try:
            self.version = place.ask("pragma user_version")[0][0]
            self.running = place.ask("select count(*) from job where state = 'running'")[0][0]
        except sqlite3.Error:
            pass  # no database, or none of ours yet


def phases_of(place, before, log):
    """Where a kill fell, by what it left: the log of that life, the database, the folders."""
    after = Before(place)
    if "event=start" not in log:
        if before.version is not None and before.version != newest_schema():
            return ["migration"]
        if before.running and after.running:
            return ["recovery"]
        if before.left and (after.left or "shim: kill unlink" in log):
            return ["sweep"]
        return ["start-up"]
    found = []
    shim = re.search(r"shim: kill (\S+) \d+ thread=(\S+) ", log)
    if shim and "(main)" in shim.group(2):
        found.append("loop")
    if shim and shim.group(2).startswith("pm-ledger"):
        found.append("ledger")
    for job, in place.ask("select id from job where state = 'running'"):
        step = step_of(place, job, log)
        if step:
            found.append(step)
    return found or ["idle"]


def newest_schema():
    return len(os.listdir(os.path.join(kit.REPO, "sql", "schema")))


def step_of(place, job, log):
    """The step a running job was in; None when its worker had not come to it."""
    with open(place.db + ".lock", "rb") as f:
        if not re.search(rb"job %d " % job, f.read()):
            return None
    told = re.findall(r"job=%d step=(\w+) .*code=OK" % job, log)
    at = STEPS.index(told[-1]) + 1 if told else 0
    (gt, target), = place.ask(
        "select g.name, t.name from job j join image g on g.id = j.gt_id"
        " join image t on t.id = j.target_id where j.id = %d" % job)
    folder = os.path.join(place.out, os.path.dirname(target),
                          os.path.basename(gt) + "--" + os.path.basename(target))
    if at >= STEPS.index("publish") and os.path.exists(os.path.join(folder, "pair.json")):
        return "published"  # renamed, and the commit had not come
    return STEPS[at] if at < len(STEPS) else None


class Campaign:
    def __init__(self, args, top):
        self.args, self.rng = args, random.Random(args.seed)
        inputs = os.path.join(top, "in")
        kit.make_pairs(inputs, max(1, args.pairs // 20), 20 if args.pairs >= 20 else args.pairs, 5)
        self.pairs = args.pairs // 20 * 20 if args.pairs >= 20 else args.pairs
        self.calm = kit.Place(os.path.join(top, "calm"), inputs)
        self.place = kit.Place(os.path.join(top, "life"), inputs)  # max_attempts as people have it
        self.judge = kit.Judge(self.place)
        self.log_path = os.path.join(top, "log")
        self.kills = self.rounds = self.lives = 0
        self.phases = collections.Counter()

    def run(self):
        with open(self.log_path, "wb") as log:
            kit.finish(self.calm, log, self.pairs)
        self.expected = kit.Judge(self.calm).all_done(self.pairs)
        self.begin_round()
        while not self.enough():
            self.one_life()
            if kit.all_settled(self.place, self.pairs):
                self.end_round()
                self.begin_round()
        self.end_round()

    def begin_round(self):
        self.place.empty()
        self.judge.seen = {}
        if self.phases["migration"] == 0 or self.rng.random() < 0.7:
            make_old(self.place)

    def end_round(self):
        with open(self.log_path, "ab") as log:
            kit.finish(self.place, log, self.pairs, daemon=self.rng.random() < 0.5)
        found = self.judge.all_done(self.pairs)
        wrong = [p for p in set(found) | set(self.expected) if found.get(p) != self.expected.get(p)]
        if wrong:
            raise kit.Wrong("differs from the state without kills: %s" % sorted(wrong)[:3])
        self.rounds += 1

    def aim(self, before):
        """The shim's rule, or None for a kill from outside."""
        missed = [p for p in PHASES if self.phases[p] == 0]
        often = 0.4
        if before.version is not None and 0 < before.version < newest_schema():
            fitting, often = ["migration"], 1 if "migration" in missed else 0.8
        elif missed and self.kills > self.args.kills / 2:
            fitting, often = missed, 0.8
        else:
            fitting = ["recovery"] * (before.running > 0) + ["sweep"] * before.left
        if fitting and self.rng.random() < often:
            return draw(self.rng, SPECIAL[self.rng.choice(fitting)])
        return draw(self.rng, AIMS) if self.rng.random() < 0.45 else None

    def enough(self):
        """All kills spent, and (in a campaign of some length) each phase met; one that goes on for
        long without meeting them all has a fault of its own."""
        missed = [p for p in PHASES if self.phases[p] == 0]
        if self.args.kills >= 100 and missed and self.kills >= 3 * self.args.kills:
            raise kit.Wrong("no kill fell on: " + ", ".join(missed))
        return self.kills >= self.args.kills and not (missed and self.args.kills >= 100)

    def end_after(self, process, delay, born):
        """Kills it unless it has ended by itself or by the shim; returns how it ended."""
        from_s = time.monotonic() if born else None
        patience = kit.Patience(30)
        while process.poll() is None:
            now_s = time.monotonic()
            if from_s is None and b"event=start" in kit.read_file(self.log_path):
                from_s = now_s
            if from_s is not None and now_s - from_s >= delay or patience.over():
                process.kill()
                break
            time.sleep(0.004)
        return process.wait()

    def one_life(self):
        before = Before(self.place)
        rule = self.aim(before)
        daemon = self.rng.random() < 0.5
        # From its birth, so that start-ups are met; or from when it is up, however slow that was.
        born = rule is None and self.rng.random() < 0.4
        delay = (self.rng.random() ** 2 * 0.4 if rule is None else DEADLINE_S) * kit.SLOW
        self.lives += 1
        with open(self.log_path, "wb") as log:
            process = self.place.start(log, daemon, **({"SHIM_KILL": rule} if rule else {}))
            code = self.end_after(process, delay, born)
        with open(self.log_path, errors="replace") as f:
            log = f.read()
        if code not in (0, -9):
            raise kit.Wrong("ended by itself with %d, rule %s:\n%s" % (code, rule, log[-2000:]))
        if re.search(r"Sanitizer|runtime error:", log):
            raise kit.Wrong(log)
        if code == -9:
            self.kills += 1
            self.phases.update(phases_of(self.place, before, log))
        if os.path.exists(self.place.db) and Before(self.place).version == newest_schema():
            self.judge.done_rows()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=kit.seed_from, default="")
    args = parser.parse_args()
    print("SEED=%d, %d kills, %d pairs" % (args.seed, args.kills, args.pairs), flush=True)
    began = time.monotonic()
    with kit.Scratch("crash", args.seed) as top:
        campaign = Campaign(args, top)
        campaign.run()
        print("%d kills in %d lives, all pairs done %d times, %.0f s" % (
            campaign.kills, campaign.lives, campaign.rounds, time.monotonic() - began))
        print("where they fell (with two workers one kill can meet two steps):")
        for phase in PHASES + ["idle"]:
            print("  %-10s %d" % (phase, campaign.phases[phase]))


if __name__ == "__main__":
    main()
