#!/bin/sh
# The n-th call of a kind fails: no crash, no leak, no lost pair, no wrong row. The short version of
# `make faults`: of each kind some n by chance.
set -eu
each=2
case ${BUILD:=build} in *asan* | *tsan*) each=1 ;; esac
[ -z "${PAIRMILL_SHORT:-}" ] || each=1
export BUILD
exec "${PYTHON:-/usr/bin/python3}" tests/campaign/faults.py --each $each --seed "${SEED:-}"
