#!/usr/bin/python3
"""How long a job takes to make and to delete: whole commands, as a pipeline starts them.

    tests/bench/jobs.py [--program build/release/sundog] [--n 50] [--report docs/benchmarks.md]
"""

import json
import os
import statistics
import subprocess
import time

from commands import main


def timed(*command):
    before = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (time.perf_counter() - before) * 1000, done.stdout


def measure(args, _, data):
    program, n, told = args.program, args.n, ("--data", data)
    bare = [timed(program, "--version")[0] for _ in range(n)]
    made = [timed(program, "new", *told, "--format", "json") for _ in range(n)]
    names = [json.loads(said)["SUNDOG_JOB"] for _, said in made]
    gone = [timed(program, "delete", name, *told)[0] for name in names]
    rows = [("`sundog --version`: the process alone", bare), ("`sundog new`", [ms for ms, _ in made]),
            ("`sundog delete` of a job with its registry", gone)]
    lines = [f"| {name} | {statistics.median(ms):.1f} | {sorted(ms)[int(len(ms) * 0.95)]:.1f} | {max(ms):.1f} |" for name, ms in rows]
    return [f"`tests/bench/jobs.py`: {n} of each one after the other, whole commands (process, sign-in, call); {os.cpu_count()} CPUs.", "",
            "| command | median ms | p95 ms | max ms |", "| --- | --- | --- | --- |", *lines]


if __name__ == "__main__":
    main(__doc__, "Jobs", {"n": 50}, measure)
