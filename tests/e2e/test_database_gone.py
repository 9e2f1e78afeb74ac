"""PostgreSQL is killed under load: 503 with Retry-After, nothing half done, then recovery."""

import os
import signal
import time

from harness import web
from harness.load import Load
from harness.postgres import Postgres
from harness.server import Sundog, wait_until
from harness.store import check_files

ALLOWED = {200, 201, 202, 204, 404, 500, 503}


def test_embedded_database_killed_under_load():
    """kill -9 of the postmaster while clients push; the service starts it again by itself."""
    with Sundog() as server:
        load = Load(lambda: web.by_path(server)).start()
        for _ in range(3):
            before = load.pushed()
            wait_until(lambda: load.pushed() > before + 10, "the load pushes")
            pid = wait_until(server.postmaster_pid, "PostgreSQL runs")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: server.status("/readyz") == 200 and server.postmaster_pid() not in (None, pid),
                       "PostgreSQL is back")
        before = load.pushed()
        wait_until(lambda: load.pushed() > before + 10, "pushes go on")
        load.stop()
        assert set(load.statuses) <= ALLOWED, load.statuses
        assert 500 not in load.statuses, f"a missing database is 503, not 500: {load.statuses}"
        assert None not in load.retry_after, "503 without Retry-After"
        load.check(web.by_path(server))
        check_files(server.blobs)


def test_external_database_gone_and_back():
    """An external database is stopped for a while: 503 + Retry-After everywhere, then as before."""
    postgres = Postgres()
    try:
        with Sundog(["--database", postgres.url]) as server:
            registry = web.by_path(server)
            repository = registry.repository()
            digest, data = repository.image("v1")
            url = repository.start()
            postgres.stop("kill")
            for method, path in (("GET", "/manifests/latest"), ("GET", f"/blobs/{web.digest_of(b'x')}"),
                                 ("POST", "/blobs/uploads/"), ("GET", "/tags/list")):
                answer = repository.request(method, path)
                web.refused(answer, 503, "UNAVAILABLE", "TOOMANYREQUESTS", "UNKNOWN", "SERVICE_UNAVAILABLE")
                assert int(answer["Retry-After"]) > 0
            answer = repository.put("v2", data, web.OCI_MANIFEST)
            assert answer.status == 503
            assert server.status("/healthz") == 200
            wait_until(lambda: server.status("/readyz") == 503, "/readyz says so")
            time.sleep(0.5)
            postgres.start()
            wait_until(lambda: server.status("/readyz") == 200, "the service has its database again")
            assert web.expect(repository.manifest(digest), 200).body == data
            assert repository.manifest("v2").status == 404, "a refused push is not half done"
            probe = repository.start()
            wait_until(lambda: repository.patch(probe, b"probe").status != 503, "writes get through")
            web.expect(repository.finish(url, web.digest_of(b"late"), b"late"), 201)
            repository.image("v3")
    finally:
        postgres.close()
