"""kill -9 of the service, of PostgreSQL, and of both, while objects of a cluster are written and watched.

After each restart: what was promised is there, what was deleted stays deleted, revisions go on rising, the same
clients go on, and no watcher was told of what was not kept."""

import contextlib
import os
import random
import signal
import time

import pytest

from harness import sweep
from harness.clusters import Clusters
from harness.machine import need
from harness.objects import BROKEN, Api, Watcher, Writers, check_kept, check_watcher, revision
from harness.server import Sundog, wait_until

ROUNDS = 6  # of each kind


def kill_service(server):
    server.kill()


def kill_postgres(server):
    server.kill_postmaster()


def kill_a_backend(server):
    """PostgreSQL ends all sessions and starts over by itself."""
    for child in sweep.children_of(wait_until(server.postmaster_pid, "PostgreSQL runs")):
        with contextlib.suppress(OSError), open(f"/proc/{child}/cmdline", "rb") as file:
            if b"sundog" in file.read():
                os.kill(child, signal.SIGKILL)
                return


def kill_both(server):
    sweep.kill_all(server.data)
    server.process.wait(60)


def answers(api, path):
    with contextlib.suppress(*BROKEN):
        return api("GET", path)[0] == 200
    return False


def writes_go_on(api, writers):
    before = writers.count()
    wait_until(lambda: writers.count() > before + 20, "the same clients go on")


def told_of_nothing_else(writers, watcher):
    """Each value that an event or a list showed was asked for by a writer that was not refused."""
    asked = {write.value for write in writers.writes + writers.unknown}
    for listed, events in watcher.runs:
        for thing in listed["items"] + [event[3] for event in events]:
            value = (thing.get("data") or {}).get("v")
            assert value is None or value in asked, f"{value} was refused, and shown"


def kept_in_order(writers):
    """By one client's clock: what was asked for after an answer has a greater revision, across restarts too."""
    told = sorted((write for write in writers.writes if write.revision), key=lambda write: write.told)
    highest = 0
    position = 0
    for write in sorted(told, key=lambda write: write.asked):
        while position < len(told) and told[position].told < write.asked:
            highest = max(highest, told[position].revision)
            position += 1
        assert write.revision > highest, f"{write} after {highest} was promised"


@pytest.mark.parametrize("kill", [kill_service, kill_postgres, kill_a_backend, kill_both])
def test_kill_under_load(kill):
    need("root")
    with Sundog(build="release") as server:
        clusters = Clusters(server)
        api = Api(clusters.kubeconfig(clusters.create()))
        status, _ = api("POST", "/api/v1/namespaces", {"metadata": {"name": "load"}})
        assert status == 201
        writers = Writers(api, "load")
        watchers = [Watcher(api, writers.path).start(), Watcher(api, writers.path, "half=a").start()]
        writers.start()
        for number in range(ROUNDS):
            writes_go_on(api, writers)
            time.sleep(random.random() * 0.3)
            kill(server)
            if server.process.poll() is not None:
                server.start()
            wait_until(lambda: answers(api, writers.path), f"the cluster answers; it said:\n{server.said()}")
            writes_go_on(api, writers)
            print(f"\n{kill.__name__} {number + 1}: {writers.count()} writes, answers {writers.statuses}")
        writers.stop()
        assert set(writers.statuses) <= {0, 200, 201, 404, 409, 500, 503, 504}, writers.statuses
        final = api("GET", writers.path)[1]
        wait_until(lambda: watchers[0].last >= max((revision(one) for one in final["items"]), default=0), "the last is seen")
        for watcher in watchers:
            watcher.stop()
            check_watcher(watcher)
            told_of_nothing_else(writers, watcher)
        check_kept(writers, final)
        kept_in_order(writers)
