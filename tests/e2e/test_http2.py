"""HTTP/2 clients that do not play by the rules: rapid reset and its relatives. The service lives,
answers others meanwhile, and either limits or closes the connection."""

import time

import pytest

from harness import web
from harness.h2 import CONTINUATION, END_HEADERS, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, Connection, frame, headers
from harness.h2 import DATA, WINDOW_UPDATE
from harness.server import wait_until
from harness.web import expect


@pytest.fixture
def connection(sundog):
    made = Connection(sundog.port("https"), sundog.ca)
    yield made
    made.close()


def still_well(sundog):
    """Others are answered, and the service has not grown without bound."""
    assert sundog.process.poll() is None, sundog.said()
    assert sundog.status("/readyz") == 200
    web.by_path(sundog).repository().image("v1")
    # HTTP/2 is refused while very many of its requests have been given up half way: until what was sent has been read
    wait_until(lambda: expect(web.by_http2(sundog).get("/v2/"), 200, 503).status == 200, "HTTP/2 is answered")


def send_all(connection, data):
    """The server may close while we send: that is an answer too."""
    try:
        connection.send(data)
        return True
    except OSError:
        return False


def test_ordinary_request(connection):
    """The raw client itself is right: GET /healthz answers."""
    connection.send(connection.request(1, "GET", "/healthz"))
    while True:
        got = connection.read_frame()
        assert got, "the connection was closed"
        if got[0] == HEADERS and got[2] == 1:
            return


@pytest.mark.parametrize("path", ["/healthz", "/v2/sundog/hello/manifests/latest", "/v2/sundog/hello/tags/list"])
def test_rapid_reset(sundog, connection, path):
    """CVE-2023-44487: 20,000 requests, each reset at once."""
    auth = ("authorization", web.basic(*sundog.credentials))
    start, stream = time.monotonic(), 1
    for _ in range(200):
        burst = b""
        for _ in range(100):
            burst += connection.request(stream, "GET", path, auth) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
            stream += 2
        if not send_all(connection, burst):
            break
        assert sundog.status("/healthz") == 200
    print(f"\nrapid reset: {(stream - 1) // 2} streams in {time.monotonic() - start:.2f} s")
    still_well(sundog)


def test_reset_of_uploads(sundog, connection):
    """Bodies that are begun and reset: nothing of them stays."""
    auth = ("authorization", web.basic(*sundog.credentials))
    for number in range(300):
        stream = 2 * number + 1
        data = connection.request(stream, "POST", "/v2/sundog/h2/blobs/uploads/?digest=sha256:" + "0" * 64, auth, end=False)
        data += frame(DATA, 0, stream, b"x" * 100) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
        if not send_all(connection, data):
            break
    still_well(sundog)


def test_too_many_streams(sundog, connection):
    """More open streams than SETTINGS_MAX_CONCURRENT_STREAMS."""
    data = b"".join(connection.request(2 * n + 1, "GET", "/v2/_catalog") for n in range(2000))
    send_all(connection, data)
    still_well(sundog)


def test_continuation_flood(sundog, connection):
    """CVE-2024-27316: a head that never ends."""
    block = headers("GET", "/healthz", connection.authority)
    send_all(connection, frame(HEADERS, 0, 1, block))
    for _ in range(5000):
        if not send_all(connection, frame(CONTINUATION, 0, 1, b"\x00\x05x-fil\x3f" + b"y" * 63)):
            break
    still_well(sundog)


@pytest.mark.parametrize("flood", ["ping", "settings", "window", "empty data"])
def test_floods(sundog, connection, flood):
    """CVE-2019-9512 and the like: frames that cost only the receiver."""
    send_all(connection, connection.request(1, "POST", "/v2/sundog/flood/blobs/uploads/", end=False))
    one = {"ping": frame(PING, 0, 0, b"12345678"), "settings": frame(SETTINGS, 0, 0),
           "window": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"), "empty data": frame(DATA, 0, 1)}[flood]
    connection.sock.settimeout(5)
    for _ in range(100):
        if not send_all(connection, one * 200):
            break
    still_well(sundog)


@pytest.mark.parametrize("data", [
    b"\xff" * 100, frame(HEADERS, END_HEADERS, 2, b"\x82"), frame(HEADERS, END_HEADERS, 1, b"\xff" * 50),
    frame(DATA, 0, 7, b"never opened"), frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), frame(SETTINGS, 0, 1),
    frame(0x55, 0xff, 1, b"unknown kind"), frame(GOAWAY, 0, 0, b"\0" * 8), b"\x00\xff\xff\x00\x00\x00\x00\x00\x01",
], ids=lambda data: repr(data[:14]))
def test_broken_frames(sundog, connection, data):
    send_all(connection, data)
    still_well(sundog)
