"""The content store as it lies on disk: every file's name is the hash of its bytes."""

import hashlib
import os
import re

NAME = re.compile(r"[0-9a-f]{64}|[0-9a-f]{128}")


def blob_files(folder):
    """{digest: path} of all finished blobs below a blob folder (temporary files left out)."""
    found = {}
    for algorithm in ("sha256", "sha512"):
        for path, _, names in os.walk(os.path.join(folder, algorithm)):
            for name in names:
                if NAME.fullmatch(name):
                    found[f"{algorithm}:{name}"] = os.path.join(path, name)
    return found


def file_digest(path, algorithm):
    hasher = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return f"{algorithm}:{hasher.hexdigest()}"


def check_files(folder):
    """Every finished file hashes to its name; answers the digests."""
    found = blob_files(folder)
    for digest, path in found.items():
        assert file_digest(path, digest.split(":")[0]) == digest, f"{path} is damaged"
    return set(found)
