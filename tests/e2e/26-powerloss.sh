#!/bin/sh
# Power loss after every call: no done row ever names a missing, short or wrong file, and a start on
# what is left brings everything to its end. The short version of `make powerloss`.
set -eu
choices=1 starts=6
case ${BUILD:=build} in *asan* | *tsan*) choices=0 starts=2 ;; esac
[ -z "${PAIRMILL_SHORT:-}" ] || choices=0 starts=2
export BUILD
exec "${PYTHON:-/usr/bin/python3}" tests/campaign/powerloss.py --choices $choices --starts $starts \
    --seed "${SEED:-}"
