"""end-4a, end-4b, end-6: blobs pushed whole, by POST + PUT and by a single POST."""

import os

import pytest

from harness.web import digest_of, expect, refused, with_query


def test_post_opens_an_upload(repository):
    """end-4a: POST uploads/ → 202 with a Location; Range 0-0 and Docker-Upload-UUID as ACR."""
    answer = expect(repository.request("POST", "/blobs/uploads/"), 202)
    assert answer["Location"]
    assert answer["Range"] == "0-0"
    assert answer["Docker-Upload-UUID"]
    assert answer["Content-Length"] == "0"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_post_then_put(repository, algorithm):
    """end-6: "PUT <location>?digest=<digest>" with the whole body → 201 and a Location that can be pulled."""
    data = os.urandom(3000)
    digest = digest_of(data, algorithm)
    answer = expect(repository.finish(repository.start(), digest, data), 201)
    assert answer["Docker-Content-Digest"] == digest
    pulled = expect(repository.get(repository.registry.follow(answer)), 200)
    assert pulled.body == data


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_single_post(repository, algorithm):
    """end-4b: POST uploads/?digest= with the body → 201 (202 would mean "not supported")."""
    data = os.urandom(2000)
    digest = digest_of(data, algorithm)
    answer = expect(repository.request("POST", f"/blobs/uploads/?digest={digest}", data), 201)
    assert expect(repository.get(repository.registry.follow(answer)), 200).body == data


def test_single_post_with_wrong_digest(repository):
    """end-4b: a bad digest → 400, and nothing is stored."""
    wrong = digest_of(b"something else")
    refused(repository.request("POST", f"/blobs/uploads/?digest={wrong}", b"data"), 400, "DIGEST_INVALID")
    refused(repository.get(f"/blobs/{wrong}"), 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")


def test_put_with_wrong_digest(repository):
    """end-6: the digest does not match → 400 DIGEST_INVALID, nothing stored under either digest."""
    data, wrong = os.urandom(100), digest_of(b"other")
    refused(repository.finish(repository.start(), wrong, data), 400, "DIGEST_INVALID")
    for digest in (wrong, digest_of(data)):
        expect(repository.head(f"/blobs/{digest}"), 404)


@pytest.mark.parametrize("digest", [
    "sha256:totallywrong", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256", "sha256:" + "A" * 64,
    "sha256:" + "a" * 63, "sha512:" + "a" * 64, "nonsense:" + "a" * 64,
])
def test_put_with_unsupported_digest(repository, digest):
    """main: "unsupported or bad digest → 400 SHOULD"."""
    refused(repository.finish(repository.start(), digest, b"data"), 400, "DIGEST_INVALID")


def test_put_without_digest(repository):
    """end-6: PUT without the digest parameter → 400."""
    refused(repository.request("PUT", repository.start(), b"data"), 400, "DIGEST_INVALID", "BLOB_UPLOAD_INVALID")


def test_put_to_unknown_upload(repository):
    """end-6: an upload that does not exist → 404 BLOB_UPLOAD_UNKNOWN."""
    url = repository.path + "/blobs/uploads/00000000-0000-4000-8000-000000000000"
    repository.blob(b"so that the repository exists")
    refused(repository.finish(repository.registry.root + url, digest_of(b"x"), b"x"), 404, "BLOB_UPLOAD_UNKNOWN")


def test_upload_id_that_is_no_uuid(repository):
    """An id of any other form is unknown as well, not an internal error."""
    url = repository.registry.root + repository.path + "/blobs/uploads/not-a-uuid"
    repository.blob(b"so that the repository exists")
    refused(repository.finish(url, digest_of(b"x"), b"x"), (400, 404), "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID")


def test_upload_belongs_to_its_repository(repository, registry):
    """An upload opened in one repository is unknown in another one."""
    url = repository.start()
    other = registry.repository()
    other.blob(b"so that the repository exists")
    moved = url.replace(repository.full, other.full)
    refused(other.finish(moved, digest_of(b"x"), b"x"), 404, "BLOB_UPLOAD_UNKNOWN")


def test_finished_upload_is_gone(repository):
    """After the PUT the session is closed: its Location answers 404."""
    url = repository.start()
    expect(repository.finish(url, digest_of(b"once"), b"once"), 201)
    refused(repository.get(url), 404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("data", [b"", b"{}"], ids=["zero", "braces"])
def test_tiny_blobs(repository, data):
    """Zero-byte blob and `{}` blob are blobs like others."""
    digest = repository.blob(data)
    answer = expect(repository.get(f"/blobs/{digest}"), 200)
    assert answer.body == data
    assert answer["Content-Length"] == str(len(data))


def test_zero_bytes_by_single_post(repository):
    """end-4b with a zero-byte body."""
    digest = digest_of(b"")
    expect(repository.request("POST", f"/blobs/uploads/?digest={digest}", b""), 201)
    assert expect(repository.head(f"/blobs/{digest}"), 200)["Content-Length"] == "0"


def test_pushing_twice_is_no_error(repository):
    """A blob that is there already may be pushed again."""
    assert repository.blob(b"again and again") == repository.blob(b"again and again")


def test_same_bytes_in_both_algorithms(repository):
    """Each digest answers with its own algorithm in Docker-Content-Digest."""
    data = os.urandom(500)
    for algorithm in ("sha256", "sha512"):
        digest = repository.blob(data, algorithm)
        assert expect(repository.head(f"/blobs/{digest}"), 200)["Docker-Content-Digest"] == digest


def test_digest_algorithm_on_post(repository):
    """end-4c (main): POST uploads/?digest-algorithm=sha512 for a streamed sha512 upload."""
    data = os.urandom(4000)
    url = repository.start("?digest-algorithm=sha512")
    url = repository.registry.follow(expect(repository.patch(url, data), 202))
    digest = digest_of(data, "sha512")
    expect(repository.finish(url, digest), 201)
    assert expect(repository.get(f"/blobs/{digest}"), 200).body == data


def test_unknown_digest_algorithm_on_post(repository):
    """end-4c (main): an algorithm the registry does not know → 400."""
    refused(repository.request("POST", "/blobs/uploads/?digest-algorithm=crc32"), 400, "DIGEST_INVALID",
            "UNSUPPORTED")


def test_body_of_unknown_length(repository):
    """A body by Transfer-Encoding: chunked (HTTP/1.1) is as good as one with Content-Length."""
    data = os.urandom(200_000)
    digest = digest_of(data)
    pieces = (data[at:at + 7777] for at in range(0, len(data), 7777))
    url = with_query(repository.start(), digest=digest)
    expect(repository.request("PUT", url, pieces, {"Content-Type": "application/octet-stream"}), 201)
    assert expect(repository.get(f"/blobs/{digest}"), 200).body == data


def test_a_few_megabytes(repository):
    """A body far above any buffer arrives whole."""
    data = os.urandom(9 << 20)
    assert expect(repository.get(f"/blobs/{repository.blob(data)}"), 200).body == data
