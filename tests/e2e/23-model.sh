#!/bin/sh
# Random starts, stops, kills, files and commands against a model of what must come of them: the short form of `make
# model`. SEED repeats one.
. tests/lib/e2e.sh

ACTIONS=${ACTIONS:-$((1200 / slow))}
"$PYTHON" tests/campaign/model.py --actions "$ACTIONS" --round $((ACTIONS / 4)) --seed "${SEED:-20}" ||
    fail "not what the model says"
