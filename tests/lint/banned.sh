#!/usr/bin/env bash
# Functions we do not call: unbounded, not thread-safe, or a shell.
set -euo pipefail
cd "$(dirname "$0")/../.."
banned='strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atof|gmtime|localtime|asctime|ctime|system|popen|tmpnam|mktemp|rand'
# comments and texts may name them
found=$(git ls-files '*.c' '*.h' | grep -v '^tests/' | while read -r file; do
    sed -E -e 's/"([^"\\]|\\.)*"/""/g' -e 's,//.*,,' -e 's,/\*.*\*/,,' -e '/^[[:space:]]*\*/s/.*//' \
        -e 's,/\*.*,,' "$file" | grep -nE "(^|[^A-Za-z0-9_>.])($banned)[[:space:]]*\(" | sed "s,^,$file:," || true
done)
[ -z "$found" ] || { printf 'banned functions:\n%s\n' "$found" >&2; exit 1; }
