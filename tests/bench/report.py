"""docs/benchmarks.md has one section a benchmark; each writes its own and leaves the others."""

import os
import re

HEAD = "# Benchmarks\n"


def write_section(path, title, lines):
    """Replaces (or adds) the section `## title`."""
    text = HEAD
    if os.path.exists(path):
        with open(path) as file:
            text = file.read()
    section = f"## {title}\n\n" + "\n".join(lines).strip() + "\n"
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", text, re.M | re.S)
    if found:
        text = text[:found.start()] + section + "\n" * bool(text[found.end():]) + text[found.end():]
    else:
        text = text.rstrip() + "\n\n" + section
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as file:
        file.write(text.rstrip() + "\n")
