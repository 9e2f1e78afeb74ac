"""Power loss in a push load: everything that was answered 201 is there and hashes right, and the
same pushes go on. And: with one kind of fsync taken out, this test must notice the loss."""

import random
import time

import pytest

from harness import web
from harness.load import Load
from harness.server import Sundog, wait_until
from powerloss_disk import Disk, build

ROUNDS = 6


@pytest.fixture(scope="module")
def library():
    return build()


def prepare(library, ignore=""):
    """A server that was set up and cleanly stopped, on a disk of the model."""
    server = Sundog(["--pg-fast-init"], build="release")
    server.start()
    assert server.stop() == 0, server.said()
    return server, Disk(library, server.data, server.blobs, ignore)


def push_until_cut(server, disk, least):
    """Starts under the shim, pushes at least so many things, and cuts at a random moment."""
    server.env = disk.env
    server.start()
    load = Load(lambda: web.by_path(server), threads=3, blob_max=30_000).start()
    wait_until(lambda: load.pushed() >= least, "the load pushes")
    time.sleep(random.random())
    disk.cut()
    server.process.wait(60)
    load.stop()
    server.env = {}
    return load


def test_nothing_promised_is_lost(library):
    server, disk = prepare(library)
    loads = []
    try:
        for number in range(ROUNDS):
            loads.append(push_until_cut(server, disk, 20))
            server.start()  # without the shim: the machine is up again
            registry = web.by_path(server)
            checked = sum(load.check(registry) for load in loads[-2:])
            print(f"\nround {number + 1}: {checked} promises kept")
            registry.repository("load/r0").image("again")
            assert server.stop() == 0, server.said()
            disk.snapshot()
        server.start()
        registry = web.by_path(server)
        for load in loads:
            load.check(registry)
        web.expect(registry.repository("hello").manifest("latest"), 200)
    finally:
        server.close()


@pytest.mark.parametrize("ignore", ["blob", "dir", "wal"])
def test_a_missing_fsync_is_noticed(library, ignore):
    """POWERLOSS_IGNORE equals a build without this fsync: the check above must fail."""
    server, disk = prepare(library, ignore)
    try:
        load = push_until_cut(server, disk, 40)
        with pytest.raises(AssertionError):
            server.start()
            load.check(web.by_path(server))
    finally:
        server.close()
