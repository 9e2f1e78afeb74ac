"""end-8: lists of tags and of repositories, in pages."""

import re
import urllib.parse

import pytest

from harness.web import OCI_MANIFEST, expect, refused

TAGS = ["0.9", "1.0", "1.10", "2", "Big", "_x", "a", "a-b", "a.b", "a_b", "b", "latest"]


@pytest.fixture(scope="module")
def tagged(registry):
    """A repository with these tags, pushed in another order."""
    repository = registry.repository()
    _, data = repository.image()
    for tag in reversed(TAGS):
        expect(repository.put(tag, data, OCI_MANIFEST), 201)
    return repository


def next_page(answer):
    """The URL of a Link header, which az reads as `<path?k=v&k=v>; rel="next"`."""
    match = re.fullmatch(r'<([^>]*)>; *rel="?next"?', answer["Link"])
    assert match, answer["Link"]
    assert all("=" in part for part in match[1].partition("?")[2].split("&")), match[1]
    return urllib.parse.urljoin(answer.url, match[1])


def pages(registry, answer, key):
    found = []
    for _ in range(100):
        found.append(expect(answer, 200).json()[key])
        if answer.header("Link") is None:
            return found
        answer = registry.get(next_page(answer))
    raise AssertionError("Link never ends")


def test_all(tagged):
    """end-8a: 200 with name and all tags, sorted "lexical or ASCII"."""
    answer = expect(tagged.tags(), 200).json()
    assert answer["name"] in (tagged.full, tagged.name)
    assert sorted(answer["tags"]) == sorted(TAGS)
    assert answer["tags"] in (sorted(TAGS), sorted(TAGS, key=str.lower))


def test_unknown_repository(registry):
    """end-8a: 404 NAME_UNKNOWN."""
    refused(registry.repository().tags(), 404, "NAME_UNKNOWN")


@pytest.mark.parametrize("size", [1, 5, len(TAGS) - 1, len(TAGS), 100])
def test_pages_by_link(tagged, size):
    """end-8b: `n` limits a page; Link leads through all of them without repeats."""
    answer = tagged.tags(f"?n={size}")
    found = pages(tagged.registry, answer, "tags")
    assert all(len(page) <= size for page in found)
    assert [tag for page in found for tag in page] == expect(tagged.tags(), 200).json()["tags"]


def test_no_link_on_the_last_page(tagged):
    """end-8b: no Link where nothing follows."""
    assert expect(tagged.tags(f"?n={len(TAGS)}"), 200).header("Link") is None
    assert expect(tagged.tags(), 200).header("Link") is None


def test_last_is_exclusive(tagged):
    """end-8b: `last` "will not be included"; together with n."""
    everything = expect(tagged.tags(), 200).json()["tags"]
    assert expect(tagged.tags("?last=a"), 200).json()["tags"] == everything[everything.index("a") + 1:]
    assert expect(tagged.tags("?n=2&last=a"), 200).json()["tags"] == everything[everything.index("a") + 1:][:2]


def test_last_that_is_no_tag(tagged):
    """end-8b: `last` need not exist; the list goes on after where it would be."""
    everything = expect(tagged.tags(), 200).json()["tags"]
    assert expect(tagged.tags("?last=zzz"), 200).json()["tags"] in ([], None)
    assert expect(tagged.tags("?last=0.95"), 200).json()["tags"] == everything[1:]


def test_zero(tagged):
    """end-8b: n=0 → an empty list, without Link."""
    answer = expect(tagged.tags("?n=0"), 200)
    assert answer.json()["tags"] in ([], None)
    assert answer.header("Link") is None


@pytest.mark.parametrize("value", ["-1", "banana", "1.5", "99999999999999999999"])
def test_bad_page_size(tagged, value):
    """A page size that is none → 400 (an over-large one may be cut)."""
    expect(tagged.tags(f"?n={value}"), *((200, 400) if value.isdigit() else (400,)))


def test_repository_with_blobs_only(repository):
    """A repository without tags: 200 with an empty list, or 404."""
    repository.image()
    answer = expect(repository.tags(), 200)
    assert answer.json()["tags"] in ([], None)


def test_catalog_lists_the_repository(registry, tagged):
    """GET /v2/_catalog with `last` just before the repository's name finds it."""
    before = tagged.full[:-1]
    answer = expect(registry.get("/v2/_catalog?n=5&last=" + urllib.parse.quote(before, safe="")), 200)
    assert tagged.full in answer.json()["repositories"]


def test_catalog_pages(registry):
    """GET /v2/_catalog?n= with Link: sorted, without repeats."""
    for _ in range(3):
        registry.repository().image("v1")
    whole = [name for page in pages(registry, registry.get("/v2/_catalog?n=1000"), "repositories") for name in page]
    paged = [name for page in pages(registry, registry.get(f"/v2/_catalog?n={max(2, len(whole) // 3)}"),
                                    "repositories") for name in page]
    assert whole == sorted(whole)
    assert paged == whole
    assert len(set(whole)) == len(whole)
