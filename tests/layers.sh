#!/usr/bin/env bash
# The arrows of the house: a folder includes only headers of itself and of folders to its left.
#     core <- auth <- registry <- instances <- clusters <- api <- web        main.c, tests and deploy see all
set -euo pipefail
cd "$(dirname "$0")/.."
layers=(core auth registry instances clusters api web)
status=0
allowed=''
for folder in "${layers[@]}"; do
    allowed="$allowed${allowed:+|}$folder"
    [ -d "$folder" ] || continue
    # every include of ours starts at the root: "registry/blob.h", never "blob.h" or "../core/op.h"
    wrong=$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' "$folder" --include='*.[ch]' |
        grep -vE "\"($allowed)/[^\"]*\"" || true)
    if [ -n "$wrong" ]; then
        printf '%s may include only headers of: %s\n%s\n' "$folder" "${allowed//|/ }" "$wrong" >&2
        status=1
    fi
done
# Within clusters: object <- store <- rest <- controller <- network <- node <- http <- the folder itself.
inner=(object store rest controller network node http)
allowed='clusters/cluster\.h'
for folder in "${inner[@]}"; do
    allowed="$allowed|clusters/$folder/[^\"]*"
    wrong=$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"clusters/' "clusters/$folder" --include='*.[ch]' |
        grep -vE "\"($allowed)\"" || true)
    if [ -n "$wrong" ]; then
        printf 'clusters/%s may include of clusters only: %s\n%s\n' "$folder" "$allowed" "$wrong" >&2
        status=1
    fi
done
exit $status
