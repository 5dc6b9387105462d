#!/bin/sh
# The rules of the house that a script can check: includes point one way, one library lives in one
# place, every header compiles alone, SQL stays in sql/, end-to-end scripts have numbers of their own.
set -u
bad=0

complain() { # WHAT LINES
    [ -z "$2" ] && return
    echo "$1:"
    echo "$2"
    bad=1
}

complain "<uv.h> outside daemon/" "$(grep -rlE '<uv\.h>' worker common cli)"
complain "common/ includes upwards" "$(grep -rnE 'include "(daemon|cli|worker)/' common)"
complain "worker/ includes upwards" "$(grep -rnE 'include "(daemon|cli)/' worker)"
complain "daemon/ includes cli/" "$(grep -rnE 'include "cli/' daemon)"
for lib in sqlite3.h tiffio.h fftw3.h png.h ini.h xxhash.h systemd/sd-daemon.h; do
    places=$(grep -rlE "^#include <$lib>" daemon cli worker common)
    [ "$(echo "$places" | grep -c .)" -le 1 ] || complain "<$lib> in more than one place" "$places"
done
complain "SQL inside C" "$(grep -rnE '"(SELECT|INSERT|UPDATE|DELETE|CREATE) ' daemon cli worker common)"
complain "a label other than out" "$(grep -rnE 'goto ' daemon cli worker common | grep -v 'goto out;')"
complain "two end-to-end scripts of one number" "$(ls tests/e2e | cut -c 1-2 | uniq -d)"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
flags=$(pkg-config --cflags libuv sqlite3 fftw3f libtiff-4 libpng)
for header in $(find common worker daemon cli -name '*.h'); do
    echo "#include \"$header\"" >"$scratch/alone.c"
    # shellcheck disable=SC2086 # flags are words
    messages=$(${CC:-cc} -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -I. $flags -fsyntax-only \
        "$scratch/alone.c" 2>&1) || complain "$header does not compile alone" "$messages"
done
exit $bad
