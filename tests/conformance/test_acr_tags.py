"""ACR data plane: tags — list, order, filter, attributes, untag (facts 2.1)."""

import re
import time
import urllib.parse

import pytest

from harness.web import OCI_MANIFEST, expect, refused

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


@pytest.fixture(scope="module")
def tagged(registry):
    """Tags c, a, b pushed in this order; a and b name one manifest."""
    repository = registry.repository()
    repository.digests = {"c": repository.image("c")[0]}
    time.sleep(0.02)
    digest, data = repository.image("a")
    time.sleep(0.02)
    expect(repository.put("b", data, OCI_MANIFEST), 201)
    repository.digests.update(a=digest, b=digest)
    return repository


def listed(repository, query=""):
    answer = expect(repository.registry.acr(f"{repository.name}/_tags{query}"), 200)
    return [tag["name"] for tag in answer.json()["tags"] or []]


def test_list(tagged):
    """GET …/_tags → registry, imageName, tags with digest, times, signed, attributes."""
    found = expect(tagged.registry.acr(f"{tagged.name}/_tags"), 200).json()
    assert found["registry"].split(".")[0] == tagged.registry.name
    assert found["imageName"] == tagged.name
    assert [tag["name"] for tag in found["tags"]] == ["a", "b", "c"]
    for tag in found["tags"]:
        assert tag["digest"] == tagged.digests[tag["name"]]
        assert tag["signed"] is False
        assert tag["changeableAttributes"]["writeEnabled"] is True
        assert TIME.fullmatch(tag["createdTime"]) and TIME.fullmatch(tag["lastUpdateTime"])


def test_order(tagged):
    """orderby=none/timedesc/timeasc."""
    assert listed(tagged, "?orderby=none") == ["a", "b", "c"]
    assert listed(tagged, "?orderby=timedesc") == ["b", "a", "c"]
    assert listed(tagged, "?orderby=timeasc") == ["c", "a", "b"]


@pytest.mark.parametrize("order, expected", [("", "abc"), ("timedesc", "bac"), ("timeasc", "cab")])
def test_pages(tagged, order, expected):
    """n, last and Link, in every order."""
    found, url = [], f"{tagged.name}/_tags?n=1&orderby={order}"
    answer = tagged.registry.acr(url)
    for _ in range(5):
        found += [tag["name"] for tag in expect(answer, 200).json()["tags"]]
        link = answer.header("Link")
        if not link:
            break
        answer = tagged.registry.get(urllib.parse.urljoin(answer.url, link[1:link.index(">")]))
    assert found == list(expected)


def test_last(tagged):
    """last is exclusive."""
    assert listed(tagged, "?last=a") == ["b", "c"]


def test_filter_by_digest(tagged):
    """digest= → only the tags of that manifest."""
    assert listed(tagged, f"?digest={tagged.digests['a']}") == ["a", "b"]
    assert listed(tagged, "?digest=" + tagged.digests["c"].replace(":", "%3A")) == ["c"]


def test_one(tagged):
    """GET …/_tags/{tag} → {registry, imageName, tag:{…}}."""
    found = expect(tagged.registry.acr(f"{tagged.name}/_tags/a"), 200).json()
    assert found["tag"]["name"] == "a"
    assert found["tag"]["digest"] == tagged.digests["a"]
    assert found["imageName"] == tagged.name


def test_unknown(tagged):
    """404 TAG_UNKNOWN, and NAME_UNKNOWN for the list of an unknown repository."""
    refused(tagged.registry.acr(f"{tagged.name}/_tags/zzz"), 404, "TAG_UNKNOWN", "MANIFEST_UNKNOWN")
    refused(tagged.registry.acr("there/is/none/_tags"), 404, "NAME_UNKNOWN")


def test_change_attributes(registry):
    """PATCH …/_tags/{tag} → 200 and the tag as it is now."""
    repository = registry.repository()
    repository.image("v1")
    answer = expect(registry.acr(f"{repository.name}/_tags/v1", "PATCH", {"writeEnabled": False}), 200)
    assert answer.json()["tag"]["changeableAttributes"]["writeEnabled"] is False
    again = expect(registry.acr(f"{repository.name}/_tags/v1"), 200).json()
    assert again["tag"]["changeableAttributes"] == answer.json()["tag"]["changeableAttributes"]


def test_untag(registry):
    """DELETE …/_tags/{tag} → 202; the manifest stays."""
    repository = registry.repository()
    digest, _ = repository.image("v1")
    expect(registry.acr(f"{repository.name}/_tags/v1", "DELETE"), 202)
    refused(registry.acr(f"{repository.name}/_tags/v1"), 404, "TAG_UNKNOWN", "MANIFEST_UNKNOWN")
    expect(repository.manifest(digest), 200)
    refused(registry.acr(f"{repository.name}/_tags/v1", "DELETE"), 404, "TAG_UNKNOWN", "MANIFEST_UNKNOWN")
