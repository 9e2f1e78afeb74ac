"""Names of repositories: nested, long, percent-encoded, and those that are none."""

import pytest

from harness.web import digest_of, expect, refused


@pytest.mark.parametrize("name", [
    "a", "a/b", "deep/er/and/deep/er/still/and/on", "with.dot", "with_under", "with__two", "with-dash", "with---dashes",
    "0digits", "blobs", "x/manifests", "manifests/blobs/uploads", "tags/list", "x/tags", "x/referrers",
])
def test_name(registry, name):
    """`[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/…)*`: also names that look like parts of the API."""
    repository = registry.repository(name)
    digest, data = repository.image("v1")
    assert expect(repository.manifest("v1"), 200).body == data
    assert expect(repository.head(f"/manifests/{digest}"), 200).body == b""
    assert "v1" in expect(repository.tags(), 200).json()["tags"]
    expect(repository.get(f"/referrers/{digest}"), 200)
    expect(repository.delete(f"/manifests/{digest}"), 202)


@pytest.mark.parametrize("name", [
    "Upper/case", "-dash", "dot.", "a..b", "a//b", "_under", "a___b", "spa%20ce", "a/-b", "ümlaut", "a:b", "a@b",
    "a%0ab", "a" * 300,
])
def test_name_that_is_none(registry, name):
    """NAME_INVALID (or NAME_UNKNOWN) for a name of another form; nothing is made."""
    path = f"/v2/{registry.prefix}{name}".encode("utf-8").decode("latin-1") if name.isascii() else None
    if path is None:
        import urllib.parse

        path = f"/v2/{registry.prefix}" + urllib.parse.quote(name)
    refused(registry.request("POST", path + "/blobs/uploads/"), (400, 404), "NAME_INVALID", "NAME_UNKNOWN")
    refused(registry.get(path + "/manifests/v1"), (400, 404), "NAME_INVALID", "NAME_UNKNOWN", "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("path", [
    "../../etc/passwd", "a/../../b", "./a", "a/./b", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc", "a/%2e%2e/b",
    "a%5c..%5cb", "..%252f..%252fetc", "%00", "a%00b",
])
def test_path_tricks(registry, path):
    """A path that climbs is a name that is none: 400 or 404, never a file."""
    answer = registry.get(f"/v2/{registry.prefix}{path}/blobs/{digest_of(b'x')}")
    expect(answer, 400, 404)
    answer = registry.get(f"/v2/{registry.prefix}a/manifests/{path}")
    expect(answer, 400, 404)
    answer = registry.get(f"/v2/{registry.prefix}a/blobs/sha256:../../../etc/passwd")
    expect(answer, 400, 404)


def test_percent_encoded_slash(registry):
    """"Names arrive percent-encoded from the SDKs": a%2Fb is a/b, sha256%3A… is a digest."""
    repository = registry.repository()
    digest, data = repository.image("v1")
    path = "/v2/" + repository.full.replace("/", "%2F")
    if registry.prefix:  # the registry's own component stays plain
        path = "/v2/" + registry.prefix + repository.name.replace("/", "%2F")
    for reference in ("v1", digest, digest.replace(":", "%3A")):
        assert expect(registry.get(f"{path}/manifests/{reference}"), 200).body == data


def test_longest_name(registry):
    """A name of 255 characters in all is fine."""
    name = ("long/" * 60)[: 240 - len(registry.prefix)].rstrip("/")
    repository = registry.repository(name)
    _, data = repository.image("v1")
    assert expect(repository.manifest("v1"), 200).body == data


def test_api_version_parameter(registry):
    """"SDKs append ?api-version=2021-07-01 to every call": accepted and ignored."""
    repository = registry.repository()
    _, data = repository.image("v1")
    assert expect(repository.manifest("v1?api-version=2021-07-01"), 200).body == data
    expect(repository.tags("?api-version=2021-07-01"), 200)


def test_namespace_parameter(registry):
    """main: the `ns` query parameter of proxies does no harm."""
    repository = registry.repository()
    _, data = repository.image("v1")
    assert expect(repository.manifest("v1?ns=docker.io"), 200).body == data
