"""Clients that leave, that are slow, and thousands that say nothing."""

import os
import resource
import socket
import ssl
import time

import pytest

from harness import web
from harness.server import Sundog
from harness.web import digest_of, expect

IDLE = 5000
IDLE_RSS_MIB = 256  # of the issue: "RssAnon < 256 MiB with 5,000 idle connections"


def request_head(sundog, method, url, *lines):
    path = "/" + url.split("/", 3)[3]
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{sundog.port()}",
                        f"Authorization: {web.basic(*sundog.credentials)}", *lines, "", ""]).encode()


def connect(sundog):
    return socket.create_connection(("127.0.0.1", sundog.port()), timeout=60)


def test_client_gone_in_the_middle_of_a_body(sundog, repository):
    """The upload is still there, says how much it has, and goes on from there."""
    data = os.urandom(3 << 20)
    url = repository.start()
    with connect(sundog) as sock:
        sock.sendall(request_head(sundog, "PATCH", url, f"Content-Length: {len(data)}") + data[:2 << 20])
        time.sleep(0.3)
    answer = expect(repository.get(url), 204)
    while answer.status != 202:  # the lost request may still be written: 409, or 416 tells anew where to go on
        first, _, last = answer["Range"].partition("-")
        have = int(last) + 1 if int(last) else 0
        assert first == "0" and have <= 2 << 20
        if answer.header("Location"):
            url = repository.registry.follow(answer)
        answer = repository.patch(url, data[have:], f"{have}-{len(data) - 1}")
        if expect(answer, 202, 416, 409).status == 409:
            time.sleep(0.05)
            answer = expect(repository.get(url), 204)
    expect(repository.finish(repository.registry.follow(answer), digest_of(data)), 201)
    assert expect(repository.get(f"/blobs/{digest_of(data)}"), 200).body == data


def test_clients_gone_while_pulling(sundog, repository):
    """Fifty clients that ask for a blob and leave; the next one gets it whole."""
    data = os.urandom(8 << 20)
    digest = repository.blob(data)
    url = f"{sundog.plain}{repository.path}/blobs/{digest}"
    for _ in range(50):
        with connect(sundog) as sock:
            sock.sendall(request_head(sundog, "GET", url))
            sock.recv(1000)
    assert expect(repository.get(f"/blobs/{digest}"), 200).body == data


def test_slow_client(sundog, repository):
    """A body and a head that come byte by byte are answered as others are; nobody else waits."""
    data = b"slowly but surely"
    url = web.with_query(repository.start(), digest=digest_of(data))
    with connect(sundog) as sock:
        for byte in request_head(sundog, "PUT", url, f"Content-Length: {len(data)}"):
            sock.sendall(bytes([byte]))
        for byte in data:
            sock.sendall(bytes([byte]))
            assert sundog.status("/healthz") == 200
            time.sleep(0.05)
        assert sock.recv(65536).split()[1] == b"201"
    assert expect(repository.get(f"/blobs/{digest_of(data)}"), 200).body == data


def test_slow_reader(sundog, repository):
    """A client that hardly reads costs no memory: the answer waits in the file."""
    data = os.urandom(48 << 20)
    digest = repository.blob(data)
    before = sundog.memory_kib()
    socks = []
    for _ in range(8):
        sock = connect(sundog)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(request_head(sundog, "GET", f"{sundog.plain}{repository.path}/blobs/{digest}"))
        socks.append(sock)
    time.sleep(1)
    grown = sundog.memory_kib() - before
    for sock in socks:
        sock.close()
    assert grown < 100 << 10, f"eight slow readers of a 48 MiB blob cost {grown} KiB"


def test_pipelined_requests(sundog):
    """Several requests in one packet are answered one after the other."""
    request = request_head(sundog, "GET", f"{sundog.plain}/v2/")
    with connect(sundog) as sock:
        sock.sendall(request * 5)
        sock.shutdown(socket.SHUT_WR)
        out = b""
        while chunk := sock.recv(65536):
            out += chunk
    assert out.count(b"HTTP/1.1 200") == 5, out


def test_kept_connection_after_an_upload(sundog, repository):
    """HEAD, POST, the body and the next HEAD on one kept connection, as docker sends them."""
    data = os.urandom(100_000)
    expect(repository.head(f"/blobs/{digest_of(data)}"), 404)
    url = repository.start()
    expect(repository.finish(repository.registry.follow(expect(repository.patch(url, data), 202)), digest_of(data)), 201)
    expect(repository.head(f"/blobs/{digest_of(data)}"), 200)


def ask(sock):
    """One request on a connection that stays; the whole answer is read."""
    sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\nok\n"):
        chunk = sock.recv(4096)
        assert chunk, "an idle connection was closed"
        answer += chunk
    assert answer.startswith(b"HTTP/1.1 200"), answer


@pytest.mark.parametrize("scheme", ["plain", "https"])
def test_idle_connections(scheme):
    """Five thousand clients that asked once and stay; the release build, whose memory counts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 300), hard))
    socks = []
    try:
        with Sundog(["--idle-timeout", "3600"], build="release") as server:
            before = server.memory_kib()
            context = ssl.create_default_context(cafile=server.ca)
            for _ in range(count):
                sock = socket.create_connection(("127.0.0.1", server.port(scheme)), timeout=60)
                if scheme == "https":
                    sock = context.wrap_socket(sock, server_hostname="sundog.azurecr.localhost")
                ask(sock)
                socks.append(sock)
            used = server.memory_kib() / 1024
            print(f"\n{count} idle {scheme} connections: RssAnon {used:.1f} MiB (before: {before / 1024:.1f} MiB)")
            assert used < IDLE_RSS_MIB
            registry = web.by_path(server) if scheme == "plain" else web.by_name(server)
            registry.repository().image("v1")
            for sock in socks[::100]:  # they were not closed
                ask(sock)
    finally:
        for sock in socks:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
