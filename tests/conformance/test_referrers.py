"""end-12: the referrers API, and OCI-Subject on push."""

import json

import pytest

from harness import web
from harness.web import digest_of, expect, refused

SBOM, SIGNATURE = "application/x.sbom", "application/x.signature"


def attach(repository, subject, artifact_type=SBOM, tag=None, config_type=web.OCI_EMPTY, **extra):
    """Pushes an artifact whose subject is the given manifest; answers (digest, size, push)."""
    repository.blob(b"{}")
    manifest = web.image_manifest(b"{}", [b"{}"], config_type, subject=subject, **extra)
    if artifact_type:
        manifest["artifactType"] = artifact_type
    data = json.dumps(manifest).encode()
    answer = expect(repository.put(tag or digest_of(data), data, web.OCI_MANIFEST), 201)
    return digest_of(data), len(data), answer


@pytest.fixture
def subject(repository):
    _, data = repository.image("subject")
    return web.descriptor(data, web.OCI_MANIFEST)


def referrers(repository, digest, query=""):
    answer = expect(repository.get(f"/referrers/{digest}{query}"), 200)
    assert answer["Content-Type"] == web.OCI_INDEX
    index = answer.json()
    assert index["schemaVersion"] == 2
    assert index["mediaType"] == web.OCI_INDEX
    return answer, {m["digest"]: m for m in index["manifests"]}


def test_none(repository, subject):
    """end-12a: "referrers of an unknown digest → 200", an OCI index with empty manifests."""
    for digest in (subject["digest"], digest_of(b"unknown")):
        assert referrers(repository, digest)[1] == {}


def test_unknown_repository(registry):
    """end-12a: a repository that does not exist: 404, or 200 with an empty index."""
    expect(registry.repository().get(f"/referrers/{digest_of(b'x')}"), 200, 404)


def test_bad_digest(repository, subject):
    """end-12a: what is no digest → 400."""
    refused(repository.get("/referrers/sha256:wrong"), 400, "DIGEST_INVALID")


def test_subject_header(repository, subject):
    """"OCI-Subject on PUT of anything with subject"."""
    _, _, answer = attach(repository, subject)
    assert answer["OCI-Subject"] == subject["digest"]


def test_subject_header_with_tag(repository, subject):
    """The same when pushed by tag."""
    _, _, answer = attach(repository, subject, tag="sbom-tag")
    assert answer["OCI-Subject"] == subject["digest"]


def test_no_subject_header_without_subject(repository):
    """No OCI-Subject where there is no subject."""
    _, data = repository.image()
    assert repository.put("again", data, web.OCI_MANIFEST).header("OCI-Subject") is None


def test_descriptor(repository, subject):
    """Descriptors carry mediaType, digest, size, artifactType and annotations."""
    digest, size, _ = attach(repository, subject, annotations={"who": "me"})
    found = referrers(repository, subject["digest"])[1]
    assert found == {digest: {"mediaType": web.OCI_MANIFEST, "digest": digest, "size": size, "artifactType": SBOM,
                              "annotations": {"who": "me"}}}


def test_artifact_type_of_the_config(repository, subject):
    """"config.mediaType as fallback" for artifactType."""
    digest, _, _ = attach(repository, subject, artifact_type=None, config_type="application/x.config")
    assert referrers(repository, subject["digest"])[1][digest]["artifactType"] == "application/x.config"


def test_filter(repository, subject):
    """end-12b: `?artifactType=` filters, with `OCI-Filters-Applied: artifactType`."""
    sbom, _, _ = attach(repository, subject, SBOM)
    signature, _, _ = attach(repository, subject, SIGNATURE)
    assert set(referrers(repository, subject["digest"])[1]) == {sbom, signature}
    answer, found = referrers(repository, subject["digest"], f"?artifactType={SIGNATURE}")
    assert set(found) == {signature}
    assert answer["OCI-Filters-Applied"] == "artifactType"
    assert referrers(repository, subject["digest"], "?artifactType=x/none")[1] == {}


def test_filter_percent_encoded(repository, subject):
    """end-12b: the parameter may be percent-encoded, `+` in a type stays a plus."""
    digest, _, _ = attach(repository, subject, "application/x.thing+json")
    found = referrers(repository, subject["digest"], "?artifactType=application%2Fx.thing%2Bjson")[1]
    assert set(found) == {digest}


def test_no_filter_header_without_filter(repository, subject):
    """No OCI-Filters-Applied without a filter."""
    assert referrers(repository, subject["digest"])[0].header("OCI-Filters-Applied") is None


def test_subject_that_does_not_exist(repository):
    """"subject that does not exist" is accepted, and found by its digest."""
    absent = web.descriptor(b"not pushed yet", web.OCI_MANIFEST)
    digest, _, answer = attach(repository, absent)
    assert answer["OCI-Subject"] == absent["digest"]
    assert set(referrers(repository, absent["digest"])[1]) == {digest}


def test_index_with_subject(repository, subject):
    """"an index with subject counts too"; its artifactType is its own field."""
    data = json.dumps(web.image_index([], subject=subject, artifactType="application/x.index",
                                      annotations={"a": "b"})).encode()
    answer = expect(repository.put(digest_of(data), data, web.OCI_INDEX), 201)
    assert answer["OCI-Subject"] == subject["digest"]
    found = referrers(repository, subject["digest"])[1][digest_of(data)]
    assert found["mediaType"] == web.OCI_INDEX
    assert found["artifactType"] == "application/x.index"
    assert found["annotations"] == {"a": "b"}


def test_sha512_subject(repository):
    """A subject named by sha512 is found by that digest."""
    subject = {"mediaType": web.OCI_MANIFEST, "digest": digest_of(b"strong", "sha512"), "size": 6}
    digest, _, answer = attach(repository, subject)
    assert answer["OCI-Subject"] == subject["digest"]
    assert set(referrers(repository, subject["digest"])[1]) == {digest}


def test_deleted_referrer_vanishes(repository, subject):
    """A deleted artifact is no referrer any more, at once."""
    digest, _, _ = attach(repository, subject)
    expect(repository.delete(f"/manifests/{digest}"), 202)
    assert referrers(repository, subject["digest"])[1] == {}


def test_referrers_outlive_their_subject(repository, subject):
    """Deleting the subject leaves the artifacts that refer to it."""
    digest, _, _ = attach(repository, subject)
    expect(repository.delete(f"/manifests/{subject['digest']}"), 202)
    assert set(referrers(repository, subject["digest"])[1]) == {digest}


def test_referrers_are_of_one_repository(repository, registry, subject):
    """Another repository's artifacts with the same subject do not show."""
    attach(repository, subject)
    other = registry.repository()
    other.image("v1")
    assert referrers(other, subject["digest"])[1] == {}


def test_many_in_pages(repository, subject):
    """end-12a: all referrers are found, by Link where the answer comes in pages."""
    import urllib.parse

    pushed = {attach(repository, subject, annotations={"n": str(number)})[0] for number in range(25)}
    found, url = set(), f"{repository.path}/referrers/{subject['digest']}?n=10"
    while url:
        answer = expect(repository.registry.get(url), 200)
        found |= {m["digest"] for m in answer.json()["manifests"]}
        link = answer.header("Link")
        url = urllib.parse.urljoin(answer.url, link[1:link.index(">")]) if link else None
    assert found == pushed
