#!/usr/bin/python3
"""No function over 70 lines, no C file over 800."""

import os
import re
import subprocess
import sys

FUNCTION_MAX, FILE_MAX = 70, 800


def functions(lines):
    """(name, first line, lines) of each function: from a brace in column 0 to the next closing one."""
    for number, line in enumerate(lines):
        if line.rstrip() != "{":
            continue
        end = next((n for n in range(number, len(lines)) if lines[n].rstrip() == "}"), len(lines) - 1)
        head = number - 1
        while head > 0 and lines[head - 1].strip() and not lines[head - 1].rstrip().endswith((";", "}", "*/")):
            head -= 1
        name = re.search(r"(\w+)\s*\(", " ".join(lines[head:number]))
        yield name[1] if name else "?", head + 1, end - number + 1


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    files = subprocess.run(["git", "ls-files", "*.c", "*.h"], capture_output=True, text=True, check=True)
    problems = []
    for path in files.stdout.split():
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        if len(lines) > FILE_MAX:
            problems.append(f"{path}: {len(lines)} lines, more than {FILE_MAX}")
        for name, first, count in functions(lines):
            if count > FUNCTION_MAX:
                problems.append(f"{path}:{first}: {name} has {count} lines, more than {FUNCTION_MAX}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
