#!/usr/bin/python3
"""How long the image takes from `docker run` until it answers, a first start each time, and how much of it is the engine's.

    [TMPDIR=/dev/shm] tests/bench/image_start.py [--n 5] [--report docs/benchmarks.md]

Engine and data are below TMPDIR. ext4 looks at each inode deleted in the last minutes when it makes a file: where much was
just deleted, as after every run of the tests, a disk says more of that than of us.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.join(TOP, "tests")]

from harness import sundog_image  # noqa: E402
from report import write_section  # noqa: E402


def timed(docker, name, *words):
    """Milliseconds until the command in a new container says that it is ready, or has ended."""
    before = time.perf_counter()
    if words:
        docker("run", "--rm", "--network", "none", "--entrypoint", words[0], sundog_image.NAME, *words[1:])
    else:
        docker("run", "-d", "--network", "none", "--name", name, sundog_image.NAME)
        docker("exec", name, "sundog", "ready", "--wait", "60")
    took = (time.perf_counter() - before) * 1000
    if not words:
        docker("rm", "-f", "-v", name)
    return took


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--n", type=int, default=5)
    ask.add_argument("--report")
    args = ask.parse_args()
    os.environ["SUNDOG_TEST_RUN"] = folder = tempfile.mkdtemp(prefix="si")
    os.chmod(folder, 0o755)
    docker = sundog_image.engine()
    try:
        engine = [timed(docker, "", "/usr/bin/busybox", "true") for _ in range(args.n)]
        whole = [timed(docker, f"start{i}") for i in range(args.n)]
        driver = docker("info", "-f", "{{.Driver}}").stdout.strip()
        disk = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout.strip()
    finally:
        docker.close()
        shutil.rmtree(folder, ignore_errors=True)
    lines = [f"`tests/bench/image_start.py`: {args.n} of each, Docker Engine with the storage driver {driver} on {disk}; {os.cpu_count()} CPUs.", "",
             "| `docker run` | median ms | max ms |", "| --- | --- | --- |",
             *(f"| {what} | {statistics.median(ms):.0f} | {max(ms):.0f} |" for what, ms in
               (("the image with `busybox true`: the engine alone", engine),
                ("until `docker exec … sundog ready`, a first start", whole)))]
    print("\n".join(lines))
    if args.report:
        write_section(args.report, "The image's start", lines)


main()
