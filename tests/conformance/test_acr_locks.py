"""ACR locks: deleteEnabled, writeEnabled, readEnabled, listEnabled at three levels, all of which
must allow. 405 REGISTRY_DISALLOWED_OPERATION for locked content (facts 2.1)."""

import pytest

from harness.web import OCI_MANIFEST, expect, refused

LOCKED = (405, "REGISTRY_DISALLOWED_OPERATION")


@pytest.fixture
def image(repository):
    repository.digest, repository.data = repository.image("v1")
    return repository


def lock(repository, level, **attributes):
    path = {"repository": "", "tag": "/_tags/v1", "manifest": f"/_manifests/{repository.digest}"}[level]
    expect(repository.registry.acr(repository.name + path, "PATCH", attributes), 200)


@pytest.mark.parametrize("level", ["repository", "manifest"])
def test_delete_disabled_keeps_the_manifest(image, level):
    """deleteEnabled=false blocks delete."""
    lock(image, level, deleteEnabled=False)
    refused(image.delete(f"/manifests/{image.digest}"), *LOCKED)
    expect(image.manifest("v1"), 200)
    lock(image, level, deleteEnabled=True)
    expect(image.delete(f"/manifests/{image.digest}"), 202)


@pytest.mark.parametrize("level", ["repository", "tag"])
def test_delete_disabled_keeps_the_tag(image, level):
    """deleteEnabled=false blocks the untag."""
    lock(image, level, deleteEnabled=False)
    refused(image.registry.acr(f"{image.name}/_tags/v1", "DELETE"), *LOCKED)
    expect(image.manifest("v1"), 200)


@pytest.mark.parametrize("level", ["repository", "tag", "manifest"])
def test_delete_disabled_keeps_the_repository(image, level):
    """A repository with locked content is not deleted, and nothing of it."""
    lock(image, level, deleteEnabled=False)
    refused(image.registry.acr(image.name, "DELETE"), *LOCKED)
    expect(image.manifest("v1"), 200)


@pytest.mark.parametrize("level", ["repository", "tag"])
def test_write_disabled_keeps_the_tag_where_it_is(image, level):
    """writeEnabled=false blocks overwrite and delete."""
    other = image.image()[1]
    lock(image, level, writeEnabled=False)
    refused(image.put("v1", other, OCI_MANIFEST), *LOCKED)
    assert expect(image.manifest("v1"), 200).body == image.data
    refused(image.registry.acr(f"{image.name}/_tags/v1", "DELETE"), *LOCKED)
    lock(image, level, writeEnabled=True)
    expect(image.put("v1", other, OCI_MANIFEST), 201)


def test_write_disabled_repository_takes_no_push(image):
    """writeEnabled=false at the repository: no blob, no manifest, no new tag."""
    lock(image, "repository", writeEnabled=False)
    refused(image.put("v2", image.data, OCI_MANIFEST), *LOCKED)
    refused(image.request("POST", "/blobs/uploads/"), *LOCKED)


@pytest.mark.parametrize("level", ["repository", "tag", "manifest"])
def test_read_disabled_blocks_pull(image, level):
    """readEnabled=false blocks pull."""
    lock(image, level, readEnabled=False)
    refused(image.manifest("v1"), *LOCKED)
    lock(image, level, readEnabled=True)
    assert expect(image.manifest("v1"), 200).body == image.data


def test_list_disabled_hides_the_repository(image):
    """listEnabled=false hides from lists; by name it is still there."""
    lock(image, "repository", listEnabled=False)
    found = expect(image.registry.acr(f"_catalog?n=5&last={image.name[:-1]}"), 200).json()["repositories"]
    assert image.name not in (found or [])
    expect(image.manifest("v1"), 200)


def test_list_disabled_hides_the_tag(image):
    """listEnabled=false of a tag hides it from both tag lists."""
    lock(image, "tag", listEnabled=False)
    assert "v1" not in (expect(image.tags(), 200).json()["tags"] or [])
    tags = expect(image.registry.acr(f"{image.name}/_tags"), 200).json()["tags"] or []
    assert "v1" not in [tag["name"] for tag in tags]
    expect(image.manifest("v1"), 200)


def test_list_disabled_hides_the_manifest(image):
    """listEnabled=false of a manifest hides it from _manifests."""
    lock(image, "manifest", listEnabled=False)
    found = expect(image.registry.acr(f"{image.name}/_manifests"), 200).json()["manifests"] or []
    assert image.digest not in [manifest["digest"] for manifest in found]


def test_new_tags_are_mutable(image):
    """"New tags are mutable by default"."""
    expect(image.put("v1", image.image()[1], OCI_MANIFEST), 201)
