"""What containers leave on a machine: found, and removed at a test's end whatever has crashed."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time

from harness.sweep import processes_of


def data_id(data):
    return hashlib.sha256(os.path.realpath(data).encode()).hexdigest()[:6]


def _lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def _cgroups(mark):
    found = []
    for folder, folders, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(folder, name) for name in folders if name == mark]
    return found


def leftovers(data):
    """Every kernel object and file below DIR that only containers have: empty once all are deleted."""
    mark = f"sundog-{data_id(data)}"
    sandboxes = os.path.join(data, "sandboxes")
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split()[4] for line in file]
    run = f"/run/{mark}"
    return {
        "mounts": [point for point in mounts if point.startswith((data + "/", run + "/"))],
        "cgroups": [path for folder in _cgroups(mark) for path in _below(folder)],
        "links": [line for line in _lines("ip", "-o", "link", "show", "type", "veth") if f"sd{data_id(data)}" in line],
        "run": [name for part in "sn" if os.path.isdir(f"{run}/{part}") for name in os.listdir(f"{run}/{part}")],
        "crun": os.listdir(f"{run}/crun") if os.path.isdir(f"{run}/crun") else [],
        "sandboxes": os.listdir(sandboxes) if os.path.isdir(sandboxes) else [],
        "shims": shims(data),
    }


def _below(folder):
    return [os.path.join(at, name) for at, names, _ in os.walk(folder) for name in names]


def shims(data):
    """Process ids of the supervisors, and of the holders of clusters' networks, of this DIR."""
    found = []
    for pid in processes_of(data):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/comm") as file:
                if file.read().startswith(("sundog-shim", "sundog-net")):
                    found.append(pid)
    return found


def nothing_left(data):
    return not any(leftovers(data).values())


def sweep(data):
    """Ends and removes whatever containers of this DIR are left, as far as a test's end needs it."""
    mark, run = f"sundog-{data_id(data)}", f"/run/sundog-{data_id(data)}"
    for _ in range(50):
        pids = shims(data)
        for folder in _cgroups(mark):
            for at, _, files in os.walk(folder):
                if "cgroup.procs" in files:
                    with contextlib.suppress(OSError):
                        with open(os.path.join(at, "cgroup.procs")) as file:
                            pids += [int(line) for line in file]
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            break
        time.sleep(0.05)
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    for point in reversed([p for p in points if p.startswith((run + "/", os.path.realpath(data) + "/"))]):
        subprocess.run(["umount", "-l", point], check=False)
    for folder in _cgroups(mark):
        for at in reversed([folder, *_below(folder)]):
            with contextlib.suppress(OSError):
                os.rmdir(at)
    bridge = f"sd{data_id(data)}"
    if os.path.isdir(f"/sys/class/net/{bridge}"):
        subprocess.run(["ip", "link", "delete", bridge], check=False)
    for rule in _lines("iptables", "-S", "FORWARD"):
        if bridge in rule:
            subprocess.run(["iptables", "-w", "-D", *rule.split()[1:]], check=False)
    subprocess.run(["nft", "delete", "table", "ip", f"sundog_{data_id(data)}"], capture_output=True, check=False)
    shutil.rmtree(run, ignore_errors=True)


