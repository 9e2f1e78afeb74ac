"""Artifacts as oras makes them, by curl: a file, a signature that refers to it, and its discovery."""

import json

import pytest

from harness import web
from harness.machine import need


@pytest.fixture(params=["plain", "http2"])
def repository(request, sundog):
    need("curl")
    if request.param == "http2":
        return web.by_http2(sundog).repository()
    registry = web.Registry(sundog.plain, "sundog/", sundog.credentials, web.Curl(options=["--http1.1"]))
    return registry.repository()


def test_attach_and_discover(repository):
    """oras push, oras attach, oras discover."""
    repository.blob(b"{}")
    repository.blob(b"the file")
    artifact = json.dumps({**web.image_manifest(b"{}", [b"the file"], web.OCI_EMPTY), "artifactType": "a/file"}).encode()
    web.expect(repository.put("file", artifact, web.OCI_MANIFEST), 201)
    repository.blob(b"the signature")
    signature = {**web.image_manifest(b"{}", [b"the signature"], web.OCI_EMPTY), "artifactType": "a/signature",
                 "subject": web.descriptor(artifact, web.OCI_MANIFEST)}
    data = json.dumps(signature).encode()
    web.expect(repository.put(web.digest_of(data), data, web.OCI_MANIFEST), 201)
    found = web.expect(repository.get(f"/referrers/{web.digest_of(artifact)}"), 200).json()["manifests"]
    assert [(m["digest"], m["artifactType"]) for m in found] == [(web.digest_of(data), "a/signature")]
    layer = json.loads(web.expect(repository.manifest(found[0]["digest"]), 200).body)["layers"][0]["digest"]
    assert web.expect(repository.get(f"/blobs/{layer}"), 200).body == b"the signature"
