"""The npm packages of tests/sdk, installed once, and the checks that use them."""

import os
import shutil
import subprocess

from harness.machine import TOP, need

SDK = os.path.join(TOP, "tests", "sdk")


def packages():
    """A folder with the packages and the checks."""
    need("node", "npm")
    folder = os.path.join(TOP, "build", "sdk")
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(f"{SDK}/{name}", folder)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True,
                          text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in os.listdir(SDK):
        if name.endswith(".mjs"):
            shutil.copy(f"{SDK}/{name}", folder)
    return folder


def run_checks(folder, name, env, count):
    done = subprocess.run(["node", name], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} checks passed" in done.stdout, done.stdout
