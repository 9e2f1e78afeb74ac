"""Bad input: the right OCI code, and nothing stored. (What the specification itself says about
wrong digests, names and ranges is in tests/conformance.)"""

import json
import socket

import pytest

from harness import web
from harness.store import check_files
from harness.web import digest_of, expect, refused


@pytest.fixture
def unchanged(sundog):
    """No finished blob has come or gone when the test is over."""
    before = check_files(sundog.blobs)
    yield
    assert check_files(sundog.blobs) == before
    assert sundog.status("/readyz") == 200


def raw(sundog, data):
    """Sends bytes as they are, closes that direction, and answers what comes back until the end."""
    with socket.create_connection(("127.0.0.1", sundog.port()), timeout=30) as sock:
        out = b""
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while chunk := sock.recv(65536):
                out += chunk
        except OSError:
            pass
    return out


def first_words(sundog, data):
    """Sends a head whose body is still to come, and answers what the server says to that."""
    with socket.create_connection(("127.0.0.1", sundog.port()), timeout=60) as sock:
        sock.sendall(data)
        return sock.recv(65536)


def head(sundog, method, path, *lines):
    auth = web.basic(*sundog.credentials)
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: localhost:{sundog.port()}", f"Authorization: {auth}",
                        *lines, "", ""]).encode()


@pytest.mark.usefixtures("unchanged")
def test_body_shorter_than_its_length(sundog, repository):
    """Content-Length says more than comes: nothing is stored."""
    url = repository.start()
    path = web.with_query(url.split(str(sundog.port()))[1], digest=digest_of(b"short"))
    answer = raw(sundog, head(sundog, "PUT", path, "Content-Length: 100") + b"short")
    assert not answer or answer.split()[1] in (b"400", b"408"), answer


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999999999999999999", "0x10", "5, 6", ""])
def test_length_that_is_none(sundog, repository, length):
    url = repository.start()
    path = web.with_query(url.split(str(sundog.port()))[1], digest=digest_of(b"hello"))
    answer = raw(sundog, head(sundog, "PUT", path, f"Content-Length: {length}") + b"hello")
    assert not answer or answer.split()[1] in (b"400", b"411", b"413"), answer


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("lines", [
    ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked, identity"],
    ["Transfer-Encoding: gzip, chunked"],
    ["Transfer-Encoding : chunked"],
])
def test_two_lengths(sundog, repository, lines):
    """Request smuggling: a body whose length is told in two ways is refused, and the connection ends."""
    url = repository.start()
    path = web.with_query(url.split(str(sundog.port()))[1], digest=digest_of(b"hello"))
    answer = raw(sundog, head(sundog, "PUT", path, *lines) + b"hello" + head(sundog, "GET", "/v2/"))
    assert answer.count(b"HTTP/1.1 ") <= 1, answer
    assert not answer or answer.split()[1] in (b"400", b"411", b"501", b"417"), answer


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("chunks", [b"zz\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n", b"-5\r\nhello\r\n",
                                    b"5\r\nhello", b"5\r\nhelloXX0\r\n\r\n"])
def test_broken_chunks(sundog, repository, chunks):
    url = repository.start()
    path = web.with_query(url.split(str(sundog.port()))[1], digest=digest_of(b"hello"))
    answer = raw(sundog, head(sundog, "PUT", path, "Transfer-Encoding: chunked") + chunks)
    assert not answer or answer.split()[1] in (b"400", b"413"), answer


@pytest.mark.parametrize("data", [
    b"\x00" * 1000, b"GET", b"GET /v2/\r\n\r\n", b"GET /v2/ HTTP/9.9\r\n\r\n", b"\r\n" * 5000,
    b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    b"GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n", b"GET /v2/ HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET /v2/%ff%fe%00/tags/list HTTP/1.1\r\nHost: x\r\n\r\n", b"GET http://other/v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"TRACE /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT localhost:22 HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=lambda data: repr(data[:24]))
def test_broken_requests(sundog, data):
    """A clear 4xx or a clean close; the service goes on."""
    answer = raw(sundog, data)
    assert not answer or answer.split()[1][:1] in (b"4", b"5"), answer[:200]
    assert sundog.status("/readyz") == 200


HOSTILE = {
    "deep list": b"[" * 200_000,
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep in a field": b'{"schemaVersion":2,"manifests":[],"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "duplicate keys": b'{"schemaVersion":2,"manifests":[],"manifests":[]}',
    "duplicate config": b'{"schemaVersion":2,"config":{"digest":"sha256:%s","digest":"sha256:%s","size":1,'
                        b'"mediaType":"a/b"},"layers":[]}' % (b"0" * 64, b"1" * 64),
    "huge number": b'{"schemaVersion":2,"manifests":[],"n":' + b"9" * 100_000 + b"}",
    "size negative": b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":-1,"digest":"sha256:%s"}]}' % (b"0" * 64),
    "size too large": b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":1e400,"digest":"sha256:%s"}]}' % (b"0" * 64),
    "null bytes": b'{"schemaVersion":2,"manifests":[],"a\\u0000b":"c\\u0000d"}\x00\x00',
    "lone surrogate": b'{"schemaVersion":2,"manifests":[],"a":"\\ud800"}',
    "bad utf-8": b'{"schemaVersion":2,"manifests":[],"a":"\xff\xc0\xaf"}',
    "digest is a list": b'{"schemaVersion":2,"config":{"digest":[],"size":1,"mediaType":"a/b"},"layers":[]}',
    "layers is a text": b'{"schemaVersion":2,"config":{},"layers":"x"}',
    "manifests is a number": b'{"schemaVersion":2,"manifests":7}',
    "trailing text": b'{"schemaVersion":2,"manifests":[]} {"schemaVersion":2}',
    "path in digest": b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":1,"digest":"sha256:../../../etc/passwd"}]}',
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_manifest(repository, name):
    """MANIFEST_INVALID (or another clear code), and the tag does not exist."""
    media_type = web.OCI_MANIFEST if b'"config"' in HOSTILE[name] else web.OCI_INDEX
    refused(repository.put("bad", HOSTILE[name], media_type), (400, 404, 413), "MANIFEST_INVALID", "DIGEST_INVALID",
            "SIZE_INVALID", "MANIFEST_BLOB_UNKNOWN")
    expect(repository.manifest("bad"), 404)


@pytest.mark.usefixtures("unchanged")
def test_many_references(repository):
    """A manifest of 20,000 layers, none of which is there, is refused in one answer."""
    layer = {"mediaType": "a/b", "size": 1, "digest": "sha256:" + "0" * 64}
    manifest = {"schemaVersion": 2, "config": layer, "layers": [layer] * 20_000}
    refused(repository.put("many", manifest, web.OCI_MANIFEST), (400, 404, 413), "MANIFEST_BLOB_UNKNOWN",
            "MANIFEST_INVALID")


@pytest.mark.usefixtures("unchanged")
def test_size_that_is_not_the_blobs(repository):
    """A descriptor whose size differs from the blob's."""
    config = b"{}"
    digest = digest_of(config)
    known = expect(repository.head(f"/blobs/{digest}"), 200, 404).status == 200
    manifest = web.image_manifest(config, [])
    manifest["config"]["size"] = 999
    answer = repository.put("size", manifest, web.OCI_MANIFEST)
    refused(answer, (400, 404), "MANIFEST_INVALID", "SIZE_INVALID", "MANIFEST_BLOB_UNKNOWN")
    assert not known


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 5000, b'{"writeEnabled":' * 1000, b"\xff"],
                         ids=["long", "deep", "nested", "no text"])
def test_hostile_attributes(registry, body):
    repository = registry.repository()
    repository.image("v1")
    answer = registry.request("PATCH", f"/acr/v1/sundog/{repository.name}", body, {"Content-Type": "application/json"})
    expect(answer, 400, 413)
    assert answer.codes()


def test_hostile_form(registry):
    """A token form of a megabyte, of a thousand fields, of broken escapes."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"a=" + b"b" * 1_000_000, b"&".join(b"scope=x%d" % n for n in range(5000)), b"%%%=%zz&=&&&",
                 b"grant_type=password&username=%00&password=%ff"):
        answer = registry.request("POST", "/oauth2/token", body, kind, auth=False)
        expect(answer, 400, 401, 413, 429)


def test_a_body_too_long_that_does_not_tell_its_length(registry):
    """In chunks: the refusal arrives, though the client is still sending."""
    answer = registry.request("POST", "/oauth2/token", (b"a" * 65536 for _ in range(64)),
                              {"Content-Type": "application/x-www-form-urlencoded"}, auth=False)
    expect(answer, 413)


def test_oversize_manifest_is_refused_before_it_is_read(sundog, repository):
    """A Content-Length far above the limit is answered at once, without its body."""
    answer = first_words(sundog, head(sundog, "PUT", f"{repository.path}/manifests/v1",
                                      "Content-Length: 99999999999", f"Content-Type: {web.OCI_MANIFEST}"))
    assert answer.split()[1] == b"413", answer[:300]


def test_body_is_not_read_before_authorisation(sundog, repository):
    """"The request is authorised before its body is read": 401 while the body is still to come."""
    request = (f"POST {repository.path}/blobs/uploads/?digest={digest_of(b'x')} HTTP/1.1\r\n"
               f"Host: localhost:{sundog.port()}\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
    answer = first_words(sundog, request.encode())
    assert answer.split()[1] == b"401", answer[:300]


def test_messages_do_not_tell_of_the_inside(repository):
    """Errors are for users: no file names of ours, no SQL."""
    answer = repository.put("bad", b"{", web.OCI_MANIFEST)
    text = json.dumps(answer.json()).lower()
    for word in ("select ", "insert ", ".c:", "/tmp/", "pg_"):
        assert word not in text
