"""What benchmarks of whole commands share: a Sundog of their own, and what is told of it."""

import argparse
import os
import re
import shutil
import subprocess
import tempfile

from report import write_section

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(doc, title, options, measure):
    """options: numbers and what they are without being given. measure(args, base, data) makes the section's lines."""
    ask = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--program", default=f"{TOP}/build/release/sundog")
    for name, number in options.items():
        ask.add_argument(f"--{name}", type=int, default=number)
    ask.add_argument("--report")
    args = ask.parse_args()
    folder = tempfile.mkdtemp(prefix="sb")
    os.chmod(folder, 0o755)
    server = subprocess.Popen([args.program, "serve", "--data", f"{folder}/data", "--listen", "127.0.0.1:0", "--plain-listen",
                               "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        base = re.search(r" (http://\S+)", server.stdout.readline())[1]
        lines = measure(args, base, f"{folder}/data")
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)
    print("\n".join(lines))
    if args.report:
        write_section(args.report, title, lines)
