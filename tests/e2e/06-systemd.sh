#!/bin/sh
# The unit as systemd sees it: it verifies, its exposure is at most 1.5, and its times fit together.
. tests/lib/e2e.sh

command -v systemd-analyze >/dev/null 2>&1 || skip "systemd-analyze is not installed"

prefix=$T/usr
unit=$T/pairmilld.service
mkdir -p "$prefix/libexec/pairmill"
cp "$PAIRMILLD" "$prefix/libexec/pairmill/"
sed "s|@PREFIX@|$prefix|g" systemd/pairmilld.service >"$unit"

say "nothing of the template is left"
! grep -q '@[A-Z]*@' "$unit" || fail "an @VARIABLE@ was not replaced"

say "systemd-analyze verify"
systemd-analyze verify "$unit" >"$T/verify" 2>&1 || {
    cat "$T/verify" >&2
    fail "systemd-analyze verify"
}
! grep -q "pairmilld.service" "$T/verify" || {
    cat "$T/verify" >&2
    fail "systemd-analyze verify warns"
}

say "systemd-analyze security, at most 1.5"
systemd-analyze security --offline=true --threshold=15 "$unit" >"$T/security" 2>&1 || {
    tail -n 3 "$T/security" >&2
    fail "exposure above 1.5"
}
tail -n 1 "$T/security"

say "TimeoutStopSec leaves time to drain"
stop=$(sed -n 's/^TimeoutStopSec=//p' "$unit")
drain=$(sed -n 's/^#drain_timeout_s = //p' systemd/pairmill.conf)
[ "$stop" -gt "$drain" ] || fail "TimeoutStopSec=$stop, drain_timeout_s = $drain"

say "sysusers and tmpfiles are understood"
if command -v systemd-sysusers >/dev/null 2>&1; then
    mkdir -p "$T/root/etc"
    systemd-sysusers --root="$T/root" "$PWD/systemd/pairmill.sysusers" || fail "systemd-sysusers"
    grep -q '^pairmill:' "$T/root/etc/passwd" || fail "no user pairmill"
    grep -q '^pairmill:' "$T/root/etc/group" || fail "no group pairmill"
fi
if command -v systemd-tmpfiles >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && [ -f "$T/root/etc/passwd" ]; then
    systemd-tmpfiles --root="$T/root" --create "$PWD/systemd/pairmill.tmpfiles" ||
        fail "systemd-tmpfiles"
    mode=$(stat -c %a "$T/root/var/lib/pairmill")
    [ "$mode" = 2750 ] || fail "/var/lib/pairmill has mode $mode"
fi
