#!/usr/bin/python3
"""The judge of the campaigns (tests/campaign/kit.py) sees every kind of damage it is there to see."""

import os
import shutil
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "campaign"))
import kit  # noqa: E402

PAIRS = 2


def one_result(place):
    return place.ask(kit.DONE)[0][3]


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 1]))


def write_db(place, statement):
    con = sqlite3.connect(place.db)
    con.execute(statement)
    con.commit()
    con.close()


def orphan(place):
    shutil.copytree(one_result(place), os.path.join(place.out, "left-over"))


def exchange(place):
    (_, _, _, a, _), (_, _, _, b, _) = place.ask(kit.DONE)
    os.rename(a, a + ".x")
    os.rename(b, a)
    os.rename(a + ".x", b)


DAMAGE = {
    "a flipped bit": lambda p: flip(os.path.join(one_result(p), "mask.png"), 60),
    "a short file": lambda p: os.truncate(os.path.join(one_result(p), "crops", "0_0.gt.tif"), 100),
    "a missing file": lambda p: os.remove(os.path.join(one_result(p), "crops", "0_0.gt.tif")),
    "a surplus file": lambda p: shutil.copy(p.conf, one_result(p)),
    "a torn record": lambda p: os.truncate(os.path.join(one_result(p), "pair.json"), 500),
    "a missing folder": lambda p: shutil.rmtree(one_result(p)),
    "an orphan": orphan,
    "two folders exchanged": exchange,
    "another shift in the database": lambda p: write_db(p, "update result set dy = dy + 1"),
    "a row that still runs": lambda p: (write_db(p, "update job set state = 'queued' where id = 1"),
                                        write_db(p, "update job set state = 'running' where id = 1")),
    "a lost row": lambda p: write_db(p, "delete from job where id = 1"),
    "wrong counters": lambda p: write_db(p, "update source_count set done = done + 1"),
    "a left-over in .partial": lambda p: os.mkdir(os.path.join(p.out, ".partial", "7.1.0.0")),
}


def main():
    blind = []
    with tempfile.TemporaryDirectory() as top:
        inputs = os.path.join(top, "in")
        kit.make_pairs(inputs, 1, PAIRS, 5)
        place = kit.Place(os.path.join(top, "place"), inputs)
        with open(os.path.join(top, "log"), "w+b") as log:
            kit.finish(place, log, PAIRS)
        kit.Judge(place).all_done(PAIRS)
        shutil.copytree(place.top, os.path.join(top, "whole"))
        for what, damage in DAMAGE.items():
            shutil.rmtree(place.top)
            shutil.copytree(os.path.join(top, "whole"), place.top)
            damage(place)
            try:
                kit.Judge(place).all_done(PAIRS)
                blind.append(what)
            except kit.Wrong as e:
                print("%s: %s" % (what, e))
    if blind:
        sys.exit("the judge did not see: " + ", ".join(blind))


if __name__ == "__main__":
    main()
