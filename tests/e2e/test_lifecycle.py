"""Start, ready, restart, listeners, graceful end, and the small commands."""

import json
import os
import signal
import socket
import threading

import pytest

from harness import web
from harness.machine import need
from harness.server import Sundog, run_tool, wait_until
from harness.web import digest_of, expect


def test_restart_keeps_everything():
    """The same data folder after SIGTERM, and after kill -9; start-up times are printed, not judged."""
    with Sundog(build="release") as server:
        first = server.start_s
        repository = web.by_path(server).repository("kept/here")
        digest, data = repository.image("v1")
        url = repository.registry.follow(expect(repository.patch(repository.start(), b"half "), 202))
        path = url.removeprefix(server.plain)
        credentials = server.credentials
        assert server.stop() == 0
        server.start()
        clean = server.start_s
        repository = web.by_path(server).repository("kept/here")
        assert server.credentials == credentials
        assert expect(repository.manifest("v1"), 200).body == data
        server.kill()
        server.start()
        crash = server.start_s
        repository = web.by_path(server).repository("kept/here")
        assert expect(repository.manifest(digest), 200).body == data
        expect(repository.finish(server.plain + path, digest_of(b"half done"), b"done"), 201)
        print(f"\nstart-up: first {first:.2f} s, after a clean stop {clean:.2f} s, after kill -9 {crash:.2f} s")


def test_one_server_a_folder(sundog):
    """A second `serve` on the same folder ends and says why."""
    second = Sundog(data=sundog.data)
    second.output = sundog.data + ".second"
    endpoints = open(f"{sundog.data}/endpoints.json").read()
    second.start(wait=False)
    assert second.process.wait(120) != 0
    assert second.said().strip()
    with open(f"{sundog.data}/endpoints.json", "w") as file:
        file.write(endpoints)
    assert sundog.status("/readyz") == 200


def test_taken_port(sundog):
    """A taken port ends the start with a message that names the flag."""
    other = Sundog(["--plain-listen", f"127.0.0.1:{sundog.port()}", "--listen", "127.0.0.1:0"])
    try:
        other.start(wait=False)
        assert other.process.wait(120) != 0
        assert "--plain-listen" in other.said() and str(sundog.port()) in other.said(), other.said()
    finally:
        other.close()


def test_ipv6():
    """IPv4 and IPv6 listeners, plain and TLS."""
    need("ipv6", "curl")
    args = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0", "--plain-listen", "127.0.0.1:0",
            "--plain-listen", "[::1]:0"]
    with Sundog(args) as server:
        for kind in ("plain", "https"):
            (url,) = [url for url in server.endpoints[kind] if "[::1]" in url]
            send = web.Curl(server.ca if kind == "https" else None, ["--http1.1"])
            registry = web.Registry(url, "sundog/", server.credentials, send)
            repository = registry.repository()
            _, data = repository.image("v1")
            assert expect(repository.manifest("v1"), 200).body == data
            answer = expect(registry.get("/v2/", auth=False), 401)
            assert f'realm="{url.rstrip("/")}/oauth2/token"' in answer["WWW-Authenticate"]


def test_plain_listener_stays_on_loopback():
    """Plain HTTP never leaves loopback without --insecure-plain."""
    server = Sundog(["--plain-listen", "0.0.0.0:0", "--listen", "127.0.0.1:0"])
    try:
        server.start(wait=False)
        assert server.process.wait(120) != 0
        assert "--insecure-plain" in server.said(), server.said()
    finally:
        server.close()


def refuses(address):
    try:
        socket.create_connection(address, timeout=60).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # the listener was closed just then
    return False


def test_sigterm_finishes_an_upload_and_a_download():
    """SIGTERM drains: requests under way are finished, new connections are refused."""
    with Sundog(["--drain-timeout", "100"]) as server:
        repository = web.by_path(server).repository()
        data = os.urandom(6 << 20)
        stored = repository.blob(data)
        upload = web.with_query(repository.start(), digest=digest_of(b"x" * 40))
        auth = f"Host: 127.0.0.1:{server.port()}\r\nAuthorization: {web.basic(*server.credentials)}\r\n"
        path = "/" + upload.split("/", 3)[3]
        address = ("127.0.0.1", server.port())
        with socket.create_connection(address, timeout=60) as up, socket.create_connection(address, timeout=60) as down:
            up.sendall(f"PUT {path} HTTP/1.1\r\n{auth}Content-Length: 40\r\nExpect: 100-continue\r\n\r\n".encode())
            assert up.recv(1000).split()[1] == b"100"  # it is under way
            up.sendall(b"x" * 10)
            down.sendall(f"GET {repository.path}/blobs/{stored} HTTP/1.1\r\n{auth}\r\n".encode())
            got = down.recv(1000)
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: refuses(address), "new connections are refused")
            up.sendall(b"x" * 30)
            assert up.recv(65536).split()[1] == b"201"
            while not got.endswith(data[-100:]):
                chunk = down.recv(1 << 20)
                assert chunk, "the download was cut"
                got += chunk
            assert got.split(b"\r\n\r\n", 1)[1] == data
        assert server.process.wait(120) == 0, server.said()


def test_sigterm_while_idle_clients_stay():
    """Kept connections do not hold the end up; the embedded PostgreSQL ends too."""
    with Sundog() as server:
        registry = web.by_path(server)
        expect(registry.get("/v2/"), 200)  # stays connected
        tls = web.by_name(server)
        expect(tls.get("/v2/"), 200)
        postmaster = server.postmaster_pid()
        assert postmaster
        assert server.stop() == 0, server.said()
        assert server.postmaster_pid() is None
        assert not os.path.exists(f"/proc/{postmaster}")


def test_health_and_metrics(sundog):
    """/healthz, /readyz and /metrics on both listeners, without credentials."""
    for registry in (web.by_path(sundog), web.by_name(sundog)):
        for path in ("/healthz", "/readyz"):
            expect(registry.get(path, auth=False), 200)
        answer = expect(registry.get("/metrics", auth=False), 200)
        assert answer["Content-Type"].startswith("text/plain")
        lines = answer.body.decode().splitlines()
        assert any(line.startswith("# TYPE ") and line.endswith(" counter") for line in lines)
        assert any(line.startswith("# TYPE ") and line.endswith(" histogram") for line in lines)
        for line in lines:
            assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) is not None


def test_ca_is_served(sundog):
    """GET /ca.pem is DIR/tls/ca.pem."""
    with open(sundog.ca, "rb") as file:
        assert expect(web.by_path(sundog).get("/ca.pem", auth=False), 200).body.strip() == file.read().strip()


def test_doctor(sundog):
    """`sundog doctor` names what it looked at."""
    done = run_tool("doctor", "--data", sundog.data)
    assert done.returncode in (0, 1), done.stderr
    assert len(done.stdout.splitlines()) >= 3


def test_help_and_routes():
    """--help and routes print their tables; a wrong flag ends with 2 or 1 and a hint."""
    assert "--data" in run_tool("serve", "--help").stdout
    assert "/v2/" in run_tool("routes").stdout
    done = run_tool("serve", "--no-such-flag")
    assert done.returncode != 0 and "no-such-flag" in done.stderr


def test_many_requests_while_starting():
    """Clients that come before the database is ready get 503 or no answer, never an error page."""
    with Sundog() as server:
        server.stop()
        seen, stop = set(), threading.Event()

        def ask():
            while not stop.is_set():
                try:
                    seen.add(server.status("/v2/"))
                except OSError:
                    pass

        thread = threading.Thread(target=ask)
        thread.start()
        server.args += ["--listen", "127.0.0.1:0", "--plain-listen", f"127.0.0.1:{server.port()}"]
        server.start()
        wait_until(lambda: 401 in seen, "the service answers")
        stop.set()
        thread.join(60)
        assert seen <= {401, 503}, seen
