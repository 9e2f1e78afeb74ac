"""ACR data plane: repositories — catalog, attributes, deletion (facts 2.1)."""

import re

import pytest

from harness.web import expect, refused

ALL_TRUE = {"deleteEnabled": True, "writeEnabled": True, "readEnabled": True, "listEnabled": True}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


def test_catalog(registry):
    """GET /acr/v1/_catalog → {"repositories":[…]}; names as in this registry."""
    repository = registry.repository()
    repository.image("v1")
    answer = expect(registry.acr(f"_catalog?n=5&last={repository.name[:-1]}"), 200)
    assert repository.name in answer.json()["repositories"]


def test_catalog_pages(registry):
    """last, n → Link; orderby accepted."""
    for _ in range(3):
        registry.repository().image("v1")
    answer = expect(registry.acr("_catalog?n=2&orderby="), 200)
    assert len(answer.json()["repositories"]) == 2
    assert 'rel="next"' in answer["Link"]
    first = answer.json()["repositories"]
    answer = expect(registry.get(next_url(answer)), 200)
    assert answer.json()["repositories"][0] > first[-1]


def next_url(answer):
    import urllib.parse

    return urllib.parse.urljoin(answer.url, re.match(r"<([^>]*)>", answer["Link"])[1])


def test_attributes(registry):
    """GET /acr/v1/{name} → registry, imageName, times, counts, changeableAttributes."""
    repository = registry.repository()
    repository.image("v1")
    repository.image("v2")
    repository.image()
    found = expect(registry.acr(repository.name), 200).json()
    assert found["registry"].split(".")[0] == registry.name
    assert found["imageName"] == repository.name
    assert found["manifestCount"] == 3
    assert found["tagCount"] == 2
    assert {key: found["changeableAttributes"][key] for key in ALL_TRUE} == ALL_TRUE
    for key in ("createdTime", "lastUpdateTime"):
        assert TIME.fullmatch(found[key]), found[key]


def test_percent_encoded_name(registry):
    """`/acr/v1/library%2Fhello-world`: recorded of the SDKs."""
    repository = registry.repository()
    repository.image("v1")
    found = expect(registry.acr(repository.name.replace("/", "%2F")), 200).json()
    assert found["imageName"] == repository.name


def test_unknown(registry):
    """404 NAME_UNKNOWN."""
    refused(registry.acr("there/is/none"), 404, "NAME_UNKNOWN")


def test_change_attributes(registry):
    """PATCH with the fields at top level → 200 and the same as GET; absent fields stay."""
    repository = registry.repository()
    repository.image("v1")
    answer = expect(registry.acr(repository.name, "PATCH", {"listEnabled": False}), 200)
    assert answer.json()["changeableAttributes"]["listEnabled"] is False
    expect(registry.acr(repository.name, "PATCH", {"teleportEnabled": False}), 200)
    found = expect(registry.acr(repository.name), 200).json()["changeableAttributes"]
    assert {key: found[key] for key in ALL_TRUE} == {**ALL_TRUE, "listEnabled": False}


@pytest.mark.parametrize("body", [{"writeEnabled": "yes"}, [], "text", {"deleteEnabled": 1}])
def test_bad_attributes(registry, body):
    """What cannot be read is refused and changes nothing."""
    repository = registry.repository()
    repository.image("v1")
    answer = expect(registry.acr(repository.name, "PATCH", body), 400)
    assert answer.codes()
    found = expect(registry.acr(repository.name), 200).json()["changeableAttributes"]
    assert {key: found[key] for key in ALL_TRUE} == ALL_TRUE


def test_delete(registry):
    """DELETE → 202 {manifestsDeleted, tagsDeleted}; the repository is gone at once."""
    repository = registry.repository()
    digests = {repository.image("v1")[0], repository.image("v2")[0], repository.image()[0]}
    answer = expect(registry.acr(repository.name, "DELETE"), 202).json()
    assert set(answer["manifestsDeleted"]) == digests
    assert set(answer["tagsDeleted"]) == {"v1", "v2"}
    refused(registry.acr(repository.name), 404, "NAME_UNKNOWN")
    refused(repository.tags(), 404, "NAME_UNKNOWN")
    refused(repository.manifest("v1"), 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")


def test_delete_unknown(registry):
    """404 for a repository that is not there."""
    refused(registry.acr("there/is/none", "DELETE"), 404, "NAME_UNKNOWN")


def test_api_version(registry):
    """?api-version=2021-07-01 is accepted."""
    repository = registry.repository()
    repository.image("v1")
    expect(registry.acr(repository.name + "?api-version=2021-07-01"), 200)


def test_headers_of_every_answer(registry):
    """Headers "seen on every real answer", the correlation id among them."""
    answer = expect(registry.acr("_catalog?n=1"), 200)
    assert answer["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Ms-Correlation-Request-Id"]
    exposed = {value for line in answer.all("Access-Control-Expose-Headers") for value in re.split(r", *", line)}
    assert {"Docker-Content-Digest", "WWW-Authenticate", "Link", "X-Ms-Correlation-Request-Id"} <= exposed


def test_client_request_id_comes_back(registry):
    """X-Ms-Client-Request-Id is echoed on deletes."""
    repository = registry.repository()
    repository.image("v1")
    answer = registry.request("DELETE", f"/acr/v1/{registry.prefix}{repository.name}",
                              headers={"x-ms-client-request-id": "echo-me"})
    assert expect(answer, 202)["X-Ms-Client-Request-Id"] == "echo-me"
