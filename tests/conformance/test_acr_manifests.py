"""ACR data plane: manifests — list, platform, references, attributes (facts 2.1)."""

import json
import re
import urllib.parse

from harness import web
from harness.web import digest_of, expect, refused

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


def one(registry, repository, digest):
    return expect(registry.acr(f"{repository.name}/_manifests/{digest}"), 200).json()["manifest"]


def test_list(registry, repository):
    """GET …/_manifests → digest, imageSize, times, platform, media types, tags, attributes."""
    digest, data = repository.image("v1")
    expect(repository.put("v2", data, web.OCI_MANIFEST), 201)
    found = expect(registry.acr(f"{repository.name}/_manifests"), 200).json()
    assert found["registry"].split(".")[0] == registry.name
    assert found["imageName"] == repository.name
    (manifest,) = found["manifests"]
    assert manifest["digest"] == digest
    assert sorted(manifest["tags"]) == ["v1", "v2"]
    assert manifest["mediaType"] == web.OCI_MANIFEST
    assert manifest["configMediaType"] == web.OCI_CONFIG
    assert manifest["architecture"] == "amd64"
    assert manifest["os"] == "linux"
    sizes = json.loads(data)
    assert manifest["imageSize"] >= sum(layer["size"] for layer in sizes["layers"])
    assert TIME.fullmatch(manifest["createdTime"]) and TIME.fullmatch(manifest["lastUpdateTime"])
    assert manifest["changeableAttributes"]["deleteEnabled"] is True


def test_one(registry, repository):
    """GET …/_manifests/{digest} → {registry, imageName, manifest:{…}}; `sha256%3A…` too."""
    digest, _ = repository.image("v1")
    assert one(registry, repository, digest)["digest"] == digest
    encoded = registry.acr(f"{repository.name.replace('/', '%2F')}/_manifests/{digest.replace(':', '%3A')}")
    assert expect(encoded, 200).json()["manifest"]["digest"] == digest


def test_references_of_an_index(registry, repository):
    """references: [{digest, architecture, os}] of an index."""
    digest, data = repository.image()
    child = {**web.descriptor(data, web.OCI_MANIFEST), "platform": {"architecture": "arm64", "os": "linux"}}
    index = json.dumps(web.image_index([child])).encode()
    expect(repository.put("multi", index, web.OCI_INDEX), 201)
    found = one(registry, repository, digest_of(index))
    assert found["mediaType"] == web.OCI_INDEX
    (reference,) = found["references"]
    assert reference["digest"] == digest
    assert (reference["architecture"], reference["os"]) == ("arm64", "linux")


def test_order_and_pages(registry, repository):
    """n, last, orderby and Link: every manifest once, newest first for timedesc."""
    pushed = [repository.image()[0] for _ in range(5)]
    for order, expected in (("", sorted(pushed)), ("timedesc", pushed[::-1]), ("timeasc", pushed)):
        found = []
        answer = registry.acr(f"{repository.name}/_manifests?n=2&orderby={order}")
        for _ in range(9):
            found += [manifest["digest"] for manifest in expect(answer, 200).json()["manifests"]]
            link = answer.header("Link")
            if not link:
                break
            answer = registry.get(urllib.parse.urljoin(answer.url, link[1:link.index(">")]))
        assert found == expected, order


def test_unknown(registry, repository):
    """404 MANIFEST_UNKNOWN."""
    repository.image("v1")
    refused(registry.acr(f"{repository.name}/_manifests/{digest_of(b'none')}"), 404, "MANIFEST_UNKNOWN")
    refused(registry.acr("there/is/none/_manifests"), 404, "NAME_UNKNOWN")


def test_change_attributes(registry, repository):
    """PATCH …/_manifests/{digest} → 200 and the manifest as it is now."""
    digest, _ = repository.image("v1")
    answer = expect(registry.acr(f"{repository.name}/_manifests/{digest}", "PATCH", {"deleteEnabled": False}), 200)
    assert answer.json()["manifest"]["changeableAttributes"]["deleteEnabled"] is False
    assert one(registry, repository, digest)["changeableAttributes"]["deleteEnabled"] is False


def test_last_update_follows_changes(registry, repository):
    """lastUpdateTime moves when attributes change; createdTime does not."""
    digest, _ = repository.image("v1")
    before = one(registry, repository, digest)
    expect(registry.acr(f"{repository.name}/_manifests/{digest}", "PATCH", {"writeEnabled": False}), 200)
    after = one(registry, repository, digest)
    assert after["createdTime"] == before["createdTime"]
    assert after["lastUpdateTime"] > before["lastUpdateTime"]
