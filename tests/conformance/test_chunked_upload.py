"""end-5, end-6, end-13, end-14: uploads in chunks and streams, their status, resume and cancel."""

import os

from harness.web import digest_of, expect, refused


def chunks(repository):
    """Two chunks of random bytes, as long as the registry wants them (OCI-Chunk-Min-Length)."""
    answer = expect(repository.request("POST", "/blobs/uploads/"), 202)
    length = max(1000, int(answer.header("OCI-Chunk-Min-Length", "0")))
    return repository.registry.follow(answer), os.urandom(length), os.urandom(500)


def test_two_chunks(repository):
    """end-5: PATCH with `Content-Range: a-b` → 202, Location and `Range: 0-b`; end-6 closes."""
    url, one, two = chunks(repository)
    answer = expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202)
    assert answer["Range"] == f"0-{len(one) - 1}"
    answer = expect(repository.patch(repository.registry.follow(answer), two, f"{len(one)}-{len(one + two) - 1}"), 202)
    assert answer["Range"] == f"0-{len(one + two) - 1}"
    digest = digest_of(one + two)
    answer = expect(repository.finish(repository.registry.follow(answer), digest), 201)
    assert expect(repository.get(repository.registry.follow(answer)), 200).body == one + two


def test_last_chunk_in_put(repository):
    """end-6: the final chunk may come with the closing PUT."""
    url, one, two = chunks(repository)
    url = repository.registry.follow(expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202))
    headers = {"Content-Range": f"{len(one)}-{len(one + two) - 1}"}
    expect(repository.finish(url, digest_of(one + two), two, headers), 201)
    assert expect(repository.get(f"/blobs/{digest_of(one + two)}"), 200).body == one + two


def test_gap_is_416_and_session_goes_on(repository):
    """end-5: "any gap or repeat → 416", and the upload can still be finished."""
    url, one, two = chunks(repository)
    url = repository.registry.follow(expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202))
    gap = len(one) + 10
    refused(repository.patch(url, two, f"{gap}-{gap + len(two) - 1}"), 416, "BLOB_UPLOAD_INVALID")
    answer = expect(repository.patch(url, two, f"{len(one)}-{len(one + two) - 1}"), 202)
    expect(repository.finish(repository.registry.follow(answer), digest_of(one + two)), 201)


def test_repeat_is_416_and_session_goes_on(repository):
    """end-5: the same chunk again → 416, and the session keeps its state."""
    url, one, two = chunks(repository)
    url = repository.registry.follow(expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202))
    refused(repository.patch(url, one, f"0-{len(one) - 1}"), 416, "BLOB_UPLOAD_INVALID")
    assert expect(repository.get(url), 204)["Range"] == f"0-{len(one) - 1}"
    headers = {"Content-Range": f"{len(one)}-{len(one + two) - 1}"}
    expect(repository.finish(url, digest_of(one + two), two, headers), 201)


def test_first_chunk_must_start_at_zero(repository):
    """end-5: a first chunk that does not start at 0 → 416."""
    url, one, _ = chunks(repository)
    refused(repository.patch(url, one, f"5-{len(one) + 4}"), 416, "BLOB_UPLOAD_INVALID")


def test_put_out_of_order_is_416(repository):
    """end-6 (main): "416 on a final PUT" whose range is out of order; the session goes on."""
    url, one, two = chunks(repository)
    url = repository.registry.follow(expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202))
    gap = len(one) + 1
    headers = {"Content-Range": f"{gap}-{gap + len(two) - 1}"}
    refused(repository.finish(url, digest_of(one + two), two, headers), 416, "BLOB_UPLOAD_INVALID")
    headers = {"Content-Range": f"{len(one)}-{len(one + two) - 1}"}
    expect(repository.finish(url, digest_of(one + two), two, headers), 201)


def test_content_range_that_is_none(repository):
    """A Content-Range that cannot be read is refused, not guessed."""
    url, one, _ = chunks(repository)
    for wrong in ("banana", "10-5", "-5", "0-", "99999999999999999999-1"):
        answer = repository.patch(url, one, wrong)
        refused(answer, (400, 416), "BLOB_UPLOAD_INVALID", "SIZE_INVALID")


def test_content_range_and_length_disagree(repository):
    """A range that is longer or shorter than the body → 400 or 416, nothing counted."""
    url, one, _ = chunks(repository)
    answer = repository.patch(url, one, f"0-{len(one) + 5}")
    refused(answer, (400, 416), "BLOB_UPLOAD_INVALID", "SIZE_INVALID")
    expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202)


def test_stream(repository):
    """end-5: PATCH without Content-Range is a stream; PUT without a body closes it."""
    data = os.urandom(50_000)
    answer = expect(repository.patch(repository.start(), data), 202)
    assert answer["Range"] == f"0-{len(data) - 1}"
    expect(repository.finish(repository.registry.follow(answer), digest_of(data)), 201)
    assert expect(repository.get(f"/blobs/{digest_of(data)}"), 200).body == data


def test_two_streams_append(repository):
    """A second PATCH without Content-Range goes on where the first one ended."""
    one, two = os.urandom(1000), os.urandom(10)
    url = repository.registry.follow(expect(repository.patch(repository.start(), one), 202))
    answer = expect(repository.patch(url, two), 202)
    assert answer["Range"] == f"0-{len(one + two) - 1}"
    expect(repository.finish(repository.registry.follow(answer), digest_of(one + two)), 201)


def test_patch_then_put_with_rest(repository):
    """docker sends the rest of a stream in PUT, without Content-Range."""
    one, two = os.urandom(1000), os.urandom(10)
    url = repository.registry.follow(expect(repository.patch(repository.start(), one), 202))
    expect(repository.finish(url, digest_of(one + two), two), 201)
    assert expect(repository.get(f"/blobs/{digest_of(one + two)}"), 200).body == one + two


def test_status(repository):
    """end-13: GET <location> → 204 with `Range: 0-n` and Docker-Upload-UUID."""
    url, one, _ = chunks(repository)
    answer = expect(repository.get(url), 204)
    assert answer["Range"] == "0-0"
    later = repository.registry.follow(expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202))
    answer = expect(repository.get(later), 204)
    assert answer["Range"] == f"0-{len(one) - 1}"
    assert answer["Docker-Upload-UUID"]
    assert answer["Location"]


def test_status_of_a_stale_location(repository):
    """The old suite GETs a previous Location: 204 with the current Range."""
    url, one, _ = chunks(repository)
    expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202)
    assert expect(repository.get(url), 204)["Range"] == f"0-{len(one) - 1}"


def test_status_of_an_unknown_upload(repository):
    """end-13: 404 BLOB_UPLOAD_UNKNOWN."""
    url = repository.path + "/blobs/uploads/00000000-0000-4000-8000-000000000001"
    repository.blob(b"so that the repository exists")
    refused(repository.registry.get(url), 404, "BLOB_UPLOAD_UNKNOWN")


def test_cancel(repository):
    """end-14 (main): DELETE <location> → 204; afterwards the upload is unknown."""
    url, one, _ = chunks(repository)
    url = repository.registry.follow(expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202))
    expect(repository.delete(url), 204)
    refused(repository.get(url), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(repository.patch(url, one), 404, "BLOB_UPLOAD_UNKNOWN")


def test_cancel_of_an_unknown_upload(repository):
    """end-14: 404 BLOB_UPLOAD_UNKNOWN."""
    url = repository.path + "/blobs/uploads/00000000-0000-4000-8000-000000000002"
    repository.blob(b"so that the repository exists")
    refused(repository.delete(repository.registry.root + url), 404, "BLOB_UPLOAD_UNKNOWN")


def test_chunked_sha512(repository):
    """`?digest-algorithm=sha512` on POST "for streamed/chunked sha512"."""
    answer = expect(repository.request("POST", "/blobs/uploads/?digest-algorithm=sha512"), 202)
    url, one, two = repository.registry.follow(answer), os.urandom(2000), os.urandom(300)
    url = repository.registry.follow(expect(repository.patch(url, one, f"0-{len(one) - 1}"), 202))
    answer = expect(repository.patch(url, two, f"{len(one)}-{len(one + two) - 1}"), 202)
    digest = digest_of(one + two, "sha512")
    expect(repository.finish(repository.registry.follow(answer), digest), 201)
    assert expect(repository.head(f"/blobs/{digest}"), 200)["Docker-Content-Digest"] == digest


def test_sha512_without_announcement(repository):
    """A chunked upload may be closed with sha512 even if POST did not say so."""
    data = os.urandom(5000)
    answer = expect(repository.patch(repository.start(), data), 202)
    digest = digest_of(data, "sha512")
    expect(repository.finish(repository.registry.follow(answer), digest), 201)
    assert expect(repository.get(f"/blobs/{digest}"), 200).body == data


def test_wrong_digest_of_chunks(repository):
    """end-6: chunks whose digest does not match → 400, nothing stored."""
    answer = expect(repository.patch(repository.start(), b"some data"), 202)
    wrong = digest_of(b"some other data")
    refused(repository.finish(repository.registry.follow(answer), wrong), 400, "DIGEST_INVALID")
    expect(repository.head(f"/blobs/{wrong}"), 404)


def test_many_small_chunks(repository):
    """Twelve chunks, each answered with the Range so far."""
    answer = expect(repository.request("POST", "/blobs/uploads/"), 202)
    least = int(answer.header("OCI-Chunk-Min-Length", "0"))
    url, done = repository.registry.follow(answer), b""
    for _ in range(12):
        chunk = os.urandom(max(997, least))
        answer = expect(repository.patch(url, chunk, f"{len(done)}-{len(done + chunk) - 1}"), 202)
        url, done = repository.registry.follow(answer), done + chunk
        assert answer["Range"] == f"0-{len(done) - 1}"
    expect(repository.finish(url, digest_of(done)), 201)
    assert expect(repository.get(f"/blobs/{digest_of(done)}"), 200).body == done
