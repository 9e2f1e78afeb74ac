"""Ends every process and mount that belongs to one test run, and nothing else.

Each run has a fresh folder /tmp/sd.XXXXXX; its processes are known by that path in their
command line, environment or working folder (PostgreSQL's backends write over the first two), so
two runs at once never touch each other.
"""

import os
import signal
import subprocess
import sys
import time


def _reads(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _folder(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd").encode()
    except OSError:
        return b""


def processes_of(folder):
    """Process ids that name the folder, apart from our own and our parents'."""
    spared, pid = set(), os.getpid()
    while pid > 1:
        spared.add(pid)
        stat = _reads(pid, "stat")
        pid = int(stat.rsplit(b")", 1)[1].split()[1]) if stat else 0
    mark = folder.rstrip("/").encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in spared:
            words = b"\0".join((_reads(entry, "cmdline"), _reads(entry, "environ"), _folder(entry), b""))
            if mark + b"/" in words or mark + b"\0" in words:
                found.append(int(entry))
    return found


def children_of(pid):
    """Process ids of all its children."""
    return [int(child) for child in _reads(pid, f"task/{pid}/children").split()]


def is_alive(pid):
    """Neither gone nor dead and waiting for its parent."""
    return bool(_reads(pid, "cmdline"))


def end_all(folder, grace_s=5):
    """SIGTERM, and SIGKILL for what is left after the grace time."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        pids = processes_of(folder)
        for pid in pids:
            try:
                os.kill(pid, sig)
            except OSError:
                pass
        deadline = time.monotonic() + grace_s
        while pids and time.monotonic() < deadline:
            pids = [pid for pid in processes_of(folder) if _reads(pid, "cmdline")]
            time.sleep(0.05)


def kill_all(folder, grace_s=60):
    """SIGKILL for all of them at once, until none is left: a power loss."""
    killed = set()
    while pids := [pid for pid in processes_of(folder) if _reads(pid, "cmdline")]:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGSTOP)
            except OSError:
                pass
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        killed.update(pids)
        time.sleep(0.01)
    # until their parent has reaped them, the ids of the dead look alive to PostgreSQL's lock files
    deadline = time.monotonic() + grace_s
    while any(_is_orphan(pid) for pid in killed) and time.monotonic() < deadline:
        time.sleep(0.05)


def _is_orphan(pid):
    """Dead, and waiting for process 1; our own children are ours to wait for."""
    stat = _reads(pid, "stat")
    return bool(stat) and int(stat.rsplit(b")", 1)[1].split()[1]) != os.getpid()


def unmount_below(folder):
    with open("/proc/mounts") as file:
        points = [line.split()[1] for line in file]
    for point in reversed([p for p in points if p == folder or p.startswith(folder.rstrip("/") + "/")]):
        subprocess.run(["umount", "-l", point], check=False)


if __name__ == "__main__":
    end_all(sys.argv[1])
    unmount_below(sys.argv[1])
