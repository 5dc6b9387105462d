"""A small systemd for one service: starts it with a notify socket and a watchdog, kills it with
SIGABRT when WATCHDOG=1 stays away, starts it again on failure, and says in a log what it heard.

usage: watchdog.py LOG WATCHDOG_S COMMAND...      SIGTERM: stops the service in order, and itself
"""
import os
import select
import signal
import socket
import subprocess
import sys
import time


def main():
    log = open(sys.argv[1], "a", buffering=1)
    limit_s = float(sys.argv[2])
    path = sys.argv[1] + ".socket"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    environ = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC=str(int(limit_s * 1e6)))
    code = 1
    while not stop:
        child = subprocess.Popen(sys.argv[3:], env=environ)
        log.write(f"started {child.pid}\n")
        alive_at, ready, told = time.monotonic(), False, False
        while child.poll() is None:
            if stop and not told:
                child.terminate()
                told = True
            if not select.select([sock], [], [], 0.1)[0]:
                if ready and not told and time.monotonic() - alive_at > limit_s:
                    log.write(f"watchdog {child.pid}\n")
                    child.send_signal(signal.SIGABRT)
                    ready = False
                continue
            for line in sock.recv(65536).decode().split("\n"):
                ready = ready or line == "READY=1"
                if line in ("READY=1", "WATCHDOG=1"):
                    alive_at = time.monotonic()
                log.write(line + "\n")
        code = child.returncode
        log.write(f"ended {code}\n")
        if code == 0:
            break
    return 0 if code == 0 else 1


sys.exit(main())
