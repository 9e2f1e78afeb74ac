#!/usr/bin/python3
"""How long a snapshot takes to save and to load, and a reset, with a store of 1 GiB: whole commands, which return when
the service answers again.

    tests/bench/snapshots.py [--program build/release/sundog] [--mib 1024] [--blobs 256] [--n 5] [--report docs/benchmarks.md]
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), f"{TOP}/tests"]

from harness import web  # noqa: E402
from report import write_section  # noqa: E402


def run(program, data, *words):
    before = time.perf_counter()
    subprocess.run([program, *words, "--data", data], check=True, capture_output=True)
    return (time.perf_counter() - before) * 1000


def fill(base, data, mib, blobs):
    """So many blobs in one image, made of random bytes."""
    with open(f"{data}/admin.json") as file:
        admin = json.load(file)
    repository = web.Registry(base, "sundog/", (admin["registryUsername"], admin["registryPassword"]), web.Http1()).repository("big")
    layers = [os.urandom((mib << 20) // blobs) for _ in range(blobs)]
    for layer in (*layers, b"{}"):
        repository.blob(layer)
    web.expect(repository.put("1", json.dumps(web.image_manifest(b"{}", layers)).encode(), web.OCI_MANIFEST), 201)


def measure(args, base, data):
    times = {"`sundog snapshot save`": [], "`sundog snapshot load`": [], "`sundog reset`": []}
    fill(base, data, args.mib, args.blobs)
    for number in range(args.n):
        name = f"s{number}"
        times["`sundog snapshot save`"].append(run(args.program, data, "snapshot", "save", name))
        times["`sundog reset`"].append(run(args.program, data, "reset"))
        times["`sundog snapshot load`"].append(run(args.program, data, "snapshot", "load", name))
    return [f"| {name} | {statistics.median(ms):.0f} | {max(ms):.0f} |" for name, ms in times.items()]


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--program", default=f"{TOP}/build/release/sundog")
    ask.add_argument("--mib", type=int, default=1024)
    ask.add_argument("--blobs", type=int, default=256)
    ask.add_argument("--n", type=int, default=5)
    ask.add_argument("--report")
    args = ask.parse_args()
    folder = tempfile.mkdtemp(prefix="sn")
    os.chmod(folder, 0o755)
    server = subprocess.Popen([args.program, "serve", "--data", f"{folder}/data", "--listen", "127.0.0.1:0", "--plain-listen",
                               "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        base = re.search(r" (http://\S+)", server.stdout.readline())[1]
        rows = measure(args, base, f"{folder}/data")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)
    lines = [f"`tests/bench/snapshots.py`: a store of {args.mib} MiB in {args.blobs} blobs, {args.n} of each; whole commands, which return when the "
             f"service answers again; {os.cpu_count()} CPUs.", "", "| command | median ms | max ms |", "| --- | --- | --- |", *rows]
    print("\n".join(lines))
    if args.report:
        write_section(args.report, "Snapshots and reset", lines)


if __name__ == "__main__":
    main()
