"""churn: a drop folder that people and accidents work on at random, and a model of what must come of it.

Used by model.py and soak.py. All that happens is drawn from one seeded generator, so a seed
repeats the same actions in the same order (how far the daemon has got at each of them is up to the machine: the
model's final state must not depend on it).

The model knows, for every place a file may lie in, which content was put there last. At the end, everything being
started and resumed, every pair of present files must be `done` (both good, with the shift that was made) or `failed`
(one bad), and nothing may be left to do; what pairs with absent files have become must be at rest, too.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import numpy as np
import tifffile

import kit

WIDTH, HEIGHT = 96, 80  # of the first scene's images
GROWS = 16  # each further scene's are so much wider and higher: buffers of several sizes come and go
MARGIN = 12
SHIFTS = [(0, 0), (3, -5), (-7, 2), (1, 9)]  # (dy, dx) of the target variants
BAD = ["empty", "cut", "text"]
WRITERS = 3  # files at a time that are copied in in place: were there more than are finished, all would be torn
RESULTS = """select r.output_dir, g.name, t.name, printf('%d %d %.9g %.9g', r.dy, r.dx, r.loss, r.gain)
    from results r join job j on j.id = r.job_id join image g on g.id = j.gt_id
    join image t on t.id = j.target_id"""
EXIT_S = 60  # how long the daemon may take to end


def scene_pixels(seed, width, height):
    """Blocky detail that fits one shift only, larger than an image by MARGIN on all sides."""
    rng = np.random.default_rng(seed)
    h, w = height + 2 * MARGIN, width + 2 * MARGIN
    small = rng.random(((h + 4) // 5, (w + 4) // 5, 3))
    scene = np.repeat(np.repeat(small, 5, axis=0), 5, axis=1)[:h, :w]
    return 0.1 + 0.7 * scene + 0.1 * rng.random((h, w, 3))


def make_contents(folder, scenes):
    """Files to copy from: per scene two ground truths, a target for each shift, and bad ones."""
    for s in range(scenes):
        width, height = WIDTH + GROWS * s, HEIGHT + GROWS * s
        pixels = scene_pixels(s, width, height)
        rng = np.random.default_rng(1000 + s)

        def save(name, dy, dx, gain):
            # gt[y+dy, x+dx] = target[y, x]
            part = pixels[MARGIN + dy : MARGIN + dy + height, MARGIN + dx : MARGIN + dx + width]
            noisy = part * gain + rng.normal(0, 0.01, part.shape)
            data = (np.clip(noisy, 0, 1) * 255).astype(np.uint8)
            tifffile.imwrite(f"{folder}/{s}.{name}", data, photometric="rgb")

        save("gt0", 0, 0, 1.0)
        save("gt1", 0, 0, 0.9)
        for i, (dy, dx) in enumerate(SHIFTS):
            save(f"t{i}", dy, dx, 0.8)
        whole = open(f"{folder}/{s}.t0", "rb").read()
        for name, data in (("empty", b""), ("cut", whole[: len(whole) // 2]), ("text", b"no image\n")):
            with open(f"{folder}/{s}.{name}", "wb") as file:
                file.write(data)


class Churn:
    def __init__(self, root, seed, scenes=6, targets=5, cache_bytes="2G"):
        self.root, self.scenes, self.targets, self.cache_bytes = root, scenes, targets, cache_bytes
        self.rng = random.Random(seed)
        self.input, self.output = f"{root}/in", f"{root}/out"
        self.aside, self.contents = f"{root}/aside", f"{root}/contents"
        self.db, self.conf, self.log = f"{root}/state/p.db", f"{root}/p.conf", f"{root}/log"
        self.files = {}  # path below the input -> content name, e.g. "3.t1"
        self.writing = {}  # path -> (content, bytes still to come)
        self.away = {}  # scene folder -> its files, while it is moved away
        self.daemon, self.paused, self.readers = None, False, []
        self.counts = {}
        for folder in (self.input, self.aside, self.contents, f"{root}/state"):
            os.makedirs(folder)
        make_contents(self.contents, scenes)
        self.write_conf(settle_s=0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()

    # --- the outside world ---

    def write_conf(self, **more):
        keys = {"db": self.db, "workers": 2, "rescan_s": 1, "poll_s": 1, "min_free": 0, "max_attempts": 100}
        keys.update(more)
        text = "[pairmill]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
        text += f"[source main]\ninput = {self.input}\noutput = {self.output}\n"
        text += "[align]\nmax_shift = 12\n[crop]\ncrop_size = 48\ncrop_stride = 48\n"
        text += f"[cache]\ncache_bytes = {self.cache_bytes}\n"
        with open(self.conf + ".new", "w") as file:
            file.write(text)
        os.rename(self.conf + ".new", self.conf)

    def tool(self, *words):
        result = subprocess.run(
            [f"{kit.BUILD}/pairmill", *words, "--config", self.conf],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=EXIT_S)
        return result.returncode, result.stdout.decode(errors="replace")

    def start(self):
        if self.daemon is None:
            log = open(self.log, "ab")
            self.daemon = subprocess.Popen([f"{kit.BUILD}/pairmilld", "--config", self.conf], stderr=log, stdout=log)
            log.close()

    def kill(self):
        if self.daemon is not None:
            self.check_alive()
            self.daemon.kill()
            self.daemon.wait(EXIT_S)
            self.daemon = None

    def stop(self):
        if self.daemon is None:
            return
        self.check_alive()
        self.daemon.send_signal(signal.SIGTERM)
        rc = self.daemon.wait(EXIT_S)
        self.daemon = None
        # A signal that comes before its handler is set ends the process as it would any other.
        if rc not in (0, -signal.SIGTERM):
            raise kit.Wrong(f"pairmilld ended with {rc} after SIGTERM")

    def check_alive(self):
        if self.daemon is not None and self.daemon.poll() is not None:
            raise kit.Wrong(f"pairmilld died by itself with {self.daemon.returncode}")

    def ask(self, sql):
        connection = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    # --- actions ---

    def places(self):
        for s in range(self.scenes):
            folder = f"scene{s}"
            if folder in self.away:
                continue
            yield from ((s, f"{folder}/gt/clean{g}.tif") for g in range(2))
            yield from ((s, f"{folder}/noisy{t}.tif") for t in range(self.targets))

    def any_content(self, scene, path):
        if self.rng.random() < 0.08:
            return f"{scene}.{self.rng.choice(BAD)}"
        kind = f"gt{self.rng.randrange(2)}" if "/gt/" in path else f"t{self.rng.randrange(len(SHIFTS))}"
        return f"{scene}.{kind}"

    def pick(self, among):
        among = sorted(among)
        return self.rng.choice(among) if among else None

    def act_put(self):
        """A file comes in by a rename, as rsync and mv do it."""
        place = self.pick(p for p in self.places() if p[1] not in self.writing)
        if place is None:
            return
        scene, path = place
        content = self.any_content(scene, path)
        os.makedirs(os.path.dirname(f"{self.input}/{path}"), exist_ok=True)
        shutil.copyfile(f"{self.contents}/{content}", f"{self.aside}/new")
        os.rename(f"{self.aside}/new", f"{self.input}/{path}")
        self.files[path] = content

    def act_begin(self):
        """A file is copied in in place, and the copying goes on later."""
        place = self.pick(p for p in self.places() if p[1] not in self.writing)
        if place is None or len(self.writing) >= WRITERS:
            return
        scene, path = place
        content = self.any_content(scene, path)
        data = open(f"{self.contents}/{content}", "rb").read()
        cut = self.rng.randrange(len(data) + 1)
        os.makedirs(os.path.dirname(f"{self.input}/{path}"), exist_ok=True)
        with open(f"{self.input}/{path}", "wb") as file:
            file.write(data[:cut])
        self.files[path] = content
        self.writing[path] = data[cut:]

    def act_go_on(self):
        path = self.pick(self.writing)
        if path is None:
            return
        data = self.writing[path]
        cut = len(data) if self.rng.random() < 0.5 else self.rng.randrange(len(data) + 1)
        with open(f"{self.input}/{path}", "ab") as file:
            file.write(data[:cut])
        self.writing[path] = data[cut:]
        if cut == len(data):
            del self.writing[path]

    def act_delete(self):
        path = self.pick(p for p in self.files if p not in self.writing)
        if path is not None:
            os.unlink(f"{self.input}/{path}")
            del self.files[path]

    def act_rename(self):
        """A target gets another's place, over what was there."""
        path = self.pick(p for p in self.files if "/gt/" not in p and p not in self.writing)
        if path is None:
            return
        to = f"{os.path.dirname(path)}/noisy{self.rng.randrange(self.targets)}.tif"
        if to != path and to not in self.writing:
            os.rename(f"{self.input}/{path}", f"{self.input}/{to}")
            self.files[to] = self.files.pop(path)

    def act_move_away(self):
        folder = self.pick({p.split("/")[0] for p in self.files if p not in self.writing}
                           - {p.split("/")[0] for p in self.writing})
        if folder is not None:
            os.rename(f"{self.input}/{folder}", f"{self.aside}/{folder}")
            self.away[folder] = {p: c for p, c in self.files.items() if p.startswith(folder + "/")}
            for path in self.away[folder]:
                del self.files[path]

    def act_move_back(self):
        folder = self.pick(self.away)
        if folder is not None:
            os.rename(f"{self.aside}/{folder}", f"{self.input}/{folder}")
            self.files.update(self.away.pop(folder))

    def act_start(self):
        self.start()

    def act_stop(self):
        self.stop()

    def act_kill(self):
        self.kill()

    def steer(self, *words):
        rc, said = self.tool(*words)
        if rc == 0:
            return True
        # Nothing to steer before the first start; an owner that is only starting or ending may refuse.
        if not os.path.exists(self.db) or rc == 4 or (rc == 1 and "try again" in said):
            return False
        raise kit.Wrong(f"pairmill {' '.join(words)}: exit {rc}: {said}")

    def act_pause(self):
        self.steer("pause")

    def act_resume(self):
        self.steer("resume")

    def act_retry(self):
        self.steer("retry", "--all")

    def act_reload(self):
        if self.daemon is not None and self.rng.random() < 0.5:
            self.write_conf(settle_s=self.rng.choice([0, 0.1, 0.3]))
        if self.daemon is not None and self.serving():
            self.daemon.send_signal(signal.SIGHUP)

    def serving(self):
        """Its signal handlers are set: SIGHUP would end a process that has only just begun."""
        try:
            pid = self.ask("select owner_pid from health")[0][0]
        except sqlite3.Error:
            return False
        return pid == self.daemon.pid

    def act_reader(self):
        """A guest who forgets to close a transaction."""
        if len(self.readers) < 3 and os.path.exists(self.db):
            try:
                reader = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, isolation_level=None)
                reader.execute("begin")
                reader.execute("select * from progress").fetchall()
                self.readers.append(reader)
            except sqlite3.Error:
                pass  # not made yet

    def act_reader_ends(self):
        if self.readers:
            self.readers.pop(0).close()

    def act_wait(self):
        time.sleep(self.rng.random() * 0.1)

    WEIGHTS = {
        "put": 30, "begin": 8, "go_on": 12, "delete": 6, "rename": 4, "move_away": 2, "move_back": 4, "start": 6,
        "stop": 1.5, "kill": 2, "pause": 1, "resume": 2, "retry": 2, "reload": 2, "reader": 1.5, "reader_ends": 2,
        "wait": 14}

    def act(self, weights=None):
        weights = weights or self.WEIGHTS
        names = sorted(weights)
        name = self.rng.choices(names, [weights[n] for n in names])[0]
        self.check_alive()
        getattr(self, f"act_{name}")()
        self.counts[name] = self.counts.get(name, 0) + 1

    # --- the end, and what must be true then ---

    def come_to_rest(self):
        """Everything written, everybody gone, the service up and not paused."""
        while self.writing:
            self.act_go_on()
        for reader in self.readers:
            reader.close()
        self.readers = []
        self.start()
        self.wait_for("resume", lambda: [] if self.steer("resume") else ["not resumed yet"], 60)

    def expected(self):
        """(gt path, target path) -> shift, or None when one of the files is bad."""
        pairs = {}
        for gt in (p for p in self.files if "/gt/" in p):
            scene = gt.split("/")[0]
            for target in (p for p in self.files if "/gt/" not in p and p.startswith(scene + "/")):
                kinds = [self.files[p].split(".")[1] for p in (gt, target)]
                good = not any(kind in BAD for kind in kinds)
                pairs[gt, target] = SHIFTS[int(kinds[1][1:])] if good else None
        return pairs

    def differences(self):
        """What the database says other than the model does; empty: nothing."""
        rows = self.ask(
            "select g.name, t.name, j.state, g.state, t.state, r.dy, r.dx from job j"
            " join image g on g.id = j.gt_id join image t on t.id = j.target_id"
            " left join results r on r.job_id = j.id")
        found = {(gt, target): row for gt, target, *row in rows}
        wrong = []
        for pair, shift in self.expected().items():
            state, gt_state, target_state, dy, dx = found.pop(pair, ("no job", None, None, None, None))
            wanted = "failed" if shift is None else "done"
            if state != wanted or gt_state != "present" or target_state != "present":
                wrong.append(f"{pair}: {state} ({gt_state}, {target_state}), not {wanted}")
            elif shift is not None and (dy, dx) != shift:
                wrong.append(f"{pair}: shift {dy}, {dx}, not {shift}")
        for pair, (state, gt_state, target_state, _, _) in found.items():
            present = [p in self.files for p in pair]
            if [gt_state == "present", target_state == "present"] != present:
                wrong.append(f"{pair}: {gt_state}, {target_state}; in the folder: {present}")
            elif state not in ("missing", "done"):
                wrong.append(f"{pair}: {state} though a file is gone")
        return wrong

    def wait_for(self, what, wrong, limit_s):
        """Until wrong() is empty; the daemon's death ends it."""
        end = time.monotonic() + limit_s
        while True:
            try:
                problems = wrong()
            except sqlite3.Error as error:
                problems = [str(error)]
            if not problems:
                return
            self.check_alive()
            if time.monotonic() > end:
                raise kit.Wrong(f"waited {limit_s} s for: {what}\n  " + "\n  ".join(problems[:20]))
            time.sleep(0.1)

    def kept(self):
        """Folders a pair may keep whose file changed and then went away: what cannot be made anew is not deleted."""
        rows = self.ask(
            "select g.name, t.name from job j join image g on g.id = j.gt_id join image t on t.id = j.target_id"
            " where j.state = 'missing'")
        return {f"{self.output}/{os.path.dirname(t)}/{os.path.basename(g)}--{os.path.basename(t)}" for g, t in rows}

    def check_outputs(self):
        """Each done row, and each result of a pair whose files are gone, has its whole folder, and no other is there."""
        rows = self.ask(RESULTS)
        for folder, gt, target, row in rows:
            kit.judge_result(folder, gt, target, row)
        folders = {row[0] for row in rows}
        made = {at for at, _, names in os.walk(self.output) if "pair.json" in names}
        if not folders <= made <= folders | self.kept():
            raise kit.Wrong(f"outputs without a row, or rows without outputs: {sorted(made ^ folders)}")
        partial = f"{self.output}/.partial"
        if os.path.isdir(partial) and os.listdir(partial):
            raise kit.Wrong(f"left in {partial}: {os.listdir(partial)}")

    def check_end(self):
        """After everything came to rest: the model's state, sound outputs, a clean stop, a sound database."""
        self.wait_for("the model's state", self.differences, 120)
        self.stop()
        left = self.differences()
        if left:
            raise kit.Wrong("after the stop: " + "\n  ".join(left[:20]))
        self.check_outputs()
        if self.ask("pragma integrity_check") != [("ok",)]:
            raise kit.Wrong("the database is damaged")
        if self.ask("select count(*) from job where state in ('queued', 'running')") != [(0,)]:
            raise kit.Wrong("jobs are left queued or running")
