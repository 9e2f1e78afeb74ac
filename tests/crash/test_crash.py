"""kill -9 of the service, of PostgreSQL, and of both, at random moments of a push load.

After each restart: every blob and manifest that was answered 201 is there and hashes right, none is
half there, uploads that were begun can be finished, and the same pushes go on."""

import contextlib
import os
import random
import time

import pytest

from harness import sweep, web
from harness.load import Load
from harness.server import Sundog, wait_until
from harness.store import check_files

ROUNDS = 12  # of each kind


def kill_service(server):
    server.kill()


def kill_postgres(server):
    server.kill_postmaster()


def kill_both(server):
    sweep.kill_all(server.data)
    server.process.wait(60)


def comes_back(server):
    """The service runs again: started by us if it died, else when it has its database back."""
    if server.process.poll() is not None:
        server.start()
    else:
        def well():
            with contextlib.suppress(OSError):
                return server.status("/readyz") == 200
        wait_until(well, f"the service is ready again; it said:\n{server.said()}")
        # readiness may be older than the kill: a request that needs the database tells
        probe = web.by_path(server).repository("load/r0")
        wait_until(lambda: probe.get("/tags/list").status in (200, 404), "a request gets through")


class LongUpload:
    """One upload that goes on across all kills, a chunk at a time."""

    def __init__(self, server):
        self.repository = None
        self.begin(server)

    def begin(self, server):
        self.done = b""
        repository = web.by_path(server).repository("load/long")
        self.path = repository.start().removeprefix(server.plain)

    def go_on(self, server):
        """After a crash: asks how much is there (never less than was answered), sends more."""
        repository = web.by_path(server).repository("load/long")
        answer = web.expect(repository.get(server.plain + self.path), 204)
        have = int(answer["Range"].split("-")[1]) + 1 if self.done else 0
        assert have >= len(self.done), f"{len(self.done)} bytes were answered 202, {have} are there"
        chunk = os.urandom(40_000)
        url = repository.registry.follow(answer)
        answer = web.expect(repository.patch(url, chunk, f"{have}-{have + len(chunk) - 1}"), 202)
        self.done += chunk
        self.path = repository.registry.follow(answer).removeprefix(server.plain)

    def finish(self, server):
        repository = web.by_path(server).repository("load/long")
        digest = web.digest_of(self.done)
        web.expect(repository.finish(server.plain + self.path, digest), 201)
        assert web.expect(repository.get(f"/blobs/{digest}"), 200).body == self.done


@pytest.mark.parametrize("kill", [kill_service, kill_postgres, kill_both])
def test_kill_in_a_push_load(kill):
    with Sundog(build="release") as server:
        long, loads = LongUpload(server), []
        for number in range(ROUNDS):
            load = Load(lambda: web.by_path(server)).start()
            loads.append(load)
            before = load.pushed()
            wait_until(lambda: load.pushed() > before, "pushes go on")
            time.sleep(random.random() * 0.5)
            kill(server)
            comes_back(server)
            wait_until(lambda had=load.pushed(): load.pushed() > had, "the same pushes go on")
            load.stop()
            assert set(load.statuses) <= {200, 201, 202, 204, 404, 503}, load.statuses
            registry = web.by_path(server)
            checked = load.check(registry)
            long.go_on(server)
            print(f"\n{kill.__name__} {number + 1}: {checked} promises kept, answers {load.statuses}")
        registry = web.by_path(server)
        for load in loads:
            load.check(registry)
        long.finish(server)
        check_files(server.blobs)
