#!/usr/bin/env bash
# What the program prints of itself is what the docs say: routes and settings.
set -euo pipefail
cd "$(dirname "$0")/../.."
sundog=${SUNDOG_PROGRAM:-}
for build in asan release tsan; do
    [ -n "$sundog" ] || [ ! -x "build/$build/sundog" ] || sundog=build/$build/sundog
done
[ -n "$sundog" ] || { echo 'docs: there is no build/asan/sundog to ask' >&2; exit 1; }
status=0
same() { # file command...
    local file=$1
    shift
    if ! diff -u --label "$file" --label "$*" "$file" <("$@") >&2; then
        echo "docs: $file is not what this prints: $*" >&2
        status=1
    fi
}
same docs/api/routes.md "$sundog" routes
same docs/help.txt "$sundog" serve --help
exit $status
