#!/bin/sh
# kill -9 at seeded instants, restart, and in the end the same state as without kills: one done row
# and one folder a pair, equal bytes, nothing left half made, a sound database. The short version of
# `make crash`; SEED=N repeats a campaign, KILLS=N makes it longer.
set -eu
KILLS=${KILLS:-100}
case ${BUILD:=build} in *asan* | *tsan*) KILLS=12 ;; esac
[ -z "${PAIRMILL_SHORT:-}" ] || KILLS=12
export BUILD
exec "${PYTHON:-/usr/bin/python3}" tests/campaign/crash.py --kills "$KILLS" --pairs 100 --seed "${SEED:-}"
