#!/usr/bin/python3
"""The n-th call of a kind fails, n = 1, 2, 3 ... until a pass in which none is left to fail.

usage: faults.py [--each N] [--only CALL[,CALL...]] [--jobs N] [--seed S]

Of `pairmill run` over a few tiny pairs, and of a short life of pairmilld. A shim (tests/preload) makes
one call fail: with an error by chance that such a call can give, or by doing only half of a read or
write. Whatever it is: no crash, no sanitizer's complaint, no descriptor left open, no done row without
its whole folder; the program ends with 0 or 3, or with 1 and its reason in one line; and a start without
faults brings every pair to done with the files it would have had. Settings are read whole, or not at
all. malloc fails at the first call of
each distinct call stack (a run makes tens of thousands of calls, from some two thousand stacks).
--each: at most so many n of each kind, chosen by chance; 0: all. --only: open, site, site@pm-ledger ...
"""

import argparse
import collections
import concurrent.futures
import errno
import os
import queue
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time

import kit

PAIRS = 2
SHORT = 9999  # the shim's own code: half of it is done
# What may go wrong: call, codes, text in the path. Files of the place only: libuv ends the process on
# purpose when its own pipes fail.
KINDS = [
    # By thread, or the n-th site would be another each time; PROGRAM: libuv's pool, which bears its name.
    ("site", [errno.ENOMEM], "@main"),
    ("site", [errno.ENOMEM], "@pm-ledger"),
    ("site", [errno.ENOMEM], "@pm-worker-0"),
    ("site", [errno.ENOMEM], "@PROGRAM"),
    ("open", [errno.EMFILE, errno.EIO, errno.EACCES, errno.ENOENT], "TOP"),
    ("read", [errno.EIO, SHORT], "TOP"),
    ("write", [errno.EIO, errno.ENOSPC, SHORT], "/place/"),
    ("sync", [errno.EIO, errno.ENOSPC], "TOP"),
    ("rename", [errno.EIO, errno.ENOSPC], "TOP"),
    ("mkdir", [errno.EIO, errno.ENOSPC, errno.EACCES], "TOP"),
    ("unlink", [errno.EIO, errno.EACCES], "TOP"),
    ("inotify", [errno.ENOSPC, errno.EMFILE, errno.ENOMEM], ""),
    ("read", [errno.EIO], "inotify"),
    ("thread", [errno.EAGAIN], ""),
    ("step", [5, 7, 10, 13], ""),  # SQLite: busy, no memory, input/output, full
]
BLAMED = """select stage, code, message from failures
    where job_id in (select id from job where state in ('failed', 'quarantined'))"""
LIMIT_S = 30
WARP = "10"  # delays of retries are 10 times as short


class Slot:
    """One place to work in; each worker thread has its own."""

    def __init__(self, top, inputs):
        os.mkdir(top)
        self.place = kit.Place(os.path.join(top, "place"), inputs, workers=1, rescan_s=1, poll_s=1)
        self.top, self.log, self.counts = top, top + ".log", top + ".counts"


class Campaign:
    def __init__(self, args, top):
        self.args, self.top = args, top
        self.inputs = os.path.join(top, "in")
        kit.make_pairs(self.inputs, 1, PAIRS, 5)
        self.slots = queue.Queue()
        for i in range(args.jobs):
            self.slots.put(Slot(os.path.join(top, "slot%d" % i), self.inputs))
        calm = kit.Place(os.path.join(top, "calm"), self.inputs)
        with open(os.path.join(top, "calm.log"), "wb") as log:
            kit.finish(calm, log, PAIRS)
        self.expected = kit.Judge(calm).all_done(PAIRS)
        self.base_fds = {}
        self.lock, self.stop = threading.Lock(), False
        self.ends, self.tried, self.retried = collections.Counter(), collections.Counter(), 0

    # --- one life with a fault ---

    def rule(self, kind, n, daemon):
        call, codes, text = kind
        code = random.Random("%d %s %d %s" % (self.args.seed, kind, n, daemon)).choice(codes)
        text = text.replace("TOP", self.top).replace("PROGRAM", "pairmilld" if daemon else "pairmill")
        return "%s:%d:%d%s" % (call, n, code, ":" + text if text else "")

    def life(self, slot, daemon, rule):
        """(exit code, log) of a life; negative: the signal."""
        with open(slot.log, "wb") as log:
            process = slot.place.start(log, daemon, SHIM_FAIL=rule, SHIM_WARP=WARP,
                                       SHIM_COUNTS=slot.counts)
            patience, asked = kit.Patience(LIMIT_S), False
            while process.poll() is None and not patience.over():
                if daemon and not asked and b"event=start" in kit.read_file(slot.log):
                    asked = self.at_rest(slot.place) or patience.left_s < LIMIT_S * kit.SLOW / 2
                    if asked:
                        process.terminate()
                time.sleep(0.01)
            hangs = process.poll() is None
            if hangs:
                process.kill()
            process.wait()
        text = kit.read_file(slot.log).decode(errors="replace")
        if hangs:
            raise kit.Wrong("does not end: " + text[-1500:])
        return process.returncode, text

    def at_rest(self, place):
        try:
            (total, open_jobs), = place.ask(
                "select count(*), coalesce(sum(state in ('queued', 'running')), 0) from job")
        except sqlite3.Error:
            return False
        return total >= PAIRS and open_jobs == 0

    # --- judging ---

    def check_end(self, code, text, daemon, slot):
        # It asks for itself, or where a thread begins: there is no code of ours behind it.
        if re.search(r"shim: fail site .* in=(lib[at]san\S*|\S*lib[at]san\S*(?<!pairmill)(?<!pairmilld)) path=", text):
            return "the sanitizer's own"
        if re.search(r"Sanitizer|runtime error:", text):
            raise kit.Wrong(text)
        if code == -6 and re.search(r"shim: fail (site|thread) .* in=\S*lib(uv|[at]san)\.so", text):
            # By its own choice: it cannot grow its table, start its threads. A sanitizer may stand in for it.
            return "libuv aborts"
        allowed = (0, 1) if daemon else (0, 1, 3)
        if code not in allowed:
            raise kit.Wrong("ended with %d: %s" % (code, text[-1500:]))
        if code == 1:
            lines = [line for line in text.splitlines()
                     if re.match(r"(error: )?pairmill(d| run)?: .{10}", line)]
            if len(lines) != 1:
                raise kit.Wrong("ended with 1, with %d lines that say why: %s" % (
                    len(lines), text[-1500:]))
        with open(slot.counts) as f:
            fds = int(re.search(r"fds (\d+)", f.read()).group(1))
        if fds > self.base_fds.setdefault(daemon, fds):
            raise kit.Wrong("%d descriptors open at the end, %d without a fault: %s" % (
                fds, self.base_fds[daemon], text[-1500:]))
        return "ended with %d" % code

    def check_rows(self, place, call):
        if not os.path.exists(place.db):
            return
        try:
            kit.Judge(place).done_rows()
            blamed = place.ask(BLAMED) if call == "site" else []
        except sqlite3.OperationalError as e:
            # It had come no further than to make the database; a guest cannot end what is half made.
            half = os.path.exists(place.db + "-journal") and "readonly" in str(e)
            if "no such table" not in str(e) and not half:
                raise kit.Wrong("the database: %s" % e)
            return
        if blamed:
            raise kit.Wrong("for want of memory a pair failed for good: %s" % blamed)

    def check_after(self, slot):
        """Without faults: everything done, as it would have been."""
        place = slot.place
        retry = subprocess.run([os.path.join(kit.BUILD, "pairmill"), "retry", "--config", place.conf],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.retried += retry.returncode == 0 and not re.match(r"0 |no ", retry.stdout)
        with open(slot.log + ".after", "w+b") as log:
            kit.finish(place, log, PAIRS)
        found = kit.Judge(place).all_done(PAIRS)
        if found != self.expected:
            raise kit.Wrong("other files than without the fault")

    def one(self, kind, n, daemon):
        """False: there was no n-th call."""
        slot = self.slots.get()
        rule = self.rule(kind, n, daemon)
        try:
            slot.place.empty()
            code, text = self.life(slot, daemon, rule)
            fired = "shim: fail" in text
            end = self.check_end(code, text, daemon, slot)
            if not fired and code != 0:
                raise kit.Wrong("ended with %d without a fault: %s" % (code, text[-1500:]))
            if fired:
                self.check_rows(slot.place, kind[0])
                self.check_after(slot)
                with self.lock:
                    self.ends[end] += 1
                    self.tried[kind[0] + (" of " + kind[2] if kind[2].startswith(("@", "inotify")) else "")] += 1
            self.slots.put(slot)
            return fired
        except kit.Wrong as e:
            self.stop = True
            raise kit.Wrong("SHIM_FAIL=%s %s (%s): %s" % (
                rule, "pairmilld" if daemon else "pairmill run", slot.place.top, e))

    # --- settings ---

    def check_config(self, path, n):
        """(exit code, what was said on stdout, on stderr) with the n-th malloc failing; 0: none."""
        env = dict(os.environ)
        if n > 0:
            env.update(SHIM_FAIL="malloc:%d:%d" % (n, errno.ENOMEM), LD_PRELOAD=kit.PRELOAD,
                       ASAN_OPTIONS=env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        done = subprocess.run([os.path.join(kit.BUILD, "pairmilld"), "--check-config", "--config", path],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
        return done.returncode, done.stdout, done.stderr

    def settings(self):
        """A file that seems to end where memory did would take the sources below from the service."""
        path = os.path.join(self.top, "settings.conf")
        with open(path, "w") as f:
            f.write("[pairmill]\ndb = %s/db\n" % self.top)
            for name in "first", "second":
                os.makedirs(os.path.join(self.top, name))
                f.write("# %s\n[source %s]\ninput = %s/%s\noutput = %s/%s-out\n" % (
                    "another, longer line than those before " * (len(name) * 2), name,
                    self.top, name, self.top, name))
        code, whole, said = self.check_config(path, 0)
        if code != 0:
            raise kit.Wrong("--check-config: " + said)
        for n in range(1, 1000):
            code, got, said = self.check_config(path, n)
            if "shim: fail" not in said:
                break
            if (code, got) != (0, whole) and (code != 1 or "memory" not in said):
                raise kit.Wrong("--check-config, SHIM_FAIL=malloc:%d:12: ended with %d: %s%s" % (
                    n, code, got, said))
            self.tried["malloc of the settings"] += 1

    # --- all of them ---

    def numbers(self, kind, daemon):
        """n to try: all until one does not come, or a choice below what a clean life makes."""
        rng = random.Random("%d %s %s" % (self.args.seed, kind, daemon))
        if not self.args.each:
            return range(1, 1000000)
        slot = self.slots.get()
        slot.place.empty()
        rule = self.rule(kind, 1000000, daemon)
        self.check_end(*self.life(slot, daemon, rule), daemon, slot)
        with open(slot.counts) as f:
            largest = int(re.search(r"^rule (\d+)$", f.read(), re.M).group(1))
        self.slots.put(slot)
        return sorted(rng.sample(range(1, largest + 1), min(self.args.each, largest)))

    def run_kind(self, pool, kind, daemon):
        pending = set()
        for n in self.numbers(kind, daemon):
            pending.add(pool.submit(self.one, kind, n, daemon))
            if len(pending) >= self.args.jobs:
                over, pending = concurrent.futures.wait(
                    pending, return_when=concurrent.futures.FIRST_COMPLETED)
                if not all(job.result() for job in over) and not self.args.each:
                    break  # past the last call of this kind
        for job in pending:
            job.result()

    def run(self):
        only = self.args.only.split(",") if self.args.only else None
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            slot = self.slots.get()  # a life without a fault is the measure
            for daemon in (False, True):
                slot.place.empty()
                self.check_end(*self.life(slot, daemon, "open:1000000:5"), daemon, slot)
            self.slots.put(slot)
            if only is None:
                self.settings()
            for kind in KINDS:
                for daemon in (False, True):
                    if only is None or kind[0] in only or kind[0] + kind[2] in only:
                        self.run_kind(pool, kind, daemon)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--each", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--seed", type=kit.seed_from, default="")
    args = parser.parse_args()
    print("SEED=%d" % args.seed, flush=True)
    began = time.monotonic()
    with kit.Scratch("faults", args.seed) as top:
        campaign = Campaign(args, top)
        campaign.run()
        print("%d faults, %.0f s: %s" % (sum(campaign.tried.values()), time.monotonic() - began,
            ", ".join("%s %d" % item for item in campaign.tried.items())))
        print(", ".join("%s: %d" % item for item in sorted(campaign.ends.items()))
              + "; retry had something to release after %d" % campaign.retried)
        if not campaign.tried:
            raise kit.Wrong("no fault came")


if __name__ == "__main__":
    main()
