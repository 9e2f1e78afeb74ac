"""The same sandboxes where the host has runc and no crun: in a mount namespace that hides crun."""

import os
import re
import subprocess
import sys

from harness.machine import TOP, need
from harness.server import fresh_folder


def test_sandboxes_by_runc():
    need("root", "runc", "unshare", "crun")
    folder = fresh_folder("r")
    with open(f"{folder}/crun", "w") as file:  # what the tests look for in PATH; the program knows fixed places
        file.write("#!/bin/sh\nexit 1\n")
    os.chmod(f"{folder}/crun", 0o755)
    hidden = "for crun in /usr/bin/crun /usr/local/bin/crun; do [ ! -e $crun ] || mount --bind /dev/null $crun; done; exec \"$@\""
    done = subprocess.run(["unshare", "-m", "sh", "-c", hidden, "sh", sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
                           "-q", "--tb=short", "-c", "tests/pytest.ini", "--rootdir", TOP, "--basetemp", f"{folder}/pytest",
                           "tests/e2e/test_sandbox.py"], cwd=TOP, capture_output=True, text=True, check=False, timeout=3600,
                          env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    assert done.returncode == 0 and re.search(r"^\d+ passed in", done.stdout, re.M), done.stdout[-6000:] + done.stderr
