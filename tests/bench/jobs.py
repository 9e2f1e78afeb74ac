#!/usr/bin/python3
"""How long a job takes to make and to delete: whole commands, as a pipeline starts them.

    tests/bench/jobs.py [--program build/release/sundog] [--n 50] [--report docs/benchmarks.md]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from report import write_section  # noqa: E402


def timed(*command):
    before = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (time.perf_counter() - before) * 1000, done.stdout


def measure(program, data, n):
    told = ("--data", data)
    bare = [timed(program, "--version")[0] for _ in range(n)]
    made = [timed(program, "new", *told, "--format", "json") for _ in range(n)]
    names = [json.loads(said)["SUNDOG_JOB"] for _, said in made]
    gone = [timed(program, "delete", name, *told)[0] for name in names]
    rows = [("`sundog --version`: the process alone", bare), ("`sundog new`", [ms for ms, _ in made]),
            ("`sundog delete` of a job with its registry", gone)]
    return [f"| {name} | {statistics.median(ms):.1f} | {sorted(ms)[int(len(ms) * 0.95)]:.1f} | {max(ms):.1f} |" for name, ms in rows]


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--program", default=f"{TOP}/build/release/sundog")
    ask.add_argument("--n", type=int, default=50)
    ask.add_argument("--report")
    args = ask.parse_args()
    folder = tempfile.mkdtemp(prefix="sj")
    os.chmod(folder, 0o755)
    server = subprocess.Popen([args.program, "serve", "--data", f"{folder}/data", "--listen", "127.0.0.1:0", "--plain-listen",
                               "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert "is ready" in server.stdout.readline()
        rows = measure(args.program, f"{folder}/data", args.n)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)
    lines = [f"`tests/bench/jobs.py`: {args.n} of each one after the other, whole commands (process, sign-in, call); {os.cpu_count()} CPUs.", "",
             "| command | median ms | p95 ms | max ms |", "| --- | --- | --- | --- |", *rows]
    print("\n".join(lines))
    if args.report:
        write_section(args.report, "Jobs", lines)


if __name__ == "__main__":
    main()
