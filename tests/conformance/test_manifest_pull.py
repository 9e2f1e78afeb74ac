"""end-3: GET and HEAD of manifests; end-9: deletion by digest and by tag."""

from harness import web
from harness.web import digest_of, expect, refused


def test_get_and_head(repository):
    """end-3: by tag and digest, with Content-Length, Content-Type and Docker-Content-Digest."""
    digest, data = repository.image("v1")
    for reference in ("v1", digest):
        for method in ("GET", "HEAD"):
            answer = expect(repository.request(method, f"/manifests/{reference}"), 200)
            assert answer["Content-Length"] == str(len(data))
            assert answer["Content-Type"] == web.OCI_MANIFEST
            assert answer["Docker-Content-Digest"] == digest
            assert answer.body == (data if method == "GET" else b"")


def test_accept_of_az(repository):
    """az sends `Accept: */*, application/vnd.oci.artifact.manifest.v1+json, …`."""
    _, data = repository.image("v1")
    accept = ("*/*, application/vnd.oci.artifact.manifest.v1+json, application/vnd.cncf.oras.artifact.manifest.v1+json"
              ", application/vnd.oci.image.manifest.v1+json")
    assert expect(repository.manifest("v1", headers={"Accept": accept}), 200).body == data


def test_accept_of_another_type(repository):
    """A stored manifest is never converted: the bytes, or an error, but nothing else."""
    _, data = repository.image("v1")
    answer = expect(repository.manifest("v1", headers={"Accept": web.DOCKER_MANIFEST}), 200, 404, 406)
    assert answer.status != 200 or answer.body == data


def test_unknown(repository):
    """end-3: 404 MANIFEST_UNKNOWN for a tag and a digest that are not there."""
    repository.image("v1")
    for reference in ("nothere", digest_of(b"not there")):
        refused(repository.manifest(reference), 404, "MANIFEST_UNKNOWN", "TAG_UNKNOWN")
        expect(repository.head(f"/manifests/{reference}"), 404)


def test_unknown_repository(registry):
    """end-3: 404 NAME_UNKNOWN or MANIFEST_UNKNOWN in a repository that does not exist."""
    refused(registry.repository().manifest("v1"), 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")


def test_totally_wrong_digest(repository):
    """The old suite: GET manifests/sha256:totallywrong is 400 with a JSON error, or 404."""
    repository.image("v1")
    refused(repository.manifest("sha256:totallywrong"), (400, 404), "DIGEST_INVALID", "MANIFEST_INVALID",
            "MANIFEST_UNKNOWN")


def test_revalidation(repository):
    """If-None-Match with the manifest's ETag → 304; another one → 200."""
    _, data = repository.image("v1")
    tag = expect(repository.manifest("v1"), 200)["ETag"]
    expect(repository.manifest("v1", headers={"If-None-Match": tag}), 304)
    assert expect(repository.manifest("v1", headers={"If-None-Match": '"x"'}), 200).body == data


def test_delete_by_digest(repository):
    """end-9: DELETE manifests/<digest> → 202; its tags vanish at once ("atomic")."""
    digest, _ = repository.image("v1")
    expect(repository.put("v2", expect(repository.manifest("v1"), 200).body, web.OCI_MANIFEST), 201)
    expect(repository.delete(f"/manifests/{digest}"), 202)
    for reference in (digest, "v1", "v2"):
        refused(repository.manifest(reference), 404, "MANIFEST_UNKNOWN", "TAG_UNKNOWN", "NAME_UNKNOWN")
        expect(repository.head(f"/manifests/{reference}"), 404)
    answer = expect(repository.tags(), 200, 404)
    assert answer.status == 404 or not answer.json()["tags"]


def test_delete_by_tag(repository):
    """end-9: DELETE manifests/<tag> → 202 untags; or 400/405 with code UNSUPPORTED."""
    digest, _ = repository.image("v1")
    answer = expect(repository.delete("/manifests/v1"), 202, 400, 405)
    if answer.status != 202:
        refused(answer, (400, 405), "UNSUPPORTED")
        return
    refused(repository.manifest("v1"), 404, "MANIFEST_UNKNOWN", "TAG_UNKNOWN")
    expect(repository.manifest(digest), 200)
    answer = expect(repository.tags(), 200)
    assert "v1" not in (answer.json()["tags"] or [])


def test_delete_unknown(repository):
    """end-9: what is not there → 404."""
    repository.image("v1")
    refused(repository.delete(f"/manifests/{digest_of(b'no')}"), 404, "MANIFEST_UNKNOWN")
    refused(repository.delete("/manifests/nothere"), (404, 405), "MANIFEST_UNKNOWN", "TAG_UNKNOWN", "UNSUPPORTED")


def test_push_after_delete(repository):
    """A deleted manifest may be pushed again."""
    digest, data = repository.image("v1")
    expect(repository.delete(f"/manifests/{digest}"), 202)
    expect(repository.put("v1", data, web.OCI_MANIFEST), 201)
    assert expect(repository.manifest(digest), 200).body == data
