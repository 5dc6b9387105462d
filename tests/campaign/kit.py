"""kit: what the campaigns against the whole program share: a place to run it in, and the judge of what
it left behind. The judge trusts nobody: it reads the database as any guest does, and hashes every
file again (XXH3 from python3-xxhash).
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import xxhash

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(REPO, os.environ.get("BUILD", "build"))
PRELOAD = os.path.join(BUILD, "tests", "preload.so")
SANITIZED = "asan" in BUILD or "tsan" in BUILD
SHORT = SANITIZED or os.environ.get("PAIRMILL_SHORT") == "1"
SLOW = 6 if SANITIZED else 1
os.environ.setdefault("TSAN_OPTIONS", "suppressions=" + os.path.join(REPO, "tests", "supp", "tsan"))


class Wrong(Exception):
    """The program broke a promise."""


def seed_from(text):
    return int(text) if text else int(time.time()) % 1000000


class Patience:
    """A deadline for loops that ask again and again. A pause of the whole machine, in which the one
    waited for stood still as well, does not count."""

    def __init__(self, seconds):
        self.left_s, self.at_s = seconds * SLOW, time.monotonic()

    def over(self):
        now_s = time.monotonic()
        self.left_s -= min(now_s - self.at_s, 0.2)
        self.at_s = now_s
        return self.left_s < 0


def make_pairs(folder, scenes, targets, seed, size="96x80"):
    """Small grey pairs from photographs; a pair takes some 10 ms."""
    make = os.path.join(REPO, "tests", "lib", "make_pairs.py")
    subprocess.run(
        [sys.executable, make, folder, "--scenes", str(scenes), "--targets", str(targets),
         "--size", size, "--seed", str(seed), "--max-shift", "8", "--noise", "none,medium",
         "--channels", "1"],
        check=True,
    )
    for name in ("truth.json", "truth.csv"):
        os.remove(os.path.join(folder, name))


class Place:
    """Folders and settings of one pairmill; the inputs may be shared."""

    def __init__(self, top, inputs, **settings):
        self.top, self.inputs = top, inputs
        self.out, self.state = os.path.join(top, "out"), os.path.join(top, "state", "db")
        self.db, self.conf = os.path.join(self.state, "pairmill.db"), top + ".conf"
        known = dict(workers=2, settle_s=0, rescan_s=2, poll_s=2, min_free=0)
        known.update(settings)
        with open(self.conf, "w") as f:
            f.write("[pairmill]\ndb = %s\n" % self.db)
            f.writelines("%s = %s\n" % item for item in known.items())
            f.write("[align]\nmax_shift = 12\n[crop]\ncrop_size = 64\ncrop_stride = 64\n")
            f.write("[log]\nlog_level = debug\n")
            f.write("[source main]\ninput = %s\noutput = %s\n" % (inputs, self.out))
        self.empty()

    def empty(self):
        shutil.rmtree(self.top, ignore_errors=True)
        os.mkdir(self.top)

    def start(self, log, daemon=False, **env):
        """The service, or `pairmill run`; SHIM_...: with the shim before it."""
        program = ["pairmilld"] if daemon else ["pairmill", "run"]
        full = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
        full.update(env)
        if env:
            full["LD_PRELOAD"] = PRELOAD
            full["ASAN_OPTIONS"] = full.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return subprocess.Popen(
            [os.path.join(BUILD, program[0])] + program[1:] + ["--config", self.conf],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=full,
        )

    def ask(self, query):
        con = sqlite3.connect("file:%s?mode=ro" % self.db, uri=True, timeout=10)
        try:
            return con.execute(query).fetchall()
        finally:
            con.close()

    def partial(self):
        return sorted(os.listdir(os.path.join(self.out, ".partial"))) if os.path.isdir(
            os.path.join(self.out, ".partial")) else []


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


def files_below(folder):
    for at, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(at, name), folder)


def judge_folder(folder, gt, target, read=read_file, listing=files_below):
    """One pair's folder: complete, nothing more, every hash right. Returns {file: hash}."""
    try:
        record = read(os.path.join(folder, "pair.json"))
        told = json.loads(record)
    except (OSError, ValueError) as e:
        raise Wrong("%s: done, but pair.json: %s" % (folder, e))
    if (told["gt"], told["target"]) != (os.path.basename(gt), os.path.basename(target)):
        raise Wrong("%s: pair.json is of %s with %s" % (folder, told["gt"], told["target"]))
    hashes = {"pair.json": xxhash.xxh3_64_hexdigest(record)}
    for f in told["files"]:
        try:
            data = read(os.path.join(folder, f["name"]))
        except OSError as e:
            raise Wrong("%s: done, but %s" % (folder, e))
        hashes[f["name"]] = xxhash.xxh3_64_hexdigest(data)
        if len(data) != f["bytes"] or hashes[f["name"]] != f["xxh3"]:
            raise Wrong("%s: %s has %d bytes, hash %s; pair.json says %d, %s" % (
                folder, f["name"], len(data), hashes[f["name"]], f["bytes"], f["xxh3"]))
    there = set(listing(folder))
    if there != set(hashes):
        raise Wrong("%s: missing or surplus: %s" % (folder, sorted(there ^ set(hashes))))
    return hashes


def judge_result(folder, gt, target, row, read=read_file, listing=files_below):
    """judge_folder, and pair.json says what the database does. row: dy, dx, loss, gain as a text."""
    hashes = judge_folder(folder, gt, target, read, listing)
    told = json.loads(read(os.path.join(folder, "pair.json")))
    said = "%d %d %.9g %.9g" % (told["dy"], told["dx"], told["loss"], told["gain"])
    if said != row:
        raise Wrong("%s: pair.json says %s, the database %s" % (folder, said, row))
    return hashes


DONE = """select j.id, g.name, t.name, r.output_dir,
    printf('%d %d %.9g %.9g', r.dy, r.dx, r.loss, r.gain) from job j join image g on g.id = j.gt_id
    join image t on t.id = j.target_id left join results r on r.job_id = j.id
    where j.state = 'done'"""


class Judge:
    """Of one place; remembers which results it has seen, so that judging after each kill is cheap."""

    def __init__(self, place):
        self.place, self.seen = place, {}

    def done_rows(self):
        """Every done row names a whole, right folder. Returns the rows."""
        rows = self.place.ask(DONE)
        for row in rows:
            if row[3] is None:
                raise Wrong("job %d is done and has no result" % row[0])
            if row not in self.seen:
                self.seen[row] = judge_result(row[3], row[1], row[2], row[4])
        return rows

    def all_done(self, pairs):
        """The end: each pair done once, nothing else in the output. Returns {path: hash}."""
        (check,), = self.place.ask("pragma integrity_check")
        if check != "ok":
            raise Wrong("integrity_check: " + check)
        self.seen = {}
        rows = self.done_rows()
        (jobs, names, running), = self.place.ask(
            "select count(*), count(distinct gt_id || ' ' || target_id),"
            " sum(state = 'running') from job")
        if not len(rows) == jobs == names == pairs or running != 0:
            raise Wrong("%d jobs, %d pairs, %d done, %d running; should be %d done" % (
                jobs, names, len(rows), running, pairs))
        counted = self.place.ask("select sum(done), sum(total), sum(running) from progress")
        if counted != [(pairs, pairs, 0)]:
            raise Wrong("progress counts %s, there are %d" % (counted, pairs))
        if len({row[3] for row in rows}) != pairs:
            raise Wrong("two rows name one folder")
        if self.place.partial():
            raise Wrong("left in .partial: %s" % self.place.partial()[:3])
        found = {}
        for row in rows:
            for name, digest in self.seen[row].items():
                found[os.path.relpath(os.path.join(row[3], name), self.place.out)] = digest
        there = set(files_below(self.place.out))
        if there != set(found):
            raise Wrong("orphans in the output: %s" % sorted(there ^ set(found))[:3])
        return found


def finish(place, log, pairs, daemon=False):
    """A start that nobody disturbs brings everything to its end."""
    log.seek(0, os.SEEK_END)
    before = log.tell()
    process = place.start(log, daemon)
    patience = Patience(60 + pairs / 5)
    try:
        while process.poll() is None and not patience.over():
            if daemon and all_settled(place, pairs) and b"event=start" in read_file(log.name)[before:]:
                process.terminate()
                daemon = False
            time.sleep(0.02)
        if process.poll() is None:
            raise Wrong("the last start does not come to an end")
        if process.returncode != 0:
            raise Wrong("the last start ended with %d" % process.returncode)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def all_settled(place, pairs):
    try:
        return place.ask("select sum(done) from progress") == [(pairs,)]
    except sqlite3.Error:
        return False


class Scratch:
    """A temporary folder that stays when the campaign fails."""

    def __init__(self, name, seed):
        self.path = tempfile.mkdtemp(prefix="pairmill-%s-" % name)
        self.seed = seed

    def __enter__(self):
        return self.path

    def __exit__(self, kind, value, trace):
        if kind is None:
            shutil.rmtree(self.path, ignore_errors=True)
            return False
        print("SEED=%d, folder kept: %s" % (self.seed, self.path), file=sys.stderr)
        if kind is Wrong:
            print("FAIL: %s" % value, file=sys.stderr)
            sys.exit(1)
        return False
