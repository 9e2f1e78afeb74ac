#!/usr/bin/python3
"""How long a snapshot takes to save and to load, and a reset, with a store of 1 GiB: whole commands, which return when
the service answers again.

    tests/bench/snapshots.py [--program build/release/sundog] [--mib 1024] [--blobs 256] [--n 5] [--report docs/benchmarks.md]
"""

import json
import os
import statistics
import subprocess
import sys
import time

from commands import TOP, main

sys.path.insert(0, f"{TOP}/tests")

from harness import web  # noqa: E402


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
    lines = [f"| {name} | {statistics.median(ms):.0f} | {max(ms):.0f} |" for name, ms in times.items()]
    return [f"`tests/bench/snapshots.py`: a store of {args.mib} MiB in {args.blobs} blobs, {args.n} of each; whole commands, which return when the "
            f"service answers again; {os.cpu_count()} CPUs.", "", "| command | median ms | max ms |", "| --- | --- | --- |", *lines]


if __name__ == "__main__":
    main(__doc__, "Snapshots and reset", {"mib": 1024, "blobs": 256, "n": 5}, measure)
