#!/usr/bin/env bash
# Shell scripts parse; Python compiles.
set -euo pipefail
cd "$(dirname "$0")/../.."
git ls-files | while read -r file; do
    [ -f "$file" ] || continue
    case $(head -c 40 "$file" | head -n 1 | tr -d '\0') in
        '#!'*bash*) bash -n "$file" ;;
        '#!'*python*) /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" ;;
        *) case $file in
            *.py) /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" ;;
        esac ;;
    esac
done
