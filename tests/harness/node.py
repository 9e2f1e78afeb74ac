"""The npm packages of tests/sdk, installed once, and the checks that use them."""

import fcntl
import os
import shutil
import subprocess

from harness.machine import TOP, need

SDK = os.path.join(TOP, "tests", "sdk")
TIMEOUT_S = 1800  # against hangs only


def packages():
    """A folder with the packages and the checks; another run, which may use them just now, finds them as they are."""
    need("node", "npm")
    folder = os.path.join(TOP, "build", "sdk")
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(folder, f"{folder}/node_modules/.installed")
        for name in os.listdir(SDK):
            if name.endswith(".mjs") and read(f"{SDK}/{name}") != read(f"{folder}/{name}"):
                shutil.copy(f"{SDK}/{name}", folder)
    return folder


def read(path):
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def install(folder, mark):
    """mark: of a whole installation, what it was of; `npm ci` begins by removing it."""
    names = ("package.json", "package-lock.json")
    wanted = b"".join(read(f"{SDK}/{name}") for name in names)
    if read(mark) == wanted:
        return
    for name in names:
        shutil.copy(f"{SDK}/{name}", folder)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True,
                          text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(mark, "wb") as file:
        file.write(wanted)


def run_checks(folder, name, env, count):
    done = subprocess.run(["node", name], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} checks passed" in done.stdout, done.stdout
