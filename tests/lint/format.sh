#!/usr/bin/env bash
# The C of the tree is as clang-format writes it.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -e .clang-format ] || exit 0
git ls-files '*.c' '*.h' | xargs -r clang-format --dry-run --Werror
