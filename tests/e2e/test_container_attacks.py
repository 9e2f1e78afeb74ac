"""What a server that has been taken over, an image, and a container try on the machine: it stays as it was."""

import os
import shutil

import pytest

from harness.machine import need
from harness.server import Sundog, fresh_folder, wait_until


# the server's user, who owns the data folder


@pytest.mark.parametrize("name", ["tls", "blobs", "postgres-socket"])
def test_a_link_in_the_data_folder_gives_nothing_away(name):
    need("root")
    folder = fresh_folder("a")
    data, prey = f"{folder}/data", f"{folder}/prey"
    os.makedirs(data)
    shutil.chown(data, "sundog", "sundog")
    os.mkdir(prey, 0o700)
    os.symlink(prey, f"{data}/{name}")
    server = Sundog(data=data)
    try:
        server.start(wait=False)
        wait_until(lambda: server.process.poll() is not None or os.path.exists(f"{data}/endpoints.json"),
                   "it has decided")
        assert f"{data}/{name}" in server.said() and server.process.returncode != 0
        kept = os.stat(prey)
        assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o777) == (0, 0, 0o700)
        # what is the server's already may be anywhere
        if name != "postgres-socket":
            shutil.chown(prey, "sundog", "sundog")
            server.start()
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
