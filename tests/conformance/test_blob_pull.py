"""end-2: GET and HEAD of blobs, whole and in ranges; end-10: their deletion."""

import email
import os

import pytest

from harness.web import digest_of, expect, refused

DATA = bytes(range(256)) * 4  # 1024 bytes, each place recognisable


@pytest.fixture
def blob(repository):
    return f"/blobs/{repository.blob(DATA)}"


def ranged(repository, blob, value, method="GET"):
    return repository.request(method, blob, headers={"Range": value})


def test_get(repository, blob):
    """end-2: GET → 200, the bytes, Content-Length and Docker-Content-Digest (MUST in main)."""
    answer = expect(repository.get(blob), 200)
    assert answer.body == DATA
    assert answer["Content-Length"] == "1024"
    assert answer["Docker-Content-Digest"] == digest_of(DATA)
    assert answer["Content-Type"] == "application/octet-stream"


def test_head(repository, blob):
    """end-2: HEAD → 200 with the headers of GET and no body."""
    answer = expect(repository.head(blob), 200)
    assert answer.body == b""
    assert answer["Content-Length"] == "1024"
    assert answer["Docker-Content-Digest"] == digest_of(DATA)


def test_unknown_blob(repository, blob):
    """end-2: 404 BLOB_UNKNOWN."""
    refused(repository.get(f"/blobs/{digest_of(b'nobody pushed this')}"), 404, "BLOB_UNKNOWN")
    expect(repository.head(f"/blobs/{digest_of(b'nobody pushed this')}"), 404)


def test_unknown_repository(registry):
    """end-2 in a repository that does not exist: 404."""
    refused(registry.repository().get(f"/blobs/{digest_of(b'x')}"), 404, "NAME_UNKNOWN", "BLOB_UNKNOWN")


def test_digest_that_is_none(repository, blob):
    """end-2: a digest that cannot be one → 400 DIGEST_INVALID or 404."""
    answer = expect(repository.get("/blobs/sha256:totallywrong"), 400, 404)
    assert answer.codes()[0] in ("DIGEST_INVALID", "BLOB_UNKNOWN")


def test_blob_of_another_repository(repository, registry, blob):
    """"A repository sees only what its own rows name"."""
    other = registry.repository()
    other.blob(b"the other repository exists")
    refused(other.get(blob), 404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("value, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=1000-", 1000, 1023), ("bytes=-24", 1000, 1023),
    ("bytes=0-", 0, 1023), ("bytes=1020-5000", 1020, 1023), ("bytes=-5000", 0, 1023), ("bytes=0-1023", 0, 1023),
])
def test_range(repository, blob, value, first, last):
    """end-2: a-b, a-, -n and an over-long end → 206 with the right Content-Range."""
    answer = expect(ranged(repository, blob, value), 206)
    assert answer["Content-Range"] == f"bytes {first}-{last}/1024"
    assert answer.body == DATA[first:last + 1]
    assert answer["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("value", ["bytes=500-0", "bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_range_that_cannot_be(repository, blob, value):
    """end-2: "500-0 and beyond the end → 416"."""
    answer = expect(ranged(repository, blob, value), 416)
    assert answer["Content-Range"] == "bytes */1024"


@pytest.mark.parametrize("value", ["lines=1-2", "bytes", "1-2"])
def test_range_of_another_unit_is_ignored(repository, blob, value):
    """RFC 9110 14.2: "A server MAY ignore the Range header field" of a unit it does not know."""
    assert expect(ranged(repository, blob, value), 200).body == DATA


def test_several_ranges(repository, blob):
    """Several ranges → 206 multipart/byteranges, each part with its own Content-Range."""
    answer = expect(ranged(repository, blob, "bytes=0-1,100-109,-4"), 206)
    kind = answer["Content-Type"]
    assert kind.startswith("multipart/byteranges; boundary="), kind
    assert answer["Content-Length"] == str(len(answer.body))
    parsed = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + answer.body)
    ranges = [part["Content-Range"] for part in parsed.get_payload()]
    assert ranges == ["bytes 0-1/1024", "bytes 100-109/1024", "bytes 1020-1023/1024"]
    boundary = kind.split("boundary=")[1].strip('"').encode()
    bodies = [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
              for part in answer.body.split(b"--" + boundary)[1:-1]]
    assert bodies == [DATA[0:2], DATA[100:110], DATA[-4:]]


def test_several_ranges_of_which_one_can_be(repository, blob):
    """Parts that cannot be satisfied are left out; what remains is answered."""
    answer = expect(ranged(repository, blob, "bytes=0-1,5000-6000"), 206)
    assert DATA[0:2] in answer.body


def test_hostile_number_of_ranges(repository, blob):
    """Thousands of overlapping ranges do not multiply the answer."""
    value = "bytes=" + ",".join("0-" for _ in range(1500))
    answer = expect(ranged(repository, blob, value), 200, 206, 400, 416)
    assert len(answer.body) < 64 * len(DATA)


def test_head_with_range(repository, blob):
    """ACR: "HEAD with Range: 200 + Content-Range"; 206 is as good."""
    answer = expect(ranged(repository, blob, "bytes=0-9", "HEAD"), 200, 206)
    assert answer.body == b""
    assert answer.header("Content-Range", "bytes 0-9/1024") == "bytes 0-9/1024"


def test_blob_can_be_cached_and_revalidated(repository, blob):
    """A blob has an ETag; If-None-Match with it → 304."""
    tag = expect(repository.get(blob), 200)["ETag"]
    answer = repository.request("GET", blob, headers={"If-None-Match": tag})
    assert expect(answer, 304).body == b""


def test_ranges_are_announced(repository, blob):
    """Accept-Ranges: bytes, so that clients resume."""
    assert expect(repository.head(blob), 200)["Accept-Ranges"] == "bytes"


def test_delete(repository):
    """end-10: DELETE → 202; the blob is gone at once."""
    data = os.urandom(64)
    blob = f"/blobs/{repository.blob(data)}"
    expect(repository.delete(blob), 202)
    refused(repository.get(blob), 404, "BLOB_UNKNOWN")
    expect(repository.head(blob), 404)
    refused(repository.delete(blob), 404, "BLOB_UNKNOWN")


def test_delete_unknown(repository, blob):
    """end-10: an unknown blob → 404."""
    refused(repository.delete(f"/blobs/{digest_of(b'never there')}"), 404, "BLOB_UNKNOWN")


def test_push_after_delete(repository):
    """A deleted blob may be pushed again."""
    data = os.urandom(64)
    blob = f"/blobs/{repository.blob(data)}"
    expect(repository.delete(blob), 202)
    repository.blob(data)
    assert expect(repository.get(blob), 200).body == data


def test_delete_spares_other_repositories(repository, registry):
    """One copy per digest, but each repository deletes only its own link."""
    data = os.urandom(64)
    other = registry.repository()
    blob = f"/blobs/{repository.blob(data)}"
    other.blob(data)
    expect(repository.delete(blob), 202)
    assert expect(other.get(blob), 200).body == data
