"""The disk of the blobs is full: a clear error, the service alive, and pushes again when there is room."""

import os
import shutil
import subprocess

import pytest

from harness import web
from harness.machine import need
from harness.server import Sundog, fresh_folder, wait_until
from harness.web import expect


@pytest.fixture(params=["reserve", "no reserve"])
def small(request):
    """A server whose blobs lie on a tmpfs of 64 MiB; with a reserve it stops before that is full."""
    need("mount")
    disk = fresh_folder("f")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=0777", "none", disk], check=True)
    try:
        reserve = "16M" if request.param == "reserve" else "0"
        with Sundog(["--free-space-reserve", reserve, "--collect-interval", "1"], blobs=f"{disk}/b") as server:
            server.disk = disk
            yield server
    finally:
        subprocess.run(["umount", "-l", disk], check=False)
        shutil.rmtree(disk, ignore_errors=True)


def test_push_until_full(small):
    registry = web.by_path(small)
    repository = registry.repository()
    kept, refusal = {}, None
    for _ in range(40):
        data = os.urandom(4 << 20)
        answer = repository.request("POST", "/blobs/uploads/")
        if answer.status == 202:
            answer = repository.finish(registry.follow(answer), web.digest_of(data), data)
        if answer.status == 201:
            kept[web.digest_of(data)] = data
        else:
            refusal = answer
            break
    assert refusal, "160 MiB fit on a disk of 64 MiB"
    assert len(kept) >= 5
    expect(refusal, 503, 507, 413)
    assert refusal.codes()
    message = refusal.json()["errors"][0]["message"].lower()
    assert any(word in message for word in ("space", "disk", "full", "storage")), refusal
    # alive, and everything that was answered 201 is whole
    assert small.status("/readyz") == 200
    for digest, data in kept.items():
        assert expect(repository.get(f"/blobs/{digest}"), 200).body == data
    assert "v1" not in (repository.tags().json().get("tags") or [])
    # nothing of the refused upload stays on the disk
    free = os.statvfs(small.disk)
    used = (free.f_blocks - free.f_bfree) * free.f_bsize
    assert used < sum(map(len, kept.values())) + (5 << 20)
    # room again: whoever waited can push
    subprocess.run(["mount", "-o", "remount,size=128m", small.disk], check=True)

    def pushes():
        answer = repository.request("POST", "/blobs/uploads/")
        if answer.status != 202:
            return False
        data = os.urandom(2 << 20)
        return repository.finish(registry.follow(answer), web.digest_of(data), data).status == 201

    wait_until(pushes, "a push works again", pause_s=0.5)
