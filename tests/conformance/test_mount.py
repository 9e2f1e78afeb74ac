"""end-11: blobs mounted from other repositories."""

import os

from harness.web import digest_of, expect


def mount(repository, digest, source=None):
    query = f"?mount={digest}" + (f"&from={source.full}" if source else "")
    return repository.request("POST", "/blobs/uploads/" + query)


def test_mount(repository, registry):
    """end-11: POST uploads/?mount=D&from=R → 201 with a Location that answers the bytes."""
    data = os.urandom(1000)
    digest = repository.blob(data)
    target = registry.repository()
    answer = expect(mount(target, digest, repository), 201)
    assert answer["Docker-Content-Digest"] == digest
    assert expect(target.get(registry.follow(answer)), 200).body == data
    assert expect(target.get(f"/blobs/{digest}"), 200).body == data


def test_mount_sha512(repository, registry):
    """end-11 with a sha512 digest."""
    digest = repository.blob(os.urandom(500), "sha512")
    expect(mount(registry.repository(), digest, repository), 201)


def test_mount_without_from(repository, registry):
    """end-11: `?mount=D` alone → 201 wanted: automatic mount from what the caller may read."""
    digest = repository.blob(os.urandom(500))
    target = registry.repository()
    expect(mount(target, digest), 201)
    expect(target.head(f"/blobs/{digest}"), 200)


def test_mount_of_an_unknown_blob(repository, registry):
    """end-11: an unknown blob → 202 and an upload session that works."""
    data = os.urandom(700)
    repository.blob(b"so that the source exists")
    target = registry.repository()
    answer = expect(mount(target, digest_of(data), repository), 202)
    expect(target.finish(registry.follow(answer), digest_of(data), data), 201)
    assert expect(target.get(f"/blobs/{digest_of(data)}"), 200).body == data


def test_mount_from_an_unknown_repository(registry):
    """end-11: a source that does not exist → 202, never an error."""
    target, nowhere = registry.repository(), registry.repository()
    answer = expect(mount(target, digest_of(os.urandom(9)), nowhere), 202)
    assert answer["Location"]


def test_mount_from_itself(repository):
    """end-11: from the repository itself → 201."""
    digest = repository.blob(os.urandom(100))
    expect(mount(repository, digest, repository), 201)


def test_mount_of_a_bad_digest(repository):
    """A mount parameter that is no digest → 400, or the fall-back session."""
    expect(repository.request("POST", f"/blobs/uploads/?mount=sha256:wrong&from={repository.full}"), 202, 400)


def test_mounted_blob_survives_the_source(repository, registry):
    """The mounted blob stays when its source deletes its own."""
    data = os.urandom(300)
    digest = repository.blob(data)
    target = registry.repository()
    expect(mount(target, digest, repository), 201)
    expect(repository.delete(f"/blobs/{digest}"), 202)
    assert expect(target.get(f"/blobs/{digest}"), 200).body == data
